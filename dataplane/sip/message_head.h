/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The lines of a message's head into its index, whatever they look like: included once for each level, which says how a start line is read
 * (MESSAGE_START), zeros some bytes (MESSAGE_ZERO) and has a chunk of 64 bytes (scan_walk.h). */

#include <stddef.h>

#include "sip/header_line.h"
#include "sip/level.h"
#include "sip/scan_walk.h"
#include "sip/start_line.h"

/* The first fault found is the one that is told. */
static inline void blame(struct sip_message *m, enum sip_fault fault)
{
	if (m->fault == SIP_FINE)
		m->fault = fault;
}

static inline void reset(struct sip_message *m, const uint8_t *data, uint32_t len)
{
	const size_t from = offsetof(struct sip_message, fault), to = offsetof(struct sip_message, repeated) + sizeof(m->repeated);

	m->data = data;
	m->len = m->start_line_end = m->head_end = m->body = len;
	m->max_forwards = UINT32_MAX;
	MESSAGE_ZERO((uint8_t *)m + from, to - from);
	m->uri.text.p = NULL;
	m->top_via.whole = (struct span){ 0, 0 };
	memset(m->first, 0xff, sizeof(m->first));
}

/* The head as it is read. */
struct head_reading {
	struct sip_message *m;
	const uint8_t *data;
	uint32_t len;
	struct sip_header *header; /* the next */
	uint32_t count;		   /* of those before it */
	uint32_t lines;		   /* so far, with the start line */
	uint32_t end;		   /* of the last line */
	int16_t last[SIP_HEADER_IDS]; /* line of each kind that is repeated */
};

static __attribute__((noinline)) void start_line(struct sip_message *m, uint32_t end)
{
	m->start_line_end = end;
	blame(m, MESSAGE_START(span_of(m->data, end), m));
}

/* headers[at], of a known id, into the chain of its kind; last: of each that is repeated, the last line. */
static inline void line_link(struct sip_message *m, unsigned id, uint32_t at, int16_t *last)
{
	uint64_t bit = 1ull << id;

	if (m->present & bit) {
		m->headers[m->repeated & bit ? last[id] : m->first[id]].next = (int16_t)at;
		m->repeated |= bit;
		last[id] = (int16_t)at;
	} else {
		m->present |= bit;
		m->first[id] = (int16_t)at;
	}
}

/* A line into headers[], and into the chain of its kind; the first one is the start line. */
static inline __attribute__((always_inline)) bool head_take(void *ctx, uint32_t start, uint32_t colon, uint32_t end)
{
	struct head_reading *r = ctx;
	struct sip_message *m = r->m;
	int id;

	if (r->lines > SIP_LINES_MAX)
		return false;
	r->lines++;
	r->end = end;
	if (!start) {
		start_line(m, end);
		return true;
	}
	id = header_line_read(r->data, (struct scan_line){ start, colon, end }, r->header);
	if (id > SIP_H_OTHER)
		line_link(m, (unsigned)id, r->count, r->last);
	if (id >= SIP_H_OTHER)
		r->header++, r->count++;
	return true;
}

/* Lines into headers[]; the start line into its fields. On its own, so that the loop has all registers. */
static __attribute__((noinline)) void index_lines(struct sip_message *m)
{
	struct head_reading r;
	enum scan_end end;
	uint32_t head;

	r.m = m;
	r.data = m->data;
	r.len = m->len;
	r.header = m->headers;
	r.count = r.lines = r.end = 0;
	end = scan_walk(r.data, r.len, head_take, &r, &head);

	if (!r.lines) {
		blame(m, MESSAGE_START(span_of(m->data, m->len), m));
		blame(m, SIP_FAULT_HEAD);
		return;
	}
	m->header_count = (uint16_t)r.count;
	if (r.count != r.lines - 1)
		blame(m, SIP_FAULT_HEAD);
	if (end == SCAN_COMPLETE) {
		m->head_end = r.end;
		m->body = head;
	} else {
		blame(m, end == SCAN_TOO_MANY ? SIP_FAULT_TOO_MANY_LINES : SIP_FAULT_HEAD);
	}
}
