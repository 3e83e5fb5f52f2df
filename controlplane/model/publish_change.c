/* SPDX-License-Identifier: Apache-2.0 */
/* One publication: the steps from a model to the next, each of which can be taken back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/model.h"
#include "model/number_map.h"
#include "model/publish_steps.h"
#include "model/publish_trunks.h"
#include "model/removals.h"
#include "model/slot_queue.h"
#include "model/u64map.h"
#include "tables/domains.h"
#include "tables/loads.h"
#include "tables/profiles.h"
#include "tables/tables.h"

static uint32_t profile_slot_of(const void *ctx, uint32_t profile_id)
{
	return publish_profile_slot(ctx, profile_id);
}

static uint32_t trunk_slot_of(const void *ctx, uint32_t trunk)
{
	return publish_trunk_slot(ctx, trunk);
}

static uint32_t target_slot_of(const void *ctx, uint32_t profile_id, uint32_t trunk)
{
	return publish_target_slot(ctx, profile_id, trunk);
}

static uint32_t endpoint_slot_of(const void *ctx, uint32_t trunk, uint32_t endpoint)
{
	return publish_endpoint_slot(ctx, trunk, endpoint);
}

int publish_no_room(struct change *c, int err, const char *what, const char *name)
{
	if (err == -ERR_FULL)
		return error_set(c->error, err, "%s %s: the table is full (raise limits, or try again: removed entries are released late)",
				 what, name);
	return error_set(c->error, err, "%s %s: %s", what, name, err_name(err));
}

static int take_target_slots(struct change *c, const struct model_profile *profile)
{
	struct publisher *p = c->p;

	for (unsigned i = 0; i < profile->target_count; i++) {
		uint64_t key = publish_pair(profile->id, profile->targets[i].trunk_id);
		uint32_t slot;

		if (u64map_get(p->targets, key) != U64MAP_NONE)
			continue;
		slot = slot_queue_take(p->target_slots, p->hooks.target_idle, p->hooks.ctx);
		if (slot == SLOT_QUEUE_NONE)
			return error_set(c->error, -ERR_FULL, "profile %s: all %u target slots are in use", profile->name,
					 p->hooks.target_slots);
		publish_step_done(c, UNDO_TARGET, slot, key, NULL);
		if (u64map_set(p->targets, key, slot))
			return publish_no_room(c, -ERR_NOMEM, "profile", profile->name);
		p->hooks.target_reset(p->hooks.ctx, slot);
		loads_reset(p->tables->loads, slot);
	}
	return 0;
}

/* A profile is compiled anew when it changed itself, or when endpoints of a trunk that it names did. */
static bool profile_changed(const struct change *c, const struct model_profile *was, const struct model_profile *is)
{
	if (memcmp(was, is, sizeof(*is)) != 0)
		return true;
	for (unsigned i = 0; i < is->target_count; i++) {
		const struct model_trunk *a = model_trunk_by_id(c->from, is->targets[i].trunk_id);
		const struct model_trunk *b = model_trunk_by_id(c->to, is->targets[i].trunk_id);

		if (!a || !publish_trunks_same_endpoints(a, b))
			return true;
	}
	return false;
}

static int compile_profiles(struct change *c)
{
	struct publisher *p = c->p;

	for (uint32_t i = 0; i < c->to->profile_count; i++) {
		const struct model_profile *is = &c->to->profiles[i], *was = model_profile_by_id(c->from, is->id);
		struct profile *compiled;
		uint32_t slot;
		int err;

		if (was && !profile_changed(c, was, is))
			continue;
		err = take_target_slots(c, is);
		if (err)
			return err;
		compiled = compile_profile(c->to, is, &c->slots);
		if (!compiled)
			return publish_no_room(c, -ERR_NOMEM, "profile", is->name);
		if (was) {
			c->updates[i] = compiled;
			continue;
		}
		err = profiles_add(p->tables->profiles, compiled, &slot);
		if (err) {
			profile_free(compiled);
			return publish_no_room(c, err, "profile", is->name);
		}
		publish_step_done(c, UNDO_PROFILE_ADD, slot, is->id, NULL);
		if (u64map_set(p->profiles, is->id, slot))
			return publish_no_room(c, -ERR_NOMEM, "profile", is->name);
	}
	return 0;
}

struct number_pass {
	struct change *c;
	bool prefix, deletes, undoing;
};

static int publish_difference(void *ctx, e164 number, uint32_t was, uint32_t is)
{
	struct number_pass *pass = ctx;
	char text[E164_TEXT_MAX];
	int err;

	if (pass->deletes != (is == NUMBER_MAP_NONE))
		return 0;
	err = publish_number(pass->c->p, number, pass->prefix, is);
	if (!err || pass->undoing)
		return 0;
	e164_format(number, text);
	return publish_no_room(pass->c, err, pass->prefix ? "prefix" : "number", text);
}

/* Deletions first: a whole list may be replaced in a table that has room for one only. */
static int publish_numbers(struct change *c, const struct model *from, const struct model *to, bool undoing)
{
	for (int deletes = 1; deletes >= 0; deletes--) {
		struct number_pass exact = { c, false, deletes, undoing }, prefixes = { c, true, deletes, undoing };
		int err = number_map_diff(from->numbers, to->numbers, publish_difference, &exact);

		if (!err)
			err = number_map_diff(from->prefixes, to->prefixes, publish_difference, &prefixes);
		if (err)
			return err;
	}
	return 0;
}

