/* SPDX-License-Identifier: Apache-2.0 */
/* Tiers, limits, and the two strategies that look at what goes on: which targets in which order. */
#include "profile_fixture.h"

#define DOWN	{ .health = ENDPOINT_DOWN }
#define DOWN_1	.endpoint_count = 1, .endpoints = { DOWN }
#define F	STRATEGY_FAILOVER
#define RR	STRATEGY_ROUND_ROBIN
#define RING	STRATEGY_SIMULTANEOUS_RING
#define W	STRATEGY_WEIGHTED
#define LEAST	STRATEGY_LEAST_CALLS
#define FAST	STRATEGY_FASTEST
#define ENDLESS 99

struct order {
	const char *what;
	enum strategy strategy;
	uint8_t max_retries;
	uint64_t hash;
	struct target_line targets[6];
	unsigned calls[6];   /* that each has */
	uint32_t us[6];	     /* in which its endpoint responds */
	const char *order;   /* targets, as configured, till nothing is left; "|": the ring goes further */
};

/* Positions 1 to 4, weight 1, two near and two far. */
#define NEAR_FAR { 1, 1, .tier = 1 }, { 2, 1, .tier = 0 }, { 3, 1, .tier = 1 }, { 4, 1, .tier = 0 }

static const struct order orders[] = {
	{ "the near tier by position, then the far one", F, 9, 0, { NEAR_FAR }, .order = "1 3 0 2" },
	{ "tiers are numbered anew, gaps do not matter", F, 9, 0, { { 1, 1, .tier = 31 }, { 2, 1, .tier = 7 } }, .order = "1 0" },
	{ "retries are bounded over all tiers", F, 2, 0, { NEAR_FAR }, .order = "1 3 0" },
	{ "round robin within the near tier", RR, 9, 1, { NEAR_FAR }, .order = "3 1 2 0" },
	{ "weighted, one alone in each tier", W, 9, 77, { { 1, 1, .tier = 2 }, { 2, 5, .tier = 0 }, { 3, 9, .tier = 1 } }, .order = "1 2 0" },
	{ "a dead near tier is passed over", F, 9, 0, { { 1, 1, .tier = 1 }, { 2, 1, .tier = 0, DOWN_1 } }, .order = "0" },
	{ "a disabled and a drained one too", F, 9, 0, { { 1, 1, true, .tier = 0 }, { 2, 0, .tier = 0 }, { 3, 1, .tier = 3 } }, .order = "2" },
	{ "a full one too", F, 9, 0, { { 1, 1, .tier = 0, .max_calls = 2 }, { 2, 1, .tier = 1 } }, { 2 }, .order = "1" },
	{ "but one with room is not", F, 9, 0, { { 1, 1, .tier = 0, .max_calls = 2 }, { 2, 1, .tier = 1 } }, { 1 }, .order = "0 1" },
	{ "a ring stays in its tier, and goes further when told to", RING, 0, 0, { NEAR_FAR }, .order = "1 3 | 0 2" },
	{ "a ring begins where somebody is up", RING, 0, 0, { { 1, 1, .tier = 0, DOWN_1 }, { 2, 1, .tier = 1 }, { 3, 1, .tier = 2 } },
	  .order = "1 | 2" },
	{ "a full one does not ring", RING, 0, 0, { { 1, 1, .max_calls = 1 }, { 2, 1 } }, { 1 }, .order = "1" },
	{ "limits: failover to the next", F, 9, 0, { { 1, 1, .max_calls = 1 }, { 2, 1, .max_calls = 3 }, { 3, 1 } }, { 1, 2 }, .order = "1 2" },
	{ "a full one is no retry", F, 0, 0, { { 1, 1, .max_calls = 1 }, { 2, 1 } }, { 1 }, .order = "1" },
	{ "round robin counts only those with room", RR, 9, 1, { { 1, 1 }, { 2, 1, .max_calls = 1 }, { 3, 1 } }, { 0, 1, 0 }, .order = "2 0" },
	{ "all full", W, 9, 0, { { 1, 1, .max_calls = 1 }, { 2, 1, .max_calls = 1 } }, { 1, 5 }, .order = "" },
	{ "least calls", LEAST, 9, 0, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, { 7, 3, 5 }, .order = "1 2 0" },
	{ "least calls for the weight", LEAST, 9, 0, { { 1, 10 }, { 2, 100 }, { 3, 50 } }, { 2, 9, 9 }, .order = "1 2 0" },
	{ "of two idle ones the heavier", LEAST, 9, 0, { { 1, 10 }, { 2, 100 } }, .order = "1 0" },
	{ "least calls, dead, drained, disabled, full", LEAST, 9, 0,
	  { { 1, 1, DOWN_1 }, { 2, 0 }, { 3, 1, true }, { 4, 1, .max_calls = 3 }, { 5, 1 } }, { 0, 0, 0, 3, 9 }, .order = "4" },
	{ "least calls within the tier", LEAST, 9, 0, { { 1, 1, .tier = 1 }, { 2, 1, .tier = 0 } }, { 0, 1000 }, .order = "1 0" },
	{ "fastest: nobody else is up", FAST, 9, 5, { { 1, 1, DOWN_1 }, { 2, 1 } }, .us = { 10, 900000 }, .order = "1" },
	{ "fastest tries everybody in the end", FAST, 9, 12345, { { 1, 1 }, { 2, 1, .tier = 1 } }, .us = { 3000000, 1000 }, .order = "0 1" },
	{ "fastest: nobody has weight", FAST, 9, 0, { { 1, 0 }, { 2, 0 } }, .order = "" },
};

