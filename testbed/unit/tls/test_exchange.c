/* SPDX-License-Identifier: Apache-2.0 */
/* Two engines against each other through a pipe that splits anywhere and takes only so much. */
#include "bed.h"

static struct made ca, cert;
static struct tls_identity *identity;
static struct side client, server;

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:sip.example" }, &ca);
	identity = made_identity(&cert);
	side_new(&client, NULL, NULL);
	side_new(&server, NULL, NULL);
	set_server(&server, identity);
	set_peer(&client, 7, &ca, "sip.example");
	return 0;
}

static int tear_down(void **state)
{
	side_free(&client);
	side_free(&server);
	tls_identity_unref(identity);
	made_free(&ca);
	made_free(&cert);
	return bed_folder_free(state);
}

static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

static uint8_t pattern[70000];

static void fill_pattern(void)
{
	for (uint32_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 31 + (i >> 8));
}

/* All of it, as room comes. */
static void send_all(struct pair *p, struct end *from, uint32_t n)
{
	uint32_t at = 0;

	for (unsigned turn = 0; at < n; turn++) {
		unsigned writable = from->writable;

		assert_true(turn < 1000);
		at += tls_send(from->side->tls, from->s, span_of(pattern + at, n - at));
		pair_run(p);
		/* What was not taken is asked for again. */
		assert_true(at == n || from->writable > writable);
	}
	pair_run(p);
	assert_int_equal(tls_pending(from->s), 0);
}

static void test_bytes(void **state)
{
	static const uint32_t chunks[] = { 0, 1, 7, 1000 }, rooms[] = { 1 << 18, 300, 20000 }, sizes[] = { 1, 600, 16384, 16385, 70000 };
	struct pair p;

	for (unsigned i = 0; i < ARRAY_SIZE(versions) * ARRAY_SIZE(chunks) * ARRAY_SIZE(rooms); i++) {
		enum tls_version version = versions[i % 2];

		offer(&client, version);
		pair_new(&p, &client, &server);
		p.chunk = chunks[i / 2 % ARRAY_SIZE(chunks)];
		p.client.out_room = p.server.out_room = rooms[i / 2 / ARRAY_SIZE(chunks)];
		pair_open(&p, 7);
		assert_int_equal(tls_send(client.tls, p.client.s, SPAN_LIT("too early")), 0);
		pair_run(&p);
		assert_int_equal(p.client.opened, 1);
		assert_int_equal(p.server.opened, 1);
		assert_int_equal(p.client.what.version, version);
		assert_int_equal(p.server.what.version, version);
		assert_string_equal(p.server.server_name, "sip.example");
		assert_string_equal(p.client.names, "sip.example");
		for (unsigned j = 0; j < ARRAY_SIZE(sizes); j++) {
			send_all(&p, &p.client, sizes[j]);
			assert_true(end_got(&p.server, pattern, sizes[j]));
			send_all(&p, &p.server, sizes[j]);
			assert_true(end_got(&p.client, pattern, sizes[j]));
		}
		assert_int_equal(p.client.closed + p.server.closed, 0);
		pair_free(&p);
	}
	offer(&client, TLS_1_3);
}

/* A byte in each record; nothing is lost, and nothing piles up. */
static void test_small_records(void **state)
{
	struct tls_usage usage;
	struct pair p;

	for (unsigned v = 0; v < ARRAY_SIZE(versions); v++) {
		offer(&client, versions[v]);
		pair_new(&p, &client, &server);
		pair_open(&p, 7);
		pair_run(&p);
		for (unsigned i = 0; i < 5000; i++)
			assert_int_equal(tls_send(client.tls, p.client.s, span_of(pattern + i, 1)), 1);
		pair_run(&p);
		assert_true(end_got(&p.server, pattern, 5000));
		tls_usage(server.tls, &usage);
		assert_int_equal(usage.bytes, 0);
		pair_free(&p);
	}
	offer(&client, TLS_1_3);
}

