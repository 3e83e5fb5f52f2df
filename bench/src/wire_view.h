/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A look at a message that came back: its start line and the places of the headers that tell what it belongs to. A reader of the
 * bench's own, since what measures a parser must not share its mistakes. */

enum line_kind {
	LINE_OTHER,
	LINE_VIA,
	LINE_RECORD_ROUTE,
	LINE_ROUTE,
	LINE_FROM,
	LINE_TO,
	LINE_CALL_ID,
	LINE_CSEQ,
	LINE_MAX_FORWARDS,
	LINE_MAX_BREADTH,
	LINE_KINDS
};

#define VIEW_LINES_MAX 48

struct view_line {
	uint16_t at, value; /* the line; its value, blanks skipped */
	uint16_t len;	    /* with CRLF */
	uint8_t kind;
};

struct view {
	const uint8_t *data;
	uint32_t len;
	uint16_t status; /* 0: a request */
	uint16_t start_len;
	uint16_t lines, vias;
	uint8_t first[LINE_KINDS]; /* index of the first such line; 255: none */
	uint32_t body;		   /* offset; set only when all lines were read */
	struct view_line line[VIEW_LINES_MAX];
};

/* Reads all header lines; quick: stops soon after Via and Call-ID, and a request's From, To and CSeq, were seen. false: not a SIP
 * message. */
bool view_read(struct view *v, const uint8_t *data, uint32_t len, bool quick);

static inline const struct view_line *view_first(const struct view *v, enum line_kind kind)
{
	return v->first[kind] == 255 ? (const struct view_line *)0 : &v->line[v->first[kind]];
}

/* The call's identity, as the Call-ID begins. false: another's. */
bool view_id(const struct view *v, uint64_t *ret_id);
/* The branch of the n-th Via (0: top) where it is one of ours: 16 hex digits. */
bool view_branch(const struct view *v, unsigned n, uint64_t *ret_branch);
uint32_t view_cseq(const struct view *v);
