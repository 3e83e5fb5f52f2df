/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "net/bytes.h"

/* The parts by themselves: segments as bytes, the tables, the scoreboard, congestion windows. */

/* ---- segments */

static void test_parse(void **state)
{
	static const struct {
		const char *what;
		uint8_t flags, options[24];
		unsigned option_bytes;
		uint16_t mss;
		bool scale, sack_permitted, timestamp;
		unsigned sacks;
	} cases[] = {
		{ "none", FLAG_ACK, { 0 }, 0, 0, false, false, false, 0 },
		{ "what Linux sends", FLAG_SYN, { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7 }, 20, 1460, true, true, true, 0 },
		{ "not in a SYN", FLAG_ACK, { 2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 1, 1, 1 }, 12, 0, false, false, false, 0 },
		{ "SACK, two blocks", FLAG_ACK, { 1, 1, 5, 18, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 20, 0, 0, 0, 30 }, 20, 0, false, false, false, 2 },
		{ "SACK of odd length", FLAG_ACK, { 5, 11, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0 }, 12, 0, false, false, false, 0 },
		{ "length of nothing", FLAG_SYN, { 2, 0, 5, 0xb4, 3, 3, 7, 0 }, 8, 0, false, false, false, 0 },
		{ "length of one", FLAG_SYN, { 3, 3, 7, 2, 1, 5, 0xb4, 0 }, 8, 0, true, false, false, 0 },
		{ "longer than the header", FLAG_SYN, { 3, 3, 7, 1, 2, 5, 5, 0xb4 }, 8, 0, true, false, false, 0 },
		{ "the last one is cut off", FLAG_SYN, { 3, 3, 7, 2 }, 4, 0, true, false, false, 0 },
		{ "behind the end", FLAG_SYN, { 0, 2, 4, 5 }, 4, 0, false, false, false, 0 },
		{ "MSS of a wrong length", FLAG_SYN, { 2, 3, 5, 1, 4, 2, 1, 1 }, 8, 0, false, true, false, 0 },
		{ "unknown ones", FLAG_SYN, { 30, 4, 1, 2, 254, 2, 2, 4, 1, 0, 1, 1 }, 12, 256, false, false, false, 0 },
		{ "timestamp of a wrong length", FLAG_ACK, { 8, 9, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1 }, 12, 0, false, false, false, 0 },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t n = TCP_HEADER_BYTES + cases[i].option_bytes + 3;
		uint8_t *p = calloc(1, n);
		struct segment s;

		assert_non_null(p);
		p[12] = (uint8_t)((TCP_HEADER_BYTES + cases[i].option_bytes) / 4 << 4);
		p[13] = cases[i].flags;
		memcpy(p + TCP_HEADER_BYTES, cases[i].options, cases[i].option_bytes);
		assert_int_equal(tcp_segment_parse(span_of(p, n), &s), 0);
		if (s.mss != cases[i].mss || s.has_scale != cases[i].scale || s.sack_permitted != cases[i].sack_permitted ||
		    s.has_timestamp != cases[i].timestamp || s.sack_count != cases[i].sacks || s.data.n != 3)
			fail_msg("%s", cases[i].what);
		/* cut anywhere: never beyond the end */
		for (uint32_t cut = 0; cut < n; cut++) {
			uint8_t *exact = malloc(cut ? cut : 1);

			assert_non_null(exact);
			memcpy(exact, p, cut);
			assert_int_equal(tcp_segment_parse(span_of(exact, cut), &s), cut < n - 3 ? -ERR_INVALID : 0);
			free(exact);
		}
		p[12] = 4 << 4;
		assert_int_equal(tcp_segment_parse(span_of(p, n), &s), -ERR_INVALID);
		free(p);
	}
}

