/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A pool of equal objects, allocated whole at start; an object has a stable index. One owner thread.
 * Free objects are poisoned in sanitizer builds, since ASan cannot see into memory that we hand out ourselves. */

struct pool;

/* count objects of `bytes` each (rounded up to 16; cache-line aligned where bytes is a multiple of 64).
 * NULL: no memory. Pages are touched when first used. control-only */
struct pool *pool_new(uint32_t count, size_t bytes);
void pool_free(struct pool *p);
/* Touches its pages (pages.h). control-only */
void pool_touch(struct pool *p);

/* An object with undefined content; NULL when none is left. Last freed, first used. worker-only */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *object);

uint32_t pool_index(const struct pool *p, const void *object);

/* The object at index, taken or not; NULL beyond the end. The caller knows by a generation whether it is live. worker-only */
void *pool_at(const struct pool *p, uint32_t index);

uint32_t pool_capacity(const struct pool *p);
uint32_t pool_in_use(const struct pool *p);
