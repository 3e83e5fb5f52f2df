/* SPDX-License-Identifier: Apache-2.0 */
/* Against OpenSSL as others use it: its own client and server, over memory. And against one that misbehaves. */
#include <openssl/err.h>

#include "bed.h"

static struct made ca, cert, client_cert;
static struct tls_identity *identity;
static struct side side;
static SSL_CTX *client_ctx, *server_ctx;
static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };

static int set_up(void **state)
{
	bed_folder_new(state);
	made_new(&ca, "ca", &(struct wish){ .cn = "Test CA", .ca = true }, NULL);
	made_new(&cert, "server", &(struct wish){ .cn = "server", .san = "DNS:a.example", .rsa = true }, &ca);
	made_new(&client_cert, "client", &(struct wish){ .cn = "client", .san = "DNS:c.example" }, &ca);
	identity = made_identity(&cert);
	side_new(&side, NULL, NULL);
	set_server(&side, identity);
	set_peer(&side, 1, &ca, "a.example");
	client_ctx = SSL_CTX_new(TLS_client_method());
	server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(server_ctx, cert.x);
	SSL_CTX_use_PrivateKey(server_ctx, cert.key);
	SSL_CTX_load_verify_file(client_ctx, ca.chain_file);
	SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_id_context(server_ctx, (const uint8_t *)"them", 4);
	return 0;
}

static int tear_down(void **state)
{
	SSL_CTX_free(client_ctx);
	SSL_CTX_free(server_ctx);
	side_free(&side);
	tls_identity_unref(identity);
	made_free(&ca);
	made_free(&cert);
	made_free(&client_cert);
	return bed_folder_free(state);
}

/* One of ours and one of theirs. */
struct talk {
	struct end us;
	SSL *them;
	BIO *to_them, *from_them;
};

static void talk_new(struct talk *k, bool we_serve, enum tls_version newest)
{
	const struct ip_port remote = { { { 192, 0, 2, 9 }, IP_V4 }, we_serve ? 40000 : 5061 };

	memset(k, 0, sizeof(*k));
	k->us.side = &side;
	k->us.out_room = 1 << 20;
	k->us.out = malloc(k->us.out_room);
	k->us.take = UINT32_MAX;
	k->them = SSL_new(we_serve ? client_ctx : server_ctx);
	k->to_them = BIO_new(BIO_s_mem());
	k->from_them = BIO_new(BIO_s_mem());
	SSL_set_bio(k->them, k->to_them, k->from_them);
	SSL_set_max_proto_version(k->them, (int)newest);
	offer(&side, newest);
	if (we_serve) {
		SSL_set_connect_state(k->them);
		SSL_set_tlsext_host_name(k->them, "a.example");
		assert_int_equal(tls_accept(side.tls, 0, &remote, &k->us, &k->us.s), 0);
	} else {
		SSL_set_accept_state(k->them);
		assert_int_equal(tls_connect(side.tls, 1, &remote, &k->us, &k->us.s), 0);
	}
}

static void talk_free(struct talk *k)
{
	end_free(&k->us);
	SSL_free(k->them);
	ERR_clear_error();
}

/* At most `most` bytes of theirs to us; 0: all. */
static uint32_t from_them(struct talk *k, uint32_t most)
{
	uint8_t *bytes;
	char *waiting;
	uint32_t n = (uint32_t)BIO_get_mem_data(k->from_them, &waiting), taken;

	n = most && most < n ? most : n;
	if (!n)
		return 0;
	bytes = malloc(n);
	memcpy(bytes, waiting, n);
	taken = tls_input(side.tls, k->us.s, span_of(bytes, n));
	assert_int_equal(BIO_read(k->from_them, bytes, (int)taken), taken);
	free(bytes);
	return taken;
}

static bool to_them(struct talk *k)
{
	uint32_t n = k->us.out_n;

	if (!n)
		return false;
	BIO_write(k->to_them, k->us.out, (int)n);
	k->us.out_n = 0;
	if (k->us.full) {
		k->us.full = false;
		tls_writable(side.tls, k->us.s);
	}
	return true;
}

/* Until nothing moves; what they read is left in text. */
static void talk_run(struct talk *k, char *text, size_t room)
{
	size_t at = 0, n;
	bool moved;

	do {
		moved = tls_advance(side.tls, bed_now_us) > 0;
		moved |= to_them(k);
		if (!SSL_is_init_finished(k->them))
			SSL_do_handshake(k->them);
		while (SSL_is_init_finished(k->them) && at < room && SSL_read_ex(k->them, text + at, room - at, &n))
			at += n;
		ERR_clear_error();
		moved |= from_them(k, 0) > 0;
	} while (moved);
	if (at < room)
		text[at] = '\0';
}

