/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Via, name-addr and URI as they usually look, by masks of 64 bytes: included by level_*.c, which say what a chunk is:
 *   chunk_load(p, n)     up to 64 bytes
 *   chunk_is(c, byte)    a bit for each byte of that value, which is not NUL
 *   chunk_in(c, set)     a bit for each byte of the set
 *   load_16(p, n)        up to 16 bytes, zeros behind them
 * What looks otherwise goes to the careful readers. */

#include "base/ip4.h"
#include "base/partial.h"
#include "sip/host.h"
#include "sip/level.h"
#include "sip/lex.h"

static inline uint32_t upto_64(const uint8_t *p, const uint8_t *end)
{
	return end - p < 64 ? (uint32_t)(end - p) : 64;
}

static inline uint64_t below(uint32_t n)
{
	return _bzhi_u64(UINT64_MAX, n);
}

/* The place of the first bit; 64 without one. */
static inline uint32_t first_bit(uint64_t mask)
{
	return (uint32_t)_tzcnt_u64(mask);
}

/* What a word of text holds, its letters in lower case. */
#define WORD_4(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define WORD_8(a, b, c, d, e, f, g, h) (WORD_4(a, b, c, d) | (uint64_t)WORD_4(e, f, g, h) << 32)
#define LETTERS_8 0x2020202020202020ULL

/* The name before `end`, of n <= 8 letters, in lower case; eight bytes before it are readable. */
static inline uint64_t name_word(const uint8_t *end, uint32_t n)
{
	return (load_64(end - 8) | LETTERS_8) >> (64 - 8 * n);
}

/* Zeros, in wide stores; n >= 32. */
static inline __attribute__((always_inline)) void clear(void *p, uint32_t n)
{
	__m256i zero = _mm256_setzero_si256();
	uint8_t *to = p;

	__asm__("" : "+x"(zero)); /* or they become narrow ones */
	for (uint32_t i = 0; i + 32 <= n; i += 32)
		_mm256_storeu_si256((__m256i *)(to + i), zero);
	if (n % 32)
		_mm256_storeu_si256((__m256i *)(to + n - 32), zero);
}

/* As port_read; four digits are what most ports have. */
static inline const uint8_t *port_look(const uint8_t *p, const uint8_t *end, uint16_t *port)
{
	uint32_t digits, more = end - p > 4;

	if (end - p < 4 || (uint8_t)(p[more * 4] - '0') < 10 * more)
		return port_read(p, end, port);
	digits = load_32(p) ^ 0x30303030;
	if ((digits | (digits + 0x06060606)) & 0xf0f0f0f0)
		return port_read(p, end, port);
	digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff;
	digits = (digits * 100 + (digits >> 16)) & 0xffff;
	if (!digits)
		return NULL;
	*port = (uint16_t)digits;
	return p + 4;
}

/* ";name=value" runs in which nothing is quoted and nothing stands apart: places count from `at`. */
struct params {
	const uint8_t *at;
	uint64_t semis, equals;
	uint32_t n;
};

/* p at ';': all parameters up to the end or a comma. */
static inline bool params_look(const uint8_t *p, const uint8_t *end, struct params *ps)
{
	uint32_t n = upto_64(p, end), stop;
	struct chunk c = chunk_load(p, n);
	uint64_t mask;

	stop = first_bit(chunk_in(&c, LEX_SET_STOP));
	ps->at = p;
	ps->n = stop < n ? stop : n;
	mask = below(ps->n);
	ps->semis = chunk_is(&c, ';') & mask;
	ps->equals = chunk_is(&c, '=') & mask;
	return !(ps->semis << 1 & ps->equals) && (p + ps->n == end || p[ps->n] == ',');
}

static inline bool params_take(struct params *ps, struct lex_param *ret)
{
	uint32_t from, to, equal;

	if (!ps->semis)
		return false;
	from = first_bit(ps->semis);
	ps->semis = _blsr_u64(ps->semis);
	to = first_bit(ps->semis);
	to = to < ps->n ? to : ps->n;
	equal = from + first_bit(ps->equals >> from);
	ret->whole = span_of(ps->at + from, to - from);
	if (equal < to) {
		ret->name = span_of(ps->at + from + 1, equal - from - 1);
		ret->value = span_of(ps->at + equal + 1, to - equal - 1);
	} else {
		ret->name = span_of(ps->at + from + 1, to - from - 1);
		ret->value = (struct span){ 0, 0 };
	}
	return true;
}

