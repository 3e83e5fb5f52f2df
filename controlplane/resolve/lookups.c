/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/lookups.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a */
static uint32_t hash_of(const char *name, uint16_t type)
{
	uint32_t h = 2166136261u ^ type;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

static struct lookup *find(const struct lookups *l, const char *name, uint16_t type, uint32_t hash)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct lookup *k = l->list[i];

		if (k->hash == hash && k->type == type && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

const struct lookup *lookups_find(const struct lookups *l, const char *name, uint16_t type)
{
	return find(l, name, type, hash_of(name, type));
}

struct lookup *lookups_get(struct lookups *l, const char *name, uint16_t type)
{
	uint32_t hash = hash_of(name, type);
	struct lookup *k = find(l, name, type, hash);

	if (k)
		return k;
	if (l->count == LOOKUPS_MAX || strlen(name) >= sizeof(k->name)) {
		l->refused++;
		return NULL;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	strcpy(k->name, name);
	k->type = type;
	k->hash = hash;
	l->list[l->count++] = k;
	return k;
}

static void forget(struct lookup *k)
{
	free(k->answer);
	free(k);
}

void lookups_sweep(struct lookups *l)
{
	for (unsigned i = 0; i < l->count;) {
		if (l->list[i]->used) {
			i++;
			continue;
		}
		forget(l->list[i]);
		l->list[i] = l->list[--l->count];
	}
}

void lookups_done(struct lookups *l)
{
	for (unsigned i = 0; i < l->count; i++)
		forget(l->list[i]);
	l->count = 0;
}
