/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "tls/tls.h"

struct tls_identity {
	_Atomic(uint32_t) refs; /* a server's, too, which a worker may be the last to let go of */
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) *chain; /* without the leaf */
	struct tls_certificate certificate;
};

/* Of the same kind of key: a session can offer only one of them. any */
bool identity_same_key_type(const struct tls_identity *a, const struct tls_identity *b);
/* 1: done, 0: OpenSSL's error queue says why not. any */
int identity_use_ctx(const struct tls_identity *identity, SSL_CTX *ctx);
int identity_use(const struct tls_identity *identity, SSL *ssl);
