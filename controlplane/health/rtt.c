/* SPDX-License-Identifier: Apache-2.0 */
#include "health/rtt.h"

#include "base/log_linear.h"

#define BITS	 2
#define UNIT_US	 16
#define FADES_AT 1000

void rtt_add(struct rtt *r, uint32_t us)
{
	unsigned i = log_linear_bucket(us / UNIT_US, BITS);

	us += !us; /* 0 says that none came */
	r->mean_us = r->mean_us ? (uint32_t)((7ull * r->mean_us + us) / 8) : us;
	if (r->counted >= FADES_AT) {
		r->counted = 0;
		for (unsigned k = 0; k < RTT_BUCKETS; k++)
			r->counted += r->bucket[k] /= 2;
	}
	r->bucket[i < RTT_BUCKETS ? i : RTT_BUCKETS - 1]++;
	r->counted++;
}

uint32_t rtt_quantile_us(const struct rtt *r, uint32_t share)
{
	uint64_t counts[RTT_BUCKETS];

	for (unsigned i = 0; i < RTT_BUCKETS; i++)
		counts[i] = r->bucket[i];
	return r->counted ? (uint32_t)(log_linear_quantile(counts, RTT_BUCKETS, BITS, share) + 1) * UNIT_US : 0;
}