/* As host_read, but that a quad may be the start of a name: what follows is looked at by the caller, who takes no letter. */
static inline const uint8_t *host_look(const uint8_t *p, const uint8_t *end, enum host_kind *kind, struct ip_addr *ip)
{
	uint32_t n, octets, run;
	struct chunk c;

	if (p == end)
		return NULL;
	if ((uint8_t)(*p - '0') < 10) {
		n = ip4_read(load_16(p, end - p < 16 ? (uint32_t)(end - p) : 16), &octets);
		if (!n)
			return host_read(p, end, kind, ip);
		*kind = HOST_IPV4;
		ip->family = IP_V4;
		_mm_storeu_si128((__m128i *)ip->bytes, _mm_cvtsi32_si128((int)octets));
		return p + n;
	}
	n = upto_64(p, end);
	c = chunk_load(p, n);
	run = first_bit(~chunk_in(&c, LEX_SET_HOST));
	if (!run || run == 64)
		return host_read(p, end, kind, ip);
	*kind = HOST_NAME;
	return p + run;
}

static inline void via_take(struct via *v, const struct lex_param *param)
{
	switch (param->name.n) {
	case 5:
		if (name_word(param->name.p + 5, 5) == WORD_8('r', 'p', 'o', 'r', 't', 0, 0, 0) && !v->rport) {
			v->rport = true;
			v->rport_value = param->value;
			v->rport_whole = param->whole;
		} else if (name_word(param->name.p + 5, 5) == WORD_8('m', 'a', 'd', 'd', 'r', 0, 0, 0) && !v->maddr.p) {
			v->maddr = param->value;
		}
		break;
	case 6:
		if (name_word(param->name.p + 6, 6) == WORD_8('b', 'r', 'a', 'n', 'c', 'h', 0, 0) && !v->branch.p)
			v->branch = param->value;
		break;
	case 8:
		if (name_word(param->name.p + 8, 8) == WORD_8('r', 'e', 'c', 'e', 'i', 'v', 'e', 'd') && !v->received_whole.p) {
			v->received = param->value;
			v->received_whole = param->whole;
		}
		break;
	}
}

/* "SIP/2.0/UDP " and its like at p. */
static inline bool via_transport(const uint8_t *p, enum sip_transport *ret_transport)
{
	if (load_64(p) != WORD_8('S', 'I', 'P', '/', '2', '.', '0', '/'))
		return false;
	switch (load_32(p + 8) | 0x202020) {
	case WORD_4('u', 'd', 'p', ' '):
		*ret_transport = TRANSPORT_UDP;
		return true;
	case WORD_4('t', 'c', 'p', ' '):
		*ret_transport = TRANSPORT_TCP;
		return true;
	case WORD_4('t', 'l', 's', ' '):
		*ret_transport = TRANSPORT_TLS;
		return true;
	}
	return false;
}

/* ";branch=" and what ends at `end`, or a bare ";rport" behind it: whether it is there is no branch. false: other parameters; nothing is written. */
static inline bool via_branch_look(const uint8_t *p, const uint8_t *end, struct via *v)
{
	uint32_t run;
	struct chunk c;
	uint64_t rport;

	if (end - p <= 8 || (load_64(p) | 0x0020202020202000) != WORD_8(';', 'b', 'r', 'a', 'n', 'c', 'h', '='))
		return false;
	rport = (load_64(end - 8) >> 16 | 0x202020202000) == WORD_8(';', 'r', 'p', 'o', 'r', 't', 0, 0);
	p += 8;
	c = chunk_load(p, upto_64(p, end));
	run = first_bit(~chunk_in(&c, LEX_SET_TOKEN));
	if (!run || run == 64 || p + run + 6 * rport != end)
		return false;
	v->branch = span_of(p, run);
	v->rport = rport;
	v->rport_whole.p = (const uint8_t *)((uintptr_t)(p + run) & -(uintptr_t)rport);
	v->rport_whole.n = (uint32_t)(6 * rport);
	return true;
}

/* Parameters as clients write them, at ';': a branch, a bare rport, both in either order, and no more. Where they end; NULL: look closer (what was
 * written of *v then is written again). */
