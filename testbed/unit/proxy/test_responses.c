/* SPDX-License-Identifier: Apache-2.0 */
/* Responses on their way back, hop by hop ACKs, and what retransmissions of either side meet. */
#include "harness.h"

static const struct sent *begin(struct harness *h, const struct request *r)
{
	request_send(h, r);
	expect_response(h, 100, CALLER);
	return expect_request(h, "INVITE", A);
}

/* Everything but our Via comes out as it went in, however the Vias are written. */
static void test_as_written(void **state)
{
	static const struct {
		const char *in, *out; /* the part between start line and From; %s: our Via */
	} cases[] = {
		{ "Via: %s\r\nVia: " VIA "\r\n", "Via: " VIA "\r\n" },
		{ "v:%s,  " VIA "\r\n", "v:" VIA "\r\n" },
		{ "Via: %s\r\n  , " VIA " , SIP/2.0/TCP x\r\n", "Via: " VIA " , SIP/2.0/TCP x\r\n" },
		{ "X-First: 1\r\nvia : %s\r\nX:  y \r\nvia:\t" VIA "\r\n", "X-First: 1\r\nX:  y \r\nvia:\t" VIA "\r\n" },
	};
#define TAIL "f:<sip:caller@10.1.0.1>;tag=from\r\nt:  <sip:callee@10.0.0.1>;tag=t\r\ni: call-1\r\nCSeq:1 INVITE\r\nOdd  : \xff\x80,,;\r\n\t x\r\nl:3\r\n\r\n\0\n\xff"

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		for (unsigned status = 183; status < 500; status += 17) { /* 183, 200, 217, ... */
			char head[1024], in[2048], want[2048];
			struct harness h;
			const struct sent *s, *invite;
			int n, m;

			harness_start(&h, NULL);
			invite = begin(&h, &(struct request){ 0 });
			snprintf(head, sizeof(head), cases[i].in, sent_header(invite, "Via", 0));
			n = snprintf(in, sizeof(in), "SIP/2.0  %u   odd \xe9 reason\r\n%s", status, head);
			memcpy(in + n, TAIL "beyond the length", sizeof(TAIL) + 16);
			m = snprintf(want, sizeof(want), "SIP/2.0  %u   odd \xe9 reason\r\n%s", status, cases[i].out);
			memcpy(want + m, TAIL, sizeof(TAIL) - 1);
			send_bytes(&h, A, US, in, (uint32_t)n + sizeof(TAIL) + 16);
			if (h.sent_count == 2) { /* white space that a status line must not have */
				assert_int_equal(counter_of(&h, COUNTER_sip_bad_dropped), 1);
				harness_end(&h);
				n = snprintf(in, sizeof(in), "SIP/2.0 %u odd \xe9 reason\r\n%s", status, head);
				memcpy(in + n, TAIL "beyond the length", sizeof(TAIL) + 16);
				m = snprintf(want, sizeof(want), "SIP/2.0 %u odd \xe9 reason\r\n%s", status, cases[i].out);
				memcpy(want + m, TAIL, sizeof(TAIL) - 1);
				harness_start(&h, NULL);
				begin(&h, &(struct request){ 0 });
				send_bytes(&h, A, US, in, (uint32_t)n + sizeof(TAIL) + 16);
			}
			if (status >= 300)
				expect_request(&h, "ACK", A);
			s = expect_response(&h, status, CALLER);
			if (s->len != (uint32_t)m + sizeof(TAIL) - 1 || memcmp(s->data, want, s->len))
				fail_msg("case %u, %u: sent\n%.*s", i, status, (int)s->len, (const char *)s->data);
			harness_end(&h);
		}
}

/* Non-2xx: ACKed hop by hop each time it comes; kept and repeated upstream until the ACK (G), then silence; H without one. */
static void test_hop_by_hop(void **state)
{
	for (unsigned acked = 0; acked < 2; acked++) {
		struct harness h;
		struct request r = { .headers = "Route: <sip:10.0.0.1;lr>\r\n" };
		const struct sent *invite, *ack, *final, *again;
		uint64_t t = 500;

		harness_start(&h, NULL);
		invite = begin(&h, &r);
		answer(&h, invite, 404, "tt", NULL);
		ack = expect_request(&h, "ACK", A);
		assert_string_equal(sent_uri(ack), sent_uri(invite));
		assert_string_equal(sent_header(ack, "Via", 0), sent_header(invite, "Via", 0));
		assert_int_equal(sent_lines(ack, "Via"), 1);
		assert_string_equal(sent_header(ack, "To", 0), "<sip:callee@10.0.0.1>;tag=tt");
		assert_string_equal(sent_header(ack, "From", 0), "<sip:caller@10.1.0.1>;tag=from");
		assert_string_equal(sent_header(ack, "CSeq", 0), "1 ACK");
		assert_string_equal(sent_header(ack, "Call-ID", 0), "call-1");
		assert_int_equal(sent_lines(ack, "Route"), 0);
		final = expect_response(&h, 404, CALLER);
		answer(&h, invite, 404, "tt", NULL);
		assert_true(sent_equal(ack, expect_request(&h, "ACK", A)));
		expect_nothing(&h);
		for (unsigned i = 0; i < 5; i++) {
			assert_int_equal(wait_sent(&h), t);
			again = expect_response(&h, 404, CALLER);
			assert_true(sent_equal(final, again));
			t = 2 * t < 4000 ? 2 * t : 4000;
		}
		if (acked) {
			ack_send(&h, &r, final);
			ack_send(&h, &r, final);
			assert_int_equal(counter_of(&h, COUNTER_acks_absorbed), 2);
			wait_ms(&h, 40000);
			expect_nothing(&h);
		} else {
			wait_ms(&h, 60000);
			assert_int_equal(h.sent_count - h.sent_read, 5); /* up to H */
			h.sent_read = h.sent_count;
		}
		harness_end(&h);
	}
}