/* What is written reads the same. */
static void test_write(void **state)
{
	for (unsigned bits = 0; bits < 128; bits++) {
		struct segment s = { .seq = 0x01020304, .ack = 0xfffefdfc, .window = 4660, .source_port = 1, .destination_port = 65535,
				     .flags = bits & 64 ? FLAG_SYN : FLAG_ACK | FLAG_PSH }, back;
		uint8_t bytes[TCP_HEADER_BYTES + TCP_OPTION_BYTES_MAX];
		uint32_t n;

		if (bits & 64) {
			s.mss = bits & 1 ? 1460 : 0;
			s.has_scale = bits & 2;
			s.scale = bits & 2 ? 14 : 0;
			s.sack_permitted = bits & 4;
		} else {
			s.sack_count = bits & 3;
			for (unsigned i = 0; i < s.sack_count; i++)
				s.sack[i] = (struct seq_range){ 100 * i, 100 * i + 7 };
		}
		s.has_timestamp = bits & 8;
		s.ts_value = bits & 8 ? 77 : 0;
		s.ts_echo = bits & 8 ? 88 : 0;
		n = tcp_segment_write(&s, bytes);
		assert_int_equal(n, tcp_segment_header_bytes(&s));
		assert_int_equal(n % 4, 0);
		assert_int_equal(tcp_segment_parse(span_of(bytes, n), &back), 0);
		back.data = s.data;
		assert_memory_equal(&back, &s, sizeof(s));
	}
}

/* ---- tables, against plain arrays */

#define PLACES 500

static uint64_t random_state;

static uint64_t random_next(void)
{
	return mix64(random_state += 0x9e3779b97f4a7c15ULL);
}

static bool same_index(const void *ctx, uint32_t index, const void *key)
{
	return index == *(const uint32_t *)key;
}

static void test_lookup(void **state)
{
	struct lookup *l = lookup_new(PLACES);
	uint64_t hash[PLACES] = { 0 };
	bool in[PLACES] = { false };

	assert_non_null(l);
	/* few different hashes: long runs, and removal out of their middle */
	for (unsigned step = 0; step < 200000; step++) {
		uint32_t i = (uint32_t)(random_next() % PLACES);

		if (in[i]) {
			lookup_remove(l, hash[i], i);
		} else {
			hash[i] = random_next() % 1400;
			lookup_add(l, hash[i], i);
		}
		in[i] = !in[i];
		if (step % 64)
			continue;
		for (uint32_t k = 0; k < PLACES; k++)
			if (in[k] || step)
				assert_int_equal(lookup_find(l, hash[k], same_index, NULL, &k), in[k] ? k : LOOKUP_NONE);
	}
	lookup_free(l);
}

static struct ip_addr source_number(unsigned i)
{
	if (i & 1)
		return (struct ip_addr){ { 0x20, 1, (uint8_t)(i >> 8), (uint8_t)i, [15] = (uint8_t)random_next() }, IP_V6 };
	return (struct ip_addr){ { 10, 0, (uint8_t)(i >> 8), (uint8_t)i }, IP_V4 };
}

static void test_sources(void **state)
{
	struct hash_key key = { 1, 2 };
	struct sources *s = sources_new(PLACES, &key);
	uint32_t count[PLACES] = { 0 }, distinct = 0;

	assert_non_null(s);
	for (unsigned step = 0; step < 100000; step++) {
		unsigned i = (unsigned)(random_next() % PLACES);
		struct ip_addr ip = source_number(i);

		assert_int_equal(sources_count(s, &ip), count[i]);
		if (count[i] && random_next() % 2) {
			sources_give(s, &ip);
			distinct -= !--count[i];
		} else {
			sources_take(s, &ip);
			distinct += !count[i]++;
		}
		assert_int_equal(sources_distinct(s), distinct);
	}
	sources_free(s);
}

/* ---- the scoreboard: 20 segments of 1,000 bytes are out, from 1,000 on */

#define MSS 1000

struct blocks {
	unsigned count;
	struct seq_range block[TCP_SACKS_MAX];
};

