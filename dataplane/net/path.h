/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/bytes.h"
#include "tables/routes.h"

/* Ways lately sent by, each with the headers of what goes that way: peers are few, and messages many. A table of them, zeros at first, belongs to one
 * worker. It uses as little of its memory as it gets by with, so that a few peers do not take a page each, and more when many push each other out. */
#define PATHS_BITS_FIRST 11
#define PATHS_BITS_LAST	 15

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

struct paths {
	uint32_t grown;	     /* by so many bits */
	uint32_t pushed_out; /* since then: ways that were still good */
	struct path path[1 << PATHS_BITS_LAST];
};

static inline struct path *path_place(struct paths *paths, const struct ip_port *source, const struct ip_port *destination)
{
	uint64_t ports = (uint64_t)destination->port << 32 | (uint64_t)source->port << 48;

	return &paths->path[ip_mix(&destination->ip, ports) >> (64 - PATHS_BITS_FIRST - paths->grown)];
}

/* Each place has one for what would be pushed out of it. */
static inline struct path *path_neighbour(struct paths *paths, const struct path *path)
{
	return &paths->path[(path - paths->path) ^ 1];
}

static inline bool path_is(const struct path *path, uint32_t version, const struct ip_port *source, const struct ip_port *destination)
{
	return path->version == version && ip_port_eq(&path->destination, destination) && ip_port_eq(&path->source, source);
}

/* The known way, or NULL. version: of the routes, read before. worker-only */
static inline struct path *path_find(struct paths *paths, uint32_t version, const struct ip_port *source, const struct ip_port *destination)
{
	struct path *path = path_place(paths, source, destination);

	if (__builtin_expect(path_is(path, version, source, destination), 1))
		return path;
	path = path_neighbour(paths, path);
	return path_is(path, version, source, destination) ? path : NULL;
}

/* A place for a way that is not known; what it holds, where that is still good, moves to its neighbour. To be filled. worker-only */
struct path *path_replace(struct paths *paths, uint32_t version, const struct ip_port *source, const struct ip_port *destination);

/* Writes all that is behind what path_replace has written. mac: the port's; mtu: IP's, at least the family's least. worker-only */
void path_fill(struct path *path, const struct route_result *hop, const uint8_t *mac, uint32_t mtu, bool sums);

/* The next hop, as path_fill was given it. any */
struct route_result path_hop(const struct path *path);
