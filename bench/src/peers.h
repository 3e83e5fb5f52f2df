/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The two ends of calls: what callers and targets write. Several makes of each, with the header sets, orders and bodies that such boxes send;
 * everything that names a call follows from its serial number. Nothing here knows the data plane. */

#define MESSAGE_MAX 2048

enum method { M_INVITE, M_ACK, M_BYE, M_INFO, M_UPDATE };

/* How much of a message there is beside what SIP needs: for cost against size; MIX_USUAL is what the figures are taken with,
 * MIX_LARGEST still leaves in one frame. */
enum mix { MIX_SMALL, MIX_USUAL, MIX_LARGE, MIX_LARGEST };

/* What a call is known by: the first 16 hexadecimal digits of its Call-ID are a bijection of this. */
struct call_name {
	uint64_t serial;
	uint32_t caller_ip; /* host order, as all addresses here */
	uint64_t number;    /* dialled, in E.164 without + */
};

/* What a side needs in order to speak within a dialog. */
struct dialog_view {
	const struct call_name *name;
	uint32_t target_ip;	 /* the endpoint that answered; 0: not yet */
	const uint8_t *routes;	 /* Record-Route lines as the target saw them */
	uint32_t route_bytes;
	uint32_t cseq;
	bool from_caller;	 /* who speaks */
};

/* Where the proxy listens, as Vias and request URIs name it. */
#define PROXY_IP   0x0a090001u /* 10.9.0.1 */
#define PROXY_HOST "10.9.0.1"

/* All return the length that they wrote (MESSAGE_MAX of room). */
uint32_t peer_invite(uint8_t *out, enum mix mix, const struct call_name *name);
/* The caller's ACK for a final response that is no 2xx: it belongs to the INVITE's transaction. */
uint32_t peer_hop_ack(uint8_t *out, enum mix mix, const struct dialog_view *d);
uint32_t peer_request(uint8_t *out, enum mix mix, enum method method, const struct dialog_view *d);
/* via, record_routes: whole lines of the request that is answered. */
struct answered_request {
	const uint8_t *vias, *routes;
	uint32_t via_bytes, route_bytes;
	enum method method;
};
uint32_t peer_response(uint8_t *out, enum mix mix, unsigned status, const struct answered_request *r, const struct dialog_view *d);

/* The serial number in a Call-ID; UINT64_MAX: none of ours. */
uint64_t peer_serial(const uint8_t *call_id, uint32_t bytes);

/* Who speaks TCP, or TLS; nobody, unless this is called. */
void peers_by_stream(bool callers, bool targets, bool tls);
/* "UDP", "TCP", "TLS": what the caller speaks, or the targets. */
const char *peer_transport(bool caller);
/* A 60-byte Call-ID for all calls (memory is counted with it), or each make's own. */
void peers_long_call_ids(bool on);
