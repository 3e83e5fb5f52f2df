/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/dialog_hash.h"

#include <string.h>

#define AT_ONCE 128

/* Of the characters of a token only letters differ from another one in this bit alone. */
static uint64_t hash_folded(const struct hash_key *key, const uint8_t *p, uint32_t n)
{
	const uint64_t fold = 0x2020202020202020ULL;
	uint8_t low[AT_ONCE + 8];

	if (n)
		memcpy(low, p, n);
	for (uint32_t i = 0; i < n; i += 8) {
		uint64_t word;

		memcpy(&word, low + i, 8);
		word |= fold;
		memcpy(low + i, &word, 8);
	}
	return siphash13(key, low, n);
}

uint64_t tag_hash(const struct hash_key *key, struct span tag)
{
	uint64_t h = 0;

	for (; tag.n > AT_ONCE; tag.p += AT_ONCE, tag.n -= AT_ONCE)
		h = mix64(h + hash_folded(key, tag.p, AT_ONCE));
	h += hash_folded(key, tag.p, tag.n);
	return h ? h : 1;
}
