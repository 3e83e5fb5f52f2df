/* SPDX-License-Identifier: Apache-2.0 */
/* Live traffic as a probe: an endpoint where calls fail is left alone for a while, longer each time; never more than a share of a profile. */
#include "harness.h"

#include "tables/ramp.h"

static const struct ejection_config usual = { .after = 3, .after_failures = 5, .numbers = 3, .first_ms = 10000, .max_ms = 35000,
					      .share_percent = 50, .last_resort = true };

static void start(struct harness *h, const struct ejection_config *ejection)
{
	harness_start(h, NULL);
	proxy_free(h->proxy);
	h->config.ejection = *ejection;
	h->proxy = proxy_new(&h->config, h->now_ms);
	h->knobs.response_timeout_ms = 1000;
	h->knobs.progress_timeout_ms = 1000;
	harness_publish(h);
}

static unsigned calls;

static const char *place_of(const struct sent *s)
{
	static const char *const at[] = { A, B, C };

	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		struct ip_port addr = addr_of(at[i]);

		if (ip_port_eq(&addr, &s->to.remote))
			return at[i];
	}
	return "nowhere";
}

/* The call's last INVITE: ACKs and the answers to the caller are not meant. */
static const struct sent *last_invite(const struct harness *h)
{
	for (unsigned i = h->sent_count; i-- > 0;)
		if (memcmp(h->sent[i]->data, "INVITE ", 7) == 0)
			return h->sent[i];
	return NULL;
}

/* What the first target does with a call: a word, or several. '-' nothing, '1' 100, 'r' 180, '4' 486, '5' 503, '8' 408, '0' 500. Whoever comes next
 * is busy. Returns where the first INVITE went. */
static const char *call_to(struct harness *h, const char *does, unsigned number)
{
	static const struct {
		char word;
		unsigned status;
	} words[] = { { '1', 100 }, { 'r', 180 }, { '4', 486 }, { '5', 503 }, { '8', 408 }, { '0', 500 } };
	char via[64], call_id[32], uri[64];
	const struct sent *first, *last;

	snprintf(via, sizeof(via), VIA "w%u", ++calls);
	snprintf(call_id, sizeof(call_id), "watch-%u", calls);
	snprintf(uri, sizeof(uri), "sip:+4420355%05u@10.0.0.1", number);
	request_send(h, &(struct request){ .via = via, .call_id = call_id, .uri = uri });
	first = last_invite(h);
	for (; *does; does++) {
		if (*does == '-')
			wait_ms(h, 1000);
		for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
			if (words[i].word == *does)
				answer(h, first, words[i].status, "t", NULL);
	}
	last = last_invite(h);
	if (last != first)
		answer(h, last, 486, "busy", NULL);
	h->sent_read = h->sent_count;
	return place_of(first);
}

static const char *call(struct harness *h, bool silent)
{
	return call_to(h, silent ? "-" : "4", 100);
}

static const struct endpoint_live *live_of(const struct harness *h, unsigned trunk)
{
	return endpoints_live(h->tables->endpoints, h->trunk[trunk].endpoints[0]);
}