static void test_both_ways(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		bool we_serve = i / 2;
		char text[64], large[40000];
		struct talk k;

		talk_new(&k, we_serve, versions[i % 2]);
		talk_run(&k, text, sizeof(text));
		assert_true(SSL_is_init_finished(k.them));
		assert_int_equal(k.us.opened, 1);
		assert_int_equal(k.us.what.version, versions[i % 2]);
		assert_int_equal(SSL_version(k.them), versions[i % 2]);
		assert_int_equal(tls_send(side.tls, k.us.s, SPAN_LIT("from us")), 7);
		assert_int_equal(SSL_write(k.them, "from them", 9), 9);
		talk_run(&k, text, sizeof(text));
		assert_string_equal(text, "from us");
		assert_true(end_got(&k.us, "from them", 9));
		memset(large, 'x', sizeof(large));
		assert_int_equal(SSL_write(k.them, large, sizeof(large)), sizeof(large));
		while (from_them(&k, 997))
			;
		assert_true(end_got(&k.us, large, sizeof(large)));
		/* They close: so do we, and they see it. */
		assert_int_equal(SSL_shutdown(k.them), 0);
		talk_run(&k, text, sizeof(text));
		assert_int_equal(k.us.why, TLS_END_CLOSED);
		talk_free(&k);

		talk_new(&k, we_serve, versions[i % 2]);
		talk_run(&k, text, sizeof(text));
		tls_close(side.tls, k.us.s);
		talk_run(&k, text, sizeof(text));
		assert_int_equal(SSL_get_shutdown(k.them), SSL_RECEIVED_SHUTDOWN);
		talk_free(&k);
	}
}

/* RFC 5746: nobody negotiates anew in the midst of a session of TLS 1.2, and the session goes on. */
static void test_renegotiation(void **state)
{
	char text[64];
	struct talk k;

	for (unsigned i = 0; i < 2; i++) {
		talk_new(&k, i, TLS_1_2);
		talk_run(&k, text, sizeof(text));
		assert_int_equal(SSL_renegotiate(k.them), 1);
		SSL_do_handshake(k.them);
		ERR_clear_error();
		from_them(&k, 0);
		to_them(&k);
		assert_int_equal(k.us.closed, 0);
		if (i) /* the client hears of it: "no renegotiation", which ends it for OpenSSL's */
			assert_true(SSL_do_handshake(k.them) <= 0 && ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION);
		ERR_clear_error();
		assert_int_equal(tls_send(side.tls, k.us.s, SPAN_LIT("on")), 2);
		talk_free(&k);
	}
}

