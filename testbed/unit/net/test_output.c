/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "eal.h"
#include "frames.h"
#include "net/checksum.h"
#include "net/header.h"
#include "net/output.h"
#include "net/reassembly.h"
#include "port.h"
#include "sent.h"
#include "tables/epoch.h"
#include "tables/routes.h"

#define MBUFS	  4095
#define MTU	  1500
#define COLLECTED 128
#define RING	  1023 /* what net_ring holds */

/* Frames that went to the kernel, copied. */
struct collected {
	unsigned count;
	uint16_t port[COLLECTED];
	uint32_t length[COLLECTED];
	uint8_t bytes[COLLECTED][2048];
};

static struct rte_mempool *pool, *small;
static struct port *port;
static struct epoch *epoch;
static struct routes *routes;
static struct counters counters;
static struct collected kernel, wire;
static const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 1 };

static const struct ip_port from4 = { { IP_V4, { 192, 0, 2, 9 } }, 5060 }, to4 = { { IP_V4, { 192, 0, 2, 1 } }, 5060 };
static const struct ip_port from6 = { { IP_V6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 } }, 5060 };
static const struct ip_port to6 = { { IP_V6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } }, 5060 };
static const struct ip_port stranger4 = { { IP_V4, { 192, 0, 2, 77 } }, 5060 }, nowhere4 = { { IP_V4, { 203, 0, 113, 1 } }, 5060 };
static const struct ip_port stranger6 = { { IP_V6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 77 } }, 5060 };

static uint64_t counted(enum counter which)
{
	return counter_read(&counters, which);
}

static void collect(struct collected *c, struct rte_mbuf *m, uint16_t at)
{
	assert_true(c->count < COLLECTED);
	assert_int_equal(m->nb_segs, 1);
	c->port[c->count] = at;
	c->length[c->count] = m->pkt_len;
	memcpy(c->bytes[c->count], rte_pktmbuf_mtod(m, void *), m->pkt_len);
	c->count++;
	rte_pktmbuf_free(m);
}

static void to_kernel(void *ctx, struct rte_mbuf *m, uint16_t at)
{
	collect(ctx, m, at);
}

/* What the port sent comes back from net_ring. */
static void receive(void)
{
	struct rte_mbuf *frames[64];
	uint16_t n;

	wire.count = 0;
	while ((n = rte_eth_rx_burst(0, 0, frames, 64)))
		for (uint16_t i = 0; i < n; i++)
			collect(&wire, frames[i], 0);
}

static int publish_routes(void)
{
	static const struct route list[] = {
		{ { { IP_V4, { 192, 0, 2, 0 } }, 24 }, { IP_NONE, { 0 } }, 0, 0 },
		{ { { IP_V6, { 0x20, 0x01, 0x0d, 0xb8 } }, 64 }, { IP_NONE, { 0 } }, 0, 0 },
	};

	return routes_publish(routes, list, 2);
}

static struct output *output(struct rte_mempool *from, bool with_kernel)
{
	struct output_config config = {
		.ports = &port,
		.port_count = 1,
		.pool = from,
		.routes = routes,
		.counters = &counters,
		.to_kernel = with_kernel ? to_kernel : NULL,
		.ctx = &kernel,
	};
	struct output *o = output_new(&config);

	assert_non_null(o);
	memset(&counters, 0, sizeof(counters));
	kernel.count = wire.count = 0;
	return o;
}

static int put_out(struct output *o, uint32_t bytes, const struct ip_port *from, const struct ip_port *to)
{
	uint8_t *p = output_reserve(o, bytes);

	if (!p)
		return -ERR_NOMEM;
	for (uint32_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i + 1);
	return output_commit(o, bytes, from, to);
}

static void check_ether(const uint8_t *frame, bool v4)
{
	uint8_t mac[6];

	port_mac(port, mac);
	assert_memory_equal(frame, peer_mac, 6);
	assert_memory_equal(frame + 6, mac, 6);
	assert_int_equal(sent_number(frame + 12, 2), v4 ? 0x0800 : 0x86dd);
}

