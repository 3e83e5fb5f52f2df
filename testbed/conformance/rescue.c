/* SPDX-License-Identifier: Apache-2.0 */
/* The design's rules: what ends an attempt and moves a call on, and what does not. */
#include "script.h"

#include "tables/endpoints.h"

static void moves_on(unsigned code)
{
	invite();
	reply(A, code);
	out("ACK", A);
	out("INVITE", B);
	quiet();
}

static void stands(unsigned code)
{
	invite();
	reply(A, code);
	out("ACK", A);
	up(code);
	quiet();
}

static void code_408(void) { moves_on(408); }
static void code_500(void) { moves_on(500); }
static void code_502(void) { moves_on(502); }
static void code_503(void) { moves_on(503); }
static void code_504(void) { moves_on(504); }
static void code_580(void) { moves_on(580); }
static void code_486(void) { stands(486); }
static void code_404(void) { stands(404); }
static void code_403(void) { stands(403); }
static void code_480(void) { stands(480); }
static void code_302(void) { stands(302); }
static void code_603(void) { stands(603); }

static void codes_are_a_knob(void)
{
	code_set_put(&stage.knobs.retry_codes, 480, true);
	code_set_put(&stage.knobs.retry_codes, 501, false);
	publish();
	moves_on(480);
	reply(B, 501);
	out("ACK", B);
	up(501);
	quiet();
}

static void response_timeout(void)
{
	invite();
	later(3999);
	drain_out("INVITE", A);
	quiet();
	later(1);
	out("INVITE", B);
	quiet();
}

static void progress_timeout(void)
{
	invite();
	reply(A, 100);
	later(7999);
	quiet();
	later(1);
	out("CANCEL", A);
	out("INVITE", B);
	quiet();
}

static void progress_timeout_from_first_100(void)
{
	invite();
	reply(A, 100);
	later(5000);
	reply(A, 100);
	later(3000);
	out("CANCEL", A);
	out("INVITE", B);
}

static void ring_timeout(void)
{
	invite();
	reply(A, 180);
	up(180);
	later(24999);
	quiet();
	later(1);
	out("CANCEL", A);
	out("INVITE", B);
	reply(A, 487);
	out("ACK", A);
	reply(B, 180);
	up(180); /* the caller hears it ring on */
	reply(B, 200);
	up(200);
	quiet();
	counted(COUNTER_calls_rescued, 1);
}

static void ring_timeout_not_moved_by_180(void)
{
	invite();
	reply(A, 180);
	up(180);
	later(20000);
	reply(A, 180);
	up(180);
	later(5000);
	out("CANCEL", A);
	out("INVITE", B);
}

static void early_media_keeps_the_ring_clock(void)
{
	invite();
	reply_with(A, 183, "Content-Type: application/sdp\r\n");
	up(183);
	later(25000);
	out("CANCEL", A);
	out("INVITE", B);
}

static void setup_budget(void)
{
	stage.knobs.response_timeout_ms = stage.knobs.progress_timeout_ms = 0;
	publish();
	invite();
	later(7000);
	drain_out("INVITE", A);
	reply(A, 500);
	out("ACK", A);
	out("INVITE", B);
	reply(B, 100);
	later(7999);
	quiet();
	later(1);
	out("CANCEL", B);
	up(500);
	quiet(); /* C is not tried */
}

static void setup_budget_ends_with_180(void)
{
	invite();
	reply(A, 180);
	up(180);
	later(16000);
	quiet();
}

static void after_ringing_a_failure_stands(void)
{
	static const unsigned codes[] = { 408, 500, 504 };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		char via[64];

		snprintf(via, sizeof(via), VIA "%u", i);
		invite(.via = via, .call_id = via);
		reply(A, 183);
		up(183);
		reply(A, codes[i]);
		out("ACK", A);
		up(codes[i]);
		quiet();
	}
}

static void after_ringing_unless_told_otherwise(void)
{
	stage.knobs.retry_after_progress = true;
	publish();
	invite();
	reply(A, 183);
	up(183);
	reply(A, 504);
	out("ACK", A);
	out("INVITE", B);
}

static void max_retries(void)
{
	stage.knobs.max_retries = 1;
	publish();
	moves_on(500);
	reply(B, 502);
	out("ACK", B);
	up(500);
	quiet();
}

static void max_attempts(void)
{
	stage.knobs.max_attempts = 2;
	publish();
	moves_on(500);
	reply(B, 500);
	out("ACK", B);
	up(500);
	quiet();
}

static void exhausted_code(void)
{
	stage.knobs.exhausted_code = 503;
	publish();
	invite();
	unreachable(A);
	out("INVITE", B);
	unreachable(B);
	out("INVITE", C);
	unreachable(C);
	up(503);
	quiet();
}

