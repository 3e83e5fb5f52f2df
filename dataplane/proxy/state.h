/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "base/slab.h"
#include "base/wheel.h"
#include "proxy/calls.h"
#include "proxy/challenge.h"
#include "proxy/proxy.h"
#include "proxy/stats.h"
#include "proxy/trace.h"
#include "sip/branch.h"
#include "sip/dialog_hash.h"
#include "sip/edit.h"
#include "sip/message.h"
#include "sip/name_addr.h"
#include "sip/number.h"
#include "sip/uri.h"
#include "sip/via.h"
#include "tables/call_record.h"
#include "tables/profiles.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "transaction/transactions.h"

struct waiting_record; /* record.c */

/* Internal to proxy/: one worker's proxy, a request on its way (the response context of RFC 3261 §16.7), and one attempt of it. */

enum proxy_timer_kind {
	TIMER_ATTEMPT_CLOCK = TXN_TIMER_USER, /* response, then progress timeout */
	TIMER_ATTEMPT_RING,		      /* ring timeout, or timer C */
	TIMER_ATTEMPT_CANCEL,		      /* the CANCEL again (timer E) */
	TIMER_BUDGET,			      /* setup budget; when to say 100 to a non-INVITE */
	TIMER_CALL_AGE,
	TIMER_PROBE, /* its timeout */
	TIMER_RELAY, /* relay.c: timer C, then the CANCEL again */
	TIMER_SWEEP, /* the next part of counting anew (load.c) */
};

/* Why an attempt ended without an answer that stands. */
enum failure {
	FAIL_RESPONSE_TIMEOUT, /* nothing at all came */
	FAIL_PROGRESS_TIMEOUT, /* 100, then nothing */
	FAIL_RING_TIMEOUT,     /* rang, nobody answered */
	FAIL_TRANSACTION_TIMEOUT, /* timers B, F, or no final response to a CANCEL */
	FAIL_TRANSPORT,
	FAIL_CODE, /* a response whose code moves on */
};

/* Which way a request to an endpoint by UDP took, by its size (large.c). */
enum large {
	LARGE_UNKNOWN, /* it was not sent yet */
	LARGE_NO,      /* by UDP, whatever its size, from now on */
	LARGE_BY_TCP,
};

#define DATAGRAM_REQUEST_MAX 1300 /* bytes; RFC 3261 §18.1.1, where the path's MTU is not known */
#define REDIRECTS_MAX	    4
#define RETRY_AFTER_MAX_S   60
#define MAX_BREADTH_DEFAULT 60 /* RFC 5393 §5.3.3 */

/* One request sent to one endpoint. */
struct attempt {
	struct client_txn txn; /* first: transactions.c allocates us */
	struct context *context;
	struct attempt *next;
	struct wheel_timer clock;
	struct wheel_timer ring; /* once cancelled: the CANCEL again (timer E) */
	struct attempt *same_next, **same_prev_next; /* unanswered attempts of the same endpoint; NULL: not among them */
	/* Where the context's server transaction, the bucket that it is in, and the call's record are, or were: whoever reads ahead asks the memory for
	 * them without waiting for the context. For nothing else: they may be gone. */
	const void *ahead_server, *ahead_bucket, *ahead_record;
	uint64_t started_ms;
	uint32_t endpoint;    /* slot */
	uint32_t endpoint_id;
	uint32_t trunk_slot, trunk_id; /* the target's */
	uint32_t target_slot; /* statistics */
	uint32_t call_slot;   /* the context's: who reads ahead need not wait for that to find the call */
	uint32_t cancel_interval_ms;
	uint16_t listener; /* index: what it is sent from */
	int8_t record;	   /* its place in the call's record, or -1 */
	uint8_t breadth;   /* Max-Breadth that it is sent with (RFC 5393) */
	uint8_t target;	   /* index in the profile, when it was chosen */
	bool provisional;  /* any 1xx came */
	bool progressed;   /* 101..199 came */
	bool held;	   /* it has a place in the target's load */
	bool done;	   /* its outcome is known to the context: late responses change nothing but for a 2xx */
	bool want_cancel;  /* CANCEL as soon as a provisional allows it */
	bool cancelled;	   /* CANCEL was sent */
	uint8_t large;	   /* enum large: its request may be too large for a datagram */
	bool refused;	   /* its endpoint is known to be dead: the clock only spreads the work */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct attempt) == 5 * 64, "five cache lines");

