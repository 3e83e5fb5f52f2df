/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/connection.h"

/* What the peer's acknowledgements say: progress, loss, its window, the round trip. */

static void measure(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint32_t ticks;

	if (c->timestamps && s->has_timestamp) {
		ticks = tcp_ts_now(t, c) - s->ts_echo;
		/* An echo of what we never sent says nothing. */
		if (s->ts_echo && ticks <= t->config.user_timeout_ms)
			tcp_timers_rtt(t, c, ticks * 1000);
		c->timing = false;
	} else if (c->timing && seq_le(c->rtt_seq, s->ack)) {
		c->timing = false;
		tcp_timers_rtt(t, c, (uint32_t)(t->now_us - c->rtt_sent_us));
	}
}

static void recovery_starts(struct tcp *t, struct tcp_connection *c)
{
	tcp_count(t, COUNTER_tcp_recoveries);
	c->recovery = RECOVERY_FAST;
	c->recovery_point = c->snd_max;
	c->high_rxt = c->snd_una;
	c->rescue_rxt = c->snd_una - 1; /* none yet */
	c->force_retransmit = true;
	c->snd_nxt = c->snd_max;
	c->timing = false;
	tcp_congestion_lost(t, c);
	tcp_connection_dirty(t, c);
}

/* acked bytes are no longer in flight. */
static void recovery_goes_on(struct tcp *t, struct tcp_connection *c, uint32_t acked, bool limited)
{
	bool over = seq_le(c->recovery_point, c->snd_una);

	switch (c->recovery) {
	case RECOVERY_FAST:
		if (over) {
			c->recovery = RECOVERY_NONE;
			c->dup_acks = 0;
			c->force_retransmit = false;
			c->cwnd = c->ssthresh;
		} else if (!c->sack) {
			uint32_t segments = acked / c->mss;

			/* A partial acknowledgement: the next hole begins here (RFC 6582 §3.2 (3)). */
			c->dup_acks -= segments < c->dup_acks ? segments : c->dup_acks;
			c->force_retransmit = true;
		}
		break;
	case RECOVERY_LOSS:
		if (limited)
			tcp_congestion_acked(t, c, acked);
		if (over)
			c->recovery = RECOVERY_NONE;
		break;
	default:
		c->dup_acks = 0;
		if (limited)
			tcp_congestion_acked(t, c, acked);
	}
}

static void advance(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint32_t acked = s->ack - c->snd_una, flight = tcp_flight(c);
	/* A window that was not used up has not been shown to be right: it does not grow (RFC 7661). */
	bool limited = flight + c->mss >= c->cwnd || (c->cwnd < c->ssthresh && 2 * flight >= c->cwnd);

	measure(t, c, s);
	c->snd_una = s->ack;
	if (seq_lt(c->snd_nxt, c->snd_una))
		c->snd_nxt = c->snd_una;
	tcp_queue_trim(t, c);
	tcp_sack_advance(t, c);
	c->backoff = 0;
	c->progress_ms = t->now_ms;
	recovery_goes_on(t, c, acked, limited);
	tcp_timers_retransmit(t, c, true);
	tcp_connection_dirty(t, c);
}

/* RFC 5681 §2: nothing new in it but that another segment has arrived. With SACK its blocks must say so (RFC 6675 §2). */
static bool is_duplicate(const struct tcp_connection *c, const struct segment *s, uint32_t window, uint32_t sacked)
{
	if (!tcp_flight(c) || c->persist || !c->snd_wnd)
		return false;
	if (c->sack)
		return sacked > 0;
	return s->ack == c->snd_una && !s->data.n && !(s->flags & (FLAG_SYN | FLAG_FIN)) && window == c->snd_wnd;
}

static void duplicate(struct tcp *t, struct tcp_connection *c)
{
	if (c->recovery == RECOVERY_LOSS)
		return;
	c->dup_acks++;
	tcp_connection_dirty(t, c);
	if (c->recovery == RECOVERY_NONE && (c->dup_acks >= TCP_DUP_THRESHOLD || (c->sack && tcp_sack_is_lost(c, c->snd_una))))
		recovery_starts(t, c);
}

static void update_window(struct tcp *t, struct tcp_connection *c, const struct segment *s, uint32_t window)
{
	if (!seq_lt(c->snd_wl1, s->seq) && !(c->snd_wl1 == s->seq && seq_le(c->snd_wl2, s->ack)))
		return;
	if (window > c->snd_wnd)
		tcp_connection_dirty(t, c);
	c->snd_wnd = window;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	if (window > c->max_wnd)
		c->max_wnd = window;
	if (c->persist && window && window >= tcp_window_enough(c)) {
		/* Open again: the byte of the last probe was thrown away, or is acknowledged by now. */
		c->persist = false;
		c->backoff = 0;
		c->snd_nxt = c->snd_una;
		c->progress_ms = t->now_ms; /* only from now on is it the peer's turn */
		tcp_timers_stop(c, DEADLINE_RETRANSMIT);
	}
}

bool tcp_acknowledge(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint32_t window = s->window << c->send_scale, sacked;

	if (!(s->flags & FLAG_ACK))
		return false;
	/* RFC 5961 §5.2: neither of what was never sent, nor older than the largest window. */
	if (seq_lt(c->snd_max, s->ack) || seq_lt(s->ack, c->snd_una - c->max_wnd)) {
		tcp_output_challenge(t, c);
		return false;
	}
	if (seq_lt(s->ack, c->snd_una))
		return true;
	sacked = tcp_sack_update(t, c, s);
	if (s->ack != c->snd_una) {
		advance(t, c, s);
		if (c->sack && sacked && c->recovery == RECOVERY_NONE && tcp_sack_is_lost(c, c->snd_una) && tcp_flight(c))
			recovery_starts(t, c);
	} else if (is_duplicate(c, s, window, sacked)) {
		duplicate(t, c);
	}
	update_window(t, c, s, window);
	if (c->want_writable && tcp_send_pending(c) <= t->config.send_bytes / 2 && !c->close_asked) {
		c->want_writable = false;
		t->handlers.writable(t->config.ctx, c);
	}
	return c->state != TCP_STATE_CLOSED;
}
