/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base32.h"
#include "base/cpu.h"
#include "base/err.h"

/* RFC 4648 §10, in lower case and without padding. */
static void published_vectors(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = {
		{ "", "" },		 { "f", "my" },		  { "fo", "mzxq" },	  { "foo", "mzxw6" },
		{ "foob", "mzxw6yq" }, { "fooba", "mzxw6ytb" }, { "foobar", "mzxw6ytboi" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t n = (uint32_t)strlen(cases[i].plain);
		char *text = malloc(BASE32_LEN(n) + 1);
		uint8_t back[8];

		assert_non_null(text);
		assert_int_equal(base32_encode((const uint8_t *)cases[i].plain, n, text), BASE32_LEN(n));
		assert_memory_equal(text, cases[i].text, strlen(cases[i].text));
		assert_int_equal(base32_decode(span_of(text, BASE32_LEN(n)), back, sizeof(back)), n);
		assert_memory_equal(back, cases[i].plain, n);
		free(text);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		uint32_t cap;
		int result;
	} cases[] = {
		{ "MZXW6YTBOI", 6, 6 },		     /* upper case is read */
		{ "MzXw6yTbOi", 6, 6 },		     /* and a mixture */
		{ "mzxw6ytboi", 5, -ERR_INVALID },   /* no room */
		{ "m", 8, -ERR_INVALID },	     /* no whole number of bytes has 1, 3 or 6 characters */
		{ "mzx", 8, -ERR_INVALID },
		{ "mzxw6y", 8, -ERR_INVALID },
		{ "mz", 8, -ERR_INVALID },	     /* bits left over */
		{ "m1", 8, -ERR_INVALID },
		{ "m8", 8, -ERR_INVALID },
		{ "m=", 8, -ERR_INVALID },
		{ "\xcd\xd9", 8, -ERR_INVALID },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t out[8];
		int r = base32_decode(span_str(cases[i].text), out, cases[i].cap);

		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].text, r);
	}
}

/* The functions for words, for what fits into two, at every level. */
static void check_pair(const uint8_t *plain, uint32_t n, const char *text)
{
	uint64_t words[2] = { 0 }, low, high;
	char again[BASE32_LEN(16)];

	if (n < 5 || n > 15)
		return;
	memcpy(words, plain, n);
	for (int level = CPU_SCALAR; level < CPU_LEVELS; level++) {
		if (!cpu_select((enum cpu_level)level))
			continue;
		assert_int_equal(base32_encode_pair(words[0], words[1], n, again), BASE32_LEN(n));
		assert_memory_equal(again, text, BASE32_LEN(n));
		assert_int_equal(base32_decode_pair(span_of(text, BASE32_LEN(n)), &low, &high), n);
		assert_true(low == words[0] && high == words[1]);
		again[n % 8] = '!';
		assert_int_equal(base32_decode_pair(span_of(again, BASE32_LEN(n)), &low, &high), -ERR_INVALID);
		assert_int_equal(base32_decode_pair(span_of(text, 7), &low, &high), -ERR_INVALID);
	}
}

/* Every instruction set writes and reads what the scalar loop does: all lengths, in buffers of exactly that size, and with a character
 * changed anywhere. */
static void levels_agree(void **state)
{
	static const char changes[] = "a7A81@[`{~ \xe1\0";

	for (uint32_t n = 0; n <= 90; n++) {
		uint8_t *plain = malloc(n ? n : 1), *back = malloc(n ? n : 1), *back_scalar = malloc(n ? n : 1);
		uint32_t length = BASE32_LEN(n);
		char *text = malloc(length ? length : 1), *again = malloc(length ? length : 1);

		assert_true(plain && back && back_scalar && text && again);
		for (uint32_t i = 0; i < n; i++)
			plain[i] = (uint8_t)(i * 151 + n * 89);
		cpu_select(CPU_SCALAR);
		assert_int_equal(base32_encode(plain, n, text), length);
		for (int level = CPU_AVX2; level < CPU_LEVELS; level++) {
			if (!cpu_select((enum cpu_level)level))
				continue;
			assert_int_equal(base32_encode(plain, n, again), length);
			assert_memory_equal(text, again, length);
			for (uint32_t i = 0; i <= length; i++) {
				for (size_t c = 0; c < sizeof(changes); c++) {
					int r;

					if (i < length)
						again[i] = changes[c];
					cpu_select(CPU_SCALAR);
					r = base32_decode(span_of(again, length), back_scalar, n);
					cpu_select((enum cpu_level)level);
					assert_int_equal(base32_decode(span_of(again, length), back, n), r);
					if (r > 0)
						assert_memory_equal(back, back_scalar, (size_t)r);
				}
				if (i < length)
					again[i] = text[i];
			}
			for (uint32_t cut = 0; cut < length; cut++) {
				int r;

				cpu_select(CPU_SCALAR);
				r = base32_decode(span_of(text + cut, length - cut), back_scalar, n);
				cpu_select((enum cpu_level)level);
				assert_int_equal(base32_decode(span_of(text + cut, length - cut), back, n), r);
			}
		}
		check_pair(plain, n, text);
		free(plain);
		free(back);
		free(back_scalar);
		free(text);
		free(again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(refuses),
		cmocka_unit_test(levels_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
