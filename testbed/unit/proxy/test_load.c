/* SPDX-License-Identifier: Apache-2.0 */
/* A target's calls: its limits, its counts and how they heal, the retry budget, tiers in a call's walk, times for the fastest strategy. */
#include "harness.h"

#include "tables/endpoints.h"
#include "tables/loads.h"

/* One call with a name of its own; the INVITE that went to `to` (NULL: nowhere yet looked for). */
struct leg {
	struct request invite;
	char via[64], id[32];
};

static struct leg legs[128];

static void place(struct harness *h, unsigned i, const char *method)
{
	struct leg *l = &legs[i];

	snprintf(l->via, sizeof(l->via), "%s-%u", VIA, i);
	snprintf(l->id, sizeof(l->id), "load-%u@caller", i);
	l->invite = (struct request){ .via = l->via, .call_id = l->id, .method = method };
	request_send(h, &l->invite);
	if (!method)
		expect_response(h, 100, CALLER);
}

static void limit(struct harness *h, unsigned target, uint32_t max_calls, uint32_t max_cps)
{
	h->target_max_calls[target] = max_calls;
	h->target_max_cps[target] = max_cps;
	harness_publish(h);
}

static uint32_t calls_at(const struct harness *h, unsigned target)
{
	return loads_calls(h->tables->loads, target);
}

static const struct sent *ring(struct harness *h, unsigned i, const char *to)
{
	const struct sent *invite;

	place(h, i, NULL);
	invite = expect_request(h, "INVITE", to);
	answer(h, invite, 180, "t", NULL);
	expect_response(h, 180, CALLER);
	return invite;
}

/* A place is taken from the INVITE to the end of the call, however it ends. */
static void test_place(void **state)
{
	static const struct {
		const char *what;
		unsigned status; /* the target's answer; 0: the caller cancels after ringing */
	} ends[] = { { "busy", 486 }, { "error", 500 }, { "decline", 603 }, { "cancel", 0 } };

	for (unsigned k = 0; k < ARRAY_SIZE(ends); k++) {
		struct harness h;
		const struct sent *invite, *cancel, *final;

		harness_start(&h, NULL);
		h.knobs.max_retries = 0;
		limit(&h, 0, 1, 0);
		invite = ring(&h, 1, A);
		assert_int_equal(calls_at(&h, 0), 1);
		if (ends[k].status) {
			answer(&h, invite, ends[k].status, "t", NULL);
			expect_request(&h, "ACK", A);
			final = expect_response(&h, ends[k].status, CALLER);
			ack_send(&h, &legs[1].invite, final);
		} else {
			cancel_send(&h, &legs[1].invite);
			expect_response(&h, 200, CALLER);
			cancel = expect_request(&h, "CANCEL", A);
			/* Until the target has said that it has let go it has the call. */
			assert_int_equal(calls_at(&h, 0), 1);
			answer(&h, cancel, 200, "t", NULL);
			assert_int_equal(calls_at(&h, 0), 1);
			answer(&h, invite, 487, "t", NULL);
			expect_request(&h, "ACK", A);
			final = expect_response(&h, 487, CALLER);
			ack_send(&h, &legs[1].invite, final);
		}
		if (calls_at(&h, 0))
			fail_msg("%s: the place is still taken", ends[k].what);
		harness_end(&h);
	}
}

/* And so it is where the target does not say how it ends: at once if it has said nothing at all, when the INVITE is considered over (RFC 3261
 * §9.1) if it has the call and does not answer the CANCEL. No sweep is needed for it. */
