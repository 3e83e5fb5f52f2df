/* SPDX-License-Identifier: Apache-2.0 */
/* Streams among workers: a connection lives on one of them, the call that a message belongs to perhaps on another. Whole messages cross
 * between them in packet buffers, by the rings that frames take. */
#include "worker_state.h"

#include <stddef.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/err.h"
#include "net/output.h"
#include "sip/uri.h"
#include "sip/via.h"
#include "tables/access.h"
#include "tables/tables.h"
#include "tables/trunks.h"

/* In front of a message in its first buffer. */
struct handed {
	struct flow flow;
	uint32_t len;
	bool reasoned; /* `why` says something; else the message alone follows */
	char why[STREAM_WHY_MAX];
};
#define HANDED_PLAIN offsetof(struct handed, why)

/* ---- messages between workers */

/* Copies bytes into m and as many buffers behind it as that takes. */
static bool fill(struct worker *w, struct rte_mbuf *m, const uint8_t *bytes, uint32_t len)
{
	struct rte_mbuf *last = m;

	for (;;) {
		uint32_t n = rte_pktmbuf_tailroom(last) < len ? rte_pktmbuf_tailroom(last) : len;

		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), bytes, n);
		last->data_len = (uint16_t)(last->data_len + n);
		m->pkt_len += n;
		bytes += n;
		len -= n;
		if (!len)
			return true;
		last->next = rte_pktmbuf_alloc(w->shared->pool);
		if (!last->next)
			return false;
		last = last->next;
		m->nb_segs++;
	}
}

static void copy_reason(char *to, const char *why)
{
	size_t n = strnlen(why, STREAM_WHY_MAX - 1);

	memcpy(to, why, n);
	to[n] = 0;
}

/* false: the ring is full, or there are no buffers. */
static bool pass(struct worker *w, unsigned owner, enum handed_kind kind, const uint8_t *message, uint32_t len, const struct flow *flow, const char *why)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->shared->pool);
	struct handed *head;

	if (!m) {
		counter_add(w->counters, COUNTER_drop_no_mbuf, 1);
		return false;
	}
	head = (struct handed *)rte_pktmbuf_append(m, why ? sizeof(*head) : HANDED_PLAIN);
	head->flow = *flow;
	head->len = len;
	head->reasoned = why;
	if (why)
		copy_reason(head->why, why);
	m->hash.usr = HANDED_MARK(kind);
	if (!fill(w, m, message, len)) {
		counter_add(w->counters, COUNTER_drop_no_mbuf, 1);
		rte_pktmbuf_free(m);
		return false;
	}
	if (rte_ring_sp_enqueue(w->shared->worker[owner]->from[w->index], m) < 0) {
		rte_pktmbuf_free(m);
		return false;
	}
	counter_add(w->counters, COUNTER_handoff_out, 1);
	w->rang[owner] = true;
	return true;
}

/* ---- up: messages that came */

static bool message_in(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from)
{
	struct worker *w = ctx;
	struct worker_shared *s = w->shared;
	unsigned owner = proxy_owner(&s->call_key, &s->branch_mac, s->workers, w->index, data, len);

	if (owner != w->index)
		return pass(w, owner, HANDED_IN, data, len, from, NULL);
	proxy_datagram(w->proxy, data, len, from, w->now_ms);
	return true;
}

/* The endpoint of a trunk at that address, as whom whoever speaks by TLS from there must be known. TLS_PEER_ANYBODY: there is none. */
static uint32_t tls_peer_at(const struct tables *tables, const struct trunk *trunk, const struct ip_port *address)
{
	for (unsigned i = 0; i < trunk->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(tables->endpoints, trunk->endpoints[i]);

		if (e && e->transport == TRANSPORT_TLS && ip_port_eq(&e->addr, address))
			return e->tls_peer;
	}
	return TLS_PEER_ANYBODY;
}

/* RFC 5923: whoever opened it says that it may be used for requests to the address in its Via, which must be its own, and that of a trunk which
 * is to be met so. By TCP nothing but that vouches for it; by TLS its certificate must be one that would do if we connected there (§8). */
