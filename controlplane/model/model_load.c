/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "error.h"
#include "model/fields.h"
#include "model/model.h"
#include "model/number_map.h"
#include "model/routing_schema.h"
#include "sip/via.h"
#include "tables/endpoints.h"

/* From what was written to a model. */

int model_load_plan(const struct raw_plan *raw, const char *path, struct number_plan *ret, char *error)
{
	struct number_plan plan;
	const struct {
		const char *key, *text;
	} rules[] = { { "country_code", raw->country_code },
		      { "international_prefix", raw->international_prefix },
		      { "national_prefix", raw->national_prefix } };
	int err;

	memset(&plan, 0, sizeof(plan));
	for (unsigned i = 0; i < 3; i++)
		if (rules[i].text && strspn(rules[i].text, "0123456789") != strlen(rules[i].text))
			return error_set(error, -ERR_INVALID, "%s.%s: '%.64s' has other characters than digits", path, rules[i].key,
					 rules[i].text);
	err = field_text(raw->country_code, path, "country_code", plan.country_code, sizeof(plan.country_code), error);
	if (!err)
		err = field_text(raw->international_prefix, path, "international_prefix", plan.international_prefix,
				 sizeof(plan.international_prefix), error);
	if (!err)
		err = field_text(raw->national_prefix, path, "national_prefix", plan.national_prefix, sizeof(plan.national_prefix), error);
	if (!err && plan.national_prefix[0] && !plan.country_code[0])
		err = error_set(error, -ERR_INVALID, "%s.national_prefix: needs a country_code", path);
	if (!err)
		*ret = plan;
	return err;
}

static const char *const transports[] = { "udp", "tcp", "tls", NULL }; /* in the order of enum sip_transport */

static int load_host(const struct raw_endpoint *raw, const char *path, struct model_host *ret, char *error)
{
	int64_t port, priority, weight;
	struct ip_addr ip;
	int transport, err;

	if (ip_parse(span_str(raw->host), &ip) == 0)
		return error_set(error, -ERR_INVALID, "%s.host: '%.64s' is an address: write it as `address`", path, raw->host);
	if (!host_name_read(raw->host, ret->name))
		return error_set(error, -ERR_INVALID, "%s.host: '%.64s' is not a host name", path, raw->host);
	err = field_integer(raw->port, 0, raw->port ? 1 : 0, 65535, path, "port", &port, error);
	if (!err)
		err = field_choice(raw->transport, -1, transports, path, "transport", &transport, error);
	if (!err)
		err = field_integer(raw->priority, 0, 0, 65535, path, "priority", &priority, error);
	if (!err)
		err = field_integer(raw->weight, 100, 0, 65535, path, "weight", &weight, error);
	if (err)
		return err;
	ret->port = (uint16_t)port;
	ret->transport = transport < 0 ? TRANSPORT_UNSAID : (uint8_t)transport;
	ret->priority = (uint16_t)priority;
	ret->weight = (uint16_t)weight;
	return 0;
}

static int load_endpoint(const struct raw_endpoint *raw, uint32_t trunk, const char *path, struct model_endpoint *ret, char *error)
{
	int64_t port, priority, weight;
	int transport, err;

	if (ip_parse(span_str(raw->address), &ret->addr.ip))
		return error_set(error, -ERR_INVALID, "%s.address: '%.64s' is not an IP address", path, raw->address);
	err = field_choice(raw->transport, 0, transports, path, "transport", &transport, error);
	if (!err)
		err = field_integer(raw->port, transport_port((unsigned)transport), 1, 65535, path, "port", &port, error);
	if (!err)
		err = field_integer(raw->priority, 0, 0, 65535, path, "priority", &priority, error);
	if (!err)
		err = field_integer(raw->weight, 100, 0, 65535, path, "weight", &weight, error);
	if (err)
		return err;
	ret->addr.port = (uint16_t)port;
	ret->transport = (uint8_t)transport;
	ret->priority = (uint16_t)priority;
	ret->weight = (uint16_t)weight;
	ret->id = endpoint_id(trunk, &ret->addr, ret->transport);
	return 0;
}

static int add_host(const struct raw_endpoint *raw, const char *path, struct model_trunk *t, char *error)
{
	struct model_host *h = &t->hosts[t->host_count];
	int err;

	if (t->host_count == TRUNK_HOSTS_MAX)
		return error_set(error, -ERR_FULL, "%s.host: a trunk has at most %d host names", path, TRUNK_HOSTS_MAX);
	err = load_host(raw, path, h, error);
	for (unsigned j = 0; !err && j < t->host_count; j++)
		if (strcmp(t->hosts[j].name, h->name) == 0 && t->hosts[j].port == h->port && t->hosts[j].transport == h->transport)
			err = error_set(error, -ERR_INVALID, "%s.host: %s is listed twice", path, h->name);
	if (!err)
		t->host_count++;
	return err;
}

