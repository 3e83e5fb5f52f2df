/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/span.h"
#include "sip/message.h"

/* Forwarding is a list of edits applied in one pass: bytes that no edit names leave as they came. */

#define EDITS_MAX	48
#define EDIT_TEXT_BYTES 2048

/* Replace `removed` bytes at `offset` by inserted. Edits at one offset keep the order in which they were added. */
struct edit {
	uint32_t offset;
	uint32_t removed;
	struct span inserted;
};

struct edit_list {
	uint32_t count;
	uint32_t text_used;
	int error; /* sticky: 0 or a negative enum err; edit_compose returns it */
	struct edit edits[EDITS_MAX];
	uint8_t text[EDIT_TEXT_BYTES]; /* holds what edit_text wrote */
};

static inline void edit_reset(struct edit_list *l)
{
	l->count = 0;
	l->text_used = 0;
	l->error = 0;
}

/* inserted must stay alive until edit_compose. Overlapping removals make edit_compose fail. worker-only */
void edit_replace(struct edit_list *l, uint32_t offset, uint32_t removed, struct span inserted);

/* The same by the position of a span inside the message. worker-only */
static inline void edit_replace_span(struct edit_list *l, const struct sip_message *m, struct span old, struct span inserted)
{
	edit_replace(l, (uint32_t)(old.p - m->data), old.n, inserted);
}

/* Copies bytes into the list's own text and returns the copy, so that a caller's temporary may die. Empty on overflow
 * (error is set). worker-only */
struct span edit_text(struct edit_list *l, const void *bytes, uint32_t n);

/* Room for up to n bytes of text; write at the returned pointer, then edit_text_end with what was used. NULL: overflow. worker-only */
uint8_t *edit_text_begin(struct edit_list *l, uint32_t n);
struct span edit_text_end(struct edit_list *l, uint32_t used);

/* Removes one value of a multi-valued header: with its comma when the line has others, else the whole line. `value` is a span into
 * m that is the value without surrounding white space (name_addr.whole, via.whole), on header line `line`. worker-only */
void edit_remove_value(struct edit_list *l, const struct sip_message *m, int line, struct span value);

/* The size that edit_compose will write. worker-only */
uint32_t edit_size(const struct edit_list *l, const struct sip_message *m);

/* Writes the edited message to out. Bytes written, or -ERR_FULL (cap too small), -ERR_INVALID (overlapping edits), or the sticky
 * error. May be called again. worker-only */
int edit_compose(struct edit_list *l, const struct sip_message *m, uint8_t *out, uint32_t cap);
