/* SPDX-License-Identifier: Apache-2.0 */
/* Loops and breadth: RFC 5393. */
#include "script.h"

static unsigned breadth_of(const struct sent *s)
{
	lines(s, "Max-Breadth", 1);
	return (unsigned)atoi(sent_header(s, "Max-Breadth", 0));
}

/* What we sent, come back by way of `host`, under `top`. */
static const char *via_back(const struct sent *s, const char *top)
{
	static char via[400];

	snprintf(via, sizeof(via), "%s\r\nVia: %s", top, sent_header(s, "Via", 0));
	return via;
}

static void loop_through_another(void)
{
	const struct sent *s = invite();

	ask(.via = via_back(s, "SIP/2.0/UDP 10.3.0.1;branch=z9hG4bKb\r\nVia: SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"), .source = B);
	answer_to(482, B);
	quiet();
}

static void loop_in_one_line(void)
{
	const struct sent *s = invite();

	ask(.via = edited(via_back(s, "SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"), "\r\nVia: ", ", "), .source = A);
	answer_to(482, A);
	quiet();
}

static void loop_costs_no_state(void)
{
	const struct sent *s;
	struct proxy_gauges before, after;

	s = invite();
	proxy_gauges(stage.proxy, &before);
	ask(.via = via_back(s, "SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"), .source = A);
	answer_to(482, A);
	proxy_gauges(stage.proxy, &after);
	expect_true(before.server_transactions == after.server_transactions && before.message_bytes == after.message_bytes,
		    "482 is sent without a transaction");
}

static void spiral_by_uri(void)
{
	const struct sent *s = invite();

	ask(.via = via_back(s, "SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"), .uri = "sip:+442035550111@10.0.0.1", .source = A);
	answer_to(100, A);
	out("INVITE", A);
	quiet();
}

static void spiral_twice_then_loop(void)
{
	const struct sent *s = invite();
	char vias[800];

	snprintf(vias, sizeof(vias), "%s", via_back(s, "SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"));
	ask(.via = vias, .uri = "sip:+442035550111@10.0.0.1", .source = A);
	answer_to(100, A);
	s = out("INVITE", A);
	snprintf(vias + strlen(vias), 300, "\r\nVia: %s", sent_header(s, "Via", 0));
	ask(.via = edited(vias, "z9hG4bKa", "z9hG4bKaa"), .uri = "sip:+442035550111@10.0.0.1", .source = A);
	answer_to(482, A);
}

