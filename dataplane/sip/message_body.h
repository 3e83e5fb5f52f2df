/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How a message is read: included once for each level, which says by what (MESSAGE_BEGINS, MESSAGE_START, MESSAGE_LINE,
 * MESSAGE_VIA, MESSAGE_ELEMENT, and MESSAGE_PARTY, which may say false for whatever is unusual). */

#include "sip/header_line.h"
#include "sip/level.h"
#include "sip/lex.h"
#include "sip/scan_walk.h"
#include "sip/start_line.h"

#define CSEQ_MAX 0x7fffffffu /* RFC 3261 §8.1.1.5 */

/* The first fault found is the one that is told. */
static inline void blame(struct sip_message *m, enum sip_fault fault)
{
	if (m->fault == SIP_FINE)
		m->fault = fault;
}

static void reset(struct sip_message *m, const uint8_t *data, uint32_t len)
{
	const struct span none = { 0, 0 };

	m->data = data;
	m->len = len;
	m->is_request = false;
	m->method = SIP_UNKNOWN_METHOD;
	m->status = 0;
	/* One by one: a = b = c copies what was just stored in pieces, and waits for them. */
	m->method_name = none;
	m->request_uri = none;
	m->reason = none;
	m->start_line_end = m->head_end = m->body = len;
	m->cseq = 0;
	m->max_forwards = UINT32_MAX;
	m->call_id = none;
	m->from_tag = none;
	m->to_tag = none;
	m->uri.text.p = NULL;
	m->top_via.whole = none;
	m->via_rest = none;
	m->fault = SIP_FINE;
	m->header_count = 0;
	memset(m->first, 0xff, sizeof(m->first));
	memset(m->last, 0xff, sizeof(m->last));
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
};

static __attribute__((noinline)) void start_line(struct sip_message *m, uint32_t end)
{
	m->start_line_end = end;
	blame(m, MESSAGE_START(span_of(m->data, end), m));
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
	id = MESSAGE_LINE(r->data, r->len, (struct scan_line){ start, colon, end }, r->header);
	if (id > SIP_H_OTHER) {
		int16_t last = m->last[id];

		m->last[id] = (int16_t)r->count;
		if (last < 0)
			m->first[id] = (int16_t)r->count;
		else
			m->headers[last].next = (int16_t)r->count;
	}
	if (id >= SIP_H_OTHER)
		r->header++, r->count++;
	return true;
}

