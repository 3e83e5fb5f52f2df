/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "alarms/watch.h"
#include "cdr_file.h"
#include "config_tls.h"
#include "versions/versions.h"
#include "dataplane.h"
#include "health/quality.h"
#include "model/model.h"
#include "resolve/resolver.h"

/* The configuration file, read and checked whole. */

#define CONFIG_ADDRESSES_MAX 32
#define CONFIG_GATEWAYS_MAX  8

/* An address of our own with the length of its subnet: bits beyond the length stay. */
struct config_address {
	struct ip_addr ip;
	uint8_t length;
};

/* What the kernel interface paired with a port gets. */
struct config_port {
	struct config_address addresses[CONFIG_ADDRESSES_MAX];
	unsigned address_count;
	struct ip_addr gateways[CONFIG_GATEWAYS_MAX];
	unsigned gateway_count;
};

struct config {
	char *path; /* of the file */
	char node_name[64];
	char region[64]; /* the node's own; empty: none */
	struct dataplane_config dataplane; /* token keys and boot are left to whoever starts it */
	struct config_port ports[PORTS_MAX]; /* beside dataplane.ports */
	struct number_plan number_plan;
	struct quality_config quality;
	struct probe_settings probe; /* every key is given */
	char control_socket[108], control_group[64];
	char state_file[256], token_key_file[256], numbers_file[256]; /* empty: none */
	struct cdr_file_config cdr;
	struct resolver_config resolver;
	struct versions_limits versions;
	struct watch_config watch;
	struct config_tls tls;
	uint32_t drain_timeout_s;
	struct model_limits limits; /* as written; the tables get room to spare, since what is removed is released late */
	struct model *routing;
	json_t *at_start; /* the file's other sections, for config_stale */
};

/* 0; -ERR_IO, -ERR_INVALID, -ERR_FULL, -ERR_NOMEM with one line that names file, line and key. control-only */
int config_load(const char *path, struct config **ret_config, char *error);
/* NULL is ignored. */
void config_free(struct config *c);

/* The numbers of numbers_file, added to those of c->routing. Apart from config_load, since they are not read where a state file has them. 0 or as
 * config_load. control-only */
int config_load_numbers(const struct config *c, char *error);

/* Only the routing sections of the file, with its numbers_file, by the limits of c. 0 or as config_load. control-only */
int config_load_routing(const struct config *c, struct model **ret_model, char *error);
