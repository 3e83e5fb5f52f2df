/* SPDX-License-Identifier: Apache-2.0 */
/* What is put on record of a call: when, how often, and what it says. */
#include "harness.h"

static const uint64_t EPOCH_MS = 1700000000000;

static void is_text(const char *text, uint8_t len, const char *want)
{
	assert_int_equal(len, strlen(want));
	assert_memory_equal(text, want, len);
}

static void is_attempt(const struct call_record *r, unsigned i, const char *endpoint, enum record_attempt_result result, unsigned code,
		       uint32_t started_ms, uint32_t duration_ms)
{
	struct ip_port addr = addr_of(endpoint);

	assert_true(i < r->attempt_count);
	assert_true(ip_port_eq(&r->attempts[i].endpoint, &addr));
	assert_int_equal(r->attempts[i].result, result);
	assert_int_equal(r->attempts[i].code, code);
	assert_int_equal(r->attempts[i].started_ms, started_ms);
	assert_int_equal(r->attempts[i].duration_ms, duration_ms);
}

/* Two targets fail it, the third answers after ringing; the callee hangs up. */
static void test_answered(void **state)
{
	struct harness h;
	const struct call_record *start, *end;
	const struct sent *s;
	uint64_t arrived;
	char *bye;

	harness_start(&h, NULL);
	arrived = h.now_ms;
	request_send(&h, &(struct request){ .call_id = "rescued@caller" });
	expect_response(&h, 100, CALLER);
	s = expect_request(&h, "INVITE", A);
	wait_ms(&h, 10);
	answer(&h, s, 503, "t", "Reason: Q.850;cause=34\r\n");
	expect_request(&h, "ACK", A);
	s = expect_request(&h, "INVITE", B);
	wait_ms(&h, 4000);
	h.sent_read = h.sent_count;
	s = h.sent[h.sent_count - 1];
	wait_ms(&h, 90);
	answer(&h, s, 180, "t", NULL);
	wait_ms(&h, 400);
	answer(&h, s, 183, "t", NULL); /* no longer the first progress */
	wait_ms(&h, 500);
	assert_int_equal(h.record_count, 0);
	answer(&h, s, 200, "t", "Contact: <sip:t@10.4.0.1>\r\n");
	assert_int_equal(h.record_count, 1);
	start = record_at(&h, 0);
	assert_int_equal(start->kind, RECORD_START);
	assert_int_equal(start->status, 200);
	assert_int_equal(start->arrived_unix_ms, arrived + EPOCH_MS);
	assert_int_equal(start->progress_ms, 4100);
	assert_int_equal(start->answered_ms, 5000);
	assert_int_equal(start->ended_ms, 0);
	assert_int_equal(start->node, 7);
	assert_string_equal(start->profile, h.tables ? profiles_get(h.tables->profiles, h.profile_slot)->name : "");
	is_text(start->call_id, start->call_id_len, "rescued@caller");
	is_text(start->from, start->from_len, "caller");
	is_text(start->to, start->to_len, "+442035550100");
	assert_int_equal(e164_digits(start->number), 12);
	assert_int_equal(start->attempt_count, 3);
	is_attempt(start, 0, A, ATTEMPT_RECORD_CODE, 503, 0, 10);
	is_attempt(start, 1, B, ATTEMPT_RECORD_RESPONSE_TIMEOUT, 0, 10, 4000);
	is_attempt(start, 2, C, ATTEMPT_RECORD_ANSWERED, 200, 4010, 990);

	h.sent_read = h.sent_count;
	wait_ms(&h, 3000);
	bye = malloc(4096);
	snprintf(bye, 4096,
		 "BYE sip:caller@10.1.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.4.0.1;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nRoute: %s\r\n"
		 "From: <sip:x@y>;tag=t\r\nTo: <sip:x@y>;tag=from\r\nCall-ID: rescued@caller\r\nCSeq: 9 BYE\r\nReason: SIP;cause=200, Q.850;cause=41\r\nContent-Length: 0\r\n\r\n",
		 sent_header(s, "Record-Route", 0));
	send_text(&h, C, bye);
	send_text(&h, C, bye); /* again: it is on record once */
	free(bye);
	assert_int_equal(h.record_count, 2);
	end = record_at(&h, 1);
	assert_int_equal(end->kind, RECORD_END);
	assert_int_equal(end->end, RECORD_ENDED_BY_TARGET);
	assert_int_equal(end->id, start->id);
	assert_int_equal(end->ended_ms, 8000);
	assert_int_equal(start->attempts[0].cause, 34);
	assert_int_equal(start->attempts[2].cause, 0);
	assert_int_equal(start->cause, 0);
	assert_int_equal(end->cause, 41);
	assert_int_equal(end->attempt_count, 3);
	assert_memory_equal(end->attempts, start->attempts, sizeof(end->attempts));
	harness_end(&h);
}

