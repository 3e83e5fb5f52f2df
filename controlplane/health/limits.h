/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct alarms;
struct dataplane;
struct routing;

/* Looks once a second at the targets that have a limit: an alarm while calls pass one over, or it has as many as it may; and where the count that all
 * workers share is not what they hold, it is put right (tables/loads.h). */

struct limits;

/* NULL: no memory. control-only */
struct limits *limits_new(struct dataplane *d, struct alarms *alarms);
void limits_free(struct limits *l);

/* control-only */
void limits_look(struct limits *l, const struct routing *r, uint64_t now_ms);

/* An alarm ends when its target has had room for so long: one at the edge of its limit is one trouble. */
#define LIMIT_QUIET_MS 5000
