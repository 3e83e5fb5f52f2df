/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"
#include "tcp/connection.h"

/* What can be asked of connections and of the endpoint. */

void *tcp_user(const struct tcp_connection *c)
{
	return c->user;
}

void tcp_set_user(struct tcp_connection *c, void *user)
{
	c->user = user;
}

enum tcp_state tcp_state(const struct tcp_connection *c)
{
	return (enum tcp_state)c->state;
}

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATES] = {
		"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
	};

	return (unsigned)state < TCP_STATES ? names[state] : "unknown";
}

const char *tcp_end_name(enum tcp_end why)
{
	static const char *const names[] = { "closed", "refused", "reset", "timeout", "unreachable" };

	return (unsigned)why < sizeof(names) / sizeof(names[0]) ? names[why] : "unknown";
}

const struct ip_port *tcp_local(const struct tcp_connection *c)
{
	return &c->local;
}

const struct ip_port *tcp_remote(const struct tcp_connection *c)
{
	return &c->remote;
}

uint64_t tcp_handle(const struct tcp *t, const struct tcp_connection *c)
{
	uint32_t index = pool_index(t->pool, c);

	return (uint64_t)t->generations[index] << 32 | index;
}

struct tcp_connection *tcp_between(const struct tcp *t, const struct ip_port *local, const struct ip_port *remote)
{
	return tcp_connection_find(t, tcp_tuple_hash(&t->config.tuple_key, local, remote), local, remote);
}

struct tcp_connection *tcp_find(const struct tcp *t, uint64_t handle)
{
	uint32_t index = (uint32_t)handle, generation = (uint32_t)(handle >> 32);

	if (index >= t->config.connections || t->generations[index] != generation || !(generation & 1))
		return NULL;
	return pool_at(t->pool, index);
}

void tcp_info(const struct tcp_connection *c, struct tcp_info *ret_info)
{
	*ret_info = (struct tcp_info){
		.send_window = c->snd_wnd,
		.congestion_window = c->cwnd,
		.slow_start_threshold = c->ssthresh,
		.send_mss = c->mss,
		.srtt_us = c->srtt_us,
		.rto_ms = c->rto_ms,
		.retransmitted = c->retransmitted,
		.timestamps = c->timestamps,
		.sack = c->sack,
		.window_scale = c->scaled,
	};
}

void tcp_usage(const struct tcp *t, struct tcp_usage *ret_usage)
{
	*ret_usage = (struct tcp_usage){
		.connections = pool_in_use(t->pool),
		.half_open = t->half_open,
		.time_wait = t->time_wait,
		.listeners = t->listener_count,
		.sources = sources_distinct(t->sources),
		.buffer_bytes = slab_bytes_in_use(t->slab),
		.memory_bytes = sizeof(*t) + (uint64_t)t->config.connections * (((sizeof(struct tcp_connection) + 63) & ~63ULL) + 8) +
				lookup_bytes(t->lookup) + sources_bytes(t->sources) + t->config.buffer_bytes,
	};
}

static bool sound_send(const struct tcp_connection *c)
{
	uint32_t at = c->send_head ? c->send_head->start : c->snd_end, end = c->snd_end + c->close_asked;
	const struct chunk *last = NULL;

	if (!seq_le(c->snd_una, c->snd_nxt) || !seq_le(c->snd_nxt, c->snd_max) || !seq_le(c->snd_max, seq_max(end, c->iss + 1)))
		return false;
	for (const struct chunk *k = c->send_head; k; last = k, k = k->next) {
		if (k->start != at || k->length > k->room || seq_le(k->start + k->length, c->snd_una))
			return false;
		at += k->length;
	}
	return at == c->snd_end && last == c->send_tail && (!c->send_head || c->state < TCP_STATE_ESTABLISHED || seq_le(c->send_head->start, c->snd_una));
}

static bool sound_receive(const struct tcp *t, const struct tcp_connection *c)
{
	bool ordered = c->receive_order_tail != NULL;
	const struct chunk *last = NULL;
	unsigned pieces = 0;

	for (const struct chunk *k = c->receive_head; k; last = k, k = k->next) {
		if (!k->length || k->length > k->room || (last && !ordered && seq_lt(k->start, last->start + last->length)))
			return false;
		if (!ordered && (!seq_lt(c->rcv_nxt, k->start) || !seq_le(k->start + k->length, c->rcv_adv)))
			return false;
		pieces += !ordered;
		if (k == c->receive_order_tail)
			ordered = false;
	}
	return !ordered && pieces == c->piece_count && pieces <= t->config.pieces && seq_le(c->rcv_read, c->rcv_nxt);
}

static bool sound_scoreboard(const struct tcp_connection *c)
{
	const struct scoreboard *b = c->scoreboard;
	uint32_t at = c->snd_una, sum = 0;

	for (uint32_t i = 0; b && i < b->count; i++) {
		if (!seq_le(at, b->range[i].from) || !seq_lt(b->range[i].from, b->range[i].to))
			return false;
		at = b->range[i].to;
		sum += at - b->range[i].from;
	}
	return seq_le(at, c->snd_max) && (!b || (b->count && sum == b->sacked));
}

bool tcp_sound(const struct tcp *t, const struct tcp_connection *c)
{
	if (c->state == TCP_STATE_CLOSED)
		return false;
	if (c->state == TCP_STATE_SYN_SENT)
		return tcp_flight(c) == 1 && sound_send(c);
	return sound_send(c) && sound_receive(t, c) && sound_scoreboard(c) && c->cwnd >= 1 && c->mss >= 64;
}
