/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "model/routing_schema.h"

/* The configuration file as it is written; absent scalars are NULL, absent sections too. */

struct raw_node {
	int64_t *id;
	char *name;
};

struct raw_workers {
	int64_t *count, *cores;
	uint32_t cores_count;
	char *idle;
};

struct raw_port {
	char *name, *driver, *interface, *device;
	int64_t *mtu, *vlan;
	char **addresses, **gateways;
	uint32_t addresses_count, gateways_count;
};

struct raw_listener {
	char *address, *transport, *server;
	int64_t *port;
};

struct raw_limits {
	int64_t *transactions, *in_progress, *calls, *call_age_s, *message_mb, *trace_mb, *trace_s, *fragments, *mbufs, *connections, *connections_per_source, *stream_mb;
	int64_t *numbers, *prefixes, *profiles, *trunks, *endpoints;
};

struct raw_timers {
	int64_t *t1_ms, *t2_ms, *t4_ms, *timer_c_ms;
};

struct raw_tcp {
	int64_t *idle_s, *message_timeout_s, *connect_timeout_ms, *keepalive_s, *port_low, *port_high;
};

struct raw_tls_server {
	char *name, *default_pair, *client_certificates, *client_ca, *minimum_version, *ciphers, *ciphersuites;
};

struct raw_tls {
	char *certificates, *ca, *ticket_keys;
	char *default_pair, *client_certificates, *client_ca, *minimum_version, *ciphers, *ciphersuites;
	struct raw_tls_server *servers;
	uint32_t servers_count;
	int64_t *ticket_rotate_s, *ticket_keep, *sessions, *handshake_budget_us, *handshake_timeout_ms, *handshakes, *tickets;
	int64_t *warning_days, *major_days, *critical_days;
	bool *unverified_callbacks;
};

struct raw_ejection {
	int64_t *after, *after_failures, *numbers, *window_s, *window_percent, *window_calls;
	int64_t *first_s, *max_s, *share_percent, *ramp_s;
	bool *last_resort;
};

struct raw_quality {
	int64_t *window_s, *calls, *fall_percent, *short_s, *short_percent, *cause_percent;
};

struct raw_access {
	char *unknown_source;
};

struct raw_control {
	char *socket, *group;
};

struct raw_resolver {
	char **servers;
	uint32_t servers_count;
	int64_t *timeout_ms, *tries, *min_ttl_s, *max_ttl_s;
};

struct raw_alarms {
	int64_t *busy_percent, *busy_s;
};

struct raw_versions {
	int64_t *keep, *mb;
};

struct raw_cdr {
	char *file;
	int64_t *rotate_mb, *keep;
};

struct raw_config {
	struct raw_node *node;
	struct raw_workers *workers;
	struct raw_port *ports;
	struct raw_listener *listeners;
	uint32_t ports_count, listeners_count;
	struct raw_limits *limits;
	struct raw_timers *timers;
	struct raw_tcp *tcp;
	struct raw_tls *tls;
	struct raw_ejection *ejection;
	struct raw_quality *quality;
	struct raw_access *access;
	struct raw_plan *number_plan;
	struct raw_probe *probe;
	char *server_name;
	char **names;
	uint32_t names_count;
	struct raw_control *control;
	struct raw_cdr *cdr;
	struct raw_resolver *resolver;
	struct raw_versions *versions;
	struct raw_alarms *alarms;
	char *state_file, *token_key_file, *numbers_file, *region;
	int64_t *drain_timeout_s;
	struct raw_routing routing; /* its four sections stand at the top of the file */
};

extern const cyaml_schema_value_t config_schema; /* of a pointer to struct raw_config */
