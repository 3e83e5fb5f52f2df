/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Requests of the control plane's own (OPTIONS), which the workers send through the ports and transactions that calls use. */

#define PROBE_MESSAGE_MAX 1000
#define PROBE_ANSWER_MAX  512

struct probe_request {
	uint64_t id; /* the caller's: comes back with the result */
	struct ip_port to;
	uint8_t transport;   /* enum sip_transport */
	uint32_t tls_peer;   /* as whom it must be verified (struct endpoint_config) */
	uint32_t timeout_ms; /* then the result is a timeout, and nothing is retransmitted any more; at most timer F counts */
	uint16_t len;
	/* A whole request other than INVITE, ACK and CANCEL, without a Via: the worker puts its own in. */
	char message[PROBE_MESSAGE_MAX];
};

struct probe_result {
	uint64_t id;
	uint16_t status;    /* of the final response; 0: none */
	bool timeout;	    /* nobody answered in time */
	bool refused;	    /* an ICMP error, no route, no listener of that family */
	bool unsent;	    /* our own fault: no memory, no transaction free, not a message to probe with. Says nothing of the endpoint */
	bool retry_after;   /* a 503 that asked for a pause: retry_after_s */
	uint32_t retry_after_s;
	uint32_t rtt_us;    /* from the first sending to the answer; 0 without one */
	uint16_t answer_len;
	/* Of an answer other than 2xx: status line and header lines, whole lines, as many as there is room for. Of one that was refused:
	 * why, in words, where more is known than that (a certificate that did not pass ...). What lies behind them is not written. */
	char answer[PROBE_ANSWER_MAX];
};