static void test_scoreboard(void **state)
{
	static const struct {
		const char *what;
		struct blocks blocks;
		uint32_t sacked, high_rxt, pipe;
		bool first_lost;
	} cases[] = {
		{ "nothing", { 0 }, 0, 1000, 20000, false },
		{ "one segment", { 1, { { 3000, 4000 } } }, 1000, 1000, 19000, false },
		{ "two next to each other", { 2, { { 3000, 4000 }, { 4000, 5000 } } }, 2000, 1000, 18000, false },
		{ "more than two segments: what is below is lost", { 1, { { 3000, 6000 } } }, 3000, 1000, 15000, true },
		{ "three apart", { 3, { { 3000, 3010 }, { 5000, 5010 }, { 7000, 7010 } } }, 30, 1000, 17970, true },
		{ "two apart", { 2, { { 3000, 3010 }, { 5000, 5010 } } }, 20, 1000, 19980, false },
		{ "lost, and sent again", { 1, { { 3000, 6000 } } }, 3000, 3000, 17000, true },
		{ "lost, and half of it sent again", { 1, { { 3000, 6000 } } }, 3000, 2000, 16000, true },
		{ "overlapping ones", { 3, { { 3000, 5000 }, { 4000, 6000 }, { 3500, 3600 } } }, 3000, 1000, 15000, true },
		{ "one that joins two", { 3, { { 3000, 4000 }, { 5000, 6000 }, { 4000, 5000 } } }, 3000, 1000, 15000, true },
		{ "below what is acknowledged", { 1, { { 500, 900 } } }, 0, 1000, 20000, false },
		{ "partly below", { 1, { { 500, 2000 } } }, 0, 1000, 20000, false },
		{ "beyond what was sent", { 1, { { 20500, 21001 } } }, 0, 1000, 20000, false },
		{ "up to what was sent", { 1, { { 20500, 21000 } } }, 500, 1000, 19500, false },
		{ "back to front", { 1, { { 4000, 3000 } } }, 0, 1000, 20000, false },
		{ "empty", { 1, { { 4000, 4000 } } }, 0, 1000, 20000, false },
	};
	static const uint32_t bases[] = { 0, 0u - 5500 }; /* the second: the numbers wrap on the way */
	struct counters counters = { 0 };
	struct tcp t = { .slab = slab_new(1 << 20), .counters = &counters };

	assert_non_null(t.slab);
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t k = i / 2, base = bases[i & 1], got, end;
		struct tcp_connection c = { .sack = true, .mss = MSS, .snd_una = base + 1000, .snd_max = base + 21000 };
		struct segment s = { .sack_count = cases[k].blocks.count };

		c.high_rxt = base + cases[k].high_rxt;
		for (unsigned b = 0; b < s.sack_count; b++)
			s.sack[b] = (struct seq_range){ base + cases[k].blocks.block[b].from, base + cases[k].blocks.block[b].to };
		got = tcp_sack_update(&t, &c, &s);
		if (got != cases[k].sacked || tcp_sack_pipe(&c) != cases[k].pipe || tcp_sack_is_lost(&c, c.snd_una) != cases[k].first_lost)
			fail_msg("%s: %u sacked, pipe %u, %s", cases[k].what, got, tcp_sack_pipe(&c),
				 tcp_sack_is_lost(&c, c.snd_una) ? "lost" : "not lost");
		assert_int_equal(tcp_sack_update(&t, &c, &s), 0); /* told again is not news */
		assert_int_equal(tcp_sack_below(&c, c.snd_max), cases[k].sacked);
		assert_int_equal(tcp_sack_hole(&c, c.snd_una, &end), c.snd_una);
		c.snd_una = c.snd_max;
		tcp_sack_advance(&t, &c);
		assert_null(c.scoreboard);
	}
	assert_int_equal(slab_bytes_in_use(t.slab), 0);
	slab_free(t.slab);
}

