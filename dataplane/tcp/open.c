/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "tcp/connection.h"

/* How connections begin: RFC 9293 §3.5 and §3.10.7.2, cookies, limits. */

#define MSS_LEAST   64 /* whatever a peer asks for: options alone take 40 */
#define PORT_TRIES  4096
#define REUSE_MS    1000 /* a connection in TIME-WAIT may be followed by one of ours after this, where timestamps tell them apart */

static uint16_t link_mss(const struct tcp *t, const struct tcp_connection *c)
{
	return (uint16_t)(t->config.mtu - (c->local.ip.family == IP_V6 ? 40 : 20) - TCP_HEADER_BYTES);
}

static uint8_t own_scale(const struct tcp *t)
{
	uint8_t scale = 0;

	while (t->config.receive_bytes >> scale > 65535)
		scale++;
	return scale;
}

static void begin(struct tcp *t, struct tcp_connection *c, uint32_t sequence)
{
	c->iss = c->snd_una = sequence;
	c->snd_nxt = c->snd_max = c->snd_end = sequence + 1;
	c->ts_offset = tcp_secret_timestamp(t, &c->local, &c->remote);
	c->receive_scale = own_scale(t);
	c->peer_mss = c->local.ip.family == IP_V6 ? TCP_BASE_MSS_V6 : TCP_BASE_MSS_V4;
	c->mss = c->peer_mss;
	c->quick_acks = TCP_QUICK_ACKS;
	c->heard_ms = c->progress_ms = t->now_ms;
	c->rtt_sent_us = t->now_us;
	c->ssthresh = UINT32_MAX;
	tcp_timers_set(t, c, DEADLINE_LIFE, t->config.connect_timeout_ms);
}

void tcp_open_agree(struct tcp *t, struct tcp_connection *c, const struct segment *s)
{
	uint16_t link = link_mss(t, c);

	c->irs = s->seq;
	c->rcv_nxt = c->rcv_read = c->rcv_adv = c->last_ack = s->seq + 1;
	if (s->mss)
		c->peer_mss = s->mss < MSS_LEAST ? MSS_LEAST : s->mss;
	c->mss = c->peer_mss < link ? c->peer_mss : link;
	c->scaled = s->has_scale;
	c->send_scale = s->has_scale ? s->scale : 0;
	if (!c->scaled)
		c->receive_scale = 0;
	c->sack = s->sack_permitted;
	c->timestamps = s->has_timestamp;
	if (c->timestamps) {
		c->ts_recent = s->ts_value;
		c->ts_recent_ms = t->now_ms;
	}
	c->snd_wnd = c->max_wnd = s->window;
	tcp_congestion_start(c);
}

bool tcp_open_established(struct tcp *t, struct tcp_connection *c)
{
	if (c->half_open) {
		c->half_open = false;
		t->half_open--;
	}
	if (c->passive) {
		if (t->config.per_source && sources_count(t->sources, &c->remote.ip) >= t->config.per_source) {
			tcp_count(t, COUNTER_tcp_refused_source);
			tcp_output_reset(t, c);
			tcp_connection_drop(t, c);
			return false;
		}
		sources_take(t->sources, &c->remote.ip);
		c->counted = true;
	}
	tcp_count(t, c->passive ? COUNTER_tcp_accepted : COUNTER_tcp_connected);
	/* What was closed before it was open sends its FIN now. */
	c->state = c->close_asked ? TCP_STATE_FIN_WAIT_1 : TCP_STATE_ESTABLISHED;
	c->heard_ms = c->progress_ms = t->now_ms;
	tcp_timers_stop(c, DEADLINE_LIFE);
	tcp_timers_stop(c, DEADLINE_RETRANSMIT);
	if (t->config.keepalive_ms)
		tcp_timers_set(t, c, DEADLINE_KEEPALIVE, t->config.keepalive_ms);
	/* The window of our SYN was not scaled; what follows may be. */
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (t->config.receive_bytes < 65535 ? t->config.receive_bytes : 65535));
	c->told = true;
	tcp_connection_dirty(t, c);
	t->handlers.opened(t->config.ctx, c);
	return c->state != TCP_STATE_CLOSED;
}

static bool source_full(struct tcp *t, const struct ip_addr *ip)
{
	return t->config.per_source && sources_count(t->sources, ip) >= t->config.per_source;
}

static void send_cookie(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, const struct segment *s)
{
	struct cookie cookie = tcp_secret_cookie(t, local, remote, s);
	uint32_t mask = (1u << TCP_COOKIE_TS_BITS) - 1, clock = (uint32_t)t->now_ms;
	struct segment h = {
		.seq = cookie.sequence,
		.ack = s->seq + 1,
		.flags = FLAG_SYN | FLAG_ACK,
		.window = t->config.receive_bytes > 65535 ? 65535 : t->config.receive_bytes,
		.mss = (uint16_t)(t->config.mtu - (local->ip.family == IP_V6 ? 40 : 20) - TCP_HEADER_BYTES),
		.has_scale = s->has_timestamp && s->has_scale,
		.scale = own_scale(t),
		.sack_permitted = s->has_timestamp && s->sack_permitted,
		.has_timestamp = s->has_timestamp,
		.ts_echo = s->ts_value,
	};

	/* The options stand in the lowest bits of the clock, which must not run ahead for that. */
	if ((clock & mask) < cookie.timestamp_bits)
		clock -= mask + 1;
	h.ts_value = ((clock & ~mask) | cookie.timestamp_bits) + tcp_secret_timestamp(t, local, remote);
	t->cookie_ms = t->now_ms;
	t->cookies_out = true;
	tcp_count(t, COUNTER_tcp_cookies_sent);
	tcp_output_bare(t, local, remote, &h);
}