/* Calls that nobody answers: one record, with the right word for it. */
static void test_failed(void **state)
{
	static const struct {
		unsigned status, want_status;
		enum record_end end;
		enum record_attempt_result result;
	} cases[] = {
		{ 486, 486, RECORD_REJECTED, ATTEMPT_RECORD_REJECTED },
		{ 603, 603, RECORD_REJECTED, ATTEMPT_RECORD_REJECTED },
		{ 503, 500, RECORD_REJECTED, ATTEMPT_RECORD_CODE },
		{ 300, 300, RECORD_REJECTED, ATTEMPT_RECORD_REJECTED },
		{ 0, 408, RECORD_EXHAUSTED, ATTEMPT_RECORD_RESPONSE_TIMEOUT },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct call_record *r;
		struct harness h;

		harness_start(&h, NULL);
		h.knobs.max_retries = 0;
		harness_publish(&h);
		request_send(&h, &(struct request){ 0 });
		if (cases[i].status)
			answer(&h, h.sent[1], cases[i].status, "t", "Reason: Q.850;cause=21\r\n");
		else
			wait_ms(&h, 4000);
		r = record_at(&h, 0);
		assert_int_equal(h.record_count, 1);
		assert_int_equal(r->kind, RECORD_FAILED);
		assert_int_equal(r->end, cases[i].end);
		assert_int_equal(r->status == 503 ? 500 : r->status, cases[i].want_status);
		assert_int_equal(r->attempt_count, 1);
		assert_int_equal(r->attempts[0].result, cases[i].result);
		assert_int_equal(r->attempts[0].code, cases[i].status);
		assert_int_equal(r->attempts[0].cause, cases[i].status ? 21 : 0);
		assert_int_equal(r->ended_ms, cases[i].status ? 1 : 4000); /* at once: never 0, which would say that it has not ended */
		harness_end(&h);
		assert_int_equal(h.record_count, 1);
	}
}

static void test_cancelled(void **state)
{
	struct request r = { 0 };
	struct harness h;

	harness_start(&h, NULL);
	request_send(&h, &r);
	answer(&h, h.sent[1], 180, "t", NULL);
	wait_ms(&h, 700);
	cancel_send(&h, &r);
	answer(&h, h.sent[1], 487, "t", NULL);
	assert_int_equal(h.record_count, 1);
	assert_int_equal(record_at(&h, 0)->kind, RECORD_FAILED);
	assert_int_equal(record_at(&h, 0)->end, RECORD_CANCELLED);
	assert_int_equal(record_at(&h, 0)->status, 487);
	assert_int_equal(record_at(&h, 0)->ended_ms, 700);
	assert_int_equal(record_at(&h, 0)->attempts[0].result, ATTEMPT_RECORD_CANCELLED);
	harness_end(&h);
}

/* A mailbox without room loses nothing: records wait, in their order. */
static void test_no_room(void **state)
{
	struct proxy_gauges g;
	struct dialog d[3];
	struct harness h;

	harness_start(&h, NULL);
	h.records_full = true;
	for (unsigned i = 0; i < 3; i++) {
		char call_id[16], via[64];

		snprintf(call_id, sizeof(call_id), "full-%u", i);
		snprintf(via, sizeof(via), VIA "%u", i);
		dialog_open(&h, &(struct request){ .call_id = strdup(call_id), .via = strdup(via) }, A, NULL, &d[i]);
		h.sent_read = h.sent_count;
	}
	dialog_close(&h, &d[1]);
	assert_int_equal(h.record_count, 0);
	proxy_gauges(h.proxy, &g);
	assert_int_equal(g.records_waiting, 4);
	h.records_full = false;
	dialog_close(&h, &d[0]); /* its record goes behind those that wait */
	wait_ms(&h, 1);
	assert_int_equal(h.record_count, 5);
	h.records_full = true; /* again, after none waited */
	dialog_close(&h, &d[2]);
	assert_int_equal(h.record_count, 5);
	h.records_full = false;
	wait_ms(&h, 1);
	assert_int_equal(h.record_count, 6);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned order[] = { 1, 0, 2 };

		assert_int_equal(record_at(&h, i)->kind, RECORD_START);
		assert_int_equal(record_at(&h, 3 + i)->kind, RECORD_END);
		assert_int_equal(record_at(&h, 3 + i)->id, record_at(&h, order[i])->id);
	}
	harness_end(&h);
	for (unsigned i = 0; i < 3; i++) {
		free((char *)d[i].invite.call_id);
		free((char *)d[i].invite.via);
	}
}

