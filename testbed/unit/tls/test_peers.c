/* SPDX-License-Identifier: Apache-2.0 */
/* Whom we connect to: verified by CA, dates, usage and name, and told of. */
#include "bed.h"

static struct made ca, old_ca, usage_ca;
static struct side client, server;

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&old_ca, "old-ca", &(struct wish){ .cn = "Old CA", .ca = true, .from_days = -90, .days = 60 }, NULL);
	made_new(&usage_ca, "usage-ca", &(struct wish){ .cn = "Mail CA", .ca = true, .usage = "emailProtection" }, &ca);
	side_new(&client, NULL, NULL);
	side_new(&server, NULL, NULL);
	return 0;
}

static int tear_down(void **state)
{
	side_free(&client);
	side_free(&server);
	made_free(&ca);
	made_free(&old_ca);
	made_free(&usage_ca);
	return bed_folder_free(state);
}

#define SIP_DOMAIN "1.3.6.1.5.5.7.3.20"

static void test_verification(void **state)
{
	static const struct {
		const char *what;
		struct wish wish;
		const struct made *issuer, *believes; /* NULL: itself; the CA of the test */
		const char *name; /* NULL: any */
		bool wildcard;
		enum tls_end why; /* TLS_END_CLOSED: all is well */
		const char *text; /* how it begins; where all is well: the names */
	} cases[] = {
		{ "a good one", { .san = "DNS:a.example" }, &ca, &ca, "a.example", false, TLS_END_CLOSED, "a.example" },
		{ "any name, if none is wanted", { .san = "DNS:b.example" }, &ca, &ca, NULL, false, TLS_END_CLOSED, "b.example" },
		{ "for somebody else", { .san = "DNS:b.example,DNS:c.example" }, &ca, &ca, "a.example", false, TLS_END_NAME,
		  "certificate is for b.example, c.example, not a.example" },
		{ "whose common name alone is right", { .cn = "a.example" }, &ca, &ca, "a.example", false, TLS_END_NAME,
		  "certificate is for no SIP domain, not a.example" },
		{ "a URI before a DNS name", { .san = "DNS:a.example,URI:sip:b.example" }, &ca, &ca, "a.example", false, TLS_END_NAME,
		  "certificate is for b.example, not a.example" },
		{ "a wildcard, refused", { .san = "DNS:*.example.net" }, &ca, &ca, "a.example.net", false, TLS_END_NAME,
		  "certificate is for *.example.net, not a.example.net" },
		{ "a wildcard, allowed", { .san = "DNS:*.example.net" }, &ca, &ca, "a.example.net", true, TLS_END_CLOSED, "*.example.net" },
		{ "an address", { .san = "IP:192.0.2.2" }, &ca, &ca, "192.0.2.2", false, TLS_END_CLOSED, "" },
		{ "another", { .san = "IP:192.0.2.3,DNS:a.example" }, &ca, &ca, "192.0.2.2", false, TLS_END_NAME,
		  "certificate is for 192.0.2.3, a.example, not 192.0.2.2" },
		{ "expired", { .san = "DNS:a.example", .from_days = -40, .days = 30 }, &ca, &ca, "a.example", false, TLS_END_EXPIRED, "certificate expired 20" },
		{ "not yet valid", { .san = "DNS:a.example", .from_days = 2 }, &ca, &ca, "a.example", false, TLS_END_NOT_YET_VALID,
		  "certificate is not valid before 20" },
		{ "of an unknown CA", { .san = "DNS:a.example" }, &old_ca, &ca, "a.example", false, TLS_END_UNTRUSTED,
		  "certificate is not vouched for by a known CA: issuer CN=Old CA" },
		{ "of a CA that has expired", { .san = "DNS:a.example" }, &old_ca, &old_ca, "a.example", false, TLS_END_EXPIRED,
		  "certificate of its CA expired 20" },
		{ "by itself, unknown", { .san = "DNS:a.example" }, NULL, &ca, "a.example", false, TLS_END_UNTRUSTED, "certificate is not vouched for" },
		{ "by itself, and that is what is believed", { .san = "DNS:a.example" }, NULL, NULL, "a.example", false, TLS_END_CLOSED, "a.example" },
		{ "for servers", { .san = "DNS:a.example", .usage = "serverAuth" }, &ca, &ca, "a.example", false, TLS_END_CLOSED, "a.example" },
		{ "for SIP domains (RFC 5924)", { .san = "DNS:a.example", .usage = SIP_DOMAIN }, &ca, &ca, "a.example", false, TLS_END_CLOSED, "a.example" },
		{ "for anything", { .san = "DNS:a.example", .usage = "anyExtendedKeyUsage" }, &ca, &ca, "a.example", false, TLS_END_CLOSED, "a.example" },
		{ "for clients only", { .san = "DNS:a.example", .usage = "clientAuth" }, &ca, &ca, "a.example", false, TLS_END_PURPOSE,
		  "certificate is not for SIP" },
		{ "for mail", { .san = "DNS:a.example", .usage = "emailProtection" }, &ca, &ca, "a.example", false, TLS_END_PURPOSE, "certificate is not for SIP" },
		{ "of a CA for mail below a good one", { .san = "DNS:a.example" }, &usage_ca, &ca, "a.example", false, TLS_END_PURPOSE,
		  "certificate is not for SIP" },
		{ "of an intermediate that is believed as it is", { .san = "DNS:a.example" }, &usage_ca, &usage_ca, "a.example", false, TLS_END_CLOSED, "a.example" },
	};
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases) * 4; i++) {
		unsigned c = i / 4;
		bool must = i / 2 % 2, good = cases[c].why == TLS_END_CLOSED;
		struct wish wish = cases[c].wish;
		struct tls_peer_source source = { .name = cases[c].name, .allow_wildcard = cases[c].wildcard, .verify = must };
		struct tls_identity *identity;
		char error[TLS_ERROR_BYTES] = "";
		struct tls_seen seen;
		struct made made;
		struct pair p;

		if (i % 4 == 0)
			print_message("%s\n", cases[c].what);
		wish.cn = wish.cn ? wish.cn : "leaf";
		made_new(&made, "leaf", &wish, cases[c].issuer);
		identity = made_identity(&made);
		set_server(&server, identity);
		source.ca = cases[c].believes ? cases[c].believes->chain_file : made.chain_file;
		assert_int_equal(tls_store_set_peer(client.store, 1, &source, error), 0);
		offer(&client, versions[i % 2]);
		pair_new(&p, &client, &server);
		pair_open(&p, 1);
		pair_run(&p);
		assert_true(tls_seen_take(client.tls, &seen));
		assert_false(tls_seen_take(client.tls, &seen));
		assert_int_equal(seen.peer, 1);
		assert_false(seen.accepted);
		assert_int_equal(seen.remote.port, 5061);
		assert_int_equal(seen.verified, good);
		assert_int_equal(seen.refused, !good && must);
		assert_true(seen.certificate.not_after_s > 0);
		if (!good) {
			assert_int_equal(seen.why, cases[c].why);
			assert_memory_equal(seen.text, cases[c].text, strlen(cases[c].text));
		}
		if (!good && must) {
			assert_int_equal(p.client.opened, 0);
			assert_int_equal(p.client.closed, 1);
			assert_int_equal(p.client.why, cases[c].why);
			assert_memory_equal(p.client.text, cases[c].text, strlen(cases[c].text));
			/* The server learns that it was refused. */
			assert_int_equal(p.server.why, TLS_END_REFUSED);
			assert_memory_equal(p.server.text, "they refused: ", 14);
		} else {
			assert_int_equal(p.client.opened, 1);
			assert_int_equal(p.server.opened, 1);
			assert_string_equal(p.client.names, must ? cases[c].text : "");
		}
		pair_free(&p);
		tls_identity_unref(identity);
		made_free(&made);
	}
	offer(&client, TLS_1_3);
}

