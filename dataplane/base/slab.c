/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

/* Chunks of 64 KiB. A chunk belongs to one of three groups for ever, and to one class of its group for as long as any buffer in
 * it is taken or on the shelf; an empty one goes back to its group. Before anybody is refused the shelves are cleared, so that no mix of sizes
 * can strand memory in a class that nobody asks for. */

#define CHUNK_BYTES (1u << SLAB_CHUNK_SHIFT)
#define GROUPS	    3
#define CHUNK_NONE  UINT32_MAX
#define SHELF_HALF  (SLAB_SHELF / 2)

#define BUFFERS_MAX (CHUNK_BYTES / 64)

/* Which buffers are free stands here and not in the buffers: their lines are cold, and one would have to be waited for to find the next. */
struct chunk {
	uint64_t free[BUFFERS_MAX / 64]; /* a bit each: on no shelf and nobody's. The lowest is taken first: pages are touched one after another */
	uint32_t next, prev; /* in its class's list of chunks with room, or (next) its group's list of empty ones */
	uint16_t free_count, buffers;
	uint8_t first; /* no word before it has a free one */
	uint8_t group;
};

struct slab_stock {
	uint32_t chunk_count;
	uint32_t empty[GROUPS];		/* lists of chunks */
	uint32_t partial[SLAB_CLASSES]; /* lists of chunks */
	struct chunk chunks[];
};

static unsigned class_group(unsigned class)
{
	return class < 24 ? 0 : class < 26 ? 1 : 2;
}

static uint32_t class_bytes(unsigned class)
{
	return class < 16 ? 64 * (class + 1) : class < 24 ? 1024 + 128 * (class - 15) : 4096u << (class - 24);
}

struct slab *slab_new(uint64_t total_bytes)
{
	uint64_t share[GROUPS] = { total_bytes / 2, total_bytes / 4, total_bytes / 4 };
	struct slab *s = aligned_alloc(64, (sizeof(*s) + 63) & ~(size_t)63);
	uint64_t count = 0;
	uint32_t c = 0;

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	for (unsigned g = 0; g < GROUPS; g++) {
		share[g] = share[g] < CHUNK_BYTES ? 1 : share[g] >> SLAB_CHUNK_SHIFT;
		count += share[g];
	}
	if (count >= CHUNK_NONE)
		goto fail_memory;
	s->memory = pages_new(count << SLAB_CHUNK_SHIFT);
	if (!s->memory)
		goto fail_memory;
	s->stock = calloc(1, sizeof(*s->stock) + count * (sizeof(struct chunk) + 1));
	if (!s->stock)
		goto fail_stock;
	s->stock->chunk_count = (uint32_t)count;
	s->chunk_class = (uint8_t *)&s->stock->chunks[count];
	for (unsigned g = 0; g < GROUPS; g++) {
		s->stock->empty[g] = c;
		for (uint64_t i = 0; i < share[g]; i++, c++) {
			s->stock->chunks[c].group = (uint8_t)g;
			s->stock->chunks[c].next = i + 1 < share[g] ? c + 1 : CHUNK_NONE;
		}
	}
	for (unsigned k = 0; k < SLAB_CLASSES; k++) {
		s->stock->partial[k] = CHUNK_NONE;
		s->shelf[k].bytes = class_bytes(k);
	}
	poison_region(s->memory, count << SLAB_CHUNK_SHIFT);
	return s;

fail_stock:
	pages_free(s->memory, count << SLAB_CHUNK_SHIFT);
fail_memory:
	free(s);
	return NULL;
}

void slab_free(struct slab *s)
{
	size_t bytes;

	if (!s)
		return;
	bytes = (size_t)s->stock->chunk_count << SLAB_CHUNK_SHIFT;
	unpoison_region(s->memory, bytes);
	pages_free(s->memory, bytes);
	free(s->stock);
	free(s);
}

static void partial_push(struct slab *s, unsigned class, uint32_t index)
{
	struct chunk *chunks = s->stock->chunks;
	uint32_t *head = &s->stock->partial[class];

	chunks[index].prev = CHUNK_NONE;
	chunks[index].next = *head;
	if (*head != CHUNK_NONE)
		chunks[*head].prev = index;
	*head = index;
}

static void partial_remove(struct slab *s, unsigned class, uint32_t index)
{
	struct chunk *chunks = s->stock->chunks, *c = &chunks[index];

	if (c->prev != CHUNK_NONE)
		chunks[c->prev].next = c->next;
	else
		s->stock->partial[class] = c->next;
	if (c->next != CHUNK_NONE)
		chunks[c->next].prev = c->prev;
}