static int add_endpoint(const struct raw_endpoint *raw, const char *path, struct model_trunk *t, char *error)
{
	struct model_endpoint *e = &t->endpoints[t->endpoint_count];
	char text[IP_PORT_TEXT_MAX];
	int err = load_endpoint(raw, t->id, path, e, error);

	for (unsigned j = 0; !err && j < t->endpoint_count; j++)
		if (t->endpoints[j].id == e->id) {
			ip_port_format(&e->addr, text);
			err = error_set(error, -ERR_INVALID, "%s.address: %s is listed twice", path, text);
		}
	if (!err)
		t->endpoint_count++;
	return err;
}

static int load_endpoints(const struct raw_trunk *raw, const char *path, struct model_trunk *t, char *error)
{
	char where[96];

	if (raw->endpoints_count > TRUNK_ENDPOINTS_MAX)
		return error_set(error, -ERR_FULL, "%s.endpoints: more than %d", path, TRUNK_ENDPOINTS_MAX);
	for (uint32_t i = 0; i < raw->endpoints_count; i++) {
		const struct raw_endpoint *e = &raw->endpoints[i];
		int err;

		snprintf(where, sizeof(where), "%s.endpoints[%u]", path, i);
		if (!e->address == !e->host)
			return error_set(error, -ERR_INVALID, "%s: needs either address or host", where);
		err = e->host ? add_host(e, where, t, error) : add_endpoint(e, where, t, error);
		if (err)
			return err;
	}
	return 0;
}

static int load_sources(const struct raw_trunk *raw, const char *path, struct model_trunk *t, char *error)
{
	if (raw->sources_count > TRUNK_PREFIXES_MAX)
		return error_set(error, -ERR_FULL, "%s.sources: more than %d", path, TRUNK_PREFIXES_MAX);
	for (uint32_t i = 0; i < raw->sources_count; i++)
		if (ip_prefix_parse(span_str(raw->sources[i]), &t->sources[i]))
			return error_set(error, -ERR_INVALID,
					 "%s.sources[%u]: '%.64s' is not an address block (10.0.0.0/24, with no bit set beyond the length)",
					 path, i, raw->sources[i]);
	t->source_count = (uint16_t)raw->sources_count;
	return 0;
}

int model_load_trunk(const struct raw_trunk *raw, const char *path, struct model_trunk *ret, char *error)
{
	static const char *const uris[] = { "endpoint", "keep", NULL };
	const char *const large[] = { trunk_large_name(TRUNK_LARGE_AUTO), trunk_large_name(TRUNK_LARGE_TCP), trunk_large_name(TRUNK_LARGE_UDP), NULL };
	char where[96];
	int err, uri, size;

	memset(ret, 0, sizeof(*ret));
	err = field_name(raw->name, path, "name", ret->name, error);
	if (err)
		return err;
	ret->id = trunk_id(span_str(ret->name));
	err = load_endpoints(raw, path, ret, error);
	if (!err)
		err = load_sources(raw, path, ret, error);
	if (!err)
		err = field_name(raw->profile, path, "profile", ret->profile, error);
	if (!err)
		err = field_choice(raw->request_uri, 0, uris, path, "request_uri", &uri, error);
	if (!err)
		err = field_choice(raw->large_requests, 0, large, path, "large_requests", &size, error);
	if (!err)
		err = field_text(raw->host, path, "host", ret->host, sizeof(ret->host), error);
	if (err)
		return err;
	if (strpbrk(ret->host, " \t\r\n<>@;?\"/"))
		return error_set(error, -ERR_INVALID, "%s.host: '%.64s' is not a host name", path, ret->host);
	ret->request_uri = uri == 0 ? TRUNK_URI_ENDPOINT : TRUNK_URI_KEEP;
	ret->large_requests = (enum trunk_large)size;
	ret->connection_reuse = raw->connection_reuse && *raw->connection_reuse;
	snprintf(where, sizeof(where), "%s.probe", path);
	err = probe_settings_load(raw->probe, where, &ret->probe, error);
	snprintf(where, sizeof(where), "%s.tls", path);
	if (!err)
		err = trunk_tls_load(raw->tls, where, &ret->tls, error);
	if (err)
		return err;
	if (!raw->number_plan)
		return 0;
	ret->has_plan = true;
	snprintf(where, sizeof(where), "%s.number_plan", path);
	return model_load_plan(raw->number_plan, where, &ret->plan, error);
}

