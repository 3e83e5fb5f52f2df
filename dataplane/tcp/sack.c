/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/connection.h"

/* The sender's scoreboard: RFC 6675 §4. All bytes of a hole have the same bytes sacked above them, so that what the RFC asks of each octet is
 * asked of each hole. */

/* What of a block lies between snd_una and snd_max; false: nothing, or it makes no sense, or it reports a duplicate (RFC 2883). */
static bool block_counts(const struct tcp_connection *c, const struct seq_range *b)
{
	return seq_lt(b->from, b->to) && seq_lt(c->snd_una, b->to) && seq_le(c->snd_una, b->from) && seq_le(b->to, c->snd_max);
}

static uint32_t range_bytes(const struct scoreboard *b)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < b->count; i++)
		sum += b->range[i].to - b->range[i].from;
	return sum;
}

static void insert(struct scoreboard *b, struct seq_range add)
{
	uint32_t first = 0, last;

	while (first < b->count && seq_lt(b->range[first].to, add.from))
		first++;
	/* [first, last) touch it and become one with it */
	for (last = first; last < b->count && seq_le(b->range[last].from, add.to); last++) {
		add.from = seq_min(add.from, b->range[last].from);
		add.to = seq_max(add.to, b->range[last].to);
	}
	if (first == last) {
		if (b->count == TCP_SACK_RANGES)
			return;
		memmove(&b->range[first + 1], &b->range[first], (b->count - first) * sizeof(b->range[0]));
		b->count++;
	} else if (last > first + 1) {
		memmove(&b->range[first + 1], &b->range[last], (b->count - last) * sizeof(b->range[0]));
		b->count -= last - first - 1;
	}
	b->range[first] = add;
}

uint32_t tcp_sack_update(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint32_t before = c->scoreboard ? c->scoreboard->sacked : 0;

	if (!c->sack)
		return 0;
	for (unsigned i = 0; i < s->sack_count; i++) {
		if (!block_counts(c, &s->sack[i]))
			continue;
		if (!c->scoreboard) {
			c->scoreboard = slab_get(t->slab, sizeof(*c->scoreboard));
			if (!c->scoreboard) {
				tcp_count(t, COUNTER_tcp_no_buffer);
				return 0;
			}
			c->scoreboard->count = c->scoreboard->sacked = 0;
		}
		insert(c->scoreboard, s->sack[i]);
	}
	if (!c->scoreboard)
		return 0;
	c->scoreboard->sacked = range_bytes(c->scoreboard);
	return c->scoreboard->sacked - before;
}

void tcp_sack_clear(struct tcp *t, struct tcp_connection *c)
{
	slab_put(t->slab, c->scoreboard);
	c->scoreboard = NULL;
}

void tcp_sack_advance(struct tcp *t, struct tcp_connection *c)
{
	struct scoreboard *b = c->scoreboard;
	uint32_t gone = 0;

	if (!b)
		return;
	while (gone < b->count && seq_le(b->range[gone].to, c->snd_una))
		gone++;
	b->count -= gone;
	memmove(&b->range[0], &b->range[gone], b->count * sizeof(b->range[0]));
	if (!b->count) {
		tcp_sack_clear(t, c);
		return;
	}
	b->range[0].from = seq_max(b->range[0].from, c->snd_una);
	b->sacked = range_bytes(b);
}

bool tcp_sack_is_lost(const struct tcp_connection *c, uint32_t seq)
{
	const struct scoreboard *b = c->scoreboard;
	uint32_t above = 0, bytes = 0;

	if (!b)
		return false;
	for (uint32_t i = b->count; i-- > 0 && seq_lt(seq, b->range[i].from);) {
		above++;
		bytes += b->range[i].to - b->range[i].from;
	}
	return above >= TCP_DUP_THRESHOLD || bytes > (TCP_DUP_THRESHOLD - 1u) * c->mss;
}

uint32_t tcp_sack_hole(const struct tcp_connection *c, uint32_t seq, uint32_t *ret_end)
{
	const struct scoreboard *b = c->scoreboard;

	*ret_end = c->snd_max;
	if (!b)
		return seq;
	for (uint32_t i = 0; i < b->count; i++) {
		if (seq_lt(seq, b->range[i].from)) {
			*ret_end = b->range[i].from;
			break;
		}
		if (seq_lt(seq, b->range[i].to))
			seq = b->range[i].to;
	}
	return seq;
}

uint32_t tcp_sack_pipe(const struct tcp_connection *c)
{
	uint32_t pipe = 0, end, seq;

	for (seq = tcp_sack_hole(c, c->snd_una, &end); seq_lt(seq, c->snd_max); seq = tcp_sack_hole(c, end, &end)) {
		if (!tcp_sack_is_lost(c, seq))
			pipe += end - seq;
		if (seq_lt(seq, c->high_rxt))
			pipe += seq_min(end, c->high_rxt) - seq;
	}
	return pipe;
}

uint32_t tcp_sack_below(const struct tcp_connection *c, uint32_t seq)
{
	const struct scoreboard *b = c->scoreboard;
	uint32_t sum = 0;

	for (uint32_t i = 0; b && i < b->count && seq_lt(b->range[i].from, seq); i++)
		sum += seq_min(b->range[i].to, seq) - b->range[i].from;
	return sum;
}

uint32_t tcp_sack_highest(const struct tcp_connection *c)
{
	return c->scoreboard && c->scoreboard->count ? c->scoreboard->range[c->scoreboard->count - 1].to : c->snd_una;
}
