/* SPDX-License-Identifier: Apache-2.0 */
/* What a server presents and asks for: certificates by name, certificates of clients, swaps; and what it refuses to be made of. */
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "bed.h"
#include "tls/store.h"

static struct made ca, foreign_ca, between, rsa_a, ec_a, ec_b, ec_wild, by_between;
static struct made client_good, client_foreign, client_expired, client_early, client_server_usage, client_bad_usage;
static struct tls_identity *id_a_rsa, *id_a_ec, *id_b, *id_wild, *id_between;
static struct side client, server;

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&foreign_ca, "foreign", &(struct wish){ .cn = "Foreign CA", .ca = true }, NULL);
	made_new(&between, "between", &(struct wish){ .cn = "Between CA", .ca = true }, &ca);
	made_new(&rsa_a, "a-rsa", &(struct wish){ .cn = "a", .san = "DNS:a.example", .rsa = true }, &ca);
	made_new(&ec_a, "a-ec", &(struct wish){ .cn = "a", .san = "DNS:A.example" }, &ca);
	made_new(&ec_b, "b", &(struct wish){ .cn = "b", .san = "URI:sip:b.example,DNS:b2.example" }, &ca);
	made_new(&ec_wild, "wild", &(struct wish){ .cn = "wild", .san = "DNS:*.wild.example" }, &ca);
	made_new(&by_between, "by-between", &(struct wish){ .cn = "deep", .san = "DNS:deep.example" }, &between);
	made_new(&client_good, "c-good", &(struct wish){ .cn = "client", .san = "URI:sip:client.example,DNS:other.example", .usage = "clientAuth" }, &ca);
	made_new(&client_foreign, "c-foreign", &(struct wish){ .cn = "client", .san = "DNS:client.example" }, &foreign_ca);
	made_new(&client_expired, "c-expired", &(struct wish){ .cn = "client", .san = "DNS:client.example", .from_days = -40 }, &ca);
	made_new(&client_early, "c-early", &(struct wish){ .cn = "client", .san = "DNS:client.example", .from_days = 2 }, &ca);
	made_new(&client_server_usage, "c-server", &(struct wish){ .cn = "client", .san = "DNS:client.example", .usage = "serverAuth" }, &ca);
	made_new(&client_bad_usage, "c-bad", &(struct wish){ .cn = "client", .san = "DNS:client.example", .usage = "codeSigning" }, &ca);
	id_a_rsa = made_identity(&rsa_a);
	id_a_ec = made_identity(&ec_a);
	id_b = made_identity(&ec_b);
	id_wild = made_identity(&ec_wild);
	id_between = made_identity(&by_between);
	side_new(&client, NULL, NULL);
	side_new(&server, NULL, NULL);
	return 0;
}

