/* SPDX-License-Identifier: Apache-2.0 */
/* CANCEL, and what is forwarded without a transaction: RFC 3261 §16.10 to §16.12. */
#include "script.h"

/* ---- §16.10: CANCEL */

static void cancel_answered_and_passed(void)
{
	const struct sent *sent_invite = invite(), *c;

	reply(A, 180);
	up(180);
	cancel();
	is(up(200), "CSeq", "1 CANCEL");
	c = out("CANCEL", A);
	is(c, "Via", sent_header(sent_invite, "Via", 0));
	is(c, "CSeq", "1 CANCEL");
	lines(c, "Via", 1);
	okay(c);
	reply(A, 487);
	out("ACK", A);
	up(487);
	ack();
	quiet();
}

static void cancel_of_all_branches(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	reply(B, 183);
	reply(C, 100);
	up(180);
	up(183);
	cancel();
	up(200);
	out("CANCEL", A);
	out("CANCEL", B);
	out("CANCEL", C);
	reply(A, 487);
	reply(B, 487);
	reply(C, 487);
	out("ACK", A);
	out("ACK", B);
	out("ACK", C);
	up(487);
	quiet();
}

static void cancel_waits_for_provisional(void)
{
	invite();
	cancel();
	up(200);
	up(487);
	quiet();
	reply(A, 100);
	out("CANCEL", A);
	reply(A, 487);
	out("ACK", A);
	quiet();
}

static void cancel_unmatched(void)
{
	ask(.method = "CANCEL");
	up(481);
	quiet();
}

static void cancel_crosses_answer(void)
{
	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", A);
	reply(A, 200);
	is(up(200), "CSeq", "1 INVITE");
	quiet();
}

static void cancel_after_final(void)
{
	invite();
	reply(A, 486);
	out("ACK", A);
	up(486);
	cancel();
	is(up(200), "CSeq", "1 CANCEL");
	quiet();
}

static void cancel_ends_the_search(void)
{
	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	out("CANCEL", A);
	reply(A, 503);
	out("ACK", A);
	up(487);
	quiet(); /* B hears nothing */
}

static void cancel_of_other_methods(void)
{
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	reply(A, 100);
	cancel();
	up(481);
	quiet();
}

/* ---- §16.11, §16.12: requests forwarded without a transaction */

static void stateless_branch_is_stable(void)
{
	struct dialog d;
	const char *first;

	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INFO", 7, VIA "info");
	first = branch_of(out("INFO", A), 0);
	later(3000);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INFO", 7, VIA "info");
	expect_true(!strcmp(branch_of(out("INFO", A), 0), first), "a retransmission has the same branch");
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INFO", 8, VIA "info2");
	expect_true(strcmp(branch_of(out("INFO", A), 0), first), "another request has another");
}

static void stateless_cancel_and_ack_share_the_branch(void)
{
	struct dialog d;
	const char *first;

	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "INVITE", 7, VIA "re");
	first = branch_of(out("INVITE", A), 0);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "CANCEL", 7, VIA "re");
	expect_true(!strcmp(branch_of(out("CANCEL", A), 0), first), "CANCEL has the INVITE's branch");
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 7, VIA "re");
	expect_true(!strcmp(branch_of(out("ACK", A), 0), first), "so has the ACK for a non-2xx");
}

static void stateless_keeps_nothing(void)
{
	struct dialog d;

	call_up(&d);
	later(40000);
	all_gone();
	say(&d, TOKEN_FROM_CALLER, "INFO");
	out("INFO", A);
	all_gone();
}

static void stateless_no_trying(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_CALLER, "INVITE");
	out("INVITE", A);
	quiet();
}

static void stateless_hops(void)
{
	struct dialog d;

	call_up(&d);
	say(&d, TOKEN_FROM_TARGET, "INFO");
	is(out("INFO", CALLER), "Max-Forwards", "69");
	snprintf(d.caller_routes + strlen(d.caller_routes), 64, "X-Y: z\r\n");
	say(&d, TOKEN_FROM_CALLER, "BYE");
	has(out("BYE", A), "\r\nX-Y: z\r\n");
}

