/* SPDX-License-Identifier: Apache-2.0 */
/* Slow start in every strategy: half way up its ramp an endpoint has about half of its share, and the others share the rest as if it were absent. */
#include "profile_fixture.h"

#include "tables/ramp.h"

#define CALLS	100000
#define RAMP_MS 1000

/* The first choice of each of many calls, by target (or, of one target, by endpoint), at a moment. */
static void choices(struct bench *b, bool by_endpoint, uint64_t now_ms, unsigned counts[4])
{
	memset(counts, 0, 4 * sizeof(counts[0]));
	for (unsigned call = 0; call < CALLS; call++) {
		/* Round robin hands out tickets, the others hashes. */
		uint64_t hash = b->profile->strategy == STRATEGY_ROUND_ROBIN ? call : mix64(call + 1);
		struct selection_state s;
		struct selection got;

		selection_start(&s, hash);
		assert_int_equal(select_next(b->profile, b->endpoints, now_ms, &s, &got), 0);
		if (!by_endpoint) {
			counts[got.target]++;
			continue;
		}
		for (unsigned k = 0; k < 4; k++)
			counts[k] += b->slots[0][k] == got.endpoint;
	}
}

static void test_strategies(void **state)
{
	static const struct {
		const char *what;
		enum strategy strategy;
		unsigned targets;
		struct target_line lines[3];
		bool by_endpoint;
		unsigned percent[4]; /* while the first has 55 percent of its share */
	} cases[] = {
		{ "failover", STRATEGY_FAILOVER, 3, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, false, { 55, 45, 0, 0 } },
		/* of the calls that are not for it, each of the others gets half */
		{ "round robin", STRATEGY_ROUND_ROBIN, 3, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, false, { 18, 41, 41, 0 } },
		{ "weighted", STRATEGY_WEIGHTED, 3, { { 1, 60 }, { 2, 20 }, { 3, 20 } }, false, { 33, 34, 33, 0 } },
		{ "endpoints by weight", STRATEGY_FAILOVER, 1,
		  { { 1, 1, false, 3, { { 0, 60, ENDPOINT_UP }, { 0, 20, ENDPOINT_UP }, { 0, 20, ENDPOINT_UP } } } }, true, { 33, 34, 33, 0 } },
		{ "endpoints by priority", STRATEGY_FAILOVER, 1,
		  { { 1, 1, false, 2, { { 0, 1, ENDPOINT_UP }, { 1, 1, ENDPOINT_UP } } } }, true, { 55, 45, 0, 0 } },
		{ "nobody else", STRATEGY_FAILOVER, 1, { { 1, 1 } }, false, { 100, 0, 0, 0 } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct profile_knobs knobs = profile_knobs_default();
		unsigned counts[4], before[4], after[4];
		struct bench b;

		bench_start(&b, cases[i].strategy, &knobs, cases[i].lines, cases[i].targets);
		endpoints_set_ramp(b.endpoints, RAMP_MS);
		choices(&b, cases[i].by_endpoint, 5000, before);
		endpoint_set_health(b.endpoints, b.slots[0][0], ENDPOINT_DOWN, 5000);
		endpoint_set_health(b.endpoints, b.slots[0][0], ENDPOINT_UP, 10000);
		choices(&b, cases[i].by_endpoint, 10000 + RAMP_MS / 2, counts);
		for (unsigned k = 0; k < 4; k++)
			if (counts[k] + CALLS / 50 < cases[i].percent[k] * (CALLS / 100) || counts[k] > cases[i].percent[k] * (CALLS / 100) + CALLS / 50)
				fail_msg("%s: %u has %u of %u calls, not %u %%", cases[i].what, k, counts[k], CALLS, cases[i].percent[k]);
		choices(&b, cases[i].by_endpoint, 10000 + RAMP_MS, after);
		assert_memory_equal(before, after, sizeof(before));
		bench_stop(&b);
	}
}

/* A call that fails elsewhere may go to an endpoint on its ramp after all, when nothing else is left. */
static void test_nothing_else(void **state)
{
	static const struct target_line lines[] = { { 1, 1 }, { 2, 1 } };
	struct profile_knobs knobs = profile_knobs_default();
	unsigned first_second = 0;
	struct bench b;

	bench_start(&b, STRATEGY_FAILOVER, &knobs, lines, 2);
	endpoints_set_ramp(b.endpoints, RAMP_MS);
	endpoint_set_health(b.endpoints, b.slots[0][0], ENDPOINT_DOWN, 5000);
	endpoint_set_health(b.endpoints, b.slots[0][0], ENDPOINT_UP, 10000);
	for (unsigned call = 0; call < 1000; call++) {
		struct selection_state s;
		struct selection one, two, none;

		selection_start(&s, mix64(call));
		assert_int_equal(select_next(b.profile, b.endpoints, 10000, &s, &one), 0);
		assert_int_equal(select_next(b.profile, b.endpoints, 10000, &s, &two), 0);
		assert_int_not_equal(one.target, two.target);
		assert_int_equal(select_next(b.profile, b.endpoints, 10000, &s, &none), -ERR_NOT_FOUND);
		first_second += one.target;
	}
	assert_in_range(first_second, 860, 940); /* a tenth is for the first at once */
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_strategies), cmocka_unit_test(test_nothing_else) };

	eal_for_test("16");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
