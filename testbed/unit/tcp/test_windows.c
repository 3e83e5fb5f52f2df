/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

/* Windows, buffers and timers, rule by rule. */

/* ---- windows */

/* The reader takes nothing: the window closes, probes keep asking, each slower, and nothing is lost when it opens. */
static void test_zero_window(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;
	uint64_t probes;

	c.receive_bytes = 16384;
	w = rules_connected_as(&c, &c);
	w->host[0].to_send = 40000;
	w->host[1].take_limit = 0;
	wire_run(w, 10 * MINUTE_US); /* longer than the user timeout: the peer answers */
	assert_non_null(w->host[0].c);
	assert_int_equal(w->host[0].c->snd_wnd, 0);
	probes = wire_counter(w, 0, COUNTER_tcp_window_probes);
	assert_in_range(probes, 10, 30);
	w->host[1].take_limit = UINT64_MAX;
	tcp_read(w->host[1].tcp, w->host[1].c);
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[1].received, 40000);
	assert_int_equal(w->host[1].wrong, 0);
	/* And where the peer is gone it ends. */
	w->host[1].take_limit = 0;
	w->host[0].to_send += 40000;
	wire_run(w, MINUTE_US);
	w->fate = rules_lose_all;
	wire_run(w, 10 * MINUTE_US);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	rules_finish(w);
}

/* The opening of the window is lost: a probe finds out. */
static void test_lost_window_update(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.receive_bytes = 8192;
	w = rules_connected_as(&c, &c);
	w->host[0].to_send = 20000;
	w->host[1].take_limit = 0;
	wire_run(w, 5000000);
	w->host[1].take_limit = UINT64_MAX;
	w->fate = rules_lose_all;
	tcp_read(w->host[1].tcp, w->host[1].c);
	tcp_flush(w->host[1].tcp, w->now_us);
	w->fate = NULL;
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[1].received, 20000);
	assert_int_equal(w->host[1].wrong, 0);
	rules_finish(w);
}

/* Small bites do not open the window by small steps (RFC 9293 §3.8.6.2.2). */
static void test_silly_windows(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.receive_bytes = 16384;
	w = rules_connected_as(&c, &c);
	w->host[0].to_send = 100000;
	w->host[1].take_limit = 0;
	wire_run(w, 5000000);
	rules_forget();
	for (unsigned i = 0; i < 100; i++) {
		w->host[1].take_limit = w->host[1].received + 50;
		tcp_read(w->host[1].tcp, w->host[1].c);
		tcp_flush(w->host[1].tcp, w->now_us);
	}
	assert_in_range(rules_sent[1], 2, 4);
	rules_finish(w);
}

/* Nor does the sender fill small openings (RFC 9293 §3.8.6.2.1): it waits for half of the largest window, or for a probe's turn. */
static void test_small_openings(void **state)
{
	struct wire *w = rules_connected();
	struct tcp_connection *c = w->host[0].c;
	struct segment s;

	w->fate = rules_lose_all;
	s = (struct segment){ .seq = c->rcv_nxt, .ack = c->snd_una, .flags = FLAG_ACK, .has_timestamp = true, .ts_value = c->ts_recent };
	for (unsigned i = 1; i < 20; i++) {
		s.window = 50 * i >> c->send_scale;
		wire_inject(w, 0, &s);
		w->host[0].to_send = 5000;
		wire_push(w);
		tcp_flush(w->host[0].tcp, w->now_us);
		assert_int_equal(rules_sent[0], 0);
	}
	tcp_advance(w->host[0].tcp, w->now_us += 300000);
	assert_int_equal(rules_sent[0], 1);
	assert_int_equal(rules_last[0].data.n, s.window << c->send_scale); /* all that the window holds */
	rules_forget();
	s.window = 3000 >> c->send_scale;
	wire_inject(w, 0, &s);
	tcp_flush(w->host[0].tcp, w->now_us);
	assert_true(rules_sent[0] >= 2);
	rules_finish(w);
}

