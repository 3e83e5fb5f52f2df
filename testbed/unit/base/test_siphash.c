/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/siphash.h"

/* Key 00..0f, message 00..n-1: from the paper's appendix (n = 15) and the authors' published test vectors. */
static void published_vectors(void **state)
{
	static const struct {
		size_t n;
		uint64_t hash;
	} cases[] = {
		{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 2, 0x0d6c8009d9a94f5a },
		{ 3, 0x85676696d7fb7e2d }, { 4, 0xcf2794e0277187b7 }, { 5, 0x18765564cd99a68d },
		{ 6, 0xcbc9466e58fee3ce }, { 7, 0xab0200f58b01d137 }, { 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t *message = malloc(cases[i].n + !cases[i].n);

		assert_non_null(message);
		for (size_t b = 0; b < cases[i].n; b++)
			message[b] = (uint8_t)b;
		assert_int_equal(siphash24(&key, message, cases[i].n), cases[i].hash);
		free(message);
	}
}

/* The authors' vectors for 128 bits, as they print them. */
static void published_vectors_128(void **state)
{
	static const uint8_t cases[][16] = {
		{ 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93 },
		{ 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45 },
		{ 0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff, 0xe4 },
	};
	const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t hash[2];

		siphash24_128(&key, "\0\1", i, &hash[0], &hash[1]);
		for (unsigned b = 0; b < 16; b++)
			assert_int_equal(hash[b / 8] >> 8 * (b % 8) & 0xff, cases[i][b]);
	}
}

static void alignment_does_not_matter(void **state)
{
	const struct hash_key key = { 1, 2 };
	uint8_t bytes[64 + 8];

	for (size_t shift = 0; shift < 8; shift++) {
		memset(bytes, 0xaa, sizeof(bytes));
		for (size_t i = 0; i < 61; i++)
			bytes[shift + i] = (uint8_t)(i * 7);
		uint64_t h = siphash24(&key, bytes + shift, 61);

		for (size_t i = 0; i < 61; i++)
			bytes[i] = (uint8_t)(i * 7);
		assert_int_equal(h, siphash24(&key, bytes, 61));
	}
}

/* The empty message under the key 00..0f; then, for every length, that steps and lengths are as for 2-4: each byte counts. */
static void one_three(void **state)
{
	const struct hash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint64_t seen[64];

	assert_int_equal(siphash13(&key, "", 0), 0xabac0158050fc4dc);
	for (size_t n = 0; n < 64; n++) {
		uint8_t *message = calloc(1, n + !n);

		assert_non_null(message);
		seen[n] = siphash13(&key, message, n);
		for (size_t i = 0; i < n; i++) {
			assert_int_not_equal(seen[n], seen[i]);
			message[i] ^= 0x80;
			assert_int_not_equal(siphash13(&key, message, n), seen[n]);
			message[i] ^= 0x80;
		}
		free(message);
	}
}

static void by_steps(void **state)
{
	const struct hash_key key = { 3, 4 };
	const uint64_t words[3] = { 0x0123456789abcdef, 1, 0x80 };

	for (size_t bytes = 16; bytes < 24; bytes++) {
		struct siphash s = siphash_start(&key);

		siphash24_word(&s, words[0]);
		siphash24_word(&s, words[1]);
		assert_int_equal(siphash24_end(s, bytes > 16 ? words[2] : 0, bytes), siphash24(&key, words, bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(published_vectors_128),
		cmocka_unit_test(alignment_does_not_matter),
		cmocka_unit_test(one_three),
		cmocka_unit_test(by_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
