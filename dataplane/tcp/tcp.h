/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/siphash.h"
#include "base/span.h"

struct counters;

/* A TCP endpoint for byte streams (RFC 9293, with RFC 7323 window scale and timestamps, RFC 2018 and 6675 selective acknowledgement, RFC 6298
 * timer, RFC 9438 or 5681 congestion control, RFC 5961 and 6528 against blind attackers, SYN cookies). It knows no port and no mbuf and
 * reads no clock: segments and the time come in, segments, bytes and events leave through handlers. One per worker, one thread, no lock; all of its
 * memory is taken at the start, and a connection with nothing in flight holds no buffer.
 *
 * A turn of its owner: tcp_advance (timers), tcp_input for every segment, tcp_send for what is to go out, tcp_flush. Only tcp_flush and
 * tcp_advance send data; tcp_input answers at once only what may not wait: resets, SYN, duplicate and challenge acknowledgements, and every second
 * full segment. */

struct tcp;
struct tcp_connection;

enum tcp_end {
	TCP_END_CLOSED,	     /* both sides had said that they were done */
	TCP_END_REFUSED,     /* our SYN was answered with a reset */
	TCP_END_RESET,	     /* by the peer */
	TCP_END_TIMEOUT,     /* no answer: to the SYN, to data, to keepalives */
	TCP_END_UNREACHABLE, /* a router or the host said so before the connection stood; or there is no route */
};

enum tcp_state {
	TCP_STATE_CLOSED,
	TCP_STATE_SYN_SENT,
	TCP_STATE_SYN_RECEIVED,
	TCP_STATE_ESTABLISHED,
	TCP_STATE_FIN_WAIT_1,
	TCP_STATE_FIN_WAIT_2,
	TCP_STATE_CLOSE_WAIT,
	TCP_STATE_CLOSING,
	TCP_STATE_LAST_ACK,
	TCP_STATE_TIME_WAIT,
	TCP_STATES
};

enum tcp_congestion { TCP_CUBIC, TCP_NEWRENO };

/* All are called from inside tcp_input, tcp_advance, tcp_flush and tcp_read. They may call tcp_send, tcp_close and tcp_abort on any connection
 * and tcp_connect; not tcp_read, tcp_input, tcp_advance or tcp_flush. */
struct tcp_handlers {
	/* Room for a TCP segment of `bytes`, header and payload; what lies in front of it is the caller's. One at a time. NULL: none now. */
	uint8_t *(*reserve)(void *ctx, uint32_t bytes);
	/* The segment is written, its checksum too (but see sums_elsewhere), and is to be sent with DF set (IPv4). 0, or -ERR_UNREACHABLE:
	 * there is no way there. */
	int (*commit)(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination);
	/* The connection is established; passive ones are seen here for the first time. */
	void (*opened)(void *ctx, struct tcp_connection *c);
	/* The next bytes of the stream, valid for the call. Returns how many were taken; the rest is kept, its room in the window with it,
	 * until tcp_read. */
	uint32_t (*data)(void *ctx, struct tcp_connection *c, struct span bytes);
	/* Half of the send buffer is free again after a tcp_send that did not take everything. */
	void (*writable)(void *ctx, struct tcp_connection *c);
	/* The peer has sent all that it will, and all of it was taken. */
	void (*peer_closed)(void *ctx, struct tcp_connection *c);
	/* The connection is no more; c is not to be used after this, and what `data` left is gone. Not called for a connection that tcp_abort
	 * ended, nor for a passive one before `opened`. */
	void (*closed)(void *ctx, struct tcp_connection *c, enum tcp_end why);
};

