/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/packet.h"

struct rte_mbuf;

/* Frames made by hand for tests, with a checksum of its own: byte by byte as RFC 1071 tells it, so that nothing under test judges
 * itself. */

#define FRAME_MAX 70000

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t length;
	uint32_t ip_at; /* where the IP header begins */
	uint32_t l4_at;
};

/* What to make; zero is the plain case: a UDP packet from a peer's port 5060 to our listener's. */
struct recipe {
	uint8_t family;		/* 4 or 6 */
	const char *tags;	/* "8100:0 88a8:5": TPID and VLAN number, hexadecimal */
	bool group;		/* to a multicast address of Ethernet */
	const char *source;	/* default 192.0.2.9, 2001:db8::9 */
	const char *destination; /* default 192.0.2.1, 2001:db8::1 */
	uint16_t source_port, port; /* default 5060 */
	uint32_t payload;	/* bytes; their values count up from 1 */
	uint8_t protocol;	/* default UDP; otherwise the payload is all there is behind IP */
	const uint8_t *inner;	/* the payload itself, instead of counting bytes */
	uint32_t options;	/* IPv4: bytes of no-operation options */
	const char *extensions; /* IPv6: hexadecimal; each header's first byte says what follows, the last one's is the protocol */
	uint8_t first_extension;
	uint16_t id, offset;	/* fragment; offset in bytes, of the payload */
	bool fragment, more;
	int ip_length, udp_length; /* lies, added */
	bool bad_ip_sum, bad_udp_sum, no_udp_sum;
	uint32_t trailer;	/* bytes behind the IP packet */
};

void frame_make(struct frame *f, const struct recipe *r);

/* The one's complement sum over data, in host order, not complemented. */
uint32_t sum_plain(uint32_t sum, const uint8_t *data, size_t bytes);
/* The UDP or ICMPv6 packet's checksum at l4 is right for the IP header at ip. */
bool sum_l4_right(const uint8_t *ip, const uint8_t *l4, uint32_t bytes, uint8_t protocol);

/* An mbuf that EAL knows nothing of, over bytes of the caller's. */
void mbuf_over(struct rte_mbuf *m, uint8_t *data, uint32_t bytes);

extern const struct listener_set frame_listeners;
