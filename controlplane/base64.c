/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const void *bytes, size_t n, char *out)
{
	const uint8_t *p = bytes;
	char *at = out;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		*at++ = digits[three >> 18];
		*at++ = digits[three >> 12 & 63];
		*at++ = i + 1 < n ? digits[three >> 6 & 63] : '=';
		*at++ = i + 2 < n ? digits[three & 63] : '=';
	}
	*at = 0;
	return (size_t)(at - out);
}

int base64_decode(const char *text, size_t n, void *out, size_t *ret_bytes)
{
	uint8_t *at = out;
	size_t padding = 0;

	if (n % 4)
		return -ERR_INVALID;
	while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < n; i += 4) {
		uint32_t four = 0;

		for (size_t k = 0; k < 4; k++) {
			const char *digit = i + k < n - padding && text[i + k] ? strchr(digits, text[i + k]) : NULL;

			if (!digit && i + k < n - padding)
				return -ERR_INVALID;
			four = four << 6 | (digit ? (uint32_t)(digit - digits) : 0);
		}
		*at++ = (uint8_t)(four >> 16);
		if (i + 4 < n || padding < 2)
			*at++ = (uint8_t)(four >> 8);
		if (i + 4 < n || padding < 1)
			*at++ = (uint8_t)four;
	}
	*ret_bytes = (size_t)(at - (uint8_t *)out);
	return 0;
}
