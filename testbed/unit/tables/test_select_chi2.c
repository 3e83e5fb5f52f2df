/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets how many calls, under every strategy, over many Call-IDs: Pearson's test against what is promised, and how much moves when
 * somebody leaves. */
#include <math.h>

#include "profile_fixture.h"

#include "tables/maglev.h"

#define DOWN { .health = ENDPOINT_DOWN }
#define F    STRATEGY_FAILOVER
#define RR   STRATEGY_ROUND_ROBIN
#define W    STRATEGY_WEIGHTED
#define LEAST STRATEGY_LEAST_CALLS
#define FAST STRATEGY_FASTEST

/* The value that chi-squared exceeds once in 10,000 times, after Wilson and Hilferty. */
static double critical(unsigned freedom)
{
	double a = 2.0 / (9.0 * freedom);

	return freedom * pow(1 - a + 3.719 * sqrt(a), 3);
}

/* share: of each, in all 1; those with 0 must have none. slack: what a table's grain may add to each, as a share. together: so many calls
 * go the same way. */
static void expect_shares(const char *what, const unsigned *got, const double *share, unsigned n, double slack, double together)
{
	double sum = 0, chi2 = 0;
	unsigned freedom = 0;

	for (unsigned i = 0; i < n; i++)
		sum += got[i];
	for (unsigned i = 0; i < n; i++) {
		double expected = sum * share[i], off = fabs(got[i] - expected) - sum * slack;

		if (share[i] == 0 && got[i])
			fail_msg("%s: %u got %u, expected none", what, i, got[i]);
		if (share[i] == 0)
			continue;
		freedom++;
		chi2 += off > 0 ? off * off / expected / together : 0;
	}
	if (freedom < 2)
		return;
	print_message("%s: chi2 %.1f, at most %.1f\n", what, chi2, critical(freedom - 1));
	if (chi2 > critical(freedom - 1))
		fail_msg("%s: chi2 is %.1f with %u degrees of freedom", what, chi2, freedom - 1);
}

struct sharing {
	const char *what;
	enum strategy strategy;
	unsigned n;
	struct target_line targets[8];
	uint32_t us[8];	    /* in which it responds */
	uint8_t first_dead; /* bit per target: its calls go to the second choice, as of those that come after */
	double share[8];
};

static const struct sharing sharings[] = {
	{ "weighted 70/30", W, 2, { { 1, 70 }, { 2, 30 } }, .share = { 0.7, 0.3 } },
	{ "a 5 % canary", W, 2, { { 1, 95 }, { 2, 5 } }, .share = { 0.95, 0.05 } },
	{ "weighted, four", W, 4, { { 1, 10 }, { 2, 20 }, { 3, 30 }, { 4, 40 } }, .share = { 0.1, 0.2, 0.3, 0.4 } },
	{ "weighted, one dead", W, 4, { { 1, 10 }, { 2, 20 }, { 3, 30, false, 1, { DOWN } }, { 4, 40 } },
	  .share = { 1 / 7.0, 2 / 7.0, 0, 4 / 7.0 } },
	{ "weighted within a tier", W, 4, { { 1, 10, .tier = 1 }, { 2, 20 }, { 3, 90, .tier = 1 }, { 4, 40 } }, .share = { 0, 1 / 3.0, 0, 2 / 3.0 } },
	{ "weighted, the near tier dead", W, 3, { { 1, 10, .tier = 1 }, { 2, 20, false, 1, { DOWN } }, { 3, 30, .tier = 1 } },
	  .share = { 0.25, 0, 0.75 } },
	{ "weighted, one full", W, 3, { { 1, 10 }, { 2, 20, .max_calls = 1 }, { 3, 30 } }, .share = { 0.25, 0, 0.75 } },
	{ "least calls, all alike: ties", LEAST, 5, { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 1 }, { 5, 1 } }, .share = { 0.2, 0.2, 0.2, 0.2, 0.2 } },
	{ "fastest, all alike", FAST, 4, { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 1 } }, .us = { 5000, 5000, 5000, 5000 },
	  .share = { 0.25, 0.25, 0.25, 0.25 } },
	{ "fastest, nothing known: by weight", FAST, 2, { { 1, 3 }, { 2, 1 } }, .share = { 0.75, 0.25 } },
	{ "fastest, 9 and 19 ms (and 1 ms of floor): 4 to 1", FAST, 2, { { 1, 1 }, { 2, 1 } }, .us = { 9000, 19000 }, .share = { 0.8, 0.2 } },
	{ "fastest, and weights", FAST, 2, { { 1, 1 }, { 2, 4 } }, .us = { 9000, 19000 }, .share = { 0.5, 0.5 } },
	{ "fastest, exploration of a slow one: 1/64 of the fastest's", FAST, 2, { { 1, 1 }, { 2, 1 } }, .us = { 9000, 4000000 },
	  .share = { 64 / 65.0, 1 / 65.0 } },
	{ "fastest, an unknown one is tried as if fast", FAST, 3, { { 1, 1 }, { 2, 1 }, { 3, 1 } }, .us = { 9000, 19000, 0 },
	  .share = { 4 / 9.0, 1 / 9.0, 4 / 9.0 } },
};

