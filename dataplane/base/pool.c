/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdlib.h>

#include "base/pages.h"
#include "base/poison.h"

#define STACK_AHEAD 96 /* bytes: a line and a half */

/* Of an odd number, modulo 2^64 (Newton's iteration: each step doubles the bits that are right, of which 5 are at first). */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = 3 * odd ^ 2;

	for (unsigned right = 5; right < 64; right *= 2)
		x *= 2 - odd * x;
	return x;
}

struct pool *pool_new(uint32_t count, size_t bytes)
{
	struct pool *p;

	if (!count || !bytes || bytes > SIZE_MAX / 2)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->count = count;
	p->object_bytes = (bytes + 15) & ~(size_t)15;
	p->stride = p->object_bytes + POISON_GAP_BYTES;
	p->stride_shift = (uint32_t)__builtin_ctzll(p->stride);
	p->stride_inverse = inverse(p->stride >> p->stride_shift);
	if (p->stride > SIZE_MAX / count)
		goto fail_objects;
	p->objects = pages_new(p->stride * count);
	if (!p->objects)
		goto fail_objects;
	p->stack = pages_new(sizeof(*p->stack) * (size_t)count);
	if (!p->stack)
		goto fail_stack;
#ifndef NDEBUG
	p->taken = pages_new(count);
	if (!p->taken)
		goto fail_taken;
#endif
	poison_region(p->objects, p->stride * count);
	return p;

#ifndef NDEBUG
fail_taken:
	pages_free(p->stack, sizeof(*p->stack) * (size_t)count);
#endif
fail_stack:
	pages_free(p->objects, p->stride * count);
fail_objects:
	free(p);
	return NULL;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
#ifndef NDEBUG
	pages_free(p->taken, p->count);
#endif
	pages_free(p->stack, sizeof(*p->stack) * (size_t)p->count);
	unpoison_region(p->objects, p->stride * p->count);
	pages_free(p->objects, p->stride * p->count);
	free(p);
}

void pool_touch(struct pool *p)
{
	pages_touch(p->objects, p->stride * p->count);
	pages_touch(p->stack, sizeof(*p->stack) * (size_t)p->count);
}

void *pool_get(struct pool *p)
{
	uint32_t index;
	void *object;

	if (p->returned) {
		index = p->stack[--p->returned];
		__builtin_prefetch((const void *)((uintptr_t)&p->stack[p->returned] - STACK_AHEAD)); /* or something before the stack, unread */
	} else if (p->fresh < p->count) {
		index = p->fresh++;
	} else {
		return NULL;
	}
#ifndef NDEBUG
	assert(!p->taken[index]);
	p->taken[index] = true;
#endif
	p->in_use++;
	object = p->objects + p->stride * index;
	unpoison_region(object, p->object_bytes);
	return object;
}

void pool_put(struct pool *p, void *object)
{
	uint32_t index = pool_index(p, object);

#ifndef NDEBUG
	assert(p->taken[index]);
	p->taken[index] = false;
#endif
	poison_region(object, p->object_bytes);
	p->stack[p->returned++] = index;
	p->in_use--;
}

uint32_t pool_capacity(const struct pool *p)
{
	return p->count;
}

uint32_t pool_in_use(const struct pool *p)
{
	return p->in_use;
}