static void test_provisionals(void **state)
{
	static const unsigned each[] = { 180, 181, 183, 183, 199, 155 };
	struct harness h;
	const struct sent *invite, *s;

	harness_start(&h, NULL);
	invite = begin(&h, &(struct request){ 0 });
	answer(&h, invite, 100, NULL, NULL);
	expect_nothing(&h);
	for (unsigned i = 0; i < ARRAY_SIZE(each); i++) {
		answer(&h, invite, each[i], "t", "Require: 100rel\r\nRSeq: 1\r\n");
		s = expect_response(&h, each[i], CALLER);
		assert_string_equal(sent_header(s, "RSeq", 0), "1");
		assert_int_equal(sent_lines(s, "Record-Route"), 1);
	}
	answer(&h, invite, 200, "t", NULL);
	expect_response(&h, 200, CALLER);
	answer(&h, invite, 180, "t", NULL); /* out of order: too late */
	expect_nothing(&h);
	harness_end(&h);
}

/* Responses that fit nothing are dropped and counted. */
static void test_strays(void **state)
{
	static const struct {
		const char *what, *from, *to;
		enum counter counter;
	} cases[] = {
		{ "a letter of our branch", "branch=z9hG4bKt", "branch=z9hG4bKta", COUNTER_responses_stray },
		{ "another method", "CSeq: 1 INVITE", "CSeq: 1 BYE", COUNTER_responses_stray },
		{ "CANCEL that was never sent", "CSeq: 1 INVITE", "CSeq: 1 CANCEL", COUNTER_responses_stray },
		{ "the Via below ours is lost", "Via: " VIA "\r\n", "", COUNTER_responses_stray },
		{ "no status", "SIP/2.0 200", "SIP/2.0 20", COUNTER_sip_bad_dropped },
		{ "a status of 700", "SIP/2.0 200", "SIP/2.0 700", COUNTER_sip_bad_dropped },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		const struct sent *invite;
		char text[4096], *in, *at;

		harness_start(&h, NULL);
		invite = begin(&h, &(struct request){ 0 });
		in = answer_text(invite, 200, "t", NULL);
		at = strstr(in, cases[i].from);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - in), in, cases[i].to, at + strlen(cases[i].from));
		send_text(&h, A, text);
		if (h.sent_count != h.sent_read || counter_of(&h, cases[i].counter) != 1)
			fail_msg("%s", cases[i].what);
		answer(&h, invite, 200, "t", NULL); /* the call is none the worse */
		expect_response(&h, 200, CALLER);
		harness_end(&h);
	}
}

/* A flipped bit in the branch does not pass its MAC. */
static void test_forged(void **state)
{
	struct harness h;
	const struct sent *invite;
	unsigned dropped = 0;

	harness_start(&h, NULL);
	invite = begin(&h, &(struct request){ 0 });
	for (unsigned i = 0; i < 24; i++) {
		char *text = answer_text(invite, 200, "t", NULL), *at = strstr(text, "branch=z9hG4bKt") + 15 + i;

		*at = *at == 'a' ? 'b' : 'a';
		send_text(&h, A, text);
		expect_nothing(&h);
		dropped++;
	}
	assert_int_equal(counter_of(&h, COUNTER_responses_forged) + counter_of(&h, COUNTER_responses_stray), dropped);
	assert_true(counter_of(&h, COUNTER_responses_forged) >= 20);
	harness_end(&h);
}

/* No buffer just when an answer was to be sent: it is sent when its turn comes again. */
static void test_no_buffer(void **state)
{
	struct harness h;
	struct request r = { 0 }, o = { .method = "OPTIONS", .via = VIA "o" };
	const struct sent *invite;

	harness_start(&h, NULL);
	invite = begin(&h, &r);
	h.outbox_full = true;
	answer(&h, invite, 404, "t", NULL);
	h.outbox_full = false;
	expect_nothing(&h);
	assert_int_equal(wait_sent(&h), 500);
	ack_send(&h, &r, expect_response(&h, 404, CALLER));
	answer(&h, invite, 404, "t", NULL);
	expect_request(&h, "ACK", A);

	request_send(&h, &o);
	invite = expect_request(&h, "OPTIONS", A);
	h.outbox_full = true;
	answer(&h, invite, 200, "t", NULL);
	h.outbox_full = false;
	request_send(&h, &o);
	expect_response(&h, 200, CALLER);

	r.via = VIA "2";
	h.outbox_full = true;
	request_send(&h, &r);
	h.outbox_full = false;
	expect_nothing(&h);
	request_send(&h, &r);
	expect_response(&h, 100, CALLER);
	assert_int_equal(wait_sent(&h), 500);
	invite = expect_request(&h, "INVITE", A);
	answer(&h, invite, 200, "t", NULL);
	expect_response(&h, 200, CALLER);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_as_written), cmocka_unit_test(test_hop_by_hop), cmocka_unit_test(test_provisionals),
	     cmocka_unit_test(test_strays), cmocka_unit_test(test_forged), cmocka_unit_test(test_no_buffer))
