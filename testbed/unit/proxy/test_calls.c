/* SPDX-License-Identifier: Apache-2.0 */
/* Live calls and their count per target: up at the answer, down at BYE, never twice. */
#include "harness.h"

#include "base/siphash.h"
#include "proxy/calls.h"

static uint32_t live(const struct harness *h)
{
	struct proxy_gauges g;

	proxy_gauges(h->proxy, &g);
	assert_int_equal(g.live_calls, target_of(h, 0, TARGET_LIVE) + target_of(h, 1, TARGET_LIVE) + target_of(h, 2, TARGET_LIVE));
	return g.live_calls;
}

static void test_counts(void **state)
{
	for (unsigned side = 0; side < 2; side++) {
		struct harness h;
		struct dialog d;

		harness_start(&h, NULL);
		assert_int_equal(live(&h), 0);
		dialog_open(&h, NULL, A, NULL, &d);
		expect_request(&h, "ACK", A);
		assert_int_equal(live(&h), 1);
		assert_int_equal(target_of(&h, 0, TARGET_LIVE), 1);
		assert_int_equal(target_of(&h, 0, TARGET_RINGING), 0);
		for (unsigned i = 0; i < 3; i++) { /* BYE and its retransmissions */
			dialog_send(&h, &d, side ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER, "BYE", 9, "SIP/2.0/UDP h;rport;branch=z9hG4bKbye");
			expect_request(&h, "BYE", side ? CALLER : A);
			assert_int_equal(live(&h), 0);
		}
		assert_int_equal(counter_of(&h, COUNTER_calls_ended), 1);
		assert_int_equal(counter_of(&h, COUNTER_calls_answered), 1);
		harness_end(&h);
	}
}

/* A 2xx again is forwarded again, and counted once. */
static void test_answered_again(void **state)
{
	struct harness h;
	const struct sent *invite;

	harness_start(&h, NULL);
	request_send(&h, &(struct request){ 0 });
	expect_response(&h, 100, CALLER);
	invite = expect_request(&h, "INVITE", A);
	for (unsigned i = 0; i < 5; i++) {
		answer(&h, invite, 200, "to", NULL);
		expect_response(&h, 200, CALLER);
		wait_ms(&h, 500);
	}
	assert_int_equal(live(&h), 1);
	assert_int_equal(counter_of(&h, COUNTER_calls_answered), 1);
	assert_int_equal(target_of(&h, 0, TARGET_ANSWERED), 1);
	wait_ms(&h, 32000);
	answer(&h, invite, 200, "to", NULL); /* after timer M nobody knows it any more */
	expect_nothing(&h);
	assert_int_equal(counter_of(&h, COUNTER_responses_stale), 1);
	harness_end(&h);
	/* harness_end waited for the age of a call whose BYE never came */
}

static void test_age(void **state)
{
	struct harness h;
	struct dialog d;

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	for (unsigned i = 0; i < 3; i++) { /* ten hours, then a re-INVITE: it is still a call */
		h.now_ms += 10 * 3600 * 1000;
		proxy_advance(h.proxy, h.now_ms);
		assert_int_equal(live(&h), 1);
		dialog_send(&h, &d, i % 2 ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER, "INVITE", 0, NULL);
		expect_request(&h, "INVITE", i % 2 ? CALLER : A);
	}
	h.now_ms += 12 * 3600 * 1000 + 2000; /* a worker looks at each call once a second */
	proxy_advance(h.proxy, h.now_ms);
	assert_int_equal(live(&h), 0);
	assert_int_equal(counter_of(&h, COUNTER_calls_expired), 1);
	dialog_send(&h, &d, TOKEN_FROM_CALLER, "BYE", 0, NULL);
	expect_request(&h, "BYE", A);
	assert_int_equal(counter_of(&h, COUNTER_calls_ended), 0);
	harness_end(&h);
}

