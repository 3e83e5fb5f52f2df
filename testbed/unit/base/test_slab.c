/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/poison.h"
#include "base/siphash.h"
#include "base/slab.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static void test_classes(void **state)
{
	static const struct {
		uint32_t bytes;
		uint64_t taken; /* 0: refused */
	} cases[] = {
		{ 0, 64 },	  { 1, 64 },	    { 64, 64 },	      { 65, 128 },	{ 128, 128 },	  { 449, 512 },
		{ 512, 512 },	  { 513, 576 },	    { 1023, 1024 },   { 1024, 1024 },	{ 1025, 1152 },	  { 1152, 1152 },
		{ 1153, 1280 },	  { 1921, 2048 },   { 2048, 2048 },   { 2049, 4096 },	{ 4096, 4096 },	  { 4097, 8192 },
		{ 8193, 16384 },  { 16385, 32768 }, { 32768, 32768 }, { 32769, 65536 }, { 65536, 65536 }, { 65537, 0 },
		{ UINT32_MAX, 0 },
	};
	struct slab *s = slab_new(4 * MIB);

	assert_non_null(s);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *b = slab_get(s, cases[i].bytes);

		assert_int_equal(slab_bytes_in_use(s), cases[i].taken);
		assert_int_equal(b != NULL, cases[i].taken != 0);
		if (b && cases[i].bytes) {
			assert_int_equal((uintptr_t)b % 64, 0);
			memset(b, 1, cases[i].bytes);
		}
		slab_put(s, b);
		assert_int_equal(slab_bytes_in_use(s), 0);
	}
	slab_free(s);
	slab_free(NULL);
}

/* Takes buffers of one size till none is left; returns how many. */
static unsigned exhaust(struct slab *s, uint32_t bytes, void **taken, unsigned max)
{
	unsigned n = 0;

	while (n < max && (taken[n] = slab_get(s, bytes)))
		n++;
	return n;
}

static void test_bounds(void **state)
{
	/* 1 MiB: 8 chunks up to 2 KiB, 4 up to 8 KiB, 4 beyond. A small size may climb into the larger classes, never the reverse. */
	static const struct {
		uint32_t bytes;
		unsigned count;
	} cases[] = {
		{ 64 * KIB, 4 },
		{ 32 * KIB, 8 },
		{ 16 * KIB, 16 },
		{ 8 * KIB, 4 * 8 + 16 },
		{ 4 * KIB, 4 * 16 + 16 },
		{ 2 * KIB, 8 * 32 + 4 * 16 + 16 },
		{ 512, 8 * 128 + 4 * 16 + 16 },
		{ 700, 8 * 93 + 4 * 16 + 16 },
		{ 1100, 8 * 56 + 4 * 16 + 16 },
		{ 64, 8 * 1024 + 4 * 16 + 16 },
		{ 64 * KIB, 4 },
	};
	enum { MOST = 10000 };
	struct slab *s = slab_new(MIB);
	void **taken = calloc(MOST, sizeof(*taken));

	/* One after the other on the same slab: an empty chunk must come back to its group whatever it last was. */
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			unsigned n = exhaust(s, cases[i].bytes, taken, MOST);

			assert_int_equal(n, cases[i].count);
			for (unsigned k = 0; k < n; k++)
				slab_put(s, taken[k]);
			assert_int_equal(slab_bytes_in_use(s), 0);
		}
	free(taken);
	slab_free(s);
}

/* What is on the shelf of one size is not kept from another; and the last one given back is the first to be given out. */
static void test_shelf(void **state)
{
	struct slab *s = slab_new(MIB);
	void *some[200], *b;
	unsigned n;

	for (n = 0; n < 200; n++)
		assert_non_null(some[n] = slab_get(s, 200));
	while (n)
		slab_put(s, some[--n]);
	b = slab_get(s, 256);
	assert_ptr_equal(b, some[0]);
	slab_put(s, b);
	/* 8 chunks of small ones in all, each as large as 32 buffers of this size */
	for (n = 0; n < 8 * 32; n++) {
		uint64_t before = slab_bytes_in_use(s);

		assert_non_null(slab_get(s, 2048));
		assert_int_equal(slab_bytes_in_use(s) - before, 2048);
	}
	assert_non_null(slab_get(s, 2048)); /* a larger class's */
	assert_int_equal(slab_bytes_in_use(s), 8 * 32 * 2048 + 4096);
	slab_free(s);
}

/* What was given back is taken before what was never used, whose pages nobody has touched: however often, memory does not spread. */
static void test_low(void **state)
{
	enum { MOST = 300 }; /* five words of a chunk's bits */
	struct slab *s = slab_new(8 * MIB);
	uint8_t *some[MOST], *highest = NULL;

	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < MOST; i++) {
			assert_non_null(some[i] = slab_get(s, 64));
			if (!round && some[i] > highest)
				highest = some[i];
			assert_true(some[i] <= highest);
		}
		for (unsigned i = 0, k = round; i < MOST; i++, k = (k + 7) % MOST)
			slab_put(s, some[k]);
	}
	assert_int_equal(slab_bytes_in_use(s), 0);
	slab_free(s);
}

/* Random sizes taken and given back; each buffer keeps a pattern that a neighbour would spoil. */
static void test_random(void **state)
{
	enum { LIVE = 600 };
	static struct {
		uint8_t *p;
		uint32_t bytes;
	} live[LIVE];
	struct slab *s = slab_new(8 * MIB);
	uint64_t r = 3;

	memset(live, 0, sizeof(live));
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = (unsigned)((r = mix64(r + 0x9e3779b97f4a7c15ULL)) % LIVE);

		if (live[i].p) {
			assert_int_equal(live[i].p[0], (uint8_t)i);
			assert_int_equal(live[i].p[live[i].bytes / 2], (uint8_t)i);
			assert_int_equal(live[i].p[live[i].bytes - 1], (uint8_t)i);
			slab_put(s, live[i].p);
			live[i].p = NULL;
			continue;
		}
		live[i].bytes = 1 + (uint32_t)((r >> 16) % (1u << (6 + (r >> 50) % 11)));
		live[i].p = slab_get(s, live[i].bytes);
		if (!live[i].p)
			continue;
		live[i].p[0] = live[i].p[live[i].bytes / 2] = live[i].p[live[i].bytes - 1] = (uint8_t)i;
	}
	for (unsigned i = 0; i < LIVE; i++)
		slab_put(s, live[i].p);
	assert_int_equal(slab_bytes_in_use(s), 0);
	slab_free(s);
}

#ifdef POISON_ACTIVE
static void test_poison(void **state)
{
	struct slab *s = slab_new(MIB);
	uint8_t *b = slab_get(s, 700);

	assert_false(__asan_address_is_poisoned(b + 699));
	assert_true(__asan_address_is_poisoned(b + 700));
	slab_put(s, b);
	assert_true(__asan_address_is_poisoned(b));
	slab_free(s);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_shelf),
		cmocka_unit_test(test_low),
		cmocka_unit_test(test_random),
#ifdef POISON_ACTIVE
		cmocka_unit_test(test_poison),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
