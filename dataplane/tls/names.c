/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/names.h"

#include <stdio.h>

#include <openssl/x509v3.h>

#include "base/err.h"

/* ---- hosts */

/* Nothing but visible ASCII: an embedded NUL, a space or a raw UTF-8 name is nobody's name. */
static bool clean(struct span s)
{
	for (uint32_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n && s.n <= NAME_MAX_BYTES;
}

static bool domain_char(uint8_t c)
{
	return (uint8_t)(ascii_lower(c) - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '-' || c == '_' || c == '.';
}

int name_read(const char *text, struct name *ret_name)
{
	struct span s = span_str(text);
	struct name name = { .allow_wildcard = false };

	if (!clean(s))
		return -ERR_INVALID;
	if (!ip_parse(s, &name.ip)) {
		ip_format(&name.ip, false, name.text);
		*ret_name = name;
		return 0;
	}
	if (s.p[s.n - 1] == '.')
		s.n--;
	if (!s.n || s.p[0] == '.')
		return -ERR_INVALID;
	for (uint32_t i = 0; i < s.n; i++) {
		if (!domain_char(s.p[i]) || (s.p[i] == '.' && s.p[i + 1] == '.'))
			return -ERR_INVALID;
		name.text[i] = (char)ascii_lower(s.p[i]);
	}
	*ret_name = name;
	return 0;
}

bool name_wildcard_covers(struct span pattern, struct span host)
{
	const uint8_t *dot = host.n ? memchr(host.p, '.', host.n) : NULL;
	struct span rest;

	if (pattern.n < 4 || pattern.p[0] != '*' || pattern.p[1] != '.' || !dot || dot == host.p)
		return false;
	if (!memchr(pattern.p + 2, '.', pattern.n - 2))
		return false;
	rest = span_of(dot, host.n - (uint32_t)(dot - host.p));
	return span_ieq(span_of(pattern.p + 1, pattern.n - 1), rest);
}

/* The host of a sip: URI that has no user part: an identity of its domain. Absent: it is none. */
static struct span sip_domain(struct span uri)
{
	const struct span none = { NULL, 0 };
	uint32_t n = 0;

	if (!clean(uri) || uri.n < 5 || !span_ieq_str(span_of(uri.p, 4), "sip:") || memchr(uri.p, '@', uri.n))
		return none;
	uri = span_of(uri.p + 4, uri.n - 4);
	if (uri.p[0] == '[')
		return none; /* an address: it belongs into an iPAddress name */
	while (n < uri.n && domain_char(uri.p[n]))
		n++;
	if (!n || (n < uri.n && uri.p[n] != ':' && uri.p[n] != ';' && uri.p[n] != '?'))
		return none;
	return span_of(uri.p, n);
}

/* ---- subjectAltName */

static struct span text_of(const ASN1_STRING *s)
{
	return span_of(ASN1_STRING_get0_data(s), (uint32_t)ASN1_STRING_length(s));
}

static GENERAL_NAMES *names_of(const X509 *certificate)
{
	return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static bool is_address(struct span domain)
{
	struct ip_addr ip;

	return !ip_parse(domain, &ip);
}

void names_each(const X509 *certificate, bool all, void (*each)(void *ctx, struct span domain), void *ctx)
{
	GENERAL_NAMES *names = names_of(certificate);
	unsigned uris = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct span domain = name->type == GEN_URI ? sip_domain(text_of(name->d.uniformResourceIdentifier)) : (struct span){ NULL, 0 };

		if (!domain.p)
			continue;
		uris++; /* one with an address in it is one, too: the DNS names do not count then */
		if (!is_address(domain))
			each(ctx, domain);
	}
	for (int i = 0; (all || !uris) && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS && clean(text_of(name->d.dNSName)))
			each(ctx, text_of(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
}

static bool address_is_of(const struct name *name, const X509 *certificate)
{
	GENERAL_NAMES *names = names_of(certificate);
	struct span want = span_of(name->ip.bytes, name->ip.family == IP_V4 ? 4 : 16);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		found = n->type == GEN_IPADD && span_eq(text_of(n->d.iPAddress), want);
	}
	GENERAL_NAMES_free(names);
	return found;
}

struct search {
	const struct name *name;
	bool found;
};

static void compare(void *ctx, struct span domain)
{
	struct search *s = ctx;
	struct span want = span_str(s->name->text);

	s->found = s->found || span_ieq(domain, want) || (s->name->allow_wildcard && name_wildcard_covers(domain, want));
}

bool name_is_of(const struct name *name, const X509 *certificate)
{
	struct search s = { .name = name };

	if (name->ip.family != IP_NONE)
		return address_is_of(name, certificate);
	names_each(certificate, false, compare, &s);
	return s.found;
}

/* ---- for people */

struct list {
	char *out;
	uint32_t at, room;
	unsigned count;
};

static void append(void *ctx, struct span domain)
{
	struct list *l = ctx;
	uint32_t comma = l->at ? 2 : 0;

	l->count++;
	if (l->at + comma + domain.n + 1 > l->room)
		return;
	memcpy(l->out + l->at, ", ", comma);
	memcpy(l->out + l->at + comma, domain.p, domain.n);
	l->at += comma + domain.n;
	l->out[l->at] = '\0';
}

unsigned names_write(const X509 *certificate, char *out, uint32_t n)
{
	struct list l = { .out = out, .room = n };

	out[0] = '\0';
	names_each(certificate, false, append, &l);
	return l.count;
}

static void append_visible(struct list *l, struct span text)
{
	char visible[NAME_MAX_BYTES];
	uint32_t n = text.n < sizeof(visible) ? text.n : sizeof(visible);

	for (uint32_t i = 0; i < n; i++)
		visible[i] = text.p[i] > ' ' && text.p[i] <= '~' ? (char)text.p[i] : '?';
	append(l, span_of(visible, n));
}

static void append_address(struct list *l, struct span bytes)
{
	struct ip_addr ip = { .family = bytes.n == 4 ? IP_V4 : IP_V6 };
	char text[IP_TEXT_MAX + 2];

	if (bytes.n != 4 && bytes.n != 16)
		return;
	memcpy(ip.bytes, bytes.p, bytes.n);
	append(l, span_of(text, ip_format(&ip, false, text)));
}

void names_describe(const X509 *certificate, char *out, uint32_t n)
{
	GENERAL_NAMES *names = names_of(certificate);
	struct list l = { .out = out, .room = n };

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI || name->type == GEN_DNS)
			append_visible(&l, text_of(name->d.ia5));
		else if (name->type == GEN_IPADD)
			append_address(&l, text_of(name->d.iPAddress));
	}
	GENERAL_NAMES_free(names);
}
