/* SPDX-License-Identifier: Apache-2.0 */
/* At each bound a new call gets 503 with Retry-After, calls in progress go on, and nothing is lost afterwards. */
#include "harness.h"

/* Runs calls of all sorts at once against whatever memory there is: what is asserted is that each caller hears something in the end, and
 * (harness_end) that all memory comes back. */
static unsigned storm(struct harness *h, unsigned calls, unsigned seed)
{
	unsigned refused = 0, read = h->sent_read;
	char via[80], id[20];

	random_state = seed;
	for (unsigned i = 0; i < calls; i++) {
		const char *const methods[] = { "INVITE", "INVITE", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE" };
		struct request r = { .via = via, .call_id = id, .method = methods[random_next() % ARRAY_SIZE(methods)] };

		snprintf(via, sizeof(via), VIA "-%u-%u", seed, i);
		snprintf(id, sizeof(id), "storm-%u-%u", seed, i);
		request_send(h, &r);
		if (random_next() % 8 == 0)
			cancel_send(h, &r);
		wait_ms(h, random_next() % 40);
		while (read < h->sent_count) {
			const struct sent *s = h->sent[read++];
			static const unsigned codes[] = { 0, 100, 180, 200, 302, 404, 408, 486, 487, 500, 503, 603 };
			struct sip_message *m = sent_view(s);

			if (!m->is_request && m->status == 503 && sent_lines(s, "Retry-After"))
				refused++;
			if (m->is_request && m->method == SIP_CANCEL)
				answer(h, s, 200, NULL, NULL);
			else if (m->is_request && m->method != SIP_ACK)
				for (unsigned k = random_next() % 3; k; k--) {
					unsigned code = codes[random_next() % ARRAY_SIZE(codes)];

					if (code)
						answer(h, s, code, "t", NULL);
				}
		}
	}
	h->sent_read = h->sent_count;
	return refused;
}

static void test_storms(void **state)
{
	static const struct harness_options bounds[] = {
		{ 0 },
		{ .max_transactions = 1 }, { .max_transactions = 2 }, { .max_transactions = 3 }, { .max_transactions = 7 },
		{ .max_calls = 1 }, { .max_calls = 2 }, { .max_calls = 5 },
		{ .max_transactions = 50, .max_in_progress = 2 },
		{ .max_transactions = 20, .max_in_progress = 7 },
		{ .tiny_memory = true },
		{ .max_transactions = 5, .max_calls = 3, .tiny_memory = true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bounds); i++)
		for (unsigned seed = 1; seed <= 4; seed++) {
			struct harness h;
			unsigned refused;

			harness_start(&h, &bounds[i]);
			if (seed % 2)
				h.strategy = STRATEGY_SIMULTANEOUS_RING;
			h.knobs.response_timeout_ms = 300;
			harness_publish(&h);
			refused = storm(&h, 200, seed * 1000 + i);
			if (i == 0)
				assert_int_equal(refused, 0);
			else
				assert_true(refused > 0);
			assert_int_equal(counter_of(&h, COUNTER_refused_full), refused);
			harness_end(&h);
		}
}

/* The same with every n-th buffer refused. */
static unsigned countdown, every;
static uint8_t *(*real_reserve)(void *ctx, uint32_t bytes, const struct flow *to);

static uint8_t *stingy_reserve(void *ctx, uint32_t bytes, const struct flow *to)
{
	if (every && ++countdown % every == 0)
		return NULL;
	return real_reserve(ctx, bytes, to);
}

static void test_no_buffers(void **state)
{
	for (unsigned n = 1; n <= 12; n++) {
		struct harness h;

		harness_start(&h, NULL);
		real_reserve = h.config.outbox.reserve;
		h.config.outbox.reserve = stingy_reserve;
		proxy_free(h.proxy);
		h.proxy = proxy_new(&h.config, h.now_ms);
		every = n;
		storm(&h, 200, n);
		every = 0;
		harness_end(&h);
	}
}

static void expect_full(struct harness *h, const char *to)
{
	const struct sent *s = expect_response(h, 503, to);

	assert_string_equal(sent_header(s, "Retry-After", 0), "5");
}

/* The bounds themselves: exactly as many as configured, and again when one has gone. */
static void test_transactions(void **state)
{
	struct harness h;
	const struct sent *first = NULL;
	struct request r = { .via = VIA, .call_id = "c0" };
	char via[64], id[16];

	harness_start(&h, &(struct harness_options){ .max_transactions = 4 });
	for (unsigned i = 0; i < 5; i++) {
		snprintf(via, sizeof(via), VIA "%u", i);
		snprintf(id, sizeof(id), "c%u", i);
		r.via = via;
		r.call_id = id;
		request_send(&h, &r);
		if (i < 4) {
			expect_response(&h, 100, CALLER);
			first = first ? first : expect_request(&h, "INVITE", A);
			h.sent_read = h.sent_count;
		}
	}
	expect_full(&h, CALLER);
	answer(&h, first, 404, "t", NULL);
	expect_request(&h, "ACK", A);
	r.via = VIA "0";
	r.call_id = "c0";
	ack_send(&h, &r, expect_response(&h, 404, CALLER));
	r.via = VIA "5";
	request_send(&h, &r);
	expect_full(&h, CALLER); /* I, 5 s, and D, 32 s, hold the slot */
	wait_ms(&h, 4000);
	h.sent_read = h.sent_count;
	harness_end(&h);
}

/* What is in progress has a bound of its own; what is answered leaves that, and counts among all alone. */
static void test_in_progress(void **state)
{
	struct harness h;
	char via[64], id[16];
	struct request r = { .via = via, .call_id = id };

	harness_start(&h, &(struct harness_options){ .max_transactions = 6, .max_in_progress = 2 });
	for (unsigned i = 0; i < 8; i++) {
		static const struct sent *invites[2];

		snprintf(via, sizeof(via), VIA "%u", i);
		snprintf(id, sizeof(id), "c%u", i);
		request_send(&h, &r);
		if (i >= 6) { /* six linger */
			expect_full(&h, CALLER);
			continue;
		}
		expect_response(&h, 100, CALLER);
		invites[i % 2] = expect_request(&h, "INVITE", A);
		if (i % 2 == 0)
			continue;
		request_send(&h, &(struct request){ .via = VIA "x", .call_id = "x" });
		expect_full(&h, CALLER);
		for (unsigned k = 0; k < 2; k++) {
			answer(&h, invites[k], 200, "t", NULL);
			expect_response(&h, 200, CALLER);
		}
	}
	harness_end(&h);
}

/* Attempts that were given up hold their slots; when none is left a new call hears 503, not 500. */
static void test_attempts(void **state)
{
	struct harness h;

	harness_start(&h, &(struct harness_options){ .max_transactions = 2 }); /* so four attempts */
	request_send(&h, &(struct request){ .call_id = "1", .via = VIA "1" });
	wait_ms(&h, 12000); /* three of them */
	h.sent_read = h.sent_count - 1;
	expect_response(&h, 408, CALLER);
	ack_send(&h, &(struct request){ .call_id = "1", .via = VIA "1" }, h.sent[h.sent_count - 1]);
	request_send(&h, &(struct request){ .call_id = "2", .via = VIA "2" });
	expect_response(&h, 100, CALLER);
	expect_request(&h, "INVITE", A);
	request_send(&h, &(struct request){ .call_id = "3", .via = VIA "3" });
	expect_full(&h, CALLER);
	harness_end(&h);
}

static void test_calls(void **state)
{
	struct harness h;
	struct dialog d;

	harness_start(&h, &(struct harness_options){ .max_calls = 1 });
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	request_send(&h, &(struct request){ .call_id = "2", .via = VIA "2" });
	expect_full(&h, CALLER);
	request_send(&h, &(struct request){ .call_id = "3", .via = VIA "3", .method = "OPTIONS" }); /* no call */
	expect_request(&h, "OPTIONS", A);
	dialog_close(&h, &d);
	request_send(&h, &(struct request){ .call_id = "2", .via = VIA "4" });
	expect_response(&h, 100, CALLER);
	expect_request(&h, "INVITE", A);
	harness_end(&h);
}

/* The largest datagrams there are; what does not fit after our edits fails with an answer, not with a cut message. */
static void test_large(void **state)
{
	static char body[66000], headers[66000], text[70000];

	for (unsigned len = 60000; len < 65600; len += 61) {
		struct harness h;
		struct request r = { .body = body };
		size_t n;

		memset(body, 'b', len);
		body[len] = 0;
		n = strlen(strcpy(text, request_text(&r)));
		if (n > 65507)
			break;
		harness_start(&h, NULL);
		send_bytes(&h, CALLER, US, text, (uint32_t)n);
		expect_response(&h, 100, CALLER);
		if (h.sent_read < h.sent_count && sent_view(h.sent[h.sent_read])->is_request) {
			const struct sent *s = expect_request(&h, "INVITE", A);

			assert_true(s->len > n);
			answer(&h, s, 486, "t", NULL);
			expect_request(&h, "ACK", A);
			expect_response(&h, 486, CALLER);
		} else {
			expect_response(&h, 500, CALLER);
		}
		harness_end(&h);
	}
	/* a head that large, which our own answers copy */
	for (unsigned via = 0; via < 2; via++) {
		struct harness h;
		size_t n = 0;

		for (unsigned i = 0; i < (via ? 1000 : 1500); i++)
			n += (size_t)sprintf(headers + n, via ? "Via: SIP/2.0/UDP host%u.example;branch=z9hG4bK%u\r\n" : "X-%u: some text for %u\r\n", i, i);
		harness_start(&h, &(struct harness_options){ .server_name = "A name of some length that is cut at sixty-four characters, as it says" });
		request_send(&h, &(struct request){ .headers = headers });
		request_send(&h, &(struct request){ .headers = headers, .uri = "sip:nobody@x", .via = VIA "2" });
		assert_true(h.sent_count > 1);
		h.sent_read = h.sent_count;
		harness_end(&h);
	}
}

/* Fields that grow under our edits: nothing is written past any buffer, whatever the length. */
static void test_long_fields(void **state)
{
	static char uri[5000], branch[5000], option[9000], call_id[5000];

	for (unsigned len = 1; len < 4000; len += len < 300 ? 1 : 97) {
		struct harness h;
		unsigned before;

		memset(uri, 0, sizeof(uri));
		memcpy(uri, "tel:+44", 7);
		memset(uri + 7, '-', len);
		sprintf(branch, "SIP/2.0/UDP pc;rport;branch=z9hG4bK%0*u", (int)len, 1);
		sprintf(option, "Proxy-Require: a%0*u, b, c%0*u\r\n", (int)len, 1, (int)len / 2, 2);
		sprintf(call_id, "%0*u", (int)len, 7);
		harness_start(&h, NULL);
		request_send(&h, &(struct request){ .uri = uri, .via = branch, .call_id = call_id });
		request_send(&h, &(struct request){ .headers = option, .via = VIA "2" });
		request_send(&h, &(struct request){ .uri = uri, .call_id = call_id, .from = "<sip:a@b>" });
		for (before = h.sent_count; before--;)
			sent_view(h.sent[before]); /* all can be read */
		if (h.sent_count < 5)
			fail_msg("length %u: %u messages", len, h.sent_count);
		h.sent_read = h.sent_count;
		harness_end(&h);
	}
}

HARNESS_MAIN(cmocka_unit_test(test_storms), cmocka_unit_test(test_no_buffers), cmocka_unit_test(test_transactions), cmocka_unit_test(test_in_progress),
	     cmocka_unit_test(test_attempts), cmocka_unit_test(test_calls), cmocka_unit_test(test_large), cmocka_unit_test(test_long_fields))
