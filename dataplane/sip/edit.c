/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/edit.h"

#include "base/cpu.h"
#include "base/err.h"
#include "sip/value.h"

struct span edit_text(struct edit_list *l, const void *bytes, uint32_t n)
{
	uint8_t *room = edit_text_begin(l, n);

	if (!room)
		return span_of(l->text, 0);
	if (n)
		memcpy(room, bytes, n);
	return edit_text_end(l, n);
}

/* Whether one of the first n edits takes the value away. */
static bool is_removed(const struct edit_list *l, uint32_t n, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct edit *e = &l->edits[i];

		if (e->removed && !e->inserted.n && e->offset <= from && e->offset + e->removed >= to)
			return true;
	}
	return false;
}

/* Takes those of the first n edits out that only take bytes of [from, to) away. */
static void drop_removals(struct edit_list *l, uint32_t n, uint32_t from, uint32_t to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct edit *e = &l->edits[i];

		if (i < n && e->removed && !e->inserted.n && e->offset >= from && e->offset + e->removed <= to) {
			l->grows += e->removed;
			continue;
		}
		l->edits[kept++] = *e;
	}
	l->count = kept;
}

/* The values that stay keep exactly one comma between them, whichever of their neighbours go and in whatever order they were
 * named: the line's removals are worked out anew each time. */
void edit_remove_value(struct edit_list *l, const struct sip_message *m, int line, struct span value)
{
	const struct sip_header *h = &m->headers[line];
	struct span rest = sip_value(m, line), v;
	uint32_t target = (uint32_t)(value.p - m->data), before = l->count;
	uint32_t run = UINT32_MAX, kept_end = UINT32_MAX, last_end = 0;

	while (value_next(&rest, &v)) {
		uint32_t from = (uint32_t)(v.p - m->data), to = from + v.n;

		if ((from <= target && target < to) || from == target || is_removed(l, before, from, to)) {
			if (run == UINT32_MAX)
				run = from;
			last_end = to;
			continue;
		}
		if (run != UINT32_MAX)
			edit_replace(l, run, from - run, span_of(m->data, 0));
		run = UINT32_MAX;
		kept_end = to;
	}
	if (run != UINT32_MAX && kept_end != UINT32_MAX)
		edit_replace(l, kept_end, last_end - kept_end, span_of(m->data, 0));
	else if (run != UINT32_MAX)
		edit_replace(l, h->start, h->end - h->start, span_of(m->data, 0));
	drop_removals(l, before, h->start, h->end);
}

/* By offset, then by age. Lists are short and nearly sorted: insertion sort. */
static void sort(struct edit_list *l)
{
	for (uint32_t i = 1; i < l->count; i++) {
		struct edit e = l->edits[i];
		uint32_t place = i;

		for (; place && l->edits[place - 1].offset > e.offset; place--)
			l->edits[place] = l->edits[place - 1];
		l->edits[place] = e;
	}
}

/* Edits that did not come in order. Afterwards each begins where the one before it ends, or later: of several at one offset the last removes
 * what the one that removes named. -ERR_INVALID: two take the same byte. */
static __attribute__((noinline)) int settle(struct edit_list *l)
{
	uint64_t upto = 0;

	sort(l);
	for (uint32_t i = 0; i < l->count; i++) {
		struct edit *e = &l->edits[i], *next = e + 1;

		if (e->offset < upto)
			return -ERR_INVALID;
		if (i + 1 < l->count && next->offset == e->offset && e->removed) {
			if (next->removed)
				return -ERR_INVALID;
			next->removed = e->removed;
			e->removed = 0;
		}
		upto = (uint64_t)e->offset + e->removed;
	}
	l->unsettled = false;
	return 0;
}

#define STEPS_AT_ONCE 2

typedef uint8_t bytes_16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t bytes_32 __attribute__((vector_size(32), aligned(1), may_alias));

/* A step, at any address; wide: in two registers. */
static inline __attribute__((always_inline)) void copy_step(uint8_t *to, const uint8_t *from, bool wide)
{
	if (wide) {
		bytes_32 low = *(const bytes_32 *)from, high = *(const bytes_32 *)(from + 32);

		*(bytes_32 *)to = low;
		*(bytes_32 *)(to + 32) = high;
	} else {
		for (unsigned i = 0; i < EDIT_STEP; i += 16)
			*(bytes_16 *)(to + i) = *(const bytes_16 *)(from + i);
	}
}

