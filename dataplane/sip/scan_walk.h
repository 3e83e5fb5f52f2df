/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sip/scan.h"

/* The scan, for whoever has a chunk of 64 bytes (chunk_load, chunk_is, first_bit: quick_values.h): its line feeds and its colons become two
 * masks, one bit a byte, out of which the lines are read; so that the variants can differ only in how fast they make them. */

#define SCAN_BLOCK 64

/* A blank line at `at`: one past it, or 0. */
static inline uint32_t scan_blank(const uint8_t *data, uint32_t len, uint32_t at)
{
	if (at < len && data[at] == '\n')
		return at + 1;
	return at + 1 < len && data[at] == '\r' && data[at + 1] == '\n' ? at + 2 : 0;
}

/* scan_lines. */
static inline enum scan_end scan_list(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines, uint32_t *ret_count,
				      uint32_t *ret_head)
{
	/* of the line being read: its first byte; the first colon from there on, or the block to come */
	uint32_t start = 0, colon = 0, last = 0, head = scan_blank(data, len, 0);
	struct scan_line *line = lines, *room = lines + max_lines;
	enum scan_end end = head ? SCAN_COMPLETE : SCAN_PARTIAL;

	for (uint32_t base = 0; base < len && !head; base += SCAN_BLOCK) {
		uint32_t left = len - base;
		struct chunk c = left >= SCAN_BLOCK ? chunk_load(data + base, SCAN_BLOCK) : chunk_load(data + base, left);
		uint64_t feeds = chunk_is(&c, '\n'), colons = chunk_is(&c, ':');

		if (left <= SCAN_BLOCK) /* what stands last has nothing behind it to look at */
			feeds &= ~(1ULL << (left - 1));
		if (colon >= base)
			colon = base + first_bit(colons);
		for (; feeds; feeds &= feeds - 1) {
			uint32_t next = base + (uint32_t)__builtin_ctzll(feeds) + 1;

			/* rare: a folded line, or the head's end */
			if (__builtin_expect(data[next] <= ' ', 0)) {
				if (data[next] == ' ' || data[next] == '\t')
					continue;
				head = scan_blank(data, len, next);
				if (head) {
					end = SCAN_COMPLETE;
					last = next;
					goto done;
				}
			}
			if (line == room) {
				end = SCAN_TOO_MANY;
				goto done;
			}
			*line++ = (struct scan_line){ start, colon < next ? colon : UINT32_MAX, next };
			start = next;
			colons &= ~(feeds ^ (feeds - 1));
			colon = base + first_bit(colons);
		}
	}
	if (!head && len && data[len - 1] == '\n')
		last = len;
done:
	/* the line before the blank one, or before the end of what there is */
	if (last && line == room)
		end = SCAN_TOO_MANY;
	else if (last)
		*line++ = (struct scan_line){ start, colon < last ? colon : UINT32_MAX, last };
	*ret_count = (uint32_t)(line - lines);
	*ret_head = head;
	return end;
}