static void test_whole(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 2, 3, 63, 64, 127, 128, 129, 500, 1001, 1452, 1472 };
	struct output *o = output(pool, true);
	static uint8_t scratch[65536];

	for (unsigned family = 0; family < 2; family++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			enum counter drop = COUNTER_COUNT;
			struct rte_mbuf m;
			struct packet p;

			if (family && sizes[i] > 1452)
				continue;
			assert_int_equal(put_out(o, sizes[i], family ? &from6 : &from4, family ? &to6 : &to4), 0);
			output_flush(o);
			receive();
			assert_int_equal(wire.count, 1);
			check_ether(wire.bytes[0], !family);
			sent_check(wire.bytes[0] + 14, wire.length[0] - 14, sizes[i]);
			mbuf_over(&m, wire.bytes[0], wire.length[0]);
			packet_parse(&m, &frame_listeners, false, scratch, &p, &drop);
			assert_int_equal(p.kind, PACKET_UDP);
			assert_int_equal(p.payload_len, sizes[i]);
			assert_true(ip_port_eq(&p.source, family ? &from6 : &from4));
			assert_true(ip_port_eq(&p.destination, family ? &to6 : &to4));
		}
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* The sum that comes out as zero is sent as all ones. */
static void test_zero_sum(void **state)
{
	struct output *o = output(pool, true);
	unsigned seen = 0;

	for (uint32_t v = 0; v < 65536; v++) {
		uint8_t *p = output_reserve(o, 2);

		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
		output_commit(o, 2, &from4, &to4);
		if (v % 64 != 63)
			continue;
		output_flush(o);
		receive();
		for (unsigned i = 0; i < wire.count; i++) {
			const uint8_t *ip = wire.bytes[i] + 14;

			assert_int_not_equal(sent_number(ip + 26, 2), 0);
			assert_true(sum_l4_right(ip, ip + 20, 10, 17));
			seen += sent_number(ip + 26, 2) == 0xffff;
		}
	}
	assert_in_range(seen, 1, 2); /* one's complement has two zeros */
	output_free(o);
}

static void check_fragments(const struct collected *c, uint32_t skip, uint32_t payload)
{
	static uint8_t whole[70000];
	uint8_t *packets[COLLECTED];
	uint32_t lengths[COLLECTED], header;

	assert_in_range(c->count, 2, COLLECTED);
	for (unsigned i = 0; i < c->count; i++) {
		packets[i] = (uint8_t *)c->bytes[i] + skip;
		lengths[i] = c->length[i] - skip;
	}
	header = packets[0][0] >> 4 == 4 ? 20 : 40;
	memcpy(whole, packets[0], header);
	assert_int_equal(sent_put_together(packets, lengths, c->count, MTU, whole + header), 8 + payload);
	assert_int_equal(sent_number(whole + header + 4, 2), 8 + payload);
	assert_true(sum_l4_right(whole, whole + header, 8 + payload, 17));
	for (uint32_t i = 0; i < payload; i++)
		if (whole[header + 8 + i] != (uint8_t)(i + 1))
			fail_msg("payload byte %u", i);
}

static const uint32_t large[] = { 1473, 1480, 1481, 2000, 2048, 2049, 4000, 11000, 30001, 65507 };

static void test_fragments(void **state)
{
	struct output *o = output(pool, true);
	unsigned sent = 0;

	for (unsigned family = 0; family < 2; family++)
		for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++, sent++) {
			assert_int_equal(put_out(o, large[i], family ? &from6 : &from4, family ? &to6 : &to4), 0);
			output_flush(o);
			receive();
			for (unsigned k = 0; k < wire.count; k++)
				check_ether(wire.bytes[k], !family);
			check_fragments(&wire, 14, large[i]);
		}
	assert_int_equal(counted(COUNTER_fragmented_out), sent);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* What is cut here is put together by reassembly, and read. */
