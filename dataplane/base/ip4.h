/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/cpu.h"

#if CPU_X86
#include <immintrin.h>

/* A dotted quad at the start of v, four octets without leading zeros; v holds zeros behind the text's end. Returns its length, 0 when
 * there is none; *ret_octets holds the octets in the order in which they lie in memory. Length 7 to 15, up to the first byte that is
 * neither digit nor dot. any */
TARGET_AVX2 static inline uint32_t ip4_read(__m128i v, uint32_t *ret_octets)
{
	/* octet i ends before ends[i]: its last three digits go to the right of lane i, zeros before them */
	const __m128i spread = _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
	const __m128i back = _mm_set1_epi32((int)0xfffefdfc); /* -4, -3, -2, -1 */
	const __m128i weight = _mm_set1_epi32(0x010a6400);
	const __m128i least = _mm_setr_epi8(0, 0, 10, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* by digits: no leading zeros */
	const __m128i lanes = _mm_setr_epi8(0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1, 3, -1, -1, -1);
	const __m128i pack = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0')), from, at, octet, low;
	uint32_t digits = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit));
	uint32_t dots = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
	uint32_t n = _tzcnt_u32(~(digits | dots)), second, third, ends, starts, length;

	dots = _bzhi_u32(dots, n);
	second = _blsr_u32(dots);
	third = _blsr_u32(second);
	if (!third || _blsr_u32(third))
		return 0;
	ends = _tzcnt_u32(dots) | _tzcnt_u32(second) << 8 | _tzcnt_u32(third) << 16 | n << 24;
	starts = (ends << 8) + 0x01010100;
	length = ends - starts;
	if ((length | (length - 0x01010101)) & 0xfcfcfcfc)
		return 0;
	from = _mm_shuffle_epi8(_mm_cvtsi32_si128((int)starts), spread);
	at = _mm_add_epi8(_mm_shuffle_epi8(_mm_cvtsi32_si128((int)ends), spread), back);
	digit = _mm_shuffle_epi8(digit, _mm_or_si128(at, _mm_cmpgt_epi8(from, at)));
	octet = _mm_madd_epi16(_mm_maddubs_epi16(digit, weight), _mm_set1_epi16(1));
	low = _mm_shuffle_epi8(least, _mm_shuffle_epi8(_mm_cvtsi32_si128((int)length), lanes));
	low = _mm_or_si128(_mm_cmpgt_epi32(low, octet), _mm_cmpgt_epi32(octet, _mm_set1_epi32(255)));
	if (!_mm_testz_si128(low, low))
		return 0;
	*ret_octets = (uint32_t)_mm_cvtsi128_si32(_mm_shuffle_epi8(octet, pack));
	return n;
}
#endif
