/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keyed hash → index of a connection: open addressing, at most half full, no tombstones, so that a look-up costs one line of the table
 * whatever its history. One owner thread. */

struct lookup;

#define LOOKUP_NONE UINT32_MAX

/* For up to `entries` of them. NULL: no memory. control-only */
struct lookup *lookup_new(uint32_t entries);
void lookup_free(struct lookup *l);
void lookup_touch(struct lookup *l);
size_t lookup_bytes(const struct lookup *l);

/* The first index filed under hash for which `same` holds; LOOKUP_NONE. worker-only */
uint32_t lookup_find(const struct lookup *l, uint64_t hash, bool (*same)(const void *ctx, uint32_t index, const void *key), const void *ctx,
		     const void *key);
/* No more than there is room for, none twice. worker-only */
void lookup_add(struct lookup *l, uint64_t hash, uint32_t index);
/* One that is there. worker-only */
void lookup_remove(struct lookup *l, uint64_t hash, uint32_t index);
