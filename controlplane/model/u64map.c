/* SPDX-License-Identifier: Apache-2.0 */
#include "model/u64map.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/siphash.h"

struct u64map {
	uint64_t *keys; /* 0: free */
	uint32_t *values;
	uint64_t mask;
	uint32_t count;
};

static int allocate(struct u64map *m, uint64_t places)
{
	uint64_t *keys = calloc(places, sizeof(*keys));
	uint32_t *values = malloc(places * sizeof(*values));

	if (!keys || !values) {
		free(keys);
		free(values);
		return -ERR_NOMEM;
	}
	m->keys = keys;
	m->values = values;
	m->mask = places - 1;
	return 0;
}

struct u64map *u64map_new(uint32_t expected)
{
	struct u64map *m = calloc(1, sizeof(*m));
	uint64_t places = 16;

	while (places * 3 / 4 < expected)
		places *= 2;
	if (m && allocate(m, places)) {
		free(m);
		return NULL;
	}
	return m;
}

void u64map_free(struct u64map *m)
{
	if (!m)
		return;
	free(m->keys);
	free(m->values);
	free(m);
}

/* The place of key, or the free place where it belongs. */
static uint64_t place_of(const struct u64map *m, uint64_t key)
{
	uint64_t i = mix64(key) & m->mask;

	while (m->keys[i] && m->keys[i] != key)
		i = (i + 1) & m->mask;
	return i;
}

static int grow(struct u64map *m)
{
	struct u64map old = *m;
	int err = allocate(m, (old.mask + 1) * 2);

	if (err)
		return err;
	for (uint64_t i = 0; i <= old.mask; i++) {
		if (!old.keys[i])
			continue;
		uint64_t to = place_of(m, old.keys[i]);

		m->keys[to] = old.keys[i];
		m->values[to] = old.values[i];
	}
	free(old.keys);
	free(old.values);
	return 0;
}

int u64map_set(struct u64map *m, uint64_t key, uint32_t value)
{
	uint64_t i = place_of(m, key);

	assert(key && value != U64MAP_NONE);
	if (!m->keys[i]) {
		if ((uint64_t)m->count + 1 > (m->mask + 1) * 3 / 4) {
			if (grow(m))
				return -ERR_NOMEM;
			i = place_of(m, key);
		}
		m->keys[i] = key;
		m->count++;
	}
	m->values[i] = value;
	return 0;
}

uint32_t u64map_get(const struct u64map *m, uint64_t key)
{
	uint64_t i;

	if (!key)
		return U64MAP_NONE;
	i = place_of(m, key);
	return m->keys[i] ? m->values[i] : U64MAP_NONE;
}

bool u64map_delete(struct u64map *m, uint64_t key)
{
	uint64_t hole;

	if (!key)
		return false;
	hole = place_of(m, key);
	if (!m->keys[hole])
		return false;
	/* Whoever was pushed past the hole by probing moves back into it. */
	for (uint64_t i = (hole + 1) & m->mask; m->keys[i]; i = (i + 1) & m->mask) {
		uint64_t home = mix64(m->keys[i]) & m->mask;

		if (((i - home) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->keys[hole] = m->keys[i];
		m->values[hole] = m->values[i];
		hole = i;
	}
	m->keys[hole] = 0;
	m->count--;
	return true;
}

uint32_t u64map_count(const struct u64map *m)
{
	return m->count;
}

bool u64map_next(const struct u64map *m, uint64_t *cursor, uint64_t *ret_key, uint32_t *ret_value)
{
	for (uint64_t i = *cursor; i <= m->mask; i++) {
		if (!m->keys[i])
			continue;
		*ret_key = m->keys[i];
		*ret_value = m->values[i];
		*cursor = i + 1;
		return true;
	}
	*cursor = m->mask + 1;
	return false;
}
