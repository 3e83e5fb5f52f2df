/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "tls/certificate.h"
#include "tls/session.h"
#include "tls/store.h"

#define CIPHERS		  "ECDHE+AESGCM:ECDHE+CHACHA20"
#define TICKET_LIFETIME_S 7200
#define SAME_NAME_MAX	  4

/* ---- which identity for which name */

struct collecting {
	struct server *server;
	struct tls_identity *identity;
	bool good;
};

static void collect(void *ctx, struct span domain)
{
	struct collecting *c = ctx;
	struct server *s = c->server;
	char *text;

	if (s->name_count == s->name_room) {
		uint32_t room = s->name_room ? s->name_room * 2 : 16;
		struct server_name *names = realloc(s->names, room * sizeof(*names));

		c->good = c->good && names;
		if (!names)
			return;
		s->names = names;
		s->name_room = room;
	}
	text = malloc(domain.n + 1);
	c->good = c->good && text;
	if (!text)
		return;
	for (uint32_t i = 0; i < domain.n; i++)
		text[i] = (char)ascii_lower(domain.p[i]);
	text[domain.n] = '\0';
	s->names[s->name_count++] = (struct server_name){ .domain = text, .identity = c->identity };
}

/* Of one name the one that lasts longest comes first. */
static int by_name(const void *a, const void *b)
{
	const struct server_name *x = a, *y = b;
	int order = strcmp(x->domain, y->domain);
	int64_t xs = x->identity->certificate.not_after_s, ys = y->identity->certificate.not_after_s;

	return order ? order : (xs < ys) - (xs > ys);
}

static int collect_all(struct server *s)
{
	struct collecting c = { .server = s, .good = true };

	for (unsigned i = 0; i < s->identity_count; i++) {
		c.identity = s->identities[i];
		names_each(c.identity->leaf, true, collect, &c);
	}
	if (s->name_count)
		qsort(s->names, s->name_count, sizeof(s->names[0]), by_name);
	return c.good ? 0 : -ERR_NOMEM;
}

/* The first of that name; name_count: none. */
static uint32_t first_of(const struct server *s, const char *domain)
{
	uint32_t low = 0, high = s->name_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (strcmp(s->names[middle].domain, domain) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->name_count && !strcmp(s->names[low].domain, domain) ? low : s->name_count;
}

/* One of each kind of key. */
static unsigned gather(const struct server *s, uint32_t at, struct tls_identity *ret_identities[4])
{
	const char *domain = s->names[at].domain;
	unsigned n = 0;

	for (; at < s->name_count && n < SAME_NAME_MAX && !strcmp(s->names[at].domain, domain); at++) {
		unsigned i = 0;

		while (i < n && !identity_same_key_type(ret_identities[i], s->names[at].identity))
			i++;
		if (i == n)
			ret_identities[n++] = s->names[at].identity;
	}
	return n;
}

unsigned tls_server_identities(const struct server *s, const char *server_name, struct tls_identity *ret_identities[4])
{
	char wanted[NAME_MAX_BYTES + 1], wildcard[NAME_MAX_BYTES + 1];
	const char *dot;
	uint32_t n = 0, at;

	for (; server_name && server_name[n] && n < NAME_MAX_BYTES; n++)
		wanted[n] = (char)ascii_lower((uint8_t)server_name[n]);
	wanted[n] = '\0';
	if (!n)
		return 0;
	at = first_of(s, wanted);
	if (at < s->name_count)
		return gather(s, at, ret_identities);
	dot = strchr(wanted, '.');
	if (!dot || dot == wanted)
		return 0;
	snprintf(wildcard, sizeof(wildcard), "*%s", dot);
	at = first_of(s, wildcard);
	return at < s->name_count ? gather(s, at, ret_identities) : 0;
}

/* ---- called back by OpenSSL */

/* Whether the name is acknowledged. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_identity *identities[SAME_NAME_MAX];
	const struct server *s = bio_session(ssl)->server;

	return tls_server_identities(s, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), identities) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int choose_certificate(SSL *ssl, void *arg)
{
	struct tls_identity *identities[SAME_NAME_MAX];
	const struct server *s = bio_session(ssl)->server;
	unsigned n = tls_server_identities(s, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), identities);

	if (!n || (n == 1 && identities[0] == s->fallback))
		return 1; /* the context has it */
	SSL_certs_clear(ssl);
	for (unsigned i = 0; i < n; i++)
		if (!identity_use(identities[i], ssl))
			return 0;
	return 1;
}

/* ---- its making */

/* Sessions are resumed only under the policy they were begun with: name, minimum version, what is asked of clients. */
static int set_session_context(const struct server *s, const struct tls_server_source *source)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint32_t policy[3] = { (uint32_t)s->client_certificates, (uint32_t)source->minimum, 1 };
	uint8_t digest[32];
	int good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) && EVP_DigestUpdate(hash, policy, sizeof(policy)) &&
		   EVP_DigestUpdate(hash, s->name, sizeof(s->name));

	for (int i = 0; good && s->authorities && i < sk_X509_OBJECT_num(X509_STORE_get0_objects(s->authorities->store)); i++) {
		X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(X509_STORE_get0_objects(s->authorities->store), i));
		uint8_t print[32];

		if (x && X509_digest(x, EVP_sha256(), print, NULL))
			good = EVP_DigestUpdate(hash, print, sizeof(print));
	}
	good = good && EVP_DigestFinal_ex(hash, digest, NULL) && SSL_CTX_set_session_id_context(s->ctx, digest, sizeof(digest));
	EVP_MD_CTX_free(hash);
	return good;
}

