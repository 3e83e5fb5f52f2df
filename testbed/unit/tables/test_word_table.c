/* SPDX-License-Identifier: Apache-2.0 */
/* Words to values: against a plain list, with crowded buckets, under readers that never wait, and how long a change takes. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tables/word_table.h"

/* Keys whose home is one of the first `homes` buckets: their runs of full buckets are long. */
static uint64_t crowded_key(const struct word_table *t, uint32_t homes)
{
	uint64_t key;

	do
		key = random_next();
	while (!key || word_table_home(t, key) >= homes);
	return key;
}

/* Random changes, compared after each of them; `homes` of the table's buckets are wanted. */
static void test_model(void **state)
{
	static const struct {
		uint32_t max, keys, homes;
	} cases[] = { { 200, 300, UINT32_MAX }, { 60, 90, 2 }, { 40, 60, 1 }, { 5, 12, UINT32_MAX }, { 1, 3, UINT32_MAX } };

	for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
		struct word_table t;
		uint64_t keys[300];
		int64_t values[300]; /* -1: not there */
		uint32_t count = 0;

		random_state = c;
		assert_int_equal(word_table_init(&t, cases[c].max), 0);
		for (uint32_t i = 0; i < cases[c].keys; i++) {
			keys[i] = crowded_key(&t, cases[c].homes);
			values[i] = -1;
		}
		for (unsigned step = 0; step < 20000; step++) {
			uint32_t i = (uint32_t)(random_next() % cases[c].keys), value = (uint32_t)random_next();

			if (random_next() % 5 < 3) {
				int want = values[i] < 0 && count == cases[c].max ? -ERR_FULL : 0;

				assert_int_equal(word_table_set(&t, keys[i], value), want);
				count += want == 0 && values[i] < 0;
				values[i] = want ? values[i] : value;
			} else {
				assert_int_equal(word_table_delete(&t, keys[i]), values[i] < 0 ? -ERR_NOT_FOUND : 0);
				count -= values[i] >= 0;
				values[i] = -1;
			}
			assert_int_equal(t.count, count);
			i = (uint32_t)(step % cases[c].keys);
			value = 0;
			assert_int_equal(word_table_get(&t, keys[i], &value), values[i] >= 0);
			assert_int_equal(value, values[i] < 0 ? 0 : values[i]);
		}
		for (uint32_t i = 0; i < cases[c].keys; i++)
			(void)word_table_delete(&t, keys[i]);
		for (uint32_t i = 0; i < t.buckets; i++)
			assert_int_equal(atomic_load(&t.bucket[i].passed), 0); /* a deleted key leaves nothing behind */
		assert_int_equal(word_table_delete(&t, 0), -ERR_NOT_FOUND);
		word_table_done(&t);
	}
}

/* ---- readers while it changes */

enum { READERS = 2, STAYING = 24, PASSING = 48, CHANGES = 200000 };

struct race {
	struct word_table table;
	uint64_t staying[STAYING], passing[PASSING]; /* those that are never deleted, and those that come and go */
	_Atomic(bool) done;
	_Atomic(uint64_t) turns, faults;
};

/* A value tells its key. */
static uint32_t value_of(unsigned key, uint32_t turn)
{
	return turn << 8 | key;
}

static void *read_all(void *arg)
{
	struct race *r = arg;
	uint64_t turns = 0, faults = 0;

	do {
		for (unsigned i = 0; i < STAYING + PASSING; i++) {
			uint64_t key = i < STAYING ? r->staying[i] : r->passing[i - STAYING];
			uint32_t value;

			if (word_table_get(&r->table, key, &value))
				faults += (value & 0xff) != i;
			else
				faults += i < STAYING;
		}
		turns++;
	} while (!atomic_load_explicit(&r->done, memory_order_acquire));
	atomic_fetch_add(&r->turns, turns);
	atomic_fetch_add(&r->faults, faults);
	return NULL;
}

static void test_readers(void **state)
{
	static struct race r;
	pthread_t threads[READERS];

	random_state = 5;
	assert_int_equal(word_table_init(&r.table, STAYING + PASSING), 0);
	for (unsigned i = 0; i < STAYING; i++) {
		r.staying[i] = crowded_key(&r.table, 4);
		assert_int_equal(word_table_set(&r.table, r.staying[i], value_of(i, 0)), 0);
	}
	for (unsigned i = 0; i < PASSING; i++)
		r.passing[i] = crowded_key(&r.table, 4);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &r), 0);
	for (uint32_t k = 1; k < CHANGES; k++) {
		unsigned i = (unsigned)(random_next() % PASSING);

		/* One goes, another one takes its place at once. */
		(void)word_table_delete(&r.table, r.passing[i]);
		i = (unsigned)(random_next() % PASSING);
		assert_int_equal(word_table_set(&r.table, r.passing[i], value_of(STAYING + i, k)), 0);
		i = k % STAYING;
		assert_int_equal(word_table_set(&r.table, r.staying[i], value_of(i, k)), 0);
	}
	atomic_store_explicit(&r.done, true, memory_order_release);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	print_message("%lu turns\n", atomic_load(&r.turns));
	assert_int_equal(r.faults, 0);
	assert_true(r.turns > 0);
	word_table_done(&r.table);
}

/* ---- how long one change takes, among a million */

static int by_size(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : *(const uint32_t *)a > *(const uint32_t *)b;
}

static void test_latency(void **state)
{
	enum { COUNT = 1000000, SAMPLES = 100000 };
	static const char *const what[] = { "moved", "deleted", "added" };
	uint32_t *took = malloc(SAMPLES * sizeof(*took));
	struct word_table t;

	assert_int_equal(word_table_init(&t, COUNT), 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(word_table_set(&t, mix64(i + 1), i), 0);
	for (unsigned w = 0; w < ARRAY_SIZE(what); w++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < SAMPLES; i++) {
			uint64_t key = mix64(1 + i * 7919ULL % COUNT), start = now_ns();
			int rc = w == 1 ? word_table_delete(&t, key) : word_table_set(&t, key, i);

			took[i] = (uint32_t)(now_ns() - start);
			sum += took[i];
			assert_int_equal(rc, 0);
		}
		qsort(took, SAMPLES, sizeof(*took), by_size);
		print_message("%s: %lu ns on average, p99.9 %u ns\n", what[w], sum / SAMPLES, took[SAMPLES - SAMPLES / 1000]);
	}
	assert_int_equal(t.count, COUNT);
	free(took);
	word_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
