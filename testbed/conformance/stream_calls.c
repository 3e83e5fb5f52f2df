/* SPDX-License-Identifier: Apache-2.0 */
/* Calls over TCP, and between TCP and UDP: RFC 5658, whole calls, and transactions where a stream takes part. */
#include "streams.h"

/* ---- RFC 5658 */

static void one_record_route_by_tcp(void)
{
	const struct sent *s;

	stage_again(&to_tcp);
	s = invite_as(&by_tcp);
	lines(s, "Record-Route", 1);
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5060;transport=tcp;lr>") != NULL, "it says TCP");
}

static void two_record_routes_to_tcp(void)
{
	const struct sent *s;

	stage_again(&to_tcp);
	s = invite();
	lines(s, "Record-Route", 2);
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5060;transport=tcp;lr>") != NULL, "the target's side on top");
	expect_true(strstr(sent_header(s, "Record-Route", 1), "@10.0.0.1:5060;lr>") != NULL, "the caller's below");
}

static void two_record_routes_from_tcp(void)
{
	const struct sent *s = invite_as(&by_tcp);

	lines(s, "Record-Route", 2);
	expect_true(strstr(sent_header(s, "Record-Route", 0), "@10.0.0.1:5060;lr>") != NULL, "the target's side on top");
	expect_true(strstr(sent_header(s, "Record-Route", 1), "@10.0.0.1:5060;transport=tcp;lr>") != NULL, "the caller's below");
}

/* ---- whole calls: requests within them from both sides */

static void tcp_to_udp(void)
{
	whole_call(NULL, &by_tcp, A, NULL, TOKEN_FROM_CALLER);
}

static void tcp_to_udp_target_hangs_up(void)
{
	whole_call(NULL, &by_tcp, A, NULL, TOKEN_FROM_TARGET);
}

static void udp_to_tcp(void)
{
	whole_call(&to_tcp, NULL, TCP_A, NULL, TOKEN_FROM_CALLER);
}

static void udp_to_tcp_target_hangs_up(void)
{
	whole_call(&to_tcp, NULL, TCP_A, NULL, TOKEN_FROM_TARGET);
}

static void tcp_to_tcp(void)
{
	whole_call(&to_tcp, &by_tcp, TCP_A, NULL, TOKEN_FROM_CALLER);
}

static void tcp_to_tcp_target_hangs_up(void)
{
	whole_call(&to_tcp, &by_tcp, TCP_A, NULL, TOKEN_FROM_TARGET);
}

static void call_from_tcp(struct dialog *d, const struct request *r)
{
	quiet();
	dialog_open(&stage, r, A, NULL, d);
	out("ACK", A);
}

static void contact_without_transport(void)
{
	static const struct request r = { .source = TCP_CALLER, .via = TCP_VIA };
	struct dialog d;

	call_from_tcp(&d, &r);
	exchange(&d, TOKEN_FROM_TARGET, "BYE");
}

static void caller_behind_a_nat(void)
{
	static const struct request r = { .source = TCP_CALLER, .via = TCP_VIA, .contact = "<sip:caller@192.168.1.2:5060;transport=tcp>" };
	struct dialog d;

	call_from_tcp(&d, &r);
	exchange(&d, TOKEN_FROM_TARGET, "BYE");
}

static void connection_else_contact(void)
{
	struct dialog d;
	const struct sent *s;

	call_from_tcp(&d, &by_tcp);
	say(&d, TOKEN_FROM_TARGET, "INFO");
	s = out("INFO", TCP_CALLER);
	port_is(s, 5060);
	expect_true(s->to.connection == connection_of(TCP_CALLER), "its connection");
	okay(s);
	answer_to(200, A);
}

