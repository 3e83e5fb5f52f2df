/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "traffic.h"

/* Shared by traffic.c, which makes messages, and check.c, which judges what became of them. */

#define ROUTES_BYTES 256
#define VIAS_BYTES   400

struct call {
	uint32_t generation;
	uint32_t target_ip, refused_ip;
	uint8_t expect; /* what has still to come out: EXPECT_ bits */
	uint8_t step;	/* what went in last */
	bool from_caller; /* who began the transaction that is under way */
	uint8_t method;	/* of it */
	uint16_t status;
	uint16_t cseq;
	uint16_t route_bytes;
	uint32_t input; /* index in the batch */
	uint8_t routes[ROUTES_BYTES];
	struct flight *flight; /* the Vias of the request under way, for its answer */
	uint32_t rival_ip;     /* where the call rings too, where it does; and what that got */
	struct flight *rival_flight;
};

struct flight {
	struct flight *next;
	uint16_t via_bytes;
	uint8_t vias[VIAS_BYTES];
};

/* What was sent, to compare with. */
struct input {
	uint32_t len;
	uint8_t text[MESSAGE_MAX];
};

enum { EXPECT_TRYING = 1, EXPECT_INVITE = 2, EXPECT_RESPONSE = 4, EXPECT_REQUEST = 8, EXPECT_HOP_ACK = 16, EXPECT_RIVAL = 32, EXPECT_CANCEL = 64 };

struct call_name call_name_of(const struct traffic *t, uint32_t slot);
struct flight *flight_new(void);
void flight_free(struct flight *f);

/* What is wrong with a forwarded request, NULL if nothing is: our Via on top of the sender's, one hop less, our Route gone, our Record-Route and
 * Max-Breadth there where it founds a dialog; all else as it came. */
const char *check_request(const uint8_t *in, uint32_t in_len, const uint8_t *out, uint32_t out_len, bool founding);
/* The same for a response: what came, without its first Via. */
const char *check_response(const uint8_t *in, uint32_t in_len, const uint8_t *out, uint32_t out_len);

/* Judges one message that came out and notes what its receiver must know. Ends the program unless it is what it must be. */
void check_output(struct traffic *t, const uint8_t *text, uint32_t len, uint32_t to);
