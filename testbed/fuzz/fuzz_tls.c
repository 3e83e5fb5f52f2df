/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/counters.h"
#include "check.h"
#include "steps.h"
#include "tables/epoch.h"
#include "tls/store.h"

/* A session that accepts and one that connects, and whatever may lie between them. What each says goes to the other whole, in part,
 * damaged, twice or never, with bytes of the input's own among it. Nobody is ever given plain bytes that the other has not sent, in that
 * order; ends come once; in the end nothing is held. The first byte says how far the handshake has come before the input takes over, and
 * which version. */

enum step { FORWARD, PART, DAMAGE, RAW, DROP, TWICE, SEND, TAKE, ROOM, CLOSE, CUT, WAIT, STEPS };

#define VERSION_1_2   1
#define STANDS	      2 /* the handshake is done first */
#define STARVED	      4 /* a budget that lets one step a turn through */
#define CLOSE_IN_DATA 8
#define FREE_IN_DATA  16

struct end {
	struct end *other;
	struct tls *tls;
	struct tls_session *s;
	uint8_t out[1 << 17];
	uint32_t out_n, room, take;
	uint64_t sent, received;
	bool opened, closed;
};

static struct {
	struct epoch *epoch;
	struct tls_store *store[2]; /* 1.3, and 1.2 alone */
	struct counters counters;
	struct end client, server;
	uint64_t clock_us, now_us;
	uint8_t mode;
} f;

static uint64_t clock_us(void)
{
	return f.clock_us += f.mode & STARVED ? 2000 : 0;
}

/* ---- handlers */

static uint8_t plain_at(uint64_t at)
{
	return (uint8_t)(at * 167 + (at >> 9));
}

static uint32_t on_send(void *ctx, void *user, struct span bytes)
{
	struct end *e = user;
	uint32_t left = e->room < sizeof(e->out) - e->out_n ? e->room : (uint32_t)sizeof(e->out) - e->out_n;
	uint32_t n = bytes.n < left ? bytes.n : left;

	memcpy(e->out + e->out_n, bytes.p, n);
	e->out_n += n;
	e->room -= n;
	return n;
}

static uint32_t on_data(void *ctx, void *user, struct span bytes)
{
	struct end *e = user;
	uint32_t n = bytes.n < e->take ? bytes.n : e->take;

	CHECK(e->opened && !e->closed && bytes.n);
	for (uint32_t i = 0; i < bytes.n; i++)
		CHECK(bytes.p[i] == plain_at(e->received + i));
	e->received += n;
	e->take -= n;
	CHECK(e->received <= e->other->sent);
	if (f.mode & CLOSE_IN_DATA && e->received % 3 == 0)
		tls_close(e->tls, e->s);
	if (f.mode & FREE_IN_DATA && e->received % 5 == 0) {
		tls_free_session(e->tls, e->s);
		e->s = NULL;
	}
	return n;
}

static void on_opened(void *ctx, void *user, const struct tls_opened *opened)
{
	struct end *e = user;

	CHECK(!e->opened && !e->closed && opened->cipher);
	e->opened = true;
}

static void on_writable(void *ctx, void *user)
{
	CHECK(((struct end *)user)->opened);
}

/* Always in a buffer of its exact size. */
static uint32_t input(struct end *to, const uint8_t *bytes, uint32_t n)
{
	uint8_t *exact;
	uint32_t taken;

	if (!to->s || !n)
		return 0;
	exact = malloc(n);
	if (!exact)
		return 0;
	memcpy(exact, bytes, n);
	taken = tls_input(to->tls, to->s, span_of(exact, n));
	CHECK(taken <= n);
	free(exact);
	return taken;
}

static void forward(struct end *from, uint32_t most)
{
	uint32_t n = input(from->other, from->out, from->out_n < most ? from->out_n : most);

	memmove(from->out, from->out + n, from->out_n - n);
	from->out_n -= n;
	if (n && from->s)
		tls_writable(from->tls, from->s);
}

static void on_resume(void *ctx, void *user)
{
	struct end *e = user;

	if (e->other->out_n)
		forward(e->other, UINT32_MAX);
}

static void on_closed(void *ctx, void *user, enum tls_end why, const char *text)
{
	struct end *e = user;

	CHECK(!e->closed && (unsigned)why < TLS_ENDS && text && text[0]);
	e->closed = true;
}

static const struct tls_handlers handlers = {
	.send = on_send, .data = on_data, .opened = on_opened, .writable = on_writable, .resume = on_resume, .closed = on_closed,
};

/* ---- what is made once */