/* A request on its way, RFC 3261 §16.7's response context. Lives until all attempts are gone and it is
 * answered for good, or its server transaction is gone. What an answer that stands looks at comes first (CONTEXT_ANSWER_BYTES). */
struct context {
	struct server_txn *server; /* NULL: terminated */
	struct attempt *attempts;
	struct wheel_timer budget;
	uint8_t *request; /* as received, in a slab buffer */
	uint32_t request_len;
	uint32_t call_slot; /* CALL_NONE: no live-call record */
	uint16_t call_generation;
	uint16_t best_status;	/* best real response so far; 0: none */
	uint8_t method;
	uint8_t started;	/* attempts begun */
	uint8_t timeouts;	/* attempts that timed out */
	uint8_t breadth;	/* Max-Breadth that it came with */
	uint8_t redirect_count;
	bool parallel;		/* simultaneous ring */
	bool timed;		/* fastest: how long targets take to respond is measured */
	bool retrying;		/* what begins now is a retry that counts against the budget */
	bool progress_sent;	/* a 18x went upstream */
	bool final_sent;
	bool answered;		/* with a 2xx */
	bool cancelled;		/* the caller's CANCEL came */
	bool exhausted;		/* no further attempt: setup budget, or decline */
	bool declined;		/* a 6xx ended a simultaneous ring */
	bool waiting;		/* it left no room for some targets of a simultaneous ring: they are tried when a branch has ended */
	uint32_t first_failed;	/* target slot of the first failed attempt, for rescued_away; UINT32_MAX */
	uint8_t *best;		/* best_status's response, without our Via, in a slab buffer; may be NULL when memory was short */
	uint8_t *challenges;	/* header lines of every 401 and 407, in a slab buffer; NULL: none */
	uint8_t *reason;	/* Reason lines of the caller's CANCEL, in a slab buffer; NULL: none */
	uint64_t arrived_ms;
	struct flow reply_to; /* where responses go, also after the server transaction's end */
	uint64_t call_hash; /* of its Call-ID */
	uint64_t from_hash; /* of its From tag */
	struct flow from;     /* whence the request came */
	uint32_t best_len, challenges_len, reason_len;
	struct profile_knobs knobs; /* as they were when the call came */
	struct selection_state selection;
	uint32_t profile_slot, profile_id;
	uint32_t source_trunk; /* slot */
	uint32_t caller_trunk_id;
	uint32_t redirects[REDIRECTS_MAX]; /* endpoints that a 3xx named, to be tried next */
} __attribute__((aligned(64)));
#define CONTEXT_ANSWER_BYTES 128
_Static_assert(offsetof(struct context, reply_to) <= CONTEXT_ANSWER_BYTES, "what comes before is two cache lines");
_Static_assert(sizeof(struct context) == 512, "eight cache lines");

/* Attempts and retries of one profile; one writer, read by the control thread. */
struct retry_part {
	_Atomic(uint64_t) second; /* which one this is */
	_Atomic(uint32_t) attempts, retries;
};

struct retry_window {
	_Atomic(uint32_t) profile_id;
	struct retry_part part[RETRY_WINDOW_S];
};

struct listener {
	struct ip_port addr;
	uint8_t transport;
	char via[80];	 /* "SIP/2.0/UDP 10.0.0.1:5060" */
	uint32_t via_len;
	char host[IP_PORT_TEXT_MAX]; /* "10.0.0.1:5060" */
	uint32_t host_len;
	const char *route_params; /* of our Record-Route: ";lr", ";transport=tcp;lr" */
	uint32_t route_params_len;
	char route_tail[IP_PORT_TEXT_MAX + 24]; /* what follows the token in it: "@10.0.0.1:5060;lr>" */
	uint32_t route_tail_len;
};

