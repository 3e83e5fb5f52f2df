/* SPDX-License-Identifier: Apache-2.0 */
/* Transport: RFC 3261 §18, over UDP. */
#include "script.h"

#include "base/pool.h"

/* ---- §18.2: the server side */

static void received_where_different(void)
{
	is_nth(invite(.via = "SIP/2.0/UDP 10.1.0.99:5060;branch=z9hG4bK1"), "Via", 1,
	       "SIP/2.0/UDP 10.1.0.99:5060;branch=z9hG4bK1;received=10.1.0.1");
}

static void received_for_names(void)
{
	is_nth(invite(.via = "SIP/2.0/UDP pbx.example:5060;branch=z9hG4bK1"), "Via", 1,
	       "SIP/2.0/UDP pbx.example:5060;branch=z9hG4bK1;received=10.1.0.1");
}

static void received_not_where_equal(void)
{
	is_nth(invite(), "Via", 1, VIA);
}

static void received_claimed(void)
{
	const struct sent *s = invite(.via = "SIP/2.0/UDP 192.0.2.1;received=192.0.2.2;branch=z9hG4bK1");

	hasnt(s, "received=192.0.2.2");
	has(s, ";received=10.1.0.1");
}

static void response_to_received(void)
{
	ask(.via = "SIP/2.0/UDP 192.0.2.1:5099;branch=z9hG4bK1");
	answer_to(100, "10.1.0.1:5099");
	out("INVITE", A);
	reply(A, 180);
	answer_to(180, "10.1.0.1:5099");
	quiet();
}

static void response_to_default_port(void)
{
	ask(.via = "SIP/2.0/UDP 10.1.0.1;branch=z9hG4bK1", .source = "10.1.0.1:31000");
	answer_to(100, "10.1.0.1:5060");
	out("INVITE", A);
}

static void maddr_in_via(void)
{
	ask(.via = "SIP/2.0/UDP 10.1.0.1;maddr=192.0.2.9;branch=z9hG4bK1");
	answer_to(100, CALLER);
	out("INVITE", A);
	quiet();
}

static void response_leaves_by_its_listener(void)
{
	const struct sent *s;
	struct ip_port us = addr_of(US6);

	ask(.source = CALLER6, .via = "SIP/2.0/UDP [fd01::1]:5060;branch=z9hG4bK1", .uri = "sip:+442035550100@[fd00::1]");
	s = answer_to(100, CALLER6);
	expect_true(ip_port_eq(&s->to.local, &us), "from the address that the request came to");
	out("INVITE", A);
	reply(A, 180);
	s = answer_to(180, CALLER6);
	expect_true(ip_port_eq(&s->to.local, &us), "also what was forwarded");
}

static void own_answers_have_received(void)
{
	ask(.via = "SIP/2.0/UDP pbx.example;branch=z9hG4bK1", .uri = "sip:nobody@10.0.0.1");
	has(answer_to(404, CALLER), ";received=10.1.0.1\r\n");
}

/* ---- §18.1: the client side */

static void sent_by_is_the_listener(void)
{
	const struct sent *s = invite();
	struct ip_port us = addr_of(US);

	has(s, "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=");
	expect_true(ip_port_eq(&s->to.local, &us), "and it leaves from there");
}

static void large_over_udp(void)
{
	static char body[3001];
	const struct sent *s;

	memset(body, 'x', sizeof(body) - 1);
	s = invite(.body = body);
	expect_true(s->to.transport == TRANSPORT_UDP && s->len > 3000, "whole, over UDP");
}

static void response_sent_by_of_another(void)
{
	invite();
	raw(A, edited(reply_text(A, 180, NULL), "SIP/2.0/UDP 10.0.0.1:5060;branch", "SIP/2.0/UDP 192.0.2.1:5060;branch"));
	up(180);
}

/* ---- §18.3: framing */

static void excess_discarded(void)
{
	const struct sent *s;

	bent("Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\nbodyINVITE sip:x@y SIP/2.0\r\n\r\n");
	up(100);
	s = out("INVITE", A);
	expect_true(!memcmp(s->data + s->len - 8, "\r\n\r\nbody", 8), "what is beyond Content-Length is cut off");
	quiet();
}

static void body_cut_short(void)
{
	bent("Content-Length: 0\r\n\r\n", "Content-Length: 40\r\n\r\nbody");
	up(400);
	quiet();
}

static void response_cut_short(void)
{
	invite();
	raw(A, edited(reply_text(A, 200, NULL), "Content-Length: 0", "Content-Length: 1"));
	quiet();
	counted(COUNTER_sip_bad_dropped, 1);
}

static void length_absent(void)
{
	const struct sent *s;

	bent("Content-Length: 0\r\n\r\n", "\r\nto the end");
	up(100);
	s = out("INVITE", A);
	expect_true(!memcmp(s->data + s->len - 10, "to the end", 10), "the body reaches to the datagram's end");
}

static void leading_line_ends(void)
{
	raw(CALLER, edited(request_text(&(struct request){ 0 }), "INVITE ", "\r\n\r\nINVITE "));
	up(100);
	expect_true(out("INVITE", A)->data[0] == 'I', "they are not forwarded");
}

