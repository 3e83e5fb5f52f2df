/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control plane's own: sent and retransmitted like any, and each ends in just one result. */
#include "harness.h"
#include "tables/probe.h"

#define HEAD  "OPTIONS sip:10.2.0.1:5060 SIP/2.0\r\n"
#define REST  "Max-Forwards: 70\r\nFrom: <sip:strowger@10.0.0.1>;tag=p\r\nTo: <sip:10.2.0.1>\r\nCall-ID: probe-1\r\nCSeq: 1 OPTIONS\r\n" \
	      "Content-Length: 0\r\n\r\n"

static struct probe_result result;
static unsigned results;
static uint64_t result_started;

static void done(void *ctx, const struct probe_result *r, uint64_t started)
{
	result = *r;
	result_started = started;
	results++;
}

static void start(struct harness *h)
{
	harness_start(h, NULL);
	proxy_free(h->proxy);
	h->config.probe_done = done;
	h->proxy = proxy_new(&h->config, h->now_ms);
	results = 0;
}

static void probe(struct harness *h, const char *to, const char *message, uint32_t timeout_ms)
{
	struct probe_request r = { .id = 99, .to = addr_of(to), .transport = transport_of(to), .timeout_ms = timeout_ms, .len = (uint16_t)strlen(message) };

	memcpy(r.message, message, r.len);
	proxy_probe(h->proxy, &r, 7, h->now_ms);
}

static void test_answered(void **state)
{
	static const struct {
		unsigned status;
		const char *headers;
		uint32_t pause_s;
	} cases[] = {
		{ 200, NULL, 0 }, { 404, NULL, 0 }, { 503, NULL, 0 }, { 503, "Retry-After: 7\r\n", 7 },
		{ 503, "Retry-After: 600 (tea)\r\n", 60 }, { 200, "Retry-After: 7\r\n", 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sent *s;
		struct harness h;

		start(&h);
		probe(&h, A, HEAD REST, 2000);
		s = expect_request(&h, "OPTIONS", A);
		assert_memory_equal(s->data, HEAD "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK", strlen(HEAD) + 45);
		assert_memory_equal(s->data + s->len - strlen(REST), REST, strlen(REST));
		assert_int_equal(wait_sent(&h), 500); /* timer E */
		assert_true(sent_equal(s, expect_request(&h, "OPTIONS", A)));
		answer(&h, s, 100, NULL, NULL);
		assert_int_equal(results, 0);
		answer(&h, s, cases[i].status, "t", cases[i].headers);
		assert_int_equal(results, 1);
		assert_int_equal(result.id, 99);
		assert_int_equal(result.status, cases[i].status);
		assert_int_equal(result.retry_after_s, cases[i].pause_s);
		assert_int_equal(result.retry_after, cases[i].pause_s > 0);
		assert_false(result.timeout || result.refused);
		assert_int_equal(result_started, 7);
		answer(&h, s, 200, "t", NULL); /* again: nobody waits for it */
		assert_int_equal(counter_of(&h, COUNTER_responses_stale), 1);
		wait_ms(&h, 5000);
		expect_nothing(&h);
		harness_end(&h);
		assert_int_equal(results, 1);
	}
}

/* Who did not get the request cannot answer it, though he may have seen it: another address, unless it is one that the peer's trunk calls
 * from; another method in CSeq; a message that is none. Each leaves the probe waiting. */
static void test_hostile(void **state)
{
	const struct sent *s;
	struct harness h;
	char text[2000];

	start(&h);
	probe(&h, A, HEAD REST, 2000);
	s = expect_request(&h, "OPTIONS", A);
	send_text(&h, "192.0.2.66:5060", answer_text(s, 200, "t", NULL));
	assert_int_equal(results, 0);
	assert_int_equal(counter_of(&h, COUNTER_responses_stray), 1);
	snprintf(text, sizeof(text), "%s", answer_text(s, 200, "t", NULL));
	memcpy(strstr(text, "1 OPTIONS"), "1 OPTIONZ", 9);
	send_text(&h, A, text);
	assert_int_equal(results, 0);
	assert_int_equal(counter_of(&h, COUNTER_responses_stray), 2);
	snprintf(text, sizeof(text), "%s", answer_text(s, 200, "t", NULL));
	memcpy(strstr(text, "CSeq"), "XXXX", 4);
	send_text(&h, A, text);
	assert_int_equal(results, 0);
	send_text(&h, A, answer_text(s, 200, "t", NULL));
	assert_int_equal(results, 1);
	assert_int_equal(result.status, 200);
	harness_end(&h);
}

/* What the control plane gets of an answer that is no 2xx: its head, in whole lines, as much as there is room for. */
static void test_answer_is_kept(void **state)
{
	const struct sent *s;
	struct harness h;
	char text[2000];

	start(&h);
	probe(&h, A, HEAD REST, 2000);
	answer(&h, expect_request(&h, "OPTIONS", A), 200, "t", NULL);
	assert_int_equal(result.answer_len, 0);
	probe(&h, A, HEAD REST, 2000);
	s = expect_request(&h, "OPTIONS", A);
	answer(&h, s, 503, "t", "Retry-After: 7\r\nWarning: 399 x \"y\"\r\n");
	assert_true(result.answer_len > 100);
	assert_memory_equal(result.answer, "SIP/2.0 503 ", 12);
	assert_non_null(memmem(result.answer, result.answer_len, "\r\nRetry-After: 7\r\n", 18));
	assert_int_equal(result.answer[result.answer_len - 1], '\n');
	probe(&h, A, HEAD REST, 2000);
	s = expect_request(&h, "OPTIONS", A);
	for (unsigned n = 0; n < 30; n++)
		snprintf(text + 28 * n, sizeof(text) - 28 * n, "X-Filler: %016u\r\n", n);
	answer(&h, s, 503, "t", text);
	assert_in_range(result.answer_len, PROBE_ANSWER_MAX - 28, PROBE_ANSWER_MAX);
	assert_int_equal(result.answer[result.answer_len - 1], '\n');
	harness_end(&h);
}

static void test_unanswered(void **state)
{
	struct ip_port a = addr_of(A);
	const struct sent *s;
	struct harness h;

	start(&h);
	probe(&h, A, HEAD REST, 1200);
	s = expect_request(&h, "OPTIONS", A);
	wait_ms(&h, 1199);
	assert_int_equal(results, 0);
	wait_ms(&h, 1);
	assert_int_equal(results, 1);
	assert_true(result.timeout);
	assert_int_equal(h.sent_count, 2);
	h.sent_read = h.sent_count;
	answer(&h, s, 200, "t", NULL);
	assert_int_equal(results, 1);

	probe(&h, A, HEAD REST, 2000);
	s = expect_request(&h, "OPTIONS", A);
	proxy_icmp_error(h.proxy, s->data, s->len, &a, h.now_ms);
	assert_int_equal(results, 2);
	assert_true(result.refused);

	h.unreachable = A;
	probe(&h, A, HEAD REST, 2000);
	assert_int_equal(results, 3);
	assert_true(result.refused);
	h.unreachable = NULL;

	probe(&h, A, HEAD REST, 60000); /* timer F is the end of it */
	wait_ms(&h, 32000);
	assert_int_equal(results, 4);
	assert_true(result.timeout);
	h.sent_read = h.sent_count;
	harness_end(&h);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"INVITE sip:x SIP/2.0\r\n" REST, "ACK sip:x SIP/2.0\r\n" REST, "CANCEL sip:x SIP/2.0\r\n" REST, "OPTIONS", "",
	};
	struct harness h;

	start(&h);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		probe(&h, A, bad[i], 1000);
		assert_int_equal(results, i + 1);
		assert_true(result.unsent && !result.refused);
	}
	probe(&h, "[fd01::9]:5060", HEAD REST, 1000);
	expect_request(&h, "OPTIONS", "[fd01::9]:5060");
	h.config.listener_count = 1; /* IPv4 alone */
	proxy_free(h.proxy);
	h.proxy = proxy_new(&h.config, h.now_ms);
	probe(&h, "[fd01::9]:5060", HEAD REST, 1000);
	assert_true(result.refused && !result.unsent);
	expect_nothing(&h);
	harness_end(&h);
}

