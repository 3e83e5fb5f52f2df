/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>

#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/ramp.h"
#include "tables/trouble.h"

static const struct ejection_config config = { .after = 3, .after_failures = 5, .numbers = 3, .window_ms = 1000, .window_percent = 50,
					       .window_calls = 10, .first_ms = 100, .max_ms = 1000, .share_percent = 50 };

/* Good calls and failures at times; the verdict of the last one. */
static void test_window(void **state)
{
	static const struct {
		const char *what;
		struct {
			uint64_t at;
			unsigned good, bad;
		} steps[4];
		bool one_number;
		uint32_t percent; /* 0: no verdict */
	} cases[] = {
		{ "half is not more than half", { { 10, 5, 5 } }, false, 0 },
		{ "more than half", { { 10, 4, 6 } }, false, 60 },
		{ "of one number", { { 10, 4, 6 } }, true, 0 },
		{ "too few calls", { { 10, 3, 6 } }, false, 0 },
		{ "the window before counts in part", { { 10, 6, 7 }, { 1010, 0, 3 } }, false, 64 },
		{ "and after its end no more", { { 10, 6, 7 }, { 1999, 0, 3 } }, false, 0 },
		{ "two windows ago does not count", { { 10, 4, 6 }, { 2010, 0, 1 } }, false, 0 },
		{ "it is looked at when a call fails, not before", { { 10, 0, 4 }, { 900, 6, 0 } }, false, 0 },
		{ "many", { { 10, 70000, 0 }, { 20, 0, 1 } }, false, 0 },
	};
	const struct ejection_config share_only = { .numbers = 3, .window_ms = 1000, .window_percent = 50, .window_calls = 10 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct verdict v = { 0 };
		struct trouble t;
		unsigned n = 0;

		trouble_clear(&t);
		for (unsigned k = 0; k < 4; k++) {
			for (unsigned g = 0; g < cases[i].steps[k].good; g++)
				trouble_succeeded(&t, &share_only, true, cases[i].steps[k].at, 0, cases[i].steps[k].at);
			for (unsigned b = 0; b < cases[i].steps[k].bad; b++)
				v = trouble_failed(&t, &share_only, FAILURE_CODE, cases[i].one_number ? 7 : n++, cases[i].steps[k].at,
						   cases[i].steps[k].at);
		}
		if (v.count != cases[i].percent || v.reason != (cases[i].percent ? EJECT_SHARE : EJECT_NONE))
			fail_msg("%s: %u percent, reason %u", cases[i].what, v.count, v.reason);
	}
}

/* Failures are quick and ringing is slow: what was sent before a row began does not end it, and what was sent since may yet. */
static void test_rows(void **state)
{
	static const struct {
		const char *what;
		unsigned sent_between; /* from one failure to the next */
		uint64_t good_sent;    /* a call that goes well after the fourth; 0: none does */
		bool out;	       /* with the fifth */
	} cases[] = {
		{ "five of five", 1, 0, true },
		{ "every second", 2, 0, true },
		{ "every third: the others still ring", 4, 0, false },
		{ "one from before rings now", 1, 999, true },
		{ "one of the same time rings", 1, 1000, false },
		{ "a later one rings", 1, 1010, false },
	};
	const struct ejection_config c = { .after_failures = 5, .numbers = 3 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct verdict v = { 0 };
		struct trouble t;

		trouble_clear(&t);
		for (unsigned n = 0; n < 5; n++) {
			if (n == 4 && cases[i].good_sent)
				trouble_succeeded(&t, &c, false, cases[i].good_sent, 0, 2000);
			v = trouble_failed(&t, &c, FAILURE_CODE, n, 1000 + n, 1010 + n);
			for (unsigned k = 0; k < cases[i].sent_between; k++)
				trouble_begun(&t);
		}
		if ((v.reason == EJECT_FAILURES) != cases[i].out)
			fail_msg("%s: reason %u", cases[i].what, v.reason);
	}
}

static void test_times(void **state)
{
	static const uint32_t ms[] = { 100, 200, 400, 800, 1000, 1000 };
	struct trouble t;

	trouble_clear(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(ms); i++)
		assert_int_equal(trouble_ejected(&t, &config, 0), ms[i]);
	assert_true(trouble_succeeded(&t, &config, true, 5999, 5000, 5999)); /* not for as long as it was out */
	assert_int_equal(trouble_ejected(&t, &config, 0), 1000);
	assert_false(trouble_succeeded(&t, &config, true, 6000, 5000, 6000));
	assert_int_equal(trouble_ejected(&t, &config, 0), 100);
	/* On probation one failure is enough. */
	assert_int_equal(trouble_failed(&t, &config, FAILURE_HARD, 0, 7000, 7000).reason, EJECT_SILENT);
}

