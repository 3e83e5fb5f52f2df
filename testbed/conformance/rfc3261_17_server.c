/* SPDX-License-Identifier: Apache-2.0 */
/* Server transactions: RFC 3261 §17.2, seen from the caller's side. */
#include "script.h"

/* ---- INVITE */

static void repeated_in_proceeding(void)
{
	const struct sent *trying;
	struct sent kept;

	ask(0);
	trying = up(100);
	kept = *trying;
	out("INVITE", A);
	again();
	expect_true(sent_equal(up(100), &kept), "the same 100");
	quiet();
}

static void repeated_after_ringing(void)
{
	invite();
	reply_with(A, 180, "X-Ring: 1\r\n");
	up(180);
	reply_with(A, 183, "X-Ring: 2\r\n");
	up(183);
	again();
	is(up(183), "X-Ring", "2");
	quiet();
}

static void timer_g(void)
{
	static const uint64_t want[] = { 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500 };
	uint64_t from;

	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	from = stage.now_ms;
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		later(want[i] - (stage.now_ms - from) - 1);
		quiet();
		later(1);
		up(486);
	}
	later(10000);
	quiet();
}

static void timer_h(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	later(32000);
	while (stage.sent_read < stage.sent_count)
		up(486);
	later(5000);
	all_gone();
}

static void ack_stops_timer_g(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	later(31000);
	quiet();
}

static void lost_final(void)
{
	const struct sent *first;
	struct sent kept;

	invite();
	reply(A, 486);
	out("ACK", A);
	first = up(486);
	kept = *first;
	again();
	expect_true(sent_equal(up(486), &kept), "the same final");
	quiet();
}

static void lost_ack(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	later(500);
	up(486);
	ack();
	later(30000);
	quiet();
}

static void confirmed_absorbs(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	ack();
	again();
	quiet();
}

static void timer_i(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	later(4999);
	again();
	quiet();
	later(1);
	again(); /* a new transaction */
	up(100);
	out("INVITE", A);
}

static void ack_is_not_forwarded(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	quiet();
	counted(COUNTER_acks_absorbed, 1);
}

static void own_final_repeated(void)
{
	stage.knobs.max_retries = 0;
	publish();
	invite();
	later(4000);
	drain_out("INVITE", A);
	up(408);
	later(500);
	up(408);
	ack();
	later(20000);
	quiet();
}

static void two_calls_do_not_mix(void)
{
	struct request second = { .via = VIA "second", .call_id = "call-2", .from = "<sip:d@x>;tag=d" };

	invite();
	request_send(&stage, &second);
	up(100);
	reply(A, 486);
	out("ACK", A);
	is(up(486), "Call-ID", "call-1");
	is(out("INVITE", A), "Call-ID", "call-2");
	reply(A, 180);
	is(up(180), "Call-ID", "call-2");
	quiet();
}

/* ---- non-INVITE */

static void trying_absorbs(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	again();
	again();
	quiet();
	counted(COUNTER_retransmissions_absorbed, 2);
}

static void completed_replays(void)
{
	struct sent kept;

	ask(.method = "INFO");
	out("INFO", A);
	reply_with(A, 200, "X-Y: z\r\n");
	kept = *up(200);
	later(10000);
	again();
	expect_true(sent_equal(up(200), &kept), "the same final");
	quiet();
}

static void timer_j(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 200);
	up(200);
	later(31999);
	again();
	up(200);
	later(1);
	all_gone();
	again();
	out("INFO", A);
}

static void no_timer_for_finals(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 404);
	up(404);
	later(31000);
	quiet();
}

/* ---- §17.2.3: matching */

static void match_branch(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	ask(.method = "INFO", .cseq = 2, .via = VIA "x");
	out("INFO", A);
	quiet();
}

static void match_sent_by(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	ask(.method = "INFO", .via = "SIP/2.0/UDP 10.1.0.2:5060;branch=z9hG4bK1");
	out("INFO", A);
	ask(.method = "INFO", .via = "SIP/2.0/UDP 10.1.0.1:5061;branch=z9hG4bK1");
	out("INFO", A);
	quiet();
}

static void match_default_port(void)
{
	ask(.method = "INFO", .via = "SIP/2.0/UDP pbx.example;branch=z9hG4bK1;x");
	out("INFO", A);
	ask(.method = "INFO", .via = "SIP/2.0/UDP PBX.example;x;branch=Z9hg4bk1");
	quiet();
}

static void match_method(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	ask(.method = "MESSAGE");
	out("MESSAGE", A);
	ask(.method = "Info");
	out("Info", A);
	ask(.method = "INFO2");
	out("INFO2", A);
	quiet();
}

static void match_ack_by_branch(void)
{
	struct request r = { .via = VIA };

	invite_as(&r);
	reply(A, 486);
	out("ACK", A);
	ask(.method = "ACK", .via = VIA "other", .to = "<sip:callee@10.0.0.1>;tag=a");
	up(486);
	later(500);
	up(486); /* that ACK was another's */
}

static void cancel_is_its_own_transaction(void)
{
	invite();
	reply(A, 180);
	up(180);
	cancel();
	is(up(200), "CSeq", "1 CANCEL");
	out("CANCEL", A);
	cancel();
	is(up(200), "CSeq", "1 CANCEL");
	quiet();
}