static void introduced(void *ctx, const uint8_t *data, uint32_t len, const struct flow *from)
{
	struct worker *w = ctx;
	struct worker_shared *s = w->shared;
	const struct tables *tables = s->tables;
	uint32_t slot = access_lookup(tables->access, &from->remote.ip);
	const struct trunk *trunk = slot == TRUNK_NONE ? NULL : trunks_get(tables->trunks, slot);
	struct flow flow = { .transport = from->transport, .connection = from->connection };
	struct span value;
	unsigned owner;

	if (!trunk || !trunk->connection_reuse || sip_parse(data, len, &w->introduction) != SIP_OK || !w->introduction.is_request ||
	    !param_find(w->introduction.top_via.params, "alias", &value))
		return;
	flow.remote.ip = from->remote.ip;
	flow.remote.port = w->introduction.top_via.port ? w->introduction.top_via.port : transport_port(from->transport);
	if (from->transport == TRANSPORT_TLS) {
		flow.tls_peer = tls_peer_at(tables, trunk, &flow.remote);
		if (flow.tls_peer == TLS_PEER_ANYBODY || !streams_is_peer(w->streams, from->connection, flow.tls_peer))
			return;
	}
	owner = streams_owner_of(&s->tuple_key, &flow.remote, s->workers);
	if (owner == w->index)
		streams_alias(w->streams, &flow);
	else if (!pass(w, owner, HANDED_ALIAS, data, 0, &flow, NULL))
		counter_add(w->counters, COUNTER_handoff_dropped_full, 1); /* that address is met by a connection of ours */
}

static void undelivered(void *ctx, const uint8_t *message, uint32_t len, const struct ip_port *to, const char *why)
{
	struct worker *w = ctx;
	struct worker_shared *s = w->shared;
	struct flow flow = { .remote = *to };
	unsigned owner = proxy_owner_quoted(&s->branch_mac, s->workers, w->index, message, len);

	if (owner == w->index)
		proxy_undelivered(w->proxy, message, len, to, why, w->now_ms);
	else if (!pass(w, owner, HANDED_UNDELIVERED, message, len, &flow, why))
		counter_add(w->counters, COUNTER_handoff_dropped_full, 1); /* its transaction runs into its timer */
}

/* Another worker's message, for which there is no room here. */
static void not_taken(struct worker *w, const uint8_t *message, uint32_t len, const struct ip_port *to)
{
	struct worker_shared *s = w->shared;
	struct flow flow = { .remote = *to };
	unsigned owner = proxy_owner_quoted(&s->branch_mac, s->workers, w->index, message, len);

	if (owner == w->index)
		proxy_not_taken(w->proxy, message, len, to, w->now_ms);
	else if (!pass(w, owner, HANDED_NOT_TAKEN, message, len, &flow, NULL))
		counter_add(w->counters, COUNTER_handoff_dropped_full, 1); /* its transaction runs into its timer */
}

/* ---- down: messages that go */

/* By a connection that its owner opened? Nobody is known by TLS who is no peer. */
static bool may_be_met(const struct flow *to)
{
	return to->transport == TRANSPORT_TCP || to->tls_peer != TLS_PEER_ANYBODY;
}

int worker_stream_send(struct worker *w, const uint8_t *message, uint32_t len, const struct flow *to)
{
	struct worker_shared *s = w->shared;
	enum handed_kind kind = HANDED_OUT;
	struct flow flow = *to;
	uint64_t alias;
	unsigned owner;

	if (!w->streams || (flow.transport != TRANSPORT_TCP && flow.transport != TRANSPORT_TLS))
		return -ERR_UNREACHABLE;
	if (flow.connection == FLOW_THEIRS) {
		owner = tcp_owner(tcp_tuple_hash(&s->tuple_key, &flow.local, &flow.remote), s->workers);
		if (owner != w->index)
			return pass(w, owner, HANDED_OUT, message, len, &flow, NULL) ? 0 : -ERR_FULL;
		flow.connection = streams_theirs(w->streams, &flow);
	}
	owner = flow.connection ? streams_worker_of(flow.connection) : s->workers;
	if (owner >= s->workers || (owner == w->index && !streams_stands(w->streams, flow.connection))) {
		owner = streams_owner_of(&s->tuple_key, &flow.remote, s->workers);
		kind = flow.connection ? HANDED_OUT_PAST : HANDED_OUT;
		if (owner == w->index) {
			streams_unalias(w->streams, &flow);
			flow.connection = 0;
		}
	}
	alias = owner == w->index && !flow.connection && may_be_met(&flow) ? streams_alias_of(w->streams, &flow) : 0;
	if (alias && streams_worker_of(alias) != w->index) {
		flow.connection = alias;
		owner = streams_worker_of(alias);
		kind = HANDED_OUT;
	} else if (alias && streams_stands(w->streams, alias)) {
		flow.connection = alias;
	} else if (alias) {
		flow.connection = alias;
		streams_unalias(w->streams, &flow);
		flow.connection = 0;
	}
	if (owner == w->index)
		return streams_send(w->streams, message, len, &flow);
	return pass(w, owner, kind, message, len, &flow, NULL) ? 0 : -ERR_FULL;
}