/* Who does not take everything is not given more until it asks for it; nothing is lost. */
static void test_slow_reader(void **state)
{
	struct tls_usage usage;
	struct pair p;

	for (unsigned v = 0; v < ARRAY_SIZE(versions); v++) {
		offer(&client, versions[v]);
		pair_new(&p, &client, &server);
		pair_open(&p, 7);
		pair_run(&p);
		p.server.take = 100;
		assert_int_equal(tls_send(client.tls, p.client.s, span_of(pattern, 40000)), 40000);
		pair_run(&p);
		assert_int_equal(p.server.got_n, 100);
		assert_true(p.client.out_n > 20000); /* the rest stays where it is */
		tls_usage(server.tls, &usage);
		assert_true(usage.bytes && usage.bytes <= 16384);
		for (unsigned i = 0; p.server.got_n < 40000; i++) {
			assert_true(i < 1000);
			if (tls_read(server.tls, p.server.s))
				pair_run(&p);
		}
		assert_true(end_got(&p.server, pattern, 40000));
		tls_usage(server.tls, &usage);
		assert_int_equal(usage.bytes, 0);
		pair_free(&p);
	}
	offer(&client, TLS_1_3);
}

enum ending { THEY_CLOSE, WE_CLOSE, CUT, CUT_BEFORE, CLOSE_BEFORE, CLOSE_WHILE_FULL };

static void test_endings(void **state)
{
	static const struct {
		const char *what;
		enum ending ending;
		bool closed;
		enum tls_end why;
		enum counter counter;
	} cases[] = {
		{ "the client closes", THEY_CLOSE, true, TLS_END_CLOSED, COUNTER_tls_closed },
		{ "the server closes: nothing more is told until the other does so too", WE_CLOSE, false, 0, COUNTER_tls_accepted },
		{ "the connection ends by itself", CUT, true, TLS_END_CUT, COUNTER_tls_cut },
		{ "in the midst of the handshake", CUT_BEFORE, true, TLS_END_CUT, COUNTER_tls_cut },
		{ "closed before it was open: nobody is told", CLOSE_BEFORE, false, 0, COUNTER_tls_accepted },
		{ "closed while much waits to be sent: it still comes, then the end", CLOSE_WHILE_FULL, true, TLS_END_CLOSED, COUNTER_tls_closed },
	};
	struct pair p;

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		unsigned c = i / 2;
		uint64_t before = count_of(&server, cases[c].counter);
		bool young = cases[c].ending == CUT_BEFORE || cases[c].ending == CLOSE_BEFORE;
		uint32_t sent = 0;

		if (!(i % 2))
			print_message("%s\n", cases[c].what);
		offer(&client, versions[i % 2]);
		pair_new(&p, &client, &server);
		pair_open(&p, 7);
		if (young) {
			tls_advance(client.tls, bed_now_us);
			end_move(&p.client, 0);
		} else {
			pair_run(&p);
		}
		switch (cases[c].ending) {
		case THEY_CLOSE:
			tls_close(client.tls, p.client.s);
			break;
		case WE_CLOSE:
		case CLOSE_BEFORE:
			tls_close(server.tls, p.server.s);
			assert_int_equal(tls_send(server.tls, p.server.s, SPAN_LIT("too late")), 0);
			break;
		case CUT:
		case CUT_BEFORE:
			tls_cut(server.tls, p.server.s);
			break;
		case CLOSE_WHILE_FULL:
			p.client.out_room = 500;
			sent = tls_send(client.tls, p.client.s, span_of(pattern, 30000));
			assert_true(sent && sent < 30000 && tls_pending(p.client.s));
			tls_close(client.tls, p.client.s);
			break;
		}
		pair_run(&p);
		assert_int_equal(p.server.closed, cases[c].closed);
		if (cases[c].closed)
			assert_int_equal(p.server.why, cases[c].why);
		if (cases[c].ending == WE_CLOSE) {
			assert_int_equal(p.client.why, TLS_END_CLOSED);
			tls_close(client.tls, p.client.s); /* after its end: nothing */
		}
		if (cases[c].closed || cases[c].ending == WE_CLOSE)
			assert_int_equal(count_of(&server, cases[c].counter), before + 1);
		assert_int_equal(p.server.got_n, sent);
		pair_free(&p);
	}
	offer(&client, TLS_1_3);
}