/* How many messages are read before the first of them is acted on. */
#define PROXY_VIEWS 8

/* What has been worked out of a message beyond its parse, each once. */
struct look {
	uint8_t verdict; /* enum sip_verdict */
	bool from_hashed;
	bool sourced, numbered; /* requests: trunk, number are there */
	bool routed;		/* requests with a Route: what follows is there */
	bool route_good;	/* the first Route value could be read */
	bool keyed;	   /* requests: key is there */
	int branch_error;  /* responses: branch_decode's verdict on our Via */
	struct branch branch;
	struct txn_key key; /* of its server transaction; an ACK's or CANCEL's: of the INVITE */
	uint64_t call_hash, from_hash;
	uint32_t trunk; /* of the source; TRUNK_NONE: a stranger */
	e164 number;	/* that the request URI dials, by the trunk's plan; 0: none */
	struct name_addr route;	 /* first Route value */
	struct span route_rest;	 /* of its line */
	int token_error;	 /* of the token in it: token_decode's verdict */
	enum token_side side;
	struct token token;
};

#define PROXY_TRUNK_SLOTS 1024

#define PROXY_SIDES_BITS 14

/* That an address is of a trunk, as it was found at that version of trunks and endpoints (sides.c). Two make a line. */
struct side {
	uint32_t version, trunk; /* its id; 0: nothing is known here */
	struct ip_addr ip;
} __attribute__((aligned(32)));
static_assert(sizeof(struct side) == 32, "two a line");

#define PROXY_RECEIVED_BITS 7
#define RECEIVED_TEXT_MAX   96 /* ";received=...;rport=...", IPv6 too */

/* What the Via of an IPv4 sender is given: text[0..received_len) its address, text[0..len) its port too. len 0: none yet. */
struct received {
	uint32_t ip; /* as it lies in struct ip_addr */
	uint16_t port;
	uint8_t received_len, len;
	uint8_t text[40];
};

struct proxy {
	struct proxy_config config;
	struct token_signer signer; /* config.token_keys */
	struct cmac branch_mac;	    /* of config.branch_key */
	const struct tables *tables;
	struct counters *counters;
	struct wheel *wheel;
	struct slab *slab;
	struct transactions *transactions;
	struct pool *contexts;
	struct calls *calls;
	struct challenges *challenges;
	struct sweep *sweep;	      /* load.c */
	struct retry_window *retries; /* by profile slot */
	struct attempt **by_endpoint; /* unanswered attempts, by endpoint slot */
	struct waiting_record *unposted, **unposted_end; /* records that wait for room, oldest first */
	uint32_t unposted_count;
	uint64_t record_sequence;
	uint32_t trunk_slots[PROXY_TRUNK_SLOTS]; /* where trunks were found, by id: to be held against the slot's id */
	_Alignas(64) struct side sides[1 << PROXY_SIDES_BITS];
	struct received received[1 << PROXY_RECEIVED_BITS]; /* by a hash of address and port */
	struct call_record posting; /* scratch: what is looked at */
	struct listener listeners[PROXY_LISTENERS_MAX];
	unsigned listener_count;
	bool streams; /* some listener is not UDP's: else no transport is asked about */
	bool tls;     /* some listener is TLS's */
	char server_line[80]; /* "Server: ...\r\n", for our own answers; empty: none */
	uint32_t server_line_len;
	bool draining;
	bool unsecured; /* the transport that fails just now has TLS to blame */
	uint8_t admission; /* enum admission */
	uint64_t now_ms; /* of the current call into the proxy */
	uint64_t call_hash; /* keyed hash of the Call-ID that the current work is about; 0: none */
	uint8_t *out;	    /* between send_begin and send_end */
	/* Scratch: a view is 40 kB, so each has one place. */
	struct sip_message *in;	 /* what just came: one of views */
	struct look *look;	 /* at it */
	struct sip_message kept; /* a kept request, read again */
	struct sip_message sent; /* an INVITE of ours, composed again for its ACK or CANCEL */
	struct edit_list edits;
	uint8_t text[SLAB_BYTES_MAX];
	struct look looks[PROXY_VIEWS];
	struct sip_message views[PROXY_VIEWS];
};

