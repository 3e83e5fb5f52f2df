/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

/* Rule by rule: what segments out of place, opening, limits and users in handlers do to a connection, and what is counted. */

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
		{ "old timestamp, empty: it was overtaken", 0, 0, FLAG_ACK, 0, -1, NOTHING },
		{ "old timestamp, empty, of an old number", -100, -10, FLAG_ACK, 0, -5, NOTHING },
		{ "old timestamp, empty, a keepalive's number", -1, 0, FLAG_ACK, 0, -1, CHALLENGE },
		{ "old timestamp, empty, by far", 0, 0, FLAG_ACK, 0, -100000, CHALLENGE },
		{ "old timestamp, FIN", 0, 0, FLAG_ACK | FLAG_FIN, 0, -1, ACKNOWLEDGED },
		{ "newer timestamp", 0, 0, FLAG_ACK, 10, 1, TAKEN },
		{ "empty and old", -1, 0, FLAG_ACK, 0, 0, CHALLENGE },
		{ "out of order", 100, 0, FLAG_ACK, 10, 0, ACKNOWLEDGED },
		{ "FIN out of order", 100, 0, FLAG_ACK | FLAG_FIN, 10, 0, ACKNOWLEDGED },
	};
	static const uint8_t zeros[64];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = rules_connected();
		struct segment s = rules_expected(w);
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
		else if (rules_sent[1])
			got = ACKNOWLEDGED;
		if (got != cases[i].reaction)
			fail_msg("%s: %d, not %d", cases[i].what, got, cases[i].reaction);
		if (got == TAKEN)
			assert_int_equal(w->host[1].received, 10);
		if (got == ENDS)
			assert_int_equal(w->host[1].why, TCP_END_RESET);
		if (got == CHALLENGE || got == ACKNOWLEDGED) {
			assert_int_equal(rules_last[1].ack, w->host[1].c->rcv_nxt);
			assert_int_equal(rules_last[1].flags, FLAG_ACK);
		}
		rules_finish(w);
	}
}

static void test_challenges_are_limited(void **state)
{
	struct wire *w = rules_connected();
	struct segment s = rules_expected(w);

	s.flags = FLAG_SYN;
	for (unsigned second = 0; second < 3; second++) {
		rules_forget();
		for (unsigned i = 0; i < 100; i++)
			wire_inject(w, 1, &s);
		assert_int_equal(rules_sent[1], 10);
		w->now_us += 1000000;
	}
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_challenges_limited), 270);
	rules_finish(w);
}

/* A segment without the timestamp that was agreed on (RFC 7323 §3.2). */
static void test_timestamp_missing(void **state)
{
	struct wire *w = rules_connected();
	struct segment s = rules_expected(w);

	s.has_timestamp = false;
	s.data = SPAN_LIT("x");
	wire_inject(w, 1, &s);
	assert_int_equal(w->host[1].received, 0);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_no_timestamp), 1);
	rules_finish(w);
}

/* After 24 days of silence any timestamp is new. */
static void test_paws_after_days(void **state)
{
	struct wire *w = rules_connected();
	struct segment s = rules_expected(w);

	s.data = SPAN_LIT("0123456789");
	s.ts_value -= 5;
	w->now_us += 25ULL * 24 * 3600 * 1000000;
	tcp_advance(w->host[1].tcp, w->now_us);
	wire_inject(w, 1, &s);
	assert_int_equal(w->host[1].received, 10);
	rules_finish(w);
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
	rules_finish(w);
}

static void test_simultaneous_close(void **state)
{
	struct wire *w = rules_connected();

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
	rules_finish(w);
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

	w->fate = rules_lose_all;
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
	assert_int_equal(tcp_connect(w->host[0].tcp, &w->address[0], &(struct ip_port){ { { 1 }, IP_V6 }, 5 }, NULL, &x), -ERR_INVALID);
	assert_int_equal(wire_counter(w, 0, COUNTER_tcp_open_failed), 4);
	rules_finish(w);
}