static void prepare(struct bench *b, const struct order *o, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < o->calls[i]; k++)
			loads_adopt(b->loads, i, 0);
		if (o->us[i])
			endpoint_responded(b->endpoints, b->slots[i][0], o->us[i]);
	}
}

static void test_orders(void **state)
{
	for (unsigned k = 0; k < ARRAY_SIZE(orders); k++) {
		const struct order *o = &orders[k];
		struct profile_knobs knobs = profile_knobs_default();
		struct selection_state s;
		struct selection got;
		char order[100] = "";
		unsigned n = 0;
		struct bench b;

		knobs.max_retries = o->max_retries;
		knobs.max_attempts = 16;
		while (n < ARRAY_SIZE(o->targets) && o->targets[n].position)
			n++;
		bench_start(&b, o->strategy, &knobs, o->targets, n);
		prepare(&b, o, n);
		selection_start(&s, o->hash);
		do {
			while (!select_next(b.profile, b.endpoints, 0, &s, &got))
				sprintf(order + strlen(order), "%s%u", *order ? " " : "", b.profile->targets[got.target].target_slot);
			if (select_ring_further(b.profile, b.endpoints, 0, &s))
				strcat(order, " |");
			else
				break;
		} while (strlen(order) < 80);
		if (strcmp(order, o->order))
			fail_msg("%s: \"%s\", expected \"%s\"", o->what, order, o->order);
		bench_stop(&b);
	}
}

/* All calls are near, all go far while the near ones are away, all are near again. */
static void test_away_and_back(void **state)
{
	static const struct target_line lines[] = { NEAR_FAR };
	static const enum strategy strategies[] = { F, RR, W, RING, LEAST, FAST };
	struct profile_knobs knobs = profile_knobs_default();

	for (unsigned k = 0; k < ARRAY_SIZE(strategies); k++) {
		struct bench b;

		bench_start(&b, strategies[k], &knobs, lines, 4);
		for (unsigned turn = 0; turn < 3; turn++) {
			for (unsigned i = 0; i < 4; i++)
				if (lines[i].tier == 0)
					bench_health(&b, i, 0, turn == 1 ? ENDPOINT_DOWN : ENDPOINT_UP);
			for (uint64_t i = 0; i < 500; i++) {
				struct selection_state s;
				struct selection one;

				selection_start(&s, mix64(i));
				assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
				assert_int_equal(b.profile->targets[one.target].tier, turn == 1 ? 1 : 0);
			}
		}
		bench_stop(&b);
	}
}

/* A near endpoint on its ramp has its part of the calls, and the rest goes far. */
static void test_ramp(void **state)
{
	enum { CALLS = 20000, RAMP_MS = 1000 };
	static const struct target_line lines[] = { { 1, 1, .tier = 0 }, { 2, 1, .tier = 1 } };
	struct profile_knobs knobs = profile_knobs_default();
	struct bench b;

	bench_start(&b, W, &knobs, lines, 2);
	endpoints_set_ramp(b.endpoints, RAMP_MS);
	endpoint_set_health(b.endpoints, b.slots[0][0], ENDPOINT_DOWN, 0);
	endpoint_set_health(b.endpoints, b.slots[0][0], ENDPOINT_UP, 5000);
	for (uint64_t now = 5000; now <= 6000; now += 250) {
		unsigned near = 0;

		for (uint64_t i = 0; i < CALLS; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, mix64(i));
			assert_int_equal(select_next(b.profile, b.endpoints, now, &s, &one), 0);
			near += b.profile->targets[one.target].tier == 0;
		}
		assert_in_range(near, CALLS * (100 + 900 * (now - 5000) / RAMP_MS - 20) / 1000,
				CALLS * (100 + 900 * (now - 5000) / RAMP_MS + 20) / 1000);
	}
	bench_stop(&b);
}