static inline void count(struct proxy *p, enum counter which)
{
	counter_add(p->counters, which, 1);
}

/* A time of the proxy's clock as UNIX seconds, for tokens. */
static inline uint32_t unix_s(const struct proxy *p, uint64_t ms)
{
	return (uint32_t)((ms + p->config.clock_offset_ms) / 1000);
}

/* A good token is of a call that was set up here. */
static inline bool token_from_here(const struct proxy *p, const struct token *t)
{
	return t->node == p->config.node && t->boot == p->config.boot && t->worker == p->config.worker;
}

/* p->look's token is there, good, and of such a call. */
static inline bool token_is_ours(const struct proxy *p)
{
	const struct look *l = p->look;

	return l->routed && !l->token_error && token_from_here(p, &l->token);
}

/* ---- proxy.c */
/* The index of the listener to send to `to` from: `preferred` when it fits its family and transport; -1: none. */
int listener_for(const struct proxy *p, const struct ip_port *to, uint8_t transport, const struct ip_port *preferred);
/* The index of the listener with that address and transport, or -1. */
int listener_at(const struct proxy *p, const struct ip_port *addr, uint8_t transport);
/* Where responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4): on its connection, where it came by one, and once that is gone to its source at
 * the port of sent-by. */
void reply_flow(const struct via *top, const struct flow *from, struct flow *ret_reply_to);
/* Reads the context's kept request into p->kept. false: cannot happen but for a bug; the caller gives up. */
bool context_view(struct proxy *p, const struct context *c);
/* uri_parse for URIs that have parts; of other schemes (urn:, mailto: ...) uri_parse writes no more than the scheme. */
static inline bool uri_read(struct span text, struct sip_uri *ret_uri)
{
	return uri_parse(text, ret_uri) == 0 && ret_uri->scheme != URI_OTHER;
}
/* A request's URI; NULL: none that has parts (uri_read). */
static inline const struct sip_uri *request_uri(const struct sip_message *m)
{
	return m->uri.text.p && m->uri.scheme != URI_OTHER ? &m->uri : NULL;
}
/* What is sent from here on is sent for that attempt's call. Returns it. */
struct attempt *about_attempt(struct proxy *p, struct attempt *a);
/* A client transaction's timer fired, or its transport failed: to whom it belongs. May release it. */
void client_txn_happens(struct proxy *p, struct client_txn *txn, enum txn_event event);
/* The trunk that the source of p->in belongs to, or TRUNK_NONE. */
uint32_t source_trunk(struct proxy *p, const struct flow *from);
/* Keyed hash of the From tag of p->in. */
uint64_t from_tag_hash(struct proxy *p);
/* ---- ahead.c */
/* Reads n (at most PROXY_VIEWS) datagrams into p->views and p->looks, and asks the memory for what acting on them will need. */
void read_ahead(struct proxy *p, const struct datagram *datagrams, unsigned n);
/* The key of the server transaction that p->in belongs to, or that of the INVITE which it acknowledges or cancels. */
const struct txn_key *transaction_key(struct proxy *p);

/* ---- linger.c: what is over, but for what may come again. The context goes with the last of its
 * attempts, once the request is answered, or with the server transaction */
/* What is left of an attempt in its Completed state: what the ACK of a final response that comes again takes, and that response does not have. In a
 * buffer of the slab. */
struct refused {
	uint64_t dialog; /* hash of Call-ID, From tag and CSeq number */
	struct ip_port to;
	uint16_t listener, uri_len;
	uint8_t max_forwards;
	bool cancelled; /* a CANCEL was sent */
	uint8_t uri[];
};
#define REFUSED_ACK_GROWTH 128 /* bytes that such an ACK has beside the response's head, its URI and our Via */

