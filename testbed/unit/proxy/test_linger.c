/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of an INVITE that was refused, or rang in several places, answers what comes again as the whole of it did, and takes little. */
#include "harness.h"

#include "base/pool.h"

#define TIMER_D 32000
#define TIMER_I 5000

/* Of a call that was refused or forked: no more than this while it lingers. */
#define LINGERING_BYTES 256
/* What a lingering object, its share of the directory and an entry that says when it ends, or a slot and such an entry, take beside the messages that are kept. */
#define SERVER_BYTES (64 + 16 + 16) /* or less, once confirmed */
#define CLIENT_BYTES (16 + 16)
#define ATTEMPT_BYTES (128 + CLIENT_BYTES) /* of each further attempt */

/* An INVITE at A, and nobody to go to from there. */
static const struct sent *begin(struct harness *h, const struct request *r)
{
	request_send(h, r);
	h->sent_read = 1;
	return expect_request(h, "INVITE", A);
}

static uint32_t contexts(const struct harness *h)
{
	return pool_in_use(h->proxy->contexts);
}

static void bend(char *out, size_t room, const char *in, const char *from, const char *to)
{
	const char *at = strstr(in, from);

	assert_non_null(at);
	snprintf(out, room, "%.*s%s%s", (int)(at - in), in, to, at + strlen(from));
}

