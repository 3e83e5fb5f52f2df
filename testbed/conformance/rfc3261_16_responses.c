/* SPDX-License-Identifier: Apache-2.0 */
/* What a proxy does with responses: RFC 3261 §16.7 to §16.9. */
#include "script.h"

/* ---- §16.7(1), (3) */

static void via_removed(void)
{
	const struct sent *s;

	invite(.via = VIA "\r\nVia: SIP/2.0/UDP p.example;branch=z9hG4bKp");
	reply(A, 486);
	out("ACK", A);
	s = up(486);
	lines(s, "Via", 2);
	is(s, "Via", VIA);
	is_nth(s, "Via", 1, "SIP/2.0/UDP p.example;branch=z9hG4bKp");
}

static void vias_on_one_line(void)
{
	char *text;
	const struct sent *s;
	char joined[600];

	s = invite();
	snprintf(joined, sizeof(joined), "Via: %s, %s\r\n", sent_header(s, "Via", 0), VIA);
	text = reply_text(A, 486, NULL);
	text = edited(text, "Via: " VIA "\r\n", "");
	text = edited(text, "Via: ", "X-Cut: ");
	raw(A, edited(text, "X-Cut: ", edited(joined, "\r\n", "\r\nX-Cut: ")));
	out("ACK", A);
	s = up(486);
	lines(s, "Via", 1);
	is(s, "Via", VIA);
}

static void no_via_below(void)
{
	invite();
	raw(A, edited(reply_text(A, 180, NULL), "Via: " VIA "\r\n", ""));
	quiet();
	counted(COUNTER_responses_stray, 1);
}

static void response_otherwise_untouched(void)
{
	static const char odd[] = "Warning: 399 x \"y\"\r\nx-ODD :\tz \r\nServer: a\r\n folded\r\n";

	invite();
	reply_with(A, 183, odd);
	has(up(183), odd);
}

static void response_body_untouched(void)
{
	char *text;

	invite();
	text = edited(reply_text(A, 183, NULL), "Content-Length: 0\r\n\r\n", "Content-Length: 6\r\n\r\nv=0\r\n\xff");
	raw(A, text);
	has(up(183), "Content-Length: 6\r\n\r\nv=0\r\n\xff");
}

static void reason_phrase_untouched(void)
{
	invite();
	raw(A, edited(reply_text(A, 486, NULL), "486 Reason", "486 = 2**3 * 9**2 \xd0\xbd\xd0\xb5\xd1\x82"));
	out("ACK", A);
	has(up(486), "SIP/2.0 486 = 2**3 * 9**2 \xd0\xbd\xd0\xb5\xd1\x82\r\n");
}

/* ---- §16.7(5): what goes up at once */

static void trying_stays(void)
{
	invite();
	reply(A, 100);
	quiet();
}

static void every_provisional_goes_up(void)
{
	static const unsigned codes[] = { 101, 180, 181, 182, 183, 199, 180 };

	invite();
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		reply(A, codes[i]);
		up(codes[i]);
	}
	quiet();
}

static void success_goes_up(void)
{
	static const unsigned codes[] = { 200, 202, 299 };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		char via[64];

		snprintf(via, sizeof(via), VIA "%u", i);
		invite(.via = via, .call_id = via);
		reply(A, codes[i]);
		up(codes[i]);
		quiet(); /* no ACK from a proxy */
	}
}

static void second_success_goes_up(void)
{
	const struct sent *first, *second;

	ring_all();
	invite_all();
	reply(A, 180);
	reply(B, 180);
	up(180);
	up(180);
	reply(A, 200);
	first = up(200);
	out("CANCEL", B);
	reply(B, 200);
	second = up(200);
	has(first, ";tag=a\r\n");
	has(second, ";tag=b\r\n");
	quiet();
}

static void legs_of_one_branch(void)
{
	invite();
	reply_leg(A, 180, "leg1", NULL);
	reply_leg(A, 180, "leg2", NULL);
	has(up(180), ";tag=leg1");
	has(up(180), ";tag=leg2");
	reply_leg(A, 200, "leg2", NULL);
	has(up(200), ";tag=leg2");
	reply_leg(A, 200, "leg1", NULL);
	has(up(200), ";tag=leg1");
	quiet();
}

static void no_provisional_after_final(void)
{
	ring_all();
	invite_all();
	reply(A, 200);
	up(200);
	reply(B, 180);
	out("CANCEL", B);
	quiet();
}

static void late_success_after_failover(void)
{
	const struct sent *s;

	invite();
	later(4000); /* nothing came: B is next */
	drain_out("INVITE", A);
	out("INVITE", B);
	reply(B, 180);
	up(180);
	reply(A, 200);
	s = up(200);
	has(s, ";tag=a");
	out("CANCEL", B);
	reply(B, 487);
	out("ACK", B);
	quiet();
}

