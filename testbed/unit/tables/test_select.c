/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/siphash.h"
#include "profile_fixture.h"
#include "sip/via.h"

#define DOWN { .health = ENDPOINT_DOWN }

struct walk {
	const char *what;
	enum strategy strategy;
	uint8_t max_retries, max_attempts;
	uint64_t hash;
	unsigned target_count;
	struct target_line targets[5];
	const char *order; /* "target.endpoint" of each attempt till nothing is left, as configured */
};

/* Targets at positions 1, 2, 3 with weight 1 and one endpoint each. */
#define THREE { .position = 1, .weight = 1 }, { .position = 2, .weight = 1 }, { .position = 3, .weight = 1 }
#define F     STRATEGY_FAILOVER
#define RR    STRATEGY_ROUND_ROBIN
#define RING  STRATEGY_SIMULTANEOUS_RING
#define W     STRATEGY_WEIGHTED

static const struct walk walks[] = {
	{ "failover by position", F, 5, 6, 0, 3, { { 3, 1 }, { 1, 1 }, { 2, 1 } }, "1.0 2.0 0.0" },
	{ "equal positions as configured", F, 5, 6, 0, 3, { { 1, 1 }, { 1, 1 }, { 1, 1 } }, "0.0 1.0 2.0" },
	{ "no retry", F, 0, 6, 0, 3, { THREE }, "0.0" },
	{ "one retry", F, 1, 6, 0, 3, { THREE }, "0.0 1.0" },
	{ "attempts run out first", F, 5, 2, 0, 3, { THREE }, "0.0 1.0" },
	{ "no attempt at all", F, 5, 0, 0, 3, { THREE }, "" },
	{ "no target", F, 5, 6, 0, 0, { { 0 } }, "" },
	{ "disabled first", F, 5, 6, 0, 3, { { 1, 1, true }, { 2, 1 }, { 3, 1 } }, "1.0 2.0" },
	{ "weight 0 drains failover too", F, 5, 6, 0, 3, { { 1, 0 }, { 2, 1 }, { 3, 1 } }, "1.0 2.0" },
	{ "a dead first", F, 5, 6, 0, 3, { { 1, 1, false, 1, { DOWN } }, { 2, 1 }, { 3, 1 } }, "1.0 2.0" },
	{ "a dead one is no retry", F, 1, 6, 0, 3, { { 1, 1, false, 1, { DOWN } }, { 2, 1 }, { 3, 1 } }, "1.0 2.0" },
	{ "no endpoint", F, 5, 6, 0, 2, { { 1, 1, false, NO_ENDPOINT }, { 2, 1 } }, "1.0" },
	{ "all dead", F, 5, 6, 0, 2, { { 1, 1, false, 1, { DOWN } }, { 2, 1, false, 1, { DOWN } } }, "" },
	{ "suspect is used", F, 5, 6, 0, 1, { { 1, 1, false, 1, { { .health = ENDPOINT_SUSPECT } } } }, "0.0" },
	{ "endpoints by priority before the next target", F, 5, 6, 0, 2,
	  { { 1, 1, false, 3, { { 30, 1, 0 }, { 10, 1, 0 }, { 20, 1, 0 } } }, { 2, 1 } }, "0.1 0.2 0.0 1.0" },
	{ "endpoints are not retries", F, 0, 6, 0, 2, { { 1, 1, false, 3, { { 3, 1, 0 }, { 1, 1, 0 }, { 2, 1, 0 } } }, { 2, 1 } },
	  "0.1 0.2 0.0" },
	{ "a dead endpoint is passed over", F, 5, 6, 0, 2,
	  { { 1, 1, false, 3, { { 1, 1, ENDPOINT_DOWN }, { 2, 1, 0 }, { 3, 1, ENDPOINT_DOWN } } }, { 2, 1 } }, "0.1 1.0" },
	{ "weight 0 within a priority comes seldom first", F, 5, 6, 0, 1,
	  { { 1, 1, false, 4, { { 1, 0, 0 }, { 1, 7, 0 }, { 2, 0, 0 }, { 3, 0, 0 } } } }, "0.1 0.0 0.2 0.3" },
	{ "round robin, turn 0", RR, 5, 6, 0, 3, { THREE }, "0.0 1.0 2.0" },
	{ "round robin, turn 1", RR, 5, 6, 1, 3, { THREE }, "1.0 2.0 0.0" },
	{ "round robin, turn 5", RR, 5, 6, 5, 3, { THREE }, "2.0 0.0 1.0" },
	{ "round robin counts only who can take calls", RR, 5, 6, 1, 4,
	  { { 1, 1, false, 1, { DOWN } }, { 2, 1 }, { 3, 1, true }, { 4, 1 } }, "3.0 1.0" },
	{ "round robin, one retry", RR, 1, 6, 2, 3, { THREE }, "2.0 0.0" },
	{ "round robin, all dead", RR, 1, 6, 2, 1, { { 1, 1, false, 1, { DOWN } } }, "" },
	{ "ring walks all, whatever max_retries", RING, 0, 16, 0, 3, { { 3, 1 }, { 1, 1 }, { 2, 1 } }, "1.0 2.0 0.0" },
	{ "ring: all targets before second endpoints", RING, 0, 16, 0, 2,
	  { { 1, 1, false, 2, { { 1, 1, 0 }, { 2, 1, 0 } } }, { 2, 1, false, 2, { { 1, 1, 0 }, { 2, 1, 0 } } } }, "0.0 1.0 0.1 1.1" },
	{ "ring leaves out drained, disabled and dead", RING, 2, 16, 0, 4,
	  { { 1, 0 }, { 2, 1, true }, { 3, 1, false, 1, { DOWN } }, { 4, 1 } }, "3.0" },
	{ "ring is bounded by attempts", RING, 0, 2, 0, 3, { THREE }, "0.0 1.0" },
	{ "weighted: one alone", W, 5, 6, 12345, 3, { { 1, 0 }, { 2, 9 }, { 3, 5, true } }, "1.0" },
	{ "weighted: nobody has weight", W, 5, 6, 12345, 2, { { 1, 0 }, { 2, 0 } }, "" },
	{ "weighted: all dead", W, 5, 6, 12345, 2, { { 1, 5, false, 1, { DOWN } }, { 2, 5, false, 1, { DOWN } } }, "" },
};

