/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "base/pool.h"
#include "tcp/connection.h"

/* Deadlines of a connection, on one timer of the wheel: it is armed for the earliest or sooner, never moved when a deadline goes back. */

#define RTO_FIRST_MS 1000 /* RFC 6298 §2.1 */
#define CLOCK_MS     1    /* the granularity G */
#define BACKOFF_MOST 16
#define BLACK_HOLE_TIMEOUTS 3 /* in a row; fewer are common where much is lost */

void tcp_timers_set(struct tcp *t, struct tcp_connection *c, enum deadline which, uint64_t in_ms)
{
	uint64_t due = t->now_ms + (in_ms ? in_ms : 1);

	c->deadline[which] = due;
	if (!wheel_timer_armed(&c->timer) || due < c->timer.due_ms)
		wheel_arm(t->wheel, &c->timer, due);
}

void tcp_timers_stop(struct tcp_connection *c, enum deadline which)
{
	c->deadline[which] = 0;
}

uint32_t tcp_timers_rto(const struct tcp *t, const struct tcp_connection *c)
{
	uint64_t rto = (uint64_t)(c->rto_ms ? c->rto_ms : RTO_FIRST_MS) << c->backoff;

	return rto > t->config.rto_max_ms ? t->config.rto_max_ms : (uint32_t)rto;
}

void tcp_timers_rtt(struct tcp *t, struct tcp_connection *c, uint32_t rtt_us)
{
	uint32_t rto;

	if (!rtt_us)
		rtt_us = 1;
	if (!c->srtt_us) {
		c->srtt_us = rtt_us;
		c->rttvar_us = rtt_us / 2;
	} else {
		/* With timestamps there is a sample for every acknowledgement: each counts for less (RFC 7323 appendix G). */
		uint32_t samples = c->timestamps ? (tcp_flight(c) + 2u * c->mss - 1) / (2u * c->mss) : 1, error;

		if (!samples)
			samples = 1;
		error = c->srtt_us > rtt_us ? c->srtt_us - rtt_us : rtt_us - c->srtt_us;
		c->rttvar_us += (uint32_t)(((int64_t)error - c->rttvar_us) / (int64_t)(4 * samples));
		c->srtt_us += (uint32_t)(((int64_t)rtt_us - c->srtt_us) / (int64_t)(8 * samples));
		if (!c->srtt_us)
			c->srtt_us = 1;
	}
	rto = c->srtt_us / 1000 + (c->rttvar_us / 250 > CLOCK_MS ? c->rttvar_us / 250 : CLOCK_MS);
	if (rto < t->config.rto_min_ms)
		rto = t->config.rto_min_ms;
	c->rto_ms = rto > t->config.rto_max_ms ? t->config.rto_max_ms : rto;
}

/* The peer's window keeps what is queued from being sent. */
static bool window_shut(const struct tcp_connection *c)
{
	return c->snd_wnd < tcp_window_enough(c) || !c->snd_wnd;
}

void tcp_timers_retransmit(struct tcp *t, struct tcp_connection *c, bool restart)
{
	bool waiting = seq_lt(c->snd_max, c->snd_end + c->close_asked);
	bool handshake = c->state == TCP_STATE_SYN_SENT || c->state == TCP_STATE_SYN_RECEIVED;
	bool persist = !tcp_flight(c) || (c->persist && window_shut(c));
	uint64_t in, limit;

	if (!tcp_flight(c) && !waiting) {
		tcp_timers_stop(c, DEADLINE_RETRANSMIT);
		c->persist = false;
		return;
	}
	if (c->deadline[DEADLINE_RETRANSMIT] && !restart && c->persist == persist)
		return;
	in = tcp_timers_rto(t, c);
	c->persist = persist;
	if (!persist) {
		/* The last moment counts too: the user timeout is kept even where the next retransmission would come later. */
		limit = c->progress_ms + t->config.user_timeout_ms;
		if (c->snd_wnd && !handshake && t->now_ms + in > limit)
			in = limit > t->now_ms ? limit - t->now_ms : 1;
	}
	tcp_timers_set(t, c, DEADLINE_RETRANSMIT, in);
}

/* A window of nothing, or too small for what is worth sending: a byte makes the peer say what it is now (RFC 9293 §3.8.6.1). It may stay shut for
 * as long as its owner answers. */
static void probe_window(struct tcp *t, struct tcp_connection *c)
{
	if (c->probing_since_ms && t->now_ms - c->probing_since_ms >= t->config.user_timeout_ms) {
		tcp_count(t, COUNTER_tcp_timed_out);
		tcp_connection_end(t, c, TCP_END_TIMEOUT);
		return;
	}
	if (!c->probing_since_ms)
		c->probing_since_ms = t->now_ms;
	tcp_count(t, COUNTER_tcp_window_probes);
	c->snd_nxt = c->snd_una;
	c->force_send = true;
	if (c->backoff < BACKOFF_MOST)
		c->backoff++;
	tcp_timers_stop(c, DEADLINE_RETRANSMIT);
	c->persist = window_shut(c);
	tcp_output(t, c);
}

/* RFC 4821's fallback: what goes out in large segments and never arrives may fit in small ones. */
static void suspect_black_hole(struct tcp *t, struct tcp_connection *c)
{
	uint16_t base = c->remote.ip.family == IP_V6 ? TCP_BASE_MSS_V6 : TCP_BASE_MSS_V4;

	if (c->backoff < BLACK_HOLE_TIMEOUTS || c->mss <= base || c->snd_end - c->snd_una <= base)
		return;
	c->mss = base;
	tcp_count(t, COUNTER_tcp_black_holes);
}

