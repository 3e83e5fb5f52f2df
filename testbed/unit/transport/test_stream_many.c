/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../tcp/resident.h"

#include "base/poison.h"
#include "tcp/connection.h"
#include "transport/stream_state.h"

/* 100,000 connections with SIP on them, each of which has sent a request in pieces, had its answer, and answered one of ours: what they
 * take when all that is past, the layer of streams included. Their peers are segments made here. */

#ifdef POISON_ACTIVE
#define MANY 5000
#else
#define MANY 100000
#endif
#define LIMIT_BYTES  (400ULL << 20)
#define BUFFER_BYTES (128ULL << 20) /* TCP's, and as much for the streams */
#define PAST_US	    33000000 /* what was asked is forgotten by then */

static const char request[] = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa\r\nContent-Length: 0\r\n\r\n";
static const char answer[] = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa\r\nContent-Length: 0\r\n\r\n";

static struct {
	struct streams *st;
	struct counters counters;
	struct segment last;
	uint8_t room[2048], last_bytes[2048];
	struct flow from;
	unsigned messages, lost;
	uint64_t now_us;
} many;

static const struct ip_port us = { { { 192, 0, 2, 1 }, IP_V4 }, 5060 };

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	assert_true(bytes <= sizeof(many.room));
	return many.room;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	memcpy(many.last_bytes, many.room, bytes);
	return tcp_segment_parse(span_of(many.last_bytes, bytes), &many.last);
}

static bool message(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from)
{
	many.messages++;
	many.from = *from;
	return true;
}

static void undelivered(void *ctx, const uint8_t *data, uint32_t len, const struct ip_port *to, const char *why)
{
	assert_memory_equal(data, ";branch=z9hG4bK", 15);
	many.lost++;
}

static void make(uint32_t connections, uint64_t buffer_bytes)
{
	struct streams_config c = { .tcp = tcp_config_default(), .buffer_bytes = buffer_bytes, .queue_bytes = 256 << 10, .message = message,
				    .undelivered = undelivered, .reserve = reserve, .commit = commit, .counters = &many.counters };

	memset(&many, 0, sizeof(many));
	many.now_us = 1000000;
	c.tcp.connections = connections;
	c.tcp.half_open = connections / 2;
	c.tcp.buffer_bytes = buffer_bytes;
	c.tcp.keepalive_ms = 0;
	c.tcp.tuple_key = (struct hash_key){ 1, 2 };
	c.tcp.secret = (struct hash_key){ 3, 4 };
	assert_int_equal(streams_new(&c, many.now_us, &many.st), 0);
	streams_touch(many.st);
	assert_int_equal(streams_listen(many.st, &us, TRANSPORT_TCP, 0), 0);
}

static void segment_in(uint32_t i, const struct segment *s, const char *payload, uint32_t n)
{
	static uint8_t bytes[2048];
	struct ip_addr from = { { 10, (uint8_t)(i >> 10), (uint8_t)(i >> 2), 7 }, IP_V4 };
	struct tcp_packet p = { .source = from, .destination = us.ip, .checksum_good = true };
	struct segment h = *s;
	uint32_t header;

	h.source_port = (uint16_t)(20000 + i % 4);
	h.destination_port = us.port;
	header = tcp_segment_write(&h, bytes);
	memcpy(bytes + header, payload, n);
	p.segment = span_of(bytes, header + n);
	p.hash = tcp_packet_hash(&many.st->config.tcp.tuple_key, &p);
	streams_input(many.st, &p, many.now_us);
	streams_flush(many.st, many.now_us);
}

static void send_out(const char *text, uint32_t n)
{
	assert_int_equal(streams_send(many.st, (const uint8_t *)text, n, &many.from), 0);
	streams_flush(many.st, many.now_us);
	assert_int_equal(many.last.data.n, n);
}

