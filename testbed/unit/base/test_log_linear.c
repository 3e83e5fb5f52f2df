/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log_linear.h"

#define BUCKETS 512

/* Every value lies in just one bucket, buckets touch one another, and none is wider than its floor's share. */
static void buckets_hold_what_they_say(void **state)
{
	for (unsigned bits = 1; bits < 6; bits++) {
		for (uint64_t value = 0; value < 100000; value++) {
			unsigned i = log_linear_bucket(value, bits);

			assert_true(log_linear_floor(i, bits) <= value && value < log_linear_floor(i + 1, bits));
		}
		for (unsigned shift = 17; shift < 64; shift++) {
			uint64_t value = (1ull << shift) + (1ull << shift) / 3;
			unsigned i = log_linear_bucket(value, bits);

			assert_true(log_linear_floor(i, bits) <= value);
			assert_true(shift == 63 || value < log_linear_floor(i + 1, bits));
			assert_int_equal(log_linear_bucket(log_linear_floor(i, bits) - 1, bits), i - 1);
			assert_true(shift == 63 || (log_linear_floor(i + 1, bits) - log_linear_floor(i, bits)) << bits <= value);
		}
	}
}

static void quantiles(void **state)
{
	static const struct {
		uint64_t from, to; /* one of each */
		uint64_t p50, p99, p999;
	} cases[] = {
		{ 1, 7, 4, 7, 7 },
		{ 5, 5, 5, 5, 5 },
		{ 1, 1000, 511, 1023, 1023 }, /* the end of the bucket where it lies */
		{ 1001, 11000, 6143, 11263, 11263 },
	};
	uint64_t counts[BUCKETS] = { 0 };

	assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 500000), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned k = 0; k < BUCKETS; k++)
			counts[k] = 0;
		for (uint64_t value = cases[i].from; value <= cases[i].to; value++)
			counts[log_linear_bucket(value, 3)]++;
		assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 500000), cases[i].p50);
		assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 990000), cases[i].p99);
		assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 999000), cases[i].p999);
	}
}

/* One in a thousand is what p99.9 begins to show. */
static void rare_ones(void **state)
{
	uint64_t counts[BUCKETS] = { 0 };

	counts[log_linear_bucket(10, 3)] = 9989;
	counts[log_linear_bucket(5000, 3)] = 11;
	assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 990000), 10);
	assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 999000), 5119);
	assert_int_equal(log_linear_quantile(counts, BUCKETS, 3, 1000000), 5119);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(buckets_hold_what_they_say), cmocka_unit_test(quantiles), cmocka_unit_test(rare_ones) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
