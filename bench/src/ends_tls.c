/* SPDX-License-Identifier: Apache-2.0 */
#include "ends_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define RECORD 16384

struct ends_tls {
	char folder[64], certificate[80], key[80];
	SSL_CTX *client, *server;
};

struct ends_session {
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
};

/* ---- a certificate */

static X509 *certify(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:bench.example");
	X509_NAME *name;

	if (x && names && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 30 * 86400) && X509_set_pubkey(x, key)) {
		name = X509_get_subject_name(x);
		if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"bench.example", -1, -1, 0) && X509_set_issuer_name(x, name) &&
		    X509_add_ext(x, names, -1) && X509_sign(x, key, EVP_sha256())) {
			X509_EXTENSION_free(names);
			return x;
		}
	}
	X509_EXTENSION_free(names);
	X509_free(x);
	return NULL;
}

static bool write_files(const struct ends_tls *t)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? certify(key) : NULL;
	FILE *f = x ? fopen(t->certificate, "we") : NULL;
	bool ok = f && PEM_write_X509(f, x);

	ok = f && fclose(f) == 0 && ok;
	f = ok ? fopen(t->key, "we") : NULL;
	ok = f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	ok = f && fclose(f) == 0 && ok;
	X509_free(x);
	EVP_PKEY_free(key);
	return ok;
}

struct ends_tls *ends_tls_new(void)
{
	struct ends_tls *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	strcpy(t->folder, "/tmp/strowger-bench-tls-XXXXXX");
	if (!mkdtemp(t->folder)) {
		free(t);
		return NULL;
	}
	snprintf(t->certificate, sizeof(t->certificate), "%s/bench.crt", t->folder);
	snprintf(t->key, sizeof(t->key), "%s/bench.key", t->folder);
	t->client = SSL_CTX_new(TLS_client_method());
	t->server = SSL_CTX_new(TLS_server_method());
	if (!t->client || !t->server || !write_files(t) || SSL_CTX_use_certificate_file(t->server, t->certificate, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(t->server, t->key, SSL_FILETYPE_PEM) != 1) {
		ends_tls_free(t);
		return NULL;
	}
	return t;
}

void ends_tls_unlink(struct ends_tls *t)
{
	unlink(t->certificate);
	unlink(t->key);
	rmdir(t->folder);
}

void ends_tls_free(struct ends_tls *t)
{
	if (!t)
		return;
	ends_tls_unlink(t);
	SSL_CTX_free(t->client);
	SSL_CTX_free(t->server);
	free(t);
}

const char *ends_tls_certificate(const struct ends_tls *t)
{
	return t->certificate;
}

const char *ends_tls_key(const struct ends_tls *t)
{
	return t->key;
}

/* ---- sessions */

struct ends_session *ends_session_new(struct ends_tls *t, bool client)
{
	struct ends_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ssl = SSL_new(client ? t->client : t->server);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	if (!s->ssl || !s->in || !s->out) {
		BIO_free(s->in);
		BIO_free(s->out);
		SSL_free(s->ssl);
		free(s);
		return NULL;
	}
	SSL_set_bio(s->ssl, s->in, s->out);
	SSL_set_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS);
	if (client)
		SSL_set_connect_state(s->ssl);
	else
		SSL_set_accept_state(s->ssl);
	SSL_do_handshake(s->ssl);
	return s;
}

void ends_session_free(struct ends_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	free(s);
}

bool ends_session_stands(const struct ends_session *s)
{
	return SSL_is_init_finished(s->ssl);
}

bool ends_session_input(struct ends_session *s, const uint8_t *bytes, uint32_t len, void (*fn)(void *ctx, const uint8_t *bytes, uint32_t len), void *ctx)
{
	uint8_t plain[RECORD];
	int n;

	if (BIO_write(s->in, bytes, (int)len) != (int)len)
		return false;
	while ((n = SSL_read(s->ssl, plain, sizeof(plain))) > 0)
		fn(ctx, plain, (uint32_t)n);
	return SSL_get_error(s->ssl, n) == SSL_ERROR_WANT_READ;
}

bool ends_session_send(struct ends_session *s, const uint8_t *message, uint32_t len)
{
	return ends_session_stands(s) && SSL_write(s->ssl, message, (int)len) == (int)len;
}

uint32_t ends_session_output(struct ends_session *s, uint8_t *to, uint32_t room)
{
	int n = BIO_read(s->out, to, (int)room);

	return n > 0 ? (uint32_t)n : 0;
}

void ends_session_close(struct ends_session *s)
{
	SSL_shutdown(s->ssl);
}
