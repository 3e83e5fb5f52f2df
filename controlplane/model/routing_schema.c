/* SPDX-License-Identifier: Apache-2.0 */
#include "model/routing_schema.h"

#define REQUIRED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

const cyaml_schema_value_t schema_integer = { CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int64_t) };
const cyaml_schema_value_t schema_text = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED) };

static const cyaml_schema_field_t endpoint_fields[] = {
	CYAML_FIELD_STRING_PTR("address", OPTIONAL, struct raw_endpoint, address, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("host", OPTIONAL, struct raw_endpoint, host, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("port", OPTIONAL, struct raw_endpoint, port),
	CYAML_FIELD_STRING_PTR("transport", OPTIONAL, struct raw_endpoint, transport, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("priority", OPTIONAL, struct raw_endpoint, priority),
	CYAML_FIELD_INT_PTR("weight", OPTIONAL, struct raw_endpoint, weight),
	CYAML_FIELD_END,
};

const cyaml_schema_field_t routing_plan_fields[] = {
	CYAML_FIELD_STRING_PTR("country_code", OPTIONAL, struct raw_plan, country_code, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("international_prefix", OPTIONAL, struct raw_plan, international_prefix, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("national_prefix", OPTIONAL, struct raw_plan, national_prefix, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

const cyaml_schema_field_t routing_probe_fields[] = {
	CYAML_FIELD_BOOL_PTR("enabled", OPTIONAL, struct raw_probe, enabled),
	CYAML_FIELD_INT_PTR("interval_ms", OPTIONAL, struct raw_probe, interval_ms),
	CYAML_FIELD_INT_PTR("timeout_ms", OPTIONAL, struct raw_probe, timeout_ms),
	CYAML_FIELD_INT_PTR("down_after", OPTIONAL, struct raw_probe, down_after),
	CYAML_FIELD_INT_PTR("up_after", OPTIONAL, struct raw_probe, up_after),
	CYAML_FIELD_SEQUENCE("accept", OPTIONAL, struct raw_probe, accept, &schema_integer, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("from", OPTIONAL, struct raw_probe, from, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("to", OPTIONAL, struct raw_probe, to, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("user_agent", OPTIONAL, struct raw_probe, user_agent, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("max_forwards", OPTIONAL, struct raw_probe, max_forwards),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t endpoint_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_endpoint, endpoint_fields) };

static const cyaml_schema_field_t trunk_tls_fields[] = {
	CYAML_FIELD_STRING_PTR("name", OPTIONAL, struct raw_trunk_tls, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ca", OPTIONAL, struct raw_trunk_tls, ca, 0, CYAML_UNLIMITED),
	CYAML_FIELD_BOOL_PTR("allow_wildcard", OPTIONAL, struct raw_trunk_tls, allow_wildcard),
	CYAML_FIELD_BOOL_PTR("verify", OPTIONAL, struct raw_trunk_tls, verify),
	CYAML_FIELD_STRING_PTR("certificate", OPTIONAL, struct raw_trunk_tls, certificate, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("minimum_version", OPTIONAL, struct raw_trunk_tls, minimum_version, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t trunk_fields[] = {
	CYAML_FIELD_STRING_PTR("name", REQUIRED, struct raw_trunk, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("endpoints", OPTIONAL, struct raw_trunk, endpoints, &endpoint_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("sources", OPTIONAL, struct raw_trunk, sources, &schema_text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("profile", OPTIONAL, struct raw_trunk, profile, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("request_uri", OPTIONAL, struct raw_trunk, request_uri, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("host", OPTIONAL, struct raw_trunk, host, 0, CYAML_UNLIMITED),
	CYAML_FIELD_BOOL_PTR("connection_reuse", OPTIONAL, struct raw_trunk, connection_reuse),
	CYAML_FIELD_STRING_PTR("large_requests", OPTIONAL, struct raw_trunk, large_requests, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("number_plan", OPTIONAL, struct raw_trunk, number_plan, routing_plan_fields),
	CYAML_FIELD_MAPPING_PTR("probe", OPTIONAL, struct raw_trunk, probe, routing_probe_fields),
	CYAML_FIELD_MAPPING_PTR("tls", OPTIONAL, struct raw_trunk, tls, trunk_tls_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t drain_fields[] = {
	CYAML_FIELD_INT_PTR("since", OPTIONAL, struct raw_drain, since),
	CYAML_FIELD_INT_PTR("deadline", OPTIONAL, struct raw_drain, deadline),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t target_fields[] = {
	CYAML_FIELD_STRING_PTR("trunk", REQUIRED, struct raw_target, trunk, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("position", OPTIONAL, struct raw_target, position),
	CYAML_FIELD_INT_PTR("weight", OPTIONAL, struct raw_target, weight),
	CYAML_FIELD_BOOL_PTR("enabled", OPTIONAL, struct raw_target, enabled),
	CYAML_FIELD_INT_PTR("max_calls", OPTIONAL, struct raw_target, max_calls),
	CYAML_FIELD_INT_PTR("max_cps", OPTIONAL, struct raw_target, max_cps),
	CYAML_FIELD_STRING_PTR("region", OPTIONAL, struct raw_target, region, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("probe", OPTIONAL, struct raw_target, probe, routing_probe_fields),
	CYAML_FIELD_MAPPING_PTR("drain", OPTIONAL, struct raw_target, drain, drain_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t target_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_target, target_fields) };

static const cyaml_schema_field_t codes_fields[] = {
	CYAML_FIELD_SEQUENCE("add", OPTIONAL, struct raw_codes, add, &schema_integer, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("remove", OPTIONAL, struct raw_codes, remove, &schema_integer, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t profile_fields[] = {
	CYAML_FIELD_STRING_PTR("name", REQUIRED, struct raw_profile, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("strategy", OPTIONAL, struct raw_profile, strategy, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("response_timeout_ms", OPTIONAL, struct raw_profile, response_timeout_ms),
	CYAML_FIELD_INT_PTR("progress_timeout_ms", OPTIONAL, struct raw_profile, progress_timeout_ms),
	CYAML_FIELD_INT_PTR("ring_timeout_s", OPTIONAL, struct raw_profile, ring_timeout_s),
	CYAML_FIELD_INT_PTR("setup_budget_s", OPTIONAL, struct raw_profile, setup_budget_s),
	CYAML_FIELD_INT_PTR("max_retries", OPTIONAL, struct raw_profile, max_retries),
	CYAML_FIELD_INT_PTR("max_attempts", OPTIONAL, struct raw_profile, max_attempts),
	CYAML_FIELD_INT_PTR("exhausted_code", OPTIONAL, struct raw_profile, exhausted_code),
	CYAML_FIELD_INT_PTR("retry_budget", OPTIONAL, struct raw_profile, retry_budget),
	CYAML_FIELD_BOOL_PTR("retry_after_progress", OPTIONAL, struct raw_profile, retry_after_progress),
	CYAML_FIELD_STRING_PTR("decline_scope", OPTIONAL, struct raw_profile, decline_scope, 0, CYAML_UNLIMITED),
	CYAML_FIELD_BOOL_PTR("follow_redirects", OPTIONAL, struct raw_profile, follow_redirects),
	CYAML_FIELD_MAPPING_PTR("retry_codes", OPTIONAL, struct raw_profile, retry_codes, codes_fields),
	CYAML_FIELD_MAPPING_PTR("probe", OPTIONAL, struct raw_profile, probe, routing_probe_fields),
	CYAML_FIELD_SEQUENCE("regions", OPTIONAL, struct raw_profile, regions, &schema_text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("targets", OPTIONAL, struct raw_profile, targets, &target_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t number_fields[] = {
	CYAML_FIELD_STRING_PTR("number", OPTIONAL, struct raw_number, number, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("prefix", OPTIONAL, struct raw_number, prefix, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("profile", REQUIRED, struct raw_number, profile, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t domain_fields[] = {
	CYAML_FIELD_STRING_PTR("domain", REQUIRED, struct raw_domain, domain, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("profile", REQUIRED, struct raw_domain, profile, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t routing_trunk_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_trunk, trunk_fields) };
const cyaml_schema_value_t routing_profile_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_profile, profile_fields) };
const cyaml_schema_value_t routing_number_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_number, number_fields) };
const cyaml_schema_value_t routing_domain_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_domain, domain_fields) };

static const cyaml_schema_field_t routing_fields[] = {
	CYAML_FIELD_SEQUENCE("trunks", OPTIONAL, struct raw_routing, trunks, &routing_trunk_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("profiles", OPTIONAL, struct raw_routing, profiles, &routing_profile_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("numbers", OPTIONAL, struct raw_routing, numbers, &routing_number_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("domains", OPTIONAL, struct raw_routing, domains, &routing_domain_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t routing_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_routing, routing_fields) };
