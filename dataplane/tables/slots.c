/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/slots.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "tables/epoch.h"

int slots_init(struct slots *s, uint32_t max, struct epoch *e, void (*release)(void *object))
{
	*s = (struct slots){ .epoch = e, .release = release, .max = max ? max : 1 };
	s->free_list = calloc(s->max, sizeof(*s->free_list));
	s->slot = calloc(s->max, sizeof(*s->slot));
	if (!s->free_list || !s->slot) {
		free(s->free_list);
		free(s->slot);
		return -ERR_NOMEM;
	}
	for (uint32_t i = 0; i < s->max; i++)
		s->slot[i].owner = s;
	return 0;
}

void slots_done(struct slots *s)
{
	epoch_flush(s->epoch);
	for (uint32_t i = 0; i < s->fresh; i++) {
		void *object = slots_get(s, i);

		if (object)
			s->release(object);
	}
	free(s->free_list);
	free(s->slot);
}

uint32_t slots_next(const struct slots *s)
{
	if (s->free_count)
		return s->free_list[s->free_count - 1];
	return s->fresh < s->max ? s->fresh : SLOT_NONE;
}

int slots_add(struct slots *s, void *object, uint32_t *ret_slot)
{
	uint32_t slot = slots_next(s);

	if (slot == SLOT_NONE)
		return -ERR_FULL;
	if (s->free_count)
		s->free_count--;
	else
		s->fresh++;
	atomic_store_explicit(&s->slot[slot].object, object, memory_order_release);
	*ret_slot = slot;
	return 0;
}

void slots_update(struct slots *s, uint32_t slot, void *object)
{
	void *old = slots_get(s, slot);

	assert(old);
	atomic_store_explicit(&s->slot[slot].object, object, memory_order_release);
	/* A worker in the middle of a loop turn may still hold it. */
	epoch_retire(s->epoch, old, s->release);
}

static void slot_release(void *object)
{
	struct slot *slot = object;
	struct slots *s = slot->owner;

	s->free_list[s->free_count++] = (uint32_t)(slot - s->slot);
}

void slots_remove(struct slots *s, uint32_t slot)
{
	void *old = slots_get(s, slot);

	if (!old)
		return;
	atomic_store_explicit(&s->slot[slot].object, NULL, memory_order_release);
	/* A worker may hold the object until its next quiescent state, and the slot's number as long: both wait. */
	epoch_retire(s->epoch, old, s->release);
	epoch_retire(s->epoch, &s->slot[slot], slot_release);
}
