/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/level.h"

#if CPU_X86
#include <immintrin.h>

#include "base/ip4.h"
#include "sip/header_names.h"
#include "sip/host.h"
#include "sip/lex.h"
#include "sip/start_line.h"

#ifdef __clang__
#pragma clang attribute push(TARGET_AVX512, apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2")
#endif

struct chunk {
	__m512i bytes;
	__mmask64 used;
};

/* Masked-out bytes are not touched, not even across a page's end. */
static inline struct chunk chunk_load(const uint8_t *p, uint32_t n)
{
	__mmask64 used = _bzhi_u64(UINT64_MAX, n);

	return (struct chunk){ _mm512_maskz_loadu_epi8(used, p), used };
}

static inline uint64_t chunk_is(const struct chunk *c, char byte)
{
	return _mm512_cmpeq_epi8_mask(c->bytes, _mm512_set1_epi8(byte));
}

/* Each byte's column by its low half, its row by its high half. */
static inline uint64_t chunk_in(const struct chunk *c, enum lex_set set)
{
	const __m512i rows = _mm512_broadcast_i32x4(_mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0));
	__m512i column = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)lex_sets[set])), c->bytes);
	__m512i row = _mm512_shuffle_epi8(rows, _mm512_and_si512(_mm512_srli_epi16(c->bytes, 4), _mm512_set1_epi8(15)));

	return _mm512_mask_test_epi8_mask(c->used, column, row);
}

/* n <= 16 */
static inline __m128i load_16(const uint8_t *p, uint32_t n)
{
	return _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xffff, n), p);
}

typedef __m256i name_t;

static inline name_t name_load(const uint8_t *p, uint32_t n)
{
	return n >= 32 ? _mm256_loadu_si256((const __m256i *)p) : _mm256_maskz_loadu_epi8(_bzhi_u32(UINT32_MAX, n), p);
}

static inline uint32_t name_first(name_t name)
{
	return (uint32_t)_mm_cvtsi128_si32(_mm256_castsi256_si128(name));
}

static inline uint32_t name_length(name_t name)
{
	return _tzcnt_u32(_mm256_cmpeq_epi8_mask(name, _mm256_load_si256((const __m256i *)header_colons)));
}

static inline bool name_same(name_t name, const struct header_look *look)
{
	__m256i folded = _mm256_or_si256(name, _mm256_load_si256((const __m256i *)look->fold));

	return !_mm256_cmpneq_epi8_mask(folded, _mm256_load_si256((const __m256i *)look->text));
}

/* 0 to 63; and which words of a list are beginning and end of its first four lines. */
static const uint8_t head_bytes[64] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
	32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
};
static const uint16_t head_words[32] = { [0] = 0, [2] = 1, [8] = 1, [10] = 2, [16] = 2, [18] = 3, [24] = 3, [26] = 4 };

#define LEVEL		  sip_level_avx512
#define LEVEL_VECTOR_HEAD 1
#include "sip/level_body.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
