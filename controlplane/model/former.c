/* SPDX-License-Identifier: Apache-2.0 */
#include "model/former.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "model/expand.h"
#include "model/model.h"

struct former {
	uint32_t trunk_id;
	struct ip_port addr;
	uint64_t left_s;
};

struct gone {
	struct model_trunk trunk;
	uint64_t left_s;
};

/* Each list has the oldest first. */
struct formers {
	uint32_t keep_s, count, gone_count;
	struct former list[FORMERS_MAX];
	struct gone *gone[TRUNKS_GONE_MAX];
};

struct formers *formers_new(uint32_t keep_s)
{
	struct formers *f = calloc(1, sizeof(*f));

	if (f)
		f->keep_s = keep_s;
	return f;
}

void formers_free(struct formers *f)
{
	for (uint32_t i = 0; f && i < f->gone_count; i++)
		free(f->gone[i]);
	free(f);
}

static void take_out(struct formers *f, uint32_t at)
{
	f->count--;
	memmove(&f->list[at], &f->list[at + 1], (f->count - at) * sizeof(f->list[0]));
}

static void put(struct formers *f, uint32_t trunk_id, const struct ip_port *addr, uint64_t now_s)
{
	for (uint32_t i = f->count; i-- > 0;)
		if (f->list[i].trunk_id == trunk_id && ip_port_eq(&f->list[i].addr, addr))
			take_out(f, i);
	if (f->count == FORMERS_MAX)
		take_out(f, 0);
	f->list[f->count++] = (struct former){ trunk_id, *addr, now_s };
}

static void take_out_gone(struct formers *f, uint32_t at)
{
	free(f->gone[at]);
	f->gone_count--;
	memmove(&f->gone[at], &f->gone[at + 1], (f->gone_count - at) * sizeof(f->gone[0]));
}

/* As whom they must be verified still, where they were reached by TLS: its hosts' names go with it. */
static void put_tls(struct model_trunk *gone, const struct model_trunk *was)
{
	if (!model_speaks_tls(was))
		return;
	gone->tls = was->tls;
	gone->tls.given |= TRUNK_TLS_NAME;
	if (!gone->tls.name[0] && was->host_count)
		memcpy(gone->tls.name, was->hosts[0].name, sizeof(gone->tls.name));
}

/* Its endpoints are former ones by now. Where there is no memory it is as if it had been forgotten. */
static void put_gone(struct formers *f, const struct model_trunk *was, uint64_t now_s)
{
	struct gone *g = calloc(1, sizeof(*g));

	if (!g)
		return;
	for (uint32_t i = f->gone_count; i-- > 0;)
		if (f->gone[i]->trunk.id == was->id)
			take_out_gone(f, i);
	if (f->gone_count == TRUNKS_GONE_MAX)
		take_out_gone(f, 0);
	g->trunk.id = was->id;
	memcpy(g->trunk.name, was->name, sizeof(was->name));
	put_tls(&g->trunk, was);
	g->trunk.gone = true;
	g->trunk.source_count = was->source_count;
	memcpy(g->trunk.sources, was->sources, sizeof(was->sources));
	g->left_s = now_s;
	f->gone[f->gone_count++] = g;
}

static bool is_endpoint(const struct model_trunk *t, const struct ip_port *addr)
{
	for (unsigned i = 0; t && i < t->endpoint_count; i++)
		if (ip_port_eq(&t->endpoints[i].addr, addr))
			return true;
	return false;
}

static bool same_hosts(const struct model_trunk *a, const struct model_trunk *b)
{
	return b && a->host_count == b->host_count && memcmp(a->hosts, b->hosts, sizeof(a->hosts)) == 0;
}

void formers_note(struct formers *f, const struct model *from, const struct model *to, uint64_t now_s)
{
	while (f->count && f->list[0].left_s + f->keep_s <= now_s)
		take_out(f, 0);
	while (f->gone_count && f->gone[0]->left_s + f->keep_s <= now_s)
		take_out_gone(f, 0);
	for (uint32_t i = 0; i < from->trunk_count; i++) {
		const struct model_trunk *was = &from->trunks[i], *is = model_trunk_by_id(to, was->id);

		if (was->gone)
			continue; /* what there is of it was noted when it went */
		if (!is)
			put_gone(f, was, now_s);
		/* What its names remember goes with them. */
		for (unsigned k = same_hosts(was, is) ? 0 : was->former_count; k-- > 0;)
			put(f, was->id, &was->former[k].addr, now_s);
		for (unsigned k = was->endpoint_count; k-- > 0;)
			if (!is_endpoint(is, &was->endpoints[k].addr))
				put(f, was->id, &was->endpoints[k].addr, now_s);
	}
}

int formers_lay_over(const struct formers *f, struct model *expanded, uint64_t now_s)
{
	for (uint32_t i = f->gone_count; i-- > 0;)
		if (f->gone[i]->left_s + f->keep_s > now_s && !model_trunk_by_id(expanded, f->gone[i]->trunk.id) &&
		    model_trunk_append(expanded, &f->gone[i]->trunk))
			return -ERR_NOMEM;
	for (uint32_t i = f->count; i-- > 0;) {
		struct model_trunk *t = model_trunk_by_id(expanded, f->list[i].trunk_id);

		if (t && f->list[i].left_s + f->keep_s > now_s)
			expand_former(t, &f->list[i].addr);
	}
	return 0;
}
