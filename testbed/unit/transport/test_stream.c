/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/err.h"
#include "sip/via.h"
#include "transport/stream.h"

/* Two workers' streams against each other, in simulated time: what one sends the other is given at the next turn. */

#define SEGMENTS 512
#define REQUEST	 "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa\r\nContent-Length: 0\r\n\r\n"
#define BRANCH	 ";branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa"

struct side {
	struct streams *st;
	struct counters counters;
	uint8_t room[2048];
	struct {
		uint32_t bytes;
		struct ip_addr source, destination;
		uint8_t segment[1600];
	} out[SEGMENTS];
	unsigned count, messages, lost;
	uint64_t bytes;	     /* of messages */
	unsigned refuse;     /* so many messages are not taken */
	bool deaf;	     /* what is sent to it vanishes */
	struct flow from;    /* of the last message */
	char undelivered[256];
};

static struct side sides[2];
static uint64_t now_us;
static const struct ip_port listener = { { IP_V4, { 192, 0, 2, 1 } }, 5060 }, client = { { IP_V4, { 192, 0, 2, 9 } }, 5060 };

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	struct side *s = ctx;

	return bytes <= sizeof(s->room) && s->count < SEGMENTS ? s->room : NULL;
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct side *s = ctx;

	assert_true(bytes <= sizeof(s->out[0].segment));
	memcpy(s->out[s->count].segment, s->room, bytes);
	s->out[s->count].bytes = bytes;
	s->out[s->count].source = source->ip;
	s->out[s->count++].destination = destination->ip;
	return 0;
}

static bool message(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from)
{
	struct side *s = ctx;

	if (s->refuse) {
		s->refuse--;
		return false;
	}
	assert_true(len >= 20 && memcmp(data + len - 4, "\r\n\r\n", 4) == 0);
	s->messages++;
	s->bytes += len;
	s->from = *from;
	return true;
}

static void undelivered(void *ctx, const uint8_t *m, uint32_t len, const struct ip_port *to, const char *why)
{
	struct side *s = ctx;

	assert_null(why);
	assert_true(ip_port_eq(to, &listener));
	s->lost++;
	snprintf(s->undelivered, sizeof(s->undelivered), "%.*s", (int)len, m);
}

static void make(struct side *s, bool listens, uint32_t connections, uint32_t idle_ms)
{
	struct streams_config c = { .tcp = tcp_config_default(), .buffer_bytes = 1 << 20, .queue_bytes = 4096, .idle_ms = idle_ms,
				    .message = message, .undelivered = undelivered, .reserve = reserve, .commit = commit, .ctx = s, .counters = &s->counters };

	memset(s, 0, sizeof(*s));
	c.tcp.connections = connections;
	c.tcp.half_open = connections / 2;
	c.tcp.send_bytes = 4096;
	c.tcp.buffer_bytes = 1 << 20;
	c.tcp.connect_timeout_ms = 1000;
	c.tcp.user_timeout_ms = 2000;
	c.tcp.tuple_key.k0 = c.tcp.secret.k0 = 7;
	assert_int_equal(streams_new(&c, now_us, &s->st), 0);
	if (listens)
		assert_int_equal(streams_listen(s->st, &listener, TRANSPORT_TCP, 0), 0);
}

static int start(bool listens, uint32_t idle_ms)
{
	now_us = 1000000;
	make(&sides[0], false, 64, idle_ms);
	make(&sides[1], listens, 64, 0);
	return 0;
}

static void end(void)
{
	for (unsigned i = 0; i < 2; i++)
		streams_free(sides[i].st);
}

/* A turn of both, and what they sent to the other. */
static void turn(uint64_t us)
{
	now_us += us;
	for (unsigned i = 0; i < 2; i++) {
		struct side *from = &sides[i], *to = &sides[!i];

		streams_advance(from->st, now_us);
		streams_flush(from->st, now_us);
		for (unsigned k = 0; k < from->count; k++) {
			struct tcp_packet p = { .source = from->out[k].source, .destination = from->out[k].destination,
						.segment = { from->out[k].segment, from->out[k].bytes } };

			p.hash = tcp_packet_hash(&(struct hash_key){ 7, 0 }, &p);
			if (!to->deaf)
				streams_input(to->st, &p, now_us);
		}
		from->count = 0;
	}
}

