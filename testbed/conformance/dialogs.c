/* SPDX-License-Identifier: Apache-2.0 */
/* Requests within dialogs: early ones (PRACK, UPDATE), several of them, and established ones, from either side. */
#include "script.h"

/* A request of the caller's in the early dialog that a 18x founded: its Record-Route as Route, its To tag. */
static void early(const struct sent *ringing, const char *method, unsigned cseq, const char *headers)
{
	static unsigned fresh;
	char route[600], via[100];
	struct request r = { .method = method, .cseq = cseq, .contact = "", .uri = "sip:target@10.2.0.1:5060", .via = via };

	snprintf(route, sizeof(route), "Route: %s\r\n%s", sent_header(ringing, "Record-Route", 0), headers);
	snprintf(via, sizeof(via), "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKearly%u", ++fresh);
	r.headers = route;
	r.to = sent_header(ringing, "To", 0);
	request_send(&stage, &r);
}

static void reliable_provisional(void)
{
	const struct sent *ringing, *prack;

	invite(.headers = "Supported: 100rel\r\n");
	reply_with(A, 183, "Require: 100rel\r\nRSeq: 988789\r\nContact: <sip:target@10.2.0.1:5060>\r\n");
	ringing = up(183);
	is(ringing, "RSeq", "988789");
	is(ringing, "Require", "100rel");
	lines(ringing, "Record-Route", 1);
	early(ringing, "PRACK", 2, "RAck: 988789 1 INVITE\r\n");
	prack = out("PRACK", A);
	is(prack, "RAck", "988789 1 INVITE");
	lines(prack, "Route", 0);
	okay(prack);
	is(up(200), "CSeq", "2 PRACK");
	reply(A, 200);
	up(200);
	quiet();
}

static void repeated_reliable_provisional(void)
{
	invite();
	for (unsigned i = 0; i < 3; i++) {
		reply_with(A, 183, "Require: 100rel\r\nRSeq: 1\r\n");
		up(183);
		later(500 << i);
	}
	quiet();
}

static void update_from_the_caller(void)
{
	const struct sent *ringing, *s;

	invite();
	reply_with(A, 183, "Allow: UPDATE\r\n");
	ringing = up(183);
	early(ringing, "UPDATE", 2, "");
	s = out("UPDATE", A);
	okay(s);
	is(up(200), "CSeq", "2 UPDATE");
	reply(A, 180);
	up(180);
	quiet();
}

static void update_from_the_target(void)
{
	const struct sent *i = invite(), *s;
	char route[400], from[200];
	struct request r = { .method = "UPDATE", .source = A, .uri = "sip:caller@10.1.0.1:5060", .contact = "",
			     .via = "SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKup", .to = "<sip:caller@10.1.0.1>;tag=from" };

	reply(A, 183);
	up(183);
	snprintf(route, sizeof(route), "Route: %s\r\n", sent_header(i, "Record-Route", 0));
	snprintf(from, sizeof(from), "%s;tag=a", sent_header(i, "To", 0));
	r.headers = route;
	r.from = from;
	request_send(&stage, &r);
	s = out("UPDATE", CALLER);
	okay(s);
	answer_to(200, A);
	quiet();
}

static void several_early_dialogs(void)
{
	const struct sent *one, *two, *s;

	invite();
	reply_leg(A, 183, "one", "RSeq: 1\r\nRequire: 100rel\r\n");
	reply_leg(A, 183, "two", "RSeq: 7\r\nRequire: 100rel\r\n");
	one = up(183);
	two = up(183);
	early(two, "PRACK", 2, "RAck: 7 1 INVITE\r\n");
	s = out("PRACK", A);
	has(s, ";tag=two\r\n");
	early(one, "PRACK", 3, "RAck: 1 1 INVITE\r\n");
	s = out("PRACK", A);
	has(s, ";tag=one\r\n");
	reply_leg(A, 200, "one", "");
	has(up(200), ";tag=one\r\n");
	quiet();
}

static void early_dialogs_of_a_fork(void)
{
	const struct sent *a, *b;

	ring_all();
	invite_all();
	reply_with(A, 183, "RSeq: 1\r\nRequire: 100rel\r\n");
	a = up(183);
	reply_with(B, 183, "RSeq: 1\r\nRequire: 100rel\r\n");
	b = up(183);
	early(a, "PRACK", 2, "RAck: 1 1 INVITE\r\n");
	has(out("PRACK", A), ";tag=a\r\n");
	/* the other early dialog's Contact is B's, and so is its token */
	early(b, "PRACK", 3, "RAck: 1 1 INVITE\r\n");
	has(out("PRACK", B), ";tag=b\r\n");
	quiet();
}

