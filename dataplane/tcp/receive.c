/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/connection.h"

/* The receiver: bytes in order go straight to the user; what it does not take, and what came out of order, lies in chunks:
 *
 *     receive_head → … → receive_order_tail → piece → piece → …
 *     rcv_read … rcv_nxt: in order            disjoint, ascending, above rcv_nxt
 */

#define CHUNK_LEAST 512
#define FULL_LEAST  536 /* nobody's full segments are smaller (RFC 9293 §3.7.1) */

static uint32_t end_of(const struct chunk *k)
{
	return k->start + k->length;
}

/* Where the first piece out of order hangs. */
static struct chunk **pieces(struct tcp_connection *c)
{
	return c->receive_order_tail ? &c->receive_order_tail->next : &c->receive_head;
}

static bool fin_taken(const struct tcp_connection *c)
{
	return c->fin_received && c->rcv_nxt == c->fin_seq + 1;
}

/* Received in order and not taken. */
static uint32_t backlog(const struct tcp_connection *c)
{
	return c->rcv_nxt - fin_taken(c) - c->rcv_read;
}

uint32_t tcp_receive_share(const struct tcp *t)
{
	/* With most of the memory gone, everybody gets enough to go on, and no more. */
	if (slab_bytes_in_use(t->slab) > t->config.buffer_bytes / 4 * 3)
		return t->config.receive_bytes < 4096 ? t->config.receive_bytes : 4096;
	return t->config.receive_bytes;
}

uint32_t tcp_receive_window(const struct tcp *t, const struct tcp_connection *c)
{
	uint32_t limit = tcp_receive_share(t), used = backlog(c), room = used < limit ? limit - used : 0;
	uint32_t advertised = seq_lt(c->rcv_nxt, c->rcv_adv) ? c->rcv_adv - c->rcv_nxt : 0;
	uint32_t step = c->mss < limit / 2 ? c->mss : limit / 2;

	/* The receiver's side of silly window avoidance (RFC 9293 §3.8.6.2.2). */
	return room < advertised + step ? advertised : room;
}

static struct chunk *chunk_new(struct tcp *t, uint32_t seq, struct span bytes)
{
	uint32_t want = bytes.n + (uint32_t)sizeof(struct chunk);
	struct chunk *k;

	if (want < CHUNK_LEAST)
		want = CHUNK_LEAST;
	k = slab_get(t->slab, want);
	if (!k) {
		tcp_count(t, COUNTER_tcp_no_buffer);
		return NULL;
	}
	*k = (struct chunk){ .start = seq, .length = bytes.n, .room = want - (uint32_t)sizeof(*k) };
	memcpy(k->bytes, bytes.p, bytes.n);
	return k;
}

/* Bytes from rcv_nxt on that the user does not take now. false: no memory; they count as not received. */
static bool keep_in_order(struct tcp *t, struct tcp_connection *c, struct span bytes)
{
	struct chunk *tail = c->receive_order_tail, *k;
	uint32_t n;

	if (tail && end_of(tail) == c->rcv_nxt) {
		n = tail->room - tail->length < bytes.n ? tail->room - tail->length : bytes.n;
		memcpy(tail->bytes + tail->length, bytes.p, n);
		tail->length += n;
		c->rcv_nxt += n;
		bytes = span_of(bytes.p + n, bytes.n - n);
	}
	if (!bytes.n)
		return true;
	if (slab_bytes_in_use(t->slab) > t->config.buffer_bytes / 8 * 7) { /* the rest is for what is to be sent */
		tcp_count(t, COUNTER_tcp_no_buffer);
		return false;
	}
	k = chunk_new(t, c->rcv_nxt, bytes);
	if (!k)
		return false;
	k->next = *pieces(c);
	*pieces(c) = k;
	c->receive_order_tail = k;
	c->rcv_nxt += bytes.n;
	return true;
}

/* Pieces that rcv_nxt has reached are in order now. */
static void absorb(struct tcp *t, struct tcp_connection *c)
{
	struct chunk **at, *k;

	while (at = pieces(c), k = *at, k && seq_le(k->start, c->rcv_nxt)) {
		c->piece_count--;
		if (seq_le(end_of(k), c->rcv_nxt)) {
			*at = k->next;
			slab_put(t->slab, k);
		} else {
			c->rcv_nxt = end_of(k);
			c->receive_order_tail = k;
		}
	}
}