static void turns(unsigned n)
{
	while (n--)
		turn(1000);
}

static int put(struct side *s, const char *text, const struct flow *to)
{
	return streams_send(s->st, (const uint8_t *)text, (uint32_t)strlen(text), to);
}

static struct flow to_listener(void)
{
	return (struct flow){ .remote = listener, .local = client, .transport = TRANSPORT_TCP };
}

/* Requests share one connection; answers come back by its name, and by no other connection. */
static void shared(void **state)
{
	struct flow to = to_listener();

	start(true, 0);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(sides[1].messages, 2);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(sides[1].messages, 3);
	assert_int_equal(streams_connections(sides[0].st), 1);
	assert_int_equal(streams_connections(sides[1].st), 1);
	assert_true(ip_port_eq(&sides[1].from.local, &listener));
	assert_true(ip_eq(&sides[1].from.remote.ip, &client.ip));
	assert_int_equal(streams_worker_of(sides[1].from.connection), 0);
	assert_true(streams_stands(sides[1].st, sides[1].from.connection));
	assert_false(streams_stands(sides[1].st, sides[1].from.connection + (1 << 25)));
	assert_int_equal(put(&sides[1], "SIP/2.0 200 OK\r\nl: 0\r\n\r\n", &sides[1].from), 0);
	turns(5);
	assert_int_equal(sides[0].messages, 1);
	assert_int_equal(sides[0].lost, 0);
	end();
}

/* Who cannot take a message gets it later, whole, and those behind it in order; the window closes meanwhile, and nothing is lost. */
static void stalled(void **state)
{
	struct flow to = to_listener();
	unsigned sent = 0;

	start(true, 0);
	sides[1].refuse = 200;
	for (unsigned i = 0; i < 600; i++) {
		if (put(&sides[0], REQUEST, &to) == 0)
			sent++;
		turn(1000);
	}
	turns(500);
	assert_true(sent > 100);
	assert_int_equal(sides[1].refuse, 0);
	assert_int_equal(sides[1].messages, sent);
	assert_true(counter_read(&sides[1].counters, COUNTER_stream_stalled) >= 200);
	end();
}

static void bounded_queue(void **state)
{
	struct flow to = to_listener();
	unsigned taken = 0;

	start(true, 0);
	sides[1].deaf = true;
	while (put(&sides[0], REQUEST, &to) == 0)
		taken++;
	assert_int_equal(taken, 4096 / (sizeof(REQUEST) - 1));
	assert_int_equal(put(&sides[0], REQUEST, &to), -ERR_FULL);
	assert_int_equal(counter_read(&sides[0].counters, COUNTER_stream_refused_full), 2);
	sides[1].deaf = false;
	turns(3000); /* the SYN is sent again */
	assert_int_equal(sides[1].messages + sides[0].lost, taken);
	end();
}

/* Nobody accepts: the whole message comes back, at once; where nothing at all answers, after the connect timeout. */
static void refused(void **state)
{
	struct flow to = to_listener();

	start(false, 0);
	put(&sides[0], REQUEST, &to);
	turns(5);
	assert_int_equal(sides[0].lost, 1);
	assert_string_equal(sides[0].undelivered, REQUEST);
	assert_int_equal(streams_connections(sides[0].st), 0);
	sides[1].deaf = true;
	put(&sides[0], REQUEST, &to);
	turns(900);
	assert_int_equal(sides[0].lost, 1);
	turns(200);
	assert_int_equal(sides[0].lost, 2);
	assert_int_equal(streams_connections(sides[0].st), 0);
	end();
}

