/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "exact.h"
#include "sip/via.h"

static void reads(void **state)
{
	static const struct {
		const char *text;
		int result;
		enum sip_transport transport;
		const char *host;
		uint16_t port;
		const char *sent_by, *branch, *received, *rport, *rport_whole, *goes_to;
	} cases[] = {
		{ "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa", 1, TRANSPORT_UDP, "10.0.0.1", 5070, "10.0.0.1:5070", "z9hG4bKa",
		  NULL, NULL, NULL, "10.0.0.1:5070" },
		{ "SIP/2.0/udp h.example.com", 1, TRANSPORT_UDP, "h.example.com", 0, "h.example.com", NULL, NULL, NULL, NULL, NULL },
		{ "SIP/2.0/TCP [2001:db8::1];branch=x", 1, TRANSPORT_TCP, "[2001:db8::1]", 0, "[2001:db8::1]", "x", NULL, NULL,
		  NULL, "[2001:db8::1]:5060" },
		{ "SIP/2.0/TLS 10.0.0.1", 1, TRANSPORT_TLS, "10.0.0.1", 0, "10.0.0.1", NULL, NULL, NULL, NULL, "10.0.0.1:5061" },
		{ "SIP/2.0/WSS x.invalid;branch=z9hG4bKq", 1, TRANSPORT_OTHER, "x.invalid", 0, "x.invalid", "z9hG4bKq", NULL, NULL,
		  NULL, NULL },
		{ "SIP / 2.0\r\n /UDP\r\n  192.0.2.2 : 5070 ;\r\n branch =\r\n z9hG4bKw", 1, TRANSPORT_UDP, "192.0.2.2", 5070,
		  "192.0.2.2 : 5070", "z9hG4bKw", NULL, NULL, NULL, "192.0.2.2:5070" },
		{ "SIP/2.0/UDP h;rport;branch=a;received=192.0.2.9", 1, TRANSPORT_UDP, "h", 0, "h", "a", "192.0.2.9", NULL,
		  ";rport", "192.0.2.9:5060" },
		{ "SIP/2.0/UDP h:5080;received=192.0.2.9;rport=1024", 1, TRANSPORT_UDP, "h", 5080, "h:5080", NULL, "192.0.2.9",
		  "1024", ";rport=1024", "192.0.2.9:1024" },
		{ "SIP/2.0/UDP h;received=2001:db8::9:255", 1, TRANSPORT_UDP, "h", 0, "h", NULL, "2001:db8::9:255", NULL, NULL,
		  "[2001:db8::9:255]:5060" },
		{ "SIP/2.0/UDP h;received=[2001:db8::9:255]", 1, TRANSPORT_UDP, "h", 0, "h", NULL, "[2001:db8::9:255]", NULL,
		  NULL, "[2001:db8::9:255]:5060" },
		{ "SIP/2.0/UDP h:5080;maddr=239.1.2.3;received=192.0.2.9", 1, TRANSPORT_UDP, "h", 5080, "h:5080", NULL,
		  "192.0.2.9", NULL, NULL, "239.1.2.3:5080" },
		{ "SIP/2.0/UDP 10.0.0.1;received=junk", 1, TRANSPORT_UDP, "10.0.0.1", 0, "10.0.0.1", NULL, "junk", NULL, NULL, NULL },
		{ "SIP/2.0/UDP 10.0.0.1;;hidden", 1, TRANSPORT_UDP, "10.0.0.1", 0, "10.0.0.1", NULL, NULL, NULL, NULL,
		  "10.0.0.1:5060" },
		{ "SIP/7.0/UDP 10.0.0.1", 1, TRANSPORT_UDP, "10.0.0.1", 0, "10.0.0.1", NULL, NULL, NULL, NULL, "10.0.0.1:5060" },
		{ "", 0 }, { " ", 0 },
		{ "SIP/2.0/UDP", -ERR_INVALID }, { "SIP/2.0/UDP ", -ERR_INVALID }, { "SIP/2.0/ h", -ERR_INVALID },
		{ "SIP/2.0 h", -ERR_INVALID }, { "HTTP/2.0/UDP h", -ERR_INVALID }, { "SIP//UDP h", -ERR_INVALID },
		{ "SIP/2.0/UDP h:", -ERR_INVALID }, { "SIP/2.0/UDP h:0", -ERR_INVALID }, { "SIP/2.0/UDP h:70000", -ERR_INVALID },
		{ "SIP/2.0/UDP h x", -ERR_INVALID }, { "SIP/2.0/UDP [::1", -ERR_INVALID }, { "SIP/2.0/UDP h;a=\"", -ERR_INVALID },
		{ "SIP/2.0/UDP ::1", -ERR_INVALID }, { "SIP/2.0/UDP;h", -ERR_INVALID }, { "SIP", -ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *what = cases[i].text;
		struct span s = exact_str(what), rest = s;
		struct ip_port addr;
		char text[IP_PORT_TEXT_MAX];
		struct via v;
		int r = via_next(&rest, &v);

		if (r != cases[i].result)
			fail_msg("'%s': %d", what, r);
		if (r == 1) {
			assert_int_equal(v.transport, cases[i].transport);
			assert_int_equal(v.port, cases[i].port);
			expect_span(what, "host", v.host, cases[i].host);
			expect_span(what, "sent-by", v.sent_by, cases[i].sent_by);
			expect_span(what, "branch", v.branch, cases[i].branch);
			expect_span(what, "received", v.received, cases[i].received);
			expect_span(what, "rport", v.rport_value, cases[i].rport);
			expect_span(what, "whole rport", v.rport_whole, cases[i].rport_whole);
			assert_int_equal(v.rport, cases[i].rport_whole != NULL);
			expect_span("value", "whole", v.whole, what);
			r = via_response_addr(&v, &addr);
			assert_int_equal(r, cases[i].goes_to ? 0 : -ERR_NOT_FOUND);
			if (r == 0) {
				ip_port_format(&addr, text);
				assert_string_equal(text, cases[i].goes_to);
			}
		}
		exact_free(s);
	}
}

static void several_share_a_line(void **state)
{
	struct span rest = SPAN_LIT("SIP/2.0/UDP a;x=\"p,q\";branch=1 ,\r\n SIP/2.0/TCP b;branch=2,SIP/2.0/TLS c");
	static const char *const whole[] = { "SIP/2.0/UDP a;x=\"p,q\";branch=1", "SIP/2.0/TCP b;branch=2", "SIP/2.0/TLS c" };
	struct via v;

	for (size_t i = 0; i < COUNT_OF(whole); i++) {
		assert_int_equal(via_next(&rest, &v), 1);
		expect_span("shared line", "whole", v.whole, whole[i]);
	}
	assert_int_equal(via_next(&rest, &v), 0);
}

static void cookies(void **state)
{
	assert_true(via_branch_is_3261(SPAN_LIT("z9hG4bKa")));
	assert_true(via_branch_is_3261(SPAN_LIT("Z9HG4BKa")));
	assert_false(via_branch_is_3261(SPAN_LIT("z9hG4bK")));
	assert_false(via_branch_is_3261(SPAN_LIT("z9hG4bLa")));
	assert_false(via_branch_is_3261(SPAN_LIT("z9h")));
	assert_false(via_branch_is_3261((struct span){ 0, 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(several_share_a_line),
		cmocka_unit_test(cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
