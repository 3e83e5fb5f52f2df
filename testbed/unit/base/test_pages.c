/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/pages.h"

#define HUGE ((size_t)2 << 20)

static uintptr_t huge_page_of(const void *p)
{
	return (uintptr_t)p / HUGE;
}

static bool is_zero(const uint8_t *p, size_t bytes)
{
	return !*p && memcmp(p, p + 1, bytes - 1) == 0;
}

/* What mincore says: -1 where nothing is mapped. */
static int mapped(const void *p)
{
	unsigned char there;

	return mincore((void *)(huge_page_of(p) * HUGE), 4096, &there);
}

static void test_neighbours(void **state)
{
	const size_t bytes[] = { 1, 64, 65, 1000, 4096, 100000, 262144 };
	uint8_t *p[7];

	for (unsigned i = 0; i < 7; i++) {
		p[i] = pages_new(bytes[i]);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 64, 0);
		assert_true(bytes[i] == 1 ? !*p[i] : is_zero(p[i], bytes[i]));
		assert_true(huge_page_of(p[i]) == huge_page_of(p[0]));
		memset(p[i], 0xa0 + (int)i, bytes[i]);
	}
	pages_touch(p[5], bytes[5]);
	for (unsigned i = 0; i < 7; i++)
		for (size_t at = 0; at < bytes[i]; at++)
			assert_int_equal(p[i][at], 0xa0 + i);
	for (unsigned i = 0; i < 6; i++) {
		pages_free(p[i], bytes[i]);
		assert_int_equal(mapped(p[6]), 0);
	}
	pages_free(p[6], bytes[6]);
	assert_int_equal(mapped(p[6]), -1);
}

/* What was given back is not given out again before all of its page is: what comes is the kernel's zeros. */
static void test_zeros(void **state)
{
	void *first = pages_new(4096);

	for (unsigned i = 0; i < 10000; i++) {
		uint8_t *p = pages_new(5000);

		assert_non_null(p);
		assert_true(is_zero(p, 5000));
		memset(p, 0xff, 5000);
		pages_free(p, 5000);
	}
	pages_free(first, 4096);
}

static void test_sizes(void **state)
{
	const size_t bytes[] = { HUGE / 2 - 64, HUGE / 2, HUGE / 2 + 1, HUGE, HUGE + 1, 5 * HUGE };
	uint8_t *p[6];

	for (unsigned i = 0; i < 6; i++) {
		p[i] = pages_new(bytes[i]);
		assert_non_null(p[i]);
		p[i][0] = p[i][bytes[i] - 1] = 1;
		if (bytes[i] > HUGE / 2)
			assert_int_equal((uintptr_t)p[i] % HUGE, 0);
		pages_touch(p[i], bytes[i]);
		assert_int_equal(p[i][bytes[i] - 1], 1);
	}
	for (unsigned i = 0; i < 6; i++)
		pages_free(p[i], bytes[i]);
	pages_free(NULL, 1);
	assert_null(pages_new(0));
	assert_null(pages_new(SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
