/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

/* Rule by rule: what a segment, a timer or a wish of the user does to a connection, and what is counted. */

#define MINUTE_US 60000000ULL

/* What was sent last by each host, and how many. */
static struct segment last[2];
static unsigned sent[2];

static void note(struct wire *w, unsigned from, const struct segment *s)
{
	last[from] = *s;
	sent[from]++;
}

static void forget(void)
{
	memset(last, 0, sizeof(last));
	memset(sent, 0, sizeof(sent));
}

static enum fate lose_all(struct wire *w, unsigned from, uint64_t n, const struct segment *s)
{
	return LOSE;
}

static struct wire *connected_as(const struct tcp_config *a, const struct tcp_config *b)
{
	struct wire *w = wire_new(a, b, false);

	wire_connect(w);
	wire_run(w, 1000000);
	assert_int_equal(w->host[0].opened, 1);
	assert_int_equal(w->host[1].opened, 1);
	w->host[0].close_when_closed = w->host[1].close_when_closed = true;
	w->tap = note;
	forget();
	return w;
}

static struct wire *connected(void)
{
	struct tcp_config c = wire_config();

	return connected_as(&c, &c);
}

/* Both end, timers run out, nothing is left. */
static void finish(struct wire *w)
{
	w->fate = NULL;
	for (unsigned i = 0; i < 2; i++)
		if (w->host[i].c) {
			tcp_abort(w->host[i].tcp, w->host[i].c);
			w->host[i].c = NULL;
		}
	wire_run(w, 20 * MINUTE_US);
	wire_assert_empty(w);
	wire_free(w);
}

/* A segment from host 0 as host 1 expects it. */
static struct segment expected(struct wire *w)
{
	struct tcp_connection *c = w->host[1].c;

	return (struct segment){ .seq = c->rcv_nxt, .ack = c->snd_max, .flags = FLAG_ACK, .window = 1000, .has_timestamp = c->timestamps,
				 .ts_value = c->ts_recent, .ts_echo = c->ts_recent ? tcp_ts_now(w->host[1].tcp, c) : 0 };
}

/* ---- RFC 5961 and RFC 9293 §3.10.7.4: segments out of place */

enum reaction { NOTHING, CHALLENGE, ENDS, TAKEN, ACKNOWLEDGED };

