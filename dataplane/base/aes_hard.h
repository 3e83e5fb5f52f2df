/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* AES by the CPU's instructions, for functions marked TARGET_AES that run only where aes_by_hardware is set. */

#include "base/aes.h"
#include "base/cpu.h"

#if CPU_X86
#include <immintrin.h>

#define TARGET_AES __attribute__((target("aes,avx2,bmi,bmi2,lzcnt,popcnt")))

static inline TARGET_AES __m128i aes_hard_key(const struct aes_key *key, int round)
{
	return _mm_loadu_si128((const __m128i *)key->round[round]);
}

static inline TARGET_AES __m128i aes_hard(const struct aes_key *key, __m128i s)
{
	s = _mm_xor_si128(s, aes_hard_key(key, 0));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 1));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 2));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 3));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 4));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 5));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 6));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 7));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 8));
	s = _mm_aesenc_si128(s, aes_hard_key(key, 9));
	return _mm_aesenclast_si128(s, aes_hard_key(key, AES_ROUNDS));
}
#endif
