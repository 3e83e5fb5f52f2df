/* SPDX-License-Identifier: Apache-2.0 */
#include "net/output.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "base/err.h"
#include "base/pages.h"
#include "base/partial.h"
#include "base/prefetch.h"
#include "base/random.h"
#include "net/checksum.h"
#include "net/header.h"
#include "net/path.h"
#include "net/spares.h"
#include "port.h"
#include "tables/routes.h"

#define BATCH	      64
#define EARLY	      8 /* frames that leave before the end of the turn, where that costs no system call */
#define SPARE_LINES   12 /* of a buffer that is to be written next: what most messages take */
#define FRAGMENTS_MAX 128 /* 65,507 bytes at the least MTU */
#define MTU_MIN_V4    576
#define MTU_MIN_V6    1280

static_assert(OUTPUT_HEADROOM <= RTE_PKTMBUF_HEADROOM, "headers fit in front of a payload");

/* What waits for the end of the loop turn, or for the batch to be full, and what is known of the port. */
struct queue {
	uint8_t mac[6];
	uint16_t mtu;
	bool sums, tcp_sums; /* the driver fills in checksums: UDP's and IP's, TCP's too */
	uint16_t count, batch;
	struct rte_mbuf *frames[BATCH];
};

struct output {
	struct output_config config;
	uint32_t room;	       /* bytes of an mbuf behind the headroom */
	struct spares spares; /* the next one is reserved or about to be */
	bool in_scratch;
	uint32_t reserved;
	uint32_t ids, ids_key; /* identifications: a counter and what hides it */
	uint8_t scratch[RTE_ALIGN_CEIL(OUTPUT_PAYLOAD_MAX, 64)];
	struct paths paths;
	struct queue queues[];
};

/* One datagram on its way. */
struct datagram {
	const struct ip_port *source, *destination;
	const uint8_t *payload;
	uint32_t bytes;
	uint8_t family;
	uint32_t id;
	bool known; /* the neighbour is */
	struct route_result hop;
};

static size_t output_bytes(const struct output_config *config)
{
	return sizeof(struct output) + config->port_count * sizeof(struct queue);
}

struct output *output_new(const struct output_config *config)
{
	struct output *o = pages_new(output_bytes(config));

	if (!o)
		return NULL;
	o->config = *config;
	o->spares.pool = config->pool;
	o->room = rte_pktmbuf_data_room_size(config->pool) - RTE_PKTMBUF_HEADROOM;
	random_secret(&o->ids, sizeof(o->ids));
	random_secret(&o->ids_key, sizeof(o->ids_key));
	for (unsigned i = 0; i < config->port_count; i++) {
		struct queue *q = &o->queues[i];

		port_mac(config->ports[i], q->mac);
		/* A frame is one mbuf: a larger MTU than that is not used. */
		q->mtu = (uint16_t)RTE_MIN((uint32_t)port_mtu(config->ports[i]), o->room);
		q->sums = port_tx_checksum(config->ports[i]);
		q->tcp_sums = port_tx_tcp_checksum(config->ports[i]);
		/* The first of a full burst would wait for all the work on those behind it: some 20 us. */
		q->batch = port_tx_by_kernel(config->ports[i]) ? BATCH : EARLY;
	}
	return o;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	spares_done(&o->spares);
	for (unsigned i = 0; i < o->config.port_count; i++)
		rte_pktmbuf_free_bulk(o->queues[i].frames, o->queues[i].count);
	pages_free(o, output_bytes(&o->config));
}

static void count(struct output *o, enum counter which, uint64_t n)
{
	counter_add(o->config.counters, which, n);
}

