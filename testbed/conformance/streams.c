/* SPDX-License-Identifier: Apache-2.0 */
/* Over TCP, and between TCP and UDP: what RFC 3261 §17 and §18 have to say of reliable transports and of a change of transport. */
#include "streams.h"

/* ---- §18.1, §18.2 */

static void via_names_the_transport(void)
{
	stage_again(&to_tcp);
	expect_true(!strncmp(sent_header(invite(), "Via", 0), "SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bK", 40), "TCP, and our TCP listener");
}

static void via_names_udp_behind_tcp(void)
{
	expect_true(!strncmp(sent_header(invite_as(&by_tcp), "Via", 0), "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK", 40), "UDP, and our UDP listener");
}

static void response_on_its_connection(void)
{
	ask_as(&by_tcp);
	up(100);
	out("INVITE", A);
	reply(A, 180);
	up(180);
	reply(A, 486);
	up(486);
	out("ACK", A);
	ack();
	quiet();
}

static void response_by_sent_by_port(void)
{
	ask(.source = TCP_CALLER, .via = "SIP/2.0/TCP 10.1.0.1:5077;rport;branch=z9hG4bK1");
	port_is(up(100), 5077);
	out("INVITE", A);
}

static void response_by_default_port(void)
{
	ask(.source = TCP_CALLER, .via = "SIP/2.0/TCP pbx.example;branch=z9hG4bK1");
	port_is(up(100), 5060);
	out("INVITE", A);
}

static void refusal_on_its_connection(void)
{
	ask(.source = TCP_CALLER, .via = TCP_VIA, .uri = "sip:+33123456789@10.0.0.1");
	up(404);
	quiet();
}

static void length_for_a_stream(void)
{
	stage_again(&to_tcp);
	raw(CALLER, edited(request_text(&(struct request){ .body = "v=0\r\n" }), "Content-Length: 5\r\n", ""));
	answer_to(100, CALLER);
	is(out("INVITE", TCP_A), "Content-Length", "5");
}

static void length_for_a_stream_upwards(void)
{
	invite_as(&by_tcp);
	raw(A, edited(reply_text(A, 180, NULL), "Content-Length: 0\r\n", ""));
	is(up(180), "Content-Length", "0");
	raw(A, edited(reply_text(A, 486, NULL), "Content-Length: 0\r\n", ""));
	is(up(486), "Content-Length", "0");
}

/* ---- §17 */

static void no_timer_a(void)
{
	stage_again(&to_tcp);
	clocks_off();
	only_a();
	invite();
	later(31999);
	quiet();
	later(1); /* B */
	up(408);
	quiet();
}

static void no_timer_e(void)
{
	stage_again(&to_tcp);
	clocks_off();
	ask(.method = "OPTIONS");
	out("OPTIONS", TCP_A);
	later(4000);
	up(100); /* RFC 4320 §4.1 */
	later(29000);
	quiet();
	all_gone();
}

