/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked at once a second, over a data plane whose health, gauges and counters the test writes. */
#include "operations_fixture.h"

#include "alarms/alarms.h"
#include "alarms/watch.h"
#include "tables/endpoints.h"

static const struct watch_config busy = { .busy_percent = 90, .busy_s = 3 };

/* "kind subject" of all that is raised, sorted, a line each. */
static const char *raised(const struct alarms *a, char out[8192])
{
	const struct alarm *alarm;
	char lines[16][512];
	unsigned n = 0;

	for (; (alarm = alarms_raised(a, n)) != NULL && n < 16; n++)
		snprintf(lines[n], sizeof(lines[n]), "%s %s: %s\n", alarm_doc(alarm->kind)->word, alarm->subject, alarm->text);
	qsort(lines, n, sizeof(lines[0]), (int (*)(const void *, const void *))strcmp);
	out[0] = 0;
	for (unsigned i = 0; i < n; i++)
		strcat(out, lines[i]);
	return out;
}

static void look(struct bench *b, struct watch *w, const char *want)
{
	char got[8192];

	watch_second(w, &b->control);
	assert_string_equal(raised(b->control.alarms, got), want);
}

static void set_health(struct bench *b, const char *trunk, unsigned endpoint, enum endpoint_health health)
{
	const struct model_trunk *t = model_trunk(b->routing.model, trunk);
	uint32_t slot = publish_endpoint_slot(b->routing.publisher, t->id, t->endpoints[endpoint].id);

	atomic_store(&endpoints_live(dataplane_tables(b->dataplane)->endpoints, slot)->health, health);
}

static int set_up_watch(void **state)
{
	struct bench *b;

	set_up(state);
	b = *state;
	b->control.alarms = alarms_new(64, 64);
	return 0;
}

static int tear_down_watch(void **state)
{
	alarms_free(((struct bench *)*state)->control.alarms);
	return tear_down(state);
}

static void targets(void **state)
{
	struct bench *b = *state;
	struct watch *w = watch_new(&busy, 2);
	struct alarms_stats s;

	look(b, w, "");
	set_health(b, "a", 0, ENDPOINT_DOWN); /* its other endpoint takes calls */
	look(b, w, "");
	set_health(b, "a", 1, ENDPOINT_DOWN);
	look(b, w, "target-down in/a: all endpoints down\ntarget-down rr/a: all endpoints down\ntarget-down w/a: all endpoints down\n");
	set_health(b, "b", 0, ENDPOINT_DOWN);
	look(b, w, "all-down in: none of its 2 targets takes calls\nall-down rr: none of its 2 targets takes calls\n"
		   "all-down w: none of its 2 targets takes calls\ntarget-down in/a: all endpoints down\ntarget-down in/b: all endpoints down\n"
		   "target-down rr/a: all endpoints down\ntarget-down rr/b: all endpoints down\ntarget-down w/a: all endpoints down\n"
		   "target-down w/b: all endpoints down\n");
	alarms_stats(b->control.alarms, &s);
	look(b, w, "all-down in: none of its 2 targets takes calls\nall-down rr: none of its 2 targets takes calls\n"
		   "all-down w: none of its 2 targets takes calls\ntarget-down in/a: all endpoints down\ntarget-down in/b: all endpoints down\n"
		   "target-down rr/a: all endpoints down\ntarget-down rr/b: all endpoints down\ntarget-down w/a: all endpoints down\n"
		   "target-down w/b: all endpoints down\n");
	assert_int_equal(s.events, 9); /* looking again is no event */
	/* the operator's own doing is no failure of a target, but calls of the profile fail all the same */
	json_decref(result_of(b, "target.set", "{'target':'in/a','enabled':false}"));
	json_decref(result_of(b, "target.set", "{'target':'in/b','weight':0}"));
	set_health(b, "a", 0, ENDPOINT_UP);
	look(b, w, "all-down in: none of its 2 targets takes calls\ntarget-down rr/b: all endpoints down\ntarget-down w/b: all endpoints down\n");
	/* what is gone is not wrong any more */
	json_decref(result_of(b, "apply", "{'trunks':[{'name':'b','endpoints':[{'address':'10.0.1.1'}]}],'profiles':[{'name':'w','targets':[{'trunk':'b'}]}],"
					  "'numbers':[],'domains':[]}"));
	look(b, w, "all-down w: none of its 1 target takes calls\ntarget-down w/b: all endpoints down\n");
	set_health(b, "b", 0, ENDPOINT_SUSPECT);
	look(b, w, "");
	json_decref(result_of(b, "apply", "{'trunks':[{'name':'b'}]}"));
	look(b, w, "all-down w: none of its 1 target takes calls\ntarget-down w/b: no endpoint\n");
	watch_free(w);
}