/* It was acknowledged, and the peer is gone without an answer: the branch comes back. */
static void reset(void **state)
{
	struct flow to = to_listener();

	start(true, 0);
	put(&sides[0], REQUEST, &to);
	turns(5);
	assert_int_equal(sides[1].messages, 1);
	assert_int_equal(sides[0].lost, 0);
	streams_free(sides[1].st); /* it starts anew, and knows of nothing */
	make(&sides[1], true, 64, 0);
	put(&sides[0], REQUEST, &to);
	turns(5);
	assert_int_equal(sides[0].lost, 2);
	assert_string_equal(sides[0].undelivered, BRANCH);
	put(&sides[0], REQUEST, &to);
	turns(5);
	assert_int_equal(sides[1].messages, 1);
	end();
}

static void idle(void **state)
{
	struct flow to = to_listener();

	start(true, 50);
	put(&sides[0], REQUEST, &to);
	turns(40);
	assert_int_equal(counter_read(&sides[0].counters, COUNTER_stream_idle_closed), 0);
	put(&sides[0], REQUEST, &to);
	turns(45);
	assert_int_equal(counter_read(&sides[0].counters, COUNTER_stream_idle_closed), 0);
	turns(30);
	assert_int_equal(counter_read(&sides[0].counters, COUNTER_stream_idle_closed), 1);
	assert_int_equal(streams_connections(sides[1].st), 0);
	put(&sides[0], REQUEST, &to);
	turns(5);
	assert_int_equal(sides[1].messages, 3);
	end();
}

static void no_room(void **state)
{
	struct flow to = to_listener();
	unsigned opened = 0;

	start(true, 0);
	for (unsigned i = 0; i < 70; i++) {
		to.remote.port = (uint16_t)(6000 + i);
		opened += put(&sides[0], REQUEST, &to) == 0;
	}
	assert_int_equal(opened, 64);
	end();
}

/* What others send waits, however long, and then comes whole and in order; what we opened is read. */
static void held(void **state)
{
	struct flow to = to_listener(), back;

	start(true, 0);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	turns(5);
	back = sides[1].from;
	streams_hold(sides[0].st, true);
	streams_hold(sides[1].st, true);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	assert_int_equal(put(&sides[1], "SIP/2.0 200 OK\r\nl: 0\r\n\r\n", &back), 0);
	turns(500);
	assert_int_equal(sides[1].messages, 1);
	assert_int_equal(sides[0].messages, 1);
	assert_int_equal(counter_read(&sides[1].counters, COUNTER_stream_stalled), 0);
	streams_hold(sides[1].st, false);
	turns(5);
	assert_int_equal(sides[1].messages, 3);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(sides[1].messages, 4);
	assert_int_equal(sides[0].lost, 0);
	end();
}

