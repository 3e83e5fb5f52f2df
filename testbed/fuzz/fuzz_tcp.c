/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "check.h"
#include "net/bytes.h"
#include "steps.h"
#include "tcp/connection.h"

/* An established connection and whatever may come to it. The input is a list of steps: segments of any bytes; segments near what the connection
 * expects; SYNs for the listener; ICMP errors; what the user does; time. After each all that connections hold must be consistent, and when
 * everything has run out nothing may be left. The first byte says what was agreed on, and what the user does in its handlers. */

enum step { RAW, NEAR, NEAR_PLAIN, SYN, ICMP, SEND, READ, CLOSE, ABORT, WAIT, FLUSH, CONNECT, STARVE, STEPS };

#define WITH_TIMESTAMPS 1
#define WITH_SACK	2
#define WITH_SCALE	4
#define PASSIVE		8
#define WITH_COOKIES	16
#define CLOSE_IN_DATA	32
#define ABORT_IN_DATA	64
#define SEND_IN_DATA	128

static struct {
	struct tcp *tcp;
	struct counters counters;
	struct tcp_connection *c;
	uint8_t room[2048];
	uint64_t now_us;
	uint8_t mode;
	uint32_t take;	  /* how much `data` takes */
	uint32_t syn_ack; /* the sequence number of the last SYN or SYN-ACK that was sent */
	uint32_t ts_sent;
	bool in_handler;
	unsigned starve;
} f;

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	CHECK(bytes <= sizeof(f.room));
	if (!f.starve)
		return f.room;
	f.starve--;
	return NULL;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct segment s;

	CHECK(bytes <= 1480);
	CHECK(!tcp_segment_parse(span_of(f.room, bytes), &s));
	CHECK(!tcp_segment_checksum(&source->ip, &destination->ip, span_of(f.room, bytes)));
	CHECK(s.source_port == source->port && s.destination_port == destination->port);
	if (s.flags & FLAG_SYN) {
		f.syn_ack = s.seq;
		f.ts_sent = s.ts_value;
	}
	return 0;
}

static void opened(void *ctx, struct tcp_connection *c)
{
	f.c = c;
}

static uint32_t data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	uint32_t sum = 0, n = f.take < bytes.n ? f.take : bytes.n;

	CHECK(bytes.n && !f.in_handler);
	for (uint32_t i = 0; i < bytes.n; i++)
		sum += bytes.p[i]; /* all of it is there to be read */
	f.take -= n;
	f.in_handler = true;
	if (f.mode & SEND_IN_DATA)
		tcp_send(f.tcp, c, span_of(bytes.p, bytes.n < 100 ? bytes.n : 100));
	if (f.mode & CLOSE_IN_DATA && sum % 5 == 0)
		tcp_close(f.tcp, c);
	if (f.mode & ABORT_IN_DATA && sum % 7 == 0) {
		tcp_abort(f.tcp, c);
		if (c == f.c)
			f.c = NULL;
	}
	f.in_handler = false;
	return n;
}

static void writable(void *ctx, struct tcp_connection *c)
{
	CHECK(tcp_send_room(f.tcp, c));
}

static void peer_closed(void *ctx, struct tcp_connection *c)
{
	CHECK(tcp_state(c) != TCP_STATE_CLOSED);
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
	if (c == f.c)
		f.c = NULL;
}

static const struct tcp_handlers handlers = {
	.reserve = reserve, .commit = commit, .opened = opened, .data = data, .writable = writable, .peer_closed = peer_closed, .closed = closed,
};

static const struct ip_port us = { { { 192, 0, 2, 1 }, IP_V4 }, 5060 }, them = { { { 192, 0, 2, 2 }, IP_V4 }, 40000 };

/* `bytes` of TCP segment, checksum put right, in a buffer of its exact size. */
static void segment_in(uint8_t *bytes, uint32_t n)
{
	struct tcp_packet p = { .source = them.ip, .destination = us.ip, .segment = span_of(bytes, n) };
	uint16_t sum = 0;

	if (n >= TCP_HEADER_BYTES) {
		memcpy(bytes + 16, &sum, 2);
		sum = tcp_segment_checksum(&them.ip, &us.ip, p.segment);
		memcpy(bytes + 16, &sum, 2);
	}
	p.hash = tcp_packet_hash(&f.tcp->config.tuple_key, &p);
	tcp_input(f.tcp, &p, f.now_us);
	free(bytes);
}

