/* SPDX-License-Identifier: Apache-2.0 */
/* A caller that comes by TCP, and targets that are reached by it: for the cases of streams. */
#pragma once

#include "script.h"

#define TCP_CALLER  "tcp:10.1.0.1:41000"
#define TCP_VIA	    "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bK1"
#define TCP_CONTACT "<sip:caller@10.1.0.1:5060;transport=tcp>"

static const struct harness_options to_tcp = { .tcp_targets = true };
static const struct request by_tcp = { .source = TCP_CALLER, .via = TCP_VIA, .contact = TCP_CONTACT };
static const struct request options_by_tcp = { .method = "OPTIONS", .source = TCP_CALLER, .via = TCP_VIA };

static inline void port_is(const struct sent *s, uint16_t port)
{
	if (s->to.remote.port != port)
		fail_msg("it goes to port %u, not %u", s->to.remote.port, port);
}

/* ---- whole_call.c */
/* A request within a call that is up, from one of its sides, and its 200, by the transports of both. */
void exchange(const struct dialog *d, enum token_side side, const char *method);
/* A call on a stage of its own (options NULL: the usual one), r and contact as dialog_open has them; requests within it from both sides;
 * nothing is left. */
void whole_call(const struct harness_options *options, const struct request *r, const char *target, const char *contact, enum token_side hangs_up);
