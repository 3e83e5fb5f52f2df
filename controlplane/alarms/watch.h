/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct control;

/* Looks once a second at what nobody else raises alarms about: targets and profiles without an endpoint that takes calls, drains, workers and
 * tables at their bounds, call records that cannot be written. control-only */

struct watch_config {
	uint32_t busy_percent; /* a worker that is busier is overloaded; 0: never */
	uint32_t busy_s;       /* for so long, and calmer for as long until that is over */
};

struct watch;

/* NULL: no memory. */
struct watch *watch_new(const struct watch_config *config, unsigned workers);
void watch_free(struct watch *w);

/* c->gauges are of this second. Raises and clears in c->alarms. */
void watch_second(struct watch *w, const struct control *c);
