/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A 128-bit secret for siphash24. */
struct hash_key {
	uint64_t k0, k1;
};

/* SipHash-2-4 (Aumasson and Bernstein 2012): a keyed hash that a sender cannot steer; also the MAC of short tokens. any */
uint64_t siphash24(const struct hash_key *key, const void *data, size_t bytes);

/* The same with 128 bits of result, for keys whose equality is to mean that what was hashed is equal. any */
void siphash24_128(const struct hash_key *key, const void *data, size_t bytes, uint64_t *ret_low, uint64_t *ret_high);

/* A cheap bijective mix of 64 bits (the finaliser of splitmix64): no secret in it. any */
static inline uint64_t mix64(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}