static int ask_clients(struct server *s)
{
	STACK_OF(X509_NAME) *subjects;

	if (s->client_certificates == TLS_CLIENT_IGNORED)
		return 1;
	subjects = sk_X509_NAME_deep_copy(s->authorities->subjects, X509_NAME_dup, X509_NAME_free);
	if (!subjects)
		return 0;
	SSL_CTX_set_client_CA_list(s->ctx, subjects);
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | (s->client_certificates == TLS_CLIENT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
	SSL_CTX_set_cert_verify_callback(s->ctx, verify_chain, NULL);
	return SSL_CTX_set1_verify_cert_store(s->ctx, s->authorities->store);
}

static int make_context(struct server *s, const struct tls_server_source *source, char error[TLS_ERROR_BYTES])
{
	struct tls_identity *twins[SAME_NAME_MAX];
	unsigned n = 0;

	s->ctx = SSL_CTX_new(TLS_server_method());
	if (!s->ctx)
		goto fail;
	store_harden(s->ctx, source->minimum);
	if (!SSL_CTX_set_cipher_list(s->ctx, source->ciphers ? source->ciphers : CIPHERS)) {
		snprintf(error, TLS_ERROR_BYTES, "ciphers: %.200s: %s", source->ciphers, certificate_error("none of these is known"));
		return -ERR_INVALID;
	}
	if (source->ciphersuites && !SSL_CTX_set_ciphersuites(s->ctx, source->ciphersuites)) {
		snprintf(error, TLS_ERROR_BYTES, "ciphersuites: %.200s: %s", source->ciphersuites, certificate_error("none of these is known"));
		return -ERR_INVALID;
	}
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(s->ctx, (long)(source->ticket_lifetime_s ? source->ticket_lifetime_s : TICKET_LIFETIME_S));
	SSL_CTX_set_num_tickets(s->ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(s->ctx, tickets_key);
	SSL_CTX_set_tlsext_servername_callback(s->ctx, on_server_name);
	SSL_CTX_set_cert_cb(s->ctx, choose_certificate, NULL);
	if (!identity_use_ctx(s->fallback, s->ctx) || !ask_clients(s) || !set_session_context(s, source))
		goto fail;
	/* Its twin with another kind of key, if any, by its first name. */
	for (uint32_t i = 0; i < s->name_count && !n; i++)
		if (s->names[i].identity == s->fallback)
			n = gather(s, first_of(s, s->names[i].domain), twins);
	for (unsigned i = 0; i < n; i++)
		if (!identity_same_key_type(twins[i], s->fallback) && !identity_use_ctx(twins[i], s->ctx))
			goto fail;
	return 0;

fail:
	snprintf(error, TLS_ERROR_BYTES, "server %.60s: %s", s->name, certificate_error("out of memory"));
	return -ERR_NOMEM;
}

static int fault_of(const struct tls_server_source *source, char error[TLS_ERROR_BYTES])
{
	const char *fault = NULL;

	if (!source->identity_count)
		fault = "there is no certificate";
	else if (source->default_identity >= source->identity_count)
		fault = "there is no default certificate";
	else if (source->client_certificates != TLS_CLIENT_IGNORED && !source->client_ca)
		fault = "client certificates cannot be verified without CA certificates";
	if (fault)
		snprintf(error, TLS_ERROR_BYTES, "server %.60s: %s", source->name, fault);
	return fault ? -ERR_INVALID : 0;
}

int tls_server_new(struct tls_store *store, const struct tls_server_source *source, struct server **ret_server, char error[TLS_ERROR_BYTES])
{
	struct server *s;
	int err = fault_of(source, error);

	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (s)
		s->identities = calloc(source->identity_count, sizeof(s->identities[0]));
	if (!s || !s->identities) {
		free(s);
		snprintf(error, TLS_ERROR_BYTES, "server %.60s: out of memory", source->name);
		return -ERR_NOMEM;
	}
	atomic_init(&s->refs, 1);
	snprintf(s->name, sizeof(s->name), "%s", source->name);
	s->client_certificates = source->client_certificates;
	s->identity_count = source->identity_count;
	for (unsigned i = 0; i < s->identity_count; i++)
		s->identities[i] = tls_identity_ref(source->identities[i]);
	s->fallback = s->identities[source->default_identity];
	err = collect_all(s);
	if (err)
		snprintf(error, TLS_ERROR_BYTES, "server %.60s: out of memory", s->name);
	if (!err && s->client_certificates != TLS_CLIENT_IGNORED)
		err = authorities_get(&store->shelf, source->client_ca, &s->authorities, error);
	if (!err)
		err = make_context(s, source, error);
	if (err) {
		tls_server_put(s);
		return err;
	}
	*ret_server = s;
	return 0;
}

void tls_server_put(struct server *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(s->ctx);
	authorities_put(s->authorities);
	for (uint32_t i = 0; i < s->name_count; i++)
		free((char *)s->names[i].domain);
	free(s->names);
	for (unsigned i = 0; i < s->identity_count; i++)
		tls_identity_unref(s->identities[i]);
	free(s->identities);
	free(s);
}
