/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Round trips of one endpoint's probes: a moving average and a small histogram of the last thousand or so. */

#define RTT_BUCKETS 72 /* four to an octave, of 16 us: up to 8 s */

struct rtt {
	uint32_t mean_us;	     /* 1/8 of each new one; 0: none came yet */
	uint16_t counted;	     /* in the buckets */
	uint16_t bucket[RTT_BUCKETS]; /* halved when a thousand are counted: what lies long back fades */
};

/* any */
void rtt_add(struct rtt *r, uint32_t us);

/* What `share` of a million of them do not exceed, in us, to a quarter; 0: none came yet. any */
uint32_t rtt_quantile_us(const struct rtt *r, uint32_t share);
