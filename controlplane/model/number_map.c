/* SPDX-License-Identifier: Apache-2.0 */
#include "model/number_map.h"

#include <stdlib.h>

#include "base/err.h"
#include "model/u64map.h"

struct number_map {
	struct u64map *entries;
	struct u64map *users; /* profile id -> how many entries */
	unsigned references;
};

struct number_map *number_map_new(uint32_t expected)
{
	struct number_map *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->references = 1;
	m->entries = u64map_new(expected);
	m->users = u64map_new(0);
	if (!m->entries || !m->users) {
		number_map_unref(m);
		return NULL;
	}
	return m;
}

struct number_map *number_map_ref(struct number_map *m)
{
	m->references++;
	return m;
}

void number_map_unref(struct number_map *m)
{
	if (!m || --m->references)
		return;
	u64map_free(m->entries);
	u64map_free(m->users);
	free(m);
}

uint32_t number_map_users(const struct number_map *m, uint32_t profile_id)
{
	uint32_t n = u64map_get(m->users, profile_id);

	return n == U64MAP_NONE ? 0 : n;
}

static void user_gone(struct number_map *m, uint32_t profile_id)
{
	uint32_t n = number_map_users(m, profile_id);

	if (n > 1)
		u64map_set(m->users, profile_id, n - 1); /* replaces: cannot fail */
	else
		u64map_delete(m->users, profile_id);
}

int number_map_set(struct number_map *m, e164 number, uint32_t profile_id)
{
	uint32_t before = u64map_get(m->entries, number);
	int err;

	if (before == profile_id)
		return 0;
	err = u64map_set(m->users, profile_id, number_map_users(m, profile_id) + 1);
	if (err)
		return err;
	err = u64map_set(m->entries, number, profile_id);
	if (err) {
		user_gone(m, profile_id);
		return err;
	}
	if (before != U64MAP_NONE)
		user_gone(m, before);
	return 0;
}

bool number_map_delete(struct number_map *m, e164 number)
{
	uint32_t before = u64map_get(m->entries, number);

	if (before == U64MAP_NONE)
		return false;
	u64map_delete(m->entries, number);
	user_gone(m, before);
	return true;
}

uint32_t number_map_get(const struct number_map *m, e164 number)
{
	return u64map_get(m->entries, number);
}

uint32_t number_map_count(const struct number_map *m)
{
	return u64map_count(m->entries);
}

bool number_map_next(const struct number_map *m, uint64_t *cursor, e164 *ret_number, uint32_t *ret_profile_id)
{
	return u64map_next(m->entries, cursor, ret_number, ret_profile_id);
}

bool number_map_next_user(const struct number_map *m, uint64_t *cursor, uint32_t *ret_profile_id)
{
	uint64_t key;
	uint32_t count;

	if (!u64map_next(m->users, cursor, &key, &count))
		return false;
	*ret_profile_id = (uint32_t)key;
	return true;
}

int number_map_diff(const struct number_map *from, const struct number_map *to,
		    int (*fn)(void *ctx, e164 number, uint32_t from_profile, uint32_t to_profile), void *ctx)
{
	uint64_t cursor = 0;
	uint32_t profile;
	e164 number;
	int err;

	if (from == to)
		return 0;
	while (number_map_next(to, &cursor, &number, &profile)) {
		uint32_t before = number_map_get(from, number);

		err = before == profile ? 0 : fn(ctx, number, before, profile);
		if (err)
			return err;
	}
	for (cursor = 0; number_map_next(from, &cursor, &number, &profile);) {
		err = number_map_get(to, number) == NUMBER_MAP_NONE ? fn(ctx, number, profile, NUMBER_MAP_NONE) : 0;
		if (err)
			return err;
	}
	return 0;
}
