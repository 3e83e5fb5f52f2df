/* SPDX-License-Identifier: Apache-2.0 */
/* Hard messages of our own, by the rules of RFC 4475 and RFC 5118: start lines, numbers, URIs, names and addresses. */
#include "script.h"

static void refused(const char *what, const char *with, unsigned status)
{
	bent(what, with);
	up(status);
	quiet();
	all_gone();
}

static void uri_refused(const char *uri, unsigned status)
{
	ask(.uri = uri);
	up(status);
	quiet();
	all_gone();
}

/* ---- start lines */

static void version_of_another(void)
{
	refused(" SIP/2.0\r\nVia", " SIP/7.0\r\nVia", 505);
}

static void version_in_lower_case(void)
{
	bent(" SIP/2.0\r\nVia", " sip/2.0\r\nVia");
	up(100);
	out("INVITE", A);
}

static void version_that_is_none(void)
{
	refused(" SIP/2.0\r\nVia", " HTTP/1.1\r\nVia", 400);
}

static void spaces_between_the_parts(void)
{
	refused("INVITE sip:", "INVITE  sip:", 400);
}

static void spaces_at_the_end(void)
{
	refused(" SIP/2.0\r\nVia", " SIP/2.0  \r\nVia", 400);
}

static void spaces_in_the_uri(void)
{
	uri_refused("sip:+442035550100@10.0.0.1; lr", 400);
}

static void tab_for_space(void)
{
	refused("INVITE sip:", "INVITE\tsip:", 400);
}

static void method_in_lower_case(void)
{
	bent("INVITE sip:", "invite sip:");
	up(400); /* CSeq says INVITE, which is another method */
	ask(.method = "invite", .via = VIA "2");
	out("invite", A);
	quiet(); /* unknown: no 100 */
}

static void escaped_method(void)
{
	ask(.method = "RE%47IST%45R");
	out("RE%47IST%45R", A);
}

static void longest_method(void)
{
	static char method[241];

	memset(method, 'M', 240);
	ask(.method = method);
	out(method, A);
	reply(A, 200);
	up(200);
}

static void method_mismatch(void)
{
	refused("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", 400);
}

static void method_mismatch_unknown(void)
{
	raw(CALLER, edited(request_text(&(struct request){ .method = "NEWMETHOD" }), "CSeq: 1 NEWMETHOD", "CSeq: 1 INVITE"));
	up(400);
	quiet();
}

static void reason_absent(void)
{
	invite();
	raw(A, edited(reply_text(A, 180, NULL), "SIP/2.0 180 Reason", "SIP/2.0 180 "));
	has(up(180), "SIP/2.0 180 \r\n");
	raw(A, edited(reply_text(A, 183, NULL), "SIP/2.0 183 Reason", "SIP/2.0 183"));
	has(up(183), "SIP/2.0 183\r\n");
}

static void status_out_of_range(void)
{
	static const char *const lines_[] = { "SIP/2.0 99 x", "SIP/2.0 700 x", "SIP/2.0 4294967496 x", "SIP/2.0 20 x", "SIP/2.0 2000 x",
					      "SIP/2.0 +200 x", "SIP/2.0  200 x", "SIP/3.0 200 x", "SIP/2.0 -1 x" };

	invite();
	for (unsigned i = 0; i < ARRAY_SIZE(lines_); i++)
		raw(A, edited(reply_text(A, 200, NULL), "SIP/2.0 200 Reason", lines_[i]));
	quiet();
	counted(COUNTER_sip_bad_dropped, ARRAY_SIZE(lines_));
	reply(A, 699);
	out("ACK", A);
	up(699);
}

/* ---- numbers */

static void cseq_of_2_31(void)
{
	refused("CSeq: 1 INVITE", "CSeq: 2147483648 INVITE", 400);
}

static void cseq_beyond_32_bits(void)
{
	refused("CSeq: 1 INVITE", "CSeq: 36893488147419103232 INVITE", 400);
}

static void cseq_at_its_limit(void)
{
	bent("CSeq: 1 INVITE", "CSeq: 2147483647 INVITE");
	up(100);
	out("INVITE", A);
}

static void cseq_negative(void)
{
	refused("CSeq: 1 INVITE", "CSeq: -1 INVITE", 400);
}