static void test_key_updates(void **state)
{
	char text[64];
	struct talk k;

	for (unsigned i = 0; i < 2; i++) {
		talk_new(&k, i, TLS_1_3);
		talk_run(&k, text, sizeof(text));
		for (unsigned j = 0; j < 10; j++) {
			assert_int_equal(SSL_key_update(k.them, j % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
			assert_int_equal(SSL_write(k.them, "new key", 7), 7);
			talk_run(&k, text, sizeof(text));
			assert_true(end_got(&k.us, "new key", 7));
			assert_int_equal(tls_send(side.tls, k.us.s, SPAN_LIT("seen")), 4);
			talk_run(&k, text, sizeof(text));
			assert_string_equal(text, "seen");
		}
		talk_free(&k);
	}
}

/* Who asks for new keys without end and reads nothing makes us hold so much, and no more. */
static void test_key_update_flood(void **state)
{
	struct tls_usage usage;
	char text[64];
	struct talk k;
	unsigned n;

	talk_new(&k, true, TLS_1_3);
	talk_run(&k, text, sizeof(text));
	k.us.out_room = 0;
	for (n = 0; !k.us.closed; n++) {
		assert_true(n < 100000);
		SSL_key_update(k.them, SSL_KEY_UPDATE_REQUESTED);
		SSL_write(k.them, "x", 1);
		from_them(&k, 0);
		tls_usage(side.tls, &usage);
		assert_true(usage.bytes <= 64 << 10);
	}
	print_message("%u updates, then: %s\n", n, k.us.text);
	assert_int_equal(k.us.why, TLS_END_PROTOCOL);
	talk_free(&k);
}

/* A message of theirs about the session that comes in two records: between them nothing can be sent, and afterwards it is. Their ticket is
 * that long where it has our certificate in it. */
static void test_held_up(void **state)
{
	struct tls_peer_source source = { .name = "a.example", .ca = ca.chain_file, .verify = true, .identity = made_identity(&client_cert) };
	char error[TLS_ERROR_BYTES], text[64];
	struct talk k;
	uint32_t first;
	char *waiting;

	assert_int_equal(tls_store_set_peer(side.store, 1, &source, error), 0);
	tls_identity_unref(source.identity);
	SSL_CTX_set_max_send_fragment(server_ctx, 512);
	SSL_CTX_load_verify_file(server_ctx, ca.chain_file);
	SSL_CTX_set_verify(server_ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_num_tickets(server_ctx, 1);
	talk_new(&k, false, TLS_1_3);
	while (!k.us.opened) {
		tls_advance(side.tls, bed_now_us);
		from_them(&k, 0);
		if (k.us.opened)
			break;
		to_them(&k);
		SSL_do_handshake(k.them);
	}
	to_them(&k);
	assert_int_equal(SSL_do_handshake(k.them), 1);
	BIO_get_mem_data(k.from_them, &waiting);
	first = 5 + ((uint32_t)(uint8_t)waiting[3] << 8 | (uint8_t)waiting[4]);
	assert_true(BIO_get_mem_data(k.from_them, &waiting) > first);
	assert_int_equal(from_them(&k, first), first);
	assert_int_equal(tls_send(side.tls, k.us.s, SPAN_LIT("too early")), 0);
	assert_int_equal(k.us.closed, 0);
	assert_int_equal(k.us.writable, 0);
	talk_run(&k, text, sizeof(text));
	assert_int_equal(k.us.writable, 1);
	assert_int_equal(tls_send(side.tls, k.us.s, SPAN_LIT("now")), 3);
	talk_run(&k, text, sizeof(text));
	assert_string_equal(text, "now");
	talk_free(&k);
	SSL_CTX_set_max_send_fragment(server_ctx, 16384);
	SSL_CTX_set_verify(server_ctx, SSL_VERIFY_NONE, NULL);
	set_peer(&side, 1, &ca, "a.example");
}

/* A session of theirs, resumed by us who serve; no early data are promised. */
static void test_their_resumption(void **state)
{
	for (unsigned v = 0; v < 2; v++) {
		SSL_SESSION *session;
		char text[64];
		struct talk k;

		talk_new(&k, true, versions[v]);
		talk_run(&k, text, sizeof(text));
		session = SSL_get1_session(k.them);
		assert_true(SSL_SESSION_is_resumable(session));
		assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
		SSL_set_shutdown(k.them, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		talk_free(&k);
		talk_new(&k, true, versions[v]);
		SSL_set_session(k.them, session);
		talk_run(&k, text, sizeof(text));
		assert_int_equal(k.us.opened, 1);
		assert_true(k.us.what.resumed);
		assert_true(SSL_session_reused(k.them));
		talk_free(&k);
		SSL_SESSION_free(session);
	}
}

/* What a server agrees to, from what clients ask for alone. */
static void test_weak_clients(void **state)
{
	static const struct {
		const char *what, *ciphers;
		int version;
		bool agreed;
	} cases[] = {
		{ "AES-GCM", "ECDHE-RSA-AES128-GCM-SHA256", TLS1_2_VERSION, true },
		{ "ChaCha20", "ECDHE-RSA-CHACHA20-POLY1305", TLS1_2_VERSION, true },
		{ "CBC", "ECDHE-RSA-AES128-SHA256", TLS1_2_VERSION, false },
		{ "no forward secrecy", "AES128-GCM-SHA256", TLS1_2_VERSION, false },
		{ "no encryption", "eNULL:@SECLEVEL=0", TLS1_2_VERSION, false },
		{ "nobody's certificate", "aNULL:@SECLEVEL=0", TLS1_2_VERSION, false },
		{ "TLS 1.1", "ALL:@SECLEVEL=0", TLS1_1_VERSION, false },
		{ "TLS 1.0", "ALL:@SECLEVEL=0", TLS1_VERSION, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];
		struct talk k;

		print_message("%s\n", cases[i].what);
		talk_new(&k, true, TLS_1_2);
		SSL_set_min_proto_version(k.them, cases[i].version);
		SSL_set_max_proto_version(k.them, cases[i].version);
		assert_true(SSL_set_cipher_list(k.them, cases[i].ciphers));
		talk_run(&k, text, sizeof(text));
		assert_int_equal(k.us.opened, cases[i].agreed);
		if (!cases[i].agreed)
			assert_int_equal(k.us.why, TLS_END_PROTOCOL);
		talk_free(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_renegotiation), cmocka_unit_test(test_key_updates),
		cmocka_unit_test(test_key_update_flood), cmocka_unit_test(test_held_up), cmocka_unit_test(test_their_resumption),
		cmocka_unit_test(test_weak_clients),
	};

	return cmocka_run_group_tests_name("tls/openssl", tests, set_up, tear_down);
}
