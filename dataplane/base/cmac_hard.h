/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* CMAC of whole blocks in registers, for functions marked TARGET_AES that run only where aes_by_hardware is set. */

#include "base/aes_hard.h"
#include "base/cmac.h"

#if CPU_X86
/* A block that is not the last one; begin with zeros. */
static inline TARGET_AES __m128i cmac_hard_more(const struct cmac *mac, __m128i s, __m128i block)
{
	return aes_hard(&mac->key, _mm_xor_si128(s, block));
}

/* The last one: the result, its first bytes lowest. */
static inline TARGET_AES __m128i cmac_hard_last(const struct cmac *mac, __m128i s, __m128i block)
{
	return cmac_hard_more(mac, s, _mm_xor_si128(block, _mm_loadu_si128((const __m128i *)mac->whole)));
}
#endif
