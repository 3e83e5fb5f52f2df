/* SPDX-License-Identifier: Apache-2.0 */
#include "base/expiry.h"

#include <assert.h>
#include <stdlib.h>

#include "base/pages.h"

struct entry {
	struct expiry_thing thing;
	uint32_t due; /* the low half of its ms */
};

struct expiry {
	uint64_t first_ms; /* when entry `first` is due; UINT64_MAX: there is none */
	uint64_t last_ms;  /* of the youngest */
	uint32_t room, count, first;
	struct entry *at;
};

struct expiry *expiry_new(uint32_t count)
{
	struct expiry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->first_ms = UINT64_MAX;
	e->room = count;
	e->at = pages_new(count * sizeof(e->at[0]));
	if (!e->at) {
		free(e);
		return NULL;
	}
	return e;
}

void expiry_free(struct expiry *e)
{
	if (!e)
		return;
	pages_free(e->at, e->room * sizeof(e->at[0]));
	free(e);
}

void expiry_touch(struct expiry *e)
{
	pages_touch(e->at, e->room * sizeof(e->at[0]));
}

/* The i-th from the first. */
static struct entry *entry(const struct expiry *e, uint32_t i)
{
	uint32_t behind = e->room - e->first; /* entries up to the end of the memory */

	return &e->at[i < behind ? e->first + i : i - behind];
}

void expiry_add(struct expiry *e, const struct expiry_thing *thing, uint64_t due_ms)
{
	assert(e->count < e->room);
	if (!e->count)
		e->first_ms = due_ms;
	else if (due_ms < e->last_ms)
		due_ms = e->last_ms;
	e->last_ms = due_ms;
	*entry(e, e->count++) = (struct entry){ *thing, (uint32_t)due_ms };
}

unsigned expiry_take(struct expiry *e, uint64_t now_ms, struct expiry_thing *ret, unsigned max)
{
	unsigned n = 0;

	while (n < max && e->first_ms <= now_ms) {
		ret[n++] = e->at[e->first].thing;
		if (++e->first == e->room)
			e->first = 0;
		/* Those behind are due no earlier: the low halves' difference is all of it. */
		e->first_ms = --e->count ? e->first_ms + (uint32_t)(e->at[e->first].due - (uint32_t)e->first_ms) : UINT64_MAX;
	}
	return n;
}

unsigned expiry_ahead(const struct expiry *e, struct expiry_thing *ret, unsigned max)
{
	unsigned n = e->count < max ? e->count : max;

	for (unsigned i = 0; i < n; i++)
		ret[i] = entry(e, i)->thing;
	return n;
}

uint64_t expiry_next_due(const struct expiry *e)
{
	return e->first_ms;
}
