/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/edit.h"

#include "base/err.h"
#include "base/partial.h"
#include "sip/value.h"

void edit_replace(struct edit_list *l, uint32_t offset, uint32_t removed, struct span inserted)
{
	if (l->count == EDITS_MAX) {
		l->error = -ERR_FULL;
		return;
	}
	l->edits[l->count] = (struct edit){ offset, removed, inserted };
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

/* Takes those of the first n edits out that only take bytes of [from, to) away. */
static void drop_removals(struct edit_list *l, uint32_t n, uint32_t from, uint32_t to)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct edit *e = &l->edits[i];

		if (i < n && e->removed && !e->inserted.n && e->offset >= from && e->offset + e->removed <= to)
			continue;
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

uint32_t edit_size(const struct edit_list *l, const struct sip_message *m)
{
	uint32_t size = m->len;

	for (uint32_t i = 0; i < l->count; i++)
		size += l->edits[i].inserted.n - l->edits[i].removed;
	return size;
}

/* Keys of the edits, by offset, then by age: which is the place in the list, below the offset. Lists are short and nearly sorted: insertion
 * sort. */
static inline void sort_edits(const struct edit_list *l, uint64_t key[EDITS_MAX + 1])
{
	key[0] = 0; /* stops the search: nothing is smaller */
	for (uint32_t i = 0; i < l->count; i++) {
		uint64_t k = (uint64_t)l->edits[i].offset << 32 | i, *place = &key[i + 1];

		for (; place[-1] > k; place--)
			place[0] = place[-1];
		*place = k;
	}
}

/* memcpy of what is mostly short, in two overlapping pieces; where it ends. */
static inline uint8_t *copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (n > 64) {
		memcpy(to, from, n);
	} else if (n >= 32) {
		uint8_t low[32], high[32];

		memcpy(low, from, 32);
		memcpy(high, from + n - 32, 32);
		memcpy(to, low, 32);
		memcpy(to + n - 32, high, 32);
	} else if (n >= 16) {
		uint8_t low[16], high[16];

		memcpy(low, from, 16);
		memcpy(high, from + n - 16, 16);
		memcpy(to, low, 16);
		memcpy(to + n - 16, high, 16);
	} else if (n >= 8) {
		uint64_t low = load_64(from), high = load_64(from + n - 8);

		memcpy(to, &low, 8);
		memcpy(to + n - 8, &high, 8);
	} else if (n >= 4) {
		uint32_t low = load_32(from), high = load_32(from + n - 4);

		memcpy(to, &low, 4);
		memcpy(to + n - 4, &high, 4);
	} else if (n) {
		uint8_t first = from[0], middle = from[n / 2], last = from[n - 1];

		to[0] = first;
		to[n / 2] = middle;
		to[n - 1] = last;
	}
	return to + n;
}

/* What the next edits are held against: sorted, they lie inside the message and take no byte twice. Several may stand at one offset, one of them
 * removing. */
struct taken {
	uint32_t upto; /* bytes of the message that are written or removed */
	uint32_t at;   /* where the last edit stood */
	bool removes;  /* and whether one there removes */
};

static inline bool take(struct taken *t, const struct edit *e, uint32_t len)
{
	if (e->offset > len || e->removed > len - e->offset)
		return false;
	if (e->offset != t->at) {
		if (e->offset < t->upto)
			return false;
		t->at = e->offset;
		t->removes = false;
	}
	if (!e->removed)
		return true;
	if (t->removes)
		return false;
	t->removes = true;
	t->upto = e->offset + e->removed;
	return true;
}

/* No room; but that is told of lists alone that could be applied. */
static __attribute__((noinline, cold)) int refuse(const struct edit_list *l, const uint64_t *key, uint32_t len)
{
	struct taken t = { .at = UINT32_MAX };

	for (uint32_t i = 0; i < l->count; i++)
		if (!take(&t, &l->edits[(uint32_t)key[i]], len))
			return -ERR_INVALID;
	return -ERR_FULL;
}

int edit_compose(struct edit_list *l, const struct sip_message *m, uint8_t *out, uint32_t cap)
{
	uint64_t keys[EDITS_MAX + 1], *key = keys + 1;
	struct taken t = { .at = UINT32_MAX };
	uint8_t *to = out, *end = out + cap;
	uint32_t read = 0;

	if (l->error)
		return l->error;
	sort_edits(l, keys);
	for (uint32_t i = 0; i < l->count; i++) {
		const struct edit *e = &l->edits[(uint32_t)key[i]];

		if (!take(&t, e, m->len))
			return -ERR_INVALID;
		if (e->offset > read) {
			if (e->offset - read > end - to)
				return refuse(l, key, m->len);
			to = copy(to, m->data + read, e->offset - read);
			read = e->offset;
		}
		if (e->inserted.n > end - to)
			return refuse(l, key, m->len);
		to = copy(to, e->inserted.p, e->inserted.n);
		if (e->removed)
			read = e->offset + e->removed;
	}
	if (m->len - read > end - to)
		return -ERR_FULL;
	memcpy(to, m->data + read, m->len - read);
	return (int)(to - out + (m->len - read));
}