/* Windows' numbers wrap, and what lies far back is not taken for now. */
static void test_wrap(void **state)
{
	struct ejection_config c = { .numbers = 1, .window_ms = 1, .window_percent = 10, .window_calls = 5 };
	struct verdict v = { 0 };
	struct trouble t;

	trouble_clear(&t);
	for (unsigned i = 0; i < 4; i++)
		v = trouble_failed(&t, &c, FAILURE_CODE, i, 65535, 65535);
	assert_int_equal(v.reason, EJECT_NONE);
	v = trouble_failed(&t, &c, FAILURE_CODE, 9, 65536, 65536); /* the next one: the one before counts whole */
	assert_int_equal(v.reason, EJECT_SHARE);
	v = trouble_failed(&t, &c, FAILURE_CODE, 9, 65539, 65539);
	assert_int_equal(v.reason, EJECT_NONE);
}

#define THREADS 4
#define EACH	100000

static struct trouble shared;
static _Atomic(unsigned) verdicts;

static void *fail_often(void *ctx)
{
	for (unsigned i = 0; i < EACH; i++)
		if (trouble_failed(&shared, ctx, FAILURE_HARD, 0, 5, 5).reason != EJECT_NONE)
			atomic_fetch_add(&verdicts, 1);
	return NULL;
}

/* Workers count together: of n failures in all, just those from the bound on are too many. */
static void test_together(void **state)
{
	struct ejection_config c = { .after = THREADS * EACH - 10, .numbers = 1 };
	pthread_t thread[THREADS];

	trouble_clear(&shared);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fail_often, &c), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load(&verdicts), 11);
}

static void test_ramp(void **state)
{
	static const struct {
		uint64_t now;
		unsigned permille;
	} cases[] = { { 0, 100 }, { 1000, 100 }, { 1500, 550 }, { 1999, 999 }, { 2000, 1000 }, { UINT64_MAX, 1000 } };
	struct endpoint_live live = { .ramp_until_ms = 2000, .ramp_ms = 1000 };
	struct endpoint_live none = { .ramp_until_ms = 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned admitted = 0;

		assert_int_equal(ramp_permille(&live, cases[i].now), cases[i].permille);
		for (unsigned call = 0; call < 10000; call++)
			admitted += ramp_admits(&live, 3, call, cases[i].now);
		/* 4 sigma of a share p of 10,000: 400 * sqrt(p (1 - p)), 200 at most */
		assert_in_range(admitted + 200, cases[i].permille * 10, cases[i].permille * 10 + 400);
	}
	assert_true(ramp_admits(&none, 3, 1, 0));
}

/* Who comes back from down has a ramp, who was never seen before has none, and an ejection that ends later pushes it back. */
static void test_returns(void **state)
{
	struct epoch *e = epoch_new(1);
	struct endpoints *p = endpoints_new(2, e);
	struct endpoint_config c = { .addr = { ip_of("192.0.2.1"), 5060 } };
	const struct endpoint_live *live;
	uint32_t slot;

	endpoints_set_ramp(p, 1000);
	assert_int_equal(endpoints_add(p, &c, &slot), 0);
	live = endpoints_live(p, slot);
	endpoint_set_health(p, slot, ENDPOINT_UP, 5000);
	assert_int_equal(ramp_permille(live, 5000), 1000);
	endpoint_set_health(p, slot, ENDPOINT_SUSPECT, 5000);
	endpoint_set_health(p, slot, ENDPOINT_UP, 5001);
	assert_int_equal(ramp_permille(live, 5001), 1000);
	endpoint_set_health(p, slot, ENDPOINT_DOWN, 6000);
	endpoint_set_health(p, slot, ENDPOINT_UP, 7000);
	assert_int_equal(ramp_permille(live, 7000), 100);
	assert_int_equal(ramp_permille(live, 8000), 1000);
	assert_int_equal(endpoints_ejections(p), 0);
	endpoint_eject(p, slot, &(struct ejection){ 7100, 9000, EJECT_SHARE, 503, 60 });
	endpoint_eject(p, slot, &(struct ejection){ 7200, 8000, EJECT_REFUSED, 0, 1 }); /* the longer one holds, with its reason */
	assert_int_equal(endpoints_ejections(p), 1);
	assert_int_equal(live->eject_reason, EJECT_SHARE);
	assert_int_equal(live->ejected_ms, 7100);
	assert_false(endpoint_takes(p, slot, 1, 8999));
	assert_int_equal(ramp_permille(live, 9000), 100);
	assert_int_equal(ramp_permille(live, 10000), 1000);
	assert_true(endpoint_takes(p, slot, 1, 10000));
	assert_true(endpoints_decide_begin(p));
	assert_false(endpoints_decide_begin(p));
	endpoints_decide_end(p);
	assert_true(endpoints_decide_begin(p));
	endpoints_free(p);
	epoch_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_window), cmocka_unit_test(test_rows), cmocka_unit_test(test_times), cmocka_unit_test(test_wrap),
					    cmocka_unit_test(test_together), cmocka_unit_test(test_ramp), cmocka_unit_test(test_returns) };

	eal_for_test("16");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
