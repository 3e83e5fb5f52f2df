/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Big-endian fields at any alignment, and the few numbers that all of net/ needs. */

#define ETHER_BYTES	14
#define VLAN_BYTES	4
#define IPV4_BYTES	20
#define IPV6_BYTES	40
#define IPV6_FRAG_BYTES 8
#define UDP_BYTES	8
#define TCP_BYTES	20

#define ETHERTYPE_V4	0x0800
#define ETHERTYPE_V6	0x86dd
#define ETHERTYPE_VLAN	0x8100
#define ETHERTYPE_QINQ	0x88a8

#define PROTO_ICMP	 1
#define PROTO_TCP	 6
#define PROTO_UDP	 17
#define PROTO_FRAGMENT	 44
#define PROTO_ICMPV6	 58
#define PROTO_DESTOPTS	 60

#define IPV4_FRAG_NONE	 0x4000 /* do not fragment */
#define IPV4_FRAG_OFFSET 0x1fff
#define IPV4_FRAG_MORE	 0x2000

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}
