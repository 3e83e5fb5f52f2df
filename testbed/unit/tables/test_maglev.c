/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/maglev.h"
#include "tables/profiles.h"

static uint8_t table[PROFILE_TABLE_MAX], other[PROFILE_TABLE_MAX];

static void test_sizes(void **state)
{
	for (unsigned n = 0; n <= PROFILE_TARGETS_MAX; n++) {
		uint32_t size = maglev_size(n);

		assert_in_range(size, 100 * n, PROFILE_TABLE_MAX);
		for (uint32_t d = 2; d * d <= size; d++)
			assert_int_not_equal(size % d, 0);
	}
}

/* Every share lies within one slot of size * weight / sum, and weight 0 has none. */
static void check_exact(const struct maglev_target *t, unsigned n, uint32_t size)
{
	uint32_t got[256] = { 0 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += t[i].weight;
	for (uint32_t i = 0; i < size; i++)
		got[table[i]]++;
	assert_int_equal(got[MAGLEV_NONE], sum ? 0 : size);
	for (unsigned i = 0; i < n && sum; i++) {
		double exact = (double)size * t[i].weight / (double)sum;

		if (got[i] < exact - 1 || got[i] > exact + 1 || (!t[i].weight && got[i]))
			fail_msg("target %u of %u, weight %u: %u slots of %u, exact %.2f", i, n, t[i].weight, got[i], size, exact);
	}
}

static void test_exact(void **state)
{
	static const struct {
		const char *what;
		unsigned n;
		uint16_t weights[6];
	} cases[] = {
		{ "nothing", 0, { 0 } },
		{ "all drained", 3, { 0, 0, 0 } },
		{ "alone", 1, { 1 } },
		{ "70/30", 2, { 70, 30 } },
		{ "a 5% canary", 2, { 95, 5 } },
		{ "a 0.1% canary", 2, { 999, 1 } },
		{ "one drained", 3, { 50, 0, 50 } },
		{ "thirds", 3, { 1, 1, 1 } },
		{ "a share below a slot", 2, { 65535, 1 } },
		{ "the largest weights", 6, { 65535, 65535, 65535, 65535, 65535, 65535 } },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct maglev_target t[6];

		for (unsigned i = 0; i < cases[k].n; i++)
			t[i] = (struct maglev_target){ 1000 + i, cases[k].weights[i] };
		maglev_fill(table, 4093, t, cases[k].n);
		check_exact(t, cases[k].n, 4093);
	}
}

static void test_exact_random(void **state)
{
	random_state = 11;
	for (unsigned round = 0; round < 300; round++) {
		struct maglev_target t[PROFILE_TARGETS_MAX];
		unsigned n = 1 + random_next() % PROFILE_TARGETS_MAX;
		unsigned scale = 1 + random_next() % 16;

		for (unsigned i = 0; i < n; i++)
			t[i] = (struct maglev_target){ (uint32_t)random_next(),
						       (uint16_t)(random_next() % 8 ? random_next() % (1u << scale) : 0) };
		maglev_fill(table, maglev_size(n), t, n);
		check_exact(t, n, maglev_size(n));
	}
}

/* How targets are listed decides nothing but the index. */
static void test_order(void **state)
{
	static const struct maglev_target a[] = { { 7, 10 }, { 8, 20 }, { 9, 30 }, { 10, 30 } };
	static const struct maglev_target b[] = { { 10, 30 }, { 7, 10 }, { 9, 30 }, { 8, 20 } };
	static const uint8_t index_in_b[] = { 1, 3, 2, 0 };

	maglev_fill(table, 4093, a, 4);
	maglev_fill(other, 4093, b, 4);
	for (unsigned i = 0; i < 4093; i++)
		assert_int_equal(other[i], index_in_b[table[i]]);
}

/* One of n equal targets goes: hardly a slot moves that it did not hold, and its own spread over all that remain. */
static void test_removal(void **state)
{
	double worst = 0;

	for (unsigned n = 2; n <= PROFILE_TARGETS_MAX; n++)
		for (unsigned seed = 0; seed < 4; seed++) {
			uint32_t size = maglev_size(n), moved = 0, held = 0, heirs[PROFILE_TARGETS_MAX] = { 0 };
			struct maglev_target t[PROFILE_TARGETS_MAX];
			unsigned gone = (seed * 7) % n;

			for (unsigned i = 0; i < n; i++)
				t[i] = (struct maglev_target){ (uint32_t)mix64(seed * 1000 + i + 1), 10 };
			maglev_fill(table, size, t, n);
			t[gone].weight = 0;
			maglev_fill(other, size, t, n);
			for (uint32_t i = 0; i < size; i++) {
				held += table[i] == gone;
				moved += table[i] != other[i];
				if (table[i] == gone)
					heirs[other[i]]++;
			}
			if (moved > size / n + size / 50)
				fail_msg("%u targets: %u of %u slots moved", n, moved, size);
			if ((double)(moved - held) / size > worst)
				worst = (double)(moved - held) / size;
			for (unsigned i = 0; i < n; i++)
				if (i != gone && heirs[i] < held / (n - 1) / 4)
					fail_msg("%u targets: %u inherited %u of %u", n, i, heirs[i], held);
		}
	print_message("removal of one of 2..32: at most %.2f%% of the slots moved without need\n", 100 * worst);
}

static void test_change(void **state)
{
	static const struct {
		const char *what;
		uint16_t before[4], after[4];
		double needed;
	} cases[] = {
		{ "5% more for a canary", { 95, 5 }, { 90, 10 }, 0.05 },
		{ "70/30 turned round", { 70, 30 }, { 30, 70 }, 0.40 },
		{ "a fourth joins", { 1, 1, 1, 0 }, { 1, 1, 1, 1 }, 0.25 },
		{ "all doubled", { 10, 20, 30, 40 }, { 20, 40, 60, 80 }, 0 },
		{ "one halved", { 20, 20, 20, 20 }, { 10, 20, 20, 20 }, 0.25 - 10.0 / 70 },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct maglev_target t[4];
		unsigned moved = 0;

		for (unsigned i = 0; i < 4; i++)
			t[i] = (struct maglev_target){ 100 + i, cases[k].before[i] };
		maglev_fill(table, 4093, t, 4);
		for (unsigned i = 0; i < 4; i++)
			t[i].weight = cases[k].after[i];
		maglev_fill(other, 4093, t, 4);
		for (unsigned i = 0; i < 4093; i++)
			moved += table[i] != other[i];
		if (moved > 4093 * (cases[k].needed + 0.03))
			fail_msg("%s: %.1f%% moved, %.1f%% needed", cases[k].what, moved / 40.93, 100 * cases[k].needed);
	}
}

static void test_speed(void **state)
{
	struct maglev_target t[PROFILE_TARGETS_MAX];
	uint64_t start;

	for (unsigned i = 0; i < PROFILE_TARGETS_MAX; i++)
		t[i] = (struct maglev_target){ i + 1, (uint16_t)(1 + i * i) };
	start = now_ns();
	maglev_fill(table, 4093, t, 3);
	print_message("fill, 3 targets: %.2f ms\n", (double)(now_ns() - start) / 1e6);
	start = now_ns();
	maglev_fill(table, 16381, t, 32);
	print_message("fill, 32 targets: %.2f ms\n", (double)(now_ns() - start) / 1e6);
	check_exact(t, 32, 16381);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_exact),   cmocka_unit_test(test_exact_random),
		cmocka_unit_test(test_order), cmocka_unit_test(test_removal), cmocka_unit_test(test_change),
		cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
