/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* base32 of two halves at once, in the lanes of a vector, for texts of known length (AVX2). */

#include "base/cpu.h"

#if CPU_X86
#include <immintrin.h>

/* The first ten bytes of each lane to sixteen characters: each five bits lie inside a word of two bytes, from which a multiplication moves
 * them down. */
TARGET_AVX2 static inline __m256i base32_encode_lanes(__m256i v)
{
	const __m256i first = _mm256_setr_epi8(1, 0, 1, 0, 2, 1, 2, 1, 3, 2, 4, 3, 4, 3, -1, 4, 1, 0, 1, 0, 2, 1, 2, 1, 3, 2, 4, 3, 4, 3, -1, 4);
	const __m256i second = _mm256_setr_epi8(6, 5, 6, 5, 7, 6, 7, 6, 8, 7, 9, 8, 9, 8, -1, 9, 6, 5, 6, 5, 7, 6, 7, 6, 8, 7, 9, 8, 9, 8, -1, 9);
	const __m256i down = _mm256_setr_epi16(1 << 5, 1 << 10, 1 << 7, 1 << 12, 1 << 9, 1 << 6, 1 << 11, 1 << 8, 1 << 5, 1 << 10, 1 << 7, 1 << 12,
					       1 << 9, 1 << 6, 1 << 11, 1 << 8);
	const __m256i five = _mm256_set1_epi16(31);
	__m256i a = _mm256_and_si256(_mm256_mulhi_epu16(_mm256_shuffle_epi8(v, first), down), five);
	__m256i b = _mm256_and_si256(_mm256_mulhi_epu16(_mm256_shuffle_epi8(v, second), down), five);
	__m256i all = _mm256_packus_epi16(a, b);
	__m256i digit = _mm256_and_si256(_mm256_cmpgt_epi8(all, _mm256_set1_epi8(25)), _mm256_set1_epi8('a' + 26 - '2'));

	return _mm256_sub_epi8(_mm256_add_epi8(all, _mm256_set1_epi8('a')), digit);
}

/* Sixteen characters in each lane, of either case, to ten bytes, zeros behind them; foreign characters leave bits in *bad. */
TARGET_AVX2 static inline __m256i base32_decode_lanes(__m256i v, __m256i *bad)
{
	const __m256i order = _mm256_setr_epi8(4, 3, 2, 1, 0, 12, 11, 10, 9, 8, -1, -1, -1, -1, -1, -1, 4, 3, 2, 1, 0, 12, 11, 10, 9, 8, -1, -1, -1,
					       -1, -1, -1);
	__m256i letter = _mm256_sub_epi8(_mm256_or_si256(v, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
	__m256i digit = _mm256_sub_epi8(v, _mm256_set1_epi8('2'));
	__m256i is_letter = _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(25)), letter);
	__m256i is_digit = _mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(5)), digit);

	v = _mm256_blendv_epi8(_mm256_add_epi8(digit, _mm256_set1_epi8(26)), letter, is_letter);
	*bad = _mm256_or_si256(*bad, _mm256_andnot_si256(_mm256_or_si256(is_letter, is_digit), _mm256_set1_epi8(-1)));
	v = _mm256_madd_epi16(_mm256_maddubs_epi16(v, _mm256_set1_epi16(0x0120)), _mm256_set1_epi32(0x00010400));
	return _mm256_shuffle_epi8(_mm256_or_si256(_mm256_slli_epi64(v, 20), _mm256_srli_epi64(v, 32)), order);
}
#endif
