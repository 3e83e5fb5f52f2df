/* SPDX-License-Identifier: Apache-2.0 */
/* Each target against its own past. Cases are scripts: windows of calls, and what is raised after each. */
#include "fixture.h"

#include "alarms/alarms.h"
#include "fake_dataplane.h"
#include "health/quality.h"
#include "tables/call_record.h"
#include "tables/tables.h"
#include "tables/trunks.h"

#define WINDOW_MS 1000
#define TRUNK	  77

struct scene {
	struct dataplane *dataplane;
	struct alarms *alarms;
	struct quality *quality;
	uint64_t now_ms;
};

static int set_up(void **state)
{
	static const struct tables_limits room = { .workers = 1, .numbers = 8, .prefixes = 1, .profiles = 1, .trunks = 2, .endpoints = 4 };
	struct quality_config config = quality_config_default();
	struct trunk trunk = { .id = TRUNK, .name = "carrier" };
	struct scene *s = calloc(1, sizeof(*s));
	uint32_t slot;

	config.window_s = WINDOW_MS / 1000;
	s->dataplane = fake_dataplane_new(&room);
	s->alarms = alarms_new(8, 64);
	s->quality = quality_new(&config, dataplane_tables(s->dataplane)->trunks, s->alarms);
	assert_non_null(s->quality);
	assert_int_equal(trunks_add(dataplane_tables(s->dataplane)->trunks, &trunk, &slot), 0);
	s->now_ms = 5000;
	quality_look(s->quality, s->now_ms);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	quality_free(s->quality);
	alarms_free(s->alarms);
	fake_dataplane_free(s->dataplane);
	free(s);
	return 0;
}

/* Calls of one kind: answered ones last so long and end with that cause; the others fail with it. */
struct calls {
	unsigned count;
	bool answered;
	uint32_t seconds;
	uint8_t cause;
};

static void take(struct scene *s, const struct calls *c)
{
	struct call_record r = { .profile = "in", .profile_id = 9, .attempt_count = 1, .attempts = { { .trunk_id = TRUNK } } };

	for (unsigned i = 0; i < c->count; i++) {
		r.attempts[0].result = c->answered ? ATTEMPT_RECORD_ANSWERED : ATTEMPT_RECORD_REJECTED;
		r.attempts[0].cause = c->answered ? 0 : c->cause;
		r.cause = 0;
		r.answered_ms = c->answered ? 100 : 0;
		r.kind = c->answered ? RECORD_START : RECORD_FAILED;
		r.end = RECORD_REJECTED;
		quality_take(s->quality, &r);
		if (!c->answered)
			continue;
		r.kind = RECORD_END;
		r.end = RECORD_ENDED_BY_CALLER;
		r.cause = c->cause;
		r.ended_ms = r.answered_ms + c->seconds * 1000 + i % 7;
		quality_take(s->quality, &r);
	}
}

static void close_window(struct scene *s)
{
	s->now_ms += WINDOW_MS;
	quality_look(s->quality, s->now_ms);
}

static bool raised(const struct scene *s, enum alarm_kind kind)
{
	return alarm_find(s->alarms, kind, "in/carrier") != NULL;
}

#define USUAL { { 60, true, 100, 16 }, { 20, true, 40, 16 }, { 20, false, 0, 17 } }

static void test_windows(void **state)
{
	enum { NONE = -1 };
	static const struct {
		const char *what;
		struct calls window[3];
		int kind; /* all that is raised after it */
		const char *text;
	} cases[] = {
		{ "as ever", USUAL, NONE, NULL },
		{ "a little less", { { 35, true, 100, 16 }, { 15, false, 0, 17 } }, NONE, NULL },
		{ "half as many", { { 40, true, 100, 16 }, { 60, false, 0, 17 } }, ALARM_ANSWER_RATIO,
		  "40 % of its calls are answered, usually 80 %" },
		{ "half as many, but few", { { 10, true, 100, 16 }, { 15, false, 0, 17 } }, NONE, NULL },
		{ "short ones", { { 40, true, 100, 16 }, { 40, true, 1, 16 }, { 20, false, 0, 17 } }, ALARM_SHORT_CALLS,
		  "50 % of its answered calls are over within 3 s, usually 0 %" },
		{ "shorter ones", { { 80, true, 20, 16 }, { 20, false, 0, 17 } }, ALARM_SHORT_CALLS,
		  "its calls last 20 s in the mean, usually 85 s" },
		{ "causes in BYE", { { 40, true, 100, 41 }, { 40, true, 60, 16 }, { 20, false, 0, 17 } }, ALARM_UPSTREAM_CAUSES,
		  "40 % of its calls end with a Q.850 cause of trouble, usually 0 %" },
		{ "causes in answers", { { 80, true, 85, 16 }, { 30, false, 0, 34 } }, ALARM_UPSTREAM_CAUSES,
		  "27 % of its calls end with a Q.850 cause of trouble, usually 0 %" },
	};
	static const struct calls usual[3] = USUAL;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct quality_view v;
		struct scene *s;

		assert_int_equal(set_up((void **)&s), 0);
		for (unsigned w = 0; w < 10; w++) {
			for (unsigned k = 0; k < 3; k++)
				take(s, &usual[k]);
			close_window(s);
		}
		assert_true(quality_view(s->quality, 9, TRUNK, &v));
		assert_in_range((int)(v.answered_usual * 10), 795, 805);
		for (unsigned k = 0; k < 3; k++)
			take(s, &cases[i].window[k]);
		close_window(s);
		for (int kind = ALARM_ANSWER_RATIO; kind <= ALARM_UPSTREAM_CAUSES; kind++)
			if (raised(s, (enum alarm_kind)kind) != (kind == cases[i].kind))
				fail_msg("%s: alarm %d is %d", cases[i].what, kind, raised(s, (enum alarm_kind)kind));
		if (cases[i].text)
			assert_string_equal(alarm_find(s->alarms, (enum alarm_kind)cases[i].kind, "in/carrier")->text, cases[i].text);
		/* All is well again. */
		for (unsigned w = 0; w < 2; w++) {
			for (unsigned k = 0; k < 3; k++)
				take(s, &usual[k]);
			close_window(s);
		}
		for (int kind = ALARM_ANSWER_RATIO; kind <= ALARM_UPSTREAM_CAUSES; kind++)
			assert_false(raised(s, (enum alarm_kind)kind));
		tear_down((void **)&s);
	}
}