static void test_sharings(void **state)
{
	enum { CALLS = 200000 };
	struct profile_knobs knobs = profile_knobs_default();

	random_state = 11;
	for (unsigned k = 0; k < ARRAY_SIZE(sharings); k++) {
		const struct sharing *c = &sharings[k];
		unsigned got[8] = { 0 };
		struct bench b;

		bench_start(&b, c->strategy, &knobs, c->targets, c->n);
		for (unsigned i = 0; i < c->n; i++) {
			if (c->targets[i].max_calls)
				loads_adopt(b.loads, i, 0);
			if (c->us[i])
				endpoint_responded(b.endpoints, b.slots[i][0], c->us[i]);
		}
		for (unsigned i = 0; i < CALLS; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, random_next());
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			got[b.profile->targets[one.target].target_slot]++;
		}
		/* A weight's share of the table is exact to one slot. */
		expect_shares(c->what, got, c->share, c->n, c->strategy == W ? 1.0 / 4093 : 0, 1);
		bench_stop(&b);
	}
}

/* Turns are exact, and where targets come and go nobody has more than one turn too many. */
static void test_turns(void **state)
{
	enum { CALLS = 60000, N = 5 };
	static const struct target_line lines[N] = { { 1, 1 }, { 2, 1 }, { 3, 1 }, { 4, 1 }, { 5, 1 } };
	static const double even[N] = { 0.2, 0.2, 0.2, 0.2, 0.2 };
	struct profile_knobs knobs = profile_knobs_default();
	unsigned got[N] = { 0 }, second[N] = { 0 };
	uint64_t ticket = 0;
	struct bench b;

	bench_start(&b, RR, &knobs, lines, N);
	/* One after the other is down for a while. */
	for (unsigned dead = 0; dead < N; dead++) {
		unsigned now[N] = { 0 };

		bench_health(&b, dead, 0, ENDPOINT_DOWN);
		for (unsigned i = 0; i < CALLS / N; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, ticket++);
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			now[one.target]++;
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			second[one.target]++;
		}
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(now[i], i == dead ? 0 : CALLS / N / (N - 1));
			got[i] += now[i];
		}
		bench_health(&b, dead, 0, ENDPOINT_UP);
	}
	expect_shares("round robin with failures", got, even, N, 0, 1);
	expect_shares("round robin, second choices", second, even, N, 0, 1);
	bench_stop(&b);
}

