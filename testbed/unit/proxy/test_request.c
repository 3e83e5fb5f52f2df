/* SPDX-License-Identifier: Apache-2.0 */
/* What the target sees of a request, byte by byte; who may call; what is refused and how. */
#include "harness.h"

/* The text of a forwarded request without the lines that we put right behind its start line, which are looked at here. */
static const char *without_own_lines(const struct sent *s, const char *listener, unsigned record_routes)
{
	static char out[70000];
	const char *text = (const char *)s->data, *at = memchr(text, '\n', s->len);
	char via[80];
	int n;

	assert_non_null(at);
	n = snprintf(out, sizeof(out), "%.*s", (int)(++at - text), text);
	snprintf(via, sizeof(via), "Via: SIP/2.0/UDP %s;branch=z9hG4bK", listener);
	for (unsigned i = 0; i <= record_routes; i++) {
		assert_memory_equal(at, i ? "Record-Route: <sip:" : via, i ? 19 : strlen(via));
		at = (const char *)memchr(at, '\n', s->len - (size_t)(at - text)) + 1;
		assert_memory_equal(at - 2, "\r\n", 2);
	}
	snprintf(out + n, sizeof(out) - (size_t)n, "%.*s", (int)(s->len - (size_t)(at - text)), at);
	return out;
}

#define REST                                                                                                           \
	"f:<sip:caller@10.1.0.1>;tag=from\r\nTO :  \"B\\\" \xc3\xa9\" <sip:b@10.0.0.1>\r\ni\t: call-1\r\nCSeq:   1\t%s\r\n"             \
	"X-Odd  :\tsome,  thing ; odd  \r\nX-Fold: a\r\n\tb\r\n  c\r\nX-Empty:\r\nSubject: \x80\xff raw\r\n"                         \
	"Contact: <sip:caller@10.1.0.1:5060>\r\nContent-Type: application/sdp\r\nl: 5\r\n\r\nv=0\r\n"