static void all_timed_out(void)
{
	stage.knobs.setup_budget_ms = 0;
	publish();
	invite();
	later(4000);
	drain_out("INVITE", A);
	out("INVITE", B);
	later(4000);
	drain_out("INVITE", B);
	out("INVITE", C);
	later(4000);
	drain_out("INVITE", C);
	up(408);
	quiet();
}

static void retry_after_spares_the_endpoint(void)
{
	invite();
	reply_with(A, 503, "Retry-After: 20 (rest)\r\n");
	out("ACK", A);
	out("INVITE", B);
	reply(B, 486);
	out("ACK", B);
	up(486);
	ack();
	later(19000);
	ask(.via = VIA "2", .call_id = "call-2");
	up(100);
	out("INVITE", B);
	later(1000);
	drain_out("INVITE", B);
	invite(.via = VIA "3", .call_id = "call-3");
}

static void retry_after_is_capped(void)
{
	invite();
	reply_with(A, 503, "Retry-After: 86400\r\n");
	out("ACK", A);
	out("INVITE", B);
	reply(B, 486);
	out("ACK", B);
	up(486);
	ack();
	later(60000);
	invite(.via = VIA "3", .call_id = "call-3");
}

static void refused_endpoint_rests(void)
{
	invite();
	unreachable(A);
	out("INVITE", B);
	ask(.via = VIA "2", .call_id = "call-2");
	up(100);
	out("INVITE", B);
	later(2000);
	drain_out("INVITE", B);
	invite(.via = VIA "3", .call_id = "call-3");
}

static void ejected_is_better_than_nothing(void)
{
	only_a();
	invite();
	unreachable(A);
	up(500);
	ack();
	invite(.via = VIA "2", .call_id = "call-2");
}

static void no_route_to_the_first(void)
{
	stage.unreachable = A;
	ask(0);
	up(100);
	out("INVITE", B);
	quiet();
}

static void challenge_stands(void)
{
	const struct sent *s;

	invite();
	reply_with(A, 407, "Proxy-Authenticate: Digest realm=\"a\", nonce=\"n\"\r\n");
	out("ACK", A);
	s = up(407);
	is(s, "Proxy-Authenticate", "Digest realm=\"a\", nonce=\"n\"");
	quiet();
}

static void challenger_meets_the_caller_again(void)
{
	static const unsigned codes[] = { 401, 407 };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		char id[16], via[100];

		snprintf(id, sizeof(id), "auth%u", i);
		snprintf(via, sizeof(via), VIA "%s", id);
		invite(.call_id = id, .via = via);
		reply(A, 500);
		out("ACK", A);
		out("INVITE", B);
		reply(B, codes[i]);
		out("ACK", B);
		up(codes[i]);
		ack();
		strcat(via, "again");
		ask(.call_id = id, .via = via, .cseq = 2, .headers = "Proxy-Authorization: Digest username=\"u\"\r\n");
		up(100);
		out("INVITE", B);
		quiet();
		reply(B, 200);
		up(200);
	}
}

static void challenger_of_another_call(void)
{
	invite();
	reply(A, 500);
	out("ACK", A);
	out("INVITE", B);
	reply(B, 407);
	out("ACK", B);
	up(407);
	ack();
	invite(.cseq = 2, .via = VIA "2", .from = "<sip:caller@10.1.0.1>;tag=other"); /* to A, as any */
}

static void challenger_in_turn(void)
{
	const char *first;

	stage.strategy = STRATEGY_ROUND_ROBIN;
	publish();
	ask(0);
	up(100);
	first = drain_out("INVITE", A) ? A : drain_out("INVITE", B) ? B : C;
	drain_out("INVITE", C);
	ask(0); /* repeated, to have it remembered */
	up(100);
	later(500);
	out("INVITE", first);
	reply(first, 401);
	out("ACK", first);
	up(401);
	ack();
	ask(.cseq = 2, .via = VIA "2");
	up(100);
	out("INVITE", first);
}

static void endpoint_taken_down(void)
{
	invite();
	reply(A, 180);
	up(180);
	invite(.via = VIA "2", .call_id = "call-2");
	unreachable(A); /* quotes the second call; the first one rings there too */
	is(out("INVITE", B), "Call-ID", "call-2");
	later(50);
	is(out("INVITE", B), "Call-ID", "call-1");
	is(out("CANCEL", A), "Call-ID", "call-1");
	quiet();
}

static void redirect_followed(void)
{
	stage.knobs.follow_redirects = true;
	publish();
	invite();
	reply_with(A, 302, "Contact: <sip:x@10.3.0.1>;q=0.2, <sip:x@192.0.2.9>;q=0.9\r\nContact: <sip:x@10.4.0.1:5060>;q=0.7\r\n");
	out("ACK", A);
	out("INVITE", C);
	quiet();
	reply(C, 500);
	out("ACK", C);
	out("INVITE", B);
	reply(B, 200);
	up(200);
	quiet();
}

