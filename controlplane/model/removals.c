/* SPDX-License-Identifier: Apache-2.0 */
#include "model/removals.h"

#include <stdbool.h>
#include <stdlib.h>

#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/profiles.h"
#include "tables/tables.h"
#include "tables/trunks.h"

struct removal {
	struct removal *next, **prev_next; /* NULL: in no list, the owner is gone */
	struct tables *tables;
	enum removal_kind kind;
	uint32_t slot, id;
	bool revived;
};

struct removals {
	struct tables *tables;
	struct removal *first;
};

struct removals *removals_new(struct tables *t)
{
	struct removals *r = calloc(1, sizeof(*r));

	if (r)
		r->tables = t;
	return r;
}

void removals_free(struct removals *r)
{
	if (!r)
		return;
	for (struct removal *x = r->first; x; x = x->next)
		x->prev_next = NULL;
	free(r);
}

static void empty_slot(struct tables *t, enum removal_kind kind, uint32_t slot)
{
	switch (kind) {
	case REMOVAL_TRUNK:
		trunks_remove(t->trunks, slot);
		break;
	case REMOVAL_PROFILE:
		profiles_remove(t->profiles, slot);
		break;
	case REMOVAL_ENDPOINT:
		endpoints_remove(t->endpoints, slot);
		break;
	}
}

static void release(void *object)
{
	struct removal *x = object;

	if (x->prev_next) {
		*x->prev_next = x->next;
		if (x->next)
			x->next->prev_next = x->prev_next;
	}
	if (!x->revived)
		empty_slot(x->tables, x->kind, x->slot);
	free(x);
}

void removals_add(struct removals *r, enum removal_kind kind, uint32_t slot, uint32_t id)
{
	struct removal *x = calloc(1, sizeof(*x));

	if (!x) { /* a reader between two tables may miss it: better than a slot lost for ever */
		empty_slot(r->tables, kind, slot);
		return;
	}
	*x = (struct removal){ .next = r->first, .prev_next = &r->first, .tables = r->tables, .kind = kind, .slot = slot, .id = id };
	if (x->next)
		x->next->prev_next = &x->next;
	r->first = x;
	epoch_retire(r->tables->epoch, x, release);
}

uint32_t removals_revive(struct removals *r, uint32_t trunk_id)
{
	for (struct removal *x = r->first; x; x = x->next) {
		if (x->kind != REMOVAL_TRUNK || x->id != trunk_id || x->revived)
			continue;
		x->revived = true;
		return x->slot;
	}
	return REMOVALS_NONE;
}
