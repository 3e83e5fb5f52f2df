/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Histograms whose buckets are 2^bits to an octave: values below 2^bits have a bucket each, all others are known to one part in 2^bits. Bucket i
 * holds log_linear_floor(i) <= value < log_linear_floor(i + 1). */

static inline unsigned log_linear_bucket(uint64_t value, unsigned bits)
{
	unsigned octave;

	if (value >> bits == 0)
		return (unsigned)value;
	octave = 63 - (unsigned)__builtin_clzll(value);
	return ((octave - bits + 1) << bits) + (unsigned)(value >> (octave - bits) & ((1u << bits) - 1));
}

static inline uint64_t log_linear_floor(unsigned bucket, unsigned bits)
{
	if (bucket >> bits == 0)
		return bucket;
	return ((uint64_t)(1u << bits) + (bucket & ((1u << bits) - 1))) << ((bucket >> bits) - 1);
}

/* The value that `share` of a million of all counted ones do not exceed: the end of the bucket where it lies; 0 where nothing was counted. */
static inline uint64_t log_linear_quantile(const uint64_t *counts, unsigned buckets, unsigned bits, uint32_t share)
{
	uint64_t total = 0, wanted, seen = 0;

	for (unsigned i = 0; i < buckets; i++)
		total += counts[i];
	if (!total)
		return 0;
	wanted = (uint64_t)(((__uint128_t)total * share + 999999) / 1000000);
	wanted += !wanted;
	for (unsigned i = 0; i < buckets; i++) {
		seen += counts[i];
		if (seen >= wanted)
			return log_linear_floor(i + 1, bits) - 1;
	}
	return 0;
}
