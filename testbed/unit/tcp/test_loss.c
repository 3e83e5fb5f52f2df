/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

/* Loss, TIME-WAIT and path MTU, rule by rule. */

/* ---- TIME-WAIT */

static struct wire *in_time_wait(const struct tcp_config *config)
{
	struct wire *w = rules_connected_as(config, config);
	struct tcp_usage usage;

	/* host 1, which listens, closes first */
	tcp_close(w->host[1].tcp, w->host[1].c);
	wire_run(w, 1000000);
	tcp_usage(w->host[1].tcp, &usage);
	assert_int_equal(usage.time_wait, 1);
	assert_int_equal(usage.buffer_bytes, 0);
	rules_forget();
	return w;
}

static void test_time_wait_recycled(void **state)
{
	static const struct {
		const char *what;
		int ts;	 /* from ts_recent; 0: none */
		int seq; /* from rcv_nxt */
		uint8_t flags;
		bool opens;
	} cases[] = {
		{ "newer timestamp, older number", 1, -1000, FLAG_SYN, true },
		{ "newer timestamp, newer number", 1, 1000, FLAG_SYN, true },
		{ "older timestamp, newer number", -1, 1000, FLAG_SYN, false },
		{ "no timestamp, newer number", 0, 1000, FLAG_SYN, true },
		{ "no timestamp, older number", 0, -1000, FLAG_SYN, false },
		{ "a SYN with ACK", 1, 1000, FLAG_SYN | FLAG_ACK, false },
		{ "a reset", 1, 0, FLAG_RST, false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcp_config c = wire_config();
		struct wire *w = in_time_wait(&c);
		struct tcp_connection *old = w->host[1].tcp->time_wait_oldest;
		struct segment s = { .source_port = old->remote.port, .destination_port = old->local.port, .flags = cases[i].flags, .window = 1000,
				     .seq = old->rcv_nxt + (uint32_t)cases[i].seq, .has_timestamp = cases[i].ts != 0,
				     .ts_value = old->ts_recent + (uint32_t)cases[i].ts };
		struct tcp_usage usage;
		uint32_t iss = old->iss;

		w->fate = rules_lose_all;
		wire_inject(w, 1, &s);
		tcp_usage(w->host[1].tcp, &usage);
		if (usage.half_open != cases[i].opens || usage.time_wait == cases[i].opens)
			fail_msg("%s: %s", cases[i].what, cases[i].opens ? "not opened" : "opened");
		if (cases[i].opens) {
			assert_int_equal(rules_last[1].flags, FLAG_SYN | FLAG_ACK);
			assert_true(seq_lt(iss, rules_last[1].seq)); /* RFC 6528: above the old one's */
		}
		assert_int_equal(wire_counter(w, 1, COUNTER_tcp_time_wait_recycled), cases[i].opens);
		rules_finish(w);
	}
}

/* The last ACK was lost: the FIN comes again and is acknowledged again. */
static void test_time_wait_answers(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w = in_time_wait(&c);
	struct tcp_connection *old = w->host[1].tcp->time_wait_oldest;
	struct segment s = { .source_port = old->remote.port, .destination_port = old->local.port, .flags = FLAG_FIN | FLAG_ACK, .window = 1000,
			     .seq = old->fin_seq, .ack = old->snd_max, .has_timestamp = true, .ts_value = old->ts_recent };

	w->now_us += 50000000;
	tcp_advance(w->host[1].tcp, w->now_us);
	wire_inject(w, 1, &s);
	assert_int_equal(rules_sent[1], 1);
	assert_int_equal(rules_last[1].ack, old->rcv_nxt);
	/* and its time begins anew */
	w->now_us += 50000000;
	tcp_advance(w->host[1].tcp, w->now_us);
	assert_ptr_equal(w->host[1].tcp->time_wait_oldest, old);
	rules_finish(w);
}

/* Those in TIME-WAIT give way: beyond their limit, and before anybody is refused. */
static void test_time_wait_gives_way(void **state)
{
	struct tcp_config c = wire_config(), few = wire_config();
	struct tcp_usage usage;
	struct wire *w;

	few.time_wait = 3;
	few.connections = 8;
	few.half_open = 8;
	w = wire_new(&few, &c, false);
	for (unsigned i = 0; i < 20; i++) {
		wire_reset(w);
		w->host[0].close_when_sent = true;
		wire_connect(w);
		wire_run(w, 200000);
		assert_int_equal(w->host[0].closed, 1);
		tcp_usage(w->host[0].tcp, &usage);
		assert_in_range(usage.time_wait, 1, 3);
	}
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_time_wait_evicted), 17);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
	wire_free(w);
}