struct tcp_config {
	uint32_t connections;	/* at once, in whatever state: 1 to 4,000,000 */
	uint32_t per_source;	/* passive ones that stand, of one IPv4 address or IPv6 /64; 0: any number */
	uint32_t half_open;	/* passive ones that do not stand yet; beyond this SYNs are answered with cookies. 0: always */
	uint32_t time_wait;	/* in TIME-WAIT; beyond this the oldest makes room. At least 1 */
	uint64_t buffer_bytes;	/* for what is sent and not acknowledged, received and not taken, of all connections: 64 KiB or more */
	uint32_t send_bytes;	/* of one connection: 4 KiB to 16 MiB */
	uint32_t receive_bytes; /* of one connection, its window: 4 KiB to 16 MiB */
	uint16_t pieces;	/* of one connection, received out of order: 1 to 1,024 */
	uint16_t mtu;		/* of the link, in bytes of IP packet: 576 to 65,535 (1,280 for IPv6) */
	uint16_t port_low, port_high;	  /* from which active opens take theirs */
	uint32_t connect_timeout_ms;	  /* SYN sent or received ... established */
	uint32_t user_timeout_ms;	  /* sent ... acknowledged (RFC 9293 §3.9.1) */
	uint32_t rto_min_ms, rto_max_ms;  /* RFC 6298 asks for 1,000 and at least 60,000; the lower bound commonly used is 200 */
	uint32_t delayed_ack_ms;	  /* at most 500 (RFC 9293 §3.8.6.3) */
	uint32_t keepalive_ms;		  /* silence before the first probe; 0: none */
	uint32_t keepalive_interval_ms;	  /* between probes */
	uint32_t keepalive_probes;	  /* without an answer, then TCP_END_TIMEOUT */
	uint32_t time_wait_ms;		  /* 2 MSL */
	uint32_t fin_wait_ms;		  /* the longest wait in FIN-WAIT-2 */
	uint32_t challenges_per_s;	  /* challenge ACKs of one connection (RFC 5961 §7); no count is shared by connections: it would tell on them */
	uint32_t resets_per_s;		  /* resets for segments of no connection, in all */
	enum tcp_congestion congestion;
	bool sums_elsewhere;	      /* `commit` is given segments whose checksum field is zero: it, or a device, fills that in */
	unsigned worker, workers;     /* whose connections these are: tcp_owner(hash, workers) == worker */
	struct hash_key tuple_key;    /* of all workers alike: owners and look-up */
	struct hash_key secret;	      /* initial sequence numbers, cookies, timestamps, ports. Of all workers alike */
	uint32_t (*initial_sequence)(void *ctx, uint32_t proposed); /* NULL: as proposed. For tests of wrap-around */
	const struct tcp_handlers *handlers;
	void *ctx;
	struct counters *counters;
};

/* Sensible values for everything but keys, handlers, ctx and counters. any */
struct tcp_config tcp_config_default(void);
/* What is wrong with it, as "field: why"; NULL: nothing. Static storage. any */
const char *tcp_config_fault(const struct tcp_config *config);

/* An endpoint whose clock stands at now_us (microseconds; only differences matter, never goes back). 0, -ERR_INVALID (tcp_config_fault says what),
 * -ERR_NOMEM. control-only */
int tcp_new(const struct tcp_config *config, uint64_t now_us, struct tcp **ret_tcp);
/* Forgets all connections without a word to anybody. NULL is ignored. control-only */
void tcp_free(struct tcp *t);
/* Touches the memory that connections will use (pages.h). control-only */
void tcp_touch(struct tcp *t);

/* ---- who owns a connection */

/* The hash of a connection as seen from here, by which workers own it and look it up. any */
uint64_t tcp_tuple_hash(const struct hash_key *key, const struct ip_port *local, const struct ip_port *remote);
static inline unsigned tcp_owner(uint64_t hash, unsigned workers)
{
	return (unsigned)((hash >> 32) * workers >> 32);
}

/* ---- opening and closing; all worker-only */

/* SYNs for this address are taken from now on. 0, -ERR_EXISTS, -ERR_FULL (64 of them). */
int tcp_listen(struct tcp *t, const struct ip_port *local);
/* No more; connections that stand are left alone. 0, -ERR_NOT_FOUND. */
int tcp_unlisten(struct tcp *t, const struct ip_port *local);

/* Sends a SYN. local->port 0: a port whose connection hashes to this worker. `opened` or `closed` follows, unless it was aborted. 0, -ERR_INVALID
 * (families differ, no port), -ERR_EXISTS, -ERR_FULL (no connection or no port is left: counted), -ERR_UNREACHABLE (no route). */
int tcp_connect(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, void *user,
		struct tcp_connection **ret_connection);