static void test_out_of_place(void **state)
{
	static const struct {
		const char *what;
		int64_t seq; /* from rcv_nxt */
		int64_t ack; /* from snd_max */
		uint8_t flags;
		uint32_t bytes;
		int ts;
		enum reaction reaction;
	} cases[] = {
		{ "data in place", 0, 0, FLAG_ACK, 10, 0, TAKEN },
		{ "reset in place", 0, 0, FLAG_RST, 0, 0, ENDS },
		{ "reset in place with ACK", 0, 0, FLAG_RST | FLAG_ACK, 0, 0, ENDS },
		{ "reset one further", 1, 0, FLAG_RST, 0, 0, CHALLENGE },
		{ "reset at the window's end", 65000, 0, FLAG_RST, 0, 0, CHALLENGE },
		{ "reset one before", -1, 0, FLAG_RST, 0, 0, NOTHING },
		{ "reset behind the window", 1 << 20, 0, FLAG_RST, 0, 0, NOTHING },
		{ "reset in place with an old timestamp", 0, 0, FLAG_RST, 0, -100, ENDS },
		{ "SYN in place", 0, 0, FLAG_SYN, 0, 0, CHALLENGE },
		{ "SYN with ACK in the window", 100, 0, FLAG_SYN | FLAG_ACK, 0, 0, CHALLENGE },
		{ "SYN out of the window", -5000, 0, FLAG_SYN, 0, 0, CHALLENGE },
		{ "acknowledges what was never sent", 0, 1, FLAG_ACK, 10, 0, CHALLENGE },
		{ "acknowledges far more", 0, 1 << 30, FLAG_ACK, 10, 0, CHALLENGE },
		{ "acknowledges older than any window", 0, -(1 << 24), FLAG_ACK, 10, 0, CHALLENGE },
		{ "acknowledges a little old", 0, -10, FLAG_ACK, 10, 0, TAKEN },
		{ "no ACK at all", 0, 0, 0, 10, 0, NOTHING },
		{ "no ACK, FIN", 0, 0, FLAG_FIN, 0, 0, NOTHING },
		{ "data before the window", -10, 0, FLAG_ACK, 10, 0, ACKNOWLEDGED },
		{ "data behind the window", 1 << 20, 0, FLAG_ACK, 10, 0, ACKNOWLEDGED },
		{ "data partly old", -5, 0, FLAG_ACK, 15, 0, TAKEN },
		{ "old timestamp (PAWS)", 0, 0, FLAG_ACK, 10, -1, ACKNOWLEDGED },
		{ "newer timestamp", 0, 0, FLAG_ACK, 10, 1, TAKEN },
		{ "empty and old", -1, 0, FLAG_ACK, 0, 0, CHALLENGE },
		{ "out of order", 100, 0, FLAG_ACK, 10, 0, ACKNOWLEDGED },
		{ "FIN out of order", 100, 0, FLAG_ACK | FLAG_FIN, 10, 0, ACKNOWLEDGED },
	};
	static const uint8_t zeros[64];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = connected();
		struct segment s = expected(w);
		uint64_t challenges = wire_counter(w, 1, COUNTER_tcp_challenges);
		enum reaction got = NOTHING;

		s.seq += (uint32_t)cases[i].seq;
		s.ack += (uint32_t)cases[i].ack;
		s.flags = cases[i].flags;
		s.ts_value += (uint32_t)cases[i].ts;
		s.data = span_of(zeros, cases[i].bytes);
		wire_inject(w, 1, &s);
		if (!w->host[1].c)
			got = ENDS;
		else if (w->host[1].received)
			got = TAKEN;
		else if (wire_counter(w, 1, COUNTER_tcp_challenges) > challenges)
			got = CHALLENGE;
		else if (sent[1])
			got = ACKNOWLEDGED;
		if (got != cases[i].reaction)
			fail_msg("%s: %d, not %d", cases[i].what, got, cases[i].reaction);
		if (got == TAKEN)
			assert_int_equal(w->host[1].received, 10);
		if (got == ENDS)
			assert_int_equal(w->host[1].why, TCP_END_RESET);
		if (got == CHALLENGE || got == ACKNOWLEDGED) {
			assert_int_equal(last[1].ack, w->host[1].c->rcv_nxt);
			assert_int_equal(last[1].flags, FLAG_ACK);
		}
		finish(w);
	}
}

static void test_challenges_are_limited(void **state)
{
	struct wire *w = connected();
	struct segment s = expected(w);

	s.flags = FLAG_SYN;
	for (unsigned second = 0; second < 3; second++) {
		forget();
		for (unsigned i = 0; i < 100; i++)
			wire_inject(w, 1, &s);
		assert_int_equal(sent[1], 10);
		w->now_us += 1000000;
	}
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_challenges_limited), 270);
	finish(w);
}

/* A segment without the timestamp that was agreed on (RFC 7323 §3.2). */
static void test_timestamp_missing(void **state)
{
	struct wire *w = connected();
	struct segment s = expected(w);

	s.has_timestamp = false;
	s.data = SPAN_LIT("x");
	wire_inject(w, 1, &s);
	assert_int_equal(w->host[1].received, 0);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_no_timestamp), 1);
	finish(w);
}

/* After 24 days of silence any timestamp is new. */
static void test_paws_after_days(void **state)
{
	struct wire *w = connected();
	struct segment s = expected(w);

	s.data = SPAN_LIT("0123456789");
	s.ts_value -= 5;
	w->now_us += 25ULL * 24 * 3600 * 1000000;
	tcp_advance(w->host[1].tcp, w->now_us);
	wire_inject(w, 1, &s);
	assert_int_equal(w->host[1].received, 10);
	finish(w);
}

/* ---- opening */

static void test_simultaneous_open(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w = wire_new(&c, &c, false);
	struct ip_port a = w->address[0], b = w->address[1];

	a.port = 6000;
	b.port = 6001;
	assert_int_equal(tcp_connect(w->host[0].tcp, &a, &b, NULL, &w->host[0].c), 0);
	assert_int_equal(tcp_connect(w->host[1].tcp, &b, &a, NULL, &w->host[1].c), 0);
	w->host[0].to_send = w->host[1].to_send = 5000;
	w->host[0].close_when_sent = true;
	wire_run(w, 2000000);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(w->host[i].opened, 1);
		assert_int_equal(w->host[i].received, 5000);
		assert_int_equal(w->host[i].wrong, 0);
		assert_int_equal(w->host[i].closed, 1);
		assert_int_equal(w->host[i].why, TCP_END_CLOSED);
	}
	finish(w);
}

