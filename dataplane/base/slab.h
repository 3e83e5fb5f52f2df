/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/poison.h"

/* Buffers of 64 B to 64 KiB, for messages and records that outlive a burst: classes in steps of 64 B up to 1 KiB, of 128 B up to 2 KiB, powers
 * of two beyond. One owner thread; bounded in all by the bytes given at start, so a worker never allocates. Buffers begin on a cache line. */

#define SLAB_BYTES_MAX 65536

#define SLAB_CHUNK_SHIFT 16
#define SLAB_CLASSES	 29
#define SLAB_SHELF	 30

/* What was given back last is given out first, while it is still in the cache. */
struct slab_shelf {
	uint32_t count;
	uint32_t bytes; /* of a buffer of this class */
	void *buffer[SLAB_SHELF];
};

/* The public part, for the inline functions alone. */
struct slab {
	uint8_t *memory;
	uint8_t *chunk_class; /* by chunk: what its buffers are */
	uint64_t bytes_in_use;
	struct slab_stock *stock;
	struct slab_shelf shelf[SLAB_CLASSES + 1]; /* the last one has never anything: for what is too large */
};

/* total_bytes is shared by the classes: 1/2 for up to 2 KiB, 1/4 for up to 8 KiB, 1/4 beyond. NULL: no memory. control-only */
struct slab *slab_new(uint64_t total_bytes);
void slab_free(struct slab *s);
/* Touches its pages (pages.h). control-only */
void slab_touch(struct slab *s);

/* slab.c: nothing on the shelf; no room on it. */
void *slab_restock(struct slab *s, uint32_t bytes);
void slab_store(struct slab *s, unsigned class);

static inline unsigned slab_class(uint32_t bytes)
{
	if (bytes <= 1024)
		return (bytes - (bytes != 0)) / 64;
	if (bytes <= 2048)
		return 16 + (bytes - 1025) / 128;
	return bytes <= SLAB_BYTES_MAX ? 24 + 20 - (unsigned)__builtin_clz(bytes - 1) : SLAB_CLASSES;
}

/* At least `bytes` bytes, or NULL: the class and those above it are exhausted, or bytes > SLAB_BYTES_MAX. worker-only */
static inline void *slab_get(struct slab *s, uint32_t bytes)
{
	struct slab_shelf *shelf = &s->shelf[slab_class(bytes)];
	void *buffer;

	if (__builtin_expect(!shelf->count, 0))
		return slab_restock(s, bytes);
	buffer = shelf->buffer[--shelf->count];
	__builtin_prefetch(shelf->buffer[shelf->count - (shelf->count != 0)], 1); /* who comes next writes there */
	s->bytes_in_use += shelf->bytes;
	unpoison_region(buffer, bytes ? bytes : 1);
	return buffer;
}

/* What slab_get would really give for that many bytes: who asks for so many may use them all. 0: too many. any */
static inline uint32_t slab_room(const struct slab *s, uint32_t bytes)
{
	return s->shelf[slab_class(bytes)].bytes;
}

/* NULL is ignored. worker-only */
static inline void slab_put(struct slab *s, void *buffer)
{
	struct slab_shelf *shelf;
	unsigned class;

	if (!buffer)
		return;
	class = s->chunk_class[(uint64_t)((uint8_t *)buffer - s->memory) >> SLAB_CHUNK_SHIFT];
	shelf = &s->shelf[class];
	assert_not_poisoned(buffer); /* put twice */
	poison_region(buffer, shelf->bytes);
	s->bytes_in_use -= shelf->bytes;
	if (__builtin_expect(shelf->count == SLAB_SHELF, 0))
		slab_store(s, class);
	shelf->buffer[shelf->count++] = buffer;
}

static inline uint64_t slab_bytes_in_use(const struct slab *s)
{
	return s->bytes_in_use;
}