static void early_dialogs_of_a_rescue(void)
{
	const struct sent *a, *b;

	invite();
	reply_with(A, 183, "RSeq: 1\r\nRequire: 100rel\r\n");
	a = up(183);
	later(25000);
	out("CANCEL", A);
	out("INVITE", B);
	reply_with(B, 183, "RSeq: 1\r\nRequire: 100rel\r\n");
	b = up(183);
	early(b, "PRACK", 2, "RAck: 1 1 INVITE\r\n");
	out("PRACK", B);
	early(a, "PRACK", 3, "RAck: 1 1 INVITE\r\n"); /* late, for the one that is being cancelled */
	out("PRACK", A);
	reply(A, 487);
	out("ACK", A);
	quiet();
}

static void bye_in_an_early_dialog(void)
{
	const struct sent *ringing;

	invite();
	reply(A, 180);
	ringing = up(180);
	early(ringing, "BYE", 2, "");
	okay(out("BYE", A));
	up(200);
	reply(A, 487);
	out("ACK", A);
	up(487);
	quiet();
}

/* ---- established */

static void bye_of_the_caller(void)
{
	struct dialog d;
	struct proxy_gauges g;

	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "BYE");
	okay(out("BYE", A));
	up(200);
	quiet();
	proxy_gauges(stage.proxy, &g);
	expect_true(!g.live_calls, "the call is over");
	counted(COUNTER_calls_ended, 1);
}

static void bye_of_the_target(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_TARGET, "BYE");
	okay(out("BYE", CALLER));
	answer_to(200, A);
	quiet();
	counted(COUNTER_calls_ended, 1);
}

static void bye_repeated(void)
{
	struct dialog d;

	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "BYE", 9, VIA "bye");
	out("BYE", A);
	later(500);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "BYE", 9, VIA "bye");
	okay(out("BYE", A));
	up(200);
	counted(COUNTER_calls_ended, 1);
}

static void bye_crossing_bye(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "BYE");
	say(&d, TOKEN_FROM_TARGET, "BYE");
	okay(out("BYE", A));
	okay(out("BYE", CALLER));
	up(200);
	answer_to(200, A);
	quiet();
	counted(COUNTER_calls_ended, 1);
}

static void bye_missed(void)
{
	struct dialog d;

	call_up(&d);
	later(40000);
	proxy_advance(stage.proxy, stage.now_ms += 13ull * 3600 * 1000);
	counted(COUNTER_calls_expired, 1);
	expect_true(target_of(&stage, 0, TARGET_LIVE) == 0, "its target is free of it");
}

static void session_timer_ends_a_missed_bye(void)
{
	struct dialog d;
	const struct sent *s;

	s = invite(.headers = "Supported: timer\r\nSession-Expires: 1800\r\n");
	is(s, "Session-Expires", "1800");
	reply_with(A, 200, "Session-Expires: 600;refresher=uas\r\nContact: <sip:target@10.2.0.1:5060>\r\n");
	is(up(200), "Session-Expires", "600;refresher=uas");
	(void)d;
	later(590000);
	expect_true(target_of(&stage, 0, TARGET_LIVE) == 1, "within the session it lives");
	later(120000);
	expect_true(target_of(&stage, 0, TARGET_LIVE) == 0, "beyond it, it is over");
	counted(COUNTER_calls_expired, 1);
}

static void reinvite_both_ways(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_TARGET, "INVITE");
	okay(out("INVITE", CALLER));
	answer_to(200, A);
	dialog_send(&stage, &d, TOKEN_FROM_TARGET, "ACK", 3, NULL);
	out("ACK", CALLER);
	say(&d, TOKEN_FROM_CALLER, "INVITE");
	okay(out("INVITE", A));
	up(200);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 4, NULL);
	out("ACK", A);
	quiet();
}

static void reinvite_refused(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INVITE", 5, VIA "re");
	s = out("INVITE", A);
	answer(&stage, s, 488, "to", NULL);
	up(488);
	quiet(); /* no ACK of ours: we keep no transaction */
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 5, VIA "re");
	out("ACK", A);
}

static void reinvite_provisionals(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "INVITE");
	s = out("INVITE", A);
	answer(&stage, s, 100, NULL, NULL);
	up(100);
	answer(&stage, s, 180, NULL, NULL);
	up(180);
}

static void every_method_both_ways(void)
{
	static const char *const methods[] = { "INFO", "UPDATE", "PRACK", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "OPTIONS", "BREW" };
	struct dialog d;

	call_up(&d);
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		say(&d, TOKEN_FROM_CALLER, methods[i]);
		okay(out(methods[i], A));
		up(200);
		say(&d, TOKEN_FROM_TARGET, methods[i]);
		okay(out(methods[i], CALLER));
		answer_to(200, A);
	}
	quiet();
}

