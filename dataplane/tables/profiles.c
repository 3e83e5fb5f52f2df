/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/profiles.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/span.h"
#include "tables/maglev.h"
#include "tables/slots.h"
#include "tables/trunks.h"

_Static_assert(TRUNK_ENDPOINTS_MAX <= 64, "select keeps a target's endpoints in a 64-bit mask");

static const char *const strategies[] = {
	[STRATEGY_FAILOVER] = "failover",
	[STRATEGY_ROUND_ROBIN] = "round_robin",
	[STRATEGY_WEIGHTED] = "weighted_lb",
	[STRATEGY_SIMULTANEOUS_RING] = "simultaneous_ring",
	[STRATEGY_LEAST_CALLS] = "least_calls",
	[STRATEGY_FASTEST] = "fastest",
};

struct ticket {
	_Alignas(64) _Atomic(uint64_t) next;
};

struct profiles {
	struct slots slots;
	struct ticket *tickets;
};

struct profile_knobs profile_knobs_default(void)
{
	struct profile_knobs k = {
		.response_timeout_ms = 4000,
		.progress_timeout_ms = 8000,
		.ring_timeout_ms = 25000,
		.setup_budget_ms = 15000,
		.max_retries = 2,
		.max_attempts = 6,
		.exhausted_code = 500,
	};

	code_set_put(&k.retry_codes, 408, true);
	for (unsigned code = 500; code < 600; code++)
		code_set_put(&k.retry_codes, code, true);
	return k;
}

/* Copies the endpoints of a target in order of priority, then as configured. false: no memory. */
static bool target_copy(struct profile_target *to, const struct profile_target_source *from)
{
	unsigned n = from->endpoint_count < TRUNK_ENDPOINTS_MAX ? from->endpoint_count : TRUNK_ENDPOINTS_MAX;
	uint32_t *endpoints = malloc((n + 1) * (2 * sizeof(uint32_t) + 2 * sizeof(uint16_t)));
	uint32_t *ids = endpoints + n;
	uint16_t *priorities = (uint16_t *)(ids + n);
	uint16_t *weights = priorities + n;

	if (!endpoints)
		return false;
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		for (; at && priorities[at - 1] > from->priorities[i]; at--) {
			endpoints[at] = endpoints[at - 1];
			ids[at] = ids[at - 1];
			priorities[at] = priorities[at - 1];
			weights[at] = weights[at - 1];
		}
		endpoints[at] = from->endpoints[i];
		ids[at] = from->endpoint_ids ? from->endpoint_ids[i] : from->endpoints[i];
		priorities[at] = from->priorities[i];
		weights[at] = from->weights[i];
	}
	*to = (struct profile_target){
		.trunk_slot = from->trunk_slot,
		.target_slot = from->target_slot,
		.position = from->position,
		.weight = from->weight,
		.enabled = from->enabled,
		.limited = from->max_calls || from->max_cps,
		.tier = from->tier,
		.max_calls = from->max_calls,
		.max_cps = from->max_cps,
		.endpoint_count = (uint16_t)n,
		.endpoints = endpoints,
		.ids = ids,
		.priorities = priorities,
		.weights = weights,
	};
	return true;
}

/* The weighted table of some of the targets. false: no memory. */
static bool table_build(const struct profile *p, const struct profile_target_source *const *order, uint32_t among, uint32_t *ret_size,
			uint8_t **ret_table)
{
	struct maglev_target targets[PROFILE_TARGETS_MAX];

	for (unsigned i = 0; i < p->target_count; i++)
		targets[i] = (struct maglev_target){ order[i]->stable_id, order[i]->enabled && among >> i & 1 ? order[i]->weight : 0 };
	*ret_size = maglev_size(p->target_count);
	*ret_table = malloc(*ret_size);
	if (!*ret_table)
		return false;
	maglev_fill(*ret_table, *ret_size, targets, p->target_count);
	return true;
}

/* Groups the targets by their tiers, and numbers the tiers anew from 0 without gaps. false: no memory. */
static bool tiers_build(struct profile *p, const struct profile_target_source *const *order)
{
	uint32_t members[32] = { 0 };
	unsigned n = 0;

	for (unsigned i = 0; i < p->target_count; i++)
		members[p->targets[i].tier % 32] |= 1u << i;
	for (unsigned k = 0; k < 32; k++) {
		for (unsigned i = 0; members[k] && i < p->target_count; i++)
			if (members[k] >> i & 1)
				p->targets[i].tier = (uint8_t)n;
		if (members[k])
			members[n++] = members[k];
	}
	if (n < 2)
		return p->strategy != STRATEGY_WEIGHTED || table_build(p, order, UINT32_MAX, &p->table_size, &p->table);
	p->tiers = calloc(n, sizeof(*p->tiers));
	if (!p->tiers)
		return false;
	p->tier_count = n;
	for (unsigned k = 0; k < n; k++) {
		p->tiers[k].targets = members[k];
		if (p->strategy == STRATEGY_WEIGHTED && !table_build(p, order, members[k], &p->tiers[k].table_size, &p->tiers[k].table))
			return false;
	}
	p->table_size = p->tiers[0].table_size;
	p->table = p->tiers[0].table;
	return true;
}

