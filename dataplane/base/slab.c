/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/pages.h"
#include "base/poison.h"

/* Chunks of 64 KiB. A chunk belongs to one of three groups for ever, and to one class of its group for as long as any buffer in
 * it is taken; an empty one goes back to its group, so that no mix of sizes can strand memory in a class that nobody asks for. */

#define CHUNK_SHIFT  16
#define CHUNK_BYTES  (1u << CHUNK_SHIFT)
#define CLASS_SHIFT  9 /* 512 B */
#define CLASSES	     8 /* ... 64 KiB */
#define GROUPS	     3
#define CHUNK_NONE   UINT32_MAX

struct chunk {
	uint64_t free_map[2]; /* a bit per free buffer: at most 128 of 512 B */
	uint32_t next, prev;  /* in its class's list of chunks with room, or (next) its group's list of empty ones */
	uint16_t free_count;
	uint8_t class, group;
};

struct slab {
	uint8_t *memory;
	struct chunk *chunks;
	uint32_t chunk_count;
	uint32_t empty[GROUPS];	   /* lists of chunks */
	uint32_t partial[CLASSES]; /* lists of chunks */
	uint64_t bytes_in_use;
};

static unsigned class_group(unsigned class)
{
	return class < 3 ? 0 : class < 5 ? 1 : 2;
}

static unsigned class_of(uint32_t bytes)
{
	return bytes <= 1u << CLASS_SHIFT ? 0 : 32 - (unsigned)__builtin_clz(bytes - 1) - CLASS_SHIFT;
}

struct slab *slab_new(uint64_t total_bytes)
{
	uint64_t share[GROUPS] = { total_bytes / 2, total_bytes / 4, total_bytes / 4 };
	struct slab *s = calloc(1, sizeof(*s));
	uint64_t count = 0;
	uint32_t c = 0;

	if (!s)
		return NULL;
	for (unsigned g = 0; g < GROUPS; g++) {
		share[g] = share[g] < CHUNK_BYTES ? 1 : share[g] >> CHUNK_SHIFT;
		count += share[g];
	}
	if (count >= CHUNK_NONE)
		goto fail_memory;
	s->chunk_count = (uint32_t)count;
	s->memory = pages_new(count << CHUNK_SHIFT);
	if (!s->memory)
		goto fail_memory;
	s->chunks = calloc(count, sizeof(*s->chunks));
	if (!s->chunks)
		goto fail_chunks;
	for (unsigned g = 0; g < GROUPS; g++) {
		s->empty[g] = c;
		for (uint64_t i = 0; i < share[g]; i++, c++) {
			s->chunks[c].group = (uint8_t)g;
			s->chunks[c].next = i + 1 < share[g] ? c + 1 : CHUNK_NONE;
		}
	}
	for (unsigned k = 0; k < CLASSES; k++)
		s->partial[k] = CHUNK_NONE;
	poison_region(s->memory, count << CHUNK_SHIFT);
	return s;

fail_chunks:
	pages_free(s->memory, count << CHUNK_SHIFT);
fail_memory:
	free(s);
	return NULL;
}

void slab_free(struct slab *s)
{
	if (!s)
		return;
	unpoison_region(s->memory, (size_t)s->chunk_count << CHUNK_SHIFT);
	pages_free(s->memory, (size_t)s->chunk_count << CHUNK_SHIFT);
	free(s->chunks);
	free(s);
}

static void partial_push(struct slab *s, uint32_t index)
{
	struct chunk *c = &s->chunks[index];
	uint32_t *head = &s->partial[c->class];

	c->prev = CHUNK_NONE;
	c->next = *head;
	if (*head != CHUNK_NONE)
		s->chunks[*head].prev = index;
	*head = index;
}

static void partial_remove(struct slab *s, uint32_t index)
{
	struct chunk *c = &s->chunks[index];

	if (c->prev != CHUNK_NONE)
		s->chunks[c->prev].next = c->next;
	else
		s->partial[c->class] = c->next;
	if (c->next != CHUNK_NONE)
		s->chunks[c->next].prev = c->prev;
}

/* Gives an empty chunk of the class's group to the class. */
static bool class_grow(struct slab *s, unsigned class)
{
	unsigned group = class_group(class);
	uint32_t index = s->empty[group];
	unsigned buffers = CHUNK_BYTES >> (class + CLASS_SHIFT);
	struct chunk *c;

	if (index == CHUNK_NONE)
		return false;
	c = &s->chunks[index];
	s->empty[group] = c->next;
	c->class = (uint8_t)class;
	c->free_count = (uint16_t)buffers;
	c->free_map[0] = buffers >= 64 ? UINT64_MAX : (1ULL << buffers) - 1;
	c->free_map[1] = buffers >= 128 ? UINT64_MAX : 0;
	partial_push(s, index);
	return true;
}

void *slab_get(struct slab *s, uint32_t bytes)
{
	unsigned class, word, bit;
	struct chunk *c;
	uint32_t index;
	uint8_t *buffer;

	if (bytes > SLAB_BYTES_MAX)
		return NULL;
	for (class = class_of(bytes); s->partial[class] == CHUNK_NONE && !class_grow(s, class);)
		if (++class == CLASSES)
			return NULL;
	index = s->partial[class];
	c = &s->chunks[index];
	word = c->free_map[0] ? 0 : 1;
	bit = (unsigned)__builtin_ctzll(c->free_map[word]);
	c->free_map[word] &= c->free_map[word] - 1;
	if (--c->free_count == 0)
		partial_remove(s, index);
	s->bytes_in_use += 1ULL << (class + CLASS_SHIFT);
	buffer = s->memory + ((size_t)index << CHUNK_SHIFT) + ((size_t)(word * 64 + bit) << (class + CLASS_SHIFT));
	unpoison_region(buffer, bytes);
	return buffer;
}

void slab_put(struct slab *s, void *buffer)
{
	size_t offset;
	uint32_t index;
	unsigned slot;
	struct chunk *c;

	if (!buffer)
		return;
	offset = (size_t)((uint8_t *)buffer - s->memory);
	index = (uint32_t)(offset >> CHUNK_SHIFT);
	assert(index < s->chunk_count);
	c = &s->chunks[index];
	slot = (unsigned)(offset & (CHUNK_BYTES - 1)) >> (c->class + CLASS_SHIFT);
	assert(!(c->free_map[slot / 64] >> (slot % 64) & 1));
	poison_region(buffer, (size_t)1 << (c->class + CLASS_SHIFT));
	c->free_map[slot / 64] |= 1ULL << (slot % 64);
	s->bytes_in_use -= 1ULL << (c->class + CLASS_SHIFT);
	if (c->free_count++ == 0)
		partial_push(s, index);
	if (c->free_count == CHUNK_BYTES >> (c->class + CLASS_SHIFT)) {
		partial_remove(s, index);
		c->next = s->empty[c->group];
		s->empty[c->group] = index;
	}
}

uint64_t slab_bytes_in_use(const struct slab *s)
{
	return s->bytes_in_use;
}
