/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "health/rtt.h"

static void nothing_yet(void **state)
{
	const struct rtt r = { .mean_us = 0 };

	assert_int_equal(rtt_quantile_us(&r, 500000), 0);
}

static void quantiles_to_a_quarter(void **state)
{
	static const struct {
		uint32_t from, to, step; /* in us */
		uint32_t p50, p99;	 /* exactly */
	} cases[] = {
		{ 100, 900, 1, 500, 892 }, { 1000, 1000, 1, 1000, 1000 }, { 5000, 25000, 25, 15000, 24800 }, { 1000000, 3000000, 2500, 2000000, 2980000 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rtt r = { .mean_us = 0 };

		for (uint32_t us = cases[i].from; us <= cases[i].to; us += cases[i].step)
			rtt_add(&r, us);
		assert_in_range(rtt_quantile_us(&r, 500000), cases[i].p50 * 75 / 100, cases[i].p50 * 125 / 100 + 16);
		assert_in_range(rtt_quantile_us(&r, 990000), cases[i].p99 * 75 / 100, cases[i].p99 * 125 / 100 + 16);
	}
}

/* A path that has become slow shows, however long it was fast; and the counters never overflow. */
static void the_past_fades(void **state)
{
	struct rtt r = { .mean_us = 0 };

	for (unsigned i = 0; i < 200000; i++)
		rtt_add(&r, 1000);
	assert_in_range(rtt_quantile_us(&r, 990000), 1000, 1300);
	assert_in_range(r.mean_us, 999, 1000);
	for (unsigned i = 0; i < 2000; i++)
		rtt_add(&r, 40000);
	assert_in_range(rtt_quantile_us(&r, 500000), 40000, 50000);
	assert_in_range(r.mean_us, 39900, 40000);
}

/* Nothing is beyond the last bucket, and an answer within the clock's grain is one. */
static void ends(void **state)
{
	struct rtt r = { .mean_us = 0 };

	rtt_add(&r, 0);
	assert_int_equal(r.mean_us, 1);
	assert_int_equal(rtt_quantile_us(&r, 500000), 16);
	for (unsigned i = 0; i < 10; i++)
		rtt_add(&r, UINT32_MAX);
	assert_true(rtt_quantile_us(&r, 990000) >= 8000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_yet), cmocka_unit_test(quantiles_to_a_quarter), cmocka_unit_test(the_past_fades),
					    cmocka_unit_test(ends) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