/* A subscription has no live call: its NOTIFY goes by the connection that leads to where it goes. */
static const struct sent *notified(const char *contact)
{
	static struct request notify;
	static char routes[1024];
	const struct sent *s;

	ask(.method = "SUBSCRIBE", .source = TCP_CALLER, .via = TCP_VIA, .contact = contact, .headers = "Event: dialog\r\n");
	s = out("SUBSCRIBE", A);
	answer(&stage, s, 200, "n", "Contact: <sip:target@10.2.0.1>\r\n");
	up(200);
	snprintf(routes, sizeof(routes), "Route: %s\r\nRoute: %s\r\n", sent_header(s, "Record-Route", 0), sent_header(s, "Record-Route", 1));
	notify = (struct request){ .method = "NOTIFY", .uri = contact + 1, .source = A, .via = "SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKnotify",
				   .from = "<sip:callee@10.0.0.1>;tag=n", .to = "<sip:caller@10.1.0.1>;tag=from", .contact = "", .headers = routes };
	notify.uri = edited(notify.uri, ">", "");
	request_send(&stage, &notify);
	s = out("NOTIFY", TCP_CALLER);
	expect_true(s->to.connection == FLOW_THEIRS, "the connection that was opened from there");
	okay(s);
	answer_to(200, A);
	return s;
}

static void subscriber_behind_a_nat(void)
{
	port_is(notified("<sip:caller@192.168.1.2:5060;transport=tcp>"), 41000);
}

static void subscriber_at_its_own_port(void)
{
	port_is(notified("<sip:caller@10.1.0.1:41000;transport=tcp>"), 41000);
}

static void another_connection(void)
{
	struct dialog d;

	call_from_tcp(&d, &by_tcp);
	d.invite.source = "tcp:10.1.0.1:41001";
	exchange(&d, TOKEN_FROM_CALLER, "INFO");
	exchange(&d, TOKEN_FROM_TARGET, "BYE");
}

static void ours_to_their_contact(void)
{
	struct dialog d;

	quiet();
	dialog_open(&stage, &by_tcp, A, "<sip:target@10.2.0.1:5090;transport=tcp>", &d);
	out("ACK", "tcp:10.2.0.1:5090");
	say(&d, TOKEN_FROM_CALLER, "BYE");
	okay(out("BYE", "tcp:10.2.0.1:5090"));
	answer_to(200, TCP_CALLER);
}

/* ---- a transaction where a stream takes part */

static void sent_again_by_us(void)
{
	uint64_t at[3];
	struct dialog d;

	call_from_tcp(&d, &by_tcp);
	say(&d, TOKEN_FROM_CALLER, "INFO");
	out("INFO", A);
	times_of("INFO", A, 3, at);
	expect_true(at[0] == 500 && at[1] == 1500 && at[2] == 3500, "timer E");
	later(40000);
	drain_out("INFO", A);
	quiet(); /* RFC 4320: no 408 */
}

static void retransmission_absorbed(void)
{
	struct dialog d;
	const struct sent *s, *first;

	stage_again(&to_tcp);
	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "BYE", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKbye");
	s = out("BYE", TCP_A);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "BYE", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKbye");
	quiet();
	okay(s);
	first = answer_to(200, CALLER);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "BYE", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKbye");
	expect_true(sent_equal(first, answer_to(200, CALLER)), "the same answer again");
	quiet();
	counted(COUNTER_calls_ended, 1);
}

static void relayed_reinvite_trying_again(void)
{
	struct dialog d;

	stage_again(&to_tcp);
	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INVITE", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKre");
	answer_to(100, CALLER);
	out("INVITE", TCP_A);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INVITE", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKre");
	answer_to(100, CALLER);
	quiet();
}

static const struct sent *reinvite(struct dialog *d)
{
	call_from_tcp(d, &by_tcp);
	dialog_send(&stage, d, TOKEN_FROM_CALLER, "INVITE", 9, "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bKre");
	answer_to(100, TCP_CALLER);
	return out("INVITE", A);
}

static void relayed_reinvite_refused(void)
{
	struct dialog d;
	const struct sent *s = reinvite(&d);

	answer(&stage, s, 488, NULL, NULL);
	answer_to(488, TCP_CALLER);
	out("ACK", A);
	answer(&stage, s, 488, NULL, NULL);
	out("ACK", A);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 9, "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bKre");
	quiet(); /* ends here: we have acknowledged it */
	counted(COUNTER_acks_absorbed, 1);
}

static void relayed_reinvite_cancelled(void)
{
	struct dialog d;
	const struct sent *s = reinvite(&d), *c;

	answer(&stage, s, 180, NULL, NULL);
	answer_to(180, TCP_CALLER);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "CANCEL", 9, "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bKre");
	answer_to(200, TCP_CALLER);
	c = out("CANCEL", A);
	expect_true(!strcmp(branch_of(s, 0), branch_of(c, 0)), "the branch of its INVITE");
	later(500);
	out("CANCEL", A); /* timer E */
	okay(c);
	later(5000);
	quiet();
	answer(&stage, s, 487, NULL, NULL);
	answer_to(487, TCP_CALLER);
	out("ACK", A);
}

