/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

/* An IP address, network byte order; IPv4 in bytes[0..3], the rest zero, so that whole-struct comparison works. The bytes come first: what was copied
 * by one store of sixteen and one more is read again by words that lie within either, and waits for neither to reach the cache. */
struct ip_addr {
	uint8_t bytes[16];
	uint8_t family; /* enum ip_family */
};

/* An address and a port (host byte order). */
struct ip_port {
	struct ip_addr ip;
	uint16_t port;
};

/* An address block: the first `length` bits of ip; bits beyond are zero. */
struct ip_prefix {
	struct ip_addr ip;
	uint8_t length;
};

#define IP_TEXT_MAX	 46 /* longest IPv6 text with its NUL */
#define IP_PORT_TEXT_MAX (IP_TEXT_MAX + 8)

/* 64 bits of which the upper ones are as good as random for addresses that follow each other, with something beside them (one multiplication leaves
 * ten thousand such in a third of the places that they could have). Whoever may choose addresses can choose equal ones. any */
static inline uint64_t ip_mix(const struct ip_addr *ip, uint64_t beside)
{
	uint64_t words[2], h;

	memcpy(words, ip->bytes, sizeof(words));
	h = (words[0] ^ words[1] ^ beside) * 0x9e3779b97f4a7c15ULL;
	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL;
}

static inline bool ip_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

static inline bool ip_port_eq(const struct ip_port *a, const struct ip_port *b)
{
	return a->port == b->port && ip_eq(&a->ip, &b->ip);
}

/* Dotted quad, or IPv6 text with or without brackets; nothing before or behind it.
 * 0, -ERR_INVALID. any */
int ip_parse(struct span text, struct ip_addr *ret_ip);

/* ADDRESS[:PORT] or [V6][:PORT]; without a port, default_port. 0, -ERR_INVALID. any */
int ip_port_parse(struct span text, uint16_t default_port, struct ip_port *ret_addr);

/* ADDRESS[/LENGTH]; without a length, the whole address. Bits beyond the length must be zero.
 * 0, -ERR_INVALID. any */
int ip_prefix_parse(struct span text, struct ip_prefix *ret_prefix);

/* Of any family. any */
bool ip_prefix_has(const struct ip_prefix *prefix, const struct ip_addr *ip);

/* any */
static inline bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_addr *ip)
{
	uint32_t differ;

	if (prefix->ip.family != IP_V4 || ip->family != IP_V4)
		return ip_prefix_has(prefix, ip);
	differ = (uint32_t)(big_endian(load_32(prefix->ip.bytes) ^ load_32(ip->bytes)) >> 32);
	return (uint64_t)differ >> (32 - prefix->length) == 0;
}

/* Text with NUL; IPv6 as RFC 5952 says; returns its length. `brackets` puts IPv6 in [ ], as URIs and Via want it.
 * out has IP_TEXT_MAX + 2 bytes. any */
uint32_t ip_format(const struct ip_addr *ip, bool brackets, char *out);

/* 10.0.0.1:5060 or [2001:db8::1]:5060, with NUL; returns its length. out has IP_PORT_TEXT_MAX bytes. any */
uint32_t ip_port_format(const struct ip_port *addr, char *out);
