/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct raw_probe;

/* How the endpoints of a trunk are probed: what the trunk says, over what the node's default says. */

#define PROBE_ACCEPT_MAX 16

enum probe_key {
	PROBE_ENABLED = 1,
	PROBE_INTERVAL = 2,
	PROBE_TIMEOUT = 4,
	PROBE_DOWN_AFTER = 8,
	PROBE_UP_AFTER = 16,
	PROBE_ACCEPT = 32,
	PROBE_ALL = 63,
};

struct probe_settings {
	uint32_t given; /* enum probe_key: the rest is zero, and the default's to say */
	bool enabled;
	uint8_t accept_count; /* 0: every final response but 408 and 5xx */
	uint16_t down_after, up_after;
	uint16_t accept[PROBE_ACCEPT_MAX];
	uint32_t interval_ms, timeout_ms;
};

/* What holds where nobody says otherwise: every key given. any */
struct probe_settings probe_settings_default(void);

/* s, completed from `otherwise`. any */
struct probe_settings probe_settings_over(const struct probe_settings *s, const struct probe_settings *otherwise);

/* raw NULL: nothing is given. 0, -ERR_INVALID, -ERR_FULL with an error that begins with path. control-only */
int probe_settings_load(const struct raw_probe *raw, const char *path, struct probe_settings *ret, char *error);

/* The keys that are given, as they are written; NULL: none is. control-only */
json_t *probe_settings_json(const struct probe_settings *s);
