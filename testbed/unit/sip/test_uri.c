/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "exact.h"
#include "sip/uri.h"

static void uris(void **state)
{
	static const struct {
		const char *text;
		int result;
		enum uri_scheme scheme;
		const char *user, *password, *host;
		enum host_kind kind;
		uint16_t port;
		const char *hostport, *params, *headers;
	} cases[] = {
		{ "sip:h", 0, URI_SIP, NULL, NULL, "h", HOST_NAME, 0, "h", "", NULL },
		{ "SIP:a@h", 0, URI_SIP, "a", NULL, "h", HOST_NAME, 0, "h", "", NULL },
		{ "sips:a:pw@h:5061", 0, URI_SIPS, "a", "pw", "h", HOST_NAME, 5061, "h:5061", "", NULL },
		{ "sip:a:@h", 0, URI_SIP, "a", "", "h", HOST_NAME, 0, "h", "", NULL },
		{ "sip:a@10.0.0.1:5070;lr", 0, URI_SIP, "a", NULL, "10.0.0.1", HOST_IPV4, 5070, "10.0.0.1:5070", ";lr", NULL },
		{ "sip:a@[2001:db8::1]:5070;transport=udp?x=y", 0, URI_SIP, "a", NULL, "[2001:db8::1]", HOST_IPV6, 5070,
		  "[2001:db8::1]:5070", ";transport=udp", "x=y" },
		{ "sip:[::1]", 0, URI_SIP, NULL, NULL, "[::1]", HOST_IPV6, 0, "[::1]", "", NULL },
		{ "sip:a@[2001:db8:::192.0.2.1]", 0, URI_SIP, "a", NULL, "[2001:db8:::192.0.2.1]", HOST_IPV6, 0,
		  "[2001:db8:::192.0.2.1]", "", NULL },
		{ "sip:h?x=y", 0, URI_SIP, NULL, NULL, "h", HOST_NAME, 0, "h", "", "x=y" },
		{ "sip:h;a?", 0, URI_SIP, NULL, NULL, "h", HOST_NAME, 0, "h", ";a", "" },
		{ "sip:u;p=1?q/r%40s@h;lr", 0, URI_SIP, "u;p=1?q/r%40s", NULL, "h", HOST_NAME, 0, "h", ";lr", NULL },
		{ "sip:%00null@h", 0, URI_SIP, "%00null", NULL, "h", HOST_NAME, 0, "h", "", NULL },
		{ "sip:caf\xc3\xa9@h", 0, URI_SIP, "caf\xc3\xa9", NULL, "h", HOST_NAME, 0, "h", "", NULL },
		{ "sip:a@sip_trunk.example.com.", 0, URI_SIP, "a", NULL, "sip_trunk.example.com.", HOST_NAME, 0,
		  "sip_trunk.example.com.", "", NULL },
		{ "tel:+44-20(3555)0100;phone-context=x", 0, URI_TEL, "+44-20(3555)0100", NULL, "", HOST_NAME, 0, "",
		  ";phone-context=x", NULL },
		{ "TEL:911", 0, URI_TEL, "911", NULL, "", HOST_NAME, 0, "", "", NULL },
		{ "mailto:a@b", 0, URI_OTHER, NULL, NULL, NULL, HOST_NAME, 0, NULL, NULL, NULL },
		{ "soap.beep://192.0.2.1:1", 0, URI_OTHER, NULL, NULL, NULL, HOST_NAME, 0, NULL, NULL, NULL },
		{ "", -ERR_INVALID }, { "sip", -ERR_INVALID }, { "sip:", -ERR_INVALID }, { "sip:@h", -ERR_INVALID },
		{ "sip:a@", -ERR_INVALID }, { "sip:a@h:", -ERR_INVALID }, { "sip:a@h:0", -ERR_INVALID },
		{ "sip:a@h:65536", -ERR_INVALID }, { "sip:a@h:99999999999999999999", -ERR_INVALID },
		{ "sip:a@h:5060x", -ERR_INVALID }, { "sip:a@h h", -ERR_INVALID }, { "sip:a@h;p q", -ERR_INVALID },
		{ "sip:a b@h", -ERR_INVALID }, { "<sip:a@h>", -ERR_INVALID }, { "sip:a@h>", -ERR_INVALID },
		{ "sip:2001:db8::1", -ERR_INVALID }, { "sip:[2001:db8::1", -ERR_INVALID }, { "sip:[10.0.0.1]", -ERR_INVALID },
		{ "sip:[]", -ERR_INVALID }, { "sip:[[::1]]", -ERR_INVALID }, { "sip:a@b@c", -ERR_INVALID },
		{ "sip:a@h\r\n", -ERR_INVALID }, { "sip:a\tb@h", -ERR_INVALID }, { "1sip:a@h", -ERR_INVALID },
		{ ":a", -ERR_INVALID }, { "tel:", -ERR_INVALID }, { "tel:;x", -ERR_INVALID }, { "mailto:", -ERR_INVALID },
		{ "a b:c", -ERR_INVALID }, { "sip:a@h/path", -ERR_INVALID }, { "sip:a@\xff", -ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *what = cases[i].text;
		struct span s = exact_str(what);
		struct sip_uri uri;
		int r = uri_parse(s, &uri);

		if (r != cases[i].result)
			fail_msg("'%s': %d", what, r);
		if (r == 0) {
			assert_int_equal(uri.scheme, cases[i].scheme);
			assert_true(span_eq(uri.text, s));
		}
		if (r == 0 && uri.scheme != URI_OTHER) {
			expect_span(what, "user", uri.user, cases[i].user);
			expect_span(what, "password", uri.password, cases[i].password);
			expect_span(what, "host", uri.host, cases[i].host);
			expect_span(what, "hostport", uri.hostport, cases[i].hostport);
			expect_span(what, "params", uri.params, cases[i].params);
			expect_span(what, "headers", uri.headers, cases[i].headers);
			assert_int_equal(uri.host_kind, cases[i].kind);
			assert_int_equal(uri.port, cases[i].port);
		}
		exact_free(s);
	}
}

static void addresses_have_values(void **state)
{
	struct sip_uri uri;
	struct ip_addr want;

	assert_int_equal(uri_parse(SPAN_LIT("sip:a@[2001:db8:::192.0.2.1]"), &uri), 0);
	assert_int_equal(ip_parse(SPAN_LIT("2001:db8::192.0.2.1"), &want), 0);
	assert_true(ip_eq(&uri.ip, &want));
	assert_int_equal(uri_parse(SPAN_LIT("sip:a@192.0.2.1"), &uri), 0);
	assert_int_equal(ip_parse(SPAN_LIT("192.0.2.1"), &want), 0);
	assert_true(ip_eq(&uri.ip, &want));
}

static void hosts_compare(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{ "example.com", "EXAMPLE.com", true },
		{ "example.com.", "example.COM", true },
		{ "example.com", "example.org", false },
		{ "example.com", "example.co", false },
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "10.0.0.1", "[::ffff:10.0.0.1]", false },
		{ "[2001:db8::1]", "[2001:DB8:0:0:0:0:0:1]", true },
		{ "[2001:db8::1]", "[2001:db8::2]", false },
		{ "", "a", false },
		{ "a", "", false },
		{ "a/b", "A/b", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span a = exact_str(cases[i].a), b = exact_str(cases[i].b);

		if (host_eq(a, b) != cases[i].equal)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
		exact_free(a);
		exact_free(b);
	}
}

