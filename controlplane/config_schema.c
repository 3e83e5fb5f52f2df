/* SPDX-License-Identifier: Apache-2.0 */
#include "config_schema.h"

#define REQUIRED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

static const cyaml_schema_field_t node_fields[] = {
	CYAML_FIELD_INT_PTR("id", OPTIONAL, struct raw_node, id),
	CYAML_FIELD_STRING_PTR("name", OPTIONAL, struct raw_node, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t workers_fields[] = {
	CYAML_FIELD_INT_PTR("count", OPTIONAL, struct raw_workers, count),
	CYAML_FIELD_SEQUENCE("cores", OPTIONAL, struct raw_workers, cores, &schema_integer, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("idle", OPTIONAL, struct raw_workers, idle, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t port_fields[] = {
	CYAML_FIELD_STRING_PTR("name", REQUIRED, struct raw_port, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("driver", OPTIONAL, struct raw_port, driver, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("interface", OPTIONAL, struct raw_port, interface, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("device", OPTIONAL, struct raw_port, device, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("mtu", OPTIONAL, struct raw_port, mtu),
	CYAML_FIELD_INT_PTR("vlan", OPTIONAL, struct raw_port, vlan),
	CYAML_FIELD_SEQUENCE("addresses", OPTIONAL, struct raw_port, addresses, &schema_text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("gateways", OPTIONAL, struct raw_port, gateways, &schema_text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t listener_fields[] = {
	CYAML_FIELD_STRING_PTR("address", REQUIRED, struct raw_listener, address, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("port", OPTIONAL, struct raw_listener, port),
	CYAML_FIELD_STRING_PTR("transport", OPTIONAL, struct raw_listener, transport, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("server", OPTIONAL, struct raw_listener, server, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	CYAML_FIELD_INT_PTR("transactions", OPTIONAL, struct raw_limits, transactions),
	CYAML_FIELD_INT_PTR("in_progress", OPTIONAL, struct raw_limits, in_progress),
	CYAML_FIELD_INT_PTR("calls", OPTIONAL, struct raw_limits, calls),
	CYAML_FIELD_INT_PTR("call_age_s", OPTIONAL, struct raw_limits, call_age_s),
	CYAML_FIELD_INT_PTR("message_mb", OPTIONAL, struct raw_limits, message_mb),
	CYAML_FIELD_INT_PTR("trace_mb", OPTIONAL, struct raw_limits, trace_mb),
	CYAML_FIELD_INT_PTR("trace_s", OPTIONAL, struct raw_limits, trace_s),
	CYAML_FIELD_INT_PTR("fragments", OPTIONAL, struct raw_limits, fragments),
	CYAML_FIELD_INT_PTR("mbufs", OPTIONAL, struct raw_limits, mbufs),
	CYAML_FIELD_INT_PTR("connections", OPTIONAL, struct raw_limits, connections),
	CYAML_FIELD_INT_PTR("connections_per_source", OPTIONAL, struct raw_limits, connections_per_source),
	CYAML_FIELD_INT_PTR("stream_mb", OPTIONAL, struct raw_limits, stream_mb),
	CYAML_FIELD_INT_PTR("numbers", OPTIONAL, struct raw_limits, numbers),
	CYAML_FIELD_INT_PTR("prefixes", OPTIONAL, struct raw_limits, prefixes),
	CYAML_FIELD_INT_PTR("profiles", OPTIONAL, struct raw_limits, profiles),
	CYAML_FIELD_INT_PTR("trunks", OPTIONAL, struct raw_limits, trunks),
	CYAML_FIELD_INT_PTR("endpoints", OPTIONAL, struct raw_limits, endpoints),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t timers_fields[] = {
	CYAML_FIELD_INT_PTR("t1_ms", OPTIONAL, struct raw_timers, t1_ms),
	CYAML_FIELD_INT_PTR("t2_ms", OPTIONAL, struct raw_timers, t2_ms),
	CYAML_FIELD_INT_PTR("t4_ms", OPTIONAL, struct raw_timers, t4_ms),
	CYAML_FIELD_INT_PTR("timer_c_ms", OPTIONAL, struct raw_timers, timer_c_ms),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t tcp_fields[] = {
	CYAML_FIELD_INT_PTR("idle_s", OPTIONAL, struct raw_tcp, idle_s),
	CYAML_FIELD_INT_PTR("message_timeout_s", OPTIONAL, struct raw_tcp, message_timeout_s),
	CYAML_FIELD_INT_PTR("connect_timeout_ms", OPTIONAL, struct raw_tcp, connect_timeout_ms),
	CYAML_FIELD_INT_PTR("keepalive_s", OPTIONAL, struct raw_tcp, keepalive_s),
	CYAML_FIELD_INT_PTR("port_low", OPTIONAL, struct raw_tcp, port_low),
	CYAML_FIELD_INT_PTR("port_high", OPTIONAL, struct raw_tcp, port_high),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t tls_server_fields[] = {
	CYAML_FIELD_STRING_PTR("name", REQUIRED, struct raw_tls_server, name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("default", OPTIONAL, struct raw_tls_server, default_pair, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("client_certificates", OPTIONAL, struct raw_tls_server, client_certificates, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("client_ca", OPTIONAL, struct raw_tls_server, client_ca, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("minimum_version", OPTIONAL, struct raw_tls_server, minimum_version, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ciphers", OPTIONAL, struct raw_tls_server, ciphers, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ciphersuites", OPTIONAL, struct raw_tls_server, ciphersuites, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t tls_server_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_tls_server, tls_server_fields) };

static const cyaml_schema_field_t tls_fields[] = {
	CYAML_FIELD_STRING_PTR("certificates", OPTIONAL, struct raw_tls, certificates, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("default", OPTIONAL, struct raw_tls, default_pair, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("client_certificates", OPTIONAL, struct raw_tls, client_certificates, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("client_ca", OPTIONAL, struct raw_tls, client_ca, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("minimum_version", OPTIONAL, struct raw_tls, minimum_version, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ciphers", OPTIONAL, struct raw_tls, ciphers, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ciphersuites", OPTIONAL, struct raw_tls, ciphersuites, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("servers", OPTIONAL, struct raw_tls, servers, &tls_server_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ca", OPTIONAL, struct raw_tls, ca, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("ticket_keys", OPTIONAL, struct raw_tls, ticket_keys, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("ticket_rotate_s", OPTIONAL, struct raw_tls, ticket_rotate_s),
	CYAML_FIELD_INT_PTR("ticket_keep", OPTIONAL, struct raw_tls, ticket_keep),
	CYAML_FIELD_INT_PTR("sessions", OPTIONAL, struct raw_tls, sessions),
	CYAML_FIELD_INT_PTR("handshake_budget_us", OPTIONAL, struct raw_tls, handshake_budget_us),
	CYAML_FIELD_INT_PTR("handshake_timeout_ms", OPTIONAL, struct raw_tls, handshake_timeout_ms),
	CYAML_FIELD_INT_PTR("handshakes", OPTIONAL, struct raw_tls, handshakes),
	CYAML_FIELD_INT_PTR("tickets", OPTIONAL, struct raw_tls, tickets),
	CYAML_FIELD_INT_PTR("warning_days", OPTIONAL, struct raw_tls, warning_days),
	CYAML_FIELD_INT_PTR("major_days", OPTIONAL, struct raw_tls, major_days),
	CYAML_FIELD_INT_PTR("critical_days", OPTIONAL, struct raw_tls, critical_days),
	CYAML_FIELD_BOOL_PTR("unverified_callbacks", OPTIONAL, struct raw_tls, unverified_callbacks),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t quality_fields[] = {
	CYAML_FIELD_INT_PTR("window_s", OPTIONAL, struct raw_quality, window_s),
	CYAML_FIELD_INT_PTR("calls", OPTIONAL, struct raw_quality, calls),
	CYAML_FIELD_INT_PTR("fall_percent", OPTIONAL, struct raw_quality, fall_percent),
	CYAML_FIELD_INT_PTR("short_s", OPTIONAL, struct raw_quality, short_s),
	CYAML_FIELD_INT_PTR("short_percent", OPTIONAL, struct raw_quality, short_percent),
	CYAML_FIELD_INT_PTR("cause_percent", OPTIONAL, struct raw_quality, cause_percent),
	CYAML_FIELD_END
};

static const cyaml_schema_field_t ejection_fields[] = {
	CYAML_FIELD_INT_PTR("after", OPTIONAL, struct raw_ejection, after),
	CYAML_FIELD_INT_PTR("after_failures", OPTIONAL, struct raw_ejection, after_failures),
	CYAML_FIELD_INT_PTR("numbers", OPTIONAL, struct raw_ejection, numbers),
	CYAML_FIELD_INT_PTR("window_s", OPTIONAL, struct raw_ejection, window_s),
	CYAML_FIELD_INT_PTR("window_percent", OPTIONAL, struct raw_ejection, window_percent),
	CYAML_FIELD_INT_PTR("window_calls", OPTIONAL, struct raw_ejection, window_calls),
	CYAML_FIELD_INT_PTR("first_s", OPTIONAL, struct raw_ejection, first_s),
	CYAML_FIELD_INT_PTR("max_s", OPTIONAL, struct raw_ejection, max_s),
	CYAML_FIELD_INT_PTR("share_percent", OPTIONAL, struct raw_ejection, share_percent),
	CYAML_FIELD_INT_PTR("ramp_s", OPTIONAL, struct raw_ejection, ramp_s),
	CYAML_FIELD_BOOL_PTR("last_resort", OPTIONAL, struct raw_ejection, last_resort),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t access_fields[] = {
	CYAML_FIELD_STRING_PTR("unknown_source", OPTIONAL, struct raw_access, unknown_source, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t control_fields[] = {
	CYAML_FIELD_STRING_PTR("socket", OPTIONAL, struct raw_control, socket, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("group", OPTIONAL, struct raw_control, group, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t resolver_fields[] = {
	CYAML_FIELD_SEQUENCE("servers", OPTIONAL, struct raw_resolver, servers, &schema_text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("timeout_ms", OPTIONAL, struct raw_resolver, timeout_ms),
	CYAML_FIELD_INT_PTR("tries", OPTIONAL, struct raw_resolver, tries),
	CYAML_FIELD_INT_PTR("min_ttl_s", OPTIONAL, struct raw_resolver, min_ttl_s),
	CYAML_FIELD_INT_PTR("max_ttl_s", OPTIONAL, struct raw_resolver, max_ttl_s),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t alarms_fields[] = {
	CYAML_FIELD_INT_PTR("busy_percent", OPTIONAL, struct raw_alarms, busy_percent),
	CYAML_FIELD_INT_PTR("busy_s", OPTIONAL, struct raw_alarms, busy_s),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t versions_fields[] = {
	CYAML_FIELD_INT_PTR("keep", OPTIONAL, struct raw_versions, keep),
	CYAML_FIELD_INT_PTR("mb", OPTIONAL, struct raw_versions, mb),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t cdr_fields[] = {
	CYAML_FIELD_STRING_PTR("file", REQUIRED, struct raw_cdr, file, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("rotate_mb", OPTIONAL, struct raw_cdr, rotate_mb),
	CYAML_FIELD_INT_PTR("keep", OPTIONAL, struct raw_cdr, keep),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t port_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_port, port_fields) };

static const cyaml_schema_value_t listener_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_listener, listener_fields) };

static const cyaml_schema_field_t config_fields[] = {
	CYAML_FIELD_MAPPING_PTR("node", OPTIONAL, struct raw_config, node, node_fields),
	CYAML_FIELD_STRING_PTR("region", OPTIONAL, struct raw_config, region, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("workers", OPTIONAL, struct raw_config, workers, workers_fields),
	CYAML_FIELD_SEQUENCE("ports", OPTIONAL, struct raw_config, ports, &port_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("listeners", OPTIONAL, struct raw_config, listeners, &listener_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("limits", OPTIONAL, struct raw_config, limits, limits_fields),
	CYAML_FIELD_MAPPING_PTR("timers", OPTIONAL, struct raw_config, timers, timers_fields),
	CYAML_FIELD_MAPPING_PTR("tcp", OPTIONAL, struct raw_config, tcp, tcp_fields),
	CYAML_FIELD_MAPPING_PTR("tls", OPTIONAL, struct raw_config, tls, tls_fields),
	CYAML_FIELD_MAPPING_PTR("quality", OPTIONAL, struct raw_config, quality, quality_fields),
	CYAML_FIELD_MAPPING_PTR("ejection", OPTIONAL, struct raw_config, ejection, ejection_fields),
	CYAML_FIELD_MAPPING_PTR("access", OPTIONAL, struct raw_config, access, access_fields),
	CYAML_FIELD_MAPPING_PTR("number_plan", OPTIONAL, struct raw_config, number_plan, routing_plan_fields),
	CYAML_FIELD_MAPPING_PTR("probe", OPTIONAL, struct raw_config, probe, routing_probe_fields),
	CYAML_FIELD_STRING_PTR("server_name", OPTIONAL, struct raw_config, server_name, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("names", OPTIONAL, struct raw_config, names, &schema_text, 0, CYAML_UNLIMITED),
	CYAML_FIELD_MAPPING_PTR("control", OPTIONAL, struct raw_config, control, control_fields),
	CYAML_FIELD_MAPPING_PTR("resolver", OPTIONAL, struct raw_config, resolver, resolver_fields),
	CYAML_FIELD_MAPPING_PTR("cdr", OPTIONAL, struct raw_config, cdr, cdr_fields),
	CYAML_FIELD_MAPPING_PTR("versions", OPTIONAL, struct raw_config, versions, versions_fields),
	CYAML_FIELD_MAPPING_PTR("alarms", OPTIONAL, struct raw_config, alarms, alarms_fields),
	CYAML_FIELD_STRING_PTR("numbers_file", OPTIONAL, struct raw_config, numbers_file, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("state_file", OPTIONAL, struct raw_config, state_file, 0, CYAML_UNLIMITED),
	CYAML_FIELD_STRING_PTR("token_key_file", OPTIONAL, struct raw_config, token_key_file, 0, CYAML_UNLIMITED),
	CYAML_FIELD_INT_PTR("drain_timeout_s", OPTIONAL, struct raw_config, drain_timeout_s),
	CYAML_FIELD_SEQUENCE("trunks", OPTIONAL, struct raw_config, routing.trunks, &routing_trunk_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("profiles", OPTIONAL, struct raw_config, routing.profiles, &routing_profile_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("numbers", OPTIONAL, struct raw_config, routing.numbers, &routing_number_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_SEQUENCE("domains", OPTIONAL, struct raw_config, routing.domains, &routing_domain_schema, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields) };
