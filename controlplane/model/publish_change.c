/* SPDX-License-Identifier: Apache-2.0 */
/* One publication: the steps from a model to the next, each of which can be taken back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/compile.h"
#include "model/model.h"
#include "model/number_map.h"
#include "model/publisher.h"
#include "model/removals.h"
#include "model/slot_queue.h"
#include "model/u64map.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/loads.h"
#include "tables/profiles.h"
#include "tables/tables.h"
#include "tables/trunks.h"

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

/* How to take one step back. */
struct undo {
	enum { UNDO_TRUNK_ADD, UNDO_TRUNK_UPDATE, UNDO_ENDPOINT_ADD, UNDO_ENDPOINT_UPDATE, UNDO_PROFILE_ADD, UNDO_TARGET } kind;
	uint32_t slot;
	uint64_t key;
	const void *was; /* struct model_trunk or model_endpoint of the old model */
};

/* One publication under way. */
struct change {
	struct publisher *p;
	const struct model *from, *to;
	struct compile_slots slots;
	struct undo *undo;
	uint32_t undo_count;
	struct profile **updates; /* by place in to->profiles: compiled, not published yet; NULL: unchanged or added */
	struct domains *domains;  /* built; NULL: unchanged */
	bool access_changed, numbers_begun;
	char *error;
};

static void done(struct change *c, int kind, uint32_t slot, uint64_t key, const void *was)
{
	c->undo[c->undo_count++] = (struct undo){ kind, slot, key, was };
}

static int no_room(struct change *c, int err, const char *what, const char *name)
{
	if (err == -ERR_FULL)
		return error_set(c->error, err, "%s %s: the table is full (raise limits, or try again: removed entries are released late)",
				 what, name);
	return error_set(c->error, err, "%s %s: %s", what, name, err_name(err));
}

/* What stands in the request URI (RFC 3263 §4 keeps the domain there): the name as it was configured, with its port where it has one. */
static void host_text(const struct model_trunk *t, const struct model_endpoint *e, char out[ENDPOINT_HOST_MAX])
{
	const struct model_host *h = e->by_host ? &t->hosts[e->by_host - 1] : NULL;

	if (!h)
		out[0] = 0;
	else if (h->port)
		snprintf(out, ENDPOINT_HOST_MAX, "%s:%u", h->name, h->port);
	else
		snprintf(out, ENDPOINT_HOST_MAX, "%s", h->name);
}

static struct endpoint_config endpoint_config(const struct model_trunk *t, const struct model_endpoint *e, uint32_t trunk_slot)
{
	struct endpoint_config config = { .addr = e->addr, .transport = e->transport, .priority = e->priority, .weight = e->weight,
					  .id = e->id, .trunk_slot = trunk_slot };

	host_text(t, e, config.host);
	return config;
}

/* New trunks come without endpoints and without a profile at first: both need the trunk's slot or may name it, and no source leads to
 * the trunk yet. */
static int add_trunk(struct change *c, const struct model_trunk *t)
{
	struct publisher *p = c->p;
	struct trunk shell = { .id = t->id, .profile_slot = PROFILE_NONE };
	uint32_t slot = removals_revive(p->removals, t->id);
	int err;

	memcpy(shell.name, t->name, sizeof(shell.name));
	if (slot != REMOVALS_NONE) {
		err = trunks_update(p->tables->trunks, slot, &shell);
		if (err)
			removals_add(p->removals, REMOVAL_TRUNK, slot, t->id);
	} else {
		err = trunks_add(p->tables->trunks, &shell, &slot);
	}
	if (err)
		return no_room(c, err, "trunk", t->name);
	done(c, UNDO_TRUNK_ADD, slot, t->id, NULL);
	return u64map_set(p->trunks, t->id, slot) ? no_room(c, -ERR_NOMEM, "trunk", t->name) : 0;
}

static const struct model_endpoint *endpoint_of(const struct model_trunk *t, uint32_t id)
{
	for (unsigned i = 0; t && i < t->endpoint_count; i++)
		if (t->endpoints[i].id == id)
			return &t->endpoints[i];
	return NULL;
}

static bool same_config(const struct model_trunk *from, const struct model_endpoint *was, const struct endpoint_config *is)
{
	char host[ENDPOINT_HOST_MAX];

	host_text(from, was, host);
	return was->priority == is->priority && was->weight == is->weight && strcmp(host, is->host) == 0;
}

static int put_endpoint(struct change *c, const struct model_trunk *t, const struct model_endpoint *e)
{
	struct publisher *p = c->p;
	const struct model_trunk *from = model_trunk_by_id(c->from, t->id);
	const struct model_endpoint *was = endpoint_of(from, e->id);
	struct endpoint_config config = endpoint_config(t, e, publish_trunk_slot(p, t->id));
	uint64_t key = publish_pair(t->id, e->id);
	uint32_t slot;
	int err;

	if (was) {
		if (same_config(from, was, &config))
			return 0;
		slot = u64map_get(p->endpoints, key);
		err = endpoints_update(p->tables->endpoints, slot, &config);
		if (err)
			return no_room(c, err, "endpoint of trunk", t->name);
		done(c, UNDO_ENDPOINT_UPDATE, slot, key, was);
		return 0;
	}
	err = endpoints_add(p->tables->endpoints, &config, &slot);
	if (err)
		return no_room(c, err, "endpoint of trunk", t->name);
	done(c, UNDO_ENDPOINT_ADD, slot, key, NULL);
	return u64map_set(p->endpoints, key, slot) ? no_room(c, -ERR_NOMEM, "endpoint of trunk", t->name) : 0;
}