/* Two legs answered (a fork behind the target): the BYE of the loser leaves the winner's record alone. */
static void test_two_legs(void **state)
{
	struct harness h;
	struct dialog d;
	char other_to[256];

	harness_start(&h, NULL);
	dialog_open(&h, NULL, A, NULL, &d);
	expect_request(&h, "ACK", A);
	snprintf(other_to, sizeof(other_to), "<sip:callee@10.0.0.1>;tag=other");
	request_send(&h, &(struct request){ .method = "BYE", .uri = "sip:target@10.2.0.1", .via = VIA "b", .from = d.caller_from,
					    .to = other_to, .cseq = 2, .headers = d.caller_routes });
	expect_request(&h, "BYE", A);
	assert_int_equal(live(&h), 1);
	dialog_close(&h, &d);
	assert_int_equal(live(&h), 0);
	harness_end(&h);
}

/* A hundred at once, each answered by its own target, none mixed up. */
static void test_hundred(void **state)
{
	const struct sent *invites[100];
	char via[100][80], id[100][20], tag[20];
	struct harness h;

	harness_start(&h, NULL);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(via[i], sizeof(via[i]), "SIP/2.0/UDP 10.1.0.%u:5060;branch=z9hG4bK%u", 1 + i, i);
		snprintf(id[i], sizeof(id[i]), "call-%u", i);
		request_send(&h, &(struct request){ .via = via[i], .call_id = id[i] });
	}
	assert_int_equal(h.sent_count, 200);
	for (unsigned i = 0; i < 100; i++) {
		h.sent_read++; /* 100 */
		invites[i] = expect_request(&h, "INVITE", A);
		assert_string_equal(sent_header(invites[i], "Call-ID", 0), id[i]);
	}
	for (unsigned k = 0; k < 100; k++) {
		unsigned i = k * 37 % 100;
		const struct sent *ok;

		snprintf(tag, sizeof(tag), "t%u", i);
		answer(&h, invites[i], i % 3 ? 200 : 404, tag, NULL);
		if (i % 3 == 0)
			expect_request(&h, "ACK", A);
		ok = expect_response(&h, i % 3 ? 200 : 404, CALLER);
		assert_string_equal(sent_header(ok, "Call-ID", 0), id[i]);
	}
	assert_int_equal(live(&h), 66);
	assert_int_equal(target_of(&h, 0, TARGET_REJECTED), 34);
	harness_end(&h);
}

/* Opened and closed at random, from none to all that there is room for: no slot is two calls', one that was given back is the next to be taken, and
 * reading ahead, however far, changes nothing. */
static void test_slots(void **state)
{
	enum { MAX = 37, STEPS = 20000 };
	const struct token own = { .node = 1, .boot = 2, .worker = 3 };
	struct wheel *wheel = wheel_new(1000);
	struct calls *calls = calls_new(MAX, 1000, wheel, 1, &own);
	struct live_call *open[MAX];
	unsigned n = 0, refused = 0;
	uint32_t given_back = CALL_NONE, random = 1;

	for (unsigned step = 0; step < STEPS; step++) {
		bool filling = step / (STEPS / 8) % 2 == 0;

		random = random * 1664525 + 1013904223;
		calls_prefetch_open(calls, random >> 8 & 63, random, step);
		if (random >> 24 < (filling ? 160 : 96)) {
			struct live_call *call = call_open(calls, random % 5, random % 3, 7, 9);

			assert_true(call ? n < MAX : n == MAX);
			refused += !call;
			for (unsigned i = 0; call && i < n; i++)
				assert_ptr_not_equal(call, open[i]);
			if (call && given_back != CALL_NONE)
				assert_int_equal(call_slot(calls, call), given_back);
			if (call)
				open[n++] = call;
			given_back = call ? CALL_NONE : given_back;
		} else if (n) {
			unsigned at = (random >> 12) % n;

			given_back = call_slot(calls, open[at]);
			call_close(calls, open[at]);
			open[at] = open[--n];
		}
		assert_int_equal(calls_open(calls), n);
	}
	assert_true(refused > 0);
	calls_free(calls);
	wheel_free(wheel);
}