static unsigned configured_target(const struct bench *b, unsigned target)
{
	return b->profile->targets[target].target_slot;
}

static void test_walks(void **state)
{
	for (unsigned k = 0; k < ARRAY_SIZE(walks); k++) {
		const struct walk *w = &walks[k];
		struct profile_knobs knobs = profile_knobs_default();
		struct selection_state s;
		struct selection got;
		char order[200] = "";
		struct bench b;

		knobs.max_retries = w->max_retries;
		knobs.max_attempts = w->max_attempts;
		bench_start(&b, w->strategy, &knobs, w->targets, w->target_count);
		selection_start(&s, w->hash);
		while (!select_next(b.profile, b.endpoints, 0, &s, &got)) {
			unsigned target = configured_target(&b, got.target), e = 0;

			while (b.slots[target][e] != got.endpoint)
				e++;
			snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s%u.%u", *order ? " " : "", target, e);
		}
		if (strcmp(order, w->order))
			fail_msg("%s: \"%s\", expected \"%s\"", w->what, order, w->order);
		assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &got), -ERR_NOT_FOUND);
		bench_stop(&b);
	}
}

static void test_ejected(void **state)
{
	static const struct target_line lines[] = { THREE };
	struct profile_knobs knobs = profile_knobs_default();
	struct selection_state s;
	struct selection got;
	struct bench b;

	bench_start(&b, F, &knobs, lines, 3);
	endpoint_eject(b.endpoints, b.slots[0][0], &(struct ejection){ .until_ms = 1000 });
	selection_start(&s, 1);
	assert_int_equal(select_next(b.profile, b.endpoints, 999, &s, &got), 0);
	assert_int_equal(got.target, 1);
	assert_string_equal(select_refusal(b.profile, 0, b.endpoints, 999), "all endpoints ejected");
	assert_null(select_refusal(b.profile, 0, b.endpoints, 1000));
	selection_start(&s, 1);
	assert_int_equal(select_next(b.profile, b.endpoints, 1000, &s, &got), 0);
	assert_int_equal(got.target, 0);
	bench_stop(&b);
}