static void retransmit(struct tcp *t, struct tcp_connection *c)
{
	bool handshake = c->state == TCP_STATE_SYN_SENT || c->state == TCP_STATE_SYN_RECEIVED;
	bool again = c->recovery == RECOVERY_LOSS && c->backoff;

	if (c->snd_wnd == 0 && !handshake) {
		probe_window(t, c);
		return;
	}
	if (!handshake && t->now_ms - c->progress_ms >= t->config.user_timeout_ms) {
		tcp_count(t, COUNTER_tcp_timed_out);
		tcp_connection_end(t, c, TCP_END_TIMEOUT);
		return;
	}
	tcp_count(t, COUNTER_tcp_timeouts);
	c->timing = false; /* Karn's rule */
	if (c->backoff < BACKOFF_MOST)
		c->backoff++;
	tcp_timers_stop(c, DEADLINE_RETRANSMIT);
	if (handshake) {
		tcp_count(t, COUNTER_tcp_retransmitted);
		c->retransmitted++;
		tcp_output_syn(t, c);
		tcp_timers_retransmit(t, c, true);
		return;
	}
	suspect_black_hole(t, c);
	tcp_congestion_timeout(t, c, again);
	/* The peer may have dropped what it once reported (RFC 2018 §8). */
	tcp_sack_clear(t, c);
	c->recovery = RECOVERY_LOSS;
	c->recovery_point = c->snd_max;
	c->dup_acks = 0;
	c->snd_nxt = c->snd_una;
	c->force_send = true;
	tcp_output(t, c);
}

static void keep_alive(struct tcp *t, struct tcp_connection *c)
{
	uint64_t silent = t->now_ms - c->heard_ms;

	if (!t->config.keepalive_ms)
		return;
	if (silent < t->config.keepalive_ms || tcp_flight(c)) {
		c->probes_unanswered = 0;
		tcp_timers_set(t, c, DEADLINE_KEEPALIVE, silent < t->config.keepalive_ms ? t->config.keepalive_ms - silent : t->config.keepalive_ms);
		return;
	}
	if (c->probes_unanswered >= t->config.keepalive_probes) {
		tcp_count(t, COUNTER_tcp_timed_out);
		tcp_connection_end(t, c, TCP_END_TIMEOUT);
		return;
	}
	c->probes_unanswered++;
	tcp_count(t, COUNTER_tcp_keepalives);
	tcp_output_keepalive(t, c);
	tcp_timers_set(t, c, DEADLINE_KEEPALIVE, t->config.keepalive_interval_ms);
}

static void end_of_life(struct tcp *t, struct tcp_connection *c)
{
	switch (c->state) {
	case TCP_STATE_SYN_SENT:
	case TCP_STATE_SYN_RECEIVED:
		tcp_count(t, COUNTER_tcp_open_failed);
		tcp_connection_end(t, c, TCP_END_TIMEOUT);
		break;
	case TCP_STATE_FIN_WAIT_2:
		/* The peer does not close: it may learn of it by a reset when it sends again. */
		tcp_count(t, COUNTER_tcp_timed_out);
		tcp_connection_end(t, c, TCP_END_TIMEOUT);
		break;
	default:
		tcp_connection_drop(t, c);
	}
}

static void expire(struct tcp *t, struct tcp_connection *c, enum deadline which)
{
	c->deadline[which] = 0;
	switch (which) {
	case DEADLINE_RETRANSMIT:
		if (c->persist)
			probe_window(t, c);
		else
			retransmit(t, c);
		break;
	case DEADLINE_ACK:
		c->ack_now = true;
		tcp_output(t, c);
		break;
	case DEADLINE_KEEPALIVE:
		keep_alive(t, c);
		break;
	default:
		end_of_life(t, c);
	}
}

static void fire(void *ctx, struct wheel_timer *timer)
{
	struct tcp *t = ctx;
	struct tcp_connection *c = (struct tcp_connection *)((char *)timer - offsetof(struct tcp_connection, timer));
	uint64_t earliest = 0;

	c->busy = true;
	for (unsigned i = 0; i < DEADLINES; i++)
		if (c->deadline[i] && c->deadline[i] <= t->now_ms && c->state != TCP_STATE_CLOSED)
			expire(t, c, (enum deadline)i);
	if (c->state != TCP_STATE_CLOSED) {
		for (unsigned i = 0; i < DEADLINES; i++)
			if (c->deadline[i] && (!earliest || c->deadline[i] < earliest))
				earliest = c->deadline[i];
		if (earliest && (!wheel_timer_armed(&c->timer) || earliest < c->timer.due_ms))
			wheel_arm(t->wheel, &c->timer, earliest);
	}
	tcp_connection_leave(t, c);
}

void tcp_advance(struct tcp *t, uint64_t now_us)
{
	tcp_set_clock(t, now_us);
	wheel_advance(t->wheel, t->now_ms, fire, t);
}

uint64_t tcp_next_due(const struct tcp *t)
{
	uint64_t due_ms = wheel_next_due(t->wheel);

	if (t->dirty_head)
		return t->now_us;
	return due_ms == UINT64_MAX ? UINT64_MAX : due_ms * 1000;
}
