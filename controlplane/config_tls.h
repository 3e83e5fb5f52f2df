/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/trunk_tls.h"

struct config;
struct raw_config;

/* The section `tls`, and what listeners say of it. What workers are told is in struct dataplane_tls. */

#define TLS_CONFIG_SERVERS_MAX 16

/* What a listener presents, and asks of those who connect to it. */
struct config_tls_server {
	char name[64];
	char pair[TLS_PAIR_MAX]; /* for who names nobody, or somebody unknown; empty: the only one that there is */
	uint8_t clients;	 /* enum tls_client_certificates */
	uint8_t minimum;	 /* enum tls_minimum */
	char client_ca[TLS_PATH_MAX];
	char ciphers[256], ciphersuites[256]; /* empty: the engine's */
};

struct config_tls {
	bool listens; /* there is a listener for it */
	char certificates[TLS_PATH_MAX]; /* the directory of pairs; empty: none */
	char ca[TLS_PATH_MAX];		 /* for peers whose trunk says nothing else */
	char ticket_keys[TLS_PATH_MAX];	 /* empty: kept in memory */
	uint32_t ticket_rotate_s;	 /* 0: others do it */
	uint32_t ticket_keep;		 /* keys, beside the one that encrypts */
	uint32_t warning_days, major_days, critical_days; /* alarms: days left of a certificate */
	unsigned server_count;
	struct config_tls_server servers[TLS_CONFIG_SERVERS_MAX]; /* servers[0] is "default" */
};

/* 0; -ERR_INVALID, -ERR_FULL with an error that names the key. After the listeners, which are given their servers. control-only */
int config_load_tls(const struct raw_config *raw, struct config *c, char *error);
