/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Counts of values (delays in ns) in log-linear buckets: each power of two is cut into 64 equal parts, so a value is known to 1.6%
 * at any size, an addition is a shift and an increment, and two histograms add up without loss. Values above 2^42 count as
 * 2^42. */

#define HISTOGRAM_PARTS_LOG2 6
#define HISTOGRAM_PARTS	     (1u << HISTOGRAM_PARTS_LOG2)
#define HISTOGRAM_BITS	     42
#define HISTOGRAM_BUCKETS    ((HISTOGRAM_BITS - HISTOGRAM_PARTS_LOG2 + 1) * HISTOGRAM_PARTS)

struct histogram {
	uint64_t count, sum, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* Below HISTOGRAM_PARTS * 2 every value has a bucket of its own. */
static inline uint32_t histogram_bucket(uint64_t value)
{
	unsigned top;

	if (value < HISTOGRAM_PARTS)
		return (uint32_t)value;
	if (value >> HISTOGRAM_BITS)
		value = (1ull << HISTOGRAM_BITS) - 1;
	top = 63u - (unsigned)__builtin_clzll(value);
	return (top - HISTOGRAM_PARTS_LOG2) * HISTOGRAM_PARTS + (uint32_t)(value >> (top - HISTOGRAM_PARTS_LOG2));
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	h->max = value > h->max ? value : h->max;
	h->bucket[histogram_bucket(value)]++;
}

void histogram_clear(struct histogram *h);
void histogram_merge(struct histogram *h, const struct histogram *more);

/* The largest value that lands in the bucket. */
uint64_t histogram_bucket_top(uint32_t bucket);

/* The least value that at least this share (0..1) of all do not exceed, rounded up to its bucket's top but never above the
 * maximum; 0: empty. */
uint64_t histogram_quantile(const struct histogram *h, double share);
double histogram_mean(const struct histogram *h);
