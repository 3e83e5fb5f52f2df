/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "tcp/connection.h"

/* What goes out. Data is cut from the send queue at the moment of sending, so that a smaller path MTU or a new SACK block needs no bookkeeping. */

#define SEGMENTS_MOST 256 /* of one connection at a time: what is left waits for the next flush */
#define RESETS_WINDOW_MS 1000

/* A piece of the sequence space to send. */
struct cut {
	uint32_t seq, bytes;
	bool fin;
};

static int transmit(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, struct segment *h, struct tcp_connection *c,
		    uint32_t bytes)
{
	uint32_t header = tcp_segment_header_bytes(h);
	uint8_t *p = t->handlers.reserve(t->config.ctx, header + bytes);
	uint16_t sum;

	if (!p) {
		tcp_count(t, COUNTER_tcp_no_buffer);
		return -ERR_NOMEM;
	}
	h->source_port = local->port;
	h->destination_port = remote->port;
	tcp_segment_write(h, p);
	if (bytes)
		tcp_queue_copy(c, h->seq, bytes, p + header);
	if (!t->config.sums_elsewhere) {
		sum = tcp_segment_checksum(&local->ip, &remote->ip, span_of(p, header + bytes));
		memcpy(p + 16, &sum, 2);
	}
	tcp_count(t, COUNTER_tcp_segments_out);
	return t->handlers.commit(t->config.ctx, header + bytes, local, remote);
}

int tcp_output_bare(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, struct segment *header)
{
	return transmit(t, local, remote, header, NULL, 0);
}

/* A header with acknowledgement, window, timestamp and SACK blocks as they are now. */
static struct segment header_of(struct tcp *t, struct tcp_connection *c, uint32_t seq, uint8_t flags)
{
	uint32_t unit = 1u << c->receive_scale, window = (tcp_receive_window(t, c) + unit - 1) / unit;
	struct segment h = { .seq = seq, .ack = c->rcv_nxt, .flags = flags | FLAG_ACK, .window = window > 65535 ? 65535 : window };

	if (c->timestamps) {
		h.has_timestamp = true;
		h.ts_value = tcp_ts_now(t, c);
		h.ts_echo = c->ts_recent;
	}
	if (c->sack && (c->piece_count || c->dsack))
		h.sack_count = tcp_receive_sacks(c, c->timestamps ? 3 : TCP_SACKS_MAX, h.sack);
	return h;
}

/* The segment with this header is out: the peer has our acknowledgement. */
static void acknowledged(struct tcp_connection *c, const struct segment *h)
{
	uint32_t edge = h->ack + (h->window << c->receive_scale);

	c->rcv_adv = seq_max(c->rcv_adv, edge);
	c->last_ack = h->ack;
	c->ack_pending = 0;
	c->ack_bytes = 0;
	c->ack_now = c->dsack = false;
	tcp_timers_stop(c, DEADLINE_ACK);
}

void tcp_output_ack(struct tcp *t, struct tcp_connection *c)
{
	struct segment h = header_of(t, c, c->snd_max, 0);

	if (transmit(t, &c->local, &c->remote, &h, NULL, 0) != -ERR_NOMEM)
		acknowledged(c, &h);
}

void tcp_output_keepalive(struct tcp *t, struct tcp_connection *c)
{
	struct segment h = header_of(t, c, c->snd_una - 1, 0);

	transmit(t, &c->local, &c->remote, &h, NULL, 0);
}

void tcp_output_challenge(struct tcp *t, struct tcp_connection *c)
{
	if ((uint32_t)t->now_ms - c->challenge_ms >= 1000) {
		c->challenge_ms = (uint32_t)t->now_ms;
		c->challenges = 0;
	}
	if (c->challenges >= t->config.challenges_per_s) {
		tcp_count(t, COUNTER_tcp_challenges_limited);
		return;
	}
	c->challenges++;
	tcp_count(t, COUNTER_tcp_challenges);
	tcp_output_ack(t, c);
}

int tcp_output_syn(struct tcp *t, struct tcp_connection *c)
{
	bool answer = c->state == TCP_STATE_SYN_RECEIVED, v6 = c->local.ip.family == IP_V6;
	uint32_t window = t->config.receive_bytes;
	struct segment h = {
		.seq = c->iss,
		.ack = answer ? c->rcv_nxt : 0,
		.flags = answer ? FLAG_SYN | FLAG_ACK : FLAG_SYN,
		.window = window > 65535 ? 65535 : window,
		.mss = (uint16_t)(t->config.mtu - (v6 ? 40 : 20) - TCP_HEADER_BYTES),
		.has_scale = !answer || c->scaled,
		.scale = c->receive_scale,
		.sack_permitted = !answer || c->sack,
		.has_timestamp = !answer || c->timestamps,
		.ts_value = tcp_ts_now(t, c),
		.ts_echo = answer ? c->ts_recent : 0,
	};

	if (answer) {
		c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + h.window);
		c->last_ack = c->rcv_nxt;
	}
	return transmit(t, &c->local, &c->remote, &h, NULL, 0);
}

