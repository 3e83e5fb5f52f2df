/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/uri.h"

#include "base/err.h"
#include "sip/host.h"
#include "sip/level.h"
#include "sip/lex.h"

/* Where the scheme's ':' stands, or NULL (RFC 3261 §25.1, "scheme"). */
static const uint8_t *scheme_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *colon;

	if (p == end || (uint8_t)((*p | 0x20) - 'a') > 25)
		return NULL;
	colon = lex_run(p, end, LEX_SCHEME);
	return colon < end && *colon == ':' ? colon : NULL;
}

static enum uri_scheme scheme_of(const uint8_t *p, uint32_t n)
{
	if (n == 3 && lex_ieq(p, "sip", 3))
		return URI_SIP;
	if (n == 4 && lex_ieq(p, "sips", 4))
		return URI_SIPS;
	if (n == 3 && lex_ieq(p, "tel", 3))
		return URI_TEL;
	return URI_OTHER;
}

/* ";params?headers" up to the end. */
static bool read_tail(const uint8_t *p, const uint8_t *end, struct sip_uri *uri)
{
	const uint8_t *from = p;

	if (lex_run(p, end, LEX_URI) != end)
		return false;
	if (p < end && *p == ';')
		while (p < end && *p != '?')
			p++;
	uri->params = lex_span(from, p);
	if (p < end) {
		if (*p != '?')
			return false;
		uri->headers = lex_span(p + 1, end);
	}
	return true;
}

/* Behind "sip:". User and password may hold ';', '?' and '/', so the first '@' decides (RFC 3261 §19.1.2). */
static bool read_sip(const uint8_t *p, const uint8_t *end, struct sip_uri *uri)
{
	const uint8_t *from = p, *colon = NULL, *host;

	while ((p = lex_run(p, end, LEX_USER)) < end && *p == ':') {
		if (!colon)
			colon = p;
		p++;
	}
	if (p < end) {
		if (*p != '@')
			return false;
		uri->user = lex_span(from, colon ? colon : p);
		if (!uri->user.n)
			return false;
		if (colon)
			uri->password = lex_span(colon + 1, p);
		host = p + 1;
	} else {
		host = from;
	}
	p = host_read(host, end, &uri->host_kind, &uri->ip);
	if (!p)
		return false;
	uri->host = lex_span(host, p);
	if (p < end && *p == ':') {
		p = port_read(p + 1, end, &uri->port);
		if (!p)
			return false;
	}
	uri->hostport = lex_span(host, p);
	return read_tail(p, end, uri);
}

static bool read_tel(const uint8_t *p, const uint8_t *end, struct sip_uri *uri)
{
	const uint8_t *from = p;

	if (lex_run(p, end, LEX_URI) != end)
		return false;
	while (p < end && *p != ';')
		p++;
	uri->user = lex_span(from, p);
	uri->host = uri->hostport = span_of(p, 0);
	uri->params = lex_span(p, end);
	return uri->user.n > 0;
}

int uri_parse_careful(struct span text, struct sip_uri *ret_uri)
{
	const uint8_t *p = text.p, *end = span_end(text);
	const uint8_t *colon = text.n ? scheme_end(p, end) : NULL;
	struct sip_uri uri = { .text = text };
	bool good;

	if (!colon)
		return -ERR_INVALID;
	uri.scheme = scheme_of(p, (uint32_t)(colon - p));
	switch (uri.scheme) {
	case URI_SIP:
	case URI_SIPS:
		good = read_sip(colon + 1, end, &uri);
		break;
	case URI_TEL:
		good = read_tel(colon + 1, end, &uri);
		break;
	default:
		if (colon + 1 == end || lex_run(colon + 1, end, LEX_URI) != end)
			return -ERR_INVALID;
		ret_uri->scheme = uri.scheme;
		ret_uri->text = text;
		return 0;
	}
	if (!good)
		return -ERR_INVALID;
	*ret_uri = uri;
	return 0;
}

int uri_parse(struct span text, struct sip_uri *ret_uri)
{
	return sip_level()->uri_parse(text, ret_uri);
}
