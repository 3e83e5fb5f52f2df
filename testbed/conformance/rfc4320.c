/* SPDX-License-Identifier: Apache-2.0 */
/* Non-INVITE transactions: RFC 4320. */
#include "script.h"

static void no_408_of_ours(void)
{
	only_a();
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	later(60000);
	drain_out("OPTIONS", A);
	drain_up(100);
	quiet();
	all_gone();
}

static void no_408_of_theirs(void)
{
	only_a();
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	reply(A, 408);
	later(60000);
	drain_up(100);
	quiet();
}

static void no_early_trying(void)
{
	clocks_off();
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	later(3499); /* the caller's timer E reaches T2 after 500 + 1000 + 2000 ms */
	drain_out("OPTIONS", A);
	quiet();
}

static void one_late_trying(void)
{
	clocks_off();
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	later(8000);
	drain_out("OPTIONS", A);
	expect_true(drain_up(100) == 1, "one 100");
	again();
	up(100); /* repeated, as any provisional */
	reply(A, 200);
	up(200);
	quiet();
}

static void no_trying_after_final(void)
{
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	reply(A, 200);
	up(200);
	later(10000);
	quiet();
}

static void no_provisional_goes_up(void)
{
	ask(.method = "INFO");
	out("INFO", A);
	reply(A, 100);
	reply(A, 180);
	reply(A, 183);
	quiet();
	reply(A, 200);
	up(200);
}

static void final_goes_up_at_once(void)
{
	static const unsigned codes[] = { 200, 202, 301, 404, 489, 600 };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		char via[64];

		snprintf(via, sizeof(via), VIA "%u", i);
		ask(.method = "INFO", .via = via);
		out("INFO", A);
		reply(A, codes[i]);
		up(codes[i]);
		quiet();
	}
}

static void late_final_in_time(void)
{
	stage.knobs.max_retries = 0;
	publish();
	ask(.method = "INFO");
	out("INFO", A);
	later(20000);
	drain_out("INFO", A);
	drain_up(100);
	reply(A, 200);
	up(200);
	quiet();
}

static void late_final_dropped(void)
{
	only_a();
	ask(.method = "INFO");
	out("INFO", A);
	later(33000);
	drain_out("INFO", A);
	drain_up(100);
	reply(A, 200);
	quiet();
}

static void message_is_never_sent_twice(void)
{
	ask(.method = "MESSAGE", .body = "Hello");
	out("MESSAGE", A);
	later(40000);
	expect_true(drain_out("MESSAGE", A) == 10, "it is sent on to the first until timer F");
	drain_up(100);
	quiet();
}

static void message_moves_on_when_refused(void)
{
	ask(.method = "MESSAGE", .body = "Hello");
	out("MESSAGE", A);
	reply(A, 503);
	out("MESSAGE", B);
	unreachable(B);
	out("MESSAGE", C);
	reply(C, 200);
	up(200);
	quiet();
}

static void other_requests_move_on(void)
{
	ask(.method = "OPTIONS");
	out("OPTIONS", A);
	later(4000);
	drain_out("OPTIONS", A);
	out("OPTIONS", B);
	up(100);
	reply(B, 200);
	up(200);
	quiet();
}

static void never_forked(void)
{
	ring_all();
	ask(.method = "SUBSCRIBE", .headers = "Event: presence\r\n");
	out("SUBSCRIBE", A);
	quiet();
	reply(A, 200);
	up(200);
}

static void all_refused(void)
{
	static const char *const targets[] = { A, B, C };

	ask(.method = "OPTIONS");
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
		out("OPTIONS", targets[i]);
		reply(targets[i], 503);
	}
	up(500);
	quiet();
}

LAW_BOOK(rfc4320,
	LAW("rfc4320", no_408_of_ours, "§4.2: a non-INVITE that nobody answers gets no 408"),
	LAW("rfc4320", no_408_of_theirs, "§4.2: a 408 that comes is not forwarded"),
	LAW("rfc4320", no_early_trying, "§4.1: no 100 is sent before the caller's retransmission interval has reached T2"),
	LAW("rfc4320", one_late_trying, "§4.1: after that one is sent, so that the caller repeats the request less"),
	LAW("rfc4320", no_trying_after_final, "§4.1: not when a final was sent before"),
	LAW("rfc4320", no_provisional_goes_up, "§4.1: no provisional response but 100 is sent to a non-INVITE"),
	LAW("rfc4320", final_goes_up_at_once, "§4.2: a final is forwarded at once"),
	LAW("rfc4320", late_final_in_time, "§4.2: one that comes before timer F is forwarded"),
	LAW("rfc4320", late_final_dropped, "§4.2: one that comes after timer F is not"),
	LAW("design", message_is_never_sent_twice, "a MESSAGE that timed out may have been read: no other target gets it"),
	LAW("design", message_moves_on_when_refused, "a MESSAGE that was refused goes to the next target"),
	LAW("design", other_requests_move_on, "another request that nobody answers goes to the next target in time"),
	LAW("design", never_forked, "a non-INVITE is never forked"),
	LAW("rfc4320", all_refused, "RFC 3261 §16.7(6): a 503 to a non-INVITE goes up as 500 as well"));
