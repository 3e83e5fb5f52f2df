/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"

/* 64-bit words to 32-bit values: one writer, readers without locks, one cache line a look-up nearly always. Open addressing by buckets of a
 * line; nothing ever moves, so a reader finds whatever is there, and a change costs what a look-up costs. For keys that no stranger chooses:
 * the hash has no secret.
 *
 * A bucket counts the keys that found it full and went on (`passed`): who looks for a key goes on while there are any, and a deleted key
 * leaves nothing behind. A freed place may be taken by another key while a reader is between key and value: `version`, counted up before a
 * place is filled, tells it to look again. */

#define WORD_BUCKET_KEYS 5

struct word_bucket {
	_Alignas(64) _Atomic(uint64_t) key[WORD_BUCKET_KEYS]; /* 0: free */
	_Atomic(uint32_t) value[WORD_BUCKET_KEYS];
	_Atomic(uint16_t) version;
	_Atomic(uint16_t) passed;
};

struct word_table {
	struct word_bucket *bucket;
	uint32_t buckets;
	uint32_t max, count;
};

/* Room for max keys: 21 bytes each, touched as they come. 0, -ERR_NOMEM. control-only */
int word_table_init(struct word_table *t, uint32_t max);
/* The readers have stopped. control-only */
void word_table_done(struct word_table *t);

/* Adds or replaces; key is not 0. 0, -ERR_FULL. control-only */
int word_table_set(struct word_table *t, uint64_t key, uint32_t value);
/* 0, -ERR_NOT_FOUND. control-only */
int word_table_delete(struct word_table *t, uint64_t key);

static inline uint32_t word_table_home(const struct word_table *t, uint64_t key)
{
	return (uint32_t)((mix64(key) >> 32) * t->buckets >> 32);
}

/* Brings what word_table_get will read into the cache. any */
static inline void word_table_prefetch(const struct word_table *t, uint64_t key)
{
	__builtin_prefetch(&t->bucket[word_table_home(t, key)]);
}

static inline bool word_bucket_get(const struct word_bucket *b, uint64_t key, uint32_t *ret_value)
{
	for (;;) {
		uint16_t version = atomic_load_explicit(&b->version, memory_order_acquire);
		unsigned i = 0;
		uint32_t value;

		while (atomic_load_explicit(&b->key[i], memory_order_acquire) != key)
			if (++i == WORD_BUCKET_KEYS)
				return false;
		value = atomic_load_explicit(&b->value[i], memory_order_acquire);
		if (atomic_load_explicit(&b->version, memory_order_relaxed) == version) {
			*ret_value = value;
			return true;
		}
	}
}

/* false: no such key (value unwritten). any */
static inline bool word_table_get(const struct word_table *t, uint64_t key, uint32_t *ret_value)
{
	uint32_t at = word_table_home(t, key);

	for (uint32_t n = 0; n < t->buckets; n++) {
		const struct word_bucket *b = &t->bucket[at];

		if (word_bucket_get(b, key, ret_value))
			return true;
		if (!atomic_load_explicit(&b->passed, memory_order_acquire))
			return false;
		at = at + 1 == t->buckets ? 0 : at + 1;
	}
	return false;
}