static void test_place_of_the_silent(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	h.knobs.response_timeout_ms = 1000;
	limit(&h, 0, 1, 0);
	place(&h, 1, NULL);
	expect_request(&h, "INVITE", A);
	assert_int_equal(calls_at(&h, 0), 1);
	wait_ms(&h, 1000);
	assert_int_equal(calls_at(&h, 0), 0);
	harness_end(&h);

	harness_start(&h, NULL);
	limit(&h, 0, 1, 0);
	ring(&h, 1, A);
	cancel_send(&h, &legs[1].invite);
	wait_ms(&h, 31000);
	assert_int_equal(calls_at(&h, 0), 1);
	wait_ms(&h, 2000);
	assert_int_equal(calls_at(&h, 0), 0);
	h.sent_read = h.sent_count;
	harness_end(&h);
}

/* It is free before the call goes on: another endpoint of the same target may have it. */
static void test_place_within_the_target(void **state)
{
	static const char *const two[] = { "10.5.0.1:5060", "10.5.0.2:5060", NULL };
	struct harness h;

	harness_start(&h, NULL);
	h.target_count = 0;
	harness_trunk(&h, "two", two, NULL);
	limit(&h, 0, 1, 0);
	place(&h, 1, NULL);
	answer(&h, expect_request(&h, "INVITE", two[0]), 500, "t", NULL);
	expect_request(&h, "ACK", two[0]);
	expect_request(&h, "INVITE", two[1]);
	assert_int_equal(calls_at(&h, 0), 1);
	harness_end(&h);
}

/* max_calls is exact: of twelve calls ten ring at A, two are passed over and ring at B; one ends and the next one is A's. */
static void test_max_calls(void **state)
{
	struct harness h;
	const struct sent *invites[12];

	harness_start(&h, NULL);
	limit(&h, 0, 10, 0);
	for (unsigned i = 0; i < 12; i++)
		invites[i] = ring(&h, i, i < 10 ? A : B);
	assert_int_equal(calls_at(&h, 0), 10);
	assert_int_equal(counter_of(&h, COUNTER_limit_passed_over), 2);
	assert_int_equal(loads_passed(h.tables->loads, 0), 2);
	assert_int_equal(loads_passed(h.tables->loads, 1), 0);
	answer(&h, invites[3], 200, "t", NULL); /* an answered one has its place all the same */
	expect_response(&h, 200, CALLER);
	ring(&h, 12, B);
	answer(&h, invites[4], 486, "t", NULL);
	expect_request(&h, "ACK", A);
	expect_response(&h, 486, CALLER);
	ring(&h, 13, A);
	ring(&h, 14, B);
	assert_int_equal(calls_at(&h, 0), 10);
	harness_end(&h);
}

/* BYE gives the place back, and so does the end of a call whose BYE was missed (harness_end asserts that). */
static void test_bye(void **state)
{
	struct harness h;
	struct dialog d;

	harness_start(&h, NULL);
	limit(&h, 0, 1, 0);
	dialog_open(&h, NULL, A, NULL, &d);
	h.sent_read = h.sent_count;
	assert_int_equal(calls_at(&h, 0), 1);
	ring(&h, 1, B);
	dialog_close(&h, &d);
	h.sent_read = h.sent_count;
	assert_int_equal(calls_at(&h, 0), 1); /* the BYE may still wait for the turn's end */
	wait_ms(&h, 1);
	assert_int_equal(calls_at(&h, 0), 0);
	ring(&h, 2, A);
	harness_end(&h);
}

/* Who has nobody left hears it at once: nothing was tried, so there is no better answer. */
static void test_all_full(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	h.knobs.exhausted_code = 503;
	for (unsigned i = 0; i < 3; i++)
		limit(&h, i, 1, 0);
	ring(&h, 1, A);
	ring(&h, 2, B);
	ring(&h, 3, C);
	place(&h, 4, NULL);
	expect_response(&h, 503, CALLER);
	assert_int_equal(counter_of(&h, COUNTER_limit_passed_over), 1 + 2 + 3);
	place(&h, 5, "MESSAGE"); /* no call: no limit holds it, and none is used up */
	answer(&h, expect_request(&h, "MESSAGE", A), 200, "t", NULL);
	expect_response(&h, 200, CALLER);
	assert_int_equal(calls_at(&h, 0), 1);
	harness_end(&h);
}

