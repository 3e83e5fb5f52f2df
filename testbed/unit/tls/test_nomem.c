/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of ours fails once: what was asked for is refused with a word, and nothing is lost. And those of OpenSSL's, in the midst
 * of a session: it stands, or both sides hear that it does not. */
#include "bed.h"

#include "../base/nomem.h"

static struct made ca, cert;

/* ---- OpenSSL's */

static long left = -1; /* allocations until one fails; negative: none does */
static bool hit;

static bool fails(void)
{
	if (left < 0 || left-- > 0)
		return false;
	hit = true;
	return true;
}

static void *failing_malloc(size_t n, const char *file, int line)
{
	return n && !fails() ? __real_malloc(n) : NULL;
}

static void *failing_realloc(void *p, size_t n, const char *file, int line)
{
	if (!n) {
		free(p);
		return NULL;
	}
	return fails() ? NULL : realloc(p, n);
}

static void plain_free(void *p, const char *file, int line)
{
	free(p);
}

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:a.example,URI:sip:b.example" }, &ca);
	return 0;
}

static int tear_down(void **state)
{
	made_free(&ca);
	made_free(&cert);
	return bed_folder_free(state);
}

static uint64_t no_clock(void)
{
	return 0;
}

static const struct tls_handlers no_handlers;

static void fill(struct tls_store *store, struct tls_identity *identity)
{
	static const uint8_t keys[1][TLS_TICKET_KEY_BYTES] = { { 1 } };
	struct tls_server_source server = { .name = "x", .identities = &identity, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED,
					    .client_ca = ca.chain_file };
	struct tls_peer_source peer = { .name = "a.example", .ca = ca.chain_file, .verify = true, .identity = identity };
	char error[TLS_ERROR_BYTES] = "";
	int err = tls_store_set_server(store, 0, &server, error);

	assert_true(!err || (err == -ERR_NOMEM && strstr(error, "out of memory")));
	error[0] = '\0';
	err = tls_store_set_peer(store, 1, &peer, error);
	assert_true(!err || (err == -ERR_NOMEM && strstr(error, "out of memory")));
	err = tls_store_set_ticket_keys(store, keys, 1);
	assert_true(!err || err == -ERR_NOMEM);
}

static void scenario(void)
{
	struct counters counters = { 0 };
	struct tls_config c = tls_config_default();
	struct epoch *epoch = epoch_new(1);
	struct tls_identity *identity = NULL;
	char error[TLS_ERROR_BYTES] = "";
	struct tls *t = NULL;

	c.store = epoch ? tls_store_new(epoch) : NULL;
	if (!c.store) {
		epoch_free(epoch);
		return;
	}
	c.sessions = 4;
	c.handlers = &no_handlers;
	c.clock_us = no_clock;
	c.counters = &counters;
	assert_true(!tls_new(&c, &t) || !t);
	if (!tls_identity_load(cert.chain_file, cert.key_file, &identity, error))
		fill(c.store, identity);
	else
		assert_non_null(strstr(error, "out of memory"));
	tls_identity_unref(identity);
	tls_free(t);
	epoch_flush(epoch);
	tls_store_free(c.store);
	epoch_free(epoch);
}

static void test_nomem(void **state)
{
	unsigned n = nomem_run(scenario);

	print_message("%u allocations failed in turn\n", n);
	assert_true(n > 15);
}

/* A session of which OpenSSL's n-th allocation fails. false: it has not so many. */
static bool one_session(struct side *client, struct side *server, long n)
{
	const struct ip_port a = { { { 192, 0, 2, 1 }, IP_V4 }, 40000 }, b = { { { 192, 0, 2, 2 }, IP_V4 }, 5061 };
	struct tls_seen seen;
	struct pair p;

	pair_new(&p, client, server);
	hit = false;
	left = n;
	if (!tls_accept(server->tls, 0, &a, &p.server, &p.server.s) && !tls_connect(client->tls, 1, &b, &p.client, &p.client.s)) {
		pair_run(&p);
		if (p.client.opened && p.server.opened && !p.client.closed && !p.server.closed) {
			tls_send(client->tls, p.client.s, SPAN_LIT("hello"));
			tls_send(server->tls, p.server.s, SPAN_LIT("hello"));
			pair_run(&p);
			assert_true(p.client.closed || p.server.closed || (end_got(&p.client, "hello", 5) && end_got(&p.server, "hello", 5)));
		} else {
			assert_true(p.client.closed || p.server.closed);
		}
	}
	left = -1;
	pair_free(&p);
	while (tls_seen_take(client->tls, &seen) || tls_seen_take(server->tls, &seen))
		;
	return hit;
}

static void whole_handshakes(struct tls_config *c)
{
	c->tickets = 0;
}

static void test_openssl_nomem(void **state)
{
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	struct tls_identity *identity = made_identity(&cert);
	struct side client, server;
	struct tls_usage usage;

	side_new(&client, NULL, whole_handshakes);
	side_new(&server, NULL, NULL);
	fill(client.store, identity);
	fill(server.store, identity);
	set_peer(&client, 1, &ca, "b.example");
	set_server(&server, identity);
	for (unsigned v = 0; v < 2; v++) {
		long n = 0;

		offer(&client, versions[v]);
		while (one_session(&client, &server, n))
			n += 13; /* thousands of them; all were tried once */
		print_message("TLS 1.%u: about %ld allocations\n", v + 2, n);
		assert_true(n > 500);
	}
	tls_usage(server.tls, &usage);
	assert_int_equal(usage.sessions, 0);
	assert_int_equal(usage.bytes, 0);
	side_free(&client);
	side_free(&server);
	tls_identity_unref(identity);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nomem), cmocka_unit_test(test_openssl_nomem) };

	if (!CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free))
		return 1;
	return cmocka_run_group_tests_name("tls/nomem", tests, set_up, tear_down);
}
