/* SPDX-License-Identifier: Apache-2.0 */
#include "net/header.h"

#include <string.h>

#include "net/checksum.h"

#define HOPS 64

void header_v4(uint8_t *ip, const struct ip_addr *source, const struct ip_addr *destination, uint32_t rest, uint16_t id,
	       uint16_t frag_field, bool sum)
{
	uint16_t folded;

	ip[0] = 0x45;
	ip[1] = 0;
	put16(ip + 2, (uint16_t)(IPV4_BYTES + rest));
	put16(ip + 4, id);
	put16(ip + 6, frag_field);
	ip[8] = HOPS;
	ip[9] = PROTO_UDP;
	put16(ip + 10, 0);
	memcpy(ip + 12, source->bytes, 4);
	memcpy(ip + 16, destination->bytes, 4);
	if (!sum)
		return;
	folded = checksum_fold(checksum_words(0, ip, IPV4_BYTES / 4));
	memcpy(ip + 10, &folded, 2);
}

void header_v4_tcp(uint8_t *ip, const struct ip_addr *source, const struct ip_addr *destination, uint32_t rest)
{
	uint16_t folded;

	/* An identification means nothing where there are no fragments (RFC 6864). */
	header_v4(ip, source, destination, rest, 0, IPV4_FRAG_NONE, false);
	ip[9] = PROTO_TCP;
	folded = checksum_fold(checksum_words(0, ip, IPV4_BYTES / 4));
	memcpy(ip + 10, &folded, 2);
}

void header_v6(uint8_t *ip, const struct ip_addr *source, const struct ip_addr *destination, uint32_t rest, uint8_t next)
{
	put32(ip, 0x60000000);
	put16(ip + 4, (uint16_t)rest);
	ip[6] = next;
	ip[7] = HOPS;
	memcpy(ip + 8, source->bytes, 16);
	memcpy(ip + 24, destination->bytes, 16);
}

void header_v6_fragment(uint8_t *p, uint32_t id, uint32_t offset, bool more)
{
	p[0] = PROTO_UDP;
	p[1] = 0;
	put16(p + 2, (uint16_t)(offset | more));
	put32(p + 4, id);
}

void header_udp(uint8_t *udp, const struct ip_port *source, const struct ip_port *destination, const uint8_t *payload, uint32_t bytes)
{
	uint32_t address_bytes = source->ip.family == IP_V4 ? 4 : 16;
	uint64_t sum = checksum_pseudo(source->ip.bytes, destination->ip.bytes, address_bytes, PROTO_UDP, UDP_BYTES + bytes);
	uint16_t folded;

	put16(udp, source->port);
	put16(udp + 2, destination->port);
	put16(udp + 4, (uint16_t)(UDP_BYTES + bytes));
	put16(udp + 6, 0);
	folded = header_udp_sum(checksum_add(checksum_words(sum, udp, UDP_BYTES / 4), payload, bytes));
	memcpy(udp + 6, &folded, 2);
}
