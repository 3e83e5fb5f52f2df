/* SPDX-License-Identifier: Apache-2.0 */
/* The design's rules: simultaneous ring, CANCEL and what it says, and the counts of ringing branches. */
#include "script.h"

static void all_at_once(void)
{
	ring_all();
	invite_all();
	expect_true(target_of(&stage, 0, TARGET_RINGING) == 1 && target_of(&stage, 1, TARGET_RINGING) == 1 &&
			    target_of(&stage, 2, TARGET_RINGING) == 1,
		    "each branch counts against its target");
}

static void first_answer_wins(void)
{
	ring_all();
	invite_all();
	reply(B, 180);
	up(180);
	reply(C, 180);
	up(180);
	reply(B, 200);
	has(up(200), ";tag=b");
	out("CANCEL", C);
	quiet();
	expect_true(target_of(&stage, 1, TARGET_ANSWERED) == 1 && target_of(&stage, 1, TARGET_LIVE) == 1, "B has the call");
	expect_true(target_of(&stage, 2, TARGET_RINGING) == 0, "C no longer rings");
}

static void losers_are_told_why(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 200);
	up(200);
	is(out("CANCEL", A), "Reason", "SIP;cause=200;text=\"Call completed elsewhere\"");
}

static void late_loser_is_told_why(void)
{
	ring_all();
	invite_all();
	reply(B, 200);
	up(200);
	reply(A, 180);
	is(out("CANCEL", A), "Reason", "SIP;cause=200;text=\"Call completed elsewhere\"");
}

static void callers_reason_passed_on(void)
{
	const struct sent *c;
	struct request r = { .method = "CANCEL", .contact = "", .headers = "Reason: SIP;cause=600;text=\"Busy, everywhere\"\r\nReason: Q.850 ;cause=16\r\n" };

	invite();
	reply(A, 180);
	up(180);
	request_send(&stage, &r);
	up(200);
	c = out("CANCEL", A);
	has(c, "\r\nReason: SIP;cause=600;text=\"Busy, everywhere\"\r\nReason: Q.850 ;cause=16\r\n");
	lines(c, "Reason", 2);
}

static void callers_reason_to_all(void)
{
	struct request r = { .method = "CANCEL", .contact = "", .headers = "Reason: Q.850;cause=16\r\n" };

	ring_all();
	invite_all();
	reply(A, 180);
	reply(B, 180);
	up(180);
	up(180);
	request_send(&stage, &r);
	up(200);
	is(out("CANCEL", A), "Reason", "Q.850;cause=16");
	is(out("CANCEL", B), "Reason", "Q.850;cause=16");
	reply(C, 180); /* too late for the caller, in time to be told */
	is(out("CANCEL", C), "Reason", "Q.850;cause=16");
}

static void no_reason_of_our_own(void)
{
	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	lines(out("CANCEL", A), "Reason", 0);
}

static void busy_ends_its_own_branch(void)
{
	ring_all();
	invite_all();
	reply(A, 486);
	out("ACK", A);
	quiet();
	reply(B, 180);
	up(180);
	reply(B, 200);
	up(200);
}

static void failure_ends_its_own_branch(void)
{
	ring_all();
	invite_all();
	reply(A, 503);
	out("ACK", A);
	reply(B, 500);
	out("ACK", B);
	quiet();
	reply(C, 200);
	up(200);
}

static void timeout_ends_its_own_branch(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	later(4000);
	drain_out("INVITE", B);
	drain_out("INVITE", C);
	quiet();
	reply(A, 200);
	up(200);
	quiet();
}

static void refusal_ends_its_own_branch(void)
{
	ring_all();
	invite_all();
	unreachable(A);
	unreachable(B);
	quiet();
	reply(C, 486);
	out("ACK", C);
	up(486);
	quiet();
}

static void decline_ends_all(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 603);
	out("ACK", B);
	out("CANCEL", A);
	quiet(); /* a 2xx may still cross the CANCEL */
	reply(A, 487);
	out("ACK", A);
	up(603);
	quiet();
}

static void decline_of_its_target_alone(void)
{
	stage.knobs.decline_ends_target = true;
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 603);
	out("ACK", B);
	quiet(); /* A rings on */
	reply(A, 200);
	up(200);
}

static void decline_of_all_targets(void)
{
	stage.knobs.decline_ends_target = true;
	ring_all();
	invite_all();
	reply(A, 603);
	out("ACK", A);
	reply(B, 603);
	out("ACK", B);
	quiet();
	reply(C, 604);
	out("ACK", C);
	up(603);
	quiet();
}

