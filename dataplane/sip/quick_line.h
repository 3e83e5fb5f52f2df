/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A line of a message's head, as it usually looks. Beside what quick_values.h wants, level_*.c say what a name is:
 *   name_load(p, n)      up to 32 bytes, zeros behind them, and maybe in place of the last three
 *   name_first(name)     its first four
 *   name_length(name)    where its colon is; 32 without one
 *   name_same(name, l)   whether it is the one of a struct header_look
 *
 * A line is looked at at its two ends alone: its first 32 bytes mostly have its name. A value's bytes are left to whoever asks
 * for it. The blank line, and the beginning of one that goes on, are found because no name begins so. */

#include "sip/header_names.h"
#include "sip/quick_values.h"

#define NAME_BYTES 32 /* read of each line */

/* The start line has been read, and is none. */
static inline bool is_noise(const struct sip_message *m)
{
	return (m->fault != SIP_FINE || (m->is_request && !m->method)) && !start_line_plausible(m->data, m->len);
}

/* The tail of a struct sip_header, from name_len on, as a word; 0, which none has: no header line. */
static inline uint64_t line_tail(const struct sip_header *h)
{
	uint64_t tail;

	memcpy(&tail, &h->name_len, sizeof(tail));
	return tail;
}

/* A line of n bytes that is none of the usual ones: of another name, or oddly written. Its tail. */
static __attribute__((noinline)) uint64_t other_line(const uint8_t *line, uint32_t n)
{
	struct chunk c = chunk_load(line, n < SCAN_BLOCK ? n : SCAN_BLOCK);
	uint32_t name = first_bit(chunk_is(&c, ':'));
	struct sip_header h = { 0 };
	const uint8_t *colon;

	if (name - 1 < 63 && !(~chunk_in(&c, LEX_SET_TOKEN) & below(name))) {
		h = (struct sip_header){ .name_len = (uint16_t)name, .next = -1, .id = (uint8_t)sip_header_lookup(span_of(line, name)) };
		return line_tail(&h);
	}
	colon = memchr(line, ':', n);
	return header_line_read(line, (struct scan_line){ 0, colon ? (uint32_t)(colon - line) : UINT32_MAX, n }, &h) < 0 ? 0 : line_tail(&h);
}
