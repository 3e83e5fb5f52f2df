/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct raw_probe;

/* How endpoints are probed: what a target says, over its profile, over its trunk, over the node's default. */

#define PROBE_ACCEPT_MAX 16

enum probe_key {
	PROBE_ENABLED = 1,
	PROBE_INTERVAL = 2,
	PROBE_TIMEOUT = 4,
	PROBE_DOWN_AFTER = 8,
	PROBE_UP_AFTER = 16,
	PROBE_ACCEPT = 32,
	PROBE_FROM = 64,
	PROBE_TO = 128,
	PROBE_USER_AGENT = 256,
	PROBE_MAX_FORWARDS = 512,
	PROBE_ALL = 1023,
};

#define PROBE_URI_MAX 96
#define PROBE_AGENT_MAX 64

struct probe_settings {
	uint32_t given; /* enum probe_key: the rest is zero, and the default's to say */
	bool enabled;
	uint8_t accept_count; /* 0: every final response but 408 and 5xx */
	uint16_t down_after, up_after;
	uint16_t accept[PROBE_ACCEPT_MAX];
	uint32_t interval_ms, timeout_ms;
	uint8_t max_forwards;
	char from[PROBE_URI_MAX], to[PROBE_URI_MAX]; /* SIP URIs; empty: our own address, the request URI */
	char user_agent[PROBE_AGENT_MAX];	     /* empty: none */
};

/* What holds where nobody says otherwise: every key given. any */
struct probe_settings probe_settings_default(void);

/* s, completed from `otherwise`. any */
struct probe_settings probe_settings_over(const struct probe_settings *s, const struct probe_settings *otherwise);

/* Is `a` to be preferred where two users of an endpoint differ? Asking wins over not asking, then the shorter interval, then the shorter timeout. any */
bool probe_settings_stricter(const struct probe_settings *a, const struct probe_settings *b);

/* raw NULL: nothing is given. 0, -ERR_INVALID, -ERR_FULL with an error that begins with path. control-only */
int probe_settings_load(const struct raw_probe *raw, const char *path, struct probe_settings *ret, char *error);

/* From JSON as probe_settings_json writes it; an empty object: nothing is given. 0 or as probe_settings_load. control-only */
int probe_settings_read(const json_t *json, const char *path, struct probe_settings *ret, char *error);

/* The keys that are given, as they are written; NULL: none is. control-only */
json_t *probe_settings_json(const struct probe_settings *s);
