/* SPDX-License-Identifier: Apache-2.0 */
#include "net/path.h"

#include <string.h>

#include "net/checksum.h"
#include "net/header.h"

/* After which what is there lies where nobody looks, but for some, and is found anew. */
static void grow(struct paths *paths)
{
	if (paths->grown < PATHS_BITS_LAST - PATHS_BITS_FIRST)
		paths->grown++;
	paths->pushed_out = 0;
}

struct path *path_replace(struct paths *paths, uint32_t version, const struct ip_port *source, const struct ip_port *destination)
{
	struct path *path = path_place(paths, source, destination);

	if (path->version == version && path_neighbour(paths, path)->version == version &&
	    ++paths->pushed_out > 1u << (PATHS_BITS_FIRST + paths->grown)) {
		grow(paths);
		path = path_place(paths, source, destination);
	}
	if (path->version == version)
		*path_neighbour(paths, path) = *path;
	*path = (struct path){ .source = *source, .destination = *destination, .version = version };
	return path;
}

void path_fill(struct path *path, const struct route_result *hop, const uint8_t *mac, uint32_t mtu, bool sums)
{
	const struct ip_port *source = &path->source, *destination = &path->destination;
	bool v4 = destination->ip.family == IP_V4;
	uint8_t *ether = path->head, *ip = ether + ETHER_BYTES, *udp = ip + header_bytes(destination->ip.family);

	path->port = hop->port;
	path->v4 = v4;
	path->sums = sums;
	path->most = mtu - header_bytes(destination->ip.family) - UDP_BYTES;
	memcpy(ether, hop->mac, 6);
	memcpy(ether + 6, mac, 6);
	put16(ether + 12, v4 ? ETHERTYPE_V4 : ETHERTYPE_V6);
	if (v4) {
		header_v4(ip, &source->ip, &destination->ip, 0, 0, 0, false);
		put16(ip + 2, 0);
		path->ip_sum = header_partial(checksum_words(0, ip, IPV4_BYTES / 4));
	} else {
		header_v6(ip, &source->ip, &destination->ip, 0, PROTO_UDP);
	}
	put16(udp, source->port);
	put16(udp + 2, destination->port);
	path->pseudo = header_partial(checksum_pseudo(source->ip.bytes, destination->ip.bytes, v4 ? 4 : 16, PROTO_UDP, 0));
	path->udp_sum = header_partial(checksum_words(path->pseudo, udp, 1));
}

struct route_result path_hop(const struct path *path)
{
	struct route_result hop = { .port = path->port };

	memcpy(hop.mac, path->head, 6);
	return hop;
}