void worker_handed_in(struct worker *w, struct rte_mbuf *m)
{
	struct handed *head = rte_pktmbuf_mtod(m, struct handed *);
	const uint8_t *message = rte_pktmbuf_read(m, head->reasoned ? sizeof(*head) : HANDED_PLAIN, head->len, w->scratch);
	int err;

	switch (m->hash.usr >> HANDED_SHIFT) {
	case HANDED_IN:
		proxy_datagram(w->proxy, message, head->len, &head->flow, w->now_ms);
		break;
	case HANDED_ALIAS:
		if (w->streams)
			streams_alias(w->streams, &head->flow);
		break;
	case HANDED_OUT_PAST:
		if (w->streams)
			streams_unalias(w->streams, &head->flow);
		head->flow.connection = 0;
		/* fall through */
	case HANDED_OUT:
		err = worker_stream_send(w, message, head->len, &head->flow);
		if (err == -ERR_FULL)
			not_taken(w, message, head->len, &head->flow.remote);
		else if (err)
			undelivered(w, message, head->len, &head->flow.remote, NULL);
		break;
	case HANDED_NOT_TAKEN:
		proxy_not_taken(w->proxy, message, head->len, &head->flow.remote, w->now_ms);
		break;
	case HANDED_UNDELIVERED:
		proxy_undelivered(w->proxy, message, head->len, &head->flow.remote, head->reasoned ? head->why : NULL, w->now_ms);
		break;
	}
	rte_pktmbuf_free(m);
}

/* ---- beginning and end */

void worker_stream_admit(struct worker *w, enum admission what)
{
	proxy_admit(w->proxy, what);
	if ((what == ADMIT_ALL) == w->admits)
		return;
	w->admits = what == ADMIT_ALL;
	atomic_fetch_add(&w->shared->open, w->admits ? 1u : -1u);
	if (w->admits || !w->streams)
		return;
	w->held = true;
	streams_hold(w->streams, true);
}

static void let_go(struct worker *w)
{
	if (atomic_load(&w->shared->open) < w->shared->workers)
		return;
	w->held = false;
	streams_hold(w->streams, false);
}

unsigned worker_stream_turn(struct worker *w)
{
	unsigned work;

	if (unlikely(w->held))
		let_go(w);
	work = streams_advance(w->streams, w->now_us);
	streams_flush(w->streams, w->now_us);
	return work;
}

void worker_stream_hang_up(struct worker *w)
{
	const struct listener_set *l = &w->shared->listeners;

	for (unsigned i = 0; w->streams && i < l->tcp_count; i++)
		streams_unlisten(w->streams, &l->tcp[i]);
	if (w->streams)
		streams_shut(w->streams);
}

/* ---- for people */

uint32_t worker_stream_list(struct worker *w, uint32_t cursor)
{
	struct connection_page *page = &w->connections;

	page->count = w->streams ? streams_list(w->streams, &cursor, CONNECTIONS_PER_PAGE, page->view) : 0;
	page->more = page->count == CONNECTIONS_PER_PAGE;
	return cursor;
}

void worker_stream_end(struct worker *w, uint64_t connection)
{
	w->connections.more = false;
	w->connections.count = w->streams && streams_end(w->streams, connection, &w->connections.view[0]) == 0;
}

/* ---- segments */

