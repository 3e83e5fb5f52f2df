/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The chain of IPv6 extension headers (RFC 8200 §4). */

struct extension_end {
	uint8_t protocol;	  /* what stands at offset; of a fragment, what its first fragment begins with */
	uint32_t offset;	  /* from the IPv6 header: the upper layer's header, or of a fragment its Fragment header */
	bool fragment;		  /* one of several: not an "atomic" one (RFC 6946), which is passed over */
	uint16_t fragment_offset; /* bytes */
	bool fragment_more;
};

enum extension_verdict {
	EXTENSION_OK,
	EXTENSION_SHORT,   /* a header reaches beyond the packet */
	EXTENSION_FOREIGN, /* a header, or an option with a demand, that the kernel shall judge */
};

/* Walks the `bytes` of a packet from its IPv6 header on (at least 40 are there). With through_first, a first fragment is passed over
 * like an atomic one (a packet quoted by an ICMPv6 error). any */
enum extension_verdict extension_walk(const uint8_t *ip6, uint32_t bytes, bool through_first, struct extension_end *ret_end);
