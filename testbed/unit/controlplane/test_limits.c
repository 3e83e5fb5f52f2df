/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, regions and the retry budget at the operators' door: set, shown, explained, taken along, and told as alarms. */
#include "operations_fixture.h"

#include "alarms/alarms.h"
#include "health/limits.h"
#include "model/compile.h"
#include "tables/endpoints.h"
#include "tables/loads.h"
#include "tables/select.h"

static struct loads *loads_of(const struct bench *b)
{
	return dataplane_tables(b->dataplane)->loads;
}

static uint32_t slot_of(const struct bench *b, const char *profile, const char *trunk)
{
	return publish_target_slot(b->routing.publisher, trunk_id(span_str(profile)), trunk_id(span_str(trunk)));
}

static void sets(void **state)
{
	struct bench *b = *state;

	expect(b, "target.set", "{'target':'in/a','max_calls':10,'max_cps':5,'region':'fra'}",
	       "{'applied':true,'total':3,'changes':[{'text':'~ target in/a: max_calls 0 → 10'},{'text':'~ target in/a: max_cps 0 → 5'},"
	       "{'text':'~ target in/a: region none → fra'}],'target':{'state':'up','max_calls':10,'max_cps':5,'region':'fra','calls':0,'cps':0,"
	       "'passed_over':0}}");
	assert_true(loads_watched(loads_of(b), slot_of(b, "in", "a")));
	assert_false(loads_watched(loads_of(b), slot_of(b, "rr", "a")));
	expect(b, "target.set", "{'target':'in/a','max_calls':0,'max_cps':0,'region':null}",
	       "{'total':3,'target':{'max_calls':0,'region':null}}");
	assert_false(loads_watched(loads_of(b), slot_of(b, "in", "a")));
	expect_refusal(b, "target.set", "{'target':'in/a','max_calls':1000001}", "max_calls: 1000001 is not in 0..1000000");
	expect_refusal(b, "target.set", "{'target':'in/a','max_cps':-1}", "max_cps: -1 is not in 0..100000");
	expect_refusal(b, "target.set", "{'target':'in/a','region':'*'}", "region: '*' is not a name");
	expect(b, "profile.set", "{'name':'in','strategy':'least_calls','retry_budget':20,'regions':['fra','*','nyc']}",
	       "{'total':3,'profile':{'strategy':'least_calls','retry_budget':20,'regions':['fra','*','nyc']}}");
	assert_true(loads_watched(loads_of(b), slot_of(b, "in", "b"))); /* the strategy counts */
	expect_refusal(b, "profile.set", "{'name':'in','regions':['fra','x y']}",
		       "profile.regions[1]: 'x y' is not a name (1 to 63 letters, digits, '.', '_', '-'; a letter or digit first)");
	expect_refusal(b, "profile.set", "{'name':'in','regions':['1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17']}",
		       "profile.regions: more than 16");
}

/* What export says, apply takes, and nothing differs. */
static void round_trip(void **state)
{
	struct bench *b = *state;
	json_t *result, *sections;
	char *text;

	expect(b, "target.set", "{'target':'in/a','max_calls':10,'max_cps':5,'region':'fra'}", "{'total':3}");
	expect(b, "profile.set", "{'name':'in','retry_budget':7,'regions':['ams','fra']}", "{'total':2}");
	result = result_of(b, "export", "{}");
	sections = json_pack("{s:O, s:O, s:O}", "trunks", json_object_get(result, "trunks"), "profiles", json_object_get(result, "profiles"), "domains",
			     json_object_get(result, "domains"));
	text = json_dumps(sections, 0);
	expect(b, "apply", text, "{'total':0}");
	free(text);
	json_decref(sections);
	json_decref(result);
	expect(b, "profile.get", "{'name':'in'}",
	       "{'retry_budget':7,'regions':['ams','fra'],'targets':[{'trunk':'a','max_calls':10,'max_cps':5,'region':'fra'},{'trunk':'b','max_calls':0}]}");
}

static void explains(void **state)
{
	struct bench *b = *state;

	fake_dataplane(b->dataplane)->retries = (struct retry_stats){ .attempts = 100, .retries = 19, .window_s = 10, .floor = 20 };
	expect(b, "profile.set", "{'name':'in','retry_budget':20}", "{'total':1}");
	expect(b, "target.set", "{'target':'in/a','max_calls':2}", "{'total':1}");
	loads_adopt(loads_of(b), slot_of(b, "in", "a"), 0);
	expect(b, "route", "{'from':'+1','to':'+442035550100'}",
	       "{'verdict':'routed','retry_budget':{'percent':20,'attempts':100,'retries':19,'window_s':10,'floor':20},"
	       "'attempts':[{'target':'in/a','max_calls':2,'calls':1},{'target':'in/a'},{'target':'in/b'}]}");
	loads_adopt(loads_of(b), slot_of(b, "in", "a"), 1);
	expect(b, "route", "{'from':'+1','to':'+442035550100'}",
	       "{'attempts':[{'target':'in/b'}],'left_out':[{'target':'in/a','reason':'at its limit: 2 of 2 calls','calls':2}]}");
	expect(b, "target.set", "{'target':'in/a','weight':100}", "{'target':{'state':'full','calls':2}}");
	assert_int_equal(loads_passed(loads_of(b), slot_of(b, "in", "a")), 0); /* a dry run passes nobody over */
	expect(b, "target.set", "{'target':'in/a','max_calls':0,'max_cps':1}", "{'total':2}");
	assert_true(loads_take(loads_of(b), slot_of(b, "in", "a"), 0, 0, 1, dataplane_now_ms()));
	expect(b, "route", "{'from':'+1','to':'+442035550100'}", "{'left_out':[{'reason':'at its limit: 1 of 1 calls per second'}]}");
	expect(b, "target.set", "{'target':'in/a','max_cps':0}", "{'total':1}");
	/* least_calls: a has one, b none. */
	expect(b, "profile.set", "{'name':'in','strategy':'least_calls'}", "{'total':1}");
	expect(b, "route", "{'from':'+1','to':'+442035550100'}",
	       "{'attempts':[{'target':'in/b','calls':0},{'target':'in/a','calls':3},{'target':'in/a'}]}");
	expect(b, "profile.set", "{'name':'in','strategy':'failover'}", "{'total':1}");
	/* Tiers: b is near, and with no retry a is never asked. */
	expect(b, "target.set", "{'target':'in/b','region':'fra'}", "{'total':1}");
	expect(b, "profile.set", "{'name':'in','regions':['fra'],'max_retries':0}", "{'total':2}");
	expect(b, "route", "{'from':'+1','to':'+442035550100'}",
	       "{'attempts':[{'target':'in/b','region':'fra','tier':0}],'left_out':[{'target':'in/a','tier':1,"
	       "'reason':'a nearer region comes first, and then max_retries or max_attempts are used up'}]}");
	expect(b, "profile.set", "{'name':'in','strategy':'simultaneous_ring'}", "{'total':1}");
	expect(b, "route", "{'from':'+1','to':'+442035550100'}",
	       "{'attempts':[{'target':'in/b'}],'left_out':[{'target':'in/a','reason':'a nearer region rings; it does when all of that have failed'}]}");
}