static int load_codes(const int64_t *codes, uint32_t n, bool present, const char *path, struct code_set *set, char *error)
{
	for (uint32_t i = 0; i < n; i++) {
		if (codes[i] < 400 || codes[i] > 699)
			return error_set(error, -ERR_INVALID, "%s.retry_codes.%s[%u]: %lld is not in 400..699", path,
					 present ? "add" : "remove", i, (long long)codes[i]);
		if (present && (codes[i] == 401 || codes[i] == 407 || codes[i] == 487))
			return error_set(error, -ERR_INVALID, "%s.retry_codes.add[%u]: %lld is always final", path, i,
					 (long long)codes[i]);
		code_set_put(set, (unsigned)codes[i], present);
	}
	return 0;
}

/* One row per clock or count, so that ranges stand in one place. */
static int load_knobs(const struct raw_profile *raw, const char *path, struct profile_knobs *k, char *error)
{
	static const char *const scopes[] = { "all", "target", NULL };
	int64_t response, progress, ring, budget, retries, attempts, code, retry_budget;
	const struct {
		const char *key;
		const int64_t *given;
		int64_t otherwise, min, max, *ret;
	} knobs[] = {
		{ "response_timeout_ms", raw->response_timeout_ms, k->response_timeout_ms, 0, 180000, &response },
		{ "progress_timeout_ms", raw->progress_timeout_ms, k->progress_timeout_ms, 0, 180000, &progress },
		{ "ring_timeout_s", raw->ring_timeout_s, k->ring_timeout_ms / 1000, 0, 180, &ring },
		{ "setup_budget_s", raw->setup_budget_s, k->setup_budget_ms / 1000, 0, 180, &budget },
		{ "max_retries", raw->max_retries, k->max_retries, 0, PROFILE_TARGETS_MAX - 1, &retries },
		{ "max_attempts", raw->max_attempts, k->max_attempts, 1, ATTEMPTS_MAX, &attempts },
		{ "exhausted_code", raw->exhausted_code, k->exhausted_code, 400, 699, &code },
		{ "retry_budget", raw->retry_budget, k->retry_budget, 0, 100, &retry_budget },
	};
	int scope, err = field_choice(raw->decline_scope, k->decline_ends_target, scopes, path, "decline_scope", &scope, error);

	for (unsigned i = 0; i < sizeof(knobs) / sizeof(knobs[0]) && !err; i++)
		err = field_integer(knobs[i].given, knobs[i].otherwise, knobs[i].min, knobs[i].max, path, knobs[i].key, knobs[i].ret, error);
	if (err)
		return err;
	k->response_timeout_ms = (uint32_t)response;
	k->progress_timeout_ms = (uint32_t)progress;
	k->ring_timeout_ms = (uint32_t)ring * 1000;
	k->setup_budget_ms = (uint32_t)budget * 1000;
	k->max_retries = (uint8_t)retries;
	k->max_attempts = (uint8_t)attempts;
	k->exhausted_code = (uint16_t)code;
	k->retry_budget = (uint8_t)retry_budget;
	k->decline_ends_target = scope == 1;
	if (raw->retry_after_progress)
		k->retry_after_progress = *raw->retry_after_progress;
	if (raw->follow_redirects)
		k->follow_redirects = *raw->follow_redirects;
	if (!raw->retry_codes)
		return 0;
	err = load_codes(raw->retry_codes->add, raw->retry_codes->add_count, true, path, &k->retry_codes, error);
	return err ? err : load_codes(raw->retry_codes->remove, raw->retry_codes->remove_count, false, path, &k->retry_codes, error);
}

/* Order and limits of one target. */
static int load_target(const struct raw_target *from, const char *where, struct model_target *t, char *error)
{
	int64_t position, weight, calls, cps;
	const struct {
		const char *key;
		const int64_t *given;
		int64_t otherwise, max, *ret;
	} numbers[] = {
		{ "position", from->position, 0, 65535, &position },
		{ "weight", from->weight, 100, 65535, &weight },
		{ "max_calls", from->max_calls, 0, MAX_CALLS_MOST, &calls },
		{ "max_cps", from->max_cps, 0, MAX_CPS_MOST, &cps },
	};
	int err = field_name(from->trunk, where, "trunk", t->trunk, error);

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]) && !err; i++)
		err = field_integer(numbers[i].given, numbers[i].otherwise, 0, numbers[i].max, where, numbers[i].key, numbers[i].ret, error);
	if (!err)
		err = field_name(from->region, where, "region", t->region, error);
	if (err)
		return err;
	t->trunk_id = trunk_id(span_str(t->trunk));
	t->position = (uint16_t)position;
	t->weight = (uint16_t)weight;
	t->enabled = !from->enabled || *from->enabled;
	t->max_calls = (uint32_t)calls;
	t->max_cps = (uint32_t)cps;
	return 0;
}