static void test_ejected_and_back(void **state)
{
	static const uint64_t out_ms[] = { 10000, 20000, 35000, 35000 }; /* doubled, up to the cap */
	struct harness h;

	start(&h, &usual);
	for (unsigned i = 0; i < 2; i++)
		assert_string_equal(call(&h, true), A);
	assert_string_equal(call(&h, false), A); /* it answers: what was before is forgotten */
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(call(&h, true), A);
	assert_int_equal(live_of(&h, TRUNK_A)->eject_reason, EJECT_SILENT);
	assert_int_equal(live_of(&h, TRUNK_A)->eject_count, 3);
	assert_int_equal(live_of(&h, TRUNK_A)->ejected_ms, h.now_ms);
	for (unsigned round = 0; round < ARRAY_SIZE(out_ms); round++) {
		assert_int_equal(counter_of(&h, COUNTER_ejections), round + 1);
		assert_string_equal(call(&h, false), B);
		wait_ms(&h, out_ms[round] - 1);
		assert_string_equal(call(&h, false), B);
		wait_ms(&h, 1);
		assert_string_equal(call(&h, true), A); /* back, still silent: once is enough now */
	}
	wait_ms(&h, 35000);
	assert_string_equal(call(&h, false), A); /* well again, but not for as long as it was out: three are needed, and it is out for long */
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(call(&h, true), A);
	assert_string_equal(call(&h, false), B);
	wait_ms(&h, 34999);
	assert_string_equal(call(&h, false), B);
	wait_ms(&h, 1);
	assert_string_equal(call(&h, false), A);
	assert_true(live_of(&h, TRUNK_A)->troubled);
	wait_ms(&h, 35000);
	assert_string_equal(call(&h, false), A); /* and now it is forgiven */
	assert_false(live_of(&h, TRUNK_A)->troubled);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(call(&h, true), A);
	assert_string_equal(call(&h, false), B);
	wait_ms(&h, 10000);
	assert_string_equal(call(&h, false), A);
	harness_end(&h);
}