static void test_simultaneous_close(void **state)
{
	struct wire *w = connected();

	tcp_close(w->host[0].tcp, w->host[0].c);
	tcp_close(w->host[1].tcp, w->host[1].c);
	tcp_flush(w->host[0].tcp, w->now_us);
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(tcp_state(w->host[0].c), TCP_STATE_FIN_WAIT_1);
	assert_int_equal(tcp_state(w->host[1].c), TCP_STATE_FIN_WAIT_1);
	wire_run(w, 1000000);
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_usage usage;

		assert_int_equal(w->host[i].closed, 1);
		assert_int_equal(w->host[i].why, TCP_END_CLOSED);
		tcp_usage(w->host[i].tcp, &usage);
		assert_int_equal(usage.time_wait, 1); /* by CLOSING, both of them */
	}
	finish(w);
}

static void test_refused_and_unreachable(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w = wire_new(&c, &c, false);
	struct ip_port nobody = w->address[1];
	struct tcp_connection *x;

	nobody.port = 9;
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &nobody, NULL, &w->host[0].c), 0);
	wire_run(w, 1000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_REFUSED);

	w->fate = lose_all;
	wire_connect(w);
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[0].closed, 2);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);

	/* ICMP: only what quotes our SYN, and only a hard error */
	wire_connect(w);
	tcp_icmp(w->host[0].tcp, &w->host[0].c->local, &w->address[1], w->host[0].c->iss + 1, TCP_ICMP_HARD, 0, w->now_us);
	tcp_icmp(w->host[0].tcp, &w->host[0].c->local, &w->address[1], w->host[0].c->iss, TCP_ICMP_SOFT, 0, w->now_us);
	assert_int_equal(w->host[0].closed, 2);
	tcp_icmp(w->host[0].tcp, &w->host[0].c->local, &w->address[1], w->host[0].c->iss, TCP_ICMP_HARD, 0, w->now_us);
	assert_int_equal(w->host[0].closed, 3);
	assert_int_equal(w->host[0].why, TCP_END_UNREACHABLE);

	w->host[0].commit_error = -ERR_UNREACHABLE;
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &x), -ERR_UNREACHABLE);
	w->host[0].commit_error = 0;
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &(struct ip_port){ { IP_V6, { 1 } }, 5 }, NULL, &x), -ERR_INVALID);
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_open_failed), 4);
	finish(w);
}

/* SYNs from everywhere while the table of half-open ones is full: cookies, without state; who answers them is connected, forged ones are not. */
static void test_cookies(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w = wire_new(&c, &c, false);
	struct segment syn = { .seq = 1000, .flags = FLAG_SYN, .window = 5000, .mss = 1460, .has_timestamp = true, .ts_value = 7, .has_scale = true,
			       .scale = 9, .sack_permitted = true }, ack;
	struct tcp_usage usage;

	w->tap = note;
	w->fate = lose_all;
	for (unsigned i = 0; i < 1000; i++) {
		syn.source_port = (uint16_t)(1000 + i);
		wire_inject(w, 1, &syn);
	}
	tcp_usage(w->host[1].tcp, &usage);
	assert_int_equal(usage.connections, c.half_open);
	assert_int_equal(usage.half_open, c.half_open);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_cookies_sent), 1000 - c.half_open);
	/* the last one's */
	ack = (struct segment){ .source_port = syn.source_port, .seq = 1001, .ack = last[1].seq + 1, .flags = FLAG_ACK, .window = 10,
				.has_timestamp = true, .ts_value = 8, .ts_echo = last[1].ts_value, .data = SPAN_LIT("") };
	ack.ack++;
	wire_inject(w, 1, &ack);
	assert_int_equal(w->host[1].opened, 0);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_cookies_bad), 1);
	ack.ack--;
	ack.ts_echo ^= 1; /* says another scale than was agreed on */
	wire_inject(w, 1, &ack);
	assert_int_equal(w->host[1].opened, 0);
	ack.ts_echo ^= 1;
	wire_inject(w, 1, &ack);
	assert_int_equal(w->host[1].opened, 1);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_cookies_good), 1);
	assert_int_equal(w->host[1].c->send_scale, 9);
	assert_true(w->host[1].c->sack && w->host[1].c->timestamps && w->host[1].c->scaled);
	assert_int_equal(w->host[1].c->mss, 1460);
	assert_int_equal(w->host[1].c->snd_wnd, 10 << 9);
	/* A flood does not keep a caller out. */
	w->fate = NULL;
	tcp_abort(w->host[1].tcp, w->host[1].c);
	w->host[1].c = NULL;
	wire_connect(w);
	wire_run(w, 500000);
	assert_int_equal(w->host[0].opened, 1);
	assert_int_equal(w->host[1].opened, 2);
	finish(w);
}

