/* SPDX-License-Identifier: Apache-2.0 */
/* Messages out: which connection they take, what waits for it, and what becomes of them when it breaks. */
#include <stddef.h>

#include "base/err.h"
#include "transport/stream_state.h"

void stream_give_back(struct streams *st, struct stream *s)
{
	struct queued *q;

	stream_sent_give_back(st, s);
	while ((q = s->queue)) {
		s->queue = q->next;
		/* One that has begun to leave is among those above. */
		if (!q->sent)
			st->config.undelivered(st->config.ctx, q->bytes, q->len, &q->to, s->why);
		slab_put(st->slab, q);
	}
	s->queue_end = &s->queue;
	s->queue_bytes = 0;
}

static int enqueue(struct streams *st, struct stream *s, const uint8_t *message, uint32_t len, uint32_t sent, const struct flow *to)
{
	struct queued *q;

	if (s->queue_bytes + len > st->config.queue_bytes) {
		stream_count(st, COUNTER_stream_refused_full);
		return -ERR_FULL;
	}
	q = slab_get(st->slab, (uint32_t)sizeof(*q) + len);
	if (!q) {
		stream_count(st, COUNTER_stream_no_memory);
		return -ERR_FULL;
	}
	*q = (struct queued){ .to = to->remote, .sent = sent, .len = len, .until_ms = to->patience_ms ? st->now_ms + to->patience_ms : UINT64_MAX };
	memcpy(q->bytes, message, len);
	*s->queue_end = q;
	s->queue_end = &q->next;
	s->queue_bytes += len;
	return 0;
}

static void note_out(struct streams *st, struct stream *s, uint32_t len)
{
	stream_count(st, COUNTER_stream_messages_out);
	s->messages_out++;
	s->bytes_out += len;
}

static void forget_first(struct streams *st, struct stream *s)
{
	struct queued *q = s->queue;

	s->queue = q->next;
	s->queue_bytes -= q->len;
	slab_put(st->slab, q);
}

void stream_drain(struct streams *st, struct stream *s)
{
	struct queued *q;

	while (s->c && s->stands && (q = s->queue)) {
		if (!q->sent && st->now_ms >= q->until_ms) {
			stream_count(st, COUNTER_stream_too_late);
			forget_first(st, s);
			continue;
		}
		if (!q->sent)
			stream_sent_note(st, s, q->bytes, q->len, &q->to);
		q->sent += stream_put(st, s, span_of(q->bytes + q->sent, q->len - q->sent));
		if (q->sent < q->len)
			return;
		note_out(st, s, q->len);
		forget_first(st, s);
	}
	if (!s->queue)
		s->queue_end = &s->queue;
	if (s->closing && s->c && !s->queue)
		stream_finish(st, s);
}

static int send_on(struct streams *st, struct stream *s, const uint8_t *message, uint32_t len, const struct flow *to)
{
	uint32_t n;
	int err;

	stream_touched(st, s);
	if (!s->stands || s->queue || stream_room(st, s) < len) {
		err = enqueue(st, s, message, len, 0, to);
		if (!err && s->stands && s->queue->len == s->queue_bytes)
			stream_drain(st, s); /* so that TCP knows that more waits */
		return err;
	}
	n = stream_put(st, s, span_of(message, len));
	if (n < len) {
		err = enqueue(st, s, message, len, n, to);
		if (err && n) { /* half a message is on its way, and the rest of it nowhere */
			tcp_abort(st->tcp, s->c);
			stream_gone(st, s);
		}
		if (!err && n)
			stream_sent_note(st, s, message, len, &to->remote);
		return err;
	}
	stream_sent_note(st, s, message, len, &to->remote);
	note_out(st, s, len);
	return 0;
}

static int open_to(struct streams *st, const uint8_t *message, uint32_t len, const struct flow *to)
{
	struct ip_port local = { .ip = to->local.ip };
	struct stream *s;
	int err;

	if (st->shut)
		return -ERR_UNREACHABLE;
	s = stream_new(st, NULL, to);
	if (!s) {
		stream_count(st, COUNTER_stream_refused_full);
		return -ERR_FULL;
	}
	/* Kept before the SYN leaves: the message may lie where that is written. */
	err = enqueue(st, s, message, len, 0, to);
	if (!err)
		err = tcp_connect(st->tcp, &local, &to->remote, s, &s->c);
	if (err) {
		slab_put(st->slab, s->queue); /* the caller hears of it at once */
		s->queue = NULL;
		s->queue_end = &s->queue;
		stream_gone(st, s);
		return err == -ERR_FULL ? -ERR_FULL : -ERR_UNREACHABLE;
	}
	stream_share(st, s);
	return 0;
}

/* Nobody can say as whom its peer is to be verified: what goes to whoever answers there is what the operator allows. */
static int callback(struct streams *st, const uint8_t *message, uint32_t len, const struct flow *to)
{
	struct flow flow = *to;

	if (!st->config.unverified_callbacks) {
		stream_count(st, COUNTER_stream_unverified);
		return -ERR_UNREACHABLE;
	}
	flow.tls_peer = TLS_PEER_DEFAULT;
	return streams_send(st, message, len, &flow);
}

int streams_send(struct streams *st, const uint8_t *message, uint32_t len, const struct flow *to)
{
	struct stream *s = stream_find(st, to->connection);

	if (!s || s->closing) {
		if (to->transport == TRANSPORT_TLS && to->tls_peer == TLS_PEER_ANYBODY)
			return callback(st, message, len, &(struct flow){ .remote = to->remote, .local = to->local, .transport = TRANSPORT_TLS });
		s = stream_to(st, to);
	}
	if (s)
		return send_on(st, s, message, len, to);
	return open_to(st, message, len, to);
}
