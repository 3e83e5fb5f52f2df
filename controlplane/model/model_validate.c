/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/model.h"
#include "model/number_map.h"
#include "model/u64map.h"
#include "sip/via.h"

/* The checks that need the whole model: every name resolves, none is used twice, the tables have room. */

static int no_memory(char *error)
{
	return error_set(error, -ERR_NOMEM, "out of memory");
}

static int index_trunks(struct model *m, char *error)
{
	for (uint32_t i = 0; i < m->trunk_count; i++) {
		const struct model_trunk *t = &m->trunks[i], *other = model_trunk_by_id(m, t->id);

		if (other && strcasecmp(other->name, t->name) == 0)
			return error_set(error, -ERR_INVALID, "trunks[%u].name: there are two trunks named %s", i, t->name);
		if (other)
			return error_set(error, -ERR_INVALID, "trunks[%u].name: %s hashes to the same id as %s: choose another name",
					 i, t->name, other->name);
		if (u64map_set(m->trunk_index, t->id, i))
			return no_memory(error);
	}
	return 0;
}

static int index_profiles(struct model *m, char *error)
{
	for (uint32_t i = 0; i < m->profile_count; i++) {
		const struct model_profile *p = &m->profiles[i], *other = model_profile_by_id(m, p->id);

		if (other && strcasecmp(other->name, p->name) == 0)
			return error_set(error, -ERR_INVALID, "profiles[%u].name: there are two profiles named %s", i, p->name);
		if (other)
			return error_set(error, -ERR_INVALID, "profiles[%u].name: %s hashes to the same id as %s: choose another name",
					 i, p->name, other->name);
		if (u64map_set(m->profile_index, p->id, i))
			return no_memory(error);
	}
	return 0;
}

struct owned_prefix {
	struct ip_prefix prefix;
	uint32_t trunk, source;
};

static int compare_prefixes(const void *a, const void *b)
{
	const struct owned_prefix *x = a, *y = b;
	int order = memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));

	if (order)
		return order;
	return x->trunk < y->trunk ? -1 : x->trunk > y->trunk;
}

/* A source may belong to one trunk only: else whoever is listed last would silently win. */
static int check_sources(const struct model *m, char *error)
{
	uint32_t n = 0, k = 0;
	struct owned_prefix *all;
	int err = 0;

	for (uint32_t i = 0; i < m->trunk_count; i++)
		n += m->trunks[i].source_count;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return no_memory(error);
	for (uint32_t i = 0; i < m->trunk_count; i++)
		for (uint32_t j = 0; j < m->trunks[i].source_count; j++, k++)
			all[k] = (struct owned_prefix){ .prefix = m->trunks[i].sources[j], .trunk = i, .source = j };
	qsort(all, n, sizeof(*all), compare_prefixes);
	for (k = 1; k < n && !err; k++) {
		char text[IP_TEXT_MAX + 2];

		if (memcmp(&all[k - 1].prefix, &all[k].prefix, sizeof(all[k].prefix)) != 0)
			continue;
		ip_format(&all[k].prefix.ip, false, text);
		err = error_set(error, -ERR_INVALID, "trunks[%u].sources[%u]: %s/%u already belongs to trunk %s", all[k].trunk,
				all[k].source, text, all[k].prefix.length, m->trunks[all[k - 1].trunk].name);
	}
	free(all);
	return err;
}

/* What no listener could send to would fail every call. Where DNS says what a name stands for, the resolver leaves out what nobody reaches. */
static int check_reach(const struct model_trunk *t, uint32_t i, uint32_t listeners, char *error)
{
	char text[IP_PORT_TEXT_MAX];

	for (unsigned j = 0; j < t->endpoint_count; j++) {
		const struct model_endpoint *e = &t->endpoints[j];

		if (listeners & LISTENS(e->transport, e->addr.ip.family))
			continue;
		ip_port_format(&e->addr, text);
		return error_set(error, -ERR_INVALID, "trunks[%u].endpoints: %s of trunk %s: there is no listener for %s over IPv%u to reach it from", i, text,
				 t->name, transport_name(e->transport), e->addr.ip.family);
	}
	for (unsigned j = 0; j < t->host_count; j++) {
		const struct model_host *h = &t->hosts[j];

		if (h->transport != TRANSPORT_UNSAID && !(listeners & LISTENS_TO(h->transport)))
			return error_set(error, -ERR_INVALID, "trunks[%u].endpoints: %s of trunk %s: there is no listener for %s to reach it from", i, h->name,
					 t->name, transport_name(h->transport));
	}
	return 0;
}

