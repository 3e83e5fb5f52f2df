/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"

#include <stdio.h>

#include "sip/message.h"
#include "sip/q850.h"

/* Reason headers as they come (RFC 3326), and what they say. */
static void causes(void **state)
{
	static const struct {
		const char *lines;
		uint8_t cause;
	} cases[] = {
		{ "", 0 },
		{ "Reason: Q.850;cause=38\r\n", 38 },
		{ "Reason: Q.850 ; cause = 16 ; text=\"Normal call clearing\"\r\n", 16 },
		{ "Reason: q.850;text=\"a;cause=3\";CAUSE=127\r\n", 127 },
		{ "Reason: SIP;cause=503;text=\"x, Q.850;cause=1\", Q.850;cause=34\r\n", 34 },
		{ "Reason: SIP;cause=200\r\n", 0 },
		{ "Reason: SIP;cause=200\r\nReason: Q.850;cause=41\r\n", 41 },
		{ "Reason: Q.850\r\n", 0 },
		{ "Reason: Q.850;cause=\r\n", 0 },
		{ "Reason: Q.850;cause=128\r\n", 0 },
		{ "Reason: Q.850;cause=1x\r\n", 0 },
		{ "Reason: Q.850;text=\"never closed;cause=9\r\n", 0 },
		{ "Reason: Q.850;text=\"\\\"\";cause=9\r\n", 9 },
		{ "Reason: ,;,;=,Q.850;;cause=7\r\n", 7 },
		{ "Reason: \"\r\n", 0 },
		{ "Reason: Q.850;cause=16;text=\"Normal call clearing\"\r\n", 16 },
		{ "Reason: Q.850;cause=127;cause=3\r\n", 127 },
		{ "Reason: Q.850;cause=016\r\n", 16 },
		{ "Reason: Q.850;cause=0016\r\n", 16 },
		{ "Reason: Q.850;cause=200;cause=3\r\n", 0 },
		{ "Reason: Q.850;cause=0, Q.850;cause=3\r\n", 3 },
		{ "Reason: Q.850;cause=16, Q.850;cause=3\r\n", 16 },
		{ "Reason: Q.850;cause=16a\r\n", 0 },
		{ "Reason: Q.850;cause=16 ;text=x\r\n", 16 },
		{ "Reason: Q.850;cause=;cause=3\r\n", 0 },
	};
	static struct sip_message m;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[512];
		struct span s;

		snprintf(text, sizeof(text), "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
			 "Call-ID: q\r\nCSeq: 2 BYE\r\n%sContent-Length: 0\r\n\r\n", cases[i].lines);
		s = exact_str(text);
		assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
		if (q850_cause(&m) != cases[i].cause)
			fail_msg("%s: %u, not %u", cases[i].lines, q850_cause(&m), cases[i].cause);
		exact_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(causes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