/* Reads and writes whole steps, one at the least: most pieces are no longer, and no branch depends on how much shorter. */
static inline __attribute__((always_inline)) void copy_steps(uint8_t *to, const uint8_t *from, uint64_t n, bool wide)
{
	copy_step(to, from, wide);
	for (uint64_t at = EDIT_STEP; at < n; at += EDIT_STEP)
		copy_step(to + at, from + at, wide);
}

/* n >= EDIT_STEP bytes and none beyond. Where fewer steps are left than the loop takes, the last is made several times. */
static inline __attribute__((always_inline)) void copy_rest(uint8_t *to, const uint8_t *from, uint64_t n, bool wide)
{
	uint64_t last = n - EDIT_STEP, at = 0;

	for (; at + (STEPS_AT_ONCE - 1) * EDIT_STEP < last; at += STEPS_AT_ONCE * EDIT_STEP)
#pragma GCC unroll 4
		for (unsigned i = 0; i < STEPS_AT_ONCE; i++)
			copy_step(to + at + i * EDIT_STEP, from + at + i * EDIT_STEP, wide);
#pragma GCC unroll 4
	for (unsigned i = 0; i < STEPS_AT_ONCE; i++, at += EDIT_STEP) {
		uint64_t place = at < last ? at : last;

		copy_step(to + place, from + place, wide);
	}
}

/* Where steps could read or write beyond an end. The output has room. */
static __attribute__((noinline)) int compose_careful(const struct edit_list *l, const struct sip_message *m, uint8_t *out)
{
	uint8_t *to = out;
	uint32_t read = 0;

	for (const struct edit *e = l->edits, *last = e + l->count; e < last; e++) {
		memcpy(to, m->data + read, e->offset - read);
		to += e->offset - read;
		if (e->inserted.n)
			memcpy(to, e->inserted.p, e->inserted.n);
		to += e->inserted.n;
		read = e->offset + e->removed;
	}
	if (m->len > read)
		memcpy(to, m->data + read, m->len - read);
	return (int)edit_size(l, m);
}

/* A step or more of the message follows the last edit: so steps that begin before it end inside the message, and write over what is written
 * later. The list's own text has room for a step too. */
static inline __attribute__((always_inline)) int compose_steps(const struct edit_list *l, const struct sip_message *m, uint8_t *to, bool wide)
{
	const uint8_t *data = m->data, *from = data;

	for (const struct edit *e = l->edits, *last = e + l->count; e < last; e++) {
		const uint8_t *at = data + e->offset, *text = e->inserted.p;
		uint64_t n = e->inserted.n;

		copy_steps(to, from, (uint64_t)(at - from), wide);
		to += at - from;
		from = at + e->removed;
		copy_steps(to, n ? text : l->text, n, wide);
		to += n;
	}
	copy_rest(to, from, (uint64_t)(data + m->len - from), wide);
	return (int)edit_size(l, m);
}

static __attribute__((noinline)) int compose_plain(const struct edit_list *l, const struct sip_message *m, uint8_t *out)
{
	return compose_steps(l, m, out, false);
}

#if CPU_X86
TARGET_AVX2 static __attribute__((noinline)) int compose_avx2(const struct edit_list *l, const struct sip_message *m, uint8_t *out)
{
	return compose_steps(l, m, out, true);
}
#endif

int edit_compose(struct edit_list *l, const struct sip_message *m, uint8_t *out, uint32_t cap)
{
	int rc;

	if (l->error)
		return l->error;
	if (l->upto > m->len)
		return -ERR_INVALID;
	if (__builtin_expect(l->unsettled, 0) && (rc = settle(l)) < 0)
		return rc;
	if (edit_size(l, m) > cap)
		return -ERR_FULL;
	if (l->upto + EDIT_STEP > m->len || l->foreign)
		return compose_careful(l, m, out);
#if CPU_X86
	if (cpu_level >= CPU_AVX2)
		return compose_avx2(l, m, out);
#endif
	return compose_plain(l, m, out);
}
