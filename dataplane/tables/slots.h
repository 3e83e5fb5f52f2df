/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Fixed slots of pointers to immutable objects: what endpoints, trunks and profiles have in common. One writer, lock-free readers. */

struct epoch;
struct slots;

#define SLOT_NONE UINT32_MAX

struct slot {
	_Atomic(void *) object; /* NULL: empty */
	struct slots *owner;
};

struct slots {
	struct epoch *epoch;
	void (*release)(void *object);
	uint32_t max;
	uint32_t fresh; /* slots from here on were never used */
	uint32_t free_count;
	uint32_t *free_list;
	struct slot *slot;
};

/* release frees an object, after the grace period of its removal or replacement. 0, -ERR_NOMEM. control-only */
int slots_init(struct slots *s, uint32_t max, struct epoch *e, void (*release)(void *object));
/* Flushes the epoch, releases all objects; the readers have stopped. control-only */
void slots_done(struct slots *s);

/* The slot that the next slots_add will take; SLOT_NONE: full. control-only */
uint32_t slots_next(const struct slots *s);
/* Publishes object, which the table owns from now on. 0, -ERR_FULL (the caller keeps it). control-only */
int slots_add(struct slots *s, void *object, uint32_t *ret_slot);
/* Publishes object in place of the old one. control-only */
void slots_update(struct slots *s, uint32_t slot, void *object);
/* An empty slot is left alone. control-only */
void slots_remove(struct slots *s, uint32_t slot);

/* reader, inside a quiescent period */
static inline void *slots_get(const struct slots *s, uint32_t slot)
{
	return slot < s->max ? atomic_load_explicit(&s->slot[slot].object, memory_order_acquire) : 0;
}