static void relayed_reinvite_cancelled_with_reason(void)
{
	struct dialog d;
	const struct sent *s = reinvite(&d);

	answer(&stage, s, 180, NULL, NULL);
	answer_to(180, TCP_CALLER);
	strcat(d.caller_routes, "Reason: SIP;cause=200\r\nReason: Q.850;cause=16\r\n");
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "CANCEL", 9, "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bKre");
	answer_to(200, TCP_CALLER);
	s = out("CANCEL", A);
	is_nth(s, "Reason", 0, "SIP;cause=200");
	is_nth(s, "Reason", 1, "Q.850;cause=16");
}

static void relayed_reinvite_cancelled_early(void)
{
	struct dialog d;
	const struct sent *s = reinvite(&d);

	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "CANCEL", 9, "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bKre");
	answer_to(200, TCP_CALLER);
	answer_to(487, TCP_CALLER);
	later(1000);
	quiet();
	answer(&stage, s, 180, NULL, NULL);
	out("CANCEL", A);
}

static void relayed_reinvite_never_answered(void)
{
	struct dialog d;
	const struct sent *s = reinvite(&d);

	answer(&stage, s, 180, NULL, NULL);
	answer_to(180, TCP_CALLER);
	later(185000); /* C */
	out("CANCEL", A);
	later(32000);
	drain_out("CANCEL", A);
	answer_to(487, TCP_CALLER);
}

static void relayed_reinvite_timed_out(void)
{
	struct dialog d;

	reinvite(&d);
	later(32000);
	drain_out("INVITE", A);
	answer_to(408, TCP_CALLER);
	quiet();
}

static void undelivered_within(void)
{
	struct dialog d;

	stage_again(&to_tcp);
	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "INFO");
	undelivered(out("INFO", TCP_A));
	undelivered(out("INFO", TCP_A));
	answer_to(500, CALLER);
	quiet();
}

static void no_room_within(void)
{
	struct dialog d;

	stage_again(&(struct harness_options){ .tcp_targets = true, .max_transactions = 1 });
	call_up(&d); /* it lingers, and takes the only place */
	say(&d, TOKEN_FROM_CALLER, "INFO");
	is(answer_to(503, CALLER), "Retry-After", "5");
	quiet();
	later(32000);
	say(&d, TOKEN_FROM_CALLER, "INFO");
	out("INFO", TCP_A);
}

static void no_buffer(void)
{
	stage_again(&to_tcp);
	stage.outbox_full = true;
	ask(0);
	stage.outbox_full = false;
	counted(COUNTER_attempt_transport_error, 3);
	later(1000);
	up(500);
	quiet();
}

static void no_buffer_within(void)
{
	struct dialog d;

	stage_again(&to_tcp);
	call_up(&d);
	stage.outbox_full = true;
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INFO", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKinfo");
	stage.outbox_full = false;
	quiet();
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INFO", 9, "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKinfo");
	answer_to(500, CALLER);
	quiet();
}

static void dialled_by_tcp(void)
{
	const struct sent *s = invite(.source = TCP_CALLER, .via = TCP_VIA, .uri = NUMBER ";transport=tcp");

	expect_true(!strcmp(sent_uri(s), "sip:+442035550100@10.2.0.1"), "without what would send it elsewhere");
}

static void strict_router(void)
{
	struct dialog d;
	char routes[1024], uri[512];

	stage_again(&to_tcp);
	quiet();
	dialog_open(&stage, &by_tcp, TCP_A, NULL, &d);
	out("ACK", TCP_A);
	strcpy(routes, d.target_routes + strlen("Route: <")); /* our Record-Route as the request URI, the caller's Contact as the last Route */
	routes[strcspn(routes, ">")] = 0;
	snprintf(uri, sizeof(uri), "%s", routes);
	request_send(&stage, &(struct request){ .method = "BYE", .uri = uri, .via = "SIP/2.0/TCP 10.2.0.1:5060;branch=z9hG4bKs", .from = d.caller_to,
						.to = d.caller_from, .cseq = 77, .headers = "Route: <sip:caller@10.1.0.1:5060>\r\n", .contact = "",
						.source = TCP_A });
	okay(out("BYE", TCP_CALLER));
	answer_to(200, TCP_A);
}