/* Endpoints of one target by their weights, under every strategy. */
static void test_endpoints(void **state)
{
	enum { CALLS = 100000 };
	static const struct target_line line = { 1, 1, false, 4, { { 1, 60, 0 }, { 1, 30, 0 }, { 1, 10, 0 }, { 2, 50, 0 } } };
	static const double share[4] = { 0.6, 0.3, 0.1, 0 };
	struct profile_knobs knobs = profile_knobs_default();

	random_state = 12;
	for (unsigned k = 0; k < STRATEGIES; k++) {
		unsigned got[4] = { 0 };
		struct bench b;

		bench_start(&b, (enum strategy)k, &knobs, &line, 1);
		for (unsigned i = 0; i < CALLS; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, k == RR ? i : random_next());
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			for (unsigned e = 0; e < 4; e++)
				got[e] += b.slots[0][e] == one.endpoint;
		}
		expect_shares(strategy_name((enum strategy)k), got, share, 4, 0, 1);
		bench_stop(&b);
	}
}

/* Calls that come and go at random: who is worth twice the weight has twice the calls, all the time. */
static void test_least_calls(void **state)
{
	enum { CALLS = 100000, LIVE = 300, N = 3 };
	static const struct target_line lines[N] = { { 1, 100 }, { 2, 200 }, { 3, 300 } };
	static uint8_t live[LIVE];
	struct profile_knobs knobs = profile_knobs_default();
	struct bench b;

	random_state = 13;
	bench_start(&b, LEAST, &knobs, lines, N);
	for (unsigned i = 0; i < CALLS; i++) {
		unsigned place = i < LIVE ? i : (unsigned)(random_next() % LIVE);
		struct selection_state s;
		struct selection one;

		if (i >= LIVE)
			loads_release(b.loads, live[place], 0);
		selection_start(&s, random_next());
		assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
		live[place] = (uint8_t)b.profile->targets[one.target].target_slot;
		assert_true(loads_take(b.loads, live[place], 0, 0, 0, 1000));
		for (unsigned t = 0; i >= LIVE && t < N; t++)
			assert_in_range(loads_calls(b.loads, t), LIVE * (t + 1) / 6 - 2, LIVE * (t + 1) / 6 + 2);
	}
	bench_stop(&b);
}

/* A slow past is forgotten: the one that was slow and no longer is has its share back after so many calls. */
static void test_forgiving(void **state)
{
	enum { CALLS = 5000 };
	static const struct target_line lines[] = { { 1, 1 }, { 2, 1 } };
	struct profile_knobs knobs = profile_knobs_default();
	unsigned last[2] = { 0 };
	struct bench b;

	random_state = 14;
	bench_start(&b, FAST, &knobs, lines, 2);
	for (unsigned i = 0; i < 50; i++) {
		endpoint_responded(b.endpoints, b.slots[0][0], 5000);
		endpoint_responded(b.endpoints, b.slots[1][0], 4000000);
	}
	for (unsigned i = 0; i < CALLS; i++) {
		struct selection_state s;
		struct selection one;

		selection_start(&s, random_next());
		assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
		endpoint_responded(b.endpoints, one.endpoint, 5000);
		if (i >= CALLS - 1000)
			last[one.target]++;
	}
	print_message("of the last 1000: %u and %u\n", last[0], last[1]);
	assert_in_range(last[1], 440, 560);
	bench_stop(&b);
}

/* A million Call-IDs: who leaves takes no more than his own calls and 2 % along, and those spread over all who stay. */
enum { MILLION = 1000000 };
static uint8_t before[MILLION];

