/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The four transaction machines of RFC 3261 §17 with the Accepted state of RFC 6026, as pure tables: (state, event) -> (state, actions).
 * They know no message, no clock and no socket; transactions.c and the proxy carry the actions out. */

enum txn_kind { TXN_INVITE_CLIENT, TXN_CLIENT, TXN_INVITE_SERVER, TXN_SERVER, TXN_KINDS };

enum txn_state {
	TXN_TRYING,	/* client: Calling / Trying; server, non-INVITE: Trying */
	TXN_PROCEEDING,
	TXN_COMPLETED,
	TXN_CONFIRMED,	/* INVITE server */
	TXN_ACCEPTED,	/* RFC 6026 */
	TXN_TERMINATED,
	TXN_STATES
};

enum txn_event {
	/* client: from the network */
	TXN_RX_1XX,
	TXN_RX_2XX,
	TXN_RX_FINAL, /* 300..699 */
	/* server: from the network */
	TXN_RX_REQUEST, /* a retransmission of the request */
	TXN_RX_ACK,
	/* server: from the transaction's user */
	TXN_TX_1XX,
	TXN_TX_2XX,
	TXN_TX_FINAL,
	/* client: its user gave the attempt up: no more retransmissions, but the slot stays for what may still come */
	TXN_ABANDON,
	/* timers */
	TXN_TIMER_RETRANSMIT, /* A, E, G */
	TXN_TIMER_LIFETIME,   /* B, F, H, or the linger timers D, I, J, K, L, M: the state says which */
	TXN_TRANSPORT_ERROR,
	TXN_EVENTS
};

enum txn_action {
	TXN_DO_SEND_REQUEST = 1 << 0,	/* the request again, as it was */
	TXN_DO_SEND_RESPONSE = 1 << 1,	/* the user's new response */
	TXN_DO_REPLAY = 1 << 2,		/* the last response again, if there is one */
	TXN_DO_ACK = 1 << 3,		/* ACK a non-2xx final response */
	TXN_DO_TO_USER = 1 << 4,	/* the event's message is the user's */
	TXN_DO_TIMEOUT = 1 << 5,	/* tell the user: nobody answered */
	TXN_DO_ERROR = 1 << 6,		/* tell the user: the transport failed */
	TXN_DO_BACKOFF = 1 << 7,	/* double the retransmission interval (bounded by T2 except timer A) and arm it again */
	TXN_DO_STOP_RETRANSMIT = 1 << 8,
	TXN_DO_START_RETRANSMIT = 1 << 9, /* G, on unreliable transports: first interval T1 */
	TXN_DO_STOP_LIFETIME = 1 << 10,
	TXN_DO_START_LIFETIME = 1 << 11, /* the new state's linger timer: see txn_linger_ms */
};

struct txn_step {
	uint8_t next; /* enum txn_state */
	uint16_t actions;
	uint8_t valid; /* 0: the event means nothing in that state; it is ignored */
};

/* Of each kind, by state. */
extern const struct txn_step (*const txn_tables[TXN_KINDS])[TXN_EVENTS];

/* any */
static inline struct txn_step txn_step(enum txn_kind kind, enum txn_state state, enum txn_event event)
{
	struct txn_step step = txn_tables[kind][state][event];

	if (!step.valid)
		step.next = (uint8_t)state;
	return step;
}

struct txn_timers {
	uint32_t t1, t2, t4; /* ms */
};

/* Timers B and F: how long a client waits for its first (INVITE) or final response. any */
static inline uint32_t txn_wait_ms(const struct txn_timers *t)
{
	return 64 * t->t1;
}

/* What the lifetime timer is set to on entering `state`: D, H, I, J, K, L or M; 0 where the transport is reliable and nothing lingers.
 * any */
uint32_t txn_linger_ms(enum txn_kind kind, enum txn_state state, const struct txn_timers *t, int reliable);

/* The tables, one file each. */
extern const struct txn_step txn_invite_client_table[TXN_STATES][TXN_EVENTS];
extern const struct txn_step txn_client_table[TXN_STATES][TXN_EVENTS];
extern const struct txn_step txn_invite_server_table[TXN_STATES][TXN_EVENTS];
extern const struct txn_step txn_server_table[TXN_STATES][TXN_EVENTS];
