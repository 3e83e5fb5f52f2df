/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/select.h"

#include "base/err.h"
#include "base/siphash.h"

#define GOLDEN 0x9e3779b97f4a7c15ULL

static bool tried(const struct selection_state *s, uint32_t endpoint)
{
	for (unsigned i = 0; i < s->tried_count && i < ATTEMPTS_MAX; i++)
		if (s->tried[i] == endpoint)
			return true;
	return false;
}

/* What one call of select_next looks at. */
struct choice {
	const struct profile *profile;
	const struct endpoints *endpoints;
	uint64_t now_ms;
	struct selection_state *state;
	bool whole; /* endpoints on their ramps may have every call: there is no other to send it to */
};

/* May the call go there now? */
static bool usable(const struct choice *c, uint32_t endpoint)
{
	return (c->whole ? endpoint_usable(c->endpoints, endpoint, c->now_ms)
			 : endpoint_takes(c->endpoints, endpoint, c->state->hash, c->now_ms)) &&
	       !tried(c->state, endpoint);
}

/* The configuration alone lets it take calls. */
static bool target_open(const struct profile_target *t)
{
	return t->enabled && t->weight;
}

static bool target_usable(const struct choice *c, unsigned target)
{
	const struct profile_target *t = &c->profile->targets[target];

	if (!target_open(t))
		return false;
	for (unsigned i = 0; i < t->endpoint_count; i++)
		if (usable(c, t->endpoints[i]))
			return true;
	return false;
}

/* A bit per untried usable endpoint of the lowest priority that has one (RFC 2782: a group is left only when it is used up). */
static uint64_t endpoint_group(const struct choice *c, const struct profile_target *t)
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

static unsigned nth_of(uint64_t set, unsigned n)
{
	while (n--)
		set &= set - 1;
	return (unsigned)__builtin_ctzll(set);
}

/* One of the group by weight, as RFC 2782 picks: a number of 0 ... sum, and the first whose running sum reaches it, those of weight 0 in
 * front; so these share the 0. Where none has weight 0, that number would fall to whichever happens to stand in front: it is one of 1 ... sum
 * then, and the shares are the weights. Health was read once, in endpoint_group: what another thread changes meanwhile cannot confuse the sums. */
static unsigned endpoint_by_weight(const struct profile_target *t, uint64_t group, uint64_t hash)
{
	uint64_t sum = 0, empty = 0, number;

	for (uint64_t left = group; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		sum += t->weights[i];
		empty |= (uint64_t)!t->weights[i] << i;
	}
	number = empty ? hash % (sum + 1) : hash % sum + 1;
	if (!number)
		return nth_of(empty, (unsigned)(hash / (sum + 1) % (unsigned)__builtin_popcountll(empty)));
	for (uint64_t left = group & ~empty;; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		if (number <= t->weights[i])
			return i;
		number -= t->weights[i];
	}
}

static void note(struct selection_state *s, unsigned target, uint32_t endpoint, struct selection *ret)
{
	s->tried[s->tried_count++] = endpoint;
	s->targets_tried |= 1u << target;
	s->current = (int8_t)target;
	ret->target = (uint8_t)target;
	ret->endpoint = endpoint;
}

/* Picks an endpoint of the target and notes it. false: it has none left. */
static bool take(const struct choice *c, unsigned target, struct selection *ret)
{
	const struct profile_target *t = &c->profile->targets[target];
	struct selection_state *s = c->state;
	uint64_t group = target_open(t) ? endpoint_group(c, t) : 0;
	unsigned i;

	if (!group)
		return false;
	i = group & (group - 1) ? endpoint_by_weight(t, group, mix64(~s->hash + GOLDEN * s->tried_count))
				: (unsigned)__builtin_ctzll(group);
	note(s, target, t->endpoints[i], ret);
	return true;
}

static bool by_position(const struct choice *c, struct selection *ret)
{
	for (unsigned i = 0; i < c->profile->target_count; i++)
		if (!(c->state->targets_tried >> i & 1) && take(c, i, ret))
			return true;
	return false;
}

/* The first attempt falls on the ticket's turn among the targets that can take calls now, so that the share of a dead one is spread
 * evenly; further attempts go round from there. */
static bool by_turn(const struct choice *c, struct selection *ret)
{
	unsigned n = c->profile->target_count, usable = 0, turn, from;
	uint32_t mask = 0;

	if (c->state->current >= 0) {
		from = (unsigned)c->state->current + 1;
	} else {
		for (unsigned i = 0; i < n; i++)
			if (target_usable(c, i)) {
				mask |= 1u << i;
				usable++;
			}
		if (!usable)
			return false;
		for (turn = (unsigned)(c->state->hash % usable); turn; turn--)
			mask &= mask - 1;
		from = (unsigned)__builtin_ctz(mask);
	}
	for (unsigned k = 0; k < n; k++) {
		unsigned i = (from + k) % n;

		if (!(c->state->targets_tried >> i & 1) && take(c, i, ret))
			return true;
	}
	return false;
}

/* table[hash]; where that one was tried or cannot take calls, the table at rehashed places, which spreads by weight; and where the dice
 * do not find the last one with a small share, along the table. */
