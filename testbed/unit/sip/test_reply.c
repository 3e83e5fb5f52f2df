/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "exact.h"
#include "sip/reply.h"

static struct sip_message m, again;

#define INVITE                                                                                                         \
	"INVITE sip:bob@t SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa , SIP/2.0/UDP p;branch=z9hG4bKb\r\n" \
	"Route: <sip:r1;lr>\r\nMax-Forwards: 69\r\nFrom: <sip:a@b>;tag=1\r\nt: sip:c@d\r\nTimestamp: 54\r\n"             \
	"Via: SIP/2.0/TCP q\r\nroute: <sip:r2;lr>,<sip:r3;lr>\r\nCall-ID: x\r\nCSeq: 7\r\n INVITE\r\nSubject: s\r\n\r\nbody"

static void expect_reply(const char *what, const struct reply *reply, const char *want)
{
	uint32_t n = (uint32_t)strlen(want);
	uint8_t *out = malloc(n);
	int r;

	assert_non_null(out);
	assert_int_equal(reply_compose(&m, reply, out, n - 1), -ERR_FULL);
	r = reply_compose(&m, reply, out, n);
	if (r < 0)
		fail_msg("%s: %d", what, r);
	expect_span(what, "response", span_of(out, (uint32_t)r), want);
	assert_int_equal(sip_parse(out, n, &again), SIP_OK);
	free(out);
}

static void responses(void **state)
{
	static const struct {
		const char *what;
		struct reply reply;
		const char *want;
	} cases[] = {
		{ "100 with Timestamp", { .status = 100 },
		  "SIP/2.0 100 Trying\r\nv: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa , SIP/2.0/UDP p;branch=z9hG4bKb\r\n"
		  "Via: SIP/2.0/TCP q\r\nFrom: <sip:a@b>;tag=1\r\nt: sip:c@d\r\nCall-ID: x\r\nCSeq: 7\r\n INVITE\r\nTimestamp: 54\r\n"
		  "Content-Length: 0\r\n\r\n" },
		{ "404 with everything",
		  { .status = 404,
		    .reason = "No Such Number",
		    .to_tag = { (const uint8_t *)"our", 3 },
		    .via_append = { (const uint8_t *)";received=192.0.2.1", 19 },
		    .rport_value = { (const uint8_t *)"1024", 4 },
		    .headers = { (const uint8_t *)"Retry-After: 5\r\n", 16 } },
		  "SIP/2.0 404 No Such Number\r\nv: SIP/2.0/UDP 10.0.0.1;rport=1024;branch=z9hG4bKa;received=192.0.2.1 , SIP/2.0/UDP "
		  "p;branch=z9hG4bKb\r\nVia: SIP/2.0/TCP q\r\nFrom: <sip:a@b>;tag=1\r\nt: sip:c@d;tag=our\r\nCall-ID: x\r\n"
		  "CSeq: 7\r\n INVITE\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n" },
	};
	struct span s = exact_str(INVITE);

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		expect_reply(cases[i].what, &cases[i].reply, cases[i].want);
	exact_free(s);
}

