/* SPDX-License-Identifier: Apache-2.0 */
/* "Choosing and rescuing": what ends an attempt, what is final, the clocks, and what the caller hears at the end. */
#include "harness.h"

/* One script: each step is a target's answer or the lapse of time; `want` is what the caller gets at last. */
struct step {
	const char *at;	 /* the target that has the INVITE now */
	unsigned status; /* its answer; 0: none, it stays silent */
};

struct script {
	const char *what;
	struct step steps[5];
	unsigned want;
	uint64_t after_ms; /* when; 0: at once */
};

static void run_script(struct harness *h, const struct script *s)
{
	struct request r = { 0 };
	uint64_t from = h->now_ms;
	const struct sent *invite, *final;

	request_send(h, &r);
	expect_response(h, 100, CALLER);
	for (unsigned i = 0; s->steps[i].at; i++) {
		invite = expect_request(h, "INVITE", s->steps[i].at);
		if (s->steps[i].status) {
			answer(h, invite, s->steps[i].status, "t", NULL);
			if (s->steps[i].status >= 300)
				expect_request(h, "ACK", s->steps[i].at);
			continue;
		}
		/* its retransmissions, until another message comes */
		for (;;) {
			const struct sent *next;

			wait_sent(h);
			next = h->sent[h->sent_read];
			if (!ip_port_eq(&next->to.remote, &invite->to.remote))
				break;
			assert_true(sent_equal(invite, next));
			h->sent_read++;
		}
	}
	if (h->sent_read == h->sent_count)
		wait_sent(h);
	final = expect_response(h, s->want, CALLER);
	if (final->at_ms - from != s->after_ms)
		fail_msg("%s: after %lu ms, not %lu", s->what, (unsigned long)(final->at_ms - from), (unsigned long)s->after_ms);
	expect_nothing(h);
	if (s->want >= 300)
		ack_send(h, &r, final);
	wait_ms(h, 100);
	expect_nothing(h);
}

