/* SPDX-License-Identifier: Apache-2.0 */
/* By TLS, and between it and other transports: RFC 3261 §18 and §26.2, RFC 5658, and sips URIs as RFC 5630 has them. */
#include "streams.h"

#define TLS_CALLER   "tls:10.1.0.1:41001"
#define TLS_VIA	     "SIP/2.0/TLS 10.1.0.1:5061;branch=z9hG4bK1"
#define TLS_CONTACT  "<sip:caller@10.1.0.1:5061;transport=tls>"
#define SIPS_NUMBER  "sips:+442035550100@10.0.0.1"
#define SIPS_CALLER  "<sips:caller@10.1.0.1>"
#define SIPS_TARGET  "<sips:target@10.2.0.1:5060>"

static const struct harness_options tls_here = { .tls = true }, to_tls = { .tls_targets = true }, tcp_with_tls = { .tls = true, .tcp_targets = true };
static const struct request by_tls = { .source = TLS_CALLER, .via = TLS_VIA, .contact = TLS_CONTACT };
static const struct request by_sips = { .source = TLS_CALLER, .via = TLS_VIA, .uri = SIPS_NUMBER, .contact = SIPS_CALLER };

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* ---- Via, Record-Route */

static void via_names_tls(void)
{
	const struct sent *s;

	stage_again(&to_tls);
	s = invite();
	expect_true(begins(sent_header(s, "Via", 0), "SIP/2.0/TLS 10.0.0.1:5061;branch=z9hG4bK"), "TLS, and our TLS listener");
	expect_true(s->to.tls_peer == 100 + TRUNK_A, "it says as whom the other end is verified");
}

static void tls_response_on_its_connection(void)
{
	stage_again(&tls_here);
	invite_as(&by_tls);
	reply(A, 180);
	up(180);
	reply(A, 486);
	up(486);
	out("ACK", A);
	ack();
	quiet();
}

static void tls_response_by_default_port(void)
{
	stage_again(&tls_here);
	ask(.source = TLS_CALLER, .via = "SIP/2.0/TLS pbx.example;branch=z9hG4bK1");
	port_is(up(100), 5061);
	out("INVITE", A);
}

static void tls_two_record_routes(void)
{
	const struct sent *s;

	stage_again(&to_tls);
	s = invite();
	lines(s, "Record-Route", 2);
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5061;transport=tls;lr>") != NULL, "the target's side on top");
	expect_true(strstr(sent_header(s, "Record-Route", 1), "@10.0.0.1:5060;lr>") != NULL, "the caller's below");
}

static void tls_one_record_route(void)
{
	const struct sent *s;

	stage_again(&to_tls);
	s = invite_as(&by_tls);
	lines(s, "Record-Route", 1);
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5061;transport=tls;lr>") != NULL, "it says TLS");
}

static void tls_options_at_default_port(void)
{
	stage_again(&tls_here);
	ask(.method = "OPTIONS", .uri = "sips:10.0.0.1", .source = TLS_CALLER, .via = TLS_VIA);
	up(200);
	ask(.method = "OPTIONS", .uri = "sip:10.0.0.1;transport=tls", .source = TLS_CALLER, .via = TLS_VIA "2");
	up(200);
	quiet();
}

/* ---- whole calls */

static void udp_to_tls(void)
{
	whole_call(&to_tls, NULL, TLS_A, NULL, TOKEN_FROM_CALLER);
	whole_call(&to_tls, NULL, TLS_A, NULL, TOKEN_FROM_TARGET);
}

static void tcp_to_tls(void)
{
	whole_call(&to_tls, &by_tcp, TLS_A, NULL, TOKEN_FROM_CALLER);
	whole_call(&to_tls, &by_tcp, TLS_A, NULL, TOKEN_FROM_TARGET);
}

static void tls_to_tcp(void)
{
	whole_call(&tcp_with_tls, &by_tls, TCP_A, NULL, TOKEN_FROM_CALLER);
	whole_call(&tcp_with_tls, &by_tls, TCP_A, NULL, TOKEN_FROM_TARGET);
}

static void tls_to_tls(void)
{
	whole_call(&to_tls, &by_tls, TLS_A, NULL, TOKEN_FROM_CALLER);
	whole_call(&to_tls, &by_tls, TLS_A, NULL, TOKEN_FROM_TARGET);
}

/* ---- sips */

