/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How a message is read: included once for each level behind message_head.h; it says by what (MESSAGE_BEGINS, MESSAGE_VIA, MESSAGE_ELEMENT, and
 * MESSAGE_INDEX, MESSAGE_PARTY, MESSAGE_CSEQ, MESSAGE_SMALL and MESSAGE_METHOD, which may say false, -1 or unknown for whatever is unusual). */

#include "base/partial.h"
#include "sip/lex.h"

#define CSEQ_MAX 0x7fffffffu /* RFC 3261 §8.1.1.5 */

#define BIT(id) (1ull << (id))
#define MANDATORY (BIT(SIP_H_VIA) | BIT(SIP_H_FROM) | BIT(SIP_H_TO) | BIT(SIP_H_CALL_ID) | BIT(SIP_H_CSEQ))
#define ONCE \
	(BIT(SIP_H_FROM) | BIT(SIP_H_TO) | BIT(SIP_H_CALL_ID) | BIT(SIP_H_CSEQ) | BIT(SIP_H_MAX_FORWARDS) | BIT(SIP_H_CONTENT_LENGTH))

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

static __attribute__((noinline)) void read_cseq_closely(struct sip_message *m)
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

static inline void read_cseq(struct sip_message *m)
{
	struct span value = sip_first(m, SIP_H_CSEQ), method;
	enum sip_method known;
	int64_t number;

	if (!value.p || m->len - (uint32_t)(value.p - m->data) < value.n + 16)
		goto closely;
	number = MESSAGE_CSEQ(value, &method);
	if (number < 0)
		goto closely;
	if (m->is_request) {
		if (method.n != m->method_name.n || method.n > 8 || (load_64(method.p) ^ load_64(m->method_name.p)) << (64 - 8 * method.n))
			goto closely;
		m->cseq = (uint32_t)number;
		return;
	}
	known = MESSAGE_METHOD(method);
	if (known == SIP_UNKNOWN_METHOD)
		goto closely;
	m->cseq = (uint32_t)number;
	m->method_name = method;
	m->method = (uint8_t)known;
	return;
closely:
	read_cseq_closely(m);
}

static void read_numbers(struct sip_message *m)
{
	struct span hops = sip_first(m, SIP_H_MAX_FORWARDS), length = sip_first(m, SIP_H_CONTENT_LENGTH);
	uint64_t v;
	int small;

	if (hops.p) {
		small = MESSAGE_SMALL(span_end(hops), hops.n);
		if ((unsigned)small <= 255)
			m->max_forwards = (uint32_t)small;
		else if (span_to_u64(hops, 255, &v))
			m->max_forwards = (uint32_t)v;
		else
			blame(m, SIP_FAULT_MAX_FORWARDS);
	}
	if (length.p) {
		small = MESSAGE_SMALL(span_end(length), length.n);
		if (small >= 0 && (uint32_t)small <= m->len - m->body)
			m->len = m->body + (uint32_t)small;
		else if (span_to_u64(length, UINT32_MAX, &v) && v <= m->len - m->body)
			m->len = m->body + (uint32_t)v;
		else
			blame(m, SIP_FAULT_CONTENT_LENGTH);
	}
}

static void read_headers(struct sip_message *m)
{
	struct span from = sip_first(m, SIP_H_FROM), to = sip_first(m, SIP_H_TO);

	if (~m->present & MANDATORY)
		blame(m, SIP_FAULT_MISSING);
	if (m->repeated & ONCE)
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
	if (!MESSAGE_INDEX(m))
		index_lines(m);
	read_headers(m);
	return m->fault == SIP_FINE ? SIP_OK : SIP_BAD;
}