static void test_backpressure(void **state)
{
	struct tcp_config c = wire_config();
	static uint8_t block[8192];
	struct wire *w;

	c.send_bytes = 8192;
	w = rules_connected_as(&c, &c);
	w->fate = rules_lose_all;
	assert_int_equal(tcp_send(w->host[0].tcp, w->host[0].c, span_of(block, 8000)), 8000);
	assert_int_equal(tcp_send_room(w->host[0].tcp, w->host[0].c), 192);
	assert_int_equal(tcp_send(w->host[0].tcp, w->host[0].c, span_of(block, 8000)), 192);
	assert_int_equal(tcp_send(w->host[0].tcp, w->host[0].c, span_of(block, 1)), 0);
	w->fate = NULL;
	wire_run(w, 5000000);
	assert_int_equal(w->host[0].writable, 1);
	assert_int_equal(tcp_send_pending(w->host[0].c), 0);
	tcp_close(w->host[0].tcp, w->host[0].c);
	assert_int_equal(tcp_send(w->host[0].tcp, w->host[0].c, span_of(block, 1)), 0);
	rules_finish(w);
}

/* All memory is gone: what does not fit is not acknowledged, nothing breaks, and all is well when there is room again. */
static void test_no_buffers(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.buffer_bytes = 65536;
	w = rules_connected_as(&c, &c);
	w->host[0].to_send = w->host[1].to_send = 1000000;
	w->host[1].take_limit = w->host[0].take_limit = 0;
	wire_run(w, 5000000);
	assert_true(wire_counter(w, 0, COUNTER_tcp_no_buffer) > 0);
	w->host[1].take_limit = w->host[0].take_limit = UINT64_MAX;
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned h = 0; h < 2; h++)
			if (w->host[h].c)
				tcp_read(w->host[h].tcp, w->host[h].c);
		wire_run(w, 1000000);
	}
	for (unsigned h = 0; h < 2; h++) {
		assert_int_equal(w->host[h].received, 1000000);
		assert_int_equal(w->host[h].wrong, 0);
	}
	rules_finish(w);
}

/* A caller that finds no buffer for a segment loses nothing but time. */
static void test_no_segments(void **state)
{
	struct wire *w = rules_connected();

	w->host[0].to_send = 50000;
	w->host[0].reserve_fails = 20;
	w->host[1].reserve_fails = 20;
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[1].received, 50000);
	rules_finish(w);
}

/* There was no buffer when data was queued, there is one later, and then nobody answers: timeouts come as for any other data. */
static void test_starved_then_lost(void **state)
{
	struct wire *w = rules_connected();

	w->host[0].reserve_fails = 3;
	w->host[0].to_send = 3000;
	w->fate = rules_lose_all;
	wire_run(w, 40000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	assert_in_range(wire_counter(w, 0, COUNTER_tcp_retransmitted), 6, 20);
	rules_finish(w);
}

/* ---- timers */

/* RFC 6298: each timeout doubles the wait; the user timeout ends it. */
static uint64_t moments[32];
static unsigned moment_count;

static void note_moment(struct wire *w, unsigned from, const struct segment *s)
{
	if (from == 0 && moment_count < 32)
		moments[moment_count++] = w->now_us;
}

static void test_backoff(void **state)
{
	struct wire *w = rules_connected();

	moment_count = 0;
	w->tap = note_moment;
	w->fate = rules_lose_all;
	w->host[0].to_send = 100;
	wire_run(w, 5 * MINUTE_US);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	assert_in_range(moment_count, 7, 9);
	for (unsigned i = 2; i + 1 < moment_count; i++) {
		uint64_t before = moments[i] - moments[i - 1], after = moments[i + 1] - moments[i];

		assert_in_range(after, before * 19 / 10, before * 21 / 10);
	}
	assert_in_range(moments[1] - moments[0], 190000, 260000); /* rto_min, with a round trip of 10 ms */
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_timed_out), 1);
	rules_finish(w);
}

/* And once something is acknowledged the next one waits no longer than the first did. */
static void test_backoff_ends(void **state)
{
	struct wire *w = rules_connected();

	w->host[0].to_send = 100;
	w->fate = rules_lose_all;
	wire_run(w, 5000000);
	assert_in_range(w->host[0].c->backoff, 4, 5);
	w->fate = NULL;
	wire_run(w, 5000000);
	assert_int_equal(w->host[1].received, 100);
	assert_int_equal(w->host[0].c->backoff, 0);
	moment_count = 0;
	w->tap = note_moment;
	w->fate = rules_lose_all;
	w->host[0].to_send = 200;
	wire_run(w, 1000000);
	assert_in_range(moment_count, 3, 4);
	assert_in_range(moments[1] - moments[0], 190000, 260000);
	rules_finish(w);
}