static void sips_goes_by_tls(void)
{
	const struct sent *s;

	stage_again(&to_tls);
	ask_as(&by_sips);
	up(100);
	s = out("INVITE", TLS_A);
	expect_true(begins(sent_uri(s), "sips:+442035550100@10.2.0.1"), "it stays a sips URI");
	lines(s, "Record-Route", 1);
	expect_true(begins(sent_header(s, "Record-Route", 0), "<sips:"), "Record-Route is one too");
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5061;lr>") != NULL, "transport=tls says nothing more");
}

static void sips_call(void)
{
	whole_call(&to_tls, &by_sips, TLS_A, SIPS_TARGET, TOKEN_FROM_CALLER);
	whole_call(&to_tls, &by_sips, TLS_A, SIPS_TARGET, TOKEN_FROM_TARGET);
}

/* The peers speak of sip URIs now; our Record-Route has not forgotten. */
static void sips_call_stays_secure(void)
{
	struct dialog d;

	stage_again(&to_tls);
	dialog_open(&stage, &by_sips, TLS_A, "<sip:target@10.2.0.1:5060;transport=tcp>", &d);
	out("ACK", TLS_A);
	exchange(&d, TOKEN_FROM_CALLER, "INFO");
	strcpy(d.caller_contact, "<sip:caller@10.1.0.1:41001>");
	exchange(&d, TOKEN_FROM_TARGET, "INFO");
	exchange(&d, TOKEN_FROM_CALLER, "BYE");
}

static void sips_without_tls_targets(void)
{
	stage_again(&tls_here);
	ask_as(&by_sips);
	up(100);
	is(up(480), "Warning", "380 10.0.0.1:5061 \"SIPS Not Allowed\"");
	ack();
	quiet();
}

/* A is reached by UDP, B by TLS: A is no way for it. */
static void sips_passes_others_over(void)
{
	static const char *const endpoints[] = { TLS_B, NULL };
	unsigned more;

	stage_again(&tls_here);
	more = harness_trunk(&stage, "more", endpoints, NULL);
	publish();
	ask_as(&by_sips);
	up(100);
	expect_true(out("INVITE", TLS_B)->to.tls_peer == 100 + more, "the only one");
	reply(TLS_B, 503);
	out("ACK", TLS_B);
	up(500);
	ack();
	quiet();
}

static void sips_must_come_by_tls(void)
{
	stage_again(&to_tls);
	ask(.uri = SIPS_NUMBER);
	up(403);
	ask(.uri = SIPS_NUMBER, .source = TCP_CALLER, .via = TCP_VIA);
	answer_to(403, TCP_CALLER);
	quiet();
}

LAW_BOOK(rfc5630,
	LAW("rfc3261", via_names_tls, "§18.1.1: Via says TLS and names the TLS listener; what goes out says as whom its peer is verified"),
	LAW("rfc3261", tls_response_on_its_connection, "§18.2.2: responses to a request by TLS use its connection"),
	LAW("rfc3261", tls_response_by_default_port, "§18.2.2: where that is gone, the port of sent-by, by TLS 5061 where it names none"),
	LAW("rfc5658", tls_two_record_routes, "§5: from UDP to TLS each side gets its own Record-Route"),
	LAW("rfc5658", tls_one_record_route, "§4: one where both sides are TLS"),
	LAW("rfc3261", tls_options_at_default_port, "§19.1.2: sips and transport=tls mean port 5061"),
	LAW("rfc3261", udp_to_tls, "§16: a whole call from UDP to TLS, requests from both sides, either hangs up"),
	LAW("rfc3261", tcp_to_tls, "§16: the same from TCP to TLS"),
	LAW("rfc3261", tls_to_tcp, "§16: the same from TLS to TCP"),
	LAW("rfc3261", tls_to_tls, "§16: the same from TLS to TLS"),
	LAW("rfc5630", sips_goes_by_tls, "§5.3: a request to a sips URI stays one and leaves by TLS; Record-Route is a sips URI"),
	LAW("rfc5630", sips_call, "§5.3: a whole call with sips Contacts, requests from both sides"),
	LAW("rfc5630", sips_call_stays_secure, "RFC 3261 §26.2.2: once sips, a dialog does not fall below TLS, whatever the peers' Contacts say"),
	LAW("rfc5630", sips_without_tls_targets, "§5.3: 480 with Warning 380 where nobody is reached by TLS"),
	LAW("rfc5630", sips_passes_others_over, "§5.3: endpoints of other transports are passed over"),
	LAW("design", sips_must_come_by_tls, "a sips URI that did not come by TLS is refused with 403"));