/* A share too small to raise an alarm keeps the one that is there: it does not come and go with each window. */
static void test_half_way_back(void **state)
{
	static const struct {
		unsigned answered; /* of 100 in that window */
		bool raised;
	} windows[] = { { 80, false }, { 66, false }, { 80, false }, { 40, true }, { 66, true }, { 40, true }, { 66, true }, { 80, false }, { 66, false } };
	struct scene *s = *state;

	for (unsigned w = 0; w < 10; w++) {
		take(s, &(struct calls){ 80, true, 100, 16 });
		take(s, &(struct calls){ 20, false, 0, 17 });
		close_window(s);
	}
	for (unsigned w = 0; w < ARRAY_SIZE(windows); w++) {
		take(s, &(struct calls){ windows[w].answered, true, 100, 16 });
		take(s, &(struct calls){ 100 - windows[w].answered, false, 0, 17 });
		close_window(s);
		if (raised(s, ALARM_ANSWER_RATIO) != windows[w].raised)
			fail_msg("window %u: %d", w, raised(s, ALARM_ANSWER_RATIO));
	}
}

/* No past, no alarm; and what lasts becomes the past. */
static void test_past(void **state)
{
	static const struct calls good = { 100, true, 100, 16 }, bad = { 100, false, 0, 17 };
	struct scene *s = *state;
	unsigned lasted = 0;

	for (unsigned w = 0; w < 2; w++) {
		take(s, &good);
		close_window(s);
	}
	take(s, &bad);
	close_window(s);
	assert_false(raised(s, ALARM_ANSWER_RATIO));
	for (unsigned w = 0; w < 20; w++) {
		take(s, &good);
		close_window(s);
	}
	do {
		take(s, &bad);
		close_window(s);
		lasted++;
	} while (raised(s, ALARM_ANSWER_RATIO) && lasted < 1000);
	assert_int_equal(lasted, 61);
}

/* Chance does not raise it: 3,000 windows of a coin that falls as it always did. */
static void test_chance(void **state)
{
	struct scene *s = *state;
	struct alarms_stats stats;

	for (unsigned w = 0; w < 3000; w++) {
		for (unsigned i = 0; i < 60; i++)
			take(s, &(struct calls){ 1, random_next() % 100 < 55, (uint32_t)(random_next() % 120), random_next() % 10 ? 16 : 41 });
		close_window(s);
	}
	alarms_stats(s->alarms, &stats);
	assert_in_range(stats.events, 0, 2);
}

/* A caller's patience ends attempts; another's answer ends those that say nothing. Calls that vanish clear their alarms. */
static void test_cancelled(void **state)
{
	static const struct calls good = { 100, true, 100, 16 };
	struct scene *s = *state;
	struct call_record r = { .kind = RECORD_START, .profile = "in", .profile_id = 9, .attempt_count = 1,
				 .attempts = { { .trunk_id = TRUNK, .result = ATTEMPT_RECORD_CANCELLED } } };

	for (unsigned w = 0; w < 10; w++) {
		take(s, &good);
		for (unsigned i = 0; i < 100; i++)
			quality_take(s->quality, &r); /* lost a simultaneous ring */
		close_window(s);
		assert_false(raised(s, ALARM_ANSWER_RATIO));
	}
	r.kind = RECORD_FAILED;
	r.end = RECORD_CANCELLED;
	for (unsigned i = 0; i < 100; i++)
		quality_take(s->quality, &r);
	close_window(s);
	assert_true(raised(s, ALARM_ANSWER_RATIO));
	for (unsigned w = 0; w < 60; w++)
		close_window(s);
	assert_false(raised(s, ALARM_ANSWER_RATIO));
}

/* The table is bounded, and forgets who has had no calls for long. */
static void test_full(void **state)
{
	struct scene *s = *state;
	struct call_record r = { .kind = RECORD_FAILED, .profile = "in", .attempt_count = 1,
				 .attempts = { { .trunk_id = TRUNK, .result = ATTEMPT_RECORD_REJECTED } } };
	struct quality_view v;

	for (r.profile_id = 1; r.profile_id <= 5000; r.profile_id++)
		quality_take(s->quality, &r);
	assert_int_equal(quality_untracked(s->quality), 5000 - 4096 / 8 * 7);
	for (unsigned w = 0; w < 61; w++)
		close_window(s);
	assert_false(quality_view(s->quality, 1, TRUNK, &v));
	quality_take(s->quality, &r);
	assert_true(quality_view(s->quality, r.profile_id, TRUNK, &v));
	assert_int_equal(quality_untracked(s->quality), 5000 - 4096 / 8 * 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_windows),
					    cmocka_unit_test_setup_teardown(test_half_way_back, set_up, tear_down), cmocka_unit_test_setup_teardown(test_past, set_up, tear_down),
					    cmocka_unit_test_setup_teardown(test_chance, set_up, tear_down),
					    cmocka_unit_test_setup_teardown(test_cancelled, set_up, tear_down),
					    cmocka_unit_test_setup_teardown(test_full, set_up, tear_down) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