/* Whose place another call took between choosing and beginning is chosen anew, as if nothing had been. */
static void test_undo(void **state)
{
	static const struct target_line lines[] = { { 1, 1, .max_calls = 1 }, { 2, 1, .max_calls = 1 }, { 3, 1 } };
	struct profile_knobs knobs = profile_knobs_default();
	struct selection_state s;
	struct selection one;
	struct bench b;

	knobs.max_retries = 0;
	knobs.max_attempts = 1;
	bench_start(&b, F, &knobs, lines, 3);
	selection_start(&s, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
		assert_int_equal(one.target, i);
		if (i < 2)
			selection_undo(&s, &one);
	}
	assert_int_equal(s.full, 3);
	assert_int_equal(s.tried_count, 1);
	assert_int_equal(s.targets_tried, 1u << 2);
	selection_undo(&s, &one);
	assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), -ERR_NOT_FOUND);
	selection_resume(&s);
	assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
	assert_int_equal(one.target, 0);
	bench_stop(&b);
}

/* A limit holds whoever names the endpoint; what is no call is not held; and why is said. */
static void test_limits_hold(void **state)
{
	static const struct target_line lines[] = { { 1, 1, .max_calls = 1 }, { 2, 1, .max_cps = 2 }, { 3, 1, .max_calls = 1, DOWN_1 } };
	struct profile_knobs knobs = profile_knobs_default();
	struct selection_state s;
	struct selection one;
	struct bench b;

	bench_start(&b, F, &knobs, lines, 3);
	assert_null(select_refusal(b.profile, 0, b.endpoints, 5000));
	assert_true(loads_take(b.loads, 0, 0, 1, 0, 5000));
	assert_true(loads_take(b.loads, 1, 0, 0, 2, 5000) && loads_take(b.loads, 1, 0, 0, 2, 5000));
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(select_refusal(b.profile, i, b.endpoints, 5000), "at its limit");
		selection_start(&s, 1);
		assert_int_equal(select_prefer(b.profile, b.endpoints, 5000, &s, b.slots[i][0], &one), -ERR_NOT_FOUND);
		assert_int_equal(s.full, 1u << i);
		s.exempt = true;
		assert_int_equal(select_prefer(b.profile, b.endpoints, 5000, &s, b.slots[i][0], &one), 0);
	}
	assert_null(select_refusal(b.profile, 1, b.endpoints, 6100));
	assert_string_equal(select_refusal(b.profile, 2, b.endpoints, 6100), "all endpoints down");
	selection_start(&s, 1);
	assert_int_equal(select_next(b.profile, b.endpoints, 5000, &s, &one), -ERR_NOT_FOUND);
	assert_int_equal(s.full, 3);
	selection_start(&s, 1);
	s.exempt = true;
	assert_int_equal(select_next(b.profile, b.endpoints, 5000, &s, &one), 0);
	bench_stop(&b);
}

/* The profile is published anew between two attempts, with other tiers or none. */
static void test_tiers_change(void **state)
{
	static const struct target_line tiered[] = { NEAR_FAR }, flat[] = { { 1, 1 }, { 2, 1 } };
	static const enum strategy strategies[] = { F, RR, W, RING, LEAST, FAST };
	struct profile_knobs knobs = profile_knobs_default();

	for (unsigned k = 0; k < 2 * ARRAY_SIZE(strategies); k++) {
		struct selection_state s = { .hash = 5, .tried_count = 1, .tried = { 9999 }, .targets_tried = 1u << 20, .current = 20, .tier = 9 };
		struct selection one;
		struct bench b;
		unsigned n = 0;

		bench_start(&b, strategies[k / 2], &knobs, k % 2 ? flat : tiered, k % 2 ? 2 : 4);
		while (n < ENDLESS && !select_next(b.profile, b.endpoints, 0, &s, &one)) {
			assert_true(one.target < b.profile->target_count);
			n++;
		}
		assert_in_range(n, 2, 4);
		bench_stop(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders), cmocka_unit_test(test_away_and_back), cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_undo),   cmocka_unit_test(test_limits_hold),   cmocka_unit_test(test_tiers_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
