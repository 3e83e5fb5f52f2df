/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several responses goes up, and the challenges with it: RFC 3261 §16.7(6) and (7). */
#include "script.h"

/* ---- §16.7(6): the best of several */

static void best_of(unsigned a, unsigned b, unsigned c, unsigned best)
{
	ring_all();
	invite_all();
	reply(A, a);
	out("ACK", A);
	quiet(); /* nothing final while branches are pending */
	reply(B, b);
	out("ACK", B);
	quiet();
	reply(C, c);
	out("ACK", C);
	up(best);
	quiet();
}

static void best_is_lowest_class(void)
{
	best_of(500, 486, 302, 302);
}

static void best_is_4xx_over_5xx(void)
{
	best_of(500, 486, 504, 486);
}

static void best_is_repairable_415(void)
{
	best_of(486, 415, 404, 415);
}

static void best_is_repairable_420(void)
{
	best_of(404, 480, 420, 420);
}

static void best_is_repairable_484(void)
{
	best_of(486, 404, 484, 484);
}

static void best_is_challenge(void)
{
	best_of(486, 407, 500, 407);
}

static void best_is_6xx(void)
{
	ring_all();
	invite_all();
	reply(A, 302);
	out("ACK", A);
	reply(B, 486);
	out("ACK", B);
	reply(C, 604);
	out("ACK", C);
	up(604);
	quiet();
}

static void best_over_serial_search(void)
{
	invite();
	reply(A, 500);
	out("ACK", A);
	out("INVITE", B);
	reply(B, 404);
	out("ACK", B);
	up(404);
	quiet();
}

static void unavailable_goes_up_as_500(void)
{
	const struct sent *s;

	only_a();
	invite();
	reply_with(A, 503, "Retry-After: 9\r\n");
	out("ACK", A);
	s = up(500);
	has(s, ";tag=a");
	quiet();
}

static void nothing_came(void)
{
	const struct sent *s;

	only_a();
	invite();
	later(4000);
	drain_out("INVITE", A);
	s = up(408);
	has(s, "To: <sip:callee@10.0.0.1>;tag=");
	quiet();
}

/* ---- §16.7(7): challenges */

static void challenges_merged(void)
{
	const struct sent *s;

	ring_all();
	invite_all();
	reply_with(A, 401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n");
	out("ACK", A);
	reply_with(B, 407, "Proxy-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\n");
	out("ACK", B);
	reply_with(C, 401, "WWW-Authenticate: Digest realm=\"c\", nonce=\"3\"\r\nWWW-Authenticate: Basic realm=\"c\"\r\n");
	out("ACK", C);
	s = up(401);
	has(s, "\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n");
	has(s, "\r\nProxy-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\n");
	has(s, "\r\nWWW-Authenticate: Digest realm=\"c\", nonce=\"3\"\r\n");
	has(s, "\r\nWWW-Authenticate: Basic realm=\"c\"\r\n");
	quiet();
}

static void challenge_beside_busy(void)
{
	const struct sent *s;

	ring_all();
	invite_all();
	reply(A, 486);
	out("ACK", A);
	reply(B, 486);
	out("ACK", B);
	reply_with(C, 407, "Proxy-Authenticate: Digest realm=\"c\"\r\n");
	out("ACK", C);
	s = up(407);
	lines(s, "Proxy-Authenticate", 1);
	quiet();
}

static void no_challenge_in_others(void)
{
	const struct sent *s;

	ring_all();
	invite_all();
	reply_with(A, 401, "WWW-Authenticate: Digest realm=\"a\"\r\n");
	out("ACK", A);
	reply(B, 404);
	out("ACK", B);
	reply(C, 603);
	out("ACK", C);
	s = up(603);
	lines(s, "WWW-Authenticate", 0);
}

LAW_BOOK(rfc3261_16_best,
	LAW("rfc3261", best_is_lowest_class, "§16.7(6): of several finals the lowest class is the best"),
	LAW("rfc3261", best_is_4xx_over_5xx, "§16.7(6): a 4xx is better than a 5xx"),
	LAW("rfc3261", best_is_repairable_415, "§16.7(6): within 4xx a 415 is preferred"),
	LAW("rfc3261", best_is_repairable_420, "§16.7(6): within 4xx a 420 is preferred"),
	LAW("rfc3261", best_is_repairable_484, "§16.7(6): within 4xx a 484 is preferred"),
	LAW("rfc3261", best_is_challenge, "§16.7(6): within 4xx a 401 or 407 is preferred"),
	LAW("rfc3261", best_is_6xx, "§16.7(6): a 6xx is chosen before all others"),
	LAW("rfc3261", best_over_serial_search, "§16.7(6): the choice spans all targets of a serial search"),
	LAW("rfc3261", unavailable_goes_up_as_500, "§16.7(6): a 503 is not forwarded: it becomes 500"),
	LAW("rfc3261", nothing_came, "§16.7(6): where no response came at all the answer is 408"),
	LAW("rfc3261", challenges_merged, "§16.7(7): a 401 or 407 that goes up carries the challenges of all 401s and 407s"),
	LAW("rfc3261", challenge_beside_busy, "§16.7(7): a single challenge goes up as it came"),
	LAW("rfc3261", no_challenge_in_others, "§16.7(7): other finals carry no challenges"));
