/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/state.h"

/* A mid-dialog request that comes by a datagram and leaves by a stream, the other way round, or by two streams: one server and one client
 * transaction, since the side that sends by a stream does not retransmit, and a stream's server does not remember what it has answered (RFC 3261
 * §16.11 allows less only where both sides do). No attempt, no target, no record: the dialog has chosen. */
struct relay {
	struct client_txn txn;	   /* first: transactions.c allocates us. txn.user is CLIENT_TXN_RELAY */
	struct server_txn *server; /* NULL: terminated */
	struct wheel_timer clock;  /* timer C; once cancelled, timer E of the CANCEL */
	struct flow from;	   /* whence the request came */
	uint8_t *request, *sent;   /* as received, as sent, in slab buffers; NULL once an INVITE has its 2xx */
	uint8_t *reason;	   /* Reason lines of the caller's CANCEL, likewise */
	uint32_t request_len, sent_len, reason_len;
	uint64_t call_hash;
	uint32_t cancel_interval_ms;
	bool provisional; /* any 1xx came */
	bool want_cancel; /* the caller's CANCEL came, or timer C fired */
	bool cancelled;	  /* CANCEL was sent */
	bool final_sent;
};

/* Carries p->in on to `to`, with what p->edits already change in it. true: it was sent (or would have been, had there been a buffer);
 * false: a retransmission, absorbed, or refused and answered. */
bool relay_request(struct proxy *p, const struct flow *from, const struct flow *to, unsigned listener);
/* The caller's CANCEL, which was answered. */
void relay_cancel(struct proxy *p, struct relay *r);
/* p->in answers the request or its CANCEL. */
void relay_response(struct proxy *p, struct relay *r, enum txn_event event);
/* May release it. */
void relay_event(struct proxy *p, struct relay *r, enum txn_event event);
/* The request again, as it was. 0 (also where there was no buffer for a datagram), or a negative enum err. */
int relay_resend(struct proxy *p, const struct relay *r);
void relay_clock_fired(struct proxy *p, struct relay *r);
/* 100 again, to a retransmission before anything else went up. */
bool relay_trying(struct proxy *p, const struct relay *r);
