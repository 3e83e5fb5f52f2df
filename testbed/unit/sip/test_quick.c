/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"
#include "sip/quick.h"

#define NINE "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF1: 6\r\nG: 7\r\nH: 8\r\nJ: 9\r\n"

static void looks(void **state)
{
	static const struct {
		const char *text;
		enum quick_kind kind;
		const char *call_id, *branch;
	} cases[] = {
		{ "BYE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=b\r\nCall-ID: x@y \r\n\r\n", QUICK_REQUEST, "x@y", NULL },
		{ "BYE sip:h SIP/2.0\r\ni :\r\n x\r\n\r\n", QUICK_REQUEST, "x", NULL },
		{ "\r\n\nBYE sip:h SIP/2.0\ni:x\n\n", QUICK_REQUEST, "x", NULL },
		{ "BYE sip:h SIP/2.0\r\n" NINE NINE "Call-ID: far\r\n\r\n", QUICK_REQUEST, "far", NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID: first\r\nCall-ID: second\r\n\r\n", QUICK_REQUEST, "first", NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID: cut-behind\r\nX", QUICK_REQUEST, "cut-behind", NULL },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=b , SIP/2.0/UDP g;branch=c\r\nCall-ID: x\r\n\r\n", QUICK_RESPONSE, NULL, "b" },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\nv: SIP/2.0/UDP h;branch=b\r\n\r\n", QUICK_RESPONSE, NULL, "b" },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\n" NINE "v: SIP/2.0/UDP h;branch=b\r\n\r\n", QUICK_RESPONSE, NULL, "b" },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nVia: SIP/2.0/UDP g;branch=c\r\nCall-ID: x\r\n\r\n", QUICK_RESPONSE, "x", NULL },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n", QUICK_RESPONSE, "x", NULL },
		{ "SIP/2.0 200 OK\r\n\r\n", QUICK_NONE, NULL, NULL },
		{ "BYE sip:h SIP/2.0\r\n\r\nCall-ID: body\r\n", QUICK_NONE, NULL, NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID:\r\n\r\n", QUICK_NONE, NULL, NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID: unfinished", QUICK_NONE, NULL, NULL },
		{ "\r\n\r\n", QUICK_NONE, NULL, NULL },
		{ "", QUICK_NONE, NULL, NULL },
		{ "A ", QUICK_NONE, NULL, NULL },
		{ "SIP", QUICK_NONE, NULL, NULL },
		{ "\x80\x00\x01", QUICK_NONE, NULL, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = exact_str(cases[i].text);
		struct quick look;

		quick_look(s.p, s.n, &look);
		if (look.kind != cases[i].kind)
			fail_msg("'%s': kind %d", cases[i].text, look.kind);
		if (look.kind != QUICK_NONE) {
			expect_span(cases[i].text, "Call-ID", look.call_id, cases[i].call_id);
			expect_span(cases[i].text, "branch", look.top_branch, cases[i].branch);
		}
		exact_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
