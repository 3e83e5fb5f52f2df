/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/numbers.h"

static void test_lookup(void **state)
{
	static const struct {
		const char *digits;
		uint32_t slot;
	} exact[] = { { "442035550100", 1 }, { "442035550101", 2 }, { "4420", 3 }, { "123456789012345", 4 } },
	  prefixes[] = { { "44", 10 }, { "4420", 11 }, { "442035", 12 }, { "1", 13 }, { "442035550199", 14 } };
	static const struct {
		const char *what, *digits;
		uint32_t slot;
		bool exact;
		unsigned prefix_digits;
	} cases[] = {
		{ "exact beats every prefix", "442035550100", 1, true, 0 },
		{ "exact, short", "4420", 3, true, 0 },
		{ "exact, 15 digits", "123456789012345", 4, true, 0 },
		{ "longest prefix", "442035550102", 12, false, 6 },
		{ "the whole number is a prefix", "442035550199", 14, false, 12 },
		{ "and of a longer one", "4420355501990", 14, false, 12 },
		{ "a shorter prefix", "442099", 11, false, 4 },
		{ "the shortest", "4499", 10, false, 2 },
		{ "as long as its prefix", "44", 10, false, 2 },
		{ "one digit", "1", 13, false, 1 },
		{ "15 digits by prefix", "123456789012346", 13, false, 1 },
		{ "shorter than any", "4", NUMBERS_NONE, false, 0 },
		{ "nobody's", "33123456789", NUMBERS_NONE, false, 0 },
	};
	struct numbers *n = numbers_new(100, 100);
	struct numbers *other = numbers_new(100, 100);

	assert_non_null(n);
	assert_non_null(other);
	for (unsigned i = 0; i < ARRAY_SIZE(exact); i++)
		assert_int_equal(numbers_set(n, number_of(exact[i].digits), exact[i].slot), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
		assert_int_equal(numbers_set_prefix(n, number_of(prefixes[i].digits), prefixes[i].slot), 0);
	assert_int_equal(numbers_count(n), ARRAY_SIZE(exact));
	assert_int_equal(numbers_prefix_count(n), ARRAY_SIZE(prefixes));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct number_match m = numbers_lookup(n, number_of(cases[i].digits));

		if (m.profile_slot != cases[i].slot || m.exact != cases[i].exact || m.prefix_digits != cases[i].prefix_digits)
			fail_msg("%s: %u, exact %d, %u digits", cases[i].what, m.profile_slot, m.exact, m.prefix_digits);
		assert_int_equal(numbers_lookup(other, number_of(cases[i].digits)).profile_slot, NUMBERS_NONE);
	}
	assert_int_equal(numbers_lookup(n, 0).profile_slot, NUMBERS_NONE);
	assert_int_equal(numbers_set(n, 0, 1), -ERR_INVALID);
	assert_int_equal(numbers_set_prefix(n, 0, 1), -ERR_INVALID);
	numbers_free(other);
	numbers_free(n);
	numbers_free(NULL);
}

static void test_change(void **state)
{
	struct numbers *n = numbers_new(10, 10);
	e164 number = number_of("442035550100"), prefix = number_of("4420"), shorter = number_of("44");

	assert_int_equal(numbers_delete(n, number), -ERR_NOT_FOUND);
	assert_int_equal(numbers_delete_prefix(n, prefix), -ERR_NOT_FOUND);
	assert_int_equal(numbers_set(n, number, 1), 0);
	assert_int_equal(numbers_set(n, number, 2), 0);
	assert_int_equal(numbers_count(n), 1);
	assert_int_equal(numbers_lookup(n, number).profile_slot, 2);
	assert_int_equal(numbers_set_prefix(n, prefix, 3), 0);
	assert_int_equal(numbers_set_prefix(n, prefix, 4), 0);
	assert_int_equal(numbers_set_prefix(n, shorter, 5), 0);
	assert_int_equal(numbers_delete(n, number), 0);
	assert_int_equal(numbers_count(n), 0);
	assert_int_equal(numbers_lookup(n, number).profile_slot, 4);
	assert_int_equal(numbers_delete_prefix(n, prefix), 0);
	assert_int_equal(numbers_lookup(n, number).profile_slot, 5);
	assert_int_equal(numbers_delete_prefix(n, shorter), 0);
	assert_int_equal(numbers_lookup(n, number).profile_slot, NUMBERS_NONE);
	assert_int_equal(numbers_set(n, number, 6), 0);
	assert_int_equal(numbers_lookup(n, number).profile_slot, 6);
	numbers_free(n);
}

