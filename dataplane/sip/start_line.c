/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/start_line.h"

#include "sip/lex.h"
#include "sip/uri.h"

#define METHOD_MAX 256 /* longer first words are noise */

/* "SIP/" without case. */
static bool is_sip_slash(const uint8_t *p)
{
	return lex_ieq(p, "sip/", 4);
}

bool start_line_plausible(const uint8_t *data, uint32_t len)
{
	const uint8_t *end = data + (len < METHOD_MAX ? len : METHOD_MAX), *p;

	if (len >= 4 && is_sip_slash(data))
		return true;
	p = lex_run(data, end, LEX_TOKEN);
	return p > data && p < end && (*p == ' ' || *p == '\t');
}

static bool is_version_2(const uint8_t *p, uint32_t n)
{
	return n == 7 && (memcmp(p, "SIP/2.0", 7) == 0 || lex_ieq(p, "sip/2.0", 7));
}

/* "SIP/" 1*DIGIT "." 1*DIGIT */
static bool is_version(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *from;

	if (end - p < 7 || !is_sip_slash(p))
		return false;
	from = p += 4;
	while (p < end && (uint8_t)(*p - '0') < 10)
		p++;
	if (p == from || p == end || *p++ != '.')
		return false;
	from = p;
	while (p < end && (uint8_t)(*p - '0') < 10)
		p++;
	return p > from && p == end;
}

/* RFC 3261 §7.2: three digits, and a reason that may hold anything, or be missing with its space. */
static enum sip_fault read_status_line(const uint8_t *p, const uint8_t *end, struct sip_message *m)
{
	const uint8_t *space = p;
	uint32_t status;

	m->is_request = false;
	while (space < end && *space != ' ')
		space++;
	if (!is_version(p, space))
		return SIP_FAULT_START_LINE;
	if (!is_version_2(p, (uint32_t)(space - p)))
		return SIP_FAULT_VERSION;
	if (end - space < 4)
		return SIP_FAULT_START_LINE;
	p = space + 1;
	for (int i = 0; i < 3; i++)
		if ((uint8_t)(p[i] - '0') > 9)
			return SIP_FAULT_START_LINE;
	status = (uint32_t)(p[0] - '0') * 100 + (uint32_t)(p[1] - '0') * 10 + (uint32_t)(p[2] - '0');
	p += 3;
	if (status < 100 || status > 699 || (p < end && *p != ' '))
		return SIP_FAULT_START_LINE;
	m->status = (uint16_t)status;
	m->reason = p < end ? lex_span(p + 1, end) : span_of(p, 0);
	return SIP_FINE;
}

static enum sip_fault check_uri(struct span text, struct sip_uri *uri)
{
	if (uri_parse(text, uri))
		return SIP_FAULT_URI;
	if (uri->scheme == URI_OTHER)
		return SIP_FAULT_SCHEME;
	/* "headers" have no meaning in a request URI (RFC 3261 §19.1.1), and must never become real ones further on */
	return uri->headers.p ? SIP_FAULT_URI : SIP_FINE;
}

/* RFC 3261 §7.1: exactly one space between the parts, none behind them. */
static enum sip_fault read_request_line(const uint8_t *p, const uint8_t *end, struct sip_message *m)
{
	const uint8_t *space = lex_run(p, end, LEX_TOKEN), *version = end;

	m->is_request = true;
	if (space == p || space == end || *space != ' ')
		return SIP_FAULT_START_LINE;
	m->method_name = lex_span(p, space);
	m->method = (uint8_t)sip_method_lookup(m->method_name);
	if (end - space > 8 && memcmp(end - 8, " SIP/2.0", 8) == 0)
		version = end - 7;
	else
		while (version > space && version[-1] != ' ')
			version--;
	m->request_uri = span_trim(lex_span(space, version));
	if (version - space < 3)
		return SIP_FAULT_START_LINE;
	if (!is_version_2(version, (uint32_t)(end - version)))
		return is_version(version, end) ? SIP_FAULT_VERSION : SIP_FAULT_START_LINE;
	if (m->request_uri.n != (uint32_t)(version - space) - 2)
		return SIP_FAULT_START_LINE;
	return check_uri(m->request_uri, &m->uri);
}

enum sip_fault start_line_read(struct span line, struct sip_message *m)
{
	const uint8_t *p = line.p, *end = span_end(line);

	if (end > p && end[-1] == '\n')
		end--;
	if (end > p && end[-1] == '\r')
		end--;
	if (end - p >= 4 && is_sip_slash(p))
		return read_status_line(p, end, m);
	return read_request_line(p, end, m);
}
