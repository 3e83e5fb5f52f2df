/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How a message is read: included once for each level behind message_head.h; it says by what (MESSAGE_VIA, MESSAGE_ELEMENT, and
 * MESSAGE_INDEX, MESSAGE_PARTY, MESSAGE_CSEQ, MESSAGE_SMALL and MESSAGE_METHOD, which may say false, -1 or unknown for whatever is unusual). */

#include "base/partial.h"
#include "sip/lex.h"

#define CSEQ_MAX 0x7fffffffu /* RFC 3261 §8.1.1.5 */

#define BIT(id) (1ull << (id))
#define MANDATORY (BIT(SIP_H_VIA) | BIT(SIP_H_FROM) | BIT(SIP_H_TO) | BIT(SIP_H_CALL_ID) | BIT(SIP_H_CSEQ))
#define ONCE \
	(BIT(SIP_H_FROM) | BIT(SIP_H_TO) | BIT(SIP_H_CALL_ID) | BIT(SIP_H_CSEQ) | BIT(SIP_H_MAX_FORWARDS) | BIT(SIP_H_CONTENT_LENGTH))

/* A value as it usually stands, behind ": " and before CRLF, and with what white space there may be between them; any other as sip_value has it. For
 * those who find white space odd and then look closer. */
static inline struct span value_look(const struct sip_message *m, int line)
{
	const struct sip_header *h = &m->headers[line];
	const uint8_t *p = m->data + h->start + h->name_len, *end = m->data + h->end - 2;

	if (__builtin_expect(memcmp(p, ": ", 2) || memcmp(end, "\r\n", 2), 0))
		return sip_value_closely(m, line);
	return span_of(p + 2, (uint32_t)(end - p) - 2);
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
	if (__builtin_expect(r != 1, 0)) {
		m->top_via.whole.p = NULL;
		blame(m, SIP_FAULT_VIA);
		return;
	}
	m->via_rest.p = rest.p; /* each as it was written: a copy of both would wait for them */
	m->via_rest.n = rest.n;
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

static inline bool party_good(struct sip_message *m, enum sip_header_id id, struct span *tag)
{
	int line = m->first[id];

	return line < 0 || __builtin_expect(MESSAGE_PARTY(value_look(m, line), tag), 1) || read_party(sip_value(m, line), tag);
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
	struct span value, method;
	enum sip_method known;
	int64_t number;

	if (m->first[SIP_H_CSEQ] < 0)
		return;
	value = value_look(m, m->first[SIP_H_CSEQ]);
	if (__builtin_expect(m->len - (uint32_t)(value.p - m->data) < value.n + 16, 0))
		goto closely;
	number = MESSAGE_CSEQ(value, &method);
	if (__builtin_expect(number < 0, 0))
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

/* The number that a line has, of up to four digits or, where those are others, as closely as need be; -1: none, or more than max. */
static inline int64_t read_number(const struct sip_message *m, int line, uint32_t max)
{
	struct span value = value_look(m, line);
	int small = MESSAGE_SMALL(span_end(value), value.n);
	uint64_t v;

	if (__builtin_expect(small >= 0, 1))
		return (uint32_t)small <= max ? small : -1;
	return span_to_u64(sip_value(m, line), max, &v) ? (int64_t)v : -1;
}

static inline void read_numbers(struct sip_message *m)
{
	int64_t number;

	if (m->first[SIP_H_MAX_FORWARDS] >= 0) {
		number = read_number(m, m->first[SIP_H_MAX_FORWARDS], 255);
		if (number >= 0)
			m->max_forwards = (uint32_t)number;
		else
			blame(m, SIP_FAULT_MAX_FORWARDS);
	}
	if (m->first[SIP_H_CONTENT_LENGTH] >= 0) {
		number = read_number(m, m->first[SIP_H_CONTENT_LENGTH], m->len - m->body);
		if (number >= 0)
			m->len = m->body + (uint32_t)number;
		else
			blame(m, SIP_FAULT_CONTENT_LENGTH);
	}
}

static inline void read_headers(struct sip_message *m)
{
	if (__builtin_expect(!!(~m->present & MANDATORY), 0))
		blame(m, SIP_FAULT_MISSING);
	if (__builtin_expect(!!(m->repeated & ONCE), 0))
		blame(m, SIP_FAULT_REPEATED);
	read_via(m);
	if (__builtin_expect(!party_good(m, SIP_H_FROM, &m->from_tag), 0))
		blame(m, SIP_FAULT_FROM);
	if (__builtin_expect(!party_good(m, SIP_H_TO, &m->to_tag), 0))
		blame(m, SIP_FAULT_TO);
	m->call_id = sip_first(m, SIP_H_CALL_ID);
	if (__builtin_expect(m->call_id.p && !m->call_id.n, 0))
		blame(m, SIP_FAULT_CALL_ID);
	read_cseq(m);
	read_numbers(m);
}

static enum sip_verdict message_read(const uint8_t *data, uint32_t len, struct sip_message *m)
{
	uint32_t skip = 0, noise;

	if (__builtin_expect(len && data[0] > '\r', 1))
		goto begun;
	while (skip < len && (data[skip] == '\r' || data[skip] == '\n'))
		skip++;
	for (noise = skip; noise < len && (data[noise] == '\r' || data[noise] == '\n' || !data[noise]); noise++)
		;
	if (noise == len) {
		reset(m, data + skip, len - skip);
		return SIP_KEEPALIVE;
	}
begun:
	reset(m, data + skip, len - skip);
	if (__builtin_expect(!MESSAGE_INDEX(m), 0)) {
		if (!start_line_plausible(m->data, m->len))
			return SIP_NOT_SIP;
		index_lines(m);
	}
	read_headers(m);
	return m->fault == SIP_FINE ? SIP_OK : SIP_BAD;
}