static void late_success_after_final(void)
{
	stage.knobs.max_retries = 0;
	publish();
	invite();
	later(4000);
	drain_out("INVITE", A);
	up(408);
	ack();
	reply(A, 200);
	up(200);
	quiet();
}

static void late_success_before_the_ack(void)
{
	stage.knobs.max_retries = 0;
	publish();
	invite();
	later(4000);
	drain_out("INVITE", A);
	up(408);
	reply(A, 200);
	up(200);
	later(500);
	up(408); /* until its ACK comes */
	ack();
	later(4000);
	quiet();
}

static void late_success_without_server_transaction(void)
{
	stage.knobs.max_retries = 0;
	stage.knobs.response_timeout_ms = 0;
	stage.knobs.ring_timeout_ms = 0;
	stage.knobs.setup_budget_ms = 0;
	publish();
	invite();
	cancel();
	up(200);
	up(487);
	ack();
	later(6000); /* timer I is over */
	drain_out("INVITE", A);
	reply(A, 200);
	up(200);
	quiet();
}

static void global_failure_ends_all(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 603);
	out("ACK", B);
	out("CANCEL", A);
	reply(A, 487);
	out("ACK", A);
	reply(C, 100);
	out("CANCEL", C);
	reply(C, 487);
	out("ACK", C);
	up(603);
	quiet();
}

static void success_after_global_failure(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(C, 180);
	up(180);
	reply(B, 600);
	out("ACK", B);
	out("CANCEL", A);
	out("CANCEL", C);
	reply(A, 200);
	up(200);
	reply(C, 487);
	out("ACK", C);
}

static void global_failure_waits_for_none_answered(void)
{
	invite();
	reply(A, 180);
	up(180);
	reply(A, 600);
	out("ACK", A);
	up(600);
	quiet();
}

/* ---- §16.7(8) to (10), §16.8, §16.9 */

static void losers_cancelled(void)
{
	ring_all();
	invite_all();
	reply(A, 180);
	up(180);
	reply(B, 100);
	reply(C, 200);
	up(200);
	out("CANCEL", A);
	out("CANCEL", B);
	reply(A, 487);
	out("ACK", A);
	reply(B, 487);
	out("ACK", B);
	quiet();
}

static void silent_loser_cancelled_late(void)
{
	ring_all();
	invite_all();
	reply(C, 200);
	up(200);
	quiet();
	later(1000);
	quiet(); /* it is not sent the INVITE again */
	reply(A, 180);
	out("CANCEL", A);
	reply(A, 487);
	out("ACK", A);
	quiet();
}

static void timer_c(void)
{
	uint64_t at;

	clocks_off();
	invite();
	reply(A, 180);
	up(180);
	times_of("CANCEL", A, 1, &at);
	expect_true(at == 185000, "timer C is 185 s");
	expect_true(at > 180000, "timer C is above three minutes");
	out("INVITE", B);
	reply(A, 487);
	out("ACK", A);
}

static void timer_c_set_anew(void)
{
	uint64_t at;

	clocks_off();
	invite();
	reply(A, 180);
	up(180);
	later(150000);
	reply(A, 180);
	up(180);
	times_of("CANCEL", A, 1, &at);
	expect_true(at == 185000, "counted from the second 180");
}

static void timer_c_not_for_100(void)
{
	uint64_t at;

	clocks_off();
	invite();
	reply(A, 100);
	later(100000);
	reply(A, 100);
	times_of("CANCEL", A, 1, &at);
	expect_true(at == 85000, "counted from the INVITE");
}

static void timer_c_of_the_last_branch(void)
{
	only_a();
	invite();
	reply(A, 180);
	up(180);
	later(25000);
	out("CANCEL", A);
	up(408);
	ack();
	reply(A, 200); /* it crossed the CANCEL */
	has(up(200), ";tag=a");
	quiet();
}

static void cancelled_branch_that_never_ends(void)
{
	clocks_off();
	only_a();
	invite();
	reply(A, 180);
	up(180);
	cancel();
	up(200);
	later(32000);
	drain_out("CANCEL", A);
	up(487);
}

static void transport_error_is_503(void)
{
	invite();
	unreachable(A);
	out("INVITE", B);
	unreachable(B);
	out("INVITE", C);
	unreachable(C);
	up(500);
	quiet();
}

static void transport_error_of_last_with_best(void)
{
	stage.knobs.max_retries = 1;
	publish();
	invite();
	reply(A, 504);
	out("ACK", A);
	out("INVITE", B);
	unreachable(B);
	has(up(504), ";tag=a");
	quiet();
}

