/* SPDX-License-Identifier: Apache-2.0 */
/* What changed, who did it, and the way back, through the operations that operators use. */
#include "versions_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "model/diff.h"

static int set_up_versions(void **state)
{
	struct bench *b;
	uint64_t dropped;
	char error[ERROR_TEXT_MAX];

	unlink(path);
	unlink(state_path);
	set_up(state);
	b = *state;
	b->routing.versions = open_log(&roomy);
	assert_int_equal(versions_start(b->routing.versions, 0, b->routing.model, &me, &dropped, error), 0);
	return 0;
}

static void says_who_and_what(void **state)
{
	struct bench *b = *state;

	expect(b, "config.log", "{}", "{'version':1,'oldest':1,'versions':[{'version':1,'operation':'test','way_back':true}]}");
	expect(b, "target.set", "{'target':'in/a','enabled':false,'comment':'works at 3'}", "{'version':2,'total':1}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'version':3}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'version':3}"); /* nothing changed */
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'version':4}");
	expect(b, "apply", "{'domains':[],'dry_run':true}", "{'version':4}");
	expect(b, "apply", "{'domains':[{'domain':'b.example','profile':'w'}]}", "{'version':5}");
	expect_refusal(b, "profile.set", "{'name':'in','ring_timeout_s':999}", "profile.ring_timeout_s: 999 is not in 0..180");
	expect(b, "status", "{}", "{'routing_version':5}");
	expect(b, "config.log", "{'limit':2,'before':5}",
	       "{'version':5,'more':true,'versions':[{'version':4,'first':3,'total':2,'changes':['- prefix +49 → w'],'operation':'number.set','who':'strowgerd'},"
	       "{'version':2,'operation':'target.set','total':1}]}");
	expect(b, "config.log", "{'limit':1}", "{'more':true,'versions':[{'version':5,'total':2}]}");
	expect(b, "config.log", "{}", "{'more':false,'versions':[{'version':5},{'version':4},{'version':2},{'version':1}]}");
	expect(b, "config.show", "{'version':3}", "{'changes':['~ number +442035550100: profile in → w'],'total':1}");
	expect(b, "config.show", "{'version':2}",
	       "{'version':2,'comment':'works at 3','operation':'target.set','total':1,'changes':['~ target in/a: enabled true → false']}");
	expect(b, "config.show", "{'version':5}", "{'total':2,'changes':['+ domain b.example → w','- domain example.com → in']}");
	expect_refusal(b, "config.show", "{'version':6}", "version 6 is not kept: 1 to 5 are");
	expect_refusal(b, "config.log", "{'limit':0}", "limit: 0 is not in 1..10000");
}

static void goes_back(void **state)
{
	struct bench *b = *state;
	json_t *first = result_of(b, "export", "{}"), *now;

	expect(b, "target.set", "{'target':'in/a','enabled':false}", "{'version':2}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'version':3}");
	expect(b, "number.set", "{'number':'+15','profile':'w'}", "{'version':4}");
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'version':5}");
	expect(b, "apply", "{'trunks':[{'name':'z','endpoints':[{'address':'10.0.5.1'}]}],'profiles':[{'name':'N','targets':[{'trunk':'z'}]}],"
			   "'numbers':[{'number':'+15','profile':'N'}],'domains':[]}", "{'version':6}");
	expect(b, "config.diff", "{'from':5}", "{'total':13}");
	expect(b, "config.diff", "{'from':4,'to':5}", "{'total':1,'changes':[{'text':'- prefix +49 → w'}]}");
	expect(b, "config.diff", "{'from':5,'to':4}", "{'total':1,'changes':[{'text':'+ prefix +49 → w'}]}");
	expect(b, "config.rollback", "{'version':4,'dry_run':true}", "{'applied':false,'version':6}");
	expect(b, "config.rollback", "{'version':4}", "{'applied':true,'version':7}");
	expect(b, "config.show", "{'version':7}", "{'operation':'config.rollback','comment':'back to version 4'}");
	expect(b, "numbers", "{}", "{'numbers':[{'number':'+15','profile':'w'},{'number':'+442035550100','profile':'w'},{'number':'+442035550101','profile':'rr'}],"
				   "'prefixes':[{'prefix':'+49','profile':'w'}]}");
	expect(b, "config.diff", "{'from':4}", "{'total':0}");
	/* over a rollback, to where it all began */
	expect(b, "config.rollback", "{'version':1,'comment':'as it was'}", "{'version':8}");
	now = result_of(b, "export", "{}");
	assert_int_equal(json_array_size(json_object_get(now, "trunks")), json_array_size(json_object_get(first, "trunks")));
	json_decref(now);
	expect(b, "config.diff", "{'from':1}", "{'total':0}");
	expect(b, "config.diff", "{'from':1,'to':8}", "{'total':0}");
	expect(b, "config.rollback", "{'version':6}", "{'version':9}");
	expect(b, "config.diff", "{'from':6}", "{'total':0}");
	expect(b, "config.rollback", "{'version':9}", "{'total':0,'version':9}"); /* nothing to do is no version */
	expect_refusal(b, "config.rollback", "{'version':99}", "version 99 is not kept: 1 to 9 are");
	expect_refusal(b, "config.rollback", "{'version':0}", "version: 0 is no version");
	json_decref(first);
}

