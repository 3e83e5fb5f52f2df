/* SPDX-License-Identifier: Apache-2.0 */
#include "net/packet.h"

#include <endian.h>

#include <rte_mbuf.h>

#include "base/partial.h"
#include "net/bytes.h"
#include "net/checksum.h"
#include "net/extension.h"
#include "net/icmp.h"
#include "net/listener.h"

#define SCRATCH_BYTES 65536
#define TAGS_MAX      2
#define VLAN_ID	      0x0fff

_Static_assert(offsetof(struct ip_port, ip.family) == 16 && offsetof(struct ip_port, port) == 18 && sizeof(struct ip_port) == 20,
	       "put_v4 writes both at once");
_Static_assert(PACKET_USUAL_AT == ETHER_BYTES + IPV4_BYTES + UDP_BYTES, "three headers and nothing else");

/* One packet under examination. */
struct reading {
	const struct listener_set *listeners;
	bool l4_good; /* the driver says so */
	struct packet *packet;
	enum counter *drop;
	uint8_t family;
	const uint8_t *source, *destination; /* addresses in the IP header */
};

static inline bool l4_verified(const struct rte_mbuf *frame, bool checksum_done)
{
	return checksum_done && (frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static enum packet_kind dropped(struct reading *r, enum counter why)
{
	*r->drop = why;
	return PACKET_DROP;
}

static uint64_t pseudo(const struct reading *r, uint8_t protocol, uint32_t bytes)
{
	return checksum_pseudo(r->source, r->destination, listener_address_bytes(r->family), protocol, bytes);
}

/* No host other than us has it: unspecified, loopback, multicast, broadcast, or one of our own. An answer to it would come back to us. */
static bool source_impossible(const struct reading *r)
{
	static const uint8_t zero[16];
	const uint8_t *s = r->source;

	if (listener_has_ip(r->listeners, r->family, s))
		return true;
	if (r->family == IP_V4)
		return s[0] == 0 || s[0] == 127 || s[0] >= 240 || (s[0] & 0xf0) == 0xe0;
	return s[0] == 0xff || (memcmp(s, zero, 15) == 0 && s[15] <= 1);
}

static enum packet_kind read_udp(struct reading *r, const uint8_t *udp, uint32_t bytes)
{
	struct packet *packet = r->packet;
	uint32_t length;
	uint16_t sum;

	if (bytes < UDP_BYTES)
		return dropped(r, COUNTER_drop_short);
	if (!listener_owns(r->listeners, r->family, r->destination, get16(udp + 2)))
		return PACKET_KERNEL;
	if (source_impossible(r))
		return dropped(r, COUNTER_drop_own_source);
	length = get16(udp + 4);
	if (length < UDP_BYTES || length > bytes)
		return dropped(r, COUNTER_drop_length);
	sum = get16(udp + 6);
	if (!sum) {
		/* IPv4 allows to send without a checksum; RFC 8200 §8.1 does not. */
		if (r->family == IP_V6)
			return dropped(r, COUNTER_drop_checksum);
	} else if (!r->l4_good && checksum_fold(checksum_add(pseudo(r, PROTO_UDP, length), udp, length))) {
		return dropped(r, COUNTER_drop_checksum);
	}
	listener_address(r->family, r->source, get16(udp), &packet->source);
	listener_address(r->family, r->destination, get16(udp + 2), &packet->destination);
	packet->payload = udp + UDP_BYTES;
	packet->payload_len = length - UDP_BYTES;
	return PACKET_UDP;
}

static enum packet_kind read_tcp(struct reading *r, const uint8_t *segment, uint32_t bytes)
{
	struct packet *packet = r->packet;

	if (bytes < TCP_BYTES)
		return dropped(r, COUNTER_drop_short);
	if (!listener_owns_tcp(r->listeners, r->family, r->destination, get16(segment + 2)))
		return PACKET_KERNEL;
	if (source_impossible(r))
		return dropped(r, COUNTER_drop_own_source);
	listener_address(r->family, r->source, get16(segment), &packet->source);
	listener_address(r->family, r->destination, get16(segment + 2), &packet->destination);
	packet->payload = segment;
	packet->payload_len = bytes;
	packet->l4_good = r->l4_good;
	return PACKET_TCP;
}

static enum packet_kind quoted(const struct reading *r)
{
	return r->packet->quotes_tcp ? PACKET_ICMP_TCP : PACKET_ICMP_ERROR;
}

static enum packet_kind read_icmp_v4(struct reading *r, const uint8_t *icmp, uint32_t bytes)
{
	if (!icmp_read_v4(icmp, bytes, r->listeners, r->packet))
		return PACKET_KERNEL;
	return checksum_fold(checksum_add(0, icmp, bytes)) ? dropped(r, COUNTER_drop_checksum) : quoted(r);
}

static enum packet_kind read_icmp_v6(struct reading *r, const uint8_t *icmp, uint32_t bytes)
{
	if (!icmp_read_v6(icmp, bytes, r->listeners, r->packet))
		return PACKET_KERNEL;
	return checksum_fold(checksum_add(pseudo(r, PROTO_ICMPV6, bytes), icmp, bytes)) ? dropped(r, COUNTER_drop_checksum) : quoted(r);
}

static enum packet_kind read_v4(struct reading *r, const uint8_t *ip, uint32_t bytes)
{
	uint32_t header, total;

	if (bytes < IPV4_BYTES)
		return dropped(r, COUNTER_drop_short);
	header = (ip[0] & 15) * 4u;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IPV4_BYTES || total < header || total > bytes)
		return dropped(r, COUNTER_drop_length);
	if (checksum_fold(checksum_words(0, ip, header / 4)))
		return dropped(r, COUNTER_drop_checksum);
	r->family = IP_V4;
	r->source = ip + 12;
	r->destination = ip + 16;
	if (!listener_has_ip(r->listeners, IP_V4, r->destination))
		return PACKET_KERNEL;
	if (get16(ip + 6) & (IPV4_FRAG_MORE | IPV4_FRAG_OFFSET))
		return ip[9] == PROTO_UDP ? PACKET_FRAGMENT : PACKET_KERNEL;
	switch (ip[9]) {
	case PROTO_UDP: return read_udp(r, ip + header, total - header);
	case PROTO_TCP: return read_tcp(r, ip + header, total - header);
	case PROTO_ICMP: return read_icmp_v4(r, ip + header, total - header);
	default: return PACKET_KERNEL;
	}
}

static enum packet_kind read_v6(struct reading *r, const uint8_t *ip, uint32_t bytes)
{
	struct extension_end end;
	uint32_t total;

	if (bytes < IPV6_BYTES)
		return dropped(r, COUNTER_drop_short);
	total = IPV6_BYTES + get16(ip + 4);
	if (ip[0] >> 4 != 6 || total > bytes)
		return dropped(r, COUNTER_drop_length);
	r->family = IP_V6;
	r->source = ip + 8;
	r->destination = ip + 24;
	if (!listener_has_ip(r->listeners, IP_V6, r->destination))
		return PACKET_KERNEL;
	switch (extension_walk(ip, total, false, &end)) {
	case EXTENSION_SHORT: return dropped(r, COUNTER_drop_length);
	case EXTENSION_FOREIGN: return PACKET_KERNEL;
	case EXTENSION_OK: break;
	}
	if (end.fragment)
		return end.protocol == PROTO_UDP || end.protocol == PROTO_DESTOPTS ? PACKET_FRAGMENT : PACKET_KERNEL;
	switch (end.protocol) {
	case PROTO_UDP: return read_udp(r, ip + end.offset, total - end.offset);
	case PROTO_TCP: return read_tcp(r, ip + end.offset, total - end.offset);
	case PROTO_ICMPV6: return read_icmp_v6(r, ip + end.offset, total - end.offset);
	default: return PACKET_KERNEL;
	}
}

/* Ethernet and its tags. A tag with a VLAN number other than 0 makes the frame the kernel's: the port has taken off its own. */
static enum packet_kind read_frame(struct reading *r, const uint8_t *p, uint32_t bytes)
{
	uint32_t at = ETHER_BYTES;
	enum packet_kind kind;
	bool foreign = false;
	uint16_t type;

	if (bytes < ETHER_BYTES)
		return dropped(r, COUNTER_drop_short);
	type = get16(p + 12);
	for (unsigned i = 0; i < TAGS_MAX && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ); i++) {
		if (bytes - at < VLAN_BYTES)
			return dropped(r, COUNTER_drop_short);
		foreign |= get16(p + at) & VLAN_ID;
		type = get16(p + at + 2);
		at += VLAN_BYTES;
	}
	r->packet->l2_len = (uint16_t)at;
	/* A frame to a group must not carry a packet to one host (RFC 1122 §3.3.6); the kernel knows what to make of it. */
	if (foreign || p[0] & 1)
		return PACKET_KERNEL;
	if (type == ETHERTYPE_V4)
		kind = read_v4(r, p + at, bytes - at);
	else if (type == ETHERTYPE_V6)
		kind = read_v6(r, p + at, bytes - at);
	else
		kind = PACKET_KERNEL;
	return kind;
}