/* RFC 4028: without a BYE the call ends with its session, unless a re-INVITE or UPDATE refreshes it; else at its maximum age. */
static void test_session(void **state)
{
	static const struct {
		const char *expires, *refresh;
		uint64_t ends_ms; /* after the answer */
	} cases[] = {
		{ NULL, NULL, 12 * 3600 * 1000 },
		{ "Session-Expires: 1800;refresher=uac\r\n", NULL, 1800000 },
		{ "x: 90\r\n", NULL, 90000 },
		{ "Session-Expires: 1800\r\n", "INVITE", 1000000 + 1800000 },
		{ "Session-Expires: 1800\r\n", "UPDATE", 1000000 + 1800000 },
		{ "Session-Expires: 1800\r\n", "INFO", 1800000 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char headers[256];
		struct harness h;
		struct dialog d;
		uint64_t answered;

		harness_start(&h, NULL);
		request_send(&h, &(struct request){ 0 });
		snprintf(headers, sizeof(headers), "Contact: <sip:t@10.2.0.1>\r\n%s", cases[i].expires ? cases[i].expires : "");
		answer(&h, h.sent[1], 200, "to", headers);
		answered = h.now_ms;
		if (cases[i].refresh) {
			char text[2048];

			h.now_ms += 1000000;
			proxy_advance(h.proxy, h.now_ms);
			snprintf(text, sizeof(text),
				 "%s sip:t@10.2.0.1 SIP/2.0\r\nVia: " VIA "9\r\nMax-Forwards: 70\r\nRoute: %s\r\nFrom: <sip:x@y>;tag=from\r\n"
				 "To: <sip:x@y>;tag=to\r\nCall-ID: %s\r\nCSeq: 9 %s\r\nReason: Q.850;cause=16\r\nContent-Length: 0\r\n\r\n",
				 cases[i].refresh, sent_header(h.sent[1], "Record-Route", 0), sent_header(h.sent[1], "Call-ID", 0),
				 cases[i].refresh);
			send_text(&h, CALLER, text);
		}
		while (h.record_count < 2) {
			assert_true(proxy_next_due(h.proxy) != UINT64_MAX);
			h.now_ms = proxy_next_due(h.proxy) > h.now_ms ? proxy_next_due(h.proxy) : h.now_ms + 1;
			proxy_advance(h.proxy, h.now_ms);
		}
		assert_int_equal(record_at(&h, 1)->kind, RECORD_END);
		assert_int_equal(record_at(&h, 1)->end, RECORD_EXPIRED);
		assert_int_equal(record_at(&h, 1)->cause, 0); /* nobody gave one, whatever was the last message */
		assert_in_range(h.now_ms - answered, cases[i].ends_ms, cases[i].ends_ms + 2000);
		assert_int_equal(counter_of(&h, COUNTER_calls_expired), 1);
		harness_end(&h);
		(void)d;
	}
}

/* A BYE by a token of another node, or of before a restart: whoever set the call up does not see it, so its end is put on record here. */
static void test_foreign_end(void **state)
{
	struct harness h;
	struct dialog d;
	uint64_t begun;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	h.sent_read = h.sent_count;
	begun = h.config.clock_offset_ms + h.now_ms;
	wait_ms(&h, 5000);
	h.config.boot++;
	h.config.node++;
	h.config.worker++;
	proxy_free(h.proxy);
	h.proxy = proxy_new(&h.config, h.now_ms);
	h.starts = 0; /* that call's end is the foreign one */
	strcat(d.caller_routes, "Reason: Q.850;cause=31\r\n");
	dialog_close(&h, &d);
	assert_int_equal(h.record_count, 2);
	assert_int_equal(record_at(&h, 1)->node, record_at(&h, 0)->node); /* of whoever set it up */
	assert_int_equal(record_at(&h, 1)->worker, record_at(&h, 0)->worker);
	assert_int_equal(record_at(&h, 1)->arrived_unix_ms, begun / 1000 * 1000);
	assert_in_range(record_at(&h, 1)->ended_ms, 5000, 6000);
	assert_int_equal(record_at(&h, 1)->cause, 31);
	assert_int_equal(record_at(&h, 1)->kind, RECORD_FOREIGN_END);
	assert_int_equal(record_at(&h, 1)->end, RECORD_ENDED_BY_CALLER);
	assert_int_equal(record_at(&h, 1)->source_trunk_id, h.trunk[TRUNK_CALLER].id);
	assert_int_equal(record_at(&h, 1)->attempts[0].trunk_id, h.trunk[TRUNK_A].id);
	assert_memory_equal(record_at(&h, 1)->call_id, record_at(&h, 0)->call_id, record_at(&h, 0)->call_id_len);
	for (unsigned i = 0; i < h.target_count; i++) /* the old proxy's counts */
		memset(&h.targets[i], 0, sizeof(h.targets[i]));
	harness_end(&h);
}

/* Calls being set up and live are listed, a page at a time. */
static unsigned listed, listed_answered;

static void list(void *ctx, const struct call_record *r, bool answered)
{
	listed++;
	listed_answered += answered;
	assert_true(r->call_id_len > 0);
	assert_int_equal(r->attempt_count, 1);
}

static void test_list(void **state)
{
	struct harness h;
	struct dialog d;
	uint32_t cursor = 0;

	harness_start(&h, NULL);
	for (unsigned i = 0; i < 5; i++) {
		char call_id[16], via[64];

		snprintf(call_id, sizeof(call_id), "ringing-%u", i);
		snprintf(via, sizeof(via), VIA "r%u", i);
		request_send(&h, &(struct request){ .call_id = call_id, .via = via });
	}
	h.sent_read = h.sent_count;
	dialog_open(&h, NULL, A, NULL, &d);
	assert_int_equal(proxy_calls(h.proxy, &cursor, 4, list, NULL), 4);
	assert_int_equal(proxy_calls(h.proxy, &cursor, 4, list, NULL), 2);
	assert_int_equal(listed, 6);
	assert_int_equal(listed_answered, 1);
	harness_end(&h);
}

/* An attempt that TLS kept from its target says so; the next one that fails of something else does not. */
static void test_no_tls(void **state)
{
	static const struct harness_options tls = { .tls_targets = true };
	const struct sent *s;
	struct harness h;

	harness_start(&h, &tls);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	s = expect_request(&h, "INVITE", "tls:" A);
	proxy_undelivered(h.proxy, s->data, s->len, &s->to.remote, "certificate expired 2026-11-20", h.now_ms);
	s = expect_request(&h, "INVITE", "tls:" B);
	wait_ms(&h, 600);
	proxy_undelivered(h.proxy, s->data, s->len, &s->to.remote, NULL, h.now_ms);
	s = expect_request(&h, "INVITE", "tls:" C);
	answer(&h, s, 486, "t", NULL);
	expect_request(&h, "ACK", "tls:" C);
	expect_response(&h, 486, CALLER);
	assert_int_equal(record_at(&h, 0)->attempt_count, 3);
	assert_int_equal(record_at(&h, 0)->attempts[0].result, ATTEMPT_RECORD_TLS);
	assert_int_equal(record_at(&h, 0)->attempts[1].result, ATTEMPT_RECORD_TRANSPORT);
	assert_int_equal(record_at(&h, 0)->attempts[2].result, ATTEMPT_RECORD_REJECTED);
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_no_tls), cmocka_unit_test(test_answered), cmocka_unit_test(test_failed), cmocka_unit_test(test_cancelled),
	     cmocka_unit_test(test_no_room), cmocka_unit_test(test_session), cmocka_unit_test(test_foreign_end),
	     cmocka_unit_test(test_list))