static void merged_requests(void)
{
	invite();
	ask(.via = "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKotherway");
	up(100);
	out("INVITE", A);
	quiet();
}

#define OLD_VIA "SIP/2.0/UDP 10.1.0.1:5060;branch=1"

static void old_branch_absorbed(void)
{
	invite(.via = OLD_VIA);
	again();
	up(100);
	quiet();
}

static void old_branch_absent(void)
{
	invite(.via = "SIP/2.0/UDP 10.1.0.1:5060");
	again();
	up(100);
	quiet();
	ask(.via = "SIP/2.0/UDP 10.1.0.1:5060", .cseq = 2);
	up(100);
	out("INVITE", A);
}

static void old_branch_ack(void)
{
	invite(.via = OLD_VIA);
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	later(20000);
	quiet();
	counted(COUNTER_acks_absorbed, 1);
}

static void old_branch_cancel(void)
{
	invite(.via = OLD_VIA);
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", A);
}

static void old_branch_other_call(void)
{
	invite(.via = OLD_VIA);
	ask(.via = OLD_VIA, .call_id = "call-2");
	up(100);
	out("INVITE", A);
	ask(.via = OLD_VIA, .from = "<sip:caller@10.1.0.1>;tag=from2");
	up(100);
	out("INVITE", A);
	quiet();
}

static void state_outlives_a_bad_repetition(void)
{
	invite();
	raw(CALLER, edited(request_text(&(struct request){ 0 }), "CSeq: 1 INVITE", "CSeq: 1 BYE"));
	up(400);
	reply(A, 180);
	up(180);
}

LAW_BOOK(rfc3261_17_server,
	LAW("rfc3261", repeated_in_proceeding, "§17.2.1: a repeated INVITE gets the 100 again and is not forwarded again"),
	LAW("rfc3261", repeated_after_ringing, "§17.2.1: or the latest provisional response"),
	LAW("rfc3261", timer_g, "§17.2.1: a final from 300 is repeated by timer G: T1, doubled up to T2"),
	LAW("rfc3261", timer_h, "§17.2.1: timer H ends the wait for an ACK after 64*T1"),
	LAW("rfc3261", ack_stops_timer_g, "§17.2.1: the ACK ends the retransmissions"),
	LAW("rfc3261", lost_final, "§17.2.1: a repeated INVITE in Completed gets the final again"),
	LAW("rfc3261", lost_ack, "§17.2.1: a lost ACK is answered by the final again until one comes"),
	LAW("rfc3261", confirmed_absorbs, "§17.2.1: in Confirmed further ACKs and INVITEs are absorbed"),
	LAW("rfc3261", timer_i, "§17.2.1: Confirmed lasts T4 (timer I)"),
	LAW("rfc3261", ack_is_not_forwarded, "§17.2.1: the ACK for a non-2xx ends at the proxy"),
	LAW("rfc3261", own_final_repeated, "§17.2.1: a final of the proxy's own making is repeated like any"),
	LAW("rfc3261", two_calls_do_not_mix, "§17.2.3: two calls at one time do not mix"),
	LAW("rfc3261", trying_absorbs, "§17.2.2: a repeated non-INVITE in Trying is absorbed in silence"),
	LAW("rfc3261", completed_replays, "§17.2.2: in Completed it gets the final again"),
	LAW("rfc3261", timer_j, "§17.2.2: Completed lasts 64*T1 (timer J) on UDP"),
	LAW("rfc3261", no_timer_for_finals, "§17.2.2: finals to other requests than INVITE are not repeated by a timer"),
	LAW("rfc3261", match_branch, "§17.2.3: another branch is another transaction"),
	LAW("rfc3261", match_sent_by, "§17.2.3: another sent-by, port included, is another transaction"),
	LAW("rfc3261", match_default_port, "§17.2.3, §7.3.1: sent-by and branch are compared without case, parameters' order is nothing"),
	LAW("rfc3261", match_method, "§17.2.3, §7.1: another method is another transaction, and methods are compared with case"),
	LAW("rfc3261", match_ack_by_branch, "§17.2.3: an ACK with another branch does not confirm"),
	LAW("rfc3261", cancel_is_its_own_transaction, "§9.2: a CANCEL is answered on its own, also when it is repeated"),
	LAW("rfc3261", merged_requests, "§8.2.2.2: merged requests are the user agent's to refuse; a proxy forwards both"),
	LAW("rfc3261", old_branch_absorbed, "§17.2.3: a branch without the cookie is matched by RFC 2543's rules"),
	LAW("rfc3261", old_branch_absent, "§17.2.3: so is a Via without a branch"),
	LAW("rfc3261", old_branch_ack, "§17.2.3: the ACK of such an INVITE is matched by URI, From, Call-ID, CSeq number and Via"),
	LAW("rfc3261", old_branch_cancel, "§17.2.3, §9.2: so is its CANCEL"),
	LAW("rfc3261", old_branch_other_call, "§17.2.3: the same old branch in another call is another transaction"),
	LAW("rfc3261", state_outlives_a_bad_repetition, "§17.2: a malformed request with a known branch does no harm"));
