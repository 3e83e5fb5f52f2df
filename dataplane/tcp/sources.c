/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/sources.h"

#include <assert.h>
#include <stdlib.h>

#include "base/pages.h"

struct entry {
	uint64_t prefix;
	uint32_t count; /* 0: empty */
	uint32_t family;
};

struct sources {
	struct entry *entries;
	struct hash_key key;
	uint32_t mask, distinct;
};

struct sources *sources_new(uint32_t entries, const struct hash_key *key)
{
	struct sources *s = calloc(1, sizeof(*s));
	uint64_t size = 64;

	if (!s)
		return NULL;
	while (size < 2ULL * entries)
		size *= 2;
	s->mask = (uint32_t)(size - 1);
	s->key = *key;
	s->entries = pages_new(sources_bytes(s));
	if (!s->entries) {
		free(s);
		return NULL;
	}
	return s;
}

void sources_free(struct sources *s)
{
	if (!s)
		return;
	pages_free(s->entries, sources_bytes(s));
	free(s);
}

void sources_touch(struct sources *s)
{
	pages_touch(s->entries, sources_bytes(s));
}

size_t sources_bytes(const struct sources *s)
{
	return ((size_t)s->mask + 1) * sizeof(struct entry);
}

static uint32_t home_of(const struct sources *s, uint64_t prefix)
{
	return (uint32_t)siphash13(&s->key, &prefix, sizeof(prefix)) & s->mask;
}

/* Where the source is, or the empty place where it would be. */
static uint32_t place_of(const struct sources *s, const struct ip_addr *ip, uint64_t *ret_prefix)
{
	uint64_t prefix = 0;
	uint32_t i;

	memcpy(&prefix, ip->bytes, ip->family == IP_V6 ? 8 : 4);
	for (i = home_of(s, prefix); s->entries[i].count; i = (i + 1) & s->mask)
		if (s->entries[i].prefix == prefix && s->entries[i].family == ip->family)
			break;
	*ret_prefix = prefix;
	return i;
}

uint32_t sources_count(const struct sources *s, const struct ip_addr *ip)
{
	uint64_t prefix;

	return s->entries[place_of(s, ip, &prefix)].count;
}

void sources_take(struct sources *s, const struct ip_addr *ip)
{
	uint64_t prefix;
	struct entry *e = &s->entries[place_of(s, ip, &prefix)];

	if (!e->count) {
		e->prefix = prefix;
		e->family = ip->family;
		s->distinct++;
	}
	e->count++;
}

void sources_give(struct sources *s, const struct ip_addr *ip)
{
	uint64_t prefix;
	uint32_t i = place_of(s, ip, &prefix), next;

	assert(s->entries[i].count);
	if (--s->entries[i].count)
		return;
	s->distinct--;
	for (next = (i + 1) & s->mask; s->entries[next].count; next = (next + 1) & s->mask) {
		uint32_t home = home_of(s, s->entries[next].prefix);

		if (((next - home) & s->mask) >= ((next - i) & s->mask)) {
			s->entries[i] = s->entries[next];
			s->entries[next].count = 0;
			i = next;
		}
	}
}

uint32_t sources_distinct(const struct sources *s)
{
	return s->distinct;
}
