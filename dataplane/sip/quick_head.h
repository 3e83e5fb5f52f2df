/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The lines of a message's head into its index, as they usually look: included by level_body.h behind message_head.h, whose index_lines takes what looks
 * otherwise (folded lines, no blank line, more lines than there is room for). */

#include "sip/quick_line.h"

/* Line feeds of the block at data, of which `left` bytes are there. */
static inline uint64_t feeds_of(const uint8_t *data, uint64_t left)
{
	struct chunk c = left >= SCAN_BLOCK ? chunk_load(data, SCAN_BLOCK) : chunk_load(data, (uint32_t)left);

	return chunk_is(&c, '\n');
}

/* The head of m->data into the index: true, or false with *m in some state. A block's line feeds are found before its lines are looked at, so that no
 * line waits for the one before it: where each begins depends on nothing but these. */
static __attribute__((noinline)) bool read_head(struct sip_message *m)
{
	const uint8_t *data = m->data, *p;
	uint64_t len = m->len, safe = len - NAME_BYTES, base = 0, present = 0, count = 0, start, end, feeds, tail, bit, id;
	struct sip_header *h = m->headers;
	const struct header_look *look;
	int16_t last[SIP_HEADER_IDS]; /* line of each kind that is repeated */
	name_t name;

	if (len < NAME_BYTES)
		return false;
	while (!(feeds = feeds_of(data + base, len - base))) {
		base += SCAN_BLOCK;
		if (base >= len)
			return false;
	}
	end = base + _tzcnt_u64(feeds) + 1;
	start_line(m, (uint32_t)end);
	if (is_noise(m))
		return false;
	feeds = _blsr_u64(feeds);
	for (;;) {
		for (; feeds; feeds = _blsr_u64(feeds), h++, count++) {
			start = end;
			end = base + _tzcnt_u64(feeds) + 1;
			p = data + start;
			name = __builtin_expect(start <= safe, 1) ? name_load(p, NAME_BYTES) : name_load(p, (uint32_t)(len - start));
			look = header_look_of(name_first(name), name_length(name));
			if (__builtin_expect(!name_same(name, look), 0))
				goto other;
			tail = look->tail;
			bit = look->bit;
			id = look->id;
		link:
			h->start = (uint32_t)start;
			h->end = (uint32_t)end;
			memcpy(&h->name_len, &tail, sizeof(tail));
			if (__builtin_expect(!!(present & bit), 0)) { /* as line_link */
				m->headers[m->repeated & bit ? last[id] : m->first[id]].next = (int16_t)count;
				m->repeated |= bit;
				last[id] = (int16_t)count;
				continue;
			}
			present |= bit;
			m->first[id] = (int16_t)count;
			continue;
		other:
			if (*p <= ' ')
				goto blank;
			tail = other_line(p, (uint32_t)(end - start));
			if (!tail)
				return false;
			id = tail >> 32 & 0xff;
			bit = id ? 1ull << id : 0;
			goto link;
		}
		base += SCAN_BLOCK;
		if (base >= len || count > SIP_LINES_MAX - SCAN_BLOCK)
			return false;
		feeds = feeds_of(data + base, len - base);
	}
blank:
	m->first[SIP_H_OTHER] = -1;
	m->present = present;
	m->header_count = (uint16_t)count;
	m->head_end = (uint32_t)start;
	m->body = scan_blank(data, m->len, (uint32_t)start);
	return m->body;
}