static bool by_weight(const struct choice *c, struct selection *ret)
{
	const struct profile *p = c->profile;
	uint32_t refused = c->state->targets_tried, open = 0;
	uint64_t at;

	if (!p->table_size)
		return false;
	for (unsigned i = 0; i < p->target_count; i++)
		if (target_open(&p->targets[i]))
			open |= 1u << i;
	for (unsigned k = 0; k < 4u * p->target_count && (open & ~refused); k++) {
		uint64_t h = k ? mix64(c->state->hash + GOLDEN * k) : c->state->hash;
		unsigned target = p->table[h % p->table_size];

		if (refused >> target & 1)
			continue;
		if (take(c, target, ret))
			return true;
		refused |= 1u << target;
	}
	at = c->state->hash % p->table_size;
	for (uint32_t k = 0; k < p->table_size && (open & ~refused); k++) {
		unsigned target = p->table[(at + k) % p->table_size];

		if (refused >> target & 1)
			continue;
		if (take(c, target, ret))
			return true;
		refused |= 1u << target;
	}
	/* A share too small for a slot is still somewhere to go. */
	return (open & ~refused) && by_position(c, ret);
}

static bool next_target(const struct choice *c, struct selection *ret)
{
	switch (c->profile->strategy) {
	case STRATEGY_FAILOVER:
	case STRATEGY_SIMULTANEOUS_RING: return by_position(c, ret);
	case STRATEGY_ROUND_ROBIN: return by_turn(c, ret);
	case STRATEGY_WEIGHTED: return by_weight(c, ret);
	}
	return false;
}

/* All targets ring, each at one endpoint; further endpoints of theirs come only after that. */
static bool next_ring(const struct choice *c, struct selection *ret)
{
	if (by_position(c, ret))
		return true;
	for (unsigned i = 0; i < c->profile->target_count; i++)
		if (take(c, i, ret))
			return true;
	return false;
}

static bool next(const struct choice *c, struct selection *ret)
{
	const struct selection_state *s = c->state;

	if (c->profile->strategy == STRATEGY_SIMULTANEOUS_RING)
		return next_ring(c, ret);
	/* The profile may have been published anew since the last attempt, with fewer targets. */
	if (s->current >= 0 && s->current < c->profile->target_count && take(c, (unsigned)s->current, ret))
		return true;
	if ((unsigned)__builtin_popcount(s->targets_tried) > c->profile->knobs.max_retries)
		return false;
	return next_target(c, ret);
}

int select_next(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		struct selection *ret)
{
	struct choice c = { p, endpoints, now_ms, s, false };

	if (s->tried_count >= ATTEMPTS_MAX || s->tried_count >= p->knobs.max_attempts)
		return -ERR_NOT_FOUND;
	if (next(&c, ret))
		return 0;
	c.whole = true;
	return next(&c, ret) ? 0 : -ERR_NOT_FOUND;
}

uint64_t select_first_back(const struct profile *p, const struct endpoints *endpoints, const struct selection_state *s)
{
	uint64_t first = UINT64_MAX / 2;

	for (unsigned i = 0; i < p->target_count; i++) {
		const struct profile_target *t = &p->targets[i];

		for (unsigned k = 0; target_open(t) && k < t->endpoint_count; k++) {
			const struct endpoint_live *live = endpoints_live(endpoints, t->endpoints[k]);
			uint64_t until = atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed);

			if (until < first && !tried(s, t->endpoints[k]) && endpoint_usable(endpoints, t->endpoints[k], UINT64_MAX))
				first = until;
		}
	}
	return first;
}

int select_prefer(const struct profile *p, const struct endpoints *endpoints, uint64_t now_ms, struct selection_state *s,
		  uint32_t endpoint, struct selection *ret)
{
	if (s->tried_count >= ATTEMPTS_MAX || s->tried_count >= p->knobs.max_attempts || tried(s, endpoint) ||
	    !endpoint_usable(endpoints, endpoint, now_ms))
		return -ERR_NOT_FOUND;
	for (unsigned i = 0; i < p->target_count; i++) {
		const struct profile_target *t = &p->targets[i];

		for (unsigned k = 0; t->enabled && k < t->endpoint_count; k++) {
			if (t->endpoints[k] != endpoint)
				continue;
			note(s, i, endpoint, ret);
			return 0;
		}
	}
	return -ERR_NOT_FOUND;
}

const char *select_refusal(const struct profile *p, unsigned target, const struct endpoints *endpoints, uint64_t now_ms)
{
	struct selection_state fresh = { .current = -1 };
	struct choice c = { p, endpoints, now_ms, &fresh, true };
	const struct profile_target *t = &p->targets[target];

	if (!t->enabled)
		return "disabled";
	if (!t->weight)
		return "weight 0";
	if (!t->endpoint_count)
		return "no endpoint";
	if (target_usable(&c, target))
		return NULL;
	c.now_ms = UINT64_MAX; /* when no ejection holds any more */
	return target_usable(&c, target) ? "all endpoints ejected" : "all endpoints down";
}