/* The next one, so that its lines are here, and nobody else's, when it is written: who received what it held before may have been another core. */
static void prefetch_spare(const struct rte_mbuf *m)
{
	const uint8_t *p = (const uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM - RTE_CACHE_LINE_SIZE;

#pragma GCC unroll 12
	for (unsigned i = 0; i < SPARE_LINES; i++)
		prefetch_owned(p + i * RTE_CACHE_LINE_SIZE);
}

static struct rte_mbuf *spare(const struct output *o)
{
	return o->spares.mbufs[o->spares.count - 1];
}

uint8_t *output_reserve(struct output *o, uint32_t bytes)
{
	if (bytes > OUTPUT_PAYLOAD_MAX)
		return NULL;
	o->reserved = bytes;
	o->in_scratch = bytes > o->room;
	if (o->in_scratch)
		return o->scratch;
	if (unlikely(!o->spares.count && spares_fill(&o->spares))) {
		count(o, COUNTER_drop_no_mbuf, 1);
		return NULL;
	}
	if (o->spares.count > 1)
		prefetch_spare(o->spares.mbufs[o->spares.count - 2]);
	return rte_pktmbuf_mtod(spare(o), uint8_t *);
}

uint8_t *output_reserve_for(struct output *o, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination)
{
	if (o->paths.grown) { /* those of a few peers are never far */
		const struct path *path = path_place(&o->paths, source, destination);

		__builtin_prefetch(path);
		__builtin_prefetch(path->head);
	}
	return output_reserve(o, bytes);
}

void output_recycle(struct output *o, struct rte_mbuf *const *frames, unsigned n)
{
	spares_take(&o->spares, frames, n);
}

static void flush(struct output *o, uint16_t port)
{
	struct queue *q = &o->queues[port];
	uint16_t sent = 0, n;

	while (sent < q->count) {
		n = port_tx(o->config.ports[port], o->config.queue, q->frames + sent, (uint16_t)(q->count - sent));
		if (!n)
			break;
		sent = (uint16_t)(sent + n);
	}
	count(o, COUNTER_tx_packets, sent);
	if (unlikely(sent < q->count)) {
		count(o, COUNTER_tx_dropped_full, (uint64_t)(q->count - sent));
		rte_pktmbuf_free_bulk(q->frames + sent, (unsigned)(q->count - sent));
	}
	q->count = 0;
}

static void enqueue(struct output *o, uint16_t port, struct rte_mbuf *frame)
{
	struct queue *q = &o->queues[port];

	q->frames[q->count++] = frame;
	if (q->count == q->batch)
		flush(o, port);
}

void output_frame(struct output *o, uint16_t port, struct rte_mbuf *frame)
{
	if (port >= o->config.port_count) {
		count(o, COUNTER_drop_no_route, 1);
		rte_pktmbuf_free(frame);
		return;
	}
	enqueue(o, port, frame);
}

void output_flush(struct output *o)
{
	for (unsigned i = 0; i < o->config.port_count; i++)
		if (o->queues[i].count)
			flush(o, (uint16_t)i);
}

/* An IP packet of ours is complete: to the port with an Ethernet header, or to the kernel without. */
static void leave(struct output *o, const struct datagram *d, struct rte_mbuf *m)
{
	uint8_t *ether;

	if (!d->known) {
		o->config.to_kernel(o->config.ctx, m, d->hop.port);
		return;
	}
	ether = (uint8_t *)rte_pktmbuf_prepend(m, ETHER_BYTES);
	memcpy(ether, d->hop.mac, 6);
	memcpy(ether + 6, o->queues[d->hop.port].mac, 6);
	put16(ether + 12, d->family == IP_V4 ? ETHERTYPE_V4 : ETHERTYPE_V6);
	enqueue(o, d->hop.port, m);
}

/* Bijections: among 2^16 (IPv4) or 2^32 (IPv6) datagrams no identification comes twice, and the next is not the last plus one. */
static inline uint32_t identification_v4(struct output *o)
{
	uint32_t x = (o->ids++ ^ o->ids_key) & 0xffff;

	x = ((x ^ x >> 8) * 0x88b5) & 0xffff;
	x = ((x ^ x >> 7) * 0xdb2d) & 0xffff;
	return x ^ x >> 9;
}

static uint32_t identification(struct output *o, uint8_t family)
{
	uint32_t x;

	if (family == IP_V4)
		return identification_v4(o);
	x = o->ids++ ^ o->ids_key;
	x = (x ^ x >> 16) * 0x7feb352d;
	x = (x ^ x >> 15) * 0x846ca68b;
	return x ^ x >> 16;
}

/* The reserved buffer with this much room for headers in front of a payload of `bytes`; it is the caller's now. */
static inline struct rte_mbuf *take_reserved(struct output *o, uint32_t head, uint32_t bytes)
{
	struct rte_mbuf *m = o->spares.mbufs[--o->spares.count];

	m->data_off = (uint16_t)(RTE_PKTMBUF_HEADROOM - head);
	m->data_len = (uint16_t)(head + bytes);
	m->pkt_len = head + bytes;
	return m;
}

/* UDP's length and checksum. sum: of the addresses, the protocol and the ports */
static inline void finish_udp(uint8_t *udp, const struct path *path, uint32_t bytes)
{
	uint16_t length = htons((uint16_t)(UDP_BYTES + bytes)), sum;

	if (path->sums)
		sum = header_partial(path->pseudo + length);
	else
		sum = header_udp_sum(checksum_add(path->udp_sum + 2ull * length, udp + UDP_BYTES, bytes));
	memcpy(udp + 4, &length, 2);
	memcpy(udp + 6, &sum, 2);
}

/* One packet for a neighbour that is known: what is the same in all of them is copied. */
static inline void send_v4(struct output *o, const struct path *path, uint32_t bytes)
{
	struct rte_mbuf *m = take_reserved(o, ETHER_BYTES + IPV4_BYTES + UDP_BYTES, bytes);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *ip = p + ETHER_BYTES;
	uint16_t total = htons((uint16_t)(IPV4_BYTES + UDP_BYTES + bytes)), number = htons((uint16_t)identification_v4(o)), sum = 0;

	memcpy(p, path->head, ETHER_BYTES + IPV4_BYTES + UDP_BYTES);
	memcpy(ip + 2, &total, 2);
	memcpy(ip + 4, &number, 2);
	if (unlikely(path->sums)) {
		m->l2_len = ETHER_BYTES;
		m->l3_len = IPV4_BYTES;
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	} else {
		sum = checksum_fold((uint64_t)path->ip_sum + total + number);
	}
	memcpy(ip + 10, &sum, 2);
	finish_udp(ip + IPV4_BYTES, path, bytes);
	enqueue(o, path->port, m);
}

static __attribute__((noinline)) void send_v6(struct output *o, const struct path *path, uint32_t bytes)
{
	struct rte_mbuf *m = take_reserved(o, ETHER_BYTES + IPV6_BYTES + UDP_BYTES, bytes);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *ip = p + ETHER_BYTES;

	memcpy(p, path->head, ETHER_BYTES + IPV6_BYTES + UDP_BYTES);
	put16(ip + 4, (uint16_t)(UDP_BYTES + bytes));
	if (path->sums) {
		m->l2_len = ETHER_BYTES;
		m->l3_len = IPV6_BYTES;
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV6;
	}
	finish_udp(ip + IPV6_BYTES, path, bytes);
	enqueue(o, path->port, m);
}

static inline void send_known(struct output *o, const struct path *path, uint32_t bytes)
{
	if (likely(path->v4))
		send_v4(o, path, bytes);
	else
		send_v6(o, path, bytes);
}

/* One packet for the kernel to find the neighbour of. */
static void send_unknown(struct output *o, const struct datagram *d)
{
	struct rte_mbuf *m = o->spares.mbufs[--o->spares.count];
	uint32_t header = header_bytes(d->family);
	uint8_t *ip;

	m->data_len = (uint16_t)d->bytes;
	m->pkt_len = d->bytes;
	ip = (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)(header + UDP_BYTES));
	header_udp(ip + header, d->source, d->destination, d->payload, d->bytes);
	if (d->family == IP_V4)
		header_v4(ip, &d->source->ip, &d->destination->ip, UDP_BYTES + d->bytes, (uint16_t)d->id, 0, true);
	else
		header_v6(ip, &d->source->ip, &d->destination->ip, UDP_BYTES + d->bytes, PROTO_UDP);
	o->config.to_kernel(o->config.ctx, m, d->hop.port);
}

