/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

/* A sequence lock over a ring: `floor` moves up before bytes are overwritten and `head` after they are written, so a reader that finds
 * floor at or below what it copied knows that the copy is whole. */
struct trace {
	size_t size; /* of the ring, a power of two */
	uint8_t *ring;
	_Alignas(64) _Atomic(uint64_t) head; /* where the next entry goes; counts bytes, never wraps */
	_Atomic(uint64_t) floor;	     /* the oldest whole entry */
};

#define SIZES	  (offsetof(struct trace_entry, direction) + 4) /* what says how long an entry is, and that it is none */
#define ENTRY_MAX (sizeof(struct trace_entry) + TRACE_MESSAGE_MAX + 8)

/* Word by word where ThreadSanitizer watches: the race with a reader is meant, and settled by floor. */
static void copy(void *to, const void *from, size_t bytes)
{
#ifdef __SANITIZE_THREAD__
	for (size_t i = 0; i < bytes / 8; i++)
		__atomic_store_n((uint64_t *)to + i, __atomic_load_n((const uint64_t *)from + i, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
#else
	memcpy(to, from, bytes);
#endif
}

struct trace *trace_new(size_t bytes)
{
	struct trace *t = aligned_alloc(64, sizeof(*t));
	size_t size = 65536;

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	while (size < bytes)
		size *= 2;
	t->size = size;
	t->ring = pages_new(size + SIZES); /* the last entry may be shorter than what is read of it first: zeros follow */
	if (!t->ring) {
		free(t);
		return NULL;
	}
	return t;
}

void trace_free(struct trace *t)
{
	if (!t)
		return;
	pages_free(t->ring, t->size + SIZES);
	free(t);
}

static const struct trace_entry *entry_at(const struct trace *t, uint64_t at)
{
	return (const struct trace_entry *)(t->ring + (at & (t->size - 1)));
}

/* Moves the floor so that `bytes` from head on belong to no entry that a reader may still take. */
static void make_room(struct trace *t, uint64_t head, size_t bytes)
{
	uint64_t floor = atomic_load_explicit(&t->floor, memory_order_relaxed);

	while (head + bytes - floor > t->size)
		floor += entry_at(t, floor)->bytes;
	atomic_store_explicit(&t->floor, floor, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void trace_put(struct trace *t, enum trace_direction direction, uint64_t time_ms, uint64_t call, const struct flow *flow,
	       const uint8_t *message, uint32_t len)
{
	uint64_t head = atomic_load_explicit(&t->head, memory_order_relaxed);
	uint32_t kept = len < TRACE_MESSAGE_MAX ? len : TRACE_MESSAGE_MAX;
	_Alignas(8) uint8_t entry[ENTRY_MAX];
	struct trace_entry *e = (struct trace_entry *)entry;
	size_t to_end = t->size - (head & (t->size - 1));

	memset(e, 0, sizeof(*e));
	e->bytes = (uint32_t)((sizeof(*e) + kept + 7) & ~(size_t)7);
	e->kept = kept;
	e->len = len;
	e->direction = direction;
	e->time_ms = time_ms;
	e->call = call;
	e->flow = *flow;
	memcpy(entry + sizeof(*e), message, kept);
	if (to_end < e->bytes) { /* an entry lies in one piece: the rest of the ring becomes an empty one */
		struct trace_entry pad = { .bytes = (uint32_t)to_end };

		make_room(t, head, to_end);
		copy(t->ring + (head & (t->size - 1)), &pad, to_end < SIZES ? to_end : SIZES);
		head += to_end;
	}
	make_room(t, head, e->bytes);
	copy(t->ring + (head & (t->size - 1)), entry, e->bytes);
	atomic_store_explicit(&t->head, head + e->bytes, memory_order_release);
}

/* The floor has not passed `at`, so what was copied from there is whole. */
static bool still_whole(const struct trace *t, uint64_t at)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit((_Atomic(uint64_t) *)&t->floor, memory_order_relaxed) <= at;
}

unsigned trace_read(const struct trace *t, uint64_t call, void (*fn)(void *ctx, const struct trace_entry *entry, const uint8_t *message),
		    void *ctx)
{
	uint64_t head = atomic_load_explicit((_Atomic(uint64_t) *)&t->head, memory_order_acquire);
	uint64_t at = atomic_load_explicit((_Atomic(uint64_t) *)&t->floor, memory_order_relaxed);
	_Alignas(8) uint8_t entry[ENTRY_MAX];
	const struct trace_entry *e = (const struct trace_entry *)entry;
	unsigned n = 0;

	while (at < head) {
		copy(entry, entry_at(t, at), SIZES);
		if (!still_whole(t, at)) {
			at = atomic_load_explicit((_Atomic(uint64_t) *)&t->floor, memory_order_relaxed);
			continue;
		}
		if (e->direction != TRACE_PAD) {
			copy(entry, entry_at(t, at), e->bytes <= ENTRY_MAX ? e->bytes : SIZES);
			if (still_whole(t, at) && (!call || e->call == call)) {
				fn(ctx, e, entry + sizeof(*e));
				n++;
			}
		}
		at += e->bytes;
	}
	return n;
}
