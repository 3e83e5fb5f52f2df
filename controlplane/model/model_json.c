/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model_json.h"

#include <stdio.h>

#include "sip/via.h"

static json_t *plan_json(const struct number_plan *plan)
{
	return json_pack("{s:s, s:s, s:s}", "country_code", plan->country_code, "international_prefix", plan->international_prefix,
			 "national_prefix", plan->national_prefix);
}

static json_t *host_json(const struct model_host *h)
{
	json_t *json = json_pack("{s:s, s:i, s:i}", "host", h->name, "priority", h->priority, "weight", h->weight);

	if (h->port)
		json_object_set_new(json, "port", json_integer(h->port));
	if (h->transport != TRANSPORT_UNSAID)
		json_object_set_new(json, "transport", json_string(transport_name(h->transport)));
	return json;
}

json_t *model_trunk_json(const struct model_trunk *t)
{
	json_t *endpoints = json_array(), *sources = json_array();
	char text[IP_TEXT_MAX + 8];

	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct model_endpoint *e = &t->endpoints[i];

		ip_format(&e->addr.ip, false, text);
		json_array_append_new(endpoints, json_pack("{s:s, s:i, s:s, s:i, s:i}", "address", text, "port", e->addr.port, "transport",
							   transport_name(e->transport), "priority", e->priority, "weight", e->weight));
	}
	for (unsigned i = 0; i < t->host_count; i++)
		json_array_append_new(endpoints, host_json(&t->hosts[i]));
	for (unsigned i = 0; i < t->source_count; i++) {
		uint32_t n = ip_format(&t->sources[i].ip, false, text);

		snprintf(text + n, sizeof(text) - n, "/%u", t->sources[i].length);
		json_array_append_new(sources, json_string(text));
	}
	return json_pack("{s:s, s:o, s:o, s:s*, s:s, s:s*, s:s*, s:o*, s:o*, s:o*, s:o*}", "name", t->name, "endpoints", endpoints, "sources", sources, "profile",
			 t->profile[0] ? t->profile : NULL, "request_uri", t->request_uri == TRUNK_URI_KEEP ? "keep" : "endpoint", "host",
			 t->host[0] ? t->host : NULL, "large_requests", t->large_requests ? trunk_large_name(t->large_requests) : NULL,
			 "connection_reuse", t->connection_reuse ? json_true() : NULL, "number_plan", t->has_plan ? plan_json(&t->plan) : NULL,
			 "probe", probe_settings_json(&t->probe), "tls", trunk_tls_json(&t->tls));
}

/* Codes that one set has and the other lacks. */
static json_t *codes_json(const struct code_set *has, const struct code_set *lacks)
{
	json_t *list = json_array();

	for (unsigned code = 300; code < 700; code++)
		if (code_set_has(has, code) && !code_set_has(lacks, code))
			json_array_append_new(list, json_integer(code));
	return list;
}

static json_t *model_target_json(const struct model_target *t)
{
	return json_pack("{s:s, s:i, s:i, s:b, s:i, s:i, s:s*, s:o*}", "trunk", t->trunk, "position", t->position, "weight", t->weight, "enabled",
			 t->enabled, "max_calls", (int)t->max_calls, "max_cps", (int)t->max_cps, "region", t->region[0] ? t->region : NULL, "probe",
			 probe_settings_json(&t->probe));
}

static json_t *regions_json(const struct model_profile *p)
{
	json_t *list = p->region_count ? json_array() : NULL;

	for (unsigned i = 0; i < p->region_count; i++)
		json_array_append_new(list, json_string(p->regions[i]));
	return list;
}

json_t *model_profile_json(const struct model_profile *p)
{
	const struct profile_knobs *k = &p->knobs, plain = profile_knobs_default();
	json_t *targets = json_array();

	for (unsigned i = 0; i < p->target_count; i++)
		json_array_append_new(targets, model_target_json(&p->targets[i]));
	model_drains_show(p, targets);
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:s, s:b, s:{s:o, s:o}, s:o*, s:o*, s:o}", "name", p->name, "strategy",
			 strategy_name(p->strategy), "response_timeout_ms", (int)k->response_timeout_ms, "progress_timeout_ms",
			 (int)k->progress_timeout_ms, "ring_timeout_s", (int)(k->ring_timeout_ms / 1000), "setup_budget_s",
			 (int)(k->setup_budget_ms / 1000), "max_retries", k->max_retries, "max_attempts", k->max_attempts,
			 "exhausted_code", k->exhausted_code, "retry_budget", k->retry_budget, "retry_after_progress", k->retry_after_progress,
			 "decline_scope", k->decline_ends_target ? "target" : "all", "follow_redirects", k->follow_redirects, "retry_codes", "add",
			 codes_json(&k->retry_codes, &plain.retry_codes), "remove", codes_json(&plain.retry_codes, &k->retry_codes),
			 "probe", probe_settings_json(&p->probe), "regions", regions_json(p), "targets", targets);
}

json_t *model_domain_json(const struct model *m, const struct model_domain *d)
{
	return json_pack("{s:s, s:s}", "domain", d->name, "profile", model_profile_name(m, d->profile_id));
}

json_t *model_number_json(e164 number, bool prefix, const char *profile)
{
	char text[E164_TEXT_MAX];

	e164_format(number, text);
	return json_pack("{s:s, s:s?}", prefix ? "prefix" : "number", text, "profile", profile);
}
