/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tables/ranges.h"

struct epoch;

/* The kernel's routes and neighbours, mirrored: destination -> port, next hop -> MAC. */

#define ROUTES_MAX     65536
#define NEIGHBOURS_MAX 65536

struct route {
	struct ip_prefix prefix;
	struct ip_addr gateway; /* family IP_NONE: the destination itself is the neighbour */
	uint16_t port;		/* index of the port behind whose kernel interface the route leads */
	uint16_t metric;	/* lower wins among equal prefixes */
};

struct routes;

/* NULL: no memory. control-only */
struct routes *routes_new(struct epoch *e);
void routes_free(struct routes *r);

/* Publishes a whole new route list. 0, -ERR_NOMEM, -ERR_FULL (the old one stays). control-only */
int routes_publish(struct routes *r, const struct route *list, size_t count);

/* Adds or changes one neighbour. 0, -ERR_FULL. control-only */
int routes_neighbour_set(struct routes *r, uint16_t port, const struct ip_addr *ip, const uint8_t mac[6]);
void routes_neighbour_delete(struct routes *r, uint16_t port, const struct ip_addr *ip);

enum route_verdict {
	ROUTE_OK,	     /* port and mac are written */
	ROUTE_NO_NEIGHBOUR, /* port is written: let the kernel send this one, it will resolve */
	ROUTE_NONE,
};

struct route_result {
	uint16_t port;
	uint8_t mac[6];
};

/* Another number after every change: what was looked up after reading it holds for as long as it stays. any */
uint32_t routes_version(const struct routes *r);

/* reader, inside a quiescent period */
enum route_verdict routes_lookup(const struct routes *r, const struct ip_addr *destination, struct route_result *ret);
