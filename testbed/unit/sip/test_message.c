/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"
#include "sip/message.h"

static struct sip_message m;

#define START	"INVITE sip:bob@example.com SIP/2.0\r\n"
#define VIA	"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n"
#define FROM	"From: <sip:a@b>;tag=1\r\n"
#define TO	"To: <sip:c@d>\r\n"
#define CALL_ID "Call-ID: x@y\r\n"
#define CSEQ	"CSeq: 7 INVITE\r\n"
#define REST	VIA FROM TO CALL_ID CSEQ
#define STATUS	"SIP/2.0 200 OK\r\n"

static const struct {
	const char *what, *text;
	enum sip_verdict verdict;
	enum sip_fault fault;
	bool answerable;
} judged[] = {
	{ "plain request", START REST "\r\n", SIP_OK, SIP_FINE, true },
	{ "plain response", STATUS REST "\r\n", SIP_OK, SIP_FINE, false },
	{ "compact, lower case, odd spacing",
	  START "v : SIP/2.0/UDP h;branch=1\r\nf\t:sip:a@b;tag=1\r\nT:<sip:c@d>\r\nI:\r\n x\r\ncseq:7\t INVITE \r\n\r\n", SIP_OK,
	  SIP_FINE, true },
	{ "bare line feeds", "BYE sip:h SIP/2.0\nv:SIP/2.0/UDP h\nf:sip:a@b\nt:sip:c@d\ni:x\ncseq:1 BYE\n\n", SIP_OK, SIP_FINE,
	  true },
	{ "version in lower case", "INVITE sip:h sip/2.0\r\n" REST "\r\n", SIP_OK, SIP_FINE, true },
	{ "tel", "INVITE tel:+44 SIP/2.0\r\n" REST "\r\n", SIP_OK, SIP_FINE, true },
	{ "unknown method", "!x%~ sip:h SIP/2.0\r\n" VIA FROM TO CALL_ID "CSeq: 1 !x%~\r\n\r\n", SIP_OK, SIP_FINE, true },
	{ "leading line ends", "\r\n\r\n\n" START REST "\r\n", SIP_OK, SIP_FINE, true },
	{ "empty line only", "\r\n\r\n", SIP_KEEPALIVE, SIP_FINE, false },
	{ "nothing", "", SIP_KEEPALIVE, SIP_FINE, false },
	{ "noise", "\x80\x01 garbage", SIP_NOT_SIP, SIP_FINE, false },
	{ "one word", "INVITE", SIP_NOT_SIP, SIP_FINE, false },
	{ "starts with a space", " " START REST "\r\n", SIP_NOT_SIP, SIP_FINE, false },
	{ "HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", SIP_BAD, SIP_FAULT_START_LINE, false },
	{ "two spaces", "INVITE  sip:h SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "two spaces behind", "INVITE sip:h  SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "space at the end", "INVITE sip:h SIP/2.0 \r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "no version", "INVITE sip:h\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "no URI", "INVITE SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "folded start line", "INVITE sip:h\r\n SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "space in the URI", "INVITE sip:h;a b SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_URI, true },
	{ "URI in brackets", "INVITE <sip:h> SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_URI, true },
	{ "URI with headers", "INVITE sip:h?Route=x SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_URI, true },
	{ "scheme", "INVITE mailto:a@b SIP/2.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_SCHEME, true },
	{ "version 3", "INVITE sip:h SIP/3.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_VERSION, true },
	{ "version 2.00", "INVITE sip:h SIP/2.00\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_VERSION, true },
	{ "version x", "INVITE sip:h SIP/x.0\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "status 99", "SIP/2.0 099 x\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, false },
	{ "status 700", "SIP/2.0 700 x\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, false },
	{ "status of four digits", "SIP/2.0 2000 x\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, false },
	{ "status cut", "SIP/2.0 20\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_START_LINE, false },
	{ "no reason", "SIP/2.0 100 \r\n" REST "\r\n", SIP_OK, SIP_FINE, false },
	{ "no reason, no space", "SIP/2.0 100\r\n" REST "\r\n", SIP_OK, SIP_FINE, false },
	{ "response of version 3", "SIP/3.0 200 OK\r\n" REST "\r\n", SIP_BAD, SIP_FAULT_VERSION, false },
	{ "no blank line", START REST, SIP_BAD, SIP_FAULT_HEAD, true },
	{ "cut inside a line", START REST "X: y", SIP_BAD, SIP_FAULT_HEAD, true },
	{ "cut inside the start line", "INVITE sip:h", SIP_BAD, SIP_FAULT_START_LINE, false },
	{ "no colon", START REST "nonsense\r\n\r\n", SIP_BAD, SIP_FAULT_HEAD, true },
	{ "no name", START REST ": x\r\n\r\n", SIP_BAD, SIP_FAULT_HEAD, true },
	{ "space in a name", START REST "a b: x\r\n\r\n", SIP_BAD, SIP_FAULT_HEAD, true },
	{ "8-bit name", START REST "\xe9: x\r\n\r\n", SIP_BAD, SIP_FAULT_HEAD, true },
	{ "no Via", START FROM TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_MISSING, false },
	{ "no From", START VIA TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_MISSING, false },
	{ "no To", START VIA FROM CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_MISSING, false },
	{ "no Call-ID", START VIA FROM TO CSEQ "\r\n", SIP_BAD, SIP_FAULT_MISSING, false },
	{ "no CSeq", START VIA FROM TO CALL_ID "\r\n", SIP_BAD, SIP_FAULT_MISSING, false },
	{ "two From", START REST "f: <sip:e@f>\r\n\r\n", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "two To", START REST TO "\r\n", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "two Call-ID", START REST CALL_ID "\r\n", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "two CSeq", START REST CSEQ "\r\n", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "two Max-Forwards", START REST "Max-Forwards: 1\r\nMax-Forwards: 2\r\n\r\n", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "two lengths", START REST "l: 0\r\nContent-Length: 0\r\n\r\n", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "two Via, two Route", START REST VIA "Route: <sip:r>\r\nRoute: <sip:s>\r\n\r\n", SIP_OK, SIP_FINE, true },
	{ "Via unreadable", START "Via: junk\r\n" FROM TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_VIA, false },
	{ "Via empty", START "Via:\r\n" FROM TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_VIA, false },
	{ "second Via value unreadable", START "Via: SIP/2.0/UDP h;;,;,,\r\n" FROM TO CALL_ID CSEQ "\r\n", SIP_BAD,
	  SIP_FAULT_VIA, true },
	{ "From unbalanced", START VIA "From: \"a <sip:a@b>\r\n" TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_FROM, true },
	{ "From twice in a line", START VIA "From: <sip:a>,<sip:b>\r\n" TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_FROM, true },
	{ "From with a comma behind", START VIA "From: <sip:a>,\r\n" TO CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_FROM, true },
	{ "To empty", START VIA FROM "To:\r\n" CALL_ID CSEQ "\r\n", SIP_BAD, SIP_FAULT_TO, true },
	{ "To of an unknown scheme", START VIA FROM "To: isbn:123\r\n" CALL_ID CSEQ "\r\n", SIP_OK, SIP_FINE, true },
	{ "Call-ID empty", START VIA FROM TO "Call-ID: \r\n" CSEQ "\r\n", SIP_BAD, SIP_FAULT_CALL_ID, true },
	{ "CSeq of another method", START VIA FROM TO CALL_ID "CSeq: 7 BYE\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "CSeq in another case", START VIA FROM TO CALL_ID "CSeq: 7 invite\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "CSeq 2^31 - 1", START VIA FROM TO CALL_ID "CSeq: 2147483647 INVITE\r\n\r\n", SIP_OK, SIP_FINE, true },
	{ "CSeq 2^31", START VIA FROM TO CALL_ID "CSeq: 2147483648 INVITE\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "CSeq huge", STATUS VIA FROM TO CALL_ID "CSeq: 36893488147419103232 INVITE\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, false },
	{ "CSeq without method", START VIA FROM TO CALL_ID "CSeq: 7\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "CSeq without number", START VIA FROM TO CALL_ID "CSeq: INVITE\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "CSeq without space", START VIA FROM TO CALL_ID "CSeq: 7INVITE\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "Max-Forwards 0068", START REST "Max-Forwards: 0068\r\n\r\n", SIP_OK, SIP_FINE, true },
	{ "Max-Forwards 256", START REST "Max-Forwards: 256\r\n\r\n", SIP_BAD, SIP_FAULT_MAX_FORWARDS, true },
	{ "Max-Forwards -1", START REST "Max-Forwards: -1\r\n\r\n", SIP_BAD, SIP_FAULT_MAX_FORWARDS, true },
	{ "Max-Forwards empty", START REST "Max-Forwards:\r\n\r\n", SIP_BAD, SIP_FAULT_MAX_FORWARDS, true },
	{ "length beyond the datagram", START REST "Content-Length: 5\r\n\r\nabcd", SIP_BAD, SIP_FAULT_CONTENT_LENGTH, true },
	{ "length negative", START REST "Content-Length: -4\r\n\r\nabcd", SIP_BAD, SIP_FAULT_CONTENT_LENGTH, true },
	{ "length huge", START REST "Content-Length: 99999999999999999999\r\n\r\nabcd", SIP_BAD, SIP_FAULT_CONTENT_LENGTH, true },
	{ "response with a fault", STATUS VIA FROM TO CALL_ID "CSeq: x\r\n\r\n", SIP_BAD, SIP_FAULT_CSEQ, false },
};

static void verdicts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(judged); i++) {
		struct span s = exact_str(judged[i].text);
		enum sip_verdict v = sip_parse(s.p, s.n, &m);

		if (v != judged[i].verdict || m.fault != judged[i].fault)
			fail_msg("%s: verdict %d, fault %d (%s)", judged[i].what, v, m.fault, sip_fault_reason(m.fault));
		if ((v == SIP_OK || v == SIP_BAD) && sip_answerable(&m) != judged[i].answerable)
			fail_msg("%s: answerable is wrong", judged[i].what);
		exact_free(s);
	}
}

static void fields_of_a_request(void **state)
{
	static const char text[] =
		"\r\nINVITE sip:bob@example.com;user=phone SIP/2.0\r\n" VIA "Max-Forwards: 70\r\n"
		"From: \"A\" <sip:a@b>;x=y;tag=from1\r\nTo: sip:c@d;tag=to1\r\nX-Odd : a\0b\xff  \r\n"
		"v: SIP/2.0/TCP h\r\nCall-ID:   x@y \r\nCSeq: 7 INVITE\r\nl: 4\r\n\r\nbodyjunk";
	struct span s = exact(text, sizeof(text) - 1);
	int odd = 4;

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_ptr_equal(m.data, s.p + 2);
	assert_true(m.is_request);
	assert_int_equal(m.method, SIP_INVITE);
	assert_int_equal(m.status, 0);
	expect_span("request", "method", m.method_name, "INVITE");
	expect_span("request", "URI", m.request_uri, "sip:bob@example.com;user=phone");
	expect_span("request", "Call-ID", m.call_id, "x@y");
	expect_span("request", "From tag", m.from_tag, "from1");
	expect_span("request", "To tag", m.to_tag, "to1");
	assert_int_equal(m.cseq, 7);
	assert_int_equal(m.max_forwards, 70);
	assert_memory_equal(m.data + m.start_line_end, "Via:", 4);
	assert_memory_equal(m.data + m.head_end, "\r\n", 2);
	assert_int_equal(m.body, m.head_end + 2);
	assert_int_equal(m.len - m.body, 4);
	assert_int_equal(m.header_count, 9);
	expect_span("request", "odd name", sip_name(&m, odd), "X-Odd");
	assert_int_equal(sip_value(&m, odd).n, 4);
	assert_memory_equal(sip_value(&m, odd).p, "a\0b\xff", 4);
	assert_int_equal(m.headers[odd].id, SIP_H_OTHER);
	assert_int_equal(m.headers[odd].next, -1);
	assert_int_equal(m.first[SIP_H_VIA], 0);
	assert_int_equal(m.headers[0].next, 5);
	assert_int_equal(m.headers[5].next, -1);
	assert_int_equal(m.first[SIP_H_ROUTE], -1);
	assert_null(sip_first(&m, SIP_H_ROUTE).p);
	exact_free(s);
}

static void fields_of_a_response(void **state)
{
	struct span s = exact_str("SIP/2.0 183 Caf\xc3\xa9: in progress\r\n" VIA FROM TO CALL_ID "CSeq: 12 PRACK\r\n\r\nto the end");

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_false(m.is_request);
	assert_int_equal(m.status, 183);
	assert_int_equal(m.method, SIP_PRACK);
	expect_span("response", "method", m.method_name, "PRACK");
	expect_span("response", "reason", m.reason, "Caf\xc3\xa9: in progress");
	expect_span("response", "URI", m.request_uri, NULL);
	expect_span("response", "To tag", m.to_tag, NULL);
	assert_int_equal(m.max_forwards, UINT32_MAX);
	assert_int_equal(m.len - m.body, 10);
	exact_free(s);
}

/* An empty value lies right behind its colon, so that name and value together hold no line end. */
static void empty_values(void **state)
{
	struct span s = exact_str(START REST "X:\r\nY: \t\r\n \r\nZ:\n\r\n");

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	for (int i = 5; i < 8; i++) {
		assert_int_equal(sip_value(&m, i).n, 0);
		assert_int_equal(sip_value(&m, i).p[-1], ':');
	}
	exact_free(s);
}

static void zero_bytes_keep_alive(void **state)
{
	struct span s = exact("\0\0\0\0", 4), t = exact("\r\n\0INVITE", 9);

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_KEEPALIVE);
	assert_int_equal(sip_parse(t.p, t.n, &m), SIP_NOT_SIP);
	exact_free(s);
	exact_free(t);
}

static void too_many_lines(void **state)
{
	static const char line[] = "X: y\r\n";
	size_t head = strlen(START REST), n = head;
	char *text = malloc(head + (SIP_LINES_MAX + 1) * strlen(line) + 2);

	assert_non_null(text);
	memcpy(text, START REST, head);
	for (int i = 0; i < SIP_LINES_MAX - 5; i++, n += strlen(line))
		memcpy(text + n, line, strlen(line));
	memcpy(text + n, "\r\n", 2);
	assert_int_equal(sip_parse((uint8_t *)text, (uint32_t)n + 2, &m), SIP_OK);
	assert_int_equal(m.header_count, SIP_LINES_MAX);
	memcpy(text + n, line, strlen(line));
	n += strlen(line);
	memcpy(text + n, "\r\n", 2);
	assert_int_equal(sip_parse((uint8_t *)text, (uint32_t)n + 2, &m), SIP_BAD);
	assert_int_equal(m.fault, SIP_FAULT_TOO_MANY_LINES);
	assert_true(sip_answerable(&m));
	free(text);
}

/* Any cut of a good message is read without a step outside, and is never taken for whole. */
static void every_prefix(void **state)
{
	static const char text[] = START REST "Content-Length: 4\r\n\r\nbody";

	for (uint32_t n = 0; n < sizeof(text) - 1; n++) {
		struct span s = exact(text, n);

		assert_int_not_equal(sip_parse(s.p, s.n, &m), SIP_OK);
		exact_free(s);
	}
}

static void lists(void **state)
{
	struct span s = exact_str(START REST "Require: 100rel, ,timer\r\nSupported: x\r\nRequire:\r\nrequire: gruu ,\r\n  path,\r\n\r\n");
	static const char *const want[] = { "100rel", "timer", "gruu", "path" };
	struct sip_list_cursor cursor = { 0 }, none = { 0 };
	struct span value;

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		assert_true(sip_list_next(&m, SIP_H_REQUIRE, &cursor, &value));
		expect_span("Require", "value", value, want[i]);
	}
	assert_false(sip_list_next(&m, SIP_H_REQUIRE, &cursor, &value));
	assert_false(sip_list_next(&m, SIP_H_REQUIRE, &cursor, &value));
	assert_false(sip_list_next(&m, SIP_H_PROXY_REQUIRE, &none, &value));
	exact_free(s);
}

static void faults_have_answers(void **state)
{
	assert_int_equal(sip_fault_status(SIP_FAULT_SCHEME), 416);
	assert_int_equal(sip_fault_status(SIP_FAULT_VERSION), 505);
	for (int f = SIP_FAULT_START_LINE; f <= SIP_FAULT_SCHEME; f++) {
		assert_true(sip_fault_status((enum sip_fault)f) >= 400);
		assert_true(strlen(sip_fault_reason((enum sip_fault)f)) > 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),	     cmocka_unit_test(fields_of_a_request),
		cmocka_unit_test(fields_of_a_response), cmocka_unit_test(zero_bytes_keep_alive),
		cmocka_unit_test(empty_values),
		cmocka_unit_test(too_many_lines),    cmocka_unit_test(every_prefix),
		cmocka_unit_test(lists),	     cmocka_unit_test(faults_have_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