static void cseq_in_a_response(void)
{
	invite();
	raw(A, edited(reply_text(A, 200, NULL), "CSeq: 1 INVITE", "CSeq: 9292394834772304023312 INVITE"));
	quiet();
	counted(COUNTER_sip_bad_dropped, 1);
}

static void hops_beyond_255(void)
{
	refused("Max-Forwards: 70", "Max-Forwards: 256", 400);
}

static void hops_no_number(void)
{
	refused("Max-Forwards: 70", "Max-Forwards: many", 400);
}

static void length_negative(void)
{
	refused("Content-Length: 0", "Content-Length: -999", 400);
}

static void length_huge(void)
{
	refused("Content-Length: 0", "Content-Length: 99999999999999999999", 400);
}

static void length_spaced(void)
{
	bent("Content-Length: 0", "Content-Length  :\r\n   000 ");
	up(100);
	out("INVITE", A);
}

static void odd_scalars_elsewhere(void)
{
	has(invite(.headers = "Expires: 99999999999999999999\r\nRetry-After: 949302838503028349304023988\r\n"), "Expires: 99999999999999999999\r\n");
}

/* ---- URIs */

static void schemes(void)
{
	static const char *const uris[] = { "nobodyKnowsThisScheme:totallyopaquecontent", "soap.beep://192.0.2.103:3002", "mailto:a@b", "urn:service:sos",
					    "http://10.0.0.1/" };

	for (unsigned i = 0; i < ARRAY_SIZE(uris); i++)
		uri_refused(uris[i], 416);
}

static void never_routed_by_to(void)
{
	ask(.uri = "unknown:x", .to = "<" NUMBER ">");
	up(416);
	quiet();
}

static void schemes_elsewhere(void)
{
	invite(.to = "isbn:2983792873", .from = "<http://www.example.com>;tag=f", .contact = "<name:John_Smith>");
}

static void brackets_around_the_uri(void)
{
	uri_refused("<sip:+442035550100@10.0.0.1>", 400);
}

static void headers_in_the_uri(void)
{
	uri_refused("sip:+442035550100@10.0.0.1?Route=%3Csip:192.0.2.1%3E", 400);
}

static void uri_without_host(void)
{
	uri_refused("sip:+442035550100@", 400);
}

static void uri_port_too_large(void)
{
	uri_refused("sip:+442035550100@10.0.0.1:65536", 400);
}

static void escapes_left_alone(void)
{
	const struct sent *s = invite(.uri = "sip:%2B442035550100;a=%25%34%31@10.0.0.1;%6C%72;n%61me=v%61lue%25%34%31");

	expect_true(!strcmp(sent_uri(s), "sip:%2B442035550100;a=%25%34%31@10.2.0.1;%6C%72;n%61me=v%61lue%25%34%31"), "nothing is unescaped");
}

static void escaped_nul_is_no_end(void)
{
	ask(.uri = "sip:null-%00-null@10.0.0.1");
	up(404);
	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	publish();
	expect_true(!strcmp(sent_uri(invite(.uri = "sip:null-%00-null@10.0.0.1", .via = VIA "2")), "sip:null-%00-null@10.2.0.1"), "kept");
}

static void semicolon_in_the_user(void)
{
	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	publish();
	expect_true(!strcmp(sent_uri(invite(.uri = "sip:user;par=u%40example.net@example.com;x")), "sip:user;par=u%40example.net@10.2.0.1;x"),
		    "the first @ parts user from host");
}

static void question_mark_in_the_user(void)
{
	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	publish();
	expect_true(!strcmp(sent_uri(invite(.uri = "sip:a?b/c:pw@example.com")), "sip:a?b/c:pw@10.2.0.1"), "user and password are kept");
}

/* ---- names */

static void quotes_unbalanced(void)
{
	refused("To: <sip:callee@10.0.0.1>", "To: \"Mr. J. User <sip:callee@10.0.0.1>", 400);
}

