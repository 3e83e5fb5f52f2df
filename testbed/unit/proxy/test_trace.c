/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of last messages: what is whole is found, what was overwritten is not, and a reader beside the writer never sees half an entry. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/cpu.h"
#include "harness.h"
#include "proxy/trace.h"
#include "sip/edit.h"

struct seen {
	unsigned count;
	uint64_t first, last;
	bool wrong;
};

/* Entry n carries n in its time, and a message of n % 3000 bytes of the value n. */
static void put(struct trace *t, uint64_t n)
{
	static uint8_t message[6000];
	struct flow flow = { .remote = addr_of(CALLER) };
	uint32_t len = (uint32_t)(n % 6000);

	memset(message, (int)(n & 0xff), len);
	trace_put(t, n & 1 ? TRACE_OUT : TRACE_IN, n, n % 7 + 1, &flow, message, len);
	if (n % 5)
		trace_flush(t, 0);
}

static void check(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	struct seen *s = ctx;

	if (!s->count++)
		s->first = e->time_ms;
	else if (e->time_ms <= s->last)
		s->wrong = true;
	s->last = e->time_ms;
	s->wrong |= e->len != e->time_ms % 6000 || e->kept != (e->len < TRACE_MESSAGE_MAX ? e->len : TRACE_MESSAGE_MAX);
	s->wrong |= e->direction != (e->time_ms & 1 ? TRACE_OUT : TRACE_IN) || e->call != e->time_ms % 7 + 1;
	for (uint32_t i = 0; i < e->kept && !s->wrong; i++)
		s->wrong = message[i] != (uint8_t)e->time_ms;
}

/* Around the ring many times, however it is written. */
static void wrap(void)
{
	struct trace *t = trace_new(65536, 0);
	struct seen s = { 0 };
	unsigned read;

	assert_int_equal(trace_read(t, 0, check, &s), 0);
	for (uint64_t n = 1; n <= 20000; n++) {
		put(t, n);
		if (n % 97)
			continue;
		trace_flush(t, 0);
		s = (struct seen){ 0 };
		read = trace_read(t, 0, check, &s);
		assert_int_equal(read, s.count);
		assert_false(s.wrong);
		assert_int_equal(s.last, n);
		assert_int_equal(s.last - s.first + 1, s.count); /* no gap */
		assert_true(n < 100 || s.count > 8);
	}
	trace_flush(t, 0);
	s = (struct seen){ 0 };
	trace_read(t, 20000 % 7 + 1, check, &s);
	assert_int_equal(s.last, 20000);
	assert_int_equal((s.last - s.first) / 7 + 1, s.count);
	trace_free(t);
}

static void test_wrap(void **state)
{
	enum cpu_level best = cpu_level;

	for (int level = CPU_SCALAR; level < CPU_LEVELS; level++)
		if (cpu_select((enum cpu_level)level))
			wrap();
	cpu_select(best);
}

static _Atomic(bool) stop;

static void *writer(void *arg)
{
	for (uint64_t n = 1; !atomic_load(&stop); n++)
		put(arg, n);
	return NULL;
}

static void test_reader_beside_writer(void **state)
{
	struct trace *t = trace_new(65536, 0);
	unsigned whole = 0, reads = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, writer, t), 0);
	while (reads++ < 2000 || whole < 100) {
		struct seen s = { 0 };

		trace_read(t, 0, check, &s);
		assert_false(s.wrong);
		whole += s.count;
		sched_yield();
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	trace_free(t);
}

/* ---- what left, kept as its difference from what came: an even entry comes, the odd one behind it leaves */

struct made {
	struct edit_list list;
	uint8_t in[4400], out[6000];
	uint32_t in_len, out_len;
};

/* Entries n and n + 1, n even: some are too long, some have foreign text, or more edits than usual, or none. */
static void make(struct made *made, uint64_t n)
{
	static const char literal[] = "text that stands elsewhere";
	struct sip_message m = { .data = made->in, .len = (uint32_t)(n * 37 % (n % 11 ? 1500 : 4400)) };
	unsigned edits = n / 2 % 23 ? n / 2 % 6 : 30;
	uint32_t at = 0;
	int rc;

	for (uint32_t i = 0; i < m.len; i++)
		made->in[i] = (uint8_t)(n + i * 7);
	edit_reset(&made->list);
	for (unsigned i = 0; i < edits && at + 40 < m.len; i++) {
		uint32_t removed = i % 2 ? (uint32_t)(n % 20) : 0;
		uint8_t text[64];

		memset(text, (int)(n + i), sizeof(text));
		edit_replace(&made->list, at, removed, n / 2 % 13 ? edit_text(&made->list, text, (uint32_t)((n + i * 11) % 64)) : SPAN_LIT(literal));
		at += 20 + (uint32_t)(n % 100);
	}
	if (n / 2 % 5 == 4) /* out of order */
		edit_replace(&made->list, 0, 0, edit_text(&made->list, "first", 5));
	made->in_len = m.len;
	rc = edit_compose(&made->list, &m, made->out, sizeof(made->out));
	assert_true(rc >= 0);
	made->out_len = (uint32_t)rc;
}

