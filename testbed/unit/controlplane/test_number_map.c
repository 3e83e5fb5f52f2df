/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "model/number_map.h"
#include "model/slot_queue.h"
#include "model/u64map.h"

/* Against a plain array, with keys few enough that probing runs collide and wrap. */
static void agrees_with_an_array(void **state)
{
	enum { KEYS = 600 };
	static uint32_t expected[KEYS];
	struct u64map *m = u64map_new(0);
	uint32_t count = 0;

	for (unsigned i = 0; i < KEYS; i++)
		expected[i] = U64MAP_NONE;
	for (unsigned step = 0; step < 200000; step++) {
		uint64_t r = random_next();
		unsigned key = (unsigned)(r % (KEYS - 1)) + 1;

		if (r >> 32 & 1) {
			count += expected[key] == U64MAP_NONE;
			expected[key] = (uint32_t)(r >> 40);
			assert_int_equal(u64map_set(m, key, expected[key]), 0);
		} else {
			assert_int_equal(u64map_delete(m, key), expected[key] != U64MAP_NONE);
			count -= expected[key] != U64MAP_NONE;
			expected[key] = U64MAP_NONE;
		}
		assert_int_equal(u64map_count(m), count);
	}
	for (unsigned key = 1; key < KEYS; key++)
		assert_int_equal(u64map_get(m, key), expected[key]);
	assert_int_equal(u64map_get(m, 0), U64MAP_NONE);
	u64map_free(m);
}

static void walks_every_entry_once(void **state)
{
	struct u64map *m = u64map_new(10);
	uint64_t cursor = 0, key, keys = 0;
	uint32_t value, seen = 0;

	for (uint32_t i = 1; i <= 1000; i++)
		assert_int_equal(u64map_set(m, i * 7919ull, i), 0);
	while (u64map_next(m, &cursor, &key, &value)) {
		assert_int_equal(key, value * 7919ull);
		keys += value;
		seen++;
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(keys, 500500);
	u64map_free(m);
}

static void counts_users(void **state)
{
	struct number_map *m = number_map_new(0);
	uint64_t cursor = 0;
	uint32_t id;

	assert_int_equal(number_map_set(m, number_of("44"), 7), 0);
	assert_int_equal(number_map_set(m, number_of("45"), 7), 0);
	assert_int_equal(number_map_set(m, number_of("46"), 8), 0);
	assert_int_equal(number_map_users(m, 7), 2);
	assert_int_equal(number_map_set(m, number_of("45"), 8), 0);
	assert_int_equal(number_map_users(m, 7), 1);
	assert_int_equal(number_map_users(m, 8), 2);
	assert_true(number_map_delete(m, number_of("44")));
	assert_false(number_map_delete(m, number_of("44")));
	assert_int_equal(number_map_users(m, 7), 0);
	assert_true(number_map_next_user(m, &cursor, &id));
	assert_int_equal(id, 8);
	assert_false(number_map_next_user(m, &cursor, &id));
	number_map_unref(m);
}

static int count_change(void *ctx, e164 number, uint32_t from, uint32_t to)
{
	unsigned *counts = ctx;

	counts[from == NUMBER_MAP_NONE ? 0 : to == NUMBER_MAP_NONE ? 2 : 1]++;
	return number == number_of("999") ? -ERR_FULL : 0;
}

static void finds_differences(void **state)
{
	struct number_map *a = number_map_new(0), *b = number_map_new(0);
	unsigned counts[3] = { 0 };

	for (unsigned i = 0; i < 100; i++)
		number_map_set(a, number_of("1000") + ((uint64_t)i << 4), 1);
	for (unsigned i = 10; i < 120; i++)
		number_map_set(b, number_of("1000") + ((uint64_t)i << 4), i < 15 ? 2 : 1);
	assert_int_equal(number_map_diff(a, b, count_change, counts), 0);
	assert_int_equal(counts[0], 20);
	assert_int_equal(counts[1], 5);
	assert_int_equal(counts[2], 10);
	assert_int_equal(number_map_diff(a, a, count_change, counts), 0);
	number_map_set(b, number_of("999"), 1);
	assert_int_equal(number_map_diff(a, b, count_change, counts), -ERR_FULL);
	number_map_unref(a);
	number_map_unref(b);
}

static bool not_three(void *ctx, uint32_t slot)
{
	return slot != 3;
}

static void reuses_slots_late(void **state)
{
	struct slot_queue *s = slot_queue_new(5);

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(slot_queue_take(s, NULL, NULL), i);
	slot_queue_put(s, 3);
	slot_queue_put(s, 1);
	assert_int_equal(slot_queue_take(s, NULL, NULL), 4);
	assert_int_equal(slot_queue_take(s, not_three, NULL), 1);
	assert_int_equal(slot_queue_take(s, not_three, NULL), SLOT_QUEUE_NONE);
	assert_int_equal(slot_queue_take(s, NULL, NULL), 3);
	assert_int_equal(slot_queue_take(s, NULL, NULL), SLOT_QUEUE_NONE);
	slot_queue_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_an_array), cmocka_unit_test(walks_every_entry_once), cmocka_unit_test(counts_users),
		cmocka_unit_test(finds_differences),	cmocka_unit_test(reuses_slots_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