/* Gives an empty chunk of the class's group to the class. */
static bool class_grow(struct slab *s, unsigned class)
{
	uint32_t *empty = &s->stock->empty[class_group(class)], index = *empty;
	struct chunk *c;

	if (index == CHUNK_NONE)
		return false;
	c = &s->stock->chunks[index];
	*empty = c->next;
	s->chunk_class[index] = (uint8_t)class;
	c->buffers = c->free_count = (uint16_t)(CHUNK_BYTES / s->shelf[class].bytes);
	for (unsigned i = 0; i < c->buffers; i += 64)
		c->free[i / 64] = c->buffers - i < 64 ? (1ULL << (c->buffers - i)) - 1 : UINT64_MAX;
	c->first = 0;
	partial_push(s, class, index);
	return true;
}

static void *chunk_take(struct slab *s, unsigned class, uint32_t index)
{
	struct chunk *c = &s->stock->chunks[index];
	unsigned buffer;

	while (!c->free[c->first])
		c->first++;
	buffer = c->first * 64u + (unsigned)__builtin_ctzll(c->free[c->first]);
	c->free[c->first] &= c->free[c->first] - 1;
	if (--c->free_count == 0)
		partial_remove(s, class, index);
	return s->memory + ((size_t)index << SLAB_CHUNK_SHIFT) + (size_t)buffer * s->shelf[class].bytes;
}

static void chunk_put(struct slab *s, unsigned class, void *buffer)
{
	uint64_t at = (uint64_t)((uint8_t *)buffer - s->memory);
	uint32_t index = (uint32_t)(at >> SLAB_CHUNK_SHIFT);
	uint32_t number = (uint32_t)(at & (CHUNK_BYTES - 1)) / s->shelf[class].bytes;
	struct chunk *c = &s->stock->chunks[index];

	assert(index < s->stock->chunk_count && c->free_count < c->buffers && !(c->free[number / 64] >> number % 64 & 1));
	c->free[number / 64] |= 1ULL << number % 64;
	if (number / 64 < c->first)
		c->first = (uint8_t)(number / 64);
	if (c->free_count++ == 0)
		partial_push(s, class, index);
	if (c->free_count == c->buffers) {
		partial_remove(s, class, index);
		memset(c->free, 0, sizeof(c->free));
		c->next = s->stock->empty[c->group];
		s->stock->empty[c->group] = index;
	}
}

/* Takes the `n` buffers that have been on the shelf for the longest back to their chunks. */
static void shelf_clear(struct slab *s, unsigned class, uint32_t n)
{
	struct slab_shelf *shelf = &s->shelf[class];

	for (uint32_t i = 0; i < n; i++)
		chunk_put(s, class, shelf->buffer[i]);
	shelf->count -= n;
	memmove(shelf->buffer, shelf->buffer + n, shelf->count * sizeof(shelf->buffer[0]));
}

/* Buffers on the shelf, none of them touched. false: the class has none and gets no chunk. */
static bool shelf_fill(struct slab *s, unsigned class)
{
	struct slab_shelf *shelf = &s->shelf[class];
	uint32_t index;

	if (s->stock->partial[class] == CHUNK_NONE && !class_grow(s, class))
		return false;
	index = s->stock->partial[class];
	/* Of the small ones alone many at a time: half a MiB need not lie about. */
	do
		shelf->buffer[shelf->count++] = chunk_take(s, class, index);
	while (shelf->count < SHELF_HALF && class_group(class) == 0 && s->stock->partial[class] == index);
	return true;
}

static void shelves_clear(struct slab *s, unsigned group)
{
	for (unsigned class = 0; class < SLAB_CLASSES; class++)
		if (class_group(class) == group)
			shelf_clear(s, class, s->shelf[class].count);
}

void *slab_restock(struct slab *s, uint32_t bytes)
{
	unsigned cleared = GROUPS;

	for (unsigned class = slab_class(bytes); class < SLAB_CLASSES; class++) {
		struct slab_shelf *shelf = &s->shelf[class];

		if (!shelf->count && !shelf_fill(s, class)) {
			if (class_group(class) == cleared)
				continue;
			cleared = class_group(class);
			shelves_clear(s, cleared);
			if (!shelf_fill(s, class))
				continue;
		}
		s->bytes_in_use += shelf->bytes;
		unpoison_region(shelf->buffer[shelf->count - 1], bytes ? bytes : 1);
		return shelf->buffer[--shelf->count];
	}
	return NULL;
}

void slab_store(struct slab *s, unsigned class)
{
	shelf_clear(s, class, SHELF_HALF);
}

void slab_touch(struct slab *s)
{
	pages_touch(s->memory, (size_t)s->stock->chunk_count << SLAB_CHUNK_SHIFT);
}
