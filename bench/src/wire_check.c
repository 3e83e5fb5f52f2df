/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_check.h"

#include <stdlib.h>
#include <string.h>

#include "wire_view.h"

static bool same_line(const struct view *a, unsigned i, const struct view *b, unsigned k)
{
	return a->line[i].len == b->line[k].len && !memcmp(a->data + a->line[i].at, b->data + b->line[k].at, a->line[i].len);
}

static bool same_body(const struct view *a, const struct view *b)
{
	return a->len - a->body == b->len - b->body && !memcmp(a->data + a->body, b->data + b->body, a->len - a->body);
}

static int number(const struct view *v, unsigned i)
{
	return atoi((const char *)v->data + v->line[i].value); /* ends at CRLF */
}

static bool has_parameter(const uint8_t *line, uint32_t len, const uint8_t *parameter, uint32_t n)
{
	const uint8_t *p = memmem(line, len, parameter, n);

	return p && (p + n == line + len || p[n] == ';' || p[n] == '\r');
}

/* The sender's Via, with received and rport filled in (RFC 3581): word for word up to the parameters, and each of them is there
 * but rport, in whatever order. */
static bool via_kept(const struct view *sent, unsigned i, const struct view *got, unsigned k)
{
	const uint8_t *s = sent->data + sent->line[i].at, *g = got->data + got->line[k].at, *end = s + sent->line[i].len, *p;

	if (same_line(sent, i, got, k))
		return true;
	p = memchr(s, ';', (size_t)(end - s));
	if (!p || got->line[k].len < p - s || memcmp(s, g, (size_t)(p - s)) != 0)
		return false;
	while (p < end && *p == ';') {
		const uint8_t *next = p + 1;

		while (next < end && *next != ';' && *next != '\r')
			next++;
		if (!(next - p == 6 && !memcmp(p, ";rport", 6)) && !has_parameter(g, got->line[k].len, p, (uint32_t)(next - p)))
			return false;
		p = next;
	}
	return true;
}

/* The method stays; the URI is the proxy's to choose. */
static bool same_method(const struct view *sent, const struct view *got)
{
	const uint8_t *space = memchr(sent->data, ' ', sent->start_len);
	size_t n = space ? (size_t)(space - sent->data) + 1 : 0;

	return n && got->start_len > n && !memcmp(sent->data, got->data, n);
}

/* Lines that a proxy adds. */
static bool may_be_added(enum line_kind kind)
{
	return kind == LINE_VIA || kind == LINE_RECORD_ROUTE || kind == LINE_MAX_BREADTH;
}

const char *check_request(const struct view *sent, const struct view *got)
{
	unsigned k = 0;

	if (got->status || !same_method(sent, got))
		return "the start line";
	if (got->vias != sent->vias + 1u)
		return "the number of Vias";
	for (unsigned i = 0; i < sent->lines; i++) {
		enum line_kind kind = sent->line[i].kind;

		if (kind == LINE_ROUTE)
			continue; /* ours alone: the proxy takes it off */
		while (k < got->lines && !same_line(sent, i, got, k) && may_be_added(got->line[k].kind) &&
		       !(kind == LINE_VIA && got->line[k].kind == LINE_VIA && via_kept(sent, i, got, k)))
			k++;
		if (k == got->lines)
			return "a line is missing";
		if (kind == LINE_MAX_FORWARDS ? got->line[k].kind != kind || number(got, k) != number(sent, i) - 1
		    : kind == LINE_VIA	      ? !via_kept(sent, i, got, k)
					      : !same_line(sent, i, got, k))
			return "a line was changed";
		k++;
	}
	while (k < got->lines && may_be_added(got->line[k].kind))
		k++;
	if (k < got->lines)
		return "a line was added";
	return same_body(sent, got) ? NULL : "the body";
}

const char *check_response(const struct view *sent, const struct view *got)
{
	unsigned k = 0, vias = 0;

	if (got->status != sent->status)
		return "the status";
	if (got->vias + 1u != sent->vias)
		return "the number of Vias";
	for (unsigned i = 0; i < sent->lines; i++) {
		if (sent->line[i].kind == LINE_VIA && !vias++)
			continue; /* the proxy's own comes off */
		if (k == got->lines || !same_line(sent, i, got, k))
			return "a line was changed or is missing";
		k++;
	}
	if (k < got->lines)
		return "a line was added";
	return same_body(sent, got) ? NULL : "the body";
}
