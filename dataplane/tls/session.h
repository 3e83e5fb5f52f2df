/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <openssl/ssl.h>

#include "base/counters.h"
#include "tls/store.h"
#include "tls/tls.h"

/* Internal to engine.c, session.c, handshake.c and what OpenSSL calls back. */

#define PLAIN_MAX     16384	/* of one record (RFC 8446 §5.1) */
#define PENDING_MAX   (64 << 10) /* encrypted bytes that wait: a record, a handshake's flight, alerts; beyond it the session ends */
#define YOUNG_BYTES_MAX (64 << 10) /* of a handshake: hellos and a long chain of certificates fit in a third of it */
#define TEXT_BYTES    200

enum session_state {
	SESSION_UNSTARTED, /* a client's first flight waits for its turn */
	SESSION_HANDSHAKE,
	SESSION_OPEN,
	SESSION_ENDED,
};

/* Bytes that could not be handed on. */
struct kept {
	uint32_t at, end, room;
	uint8_t bytes[];
};

struct session_link {
	struct tls_session *previous, *next;
};
struct session_list {
	struct tls_session *first, *last;
	uint32_t count;
};

struct tls_session {
	struct tls *t;
	SSL *ssl;
	void *user;
	struct server *server; /* one of the two */
	struct peer *peer;
	struct span in;		  /* what OpenSSL reads from, during a call */
	struct kept *pending;	  /* encrypted, for the peer */
	struct kept *left;	  /* plain, for `data` */
	struct session_link all, young, waiting, ended;
	uint64_t deadline_us;
	int64_t chain_expires_s; /* the first certificate of their chain to do so; of a resumed session: of the one that it began with */
	struct ip_port remote;
	uint32_t young_bytes; /* of the handshake, from the peer */
	uint8_t state; /* enum session_state */
	uint8_t end;   /* enum tls_end, of one that is listed as ended */
	uint8_t depth; /* calls of ours that stand on it */
	uint8_t server_index;
	bool is_young, is_waiting, is_ended, freed;
	bool closing;	     /* close_notify was sent */
	bool wants_to_write; /* tls_send did not take everything */
	bool held_up;	     /* for it is in the midst of reading something */
	bool early;	     /* bytes came before its first flight */
};

struct tls {
	struct tls_config config;
	struct pool *pool;
	BIO_METHOD *bio;
	struct resume *resume;
	struct mailbox *seen;
	struct session_list all;
	struct session_list young;	  /* handshakes, by deadline */
	struct session_list ours, theirs; /* that wait for a turn: those we opened go first */
	struct session_list ended;	  /* whose owner is to be told */
	struct tls_session *granted;	  /* has its turn now */
	uint32_t accepting;
	uint64_t now_us, spent_us;
	unsigned steps; /* of this turn */
	uint64_t kept_bytes;
	enum tls_end why; /* of the verification that failed in the present call; TLS_ENDS: none did */
	char text[TEXT_BYTES];
	uint8_t plain[PLAIN_MAX];
};

/* ---- bio.c */
/* NULL: no memory. control-only */
BIO_METHOD *bio_method_new(void);
/* The session that an SSL is of. any */
struct tls_session *bio_session(const SSL *ssl);
/* Sends what waits. worker-only */
void bio_drain(struct tls_session *s);
/* For `more` bytes behind what there is. NULL: no memory, and *at as it was. worker-only */
struct kept *bio_keep(struct tls *t, struct kept **at, const uint8_t *bytes, uint32_t n);
void bio_drop(struct tls *t, struct kept **at);

/* ---- seen.c; worker-only */
void seen_post(struct tls_session *s, const X509 *leaf, bool verified, bool refused, enum tls_end why, const char *text);

/* ---- verify.c; worker-only */
/* Would the certificate do if its owner were connected to as that peer? Without the rest of its chain, which is not kept. */
bool verify_as_peer(const struct peer *peer, X509 *leaf);
/* Whether the certificate that a resumed session was begun with is still good. */
bool verify_resumed(struct tls_session *s);

/* ---- resume.c */
struct resume *resume_new(uint32_t tickets);
void resume_free(struct resume *r);
uint32_t resume_count(const struct resume *r);
/* Offers a kept session, if there is one. worker-only */
void resume_offer(struct tls_session *s);
/* What was offered has failed. worker-only */
void resume_forget(struct tls_session *s);

/* ---- session.c; worker-only */
int session_new(struct tls *t, SSL_CTX *ctx, const struct ip_port *remote, void *user, struct tls_session **ret_session);
/* Around whatever may call handlers, which may free it. */
void session_enter(struct tls_session *s);
/* It may be gone after this. */
void session_leave(struct tls_session *s);
/* Before a call of OpenSSL's that may fail. */
void session_prepare(struct tls *t);
/* What OpenSSL says about a call that went wrong ends it; error: of SSL_get_error. */
void session_fail(struct tls_session *s, int error);
/* Ends it and tells its owner. */
void session_end(struct tls_session *s, enum tls_end why, const char *text);
void session_leave_lists(struct tls_session *s);

/* ---- handshake.c; worker-only */
/* The turn of one that we opened has come: its first flight. */
void handshake_start(struct tls_session *s);
/* Whatever the bytes at hand allow. */
void handshake_step(struct tls_session *s);
/* Whether a step may be taken now: in the order of arrival, and while this turn's budget lasts. */
bool handshake_may_step(const struct tls_session *s);
void handshake_await_turn(struct tls_session *s);

/* ---- engine.c */
/* Whose turn it would be; NULL: nobody waits. */
struct tls_session *engine_next_waiting(const struct tls *t);
void engine_list_add(struct session_list *list, struct tls_session *s, size_t link);
void engine_list_remove(struct session_list *list, struct tls_session *s, size_t link);
#define LINK(member) offsetof(struct tls_session, member)

static inline void tls_count(struct tls *t, enum counter which)
{
	counter_add(t->config.counters, which, 1);
}