static inline void put_v4(struct ip_port *to, uint32_t address, uint16_t port)
{
	const uint32_t bytes[4] = { address };
	const struct {
		uint8_t family, hole;
		uint16_t port;
	} rest = { IP_V4, 0, port };

	memcpy(to, bytes, 16);
	memcpy((uint8_t *)to + 16, &rest, 4);
}

/* Whether a host may have it (source_impossible), by its first byte. */
static inline bool unicast_v4(uint8_t first)
{
	return (uint8_t)(first - 1) < 223 && first != 127;
}

/* 0: not a datagram to a listener by the headers of Ethernet, IP and UDP, or not as usual; else the bytes that UDP says there are. */
static inline uint32_t usual_headers(const struct listener_set *listeners, const uint8_t *p, uint32_t bytes)
{
	const uint8_t *ip = p + ETHER_BYTES, *udp = ip + IPV4_BYTES;
	uint32_t source, destination, length, ours = 0;
	uint16_t port;

	if (bytes < PACKET_USUAL_AT || p[0] & 1)
		return 0;
	if ((load_32(p + 12) & htonl(0xffffff00)) != htonl(ETHERTYPE_V4 << 16 | 0x4500) ||
	    (load_32(ip + 6) & htonl((IPV4_FRAG_MORE | IPV4_FRAG_OFFSET) << 16 | 0x00ff)) != htonl(PROTO_UDP))
		return 0;
	source = load_32(ip + 12);
	destination = load_32(ip + 16);
	port = get16(udp + 2);
	for (unsigned i = 0; i < listeners->count; i++) {
		const struct ip_port *l = &listeners->addr[i];
		uint32_t address = load_32(l->ip.bytes);

		if (address == source)
			return 0;
		ours |= address == destination && l->port == port && l->ip.family == IP_V4;
	}
	for (unsigned i = 0; i < listeners->tcp_count; i++)
		if (load_32(listeners->tcp[i].ip.bytes) == source)
			return 0;
	length = get16(udp + 4);
	if (!ours || !unicast_v4(ip[12]) || get16(ip + 2) != length + IPV4_BYTES || length + IPV4_BYTES + ETHER_BYTES > bytes ||
	    length <= UDP_BYTES || !checksum_is_right((uint64_t)load_32(ip) + load_32(ip + 4) + load_32(ip + 8) + source + destination))
		return 0;
	return length;
}

