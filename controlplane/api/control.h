/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"

struct alarms;
struct quality;
struct cdr;
struct certificates;
struct number_load;
struct config;
struct prober;
struct resolver;
struct routing;
struct server_client;

/* What operations work on: the running appliance as its operators see it. */
struct control {
	struct dataplane *dataplane;
	const struct config *config;
	struct routing *routing;
	const struct cdr *cdr;
	const struct prober *prober; /* NULL: nobody probes */
	struct resolver *resolver; /* NULL: names are not resolved */
	struct alarms *alarms;
	struct certificates *certificates; /* NULL: none */
	struct quality *quality; /* NULL: none */
	struct server_client *client; /* whose request is being answered; NULL: nobody's */
	const char *version;
	uint64_t started_ms; /* dataplane_now_ms() */
	bool draining; /* the node: new calls get 503 */
	bool stopping; /* and for good */
	uint64_t drain_since_s, drain_deadline_s; /* Unix time; deadline 0: none */
	struct number_load *load; /* NULL: none is under way; number_load_free */
	uint64_t loads;		  /* so far */
	struct worker_gauges gauges[WORKERS_MAX]; /* as of the last second: reading them resets the busy share */
	void (*changed)(void *ctx); /* tables were published: something is retired */
	void *ctx;
};