static uint64_t call_of(uint64_t n)
{
	return n / 2 % 7 + 1;
}

static void put_pair(struct trace *t, struct made *made, uint64_t n)
{
	struct flow flow = { .remote = addr_of(CALLER), .local = addr_of(US) };

	make(made, n);
	trace_put(t, TRACE_IN, n, call_of(n), &flow, made->in, made->in_len);
	if (n / 2 % 9 == 3)
		trace_flush(t, 0); /* what came is not there any more for what leaves */
	if (n / 2 % 9 == 4) /* something else leaves first */
		trace_put(t, TRACE_OUT, n, call_of(n) + 7, &flow, made->out, 1);
	if (n / 2 % 9 == 5) /* something else came in between */
		trace_put(t, TRACE_IN, 0, call_of(n), &flow, made->out, made->out_len);
	flow.remote.port++;
	trace_put_edited(t, made->in, n + 1, call_of(n), &flow, &made->list, made->out, made->out_len);
	if (n / 2 % 9 == 6) /* once more, for another call */
		trace_put_edited(t, made->in, 0, call_of(n) + 7, &flow, &made->list, made->out, made->out_len);
	trace_flush(t, 0);
}

struct compared {
	struct made made;
	uint64_t made_for, last;
	unsigned count, left;
	bool wrong;
};

static void compare(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	struct compared *c = ctx;
	uint64_t n = e->time_ms & ~1ull;
	bool out = e->time_ms & 1;
	uint32_t len;

	if (e->call > 7 || !e->time_ms)
		return;
	if (c->made_for != n)
		make(&c->made, n);
	c->made_for = n;
	c->count++;
	c->left += out;
	c->last = e->time_ms;
	len = out ? c->made.out_len : c->made.in_len;
	c->wrong |= e->len != len || e->kept != (len < TRACE_MESSAGE_MAX ? len : TRACE_MESSAGE_MAX) || e->call != call_of(n) || e->edits ||
		    e->direction != (out ? TRACE_OUT : TRACE_IN) || e->remote.port != addr_of(CALLER).port + out || e->local.port != 5060 ||
		    memcmp(message, out ? c->made.out : c->made.in, e->kept) != 0;
}

static void differences(void)
{
	static struct made made;
	static struct compared c;
	struct trace *t = trace_new(262144, 0);
	unsigned all, read;

	for (uint64_t n = 2; n <= 12000; n += 2) {
		put_pair(t, &made, n);
		if (n % 194)
			continue;
		memset(&c, 0, sizeof(c));
		trace_read(t, 0, compare, &c);
		assert_false(c.wrong);
		assert_int_equal(c.last, n + 1);
		assert_int_equal((c.count + 1) / 2, c.left); /* none without the other, but where the oldest segment begins between them */
		assert_true(n < 1000 || c.count > 240); /* whole they would be 230 at most */
	}
	memset(&c, 0, sizeof(c));
	read = trace_read(t, 0, compare, &c);
	all = c.count;
	memset(&c, 0, sizeof(c));
	for (uint64_t call = 1; call <= 14; call++)
		read -= trace_read(t, call, compare, &c);
	assert_false(c.wrong);
	assert_int_equal(c.count, all);
	assert_int_equal(read, 0);
	trace_free(t);
}

static void test_differences(void **state)
{
	enum cpu_level best = cpu_level;

	for (int level = CPU_SCALAR; level < CPU_LEVELS; level++)
		if (cpu_select((enum cpu_level)level))
			differences();
	cpu_select(best);
}

/* What came in one segment and left in the next is kept whole: of the two segments the first is overwritten before the other. Something long
 * leaves in between, so that segments end there too; entries are numbered, and none may be missing. */
struct numbered {
	const struct made *made;
	uint64_t first, last;
	unsigned count;
};

static void take_number(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	struct numbered *n = ctx;

	if (!n->count++)
		n->first = e->time_ms;
	n->last = e->time_ms;
	if (e->time_ms % 3)
		return;
	assert_int_equal(e->len, n->made->out_len);
	assert_memory_equal(message, n->made->out, e->len);
}

