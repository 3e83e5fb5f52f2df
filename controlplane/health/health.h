/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tables/endpoints.h"

struct probe_result;
struct probe_settings;

/* What probes say of one endpoint: unknown, up, suspect or down. No I/O; the clock is handed in. */

enum health_reason {
	HEALTH_NOT_PROBED,
	HEALTH_ANSWERED, /* status was accepted */
	HEALTH_STATUS,	 /* status was not accepted */
	HEALTH_TIMEOUT,
	HEALTH_REFUSED,
};

#define HEALTH_SAID_MAX 96

struct health {
	uint64_t since_ms; /* of the last change */
	uint16_t failures, successes; /* in a row; one of them is 0 */
	uint16_t status;   /* of the answer that brought the last change; 0: none did */
	uint8_t state;	   /* enum endpoint_health */
	uint8_t reason;	   /* enum health_reason: why it changed last */
	char said[HEALTH_SAID_MAX]; /* by that answer, for people; empty: nothing */
};

/* Unknown, from now on. any */
void health_start(struct health *h, uint64_t now_ms);

/* Does the result say that somebody who takes calls is there? By `accept`, or else by any final response but 408 and 5xx; a 503 that
 * asks for a pause never does. any */
bool health_alive(const struct probe_settings *s, const struct probe_result *r);

/* Takes a result in. Down after s->down_after failures in a row, up after s->up_after successes. true: the state changed. any */
bool health_take(struct health *h, const struct probe_settings *s, const struct probe_result *r, uint64_t now_ms);

/* Why it changed last: "OPTIONS got 503 (Service Unavailable; Retry-After 30)". any */
#define HEALTH_TEXT_MAX 160
void health_text(const struct health *h, char out[HEALTH_TEXT_MAX]);
