/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"
#include "net/packet.h"
#include "proxy/proxy.h"
#include "tables/call_record.h"
#include "transport/stream.h"

struct rte_mbuf;
struct rte_mempool;
struct records;
struct rte_ring;
struct tls_seen;
struct tls_store;
struct trace;
struct worker;

/* One core's state and its loop: receive, own, act, send. */

/* What all workers share; immutable while they run, but for what is atomic. */
struct worker_shared {
	unsigned workers;
	bool idle_sleep;
	struct port *ports[PORTS_MAX];
	unsigned port_count;
	struct listener_set listeners;
	struct tables *tables;
	struct rte_mempool *pool;
	struct hash_key call_key, branch_key;
	struct cmac branch_mac; /* of branch_key */
	struct hash_key tuple_key, tcp_secret; /* of TCP connections */
	struct worker *worker[WORKERS_MAX];
	struct rte_ring *exceptions; /* all workers -> control: frames and IP packets for the kernel */
	int exception_fd;	     /* eventfd; written when exceptions wait and nobody was told */
	_Atomic(bool) exception_told;
	struct records *records;
	_Atomic(unsigned) open; /* workers that let everything in: only when all do is anything read of streams, whose messages nobody brings again */
	struct tls_store *tls_store; /* NULL: no listener speaks TLS */
	_Atomic(bool) stop;
};

/* How an exception's mbuf is marked (rte_mbuf.hash.usr). */
#define EXCEPTION_MARK(kind, port) ((uint32_t)(kind) << 16 | (port))

/* What a worker publishes of itself for the control thread. */
struct worker_published {
	_Atomic(uint32_t) server_transactions, client_transactions, live_calls, records_waiting, connections;
	_Atomic(uint64_t) message_bytes, busy_cycles, total_cycles;
	_Atomic(uint64_t) longest_turn, turns[LOOP_BUCKETS]; /* cycles; turns with work in them, by how long they took */
};

/* What a worker's streams are given (struct dataplane_tcp, limits). */
struct worker_streams {
	uint32_t connections, per_source, buffer_mb, idle_ms, message_ms, connect_timeout_ms, keepalive_ms;
	struct dataplane_tls tls;
};

struct worker_config {
	struct worker_shared *shared;
	unsigned index;
	int core; /* -1: not pinned */
	struct proxy_config proxy; /* tables, outbox, counters and targets are filled in here */
	struct worker_streams streams;
	uint32_t fragments;
	uint32_t trace_mb, trace_s;
};

/* A few of a worker's calls, as it answers worker_ask_calls. */
#define CALLS_PER_PAGE 32
struct call_page {
	unsigned count;
	bool more;
	bool answered[CALLS_PER_PAGE];
	struct call_record record[CALLS_PER_PAGE];
};

/* A few of its connections, as it answers worker_ask_connections. */
#define CONNECTIONS_PER_PAGE 64
struct connection_page {
	unsigned count;
	bool more;
	struct stream_view view[CONNECTIONS_PER_PAGE];
};

/* NULL: no memory, with error_text. control-only */
struct worker *worker_new(const struct worker_config *config, char *error_text);
/* Starts its thread. 0, -ERR_IO. control-only */
int worker_start(struct worker *w);
/* Waits for the thread (shared->stop is set). control-only */
void worker_join(struct worker *w);
void worker_free(struct worker *w);

/* Wakes it if it sleeps. any */
void worker_wake(struct worker *w);

/* Asks it to refuse new calls (or no longer). control-only */
void worker_drain(struct worker *w, bool drain);
/* What it lets in from now on. control-only */
void worker_admit(struct worker *w, enum admission what);

/* Closes its connections for good (streams_shut). control-only */
void worker_hang_up(struct worker *w);

/* Its endpoint went down: what waits for it moves on. control-only; false: its mailbox is full, ask again */
bool worker_release_endpoint(struct worker *w, uint32_t endpoint);

/* Asks it to count its targets' calls anew. control-only; false: its mailbox is full, ask again */
bool worker_recount(struct worker *w);

/* What it counts of a profile's retries (proxy_retries). */
struct retry_count worker_retries(const struct worker *w, uint32_t profile_slot, uint32_t profile_id);

/* Asks for the calls from slot *cursor on and waits for them, at most wait_ms; *cursor moves. NULL: no answer in time (a later call takes
 * up the late one). The page is the worker's until the next call. control-only */
const struct call_page *worker_ask_calls(struct worker *w, uint32_t *cursor, unsigned wait_ms);

/* The same for its connections. control-only */
const struct connection_page *worker_ask_connections(struct worker *w, uint32_t *cursor, unsigned wait_ms);
/* Has one of them closed; the page holds what it was, or nothing. NULL: no answer in time. control-only */
const struct connection_page *worker_ask_close(struct worker *w, uint64_t connection, unsigned wait_ms);

/* false: its mailbox is full. control-only */
bool worker_probe(struct worker *w, const struct probe_request *request);
/* false: none waits. control-only */
bool worker_probe_result(struct worker *w, struct probe_result *ret);

/* NULL: none. Read with trace_read. */
const struct trace *worker_trace(const struct worker *w);

/* Frames that the kernel sends, to go out of a port (hash.usr = port). control-only; false: full, the caller keeps the frame */
bool worker_inject(struct worker *w, struct rte_mbuf *frame);

/* A certificate that a handshake of its showed; the oldest first. false: none waits. control-only */
bool worker_tls_seen(struct worker *w, struct tls_seen *ret);
const struct counters *worker_counters(const struct worker *w);
const struct target_cell *worker_targets(const struct worker *w);
const struct worker_published *worker_published(const struct worker *w);
