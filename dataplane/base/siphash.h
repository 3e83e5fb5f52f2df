/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A 128-bit secret for the hashes below. */
struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash that a sender cannot steer; also a MAC, for what leaves this machine (TCP's
 * sequence numbers and cookies; those of branches and tokens are cmac.h's). any */
uint64_t siphash24(const struct hash_key *key, const void *data, size_t bytes);

/* The same with 128 bits of result, for keys whose equality is to mean that what was hashed is equal. any */
void siphash24_128(const struct hash_key *key, const void *data, size_t bytes, uint64_t *ret_low, uint64_t *ret_high);

/* SipHash-1-3, at half the cost: for places in tables, whose hashes nobody outside ever sees. Not a MAC. any */
uint64_t siphash13(const struct hash_key *key, const void *data, size_t bytes);

/* The same step by step, for what lies in registers: start, words, the last word with at most seven bytes (its top byte is set here),
 * end. Several at once run side by side, since one alone keeps a core waiting. */
struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline struct siphash siphash_start(const struct hash_key *key)
{
	return (struct siphash){
		key->k0 ^ 0x736f6d6570736575ULL,
		key->k1 ^ 0x646f72616e646f6dULL,
		key->k0 ^ 0x6c7967656e657261ULL,
		key->k1 ^ 0x7465646279746573ULL,
	};
}

static inline uint64_t siphash_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
	s->v0 = siphash_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
	s->v2 = siphash_rotate(s->v2, 32);
}

static inline void siphash24_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	siphash_round(s);
	s->v0 ^= word;
}

static inline void siphash13_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_round(s);
	s->v0 ^= word;
}

/* last: the bytes behind the last whole word, the first of them lowest; bytes: how many there were in all. */
static inline uint64_t siphash13_end(struct siphash s, uint64_t last, size_t bytes)
{
	siphash13_word(&s, last | (uint64_t)bytes << 56);
	s.v2 ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* As siphash13_end. */
static inline uint64_t siphash24_end(struct siphash s, uint64_t last, size_t bytes)
{
	siphash24_word(&s, last | (uint64_t)bytes << 56);
	s.v2 ^= 0xff;
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* A cheap bijective mix of 64 bits (the finaliser of splitmix64): no secret in it. any */
static inline uint64_t mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}