static void in_order(struct tcp *t, struct tcp_connection *c, struct span bytes)
{
	uint32_t taken = 0;

	if (!backlog(c)) {
		taken = t->handlers.data(t->config.ctx, c, bytes);
		if (c->state == TCP_STATE_CLOSED)
			return;
		taken = taken < bytes.n ? taken : bytes.n;
		c->stalled = taken < bytes.n;
		c->rcv_read += taken;
		c->rcv_nxt += taken;
	}
	if (taken < bytes.n && !keep_in_order(t, c, span_of(bytes.p + taken, bytes.n - taken)))
		c->ack_now = true;
	absorb(t, c);
}

/* Files what is not there yet; the bytes that came first stay. Nobody has to keep them: half of the memory is never used for that, so that
 * those who leave holes in their streams do not stop the others. */
static void keep_pieces(struct tcp *t, struct tcp_connection *c, uint32_t seq, struct span bytes)
{
	struct chunk **at = pieces(c), *before = NULL, *k;
	uint32_t n;

	while (bytes.n) {
		while (*at && seq_le(end_of(*at), seq)) {
			before = *at;
			at = &(*at)->next;
		}
		k = *at;
		n = bytes.n;
		if (k && seq_le(k->start, seq)) {
			n = end_of(k) - seq < n ? end_of(k) - seq : n;
		} else {
			if (k && seq_lt(k->start, seq + n))
				n = k->start - seq;
			if (before && end_of(before) == seq && before->room - before->length >= n) {
				memcpy(before->bytes + before->length, bytes.p, n);
				before->length += n;
			} else {
				if (c->piece_count >= t->config.pieces || slab_bytes_in_use(t->slab) > t->config.buffer_bytes / 2) {
					tcp_count(t, COUNTER_tcp_pieces_dropped);
					return;
				}
				k = chunk_new(t, seq, span_of(bytes.p, n));
				if (!k)
					return;
				k->next = *at;
				*at = k;
				c->piece_count++;
			}
		}
		seq += n;
		bytes = span_of(bytes.p + n, bytes.n - n);
	}
}

static void out_of_order(struct tcp *t, struct tcp_connection *c, uint32_t seq, struct span bytes)
{
	tcp_count(t, COUNTER_tcp_out_of_order);
	keep_pieces(t, c, seq, bytes);
	memmove(&c->recent[1], &c->recent[0], sizeof(c->recent) - sizeof(c->recent[0]));
	c->recent[0] = seq;
}

/* The run of pieces from k on that touch each other; *ret_next: the first behind it. */
static struct seq_range run_from(const struct chunk *k, const struct chunk **ret_next)
{
	struct seq_range run = { k->start, end_of(k) };

	for (k = k->next; k && k->start == run.to; k = k->next)
		run.to = end_of(k);
	*ret_next = k;
	return run;
}

static bool listed(const struct seq_range *blocks, unsigned from, unsigned n, uint32_t start)
{
	for (unsigned i = from; i < n; i++)
		if (blocks[i].from == start)
			return true;
	return false;
}

unsigned tcp_receive_sacks(const struct tcp_connection *c, unsigned most, struct seq_range *blocks)
{
	const struct chunk *first = *pieces((struct tcp_connection *)c), *k;
	unsigned n = 0, from;

	if (c->dsack)
		blocks[n++] = c->duplicate;
	from = n;
	for (unsigned i = 0; i < TCP_SACKS_MAX && n < most; i++) {
		for (k = first; k;) {
			struct seq_range run = run_from(k, &k);

			if (!seq_lt(c->recent[i], run.from) && seq_lt(c->recent[i], run.to)) {
				if (!listed(blocks, from, n, run.from))
					blocks[n++] = run;
				break;
			}
		}
	}
	for (k = first; k && n < most;) {
		struct seq_range run = run_from(k, &k);

		if (!listed(blocks, from, n, run.from))
			blocks[n++] = run;
	}
	return n;
}

void tcp_receive_deliver(struct tcp *t, struct tcp_connection *c)
{
	while (c->receive_order_tail && !c->stalled) {
		struct chunk *k = c->receive_head;
		uint32_t at = c->rcv_read - k->start, taken = 0;

		if (at < k->length) {
			taken = t->handlers.data(t->config.ctx, c, span_of(k->bytes + at, k->length - at));
			if (c->state == TCP_STATE_CLOSED)
				return;
			taken = taken < k->length - at ? taken : k->length - at;
		}
		c->rcv_read += taken;
		c->stalled = seq_lt(c->rcv_read, end_of(k));
		if (c->stalled)
			return;
		c->receive_head = k->next;
		if (k == c->receive_order_tail)
			c->receive_order_tail = NULL;
		slab_put(t->slab, k);
	}
	if (fin_taken(c) && !backlog(c) && !c->peer_closed_told) {
		c->peer_closed_told = true;
		t->handlers.peer_closed(t->config.ctx, c);
	}
}

