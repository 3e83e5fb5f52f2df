/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <poll.h>
#include <pthread.h>

#include "proxy/proxy.h"
#include "sip/message.h"
#include "transport/stream.h"
#include "worker.h"

/* Internal to worker.c (the loop, on the worker's thread), worker_in.c and worker_out.c (what comes and what leaves), worker_stream.c (TCP's
 * part of it) and worker_control.c (its life, and what the control thread asks of it). */

#define WORKER_BURST	32
#define HANDOFF_RING	2048 /* frames between two workers */
#define INJECT_RING	1024
#define WAIT_FDS_MAX	64
#define SCRATCH_BYTES	65536
#define PROBES_WAITING	256 /* not yet sent; their results: 16 times as many */

/* Datagrams of a burst that are ours, read and not yet acted on: the proxy reads ahead in them. */
struct waiting {
	unsigned count;
	struct rte_mbuf *frames[WORKER_BURST];
	struct datagram datagrams[WORKER_BURST];
};

enum command_type { COMMAND_DRAIN, COMMAND_RELEASE_ENDPOINT, COMMAND_CALLS, COMMAND_RECOUNT, COMMAND_ADMIT, COMMAND_HANG_UP, COMMAND_CONNECTIONS, COMMAND_CLOSE };

struct command {
	uint8_t type;
	bool on;
	uint32_t value; /* endpoint slot; cursor */
	uint64_t connection;
};

/* What a buffer from another worker holds (rte_mbuf.hash.usr): a frame, with its port, or a message. */
#define HANDED_SHIFT 16
#define HANDED_MARK(kind) ((uint32_t)(kind) << HANDED_SHIFT)
enum handed_kind {
	HANDED_FRAME,
	HANDED_IN,	    /* it came by a connection of theirs, for a call of ours */
	HANDED_OUT,	    /* it is to go by a connection of ours */
	HANDED_UNDELIVERED, /* ours, that could not */
	HANDED_NOT_TAKEN,   /* ours, for which the connection has no room */
	HANDED_OUT_PAST,    /* it was to go by a connection that is gone: the alias that led there is to be forgotten, and it goes without */
	HANDED_ALIAS,	    /* no message: what goes to the address may go by that connection of theirs */
};

struct worker {
	struct worker_shared *shared;
	unsigned index;
	int core;
	pthread_t thread;
	bool started;
	struct counters *counters;
	struct target_cell *targets;
	struct proxy *proxy;
	struct output *output;
	struct reassembly *reassembly;
	struct rte_ring *from[WORKERS_MAX]; /* frames that other workers received and we own */
	struct rte_ring *inject;
	struct mailbox *commands;
	int event_fd;
	_Atomic(bool) sleeping;
	struct pollfd fds[WAIT_FDS_MAX];
	unsigned fd_count;
	bool can_sleep;
	bool control_due; /* something for the control thread this turn: exceptions, records */
	bool rang[WORKERS_MAX];	 /* gave frames to that worker this turn */
	uint64_t now_ms, next_expire_ms;
	struct streams *streams; /* NULL: there is no TCP listener */
	uint64_t now_us;	 /* for them only */
	bool held;		 /* they are not read yet: not all workers let everything in */
	bool admits;		 /* this one does */
	struct sip_message introduction; /* scratch */
	const uint8_t *reserved; /* what the outbox gave last */
	uint8_t *scratch;
	struct waiting waiting;
	struct worker_published published;
	struct mailbox *records; /* call records to the control thread */
	uint32_t records_untold; /* that it was not woken for yet */
	uint64_t records_told_ms;
	struct mailbox *probes, *probe_results; /* from and to the control thread */
	struct probe_request probe;		/* scratch */
	struct trace *trace;
	struct call_page page;	 /* the control thread's to read while !page_asked, as is the next */
	struct connection_page connections;
	_Atomic(bool) page_asked;
	uint32_t page_cursor;
	int page_fd;
};

/* ---- worker.c */
/* The thread. arg: the worker. */
void *worker_loop(void *arg);
/* Monotonic. any */
uint64_t worker_now_ms(void);
uint64_t worker_now_us(void);

/* ---- worker_in.c */
/* Takes what the ports and the other workers have, a burst of each, and acts on it. Returns how much there was. worker-only */
unsigned worker_receive(struct worker *w);

/* ---- worker_out.c */
/* A frame or packet for the kernel; takes it over. worker-only */
void worker_to_kernel(struct worker *w, struct rte_mbuf *m, enum exception_kind kind, uint16_t port);
/* What the proxy and the output floor are given; ctx: the worker. worker-only */
uint8_t *worker_outbox_reserve(void *ctx, uint32_t bytes, const struct flow *to);
int worker_outbox_commit(void *ctx, uint32_t len, const struct flow *to);
struct call_record *worker_outbox_record_room(void *ctx);
void worker_outbox_record_written(void *ctx);
void worker_outbox_probe_done(void *ctx, const struct probe_result *result, uint64_t started);
void worker_resolve_by_kernel(void *ctx, struct rte_mbuf *ip_packet, uint16_t port);

/* ---- worker_stream.c */
/* 0, or a negative enum err. control-only */
int worker_streams_new(struct worker *w, const struct worker_streams *want);
/* As outbox.commit for a stream. worker-only, as are the following */
int worker_stream_send(struct worker *w, const uint8_t *message, uint32_t len, const struct flow *to);
/* What is let in from now on: streams are read once all workers let everything in. */
void worker_stream_admit(struct worker *w, enum admission what);
/* Once a turn, with streams: timers, what waits, what leaves. Returns how much there was to do. */
unsigned worker_stream_turn(struct worker *w);
void worker_stream_hang_up(struct worker *w);
/* Fill w->connections; return the next cursor. */
uint32_t worker_stream_list(struct worker *w, uint32_t cursor);
void worker_stream_end(struct worker *w, uint64_t connection);
/* A message from another worker; frees it. */
void worker_handed_in(struct worker *w, struct rte_mbuf *m);
/* Of a PACKET_TCP or PACKET_ICMP_TCP. */
unsigned worker_segment_owner(const struct worker *w, const struct packet *packet);
void worker_segment_in(struct worker *w, const struct packet *packet);
void worker_segment_error(struct worker *w, const struct packet *packet);
