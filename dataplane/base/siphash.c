/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <string.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline void round_once(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	round_once(s);
	round_once(s);
	s->v0 ^= word;
}

uint64_t siphash24(const struct hash_key *key, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t last = (uint64_t)bytes << 56;
	struct state s = {
		key->k0 ^ 0x736f6d6570736575ULL,
		key->k1 ^ 0x646f72616e646f6dULL,
		key->k0 ^ 0x6c7967656e657261ULL,
		key->k1 ^ 0x7465646279746573ULL,
	};

	for (; bytes >= 8; p += 8, bytes -= 8)
		absorb(&s, load_le64(p));
	for (size_t i = 0; i < bytes; i++)
		last |= (uint64_t)p[i] << 8 * i;
	absorb(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		round_once(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void siphash24_128(const struct hash_key *key, const void *data, size_t bytes, uint64_t *ret_low, uint64_t *ret_high)
{
	const uint8_t *p = data;
	uint64_t last = (uint64_t)bytes << 56;
	struct state s = {
		key->k0 ^ 0x736f6d6570736575ULL,
		key->k1 ^ 0x646f72616e646f6dULL ^ 0xee,
		key->k0 ^ 0x6c7967656e657261ULL,
		key->k1 ^ 0x7465646279746573ULL,
	};

	for (; bytes >= 8; p += 8, bytes -= 8)
		absorb(&s, load_le64(p));
	for (size_t i = 0; i < bytes; i++)
		last |= (uint64_t)p[i] << 8 * i;
	absorb(&s, last);
	s.v2 ^= 0xee;
	for (int i = 0; i < 4; i++)
		round_once(&s);
	*ret_low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	s.v1 ^= 0xdd;
	for (int i = 0; i < 4; i++)
		round_once(&s);
	*ret_high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