static int check_trunks(const struct model *m, const struct model_limits *limits, char *error)
{
	for (uint32_t i = 0; i < m->trunk_count; i++) {
		const struct model_trunk *t = &m->trunks[i];

		if (t->profile[0] && !model_profile(m, t->profile))
			return error_set(error, -ERR_INVALID, "trunks[%u].profile: no profile named %s", i, t->profile);
		if (limits->listeners && check_reach(t, i, limits->listeners, error))
			return -ERR_INVALID;
	}
	return check_sources(m, error);
}

static int check_profiles(const struct model *m, char *error)
{
	for (uint32_t i = 0; i < m->profile_count; i++) {
		const struct model_profile *p = &m->profiles[i];

		for (unsigned j = 0; j < p->target_count; j++)
			if (!model_trunk(m, p->targets[j].trunk))
				return error_set(error, -ERR_INVALID, "profiles[%u].targets[%u].trunk: no trunk named %s", i, j,
						 p->targets[j].trunk);
	}
	return 0;
}

/* Domains are sorted by name, so equal ones are neighbours. */
static int check_domains(const struct model *m, char *error)
{
	for (uint32_t i = 0; i < m->domain_count; i++) {
		const struct model_domain *d = &m->domains[i];

		if (!model_profile_by_id(m, d->profile_id))
			return error_set(error, -ERR_INVALID, "domains: %s names a profile that does not exist", d->name);
		if (i && strcmp(d[-1].name, d->name) == 0)
			return error_set(error, -ERR_INVALID, "domains: %s is listed twice", d->name);
	}
	return 0;
}

/* Walks the profiles that numbers use, not the numbers: millions of them may hang on a few profiles. */
static int check_users(const struct model *m, const struct number_map *map, const char *what, char *error)
{
	uint64_t cursor = 0;
	uint32_t id;
	e164 number;

	while (number_map_next_user(map, &cursor, &id)) {
		char text[E164_TEXT_MAX] = "", more[32] = "";
		uint32_t profile, others = number_map_users(map, id) - 1;
		uint64_t at = 0;

		if (model_profile_by_id(m, id))
			continue;
		while (number_map_next(map, &at, &number, &profile))
			if (profile == id) {
				e164_format(number, text);
				break;
			}
		if (others)
			snprintf(more, sizeof(more), " (and %u more)", others);
		return error_set(error, -ERR_INVALID, "numbers: %s %s%s names a profile that does not exist", what, text, more);
	}
	return 0;
}

static int check_limits(const struct model *m, const struct model_limits *limits, char *error)
{
	uint32_t endpoints = 0;

	for (uint32_t i = 0; i < m->trunk_count; i++)
		endpoints += m->trunks[i].endpoint_count;

	const struct {
		const char *section, *limit;
		uint32_t have, most;
	} bounds[] = {
		{ "trunks", "trunks", m->trunk_count, limits->trunks },
		{ "trunks", "endpoints", endpoints, limits->endpoints },
		{ "profiles", "profiles", m->profile_count, limits->profiles },
		{ "numbers", "numbers", number_map_count(m->numbers), limits->numbers },
		{ "numbers", "prefixes", number_map_count(m->prefixes), limits->prefixes },
	};
	for (unsigned i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (bounds[i].have > bounds[i].most)
			return error_set(error, -ERR_FULL, "%s: %u %s, but limits.%s is %u", bounds[i].section, bounds[i].have,
					 bounds[i].limit, bounds[i].limit, bounds[i].most);
	return 0;
}

int model_reindex(struct model *m, char *error)
{
	int err;

	u64map_free(m->trunk_index);
	u64map_free(m->profile_index);
	m->trunk_index = u64map_new(m->trunk_count);
	m->profile_index = u64map_new(m->profile_count);
	if (!m->trunk_index || !m->profile_index)
		return no_memory(error);
	err = index_trunks(m, error);
	return err ? err : index_profiles(m, error);
}

int model_validate(struct model *m, const struct model_limits *limits, char *error)
{
	int err = model_reindex(m, error);

	if (!err)
		err = check_trunks(m, limits, error);
	if (!err)
		err = check_profiles(m, error);
	if (!err)
		err = check_domains(m, error);
	if (!err)
		err = check_users(m, m->numbers, "number", error);
	if (!err)
		err = check_users(m, m->prefixes, "prefix", error);
	if (!err)
		err = check_limits(m, limits, error);
	return err;
}
