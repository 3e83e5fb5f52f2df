/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

#define SIZE_MIN 256

/* No secret in it: who fills the kernel's neighbour table is on the link, and the kernel bounds it. */
static size_t home(const struct neighbour_set *s, uint16_t port, const struct ip_addr *ip)
{
	uint64_t a, b;

	memcpy(&a, ip->bytes, 8);
	memcpy(&b, ip->bytes + 8, 8);
	return mix64(a ^ mix64(b + port)) & (s->size - 1);
}

void neighbour_set_done(struct neighbour_set *s)
{
	free(s->slots);
	*s = (struct neighbour_set){ 0 };
}

/* Its slot, or the free one where it would go. */
static struct neighbour *probe(const struct neighbour_set *s, uint16_t port, const struct ip_addr *ip)
{
	size_t i = home(s, port, ip);

	while (s->slots[i].used && !(s->slots[i].port == port && ip_eq(&s->slots[i].ip, ip)))
		i = (i + 1) & (s->size - 1);
	return &s->slots[i];
}

struct neighbour *neighbour_find(const struct neighbour_set *s, uint16_t port, const struct ip_addr *ip)
{
	struct neighbour *n = s->size ? probe(s, port, ip) : NULL;

	return n && n->used ? n : NULL;
}

static bool grow(struct neighbour_set *s)
{
	struct neighbour_set bigger = { .size = s->size ? s->size * 2 : SIZE_MIN, .count = s->count };

	bigger.slots = calloc(bigger.size, sizeof(bigger.slots[0]));
	if (!bigger.slots)
		return false;
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i].used)
			*probe(&bigger, s->slots[i].port, &s->slots[i].ip) = s->slots[i];
	free(s->slots);
	*s = bigger;
	return true;
}

struct neighbour *neighbour_add(struct neighbour_set *s, uint16_t port, const struct ip_addr *ip)
{
	struct neighbour *n = neighbour_find(s, port, ip);

	if (n)
		return n;
	if (s->count * 2 >= s->size && !grow(s))
		return NULL;
	n = probe(s, port, ip);
	*n = (struct neighbour){ .ip = *ip, .port = port };
	s->count++;
	return n;
}

void neighbour_remove(struct neighbour_set *s, struct neighbour *n)
{
	size_t hole = (size_t)(n - s->slots), i = hole;

	s->count--;
	for (;;) {
		size_t want;

		s->slots[hole].used = false;
		/* The next one that may stand in the hole: its home is not between the hole and where it stands. */
		do {
			i = (i + 1) & (s->size - 1);
			if (!s->slots[i].used)
				return;
			want = home(s, s->slots[i].port, &s->slots[i].ip);
		} while (((i - want) & (s->size - 1)) < ((i - hole) & (s->size - 1)));
		s->slots[hole] = s->slots[i];
		hole = i;
	}
}