static void display_names(void)
{
	static const char *const parties[] = { "\"a, b; <c>\\\" \\\\\" <sip:c@x>;tag=1", "caller<sip:caller@example.com>;tag=323", "a b.c%d <sip:c@x>;tag=1",
					       "\"\" <sip:c@x> ; tag = 1", "sip:c@x;tag=1;y=\"a,b\"", "\"\\\xc3\xa9\" <sip:c@x>;tag=1" };

	for (unsigned i = 0; i < ARRAY_SIZE(parties); i++) {
		char via[64];

		snprintf(via, sizeof(via), VIA "%u", i);
		is(invite(.from = parties[i], .via = via, .call_id = via), "From", parties[i]);
	}
}

static void contact_star_and_lists(void)
{
	ask(.method = "REGISTER", .contact = "*");
	is(out("REGISTER", A), "Contact", "*");
	ask(.method = "REGISTER", .via = VIA "2", .contact = "<sip:a@x;p=1>;q=0.5 , \"b, c\" <sip:b@y>;expires=60");
	is(out("REGISTER", A), "Contact", "<sip:a@x;p=1>;q=0.5 , \"b, c\" <sip:b@y>;expires=60");
}

static void contact_that_cannot_be_read(void)
{
	ask(.method = "REGISTER", .contact = "sip:user@example.com?Route=%3Csip:sip.example.com%3E");
	is(out("REGISTER", A), "Contact", "sip:user@example.com?Route=%3Csip:sip.example.com%3E");
}

static void via_that_cannot_be_read(void)
{
	bent("Via: " VIA, "Via: " VIA ";;,;,,");
	expect_true(stage.sent_count <= 1 && !drain_out("INVITE", A), "not forwarded");
	if (stage.sent_count)
		up(400);
}

static void via_protocols(void)
{
	const struct sent *s = invite(.via = VIA "\r\nVia: SIP/2.0/SCTP s1.example.com;branch=z9hG4bK1\r\nVia: SIP/2.0/UNKNOWN t;branch=z9hG4bK2\r\n"
						"Via: SIP/2.0/TLS t4.example.com;branch=z9hG4bK3");

	has(s, "\r\nVia: SIP/2.0/SCTP s1.example.com;branch=z9hG4bK1\r\nVia: SIP/2.0/UNKNOWN t;branch=z9hG4bK2\r\n");
}

static void branch_of_the_cookie_alone(void)
{
	ask(.via = "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK", .method = "OPTIONS");
	out("OPTIONS", A);
	again();
	quiet();
	reply(A, 200);
	is(up(200), "Via", "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK");
}

static void call_id_with_odd_characters(void)
{
	static const char id[] = "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{";

	is(invite(.call_id = id), "Call-ID", id);
	reply(A, 486);
	is(out("ACK", A), "Call-ID", id);
	up(486);
}

static void rfc2543_request(void)
{
	const struct sent *s;

	raw(CALLER, "INVITE " NUMBER " SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.1\r\nFrom: <sip:c@x>\r\nTo: <sip:d@y>\r\nCall-ID: old\r\nCSeq: 3 INVITE\r\n\r\nv=0");
	up(100);
	s = out("INVITE", A);
	is(s, "Max-Forwards", "70");
	lines(s, "Content-Length", 0);
	expect_true(!memcmp(s->data + s->len - 3, "v=0", 3), "the body to its end");
	reply(A, 486);
	out("ACK", A);
	up(486);
}

/* ---- RFC 5118 */

static void ipv6_reference_in_uri(void)
{
	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	publish();
	expect_true(!strcmp(sent_uri(invite(.uri = "sip:user@[2001:db8::10]")), "sip:user@10.2.0.1"), "the reference is the host");
}

static void ipv6_without_brackets(void)
{
	uri_refused("sip:2001:db8::10", 400);
}

static void ipv6_port(void)
{
	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	stage.trunk[TRUNK_A].request_uri = TRUNK_URI_KEEP;
	publish();
	invite(.uri = "sip:[2001:db8::10:5070]");
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	expect_true(!strcmp(sent_uri(invite(.uri = "sip:[2001:db8::10]:5070", .via = VIA "2")), "sip:[2001:db8::10]:5070"), "host and port");
}

static void ipv6_received(void)
{
	const struct sent *s;

	s = invite(.via = VIA "\r\nVia: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111\r\n"
			      "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3");
	has(s, "received=[2001:db8::9:255];branch=z9hG4bKas3-111\r\n");
	has(s, "received=2001:db8::9:255;branch=z9hG4bKas3\r\n");
}

