/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/branch.h"

#include "base/base32.h"
#include "base/err.h"
#include "base/partial.h"

/* Behind the cookie: one letter for the kind, then 15 bytes as 24 characters of base32: worker, slot and generation (or 40 bits
 * of digest), loop hash, and 40 bits of MAC over all of it. In words that lie in memory as the bytes do: first worker, 40 bits and
 * the loop hash's upper half, then its lower half and the MAC. */

#define COOKIE "z9hG4bK"
#define TEXT   24
#define BYTES  15

/* Over the ten bytes of content and, behind them, the kind. */
static inline uint64_t mac_of(const struct hash_key *key, uint64_t first, uint64_t second, char kind)
{
	struct siphash s = siphash_start(key);

	siphash24_word(&s, __builtin_bswap64(first));
	return siphash24_end(s, __builtin_bswap64(second) | (uint64_t)(uint8_t)kind << 16, 11) & 0xffffffffffULL;
}

void branch_encode(const struct hash_key *key, const struct branch *b, char out[BRANCH_TEXT])
{
	bool transaction = b->kind == BRANCH_TRANSACTION;
	uint64_t middle = transaction ? (uint64_t)(b->slot & 0xffffff) << 16 | b->generation : b->digest & 0xffffffffffULL;
	uint64_t first = (uint64_t)b->worker << 56 | middle << 16 | b->loop >> 16, second = (uint64_t)b->loop << 48;
	char kind = transaction ? 't' : 's';

	memcpy(out, COOKIE, 7);
	out[7] = kind;
	second |= mac_of(key, first, second, kind) << 8;
	base32_encode_pair(big_endian(first), big_endian(second), BYTES, out + 8);
}

int branch_decode(const struct hash_key *key, struct span text, struct branch *ret_branch)
{
	uint64_t cookie, first, second, middle;
	struct branch b = { 0 };
	char kind;

	if (text.n != BRANCH_TEXT)
		return -ERR_NOT_FOUND;
	cookie = big_endian(load_64(text.p)) | 0x2020202020202020ULL;
	kind = (char)cookie;
	/* '9' and '4' have that bit too, but so have the control characters 0x19 and 0x14 once it is set */
	if (cookie >> 8 != 0x7a39686734626bULL || text.p[1] != '9' || text.p[4] != '4' || (kind != 't' && kind != 's'))
		return -ERR_NOT_FOUND;
	if (base32_decode_pair(span_of(text.p + 8, TEXT), &first, &second) < 0)
		return -ERR_NOT_FOUND;
	first = big_endian(first);
	second = big_endian(second);
	if ((second >> 8 & 0xffffffffffULL) != mac_of(key, first, second >> 48 << 48, kind))
		return -ERR_FORGED;
	middle = first >> 16 & 0xffffffffffULL;
	b.worker = (uint8_t)(first >> 56);
	if (kind == 't') {
		b.kind = BRANCH_TRANSACTION;
		b.slot = (uint32_t)(middle >> 16);
		b.generation = (uint16_t)middle;
	} else {
		b.kind = BRANCH_STATELESS;
		b.digest = middle;
	}
	b.loop = (uint32_t)(first & 0xffff) << 16 | (uint32_t)(second >> 48);
	*ret_branch = b;
	return 0;
}
