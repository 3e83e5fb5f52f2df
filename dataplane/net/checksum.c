/* SPDX-License-Identifier: Apache-2.0 */
#include "net/checksum.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Below this the set-up costs more than the wide loop saves. */
#define WIDE_MIN 128

/* One's complement addition: the carry comes back in at the bottom. */
static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

#if defined(__x86_64__)
/* 32-bit words are widened into 64-bit lanes, which 2^32 additions cannot overflow. Takes whole blocks of 64 bytes. */
__attribute__((target("avx2"))) static uint64_t add_wide(uint64_t sum, const uint8_t *p, uint32_t blocks)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	uint64_t lane[4];

	for (; blocks; blocks--, p += 64) {
		__m256i x = _mm256_loadu_si256((const __m256i *)p);
		__m256i y = _mm256_loadu_si256((const __m256i *)(p + 32));

		a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
		c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
		d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	_mm256_storeu_si256((__m256i *)lane, a);
	for (int i = 0; i < 4; i++)
		sum = add_carry(sum, lane[i]);
	return sum;
}
#endif

uint64_t checksum_add(uint64_t sum, const void *data, uint32_t bytes)
{
	const uint8_t *p = data;
	uint64_t word;

#if defined(__x86_64__)
	if (bytes >= WIDE_MIN && __builtin_cpu_supports("avx2")) {
		sum = add_wide(sum, p, bytes / 64);
		p += bytes & ~63u;
		bytes &= 63;
	}
#endif
	for (; bytes >= 8; bytes -= 8, p += 8) {
		memcpy(&word, p, 8);
		sum = add_carry(sum, word);
	}
	/* Where a word stands does not matter, since 2^16 is 1 to the sum; but at an even place. */
	word = 0;
	if (bytes & 4) {
		uint32_t part;

		memcpy(&part, p, 4);
		word = part;
		p += 4;
	}
	if (bytes & 2) {
		uint16_t part;

		memcpy(&part, p, 2);
		word += part;
		p += 2;
	}
	if (bytes & 1) {
		uint8_t last[2] = { *p };
		uint16_t part;

		memcpy(&part, last, 2);
		word += part;
	}
	return add_carry(sum, word);
}
