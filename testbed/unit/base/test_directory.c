/* SPDX-License-Identifier: Apache-2.0 */
/* The directory's lines: what is found, and where it lies, when a line is full, and all along against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/siphash.h"
#include "base/directory.h"

/* A hash that belongs to that line, of that signature. */
static uint64_t hash_at(const struct directory *d, uint32_t line, uint16_t signature)
{
	uint64_t hash = ((((uint64_t)line << 32) + d->count - 1) / d->count) << 32 | 0xabcd0000 | signature;

	assert_int_equal(directory_home(d, hash), line);
	return hash;
}

/* How often the reference is met at the hash. */
static unsigned met(const struct directory *d, uint64_t hash, uint32_t reference)
{
	struct directory_search s = directory_seek(d, hash);
	uint32_t found;
	unsigned n = 0, steps = 0;

	while ((found = directory_next(d, &s))) {
		n += found == reference;
		assert_true(++steps <= d->count * DIRECTORY_PLACES);
	}
	return n;
}

static void start(struct directory *d, uint32_t entries)
{
	assert_int_equal(directory_init(d, entries), 0);
	assert_int_equal((uintptr_t)d->lines % 64, 0);
	assert_true((uint64_t)d->count * DIRECTORY_PLACES > 2ULL * entries);
}

static bool clean(const struct directory *d)
{
	static const struct directory_line none;

	for (uint32_t i = 0; i < d->count; i++)
		if (memcmp(&d->lines[i], &none, sizeof(none)))
			return false;
	return true;
}

static void test_homes(void **state)
{
	static const uint32_t sizes[] = { 1, 4, 5, 64, 100000, 3000001 };

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct directory d;

		start(&d, sizes[i]);
		assert_int_equal(directory_home(&d, 0), 0);
		assert_int_equal(directory_home(&d, UINT64_MAX), d.count - 1);
		assert_int_equal(directory_home(&d, 1ULL << 63), d.count / 2);
		directory_done(&d);
	}
}

/* Every place of a line is told from all others, by its signature and by its reference. */
static void test_places(void **state)
{
	struct directory_line l = { .beyond = 7 };

	assert_int_equal(directory_places(&l, 0), (1 << DIRECTORY_PLACES) - 1);
	for (unsigned i = 0; i < DIRECTORY_PLACES; i++) {
		l.signature[i] = (uint16_t)(0x8000 + i);
		l.reference[i] = 0xf0000000 + i;
		assert_int_equal(directory_places(&l, 0), ((1 << DIRECTORY_PLACES) - 1) >> (i + 1) << (i + 1));
		for (unsigned k = 0; k < DIRECTORY_PLACES; k++) {
			assert_int_equal(directory_places(&l, (uint16_t)(0x8000 + k)), k <= i ? 1 << k : 0);
			assert_int_equal(directory_place_of(&l, 0xf0000000 + k), k <= i ? (int)k : -1);
		}
	}
	assert_int_equal(directory_place_of(&l, 7), -1); /* what passed by is no reference */
	for (unsigned i = 0; i < DIRECTORY_PLACES; i++)
		l.signature[i] = 5;
	assert_int_equal(directory_places(&l, 5), (1 << DIRECTORY_PLACES) - 1);
}

/* A hash whose low half says nothing is no free place. */
static void test_signature_of_zero(void **state)
{
	struct directory d;

	start(&d, 10);
	assert_int_not_equal(directory_signature(0xffff0000), 0);
	directory_add(&d, 0xffff0000, 1);
	directory_add(&d, 0xffff0000, 2);
	assert_int_equal(met(&d, 0xffff0000, 1), 1);
	assert_int_equal(met(&d, 0xffff0000, 2), 1);
	directory_remove(&d, 0, 1);
	directory_remove(&d, 0, 2);
	assert_true(clean(&d));
	directory_done(&d);
}