/* What waits leaves before the end, both sides know of it, and nothing begins any more. */
static void shut(void **state)
{
	struct flow to = to_listener();
	unsigned sent = 0;

	start(true, 0);
	while (put(&sides[0], REQUEST, &to) == 0)
		sent++;
	turns(2);
	streams_shut(sides[0].st);
	turns(20);
	assert_int_equal(sides[1].messages, sent);
	assert_int_equal(streams_connections(sides[0].st), 0);
	assert_int_equal(streams_connections(sides[1].st), 0);
	assert_int_equal(put(&sides[0], REQUEST, &to), -ERR_UNREACHABLE);
	assert_int_equal(streams_unlisten(sides[1].st, &listener), 0);
	end();
	start(true, 0);
	assert_int_equal(streams_unlisten(sides[1].st, &listener), 0);
	streams_shut(sides[1].st);
	assert_int_equal(put(&sides[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(sides[0].lost, 1);
	end();
}

/* Seen on both sides, page by page; one that is closed takes with it what waits, and is gone. */
static void viewed(void **state)
{
	struct flow to = to_listener();
	struct stream_view v[8];
	uint32_t cursor = 0;
	unsigned n = 0;

	start(true, 0);
	assert_int_equal(streams_list(sides[0].st, &cursor, 8, v), 0);
	put(&sides[0], REQUEST, &to);
	turns(5);
	put(&sides[0], REQUEST, &to);
	turns(100);
	cursor = 0;
	assert_int_equal(streams_list(sides[0].st, &cursor, 8, v), 1);
	assert_true(v[0].ours && ip_port_eq(&v[0].remote, &listener) && ip_eq(&v[0].local.ip, &client.ip) && v[0].local.port != 0);
	assert_string_equal(v[0].state, "ESTABLISHED");
	assert_int_equal(v[0].messages_out, 2);
	assert_int_equal(v[0].bytes_out, 2 * (sizeof(REQUEST) - 1));
	assert_int_equal(v[0].messages_in, 0);
	assert_true(v[0].age_ms >= 100 && v[0].age_ms <= 106 && v[0].idle_ms >= 99 && v[0].idle_ms < v[0].age_ms);
	assert_int_equal(v[0].queued, 0);
	cursor = 0;
	assert_int_equal(streams_list(sides[1].st, &cursor, 8, v), 1);
	assert_true(!v[0].ours && v[0].messages_in == 2 && v[0].bytes_in == 2 * (sizeof(REQUEST) - 1) && v[0].name == sides[1].from.connection);
	assert_int_equal(streams_end(sides[1].st, v[0].name + (1 << 25), v), -ERR_NOT_FOUND);
	assert_int_equal(streams_end(sides[1].st, sides[1].from.connection, v), 0);
	assert_int_equal(v[0].messages_in, 2);
	turns(10);
	assert_int_equal(streams_connections(sides[1].st), 0);
	assert_int_equal(streams_end(sides[1].st, sides[1].from.connection, v), -ERR_NOT_FOUND);
	for (unsigned i = 0; i < 5; i++) { /* nobody is there */
		to.remote.port = (uint16_t)(6000 + i);
		put(&sides[0], REQUEST, &to);
	}
	cursor = 0;
	while ((n = streams_list(sides[0].st, &cursor, 4, v)) == 4)
		assert_true(v[0].name != v[3].name);
	assert_int_equal(n, 1);
	assert_string_equal(v[0].state, "SYN-SENT");
	assert_int_equal(v[0].queued, sizeof(REQUEST) - 1);
	end();
}

static void aliases(void **state)
{
	struct ip_port address = { { IP_V4, { 192, 0, 2, 7 } }, 5060 };
	unsigned kept = 0;

	start(true, 0);
	assert_int_equal(streams_alias_of(sides[0].st, &address), 0);
	streams_alias(sides[0].st, &address, 77);
	assert_int_equal(streams_alias_of(sides[0].st, &address), 77);
	streams_unalias(sides[0].st, &address, 76);
	assert_int_equal(streams_alias_of(sides[0].st, &address), 77);
	streams_alias(sides[0].st, &address, 78);
	assert_int_equal(streams_alias_of(sides[0].st, &address), 78);
	streams_unalias(sides[0].st, &address, 78);
	assert_int_equal(streams_alias_of(sides[0].st, &address), 0);
	for (unsigned i = 0; i < 50000; i++) { /* bounded: the newest of a set stay */
		address.port = (uint16_t)i;
		streams_alias(sides[0].st, &address, i + 1);
		assert_int_equal(streams_alias_of(sides[0].st, &address), i + 1);
	}
	for (unsigned i = 0; i < 50000; i++) {
		address.port = (uint16_t)i;
		kept += streams_alias_of(sides[0].st, &address) == i + 1;
	}
	assert_int_equal(kept, 4096);
	assert_int_equal(counter_read(&sides[0].counters, COUNTER_stream_aliases_dropped), 50000 - 4096);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shared), cmocka_unit_test(stalled), cmocka_unit_test(bounded_queue), cmocka_unit_test(refused),
					    cmocka_unit_test(reset), cmocka_unit_test(idle), cmocka_unit_test(no_room),
					    cmocka_unit_test(held), cmocka_unit_test(shut), cmocka_unit_test(aliases), cmocka_unit_test(viewed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