/* By TCP it is sent once, from our TCP listener; what its connection did not deliver has failed at once. */
static void test_by_tcp(void **state)
{
	static const bool undelivered[] = { false, true };

	for (unsigned i = 0; i < ARRAY_SIZE(undelivered); i++) {
		const struct sent *s;
		struct harness h;

		start(&h);
		probe(&h, "tcp:" A, HEAD REST, 2000);
		s = expect_request(&h, "OPTIONS", "tcp:" A);
		assert_memory_equal(s->data, HEAD "Via: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bK", strlen(HEAD) + 45);
		wait_ms(&h, 1900);
		expect_nothing(&h);
		assert_int_equal(results, 0);
		if (undelivered[i])
			proxy_undelivered(h.proxy, s->data, s->len, &s->to.remote, NULL, h.now_ms);
		else
			answer(&h, s, 200, "t", NULL);
		assert_int_equal(results, 1);
		assert_int_equal(result.refused, undelivered[i]);
		assert_int_equal(result.status, undelivered[i] ? 0 : 200);
		harness_end(&h);
	}
}

/* What did not get there for a reason of its own is not tried again, and says it. */
static void test_reason(void **state)
{
	const struct sent *s;
	struct harness h;

	start(&h);
	probe(&h, "tcp:" A, HEAD REST, 2000);
	s = expect_request(&h, "OPTIONS", "tcp:" A);
	proxy_undelivered(h.proxy, s->data, s->len, &s->to.remote, "certificate expired 2026-11-20", h.now_ms);
	expect_nothing(&h);
	assert_int_equal(results, 1);
	assert_true(result.refused && !result.timeout && !result.status);
	assert_int_equal(result.answer_len, strlen("certificate expired 2026-11-20"));
	assert_memory_equal(result.answer, "certificate expired 2026-11-20", result.answer_len);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_reason), cmocka_unit_test(test_by_tcp), cmocka_unit_test(test_answered), cmocka_unit_test(test_hostile),
	     cmocka_unit_test(test_answer_is_kept), cmocka_unit_test(test_unanswered), cmocka_unit_test(test_refused))