static void ring_timeout_of_all(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	reply(B, 180);
	reply(C, 180);
	up(180);
	up(180);
	up(180);
	later(25000);
	out("CANCEL", A);
	out("CANCEL", B);
	out("CANCEL", C);
	up(408);
	quiet();
}

static void two_answers_one_call(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 200);
	up(200);
	out("CANCEL", A);
	reply(A, 200);
	up(200);
	expect_true(target_of(&stage, 0, TARGET_LIVE) + target_of(&stage, 1, TARGET_LIVE) == 1, "one live call is counted");
	counted(COUNTER_calls_answered, 1);
}

static void answer_while_cancelling(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", A);
	out("CANCEL", B);
	reply(A, 487);
	out("ACK", A);
	reply(B, 200);
	up(200);
	quiet();
}

static void cancel_then_best(void)
{
	ring_all();
	invite_all();
	reply(A, 486);
	out("ACK", A);
	reply(B, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", B);
	reply(B, 487);
	out("ACK", B);
	expect_true(stage.sent_read < stage.sent_count, "a final went up at once");
	if (!strncmp((const char *)stage.sent[stage.sent_read]->data, "SIP/2.0 486", 11))
		up(486);
	else
		up(487);
	quiet();
}

static void endpoint_is_rung_once(void)
{
	stage.target_trunk[1] = stage.target_trunk[0];
	stage.target_trunk[2] = stage.target_trunk[0];
	ring_all();
	ask(0);
	up(100);
	out("INVITE", A);
	quiet();
}

static void counts_of_a_rescue(void)
{
	invite();
	expect_true(target_of(&stage, 0, TARGET_RINGING) == 1, "A rings");
	reply(A, 500);
	out("ACK", A);
	out("INVITE", B);
	expect_true(target_of(&stage, 0, TARGET_RINGING) == 0 && target_of(&stage, 0, TARGET_FAILED) == 1, "A failed");
	reply(B, 200);
	up(200);
	expect_true(target_of(&stage, 0, TARGET_RESCUED_AWAY) == 1 && target_of(&stage, 1, TARGET_LIVE) == 1, "B has it");
	counted(COUNTER_calls_rescued, 1);
}

static void ring_of_one(void)
{
	only_a();
	ring_all();
	ask(0);
	up(100);
	out("INVITE", A);
	quiet();
	reply(A, 500);
	out("ACK", A);
	up(500);
	quiet();
}

LAW_BOOK(ringing,
	LAW("design", all_at_once, "simultaneous ring: all targets at once, each counted as ringing"),
	LAW("design", first_answer_wins, "the first 2xx wins and the rest get CANCEL"),
	LAW("rfc3326", losers_are_told_why, "RFC 3326 §2: the losers' CANCEL says Reason: SIP;cause=200"),
	LAW("rfc3326", late_loser_is_told_why, "RFC 3326 §2: also that of a loser that could be cancelled only later"),
	LAW("rfc3326", callers_reason_passed_on, "RFC 3326 §2: the Reasons of the caller's CANCEL are passed on"),
	LAW("rfc3326", callers_reason_to_all, "RFC 3326 §2: to every branch, late ones too"),
	LAW("rfc3326", no_reason_of_our_own, "RFC 3326 §2: where the caller gave none, none is made up"),
	LAW("design", busy_ends_its_own_branch, "a 4xx ends its own branch alone"),
	LAW("design", failure_ends_its_own_branch, "a 5xx ends its own branch alone"),
	LAW("design", timeout_ends_its_own_branch, "a timeout ends its own branch alone"),
	LAW("design", refusal_ends_its_own_branch, "an ICMP error ends its own branch alone"),
	LAW("rfc3261", decline_ends_all, "§16.7(5): a 6xx ends all"),
	LAW("design", decline_of_its_target_alone, "unless the profile says decline_scope: target"),
	LAW("design", decline_of_all_targets, "then a 6xx goes up when all have refused"),
	LAW("design", ring_timeout_of_all, "when nobody answers in time all are cancelled and 408 goes up"),
	LAW("design", two_answers_one_call, "two 2xx are one call in the counts"),
	LAW("rfc3261", answer_while_cancelling, "§16.7(5): a 2xx of one branch goes up while others are being cancelled"),
	LAW("rfc3261", cancel_then_best, "§16.10: after CANCEL the best final goes up when all branches that can end have ended"),
	LAW("design", endpoint_is_rung_once, "an endpoint that several targets name rings once"),
	LAW("design", counts_of_a_rescue, "a rescued call is counted against the target that failed it"),
	LAW("design", ring_of_one, "a ring of one target ends with its answer"));
