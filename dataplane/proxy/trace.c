/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/pages.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#include <immintrin.h>
#define STREAMS 1
#else
#define STREAMS 0
#endif

/* A sequence lock over a ring: `floor` moves up before bytes are overwritten and `head` after they are written, so a reader that finds
 * floor at or below what it copied knows that the copy is whole.
 *
 * Nobody reads what is written here but now and then, so it must not push what the worker needs out of its caches, nor wait for the lines that it
 * overwrites: whole lines are streamed past the cache where the CPU can. That costs a fence before readers may look (once a turn), and one before a part of the ring
 * is given up: a segment at once. No entry is larger than a segment, so the first entry of each is known without reading old ones. */
#define LINE	  64
#define SEGMENTS  8
#define ENTRY_MAX (LINE + TRACE_MESSAGE_MAX)
#define RING_MIN  65536

_Static_assert(sizeof(struct trace_entry) == LINE, "an entry's head is a line");
_Static_assert(RING_MIN / SEGMENTS > ENTRY_MAX, "an entry begins in every segment");

struct trace {
	size_t size; /* of the ring, a power of two */
	uint8_t *ring;
	uint64_t next;		  /* where the next entry goes; counts bytes, never wraps */
	uint64_t segment;	  /* the one that the last entry began in; counts them, never wraps */
	uint64_t first[SEGMENTS]; /* where the first entry of each began */
	_Alignas(64) _Atomic(uint64_t) head; /* next, as readers may know it */
	_Atomic(uint64_t) floor;	     /* the oldest whole entry */
};

struct trace *trace_new(size_t bytes)
{
	struct trace *t = aligned_alloc(64, sizeof(*t));
	size_t size = RING_MIN;

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	while (size < bytes)
		size *= 2;
	t->size = size;
	t->segment = UINT64_MAX;
	t->ring = pages_new(size);
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
	pages_free(t->ring, t->size);
	free(t);
}

/* Bytes of a whole entry in the ring. */
static uint32_t entry_bytes(uint32_t kept)
{
	return (LINE + kept + LINE - 1) & ~(LINE - 1u);
}

static uint8_t *place(const struct trace *t, uint64_t at)
{
	return t->ring + (at & (t->size - 1));
}

/* An entry's head and its message, in whole lines; what is left of the last one is zeros. */
#if STREAMS
/* The last `bytes` of a line (less than 16 of them): the 16 that end there, shifted; nothing is read that is not the message's. */
TARGET_AVX2 static __m128i last_piece(const uint8_t *end, uint32_t bytes)
{
	static const uint8_t shift[32] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 128, 128, 128, 128, 128, 128, 128, 128,
					   128, 128, 128, 128, 128, 128, 128, 128 };

	return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(end - 16)), _mm_loadu_si128((const __m128i *)(shift + 16 - bytes)));
}

/* kept >= 16; lengths: what an entry has from `kept` to `direction`, before which it is as a flow. Everything goes from registers: a vector
 * loaded from bytes just stored waits, and a store into the cache in between would wait for its line and hold up all that follow. */
TARGET_AVX2 static inline void write_avx2(uint8_t *to, const struct flow *from, uint64_t lengths, uint64_t time_ms, uint64_t call,
					  const uint8_t *message, uint32_t kept)
{
	const uint8_t *flow = (const uint8_t *)from;
	const uint8_t *end = message + kept;
	uint32_t rest = kept % LINE;
	uint64_t word;

	memcpy(&word, flow + 32, 8);
	_mm_stream_si128((__m128i *)to, _mm_loadu_si128((const __m128i *)flow));
	_mm_stream_si128((__m128i *)(to + 16), _mm_loadu_si128((const __m128i *)(flow + 16)));
	_mm_stream_si128((__m128i *)(to + 32), _mm_set_epi64x((long long)(from->transport | lengths << 16), (long long)word));
	_mm_stream_si128((__m128i *)(to + 48), _mm_set_epi64x((long long)call, (long long)time_ms));
	/* lddqu: of an unaligned load the compiler makes two halves for CPUs that have no AVX2 */
	for (to += LINE; message + 2 * LINE <= end; message += 2 * LINE, to += 2 * LINE) {
		_mm256_stream_si256((__m256i *)to, _mm256_lddqu_si256((const __m256i *)message));
		_mm256_stream_si256((__m256i *)(to + 32), _mm256_lddqu_si256((const __m256i *)(message + 32)));
		_mm256_stream_si256((__m256i *)(to + 64), _mm256_lddqu_si256((const __m256i *)(message + 64)));
		_mm256_stream_si256((__m256i *)(to + 96), _mm256_lddqu_si256((const __m256i *)(message + 96)));
	}
	if (message + LINE <= end) {
		_mm256_stream_si256((__m256i *)to, _mm256_lddqu_si256((const __m256i *)message));
		_mm256_stream_si256((__m256i *)(to + 32), _mm256_lddqu_si256((const __m256i *)(message + 32)));
		message += LINE;
		to += LINE;
	}
	if (!rest)
		return;
	for (uint32_t i = 0; i < LINE; i += 16) {
		__m128i v = _mm_setzero_si128();

		if (i + 16 <= rest)
			v = _mm_loadu_si128((const __m128i *)(message + i));
		else if (i < rest)
			v = last_piece(end, rest - i);
		_mm_stream_si128((__m128i *)(to + i), v);
	}
}

