/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp.h"
#include "tls/tls.h"
#include "transport/flow.h"
#include "transport/stream_view.h"

/* SIP over the TCP connections of one worker: bytes into messages, messages onto connections. Connections that others opened are found by
 * the name in a flow; those that we open are shared by all workers, by remote address, transport and TLS peer: they belong to the worker
 * that streams_owner_of names. One thread, no lock. */

#define STREAM_WHY_MAX 160 /* bytes of a reason in words, NUL included */

struct streams;

struct streams_config {
	struct tcp_config tcp;	  /* handlers and ctx are filled in here */
	struct tls_config tls;	  /* as tcp; store NULL: no TLS. The listeners' servers and the flows' peers are those of the store */
	bool unverified_callbacks; /* TLS connections to TLS_PEER_ANYBODY may be opened: as to peer TLS_PEER_DEFAULT */
	uint64_t buffer_bytes;	  /* for incomplete messages, and those that wait to be sent: 1 MiB or more */
	uint32_t queue_bytes;	  /* that may wait for one connection, beside its send buffer */
	uint32_t idle_ms;	  /* silence after which a connection is closed; 0: never */
	uint32_t message_ms;	  /* from the first byte of a message to its last, else the connection is closed; 0: for ever */
	/* A whole message, valid for the call; from->connection names its connection. false: it cannot be taken now, and comes again. May
	 * call streams_send. */
	bool (*message)(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from);
	/* A message (of a request perhaps only its branch, ";branch=...") that was taken for `to` and has most likely not been acted on.
	 * Called from streams_advance alone; may call streams_send. why: in words, valid for the call; NULL: it was TCP that failed. */
	void (*undelivered)(void *ctx, const uint8_t *message, uint32_t len, const struct ip_port *to, const char *why);
	/* The first message of a connection that somebody else opened, just before it is handed on. NULL: nobody wants to know. */
	void (*introduced)(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from);
	/* As in struct tcp_handlers. */
	uint8_t *(*reserve)(void *ctx, uint32_t bytes);
	int (*commit)(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination);
	void *ctx;
	struct counters *counters;
};

/* 0, -ERR_INVALID, -ERR_NOMEM. control-only */
int streams_new(const struct streams_config *config, uint64_t now_us, struct streams **ret_streams);
/* NULL is ignored. control-only */
void streams_free(struct streams *st);
/* control-only */
void streams_touch(struct streams *st);
/* As tcp_listen; transport: of the connections that are opened to it, enum sip_transport; tls_server: what those by TLS are shown (tls.h). */
int streams_listen(struct streams *st, const struct ip_port *local, uint8_t transport, uint8_t tls_server);
/* The TLS engine; NULL: none. For tls_usage and tls_seen_take. any */
struct tls *streams_tls(const struct streams *st);

/* No further connections to that address; as tcp_unlisten. worker-only */
int streams_unlisten(struct streams *st, const struct ip_port *local);

/* The worker that owns a connection (flow.connection, not 0). any */
static inline unsigned streams_worker_of(uint64_t connection)
{
	return (unsigned)(connection >> 56) - 1;
}
/* The worker that owns the connections which we open to `remote`. any */
unsigned streams_owner_of(const struct hash_key *key, const struct ip_port *remote, unsigned workers);

/* ---- worker-only, all of these */

/* A message on its way by to->connection while that stands here, else by a connection to to->remote. 0, -ERR_UNREACHABLE (no route, no
 * port), -ERR_FULL. */
int streams_send(struct streams *st, const uint8_t *message, uint32_t len, const struct flow *to);

/* What goes to to->remote, by TLS to to->tls_peer, may go by to->connection, of whatever worker, which its owner opened (RFC 5923). Kept where
 * streams_owner_of(to->remote) is; not followed by streams_send, since it may be another worker's. */
void streams_alias(struct streams *st, const struct flow *to);
/* 0: none is known. It may be gone. */
uint64_t streams_alias_of(const struct streams *st, const struct flow *to);
/* It is: forgets to->connection, unless there is another by now. */
void streams_unalias(struct streams *st, const struct flow *to);
/* Whoever opened that TLS connection, of this worker, has proved to be that peer. */
bool streams_is_peer(const struct streams *st, uint64_t connection, uint32_t tls_peer);

/* The name of the connection that to->remote opened to to->local, on this worker (tcp_owner); 0: none that messages can still go by. */
uint64_t streams_theirs(const struct streams *st, const struct flow *to);

/* Those from the place *cursor on, at most max of them; *cursor moves. Fewer than max: those were all. */
unsigned streams_list(const struct streams *st, uint32_t *cursor, unsigned max, struct stream_view *ret);
/* Closes one once what waits for it has left, and tells what it was. 0, -ERR_NOT_FOUND. */
int streams_end(struct streams *st, uint64_t name, struct stream_view *ret);

/* The connection is one of ours that messages can still go by. */
bool streams_stands(const struct streams *st, uint64_t connection);

/* Nothing is read from the connections that others open, and their windows close, until it is let go of again: what they send is for later. */
void streams_hold(struct streams *st, bool hold);
/* For good: what waits is sent, then every connection is closed, and none is opened any more. It is done when streams_connections says 0; a peer that
 * is gone takes as long as its timers do. */
void streams_shut(struct streams *st);

void streams_input(struct streams *st, const struct tcp_packet *packet, uint64_t now_us);
void streams_icmp(struct streams *st, const struct ip_port *local, const struct ip_port *remote, uint32_t sequence, enum tcp_icmp_kind kind,
		  uint16_t mtu, uint64_t now_us);
/* Once a turn, after what came in. Returns how much there was to do. */
unsigned streams_advance(struct streams *st, uint64_t now_us);
/* At the turn's end: what was queued leaves. */
void streams_flush(struct streams *st, uint64_t now_us);
/* When streams_advance has something to do next, in µs; UINT64_MAX: never. */
uint64_t streams_next_due(const struct streams *st);
uint32_t streams_connections(const struct streams *st);
