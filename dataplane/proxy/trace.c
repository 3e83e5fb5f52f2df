/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/pages.h"
#include "sip/edit.h"

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
 * overwrites: whole lines are streamed past the cache where the CPU can. That costs a fence before readers may look (once a turn), and one
 * before a part of the ring is given up: a segment at once. An entry lies in one segment; what is left of that is padding, so that each begins with
 * an entry.
 *
 * Most of what leaves is what just came, edited: it is kept as the edits and their text, DIFFERENCE, behind the entry that it came as and in the same
 * segment, so that neither is overwritten without the other. */
#define LINE	   64
#define SEGMENTS   8
#define ENTRY_MAX  (LINE + TRACE_MESSAGE_MAX)
#define RING_MIN   262144
#define LOOKS	   16 /* at how many calls are kept, in the time that the ring is to reach back; and where a quarter of it was written since the last */
#define SHIFT_MAX  16 /* one of 2^16 */
#define DIFFERENCE 3 /* of enum trace_direction: TRACE_OUT, as its difference from the last TRACE_IN before it; kept: bytes of text */

_Static_assert(sizeof(struct trace_entry) == LINE, "an entry's head is a line");
_Static_assert(RING_MIN / SEGMENTS > ENTRY_MAX, "an entry fits a segment");
_Static_assert(TRACE_MESSAGE_MAX <= UINT16_MAX && EDITS_MAX <= UINT8_MAX, "kept, edits");
_Static_assert(sizeof(struct edit) * EDITS_MAX % LINE == 0 && EDIT_TEXT_BYTES % LINE == 0, "whole lines of a list can be read");

struct trace {
	struct trace_choice choice; /* first: trace_keeps */
	uint32_t shift;		    /* one of 2^shift calls is kept */
	uint32_t reach_ms;	    /* 0: all are */
	uint64_t looked_ms, looked_at; /* when that was last chosen, and next then */
	uint64_t busy_ms;	       /* when there was last no room for four times as much */
	uint64_t credit;	       /* bytes that may be written beside what there is room for in the time */
	size_t size; /* of the ring, a power of two */
	uint8_t *ring;
	uint64_t next; /* where the next entry goes; counts bytes, never wraps */
	uint64_t end;  /* of the segment in which that is */
	/* The last entry with TRACE_IN, where it is whole and in this segment; NULL: there is none. */
	const uint8_t *base;
	uint64_t base_call;
	_Atomic(const struct edit_list *) list; /* the writer's: that of all differences */
	_Alignas(64) _Atomic(uint64_t) head; /* next, as readers may know it */
	_Atomic(uint64_t) floor;	     /* the oldest segment that is whole */
};