/* Lines into headers[]; the start line into its fields. On its own, so that the loop has all registers. */
static __attribute__((noinline)) void index_lines(struct sip_message *m)
{
	struct head_reading r = { .m = m, .data = m->data, .len = m->len, .header = m->headers };
	uint32_t head;
	enum scan_end end = scan_walk(r.data, r.len, head_take, &r, &head);

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

/* Absent headers have -1 for their first line. */
static inline bool has_mandatory(const struct sip_message *m)
{
	return (m->first[SIP_H_VIA] | m->first[SIP_H_FROM] | m->first[SIP_H_TO] | m->first[SIP_H_CALL_ID] | m->first[SIP_H_CSEQ]) >= 0;
}

static inline unsigned repeats(const struct sip_message *m, enum sip_header_id id)
{
	return m->first[id] != m->last[id];
}

static inline bool has_repeated(const struct sip_message *m)
{
	return repeats(m, SIP_H_FROM) | repeats(m, SIP_H_TO) | repeats(m, SIP_H_CALL_ID) | repeats(m, SIP_H_CSEQ) |
	       repeats(m, SIP_H_MAX_FORWARDS) | repeats(m, SIP_H_CONTENT_LENGTH);
}

/* The whole first line is read: a proxy takes its own value off it and sends the rest on. */
static void read_via(struct sip_message *m)
{
	struct span rest = sip_first(m, SIP_H_VIA);
	struct via via;
	int r;

	if (!rest.p)
		return;
	r = MESSAGE_VIA(&rest, &m->top_via);
	if (r != 1) {
		m->top_via.whole.p = NULL;
		blame(m, SIP_FAULT_VIA);
		return;
	}
	m->via_rest = rest;
	while (rest.n && (r = MESSAGE_VIA(&rest, &via)) > 0)
		;
	if (r < 0)
		blame(m, SIP_FAULT_VIA);
}

/* Exactly one element, and its tag. The URI in it is no business of a proxy's: any scheme will do. */
static __attribute__((noinline)) bool read_party(struct span value, struct span *tag)
{
	struct span rest = value;
	struct name_addr party;

	return MESSAGE_ELEMENT(&rest, &party, tag) == 1 && party.whole.n == value.n;
}

static void read_cseq(struct sip_message *m)
{
	struct span value = sip_first(m, SIP_H_CSEQ), method;
	const uint8_t *p = value.p, *end = span_end(value);
	enum sip_method known = SIP_UNKNOWN_METHOD;
	uint64_t number = 0;
	bool same;

	if (!p)
		return;
	for (; p < end && (uint8_t)(*p - '0') < 10 && number <= CSEQ_MAX; p++)
		number = number * 10 + (uint64_t)(*p - '0');
	method.p = lex_space(p, end);
	method.n = (uint32_t)(end - method.p);
	same = m->is_request && span_eq(method, m->method_name);
	if (!m->is_request)
		known = sip_method_lookup(method);
	if (p == value.p || method.p == p || !method.n || number > CSEQ_MAX ||
	    (!same && known == SIP_UNKNOWN_METHOD && lex_run(method.p, end, LEX_TOKEN) != end)) {
		blame(m, SIP_FAULT_CSEQ);
		return;
	}
	m->cseq = (uint32_t)number;
	if (!m->is_request) {
		m->method_name = method;
		m->method = (uint8_t)known;
	} else if (!same) {
		blame(m, SIP_FAULT_CSEQ);
	}
}

static void read_numbers(struct sip_message *m)
{
	struct span hops = sip_first(m, SIP_H_MAX_FORWARDS), length = sip_first(m, SIP_H_CONTENT_LENGTH);
	uint64_t v;

	if (hops.p) {
		if (span_to_u64(hops, 255, &v))
			m->max_forwards = (uint32_t)v;
		else
			blame(m, SIP_FAULT_MAX_FORWARDS);
	}
	if (length.p) {
		if (span_to_u64(length, UINT32_MAX, &v) && v <= m->len - m->body)
			m->len = m->body + (uint32_t)v;
		else
			blame(m, SIP_FAULT_CONTENT_LENGTH);
	}
}

static void read_headers(struct sip_message *m)
{
	struct span from = sip_first(m, SIP_H_FROM), to = sip_first(m, SIP_H_TO);

	if (!has_mandatory(m))
		blame(m, SIP_FAULT_MISSING);
	if (has_repeated(m))
		blame(m, SIP_FAULT_REPEATED);
	read_via(m);
	if (from.p && !MESSAGE_PARTY(from, &m->from_tag) && !read_party(from, &m->from_tag))
		blame(m, SIP_FAULT_FROM);
	if (to.p && !MESSAGE_PARTY(to, &m->to_tag) && !read_party(to, &m->to_tag))
		blame(m, SIP_FAULT_TO);
	m->call_id = sip_first(m, SIP_H_CALL_ID);
	if (m->call_id.p && !m->call_id.n)
		blame(m, SIP_FAULT_CALL_ID);
	read_cseq(m);
	read_numbers(m);
}

static enum sip_verdict message_read(const uint8_t *data, uint32_t len, struct sip_message *m)
{
	uint32_t skip = 0, noise;

	while (skip < len && (data[skip] == '\r' || data[skip] == '\n'))
		skip++;
	for (noise = skip; noise < len && (data[noise] == '\r' || data[noise] == '\n' || !data[noise]); noise++)
		;
	reset(m, data + skip, len - skip);
	if (noise == len)
		return SIP_KEEPALIVE;
	if (!MESSAGE_BEGINS(m->data, m->len))
		return SIP_NOT_SIP;
	index_lines(m);
	read_headers(m);
	return m->fault == SIP_FINE ? SIP_OK : SIP_BAD;
}
