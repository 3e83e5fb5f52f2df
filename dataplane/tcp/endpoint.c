/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/pages.h"
#include "base/pool.h"
#include "net/bytes.h"
#include "tcp/connection.h"

/* The endpoint: its memory, its connections and what the user asks of them. */

_Static_assert(sizeof(struct tcp_connection) <= 448, "a connection is seven cache lines");

struct tcp_config tcp_config_default(void)
{
	return (struct tcp_config){
		.connections = 16384,
		.per_source = 0,
		.half_open = 1024,
		.time_wait = 4096,
		.buffer_bytes = 64u << 20,
		.send_bytes = 256 << 10,
		.receive_bytes = 256 << 10,
		.pieces = 256,
		.mtu = 1500,
		.port_low = 32768,
		.port_high = 60999,
		.connect_timeout_ms = 10000,
		.user_timeout_ms = 30000,
		.rto_min_ms = 200,
		.rto_max_ms = 60000,
		.delayed_ack_ms = 40,
		.keepalive_ms = 120000,
		.keepalive_interval_ms = 10000,
		.keepalive_probes = 5,
		.time_wait_ms = 60000,
		.fin_wait_ms = 20000,
		.challenges_per_s = 10,
		.resets_per_s = 1000,
		.congestion = TCP_CUBIC,
		.worker = 0,
		.workers = 1,
	};
}

const char *tcp_config_fault(const struct tcp_config *c)
{
	const struct {
		bool wrong;
		const char *why;
	} rules[] = {
		{ c->connections < 1 || c->connections > 4000000, "connections: not 1 to 4000000" },
		{ c->half_open > c->connections, "half_open: more than connections" },
		{ c->time_wait < 1, "time_wait: not at least 1" },
		{ c->buffer_bytes < 65536, "buffer_bytes: less than 65536" },
		{ c->send_bytes < 4096 || c->send_bytes > 16 << 20, "send_bytes: not 4096 to 16777216" },
		{ c->receive_bytes < 4096 || c->receive_bytes > 16 << 20, "receive_bytes: not 4096 to 16777216" },
		{ c->pieces < 1 || c->pieces > 1024, "pieces: not 1 to 1024" },
		{ c->mtu < 576, "mtu: less than 576" },
		{ !c->port_low || c->port_low > c->port_high, "port_low: 0, or above port_high" },
		{ c->connect_timeout_ms < 100 || c->connect_timeout_ms > 600000, "connect_timeout_ms: not 100 to 600000" },
		{ c->user_timeout_ms < 1000 || c->user_timeout_ms > 3600000, "user_timeout_ms: not 1000 to 3600000" },
		{ c->rto_min_ms < 1 || c->rto_min_ms > c->rto_max_ms || c->rto_max_ms > 240000, "rto_min_ms, rto_max_ms: not 1 <= min <= max <= 240000" },
		{ c->delayed_ack_ms < 1 || c->delayed_ack_ms > 500, "delayed_ack_ms: not 1 to 500" },
		{ c->keepalive_ms && (c->keepalive_interval_ms < 100 || !c->keepalive_probes || c->keepalive_probes > 100),
		  "keepalive_interval_ms, keepalive_probes: not at least 100, and 1 to 100" },
		{ c->time_wait_ms < 1 || c->time_wait_ms > 600000, "time_wait_ms: not 1 to 600000" },
		{ c->fin_wait_ms < 1 || c->fin_wait_ms > 600000, "fin_wait_ms: not 1 to 600000" },
		{ c->congestion != TCP_CUBIC && c->congestion != TCP_NEWRENO, "congestion: neither TCP_CUBIC nor TCP_NEWRENO" },
		{ !c->workers || c->worker >= c->workers, "worker: not below workers" },
		{ !c->counters, "counters: missing" },
		{ !c->handlers || !c->handlers->reserve || !c->handlers->commit || !c->handlers->opened || !c->handlers->data ||
			  !c->handlers->writable || !c->handlers->peer_closed || !c->handlers->closed,
		  "handlers: missing" },
	};

	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].wrong)
			return rules[i].why;
	return NULL;
}

int tcp_new(const struct tcp_config *config, uint64_t now_us, struct tcp **ret_tcp)
{
	struct tcp *t;

	if (tcp_config_fault(config))
		return -ERR_INVALID;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ERR_NOMEM;
	t->config = *config;
	t->handlers = *config->handlers;
	t->counters = config->counters;
	t->pool = pool_new(config->connections, (sizeof(struct tcp_connection) + 63) & ~(size_t)63);
	t->slab = slab_new(config->buffer_bytes);
	t->wheel = wheel_new(now_us / 1000);
	t->lookup = lookup_new(config->connections);
	t->sources = sources_new(config->connections, &config->secret);
	t->generations = pages_new(config->connections * sizeof(t->generations[0]));
	if (!t->pool || !t->slab || !t->wheel || !t->lookup || !t->sources || !t->generations) {
		tcp_free(t);
		return -ERR_NOMEM;
	}
	tcp_set_clock(t, now_us);
	*ret_tcp = t;
	return 0;
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	pages_free(t->generations, t->config.connections * sizeof(t->generations[0]));
	sources_free(t->sources);
	lookup_free(t->lookup);
	if (t->wheel)
		wheel_free(t->wheel);
	slab_free(t->slab);
	pool_free(t->pool);
	free(t);
}

