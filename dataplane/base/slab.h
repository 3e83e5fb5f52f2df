/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Buffers of 512 B to 64 KiB in power-of-two classes, for messages that outlive a burst. One owner thread; bounded in all by
 * the bytes given at start, taken from the system in chunks up to that bound at start-up, so a worker never allocates. */

#define SLAB_BYTES_MAX 65536

struct slab;

/* total_bytes is shared by the classes: 1/2 for up to 2 KiB, 1/4 for up to 8 KiB, 1/4 beyond. NULL: no memory. control-only */
struct slab *slab_new(uint64_t total_bytes);
void slab_free(struct slab *s);

/* At least `bytes` bytes, or NULL: the class and those above it are exhausted, or bytes > SLAB_BYTES_MAX. worker-only */
void *slab_get(struct slab *s, uint32_t bytes);
/* NULL is ignored. worker-only */
void slab_put(struct slab *s, void *buffer);

uint64_t slab_bytes_in_use(const struct slab *s);
