/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dataplane.h"
#include "tables/call_record.h"
#include "transport/flow.h"

struct fake_message {
	uint64_t call, time_ms;
	bool outgoing;
	struct flow flow;
	const char *text;
	uint32_t len; /* on the wire */
};

/* A data plane without ports and workers: real tables, counters and statistics that tests write. */

struct fake_dataplane {
	struct dataplane_config config;
	struct tables *tables;
	struct counters counters[2];
	struct worker_gauges gauges[2];
	struct loop_times loop[2];
	struct target_stats targets[64];
	unsigned resets[64];
	unsigned recounts;
	struct retry_stats retries;
	bool draining;
	const struct call_record *records; /* that wait: record_first ... record_count - 1 */
	unsigned record_first, record_count;
	const struct call_record *calls;
	unsigned call_count;
	bool workers_stuck;
	struct stream_view *connections;
	unsigned connection_count;
	const struct fake_message *trace;
	unsigned trace_count;
	unsigned trace_one_in; /* 0: every call is kept */
	struct probe_request *probes; /* room for probe_room; those beyond are refused as too many */
	unsigned probe_count, probe_room;
	const struct probe_result *results; /* that wait: result_first ... result_count - 1 */
	unsigned result_first, result_count;
	uint32_t released[8]; /* endpoint slots, the first of them */
	unsigned released_count;
};

#define FAKE_NOW_MS 1000000 /* what dataplane_now_ms says until a test sets another time */
void fake_set_now(uint64_t now_ms);

/* NULL: no memory. */
struct dataplane *fake_dataplane_new(const struct tables_limits *limits);
void fake_dataplane_free(struct dataplane *d);
struct fake_dataplane *fake_dataplane(struct dataplane *d);