static int load_regions(const struct raw_profile *raw, const char *path, struct model_profile *p, char *error)
{
	char key[32];

	if (raw->regions_count > PROFILE_REGIONS_MAX)
		return error_set(error, -ERR_FULL, "%s.regions: more than %d", path, PROFILE_REGIONS_MAX);
	for (uint32_t i = 0; i < raw->regions_count; i++) {
		snprintf(key, sizeof(key), "regions[%u]", i);
		if (strcmp(raw->regions[i], "*") == 0)
			strcpy(p->regions[i], "*");
		else if (field_name(raw->regions[i], path, key, p->regions[i], error))
			return -ERR_INVALID;
		for (uint32_t k = 0; k < i; k++)
			if (strcasecmp(p->regions[k], p->regions[i]) == 0)
				return error_set(error, -ERR_INVALID, "%s.%s: %s is listed twice", path, key, p->regions[i]);
	}
	p->region_count = (uint16_t)raw->regions_count;
	return 0;
}

static int load_targets(const struct raw_profile *raw, const char *path, struct model_profile *p, char *error)
{
	char where[96];

	if (raw->targets_count > PROFILE_TARGETS_MAX)
		return error_set(error, -ERR_FULL, "%s.targets: more than %d", path, PROFILE_TARGETS_MAX);
	for (uint32_t i = 0; i < raw->targets_count; i++) {
		const struct raw_target *from = &raw->targets[i];
		struct model_target *t = &p->targets[i];
		int err;

		snprintf(where, sizeof(where), "%s.targets[%u]", path, i);
		err = load_target(from, where, t, error);
		if (err)
			return err;
		if (model_target(p, t->trunk))
			return error_set(error, -ERR_INVALID, "%s.trunk: %s is listed twice", where, t->trunk);
		strcat(where, ".probe");
		err = probe_settings_load(from->probe, where, &t->probe, error);
		if (err)
			return err;
		p->target_count++;
	}
	return 0;
}

int model_load_profile(const struct raw_profile *raw, const char *path, struct model_profile *ret, char *error)
{
	char where[96];
	int err;

	memset(ret, 0, sizeof(*ret));
	err = field_name(raw->name, path, "name", ret->name, error);
	if (err)
		return err;
	ret->id = trunk_id(span_str(ret->name));
	ret->strategy = STRATEGY_FAILOVER;
	if (raw->strategy && !strategy_parse(raw->strategy, &ret->strategy))
		return error_set(error, -ERR_INVALID,
				 "%s.strategy: '%.64s' is none of failover, round_robin, weighted_lb, simultaneous_ring, least_calls, fastest", path,
				 raw->strategy);
	ret->knobs = profile_knobs_default();
	err = load_knobs(raw, path, &ret->knobs, error);
	snprintf(where, sizeof(where), "%s.probe", path);
	if (!err)
		err = probe_settings_load(raw->probe, where, &ret->probe, error);
	if (!err)
		err = load_regions(raw, path, ret, error);
	if (!err)
		err = load_targets(raw, path, ret, error);
	return err ? err : model_drains_load(raw, path, ret, error);
}

static int load_number(struct model *m, const struct raw_number *raw, uint32_t i, char *error)
{
	const char *key = raw->number ? "number" : "prefix", *text = raw->number ? raw->number : raw->prefix;
	struct number_map *map = raw->number ? m->numbers : m->prefixes;
	const struct model_profile *profile = model_profile(m, raw->profile);
	e164 number;

	if (!raw->number == !raw->prefix)
		return error_set(error, -ERR_INVALID, "numbers[%u]: needs either number or prefix", i);
	if (e164_parse(span_str(text), &number))
		return error_set(error, -ERR_INVALID, "numbers[%u].%s: '%.64s' is not an E.164 %s (+, up to 15 digits)", i, key, text, key);
	if (!profile)
		return error_set(error, -ERR_INVALID, "numbers[%u].profile: no profile named %.64s", i, raw->profile);
	if (number_map_get(map, number) != NUMBER_MAP_NONE)
		return error_set(error, -ERR_INVALID, "numbers[%u].%s: %s is listed twice", i, key, text);
	return number_map_set(map, number, profile->id) ? error_set(error, -ERR_NOMEM, "out of memory") : 0;
}

