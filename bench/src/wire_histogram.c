/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_histogram.h"

#include <string.h>

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void histogram_merge(struct histogram *h, const struct histogram *more)
{
	h->count += more->count;
	h->sum += more->sum;
	h->max = more->max > h->max ? more->max : h->max;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->bucket[i] += more->bucket[i];
}

uint64_t histogram_bucket_top(uint32_t bucket)
{
	uint32_t shift = bucket / HISTOGRAM_PARTS;

	if (shift < 2)
		return bucket;
	shift--;
	return (((uint64_t)(bucket - shift * HISTOGRAM_PARTS) + 1) << shift) - 1;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
	double exact = share * (double)h->count;
	uint64_t rank = (uint64_t)exact, seen = 0;

	if (!h->count)
		return 0;
	rank += (double)rank < exact; /* rounded up: no libm for that */
	rank = rank < 1 ? 1 : rank > h->count ? h->count : rank;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank) {
			uint64_t top = histogram_bucket_top(i);

			return top > h->max || i == HISTOGRAM_BUCKETS - 1 ? h->max : top;
		}
	}
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}
