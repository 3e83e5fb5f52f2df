/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dataplane.h"
#include "proxy/stats.h"
#include "worker.h"

/* Internal to dataplane.c (start, stop, mailboxes) and dataplane_status.c (what is read of running workers). */

struct gauge_reading {
	uint64_t busy, total;
};

struct dataplane {
	struct dataplane_config config;
	struct worker_shared shared;
	bool eal, hugepages;
	uint64_t (*baseline)[TARGET_COUNTS]; /* by target slot: what earlier holders of the slot had counted */
	struct gauge_reading last[WORKERS_MAX];
	uint64_t inject_dropped;
	uint8_t *linear;
};
