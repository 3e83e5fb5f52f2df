/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "tcp/connection.h"

/* RFC 9293 §3.10.7: what a segment does, one function per state. The steps that the synchronised states share come first. */

#define CAREFUL_RTO_MS 3000
#define PAWS_IDLE_MS (24ULL * 24 * 3600 * 1000) /* RFC 7323 §5.5: after this a timestamp says nothing */

static bool in_window(const struct tcp_connection *c, const struct segment *s)
{
	uint32_t window = seq_lt(c->rcv_nxt, c->rcv_adv) ? c->rcv_adv - c->rcv_nxt : 0, length = tcp_segment_length(s);

	if (s->seq == c->rcv_nxt)
		return true; /* with a window of nothing too: its acknowledgement counts, its data is cut off */
	if (seq_within(s->seq, c->rcv_nxt, window))
		return true;
	return length && window && seq_within(s->seq + length - 1, c->rcv_nxt, window);
}

/* A segment that is answered with what we expect. Only those that carry something are surely no answer to such an answer: the others are counted. */
static void answer_unacceptable(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint32_t end = s->seq + s->data.n;

	if (!s->data.n && !(s->flags & FLAG_FIN)) {
		tcp_output_challenge(t, c);
		return;
	}
	if (s->data.n && c->sack && seq_le(end, c->rcv_nxt) && seq_lt(c->irs, s->seq)) {
		c->dsack = true;
		c->duplicate = (struct seq_range){ s->seq, end };
	}
	tcp_count(t, COUNTER_tcp_duplicates);
	tcp_output_ack(t, c);
}

/* A bare acknowledgement that a later segment has overtaken: it tells nothing, and an answer would tell nothing either. A keepalive looks
 * alike but for its number, and has to be answered; so has somebody whose clock has gone back by more. */
static bool overtaken(const struct tcp_connection *c, const struct segment *s)
{
	return s->flags == FLAG_ACK && !s->data.n && seq_le(s->seq, c->rcv_nxt) && s->seq != c->rcv_nxt - 1 && seq_le(s->ack, c->snd_una) &&
	       c->ts_recent - s->ts_value <= c->rto_ms;
}

/* First: PAWS (RFC 7323 §5) and the window. */
static bool check_sequence(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	if (c->timestamps && !(s->flags & FLAG_RST)) {
		if (!s->has_timestamp) {
			tcp_count(t, COUNTER_tcp_no_timestamp);
			return false;
		}
		if (seq_lt(s->ts_value, c->ts_recent) && t->now_ms - c->ts_recent_ms < PAWS_IDLE_MS) {
			if (overtaken(c, s)) {
				tcp_count(t, COUNTER_tcp_out_of_order);
				return false;
			}
			tcp_count(t, COUNTER_tcp_paws);
			answer_unacceptable(t, c, s);
			return false;
		}
	}
	if (in_window(c, s))
		return true;
	if (!(s->flags & FLAG_RST))
		answer_unacceptable(t, c, s);
	return false;
}

/* Second: RFC 5961 §3.2. true: go on. */
static bool check_reset(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	bool passive_open = c->state == TCP_STATE_SYN_RECEIVED && c->passive;

	if (!(s->flags & FLAG_RST))
		return true;
	if (s->seq != c->rcv_nxt) {
		tcp_output_challenge(t, c);
		return false;
	}
	if (passive_open)
		tcp_count(t, COUNTER_tcp_open_failed);
	else
		tcp_count(t, COUNTER_tcp_resets_in);
	tcp_connection_end(t, c, c->state == TCP_STATE_SYN_RECEIVED ? TCP_END_REFUSED : TCP_END_RESET);
	return false;
}

/* Fourth: RFC 5961 §4.2. */
static bool check_syn(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	if (!(s->flags & FLAG_SYN))
		return true;
	tcp_output_challenge(t, c);
	return false;
}

/* RFC 7323 §4.3 (2), once the acknowledgement has shown that the segment is the peer's. */
static void note_timestamp(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	if (!s->has_timestamp || seq_lt(c->last_ack, s->seq) || seq_lt(s->ts_value, c->ts_recent))
		if (!s->has_timestamp || t->now_ms - c->ts_recent_ms < PAWS_IDLE_MS)
			return;
	c->ts_recent = s->ts_value;
	c->ts_recent_ms = t->now_ms;
}