/* Leaves its numbers in *s. */
static void talk(uint32_t i, struct segment *s)
{
	const uint32_t half = sizeof(request) / 2, all = sizeof(request) - 1, back = sizeof(answer) - 1;

	*s = (struct segment){ .seq = i, .flags = FLAG_SYN, .window = 60000, .mss = 1460, .has_scale = true, .scale = 7, .sack_permitted = true };
	segment_in(i, s, "", 0);
	assert_int_equal(many.last.flags, FLAG_SYN | FLAG_ACK);
	*s = (struct segment){ .seq = i + 1, .ack = many.last.seq + 1, .flags = FLAG_ACK, .window = 500 };
	segment_in(i, s, "", 0);
	segment_in(i, s, request, half);
	s->seq += half;
	segment_in(i, s, request + half, all - half);
	s->seq += all - half;
	send_out(answer, back);
	s->ack += back;
	segment_in(i, s, "", 0);
	send_out(request, all);
	s->ack += all;
	segment_in(i, s, answer, back);
	s->seq += back;
	many.now_us += 100;
	if (i % 64 == 0)
		streams_advance(many.st, many.now_us);
}

static void test_idle(void **state)
{
	uint64_t before = resident_bytes(), grown, all;
	struct tcp_usage usage;
	struct segment s;

	make(MANY, BUFFER_BYTES);
	for (uint32_t i = 0; i < MANY; i++)
		talk(i, &s);
	assert_int_equal(many.messages, 2 * MANY);
	assert_int_equal(streams_connections(many.st), MANY);
	many.now_us += PAST_US;
	streams_advance(many.st, many.now_us);
	grown = resident_bytes() - before;
	tcp_usage(many.st->tcp, &usage);
	/* An idle one has a place in the tables and nothing else. */
	assert_int_equal(usage.buffer_bytes, 0);
	assert_int_equal(slab_bytes_in_use(many.st->slab), 0);
	assert_int_equal(counter_read(&many.counters, COUNTER_stream_no_memory), 0);
	assert_int_equal(counter_read(&many.counters, COUNTER_tcp_no_buffer), 0);
	assert_int_equal(many.lost, 0);
	/* Huge pages do not count as resident: so both are looked at. */
	all = usage.memory_bytes + BUFFER_BYTES + MANY * (sizeof(struct stream) + sizeof(many.st->generations[0])) +
	      many.st->buckets * sizeof(many.st->table[0]);
	print_message("%u idle SIP connections: %llu bytes each, of which %zu the stream; %llu MiB with all buffers, %llu MiB of it on small pages\n", MANY,
		      (unsigned long long)((all - 2 * BUFFER_BYTES) / MANY), sizeof(struct stream), (unsigned long long)(all >> 20),
		      (unsigned long long)(grown >> 20));
	assert_true(all < LIMIT_BYTES);
#ifndef POISON_ACTIVE
	assert_true(grown < LIMIT_BYTES);
#endif
	streams_free(many.st);
}

/* As many requests as are out come back when the connection breaks, up to the bound; not those of long ago; and what keeps them grows with them. */
static void test_what_is_kept(void **state)
{
	static const struct {
		unsigned old, recent, come_back;
	} cases[] = { { 0, 1, 1 }, { 0, 7, 7 }, { 0, 8, 8 }, { 0, 100, 100 }, { 0, 127, 127 }, { 0, 300, 127 }, { 50, 0, 0 }, { 50, 60, 60 }, { 5, 5, 5 } };

	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		uint64_t kept;
		struct segment s;

		make(64, 1 << 20);
		talk(1, &s);
		many.now_us += PAST_US;
		streams_advance(many.st, many.now_us);
		assert_int_equal(slab_bytes_in_use(many.st->slab), 0);
		for (unsigned i = 0; i < cases[k].old + cases[k].recent; i++) {
			if (i == cases[k].old)
				streams_advance(many.st, many.now_us += PAST_US);
			send_out(request, sizeof(request) - 1);
			s.ack += sizeof(request) - 1;
			segment_in(1, &s, "", 0);
		}
		if (!cases[k].recent)
			streams_advance(many.st, many.now_us += PAST_US);
		kept = slab_bytes_in_use(many.st->slab);
		assert_true(kept <= 8192 && kept >= cases[k].come_back * 64);
		assert_true(kept <= (cases[k].old > cases[k].come_back ? cases[k].old : cases[k].come_back) * 128 + 512);
		s.flags = FLAG_RST;
		segment_in(1, &s, "", 0);
		streams_advance(many.st, many.now_us);
		assert_int_equal(many.lost, cases[k].come_back);
		assert_int_equal(slab_bytes_in_use(many.st->slab), 0);
		assert_int_equal(streams_connections(many.st), 0);
		streams_free(many.st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_idle), cmocka_unit_test(test_what_is_kept) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