/* A rollback is about routing: what drains goes on draining, and no drain of then comes back. */
static void leaves_drains(void **state)
{
	struct bench *b = *state;

	expect(b, "target.drain", "{'target':'in/a'}", "{'version':2}");
	expect(b, "target.set", "{'target':'in/b','weight':5}", "{'version':3}");
	expect(b, "target.undrain", "{'target':'in/a'}", "{'version':4}");
	expect(b, "target.drain", "{'target':'rr/b'}", "{'version':5}");
	expect(b, "config.show", "{'version':2}", "{'operation':'target.drain','total':1}");
	expect(b, "config.rollback", "{'version':2}", "{'version':6,'total':1}");
	expect(b, "targets", "{}", "[{'target':'in/a','state':'up'},{'target':'in/b','weight':100},{},{'target':'rr/b','state':'draining'},{},{}]");
}

/* Numbers move all day: a mistake in a profile can be taken back without them. */
static void keeps_numbers(void **state)
{
	struct bench *b = *state;

	expect(b, "profile.set", "{'name':'in','ring_timeout_s':9}", "{'version':2}");
	expect(b, "number.set", "{'number':'+15','profile':'w'}", "{'version':3}");
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'version':4}");
	expect(b, "config.rollback", "{'version':1,'keep_numbers':true}", "{'version':5,'total':1,'changes':[{'text':'~ profile in: ring_timeout_s 9 → 25'}]}");
	expect(b, "numbers", "{}", "{'numbers_total':3,'prefixes_total':0}");
	/* a number that leads to a profile which was not there then stands in the way, and is named */
	expect(b, "apply", "{'profiles':[{'name':'in'},{'name':'rr'},{'name':'w'},{'name':'fall'},{'name':'N'}]}", "{'version':6}");
	expect(b, "number.set", "{'number':'+16','profile':'N'}", "{'version':7}");
	expect_refusal(b, "config.rollback", "{'version':5,'keep_numbers':true}", "version 5 cannot be made again: numbers: number +16 names a profile that does not exist");
	expect(b, "status", "{}", "{'routing_version':7}");
	expect(b, "config.rollback", "{'version':5}", "{'version':8}");
}

/* Names of endpoints, limits, regions, probes: whatever the sections can say comes back as it was. */
static void everything_comes_back(void **state)
{
	struct bench *b = *state;
	json_t *then, *now;

	expect(b, "apply", "{'trunks':[{'name':'a','endpoints':[{'host':'sip.carrier.example','weight':7},{'address':'fd77::1','port':5062}],"
			   "'sources':['10.9.0.0/16'],'host':'x.example','probe':{'interval_ms':500,'timeout_ms':200}},{'name':'b'}],"
			   "'profiles':[{'name':'in','regions':['fra','ams'],'retry_budget':20,'targets':[{'trunk':'a','max_calls':9,'max_cps':3,"
			   "'region':'fra','probe':{'enabled':false}},{'trunk':'b','position':2,'weight':0,'enabled':false}]}],'numbers':[],"
			   "'domains':[{'domain':'z.example','profile':'in'}]}", "{'version':2}");
	then = result_of(b, "export", "{}");
	expect(b, "apply", "{'trunks':[],'profiles':[],'domains':[]}", "{'version':3}");
	expect(b, "config.rollback", "{'version':2}", "{'version':4}");
	now = result_of(b, "export", "{}");
	assert_true(json_equal(then, now));
	expect(b, "config.diff", "{'from':2}", "{'total':0}");
	json_decref(then);
	json_decref(now);
}

static void guards(void **state)
{
	struct bench *b = *state;

	expect(b, "target.set", "{'target':'in/a','weight':5,'if_version':1}", "{'version':2}");
	expect_refusal(b, "target.set", "{'target':'in/a','weight':6,'if_version':1}",
		       "if_version: version 2 is in force, not 1: somebody changed something meanwhile (config log says who)");
	expect_refusal(b, "number.set", "{'number':'+15','profile':'w','if_version':3}",
		       "if_version: version 2 is in force, not 3: somebody changed something meanwhile (config log says who)");
	expect(b, "status", "{}", "{'routing_version':2,'numbers':2}");
	expect(b, "profile.set", "{'name':'in','ring_timeout_s':9,'if_version':2,'comment':'x'}", "{'version':3}");
	expect_refusal(b, "status", "{'if_version':3}", "if_version: status has no such parameter");
}

