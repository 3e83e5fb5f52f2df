/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in: whole messages are handed on where they lie; what is incomplete is copied into a buffer, which a connection has only so long. */
#include "base/base32.h"
#include "sip/reply.h"
#include "transport/stream_state.h"

#define BUFFER_LEAST 1024

void stream_drop_buffer(struct streams *st, struct stream *s)
{
	slab_put(st->slab, s->buffer);
	s->buffer = NULL;
	s->filled = s->room = s->ready = 0;
}

static bool hand_on(struct streams *st, struct stream *s, const uint8_t *message, uint32_t len)
{
	struct flow from = { .remote = s->remote, .local = s->local, .transport = s->transport, .connection = s->name, .tls_peer = s->tls_peer };

	if (!s->ours && !s->introduced && st->config.introduced)
		st->config.introduced(st->config.ctx, message, len, &from);
	s->introduced = true;
	if (!st->config.message(st->config.ctx, message, len, &from))
		return false;
	stream_count(st, COUNTER_stream_messages_in);
	s->messages_in++;
	s->bytes_in += len;
	return true;
}

/* RFC 3261 §18.3: what a request whose length cannot be told gets, before the connection is closed. head: what there is of it. */
static void refuse(struct streams *st, struct stream *s, enum framing_verdict why, const uint8_t *head, uint32_t len)
{
	struct reply reply = { .status = why == FRAMING_TOO_LARGE ? 413 : 400, .reason = why == FRAMING_NO_LENGTH ? "Missing Content-Length" : NULL };
	uint64_t hash = siphash24(&st->config.tcp.secret, &s->name, sizeof(s->name));
	char tag[16];
	int n;

	stream_count(st, COUNTER_stream_bad);
	if (len && sip_parse(head, len, &st->look) != SIP_NOT_SIP && st->look.is_request && st->look.method != SIP_ACK && sip_answerable(&st->look)) {
		if (!st->look.to_tag.p)
			reply.to_tag = span_of(tag, base32_encode((const uint8_t *)&hash, sizeof(hash), tag));
		n = reply_compose(&st->look, &reply, st->answer, sizeof(st->answer));
		if (n > 0 && !s->queue)
			stream_put(st, s, span_of(st->answer, (uint32_t)n));
	}
	stream_close(st, s);
}

/* What is to be done with what is at the front. false: it could not be handed on now. */
static bool act(struct streams *st, struct stream *s, enum framing_verdict verdict, const uint8_t *data, uint32_t bytes)
{
	switch (verdict) {
	case FRAMING_MESSAGE:
		if (s->begun_ms)
			stream_message_ended(st, s);
		return hand_on(st, s, data, bytes);
	case FRAMING_PING:
		stream_count(st, COUNTER_stream_pings);
		if (!s->queue)
			stream_put(st, s, SPAN_LIT("\r\n"));
		return true;
	case FRAMING_IDLE:
	case FRAMING_MORE:
		return true;
	default:
		refuse(st, s, verdict, data, bytes);
		return true;
	}
}

/* Room in the buffer for `bytes`, what is in it included. */
static bool make_room(struct streams *st, struct stream *s, uint32_t bytes)
{
	uint8_t *larger;

	if (bytes <= s->room)
		return true;
	bytes = slab_room(st->slab, bytes < BUFFER_LEAST ? BUFFER_LEAST : bytes); /* all of it may be used */
	larger = slab_get(st->slab, bytes);
	if (!larger) {
		st->no_room = true;
		stream_count(st, COUNTER_stream_no_memory);
		return false;
	}
	if (s->filled)
		memcpy(larger, s->buffer, s->filled);
	slab_put(st->slab, s->buffer);
	s->buffer = larger;
	s->room = bytes;
	return true;
}

/* Bytes behind what is in the buffer. Returns how many of them are done with; *ret_on: whether to go on. */
static uint32_t buffered(struct streams *st, struct stream *s, struct span bytes, bool *ret_on)
{
	uint32_t most = s->framing.total ? s->framing.total - s->filled : FRAMING_HEAD_MAX + 1 - s->filled;
	uint32_t n = bytes.n < most ? bytes.n : most, len, rest;
	enum framing_verdict verdict;

	*ret_on = make_room(st, s, s->framing.total ? s->framing.total : s->filled + n);
	if (!*ret_on)
		return 0;
	memcpy(s->buffer + s->filled, bytes.p, n);
	s->filled += n;
	verdict = framing_next(&s->framing, s->buffer, s->filled, &len);
	if (verdict == FRAMING_MORE)
		return n;
	if (!act(st, s, verdict, s->buffer, len)) {
		*ret_on = false;
		s->ready = len;
	}
	if (s->closing) {
		stream_drop_buffer(st, s);
		return n;
	}
	rest = s->filled - len;
	s->filled = s->ready;
	if (!s->ready)
		stream_drop_buffer(st, s);
	return n - rest;
}

/* Messages that lie in `bytes` whole. As buffered. */
static uint32_t in_place(struct streams *st, struct stream *s, struct span bytes, bool *ret_on)
{
	uint32_t at = 0, len;

	*ret_on = true;
	while (at < bytes.n && s->c && !s->closing) {
		enum framing_verdict verdict = framing_next(&s->framing, bytes.p + at, bytes.n - at, &len);

		if (verdict == FRAMING_MORE) {
			uint32_t n = bytes.n - at;

			stream_message_begun(st, s);
			*ret_on = make_room(st, s, s->framing.total ? s->framing.total : n);
			if (!*ret_on)
				return at;
			memcpy(s->buffer, bytes.p + at, n);
			s->filled = n;
			return bytes.n;
		}
		*ret_on = act(st, s, verdict, bytes.p + at, len);
		if (!*ret_on)
			return at;
		at += len;
	}
	return at;
}

uint32_t stream_plain(struct streams *st, struct stream *s, struct span bytes)
{
	uint32_t at = 0;
	bool on = true;

	st->no_room = false;
	stream_touched(st, s);
	if (st->held && !s->ours)
		return 0;
	while (at < bytes.n && s->c && !s->closing && on) {
		struct span rest = span_of(bytes.p + at, bytes.n - at);

		if (s->ready)
			on = false;
		else
			at += s->filled ? buffered(st, s, rest, &on) : in_place(st, s, rest, &on);
	}
	if (s->closing)
		return bytes.n; /* nobody reads it any more */
	if (!on)
		stream_stall(st, s, st->no_room);
	return at;
}

uint32_t stream_data(void *ctx, struct tcp_connection *c, struct span bytes)
{
	struct streams *st = ctx;
	struct stream *s = tcp_user(c);

	if (!s)
		return bytes.n;
	/* Also where it is closing: what waits may need a handshake to leave. */
	return s->tls ? tls_input(st->tls, s->tls, bytes) : stream_plain(st, s, bytes);
}

bool stream_ready(struct streams *st, struct stream *s)
{
	if (!s->ready)
		return true;
	if (!hand_on(st, s, s->buffer, s->ready)) {
		stream_stall(st, s, false);
		return false;
	}
	stream_drop_buffer(st, s);
	return true;
}
