/* SPDX-License-Identifier: Apache-2.0 */
/* Simultaneous ring: all at once, the first 2xx wins, the losers are told why. */
#include "harness.h"

static const char *const at[] = { A, B, C };

struct ring {
	struct harness h;
	const struct sent *leg[3];
};

static void start(struct ring *r)
{
	harness_start(&r->h, NULL);
	r->h.strategy = STRATEGY_SIMULTANEOUS_RING;
	harness_publish(&r->h);
	request_send(&r->h, &(struct request){ 0 });
	expect_response(&r->h, 100, CALLER);
	for (unsigned i = 0; i < 3; i++)
		r->leg[i] = expect_request(&r->h, "INVITE", at[i]);
	expect_nothing(&r->h);
}

static void ringing(struct ring *r, unsigned i)
{
	char tag[8];

	snprintf(tag, sizeof(tag), "t%u", i);
	answer(&r->h, r->leg[i], 180, tag, NULL);
	expect_response(&r->h, 180, CALLER);
}

static void test_first_wins(void **state)
{
	for (unsigned winner = 0; winner < 3; winner++) {
		struct ring r;
		const struct sent *cancel;
		unsigned cancelled = 0;

		start(&r);
		for (unsigned i = 0; i < 3; i++) {
			ringing(&r, i);
			assert_int_equal(target_of(&r.h, i, TARGET_RINGING), 1);
		}
		answer(&r.h, r.leg[winner], 200, "w", NULL);
		expect_response(&r.h, 200, CALLER);
		while (r.h.sent_read < r.h.sent_count) {
			unsigned i = 0;

			for (; i < 3; i++) {
				struct ip_port addr = addr_of(at[i]);

				if (ip_port_eq(&r.h.sent[r.h.sent_read]->to.remote, &addr))
					break;
			}
			cancel = expect_request(&r.h, "CANCEL", at[i]);
			assert_int_not_equal(i, winner);
			assert_string_equal(sent_header(cancel, "Reason", 0), "SIP;cause=200;text=\"Call completed elsewhere\"");
			answer(&r.h, cancel, 200, NULL, NULL);
			cancelled |= 1u << i;
		}
		assert_int_equal(cancelled, 7u & ~(1u << winner));
		for (unsigned i = 0; i < 3; i++)
			if (i != winner) {
				answer(&r.h, r.leg[i], 487, "l", NULL);
				expect_request(&r.h, "ACK", at[i]);
			}
		expect_nothing(&r.h);
		assert_int_equal(target_of(&r.h, winner, TARGET_LIVE), 1);
		assert_int_equal(target_of(&r.h, winner, TARGET_RINGING), 0);
		assert_int_equal(counter_of(&r.h, COUNTER_calls_rescued), 0);
		harness_end(&r.h);
	}
}

/* A 4xx or 5xx ends its own branch alone; when all are through, the best is told. */
static void test_all_refuse(void **state)
{
	static const struct {
		unsigned status[3], want;
	} cases[] = {
		{ { 486, 480, 404 }, 486 }, { { 500, 486, 503 }, 486 }, { { 503, 503, 503 }, 500 }, { { 486, 401, 404 }, 401 },
		{ { 500, 302, 486 }, 302 }, { { 486, 486, 603 }, 603 },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct ring r;

		start(&r);
		for (unsigned i = 0; i < 3; i++) {
			expect_nothing(&r.h);
			answer(&r.h, r.leg[i], cases[k].status[i], "t", NULL);
			expect_request(&r.h, "ACK", at[i]);
		}
		expect_response(&r.h, cases[k].want, CALLER);
		expect_nothing(&r.h);
		harness_end(&r.h);
	}
}

/* 6xx ends all: the others are cancelled, the caller hears it at once. */
static void test_decline(void **state)
{
	for (unsigned crossed = 0; crossed < 2; crossed++) {
		struct ring r;

		start(&r);
		ringing(&r, 1);
		answer(&r.h, r.leg[0], 603, "t", NULL);
		expect_request(&r.h, "ACK", A);
		expect_request(&r.h, "CANCEL", B);
		expect_nothing(&r.h);
		answer(&r.h, r.leg[2], 180, "t2", NULL); /* it could not be cancelled before */
		expect_request(&r.h, "CANCEL", C);
		expect_nothing(&r.h);
		if (crossed) { /* a 2xx that crossed the CANCEL wins against the 6xx (§16.7(5)) */
			answer(&r.h, r.leg[2], 200, "t2", NULL);
			expect_response(&r.h, 200, CALLER);
			answer(&r.h, r.leg[1], 487, "t", NULL);
			expect_request(&r.h, "ACK", B);
		} else {
			answer(&r.h, r.leg[1], 487, "t", NULL);
			expect_request(&r.h, "ACK", B);
			expect_nothing(&r.h);
			answer(&r.h, r.leg[2], 487, "t2", NULL);
			expect_request(&r.h, "ACK", C);
			expect_response(&r.h, 603, CALLER);
		}
		expect_nothing(&r.h);
		harness_end(&r.h);
	}
}

static void test_cancel(void **state)
{
	struct ring r;

	start(&r);
	ringing(&r, 0);
	ringing(&r, 2);
	cancel_send(&r.h, &(struct request){ 0 });
	expect_response(&r.h, 200, CALLER);
	expect_request(&r.h, "CANCEL", C); /* the last leg stands first */
	expect_request(&r.h, "CANCEL", A);
	expect_nothing(&r.h);
	answer(&r.h, r.leg[0], 487, "t", NULL);
	expect_request(&r.h, "ACK", A);
	expect_nothing(&r.h);
	answer(&r.h, r.leg[2], 487, "t", NULL);
	expect_request(&r.h, "ACK", C);
	expect_response(&r.h, 487, CALLER);
	harness_end(&r.h);
}

/* The clocks run for each branch; one that rings stops the budget, not the others' clocks. */
static void test_timeouts(void **state)
{
	struct ring r;

	start(&r);
	ringing(&r, 1);
	wait_ms(&r.h, 4000);
	while (r.h.sent_read < r.h.sent_count)
		assert_true(sent_view(r.h.sent[r.h.sent_read++])->is_request); /* retransmissions to A and C */
	assert_int_equal(counter_of(&r.h, COUNTER_attempt_response_timeout), 2);
	wait_ms(&r.h, 20000);
	expect_nothing(&r.h);
	assert_int_equal(wait_sent(&r.h), 1000);
	expect_request(&r.h, "CANCEL", B);
	expect_response(&r.h, 408, CALLER);
	harness_end(&r.h);
}

/* A trunk's second endpoint is another way to the same phones: it does not ring beside the first, but stands in where that is unreachable. */
static void test_endpoints(void **state)
{
	static const char *const pair[] = { "10.5.0.1:5060", "10.5.0.2:5060", NULL };

	for (unsigned dead = 0; dead < 2; dead++) {
		struct harness h;

		harness_start(&h, NULL);
		h.strategy = STRATEGY_SIMULTANEOUS_RING;
		h.target_count = 1;
		harness_trunk(&h, "pair", pair, NULL);
		harness_publish(&h);
		h.unreachable = dead ? pair[0] : NULL;
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		expect_request(&h, "INVITE", A);
		expect_request(&h, "INVITE", pair[dead]);
		expect_nothing(&h);
		harness_end(&h);
	}
}

HARNESS_MAIN(cmocka_unit_test(test_first_wins), cmocka_unit_test(test_all_refuse), cmocka_unit_test(test_decline),
	     cmocka_unit_test(test_cancel), cmocka_unit_test(test_timeouts), cmocka_unit_test(test_endpoints))
