/* SPDX-License-Identifier: Apache-2.0 */
/* The Accepted states: RFC 6026. */
#include "script.h"

static void repeated_success_goes_up(void)
{
	invite();
	for (unsigned i = 0; i < 8; i++) {
		reply(A, 200);
		up(200);
		later(500 << (i < 3 ? i : 3));
	}
	quiet();
}

static void repeated_invite_absorbed(void)
{
	invite();
	reply(A, 200);
	up(200);
	later(500);
	again();
	quiet();
}

static void success_is_not_repeated_by_us(void)
{
	invite();
	reply(A, 200);
	up(200);
	later(31000);
	quiet();
}

static void ack_for_success_is_forwarded(void)
{
	struct dialog d;

	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 1, NULL);
	out("ACK", A);
	quiet();
}

static void ack_with_the_invites_branch(void)
{
	struct dialog d;

	call_up(&d); /* some callers reuse the branch for the ACK of a 2xx */
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 1, VIA);
	out("ACK", A);
	quiet();
}

static void lost_ack_of_success(void)
{
	struct dialog d;
	const struct sent *first;
	struct sent kept;

	call_up(&d);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 1, VIA "ack");
	first = out("ACK", A);
	kept = *first;
	later(1000);
	dialog_send(&stage, &d, TOKEN_FROM_CALLER, "ACK", 1, VIA "ack");
	expect_true(sent_equal(out("ACK", A), &kept), "the same ACK again");
}

static void timer_m(void)
{
	invite();
	reply(A, 200);
	up(200);
	later(31999);
	reply(A, 200);
	up(200);
	later(1);
	reply(A, 200);
	quiet();
	counted(COUNTER_responses_stale, 1);
}

static void timer_l(void)
{
	invite();
	reply(A, 200);
	up(200);
	later(31999);
	again();
	quiet();
	later(1);
	all_gone();
}

static void stray_responses_dropped(void)
{
	const struct sent *s = invite();
	char *text = edited(reply_text(A, 200, NULL), branch_of(s, 0), "z9hG4bKnobody");

	raw(A, text);
	raw(B, text);
	quiet();
	counted(COUNTER_responses_stray, 2);
}

static void other_finals_in_accepted(void)
{
	ring_all();
	invite_all();
	reply(A, 200);
	up(200);
	reply(B, 486);
	out("ACK", B);
	reply(C, 603);
	out("ACK", C);
	quiet();
}

static void cancel_in_accepted(void)
{
	invite();
	reply(A, 200);
	up(200);
	cancel();
	is(up(200), "CSeq", "1 CANCEL");
	quiet();
}

LAW_BOOK(rfc6026,
	LAW("rfc6026", repeated_success_goes_up, "§7.2: each repeated 2xx is forwarded in Accepted (a lost 200 is made good by the target)"),
	LAW("rfc6026", repeated_invite_absorbed, "§7.1: a repeated INVITE in Accepted is absorbed and not answered"),
	LAW("rfc6026", success_is_not_repeated_by_us, "§7.1: a 2xx is not repeated by the proxy"),
	LAW("rfc6026", ack_for_success_is_forwarded, "§7.1: an ACK for a 2xx is passed on"),
	LAW("rfc6026", ack_with_the_invites_branch, "§7.1: also when it has the INVITE's branch and meets its transaction in Accepted"),
	LAW("rfc6026", lost_ack_of_success, "§7.1: a repeated ACK is forwarded again, the same"),
	LAW("rfc6026", timer_m, "§7.2: the client's Accepted lasts 64*T1 (timer M)"),
	LAW("rfc6026", timer_l, "§7.1: the server's Accepted lasts 64*T1 (timer L)"),
	LAW("rfc6026", stray_responses_dropped, "§7.3: a response that matches no transaction is not forwarded"),
	LAW("rfc6026", other_finals_in_accepted, "§7.1: after a 2xx no other final of another branch goes up"),
	LAW("rfc6026", cancel_in_accepted, "§7.1: a CANCEL in Accepted is answered and does nothing else"));
