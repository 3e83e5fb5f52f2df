/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base32.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
