/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "sip/message.h"

/* Messages that a proxy writes itself, from the request it answers or sent (RFC 3261 §8.2.6, §9.1, §17.1.1.3). */

struct reply {
	uint16_t status;
	const char *reason;	 /* NULL: the standard phrase */
	struct span to_tag;	 /* added to To where it has none; p == NULL: do not add (100 Trying) */
	struct span via_append;	 /* appended to the topmost Via value (";received=10.0.0.1"), may be empty */
	struct span rport_value; /* where p != NULL: replaces the top Via's valueless ";rport" by ";rport=VALUE" */
	struct span headers;	 /* further whole header lines with their CRLFs, may be empty */
};

/* A response without a body: all Vias in order, From, To, Call-ID, CSeq, Timestamp (in a 100), Record-Route where dialog-forming
 * (18x/2xx: not written by a proxy), `headers`, Content-Length: 0. request must be answerable.
 * Bytes written, or -ERR_FULL. any */
int reply_compose(const struct sip_message *request, const struct reply *reply, uint8_t *out, uint32_t cap);

/* The ACK for a non-2xx final response to an INVITE that we sent, or the CANCEL for it. `sent` is the INVITE as we sent it
 * (it has our Via on top): request URI, top Via, From, Call-ID, CSeq number, Route lines, Max-Forwards come from it; To from the
 * response for an ACK, from the INVITE for a CANCEL. extra_headers (Reason ...) may be empty. Bytes written, or -ERR_FULL. any */
int reply_compose_ack(const struct sip_message *sent, struct span response_to, uint8_t *out, uint32_t cap);
/* The same ACK when nothing is kept of the INVITE but its request URI and Max-Forwards (UINT32_MAX: it had none) and it had no Route: From, Call-ID
 * and CSeq number are the response's too, which the caller knows to be the INVITE's. via_line: ours, whole, with its CRLF. -ERR_INVALID: the response
 * lacks one of these. any */
int reply_compose_ack_again(const struct sip_message *response, struct span uri, struct span via_line, uint32_t max_forwards, uint8_t *out,
			    uint32_t cap);
int reply_compose_cancel(const struct sip_message *sent, struct span extra_headers, uint8_t *out, uint32_t cap);