/* Sends what is queued, then FIN. The peer's bytes are still handed to `data` until its FIN; `closed` follows. Nothing where it was called before. */
void tcp_close(struct tcp *t, struct tcp_connection *c);
/* Sends a reset and forgets everything; c is not to be used after this. */
void tcp_abort(struct tcp *t, struct tcp_connection *c);

/* ---- bytes; worker-only */

/* Queues bytes (copied). Returns how many were taken: fewer than given where the connection's share or all memory is used up (`writable` says when to
 * try again), 0 where the stream was closed from this side. They go out with tcp_flush. */
uint32_t tcp_send(struct tcp *t, struct tcp_connection *c, struct span bytes);
/* How many tcp_send would take, as far as the connection's share goes. */
uint32_t tcp_send_room(const struct tcp *t, const struct tcp_connection *c);
/* Queued and not acknowledged. */
uint32_t tcp_send_pending(const struct tcp_connection *c);
/* Hands what `data` left to it again; opens the window by what is taken. Not from inside a handler. */
void tcp_read(struct tcp *t, struct tcp_connection *c);

/* ---- what a connection is; worker-only */

void *tcp_user(const struct tcp_connection *c);
void tcp_set_user(struct tcp_connection *c, void *user);
enum tcp_state tcp_state(const struct tcp_connection *c);
const char *tcp_state_name(enum tcp_state state);
const char *tcp_end_name(enum tcp_end why);
const struct ip_port *tcp_local(const struct tcp_connection *c);
const struct ip_port *tcp_remote(const struct tcp_connection *c);
/* A name that stays unique after the connection is gone. tcp_find: NULL when it is. */
uint64_t tcp_handle(const struct tcp *t, const struct tcp_connection *c);
struct tcp_connection *tcp_find(const struct tcp *t, uint64_t handle);

/* The connection between the two; NULL: none. */
struct tcp_connection *tcp_between(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote);

struct tcp_info {
	uint32_t send_window, congestion_window, slow_start_threshold, send_mss; /* bytes */
	uint32_t srtt_us, rto_ms, retransmitted;
	bool timestamps, sack, window_scale;
};
void tcp_info(const struct tcp_connection *c, struct tcp_info *ret_info);

/* ---- segments and time; worker-only */

struct tcp_packet {
	struct ip_addr source, destination;
	struct span segment;	/* from the TCP header on, contiguous; only read, and not after the call */
	bool checksum_good;	/* somebody has verified it */
	uint64_t hash;		/* tcp_tuple_hash(destination, source), both with their ports: tcp_packet_hash */
};

/* The hash of a received segment's connection. 0: it is too short for ports. any */
uint64_t tcp_packet_hash(const struct hash_key *key, const struct tcp_packet *packet);

/* Whatever is wrong with it is counted. */
void tcp_input(struct tcp *t, const struct tcp_packet *packet, uint64_t now_us);

enum tcp_icmp_kind {
	TCP_ICMP_SOFT,	  /* network, host unreachable; time exceeded: may pass */
	TCP_ICMP_HARD,	  /* protocol, port unreachable, prohibited */
	TCP_ICMP_TOO_BIG, /* fragmentation needed, packet too big: mtu */
};
/* An ICMP error whose quoted packet went from local to remote, with its sequence number. One that quotes what is not in flight is ignored (RFC 5927).
 * A host that cannot be reached ends a connection only before it stands. */
void tcp_icmp(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint32_t sequence, enum tcp_icmp_kind kind,
	      uint16_t mtu, uint64_t now_us);

/* Runs timers. */
void tcp_advance(struct tcp *t, uint64_t now_us);
/* When tcp_advance or tcp_flush has something to do next, in µs, at the earliest; UINT64_MAX: never. */
uint64_t tcp_next_due(const struct tcp *t);
/* Sends what windows allow of all connections that something happened to since. */
void tcp_flush(struct tcp *t, uint64_t now_us);

struct tcp_usage {
	uint32_t connections, half_open, time_wait, listeners, sources;
	uint64_t buffer_bytes; /* taken */
	uint64_t memory_bytes; /* reserved in all, buffers included */
};
void tcp_usage(const struct tcp *t, struct tcp_usage *ret_usage);

/* Whether all that the connection holds is consistent: for tests and the fuzz target. */
bool tcp_sound(const struct tcp *t, const struct tcp_connection *c);
