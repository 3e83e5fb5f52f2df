/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pool of equal objects, allocated whole at start; an object has a stable index. One owner thread.
 * Free objects are poisoned in sanitizer builds, since ASan cannot see into memory that we hand out ourselves. */

/* The public part, for the inline functions alone. */
struct pool {
	uint8_t *objects;
	size_t stride;
	size_t object_bytes;
	uint64_t stride_inverse; /* modulo 2^64, of what is odd in the stride: by it, and a shift, is divided */
	uint32_t stride_shift;
	uint32_t count;
	uint32_t fresh;	   /* objects from here on were never taken: their pages are untouched */
	uint32_t returned; /* entries of stack */
	uint32_t in_use;
	uint32_t *stack;
#ifndef NDEBUG
	bool *taken; /* tells our own double put at once */
#endif
};

/* count objects of `bytes` each (rounded up to 16; cache-line aligned where bytes is a multiple of 64).
 * NULL: no memory. Pages are touched when first used. control-only */
struct pool *pool_new(uint32_t count, size_t bytes);
void pool_free(struct pool *p);
/* Touches its pages (pages.h). control-only */
void pool_touch(struct pool *p);

/* An object with undefined content; NULL when none is left. Last freed, first used. worker-only */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *object);

/* The object that pool_get gives after n others, if none is put before: to ask the memory for. NULL: there are not as many. worker-only */
static inline const void *pool_ahead(const struct pool *p, uint32_t n)
{
	if (n < p->returned)
		return p->objects + p->stride * p->stack[p->returned - 1 - n];
	n -= p->returned;
	return n < p->count - p->fresh ? p->objects + p->stride * (p->fresh + n) : NULL;
}

/* object: one of its. any */
static inline uint32_t pool_index(const struct pool *p, const void *object)
{
	uint64_t offset = (uint64_t)((const uint8_t *)object - p->objects);
	uint32_t index = (uint32_t)((offset >> p->stride_shift) * p->stride_inverse); /* exact, as there is no remainder */

	assert(index < p->count && p->stride * index == offset);
	return index;
}

/* The object at index, taken or not; NULL beyond the end. The caller knows by a generation whether it is live. worker-only */
static inline void *pool_at(const struct pool *p, uint32_t index)
{
	return index < p->count ? p->objects + p->stride * index : NULL;
}

uint32_t pool_capacity(const struct pool *p);
uint32_t pool_in_use(const struct pool *p);