/* The attempt was answered. Where it is the call's only one, what lingers of the call takes a fraction of the memory, and the context is gone. */
void context_linger(struct proxy *p, struct attempt *a);
/* Unlinks and frees; the transaction has terminated. */
void attempt_release(struct proxy *p, struct attempt *a);
/* Of an attempt that p->in refuses, p->sent being its INVITE; for attempt_linger. NULL: no memory, or nothing would linger. */
struct refused *refused_keep(struct proxy *p, const struct attempt *a);
/* Unlinks and frees, and leaves that in its place. */
void attempt_linger(struct proxy *p, struct attempt *a, struct refused *left);
/* p->in came to what an attempt left. */
void refused_again(struct proxy *p, const struct refused *r, enum txn_event event);
/* Unlinks and frees; it has terminated. */
void server_over(struct proxy *p, struct server_txn *s);
/* It was just confirmed: no more is left of it than absorbs what comes until timer I. */
void server_linger(struct proxy *p, struct server_txn *s);

/* ---- send.c */
/* What it means that there is no buffer for a request just now: by a datagram 0, its retransmission is the next try; by a stream nobody tries again,
 * so it is as good as undelivered: -ERR_FULL. */
int send_unsent(const struct flow *to);
/* Contiguous room for a message; NULL: none just now. */
uint8_t *send_begin(struct proxy *p, uint32_t room, const struct flow *to);
/* Sends the first len bytes of it. 0, -ERR_UNREACHABLE. */
int send_end(struct proxy *p, uint32_t len, const struct flow *to);
/* The same, when they were composed of m by p->edits: the trace takes less. */
int send_end_edited(struct proxy *p, const struct sip_message *m, uint32_t len, const struct flow *to);

/* ---- request.c */
void request_in(struct proxy *p, const struct flow *from);
/* The Reason lines of p->in, a CANCEL, in a slab buffer: the caller's reason to hang up (RFC 3326) is told to those whom we cancel for it.
 * NULL: none. */
uint8_t *reason_keep(struct proxy *p, uint32_t *ret_len);
/* Its Contact names an address that its packets do not come from: requests to it must go where they do. */
bool behind_nat(const struct sip_message *m, const struct flow *from);
/* §16.3(5): every option in Proxy-Require must be known, and we know none. true: p->in has one, and was refused. */
bool extensions_refused(struct proxy *p, const struct flow *from);
/* p->in is a retransmission; s: its server transaction, NULL: it lingers. */
void request_again(struct proxy *p, struct server_txn *s);

/* ---- routing.c */
struct routing {
	uint16_t status; /* 0: routed; else the refusal */
	const char *reason; /* its phrase; NULL: the status's own */
	uint32_t profile_slot;
	const struct profile *profile;
	e164 number; /* what it dials; 0: no number */
};
/* Does the URI's host, with its port or the default one, name one of our listeners, or is it one of our names? */
bool uri_is_us(const struct proxy *p, const struct sip_uri *uri);
/* Reads what number p->in dials, and asks the memory for where that leads. */
void number_look(struct proxy *p, const struct flow *from);
/* p->in. */
void route_request(struct proxy *p, uint32_t trunk_slot, const struct flow *from, struct routing *ret);

/* ---- reply.c: answers of our own */
/* Without a transaction, to where the request came from. headers: whole lines, may be empty. */
void reply_stateless(struct proxy *p, const struct sip_message *m, const struct flow *from, uint16_t status, const char *reason,
		     struct span headers);
/* The source is unknown, and such are to hear nothing at all. */
bool unheard(const struct proxy *p, const struct flow *from);
/* 100 to an INVITE, at once and whenever it is retransmitted before anything else went up; the request is p->kept or p->in. */
void reply_trying(struct proxy *p, struct context *c, const struct sip_message *request);
/* Through a server transaction whose request came by `from`. false: the transaction has no place for it. */
bool reply_transaction(struct proxy *p, struct server_txn *s, const struct flow *from, const struct sip_message *request, uint16_t status,
		       struct span headers);