/* A final response that comes again gets the very bytes that the first one got, be it from the whole attempt or from what is left of it. */
static void test_same_ack(void **state)
{
	static const struct {
		const char *what;
		struct request request;
		bool cancelled;
		unsigned status;
	} cases[] = {
		{ "486", { 0 }, false, 486 },
		{ "a redirect", { 0 }, false, 302 },
		{ "a decline", { 0 }, false, 603 },
		{ "487 of a call that was cancelled", { 0 }, true, 487 },
		{ "no Max-Forwards", { .hops = "" }, false, 404 },
		{ "few hops", { .hops = "3" }, false, 404 },
		{ "a Route that is ours", { .headers = "Route: <sip:10.0.0.1;lr>\r\n" }, false, 404 },
		{ "a long URI", { .uri = "sip:+442035550100;phone-context=a.very.long.name.that.nobody.needs.example.com@10.0.0.1" }, false, 404 },
		{ "a long display name", { .from = "\"Somebody, with a comma\" <sip:a@10.1.0.1>;tag=f;x=y" }, false, 480 },
		{ "no From tag", { .from = "<sip:a@10.1.0.1>" }, false, 480 },
		{ "a caller by IPv6", { .source = CALLER6, .via = "SIP/2.0/UDP [fd01::1]:5060;branch=z9hG4bK1" }, false, 486 },
		{ "a caller by TCP", { .source = "tcp:" CALLER, .via = "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bK1" }, false, 486 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sent *invite, *ack, *again;
		struct proxy_gauges g;
		struct harness h;

		harness_start(&h, NULL);
		invite = begin(&h, &cases[i].request);
		if (cases[i].cancelled) {
			answer(&h, invite, 180, "t", NULL);
			cancel_send(&h, &cases[i].request);
		}
		h.sent_read = h.sent_count;
		answer(&h, invite, cases[i].status, "t", NULL);
		ack = expect_request(&h, "ACK", A);
		h.sent_read = h.sent_count; /* and the caller has its answer */
		for (unsigned k = 0; k < 3; k++) {
			wait_ms(&h, 100);
			answer(&h, invite, cases[i].status, "t", NULL);
			again = expect_request(&h, "ACK", A);
			if (!sent_equal(ack, again))
				fail_msg("%s:\n%.*s\nbecame\n%.*s", cases[i].what, (int)ack->len, ack->data, (int)again->len, again->data);
		}
		expect_nothing(&h);
		proxy_gauges(h.proxy, &g);
		assert_int_equal(g.client_transactions, 1);
		assert_non_null(client_txn_left(h.proxy->transactions, 0, 0));
		harness_end(&h);
	}
}

/* ... for as long as timer D says. */
static void test_timer_d(void **state)
{
	const struct sent *invite;
	struct proxy_gauges g;
	struct harness h;

	harness_start(&h, NULL);
	invite = begin(&h, &(struct request){ 0 });
	answer(&h, invite, 486, "t", NULL);
	expect_request(&h, "ACK", A);
	ack_send(&h, &(struct request){ 0 }, expect_response(&h, 486, CALLER));
	wait_ms(&h, TIMER_D - 1);
	answer(&h, invite, 486, "t", NULL);
	expect_request(&h, "ACK", A);
	wait_ms(&h, 1);
	proxy_gauges(h.proxy, &g);
	assert_int_equal(g.client_transactions + g.server_transactions, 0);
	assert_int_equal(g.message_bytes, 0);
	answer(&h, invite, 486, "t", NULL);
	expect_nothing(&h);
	assert_int_equal(counter_of(&h, COUNTER_responses_stale), 1);
	harness_end(&h);
}

/* What comes to it that is no repetition. */
static void test_strangers(void **state)
{
	static const struct {
		const char *what;
		bool cancelled;
		unsigned status;
		const char *from, *to;
		unsigned acks, strays;
	} cases[] = {
		{ "the same", false, 486, "t", "t", 1, 0 },
		{ "another final one", false, 404, "t", "t", 1, 0 },
		{ "another To tag", false, 486, ";tag=t", ";tag=u", 1, 0 },
		{ "received in our Via", false, 486, "\r\nVia: " VIA, ";received=10.0.0.9;rport=5060\r\nVia: " VIA, 1, 0 },
		{ "a provisional", false, 180, "t", "t", 0, 0 },
		{ "a success, too late", false, 200, "t", "t", 0, 0 },
		{ "another call's", false, 486, "Call-ID: ", "Call-ID: x", 0, 1 },
		{ "another From tag", false, 486, ";tag=", ";tag=x", 0, 1 },
		{ "another CSeq", false, 486, "CSeq: 1 ", "CSeq: 2 ", 0, 1 },
		{ "no Via below ours", false, 486, "Via: " VIA "\r\n", "", 0, 1 },
		{ "another method", false, 486, "1 INVITE", "1 BYE", 0, 1 },
		{ "of a CANCEL that was never sent", false, 200, "1 INVITE", "1 CANCEL", 0, 1 },
		{ "of the CANCEL, which the INVITE's overtook", true, 200, "1 INVITE", "1 CANCEL", 0, 0 },
		{ "of the CANCEL, a provisional", true, 100, "1 INVITE", "1 CANCEL", 0, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct sent *invite;
		struct harness h;
		char text[4096];
		unsigned acks;

		harness_start(&h, NULL);
		invite = begin(&h, &(struct request){ 0 });
		if (cases[i].cancelled) {
			answer(&h, invite, 180, "t", NULL);
			cancel_send(&h, &(struct request){ 0 });
		}
		answer(&h, invite, cases[i].cancelled ? 487 : 486, "t", NULL);
		h.sent_read = h.sent_count;
		bend(text, sizeof(text), answer_text(invite, cases[i].status, "t", NULL), cases[i].from, cases[i].to);
		send_text(&h, A, text);
		acks = h.sent_count - h.sent_read;
		if (acks != cases[i].acks || counter_of(&h, COUNTER_responses_stray) != cases[i].strays)
			fail_msg("%s: %u ACKs", cases[i].what, acks);
		if (acks)
			assert_string_equal(sent_header(h.sent[h.sent_read], "Via", 0), sent_header(invite, "Via", 0));
		harness_end(&h);
	}
}

/* The caller's ACK leaves nothing but the key, which still absorbs the INVITE, the ACK and a CANCEL, until timer I. */
static void test_confirmed(void **state)
{
	const struct request r = { 0 };
	const struct sent *invite, *busy;
	struct proxy_gauges g;
	struct harness h;

	harness_start(&h, NULL);
	invite = begin(&h, &r);
	answer(&h, invite, 486, "t", NULL);
	expect_request(&h, "ACK", A);
	busy = expect_response(&h, 486, CALLER);
	assert_int_equal(contexts(&h), 0); /* the response is all that is still of use */
	request_send(&h, &r); /* before the ACK it is answered again */
	assert_true(sent_equal(expect_response(&h, 486, CALLER), busy));
	assert_int_equal(wait_sent(&h), 500); /* timer G */
	assert_true(sent_equal(expect_response(&h, 486, CALLER), busy));
	ack_send(&h, &r, busy);
	assert_int_equal(contexts(&h), 0);
	assert_int_equal(counter_of(&h, COUNTER_acks_absorbed), 1);
	proxy_gauges(h.proxy, &g);
	assert_int_equal(g.server_transactions, 1);
	assert_int_equal(g.client_transactions, 1);
	assert_int_equal(g.live_calls, 0);
	wait_ms(&h, TIMER_I - 1);
	request_send(&h, &r);
	ack_send(&h, &r, busy);
	assert_int_equal(counter_of(&h, COUNTER_acks_absorbed), 2);
	assert_int_equal(counter_of(&h, COUNTER_refused_token), 0);
	expect_nothing(&h);
	cancel_send(&h, &r);
	expect_response(&h, 200, CALLER);
	expect_nothing(&h);
	wait_ms(&h, 1);
	proxy_gauges(h.proxy, &g);
	assert_int_equal(g.server_transactions, 0);
	assert_int_equal(g.client_transactions, 1);
	cancel_send(&h, &r);
	expect_response(&h, 481, CALLER);
	harness_end(&h);
}

struct traced {
	unsigned count;
	uint64_t call;
	bool mixed;
};

static void note(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	struct traced *t = ctx;

	t->mixed |= t->count++ && e->call != t->call;
	t->call = e->call;
}

/* Whose call it was is known to all of that: timer G, the INVITE again, both sides' ACKs. */
static void test_traced(void **state)
{
	const struct request r = { 0 };
	struct trace *trace = trace_new(65536, 0);
	struct traced t = { 0 };
	const struct sent *invite, *busy;
	struct harness h;

	harness_start(&h, NULL);
	h.proxy->config.trace = trace;
	invite = begin(&h, &r);
	answer(&h, invite, 486, "t", NULL);
	expect_request(&h, "ACK", A);
	busy = expect_response(&h, 486, CALLER);
	assert_int_equal(contexts(&h), 0);
	wait_ms(&h, 500);
	request_send(&h, &r);
	answer(&h, invite, 486, "t", NULL);
	ack_send(&h, &r, busy);
	assert_int_equal(h.sent_count, 7);
	trace_flush(trace, 0);
	trace_read(trace, 0, note, &t);
	assert_int_equal(t.count, h.sent_count + 5); /* INVITE, 486, INVITE, 486, ACK came */
	assert_true(t.call && !t.mixed);
	harness_end(&h);
	trace_free(trace);
}

/* Of another request the answer alone is kept, for timer J, once its target can say no more. */
static void test_answered(void **state)
{
	const struct request r = { .method = "MESSAGE", .contact = "" };
	const struct sent *message, *ok;
	struct proxy_gauges g;
	struct harness h;

	harness_start(&h, NULL);
	request_send(&h, &r);
	message = expect_request(&h, "MESSAGE", A);
	answer(&h, message, 200, "t", NULL);
	ok = expect_response(&h, 200, CALLER);
	assert_int_equal(contexts(&h), 1);
	wait_ms(&h, 5000); /* timer K */
	assert_int_equal(contexts(&h), 0);
	request_send(&h, &r);
	assert_true(sent_equal(expect_response(&h, 200, CALLER), ok));
	wait_ms(&h, TIMER_D - 5001);
	request_send(&h, &r);
	assert_true(sent_equal(expect_response(&h, 200, CALLER), ok));
	wait_ms(&h, 1);
	proxy_gauges(h.proxy, &g);
	assert_int_equal(g.server_transactions + g.client_transactions, 0);
	assert_int_equal(g.message_bytes, 0);
	harness_end(&h);
}

/* Where there is no memory for what would be left, all of it stays, and answers the same. */
static void test_no_memory(void **state)
{
	struct lingering *none;
	const struct sent *invite, *ack;
	struct harness h;
	void *all = NULL, *buffer;

	harness_start(&h, NULL);
	invite = begin(&h, &(struct request){ 0 });
	for (uint32_t bytes = SLAB_BYTES_MAX; bytes >= 64; bytes /= 2)
		while ((buffer = slab_get(h.proxy->slab, bytes))) {
			*(void **)buffer = all;
			all = buffer;
		}
	answer(&h, invite, 486, "t", NULL);
	ack = expect_request(&h, "ACK", A);
	h.sent_read = h.sent_count;
	assert_non_null(client_txn_at(h.proxy->transactions, 0, 0, &none));
	answer(&h, invite, 486, "t", NULL);
	assert_true(sent_equal(expect_request(&h, "ACK", A), ack));
	while ((buffer = all)) {
		all = *(void **)buffer;
		slab_put(h.proxy->slab, buffer);
	}
	answer(&h, invite, 486, "t", NULL); /* now there is */
	assert_true(sent_equal(expect_request(&h, "ACK", A), ack));
	assert_null(client_txn_at(h.proxy->transactions, 0, 0, &none));
	answer(&h, invite, 486, "t", NULL);
	assert_true(sent_equal(expect_request(&h, "ACK", A), ack));
	harness_end(&h);
}

/* The ACK that found no buffer is sent when the response comes again. */
static void test_no_buffer(void **state)
{
	const struct sent *invite;
	struct harness h;

	harness_start(&h, NULL);
	invite = begin(&h, &(struct request){ 0 });
	h.outbox_full = true;
	answer(&h, invite, 486, "t", NULL);
	answer(&h, invite, 486, "t", NULL);
	expect_nothing(&h);
	h.outbox_full = false;
	answer(&h, invite, 486, "t", NULL);
	expect_request(&h, "ACK", A);
	harness_end(&h);
}

#define CALLS 100

/* What lingers, and nothing else may be there, takes that much of each call. An answered call's record stays behind, and is not counted. */
static void assert_small(struct harness *h, const char *what)
{
	struct proxy_gauges g, after;
	uint64_t bytes, most;

	assert_int_equal(contexts(h), 0);
	proxy_gauges(h->proxy, &g);
	wait_ms(h, TIMER_D + 1000);
	proxy_gauges(h->proxy, &after);
	assert_int_equal(after.client_transactions + after.server_transactions, 0);
	assert_int_equal(g.server_transactions, CALLS);
	bytes = g.message_bytes - after.message_bytes + g.server_transactions * SERVER_BYTES + g.client_transactions * CLIENT_BYTES;
	most = LINGERING_BYTES + (g.client_transactions / CALLS - 1) * ATTEMPT_BYTES;
	if (bytes > CALLS * most)
		fail_msg("%s: %lu bytes a call", what, (unsigned long)(bytes / CALLS));
}

/* The INVITEs that were sent since sent_read, in their order. Returns how many. */
static unsigned legs(const struct harness *h, const struct sent *ret[3])
{
	unsigned n = 0;

	for (unsigned at = h->sent_read; at < h->sent_count; at++) {
		const struct sip_message *m = sent_view(h->sent[at]);

		if (m->is_request && m->method == SIP_INVITE)
			ret[n++] = h->sent[at];
	}
	return n;
}

/* The final answer that the caller got since sent_read. */
static const struct sent *final_of(const struct harness *h)
{
	for (unsigned at = h->sent_read; at < h->sent_count; at++) {
		const struct sip_message *m = sent_view(h->sent[at]);

		if (!m->is_request && m->status >= 200)
			return h->sent[at];
	}
	fail();
	return NULL;
}

/* A call whose targets answer one after the other with these; ring: they are all ringing by then. */
static void call(struct harness *h, const struct request *r, const unsigned codes[3], bool ring)
{
	const struct sent *leg[3];

	h->sent_read = h->sent_count;
	request_send(h, r);
	for (unsigned n = 0; ring && n < legs(h, leg); n++)
		answer(h, leg[n], 180, "t", NULL);
	for (unsigned n = 0; n < 3 && codes[n]; n++) {
		assert_in_range(legs(h, leg), n + 1, 3);
		answer(h, leg[n], codes[n], "t", "Contact: <sip:t@10.4.0.1>\r\n");
	}
	if (sent_view(final_of(h))->status >= 300)
		ack_send(h, r, final_of(h));
}

/* Refused by the first, or by two before the third takes it or refuses it too; rung at all of them. */
static void test_bytes(void **state)
{
	static const struct {
		const char *what;
		unsigned codes[3];
		bool ring;
	} cases[] = {
		{ "answered", { 200 }, false },
		{ "refused", { 486 }, false },
		{ "rescued", { 503, 200 }, false },
		{ "refused by all", { 503, 503, 486 }, false },
		{ "answered, the others cancelled", { 200, 487, 487 }, true },
		{ "answered, the others refuse", { 200, 486, 404 }, true },
		{ "answered behind a refusal", { 486, 200, 487 }, true },
		{ "refused by all at once", { 486, 486, 404 }, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;

		harness_start(&h, NULL);
		h.strategy = cases[i].ring ? STRATEGY_SIMULTANEOUS_RING : h.strategy;
		harness_publish(&h);
		for (unsigned k = 0; k < CALLS; k++) {
			char call_id[32], via[64];

			snprintf(call_id, sizeof(call_id), "c%u", k);
			snprintf(via, sizeof(via), VIA "l%u", k);
			call(&h, &(struct request){ .call_id = call_id, .via = via }, cases[i].codes, cases[i].ring);
		}
		assert_small(&h, cases[i].what);
		harness_end(&h);
	}
}

/* The winner's 2xx still goes up each time it comes, and the loser's response is still acknowledged, when neither is more than what is left of it. */
static void test_forked(void **state)
{
	const struct sent *leg[3], *ack;
	struct harness h;

	harness_start(&h, NULL);
	h.strategy = STRATEGY_SIMULTANEOUS_RING;
	h.target_count = 2;
	harness_publish(&h);
	request_send(&h, &(struct request){ 0 });
	assert_int_equal(legs(&h, leg), 2);
	answer(&h, leg[0], 180, "t", NULL);
	answer(&h, leg[1], 180, "t", NULL);
	answer(&h, leg[0], 200, "t", NULL);
	assert_int_equal(contexts(&h), 1);
	wait_ms(&h, 200);
	h.sent_read = h.sent_count;
	answer(&h, leg[1], 487, "t", NULL);
	ack = expect_request(&h, "ACK", B);
	assert_int_equal(contexts(&h), 0);
	answer(&h, leg[0], 200, "t", NULL);
	expect_response(&h, 200, CALLER);
	wait_ms(&h, TIMER_D - 201);
	answer(&h, leg[0], 200, "t", NULL);
	expect_response(&h, 200, CALLER);
	answer(&h, leg[1], 487, "t", NULL);
	assert_true(sent_equal(expect_request(&h, "ACK", B), ack));
	request_send(&h, &(struct request){ 0 });
	expect_nothing(&h);
	wait_ms(&h, 1); /* timers L and M, since the answer; D began later */
	answer(&h, leg[0], 200, "t", NULL);
	expect_nothing(&h);
	answer(&h, leg[1], 487, "t", NULL);
	expect_request(&h, "ACK", B);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_same_ack), cmocka_unit_test(test_timer_d), cmocka_unit_test(test_strangers), cmocka_unit_test(test_confirmed),
	     cmocka_unit_test(test_traced), cmocka_unit_test(test_answered),
	     cmocka_unit_test(test_no_memory), cmocka_unit_test(test_no_buffer), cmocka_unit_test(test_bytes), cmocka_unit_test(test_forked))
