/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts that go where something names: the challenger, a redirect; and those that a dead endpoint sets free. */
#include "harness.h"
#include "proxy/challenge.h"

static void test_challenges(void **state)
{
	struct challenges *c = challenges_new();

	assert_int_equal(challenge_find(c, 1, 0), ENDPOINT_NONE);
	challenge_note(c, 1, 7, 100);
	challenge_note(c, 2, 8, 100);
	assert_int_equal(challenge_find(c, 1, 99), 7);
	assert_int_equal(challenge_find(c, 1, 100), ENDPOINT_NONE);
	challenge_note(c, 1 + 4096, 9, 100); /* the same place: the newer one has it */
	assert_int_equal(challenge_find(c, 1, 0), ENDPOINT_NONE);
	assert_int_equal(challenge_find(c, 1 + 4096, 0), 9);
	assert_int_equal(challenge_find(c, 2, 0), 8);
	challenges_free(c);
}

/* Round robin, and the caller comes back with credentials: not the next in turn, but the one whose nonce it answers. */
static void test_challenger(void **state)
{
	static const struct {
		unsigned status;
		const char *call_id, *from;
		uint64_t wait_ms;
		bool same;
	} cases[] = {
		{ 401, NULL, NULL, 100, true },
		{ 407, NULL, NULL, 100, true },
		{ 403, NULL, NULL, 100, false },
		{ 407, "another", NULL, 100, false },
		{ 407, NULL, "<sip:caller@10.1.0.1>;tag=another", 100, false },
		{ 407, NULL, NULL, 65000, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request again = { .via = VIA "2", .cseq = 2, .call_id = cases[i].call_id, .from = cases[i].from };
		struct harness h;

		harness_start(&h, NULL);
		h.strategy = STRATEGY_ROUND_ROBIN;
		harness_publish(&h);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		answer(&h, expect_request(&h, "INVITE", A), cases[i].status, "t", "Proxy-Authenticate: Digest nonce=\"1\"\r\n");
		expect_request(&h, "ACK", A);
		ack_send(&h, &(struct request){ 0 }, expect_response(&h, cases[i].status, CALLER));
		wait_ms(&h, cases[i].wait_ms);
		request_send(&h, &again);
		expect_response(&h, 100, CALLER);
		expect_request(&h, "INVITE", cases[i].same ? A : B);
		harness_end(&h);
	}
}

/* A 3xx goes up, or is followed to endpoints of the same profile, the likeliest first. */
static void test_redirects(void **state)
{
	static const struct {
		bool follow;
		const char *contact;
		const char *want[3]; /* where the call goes next, each answering 500; then the end */
		unsigned status;
	} cases[] = {
		{ false, "Contact: <sip:x@10.4.0.1>\r\n", { NULL }, 302 },
		{ true, "Contact: <sip:x@10.4.0.1>\r\n", { C, NULL }, 302 },
		{ true, "Contact: <sip:x@10.3.0.1>;q=0.2, <sip:x@10.4.0.1:5060>;q=0.9\r\n", { C, B, NULL }, 302 },
		{ true, "m: <sip:10.2.0.1>\r\n", { NULL }, 302 },	    /* itself: was tried */
		{ true, "Contact: <sip:x@192.0.2.9>\r\n", { NULL }, 302 },  /* a stranger */
		{ true, "Contact: <sip:x@c.example>\r\n", { NULL }, 302 },
		{ true, "Contact: <tel:+441>\r\n", { NULL }, 302 },
		{ true, "", { NULL }, 302 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;

		harness_start(&h, NULL);
		h.knobs.follow_redirects = cases[i].follow;
		h.knobs.max_retries = 0; /* a named one is no retry of ours */
		harness_publish(&h);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		answer(&h, expect_request(&h, "INVITE", A), 302, "t", cases[i].contact);
		expect_request(&h, "ACK", A);
		for (unsigned k = 0; k < 3 && cases[i].want[k]; k++) {
			answer(&h, expect_request(&h, "INVITE", cases[i].want[k]), 500, "t", NULL);
			expect_request(&h, "ACK", cases[i].want[k]);
		}
		expect_response(&h, cases[i].status, CALLER);
		harness_end(&h);
	}
}

/* One call learns that the endpoint is dead, and all that ring or wait there move on; what was answered stays. */
static void test_released(void **state)
{
	for (unsigned by_control = 0; by_control < 2; by_control++) {
		const struct sent *ringing, *silent, *last;
		struct ip_port a = addr_of(A);
		struct harness h;
		struct dialog d;

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, NULL, &d);
		h.sent_read = h.sent_count;
		request_send(&h, &(struct request){ .call_id = "ringing", .via = VIA "2" });
		expect_response(&h, 100, CALLER);
		ringing = expect_request(&h, "INVITE", A);
		answer(&h, ringing, 180, "r", NULL);
		expect_response(&h, 180, CALLER);
		request_send(&h, &(struct request){ .call_id = "silent", .via = VIA "3" });
		expect_response(&h, 100, CALLER);
		silent = expect_request(&h, "INVITE", A);
		request_send(&h, &(struct request){ .call_id = "last", .via = VIA "4" });
		expect_response(&h, 100, CALLER);
		last = expect_request(&h, "INVITE", A);
		if (by_control) {
			proxy_release_endpoint(h.proxy, h.trunk[TRUNK_A].endpoints[0]);
			wait_ms(&h, 1);
			assert_int_equal(counter_of(&h, COUNTER_attempt_released), 3);
		} else {
			proxy_icmp_error(h.proxy, last->data, last->len, &a, h.now_ms);
			wait_ms(&h, 1);
			assert_int_equal(counter_of(&h, COUNTER_attempt_released), 2);
		}
		assert_int_equal(target_of(&h, 0, TARGET_RINGING), 0);
		assert_int_equal(target_of(&h, 0, TARGET_LIVE), 1);
		assert_int_equal(target_of(&h, 1, TARGET_RINGING), 3);
		for (unsigned cancels = 0, invites = 0; h.sent_read < h.sent_count;) {
			if (sent_view(h.sent[h.sent_read])->method == SIP_CANCEL)
				cancels++, expect_request(&h, "CANCEL", A);
			else
				invites++, expect_request(&h, "INVITE", B);
			assert_true(cancels <= 1 && invites <= 3);
		}
		dialog_close(&h, &d);
		harness_end(&h);
		(void)silent;
	}
}

/* For one request a connection has no room: that one goes elsewhere, those that wait for the same endpoint stay, and it is not taken out. */
static void test_not_taken(void **state)
{
	static const char *const methods[] = { "INVITE", "MESSAGE" };

	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		bool invite = i == 0;
		const struct sent *waits, *last, *moved;
		struct harness h;

		harness_start(&h, &(struct harness_options){ .tcp_targets = true });
		request_send(&h, &(struct request){ .method = methods[i], .call_id = "waits", .via = VIA "2" });
		if (invite)
			expect_response(&h, 100, CALLER);
		waits = expect_request(&h, methods[i], "tcp:" A);
		request_send(&h, &(struct request){ .method = methods[i], .call_id = "last", .via = VIA "3" });
		if (invite)
			expect_response(&h, 100, CALLER);
		last = expect_request(&h, methods[i], "tcp:" A);
		proxy_not_taken(h.proxy, last->data, last->len, &last->to.remote, h.now_ms);
		moved = expect_request(&h, methods[i], "tcp:" B);
		wait_ms(&h, 1);
		expect_nothing(&h);
		assert_int_equal(counter_of(&h, COUNTER_attempt_transport_error), 1);
		assert_int_equal(counter_of(&h, COUNTER_attempt_released), 0);
		assert_int_equal(counter_of(&h, COUNTER_requests_undelivered), 1);
		assert_true(endpoint_usable(h.tables->endpoints, h.trunk[TRUNK_A].endpoints[0], h.now_ms));
		answer(&h, waits, 486, "t", NULL);
		answer(&h, moved, 486, "t", NULL);
		/* What is over, or not ours, changes nothing. */
		h.sent_read = h.sent_count;
		proxy_not_taken(h.proxy, last->data, last->len, &last->to.remote, h.now_ms);
		proxy_not_taken(h.proxy, (const uint8_t *)"SIP/2.0 200 OK", 14, &last->to.remote, h.now_ms);
		expect_nothing(&h);
		assert_int_equal(counter_of(&h, COUNTER_responses_undelivered), 1);
		harness_end(&h);
	}
}

