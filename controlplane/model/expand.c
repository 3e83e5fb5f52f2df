/* SPDX-License-Identifier: Apache-2.0 */
#include "model/expand.h"

#include <string.h>

#include "model/model.h"
#include "tables/endpoints.h"

/* A record of weight 0 stays one; no other becomes one. */
static uint16_t weigh(uint16_t record, uint16_t percent)
{
	uint32_t weight = ((uint32_t)record * percent + 50) / 100;

	if (!weight && record && percent)
		return 1;
	return weight > UINT16_MAX ? UINT16_MAX : (uint16_t)weight;
}

static bool has_endpoint(const struct model_trunk *t, uint32_t id)
{
	for (unsigned i = 0; i < t->endpoint_count; i++)
		if (t->endpoints[i].id == id)
			return true;
	return false;
}

/* false: there is no room. */
static bool add_located(struct model_trunk *t, unsigned host, const struct located *l, uint32_t *room)
{
	const struct model_host *h = &t->hosts[host];
	struct model_endpoint *e = &t->endpoints[t->endpoint_count];
	uint32_t id = endpoint_id(t->id, &l->addr, l->transport), priority = (uint32_t)l->priority + h->priority;

	if (has_endpoint(t, id))
		return true;
	if (t->endpoint_count == TRUNK_ENDPOINTS_MAX || !*room)
		return false;
	e->addr.ip = l->addr.ip; /* member by member: whole trunks are compared, and padding must not differ */
	e->addr.port = l->addr.port;
	e->transport = l->transport;
	e->by_host = (uint8_t)(host + 1);
	e->priority = priority > UINT16_MAX ? UINT16_MAX : (uint16_t)priority;
	e->weight = weigh(l->weight, h->weight);
	e->id = id;
	t->endpoint_count++;
	--*room;
	return true;
}

void expand_former(struct model_trunk *t, const struct ip_port *addr)
{
	uint32_t id = endpoint_id(t->id, addr, 0);

	if (t->former_count == TRUNK_FORMER_MAX || has_endpoint(t, id))
		return;
	for (unsigned i = 0; i < t->former_count; i++)
		if (t->former[i].id == id)
			return;
	t->former[t->former_count].id = id;
	t->former[t->former_count].addr.ip = addr->ip;
	t->former[t->former_count++].addr.port = addr->port;
}

static void expand_trunk(struct model_trunk *t, const struct names *names, uint32_t *room, uint32_t *left_out)
{
	for (unsigned h = 0; h < t->host_count; h++) {
		struct located_list list = { .count = 0 };

		names->find(names->ctx, &t->hosts[h], &list);
		for (unsigned i = 0; i < list.count; i++)
			*left_out += !add_located(t, h, &list.now[i], room);
	}
	for (unsigned h = 0; h < t->host_count; h++) { /* when it is known what is no former one */
		struct located_list list = { .count = 0 };

		names->find(names->ctx, &t->hosts[h], &list);
		for (unsigned i = 0; i < list.former_count; i++)
			expand_former(t, &list.former[i]);
	}
}

struct model *model_expand(const struct model *m, const struct names *names, uint32_t most_endpoints, uint32_t *ret_left_out)
{
	struct model *x = model_copy(m);
	uint32_t configured = 0, room;

	*ret_left_out = 0;
	if (!x || !names)
		return x;
	for (uint32_t i = 0; i < x->trunk_count; i++)
		configured += x->trunks[i].endpoint_count;
	room = most_endpoints > configured ? most_endpoints - configured : 0;
	for (uint32_t i = 0; i < x->trunk_count; i++)
		if (x->trunks[i].host_count)
			expand_trunk(&x->trunks[i], names, &room, ret_left_out);
	return x;
}

static bool is_unknown(const struct model_host *h, const struct names *names)
{
	struct located_list list = { .count = 0 };

	names->find(names->ctx, h, &list);
	return list.unknown;
}

static void hold(struct model_trunk *t, const struct model_trunk *was, const struct names *names)
{
	unsigned h = 0;

	while (h < t->host_count && !is_unknown(&t->hosts[h], names))
		h++;
	if (h == t->host_count)
		return;
	for (unsigned i = 0; i < was->endpoint_count; i++) {
		t->endpoints[i] = was->endpoints[i];
		t->endpoints[i].by_host = (uint8_t)(h + 1);
	}
	t->endpoint_count = was->endpoint_count;
}

void expand_hold(struct model *expanded, const struct model *before, const struct names *names)
{
	for (uint32_t i = 0; i < expanded->trunk_count; i++) {
		struct model_trunk *t = &expanded->trunks[i], *was = t->endpoint_count ? NULL : model_trunk_by_id(before, t->id);

		if (was)
			hold(t, was, names);
	}
}

bool model_same_trunks(const struct model *a, const struct model *b)
{
	return a->trunk_count == b->trunk_count && (!a->trunk_count || !memcmp(a->trunks, b->trunks, a->trunk_count * sizeof(*a->trunks)));
}
