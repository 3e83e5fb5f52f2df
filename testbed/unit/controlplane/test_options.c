/* SPDX-License-Identifier: Apache-2.0 */
/* OPTIONS as they are built, and what is read of an answer. */
#include "fixture.h"

#include "health/options.h"

static void written(void **state)
{
	const struct options_request plain = { .uri = "sip:198.51.100.10:5060", .own = "sip:192.0.2.1:5060", .from = "sip:qualify@pop.example",
					       .to = "sip:ping@carrier.example", .tag = "t", .call_id = "c", .user_agent = "Probe/1", .max_forwards = 3 };
	struct options_request bad = plain;
	char out[1000];
	size_t n = options_write(&plain, out, sizeof(out));

	out[n] = 0;
	assert_string_equal(out, "OPTIONS sip:198.51.100.10:5060 SIP/2.0\r\nFrom: <sip:qualify@pop.example>;tag=t\r\nTo: <sip:ping@carrier.example>\r\n"
				 "Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContact: <sip:192.0.2.1:5060>\r\nMax-Forwards: 3\r\nUser-Agent: Probe/1\r\n"
				 "Content-Length: 0\r\n\r\n");
	assert_int_equal(options_write(&plain, out, n - 1), 0);
	bad.uri = "nothing like a URI";
	assert_int_equal(options_write(&bad, out, sizeof(out)), 0);
}

#define REST "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 3\r\nCSeq: 1 OPTIONS\r\n"

static void said(void **state)
{
	static const struct {
		const char *what, *head, *said;
	} cases[] = {
		{ "the phrase", "SIP/2.0 503 Service Unavailable\r\n" REST, "Service Unavailable" },
		{ "when to come back", "SIP/2.0 503 Service Unavailable\r\n" REST "Retry-After: 120 (maintenance)\r\n",
		  "Service Unavailable; Retry-After 120 (maintenance)" },
		{ "a warning", "SIP/2.0 500 Oops\r\n" REST "Warning: 399 gw \"no trunk\"\r\n", "Oops; Warning 399 gw \"no trunk\"" },
		{ "all of it", "SIP/2.0 500 Oops\r\n" REST "warning: 1 a \"b\"\r\nRETRY-AFTER: 7\r\n", "Oops; Retry-After 7; Warning 1 a \"b\"" },
		{ "a body that is not there", "SIP/2.0 488 No\r\n" REST "Content-Type: application/sdp\r\nContent-Length: 400\r\n", "No" },
		{ "its compact form", "SIP/2.0 488 No\r\n" REST "l: 400\r\n", "No" },
		{ "a cut line", "SIP/2.0 404 Not Found\r\n" REST "Server: half of a li", "Not Found" },
		{ "control characters", "SIP/2.0 404 N\x1b[2Jo\xff\r\n" REST, "N?[2Jo?" },
		{ "no status line", "hello\r\n" REST, "" },
		{ "a request", "OPTIONS sip:a SIP/2.0\r\n" REST, "" },
		{ "nothing", "", "" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t bytes = strlen(cases[i].head), n;
		char *exact = malloc(bytes + !bytes), out[96];

		memcpy(exact, cases[i].head, bytes); /* so that a sanitizer sees what is read beyond it */
		n = options_said(exact, bytes, out, sizeof(out));
		if (strcmp(out, cases[i].said) || n != strlen(out))
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].what, out, cases[i].said);
		free(exact);
	}
}

/* Cut, not overrun, however long the peer makes it. */
static void long_answers(void **state)
{
	char head[3000], out[32];
	size_t n = (size_t)sprintf(head, "SIP/2.0 503 ");

	memset(head + n, 'x', 1100);
	n += 1100;
	n += (size_t)sprintf(head + n, "\r\n" REST);
	assert_int_equal(options_said(head, n, out, sizeof(out)), 0); /* longer than a kept head can be */
	n = (size_t)sprintf(head, "SIP/2.0 503 %060d\r\n" REST, 7);
	assert_int_equal(options_said(head, n, out, sizeof(out)), sizeof(out) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(written), cmocka_unit_test(said), cmocka_unit_test(long_answers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
