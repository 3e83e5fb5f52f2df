/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/poison.h"

/* Whole conversations over a wire that spoils segments: every byte arrives once and in order, both sides end, nothing is left. */

#define MINUTE_US 60000000ULL
#define SPOILED	  8

#ifdef POISON_ACTIVE
#define STRIDE 17 /* a sample: AddressSanitizer makes it ten times as slow */
#else
#define STRIDE 1
#endif

static enum fate by_script(struct wire *w, unsigned from, uint64_t n, const struct segment *s)
{
	uint64_t script = w->script;

	if (n >= SPOILED)
		return PASS;
	while (n--)
		script /= FATES;
	return (enum fate)(script % FATES);
}

static bool both_closed(const struct wire *w)
{
	return w->host[0].closed && w->host[1].closed;
}

static void exchange(struct wire *w, uint64_t there, uint64_t back, const char *what)
{
	wire_reset(w);
	w->host[0].to_send = there;
	w->host[1].to_send = back;
	w->host[0].close_when_sent = true;
	wire_connect(w);
	if (!wire_until(w, 10 * MINUTE_US, both_closed))
		fail_msg("%s, script %llu: not closed: %s, %s, %s", what, (unsigned long long)w->script, tcp_end_name(w->host[0].why),
			 w->host[0].c ? tcp_state_name(tcp_state(w->host[0].c)) : "-", w->host[1].c ? tcp_state_name(tcp_state(w->host[1].c)) : "-");
	for (unsigned i = 0; i < 2; i++) {
		struct host *h = &w->host[i], *other = &w->host[!i];

		if (h->received != other->to_send || h->wrong || h->opened != 1 || h->closed != 1 || h->why != TCP_END_CLOSED || h->peer_closed > 1)
			fail_msg("%s, script %llu: host %u: %llu of %llu bytes, %u wrong, %u opened, %u closed (%s)", what,
				 (unsigned long long)w->script, i, (unsigned long long)h->received, (unsigned long long)other->to_send,
				 h->wrong, h->opened, h->closed, tcp_end_name(h->why));
	}
	wire_run(w, MINUTE_US * 2);
	wire_assert_empty(w);
}

static uint32_t near_wrap(void *ctx, uint32_t proposed)
{
	return UINT32_MAX - 700 + proposed % 64;
}

static struct tcp_config spoiled_config(void)
{
	struct tcp_config c = wire_config();

	c.time_wait_ms = 1000;
	c.connect_timeout_ms = c.user_timeout_ms = 600000; /* eight losses in a row are no reason to give up */
	c.initial_sequence = near_wrap;
	return c;
}

/* 5 fates of each of the first 8 segments of both sides: 390,625 conversations, their numbers wrapping on the way. */
static void test_every_pattern(void **state)
{
	struct tcp_config c = spoiled_config();
	struct wire *w = wire_new(&c, &c, false);
	uint64_t scripts = 1;

	for (unsigned i = 0; i < SPOILED; i++)
		scripts *= FATES;
	w->fate = by_script;
	for (w->script = 0; w->script < scripts; w->script += STRIDE)
		exchange(w, 3000, 2000, "patterns");
	wire_free(w);
}

/* The same with less agreed on: every pattern of 6 segments of 4 fates would be few; a sample of all is taken. */
static void test_patterns_of_kinds(void **state)
{
	static const struct {
		const char *what;
		bool v6;
		enum tcp_congestion congestion;
		uint32_t half_open, receive_bytes;
	} kinds[] = {
		{ "IPv6", true, TCP_CUBIC, 16, 256 << 10 },
		{ "NewReno", false, TCP_NEWRENO, 16, 256 << 10 },
		{ "cookies", false, TCP_CUBIC, 0, 256 << 10 },
		{ "IPv6, cookies", true, TCP_CUBIC, 0, 256 << 10 },
		{ "a small window", false, TCP_CUBIC, 16, 4096 },
	};

	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct tcp_config c = spoiled_config();
		struct wire *w;

		c.congestion = kinds[k].congestion;
		c.half_open = kinds[k].half_open;
		c.receive_bytes = kinds[k].receive_bytes;
		w = wire_new(&c, &c, kinds[k].v6);
		w->fate = by_script;
		for (w->script = 0; w->script < 390625; w->script += 61 * STRIDE)
			exchange(w, 9000, 7000, kinds[k].what);
		wire_free(w);
	}
}

/* ---- random spoiling of a long transfer */

static uint64_t random_state;

static enum fate by_chance(struct wire *w, unsigned from, uint64_t n, const struct segment *s)
{
	uint64_t r = mix64(random_state += 0x9e3779b97f4a7c15ULL) % 1000;

	return r < w->script ? (enum fate)(1 + r % 4) : PASS;
}

static void test_long_transfers(void **state)
{
	static const unsigned per_mille[] = { 0, 10, 50, 200 };

	for (unsigned congestion = 0; congestion < 2; congestion++) {
		for (unsigned i = 0; i < sizeof(per_mille) / sizeof(per_mille[0]); i++) {
			struct tcp_config c = spoiled_config();
			struct wire *w;

			c.congestion = (enum tcp_congestion)congestion;
			w = wire_new(&c, &c, i & 1);
			w->fate = by_chance;
			w->script = per_mille[i];
			random_state = i;
			exchange(w, per_mille[i] == 200 ? 100000 : 2000000, 300000, "long transfer");
			if (!per_mille[i])
				assert_int_equal(wire_counter(w, 0, COUNTER_tcp_retransmitted), 0);
			wire_free(w);
		}
	}
}

/* Without SACK and timestamps, as an old peer offers: the options of SYNs are taken out on the way. */
static bool strip;

static void old_peer_tap(struct wire *w, unsigned from, const struct segment *s)
{
	struct host *h = &w->host[from];
	uint8_t *p = h->room;
	uint16_t sum = 0;
	uint32_t header = (p[12] >> 4) * 4u;

	if (!strip || !(s->flags & FLAG_SYN))
		return;
	memset(p + TCP_HEADER_BYTES + 4, 1, header - TCP_HEADER_BYTES - 4); /* all behind the MSS becomes NOPs */
	memcpy(p + 16, &sum, 2);
	sum = tcp_segment_checksum(&w->address[from].ip, &w->address[!from].ip, span_of(p, header));
	memcpy(p + 16, &sum, 2);
}

static void test_old_peer(void **state)
{
	struct tcp_config c = spoiled_config();
	struct wire *w = wire_new(&c, &c, false);

	strip = true;
	w->tap = old_peer_tap;
	w->fate = by_script;
	for (w->script = 0; w->script < 390625; w->script += 61 * STRIDE)
		exchange(w, 9000, 7000, "old peer");
	w->fate = by_chance;
	w->script = 30;
	exchange(w, 1000000, 300000, "old peer, long");
	assert_true(wire_counter(w, 0, COUNTER_tcp_recoveries) > 0);
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_transfers),
		cmocka_unit_test(test_patterns_of_kinds),
		cmocka_unit_test(test_old_peer),
		cmocka_unit_test(test_every_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
