/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

#include "tables/loads.h"

static void test_calls(void **state)
{
	struct loads *l = loads_new(2);

	for (unsigned limit = 1; limit <= 10; limit += 9) {
		unsigned taken = 0;

		while (loads_take(l, 7, taken % 2, limit, 0, 1000)) {
			taken++;
			assert_int_equal(loads_calls(l, 7), taken);
			assert_int_equal(loads_full(l, 7, limit, 0, 1000), taken == limit);
		}
		assert_int_equal(taken, limit);
		loads_release(l, 7, 0);
		assert_false(loads_full(l, 7, limit, 0, 1000));
		assert_true(loads_take(l, 7, 0, limit, 0, 1000));
		assert_false(loads_take(l, 7, 0, limit, 0, 1000));
		assert_true(loads_take(l, 7, 0, 0, 0, 1000)); /* whom no limit holds is counted all the same */
		assert_int_equal(loads_calls(l, 7), limit + 1);
		for (unsigned i = 0; i <= limit; i++)
			loads_release(l, 7, i % 2);
		assert_int_equal(loads_calls(l, 7), 0);
		assert_int_equal(loads_calls(l, 8), 0);
	}
	loads_free(l);
}

/* Whenever calls come: never more than max_cps begun in any 1,000 ms, and where they come in numbers, no less than that in 1,100. */
static void test_rate(void **state)
{
	static const unsigned limits[] = { 1, 2, 10, 50, 333 };
	static uint64_t begun[200000];

	random_state = 5;
	for (unsigned k = 0; k < ARRAY_SIZE(limits); k++) {
		struct loads *l = loads_new(1);
		uint64_t now = 4000000000ULL * (k + 1);
		unsigned n = 0, least = UINT32_MAX;

		for (unsigned i = 0; i < 20000; i++) {
			now += random_next() % 3 ? random_next() % 3 : random_next() % (4000 / limits[k] + 2);
			for (unsigned burst = (unsigned)(random_next() % 4); burst; burst--)
				if (loads_take(l, 1, 0, 0, limits[k], now))
					begun[n++] = now;
				else
					assert_true(loads_full(l, 1, 0, limits[k], now));
		}
		for (unsigned first = 0, last = 0; last < n; last++) {
			while (begun[first] + 1000 <= begun[last])
				first++;
			if (last - first + 1 > limits[k])
				fail_msg("%u calls within a second, %u allowed", last - first + 1, limits[k]);
		}
		/* Pressed all the time: a place is free again after 1,050 ms at the latest. */
		now += 10000;
		for (uint64_t end = now + 11000; now < end; now += 1100) {
			unsigned got = 0;

			for (uint64_t ms = 0; ms < 1100; ms++)
				while (loads_take(l, 1, 0, 0, limits[k], now + ms))
					got++;
			least = got < least ? got : least;
		}
		assert_true(least >= limits[k]);
		assert_true(loads_rate(l, 1, now) <= limits[k]);
		assert_int_equal(loads_rate(l, 1, now + 5000), 0);
		loads_free(l);
	}
}

/* A part of time from long ago is not of this second, though it lies in the same place. */
static void test_rate_comes_round(void **state)
{
	struct loads *l = loads_new(1);

	assert_true(loads_take(l, 1, 0, 0, 1, 1000));
	for (uint64_t now = 3000; now < 400000; now += 1600)
		assert_int_equal(loads_rate(l, 1, now), 0);
	assert_true(loads_take(l, 1, 0, 0, 1, 1000 + 1600 * 10));
	loads_free(l);
}

/* Both limits: what the second refuses, the first does not keep. */
static void test_both(void **state)
{
	struct loads *l = loads_new(1);

	assert_true(loads_take(l, 1, 0, 5, 2, 1000));
	assert_true(loads_take(l, 1, 0, 5, 2, 1000));
	for (unsigned i = 0; i < 10; i++)
		assert_false(loads_take(l, 1, 0, 5, 2, 1000 + i));
	assert_int_equal(loads_calls(l, 1), 2);
	for (unsigned i = 0; i < 3; i++)
		assert_true(loads_take(l, 1, 0, 5, 2, 3000 + i * 2000));
	assert_false(loads_take(l, 1, 0, 5, 2, 60000));
	assert_int_equal(loads_calls(l, 1), 5);
	loads_free(l);
}

static void test_corrections(void **state)
{
	struct loads *l = loads_new(2);

	for (unsigned i = 0; i < 6; i++)
		assert_true(loads_take(l, 3, i % 2, 0, 0, 1000));
	/* A worker lost two. */
	assert_true(loads_correct(l, 3, 1, 1));
	assert_int_equal(loads_calls(l, 3), 4);
	assert_false(loads_correct(l, 3, 1, 1));
	/* The sum is wrong; the workers are right. */
	for (int64_t wrong = -5; wrong < 100; wrong += 50) {
		loads_damage(l, 3, wrong);
		assert_false(loads_repair(l, 3)); /* it may have been between two stores */
		assert_true(loads_repair(l, 3));
		assert_int_equal(loads_calls(l, 3), 4);
		assert_false(loads_repair(l, 3));
	}
	/* Nothing is shown below nothing. */
	loads_damage(l, 3, -1);
	assert_int_equal(loads_calls(l, 3), 0);
	/* Different each time: somebody is at work. */
	loads_damage(l, 3, 7);
	assert_false(loads_repair(l, 3));
	loads_damage(l, 3, 8);
	assert_false(loads_repair(l, 3));
	assert_true(loads_repair(l, 3));
	assert_int_equal(loads_calls(l, 3), 4);
	loads_free(l);
}

static void test_watched(void **state)
{
	struct loads *l = loads_new(1);

	assert_false(loads_any_watched(l));
	loads_watch(l, 1, true);
	loads_watch(l, 1, true);
	loads_watch(l, 2, true);
	assert_true(loads_watched(l, 1) && loads_any_watched(l) && !loads_watched(l, 3));
	loads_passed_over(l, 1);
	assert_int_equal(loads_passed(l, 1), 1);
	loads_reset(l, 1);
	assert_int_equal(loads_passed(l, 1), 0);
	assert_true(!loads_watched(l, 1) && loads_any_watched(l));
	loads_watch(l, 2, false);
	assert_false(loads_any_watched(l));
	loads_free(l);
}

/* Two workers at the boundary: never one too many, and nothing lost or gained in the end. */
#define LIMIT 10
static struct loads *shared;
static _Atomic(int) inside, most;

static void *worker(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg, mine = 0;

	for (unsigned i = 0; i < 300000; i++) {
		if (mine < LIMIT && loads_take(shared, 1, me, LIMIT, 0, 1000)) {
			int now = atomic_fetch_add(&inside, 1) + 1, seen = atomic_load(&most);

			while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
				;
			mine++;
		} else if (mine) {
			atomic_fetch_sub(&inside, 1);
			loads_release(shared, 1, me);
			mine--;
		}
	}
	for (; mine; mine--) {
		atomic_fetch_sub(&inside, 1);
		loads_release(shared, 1, me);
	}
	return NULL;
}

static void test_race(void **state)
{
	pthread_t threads[2];

	shared = loads_new(2);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, worker, (void *)i);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_in_range(atomic_load(&most), 1, LIMIT);
	assert_int_equal(loads_calls(shared, 1), 0);
	assert_false(loads_repair(shared, 1));
	loads_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls), cmocka_unit_test(test_rate),	  cmocka_unit_test(test_rate_comes_round),
		cmocka_unit_test(test_both),  cmocka_unit_test(test_corrections), cmocka_unit_test(test_watched),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
