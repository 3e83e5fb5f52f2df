/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"
#include "base/wheel.h"
#include "sip/message.h"
#include "sip/via.h"
#include "transaction/machine.h"
#include "transport/flow.h"

/* One worker's transactions: their memory, how they are found, and their timers. Messages are the proxy's. */

/* wheel_timer.kind of the timers armed here; the proxy's own begin at TXN_TIMER_USER. */
enum txn_timer_kind {
	TXN_TIMER_KIND_SERVER_RETRANSMIT = 1,
	TXN_TIMER_KIND_SERVER_LIFETIME,
	TXN_TIMER_KIND_CLIENT_RETRANSMIT,
	TXN_TIMER_KIND_CLIENT_LIFETIME,
	TXN_TIMER_USER = 16
};

/* Keyed hash of what RFC 3261 §17.2.3 matches by; 128 bits, so equal keys are equal transactions. */
struct txn_key {
	uint64_t a, b;
};

/* What a server transaction's key leads to. */
enum server_lingering {
	LINGERS_NOT,	   /* a struct server_txn */
	LINGERS_ACCEPTED,  /* a struct lingering */
	LINGERS_CONFIRMED, /* nothing but the key, which absorbs what comes until timer I */
};

struct server_txn {
	struct txn_key key;
	uint8_t kind, state; /* enum txn_kind, enum txn_state */
	bool relayed;	     /* what user is: a struct relay, else a struct context */
	bool settled_by_user; /* once it is Accepted: transactions_settle */
	uint32_t interval_ms;
	struct wheel_timer retransmit, lifetime;
	struct flow reply_to; /* where responses go (RFC 3261 §18.2.2, RFC 3581) */
	uint8_t *response;    /* the last one, in a slab buffer, or NULL */
	uint32_t response_len;
	void *user; /* the proxy's response context or relay, or NULL when that is gone */
	uint64_t call_hash; /* the user's too: whose call it is */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct server_txn) == 3 * 64, "three cache lines");

enum client_txn_user { CLIENT_TXN_ATTEMPT, CLIENT_TXN_PROBE, CLIENT_TXN_RELAY };

/* Embedded first in the user's own structure (client_bytes of transactions_new). */
struct client_txn {
	struct wheel_timer retransmit, lifetime;
	uint8_t kind, state;
	uint8_t method; /* enum sip_method: ACK never, CANCEL is a transaction of its own */
	uint8_t user;	/* what embeds it: enum client_txn_user */
	uint16_t generation;
	bool resent; /* by a stream, after its connection broke */
	bool settled_by_user; /* once it is Accepted: transactions_settle */
	uint32_t slot;
	uint32_t interval_ms;
	struct flow to;
};

/* An INVITE that was answered with a 2xx, on both its sides: their Accepted states (RFC 6026), for which timers L and M are the same 64*T1, and
 * nothing of the call but what they need. There are 32 s of these: they decide how much memory a worker walks through. */
struct lingering {
	struct txn_key key;
	/* Where further 2xx go: lingering_reply_to. */
	uint64_t connection;
	struct ip_port remote;
	uint32_t tls_peer;
	uint8_t transport;
	uint8_t local; /* which one of the local addresses */
};
_Static_assert(sizeof(struct lingering) <= 64, "a cache line");

struct transactions;

struct transactions_config {
	uint32_t max_server, max_client;
	uint32_t max_in_progress; /* servers in memory of their own (lingering ones leave it), and twice as many clients; 0: max_server, max_client */
	uint32_t client_bytes; /* size of the user's structure that begins with struct client_txn */
	struct txn_timers timers;
	struct hash_key key; /* secret, of this start */
	struct wheel *wheel;
	struct slab *slab; /* of client_txn_linger's buffers; NULL: there are none */
};

/* NULL: no memory. control-only */
struct transactions *transactions_new(const struct transactions_config *config);
void transactions_free(struct transactions *t);
/* Touches their memory (pages.h). control-only */
void transactions_touch(struct transactions *t);

/* The key of the server transaction that a request belongs to. method: INVITE for an ACK, and for a CANCEL when the INVITE it cancels
 * is sought. RFC 2543 branches (without the cookie) match by request URI, From tag, Call-ID, CSeq number and the whole top Via. worker-only */
struct txn_key txn_key_of(const struct transactions *t, const struct sip_message *m, const struct via *top, enum sip_method method);

