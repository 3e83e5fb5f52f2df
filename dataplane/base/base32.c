/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base32.h"

#include "base/err.h"

uint32_t base32_encode(const uint8_t *in, uint32_t n, char *out)
{
	static const char alphabet[32] = { "abcdefghijklmnopqrstuvwxyz234567" };
	uint32_t held = 0, bits = 0, written = 0;

	for (uint32_t i = 0; i < n; i++) {
		held = held << 8 | in[i];
		for (bits += 8; bits >= 5; bits -= 5)
			out[written++] = alphabet[held >> (bits - 5) & 31];
	}
	if (bits)
		out[written++] = alphabet[held << (5 - bits) & 31];
	return written;
}

/* 0..31, or something above for a foreign character. */
static inline uint32_t value_of(uint8_t c)
{
	uint32_t letter = (uint32_t)(ascii_lower(c) - 'a');
	uint32_t digit = (uint32_t)(c - '2');

	if (letter < 26)
		return letter;
	return digit < 6 ? digit + 26 : UINT32_MAX;
}

int base32_decode(struct span text, uint8_t *out, uint32_t cap)
{
	uint64_t bytes = (uint64_t)text.n * 5 / 8;
	uint32_t held = 0, bits = 0, written = 0;

	if (bytes > cap || bytes > INT32_MAX || BASE32_LEN(bytes) != text.n)
		return -ERR_INVALID;
	for (uint32_t i = 0; i < text.n; i++) {
		uint32_t v = value_of(text.p[i]);

		if (v > 31)
			return -ERR_INVALID;
		held = held << 5 | v;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			out[written++] = (uint8_t)(held >> bits);
		}
	}
	if (held & ((1u << bits) - 1))
		return -ERR_INVALID;
	return (int)written;
}
