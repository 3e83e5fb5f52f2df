/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cyaml/cyaml.h>

/* The four routing sections as they are written, before any meaning is read into them: absent scalars are NULL. One schema serves the
 * YAML file, `apply` and the state file. */

struct raw_endpoint {
	char *address, *host, *transport; /* either address or host */
	int64_t *port, *priority, *weight;
};

struct raw_plan {
	char *country_code, *international_prefix, *national_prefix;
};

struct raw_probe {
	bool *enabled;
	int64_t *interval_ms, *timeout_ms, *down_after, *up_after, *max_forwards, *accept;
	uint32_t accept_count;
	char *from, *to, *user_agent;
};

struct raw_trunk_tls {
	char *name, *ca, *certificate, *minimum_version;
	bool *allow_wildcard, *verify;
};

struct raw_trunk {
	char *name, *profile, *request_uri, *host, *large_requests;
	bool *connection_reuse;
	struct raw_endpoint *endpoints;
	uint32_t endpoints_count;
	char **sources;
	uint32_t sources_count;
	struct raw_plan *number_plan;
	struct raw_probe *probe;
	struct raw_trunk_tls *tls;
};

struct raw_drain {
	int64_t *since, *deadline;
};

struct raw_target {
	char *trunk, *region;
	int64_t *position, *weight, *max_calls, *max_cps;
	bool *enabled;
	struct raw_probe *probe;
	struct raw_drain *drain;
};

struct raw_codes {
	int64_t *add, *remove;
	uint32_t add_count, remove_count;
};

struct raw_profile {
	char *name, *strategy;
	int64_t *response_timeout_ms, *progress_timeout_ms, *ring_timeout_s, *setup_budget_s;
	int64_t *max_retries, *max_attempts, *exhausted_code, *retry_budget;
	bool *retry_after_progress, *follow_redirects;
	char *decline_scope;
	struct raw_codes *retry_codes;
	char **regions;
	uint32_t regions_count;
	struct raw_target *targets;
	uint32_t targets_count;
	struct raw_probe *probe;
};

struct raw_number {
	char *number, *prefix, *profile;
};

struct raw_domain {
	char *domain, *profile;
};

struct raw_routing {
	struct raw_trunk *trunks;
	struct raw_profile *profiles;
	struct raw_number *numbers;
	struct raw_domain *domains;
	uint32_t trunks_count, profiles_count, numbers_count, domains_count;
};

extern const cyaml_schema_value_t routing_schema; /* of a pointer to struct raw_routing */
extern const cyaml_schema_value_t routing_trunk_schema, routing_profile_schema, routing_number_schema, routing_domain_schema;
extern const cyaml_schema_field_t routing_plan_fields[], routing_probe_fields[];
extern const cyaml_schema_value_t schema_integer, schema_text; /* entries of lists */