_Static_assert(offsetof(struct flow, local) == 20 && offsetof(struct flow, transport) == 40 && sizeof(struct flow) >= 42 &&
	       offsetof(struct trace_entry, local) == 20 && offsetof(struct trace_entry, transport) == 40 &&
	       offsetof(struct trace_entry, kept) == 42 && offsetof(struct trace_entry, len) == 44 &&
	       offsetof(struct trace_entry, direction) == 46 && offsetof(struct trace_entry, time_ms) == 48 &&
	       offsetof(struct trace_entry, call) == 56, "write_avx2 puts it together");
#endif

/* Word by word where ThreadSanitizer watches, since the race with a reader is meant, and settled by floor. */
static void write_plain(uint8_t *to, const void *from, uint32_t bytes)
{
#ifdef __SANITIZE_THREAD__
	for (uint32_t i = 0; i < bytes; i++)
		__atomic_store_n(to + i, ((const uint8_t *)from)[i], __ATOMIC_RELAXED);
#else
	if (bytes)
		memcpy(to, from, bytes);
#endif
}

static void write_entry(uint8_t *to, const struct trace_entry *e, const uint8_t *message, uint32_t kept)
{
	write_plain(to, e, sizeof(*e));
	write_plain(to + LINE, message, kept);
}

static void read_lines(uint8_t *to, const uint8_t *from, uint32_t count)
{
	for (uint32_t i = 0; i < count * LINE; i += 8) {
		uint64_t word = __atomic_load_n((const uint64_t *)(from + i), __ATOMIC_RELAXED);

		memcpy(to + i, &word, 8);
	}
}

/* Moves the floor so that `bytes` from next on belong to no entry that a reader may still take. */
static void make_room(struct trace *t, uint32_t bytes)
{
	uint64_t segment_bytes = t->size / SEGMENTS;
	uint64_t floor = atomic_load_explicit(&t->floor, memory_order_relaxed);

	if (t->next + bytes - floor <= t->size)
		return;
	floor = t->first[((t->next + bytes - t->size + segment_bytes - 1) / segment_bytes) % SEGMENTS];
	atomic_store_explicit(&t->floor, floor, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* Room for an entry: where it goes. */
static uint8_t *begin(struct trace *t, uint32_t bytes)
{
	uint64_t segment = t->next / (t->size / SEGMENTS);
	uint8_t *at = place(t, t->next);

	make_room(t, bytes);
	if (segment != t->segment) {
		t->segment = segment;
		t->first[segment % SEGMENTS] = t->next;
	}
	t->next += bytes;
	return at;
}

void trace_put(struct trace *t, enum trace_direction direction, uint64_t time_ms, uint64_t call, const struct flow *flow,
	       const uint8_t *message, uint32_t len)
{
	uint32_t kept = len < TRACE_MESSAGE_MAX ? len : TRACE_MESSAGE_MAX, bytes = entry_bytes(kept);
	uint32_t to_end = (uint32_t)(t->size - (t->next & (t->size - 1)));

	if (to_end < bytes) { /* an entry lies in one piece: the rest of the ring becomes an empty one */
		struct trace_entry pad = { .kept = (uint16_t)(to_end - LINE), .direction = TRACE_PAD };

		write_plain(begin(t, to_end), &pad, sizeof(pad));
	}
#if STREAMS
	if (cpu_level >= CPU_AVX2 && kept >= 16) {
		write_avx2(begin(t, bytes), flow, kept | (uint32_t)(uint16_t)len << 16 | (uint64_t)direction << 32, time_ms, call, message, kept);
		return;
	}
#endif
	write_entry(begin(t, bytes), &(struct trace_entry){ flow->remote, flow->local, flow->transport, (uint16_t)kept, (uint16_t)len,
							    (uint8_t)direction, time_ms, call }, message, kept);
}

void trace_flush(struct trace *t)
{
	if (atomic_load_explicit(&t->head, memory_order_relaxed) == t->next)
		return;
#if STREAMS
	_mm_sfence(); /* streamed lines keep no order with other stores */
#endif
	atomic_store_explicit(&t->head, t->next, memory_order_release);
}

static uint64_t floor_of(const struct trace *t)
{
	return atomic_load_explicit((_Atomic(uint64_t) *)&t->floor, memory_order_relaxed);
}

/* The floor has not passed `at`, so what was copied from there is whole. */
static bool still_whole(const struct trace *t, uint64_t at)
{
	atomic_thread_fence(memory_order_seq_cst);
	return floor_of(t) <= at;
}

unsigned trace_read(const struct trace *t, uint64_t call, void (*fn)(void *ctx, const struct trace_entry *entry, const uint8_t *message),
		    void *ctx)
{
	uint64_t head = atomic_load_explicit((_Atomic(uint64_t) *)&t->head, memory_order_acquire), at = floor_of(t);
	_Alignas(8) uint8_t entry[ENTRY_MAX];
	const struct trace_entry *e = (const struct trace_entry *)entry;
	unsigned n = 0;

	while (at < head) {
		uint32_t bytes;

		read_lines(entry, place(t, at), 1);
		if (!still_whole(t, at)) {
			at = floor_of(t);
			continue;
		}
		bytes = entry_bytes(e->kept);
		if (e->direction != TRACE_PAD && (!call || e->call == call)) {
			read_lines(entry + LINE, place(t, at) + LINE, bytes / LINE - 1);
			if (still_whole(t, at)) {
				fn(ctx, e, entry + LINE);
				n++;
			}
		}
		at += bytes;
	}
	return n;
}
