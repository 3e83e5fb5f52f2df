/* SPDX-License-Identifier: Apache-2.0 */
/* How a session comes to stand, step by step, each in its turn. */
#include <openssl/err.h>

#include "base/err.h"
#include "tls/certificate.h"
#include "tls/session.h"

/* What the certificates of the other side take beyond the leaf is not needed any more; OpenSSL would keep them with the session. */
static void drop_chain(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	while (sk_X509_num(chain) > 0)
		X509_free(sk_X509_pop(chain));
}

/* A server of TLS 1.2 may have given out another ticket as it resumed; OpenSSL does not tell. */
static void keep_renewed(struct tls_session *s)
{
	SSL_SESSION *session = SSL_get1_session(s->ssl);

	if (!resume_keep(s->ssl, session))
		SSL_SESSION_free(session);
}

static void opened(struct tls_session *s)
{
	struct tls *t = s->t;
	char names[TLS_NAMES_BYTES] = "", server_name[NAME_MAX_BYTES + 1] = "";
	const char *sni = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	X509 *leaf = SSL_get0_peer_certificate(s->ssl);
	struct tls_opened o = { .version = (enum tls_version)SSL_version(s->ssl), .cipher = SSL_get_cipher_name(s->ssl),
				.resumed = SSL_session_reused(s->ssl) };

	if (o.resumed && !verify_resumed(s)) {
		SSL_shutdown(s->ssl);
		session_end(s, t->why, t->text);
		return;
	}
	for (uint32_t i = 0; sni && sni[i] && i < NAME_MAX_BYTES; i++)
		server_name[i] = (char)ascii_lower((uint8_t)sni[i]);
	if (leaf && (s->server ? s->server->client_certificates != TLS_CLIENT_IGNORED : s->peer->verify))
		names_write(leaf, names, sizeof(names));
	o.server_name = server_name[0] ? server_name : NULL;
	o.names = names[0] ? names : NULL;
	drop_chain(s->ssl);
	if (s->peer && o.resumed && o.version == TLS_1_2)
		keep_renewed(s);
	session_leave_lists(s);
	s->state = SESSION_OPEN;
	tls_count(t, s->server ? COUNTER_tls_accepted : COUNTER_tls_connected);
	if (o.resumed)
		tls_count(t, COUNTER_tls_resumed);
	t->config.handlers->opened(t->config.ctx, s->user, &o);
}

void handshake_step(struct tls_session *s)
{
	struct tls *t = s->t;
	uint64_t from_us = t->config.clock_us();
	int result, error;

	session_prepare(t);
	t->steps++;
	result = SSL_do_handshake(s->ssl);
	error = SSL_get_error(s->ssl, result);
	if (result == 1)
		opened(s);
	else if (error != SSL_ERROR_WANT_READ)
		session_fail(s, error);
	t->spent_us += t->config.clock_us() - from_us;
}

bool handshake_may_step(const struct tls_session *s)
{
	const struct tls *t = s->t;

	if (t->granted == s)
		return true;
	if (s->is_waiting || (s->peer ? t->ours.first : engine_next_waiting(t)))
		return false;
	return !t->steps || t->spent_us < t->config.handshake_budget_us;
}

void handshake_await_turn(struct tls_session *s)
{
	struct tls *t = s->t;

	if (s->is_waiting)
		return;
	s->is_waiting = true;
	engine_list_add(s->peer ? &t->ours : &t->theirs, s, LINK(waiting));
	tls_count(t, COUNTER_tls_steps_waited);
}

void handshake_start(struct tls_session *s)
{
	s->state = SESSION_HANDSHAKE;
	session_enter(s);
	handshake_step(s);
	session_leave(s);
}

int tls_accept(struct tls *t, unsigned server, const struct ip_port *remote, void *user, struct tls_session **ret_session)
{
	struct server *sv = store_server(t->config.store, server);
	struct tls_session *s;
	int err = -ERR_FULL;

	if (!sv)
		return -ERR_NOT_FOUND;
	if (t->accepting >= t->config.handshakes)
		tls_count(t, COUNTER_tls_refused_full);
	else
		err = session_new(t, sv->ctx, remote, user, &s);
	if (err) {
		tls_server_put(sv);
		return err;
	}
	s->server = sv;
	s->server_index = (uint8_t)server;
	t->accepting++;
	SSL_set_accept_state(s->ssl);
	*ret_session = s;
	return 0;
}

int tls_connect(struct tls *t, uint32_t peer, const struct ip_port *remote, void *user, struct tls_session **ret_session)
{
	struct peer *p = store_peer(t->config.store, peer);
	struct tls_session *s;
	int err;

	if (!p)
		return -ERR_NOT_FOUND;
	err = session_new(t, t->config.store->client, remote, user, &s);
	if (err) {
		tls_peer_put(p);
		return err;
	}
	s->peer = p;
	SSL_set_connect_state(s->ssl);
	if (!tls_peer_use(p, s->ssl)) {
		ERR_clear_error();
		tls_count(t, COUNTER_tls_no_memory);
		tls_free_session(t, s);
		return -ERR_NOMEM;
	}
	resume_offer(s);
	s->state = SESSION_UNSTARTED;
	*ret_session = s;
	/* Always from tls_advance, so that no handler is called before the caller has its session. */
	handshake_await_turn(s);
	return 0;
}

bool tls_is_peer(struct tls *t, const struct tls_session *s, uint32_t peer)
{
	X509 *leaf = SSL_get0_peer_certificate(s->ssl);
	struct peer *p;
	bool is;

	if (s->state != SESSION_OPEN || !s->server || !leaf || s->server->client_certificates == TLS_CLIENT_IGNORED)
		return false;
	p = store_peer(t->config.store, peer);
	if (!p)
		return false;
	/* By the same CAs it was verified already, with its whole chain. */
	is = p->verify && p->named && SSL_version(s->ssl) >= (int)p->minimum && name_is_of(&p->name, leaf) &&
	     (p->authorities == s->server->authorities || verify_as_peer(p, leaf));
	tls_peer_put(p);
	return is;
}
