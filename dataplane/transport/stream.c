/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of a worker: their life, and how they are found. */
#include "transport/stream.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/pages.h"
#include "base/pool.h"
#include "transport/stream_state.h"

#define INDEX_BITS 24 /* of a name: index, generation, worker + 1 */

/* ---- how they are found */

static uint64_t remote_hash(const struct hash_key *key, const struct ip_port *remote)
{
	static const struct ip_port nobody;
	struct ip_port local = nobody;

	local.ip.family = remote->ip.family;
	return tcp_tuple_hash(key, &local, remote);
}

unsigned streams_owner_of(const struct hash_key *key, const struct ip_port *remote, unsigned workers)
{
	return workers == 1 ? 0 : tcp_owner(remote_hash(key, remote), workers);
}

static struct stream **bucket_of(const struct streams *st, const struct ip_port *remote)
{
	return &st->table[remote_hash(&st->config.tcp.tuple_key, remote) & (st->buckets - 1)];
}

uint64_t stream_remote_hash(const struct streams *st, const struct ip_port *remote)
{
	return remote_hash(&st->config.tcp.tuple_key, remote);
}

struct stream *stream_to(const struct streams *st, const struct flow *to)
{
	struct stream *s = *bucket_of(st, &to->remote);

	while (s && !(ip_port_eq(&s->remote, &to->remote) && s->transport == to->transport && s->tls_peer == to->tls_peer))
		s = s->chain;
	return s;
}

void stream_share(struct streams *st, struct stream *s)
{
	struct stream **bucket = bucket_of(st, &s->remote);

	s->ours = s->shared = true;
	s->chain = *bucket;
	*bucket = s;
}

static void unshare(struct streams *st, struct stream *s)
{
	struct stream **at = bucket_of(st, &s->remote);

	if (!s->shared)
		return;
	while (*at != s)
		at = &(*at)->chain;
	*at = s->chain;
	s->shared = false;
}

struct stream *stream_find(const struct streams *st, uint64_t name)
{
	uint32_t index = (uint32_t)(name & ((1u << INDEX_BITS) - 1));
	struct stream *s;

	if (!name || streams_worker_of(name) != st->config.tcp.worker || index >= pool_capacity(st->pool) || !(st->generations[index] & 1))
		return NULL;
	s = pool_at(st->pool, index);
	return s->name == name ? s : NULL;
}

/* ---- life */

static void unlink_active(struct streams *st, struct stream *s)
{
	*(s->older ? &s->older->newer : &st->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &st->newest) = s->older;
}

static void link_newest(struct streams *st, struct stream *s)
{
	s->active_ms = st->now_ms;
	s->older = st->newest;
	s->newer = NULL;
	*(st->newest ? &st->newest->newer : &st->oldest) = s;
	st->newest = s;
}

void stream_touched(struct streams *st, struct stream *s)
{
	if (st->newest == s) {
		s->active_ms = st->now_ms;
		return;
	}
	unlink_active(st, s);
	link_newest(st, s);
}

struct stream *stream_new(struct streams *st, struct tcp_connection *c, const struct flow *flow)
{
	struct stream *s = pool_get(st->pool);
	uint32_t index;

	if (!s)
		return NULL;
	index = pool_index(st->pool, s);
	st->generations[index] += 1;
	*s = (struct stream){ .c = c, .local = flow->local, .remote = flow->remote, .transport = flow->transport, .tls_peer = flow->tls_peer,
			      .opened_ms = st->now_ms };
	s->name = (uint64_t)(st->config.tcp.worker + 1) << 56 | (uint64_t)st->generations[index] << INDEX_BITS | index;
	s->queue_end = &s->queue;
	link_newest(st, s);
	return s;
}

void stream_gone(struct streams *st, struct stream *s)
{
	s->c = NULL;
	s->closing = true;
	stream_stall_forget(st, s); /* what was not taken from TCP is gone with it */
	unshare(st, s);
	if (s->listed_gone)
		return;
	s->listed_gone = true;
	s->next_gone = st->gone;
	st->gone = s;
}

void stream_close(struct streams *st, struct stream *s)
{
	if (s->closing)
		return;
	s->closing = true;
	unshare(st, s);
	if (!s->queue && s->c)
		stream_finish(st, s);
}