/* ---- what is not TLS */

static uint32_t record(uint8_t *out, uint8_t type, uint32_t length, uint32_t bytes)
{
	out[0] = type;
	out[1] = out[2] = 3;
	out[3] = (uint8_t)(length >> 8);
	out[4] = (uint8_t)length;
	memset(out + 5, 0x5a, bytes);
	return 5 + bytes;
}

static void test_junk(void **state)
{
	static const struct {
		const char *what;
		bool open; /* into a session that stands, else as its first bytes */
		const char *text;
		uint8_t type;
		uint32_t length, bytes;
		bool ends;
	} cases[] = {
		{ "a request in the clear", false, "OPTIONS sip:a SIP/2.0\r\n\r\n", 0, 0, 0, true },
		{ "HTTP", false, "GET / HTTP/1.0\r\n\r\n", 0, 0, 0, true },
		{ "zeros", false, NULL, 0, 0, 100, true },
		{ "half a record header", false, "\x16\x03", 0, 0, 0, false },
		{ "half a record", false, NULL, 22, 512, 100, false },
		{ "a handshake record of nonsense", false, NULL, 22, 100, 100, true },
		{ "an empty handshake record, which is no harm", false, NULL, 22, 0, 0, false },
		{ "a record beyond all bounds", false, NULL, 22, 0xffff, 2000, true },
		{ "application data first", false, NULL, 23, 100, 100, true },
		{ "an alert first", false, "\x15\x03\x03\x00\x02\x02\x28", 0, 0, 0, true },
		{ "into a session: a record that does not verify", true, NULL, 23, 100, 100, true },
		{ "into a session: one beyond all bounds", true, NULL, 23, 0xffff, 1000, true },
		{ "into a session: in the clear", true, "BYE sip:a SIP/2.0\r\n\r\n", 0, 0, 0, true },
		{ "into a session: half of one", true, NULL, 23, 1000, 500, false },
	};
	uint8_t bytes[3000];
	struct pair p;

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 4; i++) {
		unsigned c = i / 4;
		uint64_t before = count_of(&server, COUNTER_tls_failed);
		uint32_t n = 0;

		if (!(i % 4))
			print_message("%s\n", cases[c].what);
		offer(&client, versions[i % 2]);
		pair_new(&p, &client, &server);
		p.chunk = i / 2 % 2;
		pair_open(&p, 7);
		if (cases[c].open)
			pair_run(&p);
		else
			tls_free_session(client.tls, p.client.s), p.client.s = NULL;
		if (cases[c].text && !memcmp(cases[c].text, "\x15\x03\x03", 3))
			n = 7, memcpy(bytes, cases[c].text, n); /* it has a zero in it */
		else if (cases[c].text)
			n = (uint32_t)strlen(cases[c].text), memcpy(bytes, cases[c].text, n);
		else if (cases[c].type)
			n = record(bytes, cases[c].type, cases[c].length, cases[c].bytes);
		else
			n = cases[c].bytes, memset(bytes, 0, n);
		memcpy(p.client.out, bytes, n);
		p.client.out_n = n;
		while (end_move(&p.client, p.chunk))
			;
		assert_int_equal(p.client.out_n, 0);
		assert_int_equal(p.server.closed, cases[c].ends);
		assert_int_equal(count_of(&server, COUNTER_tls_failed), before + cases[c].ends);
		if (cases[c].ends)
			assert_true(p.server.text[0] && (p.server.why == TLS_END_PROTOCOL || p.server.why == TLS_END_REFUSED));
		assert_int_equal(p.server.got_n, 0);
		pair_free(&p);
	}
	offer(&client, TLS_1_3);
}

