/* SPDX-License-Identifier: Apache-2.0 */
/* What comes to a worker, from ports and from other workers: what it is, whose it is, and what is done with it. */
#include "worker_state.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>

#include "net/output.h"
#include "net/reassembly.h"

#define FETCHED_AHEAD 4	   /* frames */
#define FETCHED_LINES 12   /* of each, whatever it has: of most messages all */
#define FETCHED_MAX   1536 /* bytes of a larger one */

/* A frame that came by that port. verified: the checksum of what it carries is right, which the owner need not find out again. */
static void hand_off(struct worker *w, unsigned owner, struct rte_mbuf *m, uint16_t port, bool verified)
{
	m->hash.usr = port;
	if (verified)
		m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_RX_L4_CKSUM_MASK) | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	if (rte_ring_sp_enqueue(w->shared->worker[owner]->from[w->index], m) < 0) {
		counter_add(w->counters, COUNTER_handoff_dropped_full, 1);
		rte_pktmbuf_free(m);
		return;
	}
	counter_add(w->counters, COUNTER_handoff_out, 1);
	w->rang[owner] = true;
}

static void act_on_waiting(struct worker *w)
{
	struct waiting *q = &w->waiting;

	if (!q->count)
		return;
	proxy_datagrams(w->proxy, q->datagrams, q->count, w->now_ms);
	output_recycle(w->output, q->frames, q->count);
	q->count = 0;
}

/* The next place for a datagram whose bytes and addresses are known. */
static inline void wait_for_burst(struct worker *w, const uint8_t *payload, uint32_t bytes, struct rte_mbuf *m)
{
	struct waiting *q = &w->waiting;
	struct datagram *d = &q->datagrams[q->count];

	d->data = payload;
	d->len = bytes;
	d->from.transport = TRANSPORT_UDP;
	d->from.tls_peer = TLS_PEER_ANYBODY;
	d->from.connection = 0;
	q->frames[q->count++] = m;
	if (q->count == WORKER_BURST)
		act_on_waiting(w);
}

static void udp_in(struct worker *w, const struct packet *packet, struct rte_mbuf *m)
{
	struct flow *from = &w->waiting.datagrams[w->waiting.count].from;
	bool in_scratch = m->nb_segs > 1;

	from->remote = packet->source;
	from->local = packet->destination;
	wait_for_burst(w, packet->payload, packet->payload_len, m);
	/* What came in pieces lies in the one scratch area. */
	if (in_scratch)
		act_on_waiting(w);
}

/* A datagram as nearly all are. false: it is something else. */
static inline bool usual_in(struct worker *w, struct rte_mbuf *m, uint16_t port, bool checksum_done, bool ours)
{
	const struct worker_shared *s = w->shared;
	struct flow *from = &w->waiting.datagrams[w->waiting.count].from;
	uint32_t bytes = packet_usual(m, &s->listeners, checksum_done, &from->remote, &from->local);
	const uint8_t *payload = rte_pktmbuf_mtod_offset(m, const uint8_t *, PACKET_USUAL_AT);
	unsigned owner = w->index;

	if (unlikely(!bytes))
		return false;
	if (!ours && s->workers > 1)
		owner = proxy_owner(&s->call_key, &s->branch_mac, s->workers, w->index, payload, bytes);
	if (owner == w->index)
		wait_for_burst(w, payload, bytes, m);
	else
		hand_off(w, owner, m, port, true);
	return true;
}