/* All that comes before a segment's data. false: it ends here. */
static bool steps(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	if (!check_sequence(t, c, s) || !check_reset(t, c, s) || !check_syn(t, c, s))
		return false;
	if (!tcp_acknowledge(t, c, s))
		return false;
	c->heard_ms = t->now_ms;
	c->probing_since_ms = 0;
	c->probes_unanswered = 0;
	note_timestamp(t, c, s);
	return true;
}

static bool fin_came(const struct tcp_connection *c)
{
	return c->fin_received && c->rcv_nxt == c->fin_seq + 1;
}

static bool our_fin_acknowledged(const struct tcp_connection *c)
{
	return c->close_asked && c->snd_una == c->snd_end + 1;
}

/* Data, and whether the peer's FIN has come with it. false: the connection is no more. */
static bool receive(struct tcp *t, struct tcp_connection *c, const struct segment *s, bool *ret_fin)
{
	bool before = fin_came(c);

	tcp_receive(t, c, s);
	*ret_fin = !before && fin_came(c);
	return c->state != TCP_STATE_CLOSED;
}

void tcp_states_time_wait(struct tcp *t, struct tcp_connection *c)
{
	bool told = c->told;

	if (c->ack_now)
		tcp_output_ack(t, c);
	for (unsigned i = 0; i < DEADLINES; i++)
		tcp_timers_stop(c, (enum deadline)i);
	tcp_queue_drop(t, c);
	tcp_receive_drop(t, c);
	tcp_sack_clear(t, c);
	c->state = TCP_STATE_TIME_WAIT;
	c->told = false;
	if (c->counted) {
		c->counted = false;
		sources_give(t->sources, &c->remote.ip);
	}
	c->older = t->time_wait_newest;
	*(c->older ? &c->older->newer : &t->time_wait_oldest) = c;
	c->newer = NULL;
	t->time_wait_newest = c;
	if (++t->time_wait > t->config.time_wait) {
		tcp_count(t, COUNTER_tcp_time_wait_evicted);
		tcp_connection_drop(t, t->time_wait_oldest);
	}
	tcp_timers_set(t, c, DEADLINE_LIFE, t->config.time_wait_ms);
	tcp_count(t, COUNTER_tcp_closed);
	if (told)
		t->handlers.closed(t->config.ctx, c, TCP_END_CLOSED);
}

/* The SYN is acknowledged. One that had to be sent again tells no round trip, and asks for care (RFC 6298 §5.7, RFC 5681 §3.1). */
static void handshake_measured(struct tcp *t, struct tcp_connection *c)
{
	if (!c->backoff)
		tcp_timers_rtt(t, c, (uint32_t)(t->now_us - c->rtt_sent_us));
	if (c->retransmitted) {
		c->rto_ms = t->config.rto_max_ms < CAREFUL_RTO_MS ? t->config.rto_max_ms : CAREFUL_RTO_MS;
		c->cwnd = c->mss;
	}
	c->backoff = 0;
}

/* ---- the states */

static void state_syn_sent(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool good = (s->flags & FLAG_ACK) && s->ack == c->iss + 1;

	if ((s->flags & FLAG_ACK) && !good) {
		tcp_output_refuse(t, &c->local, &c->remote, s);
		return;
	}
	if (s->flags & FLAG_RST) {
		if (good) {
			tcp_count(t, COUNTER_tcp_open_failed);
			tcp_connection_end(t, c, TCP_END_REFUSED);
		}
		return;
	}
	if (!(s->flags & FLAG_SYN) || (s->flags & FLAG_FIN))
		return;
	tcp_open_agree(t, c, s);
	if (!good) {
		/* Both call each other at once (§3.5, figure 7). */
		c->state = TCP_STATE_SYN_RECEIVED;
		tcp_output_syn(t, c);
		tcp_timers_retransmit(t, c, true);
		return;
	}
	handshake_measured(t, c);
	c->snd_una = s->ack;
	c->snd_wl1 = s->seq;
	c->snd_wl2 = s->ack;
	c->ack_now = true;
	tcp_connection_dirty(t, c);
	tcp_open_established(t, c);
}