static inline const uint8_t *via_params_look(const uint8_t *p, const uint8_t *end, struct via *v)
{
	while (p < end && *p == ';') {
		uint32_t n, run;
		struct chunk c;

		if (end - p > 8 && (load_64(p) | 0x0020202020202000) == WORD_8(';', 'b', 'r', 'a', 'n', 'c', 'h', '=')) {
			n = upto_64(p + 8, end);
			c = chunk_load(p + 8, n);
			run = first_bit(~chunk_in(&c, LEX_SET_TOKEN));
			if (v->branch.p || !run || run == 64)
				return NULL;
			v->branch = span_of(p + 8, run);
			p += 8 + run;
		} else if (end - p >= 6 && (load_32(p) | 0x20202000) == WORD_4(';', 'r', 'p', 'o') && (p[4] | 0x20) == 'r' && (p[5] | 0x20) == 't') {
			if (v->rport)
				return NULL;
			v->rport = true;
			v->rport_whole = span_of(p, 6);
			p += 6;
		} else {
			return NULL;
		}
	}
	return p == end || *p == ',' ? p : NULL;
}

static inline int via_next_quick(struct span *rest, struct via *ret_via)
{
	const uint8_t *p = rest->p, *end = span_end(*rest);
	enum sip_transport transport;
	struct lex_param param;
	struct via *v = ret_via;
	struct params ps;

	if (rest->n > 1 && *p == ' ')
		p++;
	if (end - p < 16 || !via_transport(p, &transport))
		goto careful;
	clear(v, sizeof(*v));
	v->whole.p = p;
	v->transport = transport;
	v->transport_name = span_of(p + 8, 3);
	v->host.p = v->sent_by.p = p + 12;
	p = host_look(p + 12, end, &v->host_kind, &v->ip);
	if (!p)
		goto careful;
	v->host.n = (uint32_t)(p - v->host.p);
	if (p < end && *p == ':') {
		p = port_look(p + 1, end, &v->port);
		if (!p)
			goto careful;
	}
	v->sent_by.n = (uint32_t)(p - v->sent_by.p);
	v->params.p = p;
	p = via_branch_look(p, end, v) ? end : via_params_look(p, end, v);
	if (!p) {
		p = v->params.p;
		v->branch = v->rport_whole = (struct span){ 0, 0 };
		v->rport = false;
		if (*p != ';' || !params_look(p, end, &ps))
			goto careful;
		while (params_take(&ps, &param))
			via_take(v, &param);
		p += ps.n;
		if (p < end && *p != ',')
			goto careful;
	}
	v->params.n = (uint32_t)(p - v->params.p);
	v->whole.n = (uint32_t)(p - v->whole.p);
	*rest = p < end ? span_of(p + 1, (uint32_t)(end - p) - 1) : span_of(end, 0);
	return 1;

careful:
	return via_next_careful(rest, ret_via);
}

/* Where '<' stands behind a display name without escapes, or NULL. */
static inline const uint8_t *angle_look(const uint8_t *p, const uint8_t *end)
{
	struct chunk c = chunk_load(p, upto_64(p, end));
	uint64_t quotes = chunk_is(&c, '"'), angles = chunk_is(&c, '<'), others;
	uint32_t close;

	others = quotes | chunk_is(&c, ',') | chunk_is(&c, ';');
	if (quotes & 1) {
		close = first_bit(_blsr_u64(quotes));
		if (close == 64 || chunk_is(&c, '\\') & below(close))
			return NULL;
		others &= ~below(close + 1);
		angles &= ~below(close + 1);
	}
	return first_bit(angles) < first_bit(others) ? p + first_bit(angles) : NULL;
}

/* The first byte in [p, end) that cannot stand between < >, or NULL. */
static inline const uint8_t *angle_end(const uint8_t *p, const uint8_t *end)
{
	for (;;) {
		uint32_t n = upto_64(p, end), stop;
		struct chunk c = chunk_load(p, n);

		stop = first_bit(chunk_in(&c, LEX_SET_CLOSE));
		if (stop < n)
			return p + stop;
		if (n < 64)
			return NULL;
		p += 64;
	}
}

