/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/counters.h"
#include "port.h"
#include "sip/token.h"
#include "tables/admission.h"
#include "tables/endpoints.h"
#include "tables/probe.h"
#include "tables/tables.h"
#include "transport/flow.h"
#include "transport/stream_view.h"

/* The face of the data plane: start, stop, mailboxes, counters. Everything here is control-only unless it says otherwise. */

#define WORKERS_MAX 64
#define PORTS_MAX   16

struct dataplane_listener {
	struct ip_port addr;
	uint8_t transport; /* enum sip_transport: UDP, TCP, TLS */
	uint8_t tls_server; /* of TLS: what it presents and asks for (tls_store_set_server) */
};

struct call_record;
struct tls_seen;
struct tls_store;

struct dataplane_limits {
	uint32_t transactions; /* server transactions per worker (INVITEs and others in progress or lingering) */
	uint32_t in_progress;  /* of transactions: those that do not linger as the little that is left of an INVITE; 0: all */
	uint32_t calls;	       /* live calls per worker */
	uint32_t call_age_s;   /* a call whose BYE was missed ends then; at most 4,000,000 */
	uint32_t message_mb;   /* kept messages per worker */
	uint32_t trace_mb;     /* last messages per worker, for looking at; 0: none */
	uint32_t trace_s;      /* how far back they are to reach: under load those of some calls are kept only; 0: of all */
	uint32_t fragments;    /* incomplete datagrams per worker */
	uint32_t mbufs;	       /* per worker */
	uint32_t connections;  /* of TCP, in whatever state, per worker */
	uint32_t connections_per_source; /* of those that others open, from one IPv4 address or IPv6 /64, per worker; 0: any number */
	uint32_t stream_mb;    /* bytes in flight, incomplete or waiting, of all connections of a worker */
	struct tables_limits tables;
};

/* What is said of TCP connections; they are there where a listener's transport is TCP. */
struct dataplane_tcp {
	uint32_t idle_s;	     /* silence after which one is closed; 0: never */
	uint32_t message_timeout_s;  /* a message's first byte ... its last; 0: any time */
	uint32_t connect_timeout_ms; /* SYN ... established */
	uint32_t keepalive_s;	     /* silence before the first probe; 0: none */
	uint32_t port_low, port_high; /* what ours begin at: the kernel must not use these ports of the listeners' addresses */
};

/* What is said of TLS; it is there where a listener's transport is TLS. All of it for each worker. */
struct dataplane_tls {
	uint32_t sessions;   /* at once; 0: as many as connections */
	uint32_t handshakes; /* of those, accepted and not done */
	uint32_t tickets;    /* kept to resume sessions with peers; 0: none */
	uint32_t handshake_budget_us; /* of a turn of its loop; a turn does at least one step */
	uint32_t handshake_timeout_ms;
	bool unverified_callbacks; /* what must go by TLS to an address of which nobody has said who is there (a response whose connection is gone, a caller's
				    * Contact) may go to whoever has a certificate of TLS_PEER_DEFAULT's CA */
};

/* RFC 3261 §17 and Table 4, in ms. */
struct dataplane_timers {
	uint32_t t1, t2, t4, timer_c;
};

#define DATAPLANE_NAMES_MAX 32

enum unknown_source { UNKNOWN_SOURCE_403, UNKNOWN_SOURCE_SILENT };

struct dataplane_config {
	unsigned workers;
	int cores[WORKERS_MAX]; /* the core each is pinned to; -1: not pinned */
	bool idle_sleep;	/* an idle worker sleeps */
	struct port_config ports[PORTS_MAX];
	unsigned port_count;
	struct dataplane_listener listeners[64];
	unsigned listener_count;
	struct dataplane_limits limits;
	struct dataplane_timers timers;
	struct dataplane_tcp tcp;
	struct dataplane_tls tls;
	enum admission admission; /* what is let in before dataplane_admit says otherwise */
	enum unknown_source unknown_source;
	struct ejection_config ejection;
	char server_name[64]; /* Server header of our own answers; empty: none */
	uint16_t node, boot;
	struct token_keys token_keys;
	/* Host names that mean this proxy in a request URI or a Route, beside the listeners' addresses. */
	char names[DATAPLANE_NAMES_MAX][256];
	unsigned name_count;
	/* A file that is mapped for the call records on their way to the control thread, so that a SIGKILL loses none; empty: plain memory. */
	char record_file[256];
};

