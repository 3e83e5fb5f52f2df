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

struct lanes {
	__m256i sums, top, one;
};

/* The words at p, where mask lets them through. */
static inline TARGET void add_masked(struct lanes *l, const uint8_t *p, const uint8_t *mask)
{
	__m256i words = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)mask));

	l->sums = _mm256_add_epi32(l->sums, _mm256_madd_epi16(_mm256_xor_si256(words, l->top), l->one));
}

static inline TARGET void add_vector(struct lanes *l, const uint8_t *p)
{
	__m256i words = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)p), l->top);

	l->sums = _mm256_add_epi32(l->sums, _mm256_madd_epi16(words, l->one));
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
	static const uint8_t keep[64] = { [32 ... 63] = 255 };
	struct lanes l = { _mm256_setzero_si256(), _mm256_set1_epi16((short)BIAS), _mm256_set1_epi16(1) };
	uint64_t bias = (bytes + 31) / 32 * 16 * BIAS;
	uint32_t left = bytes;

	__asm__("" : "+x"(l.top), "+x"(l.one)); /* to be kept, not made anew for each use */
	for (; left >= 128; left -= 128, p += 128) {
		add_vector(&l, p);
		add_vector(&l, p + 32);
		add_vector(&l, p + 64);
		add_vector(&l, p + 96);
	}
	if (left & 64) {
		add_vector(&l, p);
		add_vector(&l, p + 32);
		p += 64;
	}
	if (left & 32) {
		add_vector(&l, p);
		p += 32;
	}
	left &= 31;
	if (left) { /* with those before it, which are masked out; an odd last byte apart, so that words stay words */
		if (left & 1)
			bias += p[--left];
		add_masked(&l, p + left - 32, keep + left);
	}
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
