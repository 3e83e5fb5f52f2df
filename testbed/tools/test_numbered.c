/* SPDX-License-Identifier: Apache-2.0 */
#include "numbered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct numbered caller = { "192.0.2.1:5060", "+44@192.0.2.9:5060", "seed" }, callee = { "192.0.2.2:5061", "", "seed" };

/* Whoever reads what the other wrote finds all as it was, and every bit of the body that is turned. */
static void test_exchange(void **state)
{
	char request[NUMBERED_MAX], answer[NUMBERED_MAX];
	struct numbered_view v;

	for (uint64_t serial = 0; serial < 500; serial++) {
		uint32_t n = numbered_request(&caller, "MESSAGE", serial, request), m;

		assert_int_equal(numbered_length(request, n), n);
		assert_int_equal(numbered_length(request, n - 1), 0);
		assert_true(numbered_read(&callee, request, n, &v));
		assert_true(v.request && v.whole && v.serial == serial && !strcmp(v.method, "MESSAGE"));
		m = numbered_answer(&callee, request, answer);
		assert_int_equal(numbered_length(answer, m), m);
		assert_true(numbered_read(&caller, answer, m, &v));
		assert_true(!v.request && v.whole && v.serial == serial && v.status == 200);
		request[n - 1 - serial % 20] ^= 1;
		assert_true(numbered_read(&callee, request, n, &v) && !v.whole);
		answer[m - 1 - serial % 20] ^= 4;
		assert_true(numbered_read(&caller, answer, m, &v) && !v.whole);
	}
}

static void test_others(void **state)
{
	static const struct numbered other = { "192.0.2.1:5060", "", "another" };
	char request[NUMBERED_MAX];
	uint32_t n = numbered_request(&caller, "MESSAGE", 7, request);
	struct numbered_view v;

	assert_false(numbered_read(&other, request, n, &v));
	*strstr(request, "Call-ID") = 'X';
	assert_false(numbered_read(&caller, request, n, &v));
	assert_int_equal(numbered_length("OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", 34), -1);
	assert_int_equal(numbered_length("A\r\nContent-Length: 99999999\r\n\r\n", 31), -1);
}

/* A proxy has put itself in between: the route that comes back in the answer is followed, the last first. */
static void test_calls(void **state)
{
	char request[NUMBERED_MAX], proxied[NUMBERED_MAX], answer[NUMBERED_MAX], ack[NUMBERED_MAX];
	struct numbered_view v;
	char *via;

	assert_true(numbered_request(&caller, "INVITE", 3, request) > 0);
	via = strstr(request, "Via: ");
	*via = 0;
	strcpy(proxied, request);
	strcat(proxied, "Record-Route: <sip:near;lr>\r\nRecord-Route: <sip:far;lr>\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKp\r\n");
	*via = 'V';
	strcat(proxied, via);
	assert_true(numbered_answer(&callee, proxied, answer) > 0);
	assert_non_null(strstr(answer, "\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKp\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;"));
	assert_true(numbered_follow(&caller, "ACK", answer, ack) > 0);
	assert_memory_equal(ack, "ACK sip:callee@192.0.2.2:5061;transport=tcp SIP/2.0\r\n", 53);
	assert_non_null(strstr(ack, "\r\nRoute: <sip:far;lr>\r\nRoute: <sip:near;lr>\r\n"));
	assert_non_null(strstr(ack, ";tag=t3\r\n"));
	assert_non_null(strstr(ack, "\r\nCSeq: 1 ACK\r\n"));
	assert_true(numbered_read(&callee, ack, (uint32_t)strlen(ack), &v) && v.whole && v.serial == 3);
	assert_true(numbered_follow(&caller, "BYE", answer, ack) > 0);
	assert_non_null(strstr(ack, "\r\nCSeq: 2 BYE\r\n"));
	assert_true(numbered_answer(&callee, ack, answer) > 0);
	assert_true(numbered_read(&caller, answer, (uint32_t)strlen(answer), &v) && v.whole && !strcmp(v.method, "BYE"));
	*strstr(answer, "Contact") = 'X';
	assert_int_equal(numbered_follow(&caller, "ACK", answer, ack), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
