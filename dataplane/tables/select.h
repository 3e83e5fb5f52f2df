/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tables/endpoints.h"
#include "tables/profiles.h"

/* Which endpoint next? Pure: (compiled profile, hash, what was tried) -> endpoint; the only thing read besides is live health. */

struct selection_state {
	uint64_t hash;	    /* weighted: keyed hash of Call-ID; round robin: the call's ticket; failover: hash (for endpoints of equal priority) */
	uint16_t tried_count;
	uint32_t tried[ATTEMPTS_MAX]; /* endpoint slots */
	uint32_t targets_tried;	      /* bit per target index of the profile */
	int8_t current;		      /* target index of the last attempt, or -1 */
};

struct selection {
	uint8_t target;	   /* index in profile->targets */
	uint32_t endpoint; /* slot */
};

static inline void selection_start(struct selection_state *s, uint64_t hash)
{
	s->hash = hash;
	s->tried_count = 0;
	s->targets_tried = 0;
	s->current = -1;
}

/* The next attempt, noted in *s. Untried usable endpoints of the current target come first (priority, then weight by hash), then the
 * next target by the strategy: failover by position; round robin from the (hash mod n)-th of the n targets that can take calls now,
 * going round; weighted by table[hash], then by re-hashing to the next distinct target, then any with weight left in table order.
 * Simultaneous ring walks all targets by position, an endpoint each, before any second endpoint; max_retries does not bound it.
 * Disabled targets, weight 0 (all strategies), targets without a usable endpoint, and more targets than 1 + max_retries or attempts
 * than max_attempts are refused. An endpoint on its ramp (ramp.h) is passed over for the calls that are not for it yet, unless nothing else
 * is left. 0; -ERR_NOT_FOUND: nothing is left. reader, inside a quiescent period */
int select_next(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		struct selection *ret);

/* When the first of the untried endpoints that calls may go to is no longer ejected (those that are down do not count); far in the future
 * where there is none. reader, inside a quiescent period */
uint64_t select_first_back(const struct profile *p, const struct endpoints *endpoints, const struct selection_state *s);

/* That very endpoint as the next attempt, whatever the strategy says: it challenged the caller, or a redirect names it. 0; -ERR_NOT_FOUND: it is
 * no endpoint of an enabled target of the profile, is not usable, was tried, or max_attempts is used up.
 * reader, inside a quiescent period */
int select_prefer(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		  uint32_t endpoint, struct selection *ret);

/* Why a target would not be chosen now: NULL when it may be; "disabled", "weight 0", "no endpoint", "all endpoints ejected" (of those that
 * are not down), "all endpoints down". Static
 * storage. reader, inside a quiescent period */
const char *select_refusal(const struct profile *p, unsigned target, const struct endpoints *endpoints, uint64_t now_ms);
