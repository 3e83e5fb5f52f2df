/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* SIP messages with a number, of which everything follows from it, body and length too: whoever gets one can tell whether it is whole.
 * Texts end with a zero byte behind the length. No socket, no clock. */

#define NUMBERED_MAX 16384 /* bytes of a message, the zero too */

enum numbered_way { NUMBERED_THERE, NUMBERED_BACK };

struct numbered {
	const char *us;	    /* address and port that the caller, or the callee, is reached at */
	const char *target; /* what the request URI says behind "sip:" */
	const char *seed;   /* tells runs apart: a part of each Call-ID */
};

/* A request that starts something: MESSAGE or INVITE. Its length; out has room for NUMBERED_MAX. */
uint32_t numbered_request(const struct numbered *n, const char *method, uint64_t serial, char *out);
/* What the callee says to a request: 200, with a body of its own unless it is to BYE. 0: the request cannot be answered. */
uint32_t numbered_answer(const struct numbered *n, const char *request, char *out);
/* What the caller sends once its INVITE was answered, ACK or BYE, along the route that the answer names. 0: the answer makes no sense. */
uint32_t numbered_follow(const struct numbered *n, const char *method, const char *answer, char *out);

struct numbered_view {
	bool request, whole; /* whole: body and marked headers are what they were when they were sent */
	unsigned status;
	char method[16]; /* of a response: that of its CSeq */
	uint64_t serial;
};

/* A message of `bytes`, with a zero behind. false: it is none of this seed's. */
bool numbered_read(const struct numbered *n, const char *message, uint32_t bytes, struct numbered_view *ret_view);

/* Length of the first message in a stream: 0: it is not whole yet; negative: there never will be one. */
int64_t numbered_length(const char *bytes, uint32_t n);
