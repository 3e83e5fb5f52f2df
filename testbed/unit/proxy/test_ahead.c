/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of one burst are read before the first is acted on; what they do must be what they do one by one, though each may change what
 * the next one meets. */
#include "harness.h"

#define BURST_MAX 24

struct message {
	const char *source;
	const char *text;
};

static void act(struct harness *h, const struct message *m, unsigned n, bool at_once)
{
	struct datagram d[BURST_MAX];

	assert_true(n <= BURST_MAX);
	for (unsigned i = 0; i < n; i++) {
		d[i] = (struct datagram){
			.data = (const uint8_t *)m[i].text,
			.len = (uint32_t)strlen(m[i].text),
			.from = { .remote = addr_of(m[i].source), .local = addr_of(US), .transport = TRANSPORT_UDP },
		};
		if (!at_once)
			proxy_datagrams(h->proxy, &d[i], 1, h->now_ms);
	}
	if (at_once)
		proxy_datagrams(h->proxy, d, n, h->now_ms);
}

/* The same keys, clock and messages: byte for byte the same is sent, and counted. */
static void same(struct harness *one_by_one, struct harness *at_once)
{
	assert_int_equal(one_by_one->sent_count, at_once->sent_count);
	for (unsigned i = 0; i < at_once->sent_count; i++)
		if (!sent_equal(one_by_one->sent[i], at_once->sent[i]))
			fail_msg("message %u differs:\n%.*s\n%.*s", i, (int)one_by_one->sent[i]->len, (const char *)one_by_one->sent[i]->data,
				 (int)at_once->sent[i]->len, (const char *)at_once->sent[i]->data);
	assert_memory_equal(one_by_one->counters, at_once->counters, sizeof(*at_once->counters));
}

static const char *kept(const char *text)
{
	static char texts[32][2000];
	static unsigned turn;
	char *to = texts[turn++ % ARRAY_SIZE(texts)];

	assert_true(strlen(text) < sizeof(texts[0]));
	return strcpy(to, text);
}

/* A call that begins, is repeated and cancelled in one burst, between noise and others that end badly: more than are read at once. */
static void run_beginnings(struct harness *h, bool at_once)
{
	struct request first = { .call_id = "a", .via = VIA "a" }, other = { .call_id = "b", .via = VIA "b" }, cancel = first;
	struct request stray = { .method = "BYE", .call_id = "c", .via = VIA "c", .to = "<sip:x@10.0.0.1>;tag=none" };
	struct request hopless = { .call_id = "d", .via = VIA "d", .hops = "0" }, third = { .call_id = "e", .via = VIA "e" };
	const char *invite = kept(request_text(&first));
	struct message m[] = {
		{ CALLER, invite }, { CALLER, invite }, { CALLER, "\r\n\r\n" }, { CALLER, NULL }, { CALLER, "GET / HTTP/1.0\r\n\r\n" },
		{ CALLER, NULL }, { CALLER, NULL }, { STRANGER, invite }, { CALLER, NULL }, { CALLER, invite }, { CALLER, NULL },
	};

	cancel.method = "CANCEL";
	m[3].text = kept(request_text(&other));
	m[5].text = kept(request_text(&stray));
	m[6].text = kept(request_text(&cancel));
	m[8].text = kept(request_text(&hopless));
	m[10].text = kept(request_text(&third));
	act(h, m, ARRAY_SIZE(m), at_once);
	assert_int_equal(counter_of(h, COUNTER_calls_started), 3);
	assert_int_equal(counter_of(h, COUNTER_sip_keepalives), 1);
}

/* 100, 180 and 200 of one INVITE and the 200 twice more: when it is read its transaction is there, when it is acted on it only lingers. Between
 * them the caller's INVITE again, the ACK, and the BYE of a call that the same burst answered. */
static void run_answers(struct harness *h, bool at_once)
{
	struct request r = { .call_id = "a", .via = VIA "a" };
	const struct sent *invite;
	const char *again = kept(request_text(&r)), *ok, *trying, *ringing, *route;
	struct request bye = { .method = "BYE", .cseq = 2, .call_id = "a", .via = VIA "y", .to = "<sip:callee@10.0.0.1>;tag=t", .contact = "" };
	char routes[1024];

	send_text(h, CALLER, again);
	expect_response(h, 100, CALLER);
	invite = expect_request(h, "INVITE", A);
	trying = kept(answer_text(invite, 100, "t", NULL));
	ringing = kept(answer_text(invite, 180, "t", NULL));
	ok = kept(answer_text(invite, 200, "t", "Contact: <sip:target@10.2.0.1>\r\n"));
	route = sent_header(invite, "Record-Route", 0);
	snprintf(routes, sizeof(routes), "Route: %s\r\n", route);
	bye.headers = routes;
	act(h, (struct message[]){ { A, trying }, { A, ringing }, { A, ok }, { A, ok }, { CALLER, again }, { A, ok },
				   { CALLER, kept(request_text(&bye)) }, { A, ok }, { A, ringing } }, 9, at_once);
	expect_response(h, 180, CALLER);
	for (unsigned i = 0; i < 3; i++)
		expect_response(h, 200, CALLER);
	expect_request(h, "BYE", A);
	expect_response(h, 200, CALLER);
	expect_nothing(h);
	assert_int_equal(counter_of(h, COUNTER_calls_answered), 1);
	assert_int_equal(counter_of(h, COUNTER_calls_ended), 1);
	assert_int_equal(counter_of(h, COUNTER_retransmissions_absorbed), 1);
}

/* The BYE of a call that is live, three times: read while the call is there, acted on when it is not. */
static void run_ends(struct harness *h, bool at_once)
{
	struct request r = { .call_id = "a", .via = VIA "a" };
	struct request bye = { .method = "BYE", .cseq = 2, .call_id = "a", .via = VIA "y", .to = "<sip:callee@10.0.0.1>;tag=t", .contact = "" };
	const struct sent *invite;
	const char *text;
	char routes[1024];

	send_text(h, CALLER, kept(request_text(&r)));
	expect_response(h, 100, CALLER);
	invite = expect_request(h, "INVITE", A);
	snprintf(routes, sizeof(routes), "Route: %s\r\n", sent_header(invite, "Record-Route", 0));
	bye.headers = routes;
	text = kept(answer_text(invite, 200, "t", "Contact: <sip:target@10.2.0.1>\r\n"));
	send_text(h, A, text);
	expect_response(h, 200, CALLER);
	text = kept(request_text(&bye));
	act(h, (struct message[]){ { CALLER, text }, { CALLER, text }, { CALLER, text } }, 3, at_once);
	for (unsigned i = 0; i < 3; i++)
		expect_request(h, "BYE", A);
	expect_nothing(h);
	assert_int_equal(counter_of(h, COUNTER_calls_ended), 1);
	assert_int_equal(h->ends, 1);
}

static void compare(void (*run)(struct harness *h, bool at_once))
{
	static struct harness one_by_one, at_once;

	harness_start(&one_by_one, NULL);
	run(&one_by_one, false);
	harness_start(&at_once, NULL);
	run(&at_once, true);
	same(&one_by_one, &at_once);
	harness_end(&at_once);
	harness_end(&one_by_one);
}

static void test_beginnings(void **state)
{
	compare(run_beginnings);
}

static void test_answers(void **state)
{
	compare(run_answers);
}

static void test_ends(void **state)
{
	compare(run_ends);
}

HARNESS_MAIN(cmocka_unit_test(test_beginnings), cmocka_unit_test(test_answers), cmocka_unit_test(test_ends))
