/* SPDX-License-Identifier: Apache-2.0 */
/* Where OpenSSL reads and writes: straight from the bytes at hand, straight to the connection. An idle session keeps neither. */
#include <string.h>

#include <openssl/crypto.h>

#include "tls/session.h"

/* ---- bytes that wait */

struct kept *bio_keep(struct tls *t, struct kept **at, const uint8_t *bytes, uint32_t n)
{
	struct kept *k = *at;
	uint32_t end = k ? k->end : 0, room = k ? k->room : 0;

	if (end + n > room) {
		k = OPENSSL_realloc(k, sizeof(*k) + end + n);
		if (!k)
			return NULL;
		t->kept_bytes += end + n - room;
		if (!*at)
			k->at = 0;
		k->room = end + n;
		*at = k;
	}
	memcpy(k->bytes + end, bytes, n);
	k->end = end + n;
	return k;
}

void bio_drop(struct tls *t, struct kept **at)
{
	if (!*at)
		return;
	t->kept_bytes -= (*at)->room;
	OPENSSL_clear_free(*at, sizeof(**at) + (*at)->room);
	*at = NULL;
}

void bio_drain(struct tls_session *s)
{
	struct tls *t = s->t;
	struct kept *k = s->pending;

	while (k && k->at < k->end) {
		uint32_t n = t->config.handlers->send(t->config.ctx, s->user, span_of(k->bytes + k->at, k->end - k->at));

		if (!n)
			return;
		k->at += n;
	}
	bio_drop(t, &s->pending);
}

/* ---- the method */

static int read_bytes(BIO *bio, char *out, size_t n, size_t *ret_n)
{
	struct tls_session *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (!s->in.n) {
		BIO_set_retry_read(bio);
		return 0;
	}
	n = n < s->in.n ? n : s->in.n;
	memcpy(out, s->in.p, n);
	s->in.p += n;
	s->in.n -= (uint32_t)n;
	*ret_n = n;
	return 1;
}

static int write_bytes(BIO *bio, const char *data, size_t n, size_t *ret_n)
{
	struct tls_session *s = BIO_get_data(bio);
	struct tls *t = s->t;
	uint32_t waiting = s->pending ? s->pending->end - s->pending->at : 0, taken = 0;

	BIO_clear_retry_flags(bio);
	if (n > PENDING_MAX - waiting)
		return 0;
	if (!waiting)
		taken = t->config.handlers->send(t->config.ctx, s->user, span_of(data, (uint32_t)n));
	if (taken < n && !bio_keep(t, &s->pending, (const uint8_t *)data + taken, (uint32_t)n - taken))
		return 0;
	*ret_n = n;
	return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH;
}

static int create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *bio_method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session");

	if (!m || !BIO_meth_set_read_ex(m, read_bytes) || !BIO_meth_set_write_ex(m, write_bytes) || !BIO_meth_set_ctrl(m, control) ||
	    !BIO_meth_set_create(m, create)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

struct tls_session *bio_session(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}