/* A hundred changes by dice; every version can be made again just as it was. */
static void every_version_comes_back(void **state)
{
	static const char *const profiles[] = { "in", "rr", "w", "fall" };
	struct bench *b = *state;
	struct model *kept[101] = { NULL };
	char error[ERROR_TEXT_MAX] = "";

	srand(4711);
	for (unsigned i = 1; i <= 100; i++) {
		char params[256];
		struct model *m;

		switch (rand() % 4) {
		case 0:
			snprintf(params, sizeof(params), "{'number':'+4420%d','profile':'%s'}", rand() % 30, profiles[rand() % 4]);
			json_decref(result_of(b, "number.set", params));
			break;
		case 1:
			snprintf(params, sizeof(params), "{'prefix':'+%d','profile':'%s'}", 1 + rand() % 5, profiles[rand() % 4]);
			json_decref(result_of(b, "number.set", params));
			break;
		case 2:
			snprintf(params, sizeof(params), "{'target':'w/%c','weight':%d}", 'a' + rand() % 2, 1 + rand() % 5);
			json_decref(result_of(b, "target.set", params));
			break;
		default:
			snprintf(params, sizeof(params), "{'domains':[{'domain':'d%d.example','profile':'%s'}]}", rand() % 3, profiles[rand() % 4]);
			json_decref(result_of(b, "apply", params));
		}
		/* a copy shares the numbers: so from the log, while it is young */
		assert_int_equal(reconstruct(b->routing.versions, versions_last(b->routing.versions), b->routing.model, &plenty, false, &m, error), 0);
		model_free(kept[versions_last(b->routing.versions)]);
		kept[versions_last(b->routing.versions)] = m;
		if (number_map_count(m->numbers) && rand() % 2) /* what shares them must not see what follows */
			json_decref(result_of(b, "number.set", "{'number':'+999','profile':'in'}"));
	}
	for (uint64_t n = 2; n <= versions_last(b->routing.versions) && n <= 100; n++) {
		struct model *m;
		struct diff d;

		if (!kept[n])
			continue;
		if (reconstruct(b->routing.versions, n, b->routing.model, &plenty, false, &m, error))
			fail_msg("%s", error);
		diff_init(&d);
		diff_models(&d, kept[n], m);
		for (uint32_t k = 0; k < d.count; k++) /* numbers are shared with what is in force: only the rest is compared here */
			if (strcmp(d.changes[k].kind, "number") != 0 && strcmp(d.changes[k].kind, "prefix") != 0)
				fail_msg("version %llu: %s %s", (unsigned long long)n, d.changes[k].kind, d.changes[k].name);
		diff_done(&d);
		model_free(m);
	}
	for (unsigned i = 0; i <= 100; i++)
		model_free(kept[i]);
}

/* A log that cannot be written refuses the change whole: nothing is in force, nothing is kept; and it goes on when there is room again. */
static void full_disk(void **state)
{
	struct bench *b = *state;
	struct rlimit was, tight = { .rlim_cur = 0 };
	struct stat st;
	json_t *answer;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	tight = (struct rlimit){ .rlim_cur = (rlim_t)st.st_size + 20, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	answer = ask(b, "number.set", "{'number':'+15','profile':'w'}");
	json_decref(ask(b, "target.set", "{'target':'in/a','weight':7}"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_non_null(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "message")), "No space left on device"));
	json_decref(answer);
	expect(b, "numbers", "{'prefix':'15'}", "{'numbers':[]}");
	expect(b, "status", "{}", "{'routing_version':1}");
	expect(b, "config.diff", "{'from':1}", "{'total':0}");
	assert_int_equal(stat(path, &st), 0);
	expect(b, "number.set", "{'number':'+15','profile':'w'}", "{'version':2}");
	expect(b, "config.show", "{'version':2}", "{'changes':['+ number +15 → w']}");
}

int main(void)
{
#define WITH_VERSIONS(f) cmocka_unit_test_setup_teardown(f, set_up_versions, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_VERSIONS(says_who_and_what), WITH_VERSIONS(goes_back),	       WITH_VERSIONS(guards),
		WITH_VERSIONS(leaves_drains),	  WITH_VERSIONS(keeps_numbers),	       WITH_VERSIONS(everything_comes_back),
		WITH_VERSIONS(every_version_comes_back), WITH_VERSIONS(full_disk),
	};

	signal(SIGXFSZ, SIG_IGN);
	return run_with_log(tests, ARRAY_SIZE(tests));
}
