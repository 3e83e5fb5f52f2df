/* SPDX-License-Identifier: Apache-2.0 */
#include "net/icmp.h"

#include "net/bytes.h"
#include "net/extension.h"
#include "net/listener.h"

#define ICMP_BYTES 8 /* type, code, checksum and four bytes that the type explains */

enum { ICMP4_UNREACHABLE = 3, ICMP4_TIME_EXCEEDED = 11, ICMP4_PARAMETER = 12, ICMP4_CODE_FRAG_NEEDED = 4 };
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_TIME_EXCEEDED = 3, ICMP6_PARAMETER = 4 };

/* The quoted datagram, of which a router may have cut the end. */
static bool read_tcp_quote(uint8_t family, const uint8_t *source, const uint8_t *destination, const uint8_t *tcp, uint32_t bytes,
			   const struct listener_set *listeners, struct packet *ret_packet)
{
	if (bytes < 8 || !listener_owns_tcp(listeners, family, source, get16(tcp)))
		return false;
	listener_address(family, source, get16(tcp), &ret_packet->source);
	listener_address(family, destination, get16(tcp + 2), &ret_packet->destination);
	ret_packet->sequence = get32(tcp + 4);
	ret_packet->quotes_tcp = true;
	return true;
}

static bool read_quote(uint8_t protocol, uint8_t family, const uint8_t *source, const uint8_t *destination, const uint8_t *udp, uint32_t bytes,
		       const struct listener_set *listeners, struct packet *ret_packet)
{
	uint32_t length;

	if (protocol == PROTO_TCP)
		return read_tcp_quote(family, source, destination, udp, bytes, listeners, ret_packet);
	if (bytes < UDP_BYTES || !listener_owns(listeners, family, source, get16(udp)))
		return false;
	length = get16(udp + 4);
	if (length < UDP_BYTES)
		return false;
	if (length < bytes)
		bytes = length;
	listener_address(family, source, get16(udp), &ret_packet->source);
	listener_address(family, destination, get16(udp + 2), &ret_packet->destination);
	ret_packet->payload = udp + UDP_BYTES;
	ret_packet->payload_len = bytes - UDP_BYTES;
	return true;
}

bool icmp_read_v4(const uint8_t *message, uint32_t bytes, const struct listener_set *listeners, struct packet *ret_packet)
{
	const uint8_t *ip = message + ICMP_BYTES;
	bool unreachable, frag_needed;
	uint32_t header, total;

	if (bytes < ICMP_BYTES + IPV4_BYTES)
		return false;
	unreachable = message[0] == ICMP4_UNREACHABLE;
	frag_needed = unreachable && message[1] == ICMP4_CODE_FRAG_NEEDED;
	if (!unreachable && message[0] != ICMP4_TIME_EXCEEDED && message[0] != ICMP4_PARAMETER)
		return false;
	bytes -= ICMP_BYTES;
	header = (ip[0] & 15) * 4u;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < IPV4_BYTES || header > bytes || total < header || (ip[9] != PROTO_UDP && ip[9] != PROTO_TCP) ||
	    get16(ip + 6) & IPV4_FRAG_OFFSET)
		return false;
	if (total < bytes)
		bytes = total;
	if (!read_quote(ip[9], IP_V4, ip + 12, ip + 16, ip + header, bytes - header, listeners, ret_packet))
		return false;
	ret_packet->icmp_hard = unreachable && !frag_needed;
	ret_packet->icmp_mtu = frag_needed ? get16(message + 6) : 0;
	return true;
}

bool icmp_read_v6(const uint8_t *message, uint32_t bytes, const struct listener_set *listeners, struct packet *ret_packet)
{
	const uint8_t *ip = message + ICMP_BYTES;
	struct extension_end end;
	uint32_t total, mtu;

	if (bytes < ICMP_BYTES + IPV6_BYTES || message[0] < ICMP6_UNREACHABLE || message[0] > ICMP6_PARAMETER)
		return false;
	bytes -= ICMP_BYTES;
	total = IPV6_BYTES + get16(ip + 4);
	if (ip[0] >> 4 != 6)
		return false;
	if (total < bytes)
		bytes = total;
	if (extension_walk(ip, bytes, true, &end) != EXTENSION_OK || end.fragment || (end.protocol != PROTO_UDP && end.protocol != PROTO_TCP) ||
	    !read_quote(end.protocol, IP_V6, ip + 8, ip + 24, ip + end.offset, bytes - end.offset, listeners, ret_packet))
		return false;
	mtu = message[0] == ICMP6_TOO_BIG ? get32(message + 4) : 0;
	ret_packet->icmp_hard = message[0] == ICMP6_UNREACHABLE;
	ret_packet->icmp_mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
	return true;
}
