/* SPDX-License-Identifier: Apache-2.0 */
/* Streams with TLS between TCP and their messages: two workers' against each other, in simulated time, with certificates that are made as
 * the test runs. */
#include "../tls/bed.h"

#include "stations.h"

#define VIA	 "Via: SIP/2.0/TLS h;branch=z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
#define REQUEST	 "OPTIONS sip:a SIP/2.0\r\n" VIA "Content-Length: 0\r\n\r\n"
#define ANSWER	 "SIP/2.0 200 OK\r\nl: 0\r\n\r\n"
#define PEER	 7
#define STRANGER 8 /* the name of somebody else */
#define SERVER	 3

static struct station *const caller = &stations[0], *const callee = &stations[1];
static struct {
	struct tls_store *store;
	struct epoch *epoch;
} published[2]; /* for each station */
static struct made ca, leaf;
static const struct ip_port listener = { { { 192, 0, 2, 1 }, IP_V4 }, 5061 }, client = { { { 192, 0, 2, 9 }, IP_V4 }, 5061 };

static uint64_t clock_us(void)
{
	return now_us;
}

static struct tls_store *store_of(const struct station *s)
{
	return published[s - stations].store;
}

static void make(struct station *s, bool callbacks)
{
	struct streams_config c = station_config(s, 8192);
	unsigned i = (unsigned)(s - stations);

	published[i].epoch = epoch_new(1);
	published[i].store = tls_store_new(published[i].epoch);
	assert_non_null(published[i].store);
	c.tls = tls_config_default();
	c.tls.store = published[i].store;
	c.tls.sessions = c.tls.handshakes = c.tls.tickets = c.tls.seen = 16;
	c.tls.clock_us = clock_us;
	c.unverified_callbacks = callbacks;
	station_new(s, &c);
}

static void set_peer_of(struct station *s, uint32_t id, const char *name)
{
	struct tls_peer_source source = { .ca = ca.chain_file, .name = name, .verify = true };
	char error[TLS_ERROR_BYTES];

	assert_int_equal(tls_store_set_peer(store_of(s), id, &source, error), 0);
}

static void start(bool callbacks)
{
	struct tls_identity *identity = made_identity(&leaf);
	struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1 };
	char error[TLS_ERROR_BYTES];

	now_us = 1000000;
	make(caller, callbacks);
	make(callee, false);
	assert_int_equal(streams_listen(callee->st, &listener, TRANSPORT_TLS, SERVER), 0);
	assert_int_equal(tls_store_set_server(store_of(callee), SERVER, &source, error), 0);
	tls_identity_unref(identity);
	set_peer_of(caller, PEER, "b.example");
	set_peer_of(caller, STRANGER, "c.example");
	set_peer_of(caller, TLS_PEER_DEFAULT, NULL);
}

static void end(void)
{
	for (unsigned i = 0; i < 2; i++) {
		streams_free(stations[i].st);
		tls_store_free(published[i].store);
		epoch_free(published[i].epoch);
	}
}

static struct flow to_peer(uint32_t peer)
{
	return (struct flow){ .remote = listener, .local = client, .transport = TRANSPORT_TLS, .tls_peer = peer };
}

/* Requests share a connection, its answers come back by its name; who asks for another peer, or for plain TCP, gets another one. */
static void shared(void **state)
{
	struct flow to = to_peer(PEER), other = to;
	struct stream_view view;
	uint32_t cursor = 0;

	start(false);
	assert_int_equal(put(caller, REQUEST, &to), 0);
	assert_int_equal(put(caller, REQUEST, &to), 0);
	turns(20);
	assert_int_equal(callee->messages, 2);
	assert_int_equal(callee->from.transport, TRANSPORT_TLS);
	assert_true(ip_port_eq(&callee->from.local, &listener));
	assert_int_equal(streams_connections(caller->st), 1);
	assert_int_equal(streams_list(callee->st, &cursor, 1, &view), 1);
	assert_int_equal(view.transport, TRANSPORT_TLS);
	assert_int_equal(view.tls_version, TLS_1_3);
	assert_string_equal(view.cipher, "TLS_AES_256_GCM_SHA384");
	assert_false(view.tls_resumed);
	assert_int_equal(put(callee, ANSWER, &callee->from), 0);
	turns(5);
	assert_int_equal(caller->messages, 1);
	assert_int_equal(caller->from.transport, TRANSPORT_TLS);
	assert_int_equal(caller->from.tls_peer, PEER);
	set_peer_of(caller, 9, "b.example");
	other.tls_peer = 9;
	put(caller, REQUEST, &other);
	other.transport = TRANSPORT_TCP;
	put(caller, REQUEST, &other);
	assert_int_equal(streams_connections(caller->st), 3);
	turns(20);
	assert_int_equal(callee->messages, 3);
	assert_int_equal(counted(callee, COUNTER_tls_accepted), 2);
	assert_int_equal(counted(caller, COUNTER_tls_connected), 2);
	end();
}