static void raw_segment(struct reader *r)
{
	uint32_t n = take(r, 1), left = (uint32_t)(r->end - r->p);
	uint8_t *bytes;

	n = n < left ? n : left;
	bytes = malloc(n ? n : 1);
	if (!bytes)
		return;
	memcpy(bytes, r->p, n);
	r->p += n;
	if (n >= 4) {
		put16(bytes, f.c ? f.c->remote.port : them.port);
		put16(bytes + 2, f.c ? f.c->local.port : us.port);
	}
	segment_in(bytes, n);
}

static void write_segment(const struct segment *s, uint32_t payload, uint8_t fill)
{
	uint32_t header = tcp_segment_header_bytes(s);
	uint8_t *bytes = malloc(header + payload);

	if (!bytes)
		return;
	tcp_segment_write(s, bytes);
	memset(bytes + header, fill, payload);
	segment_in(bytes, header + payload);
}

static void near_segment(struct reader *r, bool plain)
{
	struct tcp_connection *c = f.c;
	struct segment s = { .flags = FLAG_ACK };
	uint32_t payload;

	if (!c)
		return;
	s.source_port = c->remote.port;
	s.destination_port = c->local.port;
	s.seq = c->rcv_nxt + (uint32_t)(int16_t)take(r, 2);
	s.ack = c->snd_max - take(r, 2);
	s.window = 0xffff;
	payload = take(r, 2) % 1600;
	s.has_timestamp = c->timestamps;
	s.ts_value = c->ts_recent;
	s.ts_echo = tcp_ts_now(f.tcp, c);
	if (!plain) {
		s.flags = (uint8_t)take(r, 1);
		s.window = take(r, 2);
		s.ts_value += (uint32_t)(int8_t)take(r, 1);
		s.sack_count = take(r, 1) % (s.has_timestamp ? 4 : 5);
		for (unsigned i = 0; i < s.sack_count; i++) {
			s.sack[i].from = c->snd_una + (uint32_t)(int16_t)take(r, 2);
			s.sack[i].to = s.sack[i].from + take(r, 2);
		}
	}
	write_segment(&s, payload, (uint8_t)take(r, 1));
}

static void syn_segment(struct reader *r, uint16_t port)
{
	struct segment s = { .source_port = port, .destination_port = us.port, .seq = take(r, 4), .flags = FLAG_SYN, .window = 0xffff,
			     .mss = (uint16_t)take(r, 2), .has_timestamp = f.mode & WITH_TIMESTAMPS, .has_scale = f.mode & WITH_SCALE,
			     .sack_permitted = f.mode & WITH_SACK, .scale = 7, .ts_value = 1000 };

	write_segment(&s, 0, 0);
	/* The third segment follows most times. */
	if (take(r, 1) & 3) {
		s.seq++;
		s.ack = f.syn_ack + 1;
		s.flags = FLAG_ACK;
		s.mss = 0;
		s.has_scale = s.sack_permitted = false;
		s.ts_echo = f.ts_sent;
		write_segment(&s, take(r, 1), 1);
	}
}

static void call_out(struct reader *r)
{
	struct ip_port from = { us.ip, 0 };
	struct tcp_connection *c;
	struct segment s;

	if (tcp_connect(f.tcp, &from, &them, NULL, &c))
		return;
	f.c = c;
	s = (struct segment){ .source_port = them.port, .destination_port = c->local.port, .seq = 0xfffffff0, .ack = c->iss + 1,
			      .flags = FLAG_SYN | FLAG_ACK, .window = 0xffff, .mss = 1460, .has_timestamp = f.mode & WITH_TIMESTAMPS,
			      .has_scale = f.mode & WITH_SCALE, .sack_permitted = f.mode & WITH_SACK, .scale = 3, .ts_value = 0xfffffff0,
			      .ts_echo = f.ts_sent };
	if (take(r, 1) & 7)
		write_segment(&s, 0, 0);
}

static void verify(void)
{
	struct tcp_usage usage;

	tcp_usage(f.tcp, &usage);
	CHECK(usage.connections <= 8 && usage.half_open <= usage.connections && usage.time_wait <= 4);
	CHECK(!f.c || tcp_sound(f.tcp, f.c));
	CHECK(!f.c || tcp_find(f.tcp, tcp_handle(f.tcp, f.c)) == f.c);
}