struct profile *profile_compile(const struct profile_source *source)
{
	const struct profile_target_source *order[PROFILE_TARGETS_MAX];
	unsigned n = source->target_count < PROFILE_TARGETS_MAX ? source->target_count : PROFILE_TARGETS_MAX;
	struct profile *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->id = trunk_id(span_str(source->name));
	snprintf(p->name, sizeof(p->name), "%s", source->name);
	p->strategy = source->strategy;
	p->knobs = source->knobs;
	p->loads = source->loads;
	for (unsigned i = 0; i < n; i++) {
		unsigned at = i;

		for (; at && order[at - 1]->position > source->targets[i].position; at--)
			order[at] = order[at - 1];
		order[at] = &source->targets[i];
	}
	for (unsigned i = 0; i < n; i++) {
		if (!target_copy(&p->targets[i], order[i]))
			goto fail;
		p->targets[i].counted = p->loads && (p->targets[i].limited || p->strategy == STRATEGY_LEAST_CALLS);
		p->target_count++;
	}
	if (!tiers_build(p, order))
		goto fail;
	return p;

fail:
	profile_free(p);
	return NULL;
}

void profile_free(struct profile *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->target_count; i++)
		free((void *)p->targets[i].endpoints); /* ids, priorities and weights lie behind them */
	for (unsigned k = 0; k < p->tier_count; k++)
		free(p->tiers[k].table);
	if (!p->tiers)
		free(p->table);
	free(p->tiers);
	free(p);
}

static void release(void *object)
{
	profile_free(object);
}

struct profiles *profiles_new(uint32_t max_profiles, struct epoch *e)
{
	struct profiles *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	if (slots_init(&p->slots, max_profiles, e, release))
		goto fail_slots;
	p->tickets = aligned_alloc(64, p->slots.max * sizeof(*p->tickets));
	if (!p->tickets)
		goto fail_tickets;
	for (uint32_t i = 0; i < p->slots.max; i++)
		atomic_init(&p->tickets[i].next, 0);
	return p;

fail_tickets:
	slots_done(&p->slots);
fail_slots:
	free(p);
	return NULL;
}

void profiles_free(struct profiles *p)
{
	if (!p)
		return;
	slots_done(&p->slots);
	free(p->tickets);
	free(p);
}

uint32_t profiles_max(const struct profiles *p)
{
	return p->slots.max;
}

int profiles_add(struct profiles *p, struct profile *compiled, uint32_t *ret_slot)
{
	return slots_add(&p->slots, compiled, ret_slot);
}

void profiles_update(struct profiles *p, uint32_t slot, struct profile *compiled)
{
	slots_update(&p->slots, slot, compiled);
}

void profiles_remove(struct profiles *p, uint32_t slot)
{
	slots_remove(&p->slots, slot);
}

const struct profile *profiles_get(const struct profiles *p, uint32_t slot)
{
	return slots_get(&p->slots, slot);
}

uint64_t profiles_ticket(struct profiles *p, uint32_t slot)
{
	return slot < p->slots.max ? atomic_fetch_add_explicit(&p->tickets[slot].next, 1, memory_order_relaxed) : 0;
}

uint64_t profiles_ticket_alone(struct profiles *p, uint32_t slot)
{
	uint64_t ticket = profiles_ticket_peek(p, slot);

	if (slot < p->slots.max)
		atomic_store_explicit(&p->tickets[slot].next, ticket + 1, memory_order_relaxed);
	return ticket;
}

uint64_t profiles_ticket_peek(const struct profiles *p, uint32_t slot)
{
	return slot < p->slots.max ? atomic_load_explicit(&p->tickets[slot].next, memory_order_relaxed) : 0;
}

const char *strategy_name(enum strategy s)
{
	return (unsigned)s < sizeof(strategies) / sizeof(strategies[0]) ? strategies[s] : "?";
}

bool strategy_parse(const char *word, enum strategy *ret_strategy)
{
	for (unsigned i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (!strcmp(word, strategies[i])) {
			*ret_strategy = (enum strategy)i;
			return true;
		}
	return false;
}