static void frame_in(struct worker *w, struct rte_mbuf *m, uint16_t port, bool ours)
{
	struct worker_shared *s = w->shared;
	enum counter drop;
	struct packet packet;
	unsigned owner = w->index;
	uint32_t dropped = 0;

	packet_parse(m, &s->listeners, ours || port_rx_checksum(s->ports[port]), w->scratch, &packet, &drop);
	switch (packet.kind) {
	case PACKET_DROP:
		counter_add(w->counters, drop, 1);
		break;
	case PACKET_KERNEL:
		worker_to_kernel(w, m, EXCEPTION_FRAME, port);
		return;
	case PACKET_FRAGMENT:
		counter_add(w->counters, COUNTER_fragments_in, 1);
		m = reassembly_add(w->reassembly, m, packet.l2_len, w->now_ms, &dropped);
		counter_add(w->counters, COUNTER_drop_fragment, dropped);
		if (!m)
			return;
		counter_add(w->counters, COUNTER_reassembled, 1);
		frame_in(w, m, port, false);
		return;
	case PACKET_UDP:
		if (!ours && s->workers > 1)
			owner = proxy_owner(&s->call_key, &s->branch_mac, s->workers, w->index, packet.payload, packet.payload_len);
		if (owner != w->index) {
			hand_off(w, owner, m, port, true);
			return;
		}
		udp_in(w, &packet, m);
		return;
	case PACKET_TCP:
	case PACKET_ICMP_TCP:
		if (!ours && s->workers > 1)
			owner = worker_segment_owner(w, &packet);
		if (owner != w->index) {
			hand_off(w, owner, m, port, false);
			return;
		}
		if (packet.kind == PACKET_TCP) {
			worker_segment_in(w, &packet);
			break;
		}
		counter_add(w->counters, COUNTER_icmp_errors, 1);
		worker_segment_error(w, &packet);
		worker_to_kernel(w, m, EXCEPTION_FRAME, port);
		return;
	case PACKET_ICMP_ERROR:
		if (!ours && s->workers > 1)
			owner = proxy_owner_quoted(&s->branch_mac, s->workers, w->index, packet.payload, packet.payload_len);
		if (owner != w->index) {
			hand_off(w, owner, m, port, false);
			return;
		}
		act_on_waiting(w);
		counter_add(w->counters, COUNTER_icmp_errors, 1);
		if (packet.icmp_hard)
			proxy_icmp_error(w->proxy, packet.payload, packet.payload_len, &packet.destination, w->now_ms);
		worker_to_kernel(w, m, EXCEPTION_FRAME, port);
		return;
	}
	rte_pktmbuf_free(m);
}

/* All of it: the checksum, which comes first, would wait for line after line. */
static inline void prefetch_frame(const struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

#pragma GCC unroll 12
	for (unsigned i = 0; i < FETCHED_LINES; i++)
		rte_prefetch0(p + i * RTE_CACHE_LINE_SIZE);
	for (uint32_t at = FETCHED_LINES * RTE_CACHE_LINE_SIZE; at < m->data_len && at < FETCHED_MAX; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0(p + at);
}

/* Frames that came by that port. */
static void frames_in(struct worker *w, struct rte_mbuf **frames, unsigned n, uint16_t port)
{
	bool checksum_done = port_rx_checksum(w->shared->ports[port]);

	for (unsigned i = 0; i < n && i < FETCHED_AHEAD; i++)
		prefetch_frame(frames[i]);
	for (unsigned i = 0; i < n; i++) {
		if (i + FETCHED_AHEAD < n)
			prefetch_frame(frames[i + FETCHED_AHEAD]);
		if (unlikely(!usual_in(w, frames[i], port, checksum_done, false)))
			frame_in(w, frames[i], port, false);
	}
	act_on_waiting(w);
}

/* What other workers have handed over: frames, each with its port, and messages. */
static void handed_in(struct worker *w, struct rte_mbuf **handed, unsigned n)
{
	for (unsigned i = 0; i < n && i < FETCHED_AHEAD; i++)
		prefetch_frame(handed[i]);
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = handed[i];

		if (i + FETCHED_AHEAD < n)
			prefetch_frame(handed[i + FETCHED_AHEAD]);
		if (unlikely(m->hash.usr >> HANDED_SHIFT))
			worker_handed_in(w, m);
		else if (unlikely(!usual_in(w, m, (uint16_t)m->hash.usr, true, true)))
			frame_in(w, m, (uint16_t)m->hash.usr, true);
	}
	act_on_waiting(w);
}

unsigned worker_receive(struct worker *w)
{
	struct rte_mbuf *frames[WORKER_BURST];
	unsigned work = 0;

	for (unsigned p = 0; p < w->shared->port_count; p++) {
		uint32_t own = 0;
		unsigned n = port_rx(w->shared->ports[p], w->index, frames, WORKER_BURST, &own);

		counter_add(w->counters, COUNTER_drop_own_source, own);
		counter_add(w->counters, COUNTER_rx_packets, n);
		frames_in(w, frames, n, (uint16_t)p);
		work += n + own;
	}
	for (unsigned i = 0; i < w->shared->workers; i++) {
		unsigned n;

		if (i == w->index)
			continue;
		n = rte_ring_sc_dequeue_burst(w->from[i], (void **)frames, WORKER_BURST, NULL);
		counter_add(w->counters, COUNTER_handoff_in, n);
		handed_in(w, frames, n);
		work += n;
	}
	return work;
}
