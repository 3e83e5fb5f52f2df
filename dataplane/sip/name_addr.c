/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "sip/level.h"
#include "sip/lex.h"

/* p at '<': the URI inside, and where the '>' stands; NULL when it is not closed or empty. */
static const uint8_t *read_angle(const uint8_t *p, const uint8_t *end, struct span *uri)
{
	const uint8_t *from = p + 1;

	p = lex_run(from, end, LEX_URI | LEX_SPACE);
	if (p == end || *p != '>')
		return NULL;
	from = lex_space(from, p);
	*uri = lex_span(from, lex_space_back(from, p));
	return uri->n ? p : NULL;
}

/* Without < >: the URI ends before ';' (RFC 3261 §20.10), or is the '*' of a Contact. */
static const uint8_t *read_bare(const uint8_t *p, const uint8_t *end, struct span *uri)
{
	const uint8_t *from = p;
	bool colon = false;

	while (p < end && (lex_table[*p] & LEX_WORD))
		colon |= *p++ == ':';
	*uri = lex_span(from, p);
	return colon || (uri->n == 1 && *from == '*') ? p : NULL;
}

/* Where the display name ends and '<' stands, or NULL where the element is a bare URI. *bad: an unclosed quote. */
static const uint8_t *find_angle(const uint8_t *p, const uint8_t *end, bool *bad)
{
	while ((p = lex_run(p, end, LEX_DISPLAY)) < end && *p == '"') {
		p = lex_quoted(p, end);
		if (!p) {
			*bad = true;
			return NULL;
		}
	}
	return p < end && *p == '<' ? p : NULL;
}

/* p behind the URI: reads ";name=value" runs into e->params, the first tag into *tag. Where it ends, or NULL. */
static const uint8_t *read_params(const uint8_t *p, const uint8_t *end, struct name_addr *e, struct span *tag)
{
	const uint8_t *last = p;
	struct lex_param param;

	p = lex_space(p, end);
	e->params = p < end && *p == ';' ? span_of(p, 0) : span_of(last, 0);
	while (p < end && *p == ';') {
		p = lex_param(p, end, &param);
		if (!p)
			return NULL;
		last = param.whole.p + param.whole.n;
		if (param.name.n == 3 && !tag->p && LEX_IS(param.name, "tag"))
			*tag = param.value;
	}
	e->params.n = (uint32_t)(last - e->params.p);
	return p;
}

int name_addr_read_careful(struct span *rest, struct name_addr *ret_element, struct span *ret_tag)
{
	const uint8_t *p = rest->p, *end = span_end(*rest), *from, *angle;
	struct span tag = { 0, 0 };
	struct name_addr e;
	bool bad = false;

	if (!rest->n || (p = lex_space(p, end)) == end)
		return 0;
	from = p;
	angle = find_angle(p, end, &bad);
	if (bad)
		return -ERR_INVALID;
	if (angle) {
		e.display = lex_span(from, lex_space_back(from, angle));
		p = read_angle(angle, end, &e.uri);
		if (!p)
			return -ERR_INVALID;
		p++;
	} else {
		e.display = span_of(from, 0);
		p = read_bare(from, end, &e.uri);
		if (!p)
			return -ERR_INVALID;
	}
	p = read_params(p, end, &e, &tag);
	if (!p || (p < end && *p != ','))
		return -ERR_INVALID;
	e.whole = lex_span(from, e.params.p + e.params.n);
	*rest = p < end ? lex_span(p + 1, end) : span_of(end, 0);
	*ret_element = e;
	*ret_tag = tag;
	return 1;
}

int name_addr_read(struct span *rest, struct name_addr *ret_element, struct span *ret_tag)
{
	return sip_level()->name_addr_read(rest, ret_element, ret_tag);
}

int name_addr_next(struct span *rest, struct name_addr *ret_element)
{
	struct span tag;

	return name_addr_read(rest, ret_element, &tag);
}