unsigned worker_segment_owner(const struct worker *w, const struct packet *packet)
{
	const struct worker_shared *s = w->shared;

	if (packet->kind == PACKET_TCP)
		return tcp_owner(tcp_tuple_hash(&s->tuple_key, &packet->destination, &packet->source), s->workers);
	return tcp_owner(tcp_tuple_hash(&s->tuple_key, &packet->source, &packet->destination), s->workers);
}

void worker_segment_in(struct worker *w, const struct packet *packet)
{
	struct tcp_packet p = {
		.source = packet->source.ip,
		.destination = packet->destination.ip,
		.segment = { packet->payload, packet->payload_len },
		.checksum_good = packet->l4_good,
		.hash = tcp_tuple_hash(&w->shared->tuple_key, &packet->destination, &packet->source),
	};

	streams_input(w->streams, &p, w->now_us);
}

void worker_segment_error(struct worker *w, const struct packet *packet)
{
	enum tcp_icmp_kind kind = packet->icmp_mtu ? TCP_ICMP_TOO_BIG : packet->icmp_hard ? TCP_ICMP_HARD : TCP_ICMP_SOFT;

	streams_icmp(w->streams, &packet->source, &packet->destination, packet->sequence, kind, packet->icmp_mtu, w->now_us);
}

static uint8_t *segment_reserve(void *ctx, uint32_t bytes)
{
	struct worker *w = ctx;

	return output_reserve(w->output, bytes);
}

static int segment_commit(void *ctx, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	struct worker *w = ctx;

	return output_commit_tcp(w->output, bytes, &source->ip, &destination->ip);
}

static void tls_settings(const struct worker *w, const struct dataplane_tls *want, struct streams_config *ret)
{
	ret->tls = tls_config_default();
	ret->tls.store = w->shared->tls_store;
	ret->tls.sessions = want->sessions && want->sessions < ret->tcp.connections ? want->sessions : ret->tcp.connections;
	ret->tls.handshakes = want->handshakes < ret->tls.sessions ? want->handshakes : ret->tls.sessions;
	ret->tls.tickets = want->tickets;
	ret->tls.handshake_budget_us = want->handshake_budget_us;
	ret->tls.handshake_timeout_ms = want->handshake_timeout_ms;
	ret->tls.clock_us = worker_now_us;
	ret->unverified_callbacks = want->unverified_callbacks;
}

int worker_streams_new(struct worker *w, const struct worker_streams *want)
{
	struct worker_shared *s = w->shared;
	struct streams_config sc = {
		.tcp = tcp_config_default(),
		.buffer_bytes = ((uint64_t)want->buffer_mb << 20) / 2,
		.queue_bytes = 256 << 10,
		.idle_ms = want->idle_ms,
		.message_ms = want->message_ms,
		.message = message_in,
		.undelivered = undelivered,
		.introduced = introduced,
		.reserve = segment_reserve,
		.commit = segment_commit,
		.ctx = w,
		.counters = w->counters,
	};
	int err;

	if (!s->listeners.tcp_count)
		return 0;
	sc.tcp.connections = want->connections;
	sc.tcp.per_source = want->per_source;
	if (sc.tcp.half_open > sc.tcp.connections / 2)
		sc.tcp.half_open = sc.tcp.connections / 2;
	sc.tcp.buffer_bytes = sc.buffer_bytes;
	sc.tcp.mtu = output_mtu(w->output);
	sc.tcp.sums_elsewhere = true;
	sc.tcp.port_low = s->listeners.tcp_low;
	sc.tcp.port_high = s->listeners.tcp_high;
	sc.tcp.connect_timeout_ms = want->connect_timeout_ms;
	sc.tcp.keepalive_ms = want->keepalive_ms;
	sc.tcp.worker = w->index;
	sc.tcp.workers = s->workers;
	sc.tcp.tuple_key = s->tuple_key;
	sc.tcp.secret = s->tcp_secret;
	if (s->tls_store)
		tls_settings(w, &want->tls, &sc);
	err = streams_new(&sc, worker_now_us(), &w->streams);
	for (unsigned i = 0; !err && i < s->listeners.tcp_count; i++)
		err = streams_listen(w->streams, &s->listeners.tcp[i], s->listeners.stream[i].transport, s->listeners.stream[i].tls_server);
	w->held = !err && !w->admits;
	if (w->held)
		streams_hold(w->streams, true);
	return err;
}