static void take_syn(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash, const struct segment *s)
{
	struct tcp_connection *c;

	if (source_full(t, &remote->ip)) {
		tcp_count(t, COUNTER_tcp_refused_source);
		tcp_output_refuse(t, local, remote, s);
		return;
	}
	if (t->half_open >= t->config.half_open) {
		send_cookie(t, local, remote, s);
		return;
	}
	c = tcp_connection_new(t, local, remote, hash);
	if (!c) {
		tcp_count(t, COUNTER_tcp_refused_full);
		tcp_output_refuse(t, local, remote, s);
		return;
	}
	c->passive = c->half_open = c->busy = true;
	t->half_open++;
	begin(t, c, tcp_secret_sequence(t, local, remote));
	tcp_open_agree(t, c, s);
	c->state = TCP_STATE_SYN_RECEIVED;
	tcp_output_syn(t, c);
	tcp_timers_retransmit(t, c, true);
	tcp_connection_leave(t, c);
}

/* false: it brings none back, and is to be refused. */
static bool take_cookie(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash, const struct segment *s)
{
	struct tcp_connection *c;
	struct segment syn, ack = *s;

	if (!t->cookies_out || t->now_ms - t->cookie_ms > TCP_COOKIE_LIFE_MS || (s->flags & FLAG_RST))
		return false;
	if (!tcp_secret_verify(t, local, remote, s, &syn)) {
		tcp_count(t, COUNTER_tcp_cookies_bad);
		/* Not refused: where what came before it was lost, its cookie cannot be checked, and the first of them will come again. */
		return true;
	}
	c = tcp_connection_new(t, local, remote, hash);
	if (!c) {
		tcp_count(t, COUNTER_tcp_refused_full);
		return false;
	}
	tcp_count(t, COUNTER_tcp_cookies_good);
	c->passive = c->busy = true;
	begin(t, c, s->ack - 1);
	c->backoff = 1; /* nobody knows when the SYN went: no round trip is measured by it */
	tcp_open_agree(t, c, &syn);
	c->rcv_adv = c->rcv_nxt + (t->config.receive_bytes < 65535 ? t->config.receive_bytes : 65535);
	c->state = TCP_STATE_SYN_RECEIVED;
	tcp_states_input(t, c, &ack);
	tcp_connection_leave(t, c);
	return true;
}

void tcp_open_passive(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash, const struct segment *s)
{
	if (s->flags & FLAG_RST)
		return;
	if (s->flags & FLAG_ACK) {
		if ((s->flags & FLAG_SYN) || !take_cookie(t, local, remote, hash, s))
			tcp_output_refuse(t, local, remote, s);
		return;
	}
	/* SYN with FIN is nobody's way to open. */
	if ((s->flags & (FLAG_SYN | FLAG_FIN)) == FLAG_SYN)
		take_syn(t, local, remote, hash, s);
}

/* Whether the port serves; one whose last connection is in TIME-WAIT is taken over (RFC 6191: timestamps tell the two apart). */
static bool port_free(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash)
{
	struct tcp_connection *c = tcp_connection_find(t, hash, local, remote);

	if (!c)
		return true;
	if (c->state != TCP_STATE_TIME_WAIT || !c->timestamps || t->now_ms - c->sent_ms < REUSE_MS || t->now_ms - c->heard_ms < REUSE_MS)
		return false;
	tcp_count(t, COUNTER_tcp_time_wait_recycled);
	tcp_connection_drop(t, c);
	return true;
}

static int choose_port(struct tcp *t, struct ip_port *local, const struct ip_port *remote, uint64_t *ret_hash)
{
	uint32_t range = (uint32_t)t->config.port_high - t->config.port_low + 1, start = tcp_secret_port(t, &local->ip, remote);
	uint32_t tries = range < PORT_TRIES ? range : PORT_TRIES;

	for (uint32_t i = 0; i < tries; i++) {
		local->port = (uint16_t)(t->config.port_low + (start + t->port_steps++) % range);
		*ret_hash = tcp_tuple_hash(&t->config.tuple_key, local, remote);
		if (tcp_owner(*ret_hash, t->config.workers) == t->config.worker && !tcp_listens(t, local) &&
		    port_free(t, local, remote, *ret_hash))
			return 0;
	}
	tcp_count(t, COUNTER_tcp_refused_ports);
	return -ERR_FULL;
}

int tcp_connect(struct tcp *t, const struct ip_port *from, const struct ip_port *remote, void *user, struct tcp_connection **ret_connection)
{
	struct ip_port local = *from;
	struct tcp_connection *c;
	uint64_t hash;
	int err;

	if (local.ip.family != remote->ip.family || local.ip.family == IP_NONE || !remote->port)
		return -ERR_INVALID;
	if (local.port) {
		hash = tcp_tuple_hash(&t->config.tuple_key, &local, remote);
		if (tcp_owner(hash, t->config.workers) != t->config.worker)
			return -ERR_INVALID;
		if (!port_free(t, &local, remote, hash))
			return -ERR_EXISTS;
	} else {
		err = choose_port(t, &local, remote, &hash);
		if (err)
			return err;
	}
	c = tcp_connection_new(t, &local, remote, hash);
	if (!c) {
		tcp_count(t, COUNTER_tcp_refused_full);
		return -ERR_FULL;
	}
	c->user = user;
	c->told = true;
	c->state = TCP_STATE_SYN_SENT;
	begin(t, c, tcp_secret_sequence(t, &local, remote));
	if (tcp_output_syn(t, c) == -ERR_UNREACHABLE) {
		tcp_count(t, COUNTER_tcp_open_failed);
		tcp_connection_drop(t, c);
		return -ERR_UNREACHABLE;
	}
	tcp_timers_retransmit(t, c, true);
	*ret_connection = c;
	return 0;
}