static void datagrams_need_none(void)
{
	struct proxy_gauges before, after;
	struct dialog d;

	call_up(&d);
	proxy_gauges(stage.proxy, &before);
	say(&d, TOKEN_FROM_CALLER, "INFO");
	out("INFO", A);
	proxy_gauges(stage.proxy, &after);
	expect_true(before.client_transactions == after.client_transactions, "no transaction");
}

LAW_BOOK(stream_calls,
	LAW("rfc5658", one_record_route_by_tcp, "§4: one Record-Route, with its transport, where both sides come by TCP"),
	LAW("rfc5658", two_record_routes_to_tcp, "§5: two where the call leaves by TCP, the outgoing side's on top"),
	LAW("rfc5658", two_record_routes_from_tcp, "§5: two where the call came by TCP, the outgoing side's on top"),
	LAW("rfc5658", tcp_to_udp, "§5: every request of a call from TCP to UDP finds its way, both Routes gone"),
	LAW("rfc5658", tcp_to_udp_target_hangs_up, "§5: a BYE from the target's side too"),
	LAW("rfc5658", udp_to_tcp, "§5: every request of a call from UDP to TCP finds its way, both Routes gone"),
	LAW("rfc5658", udp_to_tcp_target_hangs_up, "§5: a BYE from the target's side too, by its own transport"),
	LAW("rfc3261", tcp_to_tcp, "§16.12: every request of a call over TCP alone finds its way"),
	LAW("rfc3261", tcp_to_tcp_target_hangs_up, "§16.12: a BYE from the target's side too"),
	LAW("design", contact_without_transport, "a caller that came by TCP is met there, also where its Contact names no transport"),
	LAW("design", caller_behind_a_nat, "a caller behind a NAT is met on its connection"),
	LAW("design", connection_else_contact, "a request goes to the caller on its connection, and to its Contact where that is gone"),
	LAW("design", another_connection, "a caller that speaks by a new connection is met there"),
	LAW("design", subscriber_behind_a_nat, "a subscriber behind a NAT is met on its connection"),
	LAW("design", subscriber_at_its_own_port, "so is one whose Contact is the port that it speaks from"),
	LAW("rfc3263", ours_to_their_contact, "§4.1: the transport is that of the next hop's URI"),
	LAW("design", sent_again_by_us, "a request that came by TCP and left by UDP is sent again by us, for want of anybody else"),
	LAW("design", retransmission_absorbed, "one that came by UDP and left by TCP is sent once, and answered as often as it comes"),
	LAW("design", relayed_reinvite_trying_again, "its 100 is made again"),
	LAW("design", relayed_reinvite_refused, "a re-INVITE's refusal is acknowledged hop by hop"),
	LAW("rfc3261", relayed_reinvite_cancelled, "§9.1: a re-INVITE's CANCEL follows it, and is sent again over UDP"),
	LAW("rfc3326", relayed_reinvite_cancelled_with_reason, "§2: with the Reason that it came with"),
	LAW("rfc3261", relayed_reinvite_cancelled_early, "§9.1: but not before a provisional response"),
	LAW("rfc3261", relayed_reinvite_never_answered, "§16.8: timer C ends a re-INVITE that only rings"),
	LAW("rfc3261", relayed_reinvite_timed_out, "§16.7: one that nobody answers gets 408"),
	LAW("rfc3261", undelivered_within, "§16.9: what a broken connection took within a dialog is answered with 500"),
	LAW("design", no_room_within, "where there is no room for its transaction a request within a dialog gets 503 with Retry-After"),
	LAW("design", no_buffer, "what finds no buffer on its way to a stream has failed: nobody would send it again"),
	LAW("design", no_buffer_within, "within a dialog it is answered with 500"),
	LAW("rfc3261", dialled_by_tcp, "§16.5: the transport that a caller dials us by is not passed on"),
	LAW("rfc3261", strict_router, "§16.4: behind a strict router our own Record-Route in the request URI says the transport"),
	LAW("rfc3261", datagrams_need_none, "§16.11: from UDP to UDP no transaction is made"));
