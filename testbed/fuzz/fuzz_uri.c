/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit/sip/same.h"
#include "check.h"
#include "sip/level.h"
#include "sip/number.h"
#include "sip/uri.h"

/* URIs, name-addrs, parameters, addresses and numbers out of any bytes: whatever is returned lies inside, and what was read can be
 * read again. */

static void try_address(struct span s)
{
	char text[IP_PORT_TEXT_MAX];
	struct ip_prefix prefix;
	struct ip_addr ip, again;
	struct ip_port addr;

	if (ip_parse(s, &ip) == 0) {
		uint32_t n = ip_format(&ip, true, text);

		CHECK(n < sizeof(text) && ip_parse(span_of(text, n), &again) == 0 && ip_eq(&ip, &again));
	}
	if (ip_port_parse(s, 5060, &addr) == 0) {
		struct ip_port back;
		uint32_t n = ip_port_format(&addr, text);

		CHECK(n < sizeof(text) && ip_port_parse(span_of(text, n), 0, &back) == 0 && ip_port_eq(&addr, &back));
	}
	if (ip_prefix_parse(s, &prefix) == 0)
		CHECK(ip_prefix_contains(&prefix, &prefix.ip));
}

static void try_params(struct span params)
{
	struct span rest = params, name, value, whole;

	while (param_next(&rest, &name, &value, &whole)) {
		CHECK(inside(whole, params) && inside(name, whole) && inside(value, whole) && inside(rest, params));
		CHECK(name.n && *whole.p == ';');
	}
	param_find(params, "transport", &value);
}

static void try_number(const struct sip_uri *uri)
{
	static const struct number_plan plan = { "44", "00", "0" };
	char text[E164_TEXT_MAX];
	e164 number, back;

	if (number_from_uri(uri, &plan, &number))
		return;
	CHECK(e164_digits(number) >= 1 && e164_truncate(number, e164_digits(number)) == number);
	CHECK(e164_parse(span_of(text, e164_format(number, text)), &back) == 0 && back == number);
}

static void try_uri(struct span s)
{
	struct sip_uri uri;

	if (uri_parse(s, &uri))
		return;
	CHECK(span_eq(uri.text, s));
	if (uri.scheme == URI_OTHER)
		return;
	CHECK(inside(uri.user, s) && inside(uri.password, s) && inside(uri.host, s) && inside(uri.hostport, s));
	CHECK(inside(uri.params, s) && inside(uri.headers, s));
	CHECK(uri.scheme == URI_TEL || (uri.host.n && host_eq(uri.host, uri.host) && inside(uri.host, uri.hostport)));
	try_params(uri.params);
	try_number(&uri);
}

/* Every instruction set against the scalar readers. */
static void check_levels(struct span s)
{
	for (int level = CPU_SCALAR; level < CPU_LEVELS; level++) {
		struct span rest = s, again = s, tag, tag_again;
		struct sip_uri uri, other;
		struct name_addr e, f;
		struct ip_addr ip, ip_again;
		int r;

		cpu_select(CPU_SCALAR);
		r = ip_parse(s, &ip);
		if (!cpu_select((enum cpu_level)level))
			continue;
		CHECK(ip_parse(s, &ip_again) == r && (r || ip_eq(&ip, &ip_again)));
		r = sip_level_scalar.uri_parse(s, &uri);
		CHECK(uri_parse(s, &other) == r && (r || same_uri(&uri, &other)));
		do {
			r = sip_level_scalar.name_addr_read(&rest, &e, &tag);
			CHECK(name_addr_read(&again, &f, &tag_again) == r);
			CHECK(r != 1 || (same_element(&e, &f) && same_span(rest, again) && same_span(tag, tag_again)));
		} while (r == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, (uint32_t)size), rest = s;
	struct name_addr e;

	check_levels(s);
	try_address(s);
	try_params(s);
	try_uri(s);
	while (name_addr_next(&rest, &e) == 1) {
		CHECK(e.whole.n && inside(e.whole, s) && inside(rest, s));
		CHECK(e.uri.n && inside(e.uri, e.whole) && inside(e.display, e.whole) && inside(e.params, e.whole));
		try_uri(e.uri);
		try_params(e.params);
	}
	return 0;
}
