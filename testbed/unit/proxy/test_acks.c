/* SPDX-License-Identifier: Apache-2.0 */
/* Whose an ACK is: a transaction's, which absorbs it (RFC 3261 §17.1.1.3), or the dialog's, in which it goes on (§13.2.2.4, RFC 6026 §7.1). One by the
 * Record-Route of a call whose INVITE was accepted is not sought among the transactions; what comes of it must be what comes of it when it is. */
#include "harness.h"

/* Makes the token in a dialog's routes unreadable, so that Call-ID and tags lead to the call and the ACK is sought among the transactions. */
static void mangle(char *routes)
{
	char *at = strstr(routes, "<sip:");

	assert_non_null(at);
	at[5] ^= 1;
}

static void acked(struct harness *h, const struct dialog *d, const char *via, const char *to, bool goes_on, const char *what)
{
	uint64_t absorbed = counter_of(h, COUNTER_acks_absorbed);

	dialog_send(h, d, TOKEN_FROM_CALLER, "ACK", 1, via);
	if (goes_on)
		expect_request(h, "ACK", to);
	expect_nothing(h);
	if (counter_of(h, COUNTER_acks_absorbed) - absorbed != !goes_on)
		fail_msg("%s: %s", what, goes_on ? "absorbed" : "not absorbed");
}

/* The ACK for a 2xx goes on, whatever its branch, while the INVITE's transaction lingers and when it is long over, by a good token and by none. */
static void test_accepted(void **state)
{
	static const struct {
		const char *what, *via;
		unsigned wait_s;
		bool mangled;
	} cases[] = {
		{ "a branch of its own", NULL, 0, false },
		{ "the INVITE's branch", VIA, 0, false },
		{ "the INVITE's branch, later", VIA, 40, false },
		{ "no token", NULL, 0, true },
		{ "no token, the INVITE's branch", VIA, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct harness h;
		struct dialog d;

		harness_start(&h, NULL);
		dialog_open(&h, NULL, A, NULL, &d);
		expect_request(&h, "ACK", A);
		wait_ms(&h, cases[i].wait_s * 1000);
		if (cases[i].mangled)
			mangle(d.caller_routes);
		for (unsigned n = 0; n < 2; n++)
			acked(&h, &d, cases[i].via, A, true, cases[i].what);
		harness_end(&h);
	}
}

/* An INVITE that a stream brought has a transaction within the call too: where it was refused that absorbs its ACK, though the ACK names the call. */
static void test_relayed(void **state)
{
	static const char *const via = "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bKre";
	struct request r = { .source = "tcp:" CALLER, .via = "SIP/2.0/TCP 10.1.0.1:5060;branch=z9hG4bK1" };
	struct harness h;
	struct dialog d;

	harness_start(&h, NULL);
	dialog_open(&h, &r, A, NULL, &d);
	expect_request(&h, "ACK", A);
	dialog_send(&h, &d, TOKEN_FROM_CALLER, "INVITE", 1, via);
	expect_response(&h, 100, "tcp:" CALLER);
	answer(&h, expect_request(&h, "INVITE", A), 488, NULL, NULL);
	expect_request(&h, "ACK", A);
	expect_response(&h, 488, "tcp:" CALLER);
	acked(&h, &d, via, A, false, "of a re-INVITE that was refused");
	acked(&h, &d, NULL, A, true, "of the call");
	dialog_close(&h, &d);
	expect_nothing(&h);
	harness_end(&h);
}

/* The caller was told of a failure, and then the answer came all the same: the INVITE's transaction waits for the failure's ACK, and absorbs what has its
 * branch. The answer's own goes on. */
static void test_late_answer(void **state)
{
	struct request r = { 0 };
	const struct sent *invite, *failed, *ok;
	struct harness h;
	struct dialog d = { .target_contact = TARGET_CONTACT_OF(A), .target = A };

	harness_start(&h, NULL);
	h.knobs.setup_budget_ms = 3000;
	harness_publish(&h);
	request_send(&h, &r);
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	answer(&h, invite, 100, NULL, NULL);
	wait_ms(&h, 3000);
	expect_request(&h, "CANCEL", A);
	failed = expect_response(&h, 408, CALLER);
	answer(&h, invite, 200, "to", "Contact: " TARGET_CONTACT_OF(A) "\r\n");
	ok = expect_response(&h, 200, CALLER);
	snprintf(d.caller_from, sizeof(d.caller_from), "%s", sent_header(ok, "From", 0));
	snprintf(d.caller_to, sizeof(d.caller_to), "%s", sent_header(failed, "To", 0));
	snprintf(d.caller_routes, sizeof(d.caller_routes), "Route: %s\r\n", sent_header(ok, "Record-Route", 0));
	acked(&h, &d, VIA, A, false, "of the failure");
	snprintf(d.caller_to, sizeof(d.caller_to), "%s", sent_header(ok, "To", 0));
	acked(&h, &d, NULL, A, true, "of the answer");
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_accepted), cmocka_unit_test(test_relayed), cmocka_unit_test(test_late_answer))