static void loose_route_behind(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	strcat(d.caller_routes, "Route: <sip:10.2.0.9:5070;lr>\r\n");
	say(&d, TOKEN_FROM_CALLER, "INFO");
	s = out("INFO", "10.2.0.9:5070");
	lines(s, "Route", 1);
	is(s, "Route", "<sip:10.2.0.9:5070;lr>");
	expect_true(!strcmp(sent_uri(s), "sip:target@10.2.0.1:5060"), "the request URI stays");
}

static void strict_route_behind(void)
{
	struct dialog d;
	const struct sent *s;

	call_up(&d);
	strcat(d.caller_routes, "Route: <sip:10.2.0.9:5070>, <sip:10.2.0.8;lr>\r\n");
	say(&d, TOKEN_FROM_CALLER, "INFO");
	s = out("INFO", "10.2.0.9:5070");
	expect_true(!strcmp(sent_uri(s), "sip:10.2.0.9:5070"), "the strict router's URI is the request URI");
	is(s, "Route", "<sip:10.2.0.8;lr>, <sip:target@10.2.0.1:5060>");
}

static void ack_of_nothing(void)
{
	ask(.method = "ACK");
	quiet();
	all_gone();
}

static void own_fault_in_ack(void)
{
	raw(CALLER, edited(request_text(&(struct request){ .method = "ACK" }), "CSeq: 1 ACK", "CSeq: 1 BYE"));
	quiet();
}

LAW_BOOK(rfc3261_16_cancel,
	LAW("rfc3261", cancel_answered_and_passed, "§16.10, §9.1: a CANCEL gets 200, and one of our own goes out with the INVITE's branch"),
	LAW("rfc3261", cancel_of_all_branches, "§16.10: a CANCEL cancels every pending branch; one 487 goes up"),
	LAW("rfc3261", cancel_waits_for_provisional, "§9.1: no CANCEL is sent before a provisional response came"),
	DEVIATES("rfc3261", cancel_unmatched, "§16.10: a CANCEL that matches nothing is forwarded statelessly",
		 "outside a dialog nothing says where to, and the INVITE is no more: 481 as §9.2 has it"),
	LAW("rfc3261", cancel_crosses_answer, "§16.7(5), §9.1: a 2xx that crosses the CANCEL is forwarded"),
	LAW("rfc3261", cancel_after_final, "§9.2: a CANCEL after the final response is answered and changes nothing"),
	LAW("rfc3261", cancel_ends_the_search, "§16.10: after a CANCEL no further target is tried"),
	LAW("rfc3261", cancel_of_other_methods, "§9.1: only an INVITE can be cancelled"),
	LAW("rfc3261", stateless_branch_is_stable, "§16.11: a stateless branch is the same for each retransmission"),
	LAW("rfc3261", stateless_cancel_and_ack_share_the_branch, "§16.11: CANCEL and ACK get the branch of their INVITE"),
	LAW("rfc3261", stateless_keeps_nothing, "§16.11: nothing is kept of a request forwarded statelessly"),
	LAW("rfc3261", stateless_no_trying, "§16.11: a stateless proxy sends no 100"),
	LAW("rfc3261", stateless_hops, "§16.11, §16.6: Max-Forwards is decremented and headers are kept there too"),
	LAW("rfc3261", loose_route_behind, "§16.12.1.1: the next Route decides where the request goes and stays in it"),
	LAW("rfc3261", strict_route_behind, "§16.6(6), §16.12.1.2: before a strict router its URI becomes the request URI, ours the last Route"),
	LAW("rfc3261", ack_of_nothing, "§17.1.1.3: an ACK that belongs to nothing is dropped in silence"),
	LAW("rfc3261", own_fault_in_ack, "§17.1.1.3: a malformed ACK is dropped in silence"));
