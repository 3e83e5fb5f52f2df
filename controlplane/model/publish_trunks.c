/* SPDX-License-Identifier: Apache-2.0 */
#include "model/publish_trunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dataplane.h"
#include "model/model.h"
#include "model/removals.h"
#include "model/u64map.h"
#include "sip/via.h"
#include "tables/access.h"
#include "tables/endpoints.h"
#include "tables/profiles.h"
#include "tables/tables.h"
#include "tables/trunks.h"

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

static uint32_t tls_peer(const struct publisher *p, const struct model_trunk *t, const struct model_endpoint *e)
{
	return p->hooks.tls_peer && e->transport == TRANSPORT_TLS ? p->hooks.tls_peer(p->hooks.tls_ctx, t, e) : 0;
}

static struct endpoint_config endpoint_config(const struct publisher *p, const struct model_trunk *t, const struct model_endpoint *e)
{
	struct endpoint_config config = { .addr = e->addr, .transport = e->transport, .priority = e->priority, .weight = e->weight,
					  .id = e->id, .trunk_slot = publish_trunk_slot(p, t->id), .tls_peer = tls_peer(p, t, e) };

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
		return publish_no_room(c, err, "trunk", t->name);
	publish_step_done(c, UNDO_TRUNK_ADD, slot, t->id, NULL);
	return u64map_set(p->trunks, t->id, slot) ? publish_no_room(c, -ERR_NOMEM, "trunk", t->name) : 0;
}

static const struct model_endpoint *endpoint_of(const struct model_trunk *t, uint32_t id)
{
	for (unsigned i = 0; t && i < t->endpoint_count; i++)
		if (t->endpoints[i].id == id)
			return &t->endpoints[i];
	return NULL;
}

static bool same_config(const struct publisher *p, const struct model_trunk *from, const struct model_endpoint *was, const struct endpoint_config *is)
{
	char host[ENDPOINT_HOST_MAX];

	host_text(from, was, host);
	return was->priority == is->priority && was->weight == is->weight && strcmp(host, is->host) == 0 &&
	       tls_peer(p, from, was) == is->tls_peer;
}

/* A name server that gives out some of its records at a time takes endpoints away and brings them back all the time: that ends no ejection. */
static void remember_ejection(struct publisher *p, uint64_t key)
{
	const struct endpoint_live *live = endpoints_live(p->tables->endpoints, u64map_get(p->endpoints, key));
	struct ejected_gone *gone = &p->ejected[p->ejected_next % PUBLISH_EJECTED_MAX];
	uint64_t until = live ? atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed) : 0;

	if (until <= dataplane_now_ms())
		return;
	*gone = (struct ejected_gone){
		key,
		{ .now_ms = atomic_load_explicit(&live->ejected_ms, memory_order_relaxed), .until_ms = until,
		  .reason = (uint8_t)atomic_load_explicit(&live->eject_reason, memory_order_relaxed),
		  .status = (uint16_t)atomic_load_explicit(&live->eject_status, memory_order_relaxed),
		  .count = atomic_load_explicit(&live->eject_count, memory_order_relaxed) },
	};
	p->ejected_next++;
}

static void eject_again(struct publisher *p, uint64_t key, uint32_t slot)
{
	uint64_t now_ms = dataplane_now_ms();

	for (unsigned i = 0; i < PUBLISH_EJECTED_MAX; i++)
		if (p->ejected[i].key == key && p->ejected[i].ejection.until_ms > now_ms)
			endpoint_eject(p->tables->endpoints, slot, &p->ejected[i].ejection);
}

static int put_endpoint(struct change *c, const struct model_trunk *t, const struct model_endpoint *e)
{
	struct publisher *p = c->p;
	const struct model_trunk *from = model_trunk_by_id(c->from, t->id);
	const struct model_endpoint *was = endpoint_of(from, e->id);
	struct endpoint_config config = endpoint_config(p, t, e);
	uint64_t key = publish_pair(t->id, e->id);
	uint32_t slot;
	int err;

	if (was) {
		if (same_config(p, from, was, &config))
			return 0;
		slot = u64map_get(p->endpoints, key);
		err = endpoints_update(p->tables->endpoints, slot, &config);
		if (err)
			return publish_no_room(c, err, "endpoint of trunk", t->name);
		publish_step_done(c, UNDO_ENDPOINT_UPDATE, slot, key, was);
		return 0;
	}
	err = endpoints_add(p->tables->endpoints, &config, &slot);
	if (err)
		return publish_no_room(c, err, "endpoint of trunk", t->name);
	publish_step_done(c, UNDO_ENDPOINT_ADD, slot, key, NULL);
	eject_again(p, key, slot);
	return u64map_set(p->endpoints, key, slot) ? publish_no_room(c, -ERR_NOMEM, "endpoint of trunk", t->name) : 0;
}