static void release(struct streams *st, struct stream *s)
{
	unlink_active(st, s);
	stream_message_ended(st, s);
	slab_put(st->slab, s->buffer);
	stream_sent_drop(st, s);
	slab_put(st->slab, s->why);
	stream_unsecure(st, s);
	st->generations[pool_index(st->pool, s)] += 1;
	pool_put(st->pool, s);
}

/* ---- what TCP tells */

/* Somebody opened it: what the listener speaks is what it speaks. */
static struct flow accepted_flow(const struct streams *st, const struct tcp_connection *c, unsigned *ret_server)
{
	struct flow flow = { .remote = *tcp_remote(c), .local = *tcp_local(c) };

	*ret_server = 0;
	for (unsigned i = 0; i < st->listener_count; i++)
		if (ip_port_eq(&st->listeners[i], &flow.local)) {
			flow.transport = st->listener[i].transport;
			*ret_server = st->listener[i].tls_server;
		}
	return flow;
}

static void opened(void *ctx, struct tcp_connection *c)
{
	struct streams *st = ctx;
	struct stream *s = tcp_user(c);
	unsigned server = 0;

	if (!s) {
		struct flow flow = accepted_flow(st, c, &server);

		s = stream_new(st, c, &flow);
		if (!s) {
			stream_count(st, COUNTER_stream_refused_full);
			tcp_abort(st->tcp, c);
			return;
		}
		tcp_set_user(c, s);
	}
	stream_touched(st, s);
	if (st->shut)
		stream_close(st, s);
	if (s->transport == TRANSPORT_TLS) {
		stream_secure(st, s, server);
		return;
	}
	s->stands = true;
	stream_drain(st, s);
}

static void writable(void *ctx, struct tcp_connection *c)
{
	struct streams *st = ctx;
	struct stream *s = tcp_user(c);

	if (!s)
		return;
	if (s->tls)
		tls_writable(st->tls, s->tls);
	stream_drain(st, s);
}

static void peer_closed(void *ctx, struct tcp_connection *c)
{
	struct streams *st = ctx;
	struct stream *s = tcp_user(c);

	if (!s) {
		tcp_close(st->tcp, c);
		return;
	}
	/* Of what the session has decrypted some may wait to be taken. */
	s->peer_done = true;
	if (!s->listed_stalled && !(st->held && !s->ours))
		stream_peer_done(st, s);
}

static void closed(void *ctx, struct tcp_connection *c, enum tcp_end why)
{
	struct streams *st = ctx;
	struct stream *s = tcp_user(c);

	(void)why;
	if (!s)
		return;
	stream_cut(st, s);
	stream_gone(st, s);
}

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	struct streams *st = ctx;

	return st->config.reserve(st->config.ctx, bytes);
}

static int commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct streams *st = ctx;

	return st->config.commit(st->config.ctx, bytes, source, destination);
}

static const struct tcp_handlers handlers = {
	.reserve = reserve,
	.commit = commit,
	.opened = opened,
	.data = stream_data,
	.writable = writable,
	.peer_closed = peer_closed,
	.closed = closed,
};

/* ---- the whole of them */

int streams_new(const struct streams_config *config, uint64_t now_us, struct streams **ret_streams)
{
	struct streams *st;
	int err;

	if (config->tcp.connections >= 1u << INDEX_BITS || config->buffer_bytes < 1 << 20)
		return -ERR_INVALID;
	st = calloc(1, sizeof(*st));
	if (!st)
		return -ERR_NOMEM;
	st->config = *config;
	st->config.tcp.handlers = &handlers;
	st->config.tcp.ctx = st;
	st->config.tcp.counters = config->counters;
	st->now_ms = now_us / 1000;
	st->buckets = 256;
	while (st->buckets < config->tcp.connections)
		st->buckets *= 2;
	err = tcp_new(&st->config.tcp, now_us, &st->tcp);
	if (!err)
		err = stream_tls_new(st);
	if (!err) {
		st->pool = pool_new(config->tcp.connections, sizeof(struct stream));
		st->slab = slab_new(config->buffer_bytes);
		st->generations = calloc(config->tcp.connections, sizeof(st->generations[0]));
		st->aliases = calloc(ALIAS_SETS, sizeof(st->aliases[0]));
		st->table = calloc(st->buckets, sizeof(st->table[0]));
		if (!st->pool || !st->slab || !st->generations || !st->table || !st->aliases)
			err = -ERR_NOMEM;
	}
	if (err) {
		streams_free(st);
		return err;
	}
	*ret_streams = st;
	return 0;
}

