/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <string.h>

#include <cmocka.h>

#include "base/poison.h"
#include "base/pool.h"

static void test_fill_and_empty(void **state)
{
	static const struct {
		uint32_t count;
		size_t bytes;
	} cases[] = { { 1, 1 }, { 3, 16 }, { 1000, 40 }, { 500, 64 }, { 257, 4096 }, { 100000, 100 } };

	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		uint32_t n = cases[k].count;
		size_t bytes = cases[k].bytes;
		struct pool *p = pool_new(n, bytes);
		uint8_t **taken = calloc(n, sizeof(*taken));

		assert_non_null(p);
		assert_int_equal(pool_capacity(p), n);
		for (unsigned round = 0; round < 2; round++) {
			for (uint32_t i = 0; i < n; i++) {
				taken[i] = pool_get(p);
				assert_non_null(taken[i]);
				assert_int_equal((uintptr_t)taken[i] % (bytes % 64 ? 16 : 64), 0);
				memset(taken[i], (int)i, bytes);
			}
			assert_null(pool_get(p));
			assert_int_equal(pool_in_use(p), n);
			for (uint32_t i = 0; i < n; i++) {
				assert_int_equal(taken[i][0], (uint8_t)i);
				assert_int_equal(taken[i][bytes - 1], (uint8_t)i);
				assert_ptr_equal(pool_at(p, pool_index(p, taken[i])), taken[i]);
			}
			for (uint32_t i = 0; i < n; i++)
				pool_put(p, taken[i]);
			assert_int_equal(pool_in_use(p), 0);
		}
		assert_null(pool_at(p, n));
		assert_non_null(pool_at(p, n - 1));
		free(taken);
		pool_free(p);
	}
}

static void test_last_freed_first_used(void **state)
{
	struct pool *p = pool_new(8, 64);
	void *a = pool_get(p), *b = pool_get(p), *c = pool_get(p);

	pool_put(p, b);
	pool_put(p, a);
	assert_ptr_equal(pool_get(p), a);
	assert_ptr_equal(pool_get(p), b);
	assert_int_equal(pool_index(p, c), 2);
	pool_free(p);
}

/* What is asked for ahead is what comes: first those that were put back, then those that were never taken. */
static void test_ahead(void **state)
{
	struct pool *p = pool_new(6, 48);
	void *taken[4];
	const void *ahead[6];

	for (unsigned i = 0; i < 4; i++)
		taken[i] = pool_get(p);
	pool_put(p, taken[1]);
	pool_put(p, taken[3]);
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(ahead[i] = pool_ahead(p, i));
	assert_null(pool_ahead(p, 4));
	assert_null(pool_ahead(p, UINT32_MAX));
	for (unsigned i = 0; i < 4; i++)
		assert_ptr_equal(pool_get(p), ahead[i]);
	assert_null(pool_ahead(p, 0));
	pool_free(p);
}

static void test_refusals(void **state)
{
	assert_null(pool_new(0, 64));
	assert_null(pool_new(64, 0));
	assert_null(pool_new(UINT32_MAX, SIZE_MAX / 4));
	pool_free(NULL);
}

#ifdef POISON_ACTIVE
static void test_poison(void **state)
{
	struct pool *p = pool_new(4, 48);
	uint8_t *a = pool_get(p), *never = pool_at(p, 3);

	assert_false(__asan_address_is_poisoned(a));
	assert_false(__asan_address_is_poisoned(a + 47));
	assert_true(__asan_address_is_poisoned(a + 48));
	assert_true(__asan_address_is_poisoned(never));
	pool_put(p, a);
	assert_true(__asan_address_is_poisoned(a));
	pool_free(p);
}
#endif

/* Nothing is left for the kernel to do when an object is first used. */
static void touched_pages_are_there(void **state)
{
	const size_t bytes = 8 << 20, page = 4096;
	unsigned char there[(8 << 20) / 4096];
	struct pool *p = pool_new((uint32_t)(bytes / 64), 64);
	uint8_t *first;

	assert_non_null(p);
	first = pool_at(p, 0);
	assert_int_equal(mincore((void *)((uintptr_t)first & ~(page - 1)), bytes, there), 0);
	assert_false(there[sizeof(there) - 2] & 1);
	pool_touch(p);
	assert_int_equal(mincore((void *)((uintptr_t)first & ~(page - 1)), bytes, there), 0);
	for (size_t i = 0; i < sizeof(there); i++)
		assert_true(there[i] & 1);
	assert_ptr_equal(pool_get(p), first);
	pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(touched_pages_are_there),
		cmocka_unit_test(test_fill_and_empty),
		cmocka_unit_test(touched_pages_are_there),
		cmocka_unit_test(test_last_freed_first_used), cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_refusals),
#ifdef POISON_ACTIVE
		cmocka_unit_test(test_poison),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
