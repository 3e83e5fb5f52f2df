/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions kept to be resumed with those whom we connect to: the newest of each, by peer and address. One of TLS 1.3 is offered once (RFC
 * 8446 §C.4); one of TLS 1.2, whose server may send no other, until it fails. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "tls/session.h"

struct ticket {
	struct ticket *chain; /* of its bucket */
	struct ticket *older, *newer;
	SSL_SESSION *session;
	uint64_t version; /* of the peer: one that was changed since is verified anew */
	int64_t chain_expires_s;
	struct ip_port remote;
};

struct resume {
	struct pool *pool;
	struct ticket **buckets;
	uint32_t mask;
	struct ticket *oldest, *newest;
};

struct resume *resume_new(uint32_t tickets)
{
	struct resume *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->mask = 15;
	while (r->mask < tickets)
		r->mask = r->mask * 2 + 1;
	r->buckets = calloc(r->mask + 1, sizeof(r->buckets[0]));
	r->pool = tickets ? pool_new(tickets, sizeof(struct ticket)) : NULL;
	if (r->buckets && (r->pool || !tickets))
		return r;
	resume_free(r);
	return NULL;
}

static struct ticket **bucket_of(struct resume *r, uint64_t version, const struct ip_port *remote)
{
	uint64_t h = version * 0x9e3779b97f4a7c15ULL + remote->port;

	for (unsigned i = 0; i < sizeof(remote->ip.bytes); i++)
		h = (h ^ remote->ip.bytes[i]) * 0x100000001b3ULL;
	return &r->buckets[(h >> 32 ^ h) & r->mask];
}

static struct ticket *find(struct resume *r, uint64_t version, const struct ip_port *remote)
{
	struct ticket *k = *bucket_of(r, version, remote);

	while (k && (k->version != version || !ip_port_eq(&k->remote, remote)))
		k = k->chain;
	return k;
}

static void drop(struct resume *r, struct ticket *k)
{
	struct ticket **at = bucket_of(r, k->version, &k->remote);

	while (*at != k)
		at = &(*at)->chain;
	*at = k->chain;
	*(k->older ? &k->older->newer : &r->oldest) = k->newer;
	*(k->newer ? &k->newer->older : &r->newest) = k->older;
	SSL_SESSION_free(k->session);
	pool_put(r->pool, k);
}

void resume_free(struct resume *r)
{
	if (!r)
		return;
	while (r->oldest)
		drop(r, r->oldest);
	pool_free(r->pool);
	free(r->buckets);
	free(r);
}

uint32_t resume_count(const struct resume *r)
{
	return r->pool ? pool_in_use(r->pool) : 0;
}

int resume_keep(SSL *ssl, SSL_SESSION *session)
{
	struct tls_session *s = bio_session(ssl);
	struct resume *r = s->t->resume;
	struct ticket *k;

	if (!r->pool || !SSL_SESSION_is_resumable(session))
		return 0;
	k = find(r, s->peer->version, &s->remote);
	if (k)
		drop(r, k);
	k = pool_get(r->pool);
	if (!k) {
		drop(r, r->oldest);
		k = pool_get(r->pool);
	}
	*k = (struct ticket){ .session = session, .version = s->peer->version, .chain_expires_s = s->chain_expires_s, .remote = s->remote };
	k->older = r->newest;
	*(r->newest ? &r->newest->newer : &r->oldest) = k;
	r->newest = k;
	k->chain = *bucket_of(r, k->version, &k->remote);
	*bucket_of(r, k->version, &k->remote) = k;
	return 1; /* the reference is ours now */
}

void resume_offer(struct tls_session *s)
{
	struct resume *r = s->t->resume;
	struct ticket *k = find(r, s->peer->version, &s->remote);

	if (!k)
		return;
	s->chain_expires_s = k->chain_expires_s;
	if ((int64_t)time(NULL) >= k->chain_expires_s || !SSL_set_session(s->ssl, k->session) ||
	    SSL_SESSION_get_protocol_version(k->session) != TLS1_2_VERSION)
		drop(r, k);
}

void resume_forget(struct tls_session *s)
{
	struct ticket *k = s->peer ? find(s->t->resume, s->peer->version, &s->remote) : NULL;

	if (k)
		drop(s->t->resume, k);
}
