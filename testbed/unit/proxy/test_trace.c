/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of last messages: what is whole is found, what was overwritten is not, and a reader beside the writer never sees half an entry. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/cpu.h"
#include "harness.h"
#include "proxy/trace.h"

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
		trace_flush(t);
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
	struct trace *t = trace_new(65536);
	struct seen s = { 0 };
	unsigned read;

	assert_int_equal(trace_read(t, 0, check, &s), 0);
	for (uint64_t n = 1; n <= 20000; n++) {
		put(t, n);
		if (n % 97)
			continue;
		trace_flush(t);
		s = (struct seen){ 0 };
		read = trace_read(t, 0, check, &s);
		assert_int_equal(read, s.count);
		assert_false(s.wrong);
		assert_int_equal(s.last, n);
		assert_int_equal(s.last - s.first + 1, s.count); /* no gap */
		assert_true(n < 100 || s.count > 8);
	}
	trace_flush(t);
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
	struct trace *t = trace_new(65536);
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
	struct trace *t = trace_new(65536);
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
	trace_flush(t);
	trace_read(t, call_id_hash(&h.config.call_key, SPAN_LIT("mine")), note_line, text);
	assert_string_equal(text, "<INV >100 >INV >INV <486 >ACK >486 ");
	harness_end(&h);
	trace_free(t);
}

HARNESS_MAIN(cmocka_unit_test(test_wrap), cmocka_unit_test(test_reader_beside_writer), cmocka_unit_test(test_call))