/* More ranges than are kept: what does not fit is forgotten, never invented. */
static void test_scoreboard_full(void **state)
{
	struct counters counters = { 0 };
	struct tcp t = { .slab = slab_new(1 << 20), .counters = &counters };
	struct tcp_connection c = { .sack = true, .mss = MSS, .snd_una = 0, .snd_max = 100000 };
	uint32_t sum = 0;

	assert_non_null(t.slab);
	for (uint32_t i = 0; i < 40; i++) {
		struct segment s = { .sack_count = 1, .sack = { { 100 + 200 * i, 200 + 200 * i } } };

		sum += tcp_sack_update(&t, &c, &s);
	}
	assert_int_equal(sum, 100 * TCP_SACK_RANGES);
	assert_int_equal(c.scoreboard->count, TCP_SACK_RANGES);
	assert_int_equal(tcp_sack_highest(&c), 200 * TCP_SACK_RANGES);
	c.snd_una = 250;
	tcp_sack_advance(&t, &c);
	assert_int_equal(c.scoreboard->count, TCP_SACK_RANGES - 1);
	tcp_sack_clear(&t, &c);
	slab_free(t.slab);
}

/* ---- congestion */

static void test_congestion(void **state)
{
	struct tcp t = { .config = tcp_config_default() };
	struct tcp_connection c = { .mss = 1460, .snd_max = 100 * 1460 };
	uint32_t before;

	tcp_congestion_start(&c);
	assert_int_equal(c.cwnd, 14600); /* RFC 6928 */
	tcp_congestion_acked(&t, &c, 2920);
	assert_int_equal(c.cwnd, 14600 + 2920);
	tcp_congestion_acked(&t, &c, 100000); /* one acknowledgement of very much: two segments */
	assert_int_equal(c.cwnd, 14600 + 2 * 2920);
	c.mss = 8960;
	tcp_congestion_start(&c);
	assert_int_equal(c.cwnd, 2 * 8960);
	c.mss = 536;
	tcp_congestion_start(&c);
	assert_int_equal(c.cwnd, 10 * 536);
	c.mss = 1460;
	/* RFC 9438: 0.7 of what is in flight; back at the old window after K seconds */
	c.cwnd = 100 * 1460;
	c.srtt_us = 200000;
	t.now_ms = 1000;
	tcp_congestion_lost(&t, &c);
	assert_int_equal(c.cwnd, 70 * 1460);
	assert_int_equal(c.ssthresh, c.cwnd);
	before = c.cwnd;
	for (unsigned i = 0; i < 21; i++) { /* K is the cube root of 30 / 0.4: 4.2 s */
		t.now_ms += 200;
		for (uint32_t left = c.cwnd; left; left -= left < 2920 ? left : 2920)
			tcp_congestion_acked(&t, &c, left < 2920 ? left : 2920);
	}
	assert_in_range(c.cwnd, 95 * 1460, 103 * 1460);
	assert_true(c.cwnd > before);
	tcp_congestion_timeout(&t, &c, false);
	assert_int_equal(c.cwnd, 1460);
	assert_int_equal(c.ssthresh, 70 * 1460);
	tcp_congestion_timeout(&t, &c, true); /* of the same once more: the threshold stays */
	assert_int_equal(c.ssthresh, 70 * 1460);
	/* NewReno: half; a segment more for each window acknowledged */
	t.config.congestion = TCP_NEWRENO;
	c.cwnd = 100 * 1460;
	tcp_congestion_lost(&t, &c);
	assert_int_equal(c.cwnd, 50 * 1460);
	for (unsigned i = 0; i < 50; i++)
		tcp_congestion_acked(&t, &c, 1460);
	assert_in_range(c.cwnd, 51 * 1460 - 200, 51 * 1460);
	c.snd_max = 1460;
	tcp_congestion_lost(&t, &c);
	assert_int_equal(c.cwnd, 2 * 1460); /* never less */
	c.cwnd = 1 << 20;
	tcp_congestion_idle(&c);
	assert_int_equal(c.cwnd, 14600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_scoreboard),
		cmocka_unit_test(test_scoreboard_full),
		cmocka_unit_test(test_congestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
