/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tls/store.h"

#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DEFAULT:!aNULL:!eNULL:!PSK:!SRP" /* the best first; some carriers have but the last */

SSL_CTX *tls_peer_context_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx)
		return NULL;
	store_harden(ctx, TLS_1_2);
	if (!SSL_CTX_set_cipher_list(ctx, CIPHERS)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify_chain, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR);
	SSL_CTX_sess_set_new_cb(ctx, resume_keep);
	return ctx;
}

static int read_names(struct peer *peer, const struct tls_peer_source *source, char error[TLS_ERROR_BYTES])
{
	struct name sni = { .allow_wildcard = false };

	if (source->name) {
		if (name_read(source->name, &peer->name)) {
			snprintf(error, TLS_ERROR_BYTES, "%.200s: neither a domain (in ASCII) nor an address", source->name);
			return -ERR_INVALID;
		}
		peer->named = true;
		peer->name.allow_wildcard = source->allow_wildcard;
	}
	if (source->server_name && (name_read(source->server_name, &sni) || sni.ip.family != IP_NONE)) {
		snprintf(error, TLS_ERROR_BYTES, "%.180s: not a domain (in ASCII), which a server name has to be", source->server_name);
		return -ERR_INVALID;
	}
	if (source->server_name)
		memcpy(peer->server_name, sni.text, sizeof(peer->server_name));
	else if (peer->named && peer->name.ip.family == IP_NONE)
		memcpy(peer->server_name, peer->name.text, sizeof(peer->server_name));
	return 0;
}

int tls_peer_new(struct tls_store *store, uint32_t id, const struct tls_peer_source *source, struct peer **ret_peer, char error[TLS_ERROR_BYTES])
{
	struct peer *peer;
	int err;

	if (source->verify && !source->ca) {
		snprintf(error, TLS_ERROR_BYTES, "nobody can be verified without CA certificates");
		return -ERR_INVALID;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer) {
		snprintf(error, TLS_ERROR_BYTES, "out of memory");
		return -ERR_NOMEM;
	}
	atomic_init(&peer->refs, 1);
	peer->id = id;
	peer->version = ++store->versions;
	peer->verify = source->verify;
	peer->minimum = source->minimum ? source->minimum : TLS_1_2;
	err = read_names(peer, source, error);
	if (!err && source->ca)
		err = authorities_get(&store->shelf, source->ca, &peer->authorities, error);
	if (err) {
		tls_peer_put(peer);
		return err;
	}
	if (source->identity)
		peer->identity = tls_identity_ref(source->identity);
	*ret_peer = peer;
	return 0;
}

void tls_peer_put(struct peer *peer)
{
	if (!peer || atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel) != 1)
		return;
	authorities_put(peer->authorities);
	tls_identity_unref(peer->identity);
	free(peer);
}

int tls_peer_use(const struct peer *peer, SSL *ssl)
{
	if (peer->minimum != TLS_1_2 && !SSL_set_min_proto_version(ssl, (int)peer->minimum))
		return 0;
	if (peer->server_name[0] && !SSL_set_tlsext_host_name(ssl, peer->server_name))
		return 0;
	if (peer->authorities && !SSL_set1_verify_cert_store(ssl, peer->authorities->store))
		return 0;
	return peer->identity ? identity_use(peer->identity, ssl) : 1;
}