static void keepalive(void)
{
	raw(CALLER, "\r\n\r\n");
	raw(CALLER, "\r\n");
	quiet();
	counted(COUNTER_sip_keepalives, 2);
}

static void no_sip(void)
{
	static const uint8_t stun[] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

	send_bytes(&stage, CALLER, US, stun, sizeof(stun));
	raw(CALLER, "GET\r\n\r\n");
	send_bytes(&stage, CALLER, US, "", 0);
	quiet();
}

/* ---- §18.4: errors */

static void icmp_error_counts(void)
{
	invite();
	unreachable(A);
	out("INVITE", B);
	counted(COUNTER_icmp_errors_matched, 1);
}

static void icmp_of_another_address(void)
{
	const struct sent *s = invite();
	struct ip_port elsewhere = addr_of(B);

	proxy_icmp_error(stage.proxy, s->data, s->len, &elsewhere, stage.now_ms);
	quiet();
	counted(COUNTER_icmp_errors_matched, 0);
}

static void icmp_forged(void)
{
	static const char forged[] = "INVITE sip:x@10.2.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
	struct ip_port a = addr_of(A);

	invite();
	proxy_icmp_error(stage.proxy, (const uint8_t *)forged, sizeof(forged) - 1, &a, stage.now_ms);
	quiet();
}

static void icmp_cut_short(void)
{
	const struct sent *s = invite();

	for (uint32_t n = 0; n < 60; n++)
		proxy_icmp_error(stage.proxy, s->data, n, &s->to.remote, stage.now_ms);
	quiet();
}

static void icmp_after_ringing(void)
{
	invite();
	reply(A, 180);
	up(180);
	unreachable(A);
	out("INVITE", B);
}

static void icmp_after_answer(void)
{
	invite();
	reply(A, 200);
	up(200);
	unreachable(A);
	quiet();
	reply(A, 200);
	up(200);
}

LAW_BOOK(rfc3261_18,
	LAW("rfc3261", received_where_different, "§18.2.1: received is added where sent-by is another address than the source"),
	LAW("rfc3261", received_for_names, "§18.2.1: received is added where sent-by is a name"),
	LAW("rfc3261", received_not_where_equal, "§18.2.1: received is not added where they are equal"),
	LAW("rfc3261", received_claimed, "§18.2.1: a received that the sender wrote itself is replaced"),
	LAW("rfc3261", response_to_received, "§18.2.2: responses go to the received address and the port of sent-by"),
	LAW("rfc3261", response_to_default_port, "§18.2.2: port 5060 where sent-by has none"),
	DEVIATES("rfc3261", maddr_in_via, "§18.2.2: responses go to the maddr of the top Via",
		 "a sender could aim our responses at a third party; they go where the request came from"),
	LAW("rfc3261", response_leaves_by_its_listener, "§18.2.2: responses leave from the address that the request was sent to"),
	LAW("rfc3261", own_answers_have_received, "§18.2.1: answers of our own carry received as well"),
	LAW("rfc3261", sent_by_is_the_listener, "§18.1.1: sent-by is the address that responses can be sent to"),
	DEVIATES("rfc3261", large_over_udp, "§18.1.1: a request above 1300 bytes goes over a congestion-controlled transport",
		 "where the trunk takes it by TCP it does (large_requests); any other UDP trunk gets it in fragments, as the peers of such trunks expect"),
	DEVIATES("rfc3261", response_sent_by_of_another, "§18.1.2: a response whose top sent-by is not ours is dropped",
		 "the branch under our MAC is the stronger proof; peers behind a NAT or an ALG rewrite sent-by"),
	LAW("rfc3261", excess_discarded, "§18.3: bytes beyond Content-Length are discarded"),
	LAW("rfc3261", body_cut_short, "§18.3: a request whose body is shorter than Content-Length gets 400"),
	LAW("rfc3261", response_cut_short, "§18.3: such a response is discarded"),
	LAW("rfc3261", length_absent, "§18.3: without Content-Length the body reaches to the end of the datagram"),
	LAW("rfc3261", leading_line_ends, "§7.5: line ends before the start line are ignored"),
	LAW("rfc3261", keepalive, "§7.5, RFC 5626 §4.4: datagrams of line ends alone are absorbed"),
	LAW("rfc3261", no_sip, "§18: datagrams that are no SIP are dropped in silence"),
	LAW("rfc3261", icmp_error_counts, "§18.4: an ICMP error tells the transaction that its transport failed"),
	LAW("design", icmp_of_another_address, "an ICMP error about another address than the request went to is ignored"),
	LAW("design", icmp_forged, "an ICMP error that quotes a forged branch is ignored"),
	LAW("design", icmp_cut_short, "an ICMP error that quotes less than the branch is ignored"),
	LAW("design", icmp_after_ringing, "an endpoint that refuses its port while it rings loses the call to the next"),
	LAW("rfc3261", icmp_after_answer, "§18.4: after a 2xx an ICMP error ends nothing: later 2xx still go up"));
