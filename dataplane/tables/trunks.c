/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/trunks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "tables/epoch.h"
#include "tables/slots.h"

/* Trunk ids in ascending order with their slots; immutable, built anew at each change. */
struct index {
	uint32_t count;
	struct {
		uint32_t id, slot;
	} at[];
};

struct trunks {
	struct slots slots;
	_Atomic(struct index *) index;
};

struct trunks *trunks_new(uint32_t max_trunks, struct epoch *e)
{
	struct trunks *t = calloc(1, sizeof(*t));
	struct index *empty = calloc(1, sizeof(*empty));

	if (!t || !empty || slots_init(&t->slots, max_trunks, e, free)) {
		free(t);
		free(empty);
		return NULL;
	}
	atomic_init(&t->index, empty);
	return t;
}

void trunks_free(struct trunks *t)
{
	if (!t)
		return;
	slots_done(&t->slots);
	free(atomic_load(&t->index));
	free(t);
}

/* A copy of the index without `slot` (SLOT_NONE: all stay), and with (id, slot_in) where slot_in is one. NULL: no memory. */
static struct index *index_rebuild(const struct index *old, uint32_t slot_out, uint32_t id, uint32_t slot_in)
{
	struct index *x = malloc(sizeof(*x) + (old->count + 1) * sizeof(x->at[0]));
	uint32_t n = 0;

	if (!x)
		return NULL;
	for (uint32_t i = 0; i < old->count; i++) {
		if (slot_in != SLOT_NONE && old->at[i].id > id) {
			x->at[n].id = id;
			x->at[n++].slot = slot_in;
			slot_in = SLOT_NONE;
		}
		if (old->at[i].slot != slot_out)
			x->at[n++] = old->at[i];
	}
	if (slot_in != SLOT_NONE) {
		x->at[n].id = id;
		x->at[n++].slot = slot_in;
	}
	x->count = n;
	return x;
}

static void index_publish(struct trunks *t, struct index *x)
{
	/* Workers may be searching the old one. */
	epoch_retire(t->slots.epoch, atomic_exchange_explicit(&t->index, x, memory_order_acq_rel), free);
}

static struct trunk *trunk_copy(const struct trunk *trunk)
{
	struct trunk *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *trunk;
	return copy;
}

int trunks_add(struct trunks *t, const struct trunk *trunk, uint32_t *ret_slot)
{
	uint32_t slot = slots_next(&t->slots);
	struct trunk *copy;
	struct index *x;

	if (trunks_find(t, trunk->id) != TRUNK_NONE)
		return -ERR_EXISTS;
	if (slot == SLOT_NONE)
		return -ERR_FULL;
	copy = trunk_copy(trunk);
	x = index_rebuild(atomic_load(&t->index), SLOT_NONE, trunk->id, slot);
	if (!copy || !x) {
		free(copy);
		free(x);
		return -ERR_NOMEM;
	}
	/* The trunk before its id: who finds the id finds the trunk. */
	(void)slots_add(&t->slots, copy, ret_slot);
	index_publish(t, x);
	return 0;
}

int trunks_update(struct trunks *t, uint32_t slot, const struct trunk *trunk)
{
	const struct trunk *old = trunks_get(t, slot);
	uint32_t other = trunks_find(t, trunk->id);
	struct trunk *copy;
	struct index *x = NULL;

	if (!old)
		return -ERR_NOT_FOUND;
	if (other != TRUNK_NONE && other != slot)
		return -ERR_EXISTS;
	copy = trunk_copy(trunk);
	if (old->id != trunk->id)
		x = index_rebuild(atomic_load(&t->index), slot, trunk->id, slot);
	if (!copy || (old->id != trunk->id && !x)) {
		free(copy);
		free(x);
		return -ERR_NOMEM;
	}
	slots_update(&t->slots, slot, copy);
	if (x)
		index_publish(t, x);
	return 0;
}

void trunks_remove(struct trunks *t, uint32_t slot)
{
	struct index *x = index_rebuild(atomic_load(&t->index), slot, 0, SLOT_NONE);

	/* Without memory for a new index the old one stays: the slot would be found under this id, but is empty; once it is used again its
	 * trunk's own id tells them apart (trunks_find). */
	if (x)
		index_publish(t, x);
	slots_remove(&t->slots, slot);
}

const struct trunk *trunks_get(const struct trunks *t, uint32_t slot)
{
	return slots_get(&t->slots, slot);
}

uint32_t trunks_find(const struct trunks *t, uint32_t id)
{
	const struct index *x = atomic_load_explicit(&t->index, memory_order_acquire);
	uint32_t low = 0, high = x->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (x->at[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < x->count && x->at[low].id == id; low++) {
		const struct trunk *trunk = trunks_get(t, x->at[low].slot);

		if (trunk && trunk->id == id)
			return x->at[low].slot;
	}
	return TRUNK_NONE;
}

uint32_t trunk_id(struct span name)
{
	uint32_t h = 0x811c9dc5; /* FNV-1a */

	for (uint32_t i = 0; i < name.n; i++)
		h = (h ^ ascii_lower(name.p[i])) * 0x01000193;
	return h ? h : 1;
}
