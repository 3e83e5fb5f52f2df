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
	uint32_t full;		      /* bit per target index: passed over because it was at its limit, since selection_start */
	uint32_t refused;	      /* bit per target index: not to be chosen for now (selection_undo) */
	int8_t current;		      /* target index of the last attempt, or -1 */
	uint8_t tier;		      /* simultaneous ring: the tier that rings */
	bool exempt;		      /* limits do not hold it: it is no call */
	bool tls_only;		      /* endpoints of other transports are not for it: it is for a sips URI (RFC 5630 §5.3) */
};

struct selection {
	uint8_t target;	   /* index in profile->targets */
	int8_t before;	   /* what the state said before it was chosen, for selection_undo: current, */
	uint32_t tried;	   /* and targets_tried */
	uint32_t endpoint; /* slot */
};

#define SELECTION_TIER_NONE UINT8_MAX /* of selection_state.tier: none rings yet */

static inline void selection_start(struct selection_state *s, uint64_t hash)
{
	s->hash = hash;
	s->tried_count = 0;
	s->targets_tried = 0;
	s->full = 0;
	s->refused = 0;
	s->current = -1;
	s->tier = SELECTION_TIER_NONE;
	s->exempt = false;
	s->tls_only = false;
}

/* Another call took the last place meanwhile: the choice just made was none, and its target is not chosen again until selection_resume. */
static inline void selection_undo(struct selection_state *s, const struct selection *chosen)
{
	s->tried_count--;
	s->targets_tried = chosen->tried;
	s->current = chosen->before;
	s->refused |= 1u << chosen->target;
	s->full |= 1u << chosen->target;
}

/* Time has passed. */
static inline void selection_resume(struct selection_state *s)
{
	s->refused = 0;
}

/* The next attempt, noted in *s. Untried usable endpoints of the current target come first (priority, then weight by hash), then the
 * next target by the strategy: failover by position; round robin from the (hash mod n)-th of the n targets that can take calls now,
 * going round; weighted by table[hash], then by re-hashing to the next distinct target, then any with weight left in table order; least calls: the
 * fewest (calls + 1) / weight, of equals by hash; fastest: by hash, in proportion to weight / (response time)^2, a slow one never below 1/64 of that.
 * Where the profile has tiers, the strategy chooses within the nearest tier that has somebody untried who can take the call.
 * Simultaneous ring walks all targets of one tier by position, an endpoint each, before any second endpoint; max_retries does not bound it; with
 * nobody left it refuses until select_ring_further.
 * Disabled targets, weight 0 (all strategies), targets at their limit, targets without a usable endpoint, and more targets than 1 + max_retries or
 * attempts than max_attempts are refused. An endpoint on its ramp (ramp.h) is passed over for the calls that are not for it yet, unless nothing else
 * is left in any tier. 0; -ERR_NOT_FOUND: nothing is left. reader, inside a quiescent period */
int select_next(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		struct selection *ret);

/* The last resort, for when select_next finds nothing: as it, but ejections do not count. First come those that would be back first (and within
 * 5 s of the first), then the others; what is down stays out. reader, inside a quiescent period */
int select_ejected(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		   struct selection *ret);

/* That very endpoint as the next attempt, whatever the strategy says: it challenged the caller, or a redirect names it. 0; -ERR_NOT_FOUND: it is
 * no endpoint of an enabled target of the profile, is not usable, was tried, or max_attempts is used up.
 * reader, inside a quiescent period */
int select_prefer(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		  uint32_t endpoint, struct selection *ret);

/* The ring of a tier has failed: the next tier with somebody who can take the call may ring. false: there is none.
 * reader, inside a quiescent period */
bool select_ring_further(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s);

/* Why a target would not be chosen now: NULL when it may be; "disabled", "weight 0", "no endpoint", "at its limit", "all endpoints ejected" (of
 * those that are not down), "all endpoints down". Static storage. reader, inside a quiescent period */
const char *select_refusal(const struct profile *p, unsigned target, const struct endpoints *endpoints, uint64_t now_ms);
