/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What level_*.c have in common once they have said what a chunk is: one set of readers, LEVEL. */

#include "sip/header_line.h"
#include "sip/header_names.h"
#include "sip/quick_values.h"
#include "sip/scan_walk.h"

static enum scan_end scan_lines_quick(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines, uint32_t *ret_count,
				      uint32_t *ret_head)
{
	return scan_list(data, len, lines, max_lines, ret_count, ret_head);
}

/* sip_header_lookup for a name of n <= 24 behind whose start 16 bytes are readable. Bit 5 is case for letters only: where the lower-case
 * name has a letter (bit 6 set) it is forced, elsewhere ('-') it counts. */
static inline enum sip_header_id name_look(const uint8_t *p, uint64_t n)
{
	const struct header_slot *slot = header_slot_of(p, n);
	__m128i want, got = _mm_loadu_si128((const __m128i *)p), fold;
	uint32_t other;

	__asm__("" : "+r"(slot)); /* or its place in the table is worked out again for each field */
	want = _mm_load_si128((const __m128i *)slot->text);
	fold = _mm_srli_epi16(_mm_and_si128(want, _mm_load_si128((const __m128i *)header_letter_bits)), 1);
	other = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(got, fold), want)) ^ 0xffff;
	if (slot->n != n || _bzhi_u32(other, (uint32_t)n))
		return SIP_H_OTHER;
	if (n > 16 && !header_same8(p + n - 8, slot->text + n - 8))
		return SIP_H_OTHER;
	return slot->id;
}

/* A line of another name than ours, n <= 24. */
static __attribute__((noinline)) int other_line(const uint8_t *data, struct scan_line line, struct sip_header *h)
{
	uint32_t n = line.colon - line.start, value = line.colon + 2;
	struct chunk c = chunk_load(data + line.start, n);

	if (chunk_in(&c, LEX_SET_TOKEN) != below(n))
		return header_line_read(data, line, h);
	*h = (struct sip_header){ line.start, line.end, value, line.end - 2 - value, (uint16_t)n, SIP_H_OTHER, -1 };
	return SIP_H_OTHER;
}

/* "Name: value" CRLF with no white space but that one. */
static inline __attribute__((always_inline)) int header_line_quick(const uint8_t *data, uint32_t len, struct scan_line line,
								    struct sip_header *h)
{
	const uint8_t *name = data + line.start, *colon = data + line.colon, *end = data + line.end;
	uint64_t n = (uint64_t)(colon - name);
	enum sip_header_id id;

	/* without a colon n is large */
	if (n - 1 >= 24 || line.start + 16 > len || colon[1] != ' ' || colon[2] <= ' ' || end[-2] != '\r' || end[-3] <= ' ')
		return header_line_read(data, line, h);
	id = name_look(name, n);
	if (id == SIP_H_OTHER)
		return other_line(data, line, h);
	h->start = line.start;
	h->end = line.end;
	h->value = line.colon + 2;
	h->value_len = line.end - line.colon - 4;
	h->name_len = (uint16_t)n;
	h->id = (uint8_t)id;
	h->next = -1;
	return id;
}

/* The method of a request whose first word is one that we know, of at most seven letters; its length in *ret_n. Eight bytes at p. */
static inline enum sip_method method_look(const uint8_t *p, uint32_t *ret_n)
{
	uint64_t word = load_64(p) ^ 0x2020202020202020ULL, low = 0x7f7f7f7f7f7f7f7fULL;

	*ret_n = first_bit(~(((word & low) + low) | word | low)) / 8;
	return *ret_n < 8 ? sip_method_lookup(span_of(p, *ret_n)) : SIP_UNKNOWN_METHOD;
}

static inline bool begins_quick(const uint8_t *data, uint32_t len)
{
	uint32_t n;

	if (len >= 8 && (load_64(data) == WORD_8('S', 'I', 'P', '/', '2', '.', '0', ' ') || method_look(data, &n) != SIP_UNKNOWN_METHOD))
		return true;
	return start_line_plausible(data, len);
}

static inline bool status_line_quick(const uint8_t *p, const uint8_t *end, struct sip_message *m)
{
	uint32_t hundreds = (uint32_t)(p[8] - '0'), tens = (uint32_t)(p[9] - '0'), ones = (uint32_t)(p[10] - '0');

	if (hundreds - 1 > 5 || tens > 9 || ones > 9 || p[11] != ' ')
		return false;
	m->is_request = false;
	m->status = (uint16_t)(hundreds * 100 + tens * 10 + ones);
	m->reason = lex_span(p + 12, end);
	return true;
}

static inline enum sip_fault start_line_quick(struct span line, struct sip_message *m)
{
	const uint8_t *p = line.p, *end = p + line.n;
	enum sip_method method;
	struct span uri;
	uint32_t n;

	if (line.n < 14 || end[-1] != '\n' || end[-2] != '\r')
		goto careful;
	end -= 2;
	if (load_64(p) == WORD_8('S', 'I', 'P', '/', '2', '.', '0', ' ')) {
		if (status_line_quick(p, end, m))
			return SIP_FINE;
		goto careful;
	}
	method = method_look(p, &n);
	if (method == SIP_UNKNOWN_METHOD || end - p < n + 10 || load_64(end - 8) != WORD_8(' ', 'S', 'I', 'P', '/', '2', '.', '0'))
		goto careful;
	uri = lex_span(p + n + 1, end - 8);
	if (uri_parse_quick(uri, &m->uri) || m->uri.scheme == URI_OTHER || m->uri.headers.p)
		goto careful;
	m->is_request = true;
	m->method = (uint8_t)method;
	m->method_name = span_of(p, n);
	m->request_uri = uri;
	return SIP_FINE;

careful:
	m->uri.text.p = NULL;
	return start_line_read(line, m);
}

#define MESSAGE_BEGINS begins_quick
#define MESSAGE_START  start_line_quick
#define MESSAGE_LINE   header_line_quick
#define MESSAGE_VIA    via_next_quick
#define MESSAGE_ELEMENT name_addr_read_quick
#define MESSAGE_PARTY  party_look
#include "sip/message_body.h"

const struct sip_level LEVEL = {
	.scan_lines = scan_lines_quick,
	.parse = message_read,
	.via_next = via_next_quick,
	.name_addr_read = name_addr_read_quick,
	.uri_parse = uri_parse_quick,
};
