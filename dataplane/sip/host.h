/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sip/uri.h"

/* Reads a host at p: a name, a dotted quad, or an IPv6 address in brackets. Where it ends, or NULL. *ip is written when *kind
 * says that it is an address. Three colons in a row pass for two (RFC 5118 §4.10). any */
const uint8_t *host_read(const uint8_t *p, const uint8_t *end, enum host_kind *kind, struct ip_addr *ip);

/* Digits at p as a port of 1..65535. Where they end, or NULL. any */
static inline const uint8_t *port_read(const uint8_t *p, const uint8_t *end, uint16_t *port)
{
	const uint8_t *from = p;
	uint32_t v = 0;

	for (; p < end && (uint8_t)(*p - '0') < 10; p++) {
		v = v * 10 + (uint32_t)(*p - '0');
		if (v > 65535)
			return NULL;
	}
	if (p == from || !v)
		return NULL;
	*port = (uint16_t)v;
	return p;
}