static inline int name_addr_read_quick(struct span *rest, struct name_addr *ret_element, struct span *ret_tag)
{
	const uint8_t *p = rest->p, *end = span_end(*rest), *from, *angle, *last;
	struct span tag = { 0, 0 };
	struct lex_param param;
	struct params ps;

	if (rest->n > 1 && *p == ' ')
		p++;
	from = p;
	if (end - p < 16 || lex_is(*p, LEX_SPACE))
		goto careful;
	angle = *p == '<' ? p : angle_look(p, end);
	if (!angle)
		goto careful;
	p = angle_end(angle + 1, end);
	if (!p || *p != '>' || p - angle < 3 || lex_is(angle[1], LEX_SPACE) || lex_is(p[-1], LEX_SPACE))
		goto careful;
	last = ++p;
	if (p < end && *p == ';') {
		if (!params_look(p, end, &ps))
			goto careful;
		while (params_take(&ps, &param))
			if (param.name.n == 3 && !tag.p && name_word(param.name.p + 3, 3) == WORD_4('t', 'a', 'g', 0))
				tag = param.value;
		p += ps.n;
	}
	if (p < end && *p != ',')
		goto careful;
	ret_element->whole = lex_span(from, p);
	ret_element->display = lex_span(from, lex_space_back(from, angle));
	ret_element->uri = lex_span(angle + 1, last - 1);
	ret_element->params = lex_span(last, p);
	*ret_tag = tag;
	*rest = p < end ? lex_span(p + 1, end) : span_of(end, 0);
	return 1;

careful:
	return name_addr_read_careful(rest, ret_element, ret_tag);
}

/* '<' of an element whose display name, if there is one, stands in the chunk: its place; 64: look closer. */
static inline uint32_t display_look(const struct chunk *c, uint64_t opens)
{
	uint64_t quotes = chunk_is(c, '"'), odd;
	uint32_t from = 0, open;

	if (quotes & 1) {
		from = first_bit(_blsr_u64(quotes)) + 1;
		if (from > 64 || chunk_is(c, '\\') & below(from))
			return 64;
	}
	open = first_bit(opens & ~below(from));
	odd = quotes | chunk_is(c, ',') | chunk_is(c, ';');
	return odd & below(open) & ~below(from) ? 64 : open;
}

/* A bit for each of 16 bytes that is not of a token. */
static inline uint32_t not_token(const uint8_t *p)
{
	const __m128i rows = _mm_load_si128((const __m128i *)lex_rows), half = _mm_load_si128((const __m128i *)lex_halves);
	__m128i set = _mm_load_si128((const __m128i *)lex_sets[LEX_SET_TOKEN]), v = _mm_loadu_si128((const __m128i *)p);
	__m128i found = _mm_and_si128(_mm_shuffle_epi8(set, v), _mm_shuffle_epi8(rows, _mm_and_si128(_mm_srli_epi16(v, 4), half)));

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(found, _mm_setzero_si128()));
}

/* n <= 32 bytes that end at `end`, of which 32 are readable: all of them are of a token. */
static inline bool token_tail(const uint8_t *end, uint32_t n)
{
	uint32_t bad = not_token(end - 16) << 16;

	if (n > 16)
		bad |= not_token(end - 32);
	return !(bad >> (32 - n));
}

/* The one element of a From or To as it mostly looks: "<uri>", with or without a display name, and nothing behind it but a tag. false: look
 * closer. */
static inline bool party_look(struct span value, struct span *ret_tag)
{
	const uint8_t *p = value.p, *tag;
	uint32_t open = 0, close, n;
	uint64_t stops;
	struct chunk c;

	if (value.n < 8)
		return false;
	c = chunk_load(p, value.n < 64 ? value.n : 64);
	stops = chunk_in(&c, LEX_SET_NOT_URI);
	if (*p != '<') {
		open = display_look(&c, chunk_is(&c, '<'));
		if (open == 64)
			return false;
	}
	close = first_bit(stops & ~below(open + 1)); /* nothing before it that cannot stand in a URI */
	if (close == 64 || p[close] != '>' || close - open < 3)
		return false;
	tag = p + close + 1;
	if (close + 1 == value.n)
		return true;
	n = value.n - close - 6;
	if (n - 1 >= 32 || value.n < 32 || (load_32(tag) | 0x20202000) != WORD_4(';', 't', 'a', 'g') || tag[4] != '=' ||
	    !token_tail(span_end(value), n))
		return false;
	*ret_tag = span_of(tag + 5, n);
	return true;
}