struct trace *trace_new(size_t bytes, uint32_t reach_ms)
{
	struct trace *t = aligned_alloc(64, sizeof(*t));
	size_t size = RING_MIN;

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	while (size < bytes)
		size *= 2;
	t->choice.most = UINT32_MAX;
	t->reach_ms = reach_ms;
	t->size = size;
	t->end = size / SEGMENTS;
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

static inline uint32_t lines_of(uint32_t bytes)
{
	return (bytes + LINE - 1) / LINE;
}

/* Bytes of an entry in the ring. */
static inline uint32_t entry_bytes(const struct trace_entry *e)
{
	return LINE * (1 + lines_of(e->kept) + lines_of(e->edits * (uint32_t)sizeof(struct edit)));
}

static inline uint8_t *place(const struct trace *t, uint64_t at)
{
	return t->ring + (at & (t->size - 1));
}

/* ---- writing */

/* Behind the head: a message in whole lines, of which the last is its last 64 bytes, whatever of them the line before has too. So nothing is
 * read or written but whole lines; a message that has less than one is padded. A difference: its edits as they are, which point into the
 * list's text, and that. */
#if STREAMS
TARGET_AVX2 static inline __attribute__((always_inline)) void stream_line(uint8_t *to, const uint8_t *from)
{
	/* lddqu: of an unaligned load the compiler makes two halves for CPUs that have no AVX2 */
	__m256i low = _mm256_lddqu_si256((const __m256i *)from), high = _mm256_lddqu_si256((const __m256i *)(from + 32));

	_mm256_stream_si256((__m256i *)to, low);
	_mm256_stream_si256((__m256i *)(to + 32), high);
}

/* lengths: what an entry has from `kept` to `edits`, before which it is as a flow. Everything goes from registers: a vector loaded from bytes
 * just stored waits, and a store into the cache in between would wait for its line and hold up all that follow. */
TARGET_AVX2 static inline __attribute__((always_inline)) void stream_head(uint8_t *to, uint64_t lengths, uint64_t time_ms, uint64_t call,
									  const struct flow *from)
{
	const uint8_t *flow = (const uint8_t *)from;
	uint64_t word;

	memcpy(&word, flow + 32, 8);
	_mm_stream_si128((__m128i *)to, _mm_loadu_si128((const __m128i *)flow));
	_mm_stream_si128((__m128i *)(to + 16), _mm_loadu_si128((const __m128i *)(flow + 16)));
	_mm_stream_si128((__m128i *)(to + 32), _mm_set_epi64x((long long)(from->transport | lengths << 16), (long long)word));
	_mm_stream_si128((__m128i *)(to + 48), _mm_set_epi64x((long long)call, (long long)time_ms));
}

/* kept >= LINE. */
TARGET_AVX2 static void stream_whole(uint8_t *to, uint64_t lengths, uint64_t time_ms, uint64_t call, const struct flow *flow,
				     const uint8_t *message, uint32_t kept)
{
	const uint8_t *last = message + kept - LINE;

	stream_head(to, lengths, time_ms, call, flow);
	to += LINE;
	for (; message + LINE < last; message += 2 * LINE, to += 2 * LINE) {
		stream_line(to, message);
		stream_line(to + LINE, message + LINE);
	}
	if (message < last) {
		stream_line(to, message);
		to += LINE;
	}
	stream_line(to, last);
}

TARGET_AVX2 static void stream_difference(uint8_t *to, uint64_t lengths, uint64_t time_ms, uint64_t call, const struct flow *flow,
					  const struct edit_list *l, uint32_t edit_lines, uint32_t text_lines)
{
	const uint8_t *edits = (const uint8_t *)l->edits, *text = l->text;

	stream_head(to, lengths, time_ms, call, flow);
	for (to += LINE; edit_lines; edit_lines--, edits += LINE, to += LINE)
		stream_line(to, edits);
	for (; text_lines; text_lines--, text += LINE, to += LINE)
		stream_line(to, text);
}

_Static_assert(offsetof(struct flow, local) == 20 && offsetof(struct flow, transport) == 40 && sizeof(struct flow) >= 42 &&
	       offsetof(struct trace_entry, local) == 20 && offsetof(struct trace_entry, transport) == 40 &&
	       offsetof(struct trace_entry, kept) == 42 && offsetof(struct trace_entry, len) == 44 &&
	       offsetof(struct trace_entry, direction) == 46 && offsetof(struct trace_entry, edits) == 47 &&
	       offsetof(struct trace_entry, time_ms) == 48 && offsetof(struct trace_entry, call) == 56, "stream_head puts it together");
#endif

static inline uint64_t lengths(uint32_t kept, uint32_t len, uint32_t direction, uint32_t edits)
{
	return kept | (uint64_t)(uint16_t)len << 16 | (uint64_t)direction << 32 | (uint64_t)edits << 40;
}

/* Byte by byte where ThreadSanitizer watches, since the race with a reader is meant, and settled by floor. */
static void write_plain(uint8_t *to, const void *from, uint32_t bytes)
{
#ifdef __SANITIZE_THREAD__
	for (uint32_t i = 0; i < bytes; i++)
		__atomic_store_n(to + i, ((const uint8_t *)from)[i], __ATOMIC_RELAXED);
#else
	memcpy(to, from, bytes);
#endif
}

static __attribute__((noinline)) void write_head(uint8_t *to, uint64_t lengths, uint64_t time_ms, uint64_t call, const struct flow *flow)
{
	write_plain(to, &(struct trace_entry){ flow->remote, flow->local, flow->transport, (uint16_t)lengths, (uint16_t)(lengths >> 16),
					       (uint8_t)(lengths >> 32), (uint8_t)(lengths >> 40), time_ms, call }, LINE);
}

static __attribute__((noinline)) void write_whole(uint8_t *to, uint64_t lengths, uint64_t time_ms, uint64_t call, const struct flow *flow,
						  const uint8_t *message, uint32_t kept)
{
	uint8_t line[LINE] = { 0 };

	write_head(to, lengths, time_ms, call, flow);
	to += LINE;
	if (kept < LINE) {
		if (kept)
			memcpy(line, message, kept);
		write_plain(to, line, lines_of(kept) * LINE);
		return;
	}
	for (uint32_t at = 0; at + LINE < kept; at += LINE, to += LINE)
		write_plain(to, message + at, LINE);
	write_plain(to, message + kept - LINE, LINE);
}

static __attribute__((noinline)) void write_difference(uint8_t *to, uint64_t lengths, uint64_t time_ms, uint64_t call, const struct flow *flow,
						       const struct edit_list *l, uint32_t edit_lines, uint32_t text_lines)
{
	write_head(to, lengths, time_ms, call, flow);
	write_plain(to + LINE, l->edits, LINE * edit_lines);
	write_plain(to + LINE * (1 + edit_lines), l->text, LINE * text_lines);
}

/* What is left of the segment becomes an entry without a message, and the oldest segment belongs to no entry that a reader may still take. */
static __attribute__((noinline)) void next_segment(struct trace *t)
{
	uint64_t segment = t->size / SEGMENTS, left = t->end - t->next;
	struct trace_entry pad = { .kept = (uint16_t)(left - LINE), .direction = TRACE_PAD };

	if (left)
		write_plain(place(t, t->next), &pad, sizeof(pad));
	t->next = t->end;
	t->end += segment;
	t->base = NULL;
	if (t->end > t->size) {
		atomic_store_explicit(&t->floor, t->end - t->size, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
	}
}

void trace_put(struct trace *t, enum trace_direction direction, uint64_t time_ms, uint64_t call, const struct flow *flow,
	       const uint8_t *message, uint32_t len)
{
	uint32_t kept = len < TRACE_MESSAGE_MAX ? len : TRACE_MESSAGE_MAX, bytes = LINE * (1 + lines_of(kept));
	uint64_t l = lengths(kept, len, direction, 0);
	uint8_t *to;

	if (__builtin_expect(t->end - t->next < bytes, 0)) {
		next_segment(t);
		trace_put(t, direction, time_ms, call, flow, message, len);
		return;
	}
	to = place(t, t->next);
	t->next += bytes;
	if (direction == TRACE_IN) {
		t->base = kept == len ? message : NULL;
		t->base_call = call;
	}
#if STREAMS
	if (cpu_level >= CPU_AVX2 && kept >= LINE) {
		stream_whole(to, l, time_ms, call, flow, message, kept);
		return;
	}
#endif
	write_whole(to, l, time_ms, call, flow, message, kept);
}

void trace_put_edited(struct trace *t, const uint8_t *from, uint64_t time_ms, uint64_t call, const struct flow *flow,
		      const struct edit_list *list, const uint8_t *message, uint32_t len)
{
	uint32_t edit_lines = lines_of(list->count * (uint32_t)sizeof(list->edits[0])), text_lines = lines_of(list->text_used);
	uint32_t bytes = LINE * (1 + edit_lines + text_lines);
	const struct edit_list *known = atomic_load_explicit(&t->list, memory_order_relaxed);
	uint64_t l = lengths(list->text_used, len, DIFFERENCE, list->count);
	uint8_t *to;

	if (t->base != from || t->base_call != call || list != known || list->foreign || t->end - t->next < bytes || bytes >= len ||
	    len > TRACE_MESSAGE_MAX) {
		if (!known)
			atomic_store_explicit(&t->list, list, memory_order_relaxed);
		trace_put(t, TRACE_OUT, time_ms, call, flow, message, len);
		return;
	}
	to = place(t, t->next);
	t->next += bytes;
#if STREAMS
	if (cpu_level >= CPU_AVX2) {
		stream_difference(to, l, time_ms, call, flow, list, edit_lines, text_lines);
		return;
	}
#endif
	write_difference(to, l, time_ms, call, flow, list, edit_lines, text_lines);
}

/* As many calls as leave what is written room for the time. Half of the ring may come at once, as behind a pause, before any is passed over; and twice as many
 * are kept only when there has been room for four times as many for all that time, so that it is not now these and now those, nor all behind a pause. */
static void choose(struct trace *t, uint64_t now_ms)
{
	uint64_t written = t->next - t->looked_at, passed = now_ms - t->looked_ms, room;

	if (passed < t->reach_ms / LOOKS && written < t->size / 4)
		return;
	t->looked_ms = now_ms;
	t->looked_at = t->next;
	passed = passed < t->reach_ms ? passed + 1 : t->reach_ms; /* the clock is read once a turn */
	room = (t->size - t->size / SEGMENTS) * passed / t->reach_ms;
	t->credit += room;
	t->credit = t->credit < t->size / 2 ? t->credit : t->size / 2;
	if (written >= room / 4)
		t->busy_ms = now_ms;
	else if (t->shift && now_ms - t->busy_ms >= t->reach_ms)
		t->shift--;
	if (written > t->credit) {
		t->credit = 0;
		for (; written > room && t->shift < SHIFT_MAX; written /= 2)
			t->shift++;
	} else {
		t->credit -= written;
	}
	atomic_store_explicit(&t->choice.most, UINT32_MAX >> t->shift, memory_order_relaxed);
}

uint32_t trace_one_in(const struct trace *t)
{
	uint32_t most = atomic_load_explicit((_Atomic(uint32_t) *)&t->choice.most, memory_order_relaxed);

	return 1U << __builtin_clz(most);
}

void trace_flush(struct trace *t, uint64_t now_ms)
{
	t->base = NULL;
	if (t->reach_ms)
		choose(t, now_ms);
	if (atomic_load_explicit(&t->head, memory_order_relaxed) == t->next)
		return;
#if STREAMS
	_mm_sfence(); /* streamed lines keep no order with other stores */
#endif
	atomic_store_explicit(&t->head, t->next, memory_order_release);
}

/* ---- reading */

struct reader {
	_Alignas(8) uint8_t entry[ENTRY_MAX];
	uint8_t base[TRACE_MESSAGE_MAX]; /* the last one with TRACE_IN */
	uint32_t base_len;		 /* 0: there is none that is whole */
	uint8_t out[TRACE_MESSAGE_MAX];
};

static void read_lines(uint8_t *to, const uint8_t *from, uint32_t count)
{
	for (uint32_t i = 0; i < count * LINE; i += 8) {
		uint64_t word = __atomic_load_n((const uint64_t *)(from + i), __ATOMIC_RELAXED);

		memcpy(to + i, &word, 8);
	}
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

/* The message behind the head in r->entry as it was. */
static const uint8_t *whole_message(struct reader *r)
{
	struct trace_entry *e = (struct trace_entry *)r->entry;
	uint8_t *message = r->entry + LINE, last[LINE];

	if (e->kept > LINE) {
		memcpy(last, message + (lines_of(e->kept) - 1) * LINE, LINE);
		memcpy(message + e->kept - LINE, last, LINE);
	}
	if (e->direction == TRACE_IN) {
		r->base_len = e->kept == e->len ? e->kept : 0;
		memcpy(r->base, message, r->base_len);
	}
	return message;
}

/* What the edits in r->entry make of the base; *e becomes the entry that it was. NULL: the base is gone. */
static const uint8_t *edited_message(const struct trace *t, struct reader *r, struct trace_entry *e)
{
	uintptr_t list_text = (uintptr_t)atomic_load_explicit((_Atomic(const struct edit_list *) *)&t->list, memory_order_relaxed)->text;
	const uint8_t *text = r->entry + LINE * (1 + lines_of(e->edits * (uint32_t)sizeof(struct edit)));
	uint32_t read = 0, n = 0;

	for (uint32_t i = 0; i <= e->edits; i++) {
		struct edit edit = { .offset = r->base_len };
		uint64_t at;

		if (i < e->edits)
			memcpy(&edit, r->entry + LINE + sizeof(edit) * i, sizeof(edit));
		at = edit.inserted.n ? (uintptr_t)edit.inserted.p - list_text : 0;
		if (!r->base_len || edit.offset < read || edit.offset > r->base_len || edit.inserted.n > e->kept ||
		    at > e->kept - edit.inserted.n || n + (edit.offset - read) + edit.inserted.n > TRACE_MESSAGE_MAX)
			return NULL;
		memcpy(r->out + n, r->base + read, edit.offset - read);
		n += edit.offset - read;
		memcpy(r->out + n, text + at, edit.inserted.n);
		n += edit.inserted.n;
		read = edit.offset + edit.removed;
	}
	e->kept = (uint16_t)n;
	e->direction = TRACE_OUT;
	e->edits = 0;
	return r->out;
}

unsigned trace_read(const struct trace *t, uint64_t call, void (*fn)(void *ctx, const struct trace_entry *entry, const uint8_t *message),
		    void *ctx)
{
	uint64_t head = atomic_load_explicit((_Atomic(uint64_t) *)&t->head, memory_order_acquire), at = floor_of(t);
	struct reader r;
	struct trace_entry *e = (struct trace_entry *)r.entry;
	unsigned n = 0;

	r.base_len = 0;
	while (at < head) {
		const uint8_t *message;
		uint32_t bytes;

		read_lines(r.entry, place(t, at), 1);
		if (!still_whole(t, at)) {
			at = floor_of(t);
			r.base_len = 0;
			continue;
		}
		bytes = entry_bytes(e);
		if (e->direction != TRACE_PAD && (!call || e->call == call)) {
			read_lines(r.entry + LINE, place(t, at) + LINE, bytes / LINE - 1);
			if (still_whole(t, at)) {
				message = e->direction == DIFFERENCE ? edited_message(t, &r, e) : whole_message(&r);
				if (message) {
					fn(ctx, e, message);
					n++;
				}
			}
		} else if (e->direction == TRACE_IN) {
			r.base_len = 0; /* what follows may differ from another call's, which was not read */
		}
		at += bytes;
	}
	return n;
}