/* Bytes offset .. offset + n of what IP carries (the UDP header and the payload) as one fragment in m. */
static void write_fragment(const struct datagram *d, const uint8_t *udp, uint32_t offset, uint32_t n, struct rte_mbuf *m)
{
	uint32_t total = UDP_BYTES + d->bytes, header = header_bytes(d->family);
	bool more = offset + n < total;
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *data;

	if (d->family == IP_V4) {
		header_v4(p, &d->source->ip, &d->destination->ip, n, (uint16_t)d->id,
			  (uint16_t)(offset / 8 | (more ? IPV4_FRAG_MORE : 0)), true);
	} else {
		header_v6(p, &d->source->ip, &d->destination->ip, IPV6_FRAG_BYTES + n, PROTO_FRAGMENT);
		header_v6_fragment(p + header, d->id, offset, more);
		header += IPV6_FRAG_BYTES;
	}
	data = p + header;
	m->data_len = (uint16_t)(header + n);
	m->pkt_len = header + n;
	if (!offset) {
		memcpy(data, udp, UDP_BYTES);
		data += UDP_BYTES;
		n -= UDP_BYTES;
	} else {
		offset -= UDP_BYTES;
	}
	memcpy(data, d->payload + offset, n);
}

static void send_fragments(struct output *o, const struct datagram *d, uint32_t mtu)
{
	uint32_t total = UDP_BYTES + d->bytes;
	uint32_t chunk = (mtu - header_bytes(d->family) - (d->family == IP_V6 ? IPV6_FRAG_BYTES : 0)) & ~7u;
	unsigned n = (total + chunk - 1) / chunk;
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	uint8_t udp[UDP_BYTES];

	assert(n <= FRAGMENTS_MAX);
	/* All of them or none: a part would only fill the receiver's table. */
	if (rte_pktmbuf_alloc_bulk(o->config.pool, fragments, n)) {
		count(o, COUNTER_drop_no_mbuf, 1);
		return;
	}
	header_udp(udp, d->source, d->destination, d->payload, d->bytes);
	for (unsigned i = 0; i < n; i++)
		write_fragment(d, udp, i * chunk, RTE_MIN(chunk, total - i * chunk), fragments[i]);
	for (unsigned i = 0; i < n; i++)
		leave(o, d, fragments[i]);
	count(o, COUNTER_fragmented_out, 1);
}