/* A hello that never ends takes so much memory, and no more. */
static void test_endless_hello(void **state)
{
	struct pair p;
	uint8_t bytes[1029];
	uint32_t n;

	pair_new(&p, &client, &server);
	pair_open(&p, 7);
	tls_free_session(client.tls, p.client.s);
	p.client.s = NULL;
	for (n = 0; !p.server.closed; n++) {
		assert_true(n < 70);
		record(bytes, 22, 1024, 1024);
		if (!n)
			memcpy(bytes + 5, "\x01\x01\xff\xff", 4); /* ClientHello, 128 KiB */
		memcpy(p.client.out, bytes, sizeof(bytes));
		p.client.out_n = sizeof(bytes);
		end_move(&p.client, 0);
	}
	assert_true(n > 60);
	assert_int_equal(p.server.why, TLS_END_PROTOCOL);
	assert_string_equal(p.server.text, "the handshake is too long");
	pair_free(&p);
}

/* ---- what handlers may do */

static void free_it(struct end *e, struct span bytes)
{
	tls_free_session(e->side->tls, e->s);
	e->s = NULL;
}

static void close_it(struct end *e, struct span bytes)
{
	tls_close(e->side->tls, e->s);
}

static void echo(struct end *e, struct span bytes)
{
	assert_int_equal(tls_send(e->side->tls, e->s, bytes), bytes.n);
}

static void free_at_once(struct end *e)
{
	free_it(e, span_of(NULL, 0));
}

static void greet(struct end *e)
{
	assert_int_equal(tls_send(e->side->tls, e->s, SPAN_LIT("welcome")), 7);
}

static void test_handlers(void **state)
{
	static const struct {
		const char *what;
		void (*on_opened)(struct end *e);
		void (*on_data)(struct end *e, struct span bytes);
		uint32_t take;
		const char *server_got, *client_got;
	} cases[] = {
		{ "freed as it opens", free_at_once, NULL, UINT32_MAX, "", "" },
		{ "sends as it opens", greet, NULL, UINT32_MAX, "one", "welcome" },
		{ "freed as data come", NULL, free_it, UINT32_MAX, "one", "" },
		{ "freed as data come, of which not all were taken", NULL, free_it, 1, "o", "" },
		{ "closed as data come", NULL, close_it, UINT32_MAX, "one", "" },
		{ "closed as data come, of which not all were taken", NULL, close_it, 1, "o", "" },
		{ "answers from the midst of it", NULL, echo, UINT32_MAX, "one", "one" },
	};
	struct tls_usage usage;
	struct pair p;

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		unsigned c = i / 2;

		if (!(i % 2))
			print_message("%s\n", cases[c].what);
		offer(&client, versions[i % 2]);
		pair_new(&p, &client, &server);
		p.server.on_opened = cases[c].on_opened;
		p.server.on_data = cases[c].on_data;
		p.server.take = cases[c].take;
		pair_open(&p, 7);
		pair_run(&p);
		tls_send(client.tls, p.client.s, SPAN_LIT("one"));
		pair_run(&p);
		if (p.server.s)
			tls_read(server.tls, p.server.s);
		assert_true(end_got(&p.server, cases[c].server_got, (uint32_t)strlen(cases[c].server_got)));
		assert_true(end_got(&p.client, cases[c].client_got, (uint32_t)strlen(cases[c].client_got)));
		pair_free(&p);
		tls_usage(server.tls, &usage);
		assert_int_equal(usage.sessions, 0);
		assert_int_equal(usage.bytes, 0);
	}
	offer(&client, TLS_1_3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_small_records),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_endless_hello),
		cmocka_unit_test(test_handlers),
	};

	fill_pattern();
	return cmocka_run_group_tests_name("tls/exchange", tests, set_up, tear_down);
}
