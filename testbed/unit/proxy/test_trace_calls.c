/* SPDX-License-Identifier: Apache-2.0 */
/* Of which calls the ring of last messages keeps any under load: of some, all of each; and what it has of a call. */
#include "harness.h"
#include "proxy/trace.h"

#define LOAD_RING  (1 << 20) /* of which 7/8 are whole: 1,194 of these messages */
#define LOAD_BYTES 700
#define LOAD_CALLS 512
#define REACH_MS   400

struct load {
	struct trace *t;
	uint64_t now_ms, messages;
};

/* Numbers in a row, of which every share is chosen evenly. */
static uint64_t load_call(uint64_t message)
{
	return message % LOAD_CALLS + 1;
}

/* So many messages in each of so many ms, call after call. */
static void load(struct load *l, unsigned ms, unsigned per_ms)
{
	static const uint8_t message[LOAD_BYTES] = "SIP/2.0 200 OK";
	static const struct flow flow;

	for (; ms; ms--) {
		l->now_ms++;
		for (unsigned i = 0; i < per_ms; i++) {
			uint64_t call = load_call(l->messages++);

			if (trace_keeps(l->t, call))
				trace_put(l->t, TRACE_IN, l->now_ms, call, &flow, message, sizeof(message));
		}
		trace_flush(l->t, l->now_ms);
	}
}

struct reached {
	uint64_t first_ms, last_ms, calls[LOAD_CALLS]; /* messages of each */
	unsigned kept;			      /* calls */
};

static void note_reached(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	struct reached *r = ctx;

	if (!r->first_ms)
		r->first_ms = e->time_ms;
	if (e->time_ms <= r->last_ms - REACH_MS)
		return;
	for (unsigned i = 0; i < LOAD_CALLS; i++)
		if (e->call == load_call(i))
			r->kept += !r->calls[i]++;
}

static struct reached reached(const struct load *l)
{
	struct reached r = { .last_ms = l->now_ms };

	trace_read(l->t, 0, note_reached, &r);
	return r;
}

static void test_share_of_calls(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, REACH_MS), .now_ms = 5000 };
	static const struct {
		unsigned per_ms, one_in;
	} rows[] = {
		{ 2, 1 },     /* there is room for 3 */
		{ 28, 16 },
		{ 4, 4 },     /* as many are kept as half of the room takes: of 2 all of it would be taken */
		{ 2, 2 },
		{ 1, 1 },
		{ 2, 1 },
		{ 4, 2 },
		{ 250, 128 },
		{ 0, 1 },	    /* nothing comes that would tell */
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reached r;

		load(&l, 4 * REACH_MS, rows[i].per_ms);
		assert_int_equal(trace_one_in(l.t), rows[i].one_in);
		assert_int_equal(trace_keeps(l.t, 0), rows[i].one_in == 1); /* what belongs to no call, so that nobody can ask for it */
		if (!rows[i].per_ms)
			continue;
		r = reached(&l);
		assert_true(r.first_ms <= l.now_ms - REACH_MS);
		/* All of each that is kept, and none of the others. */
		for (unsigned k = 0; k < LOAD_CALLS; k++) {
			unsigned all = rows[i].per_ms * REACH_MS / LOAD_CALLS;

			assert_int_equal(!!r.calls[k], trace_keeps(l.t, load_call(k)) && all + r.calls[k]);
			assert_true(!r.calls[k] || r.calls[k] + 1 >= all);
		}
		assert_in_range(r.kept * rows[i].one_in, LOAD_CALLS / 3, LOAD_CALLS * 2);
	}
	trace_free(l.t);
}

/* No call's messages come and go because as many are there as would just fit, or just not: that these do not may take a while to be seen. */
static void test_share_is_steady(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, REACH_MS), .now_ms = 5000 };

	for (unsigned per_ms = 1; per_ms < 100; per_ms += 7) {
		uint32_t settled, before;

		load(&l, 4 * REACH_MS, per_ms);
		before = settled = trace_one_in(l.t);
		for (unsigned ms = 0; ms < 40 * REACH_MS; ms++) {
			load(&l, 1, per_ms);
			assert_true(trace_one_in(l.t) == before || (before == settled && trace_one_in(l.t) == 2 * settled));
			before = trace_one_in(l.t);
		}
	}
	trace_free(l.t);
}

/* What comes at once, as behind a pause, is kept as long as it takes no more than half of the ring. */
static void test_share_and_a_burst(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, REACH_MS), .now_ms = 5000 };

	load(&l, 4 * REACH_MS, 1);
	load(&l, 1, 600);
	assert_int_equal(trace_one_in(l.t), 1);
	load(&l, 4 * REACH_MS, 1);
	load(&l, 1, 2000);
	assert_true(trace_one_in(l.t) > 1);
	load(&l, 4 * REACH_MS, 1);
	assert_int_equal(trace_one_in(l.t), 1);
	l.now_ms += 1000 * REACH_MS; /* a pause of any length is worth one ring */
	load(&l, 1, 2000);
	assert_int_equal(trace_one_in(l.t), 2);
	trace_free(l.t);
}

/* More is seen before it has taken the place of all that was there, and at once of how many calls one can be kept. */
static void test_share_under_sudden_load(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, REACH_MS), .now_ms = 5000 };

	load(&l, 4 * REACH_MS, 1);
	load(&l, 50, 250);
	assert_true(reached(&l).first_ms < l.now_ms - 100);
	assert_in_range(trace_one_in(l.t), 64, 512);
	trace_free(l.t);
}

