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
#include "frames.h"
#include "net/checksum.h"
#include "net/header.h"
#include "net/output.h"
#include "net/reassembly.h"
#include "output_bed.h"
#include "sent.h"
#include "tables/routes.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	    cmocka_unit_test(test_zero_sum),	   cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_kernel),	   cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_identification), cmocka_unit_test(test_tcp), cmocka_unit_test(test_partial_sum),
	};

	return cmocka_run_group_tests(tests, bed_start, bed_stop);
}