static int load_numbers(struct model *m, const struct raw_routing *raw, char *error)
{
	number_map_unref(m->numbers);
	number_map_unref(m->prefixes);
	m->numbers = number_map_new(raw->numbers_count);
	m->prefixes = number_map_new(0);
	if (!m->numbers || !m->prefixes)
		return error_set(error, -ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < raw->numbers_count; i++) {
		int err = load_number(m, &raw->numbers[i], i, error);

		if (err)
			return err;
	}
	return 0;
}

static int load_domain(struct model *m, const struct raw_domain *raw, uint32_t i, char *error)
{
	struct model_domain *d = &m->domains[m->domain_count];
	const struct model_profile *profile = model_profile(m, raw->profile);
	size_t n = strlen(raw->domain);

	if (n && raw->domain[n - 1] == '.')
		n--;
	if (!n || n >= sizeof(d->name) || strpbrk(raw->domain, " \t\r\n<>@;?\"/:"))
		return error_set(error, -ERR_INVALID, "domains[%u].domain: '%.64s' is not a host name", i, raw->domain);
	if (!profile)
		return error_set(error, -ERR_INVALID, "domains[%u].profile: no profile named %.64s", i, raw->profile);
	memset(d, 0, sizeof(*d));
	for (size_t k = 0; k < n; k++)
		d->name[k] = (char)ascii_lower((uint8_t)raw->domain[k]);
	d->profile_id = profile->id;
	m->domain_count++;
	return 0;
}

static int compare_domains(const void *a, const void *b)
{
	return strcmp(((const struct model_domain *)a)->name, ((const struct model_domain *)b)->name);
}

/* New memory for a section; the old content goes. */
static int renew(void **list, uint32_t *count, uint32_t n, size_t bytes, char *error)
{
	free(*list);
	*count = 0;
	*list = calloc(n + 1, bytes);
	return *list ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
}

static int load_sections(struct model *m, const struct raw_routing *raw, unsigned sections, char *error)
{
	char path[32];
	int err = 0;

	if (sections & MODEL_TRUNKS)
		err = renew((void **)&m->trunks, &m->trunk_count, raw->trunks_count, sizeof(*m->trunks), error);
	for (uint32_t i = 0; !err && (sections & MODEL_TRUNKS) && i < raw->trunks_count; i++) {
		snprintf(path, sizeof(path), "trunks[%u]", i);
		err = model_load_trunk(&raw->trunks[i], path, &m->trunks[m->trunk_count++], error);
	}
	if (!err && (sections & MODEL_PROFILES))
		err = renew((void **)&m->profiles, &m->profile_count, raw->profiles_count, sizeof(*m->profiles), error);
	for (uint32_t i = 0; !err && (sections & MODEL_PROFILES) && i < raw->profiles_count; i++) {
		snprintf(path, sizeof(path), "profiles[%u]", i);
		err = model_load_profile(&raw->profiles[i], path, &m->profiles[m->profile_count++], error);
	}
	return err;
}

int model_load(const struct raw_routing *raw, unsigned sections, const struct model *base, const struct model_limits *limits,
	       struct model **ret_model, char *error)
{
	struct model *m = base ? model_copy(base) : model_new();
	int err;

	if (!m)
		return error_set(error, -ERR_NOMEM, "out of memory");
	err = load_sections(m, raw, sections, error);
	if (!err)
		err = model_reindex(m, error);
	if (!err && base)
		model_drains_carry(m, base);
	if (!err && (sections & MODEL_NUMBERS))
		err = load_numbers(m, raw, error);
	if (!err && (sections & MODEL_DOMAINS))
		err = renew((void **)&m->domains, &m->domain_count, raw->domains_count, sizeof(*m->domains), error);
	for (uint32_t i = 0; !err && (sections & MODEL_DOMAINS) && i < raw->domains_count; i++)
		err = load_domain(m, &raw->domains[i], i, error);
	if (!err) {
		qsort(m->domains, m->domain_count, sizeof(*m->domains), compare_domains);
		err = model_validate(m, limits, error);
	}
	if (err) {
		model_free(m);
		return err;
	}
	*ret_model = m;
	return 0;
}
