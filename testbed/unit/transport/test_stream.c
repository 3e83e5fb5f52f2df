/* SPDX-License-Identifier: Apache-2.0 */
#include "stations.h"

#define REQUEST "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa\r\nContent-Length: 0\r\n\r\n"
#define BRANCH	";branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct ip_port listener = { { { 192, 0, 2, 1 }, IP_V4 }, 5060 }, client = { { { 192, 0, 2, 9 }, IP_V4 }, 5060 };

static void make(struct station *s, bool listens, uint32_t idle_ms)
{
	struct streams_config c = station_config(s, 4096);

	c.idle_ms = idle_ms;
	c.message_ms = 100;
	station_new(s, &c);
	if (listens)
		assert_int_equal(streams_listen(s->st, &listener, TRANSPORT_TCP, 0), 0);
}

static void start(bool listens, uint32_t idle_ms)
{
	now_us = 1000000;
	make(&stations[0], false, idle_ms);
	make(&stations[1], listens, 0);
}

/* What came back was for the listener, and TCP had failed it. */
static void end(void)
{
	assert_true(!stations[0].lost || (ip_port_eq(&stations[0].returned_to, &listener) && !stations[0].why[0]));
	for (unsigned i = 0; i < 2; i++)
		streams_free(stations[i].st);
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
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(stations[1].messages, 2);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(stations[1].messages, 3);
	assert_int_equal(streams_connections(stations[0].st), 1);
	assert_int_equal(streams_connections(stations[1].st), 1);
	assert_true(ip_port_eq(&stations[1].from.local, &listener));
	assert_true(ip_eq(&stations[1].from.remote.ip, &client.ip));
	assert_int_equal(streams_worker_of(stations[1].from.connection), 0);
	assert_true(streams_stands(stations[1].st, stations[1].from.connection));
	assert_false(streams_stands(stations[1].st, stations[1].from.connection + (1 << 25)));
	assert_int_equal(put(&stations[1], "SIP/2.0 200 OK\r\nl: 0\r\n\r\n", &stations[1].from), 0);
	turns(5);
	assert_int_equal(stations[0].messages, 1);
	assert_int_equal(stations[0].lost, 0);
	end();
}

/* Who cannot take a message gets it later, whole, and those behind it in order; the window closes meanwhile, and nothing is lost. */
static void stalled(void **state)
{
	struct flow to = to_listener();
	unsigned sent = 0;

	start(true, 0);
	stations[1].refuse = 200;
	for (unsigned i = 0; i < 600; i++) {
		if (put(&stations[0], REQUEST, &to) == 0)
			sent++;
		turn(1000);
	}
	turns(500);
	assert_true(sent > 100);
	assert_int_equal(stations[1].refuse, 0);
	assert_int_equal(stations[1].messages, sent);
	assert_int_equal(stations[1].bytes, sent * (sizeof(REQUEST) - 1));
	assert_in_range(counted(&stations[1], COUNTER_stream_stalled), 1, 200); /* once each time, however often it was asked again */
	end();
}

static void bounded_queue(void **state)
{
	struct flow to = to_listener();
	unsigned taken = 0;

	start(true, 0);
	stations[1].deaf = true;
	while (put(&stations[0], REQUEST, &to) == 0)
		taken++;
	assert_int_equal(taken, 4096 / (sizeof(REQUEST) - 1));
	assert_int_equal(put(&stations[0], REQUEST, &to), -ERR_FULL);
	assert_int_equal(counted(&stations[0], COUNTER_stream_refused_full), 2);
	stations[1].deaf = false;
	turns(3000); /* the SYN is sent again */
	assert_int_equal(stations[1].messages + stations[0].lost, taken);
	end();
}

/* Nobody accepts: the whole message comes back, at once; where nothing at all answers, after the connect timeout. */
static void refused(void **state)
{
	struct flow to = to_listener();

	start(false, 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[0].lost, 1);
	assert_string_equal(stations[0].undelivered, REQUEST);
	assert_int_equal(streams_connections(stations[0].st), 0);
	stations[1].deaf = true;
	put(&stations[0], REQUEST, &to);
	turns(900);
	assert_int_equal(stations[0].lost, 1);
	turns(200);
	assert_int_equal(stations[0].lost, 2);
	assert_int_equal(streams_connections(stations[0].st), 0);
	end();
}

