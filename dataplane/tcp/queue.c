/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "tcp/connection.h"

/* The send queue: chunks from the slab, the bytes from snd_una to snd_end. */

#define CHUNK_LEAST 512
#define CHUNK_MOST  4096

static struct chunk *chunk_new(struct tcp *t, uint32_t start, uint32_t want)
{
	uint32_t bytes = want + (uint32_t)sizeof(struct chunk);
	struct chunk *k;

	if (bytes < CHUNK_LEAST)
		bytes = CHUNK_LEAST;
	if (bytes > CHUNK_MOST)
		bytes = CHUNK_MOST;
	k = slab_get(t->slab, bytes);
	if (!k)
		return NULL;
	*k = (struct chunk){ .start = start, .room = bytes - (uint32_t)sizeof(*k) };
	return k;
}

uint32_t tcp_queue_add(struct tcp *t, struct tcp_connection *c, struct span bytes)
{
	uint32_t taken = 0;

	while (taken < bytes.n) {
		struct chunk *k = c->send_tail;
		uint32_t n = bytes.n - taken;

		if (!k || k->length == k->room) {
			k = chunk_new(t, c->snd_end, n);
			if (!k) {
				tcp_count(t, COUNTER_tcp_no_buffer);
				break;
			}
			*(c->send_tail ? &c->send_tail->next : &c->send_head) = k;
			c->send_tail = k;
		}
		if (n > k->room - k->length)
			n = k->room - k->length;
		memcpy(k->bytes + k->length, bytes.p + taken, n);
		k->length += n;
		c->snd_end += n;
		taken += n;
	}
	return taken;
}

void tcp_queue_copy(struct tcp_connection *c, uint32_t seq, uint32_t bytes, uint8_t *to)
{
	struct chunk *k = c->send_at && seq_le(c->send_at->start, seq) ? c->send_at : c->send_head;

	while (bytes) {
		uint32_t from, n;

		assert(k);
		from = seq - k->start;
		if (from >= k->length) {
			k = k->next;
			continue;
		}
		n = k->length - from < bytes ? k->length - from : bytes;
		memcpy(to, k->bytes + from, n);
		c->send_at = k;
		to += n;
		seq += n;
		bytes -= n;
	}
}

void tcp_queue_trim(struct tcp *t, struct tcp_connection *c)
{
	while (c->send_head && seq_le(c->send_head->start + c->send_head->length, c->snd_una)) {
		struct chunk *k = c->send_head;

		c->send_head = k->next;
		if (!k->next)
			c->send_tail = NULL;
		if (c->send_at == k)
			c->send_at = NULL;
		slab_put(t->slab, k);
	}
}

void tcp_queue_drop(struct tcp *t, struct tcp_connection *c)
{
	while (c->send_head) {
		struct chunk *k = c->send_head;

		c->send_head = k->next;
		slab_put(t->slab, k);
	}
	c->send_tail = c->send_at = NULL;
}
