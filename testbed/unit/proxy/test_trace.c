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
	     cmocka_unit_test(test_base_in_another_segment), cmocka_unit_test(test_differences_beside_writer), cmocka_unit_test(test_same_as_sent))
