/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"

/* The way a message came or goes: addresses of both ends and the transport. (A connection's identity joins it with streams.) */
struct flow {
	struct ip_port remote;
	struct ip_port local; /* the listener */
	uint8_t transport;    /* enum sip_transport */
};

/* Where messages leave a module: a function pair that the caller passes down, so that protocol code sends nothing itself.
 * reserve: contiguous room for up to `bytes`; NULL: none. commit: send the first len bytes of it; 0, -ERR_UNREACHABLE. */
struct outbox {
	uint8_t *(*reserve)(void *ctx, uint32_t bytes);
	int (*commit)(void *ctx, uint32_t len, const struct flow *to);
	void *ctx;
};