void tcp_touch(struct tcp *t)
{
	pool_touch(t->pool);
	slab_touch(t->slab);
	lookup_touch(t->lookup);
	sources_touch(t->sources);
	pages_touch(t->generations, t->config.connections * sizeof(t->generations[0]));
}

void tcp_set_clock(struct tcp *t, uint64_t now_us)
{
	if (now_us < t->now_us)
		return;
	t->now_us = now_us;
	t->now_ms = now_us / 1000;
}

/* ---- which connection */

uint64_t tcp_tuple_hash(const struct hash_key *key, const struct ip_port *local, const struct ip_port *remote)
{
	uint32_t n = local->ip.family == IP_V6 ? 16 : 4;
	uint8_t bytes[36];

	memcpy(bytes, local->ip.bytes, n);
	memcpy(bytes + n, remote->ip.bytes, n);
	put16(bytes + 2 * n, local->port);
	put16(bytes + 2 * n + 2, remote->port);
	return siphash24(key, bytes, 2 * n + 4);
}

struct tuple {
	const struct ip_port *local, *remote;
};

static bool same_tuple(const void *ctx, uint32_t index, const void *key)
{
	const struct tcp_connection *c = pool_at(((const struct tcp *)ctx)->pool, index);
	const struct tuple *k = key;

	return ip_port_eq(&c->remote, k->remote) && ip_port_eq(&c->local, k->local);
}

struct tcp_connection *tcp_connection_find(const struct tcp *t, uint64_t hash, const struct ip_port *local, const struct ip_port *remote)
{
	struct tuple key = { local, remote };

	return pool_at(t->pool, lookup_find(t->lookup, hash, same_tuple, t, &key));
}

struct tcp_connection *tcp_connection_new(struct tcp *t, const struct ip_port *local, const struct ip_port *remote, uint64_t hash)
{
	struct tcp_connection *c = pool_get(t->pool);
	uint32_t index;

	if (!c && t->time_wait_oldest && !t->time_wait_oldest->busy) {
		tcp_count(t, COUNTER_tcp_time_wait_evicted);
		tcp_connection_drop(t, t->time_wait_oldest);
		c = pool_get(t->pool);
	}
	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->local = *local;
	c->remote = *remote;
	c->hash = hash;
	index = pool_index(t->pool, c);
	t->generations[index]++;
	lookup_add(t->lookup, hash, index);
	return c;
}

static void release(struct tcp *t, struct tcp_connection *c)
{
	tcp_queue_drop(t, c);
	tcp_receive_drop(t, c);
	tcp_sack_clear(t, c);
	pool_put(t->pool, c);
}

void tcp_connection_drop(struct tcp *t, struct tcp_connection *c)
{
	uint32_t index = pool_index(t->pool, c);

	if (c->state == TCP_STATE_TIME_WAIT) {
		*(c->older ? &c->older->newer : &t->time_wait_oldest) = c->newer;
		*(c->newer ? &c->newer->older : &t->time_wait_newest) = c->older;
		t->time_wait--;
	}
	if (c->half_open)
		t->half_open--;
	if (c->counted)
		sources_give(t->sources, &c->remote.ip);
	c->half_open = c->counted = c->told = false;
	c->state = TCP_STATE_CLOSED;
	wheel_cancel(&c->timer);
	lookup_remove(t->lookup, c->hash, index);
	t->generations[index]++;
	/* A handler may still hold a span of its buffers, the list of dirty ones a pointer to it. */
	if (!c->busy && !c->dirty)
		release(t, c);
}

void tcp_connection_end(struct tcp *t, struct tcp_connection *c, enum tcp_end why)
{
	bool told = c->told, busy = c->busy;

	if (c->state == TCP_STATE_CLOSED)
		return;
	if (told) {
		c->busy = true;
		c->told = false;
		t->handlers.closed(t->config.ctx, c, why);
		c->busy = busy;
	}
	if (c->state != TCP_STATE_CLOSED)
		tcp_connection_drop(t, c);
	else if (!busy && !c->dirty)
		release(t, c);
}