static void final_retransmission_stays(void)
{
	invite();
	reply(A, 404);
	out("ACK", A);
	up(404);
	ack();
	reply(A, 404);
	out("ACK", A);
	quiet();
}

static void other_final_on_one_branch(void)
{
	invite();
	reply(A, 404);
	out("ACK", A);
	up(404);
	ack();
	reply(A, 486);
	out("ACK", A);
	quiet();
}

static void redirect_goes_up(void)
{
	const struct sent *s;

	invite();
	reply_with(A, 302, "Contact: <sip:elsewhere@192.0.2.1>\r\n");
	out("ACK", A);
	s = up(302);
	is(s, "Contact", "<sip:elsewhere@192.0.2.1>");
	quiet();
}

LAW_BOOK(rfc3261_16_responses,
	LAW("rfc3261", via_removed, "§16.7(3): the topmost Via value is removed, the others stay"),
	LAW("rfc3261", vias_on_one_line, "§16.7(3), §7.3.1: so it is when Vias share a line"),
	LAW("rfc3261", no_via_below, "§16.7(3): a response without another Via was for us and is not forwarded"),
	LAW("rfc3261", response_otherwise_untouched, "§16.7(9): the headers of a response are forwarded byte by byte"),
	LAW("rfc3261", response_body_untouched, "§16.7(9): so is its body"),
	LAW("rfc3261", reason_phrase_untouched, "§16.7(9): so is its reason phrase"),
	LAW("rfc3261", trying_stays, "§16.7(5): a 100 is not forwarded"),
	LAW("rfc3261", every_provisional_goes_up, "§16.7(5): every other provisional response is forwarded at once"),
	LAW("rfc3261", success_goes_up, "§16.7(5): every 2xx to an INVITE is forwarded at once, and the proxy sends no ACK"),
	LAW("rfc3261", second_success_goes_up, "§16.7(5): a 2xx of a second branch is forwarded too"),
	LAW("rfc3261", legs_of_one_branch, "§16.7(5), §13.2.2.4: two 2xx with different tags from one branch are both forwarded"),
	LAW("rfc3261", no_provisional_after_final, "§16.7(5): after a final response no provisional is forwarded"),
	LAW("rfc3261", late_success_after_failover, "§16.7(5), (10): a late 2xx of an abandoned branch is forwarded, the branch in its place cancelled"),
	LAW("rfc3261", late_success_after_final, "§16.7(5): a 2xx is forwarded even after another final response"),
	LAW("rfc3261", late_success_before_the_ack, "§16.7(5): also when that final was not acknowledged yet"),
	LAW("rfc3261", late_success_without_server_transaction, "§16.7(9): a 2xx is forwarded even when the server transaction is gone"),
	LAW("rfc3261", global_failure_ends_all, "§16.7(5), (10): a 6xx cancels all pending branches and goes up when they have ended"),
	LAW("rfc3261", success_after_global_failure, "§16.7(5): a 2xx that crosses a 6xx wins"),
	LAW("rfc3261", global_failure_waits_for_none_answered, "§16.7(5): a 6xx of the only branch goes up at once"),
	LAW("rfc3261", losers_cancelled, "§16.7(10): after a 2xx all pending branches are cancelled"),
	LAW("rfc3261", silent_loser_cancelled_late, "§16.7(10), §9.1: one that sent no provisional yet is cancelled at its first"),
	LAW("rfc3261", timer_c, "§16.6(11), §16.8: timer C ends a branch that rings for more than three minutes: CANCEL"),
	LAW("rfc3261", timer_c_set_anew, "§16.7(2): a provisional from 101 to 199 sets timer C anew"),
	LAW("rfc3261", timer_c_not_for_100, "§16.7(2): a 100 does not"),
	DEVIATES("rfc3261", timer_c_of_the_last_branch, "§16.8, §16.7(6): when timer C cancels the last branch, the final goes up once that branch has ended",
		 "the caller has waited for the whole ring: its 408 goes up with the CANCEL, and a 2xx that crosses it is forwarded as well"),
	LAW("rfc3261", cancelled_branch_that_never_ends, "§9.1: a cancelled branch without a final within 64*T1 is over"),
	LAW("rfc3261", transport_error_is_503, "§16.9: a transport error counts as 503, so that the last of them goes up as 500"),
	LAW("rfc3261", transport_error_of_last_with_best, "§16.9, §16.7(6): a response that came is better than a transport error"),
	LAW("rfc3261", final_retransmission_stays, "§16.7(9), §17.1.1.2: a repeated final is acknowledged again and not forwarded again"),
	LAW("rfc3261", other_final_on_one_branch, "§17.1.1.2: a second, different final of a branch is acknowledged and not forwarded"),
	LAW("rfc3261", redirect_goes_up, "§16.7(6): a 3xx is forwarded with its Contact"));
