/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/host.h"

#include "sip/lex.h"

/* An old grammar let ":::" through where "::" was meant; peers that follow it exist. */
static bool parse_three_colons(struct span inside, struct ip_addr *ip)
{
	uint8_t fixed[IP_TEXT_MAX];

	if (inside.n > sizeof(fixed))
		return false;
	for (uint32_t i = 0; i + 2 < inside.n; i++) {
		if (memcmp(inside.p + i, ":::", 3) != 0)
			continue;
		memcpy(fixed, inside.p, i);
		memcpy(fixed + i, inside.p + i + 1, inside.n - i - 1);
		return ip_parse(span_of(fixed, inside.n - 1), ip) == 0 && ip->family == IP_V6;
	}
	return false;
}

static const uint8_t *read_v6(const uint8_t *p, const uint8_t *end, enum host_kind *kind, struct ip_addr *ip)
{
	const uint8_t *close = p + 1;
	struct span inside;

	while (close < end && *close != ']')
		close++;
	if (close == end)
		return NULL;
	inside = lex_span(p + 1, close);
	if (!inside.n || *inside.p == '[')
		return NULL;
	if ((ip_parse(inside, ip) || ip->family != IP_V6) && !parse_three_colons(inside, ip))
		return NULL;
	*kind = HOST_IPV6;
	return close + 1;
}

const uint8_t *host_read(const uint8_t *p, const uint8_t *end, enum host_kind *kind, struct ip_addr *ip)
{
	const uint8_t *from = p;

	if (p == end)
		return NULL;
	if (*p == '[')
		return read_v6(p, end, kind, ip);
	p = lex_run(p, end, LEX_HOST);
	if (p == from)
		return NULL;
	*kind = HOST_NAME;
	if ((uint8_t)(*from - '0') < 10 && (uint8_t)(p[-1] - '0') < 10 && ip_parse(lex_span(from, p), ip) == 0)
		*kind = HOST_IPV4;
	return p;
}

bool host_eq(struct span a, struct span b)
{
	enum host_kind kind_a, kind_b;
	struct ip_addr ip_a, ip_b;

	if (span_eq(a, b))
		return true;
	if (host_read(a.p, span_end(a), &kind_a, &ip_a) != span_end(a) || host_read(b.p, span_end(b), &kind_b, &ip_b) != span_end(b))
		return false;
	if (!a.n || !b.n || kind_a != kind_b)
		return false;
	if (kind_a != HOST_NAME)
		return ip_eq(&ip_a, &ip_b);
	if (a.p[a.n - 1] == '.')
		a.n--;
	if (b.p[b.n - 1] == '.')
		b.n--;
	return span_ieq(a, b);
}
