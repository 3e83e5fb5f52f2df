/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/level.h"

#if CPU_X86
#include <immintrin.h>

#include "base/ip4.h"
#include "base/partial.h"
#include "sip/header_names.h"
#include "sip/host.h"
#include "sip/lex.h"
#include "sip/start_line.h"

#ifdef __clang__
#pragma clang attribute push(TARGET_AVX2, apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#endif

/* Two overlapping pieces, so that nothing beyond the end is read: the second one begins at byte `shift`. */
struct chunk {
	__m256i low, high;
	uint32_t shift;
	uint32_t used; /* of either piece: a bit a byte */
};

static inline struct chunk chunk_load(const uint8_t *p, uint32_t n)
{
	const __m256i zero = _mm256_setzero_si256();
	uint64_t low, high;

	if (n >= 32)
		return (struct chunk){ _mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + n - 32)), n - 32,
				       UINT32_MAX };
	if (n >= 16)
		return (struct chunk){ _mm256_inserti128_si256(zero, _mm_loadu_si128((const __m128i *)p), 0),
				       _mm256_inserti128_si256(zero, _mm_loadu_si128((const __m128i *)(p + n - 16)), 0), n - 16,
				       0xffff };
	load_pair(p, n, &low, &high);
	return (struct chunk){ _mm256_set_epi64x(0, 0, (long long)high, (long long)low), zero, 0, (1u << n) - 1 };
}

static inline uint64_t chunk_is(const struct chunk *c, char byte)
{
	const __m256i v = _mm256_set1_epi8(byte);

	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(c->low, v)) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(c->high, v)) << c->shift;
}

/* Each byte's column by its low half, its row by its high half. */
static inline __m256i not_in(__m256i v, const uint8_t *set)
{
	const __m256i rows = _mm256_load_si256((const __m256i *)lex_rows), half = _mm256_load_si256((const __m256i *)lex_halves);
	__m256i column = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set)), v);
	__m256i row = _mm256_shuffle_epi8(rows, _mm256_and_si256(_mm256_srli_epi16(v, 4), half));

	return _mm256_cmpeq_epi8(_mm256_and_si256(column, row), _mm256_setzero_si256());
}

static inline uint64_t chunk_in(const struct chunk *c, enum lex_set set)
{
	uint32_t low = ~(uint32_t)_mm256_movemask_epi8(not_in(c->low, lex_sets[set]));
	uint32_t high = ~(uint32_t)_mm256_movemask_epi8(not_in(c->high, lex_sets[set]));

	return (low & c->used) | (uint64_t)(high & c->used) << c->shift;
}

/* n <= 16 */
static inline __m128i load_16(const uint8_t *p, uint32_t n)
{
	uint64_t low, high;

	if (n == 16)
		return _mm_loadu_si128((const __m128i *)p);
	load_pair(p, n, &low, &high);
	return _mm_set_epi64x((long long)high, (long long)low);
}

typedef __m256i name_t;

/* Of fewer bytes whole words alone: what is not loaded is not touched. */
static inline name_t name_load(const uint8_t *p, uint32_t n)
{
	static const int32_t words[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	if (n >= 32)
		return _mm256_loadu_si256((const __m256i *)p);
	return _mm256_maskload_epi32((const int *)p, _mm256_loadu_si256((const __m256i *)(words + 8 - n / 4)));
}

static inline uint32_t name_first(name_t name)
{
	return (uint32_t)_mm_cvtsi128_si32(_mm256_castsi256_si128(name));
}

static inline uint32_t name_length(name_t name)
{
	__m256i colons = _mm256_cmpeq_epi8(name, _mm256_load_si256((const __m256i *)header_colons));

	return _tzcnt_u32((uint32_t)_mm256_movemask_epi8(colons));
}

static inline bool name_same(name_t name, const struct header_look *look)
{
	__m256i folded = _mm256_or_si256(name, _mm256_load_si256((const __m256i *)look->fold));

	return _mm256_movemask_epi8(_mm256_cmpeq_epi8(folded, _mm256_load_si256((const __m256i *)look->text))) == -1;
}

#define LEVEL sip_level_avx2
#include "sip/level_body.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
