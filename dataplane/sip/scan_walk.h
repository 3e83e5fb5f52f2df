/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

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

/* Takes one line (offsets as in struct scan_line). false: there is no room for it. Inlined, so that its places stay in registers. */
typedef bool scan_take(void *ctx, uint32_t start, uint32_t colon, uint32_t end);

/* Hands every line up to the blank one to take; *ret_head as scan_lines has it. */
static inline __attribute__((always_inline)) enum scan_end scan_walk(const uint8_t *data, uint32_t len, scan_take take, void *ctx,
								      uint32_t *ret_head)
{
	/* of the line being read: its first byte; the first colon from there on, or the block to come */
	uint32_t start = 0, colon = 0, head = scan_blank(data, len, 0), last = 0;

	*ret_head = head;
	if (head)
		return SCAN_COMPLETE;
	for (uint32_t base = 0; base < len; base += SCAN_BLOCK) {
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
					last = next;
					goto last_line;
				}
			}
			if (!take(ctx, start, colon < next ? colon : UINT32_MAX, next))
				return SCAN_TOO_MANY;
			start = next;
			colons &= ~(feeds ^ (feeds - 1));
			colon = base + first_bit(colons);
		}
	}
	if (len && data[len - 1] == '\n')
		last = len;
last_line:
	/* the line before the blank one, or before the end of what there is */
	*ret_head = head;
	if (last && !take(ctx, start, colon < last ? colon : UINT32_MAX, last))
		return SCAN_TOO_MANY;
	return head ? SCAN_COMPLETE : SCAN_PARTIAL;
}

struct scan_list {
	struct scan_line *line, *room; /* the next, and one past the last that there is room for */
};

static inline __attribute__((always_inline)) bool scan_list_take(void *ctx, uint32_t start, uint32_t colon, uint32_t end)
{
	struct scan_list *list = ctx;

	if (list->line == list->room)
		return false;
	*list->line++ = (struct scan_line){ start, colon, end };
	return true;
}

/* scan_lines. */
static inline enum scan_end scan_list(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines, uint32_t *ret_count,
				      uint32_t *ret_head)
{
	struct scan_list list = { lines, lines + max_lines };
	enum scan_end end = scan_walk(data, len, scan_list_take, &list, ret_head);

	*ret_count = (uint32_t)(list.line - lines);
	return end;
}