static void test_max_cps(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	limit(&h, 0, 0, 3);
	for (unsigned i = 0; i < 5; i++)
		ring(&h, i, i < 3 ? A : B);
	wait_ms(&h, 949);
	ring(&h, 5, B);
	wait_ms(&h, 101);
	ring(&h, 6, A);
	harness_end(&h);
}

/* Every branch that rings counts; who is full does not ring; the losers' places are free when they have let go. */
static void test_ring(void **state)
{
	struct harness h;
	const struct sent *a, *b;

	harness_start(&h, NULL);
	h.strategy = STRATEGY_SIMULTANEOUS_RING;
	h.target_max_calls[0] = h.target_max_calls[1] = 1;
	limit(&h, 2, 5, 0);
	loads_adopt(h.tables->loads, 2, 0);
	for (unsigned i = 0; i < 4; i++)
		loads_adopt(h.tables->loads, 2, 0);
	place(&h, 1, NULL);
	a = expect_request(&h, "INVITE", A);
	b = expect_request(&h, "INVITE", B);
	expect_nothing(&h);
	assert_int_equal(calls_at(&h, 0) + calls_at(&h, 1), 2);
	answer(&h, b, 180, "tb", NULL);
	expect_response(&h, 180, CALLER);
	answer(&h, a, 200, "ta", NULL);
	expect_response(&h, 200, CALLER);
	expect_request(&h, "CANCEL", B);
	assert_int_equal(calls_at(&h, 1), 1);
	answer(&h, b, 487, "tb", NULL);
	expect_request(&h, "ACK", B);
	assert_int_equal(calls_at(&h, 1), 0);
	assert_int_equal(calls_at(&h, 0), 1);
	for (unsigned i = 0; i < 5; i++)
		loads_release(h.tables->loads, 2, 0);
	harness_end(&h);
}

/* A limit that comes while calls are up counts them: they are found among the live calls and the attempts. */
static void test_adopted(void **state)
{
	struct harness h;
	const struct sent *invites[4];

	harness_start(&h, NULL);
	for (unsigned i = 0; i < 4; i++)
		invites[i] = ring(&h, i, A);
	for (unsigned i = 0; i < 2; i++) {
		answer(&h, invites[i], 200, "t", NULL);
		expect_response(&h, 200, CALLER);
	}
	loads_watch(h.tables->loads, 0, true);
	limit(&h, 0, 5, 0);
	proxy_recount(h.proxy);
	wait_ms(&h, 100);
	assert_int_equal(calls_at(&h, 0), 4);
	ring(&h, 4, A);
	ring(&h, 5, B);
	answer(&h, invites[3], 486, "t", NULL);
	expect_request(&h, "ACK", A);
	expect_response(&h, 486, CALLER);
	assert_int_equal(calls_at(&h, 0), 4);
	harness_end(&h);
}