static uint32_t mtu_to(const struct output *o, uint16_t port, uint8_t family)
{
	return RTE_MAX((uint32_t)o->queues[port].mtu, family == IP_V4 ? (uint32_t)MTU_MIN_V4 : (uint32_t)MTU_MIN_V6);
}

/* ROUTE_OK: *ret_path is the way. Otherwise *ret_hop says as much as routes_lookup does. */
static enum route_verdict look_up(struct output *o, const struct ip_port *source, const struct ip_port *destination,
				  struct path **ret_path, struct route_result *ret_hop)
{
	uint32_t version = routes_version(o->config.routes); /* before the look-up: a change during it shows */
	struct path *path = path_find(&o->paths, version, source, destination);
	enum route_verdict verdict;

	*ret_path = path;
	if (likely(path))
		return ROUTE_OK;
	verdict = routes_lookup(o->config.routes, &destination->ip, ret_hop);
	if (verdict == ROUTE_OK && ret_hop->port < o->config.port_count) {
		const struct queue *q = &o->queues[ret_hop->port];

		path = path_replace(&o->paths, version, source, destination);
		path_fill(path, ret_hop, q->mac, mtu_to(o, ret_hop->port, destination->ip.family), q->sums);
		*ret_path = path;
	} else if (verdict == ROUTE_OK) {
		verdict = ROUTE_NONE;
	}
	return verdict;
}

static int unroutable(struct output *o)
{
	count(o, COUNTER_drop_no_route, 1);
	return -ERR_UNREACHABLE;
}