/* RFC 5393 §5: shared by the branches of a fork, refused when none is left, all of it for each serial attempt. */
static void test_max_breadth(void **state)
{
	static const struct {
		const char *header;
		unsigned want[3]; /* of the branches, by position; 0: no such branch */
	} cases[] = {
		{ "", { 20, 20, 20 } },
		{ "Max-Breadth: 10\r\n", { 4, 3, 3 } },
		{ "Max-Breadth: 3\r\n", { 1, 1, 1 } },
		{ "Max-Breadth: 2\r\n", { 1, 1, 0 } },
		{ "Max-Breadth: 1\r\n", { 1, 0, 0 } },
	};
	static const char *const at[] = { A, B, C };
	struct harness h;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		harness_start(&h, NULL);
		h.strategy = STRATEGY_SIMULTANEOUS_RING;
		harness_publish(&h);
		request_send(&h, &(struct request){ .headers = cases[i].header });
		expect_response(&h, 100, CALLER);
		for (unsigned k = 0; k < 3 && cases[i].want[k]; k++)
			assert_int_equal(atoi(sent_header(expect_request(&h, "INVITE", at[k]), "Max-Breadth", 0)), cases[i].want[k]);
		expect_nothing(&h);
		harness_end(&h);
	}
	harness_start(&h, NULL);
	request_send(&h, &(struct request){ .headers = "Max-Breadth: 0\r\n" });
	expect_response(&h, 440, CALLER);
	request_send(&h, &(struct request){ .headers = "Max-Breadth: 5\r\n", .via = VIA "2" });
	expect_response(&h, 100, CALLER);
	answer(&h, expect_request(&h, "INVITE", A), 500, "t", NULL);
	expect_request(&h, "ACK", A);
	assert_string_equal(sent_header(expect_request(&h, "INVITE", B), "Max-Breadth", 0), "5");
	harness_end(&h);
}

