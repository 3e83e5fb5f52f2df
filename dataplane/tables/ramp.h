/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"
#include "tables/endpoints.h"

/* Slow start: an endpoint that was down or ejected comes back to a tenth of its calls, and to more of them evenly until
 * its ramp is over. A process that has just started is cold, and one that died under load would die again. Which calls it
 * gets is decided by their hash: no worker need know what another sent there. */

#define RAMP_FIRST_PERMILLE 100

/* How much of its share it has at now_ms, in thousandths. any */
static inline unsigned ramp_permille(const struct endpoint_live *live, uint64_t now_ms)
{
	uint64_t until = atomic_load_explicit(&live->ramp_until_ms, memory_order_relaxed);
	uint64_t ramp = atomic_load_explicit(&live->ramp_ms, memory_order_relaxed), left = until - now_ms;

	if (until <= now_ms)
		return 1000;
	if (left >= ramp) /* not back yet */
		return RAMP_FIRST_PERMILLE;
	return RAMP_FIRST_PERMILLE + (unsigned)((1000 - RAMP_FIRST_PERMILLE) * (ramp - left) / ramp);
}

/* Is this call (by a hash of it) one of those that the endpoint may have now? any */
static inline bool ramp_admits(const struct endpoint_live *live, uint32_t slot, uint64_t call_hash, uint64_t now_ms)
{
	/* The slot is mixed in: two endpoints on their ramps do not share the same few calls. */
	return mix64(call_hash ^ mix64(slot + 1ull)) % 1000 < ramp_permille(live, now_ms);
}

/* Neither on a ramp nor ejected: ramp_until_ms is never before ejected_until_ms, so that one compare is enough for both. any */
static inline bool ramp_over(const struct endpoint_live *live, uint64_t now_ms)
{
	return __builtin_expect(atomic_load_explicit(&live->ramp_until_ms, memory_order_relaxed) <= now_ms, 1);
}