void dataplane_config_default(struct dataplane_config *config);

struct dataplane;

/* EAL, ports, tables and workers, in that order; a failure undoes what was done. 0 or a negative enum err with error_text (256 bytes). */
int dataplane_start(const struct dataplane_config *config, struct dataplane **ret_dataplane, char *error_text);
/* Stops the workers at once and frees everything. */
void dataplane_stop(struct dataplane *d);

/* What is let in from now on. */
void dataplane_admit(struct dataplane *d, enum admission what);

/* New calls get 503 with Retry-After from now on; what is up goes on. */
void dataplane_drain(struct dataplane *d, bool drain);

/* Closes all connections, once what waits for them has left, and opens none any more: for the end. dataplane_gauges says how many are left. */
void dataplane_hang_up(struct dataplane *d);

struct tables *dataplane_tables(struct dataplane *d);
const struct dataplane_config *dataplane_configuration(const struct dataplane *d);
bool dataplane_hugepages(const struct dataplane *d);
/* What TLS presents and checks: empty at first, so that nobody is accepted and nobody connected to. NULL: no listener speaks TLS. */
struct tls_store *dataplane_tls(struct dataplane *d);
/* Takes a certificate that a worker's handshake has shown; false: none waits. Nobody is woken for them: look now and then. */
bool dataplane_tls_seen(struct dataplane *d, struct tls_seen *ret);
struct port *dataplane_port(struct dataplane *d, unsigned index);

/* The clock that workers use, in ms (monotonic). any */
uint64_t dataplane_now_ms(void);

const struct counters *dataplane_counters(const struct dataplane *d, unsigned worker);

struct worker_gauges {
	uint32_t server_transactions, client_transactions, live_calls, connections;
	uint64_t message_bytes; /* of kept messages */
	uint32_t records_waiting; /* for room in the mailbox below */
	uint64_t busy_permille; /* of loop time spent on work since the last reading */
	uint64_t busy_us;	/* spent on work since its start */
};
void dataplane_gauges(struct dataplane *d, unsigned worker, struct worker_gauges *ret);

/* How long the turns of a worker's loop took that had work in them, since its start: a histogram of cycles (base/log_linear.h, LOOP_BITS). What the
 * host or the kernel took of them is in it: nothing else can make a turn wait. */
#define LOOP_BITS    3
#define LOOP_BUCKETS 272 /* up to 2^36 cycles; the last holds longer ones too */
struct loop_times {
	uint64_t cycles_per_s;
	uint64_t longest; /* cycles */
	uint64_t turns[LOOP_BUCKETS];
};
void dataplane_loop_times(const struct dataplane *d, unsigned worker, struct loop_times *ret);

/* Per target (profile_target.target_slot), summed over workers. */
struct target_stats {
	uint64_t attempts, answered, rejected, failed, timeouts, rescued_away;
	uint64_t live;	  /* answered calls that have not ended */
	uint64_t ringing; /* attempts without a final answer yet */
};
#define TARGET_SLOTS_MAX 65536
void dataplane_target_stats(const struct dataplane *d, uint32_t target_slot, struct target_stats *ret);
/* A slot that is given to another target starts again from zero. */
void dataplane_target_stats_reset(struct dataplane *d, uint32_t target_slot);

/* Workers count the calls of their targets anew (the loads of tables/loads.h, live and ringing above), as they do by themselves twice a minute. To be
 * called when a target may have got its first limit: its calls of before are counted then. false: a worker was too busy to be asked, try again. */
bool dataplane_recount(struct dataplane *d);

/* Attempts and retries of a profile with a retry_budget, over the last window_s seconds and all workers; floor: so many retries no budget refuses. */
struct retry_stats {
	uint64_t attempts, retries;
	uint32_t window_s, floor;
};
void dataplane_retries(const struct dataplane *d, uint32_t profile_slot, uint32_t profile_id, struct retry_stats *ret);

