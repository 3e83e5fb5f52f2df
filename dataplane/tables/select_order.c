/* SPDX-License-Identifier: Apache-2.0 */
/* The strategies: in what order a call meets the targets. */
#include "tables/select_order.h"

#include "base/siphash.h"
#include "tables/loads.h"

static bool by_position(const struct choice *c, struct selection *ret)
{
	uint32_t refused = c->state->targets_tried | ~c->within;

	for (unsigned i = 0; i < c->profile->target_count; i++)
		if (!(refused >> i & 1) && choice_take(c, i, ret))
			return true;
	return false;
}

/* The first attempt falls on the ticket's turn among the targets that can take calls now, so that the share of a dead one is spread
 * evenly; further attempts go round from there. */
static bool by_turn(const struct choice *c, struct selection *ret)
{
	unsigned n = c->profile->target_count, turn, from;
	uint32_t refused = c->state->targets_tried | ~c->within, mask;

	if (c->state->current >= 0) {
		from = (unsigned)c->state->current + 1;
	} else {
		mask = choice_usables(c);
		if (!mask)
			return false;
		for (turn = (unsigned)(c->state->hash % (unsigned)__builtin_popcount(mask)); turn; turn--)
			mask &= mask - 1;
		from = (unsigned)__builtin_ctz(mask);
	}
	for (unsigned k = 0; k < n; k++) {
		unsigned i = (from + k) % n;

		if (!(refused >> i & 1) && choice_take(c, i, ret))
			return true;
	}
	return false;
}

/* table[hash]; where that one was tried or cannot take calls, the table at rehashed places, which spreads by weight; and where the dice
 * do not find the last one with a small share, along the table. */
static bool by_weight(const struct choice *c, struct selection *ret)
{
	const struct profile *p = c->profile;
	uint32_t refused = c->state->targets_tried | ~c->within, open;
	uint64_t at;

	if (!c->table_size)
		return false;
	open = choice_opens(c, refused);
	for (unsigned k = 0; k < 4u * p->target_count && (open & ~refused); k++) {
		uint64_t h = k ? mix64(c->state->hash + GOLDEN * k) : c->state->hash;
		unsigned target = c->table[h % c->table_size];

		if (refused >> target & 1)
			continue;
		if (choice_take(c, target, ret))
			return true;
		refused |= 1u << target;
	}
	at = c->state->hash % c->table_size;
	for (uint32_t k = 0; k < c->table_size && (open & ~refused); k++) {
		unsigned target = c->table[(at + k) % c->table_size];

		if (refused >> target & 1)
			continue;
		if (choice_take(c, target, ret))
			return true;
		refused |= 1u << target;
	}
	/* A share too small for a slot is still somewhere to go. */
	return (open & ~refused) && by_position(c, ret);
}

/* The fewest calls for its weight, this call included, so that of two idle ones the heavier comes first; of equals the one that the hash says. Counts
 * are read once: what other workers change meanwhile cannot confuse the order. */
static bool by_calls(const struct choice *c, struct selection *ret)
{
	const struct profile *p = c->profile;
	uint32_t refused = c->state->targets_tried | ~c->within;
	uint64_t calls[PROFILE_TARGETS_MAX];

	for (unsigned i = 0; i < p->target_count; i++) {
		if (!(refused >> i & 1) && !choice_usable(c, i))
			refused |= 1u << i;
		calls[i] = 1 + (refused >> i & 1 || !p->loads ? 0 : loads_calls(p->loads, p->targets[i].target_slot));
	}
	for (;;) {
		int best = -1;
		uint64_t draw = 0;

		for (unsigned i = 0; i < p->target_count; i++) {
			uint64_t mine = calls[i], its, lot = mix64(c->state->hash + GOLDEN * (i + 1));

			if (refused >> i & 1)
				continue;
			if (best >= 0) {
				mine *= p->targets[best].weight;
				its = calls[best] * p->targets[i].weight;
				if (mine > its || (mine == its && lot < draw))
					continue;
			}
			best = (int)i;
			draw = lot;
		}
		if (best < 0)
			return false;
		if (choice_take(c, (unsigned)best, ret))
			return true;
		refused |= 1u << best;
	}
}

/* Differences below this are noise: they decide little. */
#define RESPONSE_FLOOR_US 1000
/* A target that was slow gets this much of the fastest's calls per weight: enough to notice that it no longer is. */
#define EXPLORATION 64

/* What a call that goes there may expect: the mean over the endpoints that it may meet first, by their weights. 0: unknown. */
static uint32_t response_us(const struct choice *c, const struct profile_target *t)
{
	uint64_t sum = 0, weights = 0;

	for (uint64_t left = choice_group(c, t); left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		uint64_t us = endpoint_response_us(c->endpoints, t->endpoints[i]);

		sum += us * (t->weights[i] + 1u);
		weights += us ? t->weights[i] + 1u : 0;
	}
	return weights ? (uint32_t)(sum / weights) : 0;
}

/* Each target's share of the calls, in any unit; 0: it gets none. */
static void shares(const struct choice *c, uint32_t among, uint64_t share[PROFILE_TARGETS_MAX])
{
	const struct profile *p = c->profile;
	uint64_t us[PROFILE_TARGETS_MAX], fastest = UINT64_MAX;

	for (unsigned i = 0; i < p->target_count; i++) {
		us[i] = 0;
		if (!(among >> i & 1))
			continue;
		us[i] = response_us(c, &p->targets[i]);
		us[i] += us[i] ? RESPONSE_FLOOR_US : 0;
		if (us[i] && us[i] < fastest)
			fastest = us[i];
	}
	for (unsigned i = 0; i < p->target_count; i++) {
		uint64_t ratio = us[i] ? (fastest << 10) / us[i] : 1 << 10; /* the unknown is tried as if it were fast */
		uint64_t square = ratio * ratio;

		if (square < (1 << 20) / EXPLORATION)
			square = (1 << 20) / EXPLORATION;
		share[i] = among >> i & 1 ? square * p->targets[i].weight : 0;
	}
}

/* By the dice, so that not all calls run to whoever was the fastest a moment ago, which would make it slow. */
static bool by_speed(const struct choice *c, struct selection *ret)
{
	const struct profile *p = c->profile;
	uint32_t among = c->within & ~c->state->targets_tried;
	uint64_t share[PROFILE_TARGETS_MAX], dice = mix64(c->state->hash + GOLDEN * (c->state->tried_count + 1u));

	for (unsigned i = 0; i < p->target_count; i++)
		if (among >> i & 1 && !choice_usable(c, i))
			among &= ~(1u << i);
	shares(c, among, share);
	for (;;) {
		uint64_t sum = 0, at;
		unsigned i = 0;

		for (unsigned k = 0; k < p->target_count; k++)
			sum += share[k];
		if (!sum)
			return false;
		for (at = dice % sum; at >= share[i]; i++)
			at -= share[i];
		if (choice_take(c, i, ret))
			return true;
		share[i] = 0;
	}
}

bool order_next(const struct choice *c, struct selection *ret)
{
	switch (c->profile->strategy) {
	case STRATEGY_FAILOVER:
	case STRATEGY_SIMULTANEOUS_RING: return by_position(c, ret);
	case STRATEGY_ROUND_ROBIN: return by_turn(c, ret);
	case STRATEGY_WEIGHTED: return by_weight(c, ret);
	case STRATEGY_LEAST_CALLS: return by_calls(c, ret);
	case STRATEGY_FASTEST: return by_speed(c, ret);
	case STRATEGIES: break;
	}
	return false;
}
