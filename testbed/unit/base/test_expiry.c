/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/expiry.h"
#include "base/siphash.h"

#define FAR (1ULL << 32)

static void add(struct expiry *e, uint32_t index, uint64_t due_ms)
{
	expiry_add(e, &(struct expiry_thing){ .index = index }, due_ms);
}

/* Begun at these times, one after the other, and when each ends: no sooner than it should, nor than the one before it. */
static void test_order(void **state)
{
	static const struct {
		const char *what;
		uint64_t due[4], ends[4];
	} cases[] = {
		{ "in order", { 10, 20, 20, 30 }, { 10, 20, 20, 30 } },
		{ "one that is shorter waits", { 10, 30, 20, 40 }, { 10, 30, 30, 40 } },
		{ "where the low half of the clock wraps", { FAR - 2, FAR - 1, FAR, FAR + 1 }, { FAR - 2, FAR - 1, FAR, FAR + 1 } },
		{ "long pauses", { FAR, FAR + 1, FAR + 2000000000, FAR + 2000000001 }, { FAR, FAR + 1, FAR + 2000000000, FAR + 2000000001 } },
	};

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct expiry *e = expiry_new(4);
		struct expiry_thing thing = { 99, { 0 } };

		assert_int_equal(expiry_next_due(e), UINT64_MAX);
		assert_int_equal(expiry_take(e, UINT64_MAX - 1, &thing, 1), 0);
		for (uint32_t i = 0; i < 4; i++)
			expiry_add(e, &(struct expiry_thing){ 7 * i, { 8 * i, 9 * i } }, cases[c].due[i]);
		for (uint32_t i = 0; i < 4; i++) {
			if (expiry_next_due(e) != cases[c].ends[i])
				fail_msg("%s: entry %u ends at %llu", cases[c].what, i, (unsigned long long)expiry_next_due(e));
			assert_int_equal(expiry_take(e, cases[c].ends[i] - 1, &thing, 1), 0);
			assert_int_equal(expiry_take(e, cases[c].ends[i], &thing, 1), 1);
			assert_int_equal(thing.index, 7 * i);
			assert_int_equal(thing.with[0], 8 * i);
			assert_int_equal(thing.with[1], 9 * i);
		}
		assert_int_equal(expiry_next_due(e), UINT64_MAX);
		/* What was before binds nobody once there is none of it. */
		add(e, 3, 5);
		assert_int_equal(expiry_next_due(e), 5);
		expiry_free(e);
	}
}

static void test_portions(void **state)
{
	struct expiry *e = expiry_new(5);
	struct expiry_thing things[8];

	for (uint32_t i = 0; i < 5; i++)
		add(e, i, 100 + i / 3);
	assert_int_equal(expiry_ahead(e, things, 2), 2);
	assert_int_equal(things[1].index, 1);
	assert_int_equal(expiry_ahead(e, things, 8), 5);
	assert_int_equal(things[4].index, 4);
	assert_int_equal(expiry_take(e, 100, things, 2), 2);
	assert_int_equal(expiry_take(e, 100, things, 8), 1);
	assert_int_equal(things[0].index, 2);
	/* Around the end of the memory. */
	add(e, 5, 102);
	add(e, 6, 102);
	add(e, 7, 102);
	assert_int_equal(expiry_ahead(e, things, 8), 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(things[i].index, 3 + i);
	assert_int_equal(expiry_take(e, 1000, things, 8), 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(things[i].index, 3 + i);
	assert_int_equal(expiry_take(e, 1000, things, 8), 0);
	expiry_free(e);
}

/* Random comings and portions against what a counter says. */
static void test_random(void **state)
{
	enum { ROOM = 37, LASTS = 500 };
	struct expiry *e = expiry_new(ROOM);
	uint64_t begun[ROOM], now = (1ULL << 40) - 3000, dice = 1;
	uint32_t head = 0, tail = 0;
	struct expiry_thing things[8];

	for (unsigned step = 0; step < 100000; step++) {
		now += mix64(dice++) % 40;
		if (mix64(dice++) % 3 && tail - head < ROOM) {
			begun[tail % ROOM] = now;
			add(e, tail++, now + LASTS);
		} else {
			unsigned n = expiry_take(e, now, things, 1 + mix64(dice++) % 8);

			for (unsigned i = 0; i < n; i++, head++) {
				assert_int_equal(things[i].index, head);
				assert_true(begun[head % ROOM] + LASTS <= now);
			}
		}
		assert_int_equal(expiry_next_due(e), head == tail ? UINT64_MAX : begun[head % ROOM] + LASTS);
	}
	assert_true(tail > 5000);
	expiry_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_portions), cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