/* Whatever the counts say, half a minute later they say what is. Calls come and go meanwhile. */
static void test_heals(void **state)
{
	static const int64_t wrong[] = { 0, 1, -1, 1000, -7 };

	for (unsigned k = 0; k < ARRAY_SIZE(wrong); k++) {
		struct harness h;
		struct target_cell *cell;
		const struct sent *invites[100];

		harness_start(&h, NULL);
		cell = &h.targets[0];
		h.miscounted = wrong[k] != 0;
		h.knobs.max_retries = 0;
		h.knobs.ring_timeout_ms = 0;
		limit(&h, 0, 50, 0);
		for (unsigned i = 0; i < 8; i++)
			invites[i] = ring(&h, i, A);
		for (unsigned i = 0; i < 4; i++) {
			answer(&h, invites[i], 200, "t", NULL);
			expect_response(&h, 200, CALLER);
		}
		atomic_store(&cell->count[TARGET_LIVE], (uint64_t)(4 + wrong[k]));
		atomic_store(&cell->count[TARGET_RINGING], (uint64_t)(4 + wrong[k]));
		if (wrong[k]) {
			loads_damage(h.tables->loads, 0, 8 + wrong[k]);
			loads_repair(h.tables->loads, 0);
			assert_true(loads_repair(h.tables->loads, 0));
		}
		/* A place that the worker believes to have and has not. */
		if (wrong[k] > 0)
			loads_adopt(h.tables->loads, 0, 0);
		for (unsigned i = 8; i < 48; i++) {
			invites[i] = ring(&h, i, A);
			answer(&h, invites[i], i % 2 ? 486 : 200, "t", NULL);
			if (i % 2)
				expect_request(&h, "ACK", A);
			expect_response(&h, i % 2 ? 486 : 200, CALLER);
			wait_ms(&h, 800);
			h.sent_read = h.sent_count; /* answers again: nobody acknowledges */
		}
		assert_int_equal(target_of(&h, 0, TARGET_LIVE), 24);
		assert_int_equal(target_of(&h, 0, TARGET_RINGING), 4);
		assert_int_equal(calls_at(&h, 0), 28);
		assert_int_equal(counter_of(&h, COUNTER_loads_corrected) > 0, wrong[k] != 0);
		harness_end(&h);
	}
}

static void fail_at(struct harness *h, const char *to, unsigned status)
{
	answer(h, expect_request(h, "INVITE", to), status, "t", NULL);
	expect_request(h, "ACK", to);
}

/* Ten retries go whatever the share; after them one in five attempts may be one. The caller gets what was collected. */
static void test_budget(void **state)
{
	struct harness h;
	unsigned retried = 0, refused = 0;

	harness_start(&h, NULL);
	h.knobs.retry_budget = 20;
	h.knobs.max_retries = 1;
	harness_publish(&h);
	for (unsigned i = 0; i < 100; i++) {
		place(&h, i, NULL);
		fail_at(&h, A, 500);
		if (h.sent_read < h.sent_count && sent_view(h.sent[h.sent_read])->is_request) {
			answer(&h, expect_request(&h, "INVITE", B), 486, "t", NULL);
			expect_request(&h, "ACK", B);
			expect_response(&h, 486, CALLER);
			retried++;
		} else {
			expect_response(&h, 500, CALLER);
			refused++;
		}
	}
	assert_int_equal(counter_of(&h, COUNTER_retries_refused), refused);
	assert_int_equal(proxy_retries(h.proxy, h.profile_slot, trunk_id(SPAN_LIT("main")), h.now_ms).retries, retried);
	assert_in_range(retried, 24, 25); /* 25 of 125 attempts */
	/* Another ten seconds, another window. */
	wait_ms(&h, 11000);
	h.sent_read = h.sent_count;
	place(&h, 101, NULL);
	fail_at(&h, A, 500);
	fail_at(&h, B, 486);
	expect_response(&h, 486, CALLER);
	harness_end(&h);
}

/* Away from where nobody is, every call may go. */
static void test_budget_and_the_dead(void **state)
{
	struct harness h;

	harness_start(&h, NULL);
	h.knobs.retry_budget = 1;
	h.knobs.max_retries = 1;
	harness_publish(&h);
	h.unreachable = A;
	for (unsigned i = 0; i < 60; i++) {
		place(&h, i, NULL);
		answer(&h, expect_request(&h, "INVITE", B), 486, "t", NULL);
		expect_request(&h, "ACK", B);
		expect_response(&h, 486, CALLER);
	}
	assert_int_equal(counter_of(&h, COUNTER_retries_refused), 0);
	harness_end(&h);

	/* They had all been sent there when it was found dead. */
	harness_start(&h, NULL);
	h.knobs.retry_budget = 1;
	h.knobs.max_retries = 1;
	h.knobs.response_timeout_ms = 1000;
	harness_publish(&h);
	for (unsigned i = 0; i < 60; i++) {
		place(&h, i, NULL);
		expect_request(&h, "INVITE", A);
	}
	endpoint_set_health(h.tables->endpoints, h.trunk[TRUNK_A].endpoints[0], ENDPOINT_DOWN, h.now_ms);
	wait_ms(&h, 1000);
	h.sent_read = h.sent_count;
	assert_int_equal(counter_of(&h, COUNTER_retries), 60);
	assert_int_equal(counter_of(&h, COUNTER_retries_refused), 0);
	harness_end(&h);
}

