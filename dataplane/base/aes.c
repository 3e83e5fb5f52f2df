/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aes.h"

#include <string.h>

#include "base/aes_hard.h"

bool aes_by_hardware;

static uint8_t s_box[256];

static inline uint8_t rotated(uint8_t x, int bits)
{
	return (uint8_t)(x << bits | x >> (8 - bits));
}

/* FIPS 197 §5.1.1: inverses as powers of 3 and of its inverse. */
static __attribute__((constructor)) void fill(void)
{
	uint8_t p = 1, q = 1;

	do {
		p = (uint8_t)(p ^ p << 1 ^ (p & 0x80 ? 0x1b : 0));
		q ^= (uint8_t)(q << 1);
		q ^= (uint8_t)(q << 2);
		q ^= (uint8_t)(q << 4);
		q ^= q & 0x80 ? 0x09 : 0;
		s_box[p] = q ^ rotated(q, 1) ^ rotated(q, 2) ^ rotated(q, 3) ^ rotated(q, 4) ^ 0x63;
	} while (p != 1);
	s_box[0] = 0x63;
	aes_select(true);
}

static inline uint8_t doubled(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
}

/* SubBytes and ShiftRows of a column. */
static inline void column_of(const uint8_t in[16], unsigned column, uint8_t a[4])
{
	for (unsigned row = 0; row < 4; row++)
		a[row] = s_box[in[(4 * (column + row) + row) % 16]];
}

void aes_round(uint8_t state[16], const uint8_t key[16])
{
	uint8_t in[16];

	memcpy(in, state, 16);
	for (unsigned column = 0; column < 4; column++) {
		uint8_t a[4], all;

		column_of(in, column, a);
		all = a[0] ^ a[1] ^ a[2] ^ a[3];
		for (unsigned row = 0; row < 4; row++)
			state[4 * column + row] = (uint8_t)(a[row] ^ all ^ doubled(a[row] ^ a[(row + 1) % 4]) ^ key[4 * column + row]);
	}
}

static void encrypt_soft(const struct aes_key *key, uint8_t s[16])
{
	uint8_t in[16];

	for (unsigned i = 0; i < 16; i++)
		s[i] ^= key->round[0][i];
	for (unsigned round = 1; round < AES_ROUNDS; round++)
		aes_round(s, key->round[round]);
	memcpy(in, s, 16);
	for (unsigned column = 0; column < 4; column++)
		column_of(in, column, s + 4 * column);
	for (unsigned i = 0; i < 16; i++)
		s[i] ^= key->round[AES_ROUNDS][i];
}

/* FIPS 197 §5.2: each round's first column is the last one before it, turned and substituted. */
void aes_expand(struct aes_key *ret_key, const uint8_t secret[16])
{
	uint8_t constant = 1;

	memcpy(ret_key->round[0], secret, 16);
	for (unsigned round = 1; round <= AES_ROUNDS; round++) {
		const uint8_t *before = ret_key->round[round - 1];
		uint8_t *k = ret_key->round[round];

		for (unsigned row = 0; row < 4; row++)
			k[row] = before[row] ^ s_box[before[12 + (row + 1) % 4]];
		k[0] ^= constant;
		constant = doubled(constant);
		for (unsigned i = 4; i < 16; i++)
			k[i] = before[i] ^ k[i - 4];
	}
}

#if CPU_X86
static TARGET_AES void encrypt_hard(const struct aes_key *key, uint8_t block[16])
{
	_mm_storeu_si128((__m128i *)block, aes_hard(key, _mm_loadu_si128((const __m128i *)block)));
}
#endif

void aes_encrypt(const struct aes_key *key, uint8_t block[16])
{
#if CPU_X86
	if (aes_by_hardware) {
		encrypt_hard(key, block);
		return;
	}
#endif
	encrypt_soft(key, block);
}

bool aes_select(bool hardware)
{
#if CPU_X86
	__builtin_cpu_init();
	aes_by_hardware = hardware && __builtin_cpu_supports("aes") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
#endif
	return aes_by_hardware == hardware;
}
