/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <string.h>

/* The bytes of one well-formed character beyond ASCII (RFC 3629 §4: no overlong forms, no surrogates); 0: there is none. */
static unsigned character(const uint8_t *p, size_t n)
{
	unsigned more = p[0] >= 0xc2 && p[0] <= 0xdf ? 1 : p[0] >= 0xe0 && p[0] <= 0xef ? 2 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 3 : 0;

	if (!more || n <= more)
		return 0;
	for (unsigned i = 1; i <= more; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return more + 1;
}

size_t utf8_next(const uint8_t *text, size_t n, char out[UTF8_CHARACTER_MAX], unsigned *ret_bytes)
{
	unsigned whole = text[0] < 0x80 ? 1 : character(text, n);

	if (!text[0]) { /* many readers of JSON refuse \u0000 */
		memcpy(out, "\xef\xbf\xbd", 3);
		*ret_bytes = 3;
		return 1;
	}
	if (!whole) {
		out[0] = (char)(0xc0 | text[0] >> 6);
		out[1] = (char)(0x80 | (text[0] & 0x3f));
		*ret_bytes = 2;
		return 1;
	}
	memcpy(out, text, whole);
	*ret_bytes = whole;
	return whole;
}

size_t utf8_text(const void *text, size_t n, char *out)
{
	char *at = out;

	for (size_t i = 0; i < n;) {
		unsigned bytes;

		i += utf8_next((const uint8_t *)text + i, n - i, at, &bytes);
		at += bytes;
	}
	*at = 0;
	return (size_t)(at - out);
}