static void do_step(struct reader *r)
{
	uint8_t block[4096] = { 0 };

	switch (take(r, 1) % STEPS) {
	case RAW:
		raw_segment(r);
		break;
	case NEAR:
		near_segment(r, false);
		break;
	case NEAR_PLAIN:
		near_segment(r, true);
		break;
	case SYN:
		syn_segment(r, (uint16_t)(40000 + take(r, 1) % 16));
		break;
	case ICMP:
		if (f.c)
			tcp_icmp(f.tcp, &f.c->local, &f.c->remote, f.c->snd_una + take(r, 1), (enum tcp_icmp_kind)(take(r, 1) % 3),
				 (uint16_t)take(r, 2), f.now_us);
		break;
	case SEND:
		if (f.c)
			tcp_send(f.tcp, f.c, span_of(block, take(r, 2) % sizeof(block)));
		break;
	case READ:
		f.take = take(r, 2);
		if (f.c)
			tcp_read(f.tcp, f.c);
		break;
	case CLOSE:
		if (f.c)
			tcp_close(f.tcp, f.c);
		break;
	case ABORT:
		if (f.c && take(r, 1) % 8 == 0) {
			tcp_abort(f.tcp, f.c);
			f.c = NULL;
		}
		break;
	case WAIT:
		f.now_us += take(r, 2) * 1000ULL;
		tcp_advance(f.tcp, f.now_us);
		break;
	case STARVE:
		f.starve = take(r, 1) % 8; /* so many segments find no buffer */
		break;
	case FLUSH:
		tcp_flush(f.tcp, f.now_us);
		break;
	default:
		if (!f.c)
			call_out(r);
	}
	verify();
}

static void set_up(uint8_t mode)
{
	struct tcp_config c = tcp_config_default();

	memset(&f, 0, sizeof(f));
	f.mode = mode;
	f.now_us = 5000000;
	f.take = 20000;
	c.connections = 8;
	c.half_open = mode & WITH_COOKIES ? 0 : 4;
	c.time_wait = 4;
	c.per_source = 6;
	c.buffer_bytes = 192 << 10;
	c.receive_bytes = mode & WITH_SCALE ? 256 << 10 : 16 << 10;
	c.send_bytes = 32 << 10;
	c.pieces = 16;
	c.congestion = mode & PASSIVE ? TCP_CUBIC : TCP_NEWRENO;
	c.handlers = &handlers;
	c.counters = &f.counters;
	c.tuple_key = (struct hash_key){ 1, 2 };
	c.secret = (struct hash_key){ 3, 4 };
	CHECK(!tcp_new(&c, f.now_us, &f.tcp));
	CHECK(!tcp_listen(f.tcp, &us));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint8_t syn[] = { 0xff, 0xff, 0xff, 0xf0, 5, 0xb4, 1, 10 }, ack[] = { 1 };
	struct reader r = { bytes + 1, bytes + size }, first = { syn, syn + sizeof(syn) }, second = { ack, ack + sizeof(ack) };
	struct tcp_usage usage;
	uint64_t due = 0, last_us;

	if (size < 2 || size > 65536)
		return 0;
	set_up(bytes[0]);
	if (f.mode & PASSIVE)
		syn_segment(&first, them.port);
	else
		call_out(&second);
	verify();
	while (r.p < r.end)
		do_step(&r);
	/* Nobody answers any more: timers end everything. */
	last_us = f.now_us + 300000000;
	for (unsigned i = 0; i < 5000 && due != UINT64_MAX; i++) {
		tcp_flush(f.tcp, f.now_us);
		due = tcp_next_due(f.tcp);
		if (due != UINT64_MAX)
			f.now_us = due > f.now_us ? due : f.now_us + 1000;
		tcp_advance(f.tcp, f.now_us);
		if (f.c && f.now_us > last_us) {
			tcp_abort(f.tcp, f.c); /* a window that stays shut, or nothing that ends it */
			f.c = NULL;
		}
	}
	tcp_flush(f.tcp, f.now_us);
	tcp_usage(f.tcp, &usage);
	CHECK(!usage.connections && !usage.half_open && !usage.time_wait && !usage.buffer_bytes && !usage.sources);
	tcp_free(f.tcp);
	return 0;
}
