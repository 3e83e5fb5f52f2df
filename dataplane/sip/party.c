/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/party.h"

#include "base/partial.h"
#include "sip/lex.h"
#include "sip/name_addr.h"
#include "sip/uri.h"

/* Where the host stands in "<sip:user@host", and the user; NULL: it is written in another way. Neither quotes nor a second '@' or '<' can have come
 * before it, so that the careful readers find the same two. */
static const uint8_t *host_in(struct span value, struct span *ret_user)
{
	const uint8_t *p = value.p, *end = span_end(value), *user;

	if (p < end && *p == '"') {
		p = lex_quoted(p, end);
		while (p && p < end && *p == ' ')
			p++;
	}
	if (!p || end - p < 8 || *p != '<' || load_32(p + 1) != load_32((const uint8_t *)"sip:"))
		return NULL;
	user = p + 5;
	p = lex_run(user, end, LEX_USER);
	if (p == end || *p != '@' || p == user)
		return NULL;
	*ret_user = lex_span(user, p);
	return p + 1;
}

static __attribute__((noinline)) struct span user_closely(struct span value)
{
	struct name_addr element;
	struct sip_uri uri;

	if (name_addr_next(&value, &element) != 1 || uri_parse(element.uri, &uri) < 0 || uri.scheme == URI_OTHER)
		return (struct span){ 0, 0 };
	return uri.user;
}

struct span party_user(struct span value)
{
	const uint8_t *end = span_end(value), *host, *p;
	struct span user;

	host = host_in(value, &user);
	if (!host)
		return user_closely(value);
	p = lex_run(host, end, LEX_HOST);
	if (p == host)
		return user_closely(value);
	if (p < end && *p == ';')
		p = lex_run(p, end, LEX_URI);
	return p < end && *p == '>' ? user : user_closely(value);
}

bool party_is_at(struct span value, struct span host)
{
	struct span user;
	const uint8_t *p = host_in(value, &user);

	if (!p || (uint32_t)(span_end(value) - p) <= host.n || memcmp(p, host.p, host.n) != 0)
		return false;
	return !lex_is(p[host.n], LEX_HOST);
}
