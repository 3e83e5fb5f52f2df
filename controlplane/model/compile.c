/* SPDX-License-Identifier: Apache-2.0 */
#include "model/compile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/model.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/profiles.h"
#include "tables/ranges.h"
#include "tables/trunks.h"

/* What profile_target_source points to, for one target. */
struct endpoint_lists {
	uint32_t slots[TRUNK_ENDPOINTS_MAX], ids[TRUNK_ENDPOINTS_MAX];
	uint16_t priorities[TRUNK_ENDPOINTS_MAX], weights[TRUNK_ENDPOINTS_MAX];
};

static int compare_priority(const void *a, const void *b)
{
	const struct model_endpoint *const *x = a, *const *y = b;

	if ((*x)->priority != (*y)->priority)
		return (*x)->priority < (*y)->priority ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

static void list_endpoints(const struct model_trunk *t, const struct compile_slots *slots, struct endpoint_lists *lists)
{
	const struct model_endpoint *sorted[TRUNK_ENDPOINTS_MAX];

	for (unsigned i = 0; i < t->endpoint_count; i++)
		sorted[i] = &t->endpoints[i];
	qsort(sorted, t->endpoint_count, sizeof(sorted[0]), compare_priority);
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		lists->slots[i] = slots->endpoint(slots->ctx, t->id, sorted[i]->id);
		lists->ids[i] = sorted[i]->id;
		lists->priorities[i] = sorted[i]->priority;
		lists->weights[i] = sorted[i]->weight;
	}
}

unsigned compile_tier(const struct model_profile *p, const char *node_region, const char *target_region)
{
	unsigned tier = 0, others = UINT_MAX;

	if (node_region && node_region[0]) {
		if (strcasecmp(target_region, node_region) == 0)
			return 0;
		tier = 1;
	}
	for (unsigned i = 0; i < p->region_count; i++) {
		if (node_region && strcasecmp(p->regions[i], node_region) == 0)
			continue;
		if (target_region[0] && strcasecmp(p->regions[i], target_region) == 0)
			return tier;
		if (strcmp(p->regions[i], "*") == 0)
			others = tier;
		tier++;
	}
	return others == UINT_MAX ? tier : others;
}

struct profile *compile_profile(const struct model *m, const struct model_profile *p, const struct compile_slots *slots)
{
	struct profile_target_source targets[PROFILE_TARGETS_MAX];
	struct endpoint_lists *lists = calloc(PROFILE_TARGETS_MAX, sizeof(*lists));
	struct profile_source source = {
		.name = p->name, .strategy = p->strategy, .knobs = p->knobs, .target_count = p->target_count, .targets = targets,
		.loads = slots->loads,
	};
	struct profile *compiled;

	if (!lists)
		return NULL;
	for (unsigned i = 0; i < p->target_count; i++) {
		const struct model_target *t = &p->targets[i];
		const struct model_trunk *trunk = model_trunk_by_id(m, t->trunk_id);

		list_endpoints(trunk, slots, &lists[i]);
		targets[i] = (struct profile_target_source){
			.trunk_slot = slots->trunk(slots->ctx, t->trunk_id),
			.target_slot = slots->target(slots->ctx, p->id, t->trunk_id),
			.stable_id = t->trunk_id,
			.position = t->position,
			.weight = t->weight,
			.enabled = t->enabled && !t->drain.since_s,
			.endpoint_count = trunk->endpoint_count,
			.endpoints = lists[i].slots,
			.priorities = lists[i].priorities,
			.weights = lists[i].weights,
			.tier = (uint8_t)compile_tier(p, slots->region, t->region),
			.max_calls = t->max_calls,
			.max_cps = t->max_cps,
			.endpoint_ids = lists[i].ids,
		};
	}
	compiled = profile_compile(&source);
	free(lists);
	return compiled;
}

void compile_trunk(const struct model *m, const struct model_trunk *t, const struct number_plan *default_plan,
		   const struct compile_slots *slots, struct trunk *ret)
{
	const struct model_profile *profile = t->profile[0] ? model_profile(m, t->profile) : NULL;

	memset(ret, 0, sizeof(*ret));
	ret->id = t->id;
	memcpy(ret->name, t->name, sizeof(ret->name));
	ret->profile_slot = profile ? slots->profile(slots->ctx, profile->id) : PROFILE_NONE;
	ret->plan = t->has_plan ? t->plan : *default_plan;
	ret->request_uri = t->request_uri;
	ret->large_requests = t->large_requests;
	ret->connection_reuse = t->connection_reuse;
	memcpy(ret->host, t->host, sizeof(ret->host));
	ret->endpoint_count = t->endpoint_count;
	for (unsigned i = 0; i < t->endpoint_count; i++)
		ret->endpoints[i] = slots->endpoint(slots->ctx, t->id, t->endpoints[i].id);
	ret->prefix_count = t->source_count;
	memcpy(ret->prefixes, t->sources, sizeof(ret->prefixes));
	ret->former_count = t->former_count;
	memcpy(ret->former, t->former, sizeof(ret->former));
}

int compile_access(const struct model *m, const struct compile_slots *slots, struct range_entry **ret_entries, size_t *ret_count)
{
	struct range_entry *list;
	size_t n = 0;

	for (uint32_t i = 0; i < m->trunk_count; i++)
		n += m->trunks[i].source_count;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ERR_NOMEM;
	n = 0;
	for (uint32_t i = 0; i < m->trunk_count; i++)
		for (unsigned j = 0; !m->trunks[i].gone && j < m->trunks[i].source_count; j++)
			list[n++] = (struct range_entry){ m->trunks[i].sources[j], slots->trunk(slots->ctx, m->trunks[i].id) };
	*ret_entries = list;
	*ret_count = n;
	return 0;
}

int compile_domains(const struct model *m, const struct compile_slots *slots, struct domain_entry **ret_entries, size_t *ret_count)
{
	struct domain_entry *list = calloc(m->domain_count + 1, sizeof(*list));

	if (!list)
		return -ERR_NOMEM;
	for (uint32_t i = 0; i < m->domain_count; i++)
		list[i] = (struct domain_entry){ m->domains[i].name, slots->profile(slots->ctx, m->domains[i].profile_id) };
	*ret_entries = list;
	*ret_count = m->domain_count;
	return 0;
}

static uint32_t any_slot(const void *ctx, uint32_t id)
{
	return 0;
}

static uint32_t any_pair(const void *ctx, uint32_t a, uint32_t b)
{
	return 0;
}

int compile_check(const struct model *m, char *error)
{
	const struct compile_slots slots = { any_slot, any_slot, any_pair, any_pair, NULL, NULL, NULL };
	struct domain_entry *entries;
	struct domains *domains;
	size_t n;

	for (uint32_t i = 0; i < m->profile_count; i++) {
		struct profile *compiled = compile_profile(m, &m->profiles[i], &slots);

		if (!compiled)
			return error_set(error, -ERR_NOMEM, "profiles[%u]: does not compile: out of memory", i);
		profile_free(compiled);
	}
	if (compile_domains(m, &slots, &entries, &n))
		return error_set(error, -ERR_NOMEM, "domains: out of memory");
	domains = domains_build(entries, n);
	free(entries);
	if (!domains)
		return error_set(error, -ERR_NOMEM, "domains: out of memory");
	domains_free(domains);
	return 0;
}