/* A cookie is good for one to two minutes, and only then. */
static void test_cookie_age(void **state)
{
	static const struct {
		uint64_t after_s;
		bool good;
	} cases[] = { { 0, true }, { 30, true }, { 63, true }, { 129, false }, { 200, false }, { 3600, false } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcp_config c = wire_config();
		struct segment syn = { .seq = 1000, .flags = FLAG_SYN, .window = 5000, .mss = 600 }, ack;
		struct wire *w;

		c.half_open = 0;
		w = wire_new(&c, &c, true);
		w->tap = note;
		w->fate = lose_all;
		wire_inject(w, 1, &syn);
		ack = (struct segment){ .seq = 1001, .ack = last[1].seq + 1, .flags = FLAG_ACK, .window = 10 };
		w->now_us += cases[i].after_s * 1000000;
		tcp_advance(w->host[1].tcp, w->now_us);
		wire_inject(w, 1, &ack);
		if (w->host[1].opened != cases[i].good)
			fail_msg("after %u s: %s", (unsigned)cases[i].after_s, w->host[1].opened ? "taken" : "refused");
		if (cases[i].good)
			assert_int_equal(w->host[1].c->mss, 536); /* rounded down to what three bits can say */
		finish(w);
	}
}

static void test_limits(void **state)
{
	struct tcp_config c = wire_config(), small = wire_config();
	struct tcp_connection *x;
	struct wire *w;

	small.connections = 4;
	small.half_open = 4;
	w = wire_new(&c, &small, false);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
		wire_run(w, 100000);
	}
	assert_int_equal(w->host[1].opened, 4);
	assert_int_equal(w->host[0].why, TCP_END_REFUSED);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_refused_full), 1);
	assert_int_equal(tcp_connect(w->host[1].tcp, &(struct ip_port){ w->address[1].ip, 0 }, &(struct ip_port){ w->address[0].ip, 9 }, NULL, &x),
			 -ERR_FULL);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_refused_full), 2);
	wire_free(w);

	small = wire_config();
	small.per_source = 3;
	w = wire_new(&c, &small, true);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
		wire_run(w, 100000);
	}
	assert_int_equal(w->host[1].opened, 3);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_refused_source), 2);
	/* Another /64 is another source. */
	w->address[0].ip.bytes[7] = 1;
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
	wire_run(w, 100000);
	assert_int_equal(w->host[1].opened, 4);
	wire_free(w);

	small = wire_config();
	small.port_low = 2000;
	small.port_high = 2003;
	w = wire_new(&small, &c, false);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &x), -ERR_FULL);
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_refused_ports), 1);
	wire_free(w);
}

/* With four workers, a call's port is one whose connection hashes to the caller. */
static void test_ports_hash_home(void **state)
{
	for (unsigned worker = 0; worker < 4; worker++) {
		struct tcp_config c = wire_config();
		struct wire *w;

		c.workers = 4;
		c.worker = worker;
		w = wire_new(&c, &c, worker & 1);
		for (unsigned i = 0; i < 20; i++) {
			assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &w->address[1], NULL, &w->host[0].c), 0);
			assert_int_equal(tcp_owner(tcp_tuple_hash(&w->host[0].tcp->config.tuple_key, tcp_local(w->host[0].c),
								  tcp_remote(w->host[0].c)), 4), worker);
		}
		wire_free(w);
	}
}

/* ---- windows */

