/* SPDX-License-Identifier: Apache-2.0 */
/* What was lately asked by each connection, so that it can be handed back when that breaks. */
#include <assert.h>
#include <stddef.h>

#include "transport/stream_state.h"

#define TEXT	    40	  /* ;branch= and the branch */
#define KEPT_MS	    32000 /* by then its transaction has ended by itself */
#define FIRST_BYTES 512	  /* of a ring; it doubles while all that is in it is young */
#define MOST_BYTES  8192

/* A request that was given to TCP: enough of it to find its transaction by. */
struct sent {
	uint32_t at_ms;
	struct ip_port to;
	char text[TEXT];
};

/* The last ones of a connection. Rings are in the order of their last requests. */
struct sent_ring {
	struct stream *owner;
	struct sent_ring *older, *newer;
	uint32_t bytes;	      /* of all of it */
	uint32_t count, room; /* entries: ever, at most */
	struct sent request[];
};

static_assert(FIRST_BYTES >= sizeof(struct sent_ring) + 4 * sizeof(struct sent), "a few at least");

static bool young(const struct streams *st, const struct sent *entry)
{
	return (uint32_t)st->now_ms - entry->at_ms < KEPT_MS;
}

static void unlink_ring(struct streams *st, struct sent_ring *r)
{
	*(r->older ? &r->older->newer : &st->sent_oldest) = r->newer;
	*(r->newer ? &r->newer->older : &st->sent_newest) = r->older;
}

static void link_newest(struct streams *st, struct sent_ring *r)
{
	r->older = st->sent_newest;
	r->newer = NULL;
	*(r->older ? &r->older->newer : &st->sent_oldest) = r;
	st->sent_newest = r;
}

static struct sent_ring *ring_new(struct streams *st, struct stream *s, uint32_t bytes)
{
	struct sent_ring *r = slab_get(st->slab, bytes);

	if (!r) {
		stream_count(st, COUNTER_stream_no_memory);
		return NULL;
	}
	r->owner = s;
	r->bytes = bytes;
	r->count = 0;
	r->room = (uint32_t)((bytes - sizeof(*r)) / sizeof(r->request[0]));
	s->sent = r;
	link_newest(st, r);
	return r;
}

void stream_sent_drop(struct streams *st, struct stream *s)
{
	if (!s->sent)
		return;
	unlink_ring(st, s->sent);
	slab_put(st->slab, s->sent);
	s->sent = NULL;
}

/* A larger one with the same in it, where there may be one; else the oldest entry will be forgotten. */
static struct sent_ring *grown(struct streams *st, struct stream *s)
{
	struct sent_ring *old = s->sent, *r;
	uint32_t bytes = 2 * old->bytes;

	if (old->bytes == MOST_BYTES)
		return old;
	unlink_ring(st, old);
	r = ring_new(st, s, bytes);
	if (!r) {
		link_newest(st, old);
		s->sent = old;
		return old;
	}
	for (uint32_t i = old->count - old->room; i != old->count; i++)
		r->request[i % r->room] = old->request[i % old->room];
	r->count = old->count;
	slab_put(st->slab, old);
	return r;
}

void stream_sent_note(struct streams *st, struct stream *s, const uint8_t *message, uint32_t len, const struct ip_port *to)
{
	static const char mark[] = ";branch=z9hG4bK";
	struct sent_ring *r = s->sent;
	struct sent *entry;
	const uint8_t *at;

	if (len >= 4 && memcmp(message, "SIP/", 4) == 0)
		return;
	at = memmem(message, len, mark, sizeof(mark) - 1);
	if (!at || message + len - at < TEXT)
		return;
	if (!r)
		r = ring_new(st, s, FIRST_BYTES);
	else if (r->count >= r->room && young(st, &r->request[r->count % r->room]))
		r = grown(st, s);
	if (!r)
		return; /* its transaction will run into its timer */
	entry = &r->request[r->count++ % r->room];
	entry->at_ms = (uint32_t)st->now_ms;
	entry->to = *to;
	memcpy(entry->text, at, TEXT);
	if (r != st->sent_newest) {
		unlink_ring(st, r);
		link_newest(st, r);
	}
}

void stream_sent_give_back(struct streams *st, struct stream *s)
{
	struct sent_ring *r = s->sent;
	uint32_t n;

	if (!r)
		return;
	/* What is told may send, but not by this one. */
	n = r->count < r->room ? r->count : r->room;
	for (uint32_t i = r->count - n; i != r->count; i++) {
		const struct sent *entry = &r->request[i % r->room];

		if (young(st, entry))
			st->config.undelivered(st->config.ctx, (const uint8_t *)entry->text, TEXT, &entry->to, s->why);
	}
	stream_sent_drop(st, s);
}

void stream_sent_expire(struct streams *st)
{
	struct sent_ring *r;

	while ((r = st->sent_oldest) && !young(st, &r->request[(r->count - 1) % r->room]))
		stream_sent_drop(st, r->owner);
}