static int tear_down(void **state)
{
	struct made *made[] = { &ca, &foreign_ca, &between, &rsa_a, &ec_a, &ec_b, &ec_wild, &by_between, &client_good, &client_foreign, &client_expired,
				&client_early, &client_server_usage, &client_bad_usage };
	struct tls_identity *ids[] = { id_a_rsa, id_a_ec, id_b, id_wild, id_between };

	side_free(&client);
	side_free(&server);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		tls_identity_unref(ids[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(made); i++)
		made_free(made[i]);
	return bed_folder_free(state);
}

/* Looks at what a server shows to who names server_name (NULL: nobody). The leaf as it was shown. */
static struct tls_seen ask(const char *server_name, struct pair *p)
{
	struct tls_peer_source source = { .server_name = server_name };
	struct tls_seen seen = { .peer = 0 };
	char error[TLS_ERROR_BYTES];
	static uint32_t id = 1000;

	id++; /* nobody is resumed */
	assert_int_equal(tls_store_set_peer(client.store, id, &source, error), 0);
	pair_new(p, &client, &server);
	pair_open(p, id);
	pair_run(p);
	assert_int_equal(p->server.opened, 1);
	assert_true(tls_seen_take(client.tls, &seen));
	assert_int_equal(seen.peer, id);
	tls_store_remove_peer(client.store, id);
	return seen;
}

static void test_names(void **state)
{
	struct tls_identity *const identities[] = { id_b, id_a_rsa, id_a_ec, id_wild };
	const struct tls_server_source source = { .name = "default", .identities = identities, .identity_count = 4, .default_identity = 0 };
	static const struct {
		const char *what, *server_name, *names, *key;
	} cases[] = {
		{ "the very name: of two kinds of key the one that the client likes better", "a.example", "A.example", "EC 256" },
		{ "in another case", "A.EXAMPLE", "A.example", "EC 256" },
		{ "a DNS name beside a URI is chosen by too", "b2.example", "sip:b.example, b2.example", "EC 256" },
		{ "the host of a URI", "b.example", "sip:b.example, b2.example", "EC 256" },
		{ "a wildcard of ours", "x.wild.example", "*.wild.example", "EC 256" },
		{ "which stands for one label", "y.x.wild.example", "sip:b.example, b2.example", "EC 256" },
		{ "an unknown name gets the default", "c.example", "sip:b.example, b2.example", "EC 256" },
		{ "as who names nobody", NULL, "sip:b.example, b2.example", "EC 256" },
	};
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	char error[TLS_ERROR_BYTES];
	struct pair p;

	assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct tls_seen seen;

		offer(&client, versions[i % 2]);
		print_message("%s\n", cases[i / 2].what);
		seen = ask(cases[i / 2].server_name, &p);
		assert_string_equal(seen.certificate.names, cases[i / 2].names);
		assert_string_equal(seen.certificate.key, cases[i / 2].key);
		pair_free(&p);
	}
	/* A client that knows but RSA. */
	SSL_CTX_set1_sigalgs_list(client.store->client, "RSA-PSS+SHA256:RSA+SHA256");
	for (unsigned i = 0; i < 2; i++) {
		offer(&client, versions[i]);
		assert_string_equal(ask("a.example", &p).certificate.key, "RSA 2048");
		pair_free(&p);
	}
	SSL_CTX_set1_sigalgs_list(client.store->client, "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256");
}

/* The certificates between ours and the root are sent along. */
static void test_chain(void **state)
{
	struct pair p;

	set_server(&server, id_between);
	set_peer(&client, 1, &ca, "deep.example");
	pair_new(&p, &client, &server);
	pair_open(&p, 1);
	pair_run(&p);
	assert_int_equal(p.client.opened, 1);
	assert_string_equal(p.client.names, "deep.example");
	pair_free(&p);
}

static void server_asks(enum tls_client_certificates mode, const char *path)
{
	const struct tls_server_source source = { .name = "default", .identities = &id_b, .identity_count = 1, .client_certificates = mode, .client_ca = path };
	char error[TLS_ERROR_BYTES] = "";

	if (tls_store_set_server(server.store, 0, &source, error))
		fail_msg("%s", error);
}

/* As whom somebody who came to us with a client's certificate may be met. */
static void expect_peer(const struct pair *p, bool proved)
{
	static const struct {
		uint32_t id;
		struct tls_peer_source source;
		bool would;
	} peers[] = {
		{ 11, { .name = "client.example", .verify = true }, true },
		{ 12, { .name = "other.example", .verify = true }, false },
		{ 13, { .name = "client.example" }, false },		 /* whoever answers would do: that proves nothing */
		{ 14, { .verify = true }, false },			 /* nor does any name */
		{ 15, { .name = "client.example", .verify = true }, false }, /* of another CA */
		{ 16, { .name = "client.example", .verify = true, .ca = "the same" }, true }, /* whose list was read anew */
	};
	char error[TLS_ERROR_BYTES] = "";

	assert_false(tls_is_peer(server.tls, p->server.s, 10));
	for (unsigned i = 0; i < ARRAY_SIZE(peers); i++) {
		struct tls_peer_source source = peers[i].source;

		source.ca = source.ca ? bed_path("copy.pem") : i == 4 ? foreign_ca.chain_file : ca.chain_file;
		if (peers[i].source.ca) {
			FILE *f = fopen(source.ca, "w");

			PEM_write_X509(f, ca.x);
			fclose(f);
		}
		assert_int_equal(tls_store_set_peer(server.store, peers[i].id, &source, error), 0);
		if (tls_is_peer(server.tls, p->server.s, peers[i].id) != (proved && peers[i].would))
			fail_msg("peer %u: %s", peers[i].id, proved && peers[i].would ? "it is not" : "it is");
		tls_store_remove_peer(server.store, peers[i].id);
	}
}