/* What a target does, call after call, and with which call it is out (0: never). Numbers: how many are dialled in turn. */
static void test_what_counts(void **state)
{
	static const struct {
		const char *what, *does[8];
		unsigned numbers, out_with;
		uint16_t status;
		uint8_t reason;
	} cases[] = {
		{ "503 to many", { "5", "5", "5", "5", "5", "5" }, 8, 5, 503, EJECT_FAILURES },
		{ "503 to three numbers", { "5", "5", "5", "5", "5", "5" }, 3, 5, 503, EJECT_FAILURES },
		{ "one bad number", { "5", "5", "5", "5", "5", "5", "5", "5" }, 1, 0, 0, 0 },
		{ "two bad numbers", { "5", "5", "5", "5", "5", "5", "5", "5" }, 2, 0, 0, 0 },
		{ "408 and 500 count as well", { "8", "0", "8", "0", "15", "5" }, 8, 5, 503, EJECT_FAILURES },
		{ "a rejection is an answer", { "5", "5", "5", "5", "4", "5", "5", "5" }, 8, 0, 0, 0 },
		{ "ringing is an answer", { "5", "5", "5", "5", "r4", "5", "5", "5" }, 8, 0, 0, 0 },
		{ "after ringing no failure counts", { "r5", "r5", "r5", "r5", "r5", "r5", "r5", "r5" }, 8, 0, 0, 0 },
		{ "100 is none", { "15", "15", "15", "15", "15", "15" }, 8, 5, 503, EJECT_FAILURES },
		{ "takes the call and hangs", { "1-", "1-", "1-", "1-" }, 1, 3, 0, EJECT_SILENT },
		{ "silence and 503, each not enough", { "5", "-", "5", "-", "5", "5" }, 8, 5, 503, EJECT_FAILURES },
		{ "silence beside one bad number", { "-", "5", "5", "5", "5", "5", "-", "5" }, 1, 0, 0, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned out = 0;
		struct harness h;

		start(&h, &usual);
		for (unsigned k = 0; k < ARRAY_SIZE(cases[i].does) && cases[i].does[k] && !out; k++) {
			if (strcmp(call_to(&h, cases[i].does[k], 100 + k % cases[i].numbers), A) != 0)
				fail_msg("%s: call %u did not go to A", cases[i].what, k + 1);
			if (counter_of(&h, COUNTER_ejections))
				out = k + 1;
		}
		if (out != cases[i].out_with)
			fail_msg("%s: out with call %u, not %u", cases[i].what, out, cases[i].out_with);
		if (out) {
			assert_int_equal(live_of(&h, TRUNK_A)->eject_reason, cases[i].reason);
			assert_int_equal(live_of(&h, TRUNK_A)->eject_status, cases[i].status);
		}
		harness_end(&h);
	}
}

/* Every second call fails: never two in a row, but more than 40 percent of ten in the window. It is watched from its first failure on. What
 * fails after it rang is no failure of the target. */
static void test_share_of_failures(void **state)
{
	struct ejection_config config = usual;
	struct harness h;
	unsigned n = 0;

	config.window_ms = 10000;
	config.window_percent = 40;
	config.window_calls = 10;
	start(&h, &config);
	for (; n < 20 && !counter_of(&h, COUNTER_ejections); n++)
		call_to(&h, n % 2 ? "5" : "4", n);
	assert_int_equal(n, 12);
	assert_int_equal(live_of(&h, TRUNK_A)->eject_reason, EJECT_SHARE);
	assert_int_equal(live_of(&h, TRUNK_A)->eject_count, 6 * 100 / 11);
	harness_end(&h);
	start(&h, &config);
	call_to(&h, "5", 0);
	for (n = 1; n < 20; n++)
		call_to(&h, n % 2 ? "4" : "r5", n);
	assert_int_equal(counter_of(&h, COUNTER_ejections), 0);
	harness_end(&h);
}

/* The failures that an endpoint's ejection found on their way do not double its time, and say nothing of it when it is back. */
static void test_on_the_way(void **state)
{
	struct harness h;

	start(&h, &usual);
	h.knobs.response_timeout_ms = 20000;
	h.knobs.setup_budget_ms = 0; /* nothing cuts them short */
	harness_publish(&h);
	for (unsigned i = 0; i < 3; i++) { /* these wait for 20 s */
		char via[64], call_id[32];

		snprintf(via, sizeof(via), VIA "late%u", i);
		snprintf(call_id, sizeof(call_id), "late-%u", i);
		request_send(&h, &(struct request){ .via = via, .call_id = call_id });
	}
	wait_ms(&h, 1);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(call_to(&h, "5", i), A);
	assert_int_equal(counter_of(&h, COUNTER_ejections), 1);
	wait_ms(&h, 21000); /* back after 10 s; their time is over after 20 */
	assert_int_equal(counter_of(&h, COUNTER_ejections), 1);
	assert_string_equal(call_to(&h, "4", 9), A);
	harness_end(&h);
}

/* A call that its setup budget ends gave its target no time to fail: however many there are, none counts. */
static void test_cut_short(void **state)
{
	struct harness h;

	start(&h, &usual);
	h.knobs.setup_budget_ms = 999; /* of 1000 that a target has */
	harness_publish(&h);
	for (unsigned i = 0; i < 6; i++)
		assert_string_equal(call(&h, true), A);
	assert_int_equal(counter_of(&h, COUNTER_attempt_response_timeout), 6);
	assert_int_equal(counter_of(&h, COUNTER_ejections), 0);
	assert_false(live_of(&h, TRUNK_A)->troubled);
	harness_end(&h);
}

/* Targets that the operator has taken out are not among those of which a share may go. */
static void test_share_of_the_enabled(void **state)
{
	struct ejection_config config = usual;

	config.share_percent = 40; /* one of three, none of two */
	for (unsigned disabled = 0; disabled < 2; disabled++) {
		struct harness h;

		start(&h, &config);
		h.target_disabled[TRUNK_C - TRUNK_A] = disabled;
		harness_publish(&h);
		for (unsigned i = 0; i < 3; i++)
			assert_string_equal(call(&h, true), A);
		assert_int_equal(counter_of(&h, COUNTER_ejections), !disabled);
		assert_int_equal(counter_of(&h, COUNTER_ejections_refused), disabled);
		harness_end(&h);
	}
}

/* Three endpoints: a share of 33% lets none go, 34% one, 100% all of them; where all are out, they are tried all the same, if that is wanted. */
static void test_share(void **state)
{
	static const struct {
		uint32_t after, share;
		bool last_resort;
		unsigned ejected;
	} cases[] = { { 1, 33, true, 0 }, { 1, 34, true, 1 }, { 1, 67, true, 2 }, { 1, 100, true, 3 }, { 1, 100, false, 3 }, { 0, 100, true, 0 } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ejection_config config = { .after = cases[i].after, .first_ms = 10000, .max_ms = 35000, .numbers = 1,
						  .share_percent = cases[i].share, .last_resort = cases[i].last_resort };
		struct harness h;

		start(&h, &config);
		request_send(&h, &(struct request){ 0 });
		wait_ms(&h, 3000); /* A, B and C, each silent */
		h.sent_read = h.sent_count;
		assert_int_equal(counter_of(&h, COUNTER_ejections), cases[i].ejected);
		assert_int_equal(counter_of(&h, COUNTER_ejections_refused), cases[i].after ? 3 - cases[i].ejected : 0);
		if (cases[i].ejected == 3) {
			uint64_t before = counter_of(&h, COUNTER_attempts);

			request_send(&h, &(struct request){ .via = VIA "x", .call_id = "x" });
			assert_int_equal(counter_of(&h, COUNTER_attempts) - before, cases[i].last_resort);
			assert_int_equal(counter_of(&h, COUNTER_last_resort), cases[i].last_resort);
			if (!cases[i].last_resort) {
				expect_response(&h, 100, CALLER);
				expect_response(&h, 500, CALLER);
			}
		}
		harness_end(&h);
	}
}

/* The least bad: whose time is over first, and among those within 5 s of it the strategy's first; never one that probes call down. */
static void test_least_bad(void **state)
{
	static const struct {
		uint32_t out_s[3]; /* A, B, C */
		int down;	   /* trunk, or -1 */
		const char *order[3];
	} cases[] = {
		{ { 60, 20, 40 }, -1, { B, C, A } },
		{ { 24, 20, 40 }, -1, { A, B, C } },
		{ { 60, 20, 40 }, TRUNK_B, { C, A, NULL } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;

		start(&h, &usual);
		for (unsigned k = 0; k < 3; k++)
			endpoint_eject(h.tables->endpoints, h.trunk[TRUNK_A + k].endpoints[0],
				       &(struct ejection){ h.now_ms, h.now_ms + cases[i].out_s[k] * 1000, EJECT_SILENT, 0, 3 });
		if (cases[i].down >= 0)
			endpoint_set_health(h.tables->endpoints, h.trunk[cases[i].down].endpoints[0], ENDPOINT_DOWN, h.now_ms);
		request_send(&h, &(struct request){ 0 });
		for (unsigned k = 0; k < 3 && cases[i].order[k]; k++) {
			const struct sent *s = last_invite(&h);

			assert_string_equal(place_of(s), cases[i].order[k]);
			answer(&h, s, 500, "t", NULL);
		}
		h.sent_read = h.sent_count - 1;
		expect_response(&h, 500, CALLER);
		harness_end(&h);
	}
}

/* Back from an ejection it has few of the calls at first, half of them half way, all of them in the end; the others lose none by it. */
static void test_ramp(void **state)
{
	static const struct {
		uint64_t after_ms;
		unsigned least, most; /* of 400 calls; 4 sigma */
	} steps[] = { { 0, 16, 64 }, { 10000, 160, 240 }, { 18000, 350, 387 }, { 20000, 400, 400 } };
	struct harness h;
	uint64_t back;

	start(&h, &usual);
	endpoints_set_ramp(h.tables->endpoints, 20000);
	for (unsigned i = 0; i < 3; i++)
		call(&h, true);
	assert_int_equal(counter_of(&h, COUNTER_ejections), 1);
	back = h.now_ms + 10000;
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		unsigned there = 0;

		wait_ms(&h, back + steps[i].after_ms - h.now_ms);
		for (unsigned k = 0; k < 400; k++)
			there += strcmp(call(&h, false), A) == 0;
		if (there < steps[i].least || there > steps[i].most)
			fail_msg("%u of 400 after %u ms", there, (unsigned)steps[i].after_ms);
	}
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_ejected_and_back), cmocka_unit_test(test_what_counts), cmocka_unit_test(test_share_of_failures),
	     cmocka_unit_test(test_on_the_way), cmocka_unit_test(test_cut_short), cmocka_unit_test(test_share_of_the_enabled), cmocka_unit_test(test_share),
	     cmocka_unit_test(test_least_bad), cmocka_unit_test(test_ramp))
