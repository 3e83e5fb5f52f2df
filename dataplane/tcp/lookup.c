/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/lookup.h"

#include <assert.h>
#include <stdlib.h>

#include "base/pages.h"

struct entry {
	uint32_t low;	/* of the hash: where it wants to be, and most of what tells it from others */
	uint32_t place; /* index + 1; 0: empty */
};

struct lookup {
	struct entry *entries;
	uint32_t mask;
};

struct lookup *lookup_new(uint32_t entries)
{
	struct lookup *l = calloc(1, sizeof(*l));
	uint64_t size = 64;

	if (!l)
		return NULL;
	while (size < 2ULL * entries)
		size *= 2;
	l->mask = (uint32_t)(size - 1);
	l->entries = pages_new(lookup_bytes(l));
	if (!l->entries) {
		free(l);
		return NULL;
	}
	return l;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	pages_free(l->entries, lookup_bytes(l));
	free(l);
}

void lookup_touch(struct lookup *l)
{
	pages_touch(l->entries, lookup_bytes(l));
}

size_t lookup_bytes(const struct lookup *l)
{
	return ((size_t)l->mask + 1) * sizeof(struct entry);
}

uint32_t lookup_find(const struct lookup *l, uint64_t hash, bool (*same)(const void *ctx, uint32_t index, const void *key), const void *ctx,
		     const void *key)
{
	uint32_t low = (uint32_t)hash;

	for (uint32_t i = low & l->mask; l->entries[i].place; i = (i + 1) & l->mask)
		if (l->entries[i].low == low && same(ctx, l->entries[i].place - 1, key))
			return l->entries[i].place - 1;
	return LOOKUP_NONE;
}

void lookup_add(struct lookup *l, uint64_t hash, uint32_t index)
{
	uint32_t i = (uint32_t)hash & l->mask;

	while (l->entries[i].place)
		i = (i + 1) & l->mask;
	l->entries[i] = (struct entry){ (uint32_t)hash, index + 1 };
}

void lookup_remove(struct lookup *l, uint64_t hash, uint32_t index)
{
	uint32_t i = (uint32_t)hash & l->mask, next;

	while (l->entries[i].place != index + 1) {
		assert(l->entries[i].place);
		i = (i + 1) & l->mask;
	}
	/* Whoever stands behind the hole because of it moves up. */
	for (next = (i + 1) & l->mask; l->entries[next].place; next = (next + 1) & l->mask) {
		uint32_t home = l->entries[next].low & l->mask;

		if (((next - home) & l->mask) >= ((next - i) & l->mask)) {
			l->entries[i] = l->entries[next];
			i = next;
		}
	}
	l->entries[i].place = 0;
}
