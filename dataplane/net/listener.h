/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <string.h>

#include "net/packet.h"

/* Questions to a listener set about addresses as they stand in a packet (4 or 16 bytes). */

static inline uint32_t listener_address_bytes(uint8_t family)
{
	return family == IP_V4 ? 4 : 16;
}

/* The address is that of at least one listener. */
static inline bool listener_has_ip(const struct listener_set *set, uint8_t family, const uint8_t *address)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct ip_addr *ip = &set->addr[i].ip;

		if (ip->family == family && memcmp(ip->bytes, address, listener_address_bytes(family)) == 0)
			return true;
	}
	for (unsigned i = 0; i < set->tcp_count; i++)
		if (set->tcp[i].ip.family == family && memcmp(set->tcp[i].ip.bytes, address, listener_address_bytes(family)) == 0)
			return true;
	return false;
}

/* There is a TCP listener on just this address and port, or one on the address and the port is among those that connections of ours begin at. */
static inline bool listener_owns_tcp(const struct listener_set *set, uint8_t family, const uint8_t *address, uint16_t port)
{
	bool ours = port >= set->tcp_low && port <= set->tcp_high;

	for (unsigned i = 0; i < set->tcp_count; i++) {
		const struct ip_port *l = &set->tcp[i];

		if ((ours || l->port == port) && l->ip.family == family && memcmp(l->ip.bytes, address, listener_address_bytes(family)) == 0)
			return true;
	}
	return false;
}

/* There is a UDP listener on just this address and port. */
static inline bool listener_owns(const struct listener_set *set, uint8_t family, const uint8_t *address, uint16_t port)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct ip_port *l = &set->addr[i];

		if (l->port == port && l->ip.family == family &&
		    memcmp(l->ip.bytes, address, listener_address_bytes(family)) == 0)
			return true;
	}
	return false;
}

static inline void listener_address(uint8_t family, const uint8_t *address, uint16_t port, struct ip_port *ret)
{
	*ret = (struct ip_port){ .ip.family = family, .port = port };
	memcpy(ret->ip.bytes, address, listener_address_bytes(family));
}
