/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The lines of a message's head into its index, as they usually look: included by level_body.h behind message_head.h, whose index_lines takes what looks
 * otherwise (folded lines, no blank line, more lines than there is room for). Beside what quick_values.h wants, level_*.c say what a name is:
 *   name_load(p, n)      up to 32 bytes, zeros behind them, and maybe in place of the last three
 *   name_first(name)     its first four
 *   name_length(name)    where its colon is; 32 without one
 *   name_same(name, l)   whether it is the one of a struct header_look
 *
 * A line is looked at from its own start: its first 64 bytes mostly have its end, its first 32 its name. A value's bytes are left to whoever asks
 * for it. The blank line, and the beginning of one that goes on, are found because no name begins so. */

#include "sip/header_names.h"
#include "sip/quick_values.h"

#define LINE_BYTES_MIN 3 /* "a:" and a line feed */

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

/* A line's length, with its line feed, when that is not among the first `from` bytes; 0: there is none in n bytes. */
static __attribute__((noinline)) uint32_t line_length(const uint8_t *line, uint64_t n, uint32_t from)
{
	uint64_t feeds;
	struct chunk c;

	for (; from < n; from += SCAN_BLOCK) {
		c = n - from >= SCAN_BLOCK ? chunk_load(line + from, SCAN_BLOCK) : chunk_load(line + from, (uint32_t)(n - from));
		feeds = chunk_is(&c, '\n');
		if (feeds)
			return from + first_bit(feeds) + 1;
	}
	return 0;
}

/* Line feeds of the 64 bytes at p. */
static inline uint64_t feeds_of(const uint8_t *p)
{
	struct chunk c = chunk_load(p, SCAN_BLOCK);

	return chunk_is(&c, '\n');
}

/* Up to where lines may begin so that 64 bytes can be read there, and so that there is room for all of them: the next is headers[count], at p. */
static inline const uint8_t *lines_limit(const uint8_t *p, const uint8_t *end, uint64_t count)
{
	uint64_t room = (SIP_LINES_MAX - SCAN_BLOCK - count) * LINE_BYTES_MIN;

	return (uint64_t)(end - p) < SCAN_BLOCK + room ? end - SCAN_BLOCK : p + room;
}

/* The head of m->data into the index: true, or false with *m in some state. */
static __attribute__((noinline)) bool read_head(struct sip_message *m)
{
	const uint8_t *p = m->data, *end = p + m->len, *limit;
	uint64_t present = 0, count = 0, start, n, feeds, tail, bit, id;
	struct sip_header *h = m->headers;
	const struct header_look *look;
	name_t name;

	if (m->len < SCAN_BLOCK)
		return false;
	feeds = feeds_of(p);
	start = feeds ? _tzcnt_u64(feeds) + 1 : line_length(p, m->len, SCAN_BLOCK);
	if (!start)
		return false;
	start_line(m, (uint32_t)start);
	if ((m->fault != SIP_FINE || (m->is_request && !m->method)) && !start_line_plausible(p, m->len))
		return false;
	limit = lines_limit(p, end, 0);
	for (p += start;; p += n, h++, count++) {
		if (__builtin_expect(p > limit, 0))
			goto last;
	whole:
		feeds = feeds_of(p);
		name = name_load(p, SCAN_BLOCK);
		if (__builtin_expect(!feeds, 0))
			goto longer;
	ended:
		n = _tzcnt_u64(feeds) + 1;
	named:
		look = header_look_of(name_first(name), name_length(name));
		if (__builtin_expect(!name_same(name, look), 0))
			goto other;
		tail = look->tail;
		bit = look->bit;
		id = look->id;
	link:
		h->start = (uint32_t)start;
		start += n;
		h->end = (uint32_t)start;
		memcpy(&h->name_len, &tail, sizeof(tail));
		if (__builtin_expect(!!(present & bit), 0)) { /* as line_link */
			m->headers[m->repeated & bit ? m->last[id] : m->first[id]].next = (int16_t)count;
			m->repeated |= bit;
			m->last[id] = (int16_t)count;
			continue;
		}
		present |= bit;
		m->first[id] = (int16_t)count;
		continue;
	other:
		if (*p <= ' ')
			break;
		tail = other_line(p, (uint32_t)n);
		if (!tail)
			return false;
		id = tail >> 32 & 0xff;
		bit = id ? 1ull << id : 0;
		goto link;
	longer:
		feeds = end - p >= 2 * SCAN_BLOCK ? feeds_of(p + SCAN_BLOCK) : 0;
		n = feeds ? SCAN_BLOCK + _tzcnt_u64(feeds) + 1 : line_length(p, (uint64_t)(end - p), SCAN_BLOCK);
		if (n)
			goto named;
		return false;
	last:
		if (end - p >= SCAN_BLOCK) {
			if (count > SIP_LINES_MAX - SCAN_BLOCK)
				return false;
			limit = lines_limit(p, end, count);
			goto whole;
		}
		if (p == end)
			return false;
		/* the line feeds of the last 64 bytes, of which the first have been dealt with */
		feeds = feeds_of(end - SCAN_BLOCK) >> (SCAN_BLOCK - (end - p));
		name = name_load(p, (uint32_t)(end - p));
		if (feeds)
			goto ended;
		return false;
	}
	m->first[SIP_H_OTHER] = -1;
	m->present = present;
	m->header_count = (uint16_t)count;
	m->head_end = (uint32_t)start;
	m->body = scan_blank(m->data, m->len, (uint32_t)start);
	return m->body;
}

static inline bool index_quick(struct sip_message *m)
{
	if (read_head(m))
		return true;
	reset(m, m->data, m->len);
	return false;
}