static bool same_endpoints(const struct model_trunk *a, const struct model_trunk *b)
{
	return a->endpoint_count == b->endpoint_count && memcmp(a->endpoints, b->endpoints, sizeof(a->endpoints)) == 0 &&
	       a->host_count == b->host_count && memcmp(a->hosts, b->hosts, sizeof(a->hosts)) == 0;
}

static bool same_sources(const struct model_trunk *a, const struct model_trunk *b)
{
	return a->source_count == b->source_count && memcmp(a->sources, b->sources, sizeof(a->sources)) == 0;
}

static int add_trunks_and_endpoints(struct change *c)
{
	for (uint32_t i = 0; i < c->to->trunk_count; i++) {
		const struct model_trunk *t = &c->to->trunks[i], *was = model_trunk_by_id(c->from, t->id);
		int err = was ? 0 : add_trunk(c, t);

		if (!was || !same_sources(was, t))
			c->access_changed = true;
		for (unsigned j = 0; !err && (!was || !same_endpoints(was, t)) && j < t->endpoint_count; j++)
			err = put_endpoint(c, t, &t->endpoints[j]);
		if (err)
			return err;
	}
	return 0;
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
		done(c, UNDO_TARGET, slot, key, NULL);
		if (u64map_set(p->targets, key, slot))
			return no_room(c, -ERR_NOMEM, "profile", profile->name);
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

		if (!a || !same_endpoints(a, b))
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
			return no_room(c, -ERR_NOMEM, "profile", is->name);
		if (was) {
			c->updates[i] = compiled;
			continue;
		}
		err = profiles_add(p->tables->profiles, compiled, &slot);
		if (err) {
			profile_free(compiled);
			return no_room(c, err, "profile", is->name);
		}
		done(c, UNDO_PROFILE_ADD, slot, is->id, NULL);
		if (u64map_set(p->profiles, is->id, slot))
			return no_room(c, -ERR_NOMEM, "profile", is->name);
	}
	return 0;
}

static int write_trunk(struct change *c, const struct model *m, const struct model_trunk *t)
{
	struct trunk compiled;

	compile_trunk(m, t, &c->p->default_plan, &c->slots, &compiled);
	return trunks_update(c->p->tables->trunks, publish_trunk_slot(c->p, t->id), &compiled);
}

static int update_trunks(struct change *c)
{
	for (uint32_t i = 0; i < c->to->trunk_count; i++) {
		const struct model_trunk *t = &c->to->trunks[i], *was = model_trunk_by_id(c->from, t->id);
		int err;

		if (was && memcmp(was, t, sizeof(*t)) == 0)
			continue;
		err = write_trunk(c, c->to, t);
		if (err)
			return no_room(c, err, "trunk", t->name);
		if (was)
			done(c, UNDO_TRUNK_UPDATE, 0, t->id, was);
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
	return no_room(pass->c, err, pass->prefix ? "prefix" : "number", text);
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
		return no_room(c, -ERR_NOMEM, "domains", "");
	c->domains = domains_build(entries, n);
	free(entries);
	return c->domains ? 0 : no_room(c, -ERR_NOMEM, "domains", "");
}

static int publish_access(struct change *c)
{
	struct range_entry *entries;
	size_t n;
	int err;

	for (uint32_t i = 0; i < c->from->trunk_count; i++)
		if (!model_trunk_by_id(c->to, c->from->trunks[i].id))
			c->access_changed = true;
	if (!c->access_changed)
		return 0;
	err = compile_access(c->to, &c->slots, &entries, &n);
	if (err)
		return no_room(c, err, "sources", "");
	err = access_publish(c->p->tables->access, entries, n);
	free(entries);
	return err ? no_room(c, err, "sources", "") : 0;
}

/* Everything that may fail. What it leaves undone cannot fail. */
static int prepare(struct change *c)
{
	int err = add_trunks_and_endpoints(c);

	if (!err)
		err = compile_profiles(c);
	if (!err)
		err = update_trunks(c);
	if (!err)
		err = build_domains(c);
	if (!err) {
		c->numbers_begun = true;
		err = publish_numbers(c, c->from, c->to, false);
	}
	return err ? err : publish_access(c);
}

static void step_back(struct change *c, const struct undo *u)
{
	struct publisher *p = c->p;
	struct endpoint_config config;

	switch (u->kind) {
	case UNDO_TRUNK_ADD:
		removals_add(p->removals, REMOVAL_TRUNK, u->slot, (uint32_t)u->key);
		u64map_delete(p->trunks, u->key);
		break;
	case UNDO_TRUNK_UPDATE:
		write_trunk(c, c->from, u->was);
		break;
	case UNDO_ENDPOINT_ADD:
		removals_add(p->removals, REMOVAL_ENDPOINT, u->slot, 0);
		u64map_delete(p->endpoints, u->key);
		break;
	case UNDO_ENDPOINT_UPDATE:
		config = endpoint_config(model_trunk_by_id(c->from, (uint32_t)(u->key >> 32)), u->was, publish_trunk_slot(p, (uint32_t)(u->key >> 32)));
		endpoints_update(p->tables->endpoints, u->slot, &config);
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
	for (uint32_t i = 0; i < c->from->trunk_count; i++) {
		const struct model_trunk *was = &c->from->trunks[i], *is = model_trunk_by_id(c->to, was->id);

		if (!is) {
			removals_add(p->removals, REMOVAL_TRUNK, publish_trunk_slot(p, was->id), was->id);
			u64map_delete(p->trunks, was->id);
		}
		for (unsigned j = 0; j < was->endpoint_count; j++) {
			if (endpoint_of(is, was->endpoints[j].id))
				continue;
			removals_add(p->removals, REMOVAL_ENDPOINT, publish_endpoint_slot(p, was->id, was->endpoints[j].id), 0);
			u64map_delete(p->endpoints, publish_pair(was->id, was->endpoints[j].id));
		}
	}
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
