/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions resumed: by servers from tickets, whose keys rotate and are shared by a fleet; by clients under the very policy they were verified by. */
#include <time.h>

#include "bed.h"

static struct made ca, other_ca, cert, client_cert;
static struct tls_identity *identity, *client_identity;
static struct side client, server, twin;
static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

static const uint8_t key_a[TLS_TICKET_KEY_BYTES] = { 'a' }, key_b[TLS_TICKET_KEY_BYTES] = { 'b' }, key_c[TLS_TICKET_KEY_BYTES] = { 'c' };

/* Our own calls of it come here; OpenSSL's do not. */
static time_t later_s;
time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);
time_t __wrap_time(time_t *ret)
{
	time_t now = __real_time(NULL) + later_s;

	if (ret)
		*ret = now;
	return now;
}

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&other_ca, "other-ca", &(struct wish){ .cn = "Other CA", .ca = true }, NULL);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:a.example" }, &ca);
	made_new(&client_cert, "client", &(struct wish){ .cn = "client", .san = "DNS:c.example" }, &ca);
	identity = made_identity(&cert);
	client_identity = made_identity(&client_cert);
	return 0;
}

static int tear_down(void **state)
{
	tls_identity_unref(identity);
	tls_identity_unref(client_identity);
	made_free(&ca);
	made_free(&other_ca);
	made_free(&cert);
	made_free(&client_cert);
	return bed_folder_free(state);
}

static int sides_up(void **state)
{
	side_new(&client, NULL, NULL);
	side_new(&server, NULL, NULL);
	side_new(&twin, NULL, NULL);
	set_server(&server, identity);
	set_server(&twin, identity);
	set_peer(&client, 1, &ca, "a.example");
	return 0;
}

static int sides_down(void **state)
{
	side_free(&client);
	side_free(&server);
	side_free(&twin);
	return 0;
}

static void set_keys(struct side *s, const uint8_t *first, const uint8_t *second)
{
	uint8_t keys[2][TLS_TICKET_KEY_BYTES];

	memcpy(keys[0], first, sizeof(keys[0]));
	if (second)
		memcpy(keys[1], second, sizeof(keys[1]));
	assert_int_equal(tls_store_set_ticket_keys(s->store, (const uint8_t (*)[TLS_TICKET_KEY_BYTES])keys, second ? 2 : 1), 0);
	epoch_reclaim(s->epoch);
}

/* A session with `to`; whether it was resumed. */
static bool meet(struct side *to, uint32_t peer)
{
	struct pair p;
	bool resumed;

	pair_new(&p, &client, to);
	pair_open(&p, peer);
	pair_run(&p);
	assert_int_equal(p.client.opened, 1);
	assert_int_equal(p.server.opened, 1);
	assert_int_equal(p.client.what.resumed, p.server.what.resumed);
	resumed = p.client.what.resumed;
	/* It works either way. */
	assert_int_equal(tls_send(client.tls, p.client.s, SPAN_LIT("hello")), 5);
	pair_run(&p);
	assert_true(end_got(&p.server, "hello", 5));
	/* The connection is cut: that is no reason not to resume. */
	pair_free(&p);
	return resumed;
}

static void test_resumption(void **state)
{
	for (unsigned v = 0; v < 2; v++) {
		struct tls_usage usage;

		sides_down(state);
		sides_up(state);
		offer(&client, versions[v]);
		print_message("TLS 1.%u\n", v + 2);
		assert_false(meet(&server, 1));
		for (unsigned i = 0; i < 5; i++)
			assert_true(meet(&server, 1));
		assert_int_equal(count_of(&client, COUNTER_tls_resumed), 5);
		assert_int_equal(count_of(&server, COUNTER_tls_resumed), 5);
		tls_usage(client.tls, &usage);
		assert_int_equal(usage.tickets, 1);
		/* To another peer at the same address it is not offered. */
		set_peer(&client, 2, &ca, "a.example");
		assert_false(meet(&server, 2));
		assert_true(meet(&server, 1));
		/* Nor under a changed policy, be it the same. */
		set_peer(&client, 1, &ca, "a.example");
		assert_false(meet(&server, 1));
		assert_true(meet(&server, 1));
	}
}

/* A ticket of TLS 1.3 is used once (RFC 8446 §C.4): two connections at once cannot both be resumed. */
static void test_once(void **state)
{
	struct pair first, second;

	offer(&client, TLS_1_3);
	assert_false(meet(&server, 1));
	pair_new(&first, &client, &server);
	pair_new(&second, &client, &server);
	pair_open(&first, 1);
	pair_open(&second, 1);
	pair_run(&first);
	pair_run(&second);
	assert_true(first.client.what.resumed);
	assert_false(second.client.what.resumed);
	pair_free(&first);
	pair_free(&second);
}