static void params(void **state)
{
	static const struct {
		const char *params, *name;
		bool there;
		const char *value;
	} cases[] = {
		{ ";lr", "lr", true, NULL },
		{ ";LR;x=y", "lr", true, NULL },
		{ ";a=b;Tag=c", "tag", true, "c" },
		{ " ; a = b\r\n ;\ttag\r\n = c ", "tag", true, "c" },
		{ ";q=\"a;tag=x\";tag=y", "tag", true, "y" },
		{ ";q=\"a\\\";tag=x\"", "tag", false, NULL },
		{ ";tag=", "tag", true, "" },
		{ ";;tag=1", "tag", true, "1" },
		{ ";tagged=1", "tag", false, NULL },
		{ ";ta=1", "tag", false, NULL },
		{ "", "tag", false, NULL },
		{ "tag=1", "tag", false, NULL },
		{ ";a b;tag=1", "tag", false, NULL },
		{ ";q=\"open;tag=1", "tag", false, NULL },
		{ ";q=\"open\\", "tag", false, NULL },
		{ ";=x;tag=1", "tag", false, NULL },
		{ ";tag=1;tag=2", "tag", true, "1" },
		{ ";received=[2001:db8::1]", "received", true, "[2001:db8::1]" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = exact_str(cases[i].params), value = { 0, 0 };

		if (param_find(s, cases[i].name, &value) != cases[i].there)
			fail_msg("%s", cases[i].params);
		assert_int_equal(param_find(s, cases[i].name, NULL), cases[i].there);
		if (cases[i].there)
			expect_span(cases[i].params, cases[i].name, value, cases[i].value);
		exact_free(s);
	}
}

static void params_are_walked(void **state)
{
	struct span rest = SPAN_LIT(";a ; b = c ;d=\"e\""), name, value, whole;

	assert_true(param_next(&rest, &name, &value, &whole));
	expect_span("a", "name", name, "a");
	expect_span("a", "value", value, NULL);
	expect_span("a", "whole", whole, ";a");
	assert_true(param_next(&rest, &name, &value, &whole));
	expect_span("b", "value", value, "c");
	expect_span("b", "whole", whole, "; b = c");
	assert_true(param_next(&rest, &name, &value, &whole));
	expect_span("d", "value", value, "\"e\"");
	assert_false(param_next(&rest, &name, &value, &whole));
}

static void elements(void **state)
{
	static const struct {
		const char *text;
		int results[3]; /* of three calls */
		const char *display, *uri, *params, *whole; /* of the first */
	} cases[] = {
		{ "<sip:a@b>", { 1, 0 }, "", "sip:a@b", "", "<sip:a@b>" },
		{ "A <sip:a@b>;tag=1", { 1, 0 }, "A", "sip:a@b", ";tag=1", "A <sip:a@b>;tag=1" },
		{ "\"x,<y\\\">;\" <sip:a@b> ; tag=1 , <sip:c>", { 1, 1, 0 }, "\"x,<y\\\">;\"", "sip:a@b", "; tag=1",
		  "\"x,<y\\\">;\" <sip:a@b> ; tag=1" },
		{ "<sip:a,b@c;p?h>;x,<sip:d>", { 1, 1, 0 }, "", "sip:a,b@c;p?h", ";x", "<sip:a,b@c;p?h>;x" },
		{ "caller<sip:a@b>", { 1, 0 }, "caller", "sip:a@b", "", "caller<sip:a@b>" },
		{ "sip:a@b;tag=1", { 1, 0 }, "", "sip:a@b", ";tag=1", "sip:a@b;tag=1" },
		{ " \r\n sip:a@b , sip:c", { 1, 1, 0 }, "", "sip:a@b", "", "sip:a@b" },
		{ "\"W, T\" < sip:a@b >", { 1, 0 }, "\"W, T\"", "sip:a@b", "", "\"W, T\" < sip:a@b >" },
		{ "<sip:a@b>;", { 1, 0 }, "", "sip:a@b", ";", "<sip:a@b>;" },
		{ "<isbn:298>;tag=1", { 1, 0 }, "", "isbn:298", ";tag=1", "<isbn:298>;tag=1" },
		{ "*", { 1, 0 }, "", "*", "", "*" },
		{ "\xe3\x83\x86 <sip:a@b>", { 1, 0 }, "\xe3\x83\x86", "sip:a@b", "", "\xe3\x83\x86 <sip:a@b>" },
		{ "", { 0 }, NULL, NULL, NULL, NULL },
		{ " \t", { 0 }, NULL, NULL, NULL, NULL },
		{ "\"open <sip:a@b>", { -ERR_INVALID } },
		{ "<sip:a@b", { -ERR_INVALID } },
		{ "<>", { -ERR_INVALID } },
		{ "<sip:<a>", { -ERR_INVALID } },
		{ "Bell, A <sip:a@b>", { -ERR_INVALID } },
		{ "bob", { -ERR_INVALID } },
		{ ",<sip:a>", { -ERR_INVALID } },
		{ "<sip:a@b> junk", { -ERR_INVALID } },
		{ "<sip:a@b>;t=\"open", { -ERR_INVALID } },
		{ "sip:a b", { -ERR_INVALID } },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *what = cases[i].text;
		struct span s = exact_str(what), rest = s;
		struct name_addr e;

		for (int call = 0; call < 3; call++) {
			int r = name_addr_next(&rest, &e);

			if (r != cases[i].results[call])
				fail_msg("'%s': call %d gives %d", what, call, r);
			if (r != 1)
				break;
			if (call)
				continue;
			expect_span(what, "display", e.display, cases[i].display);
			expect_span(what, "uri", e.uri, cases[i].uri);
			expect_span(what, "params", e.params, cases[i].params);
			expect_span(what, "whole", e.whole, cases[i].whole);
		}
		exact_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris),
		cmocka_unit_test(addresses_have_values),
		cmocka_unit_test(hosts_compare),
		cmocka_unit_test(params),
		cmocka_unit_test(params_are_walked),
		cmocka_unit_test(elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