/* What goes by no known way, or in pieces. */
static __attribute__((noinline)) int commit_unusual(struct output *o, uint32_t len, const struct ip_port *source, const struct ip_port *destination)
{
	struct datagram d = { .source = source, .destination = destination, .bytes = len, .family = destination->ip.family };
	enum route_verdict verdict;
	struct path *path;
	uint32_t mtu;
	bool whole;

	if (unlikely(source->ip.family != d.family || d.family == IP_NONE))
		return unroutable(o);
	verdict = look_up(o, source, destination, &path, &d.hop);
	d.known = verdict == ROUTE_OK;
	if (d.known)
		d.hop = path_hop(path);
	else if (verdict == ROUTE_NONE || d.hop.port >= o->config.port_count || !o->config.to_kernel)
		return unroutable(o);
	mtu = mtu_to(o, d.hop.port, d.family);
	whole = !o->in_scratch && header_bytes(d.family) + UDP_BYTES + len <= mtu;
	if (likely(whole && d.known)) {
		send_known(o, path, len);
		return 0;
	}
	d.id = identification(o, d.family);
	d.payload = o->in_scratch ? o->scratch : rte_pktmbuf_mtod(spare(o), const uint8_t *);
	if (whole)
		send_unknown(o, &d);
	else
		send_fragments(o, &d, mtu);
	return 0;
}

int output_commit(struct output *o, uint32_t len, const struct ip_port *source, const struct ip_port *destination)
{
	const struct path *way = path_find(&o->paths, routes_version(o->config.routes), source, destination);

	assert(len <= o->reserved);
	if (likely(way && !o->in_scratch && len <= way->most)) {
		send_known(o, way, len);
		return 0;
	}
	return commit_unusual(o, len, source, destination);
}

/* The checksum of a segment, where m holds nothing else yet: or what the driver needs to know to make it (the IP header's is made here all
 * the same). */
static void sum_tcp(const struct output *o, const struct datagram *d, struct rte_mbuf *m)
{
	uint8_t *segment = rte_pktmbuf_mtod(m, uint8_t *);
	bool v4 = d->family == IP_V4;
	uint64_t pseudo = checksum_pseudo(d->source->ip.bytes, d->destination->ip.bytes, v4 ? 4 : 16, PROTO_TCP, d->bytes);
	uint16_t sum;

	if (d->known && o->queues[d->hop.port].tcp_sums) {
		sum = header_partial(pseudo);
		m->l2_len = ETHER_BYTES;
		m->l3_len = header_bytes(d->family);
		m->l4_len = (segment[12] >> 4) * 4u;
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
	} else {
		sum = checksum_fold(checksum_add(pseudo, segment, d->bytes));
	}
	memcpy(segment + 16, &sum, 2);
}

int output_commit_tcp(struct output *o, uint32_t len, const struct ip_addr *source, const struct ip_addr *destination)
{
	/* Without the ports: the connections between two hosts share their path, in which only the next hop is used. */
	struct ip_port from = { .ip = *source }, to = { .ip = *destination };
	struct datagram d = { .source = &from, .destination = &to, .bytes = len, .family = destination->family };
	uint32_t header = header_bytes(d.family);
	enum route_verdict verdict;
	struct rte_mbuf *m;
	struct path *path;
	uint8_t *ip;

	assert(len <= o->reserved);
	if (source->family != d.family || d.family == IP_NONE)
		return unroutable(o);
	verdict = look_up(o, &from, &to, &path, &d.hop);
	d.known = verdict == ROUTE_OK;
	if (d.known)
		d.hop = path_hop(path);
	else if (verdict == ROUTE_NONE || d.hop.port >= o->config.port_count || !o->config.to_kernel)
		return unroutable(o);
	if (o->in_scratch || header + len > mtu_to(o, d.hop.port, d.family)) {
		count(o, COUNTER_drop_length, 1);
		return 0;
	}
	m = o->spares.mbufs[--o->spares.count];
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	sum_tcp(o, &d, m);
	ip = (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)header);
	if (d.family == IP_V4)
		header_v4_tcp(ip, source, destination, len);
	else
		header_v6(ip, source, destination, len, PROTO_TCP);
	leave(o, &d, m);
	return 0;
}

uint16_t output_mtu(const struct output *o)
{
	uint16_t least = UINT16_MAX;

	for (unsigned i = 0; i < o->config.port_count; i++)
		least = RTE_MIN(least, o->queues[i].mtu);
	return least;
}