/* Through the context's server transaction; the request is p->kept or p->in. */
void reply_local(struct proxy *p, struct context *c, const struct sip_message *request, uint16_t status, struct span headers);

/* ---- upstream.c: what goes back to the caller */
/* Sends p->in on without our Via; s (may be NULL) keeps it for replaying if `keep`. false: it has no Via left to go by, or is too long. */
bool upstream_pass(struct proxy *p, struct server_txn *s, const struct flow *reply_to, bool keep);
/* A response just received (p->in), without our Via. */
void upstream_forward(struct proxy *p, struct context *c);
/* Keeps p->in as the best final response so far if it is better (RFC 3261 §16.7(6)). */
void upstream_consider(struct proxy *p, struct context *c);
/* p->in is the answer, whatever was collected before it. */
void upstream_take(struct proxy *p, struct context *c);
/* A final response other than 2xx went up. */
void upstream_failed(struct proxy *p, struct context *c, uint16_t status);
/* Sends the best final response there is, or makes one. */
void upstream_finish(struct proxy *p, struct context *c);
/* Keeps a response for replaying, in place of the one kept before. Out of memory: there is none (counted). */
void server_keep(struct proxy *p, struct server_txn *s, const uint8_t *response, uint32_t len);
/* There was no buffer for the final response that was kept. By a datagram timer G or the request's next coming sends it; by a stream this does. */
void server_unsent(struct proxy *p, struct server_txn *s);
/* The last response again. false: there is none, or no buffer just now. */
bool upstream_replay(struct proxy *p, struct server_txn *s);
/* A further 2xx (p->in) to an INVITE that only lingers: every one goes up (§16.7(5)). */
void upstream_again(struct proxy *p, const struct lingering *l);
/* Another Via stands below the top one: what we forward has one, and a response that lost it can go nowhere. */
bool has_via_below(const struct sip_message *m);
/* Removes our top Via (and its line where it stood alone) from a response. false: there is no other Via, it was for us. */
bool strip_top_via(struct edit_list *l, const struct sip_message *m);
/* The same, for a response on its way to a caller by that transport. */
bool edit_upwards(struct edit_list *l, const struct sip_message *m, uint8_t transport);

/* ---- forward.c: what goes to the target */
/* Composes the context's request (view m) for the attempt into out. Bytes, or a negative enum err. */
int forward_compose(struct proxy *p, const struct context *c, const struct attempt *a, const struct sip_message *m,
		    uint8_t *out, uint32_t cap);
/* Composes and sends it. 0 (also where there was no buffer for a datagram), or a negative enum err. */
int forward_send(struct proxy *p, const struct context *c, struct attempt *a, const struct sip_message *m);
/* RFC 5393 §4.2. The hashes are of the Call-ID and From tag of m. */
uint32_t loop_hash(const struct proxy *p, const struct sip_message *m, uint64_t call_hash, uint64_t from_hash);
/* Edits shared with in-dialog forwarding. */
void edit_max_forwards(struct edit_list *l, const struct sip_message *m);
/* The texts of an IPv4 sender, until the next call; NULL: it is none. Senders are few, and messages many. */
const struct received *received_from(struct proxy *p, const struct ip_port *remote);
void edit_top_via(struct proxy *p, const struct sip_message *m, const struct flow *from);
/* A stream's reader needs the Content-Length that a datagram may lack (RFC 3261 §18.3, §20.14). */
void edit_content_length(struct edit_list *l, const struct sip_message *m, uint8_t transport);
#define VIA_LINE_MAX (5 + 80 + 8 + BRANCH_TEXT + 6 + 2)
/* Writes "Via: ...;branch=...\r\n" at out (VIA_LINE_MAX); returns the length. via_alias puts ";alias" into it (RFC 5923 §4). */
uint32_t via_alias(char *out, uint32_t len);
uint32_t via_line(const struct proxy *p, unsigned listener, const struct branch *b, char *out);

/* What a caller is known by when it comes back after a challenge: Call-ID and From tag. */
uint64_t caller_hash(const struct proxy *p, const struct context *c);