static e164 nth(uint32_t i)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "44%010u", i);
	return number_of(digits);
}

/* Filled to the brim, refused beyond, and turned over many times. */
static void test_bounds(void **state)
{
	enum { ROOM = 5000 };
	struct numbers *n = numbers_new(ROOM, 3);
	uint32_t i;

	for (i = 0; i < ROOM; i++)
		assert_int_equal(numbers_set(n, nth(i), i), 0);
	assert_int_equal(numbers_set(n, nth(i), i), -ERR_FULL);
	assert_int_equal(numbers_set(n, nth(7), 77), 0);
	for (; i < 20 * ROOM; i++) {
		assert_int_equal(numbers_delete(n, nth(i - ROOM)), 0);
		assert_int_equal(numbers_set(n, nth(i), i), 0);
		assert_int_equal(numbers_count(n), ROOM);
		assert_int_equal(numbers_lookup(n, nth(i)).profile_slot, i);
		assert_int_equal(numbers_lookup(n, nth(i - ROOM)).profile_slot, NUMBERS_NONE);
	}
	for (i -= ROOM; i < 20 * ROOM; i++)
		assert_int_equal(numbers_lookup(n, nth(i)).profile_slot, i);
	for (i = 1; i <= 3; i++)
		assert_int_equal(numbers_set_prefix(n, nth(i), i), 0);
	assert_int_equal(numbers_set_prefix(n, nth(4), 4), -ERR_FULL);
	numbers_free(n);
}

/* How many of the numbers are where they must be. */
static uint32_t bulk(const struct numbers *n, const e164 *keys, uint32_t count)
{
	struct number_match match[32];
	uint32_t found = 0;
	e164 some[32];

	for (uint32_t k = 0; k < count; k += 32) {
		unsigned m = count - k < 32 ? count - k : 32;

		for (unsigned i = 0; i < m; i++)
			some[i] = keys[(uint32_t)((k + i) * 15485863ULL % count)];
		numbers_lookup_bulk(n, some, m, match);
		for (unsigned i = 0; i < m; i++)
			found += match[i].exact && match[i].profile_slot == ((uint32_t)((k + i) * 15485863ULL % count) + 1) % 1000;
	}
	return found;
}

/* A million, or what STROWGER_TEST_NUMBERS says. */
static void test_million(void **state)
{
	const char *wanted = getenv("STROWGER_TEST_NUMBERS");
	uint32_t count = wanted ? (uint32_t)strtoul(wanted, NULL, 10) : 1000000, found = 0;
	struct numbers *n = numbers_new(count, 1000);
	e164 *keys = malloc(count * sizeof(*keys));
	uint64_t start;

	assert_non_null(n);
	for (uint32_t i = 0; i < count; i++)
		keys[i] = nth((uint32_t)((i * 2654435761ULL) % 4000000007u));
	start = now_ns();
	for (uint32_t i = 0; i < count; i++)
		if (numbers_set(n, keys[i], i % 1000))
			fail_msg("number %u of %u: no room", i, count);
	print_message("numbers_set, %u new: %.0f ns\n", count, (double)(now_ns() - start) / count);
	start = now_ns();
	for (uint32_t i = 0; i < count; i++)
		numbers_set(n, keys[i], (i + 1) % 1000);
	print_message("numbers_set, replaced: %.0f ns\n", (double)(now_ns() - start) / count);
	start = now_ns();
	for (uint64_t k = 0; k < count; k++) {
		uint32_t i = (uint32_t)(k * 15485863 % count); /* not in the order of insertion: the cache would know it */

		found += numbers_lookup(n, keys[i]).profile_slot == (i + 1) % 1000;
	}
	print_message("numbers_lookup: %.0f ns\n", (double)(now_ns() - start) / count);
	start = now_ns();
	found += bulk(n, keys, count) - count;
	print_message("numbers_lookup_bulk, by 32: %.0f ns\n", (double)(now_ns() - start) / count);
	assert_int_equal(found, count);
	assert_int_equal(numbers_count(n), count);
	start = now_ns();
	for (uint32_t i = 0; i < count; i++)
		numbers_delete(n, keys[i]);
	print_message("numbers_delete: %.0f ns\n", (double)(now_ns() - start) / count);
	assert_int_equal(numbers_count(n), 0);
	free(keys);
	numbers_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_million),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