/* What a handshake that fails leaves behind comes back whole, with the reason; nobody heard anything of it. */
static void not_verified(void **state)
{
	struct flow to = to_peer(STRANGER);

	start(false);
	assert_int_equal(put(caller, REQUEST, &to), 0);
	turns(20);
	assert_int_equal(caller->lost, 1);
	assert_string_equal(caller->undelivered, REQUEST);
	assert_string_equal(caller->why, "certificate is for b.example, not c.example");
	assert_int_equal(callee->messages, 0);
	turns(3000);
	assert_int_equal(streams_connections(caller->st), 0);
	assert_int_equal(streams_connections(callee->st), 0);
	to.tls_peer = 99;
	put(caller, REQUEST, &to);
	turns(20);
	assert_int_equal(caller->lost, 2);
	assert_string_equal(caller->why, "its TLS settings are gone");
	end();
}

/* Who cannot take a message gets it later, and the windows close meanwhile; also where the other side has hung up by then. */
static void stalled(void **state)
{
	struct flow to = to_peer(PEER);
	unsigned sent = 0;

	start(false);
	put(caller, REQUEST, &to);
	turns(20);
	callee->refuse = 300;
	for (unsigned i = 0; i < 600; i++) {
		sent += put(caller, REQUEST, &to) == 0;
		turns(1);
	}
	turns(500);
	assert_true(sent > 100);
	assert_int_equal(callee->messages, sent + 1);
	assert_int_equal(callee->refuse, 0);
	callee->refuse = 50;
	for (unsigned i = 0; i < 20; i++)
		sent += put(caller, REQUEST, &to) == 0;
	streams_shut(caller->st);
	turns(200);
	assert_int_equal(callee->refuse, 0);
	assert_int_equal(callee->messages, sent + 1);
	assert_memory_equal(caller->undelivered, ";branch=", 8); /* of what had left whole, and was not answered */
	end();
}

/* Messages that fill many records and windows. */
static void large(void **state)
{
	static char text[60000];
	struct flow to = to_peer(PEER);
	int n = snprintf(text, sizeof(text), "OPTIONS sip:a SIP/2.0\r\n" VIA "Content-Length: 50000\r\n\r\n");

	memset(text + n, 'x', 50000);
	start(false);
	put(caller, REQUEST, &to);
	turns(20);
	/* It is larger than what may wait, so that it goes only where the way is free. */
	for (unsigned i = 0; i < 4; i++) {
		struct flow back = callee->from;
		unsigned before = caller->messages;

		assert_int_equal(streams_send(callee->st, (const uint8_t *)text, 4000, &back), 0);
		assert_int_equal(streams_send(callee->st, (const uint8_t *)text + 4000, 4000, &back), 0);
		for (uint32_t at = 8000; at < (uint32_t)n + 50000;) {
			uint32_t piece = (uint32_t)n + 50000 - at < 4000 ? (uint32_t)n + 50000 - at : 4000;

			if (streams_send(callee->st, (const uint8_t *)text + at, piece, &back) == 0)
				at += piece;
			turns(3);
		}
		turns(20);
		assert_int_equal(caller->messages, before + 1);
	}
	assert_int_equal(caller->bytes, 4 * ((uint64_t)n + 50000));
	end();
}

/* close_notify, then FIN: nobody takes it for a cut. */
static void orderly_end(void **state)
{
	struct flow to = to_peer(PEER);

	start(false);
	put(caller, REQUEST, &to);
	turns(20);
	streams_shut(callee->st);
	turns(3000);
	assert_int_equal(counted(caller, COUNTER_tls_closed), 1);
	assert_int_equal(counted(caller, COUNTER_tls_cut), 0);
	assert_int_equal(streams_connections(callee->st), 0);
	assert_int_equal(streams_connections(caller->st), 0);
	/* What was not answered comes back, with nothing to say: another connection may do. */
	assert_int_equal(caller->lost, 1);
	assert_string_equal(caller->why, "");
	end();
}

/* To somebody of whom nobody said who it is. */
static void callbacks(void **state)
{
	struct flow to = to_peer(TLS_PEER_ANYBODY);

	start(false);
	assert_int_equal(put(caller, ANSWER, &to), -ERR_UNREACHABLE);
	assert_int_equal(counted(caller, COUNTER_stream_unverified), 1);
	assert_int_equal(streams_connections(caller->st), 0);
	end();
	start(true);
	assert_int_equal(put(caller, ANSWER, &to), 0);
	assert_int_equal(put(caller, ANSWER, &to), 0);
	turns(20);
	assert_int_equal(callee->messages, 2);
	assert_int_equal(streams_connections(caller->st), 1);
	end();
}

/* A listener whose server presents nothing: the connection ends, and the message comes back. */
static void nothing_to_present(void **state)
{
	struct flow to = to_peer(PEER);

	start(false);
	tls_store_remove_server(store_of(callee), SERVER);
	put(caller, REQUEST, &to);
	turns(20);
	assert_int_equal(caller->lost, 1);
	assert_true(caller->why[0]);
	end();
}

static int set_up(void **state)
{
	if (bed_folder_new(state))
		return -1;
	made_new(&ca, "ca", &(struct wish){ .cn = "CA", .ca = true }, NULL);
	made_new(&leaf, "leaf", &(struct wish){ .cn = "leaf", .san = "DNS:b.example" }, &ca);
	return 0;
}

static int tear_down(void **state)
{
	made_free(&leaf);
	made_free(&ca);
	return bed_folder_free(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shared), cmocka_unit_test(not_verified), cmocka_unit_test(stalled), cmocka_unit_test(large),
					    cmocka_unit_test(orderly_end), cmocka_unit_test(callbacks), cmocka_unit_test(nothing_to_present) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
