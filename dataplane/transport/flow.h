/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"

#define TLS_PEER_ANYBODY 0 /* of tls_peer below */
#define TLS_PEER_DEFAULT 1 /* as whom they are verified where the operator allows that: any name, if only the CA vouches for it */
#define FLOW_THEIRS	 UINT64_MAX

/* The way a message came or goes: addresses of both ends, the transport, and for a stream the connection. */
struct flow {
	struct ip_port remote;
	struct ip_port local; /* the listener */
	uint8_t transport;    /* enum sip_transport */
	/* How long a message may wait for its stream to come up, or to take more; it is dropped then, since nobody waits for it any longer. 0: until that
	 * connection is given up. */
	uint16_t patience_ms;
	/* By TLS, where no connection is named or the named one is gone: as whom the peer of the connection that is opened must be verified
	 * (tls.h). Connections that we opened are shared only by those who ask for the same. TLS_PEER_ANYBODY: nothing is known of it. */
	uint32_t tls_peer;
	/* A name that every worker can use, never given twice. 0: none; what goes by a stream then takes a connection to `remote` that
	 * stands, or opens one. Where FLOW_THEIRS: the one that `remote` opened to `local`, where there is one. Where the connection is
	 * gone it goes to `remote` too: for a response that is the sender's address with the port of its Via (RFC 3261 §18.2.2). */
	uint64_t connection;
};

/* Where messages leave a module: a function pair that the caller passes down, so that protocol code sends nothing itself. reserve:
 * contiguous room for up to `bytes`; NULL: none; to: where it will go, as far as is known yet, so that what it takes to get there is at hand by
 * then. commit: send the first len bytes of it; 0, -ERR_UNREACHABLE; by a stream also -ERR_FULL (too much waits for that peer). What a stream
 * took and could not deliver comes back later (proxy_undelivered). */
struct outbox {
	uint8_t *(*reserve)(void *ctx, uint32_t bytes, const struct flow *to);
	int (*commit)(void *ctx, uint32_t len, const struct flow *to);
	void *ctx;
};
