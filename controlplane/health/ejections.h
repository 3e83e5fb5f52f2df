/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct alarms;
struct dataplane;
struct endpoint_live;
struct event_base;

/* Follows what live traffic takes out and what comes back: an alarm each. Workers only write the endpoint's live state;
 * this looks at it ten times a second, and at the endpoints one by one only when something was ejected since. */

struct ejections;

/* base NULL: no timer, the caller calls ejections_look. NULL: no memory. control-only */
struct ejections *ejections_new(struct event_base *base, struct dataplane *d, struct alarms *alarms);
void ejections_free(struct ejections *e);

/* What has changed until now_ms (data-plane clock). control-only */
void ejections_look(struct ejections *e, uint64_t now_ms);

/* An alarm ends when its endpoint has been back for so long: one that refuses call after call is one trouble. */
#define EJECTION_QUIET_MS 5000

/* Why it was last ejected: "3 calls in a row got no answer". any */
#define EJECTION_TEXT_MAX 80
void ejection_text(const struct endpoint_live *live, char out[EJECTION_TEXT_MAX]);