/* The reader takes nothing: the window closes, probes keep asking, each slower, and nothing is lost when it opens. */
static void test_zero_window(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;
	uint64_t probes;

	c.receive_bytes = 16384;
	w = connected_as(&c, &c);
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
	w->fate = lose_all;
	wire_run(w, 10 * MINUTE_US);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	finish(w);
}

/* The opening of the window is lost: a probe finds out. */
static void test_lost_window_update(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.receive_bytes = 8192;
	w = connected_as(&c, &c);
	w->host[0].to_send = 20000;
	w->host[1].take_limit = 0;
	wire_run(w, 5000000);
	w->host[1].take_limit = UINT64_MAX;
	w->fate = lose_all;
	tcp_read(w->host[1].tcp, w->host[1].c);
	tcp_flush(w->host[1].tcp, w->now_us);
	w->fate = NULL;
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[1].received, 20000);
	assert_int_equal(w->host[1].wrong, 0);
	finish(w);
}

/* Small bites do not open the window by small steps (RFC 9293 §3.8.6.2.2). */
static void test_silly_windows(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.receive_bytes = 16384;
	w = connected_as(&c, &c);
	w->host[0].to_send = 100000;
	w->host[1].take_limit = 0;
	wire_run(w, 5000000);
	forget();
	for (unsigned i = 0; i < 100; i++) {
		w->host[1].take_limit = w->host[1].received + 50;
		tcp_read(w->host[1].tcp, w->host[1].c);
		tcp_flush(w->host[1].tcp, w->now_us);
	}
	assert_in_range(sent[1], 2, 4);
	finish(w);
}

static void test_backpressure(void **state)
{
	struct tcp_config c = wire_config();
	static uint8_t block[8192];
	struct wire *w;

	c.send_bytes = 8192;
	w = connected_as(&c, &c);
	w->fate = lose_all;
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
	finish(w);
}

/* All memory is gone: what does not fit is not acknowledged, nothing breaks, and all is well when there is room again. */
static void test_no_buffers(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.buffer_bytes = 65536;
	w = connected_as(&c, &c);
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
	finish(w);
}

/* A caller that finds no buffer for a segment loses nothing but time. */
static void test_no_segments(void **state)
{
	struct wire *w = connected();

	w->host[0].to_send = 50000;
	w->host[0].reserve_fails = 20;
	w->host[1].reserve_fails = 20;
	wire_run(w, MINUTE_US);
	assert_int_equal(w->host[1].received, 50000);
	finish(w);
}