/* When to acknowledge (RFC 5681 §4.2): what fills or leaves a hole, and every second segment; the rest a little later. What may wait for the
 * flush goes out with data where there is some; not so every second full segment of a long transfer: one acknowledgement for a burst of them
 * would be the only one to get lost. */
static void acknowledge(struct tcp *t, struct tcp_connection *c, bool had_pieces, uint32_t bytes)
{
	c->ack_pending++;
	c->ack_bytes += bytes;
	if (bytes > c->largest)
		c->largest = (uint16_t)(bytes < UINT16_MAX ? bytes : UINT16_MAX);
	if (c->largest >= FULL_LEAST && c->ack_bytes >= 2u * c->largest) {
		tcp_output_ack(t, c);
		return;
	}
	if (c->quick_acks) {
		c->quick_acks--;
		c->ack_now = true;
	}
	if (had_pieces || c->ack_pending >= 2 || fin_taken(c))
		c->ack_now = true;
	if (c->ack_now)
		tcp_connection_dirty(t, c);
	else if (!c->deadline[DEADLINE_ACK])
		tcp_timers_set(t, c, DEADLINE_ACK, t->config.delayed_ack_ms);
}

/* A segment of which every byte was there already: what it repeats is reported (RFC 2883). */
static void repeated(struct tcp *t, struct tcp_connection *c, uint32_t from, uint32_t to)
{
	tcp_count(t, COUNTER_tcp_duplicates);
	if (c->sack) {
		c->dsack = true;
		c->duplicate = (struct seq_range){ from, to };
	}
}

static bool held(struct tcp_connection *c, uint32_t from, uint32_t to)
{
	for (const struct chunk *k = *pieces(c); k; k = k->next)
		if (seq_le(k->start, from) && seq_le(to, end_of(k)))
			return true;
	return false;
}

/* Pieces that came before the FIN and lie behind it are nobody's. */
static void cut_behind_fin(struct tcp *t, struct tcp_connection *c)
{
	struct chunk **at = pieces(c), *k;

	while ((k = *at)) {
		if (seq_le(c->fin_seq, k->start)) {
			*at = k->next;
			c->piece_count--;
			slab_put(t->slab, k);
			continue;
		}
		if (seq_lt(c->fin_seq, end_of(k)))
			k->length = c->fin_seq - k->start;
		at = &k->next;
	}
}

void tcp_receive(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint32_t seq = s->seq, n = s->data.n, skip = 0, edge = c->rcv_adv;
	bool fin = s->flags & FLAG_FIN, had_pieces = c->piece_count;

	if (!n && !fin)
		return;
	if (fin_taken(c)) {
		c->ack_now = true;
		return;
	}
	if (c->fin_received)
		edge = seq_min(edge, c->fin_seq); /* nothing follows a FIN */
	if (seq_lt(edge, seq + n)) {
		n = seq_lt(seq, edge) ? edge - seq : 0;
		fin = false;
		c->ack_now = true; /* a probe of our window, or somebody who does not keep to it */
	}
	if (seq_lt(seq, c->rcv_nxt)) {
		skip = c->rcv_nxt - seq < n ? c->rcv_nxt - seq : n;
		if (skip == n && n)
			repeated(t, c, s->seq, s->seq + n);
	}
	if (fin && !c->fin_received && seq_le(c->rcv_nxt, seq + n)) {
		c->fin_received = true;
		c->fin_seq = seq + n;
		cut_behind_fin(t, c);
	}
	if (n > skip && seq_le(seq, c->rcv_nxt)) {
		in_order(t, c, span_of(s->data.p + skip, n - skip));
	} else if (n > skip) {
		if (held(c, seq, seq + n))
			repeated(t, c, seq, seq + n);
		out_of_order(t, c, seq, span_of(s->data.p, n));
		tcp_output_ack(t, c); /* a duplicate acknowledgement for each, or the peer cannot count them */
		return;
	} else if (n) {
		c->ack_now = true;
	}
	if (c->state == TCP_STATE_CLOSED)
		return;
	if (c->fin_received && c->rcv_nxt == c->fin_seq)
		c->rcv_nxt++;
	acknowledge(t, c, had_pieces || fin, n - skip);
	if (c->receive_order_tail || c->fin_received)
		tcp_receive_deliver(t, c);
}

void tcp_receive_drop(struct tcp *t, struct tcp_connection *c)
{
	while (c->receive_head) {
		struct chunk *k = c->receive_head;

		c->receive_head = k->next;
		slab_put(t->slab, k);
	}
	c->receive_order_tail = NULL;
	c->piece_count = 0;
}