uint32_t packet_usual(const struct rte_mbuf *frame, const struct listener_set *listeners, bool checksum_done, struct ip_port *ret_source,
		      struct ip_port *ret_destination)
{
	const uint8_t *p = rte_pktmbuf_mtod(frame, const uint8_t *), *ip = p + ETHER_BYTES, *udp = ip + IPV4_BYTES;
	uint32_t source, destination, length;
	uint16_t sum, wire_length;

	if (frame->nb_segs != 1)
		return 0;
	length = usual_headers(listeners, p, frame->pkt_len);
	memcpy(&sum, udp + 6, 2);
	if (!length || !sum)
		return 0;
	source = load_32(ip + 12);
	destination = load_32(ip + 16);
	if (!l4_verified(frame, checksum_done)) {
		memcpy(&wire_length, udp + 4, 2);
		if (!checksum_is_right(checksum_add((uint64_t)source + destination + wire_length + htons(PROTO_UDP), udp, length)))
			return 0;
	}
	put_v4(ret_source, source, get16(udp));
	put_v4(ret_destination, destination, get16(udp + 2));
	return length - UDP_BYTES;
}

void packet_parse(const struct rte_mbuf *frame, const struct listener_set *listeners, bool checksum_done, uint8_t *scratch,
		  struct packet *ret_packet, enum counter *ret_drop)
{
	struct reading r = {
		.listeners = listeners,
		.l4_good = l4_verified(frame, checksum_done),
		.packet = ret_packet,
		.drop = ret_drop,
	};
	const uint8_t *p = rte_pktmbuf_mtod(frame, const uint8_t *);

	ret_packet->icmp_hard = false;
	ret_packet->icmp_mtu = 0;
	ret_packet->quotes_tcp = false;
	ret_packet->l2_len = 0;
	ret_packet->payload = NULL;
	ret_packet->payload_len = 0;
	if (unlikely(frame->nb_segs > 1)) {
		if (frame->pkt_len > SCRATCH_BYTES) {
			ret_packet->kind = dropped(&r, COUNTER_drop_length);
			return;
		}
		p = rte_pktmbuf_read(frame, 0, frame->pkt_len, scratch);
		if (!p) {
			ret_packet->kind = dropped(&r, COUNTER_drop_length);
			return;
		}
	}
	ret_packet->kind = read_frame(&r, p, frame->pkt_len);
}