/* By hashes: what a call is known by. */
struct parties {
	uint64_t call_id, caller, target;
};

static struct live_call *find_parties(struct calls *calls, const struct parties *d, bool from_target)
{
	enum token_side side, expected = from_target ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER;
	struct live_call *call =
		call_find(calls, d->call_id, from_target ? d->target : d->caller, from_target ? d->caller : d->target, NULL, &side);

	assert_true(!call || side == expected);
	return call;
}

/* Without a token: each that is open is found by what either side says, though dozens have the same Call-ID and caller's tag; who ends takes no other
 * along, and is found no more. */
static void test_found(void **state)
{
	enum { MAX = 60, STEPS = 4000 };
	const struct token own = { .node = 1, .boot = 2, .worker = 3 };
	struct wheel *wheel = wheel_new(1000);
	struct calls *calls = calls_new(MAX, 1000, wheel, 1, &own);
	struct parties parties[MAX], gone = { 0 };
	struct live_call *open[MAX];
	unsigned n = 0, most = 0, emptied = 0;

	for (unsigned step = 0; step < STEPS; step++) {
		bool filling = step / (STEPS / 8) % 2 == 0;
		uint64_t dice = mix64(step);

		if (n < MAX && dice % 8 < (filling ? 5 : 3)) {
			parties[n] = (struct parties){ 1 + (dice >> 8) % 2, 10 + (dice >> 16) % 2, 1000 + step };
			open[n] = call_open(calls, parties[n].call_id, parties[n].caller, 7, 9);
			assert_null(find_parties(calls, &parties[n], false));
			parties[n].target = 0;
			assert_null(find_parties(calls, &parties[n], false)); /* nobody has answered it */
			parties[n].target = 1000 + step;
			call_answer(calls, open[n], parties[n].target, 1000);
			n++;
		} else if (n) {
			unsigned at = (unsigned)((dice >> 32) % n);

			gone = parties[at];
			call_close(calls, open[at]);
			open[at] = open[--n];
			parties[at] = parties[n];
		}
		for (unsigned i = 0; i < 2 * n; i++)
			assert_ptr_equal(find_parties(calls, &parties[i / 2], i % 2), open[i / 2]);
		assert_null(find_parties(calls, &gone, step % 2));
		most = n > most ? n : most;
		emptied += n == 0;
	}
	assert_int_equal(most, MAX);
	assert_true(emptied > 0);
	calls_free(calls);
	wheel_free(wheel);
}

/* What a peer says of itself bounds what it may take of the others' time. */
static void test_alike(void **state)
{
	enum { MAX = 1000, ALIKE = 64 };
	const struct token own = { .node = 1, .boot = 2, .worker = 3 };
	struct wheel *wheel = wheel_new(1000);
	struct calls *calls = calls_new(MAX, 1000, wheel, 1, &own);
	struct live_call *first = call_open(calls, 1, 2, 7, 9);

	for (unsigned i = 1; i < ALIKE; i++)
		assert_non_null(call_open(calls, 1, 2, 7, 9));
	assert_null(call_open(calls, 1, 2, 7, 9));
	assert_int_equal(calls_open(calls), ALIKE);
	assert_non_null(call_open(calls, 1, 3, 7, 9));
	assert_non_null(call_open(calls, 2, 2, 7, 9));
	call_close(calls, first);
	assert_non_null(call_open(calls, 1, 2, 7, 9));
	assert_null(call_open(calls, 1, 2, 7, 9));
	calls_free(calls);
	wheel_free(wheel);
}

