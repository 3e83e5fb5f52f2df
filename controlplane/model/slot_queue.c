/* SPDX-License-Identifier: Apache-2.0 */
#include "model/slot_queue.h"

#include <stdlib.h>

struct slot_queue {
	uint32_t count, fresh; /* those from `fresh` on were never used */
	uint32_t *queue;       /* a ring of the free used ones, oldest first */
	uint32_t head, waiting;
};

struct slot_queue *slot_queue_new(uint32_t count)
{
	struct slot_queue *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->count = count;
	s->queue = calloc(count + 1, sizeof(*s->queue));
	if (!s->queue) {
		free(s);
		return NULL;
	}
	return s;
}

void slot_queue_free(struct slot_queue *s)
{
	if (!s)
		return;
	free(s->queue);
	free(s);
}

uint32_t slot_queue_take(struct slot_queue *s, bool (*usable)(void *ctx, uint32_t slot), void *ctx)
{
	if (s->fresh < s->count)
		return s->fresh++;
	for (uint32_t tries = s->waiting; tries; tries--) {
		uint32_t slot = s->queue[s->head];

		s->head = (s->head + 1) % s->count;
		s->waiting--;
		if (!usable || usable(ctx, slot))
			return slot;
		slot_queue_put(s, slot);
	}
	return SLOT_QUEUE_NONE;
}

void slot_queue_put(struct slot_queue *s, uint32_t slot)
{
	s->queue[(s->head + s->waiting) % s->count] = slot;
	s->waiting++;
}
