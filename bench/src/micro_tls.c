/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS 1.3 costs, out of one session and into another: a message, and the handshake, of which both ends are done here. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/counters.h"
#include "micro.h"
#include "tables/epoch.h"
#include "tls/tls.h"

struct end {
	struct end *other;
	struct tls_session *s;
	uint8_t out[1 << 16]; /* on its way to the other */
	uint32_t out_n;
	uint64_t got;
	bool opened, resumed;
};

static struct tls_store *store;
static struct tls *engine, *forgetful; /* the second keeps no tickets */
static struct counters counters;
static struct end client, server;   /* of handshakes */
static struct end talker, listener; /* that stand */
static int started;		    /* 1, or -1: it cannot be */

/* ---- handlers */

static uint32_t on_send(void *ctx, void *user, struct span bytes)
{
	struct end *e = user;

	if (bytes.n > sizeof(e->out) - e->out_n)
		return 0;
	memcpy(e->out + e->out_n, bytes.p, bytes.n);
	e->out_n += bytes.n;
	return bytes.n;
}

static uint32_t on_data(void *ctx, void *user, struct span bytes)
{
	((struct end *)user)->got += bytes.n;
	return bytes.n;
}

static void on_opened(void *ctx, void *user, const struct tls_opened *opened)
{
	struct end *e = user;

	e->opened = true;
	e->resumed = opened->resumed;
}

static void on_closed(void *ctx, void *user, enum tls_end why, const char *text)
{
	fprintf(stderr, "tls: %s\n", text);
}

static void nothing(void *ctx, void *user)
{
}

static const struct tls_handlers handlers = {
	.send = on_send, .data = on_data, .opened = on_opened, .writable = nothing, .resume = nothing, .closed = on_closed,
};

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- a certificate by itself, believed */

static bool write_pair(const char *chain_file, const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *chain = fopen(chain_file, "w"), *secret = fopen(key_file, "w");
	bool good = key && x && chain && secret;

	if (good) {
		X509_set_version(x, X509_VERSION_3);
		ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
		X509_gmtime_adj(X509_getm_notBefore(x), -60);
		X509_gmtime_adj(X509_getm_notAfter(x), 86400);
		X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"bench", -1, -1, 0);
		X509_set_issuer_name(x, X509_get_subject_name(x));
		X509_set_pubkey(x, key);
		good = X509_sign(x, key, EVP_sha256()) > 0 && PEM_write_X509(chain, x) && PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL);
	}
	if (chain)
		fclose(chain);
	if (secret)
		fclose(secret);
	X509_free(x);
	EVP_PKEY_free(key);
	return good;
}

static bool fill(const char *chain, const char *key)
{
	struct tls_identity *identity = NULL;
	struct tls_server_source as_server = { .name = "bench", .identities = &identity, .identity_count = 1 };
	struct tls_peer_source as_peer = { .ca = chain, .verify = true };
	char error[TLS_ERROR_BYTES] = "no file can be written";
	bool good = write_pair(chain, key) && !tls_identity_load(chain, key, &identity, error) && !tls_store_set_server(store, 0, &as_server, error) &&
		    !tls_store_set_peer(store, 1, &as_peer, error);

	if (!good)
		fprintf(stderr, "tls: %s\n", error);
	tls_identity_unref(identity);
	return good;
}

static bool engine_new(uint32_t tickets, struct tls **ret_tls)
{
	struct tls_config c = tls_config_default();

	c.store = store;
	c.sessions = c.handshakes = 8;
	c.tickets = tickets;
	c.seen = 1;
	c.handlers = &handlers;
	c.clock_us = clock_us;
	c.counters = &counters;
	return !tls_new(&c, ret_tls);
}

static void move(struct tls *t, struct end *from)
{
	from->out_n -= tls_input(t, from->other->s, span_of(from->out, from->out_n));
}

/* Both ends of a handshake in one engine; both say a word, so that the ticket arrives. */
static bool shake(struct tls *t, struct end *c, struct end *s)
{
	static const struct ip_port a = { { { 192, 0, 2, 1 }, IP_V4 }, 40000 }, b = { { { 192, 0, 2, 2 }, IP_V4 }, 5061 };

	memset(c, 0, offsetof(struct end, out));
	memset(s, 0, offsetof(struct end, out));
	c->other = s;
	s->other = c;
	c->out_n = s->out_n = 0;
	c->opened = s->opened = false;
	if (tls_accept(t, 0, &a, s, &s->s) || tls_connect(t, 1, &b, c, &c->s))
		return false;
	for (unsigned turn = 1; turn <= 3; turn++) {
		tls_advance(t, turn);
		move(t, c);
		tls_advance(t, turn);
		move(t, s);
	}
	return c->opened && s->opened;
}

static int tls_ready(void)
{
	char folder[] = "/tmp/strowger-bench.XXXXXX", chain[64], key[64];
	struct epoch *epoch = started ? NULL : epoch_new(1);

	if (started)
		return started > 0;
	started = -1;
	store = epoch ? tls_store_new(epoch) : NULL;
	if (!store || !mkdtemp(folder))
		return 0;
	snprintf(chain, sizeof(chain), "%s/chain", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
	if (fill(chain, key) && engine_new(16, &engine) && engine_new(0, &forgetful) && shake(forgetful, &talker, &listener))
		started = 1;
	unlink(chain);
	unlink(key);
	rmdir(folder);
	return started > 0;
}

/* ---- steps */

static uint64_t message(uint32_t i)
{
	uint64_t before = listener.got;
	uint32_t n;
	const uint8_t *m = corpus_invite(i, &n);

	if (tls_send(forgetful, talker.s, span_of(m, n)) != n)
		return 0;
	move(forgetful, &talker);
	return listener.got - before == n;
}

static uint64_t handshake(struct tls *t, bool resumed)
{
	struct tls_seen seen;
	bool good = shake(t, &client, &server) && client.resumed == resumed;

	tls_free_session(t, client.s);
	tls_free_session(t, server.s);
	(void)tls_seen_take(t, &seen);
	return good;
}

static uint64_t whole(uint32_t i)
{
	return handshake(forgetful, false);
}

static int ticket_ready(void)
{
	if (!tls_ready())
		return 0;
	(void)handshake(engine, false);
	return 1;
}

static uint64_t resumed(uint32_t i)
{
	return handshake(engine, true);
}

const struct micro_step tls_steps[] = {
	{ .name = "tls/message_out_and_in", .run = message, .prepare = tls_ready },
	{ .name = "tls/handshake_p256_both_ends", .run = whole, .prepare = tls_ready },
	{ .name = "tls/handshake_resumed_both_ends", .run = resumed, .prepare = ticket_ready },
	{ .name = NULL },
};
