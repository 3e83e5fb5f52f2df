/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/cpu.h"
#include "base/partial.h"

#if CPU_X86
#include <immintrin.h>

/* How one of the 81 shapes of a dotted quad lies in its text; found by a perfect hash of where its dots and its end are. */
struct ip4_shape {
	uint8_t spread[16]; /* each octet's digits to the right of its four bytes; others have bit 7 set: zeros */
	uint8_t least[4];   /* by its digits, so that there are no leading zeros */
	uint16_t ends;	    /* a bit for each of the four places; 0: no shape */
} __attribute__((aligned(32)));

#define IP4_SHAPES	     256
#define IP4_SHAPE_OF(ends) ((uint32_t)(ends) * 0xcaf7959fu >> 24)

/* Filled before main; read only from then on. */
extern struct ip4_shape ip4_shapes[IP4_SHAPES] __attribute__((visibility("hidden")));

/* What a compiler that knew them would put together anew wherever they are needed. */
struct ip4_constants {
	uint8_t zeros[16], nines[16], dots[16]; /* '0', 9, '.' */
	uint16_t ones[8];
	uint32_t most[4]; /* 255 */
} __attribute__((aligned(16)));

extern const struct ip4_constants ip4_constants __attribute__((visibility("hidden")));

/* A dotted quad at the start of v, four octets without leading zeros; v holds zeros behind the text's end. Returns its length, 0 when
 * there is none; *ret_octets holds the octets in the order in which they lie in memory. Length 7 to 15, up to the first byte that is
 * neither digit nor dot. any */
TARGET_AVX2 static inline uint32_t ip4_read(__m128i v, uint32_t *ret_octets)
{
	const __m128i weight = _mm_set1_epi32(0x010a6400); /* of an octet's four bytes: 0, 100, 10, 1 */
	const __m128i pack = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m128i digit = _mm_sub_epi8(v, _mm_load_si128((const __m128i *)ip4_constants.zeros)), octet, bad;
	__m128i low = _mm_min_epu8(digit, _mm_load_si128((const __m128i *)ip4_constants.nines));
	uint32_t digits = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(low, digit));
	uint32_t dots = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_load_si128((const __m128i *)ip4_constants.dots)));
	uint32_t n = _tzcnt_u32(~(digits | dots)), ends = _bzhi_u32(dots, n) | 1u << n;
	const struct ip4_shape *shape = &ip4_shapes[IP4_SHAPE_OF(ends)];

	if (shape->ends != ends)
		return 0;
	digit = _mm_shuffle_epi8(digit, _mm_load_si128((const __m128i *)shape->spread));
	octet = _mm_madd_epi16(_mm_maddubs_epi16(digit, weight), _mm_load_si128((const __m128i *)ip4_constants.ones));
	low = _mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)load_32(shape->least)));
	bad = _mm_cmpgt_epi32(octet, _mm_load_si128((const __m128i *)ip4_constants.most));
	bad = _mm_or_si128(_mm_cmpgt_epi32(low, octet), bad);
	if (!_mm_testz_si128(bad, bad))
		return 0;
	*ret_octets = (uint32_t)_mm_cvtsi128_si32(_mm_shuffle_epi8(octet, pack));
	return n;
}
#endif
