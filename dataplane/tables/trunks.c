/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/trunks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/err.h"
#include "tables/slots.h"
#include "tables/word_table.h"

struct trunks {
	struct slots slots;
	struct word_table by_id; /* value: the slot */
	_Atomic(uint32_t) version;
};

struct trunks *trunks_new(uint32_t max_trunks, struct epoch *e)
{
	struct trunks *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (slots_init(&t->slots, max_trunks, e, free))
		goto fail_slots;
	if (word_table_init(&t->by_id, t->slots.max))
		goto fail_table;
	return t;

fail_table:
	slots_done(&t->slots);
fail_slots:
	free(t);
	return NULL;
}

void trunks_free(struct trunks *t)
{
	if (!t)
		return;
	slots_done(&t->slots);
	word_table_done(&t->by_id);
	free(t);
}

static struct trunk *trunk_copy(const struct trunk *trunk)
{
	struct trunk *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *trunk;
	return copy;
}

/* After the change, so that nobody keeps what was before it under the new number. */
static void changed(struct trunks *t)
{
	atomic_fetch_add_explicit(&t->version, 1, memory_order_release);
}

uint32_t trunks_version(const struct trunks *t)
{
	return atomic_load_explicit((_Atomic(uint32_t) *)&t->version, memory_order_acquire);
}

int trunks_add(struct trunks *t, const struct trunk *trunk, uint32_t *ret_slot)
{
	struct trunk *copy;
	int err;

	if (trunks_find(t, trunk->id) != TRUNK_NONE)
		return -ERR_EXISTS;
	if (slots_next(&t->slots) == SLOT_NONE)
		return -ERR_FULL;
	copy = trunk_copy(trunk);
	if (!copy)
		return -ERR_NOMEM;
	/* The trunk before its id: who finds the id finds the trunk. There is an id per slot at most, so there is room. */
	(void)slots_add(&t->slots, copy, ret_slot);
	err = word_table_set(&t->by_id, trunk->id, *ret_slot);
	changed(t);
	return err;
}

int trunks_update(struct trunks *t, uint32_t slot, const struct trunk *trunk)
{
	const struct trunk *old = trunks_get(t, slot);
	uint32_t other = trunks_find(t, trunk->id), id;
	struct trunk *copy;
	int err = 0;

	if (!old)
		return -ERR_NOT_FOUND;
	if (other != TRUNK_NONE && other != slot)
		return -ERR_EXISTS;
	copy = trunk_copy(trunk);
	if (!copy)
		return -ERR_NOMEM;
	id = old->id;
	slots_update(&t->slots, slot, copy);
	if (id != copy->id) {
		/* Under its old id it is no longer found anyway (trunks_find). */
		(void)word_table_delete(&t->by_id, id);
		err = word_table_set(&t->by_id, copy->id, slot);
	}
	changed(t);
	return err;
}

void trunks_remove(struct trunks *t, uint32_t slot)
{
	const struct trunk *old = trunks_get(t, slot);

	if (!old)
		return;
	(void)word_table_delete(&t->by_id, old->id);
	slots_remove(&t->slots, slot);
	changed(t);
}

const struct trunk *trunks_get(const struct trunks *t, uint32_t slot)
{
	return slots_get(&t->slots, slot);
}

uint32_t trunks_find(const struct trunks *t, uint32_t id)
{
	const struct trunk *trunk;
	uint32_t slot;

	if (!id || !word_table_get(&t->by_id, id, &slot))
		return TRUNK_NONE;
	/* The slot may have another trunk by now. */
	trunk = trunks_get(t, slot);
	return trunk && trunk->id == id ? slot : TRUNK_NONE;
}

uint32_t trunk_id(struct span name)
{
	uint32_t h = 0x811c9dc5; /* FNV-1a */

	for (uint32_t i = 0; i < name.n; i++)
		h = (h ^ ascii_lower(name.p[i])) * 0x01000193;
	return h ? h : 1;
}

const char *trunk_large_name(enum trunk_large large)
{
	static const char *const names[] = { [TRUNK_LARGE_AUTO] = "auto", [TRUNK_LARGE_TCP] = "tcp", [TRUNK_LARGE_UDP] = "udp" };

	return names[large];
}
