/* SPDX-License-Identifier: Apache-2.0 */
/* TLS between a connection and its messages: what TCP brings goes to the session, which gives it on in plain; what is sent goes the other
 * way round. */
#include "base/err.h"
#include "transport/stream_state.h"

/* A record's head, explicit nonce and tag, in bytes, and how much of a message is in one. */
#define RECORD_MORE  29
#define RECORD_BYTES 16384

/* ---- its beginning and its end */

static void keep_reason(struct streams *st, struct stream *s, const char *text)
{
	size_t n = strnlen(text, STREAM_WHY_MAX - 1);

	if (s->why)
		return;
	s->why = slab_get(st->slab, (uint32_t)n + 1);
	if (!s->why)
		return;
	memcpy(s->why, text, n);
	s->why[n] = 0;
}

/* There is no session to send by any more, but TCP may still have its last words to deliver: it ends by itself. */
static void let_go(struct streams *st, struct stream *s)
{
	struct tcp_connection *c = s->c;

	if (!c)
		return;
	tcp_set_user(c, NULL);
	stream_gone(st, s);
	tcp_close(st->tcp, c);
}

bool stream_secure(struct streams *st, struct stream *s, unsigned server)
{
	int err;

	if (!st->tls)
		err = -ERR_NOT_FOUND;
	else if (s->ours)
		err = tls_connect(st->tls, s->tls_peer, &s->remote, s, &s->tls);
	else
		err = tls_accept(st->tls, server, &s->remote, s, &s->tls);
	if (!err)
		return true;
	if (err != -ERR_NOT_FOUND)
		stream_count(st, COUNTER_stream_refused_full);
	keep_reason(st, s, err == -ERR_NOT_FOUND ? "its TLS settings are gone" : "too many TLS sessions");
	let_go(st, s);
	return false;
}

void stream_unsecure(struct streams *st, struct stream *s)
{
	if (s->tls)
		tls_free_session(st->tls, s->tls);
	s->tls = NULL;
}

void stream_peer_done(struct streams *st, struct stream *s)
{
	if (s->filled)
		stream_count(st, COUNTER_stream_cut);
	if (s->tls)
		tls_cut(st->tls, s->tls);
	stream_close(st, s);
}

void stream_cut(struct streams *st, struct stream *s)
{
	if (s->transport == TRANSPORT_TLS && s->c && !s->stands && s->tls)
		keep_reason(st, s, "the connection broke during the TLS handshake");
}

/* ---- bytes out */

uint32_t stream_room(const struct streams *st, const struct stream *s)
{
	uint32_t room = tcp_send_room(st->tcp, s->c), more;

	if (!s->tls)
		return room;
	more = RECORD_MORE * (room / RECORD_BYTES + 1);
	return tls_pending(s->tls) || room < more ? 0 : room - more;
}

uint32_t stream_put(struct streams *st, struct stream *s, struct span bytes)
{
	return s->tls ? tls_send(st->tls, s->tls, bytes) : tcp_send(st->tcp, s->c, bytes);
}

void stream_finish(struct streams *st, struct stream *s)
{
	if (s->tls && s->stands) {
		tls_close(st->tls, s->tls);
		if (tls_pending(s->tls))
			return; /* again when there is room */
	}
	tcp_close(st->tcp, s->c);
}

/* ---- what the session tells */

static uint32_t send(void *ctx, void *user, struct span bytes)
{
	struct streams *st = ctx;
	struct stream *s = user;

	return s->c ? tcp_send(st->tcp, s->c, bytes) : bytes.n;
}

static uint32_t data(void *ctx, void *user, struct span bytes)
{
	return stream_plain(ctx, user, bytes);
}

static void opened(void *ctx, void *user, const struct tls_opened *how)
{
	struct stream *s = user;

	s->cipher = how->cipher;
	s->tls_version = (uint16_t)how->version;
	s->tls_resumed = how->resumed;
	s->stands = true;
	stream_touched(ctx, s);
	if (s->c)
		stream_drain(ctx, s);
}

static void writable(void *ctx, void *user)
{
	stream_drain(ctx, user);
}

static void resume(void *ctx, void *user)
{
	struct streams *st = ctx;
	struct stream *s = user;

	if (s->c)
		tcp_read(st->tcp, s->c);
}

static void closed(void *ctx, void *user, enum tls_end why, const char *text)
{
	struct streams *st = ctx;
	struct stream *s = user;

	if (!s->stands || (why != TLS_END_CLOSED && why != TLS_END_CUT))
		keep_reason(st, s, text);
	let_go(st, s);
}

static const struct tls_handlers handlers = {
	.send = send,
	.data = data,
	.opened = opened,
	.writable = writable,
	.resume = resume,
	.closed = closed,
};

int stream_tls_new(struct streams *st)
{
	struct tls_config config = st->config.tls;

	if (!config.store)
		return 0;
	config.handlers = &handlers;
	config.ctx = st;
	config.counters = st->config.counters;
	return tls_new(&config, &st->tls);
}