static void test_round_trip(void **state)
{
	struct reassembly *r = reassembly_new(8, 1000);
	struct output *o = output(pool, true);
	static uint8_t scratch[65536];

	for (unsigned family = 0; family < 2; family++)
		for (uint32_t bytes = 1473; bytes < 9000; bytes += 379) {
			struct rte_mbuf *frames[16], *whole = NULL;
			enum counter drop;
			struct packet p;
			uint16_t n;

			put_out(o, bytes, family ? &from6 : &from4, family ? &to6 : &to4);
			output_flush(o);
			n = rte_eth_rx_burst(0, 0, frames, 16);
			assert_in_range(n, 2, 8);
			for (uint16_t i = n; i--;) { /* backwards */
				uint32_t dropped;

				packet_parse(frames[i], &frame_listeners, false, scratch, &p, &drop);
				assert_int_equal(p.kind, PACKET_FRAGMENT);
				assert_null(whole);
				whole = reassembly_add(r, frames[i], p.l2_len, 1, &dropped);
			}
			assert_non_null(whole);
			packet_parse(whole, &frame_listeners, false, scratch, &p, &drop);
			assert_int_equal(p.kind, PACKET_UDP);
			assert_int_equal(p.payload_len, bytes);
			for (uint32_t i = 0; i < bytes; i++)
				if (p.payload[i] != (uint8_t)(i + 1))
					fail_msg("payload byte %u", i);
			rte_pktmbuf_free(whole);
		}
	reassembly_free(r);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void test_kernel(void **state)
{
	struct output *o = output(pool, true);

	assert_int_equal(put_out(o, 500, &from4, &stranger4), 0);
	assert_int_equal(put_out(o, 501, &from6, &stranger6), 0);
	assert_int_equal(put_out(o, 502, &from4, &nowhere4), -ERR_UNREACHABLE); /* so that a call moves on at once */
	assert_int_equal(kernel.count, 2);
	assert_int_equal(kernel.port[0], 0);
	assert_int_equal(kernel.port[1], 0);
	for (unsigned i = 0; i < 2; i++)
		sent_check(kernel.bytes[i], kernel.length[i], 500 + i);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		kernel.count = 0;
		assert_int_equal(put_out(o, large[i], &from4, &stranger4), 0);
		check_fragments(&kernel, 0, large[i]);
		kernel.count = 0;
		assert_int_equal(put_out(o, large[i], &from6, &stranger6), 0);
		check_fragments(&kernel, 0, large[i]);
	}
	output_flush(o);
	receive();
	assert_int_equal(wire.count, 0);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static void test_unreachable(void **state)
{
	struct output *o = output(pool, false);

	assert_int_equal(put_out(o, 10, &from4, &stranger4), -ERR_UNREACHABLE);
	assert_int_equal(put_out(o, 10, &from4, &nowhere4), -ERR_UNREACHABLE);
	assert_int_equal(put_out(o, 10, &from4, &to6), -ERR_UNREACHABLE);
	assert_int_equal(counted(COUNTER_drop_no_route), 3);
	assert_null(output_reserve(o, OUTPUT_PAYLOAD_MAX + 1));
	/* A forgotten reservation and a larger one after it leave nothing behind. */
	assert_non_null(output_reserve(o, 100));
	assert_non_null(output_reserve(o, 20000));
	assert_int_equal(put_out(o, 10, &from4, &to4), 0);
	output_flush(o);
	receive();
	assert_int_equal(wire.count, 1);
	output_frame(o, 7, rte_pktmbuf_alloc(pool));
	assert_int_equal(counted(COUNTER_drop_no_route), 4);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* Where that costs no system call frames leave by eights; the rest waits for the end of the turn. All of them in order. */
static void test_early(void **state)
{
	struct output *o = output(pool, true);

	assert_false(port_tx_by_kernel(port));
	for (uint32_t i = 0; i < 21; i++) {
		assert_int_equal(put_out(o, 100 + i, &from4, &to4), 0);
		assert_int_equal(counted(COUNTER_tx_packets), (i + 1) / 8 * 8);
	}
	output_flush(o);
	assert_int_equal(counted(COUNTER_tx_packets), 21);
	receive();
	assert_int_equal(wire.count, 21);
	for (uint32_t i = 0; i < 21; i++)
		assert_int_equal(wire.length[i], 14 + 28 + 100 + i);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* A port that takes no more: dropped and counted, in order. */
static void test_full(void **state)
{
	struct output *o = output(pool, true);
	struct rte_mbuf *frames[64];
	uint32_t arrived = 0;
	uint16_t n;

	for (unsigned i = 0; i < RING + 300; i++)
		assert_int_equal(put_out(o, 4, &from4, &to4), 0);
	output_flush(o);
	while ((n = rte_eth_rx_burst(0, 0, frames, 64))) {
		arrived += n;
		rte_pktmbuf_free_bulk(frames, n);
	}
	assert_int_equal(arrived, RING);
	assert_int_equal(counted(COUNTER_tx_packets), RING);
	assert_int_equal(counted(COUNTER_tx_dropped_full), 300);
	/* What was not flushed is freed with it. */
	put_out(o, 4, &from4, &to4);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static struct rte_mbuf *used(struct rte_mempool *from)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(from);

	assert_non_null(m);
	memset(rte_pktmbuf_mtod(m, uint8_t *), 0xee, 700);
	m->data_off = 3;
	m->data_len = 700;
	m->pkt_len = 700;
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_TX_UDP_CKSUM;
	m->vlan_tci = 7;
	m->l2_len = 99;
	return m;
}

/* What was received in is sent from again, as good as new; what is shared, chained or another's goes back, and so does what is too much. */
static void test_recycle(void **state)
{
	struct output *o = output(pool, true);
	struct rte_mbuf *frames[100], *shared = used(pool), *sent[2];
	unsigned small_size = rte_mempool_avail_count(small);

	frames[0] = used(pool);
	output_recycle(o, frames, 1);
	assert_int_equal(rte_mempool_in_use_count(pool), 2);
	assert_int_equal(put_out(o, 500, &from4, &to4), 0);
	assert_int_equal(rte_mempool_in_use_count(pool), 2);
	output_flush(o);
	assert_int_equal(rte_eth_rx_burst(0, 0, sent, 2), 1);
	assert_ptr_equal(sent[0], frames[0]);
	assert_int_equal(sent[0]->ol_flags, 0);
	assert_int_equal(sent[0]->tx_offload, 0);
	collect(&wire, sent[0], 0);
	check_ether(wire.bytes[0], true);
	sent_check(wire.bytes[0] + 14, wire.length[0] - 14, 500);

	assert_int_equal(rte_mempool_in_use_count(pool), 1);
	rte_mbuf_refcnt_set(shared, 2);
	frames[0] = shared;
	frames[1] = used(small);
	frames[2] = used(pool);
	assert_int_equal(rte_pktmbuf_chain(frames[2], used(pool)), 0);
	frames[3] = rte_pktmbuf_clone(shared, pool);
	assert_non_null(frames[3]);
	output_recycle(o, frames, 4);
	assert_int_equal(rte_mempool_avail_count(small), small_size);
	assert_int_equal(rte_mempool_in_use_count(pool), 1);
	assert_int_equal(rte_mbuf_refcnt_read(shared), 1);
	rte_pktmbuf_free(shared);

	for (unsigned i = 0; i < 100; i++)
		frames[i] = used(pool);
	output_recycle(o, frames, 100);
	assert_true(rte_mempool_in_use_count(pool) > 32 && rte_mempool_in_use_count(pool) < 100);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* Without mbufs nothing is sent, and nothing in part. */
static void test_no_mbufs(void **state)
{
	struct output *o = output(small, true);
	struct rte_mbuf *held[16];
	unsigned size = rte_mempool_avail_count(small);

	assert_int_equal(rte_pktmbuf_alloc_bulk(small, held, size - 3), 0);
	assert_int_equal(put_out(o, 20000, &from4, &to4), 0);
	assert_int_equal(counted(COUNTER_drop_no_mbuf), 1);
	assert_int_equal(counted(COUNTER_fragmented_out), 0);
	assert_int_equal(rte_mempool_avail_count(small), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(put_out(o, 10, &from4, &to4), 0);
	assert_null(output_reserve(o, 10));
	assert_int_equal(counted(COUNTER_drop_no_mbuf), 2);
	output_flush(o);
	receive();
	assert_int_equal(wire.count, 3);
	rte_pktmbuf_free_bulk(held, size - 3);
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(small), 0);
}

/* No identification comes back while 65,536 others are sent. */
static void test_identification(void **state)
{
	static uint8_t seen[65536];
	struct output *o = output(pool, true);
	unsigned consecutive = 0;
	uint32_t last = 0;

	for (unsigned i = 0; i < 65536; i++) {
		uint32_t id;

		put_out(o, 1, &from4, &stranger4);
		id = sent_number(kernel.bytes[0] + 4, 2);
		kernel.count = 0;
		assert_int_equal(seen[id], 0);
		seen[id] = 1;
		consecutive += id == ((last + 1) & 0xffff);
		last = id;
	}
	assert_true(consecutive < 100);
	output_free(o);
}

/* A hop that was found once is used again, until the neighbour or the route changes. */
static void test_changed_neighbour(void **state)
{
	static const uint8_t other_mac[6] = { 2, 0, 0, 0, 9, 9 };
	struct output *o = output(pool, true);

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(put_out(o, 100, &from4, &to4), 0);
	assert_int_equal(routes_neighbour_set(routes, 0, &to4.ip, other_mac), 0);
	assert_int_equal(put_out(o, 100, &from4, &to4), 0);
	assert_int_equal(put_out(o, 100, &from6, &to6), 0);
	routes_neighbour_delete(routes, 0, &to4.ip);
	assert_int_equal(put_out(o, 100, &from4, &to4), 0);
	assert_int_equal(kernel.count, 1);
	output_flush(o);
	receive();
	assert_int_equal(wire.count, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_memory_equal(wire.bytes[i], i == 3 ? other_mac : peer_mac, 6);
	assert_int_equal(routes_neighbour_set(routes, 0, &to4.ip, peer_mac), 0);
	assert_int_equal(routes_publish(routes, NULL, 0), 0);
	assert_int_equal(put_out(o, 100, &from4, &to4), -ERR_UNREACHABLE);
	assert_int_equal(publish_routes(), 0);
	assert_int_equal(put_out(o, 100, &from4, &to4), 0);
	output_free(o);
}

/* More ways than there are places for: each datagram leaves from its own port all the same. */
static void test_many_sources(void **state)
{
	struct output *o = output(pool, true);

	for (unsigned i = 0; i < 5000; i++) {
		struct ip_port from = from4;

		from.port = (uint16_t)(1024 + i);
		assert_int_equal(put_out(o, 20, &from, &to4), 0);
		output_flush(o);
		receive();
		assert_int_equal(wire.count, 1);
		if (sent_number(wire.bytes[0] + 34, 2) != from.port)
			fail_msg("port %u came from %u", from.port, sent_number(wire.bytes[0] + 34, 2));
	}
	output_free(o);
}

/* The partial sum that a driver goes on from is that of the pseudo header. */
static void test_partial_sum(void **state)
{
	const uint16_t partial = header_partial(checksum_pseudo(from6.ip.bytes, to6.ip.bytes, 16, 17, 41));
	uint8_t bytes[2], packet[40];

	memcpy(bytes, &partial, 2);
	header_v6(packet, &from6.ip, &to6.ip, 41, 17);
	assert_int_equal(sum_plain(0, bytes, 2), sum_plain(sum_plain(0, packet + 8, 32), (const uint8_t[]){ 0, 17, 0, 41 }, 4));
}

/* A segment leaves in one packet that nobody may cut, with its own bytes, by the neighbour or by the kernel; one that does not fit is dropped. */
static void test_tcp(void **state)
{
	const struct ip_port *const to[] = { &to4, &to6, &stranger4, &stranger6 }, *const from[] = { &from4, &from6, &from4, &from6 };
	struct output *o = output(pool, true);

	for (unsigned i = 0; i < 4; i++) {
		bool v4 = to[i]->ip.family == IP_V4;
		uint32_t header = v4 ? 20 : 40;
		struct collected *at = i < 2 ? &wire : &kernel;
		const uint8_t *ip;
		uint8_t *p;

		wire.count = kernel.count = 0;
		p = output_reserve(o, 700);
		for (uint32_t k = 0; k < 700; k++)
			p[k] = k == 16 || k == 17 ? 0 : (uint8_t)(k * 7);
		assert_int_equal(output_commit_tcp(o, 600, &from[i]->ip, &to[i]->ip), 0);
		output_flush(o);
		receive();
		assert_int_equal(at->count, 1);
		ip = at->bytes[0] + (i < 2 ? 14 : 0);
		if (i < 2)
			check_ether(at->bytes[0], v4);
		assert_int_equal(at->length[0], (i < 2 ? 14 : 0) + header + 600);
		assert_int_equal(ip[v4 ? 9 : 6], 6);
		assert_int_equal(sent_number(ip + (v4 ? 2 : 4), 2), v4 ? 620 : 600);
		if (v4) {
			assert_int_equal(sent_number(ip + 6, 2), 0x4000);
			assert_int_equal(checksum_fold(checksum_words(0, ip, 5)), 0);
		}
		assert_memory_equal(ip + (v4 ? 12 : 8), from[i]->ip.bytes, v4 ? 4 : 16);
		assert_memory_equal(ip + (v4 ? 16 : 24), to[i]->ip.bytes, v4 ? 4 : 16);
		for (uint32_t k = 0; k < 600; k++)
			if (k != 16 && k != 17)
				assert_int_equal(ip[header + k], (uint8_t)(k * 7));
		/* This driver fills nothing in. */
		assert_int_equal(checksum_fold(checksum_add(checksum_pseudo(from[i]->ip.bytes, to[i]->ip.bytes, v4 ? 4 : 16, 6, 600), ip + header, 600)), 0);
	}
	assert_non_null(memset(output_reserve(o, 1481), 0, 40));
	assert_int_equal(output_commit_tcp(o, 1481, &from4.ip, &to4.ip), 0);
	assert_int_equal(counted(COUNTER_drop_length), 1);
	assert_non_null(memset(output_reserve(o, 40), 0, 40));
	assert_int_equal(output_commit_tcp(o, 40, &from4.ip, &nowhere4.ip), -ERR_UNREACHABLE);
	assert_int_equal(output_mtu(o), 1500);
	output_free(o);
}

static int start_routes(void)
{
	epoch = epoch_new(1);
	routes = epoch ? routes_new(epoch) : NULL;
	if (!routes || publish_routes())
		return -1;
	return routes_neighbour_set(routes, 0, &to4.ip, peer_mac) || routes_neighbour_set(routes, 0, &to6.ip, peer_mac) ? -1 : 0;
}

static int start(void **state)
{
	const struct port_config config = { .name = "test", .devices = { "net_ring0" }, .device_count = 1, .queues = 1, .mtu = MTU };
	const char *devices[] = { "net_ring0" };
	const struct eal_config eal = { .devices = devices, .device_count = 1, .memory_mb = 256 };
	char error[256];
	bool hugepages;

	if (eal_start(&eal, &hugepages, error))
		goto failed;
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	small = rte_pktmbuf_pool_create("small", 15, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || !small || port_open(&config, pool, &port, error))
		goto failed;
	return start_routes();
failed:
	print_error("%s\n", error);
	return -1;
}

static int stop(void **state)
{
	routes_free(routes);
	epoch_free(epoch);
	port_close(port);
	eal_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	    cmocka_unit_test(test_zero_sum),	   cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_kernel),	   cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_early), cmocka_unit_test(test_full), cmocka_unit_test(test_recycle), cmocka_unit_test(test_no_mbufs),
		cmocka_unit_test(test_identification),
		cmocka_unit_test(test_changed_neighbour), cmocka_unit_test(test_many_sources), cmocka_unit_test(test_tcp), cmocka_unit_test(test_partial_sum),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