/* So many others are sought that some have the signatures of those that are there: a Call-ID or a tag that differs makes another call. */
static void test_strangers(void **state)
{
	enum { CALLS = 20, OTHERS = 400000 };
	static const struct {
		const char *differs;
		struct parties by; /* 0 or 1, of what is drawn */
	} cases[] = {
		{ "Call-ID", { .call_id = 1 } },
		{ "caller's tag", { .caller = 1 } },
		{ "target's tag", { .target = 1 } },
	};
	const struct token own = { .node = 1, .boot = 2, .worker = 3 };
	struct wheel *wheel = wheel_new(1000);
	struct calls *calls = calls_new(CALLS, 1000, wheel, 1, &own);

	/* Half of them have a Call-ID in common, half a caller's tag, all the target's: each part alone must tell some of them from a stranger. */
	for (unsigned i = 0; i < CALLS; i++) {
		struct parties d = { 1 + i % 2 * i, 2 + (i + 1) % 2 * i, 3 };

		call_answer(calls, call_open(calls, d.call_id, d.caller, 7, 9), d.target, 1000);
		assert_non_null(find_parties(calls, &d, false));
	}
	for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
		const struct parties *by = &cases[c].by;

		for (uint64_t i = 0; i < OTHERS; i++) {
			uint64_t other = 1000 + mix64(i) % (1ULL << 60);
			struct parties d = { 1 + by->call_id * other, 2 + by->caller * other, 3 + by->target * other };

			if (find_parties(calls, &d, i % 2))
				fail_msg("found with another %s", cases[c].differs);
		}
	}
	calls_free(calls);
	wheel_free(wheel);
}

static void when_fired(void *ctx, struct wheel_timer *t)
{
	++*(unsigned *)ctx;
}

/* Thousands that are too old at once: a few each ms, more of them where more live, each of them once, those that are not too old never; and what is said to
 * be ahead is one of them that is still there. */
static void test_many_age(void **state)
{
	enum { MANY = 20000, PORTION = 32 + MANY / 4096, AGE = 5000 };
	const struct token own = { .node = 1, .boot = 2, .worker = 3 };
	uint64_t now = 1000, last = 0;
	struct wheel *wheel = wheel_new(now);
	struct calls *calls = calls_new(MANY, AGE, wheel, 1, &own);
	unsigned ended = 0, most = 0, fired = 0, aheads = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct live_call *call = call_open(calls, i, i, 7, 9);

		if (i % 10 == 9)
			call_session(call, 2); /* sooner */
		call_answer(calls, call, i, now);
	}
	while (calls_live(calls) && ++now < 20000) {
		const struct live_call *ahead;
		struct live_call *call;
		unsigned n = 0;

		fired = 0;
		wheel_advance(wheel, now, when_fired, &fired);
		while (fired && (call = calls_expired(calls, now, &ahead))) {
			uint32_t slot = call_slot(calls, call);

			assert_true(call->open);
			assert_true(now >= 1000 + (slot % 10 == 9 ? 2000 : AGE));
			assert_true(!ahead || (ahead->open && ahead != call));
			aheads += ahead != NULL;
			call_close(calls, call);
			n++;
		}
		ended += n;
		most = n > most ? n : most;
		last = n ? now : last;
	}
	assert_int_equal(ended, MANY);
	assert_int_equal(calls_open(calls), 0);
	assert_true(most <= PORTION);
	assert_true(aheads > MANY / 2);
	assert_true(last <= 1000 + AGE + 2000 + MANY / 32);
	calls_free(calls);
	wheel_free(wheel);
}

HARNESS_MAIN(cmocka_unit_test(test_many_age), cmocka_unit_test(test_counts), cmocka_unit_test(test_answered_again), cmocka_unit_test(test_age),
	     cmocka_unit_test(test_two_legs), cmocka_unit_test(test_hundred), cmocka_unit_test(test_slots),
	     cmocka_unit_test(test_found), cmocka_unit_test(test_alike), cmocka_unit_test(test_strangers))