/* The clock may stand still: that is a ms at most. */
static void test_share_in_one_ms(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, REACH_MS), .now_ms = 5000 };

	load(&l, 4 * REACH_MS, 1);
	for (unsigned turn = 0; turn < 3; turn++, l.now_ms--)
		load(&l, 1, 400);
	assert_in_range(trace_one_in(l.t), 2, 256);
	trace_free(l.t);
}

/* A pause shorter than the time to reach back changes nothing. */
static void test_share_over_a_pause(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, REACH_MS), .now_ms = 5000 };
	uint32_t settled;

	load(&l, 8 * REACH_MS, 100);
	settled = trace_one_in(l.t);
	load(&l, REACH_MS * 3 / 4, 0);
	assert_int_equal(trace_one_in(l.t), settled);
	load(&l, REACH_MS, 100);
	assert_int_equal(trace_one_in(l.t), settled);
	assert_true(reached(&l).first_ms < l.now_ms - REACH_MS);
	trace_free(l.t);
}

/* What no hash can thin out: no more than SHIFT_MAX. */
static void test_share_of_what_is_kept_anyhow(void **state)
{
	static const uint8_t message[LOAD_BYTES];
	static const struct flow flow;
	struct trace *t = trace_new(LOAD_RING, REACH_MS);

	for (uint64_t now_ms = 5000; now_ms < 5000 + 4 * REACH_MS; now_ms++) {
		for (unsigned i = 0; i < 500; i++)
			trace_put(t, TRACE_IN, now_ms, 1, &flow, message, sizeof(message));
		trace_flush(t, now_ms);
	}
	assert_int_equal(trace_one_in(t), 65536);
	trace_free(t);
}

static void test_share_is_not_wanted(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, 0), .now_ms = 5000 };

	load(&l, 100, 1000);
	assert_int_equal(trace_one_in(l.t), 1);
	assert_false(trace_keeps(NULL, 1));
	assert_true(trace_keeps(l.t, 0)); /* whose number is the highest */
	trace_free(l.t);
}

/* What a call sends and receives is there under its Call-ID, and nothing of another call's. */
static void note_line(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%s%.3s ", e->direction == TRACE_OUT ? ">" : "<", (const char *)message + (memcmp(message, "SIP/2.0", 7) ? 0 : 8));
}

static void test_call(void **state)
{
	struct harness h;
	char text[512] = "";
	struct trace *t = trace_new(65536, 0);
	const struct sent *s;

	harness_start(&h, NULL);
	proxy_free(h.proxy);
	h.config.trace = t;
	h.proxy = proxy_new(&h.config, h.now_ms);
	request_send(&h, &(struct request){ .call_id = "mine" });
	request_send(&h, &(struct request){ .call_id = "other", .via = VIA "2" });
	s = h.sent[1];
	wait_ms(&h, 500); /* the INVITE again: a timer's work belongs to the call too */
	answer(&h, s, 486, "t", NULL);
	trace_flush(t, 0);
	trace_read(t, call_id_hash(&h.config.call_key, SPAN_LIT("mine")), note_line, text);
	assert_string_equal(text, "<INV >100 >INV >INV <486 >ACK >486 ");
	harness_end(&h);
	trace_free(t);
}

/* All that a call which is kept sends and receives, and nothing of one that is not. */
static void test_calls_of_some(void **state)
{
	struct load l = { .t = trace_new(LOAD_RING, 10 * REACH_MS), .now_ms = 5000 };
	struct harness h;
	unsigned kept = 0;

	load(&l, 1, 2000);
	assert_int_equal(trace_one_in(l.t), 2);
	harness_start(&h, NULL);
	proxy_free(h.proxy);
	h.config.trace = l.t;
	h.now_ms = l.now_ms;
	h.proxy = proxy_new(&h.config, h.now_ms);
	for (unsigned i = 0; i < 32; i++) {
		char id[16], via[96], text[128] = "";
		struct request r = { .call_id = id, .via = via };
		uint64_t call;

		snprintf(id, sizeof(id), "of-some-%u", i);
		snprintf(via, sizeof(via), "%s%u", VIA, i);
		call = call_id_hash(&h.config.call_key, span_of(id, (uint32_t)strlen(id)));
		request_send(&h, &r);
		answer(&h, h.sent[h.sent_count - 1], 486, "t", NULL);
		trace_flush(l.t, h.now_ms);
		trace_read(l.t, call, note_line, text);
		assert_string_equal(text, trace_keeps(l.t, call) ? "<INV >100 >INV <486 >ACK >486 " : "");
		kept += trace_keeps(l.t, call);
	}
	assert_in_range(kept, 4, 28);
	harness_end(&h);
	trace_free(l.t);
}

HARNESS_MAIN(cmocka_unit_test(test_share_of_calls), cmocka_unit_test(test_share_is_steady), cmocka_unit_test(test_share_and_a_burst),
	     cmocka_unit_test(test_share_under_sudden_load), cmocka_unit_test(test_share_in_one_ms), cmocka_unit_test(test_share_over_a_pause),
	     cmocka_unit_test(test_share_of_what_is_kept_anyhow), cmocka_unit_test(test_share_is_not_wanted), cmocka_unit_test(test_call),
	     cmocka_unit_test(test_calls_of_some))