/* Fresh hashes over a table of weights: within 4 sigma of the shares. */
static void test_shares(void **state)
{
	enum { CALLS = 100000 };
	static const struct {
		const char *what;
		unsigned n;
		struct target_line targets[4];
		double share[4];
	} cases[] = {
		{ "70/30", 2, { { 1, 70 }, { 2, 30 } }, { 0.7, 0.3 } },
		{ "5% canary", 2, { { 1, 95 }, { 2, 5 } }, { 0.95, 0.05 } },
		{ "four", 4, { { 1, 10 }, { 2, 20 }, { 3, 30 }, { 4, 40 } }, { 0.1, 0.2, 0.3, 0.4 } },
		{ "disabled and drained get nothing", 4, { { 1, 70 }, { 2, 30 }, { 3, 100, true }, { 4, 0 } }, { 0.7, 0.3, 0, 0 } },
		{ "a dead one's share is split by weight", 3, { { 1, 40 }, { 2, 20 }, { 3, 40, false, 1, { DOWN } } }, { 2 / 3.0, 1 / 3.0, 0 } },
	};
	struct profile_knobs knobs = profile_knobs_default();

	random_state = 2;
	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		unsigned got[4] = { 0 };
		struct bench b;

		bench_start(&b, W, &knobs, cases[k].targets, cases[k].n);
		for (unsigned i = 0; i < CALLS; i++) {
			struct selection_state s, again;
			struct selection one, same;

			selection_start(&s, random_next());
			again = s;
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &again, &same), 0);
			assert_int_equal(one.endpoint, same.endpoint);
			got[configured_target(&b, one.target)]++;
		}
		for (unsigned i = 0; i < cases[k].n; i++) {
			double p = cases[k].share[i], sigma = sqrt(CALLS * p * (1 - p));

			if (fabs(got[i] - CALLS * p) > 4 * sigma + CALLS / 4093.0)
				fail_msg("%s: target %u got %u, expected %.0f", cases[k].what, i, got[i], CALLS * p);
		}
		bench_stop(&b);
	}
}

/* Weighted retries: always distinct, all targets in the end (one's share is too small for a slot of the table), and the second choice by weight among the rest. */
static void test_weighted_retries(void **state)
{
	enum { CALLS = 30000 };
	static const struct target_line lines[] = { { 1, 1 }, { 2, 1000 }, { 3, 3000 }, { 4, 6000 } };
	struct profile_knobs knobs = profile_knobs_default();
	unsigned second[4] = { 0 }, from_heaviest = 0;
	struct bench b;

	knobs.max_retries = 10;
	random_state = 3;
	bench_start(&b, W, &knobs, lines, 4);
	for (unsigned i = 0; i < CALLS; i++) {
		unsigned seen = 0, first = 0;
		struct selection_state s;
		struct selection one;

		selection_start(&s, random_next());
		for (unsigned n = 0; n < 4; n++) {
			unsigned target;

			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			target = configured_target(&b, one.target);
			assert_false(seen >> target & 1);
			seen |= 1u << target;
			if (n == 0)
				first = target;
			if (n == 1 && first == 3) {
				second[target]++;
				from_heaviest++;
			}
		}
		assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), -ERR_NOT_FOUND);
	}
	assert_true(fabs(second[1] / (double)from_heaviest - 0.25) < 0.02);
	assert_true(fabs(second[2] / (double)from_heaviest - 0.75) < 0.02);
	bench_stop(&b);
}

static void test_round_robin(void **state)
{
	static const struct target_line lines[] = { { 1, 5 }, { 2, 1 }, { 3, 0 }, { 4, 9 }, { 5, 1, true } };
	struct profile_knobs knobs = profile_knobs_default();
	unsigned got[5];
	struct bench b;

	bench_start(&b, RR, &knobs, lines, 5);
	for (unsigned dead = 0; dead < 2; dead++) {
		memset(got, 0, sizeof(got));
		for (uint64_t ticket = 0; ticket < 600; ticket++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, ticket);
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			got[configured_target(&b, one.target)]++;
		}
		assert_int_equal(got[0], dead ? 300 : 200);
		assert_int_equal(got[1], dead ? 0 : 200);
		assert_int_equal(got[3], dead ? 300 : 200);
		bench_health(&b, 1, 0, ENDPOINT_DOWN);
	}
	bench_stop(&b);
}

/* RFC 2782: with records of weight 0 beside others, each weight has its share of sum + 1, and those of weight 0 share the 1. chi-squared
 * against that, at one in 10,000. */
static const struct {
	const char *what;
	uint16_t weights[4];
	double share[4]; /* 0: never */
} weighed[] = {
	{ "no weight 0", { 60, 30, 10 }, { 0.6, 0.3, 0.1, 0 } },
	{ "small weights", { 1, 3 }, { 0.25, 0.75, 0, 0 } },
	{ "one of weight 0", { 60, 30, 10, 0 }, { 60 / 101.0, 30 / 101.0, 10 / 101.0, 1 / 101.0 } },
	{ "two of weight 0", { 0, 8, 0, 1 }, { 0.05, 0.8, 0.05, 0.1 } },
	{ "0 beside 1", { 1, 0 }, { 0.5, 0.5, 0, 0 } },
	{ "all of weight 0", { 0, 0, 0 }, { 1 / 3.0, 1 / 3.0, 1 / 3.0, 0 } },
	{ "the largest", { 65535, 65535, 65535, 65535 }, { 0.25, 0.25, 0.25, 0.25 } },
};

