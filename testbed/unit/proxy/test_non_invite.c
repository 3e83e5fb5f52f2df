/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are no INVITE: RFC 4320, no second MESSAGE, unknown methods. */
#include "harness.h"

static void test_answers(void **state)
{
	static const struct {
		const char *method;
		unsigned status;
		bool moves_on;
	} cases[] = {
		{ "OPTIONS", 200, false }, { "MESSAGE", 202, false }, { "FOO", 200, false },    { "SUBSCRIBE", 489, false },
		{ "PUBLISH", 503, true },  { "MESSAGE", 500, true },  { "REGISTER", 401, false }, { "NOTIFY", 603, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request r = { .method = cases[i].method };
		struct harness h;
		const struct sent *s, *back;

		harness_start(&h, NULL);
		request_send(&h, &r);
		s = expect_request(&h, cases[i].method, A); /* and no 100 to the sender */
		assert_int_equal(sent_lines(s, "Record-Route"), !strcmp(cases[i].method, "SUBSCRIBE"));
		request_send(&h, &r); /* absorbed */
		expect_nothing(&h);
		answer(&h, s, 100, NULL, NULL);
		answer(&h, s, 183, "t", NULL); /* RFC 4320 §4.1: goes no further */
		expect_nothing(&h);
		answer(&h, s, cases[i].status, "t", NULL);
		if (cases[i].moves_on) {
			s = expect_request(&h, cases[i].method, B);
			answer(&h, s, 200, "t", NULL);
		}
		back = expect_response(&h, cases[i].moves_on ? 200 : cases[i].status, CALLER);
		answer(&h, s, cases[i].moves_on ? 200 : cases[i].status, "t", NULL); /* K: absorbed */
		expect_nothing(&h);
		request_send(&h, &r); /* J: replayed */
		assert_true(sent_equal(back, expect_response(&h, cases[i].moves_on ? 200 : cases[i].status, CALLER)));
		wait_ms(&h, 32000);
		expect_nothing(&h);
		assert_int_equal(counter_of(&h, COUNTER_calls_started), 0);
		harness_end(&h);
	}
}

/* Nobody answers: others are asked, but no 408 is ever made, nor passed on. */
static void test_silence(void **state)
{
	static const struct {
		const char *method;
		bool retried;
	} cases[] = { { "OPTIONS", true }, { "FOO", true }, { "MESSAGE", false } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		bool seen[3] = { false };
		struct harness h;

		harness_start(&h, NULL);
		request_send(&h, &(struct request){ .method = cases[i].method });
		wait_ms(&h, 70000);
		while (h.sent_read < h.sent_count) {
			const struct sent *s = h.sent[h.sent_read++];

			if (!sent_view(s)->is_request) {
				assert_int_equal(sent_view(s)->status, 100);
				continue;
			}
			seen[s->to.remote.ip.bytes[1] - 2] = true;
		}
		assert_true(seen[0]);
		assert_int_equal(seen[1], cases[i].retried);
		assert_int_equal(seen[2], cases[i].retried);
		harness_end(&h);
	}
}

static void test_408(void **state)
{
	struct harness h;
	const struct sent *s;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ .method = "OPTIONS" });
	answer(&h, expect_request(&h, "OPTIONS", A), 408, "t", NULL);
	answer(&h, expect_request(&h, "OPTIONS", B), 408, "t", NULL);
	s = expect_request(&h, "OPTIONS", C);
	answer(&h, s, 408, "t", NULL);
	/* RFC 4320 §4.1: 100 not before the caller's timer E has come to T2, and nothing else */
	wait_ms(&h, 3999);
	expect_nothing(&h);
	wait_ms(&h, 1);
	expect_response(&h, 100, CALLER);
	wait_ms(&h, 36000);
	expect_nothing(&h);
	/* but an error that somebody gave is passed on */
	request_send(&h, &(struct request){ .method = "OPTIONS", .via = VIA "2" });
	answer(&h, expect_request(&h, "OPTIONS", A), 408, "t", NULL);
	answer(&h, expect_request(&h, "OPTIONS", B), 504, "t", NULL);
	answer(&h, expect_request(&h, "OPTIONS", C), 408, "t", NULL);
	expect_response(&h, 504, CALLER);
	harness_end(&h);
}

/* An answer that comes after we gave up, but before the sender did, is still passed on; after that it is not. */
static void test_late(void **state)
{
	for (unsigned late = 0; late < 2; late++) {
		struct harness h;
		const struct sent *s;

		harness_start(&h, NULL);
		h.knobs.max_retries = 0;
		harness_publish(&h);
		request_send(&h, &(struct request){ .method = "OPTIONS" });
		s = expect_request(&h, "OPTIONS", A);
		wait_ms(&h, late ? 33000 : 6000);
		h.sent_read = h.sent_count;
		answer(&h, s, 200, "t", NULL);
		if (!late)
			expect_response(&h, 200, CALLER);
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* A MESSAGE is sent again and again until timer F, and answered whenever the answer comes. */
static void test_message(void **state)
{
	struct harness h;
	const struct sent *s;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ .method = "MESSAGE", .body = "hello" });
	s = expect_request(&h, "MESSAGE", A);
	wait_ms(&h, 20000);
	assert_int_equal(h.sent_count - h.sent_read, 8);
	for (unsigned i = 0; h.sent_read < h.sent_count; i++) {
		if (i == 3) /* RFC 4320 §4.1 */
			expect_response(&h, 100, CALLER);
		else
			assert_true(sent_equal(s, expect_request(&h, "MESSAGE", A)));
	}
	answer(&h, s, 200, "t", NULL);
	expect_response(&h, 200, CALLER);
	harness_end(&h);
}

/* Simultaneous ring never forks one of these. */
static void test_never_forked(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	h.strategy = STRATEGY_SIMULTANEOUS_RING;
	harness_publish(&h);
	request_send(&h, &(struct request){ .method = "MESSAGE" });
	expect_request(&h, "MESSAGE", A);
	expect_nothing(&h);
	harness_end(&h);
}

/* Timer E, and its interval after a provisional. */
static void test_retransmissions(void **state)
{
	struct harness h;
	const struct sent *first;

	harness_start(&h, NULL);
	h.knobs.response_timeout_ms = 0;
	harness_publish(&h);
	request_send(&h, &(struct request){ .method = "OPTIONS" });
	first = expect_request(&h, "OPTIONS", A);
	for (uint64_t due = 500; due <= 2000; due *= 2) {
		assert_int_equal(wait_sent(&h), due);
		assert_true(sent_equal(first, expect_request(&h, "OPTIONS", A)));
	}
	assert_int_equal(wait_sent(&h), 500);
	expect_response(&h, 100, CALLER); /* RFC 4320 §4.1 */
	assert_int_equal(wait_sent(&h), 3500);
	assert_true(sent_equal(first, expect_request(&h, "OPTIONS", A)));
	answer(&h, first, 100, NULL, NULL);
	assert_int_equal(wait_sent(&h), 4000);
	assert_true(sent_equal(first, expect_request(&h, "OPTIONS", A)));
	answer(&h, first, 200, "to", NULL);
	expect_response(&h, 200, CALLER);
	wait_ms(&h, 40000);
	expect_nothing(&h);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_retransmissions), cmocka_unit_test(test_answers), cmocka_unit_test(test_silence),
	     cmocka_unit_test(test_408), cmocka_unit_test(test_late), cmocka_unit_test(test_message), cmocka_unit_test(test_never_forked))
