/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "tcp/connection.h"

/* Congestion control: slow start with appropriate byte counting (RFC 5681, 3465), then CUBIC (RFC 9438) or NewReno's additive increase. */

#define INITIAL_SEGMENTS 10 /* RFC 6928 */
#define CUBIC_C		 0.4f
#define CUBIC_BETA	 0.7f
#define CUBIC_ALPHA	 (3 * (1 - CUBIC_BETA) / (1 + CUBIC_BETA))

static uint32_t initial_window(const struct tcp_connection *c)
{
	uint32_t floor = 2u * c->mss > 14600 ? 2u * c->mss : 14600;

	return INITIAL_SEGMENTS * (uint32_t)c->mss < floor ? INITIAL_SEGMENTS * (uint32_t)c->mss : floor;
}

void tcp_congestion_start(struct tcp_connection *c)
{
	c->cwnd = initial_window(c);
	c->ssthresh = UINT32_MAX;
	c->cubic_max = 0;
	c->cubic_epoch_ms = 0;
}

void tcp_congestion_idle(struct tcp_connection *c)
{
	if (c->cwnd > initial_window(c))
		c->cwnd = initial_window(c);
	c->cubic_epoch_ms = 0;
}

static void cubic_epoch(struct tcp *t, struct tcp_connection *c, float segments)
{
	c->cubic_epoch_ms = t->now_ms ? t->now_ms : 1;
	c->cubic_estimate = segments;
	if (segments < c->cubic_max) {
		c->cubic_k = cbrtf((c->cubic_max - segments) / CUBIC_C);
	} else {
		c->cubic_k = 0;
		c->cubic_max = segments;
	}
}

/* RFC 9438 §4.2 to 4.5; returns by how many bytes the window grows. */
static float cubic_growth(struct tcp *t, struct tcp_connection *c, uint32_t acked)
{
	float segments = (float)c->cwnd / c->mss, past, ahead, now, target;

	if (!c->cubic_epoch_ms)
		cubic_epoch(t, c, segments);
	past = (float)(t->now_ms - c->cubic_epoch_ms) / 1000 - c->cubic_k;
	ahead = past + (float)c->srtt_us / 1e6f;
	now = CUBIC_C * past * past * past + c->cubic_max;
	target = CUBIC_C * ahead * ahead * ahead + c->cubic_max;
	c->cubic_estimate += (segments < c->cubic_max ? CUBIC_ALPHA : 1) * (float)acked / (float)c->cwnd;
	if (now < c->cubic_estimate) /* where Reno would be further */
		return c->cubic_estimate > segments ? (c->cubic_estimate - segments) * c->mss : 0;
	if (target > 1.5f * segments)
		target = 1.5f * segments;
	return target > segments ? (target - segments) / segments * (float)acked : 0;
}

void tcp_congestion_acked(struct tcp *t, struct tcp_connection *c, uint32_t acked)
{
	uint32_t limit = t->config.send_bytes + 2u * c->mss;
	float growth;

	if (c->cwnd < c->ssthresh) {
		uint32_t most = (c->recovery == RECOVERY_LOSS ? 1u : 2u) * c->mss;

		growth = (float)(acked < most ? acked : most);
	} else if (t->config.congestion == TCP_CUBIC) {
		growth = cubic_growth(t, c, acked);
	} else {
		growth = (float)acked * c->mss / (float)c->cwnd;
	}
	/* It may be less than a byte: a whole one then, or nothing would ever come of it. */
	c->cwnd += growth < 1 ? growth > 0 : (uint32_t)growth;
	/* What can never be in flight is no measure of the path. */
	if (c->cwnd > limit)
		c->cwnd = limit;
}

static void shrink(struct tcp *t, struct tcp_connection *c)
{
	uint32_t flight = tcp_flight(c), floor = 2u * c->mss;
	bool cubic = t->config.congestion == TCP_CUBIC;
	float segments = (float)c->cwnd / c->mss;

	c->ssthresh = cubic ? (uint32_t)((float)flight * CUBIC_BETA) : flight / 2;
	if (c->ssthresh < floor)
		c->ssthresh = floor;
	c->cubic_max = segments < c->cubic_max ? segments * (1 + CUBIC_BETA) / 2 : segments; /* fast convergence */
	c->cubic_epoch_ms = 0;
}

void tcp_congestion_lost(struct tcp *t, struct tcp_connection *c)
{
	shrink(t, c);
	c->cwnd = c->ssthresh;
}

void tcp_congestion_timeout(struct tcp *t, struct tcp_connection *c, bool again)
{
	if (!again)
		shrink(t, c);
	c->cwnd = c->mss;
}