/* There was no buffer when data was queued, there is one later, and then nobody answers: timeouts come as for any other data. */
static void test_starved_then_lost(void **state)
{
	struct wire *w = connected();

	w->host[0].reserve_fails = 3;
	w->host[0].to_send = 3000;
	w->fate = lose_all;
	wire_run(w, 40000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	assert_in_range(wire_counter(w, 0, COUNTER_tcp_retransmitted), 6, 20);
	finish(w);
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
	struct wire *w = connected();

	moment_count = 0;
	w->tap = note_moment;
	w->fate = lose_all;
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
	finish(w);
}

/* What was sent once more is not measured, unless timestamps tell the two apart (Karn): the round trip stays what it is. */
static void test_round_trip(void **state)
{
	struct wire *w = connected();

	for (unsigned i = 0; i < 50; i++) {
		w->host[0].to_send += 500;
		wire_run(w, 300000);
	}
	assert_in_range(w->host[0].c->srtt_us, 9000, 55000); /* 10 ms, plus what a delayed acknowledgement takes */
	assert_in_range(w->host[0].c->rto_ms, 200, 250);
	finish(w);
}

static void test_keepalive(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w;

	c.keepalive_ms = 10000;
	c.keepalive_interval_ms = 1000;
	c.keepalive_probes = 3;
	w = connected_as(&c, &c);
	wire_run(w, MINUTE_US);
	assert_non_null(w->host[0].c); /* answered */
	assert_in_range(wire_counter(w, 0, COUNTER_tcp_keepalives) + wire_counter(w, 1, COUNTER_tcp_keepalives), 5, 13);
	w->fate = lose_all;
	wire_run(w, 14000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_TIMEOUT);
	finish(w);
}

static void test_delayed_acks(void **state)
{
	struct wire *w = connected();
	struct segment s;

	w->host[1].c->quick_acks = 0;
	s = expected(w);
	s.data = SPAN_LIT("0123456789");
	wire_inject(w, 1, &s);
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(sent[1], 0);
	tcp_advance(w->host[1].tcp, w->now_us += 39000);
	assert_int_equal(sent[1], 0);
	tcp_advance(w->host[1].tcp, w->now_us += 2000);
	assert_int_equal(sent[1], 1);
	/* every second one at once */
	for (unsigned i = 0; i < 2; i++) {
		s.seq += 10;
		wire_inject(w, 1, &s);
		tcp_flush(w->host[1].tcp, w->now_us);
		assert_int_equal(sent[1], 1 + i);
	}
	/* what goes out anyway takes it along */
	s.seq += 10;
	wire_inject(w, 1, &s);
	tcp_send(w->host[1].tcp, w->host[1].c, SPAN_LIT("answer"));
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(sent[1], 3);
	assert_int_equal(last[1].ack, s.seq + 10);
	assert_int_equal(w->host[1].c->deadline[DEADLINE_ACK], 0);
	finish(w);
}

/* Of a burst of full segments every second one is acknowledged, not the whole burst once: that one would be all there is to lose. */
static void test_acks_of_bursts(void **state)
{
	static const uint8_t zeros[1448];
	struct wire *w = connected();
	struct segment s;

	w->host[1].c->quick_acks = 0;
	s = expected(w);
	s.data = span_of(zeros, sizeof(zeros));
	for (unsigned i = 0; i < 20; i++, s.seq += s.data.n)
		wire_inject(w, 1, &s);
	assert_int_equal(sent[1], 10);
	/* small ones wait for the flush: an answer may go out with it */
	s.data = span_of(zeros, 300);
	for (unsigned i = 0; i < 8; i++, s.seq += s.data.n)
		wire_inject(w, 1, &s);
	assert_int_equal(sent[1], 10);
	tcp_flush(w->host[1].tcp, w->now_us);
	assert_int_equal(sent[1], 11);
	finish(w);
}

static void test_fin_wait_2_ends(void **state)
{
	struct wire *w = connected();

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
	finish(w);
}

/* ---- TIME-WAIT */

static struct wire *in_time_wait(const struct tcp_config *config)
{
	struct wire *w = connected_as(config, config);
	struct tcp_usage usage;

	/* host 1, which listens, closes first */
	tcp_close(w->host[1].tcp, w->host[1].c);
	wire_run(w, 1000000);
	tcp_usage(w->host[1].tcp, &usage);
	assert_int_equal(usage.time_wait, 1);
	assert_int_equal(usage.buffer_bytes, 0);
	forget();
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

		w->fate = lose_all;
		wire_inject(w, 1, &s);
		tcp_usage(w->host[1].tcp, &usage);
		if (usage.half_open != cases[i].opens || usage.time_wait == cases[i].opens)
			fail_msg("%s: %s", cases[i].what, cases[i].opens ? "not opened" : "opened");
		if (cases[i].opens) {
			assert_int_equal(last[1].flags, FLAG_SYN | FLAG_ACK);
			assert_true(seq_lt(iss, last[1].seq)); /* RFC 6528: above the old one's */
		}
		assert_int_equal(wire_counter(w, 1, COUNTER_tcp_time_wait_recycled), cases[i].opens);
		finish(w);
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
	assert_int_equal(sent[1], 1);
	assert_int_equal(last[1].ack, old->rcv_nxt);
	/* and its time begins anew */
	w->now_us += 50000000;
	tcp_advance(w->host[1].tcp, w->now_us);
	assert_ptr_equal(w->host[1].tcp->time_wait_oldest, old);
	finish(w);
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
	finish(w);
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
	struct wire *w = connected();
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
	w->fate = lose_all;
	w->host[0].to_send += 5000;
	wire_push(w);
	tcp_flush(w->host[0].tcp, w->now_us);
	tcp_icmp(w->host[0].tcp, &c->local, &c->remote, c->snd_una, TCP_ICMP_TOO_BIG, 68, w->now_us);
	assert_int_equal(c->mss, 536);
	finish(w);
}

/* Large ones vanish and nobody says why. */
static void test_black_hole(void **state)
{
	struct wire *w = connected();

	w->fate = narrow;
	w->host[0].to_send = 20000;
	wire_run(w, 20000000);
	assert_int_equal(w->host[1].received, 20000);
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_black_holes), 1);
	assert_int_equal(w->host[0].c->mss, 536);
	finish(w);
}

