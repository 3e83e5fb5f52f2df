/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/via.h"
#include "tables/select.h"

#include <math.h>

#include "base/err.h"
#include "base/siphash.h"
#include "tables/loads.h"
#include "tables/ramp.h"
#include "tables/select_order.h"

static bool tried(const struct selection_state *s, uint32_t endpoint)
{
	for (unsigned i = 0; i < s->tried_count && i < ATTEMPTS_MAX; i++)
		if (s->tried[i] == endpoint)
			return true;
	return false;
}

/* RFC 5630 §5.3: what came for a sips URI goes on by TLS or not at all. */
static bool is_secure(const struct endpoints *endpoints, uint32_t endpoint)
{
	const struct endpoint_config *e = endpoints_get(endpoints, endpoint);

	return e && e->transport == TRANSPORT_TLS;
}

/* May the call go there now? */
static __attribute__((noinline)) bool usable_closely(const struct choice *c, uint32_t endpoint)
{
	return (c->whole ? endpoint_usable(c->endpoints, endpoint, c->out_ms)
			 : endpoint_takes(c->endpoints, endpoint, c->state->hash, c->out_ms)) &&
	       !tried(c->state, endpoint) && (!c->state->tls_only || is_secure(c->endpoints, endpoint));
}

static inline __attribute__((always_inline)) bool usable(const struct choice *c, uint32_t endpoint)
{
	if (c->first && endpoint < c->live_count && ramp_over(&c->live[endpoint], c->out_ms))
		return endpoint_live_up(&c->live[endpoint]);
	return usable_closely(c, endpoint);
}

/* Whose calls limits do not hold back is decided here, and nowhere else. */
static bool target_full(const struct choice *c, unsigned target)
{
	const struct profile_target *t = &c->profile->targets[target];

	if (c->state->exempt || !c->profile->loads)
		return false;
	if (!loads_full(c->profile->loads, t->target_slot, t->max_calls, t->max_cps, c->now_ms))
		return false;
	c->state->full |= 1u << target;
	return true;
}

static inline bool open_now(const struct choice *c, unsigned target)
{
	const struct profile_target *t = &c->profile->targets[target];

	return t->enabled && t->weight && !(c->state->refused >> target & 1) && !(t->limited && target_full(c, target));
}

static inline bool usable_now(const struct choice *c, unsigned target)
{
	const struct profile_target *t = &c->profile->targets[target];

	if (!open_now(c, target))
		return false;
	for (unsigned i = 0; i < t->endpoint_count; i++)
		if (usable(c, t->endpoints[i]))
			return true;
	return false;
}

bool choice_usable(const struct choice *c, unsigned target)
{
	return usable_now(c, target);
}

uint32_t choice_usables(const struct choice *c)
{
	uint32_t usables = 0;

	for (unsigned i = 0; i < c->profile->target_count; i++)
		if (c->within >> i & 1 && usable_now(c, i))
			usables |= 1u << i;
	return usables;
}

uint32_t choice_opens(const struct choice *c, uint32_t refused)
{
	uint32_t opens = 0;

	for (unsigned i = 0; i < c->profile->target_count; i++)
		if (!(refused >> i & 1) && open_now(c, i))
			opens |= 1u << i;
	return opens;
}

/* A bit per untried usable endpoint of the lowest priority that has one (RFC 2782: a group is left only when it is used up). */
uint64_t choice_group(const struct choice *c, const struct profile_target *t)
{
	uint64_t group = 0;
	unsigned first = 0;

	for (unsigned i = 0; i < t->endpoint_count; i++) {
		if (group && t->priorities[i] != t->priorities[first])
			break;
		if (!usable(c, t->endpoints[i]))
			continue;
		if (!group)
			first = i;
		group |= 1ULL << i;
	}
	return group;
}

/* How long until the endpoint arrives, if it comes at a rate of 1: exponentially distributed, by a hash of the call and the endpoint. */
static double arrival(const struct profile_target *t, unsigned i, uint64_t hash)
{
	return -log(((double)(mix64(hash ^ mix64(t->ids[i] + GOLDEN)) >> 11) + 0.5) * 0x1p-53);
}