/* A changed policy refuses what the old one had let in. */
static void test_present_policy(void **state)
{
	for (unsigned v = 0; v < 2; v++) {
		const struct {
			const char *what;
			const struct made *ca;
			const char *name;
			enum tls_end why;
		} cases[] = {
			{ "another name", &ca, "b.example", TLS_END_NAME },
			{ "another CA", &other_ca, "a.example", TLS_END_UNTRUSTED },
		};

		offer(&client, versions[v]);
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			struct pair p;

			print_message("TLS 1.%u: %s\n", v + 2, cases[i].what);
			set_peer(&client, 1, &ca, "a.example");
			assert_false(meet(&server, 1));
			assert_true(meet(&server, 1));
			set_peer(&client, 1, cases[i].ca, cases[i].name);
			pair_new(&p, &client, &server);
			pair_open(&p, 1);
			pair_run(&p);
			assert_int_equal(p.client.opened, 0);
			assert_int_equal(p.client.why, cases[i].why);
			pair_free(&p);
		}
	}
}

/* Nodes of a fleet that share keys resume each other's sessions; keys rotate: what a dropped one has sealed is not opened any more. */
static void test_keys(void **state)
{
	static const struct {
		const char *what;
		const uint8_t *first, *second; /* the server's, which gives the ticket */
		const uint8_t *twin_first, *twin_second; /* of the node that is met then */
		bool resumed;
	} cases[] = {
		{ "keys of their own", key_a, NULL, key_b, NULL, false },
		{ "the same key", key_a, NULL, key_a, NULL, true },
		{ "the other has rotated already, and keeps the old key", key_a, NULL, key_b, key_a, true },
		{ "the other has not rotated yet, but knows the next key", key_b, key_a, key_a, key_b, true },
		{ "the old key is dropped", key_a, NULL, key_b, key_c, false },
		{ "what is sealed with the second key is never given out", key_b, key_a, key_a, NULL, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		unsigned c = i / 2;

		if (i % 2 == 0)
			print_message("%s\n", cases[c].what);
		sides_down(state);
		sides_up(state);
		offer(&client, versions[i % 2]);
		set_keys(&server, cases[c].first, cases[c].second);
		set_keys(&twin, cases[c].twin_first, cases[c].twin_second);
		assert_false(meet(&server, 1));
		assert_int_equal(meet(&twin, 1), cases[c].resumed);
		/* One that had to be opened with an old key is given anew, with the first. */
		if (cases[c].resumed) {
			set_keys(&twin, cases[c].twin_first, NULL);
			assert_true(meet(&twin, 1));
		}
	}
}

/* A server that asks another thing of its clients than the one that gave the ticket does not take it. */
static void test_server_policy(void **state)
{
	struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED,
					    .client_ca = ca.chain_file };
	struct tls_peer_source peer = { .name = "a.example", .verify = true, .ca = ca.chain_file, .identity = client_identity };
	char error[TLS_ERROR_BYTES] = "";
	struct pair p;

	for (unsigned v = 0; v < 2; v++) {
		offer(&client, versions[v]);
		assert_int_equal(tls_store_set_peer(client.store, 1, &peer, error), 0);
		set_server(&server, identity);
		assert_false(meet(&server, 1));
		assert_true(meet(&server, 1));
		source.name = "default";
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		assert_false(meet(&server, 1));
		assert_true(meet(&server, 1));
		/* Who they are is known in a resumed session too. */
		pair_new(&p, &client, &server);
		pair_open(&p, 1);
		pair_run(&p);
		assert_true(p.server.what.resumed);
		assert_string_equal(p.server.names, "c.example");
		pair_free(&p);
		source.name = "another";
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		assert_false(meet(&server, 1));
	}
}

/* Who was let in without a certificate is asked for one where one is required from now on. */
static void test_required_from_now_on(void **state)
{
	struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1, .client_ca = ca.chain_file };
	char error[TLS_ERROR_BYTES] = "";
	struct pair p;

	for (unsigned v = 0; v < 2; v++) {
		offer(&client, versions[v]);
		source.client_certificates = TLS_CLIENT_REQUESTED;
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		set_peer(&client, 1, &ca, "a.example");
		assert_false(meet(&server, 1));
		assert_true(meet(&server, 1));
		source.client_certificates = TLS_CLIENT_REQUIRED;
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		pair_new(&p, &client, &server);
		pair_open(&p, 1);
		pair_run(&p);
		assert_int_equal(p.server.opened, 0);
		assert_int_equal(p.server.why, TLS_END_NO_CERTIFICATE);
		pair_free(&p);
	}
}