/* The node's region first, then the profile's in order, then the others, or where "*" puts them. */
static void tiers(void **state)
{
	static const struct {
		const char *node, *regions[5], *target;
		unsigned tier;
	} cases[] = {
		{ NULL, { NULL }, "", 0 },	       { NULL, { NULL }, "fra", 0 },	       { "fra", { NULL }, "fra", 0 },
		{ "fra", { NULL }, "ams", 1 },	       { "fra", { NULL }, "", 1 },	       { "", { "fra", "ams" }, "ams", 1 },
		{ "", { "fra", "ams" }, "AMS", 1 },    { "", { "fra", "ams" }, "nyc", 2 },      { "", { "fra", "ams" }, "", 2 },
		{ "ams", { "fra", "ams" }, "ams", 0 }, { "ams", { "fra", "ams" }, "fra", 1 },  { "AMS", { "fra", "ams", "nyc" }, "nyc", 2 },
		{ "sfo", { "fra", "ams" }, "fra", 1 }, { "", { "fra", "*", "ams" }, "nyc", 1 }, { "", { "fra", "*", "ams" }, "ams", 2 },
		{ "", { "*", "fra" }, "", 0 },	       { "fra", { "*" }, "", 1 },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct model_profile p = { .region_count = 0 };

		for (; cases[k].regions[p.region_count]; p.region_count++)
			strcpy(p.regions[p.region_count], cases[k].regions[p.region_count]);
		assert_int_equal(compile_tier(&p, cases[k].node, cases[k].target), cases[k].tier);
	}
}

static const char *alarm_of(const struct alarms *a, const char *subject)
{
	const struct alarm *alarm = alarm_find(a, ALARM_LIMIT, subject);

	return alarm ? alarm->text : NULL;
}

static void alarms_come_and_go(void **state)
{
	struct bench *b = *state;
	struct alarms *a = alarms_new(8, 8);
	struct limits *l = limits_new(b->dataplane, a);
	uint32_t slot;

	expect(b, "target.set", "{'target':'in/a','max_calls':2}", "{'total':1}");
	slot = slot_of(b, "in", "a");
	limits_look(l, &b->routing, 1000);
	assert_null(alarm_of(a, "in/a"));
	loads_adopt(loads_of(b), slot, 0);
	loads_adopt(loads_of(b), slot, 0);
	limits_look(l, &b->routing, 2000);
	assert_string_equal(alarm_of(a, "in/a"), "2 of 2 calls; 0 calls passed it over within the last second");
	loads_release(loads_of(b), slot, 0);
	for (unsigned i = 0; i < 3; i++)
		loads_passed_over(loads_of(b), slot);
	limits_look(l, &b->routing, 3000);
	assert_string_equal(alarm_of(a, "in/a"), "1 of 2 calls; 3 calls passed it over within the last second");
	limits_look(l, &b->routing, 3000 + LIMIT_QUIET_MS - 1);
	assert_non_null(alarm_of(a, "in/a"));
	limits_look(l, &b->routing, 3000 + LIMIT_QUIET_MS);
	assert_null(alarm_of(a, "in/a"));
	/* Who has no limit any more is at none. */
	loads_passed_over(loads_of(b), slot);
	limits_look(l, &b->routing, 10000);
	assert_non_null(alarm_of(a, "in/a"));
	expect(b, "target.set", "{'target':'in/a','max_calls':0}", "{'total':1}");
	limits_look(l, &b->routing, 11000);
	assert_null(alarm_of(a, "in/a"));
	/* The sum is put right on the way. */
	expect(b, "target.set", "{'target':'in/a','max_calls':2}", "{'total':1}");
	loads_damage(loads_of(b), slot, 77);
	limits_look(l, &b->routing, 12000);
	limits_look(l, &b->routing, 13000);
	assert_int_equal(loads_calls(loads_of(b), slot), 1);
	limits_free(l);
	alarms_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sets, set_up, tear_down),	    cmocka_unit_test_setup_teardown(round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(explains, set_up, tear_down),	    cmocka_unit_test(tiers),
		cmocka_unit_test_setup_teardown(alarms_come_and_go, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