/* One of the group by weight: weighted rendezvous hashing, as in maglev.c. Each comes at the rate of its weight and the first has the
 * call, so that each has its share, and where one leaves only its own calls move, to all the others by their weights. With records of
 * weight 0 beside others RFC 2782 picks a number of 0 ... sum, and these share the 0: together they come at a rate of 1. Where none has
 * weight 0, that number would fall to whichever happens to stand in front: the shares are the weights then. Health was read once, in
 * choice_group: what another thread changes meanwhile cannot confuse this. */
static unsigned endpoint_by_weight(const struct profile_target *t, uint64_t group, uint64_t hash)
{
	unsigned best = (unsigned)__builtin_ctzll(group), empty = 0;
	double first = INFINITY;

	for (uint64_t left = group; left; left &= left - 1)
		empty += !t->weights[__builtin_ctzll(left)];
	for (uint64_t left = group; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left), weight = t->weights[i];
		double at = arrival(t, i, hash);

		if (empty)
			at /= weight ? (double)weight * empty : 1;
		else
			at /= weight;
		if (at < first) {
			first = at;
			best = i;
		}
	}
	return best;
}

static void note(struct selection_state *s, unsigned target, uint32_t endpoint, struct selection *ret)
{
	ret->before = s->current;
	ret->tried = s->targets_tried;
	s->tried[s->tried_count++] = endpoint;
	s->targets_tried |= 1u << target;
	s->current = (int8_t)target;
	ret->target = (uint8_t)target;
	ret->endpoint = endpoint;
}

bool choice_take(const struct choice *c, unsigned target, struct selection *ret)
{
	const struct profile_target *t = &c->profile->targets[target];
	struct selection_state *s = c->state;
	uint64_t group = open_now(c, target) ? choice_group(c, t) : 0;
	unsigned i;

	if (!group)
		return false;
	i = group & (group - 1) ? endpoint_by_weight(t, group, mix64(~s->hash + GOLDEN * s->tried_count))
				: (unsigned)__builtin_ctzll(group);
	note(s, target, t->endpoints[i], ret);
	return true;
}

static void look_within(struct choice *c, unsigned tier)
{
	const struct profile_tier *t = &c->profile->tiers[tier];

	c->within = t->targets;
	c->table = t->table;
	c->table_size = t->table_size;
}

/* The nearest tier that has somebody: a farther one is asked when all in the nearer ones were tried or cannot take the call. */
static bool next_tier(struct choice *c, struct selection *ret)
{
	for (unsigned k = 0; k < c->profile->tier_count; k++) {
		look_within(c, k);
		if (order_next(c, ret))
			return true;
	}
	return false;
}

/* From that tier on, the first with somebody who can take the call rings. false: there is none. */
static bool find_ring(struct choice *c, unsigned from)
{
	for (unsigned k = from; k < c->profile->tier_count; k++)
		for (unsigned i = 0; i < c->profile->target_count; i++)
			if (c->profile->targets[i].tier == k && choice_usable(c, i)) {
				c->state->tier = (uint8_t)k;
				return true;
			}
	return false;
}

/* All targets of a tier ring, each at one endpoint; further endpoints of theirs come only after that. */
static bool next_ring(struct choice *c, struct selection *ret)
{
	if (c->profile->tiers) {
		/* The profile may have been published anew since, with fewer tiers. */
		if (c->state->tier >= c->profile->tier_count && !find_ring(c, 0))
			return false;
		look_within(c, c->state->tier);
	}
	if (order_next(c, ret))
		return true;
	for (unsigned i = 0; i < c->profile->target_count; i++)
		if (c->within >> i & 1 && choice_take(c, i, ret))
			return true;
	return false;
}

static bool next(struct choice *c, struct selection *ret)
{
	const struct selection_state *s = c->state;

	if (c->profile->strategy == STRATEGY_SIMULTANEOUS_RING)
		return next_ring(c, ret);
	/* The profile may have been published anew since the last attempt, with fewer targets. */
	if (s->current >= 0 && s->current < c->profile->target_count && choice_take(c, (unsigned)s->current, ret))
		return true;
	if ((unsigned)__builtin_popcount(s->targets_tried) > c->profile->knobs.max_retries)
		return false;
	return c->profile->tiers ? next_tier(c, ret) : order_next(c, ret);
}

