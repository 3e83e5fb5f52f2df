/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A compact hash map from 64-bit keys (never 0) to 32-bit values: 12 bytes a place, open addressing with linear probing, deletion by
 * shifting back, so that millions of telephone numbers fit. Control thread only; every function is control-only. */

struct u64map;

#define U64MAP_NONE UINT32_MAX /* also a value that no entry may carry */

/* Room for `expected` entries before it grows. NULL: no memory. */
struct u64map *u64map_new(uint32_t expected);
void u64map_free(struct u64map *m);

/* Adds or replaces. 0, -ERR_NOMEM (nothing changed). */
int u64map_set(struct u64map *m, uint64_t key, uint32_t value);
/* The value, or U64MAP_NONE. */
uint32_t u64map_get(const struct u64map *m, uint64_t key);
/* false: there was none. */
bool u64map_delete(struct u64map *m, uint64_t key);
uint32_t u64map_count(const struct u64map *m);

/* Walks all entries in no order: start with *cursor = 0. false: no more. The map may not change meanwhile. */
bool u64map_next(const struct u64map *m, uint64_t *cursor, uint64_t *ret_key, uint32_t *ret_value);