/* Lines that are copied, in every order that a request may have them in, behind each other or not, and whatever they end with. */
static void lines_lie_anywhere(void **state)
{
	static const char *const lines[] = { "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "From: <sip:a@b>;tag=1", "To: <sip:c@d>", "Call-ID: x", "CSeq: 1 OPTIONS" };
	static const char *const ends[] = { "\r\n", " \r\n", "\n", "\r\nSubject: s\r\n" };
	struct reply replies[] = { { .status = 100 }, { .status = 400, .to_tag = SPAN_LIT("our"), .via_append = SPAN_LIT(";received=1.2.3.4") } };

	for (unsigned order = 0; order < 5 * 4 * 3 * 2; order++)
		for (unsigned end = 0; end < 4 * COUNT_OF(lines); end++) {
			char text[512] = "OPTIONS sip:h SIP/2.0\r\n";
			unsigned left = 0x1f;
			struct span s;

			for (unsigned i = 0, rest = order; i < COUNT_OF(lines); i++) {
				unsigned line = 0, skip = rest % (5 - i);

				rest /= 5 - i;
				while (!(left >> line & 1) || skip--)
					line++;
				left &= ~(1u << line);
				strcat(text, lines[line]);
				strcat(text, ends[i == end / 4 ? end % 4 : 0]);
			}
			s = exact_str(strcat(text, "\r\n"));
			assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
			expect_reply(text, &replies[0], "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
				     "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
			expect_reply(text, &replies[1], "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;received=1.2.3.4\r\n"
				     "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=our\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
				     "Content-Length: 0\r\n\r\n");
			exact_free(s);
		}
}

static void a_tag_that_is_there_stays(void **state)
{
	struct span s = exact_str("BYE sip:h SIP/2.0\nVia: SIP/2.0/UDP h;rport=9\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: x\n"
				  "CSeq: 1 BYE\n\n");
	struct reply reply = { .status = 481, .to_tag = SPAN_LIT("our"), .rport_value = SPAN_LIT("1024") };

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	expect_reply("481", &reply,
		     "SIP/2.0 481 Call/Transaction Does Not Exist\r\nVia: SIP/2.0/UDP h;rport=9\r\nFrom: <sip:a@b>;tag=1\r\n"
		     "To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n");
	exact_free(s);
}

static void faulty_requests_are_answered(void **state)
{
	struct span s = exact_str("INVITE mailto:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
				  "CSeq: 1 INVITE\r\n\r\n");
	struct reply reply = { .status = 416, .to_tag = SPAN_LIT("z") };
	uint8_t out[256];

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_BAD);
	assert_true(sip_answerable(&m));
	expect_reply("416", &reply, "SIP/2.0 416 Unsupported URI Scheme\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>;tag=1\r\n"
				    "To: <sip:c@d>;tag=z\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n");
	exact_free(s);

	s = exact_str("INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_BAD);
	assert_int_equal(reply_compose(&m, &reply, out, sizeof(out)), -ERR_INVALID);
	exact_free(s);
}

#define BESIDE                                                                                                         \
	"Via: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bKa\r\nRoute: <sip:r1;lr>\r\nroute: <sip:r2;lr>,<sip:r3;lr>\r\n"   \
	"Max-Forwards: 69\r\nFrom: <sip:a@b>;tag=1\r\n"

/* From a response that may say what it likes of routes, hops and our Via. */
static void ack_again(void **state)
{
	static const char ack[] = "ACK sip:bob@t SIP/2.0\r\nVia: ours\r\nMax-Forwards: 69\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=9\r\n"
				  "Call-ID: x\r\nCSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n";
	struct span s = exact_str("SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;received=1.2.3.4\r\nVia: SIP/2.0/UDP h\r\n"
				  "Route: <sip:r1;lr>\r\nMax-Forwards: 3\r\nTo: <sip:c@d>;tag=9\r\nCSeq: 7 INVITE\r\nCall-ID: x\r\n"
				  "From: <sip:a@b>;tag=1  \r\nContent-Length: 4\r\n\r\nbody");
	uint8_t out[1024];
	int r;

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	r = reply_compose_ack_again(&m, SPAN_LIT("sip:bob@t"), SPAN_LIT("Via: ours\r\n"), 69, out, sizeof(out));
	assert_int_equal(r, sizeof(ack) - 1);
	assert_memory_equal(out, ack, sizeof(ack) - 1);
	assert_int_equal(reply_compose_ack_again(&m, SPAN_LIT("sip:bob@t"), SPAN_LIT("Via: ours\r\n"), 69, out, sizeof(ack) - 2), -ERR_FULL);
	exact_free(s);
}

static void ack_and_cancel(void **state)
{
	static const char ack[] = "ACK sip:bob@t SIP/2.0\r\n" BESIDE "To: <sip:c@d>;tag=9\r\nCall-ID: x\r\nCSeq: 7 ACK\r\n"
				  "Content-Length: 0\r\n\r\n";
	static const char cancel[] = "CANCEL sip:bob@t SIP/2.0\r\n" BESIDE "To: sip:c@d\r\nCall-ID: x\r\nCSeq: 7 CANCEL\r\n"
				     "Reason: SIP;cause=200\r\nContent-Length: 0\r\n\r\n";
	struct span s = exact_str(INVITE);
	uint8_t out[1024];
	int r;

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	r = reply_compose_ack(&m, SPAN_LIT("<sip:c@d>;tag=9"), out, sizeof(out));
	assert_true(r > 0);
	expect_span("ACK", "message", span_of(out, (uint32_t)r), ack);
	r = reply_compose_cancel(&m, SPAN_LIT("Reason: SIP;cause=200\r\n"), out, sizeof(out));
	assert_true(r > 0);
	expect_span("CANCEL", "message", span_of(out, (uint32_t)r), cancel);
	assert_int_equal(reply_compose_ack(&m, SPAN_LIT("<sip:c@d>;tag=9"), out, sizeof(ack) - 2), -ERR_FULL);
	exact_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses),
		cmocka_unit_test(lines_lie_anywhere),
		cmocka_unit_test(a_tag_that_is_there_stays),
		cmocka_unit_test(faulty_requests_are_answered),
		cmocka_unit_test(ack_again), cmocka_unit_test(ack_and_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