/* What nobody waits for any longer is not sent when the connection comes up at last; what somebody does is, and neither comes back. */
static void too_late(void **state)
{
	struct flow to = to_listener(), hasty = to, patient = to;
	struct streams_config c;

	start(true, 0);
	streams_free(stations[0].st);
	c = station_config(&stations[0], 4096);
	c.tcp.connect_timeout_ms = 10000;
	station_new(&stations[0], &c);
	hasty.patience_ms = 500;
	patient.patience_ms = 5000;
	stations[1].deaf = true;
	put(&stations[0], REQUEST, &hasty);
	put(&stations[0], REQUEST, &to);
	put(&stations[0], REQUEST, &hasty);
	put(&stations[0], REQUEST, &patient);
	turns(600);
	stations[1].deaf = false;
	turns(1000); /* the SYN is sent again after a second */
	assert_int_equal(stations[1].messages, 2);
	assert_int_equal(counted(&stations[0], COUNTER_stream_too_late), 2);
	put(&stations[0], REQUEST, &hasty);
	turns(5);
	assert_int_equal(stations[1].messages, 3);
	assert_int_equal(counted(&stations[0], COUNTER_stream_messages_out), 3);
	assert_int_equal(stations[0].lost, 0);
	end();
}

/* One that has begun to leave leaves whole, or the peer would take what follows for its end. */
static void too_late_half_sent(void **state)
{
	struct flow to = to_listener();
	unsigned taken = 0;

	start(true, 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	to.patience_ms = 500;
	stations[1].deaf = true;
	while (put(&stations[0], REQUEST, &to) == 0)
		taken++;
	turns(600);
	stations[1].deaf = false;
	turns(1200);
	assert_in_range(counted(&stations[0], COUNTER_stream_too_late), 4096 / sizeof(REQUEST) - 2, 4096 / sizeof(REQUEST) + 1);
	assert_int_equal(stations[1].messages, 1 + taken - counted(&stations[0], COUNTER_stream_too_late));
	assert_int_equal(stations[1].bytes, stations[1].messages * (sizeof(REQUEST) - 1));
	assert_true(4096 % (sizeof(REQUEST) - 1) != 0); /* so that one was cut by the send buffer's end */
	assert_int_equal(stations[0].lost, 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[1].messages, 2 + taken - counted(&stations[0], COUNTER_stream_too_late));
	end();
}

/* It was acknowledged, and the peer is gone without an answer: the branch comes back. */
static void reset(void **state)
{
	struct flow to = to_listener();

	start(true, 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[1].messages, 1);
	assert_int_equal(stations[0].lost, 0);
	streams_free(stations[1].st); /* it starts anew, and knows of nothing */
	make(&stations[1], true, 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[0].lost, 2);
	assert_string_equal(stations[0].undelivered, BRANCH);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[1].messages, 1);
	end();
}

static void idle(void **state)
{
	struct flow to = to_listener();

	start(true, 50);
	put(&stations[0], REQUEST, &to);
	turns(40);
	assert_int_equal(counted(&stations[0], COUNTER_stream_idle_closed), 0);
	put(&stations[0], REQUEST, &to);
	turns(45);
	assert_int_equal(counted(&stations[0], COUNTER_stream_idle_closed), 0);
	turns(30);
	assert_int_equal(counted(&stations[0], COUNTER_stream_idle_closed), 1);
	assert_int_equal(streams_connections(stations[1].st), 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[1].messages, 3);
	end();
}

static void no_room(void **state)
{
	struct flow to = to_listener();
	unsigned opened = 0;

	start(true, 0);
	for (unsigned i = 0; i < 70; i++) {
		to.remote.port = (uint16_t)(6000 + i);
		opened += put(&stations[0], REQUEST, &to) == 0;
	}
	assert_int_equal(opened, 64);
	end();
}

/* What others send waits, however long, and then comes whole and in order; what we opened is read. */
static void held(void **state)
{
	struct flow to = to_listener(), back;

	start(true, 0);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	turns(5);
	back = stations[1].from;
	streams_hold(stations[0].st, true);
	streams_hold(stations[1].st, true);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	assert_int_equal(put(&stations[1], "SIP/2.0 200 OK\r\nl: 0\r\n\r\n", &back), 0);
	turns(500);
	assert_int_equal(stations[1].messages, 1);
	assert_int_equal(stations[0].messages, 1);
	assert_int_equal(counted(&stations[1], COUNTER_stream_stalled), 0);
	streams_hold(stations[1].st, false);
	turns(5);
	assert_int_equal(stations[1].messages, 3);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(stations[1].messages, 4);
	assert_int_equal(stations[0].lost, 0);
	end();
}

