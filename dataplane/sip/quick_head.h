/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The lines of a message's head into its index, as they usually look: included by level_body.h behind message_head.h, whose index_lines takes what looks
 * otherwise (folded lines, no blank line, more lines than there is room for).
 *
 * Only line feeds are looked for. A line's colon is sought among its first bytes, where a name that we know has it; the blank line, and the
 * beginning of one that goes on, are found because no name begins so. */

#include "sip/header_names.h"
#include "sip/quick_values.h"

#define NAME_BYTES 16 /* read of each line */

/* Before a line's end: the value and CRLF. */
static inline bool end_usual(const uint8_t *end)
{
	return end[-2] == '\r' && end[-3] > ' ';
}

/* A line that is none of the usual ones: of another name, or of a longer one, or oddly written. Its id, or -1. */
static __attribute__((noinline)) int other_line(const uint8_t *data, uint32_t start, uint32_t end, struct sip_header *h)
{
	uint32_t some = end - start < SCAN_BLOCK ? end - start : SCAN_BLOCK, n, value;
	const uint8_t *name = data + start;
	struct chunk c = chunk_load(name, some);
	enum sip_header_id id;
	const uint8_t *colon;

	n = first_bit(chunk_is(&c, ':'));
	if (n - 1 < 24 && n + 5 <= end - start && name[n + 1] == ' ' && name[n + 2] > ' ' && end_usual(data + end) &&
	    !(~chunk_in(&c, LEX_SET_TOKEN) & below(n))) {
		value = start + n + 2;
		id = sip_header_lookup(span_of(name, n));
		*h = (struct sip_header){ start, end, value, end - 2 - value, (uint16_t)n, (uint8_t)id, -1 };
		return id;
	}
	colon = memchr(name, ':', end - start);
	return header_line_read(data, (struct scan_line){ start, colon ? (uint32_t)(colon - data) : UINT32_MAX, end }, h);
}

/* Line feeds of the block at data, of which `left` bytes are there. */
static inline uint64_t feeds_of(const uint8_t *data, uint32_t left)
{
	struct chunk c = left >= SCAN_BLOCK ? chunk_load(data, SCAN_BLOCK) : chunk_load(data, left);

	return chunk_is(&c, '\n');
}

/* Where a line from `name` on is found, if its name is one of the usual ones. */
static inline const struct header_look *look_of(__m128i got, uint32_t n)
{
	uint32_t word = (uint32_t)_mm_cvtsi128_si32(got) | 0x20202020;

	return &header_looks[HEADER_LOOK_OF(_bzhi_u32(word, 8 * n), n)];
}

/* The head of m->data into the index: true, or false with *m in some state. Line feeds of a block at a time; places are words, so that they need no
 * widening. */
static __attribute__((noinline)) bool read_head(struct sip_message *m)
{
	const uint8_t *data = m->data;
	struct sip_header *h = m->headers;
	uint64_t len = m->len, safe = len - NAME_BYTES - 2, base = 0, start, end, n, feeds, present = 0, count = 0;
	const struct header_look *look;
	__m128i got;
	int id;

	if (len < NAME_BYTES + 2)
		return false;
	while (!(feeds = feeds_of(data + base, (uint32_t)(len - base)))) {
		base += SCAN_BLOCK;
		if (base >= len)
			return false;
	}
	end = base + (uint64_t)__builtin_ctzll(feeds) + 1;
	start_line(m, (uint32_t)end);
	feeds = _blsr_u64(feeds);
	for (;;) {
		for (; feeds; feeds = _blsr_u64(feeds)) {
			start = end;
			end = base + (uint64_t)__builtin_ctzll(feeds) + 1;
			if (start > safe)
				goto other;
			got = _mm_loadu_si128((const __m128i *)(data + start));
			n = _tzcnt_u32((uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(got, _mm_set1_epi8(':'))));
			look = look_of(got, (uint32_t)n);
			got = _mm_or_si128(got, _mm_load_si128((const __m128i *)look->fold));
			got = _mm_cmpeq_epi8(got, _mm_load_si128((const __m128i *)look->text));
			if (_mm_movemask_epi8(got) != 0xffff || data[start + n + 2] <= ' ' || !end_usual(data + end))
				goto other;
			h->start = (uint32_t)start;
			h->end = (uint32_t)end;
			h->value = (uint32_t)(start + n + 2);
			h->value_len = (uint32_t)(end - start - n - 4);
			memcpy(&h->name_len, &look->end, sizeof(look->end));
			id = look->id;
		link:
			if (__builtin_expect(present >> id & 1, 0)) { /* as line_link */
				m->repeated |= 1ull << id;
				m->headers[m->last[id]].next = (int16_t)count;
			} else {
				m->first[id] = (int16_t)count;
			}
			m->last[id] = (int16_t)count;
			present |= 1ull << id;
		next:
			h++, count++;
			continue;
		other:
			if (data[start] <= ' ')
				goto blank;
			id = other_line(data, (uint32_t)start, (uint32_t)end, h);
			if (id > SIP_H_OTHER)
				goto link;
			if (id == SIP_H_OTHER)
				goto next;
			blame(m, SIP_FAULT_HEAD);
		}
		base += SCAN_BLOCK;
		if (base >= len || count > SIP_LINES_MAX - SCAN_BLOCK)
			return false;
		feeds = feeds_of(data + base, (uint32_t)(len - base));
	}
blank:
	m->present = present;
	m->header_count = (uint16_t)count;
	m->head_end = (uint32_t)start;
	m->body = scan_blank(data, (uint32_t)len, (uint32_t)start);
	return m->body;
}

static inline bool index_quick(struct sip_message *m)
{
	if (read_head(m))
		return true;
	reset(m, m->data, m->len);
	return false;
}