/* One port, one call after the other: the last one's TIME-WAIT is taken over after a second, since timestamps tell them apart. */
static void test_port_again(void **state)
{
	struct tcp_config c = wire_config(), one = wire_config();
	struct tcp_connection *x;
	struct wire *w;

	one.port_low = one.port_high = 3000;
	w = wire_new(&one, &c, false);
	for (unsigned i = 0; i < 5; i++) {
		wire_reset(w);
		w->host[0].close_when_sent = true;
		w->host[0].to_send = w->host[1].to_send = 3000;
		wire_connect(w);
		wire_run(w, 500000);
		assert_int_equal(w->host[0].closed, 1);
		assert_int_equal(w->host[1].received, 3000);
		assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &x), -ERR_FULL);
		wire_run(w, 1500000);
	}
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_time_wait_recycled), 4);
	/* without timestamps, only when it is over */
	wire_run(w, 2 * MINUTE_US);
	wire_reset(w);
	wire_connect(w);
	wire_run(w, 500000);
	w->host[0].c->timestamps = w->host[1].c->timestamps = false;
	tcp_close(w->host[0].tcp, w->host[0].c);
	wire_run(w, 10000000);
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &x), -ERR_FULL);
	wire_run(w, MINUTE_US);
	wire_connect(w);
	rules_finish(w);
}

/* ---- loss */

static enum fate lose_first_data(struct wire *w, unsigned from, uint64_t n, const struct segment *s)
{
	return from == 0 && s->data.n && w->data_segments == w->script ? LOSE : PASS;
}

/* One of ten segments is lost: it is sent again after three duplicates, without a timeout, and nothing else is. */
static void test_fast_retransmit(void **state)
{
	for (unsigned sack = 0; sack < 2; sack++) {
		struct wire *w = rules_connected();
		uint32_t flight;

		w->host[0].c->sack = w->host[1].c->sack = sack;
		w->data_segments = 0;
		w->script = 2; /* the third */
		w->fate = lose_first_data;
		w->host[0].to_send = 14000;
		wire_push(w);
		tcp_flush(w->host[0].tcp, w->now_us);
		flight = tcp_flight(w->host[0].c);
		wire_run(w, 150000); /* less than a timeout */
		assert_int_equal(w->host[1].received, 14000);
		assert_int_equal(w->host[1].wrong, 0);
		assert_int_equal(wire_counter(w, 0, COUNTER_tcp_retransmitted), 1);
		assert_int_equal(wire_counter(w, 0, COUNTER_tcp_recoveries), 1);
		assert_int_equal(wire_counter(w, 0, COUNTER_tcp_timeouts), 0);
		assert_in_range(w->host[0].c->cwnd, flight / 2, flight * 3 / 4); /* CUBIC: 0.7 of what was in flight */
		rules_finish(w);
	}
}

