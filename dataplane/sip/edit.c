/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/edit.h"

#include "base/err.h"
#include "sip/value.h"

void edit_replace(struct edit_list *l, uint32_t offset, uint32_t removed, struct span inserted)
{
	if (l->count == EDITS_MAX) {
		l->error = -ERR_FULL;
		return;
	}
	l->edits[l->count] = (struct edit){ offset, removed, inserted, l->count };
	l->count++;
}

uint8_t *edit_text_begin(struct edit_list *l, uint32_t n)
{
	if (n > EDIT_TEXT_BYTES - l->text_used) {
		l->error = -ERR_FULL;
		return NULL;
	}
	return l->text + l->text_used;
}

struct span edit_text_end(struct edit_list *l, uint32_t used)
{
	struct span s = { l->text + l->text_used, used };

	l->text_used += used;
	return s;
}

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

/* Takes those of the first n edits out that only take bytes of [from, to) away. Edits at one offset stand in the list by age,
 * sorted or not, so that places will do as ages. */
static void drop_removals(struct edit_list *l, uint32_t n, uint32_t from, uint32_t to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct edit *e = &l->edits[i];

		if (i < n && e->removed && !e->inserted.n && e->offset >= from && e->offset + e->removed <= to)
			continue;
		l->edits[kept] = *e;
		l->edits[kept].order = kept;
		kept++;
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

uint32_t edit_size(const struct edit_list *l, const struct sip_message *m)
{
	uint32_t size = m->len;

	for (uint32_t i = 0; i < l->count; i++)
		size += l->edits[i].inserted.n - l->edits[i].removed;
	return size;
}

/* By offset, then by age. Lists are short and nearly sorted: insertion sort. */
static void sort_edits(struct edit_list *l)
{
	for (uint32_t i = 1; i < l->count; i++) {
		struct edit e = l->edits[i];
		uint32_t j = i;

		for (; j && (l->edits[j - 1].offset > e.offset ||
			     (l->edits[j - 1].offset == e.offset && l->edits[j - 1].order > e.order)); j--)
			l->edits[j] = l->edits[j - 1];
		l->edits[j] = e;
	}
}

/* Sorted edits lie inside the message and take no byte twice. Several may stand at one offset, one of them removing. */
static bool is_applicable(const struct edit_list *l, uint32_t len)
{
	uint32_t taken = 0, at = UINT32_MAX;
	bool removes = false;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct edit *e = &l->edits[i];

		if (e->offset > len || e->removed > len - e->offset)
			return false;
		if (e->offset != at) {
			if (e->offset < taken)
				return false;
			at = e->offset;
			removes = false;
		}
		if (e->removed) {
			if (removes)
				return false;
			removes = true;
			taken = e->offset + e->removed;
		}
	}
	return true;
}

int edit_compose(struct edit_list *l, const struct sip_message *m, uint8_t *out, uint32_t cap)
{
	uint32_t read = 0, written = 0;

	if (l->error)
		return l->error;
	sort_edits(l);
	if (!is_applicable(l, m->len))
		return -ERR_INVALID;
	if (edit_size(l, m) > cap)
		return -ERR_FULL;
	for (uint32_t i = 0; i < l->count; i++) {
		const struct edit *e = &l->edits[i];

		if (e->offset > read) {
			memcpy(out + written, m->data + read, e->offset - read);
			written += e->offset - read;
			read = e->offset;
		}
		if (e->inserted.n)
			memcpy(out + written, e->inserted.p, e->inserted.n);
		written += e->inserted.n;
		if (e->removed)
			read = e->offset + e->removed;
	}
	memcpy(out + written, m->data + read, m->len - read);
	return (int)(written + m->len - read);
}
