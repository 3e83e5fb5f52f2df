/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are not read for the moment, and messages that do not end. Neither may cost a worker its time, or others their memory. */
#include "transport/stream_state.h"

#define STARVED_TRIES 16 /* of those that no memory was found for, in a ms */

/* ---- not read */

void stream_read_next_turn(struct streams *st, struct stream *s)
{
	if (s->listed_stalled)
		return;
	s->listed_stalled = true;
	s->next_stalled = st->stalled;
	st->stalled = s;
}

static void link_starved(struct streams *st, struct stream *s)
{
	s->listed_stalled = s->starved = true;
	s->next_stalled = NULL;
	s->previous_starved = st->starved_last;
	*(st->starved_last ? &st->starved_last->next_stalled : &st->starved) = s;
	st->starved_last = s;
}

static void unlink_starved(struct streams *st, struct stream *s)
{
	*(s->previous_starved ? &s->previous_starved->next_stalled : &st->starved) = s->next_stalled;
	*(s->next_stalled ? &s->next_stalled->previous_starved : &st->starved_last) = s->previous_starved;
	s->listed_stalled = s->starved = false;
}

void stream_stall(struct streams *st, struct stream *s, bool starved)
{
	if (s->listed_stalled)
		return;
	if (!st->retrying)
		stream_count(st, COUNTER_stream_stalled);
	if (starved)
		link_starved(st, s);
	else
		stream_read_next_turn(st, s);
}

void stream_stall_forget(struct streams *st, struct stream *s)
{
	if (s->starved)
		unlink_starved(st, s);
}

static void read_again(struct streams *st, struct stream *s)
{
	if (stream_ready(st, s) && (!s->tls || tls_read(st->tls, s->tls)) && s->c)
		tcp_read(st->tcp, s->c);
	if (s->peer_done && !s->listed_stalled && s->c)
		stream_peer_done(st, s);
}

/* In the order of waiting. Where memory is gone for some it is for most: then those behind them are not even asked, however many they are. */
static unsigned retry_starved(struct streams *st)
{
	struct stream *s, *last = st->starved_last;
	unsigned n = 0, failures = 0;

	if (!st->starved || st->now_ms == st->starved_ms)
		return 0;
	st->starved_ms = st->now_ms;
	while ((s = st->starved) && failures < STARVED_TRIES) {
		unlink_starved(st, s);
		read_again(st, s);
		failures += s->starved;
		n++;
		if (s == last)
			break;
	}
	return n;
}

unsigned stream_retry_stalled(struct streams *st)
{
	struct stream *s = st->stalled;
	unsigned n = 0;

	st->stalled = NULL;
	st->retrying = true;
	while (s) {
		struct stream *next = s->next_stalled;

		s->listed_stalled = false;
		read_again(st, s);
		s = next;
		n++;
	}
	n += retry_starved(st);
	st->retrying = false;
	return n;
}

/* ---- begun and not whole */

void stream_message_begun(struct streams *st, struct stream *s)
{
	if (s->begun_ms)
		return;
	s->begun_ms = st->now_ms + 1; /* 0 says that there is none */
	s->begun_before = st->begun_last;
	s->begun_after = NULL;
	*(st->begun_last ? &st->begun_last->begun_after : &st->begun) = s;
	st->begun_last = s;
}

void stream_message_ended(struct streams *st, struct stream *s)
{
	if (!s->begun_ms)
		return;
	*(s->begun_before ? &s->begun_before->begun_after : &st->begun) = s->begun_after;
	*(s->begun_after ? &s->begun_after->begun_before : &st->begun_last) = s->begun_before;
	s->begun_ms = 0;
}

void stream_close_unfinished(struct streams *st)
{
	while (st->config.message_ms && st->begun && st->now_ms + 1 - st->begun->begun_ms >= st->config.message_ms) {
		struct stream *s = st->begun;

		stream_message_ended(st, s);
		if (s->closing)
			continue;
		stream_count(st, COUNTER_stream_unfinished);
		stream_close(st, s);
		stream_drop_buffer(st, s);
	}
}