bool publish_trunks_same_endpoints(const struct model_trunk *a, const struct model_trunk *b)
{
	return a->endpoint_count == b->endpoint_count && memcmp(a->endpoints, b->endpoints, sizeof(a->endpoints)) == 0 &&
	       a->host_count == b->host_count && memcmp(a->hosts, b->hosts, sizeof(a->hosts)) == 0;
}

static bool same_tls(const struct model_trunk *a, const struct model_trunk *b)
{
	return memcmp(&a->tls, &b->tls, sizeof(a->tls)) == 0;
}

static bool same_sources(const struct model_trunk *a, const struct model_trunk *b)
{
	return a->source_count == b->source_count && memcmp(a->sources, b->sources, sizeof(a->sources)) == 0;
}

int publish_trunks_add(struct change *c)
{
	for (uint32_t i = 0; i < c->to->trunk_count; i++) {
		const struct model_trunk *t = &c->to->trunks[i], *was = model_trunk_by_id(c->from, t->id);
		int err = was ? 0 : add_trunk(c, t);

		if (!was || was->gone != t->gone || !same_sources(was, t))
			c->access_changed = true;
		for (unsigned j = 0; !err && (!was || !publish_trunks_same_endpoints(was, t) || !same_tls(was, t)) && j < t->endpoint_count; j++)
			err = put_endpoint(c, t, &t->endpoints[j]);
		if (err)
			return err;
	}
	return 0;
}

/* Dialogs that live where an endpoint was go there as to one that is there. */
static void set_former_peers(const struct publisher *p, const struct model_trunk *t, struct trunk *compiled)
{
	for (unsigned i = 0; model_speaks_tls(t) && i < t->former_count; i++) {
		const struct model_endpoint e = model_former_by_tls(t, i);

		compiled->former[i].tls_peer = tls_peer(p, t, &e);
	}
}

static int write_trunk(struct change *c, const struct model *m, const struct model_trunk *t)
{
	struct trunk compiled;

	compile_trunk(m, t, &c->p->default_plan, &c->slots, &compiled);
	set_former_peers(c->p, t, &compiled);
	return trunks_update(c->p->tables->trunks, publish_trunk_slot(c->p, t->id), &compiled);
}

int publish_trunks_update(struct change *c)
{
	for (uint32_t i = 0; i < c->to->trunk_count; i++) {
		const struct model_trunk *t = &c->to->trunks[i], *was = model_trunk_by_id(c->from, t->id);
		int err;

		if (was && memcmp(was, t, sizeof(*t)) == 0)
			continue;
		err = write_trunk(c, c->to, t);
		if (err)
			return publish_no_room(c, err, "trunk", t->name);
		if (was)
			publish_step_done(c, UNDO_TRUNK_UPDATE, 0, t->id, was);
	}
	return 0;
}

int publish_trunks_access(struct change *c)
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
		return publish_no_room(c, err, "sources", "");
	err = access_publish(c->p->tables->access, entries, n);
	free(entries);
	return err ? publish_no_room(c, err, "sources", "") : 0;
}

void publish_trunks_step_back(struct change *c, const struct undo *u)
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
		config = endpoint_config(p, model_trunk_by_id(c->from, (uint32_t)(u->key >> 32)), u->was);
		endpoints_update(p->tables->endpoints, u->slot, &config);
		break;
	default:
		break;
	}
}

void publish_trunks_remove_gone(struct change *c)
{
	struct publisher *p = c->p;

	for (uint32_t i = 0; i < c->from->trunk_count; i++) {
		const struct model_trunk *was = &c->from->trunks[i], *is = model_trunk_by_id(c->to, was->id);

		if (!is) {
			removals_add(p->removals, REMOVAL_TRUNK, publish_trunk_slot(p, was->id), was->id);
			u64map_delete(p->trunks, was->id);
		}
		for (unsigned j = 0; j < was->endpoint_count; j++) {
			if (endpoint_of(is, was->endpoints[j].id))
				continue;
			remember_ejection(p, publish_pair(was->id, was->endpoints[j].id));
			removals_add(p->removals, REMOVAL_ENDPOINT, publish_endpoint_slot(p, was->id, was->endpoints[j].id), 0);
			u64map_delete(p->endpoints, publish_pair(was->id, was->endpoints[j].id));
		}
	}
}
