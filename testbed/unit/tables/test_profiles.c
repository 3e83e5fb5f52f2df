/* SPDX-License-Identifier: Apache-2.0 */
#include "profile_fixture.h"

static void test_knobs(void **state)
{
	static const struct {
		unsigned code;
		bool retry;
	} cases[] = { { 408, true },  { 500, true },  { 503, true },  { 599, true },  { 404, false }, { 480, false },
		      { 486, false }, { 600, false }, { 603, false }, { 302, false }, { 299, false }, { 700, false }, { 0, false } };
	struct profile_knobs k = profile_knobs_default();

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(code_set_has(&k.retry_codes, cases[i].code), cases[i].retry);
	code_set_put(&k.retry_codes, 480, true);
	code_set_put(&k.retry_codes, 408, false);
	code_set_put(&k.retry_codes, 200, true);
	assert_true(code_set_has(&k.retry_codes, 480));
	assert_false(code_set_has(&k.retry_codes, 408));
	assert_int_equal(k.response_timeout_ms, 4000);
	assert_int_equal(k.progress_timeout_ms, 8000);
	assert_int_equal(k.ring_timeout_ms, 25000);
	assert_int_equal(k.setup_budget_ms, 15000);
	assert_int_equal(k.max_retries, 2);
	assert_int_equal(k.max_attempts, 6);
	assert_int_equal(k.exhausted_code, 500);
	assert_false(k.retry_after_progress);
}

static void test_words(void **state)
{
	static const struct {
		const char *word;
		bool known;
		enum strategy strategy;
	} cases[] = { { "failover", true, STRATEGY_FAILOVER },
		      { "round_robin", true, STRATEGY_ROUND_ROBIN },
		      { "weighted_lb", true, STRATEGY_WEIGHTED },
		      { "simultaneous_ring", true, STRATEGY_SIMULTANEOUS_RING },
		      { "Failover", false, 0 },
		      { "", false, 0 } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		enum strategy s = 0;

		assert_int_equal(strategy_parse(cases[i].word, &s), cases[i].known);
		if (cases[i].known) {
			assert_int_equal(s, cases[i].strategy);
			assert_string_equal(strategy_name(s), cases[i].word);
		}
	}
}

static void test_sorted(void **state)
{
	static const struct target_line lines[] = {
		{ .position = 20, .weight = 1 },
		{ .position = 10, .weight = 2 },
		{ .position = 20, .weight = 3 },
		{ .position = 5, .weight = 4, .endpoint_count = 4,
		  .endpoints = { { 30, 1, 0 }, { 10, 2, 0 }, { 30, 3, 0 }, { 20, 4, 0 } } },
	};
	static const uint16_t weights[] = { 4, 2, 1, 3 }, endpoint_weights[] = { 2, 4, 1, 3 }, priorities[] = { 10, 20, 30, 30 };
	struct profile_knobs k = profile_knobs_default();
	struct bench b;

	bench_start(&b, STRATEGY_FAILOVER, &k, lines, ARRAY_SIZE(lines));
	assert_int_equal(b.profile->table_size, 0);
	assert_int_equal(b.profile->target_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(b.profile->targets[i].weight, weights[i]);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(b.profile->targets[0].weights[i], endpoint_weights[i]);
		assert_int_equal(b.profile->targets[0].priorities[i], priorities[i]);
	}
	assert_int_equal(b.profile->targets[0].endpoints[0], b.slots[3][1]);
	bench_stop(&b);
}

/* The built table of a profile: exact to one slot over its targets in order of position, nothing for disabled ones. */
static void test_table(void **state)
{
	static const struct target_line lines[] = {
		{ .position = 2, .weight = 30 },
		{ .position = 1, .weight = 70 },
		{ .position = 3, .weight = 500, .disabled = true },
		{ .position = 4, .weight = 0 },
	};
	struct profile_knobs k = profile_knobs_default();
	unsigned got[256] = { 0 };
	struct bench b;

	bench_start(&b, STRATEGY_WEIGHTED, &k, lines, ARRAY_SIZE(lines));
	for (uint32_t i = 0; i < b.profile->table_size; i++)
		got[b.profile->table[i]]++;
	assert_in_range(got[0], b.profile->table_size * 70 / 100, b.profile->table_size * 70 / 100 + 1);
	assert_int_equal(got[0] + got[1], b.profile->table_size);
	bench_stop(&b);
}

static struct profile *named(const char *name)
{
	struct profile_source s = { .name = name, .strategy = STRATEGY_WEIGHTED, .knobs = profile_knobs_default() };

	return profile_compile(&s);
}

static void test_slots(void **state)
{
	struct epoch *e = epoch_new(1);
	struct profiles *p = profiles_new(2, e);
	const struct profile *held;
	struct profile *spare = named("spare");
	uint32_t a, b, c;

	assert_int_equal(profiles_add(p, named("a"), &a), 0);
	assert_int_equal(profiles_add(p, named("b"), &b), 0);
	assert_int_equal(profiles_add(p, spare, &c), -ERR_FULL);
	epoch_online(e, 0);
	held = profiles_get(p, a);
	profiles_update(p, a, named("a2"));
	assert_string_equal(profiles_get(p, a)->name, "a2");
	assert_int_equal(epoch_reclaim(e), 1);
	assert_string_equal(held->name, "a");
	profiles_remove(p, b);
	assert_null(profiles_get(p, b));
	assert_null(profiles_get(p, PROFILE_NONE));
	assert_int_equal(profiles_add(p, spare, &c), -ERR_FULL);
	epoch_quiescent(e, 0);
	assert_int_equal(epoch_reclaim(e), 0);
	assert_int_equal(profiles_add(p, spare, &c), 0);
	assert_int_equal(c, b);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(profiles_ticket(p, a), i);
	assert_int_equal(profiles_ticket(p, b), 0);
	/* Whoever is alone takes the same ones. */
	assert_int_equal(profiles_ticket_alone(p, a), 5);
	assert_int_equal(profiles_ticket_alone(p, a), 6);
	assert_int_equal(profiles_ticket_peek(p, a), 7);
	assert_int_equal(profiles_ticket(p, a), 7);
	assert_int_equal(profiles_ticket_alone(p, b), 1);
	assert_int_equal(profiles_ticket_alone(p, profiles_max(p)), 0);
	profiles_free(p);
	epoch_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_knobs), cmocka_unit_test(test_words), cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_table), cmocka_unit_test(test_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