static void disruption(unsigned n, bool leaves_profile)
{
	static struct target_line lines[PROFILE_TARGETS_MAX];
	struct profile_knobs knobs = profile_knobs_default();
	unsigned gone = n / 2, moved = 0, got[PROFILE_TARGETS_MAX] = { 0 };
	double share[PROFILE_TARGETS_MAX];
	char what[100];
	struct bench b;

	for (unsigned i = 0; i < n; i++)
		lines[i] = (struct target_line){ (uint16_t)(i + 1), 100 };
	for (unsigned turn = 0; turn < 2; turn++) {
		bench_start(&b, W, &knobs, lines, n);
		if (turn && !leaves_profile)
			bench_health(&b, gone, 0, ENDPOINT_DOWN);
		for (uint32_t i = 0; i < MILLION; i++) {
			struct selection_state s;
			struct selection one;

			selection_start(&s, mix64(i));
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			if (!turn) {
				before[i] = one.target;
			} else if (before[i] != one.target) {
				moved++;
				got[one.target] += before[i] == gone;
			}
		}
		bench_stop(&b);
		lines[gone].disabled = leaves_profile;
	}
	for (unsigned i = 0; i < n; i++)
		share[i] = i == gone ? 0 : 1.0 / (n - 1);
	snprintf(what, sizeof(what), "one of %u %s: %.2f %% of calls move", n, leaves_profile ? "is disabled" : "goes down", moved * 100.0 / MILLION);
	if (moved > MILLION * (1.0 / n + 0.02))
		fail_msg("%s", what);
	/* Of one that is down each call chooses again for itself; of one that has left the table each slot does. */
	expect_shares(what, got, share, n, leaves_profile ? 0 : 1.0 / 4093, leaves_profile ? (double)MILLION / maglev_size(n) : 1);
}

/* The same for the endpoints of one target, under a strategy that looks at nothing but the target. */
static void endpoint_disruption(unsigned n, bool weighted)
{
	struct profile_knobs knobs = profile_knobs_default();
	struct target_line line = { 1, 1, false, n };
	unsigned gone = n / 2, moved = 0, own = 0, got[4] = { 0 };
	double share[4], rest = 0;
	struct bench b;
	char what[100];

	for (unsigned i = 0; i < n; i++) {
		line.endpoints[i].weight = (uint16_t)(weighted ? 10 * (i + 1) : 10);
		rest += i == gone ? 0 : line.endpoints[i].weight;
	}
	bench_start(&b, F, &knobs, &line, 1);
	for (unsigned turn = 0; turn < 2; turn++) {
		for (uint32_t i = 0; i < MILLION; i++) {
			struct selection_state s;
			struct selection one;
			unsigned e = 0;

			selection_start(&s, mix64(i));
			assert_int_equal(select_next(b.profile, b.endpoints, 0, &s, &one), 0);
			while (b.slots[0][e] != one.endpoint)
				e++;
			if (!turn) {
				before[i] = (uint8_t)e;
				own += e == gone;
			} else if (before[i] != e) {
				moved++;
				got[e]++;
				assert_int_equal(before[i], gone); /* nobody else's calls move at all */
			}
		}
		bench_health(&b, 0, gone, ENDPOINT_DOWN);
	}
	assert_int_equal(moved, own);
	for (unsigned i = 0; i < n; i++)
		share[i] = i == gone ? 0 : line.endpoints[i].weight / rest;
	snprintf(what, sizeof(what), "one of %u endpoints%s goes down: %.2f %% of calls move", n, weighted ? " of different weights" : "",
		 moved * 100.0 / MILLION);
	if (!weighted && moved > MILLION * (1.0 / n + 0.02))
		fail_msg("%s", what);
	expect_shares(what, got, share, n, 0, 1);
	bench_stop(&b);
}

static void test_disruption(void **state)
{
	static const unsigned sizes[] = { 2, 3, 4, 8, 16, 32 };

	for (unsigned n = 2; n <= 4; n++)
		for (unsigned weighted = 0; weighted < 2; weighted++)
			endpoint_disruption(n, weighted);

	for (unsigned k = 0; k < ARRAY_SIZE(sizes); k++) {
		disruption(sizes[k], false);
		disruption(sizes[k], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharings),    cmocka_unit_test(test_turns),     cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_least_calls), cmocka_unit_test(test_forgiving), cmocka_unit_test(test_disruption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