static void test_clients(void **state)
{
	static const struct {
		const char *what;
		const struct made *certificate;
		bool let_in_requested, let_in_required;
		enum tls_end why;
		const char *text; /* how it begins */
	} cases[] = {
		{ "none", NULL, true, false, TLS_END_NO_CERTIFICATE, "no certificate was given" },
		{ "a good one", &client_good, true, true, 0, NULL },
		{ "one for servers, as most have", &client_server_usage, true, true, 0, NULL },
		{ "of somebody else's CA", &client_foreign, false, false, TLS_END_UNTRUSTED, "certificate is not vouched for by a known CA: issuer CN=Foreign CA" },
		{ "expired", &client_expired, false, false, TLS_END_EXPIRED, "certificate expired 20" },
		{ "not yet valid", &client_early, false, false, TLS_END_NOT_YET_VALID, "certificate is not valid before 20" },
		{ "for signing code", &client_bad_usage, false, false, TLS_END_PURPOSE, "certificate is not for SIP" },
	};
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	char error[TLS_ERROR_BYTES] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 6; i++) {
		enum tls_client_certificates mode = (enum tls_client_certificates)(i / 2 % 3);
		struct tls_peer_source peer = { .name = "b.example", .ca = ca.chain_file, .verify = true };
		unsigned c = i / 6;
		bool in = mode == TLS_CLIENT_IGNORED || (mode == TLS_CLIENT_REQUIRED ? cases[c].let_in_required : cases[c].let_in_requested);
		bool asked = mode != TLS_CLIENT_IGNORED && (cases[c].certificate || mode == TLS_CLIENT_REQUIRED);
		struct tls_seen seen;
		struct pair p;

		if (i % 6 == 0)
			print_message("%s\n", cases[c].what);
		offer(&client, versions[i % 2]);
		server_asks(mode, ca.chain_file);
		peer.identity = cases[c].certificate ? made_identity(cases[c].certificate) : NULL;
		assert_int_equal(tls_store_set_peer(client.store, 2, &peer, error), 0);
		tls_identity_unref(peer.identity);
		pair_new(&p, &client, &server);
		pair_open(&p, 2);
		pair_run(&p);
		assert_int_equal(p.server.opened, in);
		assert_int_equal(p.server.closed, !in);
		assert_int_equal(tls_seen_take(server.tls, &seen), asked);
		if (!in) {
			assert_int_equal(p.server.why, cases[c].why);
			assert_memory_equal(p.server.text, cases[c].text, strlen(cases[c].text));
			assert_string_equal(seen.text, p.server.text);
			assert_int_equal(seen.why, cases[c].why);
			assert_true(seen.refused && !seen.verified);
			/* The client is told; in TLS 1.3 only after it thinks that all is well. */
			assert_int_equal(p.client.closed, 1);
			assert_int_equal(p.client.why, i % 2 ? TLS_END_ALERT : TLS_END_REFUSED);
		} else if (asked) {
			assert_true(seen.accepted && seen.verified && !seen.refused);
			assert_int_equal(seen.remote.port, 40000);
			assert_string_equal(seen.certificate.subject, "CN=client");
			assert_string_equal(p.server.names, "client.example");
		} else {
			assert_string_equal(p.server.names, "");
		}
		expect_peer(&p, in && asked && cases[c].certificate);
		assert_false(tls_is_peer(client.tls, p.client.s, 2));
		pair_free(&p);
		while (tls_seen_take(client.tls, &seen))
			;
	}
	offer(&client, TLS_1_3);
}

