/* SPDX-License-Identifier: Apache-2.0 */
#include "net/extension.h"

#include "net/bytes.h"

#define PROTO_HOPOPTS 0
#define PROTO_ROUTING 43
#define HEADERS_MAX   8 /* nobody honest chains more */

#define OPTION_PAD1   0
#define OPTION_ACTION 0xc0 /* RFC 8200 §4.2: what to do with an option one does not know; 0: skip it */

/* Every option may be skipped. */
static bool options_harmless(const uint8_t *p, uint32_t bytes)
{
	uint32_t i = 2;

	while (i < bytes) {
		if (p[i] == OPTION_PAD1) {
			i++;
			continue;
		}
		if (p[i] & OPTION_ACTION || i + 2 > bytes || i + 2 + p[i + 1] > bytes)
			return false;
		i += 2u + p[i + 1];
	}
	return true;
}

enum extension_verdict extension_walk(const uint8_t *ip6, uint32_t bytes, bool through_first, struct extension_end *ret_end)
{
	uint32_t at = IPV6_BYTES, length;
	uint8_t protocol = ip6[6];

	for (unsigned i = 0; i <= HEADERS_MAX; i++) {
		const uint8_t *h = ip6 + at;
		bool options = protocol == PROTO_HOPOPTS || protocol == PROTO_DESTOPTS;

		if (!options && protocol != PROTO_ROUTING && protocol != PROTO_FRAGMENT) {
			*ret_end = (struct extension_end){ .protocol = protocol, .offset = at };
			return EXTENSION_OK;
		}
		if (bytes - at < 8)
			return EXTENSION_SHORT;
		if (protocol == PROTO_FRAGMENT) {
			uint16_t field = get16(h + 2);
			bool first = !(field & 0xfff8);

			if (!(first && (!(field & 1) || through_first))) {
				*ret_end = (struct extension_end){ h[0], at, true, field & 0xfff8, field & 1 };
				return EXTENSION_OK;
			}
			length = IPV6_FRAG_BYTES;
		} else {
			length = (h[1] + 1u) * 8;
			if (bytes - at < length)
				return EXTENSION_SHORT;
			/* Hop-by-hop options stand first or not at all; a route that has segments left ends elsewhere. */
			if ((protocol == PROTO_HOPOPTS && i) || (protocol == PROTO_ROUTING && h[3]) ||
			    (options && !options_harmless(h, length)))
				return EXTENSION_FOREIGN;
		}
		protocol = h[0];
		at += length;
	}
	return EXTENSION_FOREIGN;
}
