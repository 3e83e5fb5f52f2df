/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors that quote our packets, and who owns what comes in. */
#include "harness.h"
#include "sip/branch.h"

static void icmp(struct harness *h, const struct sent *quoted, uint32_t len, const char *to)
{
	struct ip_port addr = addr_of(to);
	uint8_t *exact;

	len = len < quoted->len ? len : quoted->len;
	exact = malloc(len ? len : 1);
	memcpy(exact, quoted->data, len);
	proxy_icmp_error(h->proxy, exact, len, &addr, h->now_ms);
	free(exact);
}

static void test_refused(void **state)
{
	static const struct {
		const char *what, *to;
		uint32_t quoted;
		bool counts;
	} cases[] = {
		{ "whole", A, 65535, true },	       { "cut behind the branch", A, 200, true },
		{ "cut in the branch", A, 100, false }, { "nothing of it", A, 0, false },
		{ "of another host", B, 65535, false }, { "of another port", "10.2.0.1:5061", 65535, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		const struct sent *invite;

		harness_start(&h, NULL);
		request_send(&h, &(struct request){ 0 });
		expect_response(&h, 100, CALLER);
		invite = expect_request(&h, "INVITE", A);
		icmp(&h, invite, cases[i].quoted, cases[i].to);
		if ((h.sent_count > h.sent_read) != cases[i].counts)
			fail_msg("%s", cases[i].what);
		assert_int_equal(counter_of(&h, COUNTER_icmp_errors_matched), cases[i].counts);
		if (cases[i].counts) {
			expect_request(&h, "INVITE", B);
			icmp(&h, invite, 65535, A); /* once more: its slot is free or another's */
			expect_nothing(&h);
			answer(&h, invite, 200, "t", NULL);
			expect_nothing(&h);
			assert_int_equal(counter_of(&h, COUNTER_responses_stale), 1);
		}
		harness_end(&h);
	}
}

/* Wherever the transaction stands, an error that quotes it leaves no trace too many. */
static void test_any_state(void **state)
{
	static const unsigned answers[] = { 0, 100, 180, 200, 404, 500 };

	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++)
		for (unsigned cancel = 0; cancel < 2; cancel++)
			for (unsigned parallel = 0; parallel < 2; parallel++) {
				struct harness h;
				struct request r = { 0 };
				const struct sent *invite;

				harness_start(&h, NULL);
				h.strategy = parallel ? STRATEGY_SIMULTANEOUS_RING : STRATEGY_FAILOVER;
				harness_publish(&h);
				request_send(&h, &r);
				expect_response(&h, 100, CALLER);
				invite = expect_request(&h, "INVITE", A);
				if (answers[i])
					answer(&h, invite, answers[i], "t", NULL);
				if (cancel)
					cancel_send(&h, &r);
				for (unsigned k = 0, n = h.sent_count; k < n; k++)
					if (sent_view(h.sent[k])->is_request) {
						char to[IP_PORT_TEXT_MAX];

						ip_port_format(&h.sent[k]->to.remote, to);
						icmp(&h, h.sent[k], 65535, to);
					}
				wait_ms(&h, 500);
				harness_end(&h);
			}
}

/* An endpoint that refused is left alone for two seconds. */
static void test_left_alone(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	icmp(&h, expect_request(&h, "INVITE", A), 65535, A);
	expect_request(&h, "INVITE", B);
	request_send(&h, &(struct request){ .via = VIA "2", .call_id = "2" });
	expect_response(&h, 100, CALLER);
	expect_request(&h, "INVITE", B);
	wait_ms(&h, 2000);
	h.sent_read = h.sent_count;
	request_send(&h, &(struct request){ .via = VIA "3", .call_id = "3" });
	expect_response(&h, 100, CALLER);
	expect_request(&h, "INVITE", A);
	harness_end(&h);
}

static void test_owner(void **state)
{
	struct harness h;
	const struct sent *invite;
	struct cmac branch_mac;
	char text[200];
	unsigned share[4] = { 0 }, owner;

	harness_start(&h, NULL);
	h.config.worker = 3;
	proxy_free(h.proxy);
	h.proxy = proxy_new(&h.config, h.now_ms);
	branch_key(&branch_mac, &h.config.branch_key);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	for (unsigned self = 0; self < 4; self++) {
		const char *response = answer_text(invite, 180, "t", NULL);

		assert_int_equal(proxy_owner(&h.config.call_key, &branch_mac, 4, self, (const uint8_t *)response,
					     (uint32_t)strlen(response)), 3);
		assert_int_equal(proxy_owner_quoted(&branch_mac, 4, self, invite->data, invite->len), 3);
		assert_int_equal(proxy_owner_quoted(&branch_mac, 4, self, invite->data, 60), self);
		/* fewer workers than the branch says: a branch of another life */
		owner = proxy_owner(&h.config.call_key, &branch_mac, 2, self % 2, (const uint8_t *)response, (uint32_t)strlen(response));
		assert_true(owner < 2);
		assert_int_equal(proxy_owner(&h.config.call_key, &branch_mac, 4, self, (const uint8_t *)"\r\n\r\n", 4), self);
		assert_int_equal(proxy_owner(&h.config.call_key, &branch_mac, 1, 0, (const uint8_t *)"x", 1), 0);
	}
	/* requests of one call meet; calls are spread */
	for (unsigned i = 0; i < 4000; i++) {
		unsigned a, b;

		snprintf(text, sizeof(text), "INVITE sip:x SIP/2.0\r\nVia: " VIA "\r\nCall-ID: c%u\r\n\r\n", i);
		a = proxy_owner(&h.config.call_key, &branch_mac, 4, 0, (uint8_t *)text, (uint32_t)strlen(text));
		snprintf(text, sizeof(text), "BYE sip:y SIP/2.0\r\ni:c%u  \r\nVia: " VIA "x\r\n\r\n", i);
		b = proxy_owner(&h.config.call_key, &branch_mac, 4, 1, (uint8_t *)text, (uint32_t)strlen(text));
		assert_int_equal(a, b);
		share[a]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(share[i], 850, 1150);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_refused), cmocka_unit_test(test_any_state), cmocka_unit_test(test_left_alone),
	     cmocka_unit_test(test_owner))