void tcp_output_reset(struct tcp *t, struct tcp_connection *c)
{
	struct segment h = { .seq = c->snd_max, .ack = c->rcv_nxt, .flags = FLAG_RST | FLAG_ACK };

	tcp_count(t, COUNTER_tcp_resets_out);
	transmit(t, &c->local, &c->remote, &h, NULL, 0);
}

void tcp_output_refuse(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *s)
{
	struct segment h = { .flags = FLAG_RST };

	if (s->flags & FLAG_RST)
		return;
	if (t->now_ms - t->resets_second >= RESETS_WINDOW_MS) {
		t->resets_second = t->now_ms;
		t->resets = 0;
	}
	if (t->resets >= t->config.resets_per_s) {
		tcp_count(t, COUNTER_tcp_resets_limited);
		return;
	}
	t->resets++;
	if (s->flags & FLAG_ACK) {
		h.seq = s->ack;
	} else {
		h.ack = s->seq + tcp_segment_length(s);
		h.flags |= FLAG_ACK;
	}
	tcp_count(t, COUNTER_tcp_resets_out);
	transmit(t, local, remote, &h, NULL, 0);
}

uint32_t tcp_output_payload_max(const struct tcp_connection *c)
{
	uint32_t options = c->timestamps ? TCP_TIMESTAMP_BYTES : 0;
	struct seq_range blocks[TCP_SACKS_MAX];
	unsigned sacks;

	if (c->sack && (c->piece_count || c->dsack)) {
		sacks = tcp_receive_sacks(c, c->timestamps ? 3 : TCP_SACKS_MAX, blocks);
		if (sacks)
			options += 4 + 8 * sacks;
	}
	return c->mss - options;
}

/* Behind all that there is to send, FIN included. */
static uint32_t stream_end(const struct tcp_connection *c)
{
	return c->snd_end + c->close_asked;
}

/* As much of [seq, end) as one segment carries. */
static struct cut cut_at(const struct tcp_connection *c, uint32_t seq, uint32_t end)
{
	uint32_t bytes = seq_lt(seq, c->snd_end) ? seq_min(end, c->snd_end) - seq : 0, most = tcp_output_payload_max(c);
	struct cut cut = { .seq = seq, .bytes = bytes < most ? bytes : most };

	cut.fin = c->close_asked && seq + cut.bytes == c->snd_end && seq_lt(c->snd_end, end);
	return cut;
}

static uint32_t window_left(const struct tcp_connection *c, uint32_t seq)
{
	uint32_t edge = c->snd_una + c->snd_wnd;

	return seq_lt(seq, edge) ? edge - seq : 0;
}

/* New data, within the peer's window. Nagle's algorithm is off; the sender's side of silly window avoidance is not (RFC 9293 §3.8.6.2.1). */
static bool cut_new(const struct tcp_connection *c, uint32_t seq, struct cut *cut)
{
	uint32_t window = window_left(c, seq);

	*cut = cut_at(c, seq, stream_end(c));
	if (cut->bytes > window) {
		cut->bytes = window;
		cut->fin = false;
		if (c->force_send)
			cut->bytes = window ? window : 1;
		else if (window < c->max_wnd / 2 || !window)
			return false;
	}
	return cut->bytes || cut->fin;
}

/* In order, from snd_nxt on: what is new, and after a timeout what is old (RFC 5681), without what the peer has said that it holds. */
static bool next_in_order(const struct tcp_connection *c, struct cut *cut)
{
	uint32_t seq = c->snd_nxt, end, out, allowance = 0;

	if (seq_lt(seq, c->snd_max))
		seq = tcp_sack_hole(c, seq, &end);
	if (!seq_lt(seq, c->snd_max) || end == c->snd_max)
		end = stream_end(c);
	if (!seq_lt(seq, end))
		return false;
	if (end == stream_end(c)) {
		if (!cut_new(c, seq, cut))
			return false;
	} else {
		*cut = cut_at(c, seq, end);
	}
	if (c->force_send)
		return true;
	out = seq - c->snd_una - tcp_sack_below(c, seq);
	/* Limited transmit (RFC 3042): two duplicate acknowledgements let a new segment out each; SACK blocks say the same by themselves. */
	if (!c->sack)
		allowance = (c->dup_acks < 2 ? c->dup_acks : 2) * c->mss;
	return out + cut->bytes <= c->cwnd + allowance || !out;
}

