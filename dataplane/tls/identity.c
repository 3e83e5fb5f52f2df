/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/err.h"
#include "tls/certificate.h"

#define CHAIN_MAX 16 /* certificates of one file */

/* A passphrase is asked for: nobody is there to type it. */
static int no_passphrase(char *buffer, int n, int writing, void *user)
{
	*(bool *)user = true;
	return -1;
}

static BIO *open_file(const char *path, char error[TLS_ERROR_BYTES])
{
	BIO *file;

	errno = 0;
	file = BIO_new_file(path, "r");
	if (!file)
		snprintf(error, TLS_ERROR_BYTES, "%s: %s", path, errno ? strerror(errno) : "cannot be opened");
	ERR_clear_error();
	return file;
}

static bool end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return !code || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
}

static int read_chain(struct tls_identity *identity, const char *path, char error[TLS_ERROR_BYTES])
{
	BIO *file = open_file(path, error);
	bool good = file;
	X509 *x;

	if (!file)
		return -ERR_INVALID;
	identity->leaf = PEM_read_bio_X509_AUX(file, NULL, NULL, NULL);
	while (identity->leaf && (x = PEM_read_bio_X509(file, NULL, NULL, NULL))) {
		if (sk_X509_num(identity->chain) >= CHAIN_MAX - 1 || !sk_X509_push(identity->chain, x)) {
			X509_free(x);
			good = false;
			snprintf(error, TLS_ERROR_BYTES, "%s: more than %d certificates", path, CHAIN_MAX);
			break;
		}
	}
	if (!identity->leaf || (good && !end_of_pem())) {
		bool none = end_of_pem();

		good = false;
		snprintf(error, TLS_ERROR_BYTES, "%s: %s", path, none ? "no certificate in PEM" : certificate_error("not a certificate"));
	}
	ERR_clear_error();
	BIO_free(file);
	return good ? 0 : -ERR_INVALID;
}

static int read_key(struct tls_identity *identity, const char *path, char error[TLS_ERROR_BYTES])
{
	BIO *file = open_file(path, error);
	bool encrypted = false;

	if (!file)
		return -ERR_INVALID;
	identity->key = PEM_read_bio_PrivateKey(file, NULL, no_passphrase, &encrypted);
	if (!identity->key)
		snprintf(error, TLS_ERROR_BYTES, "%s: %s", path, encrypted ? "the key is encrypted" : "no private key in PEM");
	ERR_clear_error();
	BIO_free(file);
	return identity->key ? 0 : -ERR_INVALID;
}

/* As a session would take it: what is too weak is found out now. */
static int try_out(const struct tls_identity *identity, const char *chain_file, const char *key_file, char error[TLS_ERROR_BYTES])
{
	SSL_CTX *ctx;
	int good;

	if (!X509_check_private_key(identity->leaf, identity->key)) {
		snprintf(error, TLS_ERROR_BYTES, "%s: does not belong to %s", key_file, chain_file);
		ERR_clear_error();
		return -ERR_INVALID;
	}
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx) {
		snprintf(error, TLS_ERROR_BYTES, "%s: out of memory", chain_file);
		return -ERR_NOMEM;
	}
	good = identity_use_ctx(identity, ctx);
	if (!good)
		snprintf(error, TLS_ERROR_BYTES, "%s: %s", chain_file, certificate_error("cannot be used"));
	SSL_CTX_free(ctx);
	return good ? 0 : -ERR_INVALID;
}

int tls_identity_load(const char *chain_file, const char *key_file, struct tls_identity **ret_identity, char error[TLS_ERROR_BYTES])
{
	struct tls_identity *identity = calloc(1, sizeof(*identity));
	int err;

	if (identity)
		identity->chain = sk_X509_new_null();
	if (!identity || !identity->chain) {
		free(identity);
		snprintf(error, TLS_ERROR_BYTES, "%s: out of memory", chain_file);
		return -ERR_NOMEM;
	}
	atomic_init(&identity->refs, 1);
	err = read_chain(identity, chain_file, error);
	if (!err)
		err = read_key(identity, key_file, error);
	if (!err)
		err = try_out(identity, chain_file, key_file, error);
	if (err) {
		tls_identity_unref(identity);
		return err;
	}
	certificate_describe(identity->leaf, &identity->certificate);
	*ret_identity = identity;
	return 0;
}

struct tls_identity *tls_identity_ref(struct tls_identity *identity)
{
	atomic_fetch_add_explicit(&identity->refs, 1, memory_order_relaxed);
	return identity;
}

void tls_identity_unref(struct tls_identity *identity)
{
	if (!identity || atomic_fetch_sub_explicit(&identity->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(identity->leaf);
	EVP_PKEY_free(identity->key);
	sk_X509_pop_free(identity->chain, X509_free);
	free(identity);
}

const struct tls_certificate *tls_identity_certificate(const struct tls_identity *identity)
{
	return &identity->certificate;
}

bool identity_same_key_type(const struct tls_identity *a, const struct tls_identity *b)
{
	return EVP_PKEY_get_base_id(a->key) == EVP_PKEY_get_base_id(b->key);
}

int identity_use_ctx(const struct tls_identity *identity, SSL_CTX *ctx)
{
	return SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->chain, 1);
}

int identity_use(const struct tls_identity *identity, SSL *ssl)
{
	return SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->chain, 1);
}
