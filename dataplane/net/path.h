/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/partial.h"
#include "net/bytes.h"
#include "tables/routes.h"

/* Ways lately sent by, each with the headers of what goes that way: peers are few, and messages many. A table of PATHS of them, zeros at first,
 * belongs to one worker. */
#define PATHS 2048 /* each place has a neighbour for what would push it out */

#define PATH_HEAD_BYTES (ETHER_BYTES + IPV6_BYTES + UDP_BYTES)

/* Two cache lines: what is looked at, and what is copied. */
struct path {
	_Alignas(64) struct ip_port source;
	struct ip_port destination;
	uint32_t version; /* of the routes, by which it was found */
	uint32_t most;	  /* bytes of a payload that the port's MTU lets leave in one piece */
	uint16_t port;
	bool v4, sums;		  /* sums: the driver fills in checksums */
	uint32_t ip_sum;	  /* of the IPv4 header as it stands below, folded, as are the next: */
	uint32_t pseudo, udp_sum; /* of the addresses and the protocol; of the ports too */
	_Alignas(64) uint8_t head[PATH_HEAD_BYTES]; /* Ethernet, IP, UDP; lengths, identification and checksums are zero */
};

static_assert(sizeof(struct path) == 128, "two lines");
static_assert(PATHS == 1 << 11, "path_place takes eleven bits");

static inline struct path *path_place(struct path *paths, const struct ip_port *source, const struct ip_port *destination)
{
	const uint8_t *ip = destination->ip.bytes;

	return &paths[(load_64(ip) ^ load_64(ip + 8) ^ (uint64_t)destination->port << 32 ^ (uint64_t)source->port << 48) *
		      0x9e3779b97f4a7c15ULL >> 53];
}

static inline struct path *path_neighbour(struct path *paths, const struct path *path)
{
	return &paths[(path - paths) ^ 1];
}

static inline bool path_is(const struct path *path, uint32_t version, const struct ip_port *source, const struct ip_port *destination)
{
	return path->version == version && ip_port_eq(&path->destination, destination) && ip_port_eq(&path->source, source);
}

/* The known way, or NULL. version: of the routes, read before. worker-only */
static inline struct path *path_find(struct path *paths, uint32_t version, const struct ip_port *source, const struct ip_port *destination)
{
	struct path *path = path_place(paths, source, destination);

	if (__builtin_expect(path_is(path, version, source, destination), 1))
		return path;
	path = path_neighbour(paths, path);
	return path_is(path, version, source, destination) ? path : NULL;
}

/* A place for a way that is not known; what it holds, where that is still good, moves to its neighbour. To be filled. worker-only */
struct path *path_replace(struct path *paths, uint32_t version, const struct ip_port *source, const struct ip_port *destination);

/* Writes all that is behind what path_replace has written. mac: the port's; mtu: IP's, at least the family's least. worker-only */
void path_fill(struct path *path, const struct route_result *hop, const uint8_t *mac, uint32_t mtu, bool sums);

/* The next hop, as path_fill was given it. any */
struct route_result path_hop(const struct path *path);