/* ---- attempt.c */
/* All unanswered attempts at the endpoint move on, spread over some milliseconds. */
void attempts_release(struct proxy *p, uint32_t endpoint);
/* Begins the next attempt (or all of them); sends the final answer when there is none to begin. m: the request's view. */
void attempts_start(struct proxy *p, struct context *c, const struct sip_message *m);
/* In a simultaneous ring a branch has ended: begins those that Max-Breadth kept waiting. true: there were some. */
bool attempts_more(struct proxy *p, struct context *c);
/* Gives one attempt up and moves on as the profile says. */
void attempt_failed(struct proxy *p, struct attempt *a, enum failure why);
/* Stops an attempt: silent before a provisional, CANCEL after one. */
void attempt_abandon(struct proxy *p, struct attempt *a);
/* Abandons every attempt of the context but `except` that has no outcome yet. */
void attempts_abandon(struct proxy *p, struct context *c, const struct attempt *except);
/* Marks the outcome known and stops its clocks. */
void attempt_settle(struct proxy *p, struct attempt *a);
bool attempts_pending(const struct context *c);
/* Some branch was cancelled and has not said how it ended: until then a 2xx may still come and win (§16.7(5), (6)). One that never sent a
 * provisional is not waited for: it cannot be cancelled, and may never answer. */
bool attempts_ending(const struct context *c);
/* Ring timeout or timer C of an INVITE, counted from when it was sent, unless its clock comes first: that one ends the attempt, or is stopped by
 * what comes in, and then this is called again. */
void attempt_arm_ring(struct proxy *p, struct attempt *a);
/* Timers of an attempt and of the budget. */
void attempt_clock_fired(struct proxy *p, struct attempt *a);
void attempt_ring_fired(struct proxy *p, struct attempt *a);
void budget_fired(struct proxy *p, struct context *c);

/* ---- redirect.c */
/* Notes the Contacts of a 3xx (p->in) that name endpoints of the context's profile. false: there is none. */
bool redirect_note(struct proxy *p, struct context *c);

/* ---- large.c: what a datagram should not carry (RFC 3261 §18.1.1) */
/* The attempt's request has more than DATAGRAM_REQUEST_MAX bytes and was to leave by UDP: turns it to TCP where its trunk says so. true: it did. */
bool large_to_tcp(struct proxy *p, struct attempt *a);
/* Nobody took it there: turns it back to UDP, for good. false: it was not turned. */
bool large_to_udp(struct proxy *p, struct attempt *a);

/* ---- downstream.c: messages of an attempt's transaction */
/* 0 (also where there was no buffer for a datagram), or a negative enum err. */
int downstream_resend(struct proxy *p, struct attempt *a);
/* Of p->in. Returns refused_keep's. */
struct refused *downstream_ack(struct proxy *p, struct attempt *a);
/* ... and arms what sends the CANCEL again (timer E): over a stream only where there was no buffer for it. */
void downstream_cancel(struct proxy *p, struct attempt *a);

/* ---- response.c */
/* The seconds of Session-Expires (RFC 4028 §4); 0: absent or unreadable. */
uint64_t session_expires(const struct sip_message *m);
/* The seconds of a 503's Retry-After (RFC 3261 §20.33), RETRY_AFTER_MAX_S at most; 0: none. */
uint32_t retry_after(const struct sip_message *m);
void response_in(struct proxy *p, const struct flow *from);
/* Carries out what a client transaction's event left to do; where the event is a response, it is p->in. May release the attempt. */
void client_event(struct proxy *p, struct attempt *a, enum txn_event event);

/* ---- route_set.c */
/* Reads the first Route of p->in and the token in it. */
void route_look(struct proxy *p);

/* ---- in_dialog.c */
/* The request carries our Record-Route (top Route, or the request URI behind a strict router): forwards or refuses it. false: it does not. */
bool in_dialog(struct proxy *p, const struct flow *from);
/* A response to a request forwarded without a transaction. */
void stateless_response(struct proxy *p, const struct branch *b);
