/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/domains.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/siphash.h"

/* Open addressing, at most half full. */
struct cell {
	struct span name; /* lower case, no trailing dot; p == NULL: empty */
	uint32_t profile_slot;
};

struct domains {
	uint64_t mask;
	uint8_t *names; /* all of them, one after the other */
	struct cell cells[];
};

static struct span without_dot(struct span s)
{
	if (s.n && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}

/* Only the operator's own names are in the table, so nobody outside can make them collide. */
static uint64_t hash_name(struct span s)
{
	uint64_t h = s.n;

	for (uint32_t i = 0; i < s.n; i++)
		h = (h ^ ascii_lower(s.p[i])) * 0x100000001b3ULL;
	return mix64(h);
}

/* The cell that holds the name, or the empty one where it belongs. */
static uint64_t find(const struct domains *d, struct span name)
{
	uint64_t at = hash_name(name) & d->mask;

	while (d->cells[at].name.p && !span_ieq(d->cells[at].name, name))
		at = (at + 1) & d->mask;
	return at;
}

struct domains *domains_build(const struct domain_entry *entries, size_t count)
{
	uint64_t size = 4, bytes = 1;
	struct domains *d;
	uint8_t *out;

	while (size < 2 * (uint64_t)count)
		size *= 2;
	for (size_t i = 0; i < count; i++)
		bytes += strlen(entries[i].name);
	d = calloc(1, sizeof(*d) + size * sizeof(d->cells[0]));
	out = malloc(bytes);
	if (!d || !out) {
		free(d);
		free(out);
		return NULL;
	}
	d->mask = size - 1;
	d->names = out;
	for (size_t i = 0; i < count; i++) {
		struct span name = without_dot(span_str(entries[i].name));
		struct cell *c = &d->cells[find(d, name)];

		c->profile_slot = entries[i].profile_slot;
		if (c->name.p || !name.n)
			continue;
		for (uint32_t k = 0; k < name.n; k++)
			out[k] = ascii_lower(name.p[k]);
		c->name = span_of(out, name.n);
		out += name.n;
	}
	return d;
}

void domains_free(struct domains *d)
{
	if (!d)
		return;
	free(d->names);
	free(d);
}

uint32_t domains_lookup(const struct domains *d, struct span host)
{
	const struct cell *c = &d->cells[find(d, without_dot(host))];

	return c->name.p ? c->profile_slot : DOMAINS_NONE;
}