/* The challenges of all branches go up together; a 6xx ends all, or just its own branch; the caller's Reason is passed to those cancelled. */
static void test_ring(void **state)
{
	struct request cancel = { .headers = "Reason: Q.850;cause=31\r\nReason: SIP;cause=480\r\n" };
	const struct sent *leg[3], *up;
	struct harness h;

	for (unsigned mode = 0; mode < 4; mode++) {
		harness_start(&h, NULL);
		h.strategy = STRATEGY_SIMULTANEOUS_RING;
		h.knobs.decline_ends_target = mode == 2;
		harness_publish(&h);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		leg[0] = expect_request(&h, "INVITE", A);
		leg[1] = expect_request(&h, "INVITE", B);
		leg[2] = expect_request(&h, "INVITE", C);
		if (mode == 0) {
			answer(&h, leg[0], 401, "a", "WWW-Authenticate: Digest realm=\"a\"\r\n");
			answer(&h, leg[1], 404, "b", NULL);
			answer(&h, leg[2], 407, "c", "Proxy-Authenticate: Digest realm=\"c1\"\r\nProxy-Authenticate: Digest realm=\"c2\"\r\n");
			h.sent_read = h.sent_count - 1;
			up = expect_response(&h, 401, CALLER);
			assert_string_equal(sent_header(up, "WWW-Authenticate", 0), "Digest realm=\"a\"");
			assert_int_equal(sent_lines(up, "WWW-Authenticate"), 1);
			assert_int_equal(sent_lines(up, "Proxy-Authenticate"), 2);
			assert_string_equal(sent_header(up, "Proxy-Authenticate", 1), "Digest realm=\"c2\"");
		} else if (mode < 3) {
			answer(&h, leg[1], 180, "b", NULL);
			expect_response(&h, 180, CALLER);
			answer(&h, leg[0], 603, "a", NULL);
			expect_request(&h, "ACK", A);
			if (mode == 1) {
				/* a 2xx of the cancelled branch would still win: the 6xx waits for its end */
				expect_request(&h, "CANCEL", B);
				expect_nothing(&h);
				answer(&h, leg[1], 487, "b", NULL);
				expect_request(&h, "ACK", B);
				expect_response(&h, 603, CALLER);
			}
			expect_nothing(&h);
		} else {
			answer(&h, leg[1], 180, "b", NULL);
			expect_response(&h, 180, CALLER);
			cancel_send(&h, &cancel);
			expect_response(&h, 200, CALLER);
			up = expect_request(&h, "CANCEL", B);
			assert_int_equal(sent_lines(up, "Reason"), 2);
			assert_string_equal(sent_header(up, "Reason", 0), "Q.850;cause=31");
		}
		harness_end(&h);
	}
}

HARNESS_MAIN(cmocka_unit_test(test_challenges), cmocka_unit_test(test_challenger), cmocka_unit_test(test_redirects),
	     cmocka_unit_test(test_released), cmocka_unit_test(test_not_taken), cmocka_unit_test(test_max_breadth), cmocka_unit_test(test_ring))
