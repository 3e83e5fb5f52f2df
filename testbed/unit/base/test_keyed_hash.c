/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/aes.h"
#include "base/keyed_hash.h"

static const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

struct results {
	uint64_t hash, folded, low, high, with;
};

static struct results all(const uint8_t *p, uint32_t n)
{
	static const uint64_t words[6] = { 1, 2, 3, 4, 5, 6 };
	struct results r = { .hash = keyed_hash(&key, p, n), .folded = keyed_hash_folded(&key, p, n), .with = keyed_hash_with(&key, words, 2 + 2 * (n % 3), p, n) };

	keyed_hash_128(&key, p, n, &r.low, &r.high);
	return r;
}

/* Nothing before or behind the text is read: each lies in memory of its own. */
static void software_and_hardware_agree(void **state)
{
	for (uint32_t n = 0; n < 300; n++) {
		uint8_t *text = malloc(n + !n);
		struct results soft, hard;

		assert_non_null(text);
		for (uint32_t i = 0; i < n; i++)
			text[i] = (uint8_t)(i * 7 + n);
		assert_true(aes_select(false));
		soft = all(text, n);
		if (aes_select(true)) {
			hard = all(text, n);
			assert_memory_equal(&soft, &hard, sizeof(soft));
		}
		assert_int_equal(soft.hash, soft.low);
		free(text);
	}
}

/* What one node hashes another one must find: these values are for ever. */
static void values_stand(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} cases[] = {
		{ "", 0xe58c78c1e5217eba },
		{ "a", 0x4c12b648b5e3dbda },
		{ "abcdefgh", 0x7785f043f11dd66a },
		{ "0123456789abcdef", 0x75babc0760cc9470 },
		{ "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com", 0x874db7435955c94b },
	};

	for (int hardware = 0; hardware < 2; hardware++) {
		aes_select(hardware);
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			assert_int_equal(keyed_hash(&key, cases[i].text, (uint32_t)strlen(cases[i].text)), cases[i].hash);
	}
}

/* Each bit of the text and of the key turns about half of the bits of the result; a longer text of zeros is another one. */
static void everything_counts(void **state)
{
	uint8_t text[100] = { 0 };

	for (uint32_t n = 1; n <= sizeof(text); n++) {
		uint64_t plain = keyed_hash(&key, text, n);

		assert_int_not_equal(plain, keyed_hash(&key, text, n - 1));
		for (uint32_t bit = 0; bit < 8 * n; bit++) {
			text[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_in_range(__builtin_popcountll(plain ^ keyed_hash(&key, text, n)), 10, 54);
			text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (unsigned bit = 0; bit < 64; bit++) {
			struct hash_key other[2] = { { key.k0 ^ 1ull << bit, key.k1 }, { key.k0, key.k1 ^ 1ull << bit } };

			assert_in_range(__builtin_popcountll(plain ^ keyed_hash(&other[0], text, n)), 10, 54);
			assert_in_range(__builtin_popcountll(plain ^ keyed_hash(&other[1], text, n)), 10, 54);
		}
	}
}

static void words_count(void **state)
{
	uint64_t words[6] = { 0 }, plain = keyed_hash_with(&key, words, 6, "text", 4);

	assert_int_not_equal(plain, keyed_hash(&key, "text", 4));
	for (unsigned bit = 0; bit < 6 * 64; bit++) {
		words[bit / 64] = 1ull << bit % 64;
		assert_in_range(__builtin_popcountll(plain ^ keyed_hash_with(&key, words, 6, "text", 4)), 10, 54);
		words[bit / 64] = 0;
	}
}

static void case_folds(void **state)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789", upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	for (uint32_t n = 1; n < sizeof(lower); n++) {
		assert_int_equal(keyed_hash_folded(&key, lower, n), keyed_hash_folded(&key, upper, n));
		assert_int_not_equal(keyed_hash(&key, lower, n), keyed_hash(&key, upper, n));
		assert_int_not_equal(keyed_hash_folded(&key, lower, n), keyed_hash_folded(&key, lower, n - 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(software_and_hardware_agree), cmocka_unit_test(values_stand),
		cmocka_unit_test(everything_counts), cmocka_unit_test(words_count), cmocka_unit_test(case_folds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