/* RFC 3042: each of the first two duplicates lets a new segment out, the third one begins recovery with the old one. */
static void test_limited_transmit(void **state)
{
	struct wire *w = rules_connected();
	struct tcp_connection *c = w->host[0].c;
	struct segment s;

	c->sack = false;
	w->host[0].to_send = 100000;
	w->fate = rules_lose_all;
	wire_push(w);
	tcp_flush(w->host[0].tcp, w->now_us);
	assert_int_equal(rules_sent[0], 10); /* the initial window */
	s = (struct segment){ .seq = c->rcv_nxt, .ack = c->snd_una, .flags = FLAG_ACK, .window = c->snd_wnd >> c->send_scale, .has_timestamp = true,
			      .ts_value = c->ts_recent };
	wire_inject(w, 0, &s); /* the window as it is scaled: no duplicate yet */
	for (unsigned i = 0; i < 2; i++) {
		wire_inject(w, 0, &s);
		tcp_flush(w->host[0].tcp, w->now_us);
		assert_int_equal(rules_sent[0], 11 + i);
		assert_int_equal(rules_last[0].seq + rules_last[0].data.n, c->snd_max);
	}
	/* none of these is a duplicate (RFC 5681 §2) */
	s.window--;
	wire_inject(w, 0, &s);
	s.window++;
	wire_inject(w, 0, &s);
	assert_int_equal(c->dup_acks, 2);
	tcp_flush(w->host[0].tcp, w->now_us);
	assert_int_equal(rules_sent[0], 12);
	wire_inject(w, 0, &s);
	tcp_flush(w->host[0].tcp, w->now_us);
	assert_int_equal(rules_sent[0], 13);
	assert_int_equal(rules_last[0].seq, c->snd_una);
	rules_finish(w);
}

/* RFC 2018 §4: the block that came last is told first; RFC 2883: what came twice before all others. */
static void test_sack_blocks(void **state)
{
	static const uint8_t zeros[100];
	struct wire *w = rules_connected();
	struct segment s = rules_expected(w);
	uint32_t from = s.seq;

	s.data = span_of(zeros, sizeof(zeros));
	for (unsigned i = 0; i < 5; i++) {
		s.seq = from + 1000 + 1000 * i;
		wire_inject(w, 1, &s);
		assert_int_equal(rules_last[1].ack, from);
		assert_int_equal(rules_last[1].sack_count, i < 3 ? i + 1 : 3); /* as many as fit beside the timestamp */
		for (unsigned b = 0; b < rules_last[1].sack_count; b++) {
			assert_int_equal(rules_last[1].sack[b].from, s.seq - 1000 * b);
			assert_int_equal(rules_last[1].sack[b].to, s.seq - 1000 * b + 100);
		}
	}
	/* one that joins two */
	s.seq = from + 1100;
	for (unsigned i = 0; i < 9; i++, s.seq += 100)
		wire_inject(w, 1, &s);
	assert_int_equal(rules_last[1].sack[0].from, from + 1000);
	assert_int_equal(rules_last[1].sack[0].to, from + 2100);
	/* twice: out of order, and in order */
	s.seq = from + 3000;
	wire_inject(w, 1, &s);
	assert_int_equal(rules_last[1].sack[0].from, from + 3000);
	assert_int_equal(rules_last[1].sack[1].from, from + 3000);
	s.seq = from;
	wire_inject(w, 1, &s);
	wire_inject(w, 1, &s);
	assert_int_equal(rules_last[1].sack[0].from, from);
	assert_int_equal(rules_last[1].sack[0].to, from + 100);
	assert_int_equal(rules_last[1].ack, from + 100);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_duplicates), 2);
	rules_finish(w);
}

/* The peer reports what it then drops: after the timeout everything is sent again (RFC 2018 §8). */
static void test_reneging(void **state)
{
	struct wire *w = rules_connected();
	struct tcp_connection *c = w->host[0].c;
	struct segment s;

	w->host[0].to_send = 8000;
	w->fate = rules_lose_all;
	wire_push(w);
	tcp_flush(w->host[0].tcp, w->now_us);
	s = (struct segment){ .seq = c->rcv_nxt, .ack = c->snd_una, .flags = FLAG_ACK, .window = 500, .has_timestamp = true, .ts_value = c->ts_recent,
			      .sack_count = 1, .sack = { { c->snd_una + 1448, c->snd_max } } };
	wire_inject(w, 0, &s);
	assert_non_null(c->scoreboard);
	w->fate = NULL;
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[1].received, 8000);
	assert_int_equal(w->host[1].wrong, 0);
	rules_finish(w);
}