/* NextSeg of RFC 6675 §4, rules 1 to 4. */
static bool next_by_scoreboard(struct tcp_connection *c, struct cut *cut)
{
	uint32_t from = seq_max(c->high_rxt, c->snd_una), highest = tcp_sack_highest(c), end, seq;
	bool forced = c->force_retransmit, candidate;

	if (!forced && c->cwnd < tcp_sack_pipe(c) + c->mss)
		return false;
	seq = tcp_sack_hole(c, from, &end);
	candidate = seq_lt(seq, highest);
	if (forced || (candidate && tcp_sack_is_lost(c, seq))) {
		if (forced)
			seq = tcp_sack_hole(c, c->snd_una, &end);
		*cut = cut_at(c, seq, end);
		c->high_rxt = seq_max(c->high_rxt, cut->seq + cut->bytes + cut->fin);
		c->force_retransmit = false;
		return cut->bytes || cut->fin;
	}
	if (seq_lt(c->snd_max, stream_end(c)) && cut_new(c, c->snd_max, cut))
		return true;
	if (candidate) {
		*cut = cut_at(c, seq, end);
		c->high_rxt = seq_max(c->high_rxt, cut->seq + cut->bytes + cut->fin);
		return cut->bytes || cut->fin;
	}
	if (seq_lt(c->rescue_rxt, c->snd_una) && seq_lt(seq, c->snd_max)) {
		c->rescue_rxt = c->recovery_point;
		*cut = cut_at(c, seq, c->snd_max);
		return cut->bytes || cut->fin;
	}
	return false;
}

/* NewReno (RFC 6582): each duplicate stands for a segment that has left the network. */
static bool next_newreno(struct tcp_connection *c, struct cut *cut)
{
	uint32_t gone = c->dup_acks * c->mss, flight = tcp_flight(c), pipe = flight > gone ? flight - gone : 0;

	if (c->force_retransmit) {
		c->force_retransmit = false;
		*cut = cut_at(c, c->snd_una, c->snd_max);
		return cut->bytes || cut->fin;
	}
	return c->cwnd >= pipe + c->mss && seq_lt(c->snd_max, stream_end(c)) && cut_new(c, c->snd_max, cut);
}

static bool next_cut(struct tcp_connection *c, struct cut *cut)
{
	if (c->recovery != RECOVERY_FAST)
		return next_in_order(c, cut);
	return c->sack ? next_by_scoreboard(c, cut) : next_newreno(c, cut);
}

static void note_sent(struct tcp *t, struct tcp_connection *c, const struct cut *cut)
{
	uint32_t end = cut->seq + cut->bytes + cut->fin;
	bool fresh = !seq_lt(cut->seq, c->snd_max);

	if (!tcp_flight(c))
		c->progress_ms = t->now_ms;
	c->sent_ms = t->now_ms;
	c->force_send = false;
	if (!fresh) {
		c->retransmitted++;
		tcp_count(t, COUNTER_tcp_retransmitted);
		c->timing = false;
	} else if (!c->timing) {
		c->timing = true;
		c->rtt_seq = end;
		c->rtt_sent_us = t->now_us;
	}
	c->snd_max = seq_max(c->snd_max, end);
	c->snd_nxt = c->recovery == RECOVERY_FAST ? c->snd_max : seq_max(c->snd_nxt, end);
	/* A lost retransmission is the timer's business, not the one's for what was sent before (RFC 6298 §5.1). */
	if (!fresh && c->recovery == RECOVERY_FAST && cut->seq == c->snd_una)
		tcp_timers_retransmit(t, c, true);
}

static bool emit(struct tcp *t, struct tcp_connection *c, const struct cut *cut)
{
	uint8_t flags = (cut->fin ? FLAG_FIN : 0) | (cut->bytes && cut->seq + cut->bytes == c->snd_end ? FLAG_PSH : 0);
	struct segment h = header_of(t, c, cut->seq, flags);

	if (transmit(t, &c->local, &c->remote, &h, c, cut->bytes) == -ERR_NOMEM)
		return false;
	acknowledged(c, &h);
	note_sent(t, c, cut);
	return true;
}

void tcp_output(struct tcp *t, struct tcp_connection *c)
{
	unsigned sent = 0;
	struct cut cut;

	if (c->state == TCP_STATE_CLOSED || c->state == TCP_STATE_SYN_SENT || c->state == TCP_STATE_SYN_RECEIVED)
		return;
	if (!tcp_flight(c) && c->sent_ms && t->now_ms - c->sent_ms > tcp_timers_rto(t, c))
		tcp_congestion_idle(c);
	while (next_cut(c, &cut)) {
		if (sent++ == SEGMENTS_MOST || !emit(t, c, &cut)) {
			tcp_connection_dirty(t, c);
			break;
		}
	}
	if (c->ack_now)
		tcp_output_ack(t, c);
	if (c->ack_now) /* there was no buffer for it */
		tcp_connection_dirty(t, c);
	if (c->state != TCP_STATE_TIME_WAIT)
		tcp_timers_retransmit(t, c, false);
}