static void test_endpoint_weights(void **state)
{
	enum { CALLS = 40000 };
	static const double limit[] = { 0, 15.14, 18.42, 21.11 }; /* chi-squared by degrees of freedom */
	struct profile_knobs knobs = profile_knobs_default();

	for (unsigned c = 0; c < ARRAY_SIZE(weighed); c++) {
		struct target_line line = { 1, 1, false, 0 };
		unsigned got[4] = { 0 }, n = 0;
		double chi2 = 0;
		struct bench b;

		for (unsigned e = 0; e < 4 && weighed[c].share[e] > 0; e++, n++) {
			line.endpoints[e].priority = 1;
			line.endpoints[e].weight = weighed[c].weights[e];
		}
		line.endpoint_count = n;
		bench_start(&b, F, &knobs, &line, 1);
		for (unsigned i = 0; i < CALLS; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, i); /* tickets count up: they must be mixed */
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			for (unsigned e = 0; e < n; e++)
				got[e] += b.slots[0][e] == one.endpoint;
		}
		for (unsigned e = 0; e < n; e++)
			chi2 += pow(got[e] - CALLS * weighed[c].share[e], 2) / (CALLS * weighed[c].share[e]);
		if (chi2 > limit[n - 1])
			fail_msg("%s: %u %u %u %u of %u: chi-squared is %.1f", weighed[c].what, got[0], got[1], got[2], got[3], CALLS, chi2);
		bench_stop(&b);
	}
}

/* A profile published anew between two attempts of a call, with fewer targets: the state's indexes may be beyond it. */
static void test_shrunk(void **state)
{
	static const struct target_line lines[] = { THREE };
	struct profile_knobs knobs = profile_knobs_default();

	for (unsigned strategy = 0; strategy < 4; strategy++)
		for (unsigned targets = 0; targets <= 2; targets++) {
			struct selection_state s = { .hash = 77, .tried_count = 1, .tried = { 99999 }, .targets_tried = 1u << 31,
						     .current = 31 };
			struct selection one;
			struct bench b;
			unsigned n = 0;

			bench_start(&b, (enum strategy)strategy, &knobs, lines, targets);
			while (!select_next(b.profile, b.endpoints, 0, &s, &one)) {
				assert_in_range(one.target, 0, targets - 1);
				n++;
			}
			assert_int_equal(n, targets);
			bench_stop(&b);
		}
}

/* A sips URI's call (RFC 5630 §5.3) passes over endpoints of other transports, from its first attempt on. */
static void test_tls_only(void **state)
{
	static const struct target_line lines[] = { THREE };
	struct profile_knobs knobs = profile_knobs_default();

	for (unsigned strategy = 0; strategy < STRATEGIES; strategy++)
		for (unsigned hash = 0; hash < 16; hash++) {
			struct endpoint_config c;
			struct selection_state s;
			struct selection got;
			struct bench b;

			bench_start(&b, (enum strategy)strategy, &knobs, lines, ARRAY_SIZE(lines));
			c = *endpoints_get(b.endpoints, b.slots[1][0]);
			c.transport = TRANSPORT_TLS;
			assert_int_equal(endpoints_update(b.endpoints, b.slots[1][0], &c), 0);
			selection_start(&s, mix64(hash));
			s.tls_only = true;
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &got), 0);
			assert_int_equal(got.endpoint, b.slots[1][0]);
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &got), -ERR_NOT_FOUND);
			bench_stop(&b);
		}
}

/* A target that a call has left is not come back to, though another of its endpoints is up again. */
static void test_left_behind(void **state)
{
	static const struct target_line lines[] = { { 1, 1, false, 2, { { 1, 1, 0 }, { 1, 1, 0 } } }, { 2, 1, false, 2, { { 1, 1, 0 }, { 1, 1, 0 } } },
						    { 3, 1, false, 2, { { 1, 1, 0 }, { 1, 1, 0 } } } };
	struct profile_knobs knobs = profile_knobs_default();

	knobs.max_retries = knobs.max_attempts = ATTEMPTS_MAX;
	for (unsigned strategy = 0; strategy < STRATEGIES; strategy++)
		for (unsigned hash = 0; hash < 16 && strategy != STRATEGY_SIMULTANEOUS_RING; hash++) {
			struct selection_state s;
			struct selection got;
			struct bench b;
			unsigned met = 0;

			bench_start(&b, (enum strategy)strategy, &knobs, lines, ARRAY_SIZE(lines));
			for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
				bench_health(&b, i, 1, ENDPOINT_DOWN);
			selection_start(&s, mix64(hash));
			for (unsigned n = 0; n < ARRAY_SIZE(lines); n++) {
				assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &got), 0);
				if (n) /* the one before it */
					bench_health(&b, met >> 4, 1, ENDPOINT_UP);
				assert_false(met >> configured_target(&b, got.target) & 1);
				met = (met & 15) | 1u << configured_target(&b, got.target) | configured_target(&b, got.target) << 4;
			}
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &got), -ERR_NOT_FOUND);
			bench_stop(&b);
		}
}

