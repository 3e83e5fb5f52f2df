/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/ranges.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 address;

/* Interval i reaches from start[i] to just before start[i + 1], the last one to the end of the family; start[0] is 0. */
struct ranges {
	uint32_t count4, count6;
	uint32_t *start4, *value4;
	address *start6;
	uint32_t *value6;
};

/* A prefix while the list is flattened: the addresses first ... last. */
struct block {
	address first, last;
	uint32_t value;
	size_t order; /* as given */
};

struct flat {
	address *start;
	uint32_t *value;
	uint32_t count;
};

static address address_of(const struct ip_addr *ip)
{
	uint64_t words[2];

	memcpy(words, ip->bytes, sizeof(words));
	return ip->family == IP_V4 ? be64toh(words[0]) >> 32 : (address)be64toh(words[0]) << 64 | be64toh(words[1]);
}

/* Outer before inner, of equals the one given last first. */
static int compare(const void *pa, const void *pb)
{
	const struct block *a = pa, *b = pb;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	return a->order > b->order ? -1 : 1;
}

static void emit(struct flat *f, address start, uint32_t value)
{
	if (f->count && f->start[f->count - 1] == start)
		f->count--;
	if (f->count && f->value[f->count - 1] == value)
		return;
	f->start[f->count] = start;
	f->value[f->count++] = value;
}

/* Prefixes are nested or apart, never half over one another: a stack holds those around the present address. */
static void flatten(const struct block *blocks, size_t count, address end, const struct block **stack, struct flat *f)
{
	size_t depth = 0;

	emit(f, 0, RANGES_NONE);
	for (size_t i = 0; i <= count; i++) {
		if (i && i < count && blocks[i].first == blocks[i - 1].first && blocks[i].last == blocks[i - 1].last)
			continue;
		while (depth && (i == count || stack[depth - 1]->last < blocks[i].first)) {
			address last = stack[--depth]->last;

			if (last != end)
				emit(f, last + 1, depth ? stack[depth - 1]->value : RANGES_NONE);
		}
		if (i == count)
			break;
		emit(f, blocks[i].first, blocks[i].value);
		stack[depth++] = &blocks[i];
	}
}

static size_t collect(const struct range_entry *entries, size_t count, unsigned family, struct block *blocks)
{
	unsigned bits = family == IP_V4 ? 32 : 128;
	address end = family == IP_V4 ? UINT32_MAX : ~(address)0;
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct ip_prefix *p = &entries[i].prefix;
		address host = p->length == 0 ? end : p->length >= bits ? 0 : ((address)1 << (bits - p->length)) - 1;

		if (p->ip.family != family)
			continue;
		assert(entries[i].value != RANGES_NONE);
		blocks[n].first = address_of(&p->ip) & ~host;
		blocks[n].last = blocks[n].first | host;
		blocks[n].value = entries[i].value;
		blocks[n++].order = i;
	}
	if (n)
		qsort(blocks, n, sizeof(*blocks), compare);
	return n;
}

/* Flattens one family into *f, whose arrays are allocated here. */
static bool build_family(const struct range_entry *entries, size_t count, unsigned family, struct flat *f)
{
	struct block *blocks = malloc((count + 1) * sizeof(*blocks));
	const struct block **stack = malloc((count + 1) * sizeof(*stack));
	size_t n, room = 2 * count + 2;

	*f = (struct flat){ .start = malloc(room * sizeof(*f->start)), .value = malloc(room * sizeof(*f->value)) };
	if (!blocks || !stack || !f->start || !f->value) {
		free(blocks);
		free(stack);
		free(f->start);
		free(f->value);
		return false;
	}
	n = collect(entries, count, family, blocks);
	flatten(blocks, n, family == IP_V4 ? UINT32_MAX : ~(address)0, stack, f);
	free(blocks);
	free(stack);
	return true;
}

struct ranges *ranges_build(const struct range_entry *entries, size_t count)
{
	struct ranges *r = calloc(1, sizeof(*r));
	struct flat f;

	if (!r || count > UINT32_MAX / 4)
		goto fail;
	if (!build_family(entries, count, IP_V6, &f))
		goto fail;
	r->start6 = f.start;
	r->value6 = f.value;
	r->count6 = f.count;
	if (!build_family(entries, count, IP_V4, &f))
		goto fail;
	r->value4 = f.value;
	r->count4 = f.count;
	r->start4 = malloc(f.count * sizeof(*r->start4));
	if (r->start4)
		for (uint32_t i = 0; i < f.count; i++)
			r->start4[i] = (uint32_t)f.start[i];
	free(f.start);
	if (!r->start4)
		goto fail;
	return r;

fail:
	ranges_free(r);
	return NULL;
}

void ranges_free(struct ranges *r)
{
	if (!r)
		return;
	free(r->start4);
	free(r->value4);
	free(r->start6);
	free(r->value6);
	free(r);
}

/* The last interval that starts at or before the address. A step is a load and a conditional move: nothing to be guessed wrong. */
static uint32_t lookup4(const struct ranges *r, const struct ip_addr *ip)
{
	const uint32_t *start = r->start4;
	uint32_t a;

	memcpy(&a, ip->bytes, sizeof(a));
	a = be32toh(a);
	for (uint32_t n = r->count4, half; n > 1; n -= half) {
		half = n / 2;
		start += start[half] <= a ? half : 0;
	}
	return r->value4[start - r->start4];
}

static uint32_t lookup6(const struct ranges *r, const struct ip_addr *ip)
{
	address a = address_of(ip);
	const address *start = r->start6;

	if (ip->family != IP_V6)
		return RANGES_NONE;
	for (uint32_t n = r->count6, half; n > 1; n -= half) {
		half = n / 2;
		start += start[half] <= a ? half : 0;
	}
	return r->value6[start - r->start6];
}

uint32_t ranges_lookup(const struct ranges *r, const struct ip_addr *ip)
{
	return ip->family == IP_V4 ? lookup4(r, ip) : lookup6(r, ip);
}