/* What was sent once more is not measured, unless timestamps tell the two apart (Karn): the round trip stays what it is. */
static void test_round_trip(void **state)
{
	struct wire *w = rules_connected();

	for (unsigned i = 0; i < 50; i++) {
		w->host[0].to_send += 500;
		wire_run(w, 300000);
	}
	assert_in_range(w->host[0].c->srtt_us, 9000, 55000); /* 10 ms, plus what a delayed acknowledgement takes */
	assert_in_range(w->host[0].c->rto_ms, 200, 250);
	rules_finish(w);
}

static void test_keepalive(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.keepalive_ms = 10000;
	c.keepalive_interval_ms = 1000;
	c.keepalive_probes = 3;
	w = rules_connected_as(&c, &c);
	wire_run(w, MINUTE_US);
	assert_non_null(w->host[0].c); /* answered */
	assert_in_range(wire_counter(w, 0, COUNTER_tcp_keepalives) + wire_counter(w, 1, COUNTER_tcp_keepalives), 5, 13);
	w->fate = rules_lose_all;
	wire_run(w, 14000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	rules_finish(w);
}

static void test_delayed_acks(void **state)
{
	struct wire *w = rules_connected();
	struct segment s;

	w->host[1].c->quick_acks = 0;
	s = rules_expected(w);
	s.data = SPAN_LIT("0123456789");
	wire_inject(w, 1, &s);
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(rules_sent[1], 0);
	tcp_advance(w->host[1].tcp, w->now_us += 39000);
	assert_int_equal(rules_sent[1], 0);
	tcp_advance(w->host[1].tcp, w->now_us += 2000);
	assert_int_equal(rules_sent[1], 1);
	/* every second one at once */
	for (unsigned i = 0; i < 2; i++) {
		s.seq += 10;
		wire_inject(w, 1, &s);
		tcp_flush(w->host[1].tcp, w->now_us);
		assert_int_equal(rules_sent[1], 1 + i);
	}
	/* what goes out anyway takes it along */
	s.seq += 10;
	wire_inject(w, 1, &s);
	tcp_send(w->host[1].tcp, w->host[1].c, SPAN_LIT("answer"));
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(rules_sent[1], 3);
	assert_int_equal(rules_last[1].ack, s.seq + 10);
	assert_int_equal(w->host[1].c->deadline[DEADLINE_ACK], 0);
	rules_finish(w);
}

/* Of a burst of full segments every second one is acknowledged, not the whole burst once: that one would be all there is to lose. */
static void test_acks_of_bursts(void **state)
{
	static const uint8_t zeros[1448];
	struct wire *w = rules_connected();
	struct segment s;

	w->host[1].c->quick_acks = 0;
	s = rules_expected(w);
	s.data = span_of(zeros, sizeof(zeros));
	for (unsigned i = 0; i < 20; i++, s.seq += s.data.n)
		wire_inject(w, 1, &s);
	assert_int_equal(rules_sent[1], 10);
	/* small ones wait for the flush: an answer may go out with it */
	s.data = span_of(zeros, 300);
	for (unsigned i = 0; i < 8; i++, s.seq += s.data.n)
		wire_inject(w, 1, &s);
	assert_int_equal(rules_sent[1], 10);
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(rules_sent[1], 11);
	rules_finish(w);
}

static void test_fin_wait_2_ends(void **state)
{
	struct wire *w = rules_connected();

	w->host[1].close_when_closed = false;
	tcp_close(w->host[0].tcp, w->host[0].c);
	wire_run(w, 5000000);
	assert_int_equal(tcp_state(w->host[0].c), TCP_STATE_FIN_WAIT_2);
	assert_int_equal(tcp_state(w->host[1].c), TCP_STATE_CLOSE_WAIT);
	/* half closed: the other direction still works */
	w->host[1].to_send = 5000;
	wire_run(w, 5000000);
	assert_int_equal(w->host[0].received, 5000);
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	rules_finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_window),
		cmocka_unit_test(test_lost_window_update),
		cmocka_unit_test(test_silly_windows),
		cmocka_unit_test(test_small_openings),
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_no_segments),
		cmocka_unit_test(test_starved_then_lost),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_backoff_ends),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_delayed_acks),
		cmocka_unit_test(test_acks_of_bursts),
		cmocka_unit_test(test_fin_wait_2_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