void tcp_connection_leave(struct tcp *t, struct tcp_connection *c)
{
	c->busy = false;
	if (c->state == TCP_STATE_CLOSED && !c->dirty)
		release(t, c);
}

void tcp_connection_dirty(struct tcp *t, struct tcp_connection *c)
{
	if (c->dirty || c->state == TCP_STATE_CLOSED)
		return;
	c->dirty = true;
	c->next_dirty = NULL;
	*(t->dirty_tail ? &t->dirty_tail->next_dirty : &t->dirty_head) = c;
	t->dirty_tail = c;
}

void tcp_flush(struct tcp *t, uint64_t now_us)
{
	struct tcp_connection *last = t->dirty_tail, *c = NULL;

	tcp_set_clock(t, now_us);
	/* Who becomes dirty again has its turn at the next flush. */
	while (c != last) {
		c = t->dirty_head;
		t->dirty_head = c->next_dirty;
		if (!t->dirty_head)
			t->dirty_tail = NULL;
		c->dirty = false;
		if (c->state != TCP_STATE_CLOSED)
			tcp_output(t, c);
		else if (!c->busy)
			release(t, c);
	}
}

/* ---- listeners */

static unsigned listener_at(const struct tcp *t, const struct ip_port *local)
{
	unsigned i = 0;

	while (i < t->listener_count && !ip_port_eq(&t->listeners[i], local))
		i++;
	return i;
}

bool tcp_listens(const struct tcp *t, const struct ip_port *local)
{
	return listener_at(t, local) < t->listener_count;
}

int tcp_listen(struct tcp *t, const struct ip_port *local)
{
	if (tcp_listens(t, local))
		return -ERR_EXISTS;
	if (t->listener_count == TCP_LISTENERS_MAX)
		return -ERR_FULL;
	t->listeners[t->listener_count++] = *local;
	return 0;
}

int tcp_unlisten(struct tcp *t, const struct ip_port *local)
{
	unsigned i = listener_at(t, local);

	if (i == t->listener_count)
		return -ERR_NOT_FOUND;
	t->listeners[i] = t->listeners[--t->listener_count];
	return 0;
}

/* ---- what the user asks */

void tcp_close(struct tcp *t, struct tcp_connection *c)
{
	if (c->close_asked)
		return;
	if (c->state == TCP_STATE_SYN_SENT) {
		tcp_connection_end(t, c, TCP_END_CLOSED);
		return;
	}
	c->close_asked = true;
	c->want_writable = false;
	if (c->state == TCP_STATE_ESTABLISHED)
		c->state = c->fin_received && c->rcv_nxt == c->fin_seq + 1 ? TCP_STATE_LAST_ACK : TCP_STATE_FIN_WAIT_1;
	else if (c->state == TCP_STATE_CLOSE_WAIT)
		c->state = TCP_STATE_LAST_ACK;
	tcp_connection_dirty(t, c);
}

void tcp_abort(struct tcp *t, struct tcp_connection *c)
{
	if (c->state == TCP_STATE_CLOSED)
		return;
	if (c->state != TCP_STATE_SYN_SENT && c->state != TCP_STATE_TIME_WAIT)
		tcp_output_reset(t, c);
	tcp_connection_drop(t, c);
}

uint32_t tcp_send_room(const struct tcp *t, const struct tcp_connection *c)
{
	uint32_t pending = tcp_send_pending(c);

	return c->close_asked || c->state == TCP_STATE_CLOSED || pending >= t->config.send_bytes ? 0 : t->config.send_bytes - pending;
}

uint32_t tcp_send_pending(const struct tcp_connection *c)
{
	uint32_t from = c->state < TCP_STATE_ESTABLISHED ? c->iss + 1 : c->snd_una;

	return seq_lt(from, c->snd_end) ? c->snd_end - from : 0;
}

uint32_t tcp_send(struct tcp *t, struct tcp_connection *c, struct span bytes)
{
	uint32_t room = tcp_send_room(t, c), n = bytes.n < room ? bytes.n : room, taken = n ? tcp_queue_add(t, c, span_of(bytes.p, n)) : 0;

	if (taken < bytes.n && !c->close_asked)
		c->want_writable = true;
	if (taken)
		tcp_connection_dirty(t, c);
	return taken;
}

void tcp_read(struct tcp *t, struct tcp_connection *c)
{
	uint32_t edge;

	if (c->busy || c->state == TCP_STATE_CLOSED)
		return;
	c->busy = true;
	c->stalled = false;
	tcp_receive_deliver(t, c);
	if (c->state != TCP_STATE_CLOSED) {
		edge = c->rcv_nxt + tcp_receive_window(t, c);
		if (seq_lt(c->rcv_adv, edge)) {
			c->ack_now = true;
			tcp_connection_dirty(t, c);
		}
	}
	tcp_connection_leave(t, c);
}