/* What does not get into its own line is found in the next, is replaced and removed there, round the end too; and nobody goes on in vain once it is gone. */
static void test_beyond(void **state)
{
	enum { ENTRIES = 40 };
	static const struct {
		const char *what;
		uint32_t home;
	} cases[] = { { "the first line", 0 }, { "round the end", ENTRIES / DIRECTORY_LOAD } };

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		uint32_t home = cases[c].home, next;
		struct directory d;
		uint64_t hash;

		start(&d, ENTRIES);
		next = directory_next_line(&d, home);
		for (uint32_t i = 0; i < 35; i++)
			directory_add(&d, hash_at(&d, home, (uint16_t)(i / 2)), 1 + i); /* two of each signature */
		assert_int_equal(d.lines[home].beyond, 25);
		assert_int_equal(d.lines[next].beyond, 15);
		for (uint32_t i = 0; i < 35; i++)
			if (met(&d, hash_at(&d, home, (uint16_t)(i / 2)), 1 + i) != 1)
				fail_msg("%s: entry %u is not met", cases[c].what, i);
		assert_int_equal(met(&d, hash_at(&d, next, 3), 4), 0); /* whose signature is there, but in the line before */
		/* One of the last line's, for another that is met instead. */
		hash = hash_at(&d, home, 34 / 2);
		directory_replace(&d, home, 35, 99);
		assert_int_equal(met(&d, hash, 35), 0);
		assert_int_equal(met(&d, hash, 99), 1);
		directory_remove(&d, home, 99);
		assert_int_equal(met(&d, hash, 99), 0);
		/* Room in the line itself is taken first, but those that are elsewhere stay, and are found. */
		directory_remove(&d, home, 1);
		directory_add(&d, hash_at(&d, home, 77), 50);
		assert_int_equal(d.lines[home].reference[0], 50);
		for (uint32_t i = 1; i < 10; i++)
			directory_remove(&d, home, 1 + i);
		assert_int_equal(d.lines[home].beyond, 24);
		for (uint32_t i = 10; i < 34; i++) {
			assert_int_equal(met(&d, hash_at(&d, home, (uint16_t)(i / 2)), 1 + i), 1);
			directory_remove(&d, home, 1 + i);
		}
		directory_remove(&d, home, 50);
		assert_true(clean(&d));
		directory_done(&d);
	}
}

/* Where every line was passed by, who seeks in vain comes round once, and no more. */
static void test_all_passed(void **state)
{
	struct directory d;

	start(&d, 4 * DIRECTORY_LOAD); /* five lines */
	for (uint32_t i = 0; i < d.count; i++)
		d.lines[i].beyond = 1;
	assert_int_equal(met(&d, hash_at(&d, 3, 5), 1), 0);
	directory_done(&d);
}

/* Random entries come, change and go, crowded on a few lines for a while, up to as many as there may be. */
static void test_model(void **state)
{
	enum { ENTRIES = 300 };
	struct entry {
		uint64_t hash;
		uint32_t reference;
	} list[ENTRIES];
	uint32_t n = 0, references = 0, fullest = 0, passed = 0;
	uint64_t dice = 1;
	struct directory d;

	start(&d, ENTRIES);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned lines = step / 10000 % 2 ? d.count : 3;
		bool filling = step / 5000 % 2;
		uint64_t what = mix64(dice++) % 8, which = n ? mix64(dice++) % n : 0;

		if (n < ENTRIES && (filling ? what < 5 : what < 3)) {
			uint64_t hash = hash_at(&d, (uint32_t)(mix64(dice++) % lines), (uint16_t)(step % 8));

			list[n++] = (struct entry){ hash, ++references };
			directory_add(&d, hash, references);
		} else if (n && what < 7) {
			directory_remove(&d, directory_home(&d, list[which].hash), list[which].reference);
			assert_int_equal(met(&d, list[which].hash, list[which].reference), 0);
			list[which] = list[--n];
		} else if (n) {
			directory_replace(&d, directory_home(&d, list[which].hash), list[which].reference, ++references);
			assert_int_equal(met(&d, list[which].hash, list[which].reference), 0);
			list[which].reference = references;
		}
		fullest = n > fullest ? n : fullest;
		passed += d.lines[2].beyond != 0;
		if (step % 50)
			continue;
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(met(&d, list[i].hash, list[i].reference), 1);
	}
	assert_int_equal(fullest, ENTRIES);
	assert_true(passed > 1000);
	while (n--)
		directory_remove(&d, directory_home(&d, list[n].hash), list[n].reference);
	assert_true(clean(&d));
	directory_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_homes), cmocka_unit_test(test_places), cmocka_unit_test(test_signature_of_zero),
		cmocka_unit_test(test_beyond), cmocka_unit_test(test_all_passed), cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
