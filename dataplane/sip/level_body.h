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

/* The methods of at most seven letters by a perfect hash of their words: one comparison, and no branch that depends on which it is. */
#define METHOD_PLACES	   16
#define METHOD_PLACE(word) ((uint64_t)(word) * 0xdadef4e7f60d3627ULL >> 60)

static const struct method_place {
	uint64_t word;
	uint32_t method, n;
} method_places[METHOD_PLACES] = {
	[METHOD_PLACE(WORD_8('A', 'C', 'K', 0, 0, 0, 0, 0))] = { WORD_8('A', 'C', 'K', 0, 0, 0, 0, 0), SIP_ACK, 3 },
	[METHOD_PLACE(WORD_8('B', 'Y', 'E', 0, 0, 0, 0, 0))] = { WORD_8('B', 'Y', 'E', 0, 0, 0, 0, 0), SIP_BYE, 3 },
	[METHOD_PLACE(WORD_8('I', 'N', 'F', 'O', 0, 0, 0, 0))] = { WORD_8('I', 'N', 'F', 'O', 0, 0, 0, 0), SIP_INFO, 4 },
	[METHOD_PLACE(WORD_8('P', 'R', 'A', 'C', 'K', 0, 0, 0))] = { WORD_8('P', 'R', 'A', 'C', 'K', 0, 0, 0), SIP_PRACK, 5 },
	[METHOD_PLACE(WORD_8('R', 'E', 'F', 'E', 'R', 0, 0, 0))] = { WORD_8('R', 'E', 'F', 'E', 'R', 0, 0, 0), SIP_REFER, 5 },
	[METHOD_PLACE(WORD_8('I', 'N', 'V', 'I', 'T', 'E', 0, 0))] = { WORD_8('I', 'N', 'V', 'I', 'T', 'E', 0, 0), SIP_INVITE, 6 },
	[METHOD_PLACE(WORD_8('C', 'A', 'N', 'C', 'E', 'L', 0, 0))] = { WORD_8('C', 'A', 'N', 'C', 'E', 'L', 0, 0), SIP_CANCEL, 6 },
	[METHOD_PLACE(WORD_8('N', 'O', 'T', 'I', 'F', 'Y', 0, 0))] = { WORD_8('N', 'O', 'T', 'I', 'F', 'Y', 0, 0), SIP_NOTIFY, 6 },
	[METHOD_PLACE(WORD_8('U', 'P', 'D', 'A', 'T', 'E', 0, 0))] = { WORD_8('U', 'P', 'D', 'A', 'T', 'E', 0, 0), SIP_UPDATE, 6 },
	[METHOD_PLACE(WORD_8('O', 'P', 'T', 'I', 'O', 'N', 'S', 0))] = { WORD_8('O', 'P', 'T', 'I', 'O', 'N', 'S', 0), SIP_OPTIONS, 7 },
	[METHOD_PLACE(WORD_8('P', 'U', 'B', 'L', 'I', 'S', 'H', 0))] = { WORD_8('P', 'U', 'B', 'L', 'I', 'S', 'H', 0), SIP_PUBLISH, 7 },
	[METHOD_PLACE(WORD_8('M', 'E', 'S', 'S', 'A', 'G', 'E', 0))] = { WORD_8('M', 'E', 'S', 'S', 'A', 'G', 'E', 0), SIP_MESSAGE, 7 },
};

/* n <= 7 letters, of which the word holds at least those. A NUL at their end would not be seen in the word. */
static inline enum sip_method method_of(uint64_t word, uint32_t n)
{
	const struct method_place *place;

	word = _bzhi_u64(word, 8 * n);
	place = &method_places[METHOD_PLACE(word)];
	return place->word == word && place->n == n ? (enum sip_method)place->method : SIP_UNKNOWN_METHOD;
}

/* The method of a request whose first word is one that we know, of at most seven letters; its length in *ret_n. Eight bytes at p. */
static inline enum sip_method method_look(const uint8_t *p, uint32_t *ret_n)
{
	uint64_t bytes = load_64(p), word = bytes ^ 0x2020202020202020ULL, low = 0x7f7f7f7f7f7f7f7fULL;

	*ret_n = first_bit(~(((word & low) + low) | word | low)) / 8;
	return *ret_n - 1 < 7 ? method_of(bytes, *ret_n) : SIP_UNKNOWN_METHOD;
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

#define MESSAGE_START start_line_quick
#define MESSAGE_ZERO clear
#include "sip/message_head.h"
#ifdef LEVEL_VECTOR_HEAD
#include "sip/vector_head.h"
#else
#include "sip/quick_head.h"
#endif

static inline bool index_quick(struct sip_message *m)
{
	if (read_head(m))
		return true;
	reset(m, m->data, m->len);
	return false;
}

#define MESSAGE_VIA    via_next_quick
#define MESSAGE_ELEMENT name_addr_read_quick
#define MESSAGE_INDEX  index_quick
#define MESSAGE_PARTY  party_look
#define MESSAGE_CSEQ   cseq_look
#define MESSAGE_SMALL  small_look
#define MESSAGE_METHOD(name) ((name).n < 8 ? method_of(load_64((name).p), (name).n) : SIP_UNKNOWN_METHOD)
#include "sip/message_body.h"

const struct sip_level LEVEL = {
	.scan_lines = scan_lines_quick,
	.parse = message_read,
	.via_next = via_next_quick,
	.name_addr_read = name_addr_read_quick,
	.uri_parse = uri_parse_quick,
};
