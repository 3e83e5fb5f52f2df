/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/party.h"

#include <emmintrin.h>

#include "base/partial.h"
#include "sip/lex.h"
#include "sip/name_addr.h"
#include "sip/uri.h"

/* A bit for each of the 16 bytes at p that may not stand in a user: white space and control characters, '>', and what ends one. */
static inline uint32_t user_ends(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p), odd;

	odd = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(' ')), v);
	odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('>')));
	odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('@')));
	odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8(':')));
	return (uint32_t)_mm_movemask_epi8(odd);
}

/* A bit for each of the 16 bytes at p that is not LEX_HOST. */
static inline uint32_t host_ends(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p), x, in;

	x = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	in = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(25)), x);
	x = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	in = _mm_or_si128(in, _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(9)), x));
	x = _mm_sub_epi8(v, _mm_set1_epi8('-'));
	in = _mm_or_si128(in, _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(1)), x));
	in = _mm_or_si128(in, _mm_cmpeq_epi8(v, _mm_set1_epi8('_')));
	return (uint32_t)_mm_movemask_epi8(in) ^ 0xffff;
}

/* Where the first bit of it is; else sixteen bytes on, where `careful` goes on. */
static inline const uint8_t *run_end(const uint8_t *p, const uint8_t *end, uint32_t (*ends)(const uint8_t *p), unsigned careful)
{
	for (; end - p >= 16; p += 16) {
		uint32_t found = ends(p);

		if (found)
			return p + __builtin_ctz(found);
	}
	return lex_run(p, end, careful);
}

/* Where the host stands in "<sip:user@host", and the user; NULL: it is written in another way. The first '@' is where the careful readers see it too,
 * or they see no URI at all: a user holds none, and neither ':' nor '>' has come before it. */
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
	p = run_end(user, end, user_ends, LEX_USER);
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
	p = run_end(host, end, host_ends, LEX_HOST);
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
