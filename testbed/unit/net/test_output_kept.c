/* SPDX-License-Identifier: Apache-2.0 */
/* What output keeps from one datagram to the next: buffers, and ways it has sent by. */
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
#include "output_bed.h"
#include "sent.h"

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

/* What the pool gives is as good as new, however it went back, and all that was fetched ahead is used before the pool is empty. */
static void test_pool_buffers(void **state)
{
	struct output *o = output(small, true);
	unsigned size = rte_mempool_avail_count(small), sent = 0;
	struct rte_mbuf *all[64];

	assert_in_range(size, 1, 64);
	for (unsigned i = 0; i < size; i++)
		all[i] = used(small);
	rte_mempool_put_bulk(small, (void *const *)all, size);
	while (sent < size && !put_out(o, 500, &from4, &to4) && !counted(COUNTER_drop_no_mbuf))
		sent++;
	assert_int_equal(sent, size);
	assert_null(output_reserve(o, 10));
	output_flush(o);
	for (unsigned i = 0; i < size; i++) {
		struct rte_mbuf *m;

		assert_int_equal(rte_eth_rx_burst(0, 0, &m, 1), 1);
		assert_int_equal(m->ol_flags, 0);
		assert_int_equal(m->tx_offload, 0);
		assert_int_equal(m->vlan_tci, 0);
		wire.count = 0;
		collect(&wire, m, 0);
		check_ether(wire.bytes[0], true);
		sent_check(wire.bytes[0] + 14, wire.length[0] - 14, 500);
	}
	output_free(o);
	assert_int_equal(rte_mempool_in_use_count(small), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),		  cmocka_unit_test(test_recycle),      cmocka_unit_test(test_no_mbufs),
		cmocka_unit_test(test_changed_neighbour), cmocka_unit_test(test_many_sources), cmocka_unit_test(test_pool_buffers),
	};

	return cmocka_run_group_tests(tests, bed_start, bed_stop);
}