/* A usage that cannot be read is not one that is not there. */
static void test_damaged_usage(void **state)
{
	ASN1_OCTET_STRING *rubbish = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;
	struct made whole, made;
	struct tls_seen seen;
	struct pair p;
	struct tls_identity *identity;

	made_new(&whole, "leaf", &(struct wish){ .cn = "leaf", .san = "DNS:a.example" }, &ca);
	ASN1_OCTET_STRING_set(rubbish, (const uint8_t *)"\x02\x01\x05", 3);
	extension = X509_EXTENSION_create_by_NID(NULL, NID_ext_key_usage, 0, rubbish);
	assert_true(X509_add_ext(whole.x, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(rubbish);
	made_sign(&made, whole.x, whole.key, "damaged", &ca);
	identity = made_identity(&made);
	set_server(&server, identity);
	set_peer(&client, 1, &ca, "a.example");
	pair_new(&p, &client, &server);
	pair_open(&p, 1);
	pair_run(&p);
	assert_int_equal(p.client.opened, 0);
	print_message("%s\n", p.client.text);
	assert_int_equal(p.client.closed, 1);
	pair_free(&p);
	while (tls_seen_take(client.tls, &seen))
		;
	tls_identity_unref(identity);
	made_free(&made);
}

static void test_server_name(void **state)
{
	static const struct {
		const char *name, *server_name, *sent;
	} cases[] = {
		{ "A.example.", NULL, "a.example" },
		{ "a.example", "Front.Example", "front.example" },
		{ NULL, NULL, "" },
		{ "192.0.2.2", NULL, "" },
		{ NULL, "b.example", "b.example" },
	};
	struct tls_identity *identity;
	struct made made;

	made_new(&made, "leaf", &(struct wish){ .cn = "leaf", .san = "DNS:a.example,IP:192.0.2.2" }, &ca);
	identity = made_identity(&made);
	set_server(&server, identity);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_peer_source source = { .name = cases[i].name, .server_name = cases[i].server_name, .verify = true, .ca = ca.chain_file };
		char error[TLS_ERROR_BYTES] = "";
		struct tls_seen seen;
		struct pair p;

		assert_int_equal(tls_store_set_peer(client.store, 1, &source, error), 0);
		pair_new(&p, &client, &server);
		pair_open(&p, 1);
		pair_run(&p);
		assert_int_equal(p.server.opened, 1);
		assert_string_equal(p.server.server_name, cases[i].sent);
		pair_free(&p);
		while (tls_seen_take(client.tls, &seen))
			;
	}
	tls_identity_unref(identity);
	made_free(&made);
}

static void test_minimum(void **state)
{
	static const struct {
		enum tls_version peer, server, offered, agreed; /* agreed 0: none */
	} cases[] = {
		{ 0, 0, TLS_1_3, TLS_1_3 },	    { 0, 0, TLS_1_2, TLS_1_2 },	      { TLS_1_3, 0, TLS_1_3, TLS_1_3 },
		{ 0, TLS_1_3, TLS_1_3, TLS_1_3 },   { 0, TLS_1_3, TLS_1_2, 0 },	      { TLS_1_3, 0, TLS_1_2, 0 },
	};
	struct tls_identity *identity;
	struct made made;

	made_new(&made, "leaf", &(struct wish){ .cn = "leaf", .san = "DNS:a.example" }, &ca);
	identity = made_identity(&made);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_peer_source peer = { .name = "a.example", .verify = true, .ca = ca.chain_file, .minimum = cases[i].peer };
		struct tls_server_source source = { .name = "default", .identities = &identity, .identity_count = 1, .minimum = cases[i].server };
		char error[TLS_ERROR_BYTES] = "";
		struct tls_seen seen;
		struct pair p;

		offer(&client, cases[i].offered);
		assert_int_equal(tls_store_set_peer(client.store, 1, &peer, error), 0);
		assert_int_equal(tls_store_set_server(server.store, 0, &source, error), 0);
		pair_new(&p, &client, &server);
		pair_open(&p, 1);
		pair_run(&p);
		assert_int_equal(p.client.opened, cases[i].agreed != 0);
		if (cases[i].agreed) {
			assert_int_equal(p.client.what.version, cases[i].agreed);
		} else {
			print_message("client: %s; server: %s\n", p.client.text, p.server.text);
			assert_int_equal(p.client.closed, 1);
		}
		pair_free(&p);
		while (tls_seen_take(client.tls, &seen))
			;
	}
	offer(&client, TLS_1_3);
	tls_identity_unref(identity);
	made_free(&made);
}

/* Nobody takes them: the oldest are kept, and it is counted how many were lost. */
static void test_seen_bound(void **state)
{
	struct tls_identity *identity;
	struct tls_seen seen;
	struct made made;
	unsigned n = 0;

	made_new(&made, "leaf", &(struct wish){ .cn = "leaf", .san = "DNS:b.example" }, &ca);
	identity = made_identity(&made);
	set_server(&server, identity);
	set_peer(&client, 1, &ca, "a.example");
	for (unsigned i = 0; i < 300; i++) {
		struct pair p;

		pair_new(&p, &client, &server);
		pair_open(&p, 1);
		pair_run(&p);
		assert_int_equal(p.client.why, TLS_END_NAME);
		pair_free(&p);
	}
	while (tls_seen_take(client.tls, &seen))
		n++;
	assert_int_equal(n, 256);
	assert_int_equal(count_of(&client, COUNTER_tls_seen_lost), 44);
	tls_identity_unref(identity);
	made_free(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verification),
		cmocka_unit_test(test_damaged_usage),
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_minimum),
		cmocka_unit_test(test_seen_bound),
	};

	return cmocka_run_group_tests_name("tls/peers", tests, set_up, tear_down);
}