/* That very endpoint, if it may take a call at all; the walk goes on from there. */
static void test_prefer(void **state)
{
	static const struct target_line lines[] = { { 1, 1 }, { 2, 0 }, { 3, 1, true }, { 4, 1, false, 1, { DOWN } },
						    { 5, 1, false, 2, { { 1, 1, 0 }, { 1, 1, 0 } } } };
	static const int want[] = { 0, 0, -ERR_NOT_FOUND, -ERR_NOT_FOUND, 0 }; /* weight 0 takes what belongs there already */
	struct profile_knobs knobs = profile_knobs_default();
	struct selection_state s;
	struct selection got;
	struct bench b;

	bench_start(&b, F, &knobs, lines, ARRAY_SIZE(lines));
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		selection_start(&s, 1);
		assert_int_equal(select_prefer(b.profile, b.endpoints, 0, &s, b.slots[i][0], &got), want[i]);
		if (want[i])
			continue;
		assert_int_equal(got.endpoint, b.slots[i][0]);
		assert_int_equal(configured_target(&b, got.target), i);
		assert_int_equal(select_prefer(b.profile, b.endpoints, 0, &s, b.slots[i][0], &got), -ERR_NOT_FOUND); /* was tried */
		assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &got), 0);
		assert_int_equal(got.endpoint, i == 0 ? b.slots[4][0] == got.endpoint ? got.endpoint : b.slots[4][1]
						      : i == 4 ? b.slots[4][1] : b.slots[0][0]);
	}
	selection_start(&s, 1);
	assert_int_equal(select_prefer(b.profile, b.endpoints, 0, &s, b.slots[4][1] + 100, &got), -ERR_NOT_FOUND); /* nobody's */
	assert_int_equal(s.tried_count, 0);
	bench_stop(&b);
}

static void test_refusal(void **state)
{
	static const struct target_line lines[] = {
		{ 1, 1 },
		{ 2, 1, true },
		{ 3, 0 },
		{ 4, 1, false, NO_ENDPOINT },
		{ 5, 1, false, 2, { DOWN, DOWN } },
	};
	static const char *const expected[] = { NULL, "disabled", "weight 0", "no endpoint", "all endpoints down" };
	struct profile_knobs knobs = profile_knobs_default();
	struct bench b;

	bench_start(&b, F, &knobs, lines, ARRAY_SIZE(lines));
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *why = select_refusal(b.profile, i, b.endpoints, 0);

		if (expected[i])
			assert_string_equal(why, expected[i]);
		else
			assert_null(why);
	}
	bench_stop(&b);
}

static void test_speed(void **state)
{
	static const struct target_line lines[] = { { 1, 50 }, { 2, 30 }, { 3, 20 } };
	enum { CALLS = 1000000 };
	struct profile_knobs knobs = profile_knobs_default();

	for (unsigned strategy = 0; strategy < 4; strategy++) {
		uint64_t start, sum = 0;
		struct bench b;

		bench_start(&b, (enum strategy)strategy, &knobs, lines, 3);
		start = now_ns();
		for (uint64_t i = 0; i < CALLS; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, mix64(i));
			select_next(b.profile, b.endpoints, 0, &s, &one);
			sum += one.endpoint;
		}
		print_message("select_next, %s: %.1f ns (%lu)\n", strategy_name((enum strategy)strategy),
			      (double)(now_ns() - start) / CALLS, sum & 1);
		bench_stop(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),		 cmocka_unit_test(test_ejected),	  cmocka_unit_test(test_shares),
		cmocka_unit_test(test_weighted_retries), cmocka_unit_test(test_round_robin),	  cmocka_unit_test(test_endpoint_weights),
		cmocka_unit_test(test_shrunk),		 cmocka_unit_test(test_tls_only),	  cmocka_unit_test(test_left_behind),
		cmocka_unit_test(test_refusal),		 cmocka_unit_test(test_prefer),		  cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