/* What waits leaves before the end, both sides know of it, and nothing begins any more. */
static void shut(void **state)
{
	struct flow to = to_listener();
	unsigned sent = 0;

	start(true, 0);
	while (put(&stations[0], REQUEST, &to) == 0)
		sent++;
	turns(2);
	streams_shut(stations[0].st);
	turns(20);
	assert_int_equal(stations[1].messages, sent);
	assert_int_equal(streams_connections(stations[0].st), 0);
	assert_int_equal(streams_connections(stations[1].st), 0);
	assert_int_equal(put(&stations[0], REQUEST, &to), -ERR_UNREACHABLE);
	assert_int_equal(streams_unlisten(stations[1].st, &listener), 0);
	end();
	start(true, 0);
	assert_int_equal(streams_unlisten(stations[1].st, &listener), 0);
	streams_shut(stations[1].st);
	assert_int_equal(put(&stations[0], REQUEST, &to), 0);
	turns(5);
	assert_int_equal(stations[0].lost, 1);
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
	assert_int_equal(streams_list(stations[0].st, &cursor, 8, v), 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	put(&stations[0], REQUEST, &to);
	turns(100);
	cursor = 0;
	assert_int_equal(streams_list(stations[0].st, &cursor, 8, v), 1);
	assert_true(v[0].ours && ip_port_eq(&v[0].remote, &listener) && ip_eq(&v[0].local.ip, &client.ip) && v[0].local.port != 0);
	assert_string_equal(v[0].state, "ESTABLISHED");
	assert_int_equal(v[0].messages_out, 2);
	assert_int_equal(v[0].bytes_out, 2 * (sizeof(REQUEST) - 1));
	assert_int_equal(v[0].messages_in, 0);
	assert_true(v[0].age_ms >= 100 && v[0].age_ms <= 106 && v[0].idle_ms >= 99 && v[0].idle_ms < v[0].age_ms);
	assert_int_equal(v[0].queued, 0);
	cursor = 0;
	assert_int_equal(streams_list(stations[1].st, &cursor, 8, v), 1);
	assert_true(!v[0].ours && v[0].messages_in == 2 && v[0].bytes_in == 2 * (sizeof(REQUEST) - 1) && v[0].name == stations[1].from.connection);
	assert_int_equal(streams_end(stations[1].st, v[0].name + (1 << 25), v), -ERR_NOT_FOUND);
	assert_int_equal(streams_end(stations[1].st, stations[1].from.connection, v), 0);
	assert_int_equal(v[0].messages_in, 2);
	turns(10);
	assert_int_equal(streams_connections(stations[1].st), 0);
	assert_int_equal(streams_end(stations[1].st, stations[1].from.connection, v), -ERR_NOT_FOUND);
	for (unsigned i = 0; i < 5; i++) { /* nobody is there */
		to.remote.port = (uint16_t)(6000 + i);
		put(&stations[0], REQUEST, &to);
	}
	cursor = 0;
	while ((n = streams_list(stations[0].st, &cursor, 4, v)) == 4)
		assert_true(v[0].name != v[3].name);
	assert_int_equal(n, 1);
	assert_string_equal(v[0].state, "SYN-SENT");
	assert_int_equal(v[0].queued, sizeof(REQUEST) - 1);
	end();
}

static void aliases(void **state)
{
	struct flow to = { .remote = { { { 192, 0, 2, 7 }, IP_V4 }, 5060 }, .connection = 77 }, by_tls = to, older = to;
	unsigned kept = 0;

	start(true, 0);
	assert_int_equal(streams_alias_of(stations[0].st, &to), 0);
	streams_alias(stations[0].st, &to);
	assert_int_equal(streams_alias_of(stations[0].st, &to), 77);
	older.connection = 76;
	streams_unalias(stations[0].st, &older);
	assert_int_equal(streams_alias_of(stations[0].st, &to), 77);
	to.connection = 78;
	streams_alias(stations[0].st, &to);
	assert_int_equal(streams_alias_of(stations[0].st, &to), 78);
	/* By TLS it is somebody's, and nobody else's. */
	by_tls.tls_peer = 5;
	by_tls.connection = 79;
	streams_alias(stations[0].st, &by_tls);
	assert_int_equal(streams_alias_of(stations[0].st, &by_tls), 79);
	assert_int_equal(streams_alias_of(stations[0].st, &to), 78);
	streams_unalias(stations[0].st, &by_tls);
	by_tls.tls_peer = 6;
	assert_int_equal(streams_alias_of(stations[0].st, &by_tls), 0);
	streams_unalias(stations[0].st, &to);
	assert_int_equal(streams_alias_of(stations[0].st, &to), 0);
	for (unsigned i = 0; i < 50000; i++) { /* bounded: the newest of a set stay */
		to.remote.port = (uint16_t)i;
		to.connection = i + 1;
		streams_alias(stations[0].st, &to);
		assert_int_equal(streams_alias_of(stations[0].st, &to), i + 1);
	}
	for (unsigned i = 0; i < 50000; i++) {
		to.remote.port = (uint16_t)i;
		kept += streams_alias_of(stations[0].st, &to) == i + 1;
	}
	assert_int_equal(kept, 4096);
	assert_int_equal(counted(&stations[0], COUNTER_stream_aliases_dropped), 50000 - 4096);
	end();
}

static void unfinished(void **state)
{
	struct flow to = to_listener();
	const struct span begin = span_of(REQUEST, 20), drop = span_of(REQUEST + 20, 1);

	start(true, 0);
	streams_send(stations[0].st, begin.p, begin.n, &to);
	turns(90);
	assert_int_equal(put(&stations[0], REQUEST + 20, &to), 0);
	turns(90);
	assert_int_equal(stations[1].messages, 1);
	assert_int_equal(counted(&stations[1], COUNTER_stream_unfinished), 0);
	streams_send(stations[0].st, begin.p, begin.n, &to);
	for (unsigned i = 0; i < 9; i++) {
		turns(10);
		streams_send(stations[0].st, drop.p, drop.n, &to);
	}
	assert_int_equal(counted(&stations[1], COUNTER_stream_unfinished), 0);
	turns(20);
	assert_int_equal(counted(&stations[1], COUNTER_stream_unfinished), 1);
	assert_int_equal(streams_connections(stations[1].st), 0);
	put(&stations[0], REQUEST, &to);
	turns(5);
	assert_int_equal(stations[1].messages, 2);
	end();
}

/* More messages at once than there is memory for: they wait for it, which takes no time of the worker's, and all of them come. */
static void starved(void **state)
{
	enum { CONNECTIONS = 40, BODY = 9000, PIECE = 1000 };
	static const char head[] = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 9000\r\n\r\n";
	struct flow to = to_listener();
	static uint8_t body[BODY];
	uint64_t tried;

	start(true, 0);
	memset(body, 'x', BODY);
	memcpy(body + BODY - 4, "\r\n\r\n", 4);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		to.tls_peer = i; /* each by a connection of its own */
		put(&stations[0], head, &to);
	}
	turns(5);
	assert_int_equal(streams_connections(stations[1].st), CONNECTIONS);
	tried = counted(&stations[1], COUNTER_stream_no_memory);
	assert_true(tried >= 10);
	for (unsigned i = 0; i < 1000; i++) {
		turn(10);
		assert_true(streams_next_due(stations[1].st) > now_us);
	}
	assert_true(counted(&stations[1], COUNTER_stream_no_memory) - tried <= 16 * 11);
	assert_true(counted(&stations[1], COUNTER_stream_stalled) <= CONNECTIONS);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		for (unsigned at = 0; at < BODY; at += PIECE) {
			to.tls_peer = i;
			assert_int_equal(streams_send(stations[0].st, body + at, PIECE, &to), 0);
			turn(100);
			turn(100);
		}
	turns(5);
	assert_int_equal(stations[1].messages, CONNECTIONS);
	assert_int_equal(counted(&stations[1], COUNTER_stream_unfinished), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shared), cmocka_unit_test(stalled), cmocka_unit_test(bounded_queue), cmocka_unit_test(refused),
					    cmocka_unit_test(too_late), cmocka_unit_test(too_late_half_sent),
					    cmocka_unit_test(reset), cmocka_unit_test(idle), cmocka_unit_test(unfinished), cmocka_unit_test(starved), cmocka_unit_test(no_room),
					    cmocka_unit_test(held), cmocka_unit_test(shut), cmocka_unit_test(aliases), cmocka_unit_test(viewed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