/* worker-only, all of these */
/* The transaction, or NULL; where one lingers, NULL and *ret_lingering says how (else LINGERS_NOT). */
struct server_txn *server_txn_find(const struct transactions *t, const struct txn_key *key, enum server_lingering *ret_lingering);
/* In its first state, no timer armed, not yet answered. NULL: full. */
struct server_txn *server_txn_new(struct transactions *t, const struct txn_key *key, bool invite, const struct flow *reply_to);
/* Unlinks and frees; response must have been given back by the caller. */
void server_txn_release(struct transactions *t, struct server_txn *s);

/* An object of client_bytes, zeroed but for its transaction: generation set, retransmission (A, E) armed where `to` needs it; lifetime.due_ms says
 * when B or F is due, whether it is armed yet or not. NULL: full. */
struct client_txn *client_txn_new(struct transactions *t, enum sip_method method, const struct flow *to, uint64_t now_ms);
void client_txn_release(struct transactions *t, struct client_txn *c);
/* Its request goes elsewhere, or by another transport, before any answer: retransmission begins anew where `to` needs it. */
void client_txn_redirect(struct transactions *t, struct client_txn *c, const struct flow *to, uint64_t now_ms);
/* NULL: no such slot, or a generation of the past; or it lingers: *ret_lingering is it (else NULL). */
struct client_txn *client_txn_at(const struct transactions *t, uint32_t slot, uint16_t generation, struct lingering **ret_lingering);

/* The transactions, at most max of them, in the slots from *cursor to before `end`, lingering ones not among them; *cursor moves behind
 * them. Fewer than max: those were all, and *cursor is `end`, or less where no slot from there on was ever used. */
unsigned client_txns(const struct transactions *t, uint32_t *cursor, uint32_t end, struct client_txn **ret, unsigned max);

/* A transaction whose user says that it settles what becomes of it (settled_by_user) has no timer L or M when it is Accepted, until the user calls
 * this or transactions_linger. Those of the two that are Accepted (s may be NULL) are armed from when they were, unless they are already. */
void transactions_settle(struct transactions *t, struct server_txn *s, struct client_txn *c);
/* Both are in their Accepted state and have been let go by their user: what is left of them, in their place, until the end of L and M
 * (transactions_end). NULL: no memory, and they stay as they are. */
struct lingering *transactions_linger(struct transactions *t, struct server_txn *s, struct client_txn *c);
/* The server transaction's. */
struct flow lingering_reply_to(const struct transactions *t, const struct lingering *l);
/* The server transaction is Confirmed and has been let go by its user, likewise until the end of timer I. false: no memory. */
bool server_txn_linger(struct transactions *t, struct server_txn *s);
/* c is an INVITE's in its Completed state and has been let go by its user: `left` in its place, a buffer of the slab, which is given back at the end
 * of timer D. */
void client_txn_linger(struct transactions *t, struct client_txn *c, void *left);
/* What client_txn_linger left there; NULL: nothing. */
void *client_txn_left(const struct transactions *t, uint32_t slot, uint16_t generation);
/* Frees those that have lingered to their end by now_ms; some only, of very many: the later it is, the more. Returns how many. */
unsigned transactions_end(struct transactions *t, uint64_t now_ms);
/* When the next one has; UINT64_MAX: there is none. */
uint64_t transactions_next_end(const struct transactions *t);

/* Steps the machine and arms and cancels its timers; returns the actions left to the caller (those that send or tell). The caller
 * releases a transaction that is TXN_TERMINATED afterwards. */
uint16_t server_txn_event(struct transactions *t, struct server_txn *s, enum txn_event event, uint64_t now_ms);
uint16_t client_txn_event(struct transactions *t, struct client_txn *c, enum txn_event event, uint64_t now_ms);

/* client_txn_new would find a slot, and room for it. worker-only */
bool transactions_client_room(const struct transactions *t);
/* Lingering ones count on both sides. worker-only */
uint32_t transactions_servers(const struct transactions *t);
uint32_t transactions_clients(const struct transactions *t);

/* ---- reading ahead: none of these waits for memory, but on what was asked for before. worker-only */
void transactions_prefetch_slot(const struct transactions *t, uint32_t slot);
void transactions_prefetch_key(const struct transactions *t, const struct txn_key *key);
/* After transactions_prefetch_key: what it leads to, if anything. */
void transactions_prefetch_found(const struct transactions *t, const struct txn_key *key);
/* What server_txn_release and transactions_linger will look for it in, as long as it lives. */
const void *server_txn_bucket(const struct transactions *t, const struct server_txn *s);
/* After transactions_prefetch_slot: what the slot leads to, not to be looked into but by client_txn_at; NULL: nothing. */
const void *transactions_slot_object(const struct transactions *t, uint32_t slot, uint16_t generation);
