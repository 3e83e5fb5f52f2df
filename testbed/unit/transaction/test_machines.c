/* SPDX-License-Identifier: Apache-2.0 */
/* The four machines, row by row as RFC 3261 §17 (figures 5 to 8) and RFC 6026 §7 draw them. What no row names must change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "transaction/machine.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum {
	NONE = 0,
	RESEND = TXN_DO_SEND_REQUEST,
	RESPOND = TXN_DO_SEND_RESPONSE,
	REPLAY = TXN_DO_REPLAY,
	ACK = TXN_DO_ACK,
	USER = TXN_DO_TO_USER,
	TIMEOUT = TXN_DO_TIMEOUT,
	ERROR = TXN_DO_ERROR,
	BACKOFF = TXN_DO_BACKOFF,
	STOP_A = TXN_DO_STOP_RETRANSMIT,
	START_G = TXN_DO_START_RETRANSMIT,
	STOP_B = TXN_DO_STOP_LIFETIME,
	LINGER = TXN_DO_START_LIFETIME,
};

struct row {
	const char *why;
	enum txn_state state;
	enum txn_event event;
	enum txn_state next;
	unsigned actions;
};

static const struct row invite_client[] = {
	{ "A fires", TXN_TRYING, TXN_TIMER_RETRANSMIT, TXN_TRYING, RESEND | BACKOFF },
	{ "B fires", TXN_TRYING, TXN_TIMER_LIFETIME, TXN_TERMINATED, TIMEOUT },
	{ "1xx in Calling", TXN_TRYING, TXN_RX_1XX, TXN_PROCEEDING, USER | STOP_A | STOP_B },
	{ "2xx in Calling", TXN_TRYING, TXN_RX_2XX, TXN_ACCEPTED, USER | STOP_A | LINGER },
	{ "final in Calling", TXN_TRYING, TXN_RX_FINAL, TXN_COMPLETED, ACK | USER | STOP_A | LINGER },
	{ "transport error in Calling", TXN_TRYING, TXN_TRANSPORT_ERROR, TXN_TERMINATED, ERROR },
	{ "given up before a provisional: silence (§9.1)", TXN_TRYING, TXN_ABANDON, TXN_TRYING, STOP_A },
	{ "further 1xx", TXN_PROCEEDING, TXN_RX_1XX, TXN_PROCEEDING, USER },
	{ "2xx in Proceeding", TXN_PROCEEDING, TXN_RX_2XX, TXN_ACCEPTED, USER | LINGER },
	{ "final in Proceeding", TXN_PROCEEDING, TXN_RX_FINAL, TXN_COMPLETED, ACK | USER | LINGER },
	{ "64*T1 after CANCEL (§9.1)", TXN_PROCEEDING, TXN_TIMER_LIFETIME, TXN_TERMINATED, TIMEOUT },
	{ "transport error in Proceeding", TXN_PROCEEDING, TXN_TRANSPORT_ERROR, TXN_TERMINATED, ERROR },
	{ "given up in Proceeding", TXN_PROCEEDING, TXN_ABANDON, TXN_PROCEEDING, NONE },
	{ "final again", TXN_COMPLETED, TXN_RX_FINAL, TXN_COMPLETED, ACK },
	{ "D fires", TXN_COMPLETED, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
	{ "the ACK cannot be sent", TXN_COMPLETED, TXN_TRANSPORT_ERROR, TXN_TERMINATED, ERROR },
	{ "2xx again", TXN_ACCEPTED, TXN_RX_2XX, TXN_ACCEPTED, USER },
	{ "M fires", TXN_ACCEPTED, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
};

static const struct row client[] = {
	{ "E fires", TXN_TRYING, TXN_TIMER_RETRANSMIT, TXN_TRYING, RESEND | BACKOFF },
	{ "F fires", TXN_TRYING, TXN_TIMER_LIFETIME, TXN_TERMINATED, TIMEOUT },
	{ "transport error", TXN_TRYING, TXN_TRANSPORT_ERROR, TXN_TERMINATED, ERROR },
	{ "1xx", TXN_TRYING, TXN_RX_1XX, TXN_PROCEEDING, USER },
	{ "2xx", TXN_TRYING, TXN_RX_2XX, TXN_COMPLETED, USER | STOP_A | LINGER },
	{ "final", TXN_TRYING, TXN_RX_FINAL, TXN_COMPLETED, USER | STOP_A | LINGER },
	{ "given up", TXN_TRYING, TXN_ABANDON, TXN_TRYING, STOP_A },
	{ "E fires in Proceeding", TXN_PROCEEDING, TXN_TIMER_RETRANSMIT, TXN_PROCEEDING, RESEND | BACKOFF },
	{ "F fires in Proceeding", TXN_PROCEEDING, TXN_TIMER_LIFETIME, TXN_TERMINATED, TIMEOUT },
	{ "transport error in Proceeding", TXN_PROCEEDING, TXN_TRANSPORT_ERROR, TXN_TERMINATED, ERROR },
	{ "1xx in Proceeding", TXN_PROCEEDING, TXN_RX_1XX, TXN_PROCEEDING, USER },
	{ "2xx in Proceeding", TXN_PROCEEDING, TXN_RX_2XX, TXN_COMPLETED, USER | STOP_A | LINGER },
	{ "final in Proceeding", TXN_PROCEEDING, TXN_RX_FINAL, TXN_COMPLETED, USER | STOP_A | LINGER },
	{ "given up in Proceeding", TXN_PROCEEDING, TXN_ABANDON, TXN_PROCEEDING, STOP_A },
	{ "K fires", TXN_COMPLETED, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
};

static const struct row invite_server[] = {
	{ "INVITE again", TXN_PROCEEDING, TXN_RX_REQUEST, TXN_PROCEEDING, REPLAY },
	{ "1xx from the user", TXN_PROCEEDING, TXN_TX_1XX, TXN_PROCEEDING, RESPOND },
	{ "2xx from the user", TXN_PROCEEDING, TXN_TX_2XX, TXN_ACCEPTED, RESPOND | LINGER },
	{ "final from the user", TXN_PROCEEDING, TXN_TX_FINAL, TXN_COMPLETED, RESPOND | START_G | LINGER },
	{ "INVITE again in Completed", TXN_COMPLETED, TXN_RX_REQUEST, TXN_COMPLETED, REPLAY },
	{ "G fires", TXN_COMPLETED, TXN_TIMER_RETRANSMIT, TXN_COMPLETED, REPLAY | BACKOFF },
	{ "H fires: the user is told", TXN_COMPLETED, TXN_TIMER_LIFETIME, TXN_TERMINATED, TIMEOUT },
	{ "ACK", TXN_COMPLETED, TXN_RX_ACK, TXN_CONFIRMED, STOP_A | LINGER },
	{ "2xx of another branch after the final (§16.7(5))", TXN_COMPLETED, TXN_TX_2XX, TXN_COMPLETED, RESPOND },
	{ "ACK again", TXN_CONFIRMED, TXN_RX_ACK, TXN_CONFIRMED, NONE },
	{ "INVITE late", TXN_CONFIRMED, TXN_RX_REQUEST, TXN_CONFIRMED, NONE },
	{ "I fires", TXN_CONFIRMED, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
	{ "2xx of another branch (§16.7(5))", TXN_CONFIRMED, TXN_TX_2XX, TXN_CONFIRMED, RESPOND },
	{ "INVITE again in Accepted: absorbed", TXN_ACCEPTED, TXN_RX_REQUEST, TXN_ACCEPTED, NONE },
	{ "ACK in Accepted", TXN_ACCEPTED, TXN_RX_ACK, TXN_ACCEPTED, USER },
	{ "2xx again from the user", TXN_ACCEPTED, TXN_TX_2XX, TXN_ACCEPTED, RESPOND },
	{ "L fires", TXN_ACCEPTED, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
};

static const struct row server[] = {
	{ "request again in Trying", TXN_TRYING, TXN_RX_REQUEST, TXN_TRYING, NONE },
	{ "1xx from the user", TXN_TRYING, TXN_TX_1XX, TXN_PROCEEDING, RESPOND },
	{ "2xx from the user", TXN_TRYING, TXN_TX_2XX, TXN_COMPLETED, RESPOND | LINGER },
	{ "final from the user", TXN_TRYING, TXN_TX_FINAL, TXN_COMPLETED, RESPOND | LINGER },
	{ "never answered (RFC 4320)", TXN_TRYING, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
	{ "request again in Proceeding", TXN_PROCEEDING, TXN_RX_REQUEST, TXN_PROCEEDING, REPLAY },
	{ "further 1xx", TXN_PROCEEDING, TXN_TX_1XX, TXN_PROCEEDING, RESPOND },
	{ "2xx in Proceeding", TXN_PROCEEDING, TXN_TX_2XX, TXN_COMPLETED, RESPOND | LINGER },
	{ "final in Proceeding", TXN_PROCEEDING, TXN_TX_FINAL, TXN_COMPLETED, RESPOND | LINGER },
	{ "never answered in Proceeding", TXN_PROCEEDING, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
	{ "request again in Completed", TXN_COMPLETED, TXN_RX_REQUEST, TXN_COMPLETED, REPLAY },
	{ "J fires", TXN_COMPLETED, TXN_TIMER_LIFETIME, TXN_TERMINATED, NONE },
};

static void check(enum txn_kind kind, const struct row *rows, unsigned count)
{
	for (unsigned s = 0; s < TXN_STATES; s++)
		for (unsigned e = 0; e < TXN_EVENTS; e++) {
			struct row want = { "no row", (enum txn_state)s, (enum txn_event)e, (enum txn_state)s, NONE };
			struct txn_step got = txn_step(kind, (enum txn_state)s, (enum txn_event)e);

			for (unsigned i = 0; i < count; i++)
				if (rows[i].state == s && rows[i].event == e)
					want = rows[i];
			if (got.next != want.next || got.actions != want.actions)
				fail_msg("machine %d, state %u, event %u (%s): to %u doing %#x, wanted %u doing %#x", kind, s, e,
					 want.why, got.next, got.actions, want.next, want.actions);
		}
}

static void test_invite_client(void **state)
{
	check(TXN_INVITE_CLIENT, invite_client, ARRAY_SIZE(invite_client));
}

static void test_client(void **state)
{
	check(TXN_CLIENT, client, ARRAY_SIZE(client));
}

static void test_invite_server(void **state)
{
	check(TXN_INVITE_SERVER, invite_server, ARRAY_SIZE(invite_server));
}

static void test_server(void **state)
{
	check(TXN_SERVER, server, ARRAY_SIZE(server));
}

/* The values of RFC 3261's table 4 and RFC 6026 §8.6, with the usual T1 and with a slow one. */
static void test_timers(void **state)
{
	static const struct {
		const char *timer;
		enum txn_kind kind;
		enum txn_state state;
		uint32_t t1_500, t1_1000, reliable;
	} cases[] = {
		{ "D", TXN_INVITE_CLIENT, TXN_COMPLETED, 32000, 64000, 0 },
		{ "M", TXN_INVITE_CLIENT, TXN_ACCEPTED, 32000, 64000, 32000 },
		{ "K", TXN_CLIENT, TXN_COMPLETED, 5000, 5000, 0 },
		{ "H", TXN_INVITE_SERVER, TXN_COMPLETED, 32000, 64000, 32000 },
		{ "I", TXN_INVITE_SERVER, TXN_CONFIRMED, 5000, 5000, 0 },
		{ "L", TXN_INVITE_SERVER, TXN_ACCEPTED, 32000, 64000, 32000 },
		{ "J", TXN_SERVER, TXN_COMPLETED, 32000, 64000, 0 },
	};
	const struct txn_timers usual = { 500, 4000, 5000 }, slow = { 1000, 4000, 5000 }, fast = { 100, 4000, 5000 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		if (txn_linger_ms(cases[i].kind, cases[i].state, &usual, 0) != cases[i].t1_500 ||
		    txn_linger_ms(cases[i].kind, cases[i].state, &slow, 0) != cases[i].t1_1000 ||
		    txn_linger_ms(cases[i].kind, cases[i].state, &usual, 1) != cases[i].reliable)
			fail_msg("timer %s", cases[i].timer);
	}
	assert_int_equal(txn_linger_ms(TXN_INVITE_CLIENT, TXN_COMPLETED, &fast, 0), 32000); /* D: at least 32 s on UDP */
	assert_int_equal(txn_wait_ms(&usual), 32000); /* B, F */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_invite_client), cmocka_unit_test(test_client), cmocka_unit_test(test_invite_server),
		cmocka_unit_test(test_server),	      cmocka_unit_test(test_timers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