static void add(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	CHECK(e && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

/* By itself, and believed. */
static void write_certificate(const char *chain_file, const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *chain_out = fopen(chain_file, "w"), *key_out = fopen(key_file, "w");
	X509 *x = X509_new();

	CHECK(key && x && chain_out && key_out);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 30 * 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"fuzz", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	add(x, NID_subject_alt_name, "URI:sip:a.example,DNS:a.example");
	CHECK(X509_sign(x, key, EVP_sha256()) > 0);
	CHECK(PEM_write_X509(chain_out, x) && PEM_write_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL));
	fclose(chain_out);
	fclose(key_out);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void make_stores(void)
{
	char folder[] = "/tmp/fuzz_tls.XXXXXX", chain[64], key[64], error[TLS_ERROR_BYTES];
	struct tls_identity *identity;

	CHECK(mkdtemp(folder));
	snprintf(chain, sizeof(chain), "%s/chain", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
	write_certificate(chain, key);
	CHECK(!tls_identity_load(chain, key, &identity, error));
	f.epoch = epoch_new(1);
	for (unsigned i = 0; i < 2; i++) {
		struct tls_server_source server = { .name = "fuzz", .identities = &identity, .identity_count = 1, .client_certificates = TLS_CLIENT_REQUIRED,
						    .client_ca = chain };
		struct tls_peer_source peer = { .ca = chain, .name = "a.example", .verify = true, .identity = identity };

		f.store[i] = tls_store_new(f.epoch);
		CHECK(f.store[i]);
		SSL_CTX_set_max_proto_version(f.store[i]->client, i ? TLS1_2_VERSION : TLS1_3_VERSION);
		CHECK(!tls_store_set_server(f.store[i], 0, &server, error));
		CHECK(!tls_store_set_peer(f.store[i], 1, &peer, error));
	}
	tls_identity_unref(identity);
	unlink(chain);
	unlink(key);
	rmdir(folder);
}

/* ---- a run */

static void end_new(struct end *e, struct end *other)
{
	struct tls_config c = tls_config_default();

	e->other = other;
	e->out_n = 0;
	e->room = 1 << 16;
	e->take = 100000;
	e->sent = e->received = 0;
	e->opened = e->closed = false;
	c.store = f.store[f.mode & VERSION_1_2];
	c.sessions = c.handshakes = c.tickets = c.seen = 4;
	c.handlers = &handlers;
	c.clock_us = clock_us;
	c.counters = &f.counters;
	CHECK(!tls_new(&c, &e->tls));
}

static void advance(void)
{
	tls_advance(f.client.tls, f.now_us);
	tls_advance(f.server.tls, f.now_us);
}

static void set_up(void)
{
	const struct ip_port remote = { { { 192, 0, 2, 1 }, IP_V4 }, 5061 };

	f.now_us = 1000000;
	end_new(&f.client, &f.server);
	end_new(&f.server, &f.client);
	CHECK(!tls_accept(f.server.tls, 0, &remote, &f.server, &f.server.s));
	CHECK(!tls_connect(f.client.tls, 1, &remote, &f.client, &f.client.s));
	advance();
	for (unsigned i = 0; f.mode & STANDS && i < 8; i++) {
		forward(&f.client, UINT32_MAX);
		forward(&f.server, UINT32_MAX);
		advance();
	}
	if (f.mode & STANDS)
		CHECK(f.client.opened && f.server.opened);
}

static void say(struct end *e, uint32_t n)
{
	static uint8_t plain[65536];

	for (uint32_t i = 0; i < n; i++)
		plain[i] = plain_at(e->sent + i);
	if (e->s) {
		uint32_t taken;

		/* Already at tls_send the other may be told of it by nobody: it counts from here. */
		taken = tls_send(e->tls, e->s, span_of(plain, n));
		CHECK(taken <= n && (!taken || (e->opened && !e->closed)));
		e->sent += taken;
	}
}

static void raw(struct end *to, struct reader *r, uint32_t n)
{
	uint32_t left = (uint32_t)(r->end - r->p);

	n = n < left ? n : left;
	input(to, r->p, n);
	r->p += n;
}

static void do_step(struct reader *r)
{
	uint8_t what = (uint8_t)take(r, 1);
	struct end *e = what & 0x80 ? &f.server : &f.client;
	uint32_t at;

	switch ((what & 0x7f) % STEPS) {
	case FORWARD:
		forward(e, UINT32_MAX);
		break;
	case PART:
		forward(e, take(r, 2));
		break;
	case DAMAGE:
		at = take(r, 2);
		if (e->out_n)
			e->out[at % e->out_n] ^= (uint8_t)(take(r, 1) | 1);
		break;
	case RAW:
		raw(e, r, take(r, 2) % 20000);
		break;
	case DROP:
		at = take(r, 2);
		e->out_n -= at < e->out_n ? at : e->out_n;
		break;
	case TWICE:
		input(e->other, e->out, e->out_n);
		break;
	case SEND:
		say(e, take(r, 2));
		break;
	case TAKE:
		e->take = take(r, 2);
		if (e->s)
			tls_read(e->tls, e->s);
		break;
	case ROOM:
		e->room = take(r, 2) * 4;
		if (e->s)
			tls_writable(e->tls, e->s);
		break;
	case CLOSE:
		if (e->s)
			tls_close(e->tls, e->s);
		break;
	case CUT:
		if (e->s)
			tls_cut(e->tls, e->s);
		break;
	default:
		f.now_us += take(r, 2) * 1000ULL;
		advance();
	}
}

static void end_free(struct end *e)
{
	struct tls_usage usage;
	struct tls_seen seen;

	tls_usage(e->tls, &usage);
	CHECK(usage.sessions <= 1 && usage.bytes <= (64 << 10) + 16384 + 32);
	while (tls_seen_take(e->tls, &seen))
		CHECK(memchr(seen.text, 0, sizeof(seen.text)));
	if (e->s)
		tls_free_session(e->tls, e->s);
	e->s = NULL;
	tls_usage(e->tls, &usage);
	CHECK(!usage.sessions && !usage.handshakes && !usage.waiting && !usage.bytes);
	tls_free(e->tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct reader r = { bytes + 1, bytes + size };

	if (size < 2 || size > 65536)
		return 0;
	if (!f.epoch)
		make_stores();
	f.mode = bytes[0];
	set_up();
	while (r.p < r.end)
		do_step(&r);
	/* Whatever still hangs about: the handshake's time runs out. */
	f.now_us += 60000000;
	advance();
	end_free(&f.client);
	end_free(&f.server);
	return 0;
}
