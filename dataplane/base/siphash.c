/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include "base/partial.h"

/* The bytes behind the last whole word. */
static inline uint64_t rest_of(const uint8_t *p, size_t bytes, size_t rest)
{
	uint64_t v = 0;

	if (!rest)
		return 0;
	if (bytes >= 8)
		return little_endian(load_64(p + rest - 8)) >> 8 * (8 - rest);
	for (size_t i = 0; i < rest; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

uint64_t siphash24(const struct hash_key *key, const void *data, size_t bytes)
{
	struct siphash s = siphash_start(key);
	const uint8_t *p = data;

	for (size_t words = bytes / 8; words; words--, p += 8)
		siphash24_word(&s, little_endian(load_64(p)));
	return siphash24_end(s, rest_of(p, bytes, bytes % 8), bytes);
}

void siphash24_128(const struct hash_key *key, const void *data, size_t bytes, uint64_t *ret_low, uint64_t *ret_high)
{
	struct siphash s = siphash_start(key);
	const uint8_t *p = data;

	s.v1 ^= 0xee;
	for (size_t words = bytes / 8; words; words--, p += 8)
		siphash24_word(&s, little_endian(load_64(p)));
	siphash24_word(&s, rest_of(p, bytes, bytes % 8) | (uint64_t)bytes << 56);
	s.v2 ^= 0xee;
	for (int i = 0; i < 4; i++)
		siphash_round(&s);
	*ret_low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	s.v1 ^= 0xdd;
	for (int i = 0; i < 4; i++)
		siphash_round(&s);
	*ret_high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash13(const struct hash_key *key, const void *data, size_t bytes)
{
	struct siphash s = siphash_start(key);
	const uint8_t *p = data;

	for (size_t words = bytes / 8; words; words--, p += 8)
		siphash13_word(&s, little_endian(load_64(p)));
	return siphash13_end(s, rest_of(p, bytes, bytes % 8), bytes);
}