static void loop_of_a_stranger(void)
{
	/* A branch of our shape that is not ours proves nothing. */
	invite(.via = VIA "\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void loop_hash_ignores_hops(void)
{
	const struct sent *s = invite();

	ask(.via = via_back(s, "SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"), .hops = "33", .contact = "<sip:other@x>", .source = A);
	answer_to(482, A);
}

static void other_methods_loop_too(void)
{
	const struct sent *s;

	ask(.method = "OPTIONS");
	s = out("OPTIONS", A);
	ask(.method = "OPTIONS", .via = via_back(s, "SIP/2.0/UDP 10.2.0.1;branch=z9hG4bKa"), .source = A);
	answer_to(482, A);
}

/* ---- §5: Max-Breadth */

static void breadth_added(void)
{
	expect_true(breadth_of(invite()) == 60, "60 is assumed and written");
}

static void breadth_zero(void)
{
	ask(.headers = "Max-Breadth: 0\r\n");
	up(440);
	quiet();
}

static void breadth_whole_for_serial(void)
{
	expect_true(breadth_of(invite(.headers = "Max-Breadth: 7\r\n")) == 7, "a serial attempt has all of it");
	reply(A, 500);
	out("ACK", A);
	expect_true(breadth_of(out("INVITE", B)) == 7, "and so has the next");
}

static void breadth_shared_in_parallel(void)
{
	static const char *const targets[] = { A, B, C };
	unsigned sum = 0;

	ring_all();
	ask(.headers = "Max-Breadth: 10\r\n");
	up(100);
	for (unsigned i = 0; i < 3; i++) {
		unsigned b = breadth_of(out("INVITE", targets[i]));

		expect_true(b >= 1, "at least one each");
		sum += b;
	}
	expect_true(sum <= 10, "no more than ten together");
}

static void breadth_bounds_the_fork(void)
{
	unsigned sum;

	ring_all();
	ask(.headers = "Max-Breadth: 2\r\n");
	up(100);
	sum = breadth_of(out("INVITE", A)) + breadth_of(out("INVITE", B));
	expect_true(sum == 2, "two branches with one each");
	quiet();
	reply(B, 200);
	up(200);
}

static void breadth_one(void)
{
	ring_all();
	ask(.headers = "Max-Breadth: 1\r\n");
	up(100);
	expect_true(breadth_of(out("INVITE", A)) == 1, "one branch at a time");
	quiet();
	reply(A, 180);
	up(180);
	quiet();
	reply(A, 200);
	up(200);
}

static void breadth_one_goes_on(void)
{
	ring_all();
	ask(.headers = "Max-Breadth: 1\r\n");
	up(100);
	out("INVITE", A);
	reply(A, 486);
	out("ACK", A);
	expect_true(breadth_of(out("INVITE", B)) == 1, "the next, one at a time");
	quiet();
	reply(B, 503);
	out("ACK", B);
	out("INVITE", C);
	reply(C, 200);
	up(200);
	quiet();
}

static void breadth_goes_on_after_a_timeout(void)
{
	ring_all();
	ask(.headers = "Max-Breadth: 2\r\n");
	up(100);
	out("INVITE", A);
	out("INVITE", B);
	reply(A, 180);
	up(180);
	later(4000);
	drain_out("INVITE", B);
	expect_true(breadth_of(out("INVITE", C)) == 1, "in the place of the one that timed out");
	reply(A, 603);
	out("ACK", A);
	reply(C, 100);
	out("CANCEL", C);
	reply(C, 487);
	out("ACK", C);
	up(603);
	quiet();
}

static void breadth_shared_without_header(void)
{
	static const char *const targets[] = { A, B, C };
	unsigned sum = 0;

	ring_all();
	ask(0);
	up(100);
	for (unsigned i = 0; i < 3; i++)
		sum += breadth_of(out("INVITE", targets[i]));
	expect_true(sum <= 60, "60 is shared");
}

static void breadth_of_other_methods(void)
{
	ask(.method = "OPTIONS", .headers = "Max-Breadth: 5\r\n");
	expect_true(breadth_of(out("OPTIONS", A)) == 5, "passed on");
	reply(A, 200);
	up(200);
}

LAW_BOOK(rfc5393,
	LAW("rfc5393", loop_through_another, "§4.2: a loop is found behind any number of other proxies"),
	LAW("rfc5393", loop_in_one_line, "§4.2: also where Vias share a line"),
	LAW("rfc5393", loop_costs_no_state, "§4.2: a loop is refused without a transaction"),
	LAW("rfc5393", spiral_by_uri, "§4.2: a changed request URI makes it a spiral"),
	LAW("rfc5393", spiral_twice_then_loop, "§4.2: a spiral that then repeats itself is a loop"),
	LAW("rfc5393", loop_of_a_stranger, "§4.2: only branches of our own making count"),
	LAW("rfc5393", loop_hash_ignores_hops, "§4.2.1: what routing does not depend on does not hide a loop"),
	LAW("rfc5393", other_methods_loop_too, "§4.2: loops of any method are found"),
	LAW("rfc5393", breadth_added, "§5.3.3: without Max-Breadth 60 is assumed, and written into what is forwarded"),
	LAW("rfc5393", breadth_zero, "§5.3.3: Max-Breadth 0 gets 440"),
	LAW("rfc5393", breadth_whole_for_serial, "§5.3.3.1: attempts one after the other have all of it each"),
	LAW("rfc5393", breadth_shared_in_parallel, "§5.3.3.1: parallel branches share it"),
	LAW("rfc5393", breadth_bounds_the_fork, "§5.3.3: there are never more branches at a time than it allows"),
	LAW("rfc5393", breadth_one, "§5.3.3: with 1 a simultaneous ring becomes serial"),
	LAW("rfc5393", breadth_one_goes_on, "§5.3.3.1: targets that it leaves no room for are tried when a branch has ended"),
	LAW("rfc5393", breadth_goes_on_after_a_timeout, "§5.3.3.1: also in place of one that timed out"),
	LAW("rfc5393", breadth_shared_without_header, "§5.3.3: the assumed 60 is shared as well"),
	LAW("rfc5393", breadth_of_other_methods, "§5.3.3: it is passed on in every request"));