static void refer_and_its_notify(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	strcat(d.caller_routes, "Refer-To: <sip:x@example.com?Replaces=1%3Bto-tag%3D2>\r\n");
	say(&d, TOKEN_FROM_CALLER, "REFER");
	s = out("REFER", A);
	is(s, "Refer-To", "<sip:x@example.com?Replaces=1%3Bto-tag%3D2>");
	answer(&stage, s, 202, NULL, NULL);
	up(202);
	say(&d, TOKEN_FROM_TARGET, "NOTIFY");
	okay(out("NOTIFY", CALLER));
	answer_to(200, A);
	quiet();
}

static void subscription(void)
{
	const struct sent *s, *n;
	char route[400];
	struct request notify = { .method = "NOTIFY", .source = A, .uri = "sip:caller@10.1.0.1:5060", .contact = "",
				  .via = "SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKn", .to = "<sip:caller@10.1.0.1>;tag=from",
				  .from = "<sip:callee@10.0.0.1>;tag=a" };

	ask(.method = "SUBSCRIBE", .headers = "Event: dialog\r\nExpires: 60\r\n");
	s = out("SUBSCRIBE", A);
	reply(A, 202);
	up(202);
	snprintf(route, sizeof(route), "Route: %s\r\nEvent: dialog\r\n", sent_header(s, "Record-Route", 0));
	notify.headers = route;
	request_send(&stage, &notify);
	n = out("NOTIFY", CALLER);
	okay(n);
	answer_to(200, A);
	quiet();
}

static void hops_in_dialog(void)
{
	struct dialog d;
	struct request r = { .method = "INFO", .contact = "", .hops = "0", .uri = "sip:target@10.2.0.1:5060", .via = VIA "h" };

	call_up(&d);
	r.headers = d.caller_routes;
	r.to = d.caller_to;
	request_send(&stage, &r);
	up(483);
	quiet();
	r.hops = "1";
	request_send(&stage, &r);
	is(out("INFO", A), "Max-Forwards", "0");
	r.hops = "";
	request_send(&stage, &r);
	is(out("INFO", A), "Max-Forwards", "70");
}

static void proxy_require_in_dialog(void)
{
	struct dialog d;

	call_up(&d);
	strcat(d.caller_routes, "Proxy-Require: unheard-of\r\n");
	say(&d, TOKEN_FROM_CALLER, "INFO");
	is(up(420), "Unsupported", "unheard-of");
	quiet();
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 1, NULL);
	out("ACK", A); /* an ACK cannot be refused */
}

static void breadth_in_dialog(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_TARGET, "INFO");
	lines(out("INFO", CALLER), "Max-Breadth", 0);
	strcat(d.caller_routes, "Max-Breadth: 0\r\n");
	say(&d, TOKEN_FROM_CALLER, "BYE");
	is(out("BYE", A), "Max-Breadth", "0");
}

static void notify_is_record_routed(void)
{
	const struct sent *s, *n;
	char route[400];
	struct request notify = { .method = "NOTIFY", .source = A, .uri = "sip:caller@10.1.0.1:5060",
				  .via = "SIP/2.0/UDP 10.2.0.1:5060;branch=z9hG4bKn", .to = "<sip:caller@10.1.0.1>;tag=from",
				  .from = "<sip:callee@10.0.0.1>;tag=a", .contact = "<sip:target@10.2.0.1:5060>" };
	struct request again_ = { .method = "SUBSCRIBE", .uri = "sip:target@10.2.0.1:5060", .via = VIA "re", .cseq = 2,
				  .to = "<sip:callee@10.0.0.1>;tag=a" };

	ask(.method = "SUBSCRIBE", .headers = "Event: dialog\r\n");
	s = out("SUBSCRIBE", A);
	snprintf(route, sizeof(route), "Route: %s\r\nEvent: dialog\r\n", sent_header(s, "Record-Route", 0));
	notify.headers = route;
	request_send(&stage, &notify); /* before the 202: it founds the dialog */
	n = out("NOTIFY", CALLER);
	lines(n, "Record-Route", 1);
	okay(n);
	answer_to(200, A);
	reply(A, 202);
	up(202);
	snprintf(route, sizeof(route), "Route: %s\r\nEvent: dialog\r\n", sent_header(n, "Record-Route", 0));
	again_.headers = route;
	request_send(&stage, &again_);
	out("SUBSCRIBE", A);
	quiet();
}

static void contact_behind_nat(void)
{
	struct request r = { .source = "10.1.0.77:31337", .via = "SIP/2.0/UDP 192.168.1.2:5060;rport;branch=z9hG4bK1",
			     .contact = "<sip:caller@192.168.1.2:5060>" };
	struct dialog d;
	const struct sent *s;

	quiet();
	dialog_open(&stage, &r, A, NULL, &d);
	out("ACK", A);
	say(&d, TOKEN_FROM_TARGET, "INFO");
	s = out("INFO", "10.1.0.77:31337");
	expect_true(!strcmp(sent_uri(s), "sip:caller@192.168.1.2:5060"), "the request URI is the caller's Contact");
}

