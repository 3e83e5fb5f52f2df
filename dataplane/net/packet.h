/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/counters.h"

struct rte_mbuf;

/* Packets in: Ethernet, VLAN (802.1Q, one tag or two), IPv4, IPv6 with extension headers, UDP, TCP, ICMP errors. Pure but for the mbuf. */

/* Local sockets that are ours: what is not for one of these goes to the kernel. Immutable after start. */
#define LISTENERS_MAX 64
struct listener_set {
	unsigned count;
	struct ip_port addr[LISTENERS_MAX]; /* of UDP */
	unsigned tcp_count;
	struct ip_port tcp[LISTENERS_MAX]; /* of TCP, and of TLS over it: */
	struct {
		uint8_t transport, tls_server; /* enum sip_transport; tls.h */
	} stream[LISTENERS_MAX];
	uint16_t tcp_low, tcp_high; /* ports of the addresses in tcp[] that connections of ours begin at */
};

enum packet_kind {
	PACKET_DROP,	   /* malformed; *ret_drop says which counter. The caller frees */
	PACKET_KERNEL,	   /* not ours: to the kernel interface, untouched */
	PACKET_UDP,	   /* for a listener: addresses and payload are written */
	PACKET_TCP,	   /* for a TCP listener, or a port of tcp_low to tcp_high of its address: addresses; payload is the segment from its header on */
	PACKET_FRAGMENT,   /* an IP fragment whose destination is one of our addresses: hand it to reassembly */
	PACKET_ICMP_ERROR, /* an ICMP or ICMPv6 error that quotes a UDP packet of a listener of ours. Goes to the kernel as well */
	PACKET_ICMP_TCP,   /* ... that quotes a TCP segment of ours: sequence */
};

struct packet {
	enum packet_kind kind;
	struct ip_port source, destination; /* of the UDP or TCP packet. ICMP_ERROR: of the quoted packet: source is our listener */
	const uint8_t *payload; /* contiguous. UDP: the datagram; ICMP_ERROR: what is quoted of the datagram */
	uint32_t payload_len;
	bool quotes_tcp;
	bool icmp_hard;	   /* the error means that nobody is there (unreachable, not "too big" or time exceeded) */
	uint16_t icmp_mtu; /* "fragmentation needed" / "packet too big": the next hop's MTU; 0 otherwise */
	bool l4_good;	   /* TCP: the driver has verified the checksum; nobody has where this is false */
	uint32_t sequence; /* of the quoted segment */
	uint16_t l2_len;   /* Ethernet with its VLAN tags */
};

/* Reads one frame. Verifies the checksums of IPv4 headers, UDP and ICMP errors, not TCP's; with `checksum_done` (the driver verifies:
 * port_rx_checksum) UDP's only where the mbuf's flags do not say that it is good. A chained mbuf (reassembled, or a driver's) is copied
 * into scratch (65,536 bytes), payload then points there. Dropped: a frame whose IP length exceeds its data; an IPv4 header with a bad
 * checksum; a UDP or TCP packet for us that comes from an address of ours or one that no host can have (counted drop_own_source). Bytes
 * behind the IP length are ignored. The kernel's: frames to a group address, and frames whose tag names a VLAN (number other than 0): a
 * port of a VLAN (port.h) has taken its own tag off already. worker-only */
void packet_parse(const struct rte_mbuf *frame, const struct listener_set *listeners, bool checksum_done, uint8_t *scratch,
		  struct packet *ret_packet, enum counter *ret_drop);

/* What nearly all frames are: a datagram for a listener by IPv4 without options, fragments or tags, with a checksum, and nothing wrong with it.
 * Returns the bytes of its payload, which begins PACKET_USUAL_AT bytes into the frame's data, and writes where it came from and what it is
 * for. 0: it is something else, or empty; packet_parse says what, and what has been written means nothing. Both say the same of what this
 * takes. worker-only */
#define PACKET_USUAL_AT 42
uint32_t packet_usual(const struct rte_mbuf *frame, const struct listener_set *listeners, bool checksum_done, struct ip_port *ret_source,
		      struct ip_port *ret_destination);
