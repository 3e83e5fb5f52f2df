/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/word_table.h"

#include <assert.h>

#include "base/err.h"
#include "base/pages.h"

#define KEYS_PER_BUCKET 3 /* on average when full: 8 in 100 buckets then have more keys than places */
#define BUCKETS_MIN	8
#define PLACE_NONE	UINT32_MAX

_Static_assert(sizeof(struct word_bucket) == 64, "a bucket is a cache line");

/* Where a key is, or may go. */
struct place {
	uint32_t home, bucket;
	unsigned i;
};

int word_table_init(struct word_table *t, uint32_t max)
{
	uint32_t buckets = max / KEYS_PER_BUCKET + BUCKETS_MIN;

	*t = (struct word_table){ .buckets = buckets, .max = max };
	t->bucket = pages_new((size_t)buckets * sizeof(t->bucket[0]));
	return t->bucket ? 0 : -ERR_NOMEM;
}

void word_table_done(struct word_table *t)
{
	pages_free(t->bucket, (size_t)t->buckets * sizeof(t->bucket[0]));
}

static uint32_t after(const struct word_table *t, uint32_t bucket)
{
	return bucket + 1 == t->buckets ? 0 : bucket + 1;
}

static unsigned index_of(const struct word_bucket *b, uint64_t key)
{
	unsigned i = 0;

	while (i < WORD_BUCKET_KEYS && atomic_load_explicit(&b->key[i], memory_order_relaxed) != key)
		i++;
	return i;
}

/* The key's place; else, where free is not NULL, the place to put it. The only writer reads what it wrote itself. */
static bool find(const struct word_table *t, uint64_t key, struct place *ret, struct place *ret_free)
{
	uint32_t home = word_table_home(t, key), at = home;
	bool passed = true;

	ret_free->bucket = PLACE_NONE;
	for (uint32_t n = 0; n < t->buckets && (passed || ret_free->bucket == PLACE_NONE); n++, at = after(t, at)) {
		const struct word_bucket *b = &t->bucket[at];
		unsigned i = passed ? index_of(b, key) : WORD_BUCKET_KEYS;

		if (i < WORD_BUCKET_KEYS) {
			*ret = (struct place){ home, at, i };
			return true;
		}
		if (ret_free->bucket == PLACE_NONE) {
			i = index_of(b, 0);
			if (i < WORD_BUCKET_KEYS)
				*ret_free = (struct place){ home, at, i };
		}
		passed = passed && atomic_load_explicit(&b->passed, memory_order_relaxed);
	}
	return false;
}

/* Of every bucket on the way from home to the place. */
static void count_passed(struct word_table *t, const struct place *p, int by)
{
	for (uint32_t at = p->home; at != p->bucket; at = after(t, at)) {
		uint16_t passed = atomic_load_explicit(&t->bucket[at].passed, memory_order_relaxed);

		/* A bucket is passed only by what a run of full ones behind it holds; 65,535 keys in a row would be another table. */
		assert(by > 0 ? passed < UINT16_MAX : passed > 0);
		atomic_store_explicit(&t->bucket[at].passed, (uint16_t)(passed + by), memory_order_release);
	}
}

int word_table_set(struct word_table *t, uint64_t key, uint32_t value)
{
	struct place p, room;
	struct word_bucket *b;

	assert(key);
	if (find(t, key, &p, &room)) {
		atomic_store_explicit(&t->bucket[p.bucket].value[p.i], value, memory_order_release);
		return 0;
	}
	if (t->count >= t->max || room.bucket == PLACE_NONE)
		return -ERR_FULL;
	count_passed(t, &room, 1);
	b = &t->bucket[room.bucket];
	atomic_store_explicit(&b->version, (uint16_t)(atomic_load_explicit(&b->version, memory_order_relaxed) + 1),
			      memory_order_relaxed);
	/* Whoever reads this value sees the new version too, and does not take it for the place's old key's. */
	atomic_store_explicit(&b->value[room.i], value, memory_order_release);
	atomic_store_explicit(&b->key[room.i], key, memory_order_release);
	t->count++;
	return 0;
}

int word_table_delete(struct word_table *t, uint64_t key)
{
	struct place p, room;

	if (!key || !find(t, key, &p, &room))
		return -ERR_NOT_FOUND;
	atomic_store_explicit(&t->bucket[p.bucket].key[p.i], 0, memory_order_release);
	count_passed(t, &p, -1);
	t->count--;
	return 0;
}
