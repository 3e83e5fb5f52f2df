/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/dialog_hash.h"

#include "base/partial.h"
#define AT_ONCE 128

/* Of the characters of a token only letters differ from another one in this bit alone. */
#define FOLD 0x2020202020202020ULL

static uint64_t hash_folded(const struct hash_key *key, const uint8_t *p, uint32_t n)
{
	struct siphash s = siphash_start(key);
	uint32_t left = n;

	for (; left >= 8; left -= 8, p += 8)
		siphash13_word(&s, little_endian(load_64(p) | FOLD));
	return siphash13_end(s, load_few(p, left) | (FOLD & ~(UINT64_MAX << 8 * left)), n);
}

uint64_t tag_hash(const struct hash_key *key, struct span tag)
{
	uint64_t h = 0;

	for (; tag.n > AT_ONCE; tag.p += AT_ONCE, tag.n -= AT_ONCE)
		h = mix64(h + hash_folded(key, tag.p, AT_ONCE));
	h += hash_folded(key, tag.p, tag.n);
	return h ? h : 1;
}
