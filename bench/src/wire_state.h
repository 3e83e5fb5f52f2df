/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire_load.h"
#include "wire_messages.h"
#include "wire_view.h"

/* What wire_load.c (what is sent) and wire_arrive.c (what comes) share. */

#define SIP_PORT    5060
#define AHEAD	    32 /* calls chosen before they are used, so that they are in the cache by then */
#define ROUTE_BYTES 128
#define BURST	    64

enum { IDLE, SENT, ANSWERED }; /* a side's transaction: nothing on its way; the request; the response */

struct call {
	uint64_t serial;
	uint64_t sent[2]; /* by side that asks: when the last message of its transaction left */
	uint32_t cseq[2];
	uint8_t state[2], kind[2];
	uint8_t caller, target;
	bool up, open; /* open: between INVITE and the last response */
	uint8_t route_len;
	uint8_t route[ROUTE_BYTES]; /* the Route line of its requests */
} __attribute__((aligned(64)));

struct load {
	struct load_config config;
	const struct messages *messages;
	struct wire_port *port;
	struct call *calls;
	uint32_t mask;
	uint64_t next; /* serial of the next call */
	uint32_t up, setting_up;
	uint64_t random, outstanding, lost, seen;
	uint32_t ahead[AHEAD];
	unsigned ahead_at;
	struct load_counts counts;
	struct histogram delay[2];
	unsigned complaints;
	/* LOAD_CALLS: calls that are up, in the order of their ACKs. */
	struct {
		uint64_t due;
		uint32_t slot;
	} * held;
	uint64_t held_first, held_next, hold;
	struct view view[BURST];
	uint8_t scratch[4096];
};

uint32_t call_address(const struct load *l, enum side side, const struct call *c);
void call_send_request(struct load *l, struct call *c, struct identity *who, enum kind kind, enum side side, uint64_t now);
/* What side `asked_by` asked is answered by the other. */
void call_send_response(struct load *l, struct call *c, struct identity *who, const struct view *request, enum side asked_by,
			enum answer answer, uint64_t now);
/* It is hung up when it is time. */
void call_hold(struct load *l, struct call *c, uint64_t now);
