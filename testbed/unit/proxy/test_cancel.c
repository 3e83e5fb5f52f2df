/* SPDX-License-Identifier: Apache-2.0 */
/* The caller gives up: before and after a provisional, between attempts, and while an answer is on its way (RFC 3261 §9, §16.10). */
#include "harness.h"

static const struct sent *begin(struct harness *h, const struct request *r)
{
	request_send(h, r);
	expect_response(h, 100, CALLER);
	return expect_request(h, "INVITE", A);
}

static void test_after_provisional(void **state)
{
	static const unsigned provisionals[] = { 100, 180 };

	for (unsigned i = 0; i < ARRAY_SIZE(provisionals); i++) {
		struct harness h;
		struct request r = { 0 };
		const struct sent *invite, *cancel, *final;

		harness_start(&h, NULL);
		invite = begin(&h, &r);
		answer(&h, invite, provisionals[i], "t", NULL);
		if (provisionals[i] > 100)
			expect_response(&h, 180, CALLER);
		cancel_send(&h, &r);
		assert_string_equal(sent_header(expect_response(&h, 200, CALLER), "CSeq", 0), "1 CANCEL");
		cancel = expect_request(&h, "CANCEL", A);
		assert_int_equal(sent_lines(cancel, "Via"), 1);
		assert_string_equal(sent_header(cancel, "Via", 0), sent_header(invite, "Via", 0));
		assert_string_equal(sent_header(cancel, "Reason", 0), "");
		cancel_send(&h, &r); /* again: answered again, done once */
		expect_response(&h, 200, CALLER);
		expect_nothing(&h); /* the target says how it ends */
		answer(&h, cancel, 200, "t", NULL);
		answer(&h, invite, 487, "t", NULL);
		expect_request(&h, "ACK", A);
		final = expect_response(&h, 487, CALLER);
		ack_send(&h, &r, final);
		wait_ms(&h, 40000);
		expect_nothing(&h);
		assert_int_equal(counter_of(&h, COUNTER_calls_cancelled), 1);
		harness_end(&h);
	}
}

/* The setup budget is over with the call: the cancelled branch may still answer, and its 2xx is then the only final response. */
static void test_outlives_the_budget(void **state)
{
	struct harness h;
	struct request r = { 0 };
	const struct sent *invite, *cancel;

	harness_start(&h, NULL);
	h.knobs.setup_budget_ms = 3000;
	harness_publish(&h);
	invite = begin(&h, &r);
	answer(&h, invite, 100, NULL, NULL);
	cancel_send(&h, &r);
	expect_response(&h, 200, CALLER);
	cancel = expect_request(&h, "CANCEL", A);
	answer(&h, cancel, 200, "t", NULL);
	wait_ms(&h, 10000);
	expect_nothing(&h);
	answer(&h, invite, 200, "t", NULL);
	assert_string_equal(sent_header(expect_response(&h, 200, CALLER), "CSeq", 0), "1 INVITE");
	expect_nothing(&h);
	harness_end(&h);
}

/* Timer E of a CANCEL: it comes again, also when the target rings meanwhile, until it is answered or its INVITE is. */
static void test_repeated(void **state)
{
	static const struct {
		const char *description;
		unsigned meanwhile; /* the target's response to the INVITE behind the CANCEL; 0: none */
		bool ends;	    /* it ends the INVITE, and so the CANCEL */
	} cases[] = { { "silence", 0, false }, { "still ringing", 180, false }, { "refused", 487, true }, { "answered", 200, true } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct request r = { 0 };
		const struct sent *invite, *cancel;

		harness_start(&h, NULL);
		invite = begin(&h, &r);
		answer(&h, invite, 100, NULL, NULL);
		cancel_send(&h, &r);
		expect_response(&h, 200, CALLER);
		cancel = expect_request(&h, "CANCEL", A);
		if (cases[i].meanwhile)
			answer(&h, invite, cases[i].meanwhile, "t", NULL);
		if (cases[i].meanwhile == 487)
			expect_request(&h, "ACK", A);
		if (cases[i].ends)
			expect_response(&h, cases[i].meanwhile, CALLER);
		wait_ms(&h, 499);
		if (!cases[i].ends) {
			expect_nothing(&h);
			wait_ms(&h, 1);
			if (!sent_equal(cancel, expect_request(&h, "CANCEL", A)))
				fail_msg("%s: another CANCEL", cases[i].description);
			answer(&h, cancel, 200, "t", NULL);
		}
		wait_ms(&h, 5000);
		for (unsigned n = h.sent_read; n < h.sent_count; n++) /* a 487 to the caller comes again */
			assert_memory_not_equal(h.sent[n]->data, "CANCEL", 6);
		harness_end(&h);
	}
}

/* Without a provisional no CANCEL may go out: the caller is told at once, the branch cancelled when it stirs. */
static void test_before_provisional(void **state)
{
	struct harness h;
	struct request r = { 0 };
	const struct sent *invite;

	harness_start(&h, NULL);
	invite = begin(&h, &r);
	cancel_send(&h, &r);
	expect_response(&h, 200, CALLER);
	ack_send(&h, &r, expect_response(&h, 487, CALLER));
	wait_ms(&h, 10000);
	expect_nothing(&h);
	answer(&h, invite, 180, "t", NULL);
	expect_request(&h, "CANCEL", A);
	answer(&h, invite, 487, "t", NULL);
	expect_request(&h, "ACK", A);
	wait_ms(&h, 10000);
	expect_nothing(&h);
	harness_end(&h);
}

