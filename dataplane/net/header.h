/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "net/bytes.h"
#include "net/checksum.h"

/* IP and UDP headers as we send them. `rest` is what follows the header, in bytes. */

static inline uint32_t header_bytes(uint8_t family)
{
	return family == IP_V4 ? IPV4_BYTES : IPV6_BYTES;
}

/* 20 bytes. frag_field: the More Fragments bit and the offset in units of 8 bytes; "don't fragment" stays off, since nothing here keeps
 * path MTUs. Without `sum` the checksum is left zero for the driver. any */
void header_v4(uint8_t *ip, const struct ip_addr *source, const struct ip_addr *destination, uint32_t rest, uint16_t id,
	       uint16_t frag_field, bool sum);

/* 20 bytes in front of a TCP segment of `rest` bytes, with "don't fragment": TCP keeps path MTUs. any */
void header_v4_tcp(uint8_t *ip, const struct ip_addr *source, const struct ip_addr *destination, uint32_t rest);

/* 40 bytes. any */
void header_v6(uint8_t *ip, const struct ip_addr *source, const struct ip_addr *destination, uint32_t rest, uint8_t next);

/* The Fragment header of RFC 8200 §4.5, 8 bytes. any */
void header_v6_fragment(uint8_t *p, uint32_t id, uint32_t offset, bool more);

/* What stands in the checksum field: the complement of the folded sum, and never zero, which would say that there is none (RFC 768). any */
static inline uint16_t header_udp_sum(uint64_t sum)
{
	uint16_t folded = checksum_fold(sum);

	return folded ? folded : 0xffff;
}

/* What stands there for a driver to go on from: the folded sum of the pseudo header. any */
static inline uint16_t header_partial(uint64_t pseudo)
{
	return (uint16_t)~checksum_fold(pseudo);
}

/* 8 bytes, the checksum over `payload` in it. any */
void header_udp(uint8_t *udp, const struct ip_port *source, const struct ip_port *destination, const uint8_t *payload, uint32_t bytes);