static void state_syn_received(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	if ((s->flags & FLAG_SYN) && s->seq == c->irs && !(s->flags & FLAG_RST)) {
		if (!(s->flags & FLAG_ACK)) {
			tcp_output_syn(t, c); /* ours was lost */
			return;
		}
		/* The peer's answer to our SYN, where both called: its SYN is known. */
		s->flags &= (uint8_t)~FLAG_SYN;
		s->seq++;
	}
	if (!check_sequence(t, c, s) || !check_reset(t, c, s) || !check_syn(t, c, s) || !(s->flags & FLAG_ACK))
		return;
	if (s->ack != c->iss + 1) {
		tcp_output_refuse(t, &c->local, &c->remote, s);
		return;
	}
	handshake_measured(t, c);
	c->snd_una = s->ack;
	c->snd_wl1 = s->seq - 1; /* so that this segment's window counts, which is scaled */
	c->snd_wl2 = s->ack;
	if (!tcp_open_established(t, c))
		return;
	tcp_states_input(t, c, s);
}

static void state_established(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool fin;

	if (!steps(t, c, s) || !receive(t, c, s, &fin) || !fin)
		return;
	/* A handler may have closed it meanwhile. */
	c->state = c->state == TCP_STATE_FIN_WAIT_1 ? TCP_STATE_CLOSING : c->state == TCP_STATE_ESTABLISHED ? TCP_STATE_CLOSE_WAIT : c->state;
	tcp_connection_dirty(t, c);
}

static void state_fin_wait_1(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool fin;

	if (!steps(t, c, s))
		return;
	if (our_fin_acknowledged(c)) {
		c->state = TCP_STATE_FIN_WAIT_2;
		tcp_timers_set(t, c, DEADLINE_LIFE, t->config.fin_wait_ms);
	}
	if (!receive(t, c, s, &fin) || !fin)
		return;
	if (c->state == TCP_STATE_FIN_WAIT_2)
		tcp_states_time_wait(t, c);
	else
		c->state = TCP_STATE_CLOSING;
}

static void state_fin_wait_2(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool fin;

	if (!steps(t, c, s) || !receive(t, c, s, &fin))
		return;
	if (fin)
		tcp_states_time_wait(t, c);
	else if (s->data.n)
		tcp_timers_set(t, c, DEADLINE_LIFE, t->config.fin_wait_ms); /* it is still talking */
}

static void state_close_wait(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool fin;

	if (steps(t, c, s))
		receive(t, c, s, &fin);
}

static void state_closing(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool fin;

	if (!steps(t, c, s) || !receive(t, c, s, &fin))
		return;
	if (our_fin_acknowledged(c))
		tcp_states_time_wait(t, c);
}

static void state_last_ack(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	bool fin;

	if (!steps(t, c, s) || !receive(t, c, s, &fin) || !our_fin_acknowledged(c))
		return;
	tcp_count(t, COUNTER_tcp_closed);
	tcp_connection_end(t, c, TCP_END_CLOSED);
}

static void state_time_wait(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	if (s->flags & FLAG_RST)
		return; /* RFC 1337: a stray reset must not cut it short */
	if ((s->flags & FLAG_FIN) && s->seq + s->data.n == c->fin_seq)
		tcp_timers_set(t, c, DEADLINE_LIFE, t->config.time_wait_ms);
	tcp_output_challenge(t, c);
}

void tcp_states_input(struct tcp *t, struct tcp_connection *c, struct segment *s)
{
	static void (*const state[TCP_STATES])(struct tcp *t, struct tcp_connection *c, struct segment *s) = {
		[TCP_STATE_SYN_SENT] = state_syn_sent,
		[TCP_STATE_SYN_RECEIVED] = state_syn_received,
		[TCP_STATE_ESTABLISHED] = state_established,
		[TCP_STATE_FIN_WAIT_1] = state_fin_wait_1,
		[TCP_STATE_FIN_WAIT_2] = state_fin_wait_2,
		[TCP_STATE_CLOSE_WAIT] = state_close_wait,
		[TCP_STATE_CLOSING] = state_closing,
		[TCP_STATE_LAST_ACK] = state_last_ack,
		[TCP_STATE_TIME_WAIT] = state_time_wait,
	};

	assert(c->state < TCP_STATES && state[c->state]);
	state[c->state](t, c, s);
}