static void dialog_outlives_transactions(void)
{
	struct dialog d;

	call_up(&d);
	later(3600 * 1000);
	all_gone();
	say(&d, TOKEN_FROM_TARGET, "BYE");
	okay(out("BYE", CALLER));
	answer_to(200, A);
}

static void dialog_of_another_node(void)
{
	struct dialog d;

	call_up(&d);
	later(40000);
	proxy_free(stage.proxy); /* as a node that has the same keys and none of the state */
	stage.config.node++;
	stage.proxy = proxy_new(&stage.config, stage.now_ms);
	assert_non_null(stage.proxy);
	memset(stage.targets, 0, TARGET_CELLS * sizeof(stage.targets[0]));
	say(&d, TOKEN_FROM_CALLER, "INFO");
	okay(out("INFO", A));
	up(200);
	say(&d, TOKEN_FROM_TARGET, "BYE");
	okay(out("BYE", CALLER));
	answer_to(200, A);
	quiet();
	stage.ends = stage.starts; /* the first node's record is not this one's */
}

LAW_BOOK(dialogs,
	LAW("rfc3262", reliable_provisional, "RFC 3262 §3, §4: a reliable provisional passes, and its PRACK finds the target"),
	LAW("rfc3262", repeated_reliable_provisional, "RFC 3262 §3: each repetition of a reliable provisional is forwarded"),
	LAW("rfc3311", update_from_the_caller, "RFC 3311 §5: an UPDATE in an early dialog passes"),
	LAW("rfc3311", update_from_the_target, "RFC 3311 §5: also one of the target's"),
	LAW("rfc3262", several_early_dialogs, "RFC 3261 §12.1: early dialogs of one branch are kept apart by their tags"),
	LAW("rfc3262", early_dialogs_of_a_fork, "RFC 3261 §16.7(5): each early dialog of a fork is reached by its own Route"),
	LAW("rfc3262", early_dialogs_of_a_rescue, "RFC 3261 §12.1: after a rescue the early dialogs of both attempts are reached"),
	LAW("rfc3261", bye_in_an_early_dialog, "§15: a BYE in an early dialog passes, and the INVITE's final goes up"),
	LAW("rfc3261", bye_of_the_caller, "§15: the caller's BYE passes and ends the call's record"),
	LAW("rfc3261", bye_of_the_target, "§15: so does the target's"),
	LAW("rfc3261", bye_repeated, "§15: a repeated BYE is forwarded again and counted once"),
	LAW("rfc3261", bye_crossing_bye, "§15: two BYEs that cross both arrive"),
	LAW("design", bye_missed, "a call whose BYE was missed ends at the maximum age"),
	LAW("rfc4028", session_timer_ends_a_missed_bye, "RFC 4028 §10: where a session timer runs, a call whose BYE was missed ends by it"),
	LAW("rfc3261", reinvite_both_ways, "§14: re-INVITEs pass from either side, and their ACKs"),
	LAW("rfc3261", reinvite_refused, "§14.1: a refused re-INVITE is acknowledged end to end"),
	LAW("rfc3261", reinvite_provisionals, "§16.11: provisionals to a re-INVITE pass, 100 as well, since there is no transaction"),
	LAW("rfc3261", every_method_both_ways, "§12.2: requests of every method pass in both directions"),
	LAW("rfc3515", refer_and_its_notify, "RFC 3515 §2.4: REFER and its NOTIFY pass"),
	LAW("rfc6665", subscription, "RFC 6665 §4.3: a SUBSCRIBE is record-routed, and NOTIFY comes back along it"),
	LAW("rfc3261", hops_in_dialog, "§16.3(3): Max-Forwards counts within dialogs too"),
	LAW("rfc3261", proxy_require_in_dialog, "§16.3(5): Proxy-Require holds within dialogs too"),
	DEVIATES("rfc5393", breadth_in_dialog, "§5.3.3: Max-Breadth is added where it is missing, and 0 gets 440",
		 "a request within a dialog goes to one place and is never forked: what it says is passed on, and no BYE is lost to it"),
	LAW("rfc6665", notify_is_record_routed, "RFC 6665 §4.3: a NOTIFY that may found a dialog is record-routed as its SUBSCRIBE was"),
	LAW("design", contact_behind_nat, "a caller behind a NAT is reached where its packets come from"),
	LAW("design", dialog_outlives_transactions, "an established dialog needs no transaction"),
	LAW("design", dialog_of_another_node, "nor any state: another node with the same keys routes it"));