static void test_authorities(void **state)
{
	char error[TLS_ERROR_BYTES] = "";
	char folder[160], file[200];
	struct tls_peer_source peer = { .verify = false };
	struct tls_seen seen;
	struct pair p;
	FILE *f;

	/* A directory of them, in which other things lie too. */
	snprintf(folder, sizeof(folder), "%s", bed_path("cas"));
	mkdir(folder, 0700);
	snprintf(file, sizeof(file), "%s/README", folder);
	bed_write(file, "nothing\n");
	peer.identity = made_identity(&client_good);
	assert_int_equal(tls_store_set_peer(client.store, 3, &peer, error), 0);
	tls_identity_unref(peer.identity);
	for (unsigned i = 0; i < 2; i++) {
		const struct made *which = i ? &ca : &foreign_ca;

		snprintf(file, sizeof(file), "%s/ca%u.pem", folder, i);
		f = fopen(file, "w");
		PEM_write_X509(f, which->x);
		fclose(f);
		/* It is read again for it has changed. */
		server_asks(TLS_CLIENT_REQUIRED, folder);
		pair_new(&p, &client, &server);
		pair_open(&p, 3);
		pair_run(&p);
		assert_int_equal(p.server.opened, i);
		pair_free(&p);
	}
	/* With a list of those that are revoked. */
	snprintf(file, sizeof(file), "%s", bed_path("revoked.pem"));
	made_revoke(&client_good, &ca, file);
	server_asks(TLS_CLIENT_REQUIRED, file);
	pair_new(&p, &client, &server);
	pair_open(&p, 3);
	pair_run(&p);
	assert_int_equal(p.server.why, TLS_END_REVOKED);
	assert_string_equal(p.server.text, "certificate is revoked");
	pair_free(&p);
	while (tls_seen_take(server.tls, &seen) || tls_seen_take(client.tls, &seen))
		;
}

/* Sessions live on while what they began with is replaced; new ones get the new; memory does not grow. */
static void test_swaps(void **state)
{
	struct tls_identity *const turns[] = { id_b, id_between };
	struct pair old[4], p;
	size_t before = 0, after;

	set_server(&server, id_b);
	for (unsigned i = 0; i < ARRAY_SIZE(old); i++) {
		struct tls_seen seen = ask(NULL, &old[i]);

		assert_string_equal(seen.certificate.subject, "CN=b");
	}
	for (unsigned i = 0; i < 2000; i++) {
		struct tls_seen seen;

		set_server(&server, turns[i % 2]);
		set_peer(&client, 5, &ca, i % 2 ? "deep.example" : "b.example");
		epoch_reclaim(server.epoch);
		epoch_reclaim(client.epoch);
		if (i % 50 == 0) {
			pair_new(&p, &client, &server);
			pair_open(&p, 5);
			set_server(&server, turns[1]); /* in the midst: it is served what it began with */
			pair_run(&p);
			assert_int_equal(p.client.opened, 1);
			assert_string_equal(p.client.names, "b.example");
			assert_true(tls_seen_take(client.tls, &seen));
			pair_free(&p);
		}
		if (i == 999)
			before = mallinfo2().uordblks;
	}
	epoch_reclaim(server.epoch);
	epoch_reclaim(client.epoch);
	after = mallinfo2().uordblks;
	print_message("in use after 1,000 swaps: %zu bytes, after 2,000: %zu\n", before, after);
	/* The tickets that clients keep fill up meanwhile. */
	assert_true(after < before + 16384);
	for (unsigned i = 0; i < ARRAY_SIZE(old); i++) {
		assert_int_equal(tls_send(client.tls, old[i].client.s, SPAN_LIT("still here")), 10);
		pair_run(&old[i]);
		assert_true(end_got(&old[i].server, "still here", 10));
		pair_free(&old[i]);
	}
}

