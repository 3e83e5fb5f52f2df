/* SPDX-License-Identifier: Apache-2.0 */
#include "net/checksum.h"

#include <string.h>

#include "base/cpu.h"
#include "base/partial.h"

#if CPU_X86
#include <immintrin.h>
#endif

/* Below this the set-up costs more than the wide loop saves. */
#define WIDE_MIN 64

/* One's complement addition: the carry comes back in at the bottom. */
static inline uint64_t add_carry(uint64_t a, uint64_t b)
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
/* Words in pairs into 32-bit lanes, which 2^15 additions cannot overflow. The instruction that pairs them takes them for signed: with the top bit
 * turned over each is 2^15 less than it was, which is put back in the end. */
#define BIAS 0x8000ULL

static inline TARGET_AVX2 uint64_t lanes_sum(__m256i v)
{
	__m128i x = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
	return (uint64_t)(int64_t)_mm_cvtsi128_si32(x);
}

/* a and what the words at p make. */
static inline TARGET_AVX2 __m256i add_256(__m256i a, __m256i words)
{
	const __m256i top = _mm256_set1_epi16((short)BIAS), one = _mm256_set1_epi16(1);

	return _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_xor_si256(words, top), one));
}

/* Not _mm256_loadu_si256, of which the compiler makes two halves for CPUs that have no AVX2. */
static inline TARGET_AVX2 __m256i load_256(const uint8_t *p)
{
	return _mm256_lddqu_si256((const __m256i *)p);
}

static TARGET_AVX2 uint64_t sum_avx2(const uint8_t *p, uint32_t bytes)
{
	static const uint8_t keep[64] = { [32 ... 63] = 255 };
	const uint8_t *end = p + bytes;
	uint32_t vectors = (bytes + 31) / 32, rest = bytes % 32;
	__m256i a = _mm256_setzero_si256(), b = a;
	uint64_t odd = 0;

	for (; p + 128 <= end; p += 128) {
		a = add_256(a, load_256(p));
		b = add_256(b, load_256(p + 32));
		a = add_256(a, load_256(p + 64));
		b = add_256(b, load_256(p + 96));
	}
	if (p + 64 <= end) {
		a = add_256(a, load_256(p));
		b = add_256(b, load_256(p + 32));
		p += 64;
	}
	if (p + 32 <= end)
		a = add_256(a, load_256(p));
	if (rest) { /* with those before it, which are masked out: an odd last byte apart, so that words stay words */
		if (rest & 1) {
			odd = *--end;
			rest--;
		}
		b = add_256(b, _mm256_and_si256(load_256(end - 32), load_256(keep + rest)));
	}
	return lanes_sum(_mm256_add_epi32(a, b)) + vectors * 16 * BIAS + odd;
}

static inline TARGET_AVX512 __m512i add_512(__m512i a, __m512i words)
{
	const __m512i top = _mm512_set1_epi16((short)BIAS), one = _mm512_set1_epi16(1);

	return _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_xor_si512(words, top), one));
}

static TARGET_AVX512 uint64_t sum_avx512(const uint8_t *p, uint32_t bytes)
{
	uint32_t vectors = (bytes + 63) / 64;
	__m512i a = _mm512_setzero_si512(), b = a;

	for (; bytes >= 128; bytes -= 128, p += 128) {
		a = add_512(a, _mm512_loadu_si512(p));
		b = add_512(b, _mm512_loadu_si512(p + 64));
	}
	if (bytes >= 64) {
		a = add_512(a, _mm512_loadu_si512(p));
		bytes -= 64;
		p += 64;
	}
	if (bytes)
		b = add_512(b, _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, bytes), p));
	a = _mm512_add_epi32(a, b);
	return lanes_sum(_mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1))) + vectors * 32 * BIAS;
}
#endif

uint64_t checksum_add(uint64_t sum, const void *data, uint32_t bytes)
{
	const uint8_t *p = data;

#if CPU_X86
	if (bytes >= WIDE_MIN && cpu_level != CPU_SCALAR)
		return add_carry(sum, cpu_level == CPU_AVX512 ? sum_avx512(p, bytes) : sum_avx2(p, bytes));
#endif
	for (; bytes >= 8; bytes -= 8, p += 8)
		sum = add_carry(sum, load_64(p));
	return add_few(sum, p, bytes);
}