/* Near first, then far, within one call; a ring goes further when all near ones have failed, and not when one has said no. */
static void test_tiers(void **state)
{
	static const unsigned answers[] = { 500, 486 };
	struct harness h;

	harness_start(&h, NULL);
	h.target_tier[0] = 1; /* A is far, at the first position */
	harness_publish(&h);
	place(&h, 1, NULL);
	fail_at(&h, B, 500);
	fail_at(&h, C, 500);
	fail_at(&h, A, 486);
	expect_response(&h, 486, CALLER);
	h.strategy = STRATEGY_SIMULTANEOUS_RING;
	harness_publish(&h);
	for (unsigned k = 0; k < ARRAY_SIZE(answers); k++) {
		const struct sent *b, *c;

		place(&h, 2 + k, NULL);
		b = expect_request(&h, "INVITE", B);
		c = expect_request(&h, "INVITE", C);
		expect_nothing(&h);
		answer(&h, b, 500, "t", NULL);
		expect_request(&h, "ACK", B);
		expect_nothing(&h);
		answer(&h, c, answers[k], "t", NULL);
		expect_request(&h, "ACK", C);
		if (answers[k] == 500)
			fail_at(&h, A, 404);
		expect_response(&h, answers[k] == 500 ? 404 : 486, CALLER);
	}
	harness_end(&h);
}

/* The time to the first response, whatever it is; silence is as long as it was waited for. */
static void test_times(void **state)
{
	struct harness h;
	const struct sent *invite;
	const uint32_t *slots;
	struct endpoint_live *live;

	harness_start(&h, NULL);
	h.target_count = 1;
	slots = h.trunk[TRUNK_A].endpoints;
	live = endpoints_live(h.tables->endpoints, slots[0]);
	h.knobs.response_timeout_ms = 3000;
	harness_publish(&h);
	ring(&h, 1, A);
	assert_int_equal(atomic_load(&live->response_us), 0); /* no other strategy asks */
	h.strategy = STRATEGY_FASTEST;
	harness_publish(&h);
	place(&h, 2, NULL);
	invite = expect_request(&h, "INVITE", A);
	wait_ms(&h, 40);
	answer(&h, invite, 100, NULL, NULL);
	assert_int_equal(endpoint_response_us(h.tables->endpoints, slots[0]), 40000);
	wait_ms(&h, 300);
	answer(&h, invite, 180, "t", NULL);
	expect_response(&h, 180, CALLER);
	assert_int_equal(atomic_load(&live->response_us), 40000);
	place(&h, 3, NULL);
	expect_request(&h, "INVITE", A);
	wait_ms(&h, 3000);
	assert_int_equal(atomic_load(&live->response_us), (7 * 40000 + 3000000) / 8);
	h.sent_read = h.sent_count;
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_place), cmocka_unit_test(test_place_of_the_silent), cmocka_unit_test(test_place_within_the_target),
	     cmocka_unit_test(test_max_calls), cmocka_unit_test(test_bye), cmocka_unit_test(test_all_full),
	     cmocka_unit_test(test_max_cps), cmocka_unit_test(test_ring), cmocka_unit_test(test_adopted), cmocka_unit_test(test_heals),
	     cmocka_unit_test(test_budget), cmocka_unit_test(test_budget_and_the_dead), cmocka_unit_test(test_tiers), cmocka_unit_test(test_times))