/* ---- users that do things in handlers */

static void abort_now(struct host *h)
{
	tcp_abort(h->tcp, h->c);
	h->c = NULL;
}

static void close_now(struct host *h)
{
	tcp_close(h->tcp, h->c);
}

static void test_inside_handlers(void **state)
{
	struct wire *w = connected();
	uint64_t handle = tcp_handle(w->host[1].tcp, w->host[1].c);

	assert_ptr_equal(tcp_find(w->host[1].tcp, handle), w->host[1].c);
	w->host[1].on_data = abort_now;
	w->host[0].to_send = 3000;
	wire_run(w, 1000000);
	assert_null(tcp_find(w->host[1].tcp, handle));
	assert_int_equal(w->host[1].closed, 0);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_RESET);
	finish(w);

	w = connected();
	w->host[1].on_data = close_now;
	w->host[0].to_send = 3000;
	w->host[0].close_when_sent = true;
	wire_run(w, 1000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[1].closed, 1);
	assert_int_equal(w->host[1].received, 3000);
	finish(w);
}

/* Resets for segments of nobody's have a limit per second. */
static void test_resets_are_limited(void **state)
{
	struct tcp_config c = wire_config();
	struct segment s = { .source_port = 1, .destination_port = 9, .seq = 5, .ack = 77, .flags = FLAG_ACK };
	struct wire *w;

	c.resets_per_s = 5;
	w = wire_new(&c, &c, false);
	w->tap = note;
	forget();
	for (unsigned i = 0; i < 20; i++)
		wire_inject(w, 1, &s);
	assert_int_equal(sent[1], 5);
	assert_int_equal(last[1].seq, 77);
	assert_int_equal(last[1].flags, FLAG_RST);
	w->now_us += 1000000;
	s.flags = 0;
	s.data = SPAN_LIT("abc");
	wire_inject(w, 1, &s);
	assert_int_equal(last[1].flags, FLAG_RST | FLAG_ACK);
	assert_int_equal(last[1].ack, 8);
	s.flags = FLAG_RST;
	forget();
	wire_inject(w, 1, &s);
	assert_int_equal(sent[1], 0);
	finish(w);
}

static void test_configuration(void **state)
{
	struct tcp_config good = tcp_config_default(), c;
	struct counters counters;
	struct tcp *t;
	static uint8_t *(*const nothing)(void *ctx, uint32_t bytes) = NULL;
	struct tcp_handlers none = { .reserve = nothing };

	good.counters = &counters;
	good.handlers = &none;
	assert_string_equal(tcp_config_fault(&good), "handlers: missing");
	c = good;
	c.connections = 0;
	assert_string_equal(tcp_config_fault(&c), "connections: not 1 to 4000000");
	c = good;
	c.worker = 1;
	assert_string_equal(tcp_config_fault(&c), "worker: not below workers");
	c = good;
	c.rto_min_ms = c.rto_max_ms + 1;
	assert_non_null(strstr(tcp_config_fault(&c), "rto_min_ms"));
	assert_int_equal(tcp_new(&c, 0, &t), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_place),
		cmocka_unit_test(test_challenges_are_limited),
		cmocka_unit_test(test_timestamp_missing),
		cmocka_unit_test(test_paws_after_days),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_refused_and_unreachable),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_cookie_age),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ports_hash_home),
		cmocka_unit_test(test_zero_window),
		cmocka_unit_test(test_lost_window_update),
		cmocka_unit_test(test_silly_windows),
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_no_segments),
		cmocka_unit_test(test_starved_then_lost),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_delayed_acks),
		cmocka_unit_test(test_acks_of_bursts),
		cmocka_unit_test(test_fin_wait_2_ends),
		cmocka_unit_test(test_time_wait_recycled),
		cmocka_unit_test(test_time_wait_answers),
		cmocka_unit_test(test_time_wait_gives_way),
		cmocka_unit_test(test_port_again),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_black_hole),
		cmocka_unit_test(test_inside_handlers),
		cmocka_unit_test(test_resets_are_limited),
		cmocka_unit_test(test_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