/* Up to four digits before `end`, as many as there are in n bytes, of which four before the end are readable; -1: others. */
static inline int small_look(const uint8_t *end, uint32_t n)
{
	uint32_t digits;

	if (n - 1 >= 4)
		return -1;
	digits = load_32(end - 4) ^ 0x30303030;
	digits = digits >> (32 - 8 * n) << (32 - 8 * n); /* those before them count as zeros */
	if ((digits | (digits + 0x06060606)) & 0xf0f0f0f0)
		return -1;
	digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff;
	return (int)((digits * 100 + (digits >> 16)) & 0xffff);
}

/* A CSeq of up to seven digits, a space and a method that we know of up to seven letters; its number, -1: look closer. Behind the value 16 bytes are
 * readable. */
static inline int64_t cseq_look(struct span value, struct span *ret_method)
{
	uint64_t digits = load_64(value.p) ^ 0x3030303030303030ULL, ends;
	uint32_t n;

	ends = (digits | (digits + 0x0606060606060606ULL)) & 0xf0f0f0f0f0f0f0f0ULL;
	n = first_bit(ends) / 8;
	if (n - 1 >= 7 || value.n < n + 2 || value.p[n] != ' ' || lex_is(value.p[n + 1], LEX_SPACE))
		return -1;
	*ret_method = span_of(value.p + n + 1, value.n - n - 1);
	digits <<= 64 - 8 * n;
	digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ffULL;
	digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffffULL;
	return (int64_t)((digits * 10000 + (digits >> 32)) & 0xffffffff);
}

/* Where '@' and the first ':' stand in n <= 128 bytes, n or more without them. */
struct uri_marks {
	uint32_t at, colon;
};

/* false: a byte that no URI has, or '?'. */
static inline bool uri_look(const uint8_t *p, uint32_t n, struct uri_marks *ret)
{
	uint32_t some = n < 64 ? n : 64;
	struct chunk c = chunk_load(p, some);
	uint64_t ats = chunk_is(&c, '@'), colons = chunk_is(&c, ':');

	if (chunk_in(&c, LEX_SET_URI_ODD))
		return false;
	ret->at = first_bit(ats);
	ret->colon = first_bit(colons);
	if (n > 64) {
		c = chunk_load(p + 64, n - 64);
		if (chunk_in(&c, LEX_SET_URI_ODD))
			return false;
		if (!ats)
			ret->at = 64 + first_bit(chunk_is(&c, '@'));
		if (!colons)
			ret->colon = 64 + first_bit(chunk_is(&c, ':'));
	}
	return true;
}

static inline int uri_parse_quick(struct span text, struct sip_uri *ret_uri)
{
	struct span user = { 0, 0 }, password = { 0, 0 };
	const uint8_t *p, *end, *host, *host_end;
	uint32_t n = text.n - 4;
	struct uri_marks marks;
	enum host_kind kind;
	struct ip_addr ip = { 0 };
	uint16_t port = 0;

	if (text.n < 5 || n > 128)
		goto careful;
	host = p = text.p + 4;
	end = p + n;
	if ((load_32(text.p) | 0x202020) != WORD_4('s', 'i', 'p', ':') || !uri_look(p, n, &marks))
		goto careful;
	if (marks.at < n) {
		user = span_of(p, marks.colon < marks.at ? marks.colon : marks.at);
		if (!user.n)
			goto careful;
		if (marks.colon < marks.at)
			password = span_of(p + marks.colon + 1, marks.at - marks.colon - 1);
		host = p + marks.at + 1;
	}
	host_end = p = host_look(host, end, &kind, &ip);
	if (!p)
		goto careful;
	if (p < end && *p == ':') {
		p = port_look(p + 1, end, &port);
		if (!p)
			goto careful;
	}
	if ((p < end) & (p[-(p == end)] != ';')) /* one branch: whether there are parameters cannot be foretold */
		goto careful;
	/* field by field: a copy of the whole would wait for each of these stores */
	ret_uri->scheme = URI_SIP;
	ret_uri->text = text;
	ret_uri->user = user;
	ret_uri->password = password;
	ret_uri->host = lex_span(host, host_end);
	ret_uri->host_kind = kind;
	ret_uri->port = port;
	ret_uri->hostport = lex_span(host, p);
	ret_uri->params = lex_span(p, end);
	ret_uri->headers = (struct span){ 0, 0 };
	ret_uri->ip.family = ip.family;
	memcpy(ret_uri->ip.bytes, ip.bytes, 16);
	return 0;

careful:
	return uri_parse_careful(text, ret_uri);
}
