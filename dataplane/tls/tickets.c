/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that a server keeps with its clients, sealed in tickets (RFC 5077, RFC 8446 §4.6.1): nothing is kept here. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "tls/session.h"
#include "tls/store.h"

static int prepare_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_END,
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static const struct ticket_key *find(const struct ticket_keys *keys, const unsigned char *name)
{
	for (unsigned i = 0; i < keys->count; i++)
		if (!memcmp(keys->key[i].name, name, sizeof(keys->key[i].name)))
			return &keys->key[i];
	return NULL;
}

int tickets_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_store *store = bio_session(ssl)->t->config.store;
	const struct ticket_keys *keys = atomic_load_explicit(&store->keys, memory_order_acquire);
	const struct ticket_key *key = encrypt ? &keys->key[0] : find(keys, name);

	if (!key)
		return 0; /* from before the last rotations, or somebody else's: a full handshake */
	if (encrypt) {
		memcpy(name, key->name, sizeof(key->name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(store->ticket_cipher)) <= 0 ||
		    !EVP_EncryptInit_ex(cipher, store->ticket_cipher, NULL, key->cipher, iv))
			return -1;
	} else if (!EVP_DecryptInit_ex(cipher, store->ticket_cipher, NULL, key->cipher, iv)) {
		return -1;
	}
	if (!prepare_mac(mac, key))
		return -1;
	/* 2: another is to be given out: the key is an old one, or the ticket of TLS 1.3, which is used once. */
	return encrypt || (key == &keys->key[0] && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
}