/* Keyed hash of a Call-ID, as workers compute it for ownership and weighted selection. any */
uint64_t dataplane_call_hash(const struct dataplane *d, const void *call_id, size_t bytes);

/* ---- calls */

/* The oldest call record that has not been dropped, of any worker; NULL: none waits. Valid until dataplane_record_drop, which must follow once
 * it is safe (written): after a crash in between it comes again, with the same id. dataplane_event_fd is readable when records wait. */
const struct call_record *dataplane_record_peek(struct dataplane *d);
void dataplane_record_drop(struct dataplane *d);

/* Calls being set up and live, at most max in all: asks the workers and waits for their answers, at most wait_ms. Returns how many were handed to fn,
 * or -ERR_IO when a worker did not answer in time. */
int dataplane_calls(struct dataplane *d, unsigned max, unsigned wait_ms,
		    void (*fn)(void *ctx, const struct call_record *record, bool answered), void *ctx);

/* Hands the workers' connections to fn, worker by worker, until it says false; waits for each worker at most wait_ms. 0, -ERR_IO: one did
 * not answer. */
int dataplane_connections(struct dataplane *d, unsigned wait_ms, bool (*fn)(void *ctx, unsigned worker, const struct stream_view *view), void *ctx);
/* Closes one (stream_view.name) once what waits for it has left. 0 with what it was, -ERR_NOT_FOUND, -ERR_IO. */
int dataplane_connection_close(struct dataplane *d, uint64_t connection, unsigned wait_ms, struct stream_view *ret);

/* The messages of one call (hash of its Call-ID: dataplane_call_hash; 0: all) that are still in the workers' rings, oldest first; time in ms
 * of dataplane_now_ms; len as it was on the wire, kept <= len bytes follow. Returns how many. */
unsigned dataplane_trace(const struct dataplane *d, uint64_t call_hash,
			 void (*fn)(void *ctx, unsigned worker, uint64_t time_ms, bool outgoing, const struct flow *flow,
				    const uint8_t *message, uint32_t kept, uint32_t len),
			 void *ctx);
/* Of how many calls the worker of this one keeps one at present, where this is not among them; 1: it is kept. */
unsigned dataplane_trace_one_in(const struct dataplane *d, uint64_t call_hash);

/* ---- probes (tables/probe.h) */

/* Sends it from one of the workers. 0; -ERR_FULL: too many at once, try again later; -ERR_INVALID. */
int dataplane_probe(struct dataplane *d, const struct probe_request *request);
/* Takes a result that waits; false: none. dataplane_event_fd is readable when results wait. */
bool dataplane_probe_result(struct dataplane *d, struct probe_result *ret);

/* The endpoint is known to be down: its unanswered attempts move on. */
void dataplane_release_endpoint(struct dataplane *d, uint32_t endpoint);

/* Readable when exceptions or call records wait; dataplane_exceptions clears it. */
int dataplane_event_fd(const struct dataplane *d);

enum exception_kind {
	EXCEPTION_FRAME,     /* an Ethernet frame that came in on port: for the kernel interface paired with it */
	EXCEPTION_IP_PACKET, /* an IP packet of ours whose next hop the kernel is to resolve: send it through a raw socket */
};
/* Hands at most max waiting exceptions to fn (data is linear, valid during the call); returns how many there were. */
unsigned dataplane_exceptions(struct dataplane *d, unsigned max,
			      void (*fn)(void *ctx, enum exception_kind kind, uint16_t port, const uint8_t *data, uint32_t len),
			      void *ctx);
/* Sends an Ethernet frame of the kernel's on a port. 0, -ERR_FULL, -ERR_NOMEM, -ERR_INVALID (no such port, longer than a buffer);
 * each is counted. */
int dataplane_inject(struct dataplane *d, uint16_t port, const uint8_t *frame, uint32_t len);
uint64_t dataplane_inject_dropped(const struct dataplane *d);