static void no_timer_e_of_cancel(void)
{
	stage_again(&to_tcp);
	invite();
	reply(TCP_A, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", TCP_A);
	later(31000);
	quiet();
	reply(TCP_A, 487);
	out("ACK", TCP_A);
	up(487);
}

static void no_timer_d(void)
{
	stage_again(&to_tcp);
	invite();
	reply(TCP_A, 486);
	out("ACK", TCP_A);
	up(486);
	ack();
	later(5000); /* I, on the caller's side */
	all_gone();
}

static void no_timer_g(void)
{
	invite_as(&by_tcp);
	reply(A, 486);
	out("ACK", A);
	up(486);
	later(31999);
	quiet();
}

static void timer_h_by_tcp(void)
{
	struct proxy_gauges g;

	no_timer_g();
	proxy_gauges(stage.proxy, &g);
	expect_true(g.server_transactions == 1, "it waits for its ACK");
	later(1);
	proxy_gauges(stage.proxy, &g);
	expect_true(g.server_transactions == 0, "it has given up");
}

static void no_timer_i(void)
{
	struct proxy_gauges g;

	invite_as(&by_tcp);
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	later(1);
	proxy_gauges(stage.proxy, &g);
	expect_true(g.server_transactions == 0, "over with its ACK");
	quiet();
}

static void no_timers_j_k(void)
{
	stage_again(&to_tcp);
	ask_as(&options_by_tcp);
	out("OPTIONS", TCP_A);
	reply(TCP_A, 200);
	up(200);
	later(1);
	all_gone();
}

static void timer_k_behind_tcp(void)
{
	struct proxy_gauges g;

	ask_as(&options_by_tcp);
	out("OPTIONS", A);
	reply(A, 200);
	up(200);
	later(4999);
	proxy_gauges(stage.proxy, &g);
	expect_true(g.client_transactions == 1 && !g.server_transactions, "K on the side of UDP alone");
	later(1);
	all_gone();
}

static void timers_l_m(void)
{
	stage_again(&to_tcp);
	invite_as(&by_tcp);
	reply(TCP_A, 200);
	up(200);
	later(31000);
	reply(TCP_A, 200);
	up(200);
	later(1000);
	reply(TCP_A, 200);
	quiet();
}

static void hundred_as_by_udp(void)
{
	stage_again(&to_tcp);
	ask_as(&by_tcp);
	up(100);
	out("INVITE", TCP_A);
	quiet();
}

static void undelivered_moves_on(void)
{
	const struct sent *s;

	stage_again(&to_tcp);
	s = invite();
	undelivered(s);
	expect_true(sent_equal(s, out("INVITE", TCP_A)), "by another connection first");
	quiet();
	undelivered(s);
	out("INVITE", TCP_B);
	counted(COUNTER_attempt_transport_error, 1);
	counted(COUNTER_requests_undelivered, 2);
	reply(TCP_B, 200);
	up(200);
	quiet();
}

static void undelivered_late(void)
{
	stage_again(&to_tcp);
	invite();
	later(500);
	undelivered(stage.sent[stage.sent_count - 1]);
	out("INVITE", TCP_B);
	quiet();
}

static void closed_while_it_rings(void)
{
	const struct sent *s;

	stage_again(&to_tcp);
	s = invite();
	reply(TCP_A, 180);
	up(180);
	undelivered(s);
	quiet();
	reply(TCP_A, 200);
	up(200);
	undelivered(s);
	quiet();
	counted(COUNTER_requests_undelivered, 0);
}

static void refused_at_once_moves_on(void)
{
	stage_again(&to_tcp);
	stage.unreachable = TCP_A;
	ask(0);
	up(100);
	out("INVITE", TCP_B);
	quiet();
}

static void alias_where_told(void)
{
	stage_again(&to_tcp);
	hasnt(invite(), ";alias");
	reply(TCP_A, 486);
	up(486);
	out("ACK", TCP_A);
	ack();
	stage.trunk[TRUNK_A].connection_reuse = true;
	publish();
	ask(.via = "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK2", .call_id = "reused");
	up(100);
	has(out("INVITE", TCP_A), ";alias\r\n");
	reply(TCP_A, 180);
	up(180);
	reply(TCP_A, 486);
	up(486);
	has(out("ACK", TCP_A), ";alias\r\n");
}

static void no_alias_by_udp(void)
{
	stage.trunk[TRUNK_A].connection_reuse = true;
	publish();
	hasnt(invite(), ";alias");
}

LAW_BOOK(streams,
	LAW("rfc3261", via_names_the_transport, "§18.1.1: the Via of a request that leaves by TCP says so, and names a TCP listener"),
	LAW("rfc5923", alias_where_told, "§4: alias in the Via of what goes to a trunk with connection_reuse, and of no other"),
	LAW("rfc5923", no_alias_by_udp, "§4: never by UDP"),
	LAW("rfc3261", via_names_udp_behind_tcp, "§18.1.1: that of one that came by TCP and leaves by UDP names UDP"),
	LAW("rfc3261", response_on_its_connection, "§18.2.2: responses go on the connection that their request came by"),
	LAW("rfc3261", response_by_sent_by_port, "§18.2.2: where that is gone, to the source at the port of sent-by, whatever rport says"),
	LAW("rfc3261", response_by_default_port, "§18.2.2: at 5060 where sent-by has no port"),
	LAW("rfc3261", refusal_on_its_connection, "§18.2.2: answers without a transaction too"),
	LAW("rfc3261", length_for_a_stream, "§18.3: a request without Content-Length gets one where it leaves by a stream"),
	LAW("rfc3261", length_for_a_stream_upwards, "§18.3: so does a response"),
	LAW("rfc3261", no_timer_a, "§17.1.1.2: no timer A over TCP; timer B all the same"),
	LAW("rfc3261", no_timer_e, "§17.1.2.2: no timer E over TCP; timer F all the same"),
	LAW("rfc3261", no_timer_e_of_cancel, "§17.1.2.2: nor for a CANCEL"),
	LAW("rfc3261", no_timer_d, "§17.1.1.2: timer D is zero over TCP"),
	LAW("rfc3261", no_timer_g, "§17.2.1: no timer G over TCP"),
	LAW("rfc3261", timer_h_by_tcp, "§17.2.1: timer H is there for any transport"),
	LAW("rfc3261", no_timer_i, "§17.2.1: timer I is zero over TCP"),
	LAW("rfc3261", no_timers_j_k, "§17.1.2.2, §17.2.2: timers J and K are zero over TCP"),
	LAW("rfc3261", timer_k_behind_tcp, "§17.1.2.2: each side's timers are those of its own transport"),
	LAW("rfc6026", timers_l_m, "§8.4, §8.5: timers L and M are 64*T1 for any transport"),
	LAW("rfc3261", hundred_as_by_udp, "§17.2.1: 100 goes out at once over TCP too"),
	LAW("rfc3261", undelivered_moves_on, "§16.9: a connection that could not be opened, or broke without an answer, moves the call on, after one more try on another"),
	LAW("design", undelivered_late, "after T1 it moves on at once"),
	LAW("rfc3261", closed_while_it_rings, "§18.2.2: one that breaks after an answer ends nothing: the next answer may come by another"),
	LAW("rfc3261", refused_at_once_moves_on, "§16.9: so does one that refuses at once"));
