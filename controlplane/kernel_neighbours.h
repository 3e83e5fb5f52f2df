/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The neighbours that are in the table of the data plane, remembered so that those which a new reading of the kernel's does not name can be
 * taken out. A hash table that grows. All control-only. */

struct neighbour {
	struct ip_addr ip;
	uint16_t port;
	uint8_t mac[6];
	bool used;
	bool aging;	   /* the kernel forgets it unless it is confirmed */
	uint32_t reading; /* the last one that named it */
};

struct neighbour_set {
	struct neighbour *slots;
	size_t size; /* a power of two, or 0 */
	size_t count;
};

void neighbour_set_done(struct neighbour_set *s);

/* NULL: not there. */
struct neighbour *neighbour_find(const struct neighbour_set *s, uint16_t port, const struct ip_addr *ip);
/* The entry, made where there was none (then `used` is false and to be set by the caller, with what belongs to it). NULL: no memory. Any
 * other entry may move. */
struct neighbour *neighbour_add(struct neighbour_set *s, uint16_t port, const struct ip_addr *ip);
/* Entries behind it may move into its slot. */
void neighbour_remove(struct neighbour_set *s, struct neighbour *n);
