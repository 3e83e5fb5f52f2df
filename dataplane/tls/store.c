/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/err.h"
#include "base/random.h"
#include "tables/epoch.h"

/* ---- releases, for the epoch */

static void release_server(void *object)
{
	tls_server_put(object);
}

static void release_peer(void *object)
{
	tls_peer_put(object);
}

static void release_keys(void *object)
{
	OPENSSL_cleanse(object, sizeof(struct ticket_keys));
	free(object);
}

/* ---- the store */

struct tls_store *tls_store_new(struct epoch *epoch)
{
	struct tls_store *store = calloc(1, sizeof(*store));
	uint8_t key[1][TLS_TICKET_KEY_BYTES];

	if (!store)
		return NULL;
	store->epoch = epoch;
	store->client = tls_peer_context_new();
	store->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	random_secret(key, sizeof(key));
	if (!store->client || !store->ticket_cipher || tls_store_set_ticket_keys(store, (const uint8_t (*)[TLS_TICKET_KEY_BYTES])key, 1)) {
		tls_store_free(store);
		store = NULL;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return store;
}

void tls_store_free(struct tls_store *store)
{
	if (!store)
		return;
	for (unsigned i = 0; i < TLS_SERVERS; i++)
		tls_server_put(atomic_load(&store->servers[i]));
	for (unsigned i = 0; i < PEER_BUCKETS; i++)
		for (struct peer *p = atomic_load(&store->peers[i]), *next; p; p = next) {
			next = atomic_load(&p->next);
			tls_peer_put(p);
		}
	if (atomic_load(&store->keys))
		release_keys(atomic_load(&store->keys));
	authorities_tidy(&store->shelf, true);
	SSL_CTX_free(store->client);
	EVP_CIPHER_free(store->ticket_cipher);
	free(store);
}

/* ---- servers */

int tls_store_set_server(struct tls_store *store, unsigned server, const struct tls_server_source *source, char error[TLS_ERROR_BYTES])
{
	struct server *fresh, *old;
	int err;

	if (server >= TLS_SERVERS) {
		snprintf(error, TLS_ERROR_BYTES, "server %u: there are %d", server, TLS_SERVERS);
		return -ERR_INVALID;
	}
	err = tls_server_new(store, source, &fresh, error);
	if (err)
		return err;
	old = atomic_exchange_explicit(&store->servers[server], fresh, memory_order_acq_rel);
	epoch_retire(store->epoch, old, release_server);
	authorities_tidy(&store->shelf, false);
	return 0;
}

void tls_store_remove_server(struct tls_store *store, unsigned server)
{
	if (server < TLS_SERVERS)
		epoch_retire(store->epoch, atomic_exchange_explicit(&store->servers[server], NULL, memory_order_acq_rel), release_server);
}

struct server *store_server(struct tls_store *store, unsigned server)
{
	struct server *s = server < TLS_SERVERS ? atomic_load_explicit(&store->servers[server], memory_order_acquire) : NULL;

	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

/* ---- peers: chains of a few, whose links readers follow while the control thread changes them */

static _Atomic(struct peer *) *peer_link(struct tls_store *store, uint32_t id)
{
	_Atomic(struct peer *) *at = &store->peers[id % PEER_BUCKETS];
	struct peer *p;

	while ((p = atomic_load_explicit(at, memory_order_acquire)) && p->id != id)
		at = &p->next;
	return at;
}

int tls_store_set_peer(struct tls_store *store, uint32_t id, const struct tls_peer_source *source, char error[TLS_ERROR_BYTES])
{
	_Atomic(struct peer *) *at = peer_link(store, id);
	struct peer *old = atomic_load(at), *fresh;
	int err = tls_peer_new(store, id, source, &fresh, error);

	if (err)
		return err;
	atomic_store(&fresh->next, old ? atomic_load(&old->next) : NULL);
	atomic_store_explicit(at, fresh, memory_order_release);
	epoch_retire(store->epoch, old, release_peer);
	authorities_tidy(&store->shelf, false);
	return 0;
}

void tls_store_remove_peer(struct tls_store *store, uint32_t id)
{
	_Atomic(struct peer *) *at = peer_link(store, id);
	struct peer *old = atomic_load(at);

	if (!old)
		return;
	/* old->next stays: a reader that stands on it still finds the rest of the chain. */
	atomic_store_explicit(at, atomic_load(&old->next), memory_order_release);
	epoch_retire(store->epoch, old, release_peer);
}

struct peer *store_peer(struct tls_store *store, uint32_t id)
{
	struct peer *p = atomic_load_explicit(peer_link(store, id), memory_order_acquire);

	if (p)
		atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

/* ---- ticket keys */

int tls_store_set_ticket_keys(struct tls_store *store, const uint8_t (*keys)[TLS_TICKET_KEY_BYTES], unsigned count)
{
	struct ticket_keys *fresh, *old;

	if (!count || count > TLS_TICKET_KEYS)
		return -ERR_INVALID;
	for (unsigned i = 1; i < count; i++)
		for (unsigned j = 0; j < i; j++)
			if (!memcmp(keys[i], keys[j], sizeof(fresh->key[0].name)))
				return -ERR_INVALID;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ERR_NOMEM;
	fresh->count = count;
	memcpy(fresh->key, keys, count * sizeof(fresh->key[0]));
	old = atomic_exchange_explicit(&store->keys, fresh, memory_order_acq_rel);
	epoch_retire(store->epoch, old, release_keys);
	return 0;
}

void store_harden(SSL_CTX *ctx, enum tls_version minimum)
{
	SSL_CTX_set_min_proto_version(ctx, minimum ? minimum : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_read_ahead(ctx, 0);
	SSL_CTX_set_verify_depth(ctx, 8);
}