/* Ejections that end by out_ms do not count. */
static struct choice choice_of(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, uint64_t out_ms, struct selection_state *s,
			       bool whole)
{
	return (struct choice){
		.profile = p,
		.endpoints = endpoints,
		.live = endpoints_live(endpoints, 0),
		.live_count = endpoints_max(endpoints),
		.now_ms = now_ms,
		.out_ms = out_ms,
		.state = s,
		.within = UINT32_MAX,
		.table = p->table,
		.table_size = p->table_size,
		.whole = whole,
		.first = !s->tried_count && !s->tls_only,
	};
}

int select_next(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		struct selection *ret)
{
	struct choice c = choice_of(p, endpoints, now_ms, now_ms, s, false);

	if (s->tried_count >= ATTEMPTS_MAX || s->tried_count >= p->knobs.max_attempts)
		return -ERR_NOT_FOUND;
	if (next(&c, ret))
		return 0;
	c.whole = true;
	return next(&c, ret) ? 0 : -ERR_NOT_FOUND;
}

/* Ejections that end within so long of each other are equally bad. */
#define LEAST_BAD_MS 5000

/* When the first of the untried endpoints that calls may go to is no longer ejected; far in the future where there is none. */
static uint64_t first_back(const struct profile *p, const struct endpoints *endpoints, const struct selection_state *s)
{
	uint64_t first = UINT64_MAX / 2;

	for (unsigned i = 0; i < p->target_count; i++) {
		const struct profile_target *t = &p->targets[i];

		for (unsigned k = 0; t->enabled && t->weight && k < t->endpoint_count; k++) {
			const struct endpoint_live *live = endpoints_live(endpoints, t->endpoints[k]);
			uint64_t until = atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed);

			if (until < first && !tried(s, t->endpoints[k]) && endpoint_usable(endpoints, t->endpoints[k], UINT64_MAX))
				first = until;
		}
	}
	return first;
}

int select_ejected(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		   struct selection *ret)
{
	struct choice c = choice_of(p, endpoints, now_ms, first_back(p, endpoints, s) + LEAST_BAD_MS, s, true);

	if (s->tried_count >= ATTEMPTS_MAX || s->tried_count >= p->knobs.max_attempts)
		return -ERR_NOT_FOUND;
	if (next(&c, ret))
		return 0;
	c.out_ms = UINT64_MAX;
	return next(&c, ret) ? 0 : -ERR_NOT_FOUND;
}

bool select_ring_further(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s)
{
	struct choice c = choice_of(p, endpoints, now_ms, now_ms, s, true);

	return p->tiers && s->tier < p->tier_count && find_ring(&c, s->tier + 1u);
}

int select_prefer(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		  uint32_t endpoint, struct selection *ret)
{
	struct choice c = choice_of(p, endpoints, now_ms, now_ms, s, true);

	if (s->tried_count >= ATTEMPTS_MAX || s->tried_count >= p->knobs.max_attempts || tried(s, endpoint) ||
	    !endpoint_usable(endpoints, endpoint, now_ms) || (s->tls_only && !is_secure(endpoints, endpoint)))
		return -ERR_NOT_FOUND;
	for (unsigned i = 0; i < p->target_count; i++) {
		const struct profile_target *t = &p->targets[i];

		for (unsigned k = 0; t->enabled && k < t->endpoint_count; k++) {
			if (t->endpoints[k] != endpoint)
				continue;
			if (t->limited && target_full(&c, i))
				return -ERR_NOT_FOUND;
			note(s, i, endpoint, ret);
			return 0;
		}
	}
	return -ERR_NOT_FOUND;
}

const char *select_refusal(const struct profile *p, unsigned target, const struct endpoints *endpoints, uint64_t now_ms)
{
	struct selection_state fresh = { .current = -1 };
	struct choice c = choice_of(p, endpoints, now_ms, now_ms, &fresh, true);
	const struct profile_target *t = &p->targets[target];

	if (!t->enabled)
		return "disabled";
	if (!t->weight)
		return "weight 0";
	if (!t->endpoint_count)
		return "no endpoint";
	if (t->limited && target_full(&c, target))
		return "at its limit";
	if (choice_usable(&c, target))
		return NULL;
	c.out_ms = UINT64_MAX; /* when no ejection holds any more */
	return choice_usable(&c, target) ? "all endpoints ejected" : "all endpoints down";
}