void streams_free(struct streams *st)
{
	if (!st)
		return;
	tls_free(st->tls);
	tcp_free(st->tcp);
	pool_free(st->pool);
	slab_free(st->slab);
	free(st->generations);
	free(st->table);
	free(st->aliases);
	free(st);
}

void streams_touch(struct streams *st)
{
	tcp_touch(st->tcp);
	pool_touch(st->pool);
	slab_touch(st->slab);
}

int streams_listen(struct streams *st, const struct ip_port *local, uint8_t transport, uint8_t tls_server)
{
	int err = tcp_listen(st->tcp, local);

	if (err)
		return err;
	st->listeners[st->listener_count] = *local;
	st->listener[st->listener_count].transport = transport;
	st->listener[st->listener_count++].tls_server = tls_server;
	return 0;
}

int streams_unlisten(struct streams *st, const struct ip_port *local)
{
	return tcp_unlisten(st->tcp, local);
}

void streams_hold(struct streams *st, bool hold)
{
	struct stream *s = st->held && !hold ? st->oldest : NULL;

	st->held = hold;
	for (; s; s = s->newer)
		if (!s->ours)
			stream_read_next_turn(st, s);
}

void streams_shut(struct streams *st)
{
	st->shut = true;
	for (struct stream *s = st->oldest; s; s = s->newer)
		stream_close(st, s);
}

void streams_input(struct streams *st, const struct tcp_packet *packet, uint64_t now_us)
{
	st->now_ms = now_us / 1000;
	tcp_input(st->tcp, packet, now_us);
}

void streams_icmp(struct streams *st, const struct ip_port *local, const struct ip_port *remote, uint32_t sequence, enum tcp_icmp_kind kind,
		  uint16_t mtu, uint64_t now_us)
{
	st->now_ms = now_us / 1000;
	tcp_icmp(st->tcp, local, remote, sequence, kind, mtu, now_us);
}

static unsigned release_gone(struct streams *st)
{
	struct stream *s = st->gone;
	unsigned n = 0;

	st->gone = NULL;
	while (s) {
		struct stream *next = s->next_gone;

		stream_give_back(st, s);
		if (s->listed_stalled) { /* what came before its end is still to be handed on */
			s->next_gone = st->gone;
			st->gone = s;
		} else {
			release(st, s);
		}
		n++;
		s = next;
	}
	return n;
}

static void close_idle(struct streams *st)
{
	while (st->config.idle_ms && st->oldest && st->now_ms - st->oldest->active_ms >= st->config.idle_ms) {
		struct stream *s = st->oldest;

		if (!s->closing)
			stream_count(st, COUNTER_stream_idle_closed);
		stream_close(st, s);
		stream_touched(st, s); /* what is closing has as long again to be gone */
	}
}

unsigned streams_advance(struct streams *st, uint64_t now_us)
{
	unsigned n;

	st->now_ms = now_us / 1000;
	tcp_advance(st->tcp, now_us);
	n = st->tls ? tls_advance(st->tls, now_us) : 0;
	n += stream_retry_stalled(st);
	n += release_gone(st);
	close_idle(st);
	stream_close_unfinished(st);
	stream_sent_expire(st);
	return n;
}

void streams_flush(struct streams *st, uint64_t now_us)
{
	tcp_flush(st->tcp, now_us);
}

uint64_t streams_next_due(const struct streams *st)
{
	uint64_t due, tls_due;

	if (st->stalled || st->gone)
		return 0;
	due = tcp_next_due(st->tcp);
	tls_due = st->tls ? tls_next_due(st->tls) : UINT64_MAX;
	if (st->starved && due > (st->starved_ms + 1) * 1000)
		due = (st->starved_ms + 1) * 1000;
	return due < tls_due ? due : tls_due;
}

uint64_t streams_theirs(const struct streams *st, const struct flow *to)
{
	struct tcp_connection *c = tcp_between(st->tcp, &to->local, &to->remote);
	const struct stream *s = c && tcp_state(c) == TCP_STATE_ESTABLISHED ? tcp_user(c) : NULL; /* later its stream may be gone */

	return s && !s->closing ? s->name : 0;
}

bool streams_stands(const struct streams *st, uint64_t connection)
{
	const struct stream *s = stream_find(st, connection);

	return s && !s->closing;
}

struct tls *streams_tls(const struct streams *st)
{
	return st->tls;
}

uint32_t streams_connections(const struct streams *st)
{
	return pool_in_use(st->pool);
}
