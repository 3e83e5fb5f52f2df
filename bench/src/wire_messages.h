/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire_template.h"

/* What callers and targets say. Each address has a make of its own: order and choice of headers, Call-ID, body; a message's size
 * follows from that and from nothing else. Everything in a message follows from the call's number, so nothing about it need be
 * remembered but the route. Bytes in, bytes out: no port, no clock. */

#define MESSAGE_MAX   1600
#define MAKES	      8 /* of callers, and as many of targets */
#define BLOCK_MAX     1200
#define CALLERS_FIRST 101 /* last number of the first caller's address, and of the first target's */

enum side { CALLER, TARGET };
/* REFRESH: an UPDATE without a body, for the session timer (RFC 4028). */
enum kind { KIND_INVITE, KIND_ACK, KIND_INFO, KIND_UPDATE, KIND_REFRESH, KIND_BYE, KIND_COUNT };
enum answer { ANSWER_RINGING, ANSWER_OK, ANSWER_COUNT };

extern const char *const kind_methods[KIND_COUNT];

struct messages;

/* Addresses are NET1.101 .. for callers, NET2.101 .. for targets ("10.78.1", "10.78.2"); us: what they send to; transport: "udp", "tcp", "tls". NULL: no memory.
 */
struct messages *messages_new(const char *caller_net, const char *target_net, const char *us, unsigned makes, const char *transport);
void messages_free(struct messages *m);

/* The call with this serial number (salt: another run has other Call-IDs). */
struct identity {
	uint64_t id;	 /* begins its Call-ID, in hex */
	unsigned caller; /* who calls: 0 .. makes - 1 */
	uint64_t value[SLOT_COUNT];
};
void identity_make(const struct messages *m, uint64_t salt, uint64_t serial, struct identity *ret);
/* The other way: whose Call-ID begins like this. false: none of this run. */
bool identity_serial(uint64_t salt, uint64_t id, uint64_t *ret_serial);

/* The branch of a request: differs for each. */
uint64_t message_branch(const struct identity *who, enum kind kind, enum side side, uint32_t cseq);
/* The first CSeq of a side; its digits stay as many for 80,000 requests at least. */
uint32_t message_first_cseq(enum side side, unsigned make);

/* A request of side `from` (INVITE and ACK: the caller) to the other. target: which one has the call (INVITE: any). route: whole
 * header lines that go into it. Returns its length, at most MESSAGE_MAX - BLOCK_MAX + route_len. */
uint32_t message_request(const struct messages *m, struct identity *who, enum kind kind, enum side from, unsigned target,
			 uint32_t cseq, const void *route, uint32_t route_len, uint8_t *out);
/* A response of side `from`. block: the header lines that a response repeats. */
uint32_t message_response(const struct messages *m, struct identity *who, enum kind kind, enum answer answer, enum side from,
			  unsigned target, const void *block, uint32_t block_len, uint8_t *out);