static void test_no_server(void **state)
{
	const struct ip_port remote = { { { 192, 0, 2, 1 }, IP_V4 }, 1 };
	struct tls_session *s;

	set_server(&server, id_b);
	assert_int_equal(tls_accept(server.tls, 1, &remote, NULL, &s), -ERR_NOT_FOUND);
	assert_int_equal(tls_accept(server.tls, TLS_SERVERS, &remote, NULL, &s), -ERR_NOT_FOUND);
	assert_int_equal(tls_accept(server.tls, 0, &remote, NULL, &s), 0);
	tls_free_session(server.tls, s);
	tls_store_remove_server(server.store, 0);
	assert_int_equal(tls_accept(server.tls, 0, &remote, NULL, &s), -ERR_NOT_FOUND);
	assert_int_equal(tls_connect(client.tls, 999, &remote, NULL, &s), -ERR_NOT_FOUND);
}

/* ---- what is refused */

static void test_pairs_refused(void **state)
{
	char empty[160], rubbish[160], encrypted[160];
	struct made weak;
	const struct {
		const char *what, *chain, *key, *at_fault, *why;
	} cases[] = {
		{ "no such certificate", "/nonexistent.crt", ec_b.key_file, "/nonexistent.crt", "No such file or directory" },
		{ "no such key", ec_b.chain_file, "/nonexistent.key", "/nonexistent.key", "No such file or directory" },
		{ "an empty file", empty, ec_b.key_file, empty, "no certificate in PEM" },
		{ "a damaged one", rubbish, ec_b.key_file, rubbish, NULL },
		{ "a key for a certificate", ec_b.key_file, ec_b.key_file, ec_b.key_file, "no certificate in PEM" },
		{ "a certificate for a key", ec_b.chain_file, ec_b.chain_file, ec_b.chain_file, "no private key in PEM" },
		{ "another's key", ec_b.chain_file, ec_a.key_file, ec_a.key_file, "does not belong to" },
		{ "a key of another kind", ec_b.chain_file, rsa_a.key_file, rsa_a.key_file, "does not belong to" },
		{ "an encrypted key", ec_b.chain_file, encrypted, encrypted, "the key is encrypted" },
		{ "too weak", weak.chain_file, weak.key_file, weak.chain_file, "ee key too small" },
		{ "a directory", "/tmp", ec_b.key_file, "/tmp", NULL },
	};
	FILE *f;

	snprintf(empty, sizeof(empty), "%s", bed_path("empty"));
	snprintf(rubbish, sizeof(rubbish), "%s", bed_path("rubbish"));
	snprintf(encrypted, sizeof(encrypted), "%s", bed_path("encrypted"));
	bed_write(empty, "");
	bed_write(rubbish, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	f = fopen(encrypted, "w");
	PEM_write_PKCS8PrivateKey(f, ec_b.key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
	fclose(f);
	made_new(&weak, "weak", &(struct wish){ .cn = "weak", .rsa = true, .weak = true }, &ca);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_identity *identity = NULL;
		char error[TLS_ERROR_BYTES] = "";

		assert_int_equal(tls_identity_load(cases[i].chain, cases[i].key, &identity, error), -ERR_INVALID);
		print_message("%s: %s\n", cases[i].what, error);
		assert_null(identity);
		assert_memory_equal(error, cases[i].at_fault, strlen(cases[i].at_fault));
		if (cases[i].why)
			assert_non_null(strstr(error, cases[i].why));
	}
	made_free(&weak);
}

static void test_servers_refused(void **state)
{
	char empty[160];
	const struct {
		const char *what;
		struct tls_server_source source;
		const char *why;
	} cases[] = {
		{ "without certificates", { .name = "x", .identities = NULL }, "server x: there is no certificate" },
		{ "a default that is not there", { .name = "x", .identities = &id_b, .identity_count = 1, .default_identity = 1 },
		  "server x: there is no default certificate" },
		{ "unknown ciphers", { .name = "x", .identities = &id_b, .identity_count = 1, .ciphers = "ROT13" }, "ciphers: ROT13: no cipher match" },
		{ "unknown suites", { .name = "x", .identities = &id_b, .identity_count = 1, .ciphersuites = "TLS_ROT13" }, "ciphersuites: TLS_ROT13: no cipher match" },
		{ "clients asked, no CA", { .name = "x", .identities = &id_b, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED },
		  "server x: client certificates cannot be verified without CA certificates" },
		{ "a CA file that is not there", { .name = "x", .identities = &id_b, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED,
		  .client_ca = "/nonexistent" }, "/nonexistent: No such file or directory" },
		{ "an empty one", { .name = "x", .identities = &id_b, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED, .client_ca = empty },
		  NULL },
	};
	static const uint8_t keys[TLS_TICKET_KEYS + 1][TLS_TICKET_KEY_BYTES];
	struct pair p;

	snprintf(empty, sizeof(empty), "%s", bed_path("empty-ca"));
	bed_write(empty, "");
	set_server(&server, id_b);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char error[TLS_ERROR_BYTES] = "";

		assert_int_equal(tls_store_set_server(server.store, 0, &cases[i].source, error), -ERR_INVALID);
		print_message("%s: %s\n", cases[i].what, error);
		if (cases[i].why)
			assert_string_equal(error, cases[i].why);
		else
			assert_memory_equal(error, empty, strlen(empty));
	}
	assert_int_equal(tls_store_set_ticket_keys(server.store, keys, 0), -ERR_INVALID);
	assert_int_equal(tls_store_set_ticket_keys(server.store, keys, 2), -ERR_INVALID);
	assert_int_equal(tls_store_set_ticket_keys(server.store, keys, TLS_TICKET_KEYS + 1), -ERR_INVALID);
	/* What was there is there. */
	assert_string_equal(ask(NULL, &p).certificate.subject, "CN=b");
	pair_free(&p);
}