/* SYNs from everywhere while the table of half-open ones is full: cookies, without state; who answers them is connected, forged ones are not. */
static void test_cookies(void **state)
{
	struct tcp_config c = wire_config();
	struct wire *w = wire_new(&c, &c, false);
	struct segment syn = { .seq = 1000, .flags = FLAG_SYN, .window = 5000, .mss = 1460, .has_timestamp = true, .ts_value = 7, .has_scale = true,
			       .scale = 9, .sack_permitted = true }, ack;
	struct tcp_usage usage;

	w->tap = rules_note;
	w->fate = rules_lose_all;
	for (unsigned i = 0; i < 1000; i++) {
		syn.source_port = (uint16_t)(1000 + i);
		wire_inject(w, 1, &syn);
	}
	tcp_usage(w->host[1].tcp, &usage);
	assert_int_equal(usage.connections, c.half_open);
	assert_int_equal(usage.half_open, c.half_open);
	assert_int_equal(wire_counter(w, 1, COUNTER_tcp_cookies_sent), 1000 - c.half_open);
	/* the last one's */
	ack = (struct segment){ .source_port = syn.source_port, .seq = 1001, .ack = rules_last[1].seq + 1, .flags = FLAG_ACK, .window = 10,
				.has_timestamp = true, .ts_value = 8, .ts_echo = rules_last[1].ts_value, .data = SPAN_LIT("") };
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
	rules_finish(w);
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
		w->tap = rules_note;
		w->fate = rules_lose_all;
		wire_inject(w, 1, &syn);
		ack = (struct segment){ .seq = 1001, .ack = rules_last[1].seq + 1, .flags = FLAG_ACK, .window = 10 };
		w->now_us += cases[i].after_s * 1000000;
		tcp_advance(w->host[1].tcp, w->now_us);
		syn.source_port = 7; /* the flood goes on: cookies are still looked at */
		wire_inject(w, 1, &syn);
		wire_inject(w, 1, &ack);
		if (w->host[1].opened != cases[i].good)
			fail_msg("after %u s: %s", (unsigned)cases[i].after_s, w->host[1].opened ? "taken" : "refused");
		if (cases[i].good)
			assert_int_equal(w->host[1].c->mss, 536); /* rounded down to what three bits can say */
		rules_finish(w);
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
	struct wire *w = rules_connected();
	uint64_t handle = tcp_handle(w->host[1].tcp, w->host[1].c);

	assert_ptr_equal(tcp_find(w->host[1].tcp, handle), w->host[1].c);
	w->host[1].on_data = abort_now;
	w->host[0].to_send = 3000;
	wire_run(w, 1000000);
	assert_null(tcp_find(w->host[1].tcp, handle));
	assert_int_equal(w->host[1].closed, 0);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[0].why, TCP_END_RESET);
	rules_finish(w);

	w = rules_connected();
	w->host[1].on_data = close_now;
	w->host[0].to_send = 3000;
	w->host[0].close_when_sent = true;
	wire_run(w, 1000000);
	assert_int_equal(w->host[0].closed, 1);
	assert_int_equal(w->host[1].closed, 1);
	assert_int_equal(w->host[1].received, 3000);
	rules_finish(w);
}

/* Resets for segments of nobody's have a limit per second. */
static void test_resets_are_limited(void **state)
{
	struct tcp_config c = wire_config();
	struct segment s = { .source_port = 1, .destination_port = 9, .seq = 5, .ack = 77, .flags = FLAG_ACK };
	struct wire *w;

	c.resets_per_s = 5;
	w = wire_new(&c, &c, false);
	w->tap = rules_note;
	rules_forget();
	for (unsigned i = 0; i < 20; i++)
		wire_inject(w, 1, &s);
	assert_int_equal(rules_sent[1], 5);
	assert_int_equal(rules_last[1].seq, 77);
	assert_int_equal(rules_last[1].flags, FLAG_RST);
	w->now_us += 1000000;
	s.flags = 0;
	s.data = SPAN_LIT("abc");
	wire_inject(w, 1, &s);
	assert_int_equal(rules_last[1].flags, FLAG_RST | FLAG_ACK);
	assert_int_equal(rules_last[1].ack, 8);
	s.flags = FLAG_RST;
	rules_forget();
	wire_inject(w, 1, &s);
	assert_int_equal(rules_sent[1], 0);
	rules_finish(w);
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
		cmocka_unit_test(test_inside_handlers),
		cmocka_unit_test(test_resets_are_limited),
		cmocka_unit_test(test_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