static void ipv6_mixed_vias(void)
{
	has(invite(.via = VIA "\r\nVia: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\nVia: SIP/2.0/TCP 192.0.2.0;branch=z"),
	    "[2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\nVia: SIP/2.0/TCP 192.0.2.0;branch=z\r\n");
}

static void ipv4_mapped(void)
{
	has(invite(.via = VIA "\r\nVia: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19", .contact = "<sip:u@[::ffff:192.0.2.2]>"),
	    "Contact: <sip:u@[::ffff:192.0.2.2]>\r\n");
}

static void ipv6_three_colons(void)
{
	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	publish();
	invite(.uri = "sip:user@[2001:db8:::192.0.2.1]");
	invite(.uri = "sip:user@[2001:db8::192.0.2.1]", .via = VIA "2", .call_id = "call-2");
}

static void ipv6_in_the_body(void)
{
	has(invite(.body = "v=0\r\no=j 1 1 IN IP6 2001:db8::20\r\nc=IN IP6 2001:db8::20\r\n"), "\r\nc=IN IP6 2001:db8::20\r\n");
}

static void ipv6_caller(void)
{
	const struct sent *s;

	ask(.source = CALLER6, .via = "SIP/2.0/UDP [FD01:0::1]:5060;branch=z9hG4bK1", .uri = "sip:+442035550100@[fd00::1]");
	answer_to(100, CALLER6);
	s = out("INVITE", A);
	is_nth(s, "Via", 1, "SIP/2.0/UDP [FD01:0::1]:5060;branch=z9hG4bK1"); /* the same address, written otherwise: no received */
	expect_true(!strncmp(sent_header(s, "Via", 0), "SIP/2.0/UDP 10.0.0.1:5060", 25), "IPv4 towards the target");
}