static void drains(void **state)
{
	struct bench *b = *state;
	struct watch *w = watch_new(&busy, 2);
	uint32_t slot = publish_target_slot(b->routing.publisher, trunk_id(SPAN_LIT("in")), trunk_id(SPAN_LIT("a")));

	json_decref(result_of(b, "target.drain", "{'target':'in/a'}"));
	fake_dataplane(b->dataplane)->targets[slot].live = 2;
	look(b, w, "draining in/a: 2 calls are left\n");
	fake_dataplane(b->dataplane)->targets[slot].live = 0;
	look(b, w, "draining in/a: no calls are left\n");
	json_decref(result_of(b, "target.undrain", "{'target':'in/a'}"));
	json_decref(result_of(b, "node.drain", "{}"));
	look(b, w, "draining node: no calls are left\n");
	json_decref(result_of(b, "node.undrain", "{}"));
	look(b, w, "");
	watch_free(w);
}

/* A digit a second, tenths of the worker's time; behind it whether the alarm stands. */
static void workers(void **state)
{
	static const struct {
		const char *busy, *raised;
	} cases[] = {
		{ "999", "--r" },
		{ "9919999", "-----rr" },
		{ "99988889", "--rrr---" }, /* 80 % is calm, for three seconds */
		{ "999898989", "--rrrrrrr" },
		{ "0000", "----" },
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct watch *w = watch_new(&busy, 2);

		for (unsigned k = 0; cases[i].busy[k]; k++) {
			bool stands;

			b->control.gauges[1].busy_permille = 100u * (unsigned)(cases[i].busy[k] - '0');
			watch_second(w, &b->control);
			stands = alarm_find(b->control.alarms, ALARM_OVERLOAD, "worker 1") != NULL;
			if (stands != (cases[i].raised[k] == 'r'))
				fail_msg("case %u, second %u: %d", i, k, stands);
		}
		assert_null(alarm_find(b->control.alarms, ALARM_OVERLOAD, "worker 0"));
		alarm_clear(b->control.alarms, ALARM_OVERLOAD, "worker 1", "next");
		watch_free(w);
	}
}

static void tables(void **state)
{
	struct bench *b = *state;
	struct watch *w = watch_new(&busy, 2);

	counter_add(&fake_dataplane(b->dataplane)->counters[0], COUNTER_refused_full, 7);
	look(b, w, ""); /* before it looked */
	counter_add(&fake_dataplane(b->dataplane)->counters[1], COUNTER_refused_full, 3);
	look(b, w, "overload tables: 3 refused in a second: transactions, calls or messages are at their limit\n");
	for (unsigned s = 0; s < 29; s++)
		look(b, w, "overload tables: 3 refused in a second: transactions, calls or messages are at their limit\n");
	look(b, w, "");
	watch_free(w);
}

int main(void)
{
#define WITH_WATCH(f) cmocka_unit_test_setup_teardown(f, set_up_watch, tear_down_watch)
	const struct CMUnitTest tests[] = { WITH_WATCH(targets), WITH_WATCH(drains), WITH_WATCH(workers), WITH_WATCH(tables) };

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