static void test_base_in_another_segment(void **state)
{
	static struct made made;
	static uint8_t other[3000];
	struct trace *t = trace_new(65536, 0);
	struct flow flow = { .remote = addr_of(CALLER) };
	uint64_t number = 0;

	make(&made, 80);
	assert_int_equal(made.list.count, 4);
	for (unsigned i = 0; i < 1000; i++) {
		struct numbered n = { .made = &made };

		trace_put(t, TRACE_IN, ++number, 1, &flow, made.in, made.in_len);
		trace_put(t, TRACE_OUT, ++number, 1, &flow, other, 64 * (i * 7 % 46));
		trace_put_edited(t, made.in, ++number, 1, &flow, &made.list, made.out, made.out_len);
		trace_flush(t, 0);
		trace_read(t, 1, take_number, &n);
		assert_int_equal(n.last, number);
		assert_int_equal(n.count, n.last - n.first + 1);
	}
	trace_free(t);
}

static _Atomic(bool) stop_pairs;

static void *pair_writer(void *arg)
{
	static struct made made;

	for (uint64_t n = 2; !atomic_load(&stop_pairs); n += 2)
		put_pair(arg, &made, n);
	return NULL;
}

static void test_differences_beside_writer(void **state)
{
	static struct compared c;
	struct trace *t = trace_new(65536, 0);
	unsigned left = 0, reads = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, pair_writer, t), 0);
	while (reads++ < 300 || left < 100) {
		memset(&c, 0, sizeof(c));
		trace_read(t, reads % 3 ? 0 : reads % 7 + 1, compare, &c);
		assert_false(c.wrong);
		left += c.left;
		sched_yield();
	}
	atomic_store(&stop_pairs, true);
	pthread_join(thread, NULL);
	trace_free(t);
}

/* ---- which calls are kept under load */

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

/* Whatever leaves, edited or not, by either side, stands in the trace as it was sent. */
struct leaving {
	const struct harness *h;
	unsigned next;
};

static void same_as_sent(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	struct leaving *l = ctx;
	const struct sent *s;

	if (e->direction != TRACE_OUT)
		return;
	assert_true(l->next < l->h->sent_count);
	s = l->h->sent[l->next++];
	assert_int_equal(e->len, s->len);
	assert_int_equal(e->kept, s->len);
	assert_memory_equal(message, s->data, s->len);
	assert_memory_equal(&e->remote, &s->to.remote, sizeof(e->remote));
}

static void test_same_as_sent(void **state)
{
	static const char *const vias[] = { "SIP/2.0/UDP h;rport;branch=z9hG4bKa", "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bKb",
					    "SIP/2.0/UDP h;received=192.0.2.1;branch=z9hG4bKc, SIP/2.0/TCP other;branch=z9hG4bKd" };
	struct harness h;
	struct dialog d;
	struct trace *t = trace_new(262144, 0);
	struct leaving l = { &h, 0 };

	harness_start(&h, NULL);
	proxy_free(h.proxy);
	h.config.trace = t;
	h.proxy = proxy_new(&h.config, h.now_ms);
	dialog_open(&h, NULL, A, NULL, &d);
	for (unsigned i = 0; i < 60; i++) {
		enum token_side side = i % 2 ? TOKEN_FROM_TARGET : TOKEN_FROM_CALLER;
		const struct sent *s;

		dialog_send(&h, &d, side, i % 5 ? "INFO" : "NOTIFY", 10 + i, vias[i % 3]);
		s = h.sent[h.sent_count - 1];
		answer(&h, s, i % 7 ? 200 : 404, NULL, i % 4 ? NULL : "X-Answer: yes\r\n");
		wait_ms(&h, i % 3);
	}
	h.sent_read = h.sent_count;
	dialog_close(&h, &d);
	trace_flush(t, 0);
	assert_true(h.sent_count > 120);
	trace_read(t, 0, same_as_sent, &l);
	assert_int_equal(l.next, h.sent_count);
	harness_end(&h);
	trace_free(t);
}

HARNESS_MAIN(cmocka_unit_test(test_wrap), cmocka_unit_test(test_reader_beside_writer), cmocka_unit_test(test_differences),
	     cmocka_unit_test(test_base_in_another_segment), cmocka_unit_test(test_differences_beside_writer),
	     cmocka_unit_test(test_share_of_calls), cmocka_unit_test(test_share_is_steady), cmocka_unit_test(test_share_and_a_burst),
	     cmocka_unit_test(test_share_under_sudden_load), cmocka_unit_test(test_share_in_one_ms), cmocka_unit_test(test_share_over_a_pause),
	     cmocka_unit_test(test_share_of_what_is_kept_anyhow), cmocka_unit_test(test_share_is_not_wanted), cmocka_unit_test(test_calls_of_some),
	     cmocka_unit_test(test_same_as_sent), cmocka_unit_test(test_call))
