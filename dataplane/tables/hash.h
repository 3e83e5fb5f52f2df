/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_hash.h>

/* rte_hash as the tables use it: one writer, lock-free readers, a 64-bit value read without tearing, deleted keys reused after
 * the grace period. */

struct epoch;

struct hash_table {
	struct rte_hash *hash;
	uint32_t max, count;
};

/* name: unique in the process among hash tables (any length). 0, -ERR_NOMEM. control-only */
int hash_table_init(struct hash_table *t, const char *name, uint32_t max, uint32_t key_bytes, struct epoch *e);
/* The readers have stopped; the epoch still stands. control-only */
void hash_table_done(struct hash_table *t);

/* Adds or replaces. 0, -ERR_FULL. control-only */
int hash_table_set(struct hash_table *t, const void *key, uint64_t value);
/* 0, -ERR_NOT_FOUND. control-only */
int hash_table_delete(struct hash_table *t, const void *key);

/* false: no such key (value unwritten). reader, inside a quiescent period */
static inline bool hash_table_get(const struct hash_table *t, const void *key, uint64_t *ret_value)
{
	void *value;

	if (rte_hash_lookup_data(t->hash, key, &value) < 0)
		return false;
	*ret_value = (uint64_t)(uintptr_t)value;
	return true;
}