static void test_peers_refused(void **state)
{
	static const struct {
		const char *what;
		struct tls_peer_source source;
		const char *why;
	} cases[] = {
		{ "no CA", { .name = "a.example", .verify = true }, "nobody can be verified without CA certificates" },
		{ "a CA file that is not there", { .name = "a.example", .verify = true, .ca = "/nonexistent" }, "/nonexistent: No such file or directory" },
		{ "no name", { .name = "a example" }, "a example: neither a domain (in ASCII) nor an address" },
		{ "an address for SNI", { .name = "a.example", .server_name = "192.0.2.1" }, "192.0.2.1: not a domain (in ASCII), which a server name has to be" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char error[TLS_ERROR_BYTES] = "";

		print_message("%s\n", cases[i].what);
		assert_int_equal(tls_store_set_peer(client.store, 9, &cases[i].source, error), -ERR_INVALID);
		assert_string_equal(error, cases[i].why);
	}
}

static void test_certificate(void **state)
{
	const struct tls_certificate *c = tls_identity_certificate(id_b);

	assert_string_equal(c->subject, "CN=b");
	assert_string_equal(c->issuer, "CN=Test CA");
	assert_string_equal(c->names, "sip:b.example, b2.example");
	assert_string_equal(c->key, "EC 256");
	assert_true(c->serial[0]);
	assert_true(c->not_after_s - c->not_before_s == 30 * 86400 + 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_chain),		  cmocka_unit_test(test_clients),
		cmocka_unit_test(test_authorities), cmocka_unit_test(test_swaps),	  cmocka_unit_test(test_no_server),
		cmocka_unit_test(test_pairs_refused), cmocka_unit_test(test_servers_refused), cmocka_unit_test(test_peers_refused),
		cmocka_unit_test(test_certificate),
	};

	return cmocka_run_group_tests_name("tls/servers", tests, set_up, tear_down);
}