static void test_edits(void **state)
{
	static const struct {
		const char *what, *source, *method, *head, *want_head;
	} cases[] = {
		{ "plain", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
		{ "no Max-Forwards: 70 is put in", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Forwards: 70\r\nMax-Breadth: 60\r\nVia: " VIA "\r\n" },
		{ "Max-Forwards with odd spacing, 1", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nmax-forwards\t:  1  \r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nmax-forwards\t:  0  \r\n" },
		{ "Max-Forwards before Via", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nMax-Forwards: 70\r\nVia: " VIA "\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nMax-Forwards: 69\r\nVia: " VIA "\r\n" },
		{ "Max-Forwards of two digits, then of one", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 10\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 9\r\n" },
		{ "Max-Forwards of three digits, then of two", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 100\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 99\r\n" },
		{ "Max-Forwards of three digits", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 101\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 100\r\n" },
		{ "rport without a value", "10.1.0.9:6789", "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nv:  SIP/2.0/UDP 10.1.0.9;rport;branch=z9hG4bK1 , SIP/2.0/TCP x\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nv:  SIP/2.0/UDP 10.1.0.9;received=10.1.0.9;rport=6789;branch=z9hG4bK1 , SIP/2.0/TCP x\r\nMax-Forwards: 69\r\n" },
		{ "a sent-by that lies", "10.1.0.9:6789", "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.1:5070;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: SIP/2.0/UDP 192.168.1.1:5070;branch=z9hG4bK1;received=10.1.0.9\r\nMax-Forwards: 69\r\n" },
		{ "a sent-by that is a name", "10.1.0.9:6789", "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: SIP/2.0/UDP pbx.example;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: SIP/2.0/UDP pbx.example;branch=z9hG4bK1;received=10.1.0.9\r\nMax-Forwards: 69\r\n" },
		{ "received is not for the sender to say", "10.1.0.9:6789", "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nVia: SIP/2.0/UDP pbx.example;received=192.0.2.1;branch=z9hG4bK1;rport=1\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: SIP/2.0/UDP pbx.example;branch=z9hG4bK1;received=10.1.0.9;rport=6789\r\nMax-Forwards: 69\r\n" },
		{ "our own Routes go, wherever they stand", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nRoute: <sip:10.0.0.1;lr>\r\nVia: " VIA "\r\nMax-Forwards: 70\r\nroute:<sip:10.0.0.1:5060>, \"x\" <sip:[fd00::1];lr>\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
		{ "the URI keeps its parameters but for those that would lead elsewhere", CALLER, "INVITE",
		  "INVITE sip:+442035550100;npdi@10.0.0.1:5060;user=phone;maddr=9.9.9.9;transport=tcp;x=y SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100;npdi@10.2.0.1;user=phone;x=y SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
		{ "tel becomes sip", CALLER, "INVITE",
		  "INVITE tel:+44-203-555-0100 SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+44-203-555-0100@10.2.0.1;user=phone SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
		{ "a request that founds no dialog", CALLER, "OPTIONS",
		  "OPTIONS " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 70\r\n",
		  "OPTIONS sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
		{ "Max-Breadth as it came: the one branch has all of it (RFC 5393)", CALLER, "INVITE",
		  "INVITE " NUMBER " SIP/2.0\r\nmax-breadth : 7\r\nVia: " VIA "\r\nMax-Forwards: 70\r\n",
		  "INVITE sip:+442035550100@10.2.0.1 SIP/2.0\r\nmax-breadth : 7\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
		{ "an unknown method", CALLER, "FOO",
		  "FOO " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 70\r\n",
		  "FOO sip:+442035550100@10.2.0.1 SIP/2.0\r\nMax-Breadth: 60\r\nVia: " VIA "\r\nMax-Forwards: 69\r\n" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		bool invite = !strcmp(cases[i].method, "INVITE");
		char in[4096], want[4096];
		struct harness h;
		const struct sent *s;
		int n = snprintf(in, sizeof(in), "%s" REST, cases[i].head, cases[i].method);

		harness_start(&h, NULL);
		snprintf(want, sizeof(want), "%s" REST, cases[i].want_head, cases[i].method);
		send_bytes(&h, cases[i].source, US, in, (uint32_t)n);
		if (invite)
			h.sent_read++; /* 100 */
		s = expect_request(&h, cases[i].method, A);
		if (strcmp(without_own_lines(s, US, invite), want))
			fail_msg("%s: sent\n%.*s", cases[i].what, (int)s->len, (const char *)s->data);
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* A datagram ends where it ends; in a stream the length must be said (§18.3). */
static void test_length_on_streams(void **state)
{
	static const char text[] = "INVITE " NUMBER " SIP/2.0\r\nVia: " VIA "\r\nMax-Forwards: 70\r\nFrom: <sip:caller@10.1.0.1>;tag=from\r\n"
				   "To: <sip:b@10.0.0.1>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@10.1.0.1:5060>\r\n\r\nv=0\r\n";
	static const char *const by_stream[] = { "tcp:10.5.0.1:5060", NULL };

	for (unsigned stream = 0; stream < 2; stream++) {
		struct harness h;

		harness_start(&h, NULL);
		if (stream) {
			h.target_count = 0;
			harness_trunk(&h, "stream", by_stream, NULL);
			harness_publish(&h);
		}
		send_text(&h, CALLER, text);
		expect_response(&h, 100, CALLER);
		assert_string_equal(sent_header(expect_request(&h, "INVITE", stream ? by_stream[0] : A), "Content-Length", 0), stream ? "5" : "");
		harness_end(&h);
	}
}

/* Whose endpoint listens elsewhere, one that came by name (RFC 3263: the URI keeps it), and a trunk that wants its own name there. */
static void test_request_uri(void **state)
{
	static const char *const elsewhere[] = { "10.5.0.1:5070", NULL };
	struct endpoint_config e;
	struct harness h;

	harness_start(&h, NULL);
	h.target_count = 0;
	harness_trunk(&h, "elsewhere", elsewhere, NULL);
	harness_publish(&h);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	assert_string_equal(sent_uri(expect_request(&h, "INVITE", "10.5.0.1:5070")), "sip:+442035550100@10.5.0.1:5070");
	e = *endpoints_get(h.tables->endpoints, h.trunk[4].endpoints[0]);
	snprintf(e.host, sizeof(e.host), "found.example");
	assert_int_equal(endpoints_update(h.tables->endpoints, h.trunk[4].endpoints[0], &e), 0);
	request_send(&h, &(struct request){ .via = VIA "1", .call_id = "1" });
	expect_response(&h, 100, CALLER);
	assert_string_equal(sent_uri(expect_request(&h, "INVITE", "10.5.0.1:5070")), "sip:+442035550100@found.example");
	snprintf(h.trunk[4].host, sizeof(h.trunk[4].host), "sip.carrier.example");
	harness_publish(&h);
	request_send(&h, &(struct request){ .via = VIA "2", .call_id = "2" });
	expect_response(&h, 100, CALLER);
	assert_string_equal(sent_uri(expect_request(&h, "INVITE", "10.5.0.1:5070")), "sip:+442035550100@sip.carrier.example");
	harness_end(&h);
}

/* The branch is ours, fits one attempt alone, and stays the same in its retransmissions, byte by byte (timer A). */
static void test_retransmissions(void **state)
{
	static const uint64_t due[] = { 500, 1000, 2000 };
	struct harness h;
	const struct sent *first, *again, *other;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ .body = "v=0\r\n", .headers = "X-Long: 1234567890\r\n" });
	expect_response(&h, 100, CALLER);
	first = expect_request(&h, "INVITE", A);
	for (unsigned i = 0; i < ARRAY_SIZE(due); i++) {
		assert_int_equal(wait_sent(&h), due[i]);
		again = expect_request(&h, "INVITE", A);
		assert_true(sent_equal(first, again));
	}
	assert_int_equal(wait_sent(&h), 500); /* response_timeout_ms: the next target */
	other = expect_request(&h, "INVITE", B);
	assert_string_not_equal(sent_header(first, "Via", 0), sent_header(other, "Via", 0));
	expect_nothing(&h);
	harness_end(&h);
}

static void test_absorbed(void **state)
{
	struct harness h;
	struct request r = { .body = "v=0\r\n" };
	const struct sent *trying, *invite, *ringing, *busy;

	harness_start(&h, NULL);
	request_send(&h, &r);
	trying = expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	request_send(&h, &r);
	assert_true(sent_equal(trying, expect_response(&h, 100, CALLER)));
	answer(&h, invite, 180, "to", "X-A: b\r\n");
	ringing = expect_response(&h, 180, CALLER);
	request_send(&h, &r);
	assert_true(sent_equal(ringing, expect_response(&h, 180, CALLER)));
	answer(&h, invite, 486, "to", NULL);
	expect_request(&h, "ACK", A);
	busy = expect_response(&h, 486, CALLER);
	request_send(&h, &r);
	assert_true(sent_equal(busy, expect_response(&h, 486, CALLER)));
	ack_send(&h, &r, busy);
	request_send(&h, &r); /* Confirmed: nothing */
	expect_nothing(&h);
	assert_int_equal(counter_of(&h, COUNTER_retransmissions_absorbed), 4);
	assert_int_equal(counter_of(&h, COUNTER_calls_started), 1);
	harness_end(&h);
}

/* 100 bears no To tag of ours, echoes Timestamp, and is sent before anything else. */
static void test_trying(void **state)
{
	struct harness h;
	const struct sent *s;

	harness_start(&h, &(struct harness_options){ .server_name = "Exchange" });
	request_send(&h, &(struct request){ .headers = "Timestamp: 54\r\n", .via = "SIP/2.0/UDP h;rport;branch=z9hG4bK1", .source = "10.1.0.3:777" });
	s = expect_response(&h, 100, "10.1.0.3:777");
	assert_null(sent_view(s)->to_tag.p);
	assert_string_equal(sent_header(s, "Timestamp", 0), "54");
	assert_string_equal(sent_header(s, "Via", 0), "SIP/2.0/UDP h;rport=777;branch=z9hG4bK1;received=10.1.0.3");
	expect_request(&h, "INVITE", A);
	harness_end(&h);
}

#define LONG "a-word-of-exactly-sixty-four-letters-so-that-eight-make-the-512"
#define MADE_UP "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* the shape of a token: 36 bytes */

/* Refusals of our own: their code, and that they cost no memory. */
static void test_refusals(void **state)
{
	static const struct {
		const char *what;
		struct request r;
		unsigned status;
		const char *header, *value;
	} cases[] = {
		{ "hops", { .hops = "0" }, 483, "Max-Forwards", "" },
		{ "Proxy-Require", { .headers = "Proxy-Require: foo, bar\r\nProxy-Require: baz\r\n" }, 420, "Unsupported", "foo, bar, baz" },
		{ "a Proxy-Require too long to be told", { .headers = "Proxy-Require: " LONG LONG LONG LONG LONG LONG LONG LONG LONG "\r\n" }, 420, "Unsupported", "" },
		{ "an empty Proxy-Require asks for nothing", { .headers = "Proxy-Require:\r\n" }, 0, NULL, NULL },
		{ "foreign Route", { .headers = "Route: <sip:9.9.9.9;lr>\r\n" }, 403, NULL, NULL },
		{ "foreign Route behind ours", { .headers = "Route: <sip:10.0.0.1;lr>, <sip:9.9.9.9;lr>\r\n" }, 403, NULL, NULL },
		{ "Route by name", { .headers = "Route: <sip:example.com;lr>\r\n" }, 403, NULL, NULL },
		{ "Route of another scheme", { .headers = "Route: <urn:service:sos>\r\n" }, 403, NULL, NULL },
		{ "Route that nobody can read", { .headers = "Route: <sip:\r\n" }, 403, NULL, NULL },
		{ "another port of ours is not us", { .headers = "Route: <sip:10.0.0.1:5070;lr>\r\n" }, 403, NULL, NULL },
		{ "no such number", { .uri = "sip:+15550100@10.0.0.1" }, 404, NULL, NULL },
		{ "no such name", { .uri = "sip:bob@example.com" }, 404, NULL, NULL },
		{ "sips", { .uri = "sips:+442035550100@10.0.0.1" }, 416, NULL, NULL },
		{ "an unknown scheme", { .uri = "foo:bar" }, 416, NULL, NULL },
		{ "a dialog of somebody else", { .to = "<sip:b@y>;tag=x" }, 481, NULL, NULL },
		{ "BYE to nothing", { .method = "BYE", .to = "<sip:b@y>;tag=x" }, 481, NULL, NULL },
		{ "CANCEL of nothing", { .method = "CANCEL" }, 481, NULL, NULL },
		{ "ACK of nothing is never answered", { .method = "ACK", .to = "<sip:b@y>;tag=x" }, 0, NULL, NULL },
		{ "a stranger", { .source = STRANGER }, 403, NULL, NULL },
		{ "a stranger's OPTIONS", { .source = STRANGER, .method = "OPTIONS", .uri = "sip:10.0.0.1" }, 403, NULL, NULL },
		{ "a stranger's BYE", { .source = STRANGER, .method = "BYE", .to = "<sip:b@y>;tag=x" }, 403, NULL, NULL },
		{ "a stranger with our address in Route", { .source = STRANGER, .headers = "Route: <sip:10.0.0.1;lr>\r\n" }, 403, NULL, NULL },
		{ "a stranger's CANCEL", { .source = STRANGER, .method = "CANCEL" }, 403, NULL, NULL },
		{ "a stranger with a token that he made up", { .source = STRANGER, .to = "<sip:b@y>;tag=x", .headers = "Route: <sip:" MADE_UP "@10.0.0.1;lr>\r\n" },
		  403, NULL, NULL },
		{ "the same from a trunk", { .to = "<sip:b@y>;tag=x", .headers = "Route: <sip:" MADE_UP "@10.0.0.1;lr>\r\n" }, 481, NULL, NULL },
		{ "a stranger's ACK", { .source = STRANGER, .method = "ACK" }, 0, NULL, NULL },
		{ "OPTIONS to us", { .method = "OPTIONS", .uri = "sip:10.0.0.1" }, 200, NULL, NULL },
		{ "OPTIONS to us, no hops left", { .method = "OPTIONS", .uri = "sip:[fd00::1]:5060", .hops = "0" }, 200, NULL, NULL },
		{ "a fault in the message", { .headers = "To: again\r\n" }, 400, NULL, NULL },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned silent = 0; silent < 2; silent++) {
			struct request r = cases[i].r;
			const char *source = r.source ? r.source : CALLER;
			struct proxy_gauges g;
			struct harness h;

			if (!r.via && r.source)
				r.via = "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1";
			harness_start(&h, &(struct harness_options){ .silent_to_unknown = silent });
			request_send(&h, &r);
			if (cases[i].header && cases[i].status) {
				const struct sent *s = expect_response(&h, cases[i].status, source);

				assert_string_equal(sent_header(s, cases[i].header, 0), cases[i].value);
				assert_true(sent_view(s)->to_tag.n > 0);
			} else if (cases[i].status && !(silent && r.source)) {
				if (h.sent_count != 1)
					fail_msg("%s: %u messages", cases[i].what, h.sent_count);
				expect_response(&h, cases[i].status, source);
			} else if (!strcmp(cases[i].what, "an empty Proxy-Require asks for nothing")) {
				expect_response(&h, 100, CALLER);
				expect_request(&h, "INVITE", A);
				harness_end(&h);
				continue;
			}
			if (h.sent_read != h.sent_count)
				fail_msg("%s, silent %u: an answer too many:\n%.*s", cases[i].what, silent,
					 (int)h.sent[h.sent_read]->len, (const char *)h.sent[h.sent_read]->data);
			proxy_gauges(h.proxy, &g);
			assert_int_equal(g.server_transactions + g.client_transactions + g.message_bytes, 0);
			assert_int_equal(proxy_next_due(h.proxy), UINT64_MAX);
			harness_end(&h);
		}
	}
}

/* Our own branch with the same loop hash: the request came back as it went. */
static void test_loop(void **state)
{
	struct harness h;
	const struct sent *s;
	char text[8192], *uri;

	harness_start(&h, NULL);
	h.trunk[TRUNK_A].request_uri = TRUNK_URI_KEEP;
	harness_publish(&h);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	s = expect_request(&h, "INVITE", A);
	snprintf(text, sizeof(text), "%.*s", (int)s->len, (const char *)s->data);
	send_text(&h, A, text);
	expect_response(&h, 482, A);
	/* another number: a spiral, which is allowed (§16.3(4)) */
	uri = strstr(text, "100@");
	memcpy(uri, "101@", 4);
	send_text(&h, A, text);
	expect_response(&h, 100, A);
	expect_request(&h, "INVITE", A);
	assert_int_equal(counter_of(&h, COUNTER_refused_loop), 1);
	harness_end(&h);
}

static void test_draining(void **state)
{
	struct harness h;
	struct dialog d;
	const struct sent *s;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	proxy_drain(h.proxy, true);
	request_send(&h, &(struct request){ .call_id = "other", .via = VIA "other" });
	s = expect_response(&h, 503, CALLER);
	assert_string_equal(sent_header(s, "Retry-After", 0), "60");
	request_send(&h, &(struct request){ .method = "OPTIONS", .uri = "sip:10.0.0.1", .via = VIA "o" });
	s = expect_response(&h, 503, CALLER);
	assert_string_equal(sent_header(s, "Retry-After", 0), "60");
	dialog_close(&h, &d); /* what lives ends normally */
	proxy_drain(h.proxy, false);
	request_send(&h, &(struct request){ .call_id = "third", .via = VIA "third" });
	expect_response(&h, 100, CALLER);
	harness_end(&h);
}

/* While the process starts: dropped, and welcome when it comes again. */
static void test_held(void **state)
{
	struct harness h;
	struct dialog d;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	proxy_admit(h.proxy, ADMIT_DIALOGS);
	request_send(&h, &(struct request){ .call_id = "new", .via = VIA "new" });
	expect_nothing(&h);
	dialog_send(&h, &d, TOKEN_FROM_TARGET, "INFO", 1, NULL);
	expect_request(&h, "INFO", CALLER);
	proxy_admit(h.proxy, ADMIT_NOTHING);
	dialog_send(&h, &d, TOKEN_FROM_CALLER, "BYE", 0, VIA "bye");
	request_send(&h, &(struct request){ .call_id = "new", .via = VIA "new" });
	expect_nothing(&h);
	assert_int_equal(counter_of(&h, COUNTER_requests_held), 3);
	proxy_admit(h.proxy, ADMIT_ALL);
	request_send(&h, &(struct request){ .call_id = "new", .via = VIA "new" });
	expect_response(&h, 100, CALLER);
	expect_request(&h, "INVITE", A);
	dialog_close(&h, &d);
	harness_end(&h);
}

static void test_noise(void **state)
{
	static const struct {
		const char *bytes;
		enum counter counter;
	} cases[] = {
		{ "\r\n\r\n", COUNTER_sip_keepalives },
		{ "", COUNTER_sip_keepalives },
		{ "\x01\x02hello", COUNTER_sip_not_sip },
		{ "INVITE", COUNTER_sip_not_sip },
		{ "INVITE sip:x SIP/2.0\r\n\r\n", COUNTER_sip_bad_dropped },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKtaaaaaaaaaaaaaaaaaaaaaaaa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
		  "Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n", COUNTER_responses_forged },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKother\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
		  "Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n", COUNTER_responses_stray },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
		  "Call-ID: x\r\nCSeq: 1 INVITE\r\n\r\n", COUNTER_responses_stray },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;

		harness_start(&h, NULL);
		send_text(&h, CALLER, cases[i].bytes);
		if (counter_of(&h, cases[i].counter) != 1)
			fail_msg("case %u is not counted as %s", i, counter_name(cases[i].counter));
		expect_nothing(&h);
		harness_end(&h);
	}
}

/* No Route, Contact or To of a scheme without parts is looked into (a token would stand in a user part that is not there). */
static void test_odd_schemes(void **state)
{
	static const char *const odd[] = { "urn:service:sos", "mailto:a@b", "foo:bar", "x:y;lr", "tel:+1", "data:," };

	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++)
		for (unsigned k = 0; k < 5; k++) {
			struct harness h;
			struct dialog d;
			char routes[3000], contact[100];

			snprintf(contact, sizeof(contact), "<%s>", odd[i]);
			harness_start(&h, NULL);
			dialog_open(&h, NULL, A, NULL, &d);
			expect_request(&h, "ACK", A);
			switch (k) {
			case 0: snprintf(routes, sizeof(routes), "Route: <%s>\r\n", odd[i]); break;
			case 1: snprintf(routes, sizeof(routes), "Route: <%s>\r\n%s", odd[i], d.caller_routes); break;
			case 2: snprintf(routes, sizeof(routes), "%sRoute: <%s>\r\n", d.caller_routes, odd[i]); break;
			case 3: snprintf(routes, sizeof(routes), "%sRoute: <sip:x;lr>, <%s>\r\n", d.caller_routes, odd[i]); break;
			default: routes[0] = 0;
			}
			request_send(&h, &(struct request){ .source = k % 2 ? STRANGER : CALLER, .method = "INFO", .cseq = 9, .via = VIA "i",
							    .from = d.caller_from, .to = d.caller_to, .headers = routes, .contact = contact });
			request_send(&h, &(struct request){ .call_id = "new", .via = VIA "new", .headers = routes, .contact = contact });
			harness_end(&h);
		}
}

/* Where it came from is worked out once for a sender; senders that share a place there push each other out. IPv6 is worked out anew each time. */
static void test_received(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	for (unsigned i = 0; i < 900; i++) {
		char via[80], source[32], id[16], from[32], want[96];
		unsigned port = i >= 600 ? 5080 : i % 3 ? i : 40000 + i / 7, host = 1 + i * (i < 600 ? i : 1) % 250;
		const struct sent *s;

		snprintf(via, sizeof(via), "SIP/2.0/UDP pc%s;branch=z9hG4bK%u", i % 2 ? ";rport" : "", i);
		snprintf(source, sizeof(source), i % 11 ? "10.1.0.%u:%u" : "[fd01::%u]:%u", host, port + 1);
		snprintf(id, sizeof(id), "received%u", i);
		request_send(&h, &(struct request){ .method = "OPTIONS", .via = via, .source = source, .call_id = id });
		s = expect_request(&h, "OPTIONS", A);
		snprintf(from, sizeof(from), i % 11 ? "10.1.0.%u" : "fd01::%u", host);
		if (i % 2)
			snprintf(want, sizeof(want), "SIP/2.0/UDP pc;received=%s;rport=%u;branch=z9hG4bK%u", from, port + 1, i);
		else
			snprintf(want, sizeof(want), "SIP/2.0/UDP pc;branch=z9hG4bK%u;received=%s", i, from);
		assert_string_equal(sent_header(s, "Via", 1), want);
		answer(&h, s, 200, NULL, NULL);
		h.sent_read = h.sent_count;
	}
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_edits), cmocka_unit_test(test_received), cmocka_unit_test(test_length_on_streams),
	     cmocka_unit_test(test_request_uri), cmocka_unit_test(test_retransmissions), cmocka_unit_test(test_absorbed),
	     cmocka_unit_test(test_trying), cmocka_unit_test(test_refusals), cmocka_unit_test(test_loop),
	     cmocka_unit_test(test_draining), cmocka_unit_test(test_held), cmocka_unit_test(test_noise), cmocka_unit_test(test_odd_schemes))