static void redirect_elsewhere_goes_up(void)
{
	stage.knobs.follow_redirects = true;
	publish();
	invite();
	reply_with(A, 302, "Contact: <sip:x@192.0.2.9>\r\n");
	out("ACK", A);
	is(up(302), "Contact", "<sip:x@192.0.2.9>");
	quiet();
}

static void redirect_to_itself_ends(void)
{
	stage.knobs.follow_redirects = true;
	publish();
	invite();
	reply_with(A, 302, "Contact: <sip:x@10.2.0.1>\r\n");
	out("ACK", A);
	up(302);
	quiet();
}

static void gone_profile(void)
{
	invite();
	for (unsigned i = 0; i < 3; i++)
		stage.target_weight[i] = 0;
	publish();
	reply(A, 500);
	out("ACK", A);
	up(500);
	quiet();
}

static void change_reaches_a_call_in_progress(void)
{
	invite();
	stage.target_weight[1] = 0;
	publish();
	reply(A, 500);
	out("ACK", A);
	out("INVITE", C);
	quiet();
}

LAW_BOOK(rescue,
	LAW("design", code_408, "408 moves a call on to the next target"),
	LAW("design", code_500, "500 moves on"),
	LAW("design", code_502, "502 moves on"),
	LAW("design", code_503, "503 moves on"),
	LAW("design", code_504, "504 moves on"),
	LAW("design", code_580, "every other 5xx moves on"),
	LAW("design", code_486, "486 is final"),
	LAW("design", code_404, "404 is final"),
	LAW("design", code_403, "403 is final"),
	LAW("design", code_480, "480 is final"),
	LAW("design", code_302, "3xx is final"),
	LAW("design", code_603, "6xx is final"),
	LAW("design", codes_are_a_knob, "the profile's retry_codes add and remove codes"),
	LAW("design", response_timeout, "no response at all within response_timeout_ms moves on, without a CANCEL"),
	LAW("design", progress_timeout, "100 and then nothing within progress_timeout_ms moves on, with CANCEL"),
	LAW("design", progress_timeout_from_first_100, "a second 100 does not prolong it"),
	LAW("design", ring_timeout, "an unanswered ring moves on after ring_timeout_s, also after the caller heard it"),
	LAW("design", ring_timeout_not_moved_by_180, "a further 180 does not prolong the ring"),
	LAW("design", early_media_keeps_the_ring_clock, "early media does not stop the ring timeout"),
	LAW("design", setup_budget, "without a 18x within setup_budget_s the call is over"),
	LAW("design", setup_budget_ends_with_180, "the first 18x ends the budget's clock"),
	LAW("design", after_ringing_a_failure_stands, "after a 18x went up, 408 and 5xx are final"),
	LAW("design", after_ringing_unless_told_otherwise, "unless the profile says retry_after_progress"),
	LAW("design", max_retries, "max_retries bounds the further targets"),
	LAW("design", max_attempts, "max_attempts bounds the endpoints in all"),
	LAW("design", exhausted_code, "when nothing was collected the answer is the profile's exhausted_code"),
	LAW("design", all_timed_out, "when all timed out it is 408"),
	LAW("design", retry_after_spares_the_endpoint, "a 503 with Retry-After takes its endpoint out for that long"),
	LAW("design", retry_after_is_capped, "for 60 s at most"),
	LAW("design", refused_endpoint_rests, "an endpoint whose host refused is left alone for 2 s"),
	LAW("design", ejected_is_better_than_nothing, "an endpoint that only live traffic took out is tried when there is nothing else"),
	LAW("design", no_route_to_the_first, "an endpoint that cannot be sent to is passed over at once"),
	LAW("design", challenge_stands, "401 and 407 are final and go up with their challenge"),
	LAW("design", challenger_meets_the_caller_again, "the caller's next try goes to the endpoint that challenged"),
	LAW("design", challenger_of_another_call, "but not that of another caller's tag"),
	LAW("design", challenger_in_turn, "so it is with round robin"),
	LAW("design", endpoint_taken_down, "an endpoint that refuses releases all its unanswered calls: they move on"),
	LAW("design", redirect_followed, "where the profile follows redirects, Contacts of its own endpoints are tried in the order of q"),
	LAW("design", redirect_elsewhere_goes_up, "a 3xx to anywhere else goes up"),
	LAW("design", redirect_to_itself_ends, "a redirect to an endpoint that was tried goes up"),
	LAW("design", gone_profile, "where no target is left in the profile the call ends with the best response"),
	LAW("design", change_reaches_a_call_in_progress, "the next attempt uses the targets as they are then"));
