/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The ends of things that all last equally long: what began first ends first, so a queue does what a wheel would do for more memory and with
 * more lines touched. An entry is 16 bytes, and they are read in their order: what the end of a thing needs is in it, so that the thing itself is not read. One owner thread; reads no clock. */

struct expiry;

/* A thing, and what else its owner wants to know at its end. */
struct expiry_thing {
	uint32_t index;
	uint32_t with[2];
};

/* Room for count entries. NULL: no memory. control-only */
struct expiry *expiry_new(uint32_t count);
void expiry_free(struct expiry *e);
/* Touches its pages (pages.h). control-only */
void expiry_touch(struct expiry *e);

/* The thing ends at due_ms (less than 24 days from now), or when the one before it does, should that be later. There must be
 * room for it. worker-only */
void expiry_add(struct expiry *e, const struct expiry_thing *thing, uint64_t due_ms);

/* Takes what has ended by now_ms, at most max, the oldest first. Returns how many. worker-only */
unsigned expiry_take(struct expiry *e, uint64_t now_ms, struct expiry_thing *ret, unsigned max);

/* The next of them, at most max, due or not: to ask the memory for. Returns how many. worker-only */
unsigned expiry_ahead(const struct expiry *e, struct expiry_thing *ret, unsigned max);

/* When the first one ends; UINT64_MAX: there is none. worker-only */
uint64_t expiry_next_due(const struct expiry *e);
