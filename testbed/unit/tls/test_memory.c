/* SPDX-License-Identifier: Apache-2.0 */
/* What a session takes while it is idle: of OpenSSL's, and of ours. */
#include <malloc.h>

#include "bed.h"
#include "tls/session.h"

#define SESSIONS 60

static size_t in_use; /* OpenSSL's, with malloc's own rounding */

static void *counted_malloc(size_t n, const char *file, int line)
{
	void *p = n ? malloc(n) : NULL;

	in_use += malloc_usable_size(p);
	return p;
}

static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
	in_use -= malloc_usable_size(p);
	if (!n) {
		free(p);
		return NULL;
	}
	p = realloc(p, n);
	in_use += malloc_usable_size(p);
	return p;
}

static void counted_free(void *p, const char *file, int line)
{
	in_use -= malloc_usable_size(p);
	free(p);
}

static struct made ca, between, cert, client_cert;
static struct tls_identity *identity, *client_identity;
static struct side client, server;

static void many(struct tls_config *c)
{
	c->sessions = SESSIONS + 1;
	c->tickets = 0; /* whole handshakes */
}

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true, .rsa = true }, NULL);
	made_new(&between, "between", &(struct wish){ .cn = "Between CA", .ca = true, .rsa = true }, &ca);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:a.example", .rsa = true }, &between);
	made_new(&client_cert, "client", &(struct wish){ .cn = "client", .san = "DNS:c.example", .rsa = true }, &between);
	identity = made_identity(&cert);
	client_identity = made_identity(&client_cert);
	side_new(&client, NULL, many);
	side_new(&server, NULL, many);
	return 0;
}

static int tear_down(void **state)
{
	side_free(&client);
	side_free(&server);
	tls_identity_unref(identity);
	tls_identity_unref(client_identity);
	made_free(&ca);
	made_free(&between);
	made_free(&cert);
	made_free(&client_cert);
	return bed_folder_free(state);
}

/* Opens a session, and lets a message go each way. Frees the end that is not asked for; `keep` stays. */
static void open_one(struct pair *p, bool keep_server)
{
	pair_new(p, &client, &server);
	pair_open(p, 1);
	pair_run(p);
	assert_int_equal(p->client.opened, 1);
	assert_int_equal(p->server.opened, 1);
	tls_send(client.tls, p->client.s, SPAN_LIT("OPTIONS sip:a.example SIP/2.0\r\n\r\n"));
	tls_send(server.tls, p->server.s, SPAN_LIT("SIP/2.0 200 OK\r\n\r\n"));
	pair_run(p);
	assert_true(p->client.got_n && p->server.got_n);
	end_free(keep_server ? &p->client : &p->server);
}

static void test_idle(void **state)
{
	static const struct {
		const char *what;
		enum tls_version version;
		bool of_server, client_certificate;
	} cases[] = {
		{ "TLS 1.2, accepted", TLS_1_2, true, false },
		{ "TLS 1.3, accepted", TLS_1_3, true, false },
		{ "TLS 1.2, accepted with a client's chain of two certificates", TLS_1_2, true, true },
		{ "TLS 1.3, accepted with a client's chain of two certificates", TLS_1_3, true, true },
		{ "TLS 1.2, opened by us", TLS_1_2, false, false },
		{ "TLS 1.3, opened by us", TLS_1_3, false, false },
	};
	static struct pair pairs[SESSIONS];

	for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
		struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1 };
		struct tls_peer_source peer = { .name = "a.example", .verify = true, .ca = ca.chain_file, .identity = client_identity };
		char error[TLS_ERROR_BYTES] = "";
		struct tls_usage usage;
		size_t before, each;

		if (cases[c].client_certificate) {
			source.client_certificates = TLS_CLIENT_REQUIRED;
			source.client_ca = ca.chain_file;
		}
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		assert_int_equal(tls_store_set_peer(client.store, 1, &peer, error), 0);
		epoch_reclaim(server.epoch);
		epoch_reclaim(client.epoch);
		offer(&client, cases[c].version);
		open_one(&pairs[0], cases[c].of_server); /* what is taken once */
		before = in_use;
		for (unsigned i = 1; i < SESSIONS; i++)
			open_one(&pairs[i], cases[c].of_server);
		each = (in_use - before) / (SESSIONS - 1);
		print_message("%s: %zu bytes of OpenSSL's, %zu of ours\n", cases[c].what, each, sizeof(struct tls_session));
		/* The bound is for both together, and leaves room for another OpenSSL. */
		assert_true(each + sizeof(struct tls_session) < 25 << 10);
		assert_true(each < (cases[c].client_certificate || !cases[c].of_server ? 21 : 16) << 10); /* their leaf stays */
		assert_true(sizeof(struct tls_session) <= 320);
		tls_usage(cases[c].of_server ? server.tls : client.tls, &usage);
		assert_int_equal(usage.sessions, SESSIONS);
		assert_int_equal(usage.bytes, 0);
		for (unsigned i = 0; i < SESSIONS; i++)
			pair_free(&pairs[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_idle) };

	if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests_name("tls/memory", tests, set_up, tear_down);
}