/* Those who leave holes in their streams fill half of the memory and no more: others go on sending. */
static void test_holes_stop_nobody(void **state)
{
	struct tcp_config c = wire_config();
	static const uint8_t zeros[1400];
	struct tcp_usage usage;
	struct wire *w;

	c.buffer_bytes = 256 << 10;
	w = rules_connected_as(&c, &c);
	for (unsigned i = 0; i < 250; i++) {
		struct segment s = rules_expected(w);

		s.seq += 1500 * (i % 125) + 100;
		s.data = span_of(zeros, i < 125 ? 1 : sizeof(zeros));
		wire_inject(w, 1, &s);
	}
	tcp_usage(w->host[1].tcp, &usage);
	assert_in_range(usage.buffer_bytes, 20000, 132 << 10);
	assert_true(wire_counter(w, 1, COUNTER_tcp_pieces_dropped) > 0);
	assert_int_equal(tcp_send(w->host[1].tcp, w->host[1].c, span_of(zeros, sizeof(zeros))), sizeof(zeros));
	rules_finish(w);
}

/* ---- path MTU */

static uint32_t largest;

static enum fate narrow(struct wire *w, unsigned from, uint64_t n, const struct segment *s)
{
	return s->data.n > 1000 ? LOSE : PASS;
}

static void note_largest(struct wire *w, unsigned from, const struct segment *s)
{
	if (s->data.n > largest)
		largest = s->data.n;
}

static void test_path_mtu(void **state)
{
	struct wire *w = rules_connected();
	struct tcp_connection *c = w->host[0].c;
	uint32_t cwnd = c->cwnd, from;

	w->fate = narrow;
	w->host[0].to_send = 20000;
	wire_push(w);
	tcp_flush(w->host[0].tcp, w->now_us);
	from = c->snd_una;
	/* Not of this connection's flight, or of another one: ignored. */
	tcp_icmp(w->host[0].tcp, &c->local, &c->remote, from - 1, TCP_ICMP_TOO_BIG, 1000, w->now_us);
	tcp_icmp(w->host[0].tcp, &c->local, &c->remote, c->snd_max, TCP_ICMP_TOO_BIG, 1000, w->now_us);
	tcp_icmp(w->host[0].tcp, &c->local, &(struct ip_port){ c->remote.ip, 1 }, from, TCP_ICMP_TOO_BIG, 1000, w->now_us);
	assert_int_equal(c->mss, 1460);
	tcp_icmp(w->host[0].tcp, &c->local, &c->remote, from, TCP_ICMP_TOO_BIG, 1000, w->now_us);
	assert_int_equal(c->mss, 960);
	assert_int_equal(c->cwnd, cwnd); /* no congestion */
	largest = 0;
	w->tap = note_largest;
	wire_run(w, 100000); /* at once, not after a timeout */
	assert_int_equal(w->host[1].received, 20000);
	assert_int_equal(w->host[1].wrong, 0);
	assert_int_equal(largest, 948);
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_timeouts), 0);
	/* Nobody makes it tiny. */
	w->fate = rules_lose_all;
	w->host[0].to_send += 5000;
	wire_push(w);
	tcp_flush(w->host[0].tcp, w->now_us);
	tcp_icmp(w->host[0].tcp, &c->local, &c->remote, c->snd_una, TCP_ICMP_TOO_BIG, 68, w->now_us);
	assert_int_equal(c->mss, 536);
	rules_finish(w);
}

/* Large ones vanish and nobody says why. */
static void test_black_hole(void **state)
{
	struct wire *w = rules_connected();

	w->fate = narrow;
	w->host[0].to_send = 20000;
	wire_run(w, 20000000);
	assert_int_equal(w->host[1].received, 20000);
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_black_holes), 1);
	assert_int_equal(w->host[0].c->mss, 536);
	rules_finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_wait_recycled),
		cmocka_unit_test(test_time_wait_answers),
		cmocka_unit_test(test_time_wait_gives_way),
		cmocka_unit_test(test_port_again),
		cmocka_unit_test(test_fast_retransmit),
		cmocka_unit_test(test_limited_transmit),
		cmocka_unit_test(test_sack_blocks),
		cmocka_unit_test(test_reneging),
		cmocka_unit_test(test_holes_stop_nobody),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_black_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
