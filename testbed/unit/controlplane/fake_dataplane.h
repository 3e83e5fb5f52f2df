/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dataplane.h"

/* A data plane without ports and workers: real tables, counters and statistics that tests write. */

struct fake_dataplane {
	struct dataplane_config config;
	struct tables *tables;
	struct counters counters[2];
	struct worker_gauges gauges[2];
	struct target_stats targets[64];
	unsigned resets[64];
	bool draining;
};

/* NULL: no memory. */
struct dataplane *fake_dataplane_new(const struct tables_limits *limits);
void fake_dataplane_free(struct dataplane *d);
struct fake_dataplane *fake_dataplane(struct dataplane *d);