static int build_domains(struct change *c)
{
	const struct model *a = c->from, *b = c->to;
	struct domain_entry *entries;
	size_t n;

	if (a->domain_count == b->domain_count && (!b->domain_count || !memcmp(a->domains, b->domains, b->domain_count * sizeof(*b->domains))))
		return 0;
	if (compile_domains(b, &c->slots, &entries, &n))
		return publish_no_room(c, -ERR_NOMEM, "domains", "");
	c->domains = domains_build(entries, n);
	free(entries);
	return c->domains ? 0 : publish_no_room(c, -ERR_NOMEM, "domains", "");
}

/* Everything that may fail. What it leaves undone cannot fail. */
static int prepare(struct change *c)
{
	int err = publish_trunks_add(c);

	if (!err)
		err = compile_profiles(c);
	if (!err)
		err = publish_trunks_update(c);
	if (!err)
		err = build_domains(c);
	if (!err) {
		c->numbers_begun = true;
		err = publish_numbers(c, c->from, c->to, false);
	}
	return err ? err : publish_trunks_access(c);
}

static void step_back(struct change *c, const struct undo *u)
{
	struct publisher *p = c->p;

	switch (u->kind) {
	case UNDO_TRUNK_ADD:
	case UNDO_TRUNK_UPDATE:
	case UNDO_ENDPOINT_ADD:
	case UNDO_ENDPOINT_UPDATE:
		publish_trunks_step_back(c, u);
		break;
	case UNDO_PROFILE_ADD:
		removals_add(p->removals, REMOVAL_PROFILE, u->slot, 0);
		u64map_delete(p->profiles, u->key);
		break;
	case UNDO_TARGET:
		u64map_delete(p->targets, u->key);
		slot_queue_put(p->target_slots, u->slot);
		break;
	}
}

static void roll_back(struct change *c)
{
	if (c->numbers_begun)
		publish_numbers(c, c->to, c->from, true);
	while (c->undo_count)
		step_back(c, &c->undo[--c->undo_count]);
	for (uint32_t i = 0; i < c->to->profile_count; i++)
		if (c->updates[i])
			profile_free(c->updates[i]);
	domains_free(c->domains);
}

static void remove_targets(struct change *c, const struct model_profile *was, const struct model_profile *is)
{
	for (unsigned i = 0; i < was->target_count; i++) {
		uint64_t key = publish_pair(was->id, was->targets[i].trunk_id);

		if (is && model_target((struct model_profile *)is, was->targets[i].trunk))
			continue;
		slot_queue_put(c->p->target_slots, u64map_get(c->p->targets, key));
		u64map_delete(c->p->targets, key);
	}
}

/* Nothing names these any more. Profiles go before the trunks and endpoints that they were compiled with. */
static void remove_gone(struct change *c)
{
	struct publisher *p = c->p;

	for (uint32_t i = 0; i < c->from->profile_count; i++) {
		const struct model_profile *was = &c->from->profiles[i], *is = model_profile_by_id(c->to, was->id);

		remove_targets(c, was, is);
		if (is)
			continue;
		removals_add(p->removals, REMOVAL_PROFILE, publish_profile_slot(p, was->id), 0);
		u64map_delete(p->profiles, was->id);
	}
	publish_trunks_remove_gone(c);
}

/* Calls of targets that got a limit are to be counted, those that are up already too. */
static void watch_loads(struct change *c, const struct model_profile *p)
{
	for (unsigned i = 0; i < p->target_count; i++) {
		const struct model_target *t = &p->targets[i];

		loads_watch(c->p->tables->loads, publish_target_slot(c->p, p->id, t->trunk_id),
			    t->max_calls || t->max_cps || p->strategy == STRATEGY_LEAST_CALLS);
	}
}

/* From here on nothing fails. */
static void finish(struct change *c)
{
	for (uint32_t i = 0; i < c->to->profile_count; i++)
		watch_loads(c, &c->to->profiles[i]);
	for (uint32_t i = 0; i < c->to->profile_count; i++)
		if (c->updates[i])
			profiles_update(c->p->tables->profiles, publish_profile_slot(c->p, c->to->profiles[i].id), c->updates[i]);
	if (c->domains)
		domain_table_publish(c->p->tables->domains, c->domains);
	remove_gone(c);
}

static uint32_t steps_at_most(const struct model *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->trunk_count; i++)
		n += 2 + m->trunks[i].endpoint_count;
	for (uint32_t i = 0; i < m->profile_count; i++)
		n += 1 + m->profiles[i].target_count;
	return n;
}

int publish_model(struct publisher *p, const struct model *from, const struct model *to, char *error)
{
	struct change c = {
		.p = p, .from = from, .to = to, .error = error,
		.slots = { trunk_slot_of, profile_slot_of, target_slot_of, endpoint_slot_of, p, p->hooks.region, p->tables->loads },
	};
	int err;

	c.undo = calloc(steps_at_most(to) + 1, sizeof(*c.undo));
	c.updates = calloc(to->profile_count + 1, sizeof(*c.updates));
	if (!c.undo || !c.updates)
		err = error_set(error, -ERR_NOMEM, "out of memory");
	else
		err = prepare(&c);
	if (!err)
		finish(&c);
	else if (c.undo && c.updates)
		roll_back(&c);
	free(c.undo);
	free(c.updates);
	return err;
}
