/* SPDX-License-Identifier: Apache-2.0 */
#include "model/publish.h"

#include <stdlib.h>

#include "model/number_map.h"
#include "model/publisher.h"
#include "model/removals.h"
#include "model/slot_queue.h"
#include "model/u64map.h"
#include "tables/numbers.h"
#include "tables/tables.h"

struct publisher *publisher_new(struct tables *t, const struct publish_hooks *hooks, const struct number_plan *default_plan)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tables = t;
	p->hooks = *hooks;
	p->default_plan = *default_plan;
	p->trunks = u64map_new(0);
	p->profiles = u64map_new(0);
	p->targets = u64map_new(0);
	p->endpoints = u64map_new(0);
	p->target_slots = slot_queue_new(hooks->target_slots);
	p->removals = removals_new(t);
	if (p->trunks && p->profiles && p->targets && p->endpoints && p->target_slots && p->removals)
		return p;
	publisher_free(p);
	return NULL;
}

void publisher_free(struct publisher *p)
{
	if (!p)
		return;
	u64map_free(p->trunks);
	u64map_free(p->profiles);
	u64map_free(p->targets);
	u64map_free(p->endpoints);
	slot_queue_free(p->target_slots);
	removals_free(p->removals);
	free(p);
}

uint32_t publish_profile_slot(const struct publisher *p, uint32_t profile_id)
{
	return u64map_get(p->profiles, profile_id);
}

uint32_t publish_trunk_slot(const struct publisher *p, uint32_t trunk)
{
	return u64map_get(p->trunks, trunk);
}

uint32_t publish_target_slot(const struct publisher *p, uint32_t profile_id, uint32_t trunk)
{
	return u64map_get(p->targets, publish_pair(profile_id, trunk));
}

uint32_t publish_endpoint_slot(const struct publisher *p, uint32_t trunk, uint32_t endpoint)
{
	return u64map_get(p->endpoints, publish_pair(trunk, endpoint));
}

int publish_number(struct publisher *p, e164 number, bool prefix, uint32_t profile_id)
{
	struct numbers *n = p->tables->numbers;
	uint32_t slot;

	if (profile_id == NUMBER_MAP_NONE)
		return prefix ? numbers_delete_prefix(n, number) : numbers_delete(n, number);
	slot = publish_profile_slot(p, profile_id);
	return prefix ? numbers_set_prefix(n, number, slot) : numbers_set(n, number, slot);
}