static void test_codes(void **state)
{
	static const struct script scripts[] = {
		{ "the first answers", { { A, 200 } }, 200, 0 },
		{ "408 moves on", { { A, 408 }, { B, 200 } }, 200, 0 },
		{ "500 moves on", { { A, 500 }, { B, 200 } }, 200, 0 },
		{ "501 moves on", { { A, 501 }, { B, 200 } }, 200, 0 },
		{ "502 moves on", { { A, 502 }, { B, 200 } }, 200, 0 },
		{ "503 moves on", { { A, 503 }, { B, 200 } }, 200, 0 },
		{ "504 moves on", { { A, 504 }, { B, 200 } }, 200, 0 },
		{ "599 moves on", { { A, 599 }, { B, 200 } }, 200, 0 },
		{ "twice", { { A, 500 }, { B, 503 }, { C, 200 } }, 200, 0 },
		{ "302 is final", { { A, 302 } }, 302, 0 },
		{ "400 is final", { { A, 400 } }, 400, 0 },
		{ "401 is final", { { A, 401 } }, 401, 0 },
		{ "403 is final", { { A, 403 } }, 403, 0 },
		{ "404 is final", { { A, 404 } }, 404, 0 },
		{ "407 is final", { { A, 407 } }, 407, 0 },
		{ "480 is final", { { A, 480 } }, 480, 0 },
		{ "486 is final", { { A, 486 } }, 486, 0 },
		{ "600 is final", { { A, 600 } }, 600, 0 },
		{ "603 is final", { { A, 603 } }, 603, 0 },
		{ "final also at the second", { { A, 500 }, { B, 486 } }, 486, 0 },
		{ "best of 5xx: the first of its class", { { A, 502 }, { B, 500 }, { C, 504 } }, 502, 0 },
		{ "best: 408 is a 4xx", { { A, 502 }, { B, 408 }, { C, 504 } }, 408, 0 },
		{ "503 goes upstream as 500", { { A, 503 }, { B, 503 }, { C, 503 } }, 500, 0 },
		{ "all silent: 408", { { A, 0 }, { B, 0 }, { C, 0 } }, 408, 12000 },
		{ "one answered: its answer", { { A, 0 }, { B, 504 }, { C, 0 } }, 504, 8000 },
		{ "silence, then an answer", { { A, 0 }, { B, 200 } }, 200, 4000 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct harness h;

		harness_start(&h, NULL);
		run_script(&h, &scripts[i]);
		assert_int_equal(counter_of(&h, COUNTER_calls_answered), scripts[i].want == 200);
		assert_int_equal(counter_of(&h, COUNTER_calls_rescued), scripts[i].want == 200 && scripts[i].steps[1].at);
		harness_end(&h);
	}
}

static void knob_retries_0(struct harness *h) { h->knobs.max_retries = 0; }
static void knob_retries_1(struct harness *h) { h->knobs.max_retries = 1; }
static void knob_attempts_1(struct harness *h) { h->knobs.max_attempts = 1; }
static void knob_480(struct harness *h) { code_set_put(&h->knobs.retry_codes, 480, true); }
static void knob_not_503(struct harness *h) { code_set_put(&h->knobs.retry_codes, 503, false); }
static void knob_exhausted(struct harness *h) { h->knobs.exhausted_code = 503; }
static void knob_response(struct harness *h) { h->knobs.response_timeout_ms = 700; }
static void knob_budget(struct harness *h) { h->knobs.setup_budget_ms = 5000; }
static void knob_no_clocks(struct harness *h) { h->knobs.response_timeout_ms = h->knobs.setup_budget_ms = h->knobs.ring_timeout_ms = 0; }
static void weight_0(struct harness *h) { h->target_weight[0] = 0; }
static void all_weight_0(struct harness *h) { h->target_weight[0] = h->target_weight[1] = h->target_weight[2] = 0; }
static void unreachable_a(struct harness *h) { h->unreachable = A; }

static void test_knobs(void **state)
{
	static const struct {
		void (*set)(struct harness *h);
		struct script script;
	} cases[] = {
		{ knob_retries_0, { "no further target", { { A, 500 } }, 500, 0 } },
		{ knob_retries_1, { "one further target", { { A, 500 }, { B, 500 } }, 500, 0 } },
		{ knob_attempts_1, { "one endpoint in all", { { A, 500 } }, 500, 0 } },
		{ knob_480, { "480 made retryable", { { A, 480 }, { B, 200 } }, 200, 0 } },
		{ knob_480, { "480 is the best of what came", { { A, 480 }, { B, 500 }, { C, 503 } }, 480, 0 } },
		{ knob_not_503, { "503 made final, still not ours", { { A, 503 } }, 500, 0 } },
		{ knob_exhausted, { "the answer that was collected beats exhausted_code", { { A, 500 }, { B, 500 }, { C, 500 } }, 500, 0 } },
		{ knob_response, { "a shorter response timeout", { { A, 0 }, { B, 200 } }, 200, 700 } },
		{ knob_response, { "thrice", { { A, 0 }, { B, 0 }, { C, 0 } }, 408, 2100 } },
		{ knob_budget, { "the setup budget ends the call", { { A, 0 }, { B, 0 } }, 408, 5000 } },
		{ knob_budget, { "the budget with an answer collected", { { A, 504 }, { B, 0 }, { C, 0 } }, 504, 5000 } },
		{ knob_no_clocks, { "no clock but timer B", { { A, 0 }, { B, 200 } }, 200, 32000 } },
		{ weight_0, { "weight 0 drains", { { B, 200 } }, 200, 0 } },
		{ all_weight_0, { "nobody left", { { NULL, 0 } }, 500, 0 } },
		{ unreachable_a, { "no route to the first", { { B, 200 } }, 200, 0 } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;

		harness_start(&h, NULL);
		cases[i].set(&h);
		harness_publish(&h);
		run_script(&h, &cases[i].script);
		harness_end(&h);
	}
}

static void test_exhausted_code(void **state)
{
	struct harness h;
	struct script s = { "nobody left, by another word", { { NULL, 0 } }, 503, 0 };

	harness_start(&h, NULL);
	h.knobs.exhausted_code = 503;
	all_weight_0(&h);
	harness_publish(&h);
	run_script(&h, &s);
	assert_int_equal(counter_of(&h, COUNTER_calls_exhausted), 1);
	harness_end(&h);
}

/* 100, then nothing: progress_timeout_ms from the 100, then CANCEL and the next. */
static void test_progress_timeout(void **state)
{
	struct harness h;
	const struct sent *invite, *cancel, *second;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	wait_ms(&h, 300);
	answer(&h, invite, 100, NULL, NULL);
	expect_nothing(&h); /* 100 stays here */
	assert_int_equal(wait_sent(&h), 8000);
	cancel = expect_request(&h, "CANCEL", A);
	assert_string_equal(sent_header(cancel, "Via", 0), sent_header(invite, "Via", 0));
	assert_string_equal(sent_header(cancel, "CSeq", 0), "1 CANCEL");
	assert_string_equal(sent_uri(cancel), sent_uri(invite));
	second = expect_request(&h, "INVITE", B);
	answer(&h, cancel, 200, NULL, NULL);
	answer(&h, invite, 487, "t", NULL);
	expect_request(&h, "ACK", A);
	answer(&h, second, 200, "t2", NULL);
	expect_response(&h, 200, CALLER);
	expect_nothing(&h);
	assert_int_equal(target_of(&h, 0, TARGET_TIMEOUTS), 1);
	assert_int_equal(target_of(&h, 0, TARGET_RESCUED_AWAY), 1);
	harness_end(&h);
}

/* It rings, nobody answers: ring_timeout from sending, even though the caller heard it ring. */
static void test_ring_timeout(void **state)
{
	struct harness h;
	const struct sent *invite;

	harness_start(&h, NULL);
	h.knobs.ring_timeout_ms = 10000;
	harness_publish(&h);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	wait_ms(&h, 400);
	answer(&h, invite, 180, "t", NULL);
	expect_response(&h, 180, CALLER);
	assert_int_equal(wait_sent(&h), 9600); /* and the setup budget has stopped */
	expect_request(&h, "CANCEL", A);
	invite = expect_request(&h, "INVITE", B);
	answer(&h, invite, 183, "t2", NULL);
	expect_response(&h, 183, CALLER);
	answer(&h, invite, 200, "t2", NULL);
	expect_response(&h, 200, CALLER);
	harness_end(&h);
}

/* Whichever clock comes first moves the call on, whether it was armed from the start or only once another had stopped. */
static void test_first_clock(void **state)
{
	static const struct {
		uint32_t response, progress, ring;
		uint16_t status; /* that comes after 400 ms */
		uint64_t then;	 /* how long until the next endpoint is asked, from there */
	} cases[] = {
		{ 4000, 8000, 2000, 100, 1600 }, { 1000, 8000, 2000, 100, 1600 }, { 1000, 1000, 2000, 100, 1000 },   { 1000, 0, 2000, 100, 1600 },
		{ 0, 0, 2000, 100, 1600 },	 { 1000, 8000, 2000, 180, 1600 }, { 1000, 8000, 0, 180, 185000 },   { 1000, 0, 0, 100, 184600 },
		{ 1000, 1600, 2000, 100, 1600 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		const struct sent *invite;
		uint64_t then;

		harness_start(&h, NULL);
		h.knobs.response_timeout_ms = cases[i].response;
		h.knobs.progress_timeout_ms = cases[i].progress;
		h.knobs.ring_timeout_ms = cases[i].ring;
		h.knobs.setup_budget_ms = 0;
		harness_publish(&h);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		invite = expect_request(&h, "INVITE", A);
		wait_ms(&h, 400);
		answer(&h, invite, cases[i].status, "t", NULL);
		if (cases[i].status > 100)
			expect_response(&h, cases[i].status, CALLER);
		then = wait_sent(&h);
		if (then != cases[i].then)
			fail_msg("case %u: after %u ms", i, (unsigned)then);
		expect_request(&h, "CANCEL", A);
		expect_request(&h, "INVITE", B);
		harness_end(&h);
	}
}

/* Without a ring timeout timer C ends it, counted from the last provisional (§16.7(2)). */
static void test_timer_c(void **state)
{
	struct harness h;
	const struct sent *invite;

	harness_start(&h, NULL);
	h.knobs.ring_timeout_ms = 0;
	h.knobs.max_retries = 0;
	harness_publish(&h);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	answer(&h, invite, 180, "t", NULL);
	expect_response(&h, 180, CALLER);
	wait_ms(&h, 100000);
	answer(&h, invite, 180, "t", NULL);
	expect_response(&h, 180, CALLER);
	assert_int_equal(wait_sent(&h), 185000);
	expect_request(&h, "CANCEL", A);
	expect_response(&h, 408, CALLER);
	harness_end(&h);
}

/* After an 18x a 5xx is final, unless the profile says otherwise. */
static void test_after_progress(void **state)
{
	for (unsigned on = 0; on < 2; on++) {
		struct harness h;
		const struct sent *invite;

		harness_start(&h, NULL);
		h.knobs.retry_after_progress = on;
		harness_publish(&h);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		invite = expect_request(&h, "INVITE", A);
		answer(&h, invite, 183, "t", NULL);
		expect_response(&h, 183, CALLER);
		answer(&h, invite, 503, "t", NULL);
		expect_request(&h, "ACK", A);
		if (on)
			expect_request(&h, "INVITE", B);
		else
			expect_response(&h, 500, CALLER);
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* §9.1: an attempt given up before any provisional is silent, keeps its slot, and is cancelled at its first provisional. */
static void test_late_provisional(void **state)
{
	struct harness h;
	const struct sent *first, *second, *cancel;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	first = expect_request(&h, "INVITE", A);
	wait_ms(&h, 4000);
	h.sent_read = h.sent_count - 1;
	second = expect_request(&h, "INVITE", B);
	answer(&h, second, 180, "t2", NULL);
	expect_response(&h, 180, CALLER);
	wait_ms(&h, 4000);
	expect_nothing(&h); /* no retransmission to A any more */
	answer(&h, first, 180, "t1", NULL);
	cancel = expect_request(&h, "CANCEL", A);
	expect_nothing(&h); /* its 180 is nobody's business */
	/* CANCEL is retransmitted like any request until it is answered */
	assert_int_equal(wait_sent(&h), 500);
	assert_true(sent_equal(cancel, expect_request(&h, "CANCEL", A)));
	assert_int_equal(wait_sent(&h), 1000);
	expect_request(&h, "CANCEL", A);
	answer(&h, cancel, 200, NULL, NULL);
	wait_ms(&h, 5000);
	expect_nothing(&h);
	answer(&h, first, 487, "t1", NULL);
	expect_request(&h, "ACK", A);
	expect_nothing(&h);
	answer(&h, second, 200, "t2", NULL);
	expect_response(&h, 200, CALLER);
	harness_end(&h);
}

/* The first target's 2xx comes after the second was asked: it is forwarded, the second cancelled. Nobody keeps ringing. */
static void test_late_answer(void **state)
{
	for (unsigned provisional = 0; provisional < 2; provisional++) {
		struct harness h;
		const struct sent *first, *second, *cancel;
		struct proxy_gauges g;

		harness_start(&h, NULL);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		first = expect_request(&h, "INVITE", A);
		wait_ms(&h, 4000);
		h.sent_read = h.sent_count - 1;
		second = expect_request(&h, "INVITE", B);
		if (provisional) {
			answer(&h, second, 180, "t2", NULL);
			expect_response(&h, 180, CALLER);
		}
		answer(&h, first, 200, "t1", NULL);
		expect_response(&h, 200, CALLER);
		if (!provisional) {
			expect_nothing(&h);
			answer(&h, second, 180, "t2", NULL);
		}
		cancel = expect_request(&h, "CANCEL", B);
		assert_string_equal(sent_header(cancel, "Reason", 0), "SIP;cause=200;text=\"Call completed elsewhere\"");
		/* and where CANCEL crosses B's own 2xx, that is forwarded too */
		answer(&h, second, 200, "t2", NULL);
		expect_response(&h, 200, CALLER);
		assert_int_equal(counter_of(&h, COUNTER_calls_answered), 1);
		assert_int_equal(counter_of(&h, COUNTER_calls_rescued), 0);
		assert_int_equal(target_of(&h, 0, TARGET_LIVE), 1);
		assert_int_equal(target_of(&h, 1, TARGET_LIVE), 0);
		expect_nothing(&h);
		wait_ms(&h, 31000);
		proxy_gauges(h.proxy, &g);
		assert_int_equal(g.server_transactions + g.client_transactions, 3);
		wait_ms(&h, 1000); /* L and M are over, of both */
		proxy_gauges(h.proxy, &g);
		assert_int_equal(g.server_transactions + g.client_transactions, 0);
		harness_end(&h);
	}
}

/* A 2xx after the caller got its final answer is forwarded all the same. */
static void test_answer_after_final(void **state)
{
	struct harness h;
	struct request r = { 0 };
	const struct sent *first, *final;

	harness_start(&h, NULL);
	h.knobs.max_retries = 0;
	harness_publish(&h);
	request_send(&h, &r);
	expect_response(&h, 100, CALLER);
	first = expect_request(&h, "INVITE", A);
	wait_ms(&h, 4000);
	h.sent_read = h.sent_count - 1;
	final = expect_response(&h, 408, CALLER);
	ack_send(&h, &r, final);
	answer(&h, first, 200, "t1", NULL);
	expect_response(&h, 200, CALLER);
	wait_ms(&h, 20000); /* the server transaction is gone, the client's lingers */
	answer(&h, first, 200, "t1", NULL);
	expect_response(&h, 200, CALLER);
	harness_end(&h);
}

/* A 503 takes its endpoint out for its Retry-After, at most a minute. */
static void test_retry_after(void **state)
{
	static const struct {
		unsigned status;
		const char *header;
		uint64_t out_ms;
	} cases[] = {
		{ 503, "Retry-After: 5\r\n", 5000 }, { 503, "Retry-After: 18000;duration=3600\r\n", 60000 },
		{ 503, "Retry-After: 10 (soon)\r\n", 10000 }, { 503, "", 0 }, { 503, "Retry-After: soon\r\n", 0 },
		{ 503, "Retry-After: 99999999999999999999\r\n", 0 }, { 503, "Retry-After: 0\r\n", 0 }, { 500, "Retry-After: 5\r\n", 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		const struct sent *invite;

		harness_start(&h, NULL);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		invite = expect_request(&h, "INVITE", A);
		answer(&h, invite, cases[i].status, "t", cases[i].header);
		expect_request(&h, "ACK", A);
		answer(&h, expect_request(&h, "INVITE", B), 200, "t", NULL);
		expect_response(&h, 200, CALLER);
		if (cases[i].out_ms) {
			wait_ms(&h, cases[i].out_ms - 1);
			request_send(&h, &(struct request){ .via = VIA "2", .call_id = "2" });
			expect_response(&h, 100, CALLER);
			answer(&h, expect_request(&h, "INVITE", B), 404, "t", NULL);
			expect_request(&h, "ACK", B);
			expect_response(&h, 404, CALLER);
			wait_ms(&h, 1);
			h.sent_read = h.sent_count;
		}
		request_send(&h, &(struct request){ .via = VIA "3", .call_id = "3" });
		expect_response(&h, 100, CALLER);
		expect_request(&h, "INVITE", A);
		harness_end(&h);
	}
}

/* How long a request may wait for a stream to take it: until who waits for its answer turns elsewhere. */
static void test_patience(void **state)
{
	static const struct {
		const char *method;
		uint32_t response_ms, ring_ms, budget_ms;
		bool udp;
		uint16_t want_ms, again_ms; /* at first, and when its connection has failed it after 400 ms */
	} cases[] = {
		{ "INVITE", 4000, 25000, 15000, false, 4000, 3600 },
		{ "INVITE", 4000, 3000, 15000, false, 3000, 2600 },
		{ "INVITE", 4000, 25000, 2500, false, 2500, 2100 },
		{ "INVITE", 0, 25000, 0, false, 25000, 24600 },
		{ "INVITE", 0, 0, 0, false, 0, 0 }, /* timer C: connections are given up sooner */
		{ "INVITE", 0, 65535, 0, false, 65535, 65135 },
		{ "INVITE", 0, 65536, 0, false, 0, 65136 },
		{ "INVITE", 4000, 25000, 15000, true, 0, 0 },
		{ "OPTIONS", 4000, 25000, 15000, false, 4000, 3600 },
		{ "MESSAGE", 4000, 25000, 15000, false, 0, 0 }, /* it has no second target */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request r = { .method = cases[i].method };
		const struct sent *sent;
		struct harness h;

		harness_start(&h, &(struct harness_options){ .tcp_targets = !cases[i].udp });
		h.knobs.response_timeout_ms = cases[i].response_ms;
		h.knobs.ring_timeout_ms = cases[i].ring_ms;
		h.knobs.setup_budget_ms = cases[i].budget_ms;
		harness_publish(&h);
		request_send(&h, &r);
		if (!strcmp(r.method, "INVITE"))
			expect_response(&h, 100, CALLER);
		sent = expect_request(&h, r.method, cases[i].udp ? A : "tcp:" A);
		assert_int_equal(sent->to.patience_ms, cases[i].want_ms);
		if (cases[i].udp) {
			harness_end(&h);
			continue;
		}
		wait_ms(&h, 400);
		proxy_undelivered(h.proxy, sent->data, sent->len, &sent->to.remote, NULL, h.now_ms);
		assert_int_equal(expect_request(&h, r.method, "tcp:" A)->to.patience_ms, cases[i].again_ms);
		harness_end(&h);
	}
}

/* What ends an INVITE at the target is for whenever the connection is up. */
static void test_patience_of_its_end(void **state)
{
	const struct sent *invite;
	struct harness h;

	harness_start(&h, &(struct harness_options){ .tcp_targets = true });
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", "tcp:" A);
	answer(&h, invite, 180, "t", NULL);
	expect_response(&h, 180, CALLER);
	cancel_send(&h, &(struct request){ 0 });
	expect_response(&h, 200, CALLER);
	assert_int_equal(expect_request(&h, "CANCEL", "tcp:" A)->to.patience_ms, 0);
	answer(&h, invite, 487, "t", NULL);
	assert_int_equal(expect_request(&h, "ACK", "tcp:" A)->to.patience_ms, 0);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_codes), cmocka_unit_test(test_knobs), cmocka_unit_test(test_exhausted_code),
	     cmocka_unit_test(test_progress_timeout), cmocka_unit_test(test_ring_timeout), cmocka_unit_test(test_first_clock),
	     cmocka_unit_test(test_timer_c),
	     cmocka_unit_test(test_after_progress), cmocka_unit_test(test_patience), cmocka_unit_test(test_patience_of_its_end), cmocka_unit_test(test_late_provisional), cmocka_unit_test(test_late_answer),
	     cmocka_unit_test(test_answer_after_final), cmocka_unit_test(test_retry_after))
