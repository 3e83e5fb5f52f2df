/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* A connection as it was at one moment. */
struct stream_view {
	uint64_t name; /* as flow.connection */
	struct ip_port local, remote;
	uint8_t transport; /* enum sip_transport */
	bool ours;	   /* we opened it */
	const char *state; /* as RFC 9293 calls it; static storage */
	/* By TLS, once the handshake is done; else cipher is NULL. Its name is static storage. */
	const char *cipher;
	uint16_t tls_version; /* enum tls_version */
	bool tls_resumed;
	uint64_t age_ms, idle_ms;
	uint64_t bytes_in, bytes_out; /* of whole messages */
	uint32_t messages_in, messages_out;
	uint32_t queued; /* bytes that the peer has not acknowledged, sent or not */
	uint32_t retransmitted, srtt_us;
};