static void few_tickets(struct tls_config *c)
{
	c->tickets = 4;
}

static void no_tickets(struct tls_config *c)
{
	c->tickets = 0;
}

/* The newest of so many are kept. */
static void test_bound(void **state)
{
	struct tls_usage usage;

	sides_down(state);
	sides_up(state);
	side_free(&client);
	side_new(&client, NULL, few_tickets);
	for (uint32_t id = 1; id <= 6; id++) {
		set_peer(&client, id, &ca, "a.example");
		assert_false(meet(&server, id));
	}
	tls_usage(client.tls, &usage);
	assert_int_equal(usage.tickets, 4);
	assert_false(meet(&server, 1));
	assert_true(meet(&server, 6));
	side_free(&client);
	side_new(&client, NULL, no_tickets);
	set_peer(&client, 1, &ca, "a.example");
	assert_false(meet(&server, 1));
	assert_false(meet(&server, 1));
}

/* What a session was verified by does not last for ever: a day, and no longer than the chain. */
static void test_client_expiry(void **state)
{
	static const struct {
		const char *what;
		int hours; /* of the server's certificate */
		time_t later_s;
		bool resumed;
	} cases[] = {
		{ "within a day", 48, 23 * 3600, true },
		{ "after a day", 48, 25 * 3600, false },
		{ "just before the certificate expires", 12, 12 * 3600 - 60, true },
		{ "within a day, but the certificate has expired", 12, 12 * 3600 + 1, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct tls_identity *short_lived;
		struct made made;

		if (i % 2 == 0)
			print_message("%s\n", cases[i / 2].what);
		offer(&client, versions[i % 2]);
		made_new(&made, "short", &(struct wish){ .cn = "server", .san = "DNS:a.example", .from_days = -1, .days = 1,
							    .hours = cases[i / 2].hours }, &ca);
		short_lived = made_identity(&made);
		set_server(&server, short_lived);
		set_peer(&client, 1, &ca, "a.example");
		assert_false(meet(&server, 1));
		/* A session that was resumed in between does not put it off. */
		later_s = cases[i / 2].later_s / 2;
		assert_true(meet(&server, 1));
		later_s = cases[i / 2].later_s;
		assert_int_equal(meet(&server, 1), cases[i / 2].resumed);
		later_s = 0;
		tls_identity_unref(short_lived);
		made_free(&made);
	}
}

/* A client whose certificate has expired since is not let in by its ticket. */
static void test_server_expiry(void **state)
{
	struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED,
					    .client_ca = ca.chain_file };
	struct tls_peer_source peer = { .name = "a.example", .verify = true, .ca = ca.chain_file };
	char error[TLS_ERROR_BYTES] = "";
	struct tls_seen seen;
	struct made made;
	struct pair p;

	made_new(&made, "brief", &(struct wish){ .cn = "client", .san = "DNS:c.example", .days = 1 }, &ca);
	for (unsigned v = 0; v < 2; v++) {
		offer(&client, versions[v]);
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		peer.identity = made_identity(&made);
		assert_int_equal(tls_store_set_peer(client.store, 1, &peer, error), 0);
		tls_identity_unref(peer.identity);
		assert_false(meet(&server, 1));
		assert_true(meet(&server, 1));
		while (tls_seen_take(server.tls, &seen))
			;
		pair_new(&p, &client, &server);
		pair_open(&p, 1); /* offered while the client still believes in it */
		later_s = 86401;
		pair_run(&p);
		later_s = 0;
		assert_int_equal(p.server.opened, 0);
		assert_int_equal(p.server.why, TLS_END_EXPIRED);
		assert_memory_equal(p.server.text, "certificate expired 20", 22);
		assert_true(tls_seen_take(server.tls, &seen));
		assert_true(seen.refused && seen.why == TLS_END_EXPIRED);
		assert_int_equal(p.client.closed, 1);
		pair_free(&p);
	}
	made_free(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_resumption, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_once, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_present_policy, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_keys, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_server_policy, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_required_from_now_on, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_bound, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_client_expiry, sides_up, sides_down),
		cmocka_unit_test_setup_teardown(test_server_expiry, sides_up, sides_down),
	};

	return cmocka_run_group_tests_name("tls/tickets", tests, set_up, tear_down);
}
