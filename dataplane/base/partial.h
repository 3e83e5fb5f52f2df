/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <string.h>

/* Words out of buffers that end anywhere: nothing beyond the end is read or written. */

static inline uint64_t load_64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static inline uint32_t load_32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* A word as it lies in memory, with its first byte lowest, or highest; and the other way round. any */
static inline uint64_t little_endian(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

static inline uint64_t big_endian(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

/* The n < 8 bytes at p, the first of them lowest, zeros above. any */
static inline uint64_t load_few(const uint8_t *p, uint32_t n)
{
	uint64_t v;

	if (n >= 4)
		return load_32(p) | (uint64_t)load_32(p + n - 4) << 8 * (n - 4);
	if (!n)
		return 0;
	v = p[0];
	v |= (uint64_t)p[n / 2] << 8 * (n / 2);
	return v | (uint64_t)p[n - 1] << 8 * (n - 1);
}

/* The n < 16 bytes at p as two words. any */
static inline void load_pair(const uint8_t *p, uint32_t n, uint64_t *low, uint64_t *high)
{
	*high = 0;
	if (n < 8) {
		*low = load_few(p, n);
		return;
	}
	*low = load_64(p);
	if (n > 8)
		*high = load_64(p + n - 8) >> 8 * (16 - n);
}

/* The first n <= 16 bytes of two words. any */
static inline void store_pair(uint8_t *p, uint32_t n, uint64_t low, uint64_t high)
{
	if (n >= 8) {
		uint64_t last = n == 8 ? low : n == 16 ? high : low >> 8 * (n - 8) | high << 8 * (16 - n);

		memcpy(p, &low, 8);
		memcpy(p + n - 8, &last, 8);
		return;
	}
	for (; n; n--, low >>= 8)
		*p++ = (uint8_t)low;
}
