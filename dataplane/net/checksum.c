/* SPDX-License-Identifier: Apache-2.0 */
#include "net/checksum.h"

#include <string.h>

#include "base/cpu.h"
#include "base/partial.h"

#if CPU_X86
#include <immintrin.h>
#endif

/* One's complement addition: the carry comes back in at the bottom. (A call of it would leave the upper halves of registers in use.) */
static inline __attribute__((always_inline)) uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

/* The last bytes of data, less than eight. Where a word stands does not matter, since 2^16 is 1 to the sum; but at an even place. */
static inline uint64_t add_few(uint64_t sum, const uint8_t *p, uint32_t bytes)
{
	return add_carry(sum, little_endian(load_few(p, bytes)));
}

#if CPU_X86
/* What has AVX2 reads vectors wherever they lie; left alone, the compiler thinks of CPUs before it and makes two halves of each. */
#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,tune=haswell")))

/* Words in pairs into 32-bit lanes, which 2^15 additions cannot overflow. The instruction that pairs them takes them for signed: with the top bit
 * turned over each is 2^15 less than it was, which is put back in the end. Wider registers are of no use: whoever multiplies in those of AVX-512
 * slows down all that comes behind (a whole in-dialog message by 5 %). */
#define BIAS 0x8000ULL

/* What is summed at a time. Messages of many lengths take the same number of blocks, and what is left over takes no branch, since the CPU could foretell
 * neither: each wrong guess costs as much as forty vectors. */
#define BLOCK CHECKSUM_WIDE

struct lanes {
	__m256i sums, top, one;
};

static inline TARGET void add_words(struct lanes *l, __m256i words)
{
	l->sums = _mm256_add_epi32(l->sums, _mm256_madd_epi16(_mm256_xor_si256(words, l->top), l->one));
}

static inline TARGET __m256i vector_at(const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)p);
}

/* A block, but for what the mask keeps out of it. */
static inline TARGET void add_masked(struct lanes *l, const uint8_t *p, const uint8_t *mask)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < BLOCK; i += 32)
		add_words(l, _mm256_and_si256(vector_at(p + i), vector_at(mask + i)));
}

static inline TARGET void add_block(struct lanes *l, const uint8_t *p)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < BLOCK; i += 32)
		add_words(l, vector_at(p + i));
}

static inline TARGET uint64_t lanes_sum(const struct lanes *l)
{
	__m128i x = _mm_add_epi32(_mm256_castsi256_si128(l->sums), _mm256_extracti128_si256(l->sums, 1));

	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
	return (uint64_t)(int64_t)_mm_cvtsi128_si32(x);
}

TARGET uint64_t checksum_add_vectors(uint64_t sum, const uint8_t *p, uint32_t bytes)
{
	static const uint8_t keep[2 * BLOCK] = { [BLOCK ... 2 * BLOCK - 1] = 255 };
	struct lanes l = { _mm256_setzero_si256(), _mm256_set1_epi16((short)BIAS), _mm256_set1_epi16(1) };
	uint32_t even = bytes & ~1u, left = even % BLOCK;
	uint64_t bias = (even / BLOCK + 1) * (BLOCK / 2 * BIAS);

	__asm__("" : "+x"(l.top), "+x"(l.one)); /* to be kept, not made anew for each use */
	/* an odd last byte is a word of its own */
	bias += p[bytes - 1] & (0 - (bytes & 1));
	/* the last block first: with bytes that come again, masked out */
	add_masked(&l, p + even - BLOCK, keep + left);
	for (const uint8_t *end = p + even - left; p < end; p += BLOCK)
		add_block(&l, p);
	return add_carry(sum, lanes_sum(&l) + bias);
}
#else
uint64_t checksum_add_vectors(uint64_t sum, const uint8_t *p, uint32_t bytes)
{
	return checksum_add_words(sum, p, bytes);
}
#endif

uint64_t checksum_add_words(uint64_t sum, const uint8_t *p, uint32_t bytes)
{
	for (; bytes >= 8; bytes -= 8, p += 8)
		sum = add_carry(sum, load_64(p));
	return add_few(sum, p, bytes);
}
