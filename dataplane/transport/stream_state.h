/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/counters.h"
#include "base/slab.h"
#include "sip/message.h"
#include "sip/via.h"
#include "tls/tls.h"
#include "transport/framing.h"
#include "transport/stream.h"

/* Internal to stream*.c. */

#define STREAM_LISTENERS_MAX 64 /* tcp_listen's bound */

/* Bytes that wait to be sent. */
struct queued {
	struct queued *next;
	struct ip_port to;
	uint32_t sent, len; /* sent: of these bytes, already */
	uint64_t until_ms;  /* flow.patience_ms from when it came; UINT64_MAX: no end */
	uint8_t bytes[];
};

/* An address, and the connection that its owner opened. */
#define ALIAS_SETS 1024
#define ALIAS_WAYS 4
struct alias {
	struct ip_port address;
	uint32_t tls_peer; /* as whom its owner is known; 0: by TCP */
	uint64_t connection; /* 0: none */
};

struct stream {
	struct tcp_connection *c; /* NULL: gone */
	uint64_t name;
	uint64_t active_ms;
	uint64_t opened_ms;
	uint64_t bytes_in, bytes_out; /* of whole messages */
	uint32_t messages_in, messages_out;
	struct ip_port local, remote;
	uint8_t transport; /* enum sip_transport */
	uint32_t tls_peer; /* as whom its other end was or will be verified */
	bool stands, closing;
	bool ours;		 /* we opened it */
	bool shared;		 /* ... and it is in the table */
	bool introduced;	 /* others opened it, and its first message was looked at */
	bool listed_stalled, listed_gone;
	bool starved; /* stalled since no memory was found for its message */
	struct stream *chain;	 /* of the table's bucket */
	struct stream *older, *newer; /* by activity */
	struct stream *next_stalled, *next_gone, *previous_starved;
	uint64_t begun_ms; /* when what has come of a message began to come, and 1; 0: there is none */
	struct stream *begun_before, *begun_after; /* in that order */
	struct framing framing;
	uint8_t *buffer; /* an incomplete message, or a whole one that could not be handed on */
	uint32_t filled, room;
	uint32_t ready; /* bytes of the whole one */
	struct queued *queue, **queue_end;
	uint32_t queue_bytes;
	struct sent_ring *sent; /* stream_sent.c; NULL: nothing was asked by it lately */
	struct tls_session *tls; /* NULL: in plain, or not begun yet */
	const char *cipher;	 /* of the session, once it stands */
	uint16_t tls_version;
	bool tls_resumed;
	bool peer_done;		 /* TCP has no more for us; the session has */
	char *why; /* its end, in words, in a slab buffer; NULL: nothing to say */
};

struct streams {
	struct streams_config config;
	struct tcp *tcp;
	struct tls *tls; /* NULL: none is spoken here */
	struct slab *slab;
	struct pool *pool;
	uint32_t *generations; /* by index in the pool; odd: live */
	struct stream **table; /* the connections that we opened, by their remote address */
	struct ip_port listeners[STREAM_LISTENERS_MAX];
	struct {
		uint8_t transport, tls_server;
	} listener[STREAM_LISTENERS_MAX];
	unsigned listener_count;
	uint32_t buckets;      /* a power of two */
	struct stream *oldest, *newest;
	struct stream *stalled, *gone;
	struct stream *starved, *starved_last; /* next_stalled, previous_starved */
	struct stream *begun, *begun_last;
	uint64_t starved_ms; /* when they were last tried */
	struct sent_ring *sent_oldest, *sent_newest;
	uint64_t now_ms;
	bool held, shut;
	bool retrying; /* those that are listed as stalled */
	bool no_room;  /* for what was read last */
	struct alias (*aliases)[ALIAS_WAYS]; /* by the hash of the address */
	unsigned alias_turn;
	struct sip_message look;
	uint8_t answer[FRAMING_HEAD_MAX + 1024];
};

/* stream.c */
struct stream *stream_new(struct streams *st, struct tcp_connection *c, const struct flow *flow);
uint64_t stream_remote_hash(const struct streams *st, const struct ip_port *remote);
struct stream *stream_find(const struct streams *st, uint64_t name);
/* One that we opened, to just that address, by that transport, to that TLS peer. */
struct stream *stream_to(const struct streams *st, const struct flow *to);
void stream_share(struct streams *st, struct stream *s);
void stream_touched(struct streams *st, struct stream *s);
/* No new message goes there; it is released at the next streams_advance. */
void stream_gone(struct streams *st, struct stream *s);
/* Nothing is read from it or given to it any more; what waits still leaves. */
void stream_close(struct streams *st, struct stream *s);

/* stream_wait.c */
/* It stopped reading: it is asked again at the next streams_advance; where there was no memory for its message (starved), when its turn comes. */
void stream_stall(struct streams *st, struct stream *s, bool starved);
/* The former, uncounted. */
void stream_read_next_turn(struct streams *st, struct stream *s);
/* It is not starved any more. */
void stream_stall_forget(struct streams *st, struct stream *s);
/* How many were asked again. */
unsigned stream_retry_stalled(struct streams *st);
/* Something of a message is there, or all of it. Both do nothing where that was said already. */
void stream_message_begun(struct streams *st, struct stream *s);
void stream_message_ended(struct streams *st, struct stream *s);
/* Closes those whose message takes too long. */
void stream_close_unfinished(struct streams *st);

/* stream_tls.c */
/* 0 (also where none is configured), -ERR_INVALID, -ERR_NOMEM. */
int stream_tls_new(struct streams *st);
/* TCP's connection stands: the handshake begins. server: where we accepted it. false: it cannot, and the stream is gone. */
bool stream_secure(struct streams *st, struct stream *s, unsigned server);
void stream_unsecure(struct streams *st, struct stream *s);
/* TCP's peer has sent all that it will, and all of it was handed on. */
void stream_peer_done(struct streams *st, struct stream *s);
/* TCP's connection is gone: notes why messages come back. */
void stream_cut(struct streams *st, struct stream *s);
/* How many bytes stream_put would take. */
uint32_t stream_room(const struct streams *st, const struct stream *s);
/* As tcp_send, secured or in plain. */
uint32_t stream_put(struct streams *st, struct stream *s, struct span bytes);
/* Nothing waits any more: close_notify where it has TLS, and FIN. */
void stream_finish(struct streams *st, struct stream *s);

/* stream_in.c */
void stream_drop_buffer(struct streams *st, struct stream *s);
uint32_t stream_data(void *ctx, struct tcp_connection *c, struct span bytes);
/* Plain bytes of its messages. Returns how many were taken. */
uint32_t stream_plain(struct streams *st, struct stream *s, struct span bytes);
/* Hands on what waits in the buffer. false: it still cannot. */
bool stream_ready(struct streams *st, struct stream *s);

/* stream_out.c */
void stream_drain(struct streams *st, struct stream *s);
/* Hands back what was not sent and what was not answered, and forgets it. */
void stream_give_back(struct streams *st, struct stream *s);

/* stream_sent.c */
/* The request was given to TCP. */
void stream_sent_note(struct streams *st, struct stream *s, const uint8_t *message, uint32_t len, const struct ip_port *to);
/* Hands back what was asked less than 32 s ago, and forgets it. Answered or not: only their transactions know. */
void stream_sent_give_back(struct streams *st, struct stream *s);
void stream_sent_drop(struct streams *st, struct stream *s);
/* Forgets what was asked longer ago: an idle connection holds nothing. */
void stream_sent_expire(struct streams *st);

static inline void stream_count(struct streams *st, enum counter which)
{
	counter_add(st->config.counters, which, 1);
}
