/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "tls/authorities.h"
#include "tls/identity.h"
#include "tls/names.h"
#include "tls/tls.h"

/* What the control thread publishes and workers read. A server and a peer never change once they are published; sessions hold references of
 * them, taken inside a quiescent period, and the store's own is given up after the grace period. */

struct server_name {
	const char *domain; /* lower case; "*.example.net" too */
	struct tls_identity *identity;
};

struct server {
	_Atomic(uint32_t) refs;
	SSL_CTX *ctx; /* with the default identity */
	enum tls_client_certificates client_certificates;
	struct authorities *authorities;
	struct tls_identity *fallback;
	struct tls_identity **identities;
	unsigned identity_count;
	struct server_name *names; /* sorted; equal ones side by side: kinds of key */
	uint32_t name_count, name_room;
	char name[64];
};

struct peer {
	_Atomic(uint32_t) refs;
	_Atomic(struct peer *) next; /* of its bucket */
	uint32_t id;
	uint64_t version; /* never twice: sessions are resumed with the very same peer alone */
	struct authorities *authorities; /* NULL: nobody verifies */
	bool named, verify;
	struct name name;
	char server_name[NAME_MAX_BYTES + 1]; /* "": none */
	struct tls_identity *identity;
	enum tls_version minimum;
};

struct ticket_key {
	uint8_t name[16], cipher[32], mac[32];
};
_Static_assert(sizeof(struct ticket_key) == TLS_TICKET_KEY_BYTES, "as it lies in a file");

struct ticket_keys {
	unsigned count;
	struct ticket_key key[TLS_TICKET_KEYS];
};

#define PEER_BUCKETS 1024

struct tls_store {
	struct epoch *epoch;
	struct authorities_shelf shelf;
	_Atomic(struct server *) servers[TLS_SERVERS];
	_Atomic(struct peer *) peers[PEER_BUCKETS];
	_Atomic(struct ticket_keys *) keys;
	uint64_t versions; /* ever given to a peer */
	SSL_CTX *client;   /* of all peers: what differs is set for a session */
	EVP_CIPHER *ticket_cipher;
};

/* ---- store.c; reader, inside a quiescent period. The caller has to let go of it. NULL: no such */
struct server *store_server(struct tls_store *store, unsigned server);
struct peer *store_peer(struct tls_store *store, uint32_t id);

/* ---- server.c */
/* control-only */
int tls_server_new(struct tls_store *store, const struct tls_server_source *source, struct server **ret_server, char error[TLS_ERROR_BYTES]);
/* NULL is ignored. any */
void tls_server_put(struct server *server);
/* The identity for whom a client asked for; both kinds of key where there are. any */
unsigned tls_server_identities(const struct server *server, const char *server_name, struct tls_identity *ret_identities[4]);

/* ---- peer.c */
/* control-only */
int tls_peer_new(struct tls_store *store, uint32_t id, const struct tls_peer_source *source, struct peer **ret_peer, char error[TLS_ERROR_BYTES]);
/* NULL is ignored. any */
void tls_peer_put(struct peer *peer);
/* The context of all sessions with peers. NULL: no memory. control-only */
SSL_CTX *tls_peer_context_new(void);
/* 1, or 0: OpenSSL's error queue says why not. worker-only */
int tls_peer_use(const struct peer *peer, SSL *ssl);

/* ---- tickets.c: SSL_CTX_set_tlsext_ticket_key_evp_cb's. worker-only */
int tickets_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt);

/* ---- verify.c: SSL_CTX_set_cert_verify_callback's. worker-only */
int verify_chain(X509_STORE_CTX *ctx, void *arg);
/* ---- resume.c: SSL_CTX_sess_set_new_cb's. worker-only */
int resume_keep(SSL *ssl, SSL_SESSION *session);

/* The options that all contexts have. */
void store_harden(SSL_CTX *ctx, enum tls_version minimum);
