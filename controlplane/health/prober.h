/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "health/health.h"
#include "health/rtt.h"

struct dataplane;
struct event_base;
struct routing;

/* Probes the endpoints that are in force with OPTIONS, one at a time each, and writes their health where workers read it. */

struct prober;

/* base NULL: no timer, the caller calls prober_advance. `otherwise`: what trunks do not say of probes; every key given.
 * NULL: no memory. control-only */
struct prober *prober_new(struct event_base *base, struct dataplane *d, const struct probe_settings *otherwise);
void prober_free(struct prober *p);

/* Takes over what is in force: endpoints that came are probed within a second (1.1 intervals, where that is less), those that stayed go on, those that went
 * are forgotten. Where the targets that use an endpoint want different things, the strictest has its way (probe_settings_stricter). Cheap when no other model was put in force since the last call. control-only */
void prober_follow(struct prober *p, const struct routing *r);

/* Sends what is due at now_ms (data-plane clock). control-only */
void prober_advance(struct prober *p, uint64_t now_ms);

/* Takes results that wait. true: there may be more. control-only */
bool prober_take(struct prober *p, uint64_t now_ms);

struct prober_status {
	struct health health;
	struct rtt rtt;
	uint64_t sent, failed;
	uint32_t interval_ms;
};

/* Of the endpoint in that slot. false: it is not probed (or p is NULL). control-only */
bool prober_status(const struct prober *p, uint32_t slot, struct prober_status *ret);
