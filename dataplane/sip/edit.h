/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "sip/message.h"

/* Forwarding is a list of edits applied in one pass: bytes that no edit names leave as they came. */

#define EDITS_MAX	48
#define EDIT_TEXT_BYTES 2048
#define EDIT_STEP	64 /* bytes that edit_compose copies at a time: it may read so far behind the text */

/* Replace `removed` bytes at `offset` by inserted. Edits at one offset keep the order in which they were added. */
struct edit {
	uint32_t offset;
	uint32_t removed;
	struct span inserted;
};

struct edit_list {
	uint32_t count;
	uint32_t text_used;
	uint32_t grows; /* what all of them insert less what they remove, modulo 2^32 */
	bool unsettled; /* one begins before the end of those before it: edit_compose puts them in order, or refuses them */
	bool foreign;	/* some of what they insert is not in text */
	uint64_t upto;	/* in the message: no edit takes a byte behind that */
	int error; /* sticky: 0 or a negative enum err; edit_compose returns it */
	struct edit edits[EDITS_MAX];
	_Alignas(64) uint8_t text[EDIT_TEXT_BYTES + EDIT_STEP]; /* holds what edit_text wrote */
};

static inline void edit_reset(struct edit_list *l)
{
	l->count = 0;
	l->text_used = 0;
	l->grows = 0;
	l->unsettled = l->foreign = false;
	l->upto = 0;
	l->error = 0;
}

static inline void edit_note(struct edit_list *l, uint32_t offset, uint32_t removed, struct span inserted)
{
	uint64_t end = (uint64_t)offset + removed;

	if (__builtin_expect(l->count == EDITS_MAX, 0)) {
		l->error = -ERR_FULL;
		return;
	}
	l->edits[l->count++] = (struct edit){ offset, removed, inserted };
	l->grows += inserted.n - removed;
	l->unsettled |= offset < l->upto;
	l->upto = end > l->upto ? end : l->upto;
}

/* inserted must stay alive until edit_compose. Overlapping removals make edit_compose fail. worker-only */
static inline void edit_replace(struct edit_list *l, uint32_t offset, uint32_t removed, struct span inserted)
{
	l->foreign |= inserted.n && (uintptr_t)inserted.p - (uintptr_t)l->text >= EDIT_TEXT_BYTES;
	edit_note(l, offset, removed, inserted);
}

/* The same by the position of a span inside the message. worker-only */
static inline void edit_replace_span(struct edit_list *l, const struct sip_message *m, struct span old, struct span inserted)
{
	edit_replace(l, (uint32_t)(old.p - m->data), old.n, inserted);
}

/* Copies bytes into the list's own text and returns the copy, so that a caller's temporary may die. Empty on overflow
 * (error is set). worker-only */
struct span edit_text(struct edit_list *l, const void *bytes, uint32_t n);

/* Room for up to n bytes of text; write at the returned pointer, then edit_text_end with what was used. NULL: overflow. worker-only */
static inline uint8_t *edit_text_begin(struct edit_list *l, uint32_t n)
{
	if (n > EDIT_TEXT_BYTES - l->text_used) {
		l->error = -ERR_FULL;
		return NULL;
	}
	return l->text + l->text_used;
}

static inline struct span edit_text_end(struct edit_list *l, uint32_t used)
{
	struct span s = { l->text + l->text_used, used };

	l->text_used += used;
	return s;
}

/* edit_replace by the `used` bytes that were written where edit_text_begin said. worker-only */
static inline void edit_replace_text(struct edit_list *l, uint32_t offset, uint32_t removed, uint32_t used)
{
	edit_note(l, offset, removed, edit_text_end(l, used));
}

/* Removes one value of a multi-valued header: with its comma when the line has others, else the whole line. `value` is a span into
 * m that is the value without surrounding white space (name_addr.whole, via.whole), on header line `line`. worker-only */
void edit_remove_value(struct edit_list *l, const struct sip_message *m, int line, struct span value);

/* The size that edit_compose will write. worker-only */
static inline uint32_t edit_size(const struct edit_list *l, const struct sip_message *m)
{
	return m->len + l->grows;
}

/* Writes the edited message to out. Bytes written, or -ERR_FULL (cap too small), -ERR_INVALID (overlapping edits), or the sticky
 * error; then out's bytes are anything. May be called again. Leaves the edits sorted by offset, and where several stand at one, the last of them
 * removes. worker-only */
int edit_compose(struct edit_list *l, const struct sip_message *m, uint8_t *out, uint32_t cap);