LAW_BOOK(torture_values,
	LAW("own", version_of_another, "RFC 4475 §3.1.2.16: a version other than SIP/2.0 gets 505"),
	LAW("own", version_in_lower_case, "RFC 3261 §7.1: SIP/2.0 is read in any case"),
	LAW("own", version_that_is_none, "RFC 3261 §7.1: what is no SIP version gets 400"),
	LAW("own", spaces_between_the_parts, "RFC 4475 §3.1.2.9: more than one space in the request line gets 400"),
	LAW("own", spaces_at_the_end, "RFC 4475 §3.1.2.10: space at the end of the request line gets 400"),
	LAW("own", spaces_in_the_uri, "RFC 4475 §3.1.2.8: space in the request URI gets 400"),
	LAW("own", tab_for_space, "RFC 3261 §7.1: a tab in the request line gets 400"),
	LAW("own", method_in_lower_case, "RFC 3261 §7.1: methods are compared with case"),
	LAW("own", escaped_method, "RFC 4475 §3.1.1.5: an escape in a method is no escape: an unknown method passes"),
	LAW("own", longest_method, "RFC 3261 §16.2: a method of 240 characters passes"),
	LAW("own", method_mismatch, "RFC 4475 §3.1.2.17: a CSeq with another method gets 400"),
	LAW("own", method_mismatch_unknown, "RFC 4475 §3.1.2.18: so it does where the method is unknown"),
	LAW("own", reason_absent, "RFC 4475 §3.1.1.13: a response without a reason phrase passes as it is"),
	LAW("own", status_out_of_range, "RFC 4475 §3.1.2.19: a response whose status is no status is dropped"),
	LAW("own", cseq_of_2_31, "RFC 3261 §8.1.1.5: a CSeq of 2^31 gets 400"),
	LAW("own", cseq_beyond_32_bits, "RFC 4475 §3.1.2.4: so does one beyond 32 bits"),
	LAW("own", cseq_at_its_limit, "RFC 3261 §8.1.1.5: 2^31-1 passes"),
	LAW("own", cseq_negative, "RFC 3261 §20.16: a negative CSeq gets 400"),
	LAW("own", cseq_in_a_response, "RFC 4475 §3.1.2.5: a response with such a CSeq is dropped"),
	LAW("own", hops_beyond_255, "RFC 3261 §20.22: Max-Forwards beyond 255 gets 400"),
	LAW("own", hops_no_number, "RFC 3261 §20.22: so does one that is no number"),
	LAW("own", length_negative, "RFC 4475 §3.1.2.3: a negative Content-Length gets 400"),
	LAW("own", length_huge, "RFC 3261 §20.14: so does one beyond any number"),
	LAW("own", length_spaced, "RFC 4475 §3.1.1.1: leading zeros and folds in it are fine"),
	LAW("own", odd_scalars_elsewhere, "RFC 4475 §3.1.2.4: numbers that a proxy need not read pass"),
	LAW("own", schemes, "RFC 4475 §3.3.2, §3.3.3: unknown schemes in the request URI get 416"),
	LAW("own", never_routed_by_to, "RFC 4475 §3.3.2: and the To is not taken instead"),
	LAW("own", schemes_elsewhere, "RFC 4475 §3.3.4: unknown schemes in To, From and Contact pass"),
	LAW("own", brackets_around_the_uri, "RFC 4475 §3.1.2.7: angle brackets around the request URI get 400"),
	LAW("own", headers_in_the_uri, "RFC 4475 §3.1.2.11: headers in the request URI get 400 and never become real ones"),
	LAW("own", uri_without_host, "RFC 3261 §19.1.1: a URI without a host gets 400"),
	LAW("own", uri_port_too_large, "RFC 3261 §19.1.1: so does a port beyond 65535"),
	LAW("own", escapes_left_alone, "RFC 4475 §3.1.1.3: escapes are forwarded as they came, never unescaped twice"),
	LAW("own", escaped_nul_is_no_end, "RFC 4475 §3.1.1.4: %00 in a user part does not cut it"),
	LAW("own", semicolon_in_the_user, "RFC 4475 §3.1.1.9: a semicolon in the user part belongs to it"),
	LAW("own", question_mark_in_the_user, "RFC 3261 §25.1: so do ? and /"),
	LAW("own", quotes_unbalanced, "RFC 4475 §3.1.2.6: a quote without an end in To gets 400"),
	LAW("own", display_names, "RFC 4475 §3.1.1.6: display names of every kind pass, without space before < too"),
	LAW("own", contact_star_and_lists, "RFC 3261 §20.10: Contact may be * or a list"),
	LAW("own", contact_that_cannot_be_read, "RFC 4475 §3.1.2.13: a Contact that a registrar would refuse passes a proxy"),
	LAW("own", via_that_cannot_be_read, "RFC 4475 §3.1.2.1: a Via that cannot be read is not forwarded"),
	LAW("own", via_protocols, "RFC 4475 §3.1.1.10: unknown transports in Vias below pass"),
	LAW("own", branch_of_the_cookie_alone, "RFC 4475 §3.2.1: a branch of nothing but the cookie does no harm"),
	LAW("own", call_id_with_odd_characters, "RFC 4475 §3.1.1.2: a Call-ID of every character that may be in a word"),
	LAW("own", rfc2543_request, "RFC 4475 §3.4.1: a request of RFC 2543's days passes"),
	LAW("own", ipv6_reference_in_uri, "RFC 5118 §4.1: an IPv6 reference in the request URI"),
	LAW("own", ipv6_without_brackets, "RFC 5118 §4.2: an IPv6 address without brackets gets 400"),
	LAW("own", ipv6_port, "RFC 5118 §4.3, §4.4: what is within the brackets is host, a port comes behind them"),
	LAW("own", ipv6_received, "RFC 5118 §4.5: received with and without brackets passes"),
	LAW("own", ipv6_mixed_vias, "RFC 5118 §4.7: IPv4 and IPv6 in one stack of Vias"),
	LAW("own", ipv4_mapped, "RFC 5118 §4.9: IPv4-mapped addresses pass"),
	LAW("own", ipv6_three_colons, "RFC 5118 §4.10: three colons, by an old grammar's fault, are accepted"),
	LAW("own", ipv6_in_the_body, "RFC 5118 §4.6: addresses in SDP are not touched"),
	LAW("own", ipv6_caller, "RFC 5118 §4.1, RFC 3261 §18.2.1: addresses are compared by value, not as text"));