/* No retry follows a CANCEL, whatever the target answers, and the caller hears 487 rather than a 5xx. */
static void test_no_retry(void **state)
{
	static const struct {
		unsigned status, want;
	} cases[] = { { 487, 487 }, { 500, 487 }, { 503, 487 }, { 408, 408 }, { 486, 486 }, { 603, 603 } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct request r = { 0 };
		const struct sent *invite;

		harness_start(&h, NULL);
		invite = begin(&h, &r);
		answer(&h, invite, 180, "t", NULL);
		expect_response(&h, 180, CALLER);
		cancel_send(&h, &r);
		expect_response(&h, 200, CALLER);
		expect_request(&h, "CANCEL", A);
		answer(&h, invite, cases[i].status, "t", NULL);
		expect_request(&h, "ACK", A);
		expect_response(&h, cases[i].want, CALLER);
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* The first target hangs and was cancelled by the clock; the caller gives up while the second rings. */
static void test_between_attempts(void **state)
{
	struct harness h;
	struct request r = { 0 };
	const struct sent *first, *second;

	harness_start(&h, NULL);
	first = begin(&h, &r);
	answer(&h, first, 500, "t", NULL);
	expect_request(&h, "ACK", A);
	second = expect_request(&h, "INVITE", B);
	answer(&h, second, 180, "t2", NULL);
	expect_response(&h, 180, CALLER);
	cancel_send(&h, &r);
	expect_response(&h, 200, CALLER);
	expect_request(&h, "CANCEL", B);
	answer(&h, second, 487, "t2", NULL);
	expect_request(&h, "ACK", B);
	expect_response(&h, 487, CALLER); /* not the 500 that came before */
	expect_nothing(&h);
	harness_end(&h);
}

/* The 2xx was on its way: it counts, and the caller must end the call by BYE. */
static void test_crossing_answer(void **state)
{
	for (unsigned provisional = 0; provisional < 2; provisional++) {
		struct harness h;
		struct request r = { 0 };
		const struct sent *invite;

		harness_start(&h, NULL);
		invite = begin(&h, &r);
		if (provisional) {
			answer(&h, invite, 180, "t", NULL);
			expect_response(&h, 180, CALLER);
		}
		cancel_send(&h, &r);
		expect_response(&h, 200, CALLER);
		if (provisional)
			expect_request(&h, "CANCEL", A);
		else
			expect_response(&h, 487, CALLER);
		answer(&h, invite, 200, "t", NULL);
		expect_response(&h, 200, CALLER);
		expect_nothing(&h);
		wait_ms(&h, 300);
		answer(&h, invite, 200, "t", NULL);
		expect_response(&h, 200, CALLER);
		harness_end(&h);
	}
}

/* CANCEL after the final answer changes nothing. */
static void test_after_final(void **state)
{
	static const unsigned finals[] = { 200, 486 };

	for (unsigned i = 0; i < ARRAY_SIZE(finals); i++) {
		struct harness h;
		struct request r = { 0 };
		const struct sent *invite;

		harness_start(&h, NULL);
		invite = begin(&h, &r);
		answer(&h, invite, finals[i], "t", NULL);
		if (finals[i] > 299)
			expect_request(&h, "ACK", A);
		expect_response(&h, finals[i], CALLER);
		cancel_send(&h, &r);
		expect_response(&h, 200, CALLER);
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* A target that ignores its CANCEL: 64*T1 later it is over (§9.1), and the caller is told. */
static void test_ignored(void **state)
{
	struct harness h;
	struct request r = { 0 };
	const struct sent *invite;
	unsigned cancels = 0;

	harness_start(&h, NULL);
	h.knobs.setup_budget_ms = 0;
	harness_publish(&h);
	invite = begin(&h, &r);
	answer(&h, invite, 100, NULL, NULL);
	cancel_send(&h, &r);
	expect_response(&h, 200, CALLER);
	wait_ms(&h, 31999);
	while (h.sent_read < h.sent_count) {
		expect_request(&h, "CANCEL", A);
		cancels++;
	}
	assert_int_equal(cancels, 11); /* timer E */
	wait_ms(&h, 1);
	expect_response(&h, 487, CALLER);
	wait_ms(&h, 400);
	expect_nothing(&h);
	harness_end(&h);
}

/* CANCEL has the INVITE's method to match by, not its body, URI or Call-ID; another branch is another call. */
static void test_matching(void **state)
{
	struct harness h;
	struct request r = { 0 }, other = { .via = VIA "other" };

	harness_start(&h, NULL);
	begin(&h, &r);
	cancel_send(&h, &other);
	expect_response(&h, 481, CALLER);
	other.via = VIA;
	other.method = "OPTIONS";
	request_send(&h, &other); /* the same branch, another method: another transaction */
	expect_request(&h, "OPTIONS", A);
	expect_nothing(&h);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_after_provisional), cmocka_unit_test(test_outlives_the_budget),
	     cmocka_unit_test(test_repeated), cmocka_unit_test(test_before_provisional), cmocka_unit_test(test_no_retry),
	     cmocka_unit_test(test_between_attempts), cmocka_unit_test(test_crossing_answer), cmocka_unit_test(test_after_final),
	     cmocka_unit_test(test_ignored), cmocka_unit_test(test_matching))
