/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "eal.h"
#include "frames.h"
#include "net/reassembly.h"

#define MBUFS	1023
#define TIMEOUT 1000
#define PIECES	12

static struct rte_mempool *pool;

/* One fragment of a UDP packet: its place in what IP carries. */
struct piece {
	uint32_t offset, bytes;
	bool last;
};

struct order_case {
	const char *name;
	uint32_t payload; /* of UDP */
	struct piece pieces[PIECES];
	unsigned count;
	bool whole;	  /* the last piece completes it */
	uint32_t dropped; /* frames, in all */
};

static const struct order_case orders[] = {
	{ "two, in order", 1000, { { 0, 800, 0 }, { 800, 208, 1 } }, 2, true, 0 },
	{ "two, out of order", 1000, { { 800, 208, 1 }, { 0, 800, 0 } }, 2, true, 0 },
	{ "three, last first", 1000, { { 800, 208, 1 }, { 400, 400, 0 }, { 0, 400, 0 } }, 3, true, 0 },
	{ "three, middle first", 1000, { { 400, 400, 0 }, { 0, 400, 0 }, { 800, 208, 1 } }, 3, true, 0 },
	{ "eight, shuffled",
	  1000,
	  { { 640, 128, 0 }, { 0, 128, 0 }, { 896, 112, 1 }, { 128, 128, 0 }, { 512, 128, 0 }, { 256, 128, 0 }, { 768, 128, 0 }, { 384, 128, 0 } },
	  8, true, 0 },
	{ "UDP's header in two", 1000, { { 8, 1000, 1 }, { 0, 8, 0 } }, 2, true, 0 },
	{ "a hole", 1000, { { 0, 400, 0 }, { 800, 208, 1 } }, 2, false, 0 },
	{ "seven in the middle",
	  1000,
	  { { 0, 64, 0 }, { 64, 64, 0 }, { 128, 64, 0 }, { 192, 64, 0 }, { 256, 64, 0 }, { 320, 64, 0 }, { 384, 64, 0 }, { 448, 64, 0 } },
	  8, false, 8 },
	{ "the first twice", 1000, { { 0, 400, 0 }, { 0, 400, 0 } }, 2, false, 2 },
	{ "the last twice", 1000, { { 800, 208, 1 }, { 800, 208, 1 } }, 2, false, 2 },
	{ "the middle twice", 1000, { { 400, 400, 0 }, { 400, 400, 0 }, { 0, 400, 0 }, { 800, 208, 1 } }, 4, false, 4 },
	{ "an overlap", 1000, { { 0, 800, 0 }, { 400, 400, 0 }, { 800, 208, 1 } }, 3, false, 3 },
	{ "an overlap that adds up", 1000, { { 0, 400, 0 }, { 200, 400, 0 }, { 800, 208, 1 } }, 3, false, 3 },
	{ "a middle beyond the end", 1000, { { 0, 600, 0 }, { 1200, 200, 0 }, { 800, 208, 1 } }, 3, false, 3 },
	{ "a middle not of 8 bytes", 1000, { { 0, 401, 0 } }, 1, false, 1 },
	{ "an empty middle", 1000, { { 400, 0, 0 } }, 1, false, 1 },
	{ "beyond 65,535", 1000, { { 65528, 400, 1 } }, 1, false, 1 },
};

static struct rte_mbuf *mbuf_of(const struct frame *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)f->length), f->bytes, f->length);
	return m;
}

/* The frame that carries a piece of `whole` (a frame with the complete packet). */
static struct rte_mbuf *fragment(const struct frame *whole, const struct recipe *base, const struct piece *piece, uint16_t id)
{
	static const uint8_t beyond[65536];
	static struct frame f;
	struct recipe r = *base;

	r.fragment = true;
	r.more = !piece->last;
	r.offset = (uint16_t)piece->offset;
	r.id = id;
	r.payload = piece->bytes;
	r.protocol = 17;
	r.inner = piece->offset + piece->bytes > whole->length - whole->l4_at ? beyond : whole->bytes + whole->l4_at + piece->offset;
	frame_make(&f, &r);
	return mbuf_of(&f);
}

static void check_whole(struct rte_mbuf *m, uint32_t payload, uint8_t family)
{
	static uint8_t scratch[65536];
	enum counter drop = COUNTER_COUNT;
	struct packet p;

	packet_parse(m, &frame_listeners, true, scratch, &p, &drop);
	if (p.kind != PACKET_UDP)
		fail_msg("kind %d, drop %d", (int)p.kind, (int)drop);
	assert_int_equal(p.payload_len, payload);
	assert_int_equal(p.source.ip.family, family);
	for (uint32_t i = 0; i < payload; i++)
		if (p.payload[i] != (uint8_t)(i + 1))
			fail_msg("payload byte %u", i);
	rte_pktmbuf_free(m);
}

static void run_order(struct reassembly *r, const struct order_case *c, const struct recipe *base, uint16_t id, uint64_t now)
{
	static struct frame whole;
	struct recipe full = *base;
	struct rte_mbuf *done = NULL;
	uint32_t dropped = 0;

	full.payload = c->payload;
	/* The unfragmented packet has no Fragment header to go before. */
	full.extensions = NULL;
	frame_make(&whole, &full);
	for (unsigned i = 0; i < c->count; i++) {
		struct rte_mbuf *m = fragment(&whole, base, &c->pieces[i], id);
		uint32_t n;

		assert_null(done);
		done = reassembly_add(r, m, (uint16_t)whole.ip_at, now, &n);
		dropped += n;
	}
	if (!!done != c->whole || dropped != c->dropped)
		fail_msg("v%d %s: %s, %u dropped", base->family, c->name, done ? "whole" : "not whole", dropped);
	if (done)
		check_whole(done, c->payload, base->family);
}

static const struct recipe bases[] = {
	{ .family = 4 },
	{ .family = 4, .options = 8, .trailer = 7 },
	{ .family = 4, .tags = "8100:0" },
	{ .family = 6 },
	{ .family = 6, .trailer = 5, .tags = "88a8:0 8100:0" },
	/* Options before the Fragment header, which rte_ip_frag does not know. */
	{ .family = 6, .extensions = "2c000104 00000000", .first_extension = 0 },
	{ .family = 6, .extensions = "3c000104 00000000 2c000104 00000000", .first_extension = 0 },
};

static void test_orders(void **state)
{
	for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
		struct reassembly *r = reassembly_new(64, TIMEOUT);

		assert_non_null(r);
		for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
			run_order(r, &orders[i], &bases[b], (uint16_t)(100 + i), 5000);
		reassembly_free(r);
		assert_int_equal(rte_mempool_in_use_count(pool), 0);
	}
}

/* Two datagrams with their fragments mixed; the same number from another source is another datagram. */
static void test_interleaved(void **state)
{
	const struct piece first = { 0, 800, false }, last = { 800, 208, true };
	struct recipe a = { .family = 4, .payload = 1000 }, b = { .family = 4, .payload = 1000, .source = "192.0.2.200" };
	struct reassembly *r = reassembly_new(64, TIMEOUT);
	static struct frame wa, wb;
	struct rte_mbuf *m;
	uint32_t n;

	frame_make(&wa, &a);
	frame_make(&wb, &b);
	assert_null(reassembly_add(r, fragment(&wa, &a, &first, 7), 14, 1, &n));
	assert_null(reassembly_add(r, fragment(&wb, &b, &last, 7), 14, 1, &n));
	assert_null(reassembly_add(r, fragment(&wa, &a, &last, 8), 14, 1, &n));
	m = reassembly_add(r, fragment(&wb, &b, &first, 7), 14, 1, &n);
	assert_non_null(m);
	rte_pktmbuf_free(m);
	m = reassembly_add(r, fragment(&wa, &a, &last, 7), 14, 1, &n);
	assert_non_null(m);
	check_whole(m, 1000, 4);
	reassembly_free(r);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* No more than the bound at a time; what is refused is freed; what timed out makes room. */
static void test_bound(void **state)
{
	const struct piece first = { 0, 800, false }, last = { 800, 208, true };
	struct recipe base = { .family = 4, .payload = 1000 };
	struct reassembly *r = reassembly_new(16, TIMEOUT);
	static struct frame whole;
	uint32_t kept = 0, n;
	struct rte_mbuf *m;

	frame_make(&whole, &base);
	for (uint16_t id = 0; id < 500; id++) {
		assert_null(reassembly_add(r, fragment(&whole, &base, &first, id), 14, 100, &n));
		kept += !n;
	}
	assert_in_range(kept, 8, 16);
	assert_int_equal(rte_mempool_in_use_count(pool), kept);
	assert_int_equal(reassembly_expire(r, 100 + TIMEOUT), 0);
	assert_int_equal(reassembly_expire(r, 101 + TIMEOUT), kept);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);

	/* What timed out and was not yet swept is not completed by a late fragment. */
	assert_null(reassembly_add(r, fragment(&whole, &base, &first, 9), 14, 5000, &n));
	assert_null(reassembly_add(r, fragment(&whole, &base, &last, 9), 14, 5001 + TIMEOUT, &n));
	assert_int_equal(n, 1);
	m = reassembly_add(r, fragment(&whole, &base, &first, 9), 14, 5002 + TIMEOUT, &n);
	assert_non_null(m);
	check_whole(m, 1000, 4);
	/* Left inside: freed with the table. */
	reassembly_add(r, fragment(&whole, &base, &first, 10), 14, 9000, &n);
	reassembly_free(r);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

/* Whatever arrives, every frame is freed once. */
static void test_random(void **state)
{
	struct reassembly *r = reassembly_new(32, TIMEOUT);
	static struct frame whole;
	uint64_t x = 88172645463325252ULL, now = 1;
	uint32_t n;

	for (unsigned i = 0; i < 200000; i++) {
		struct recipe base = bases[i % (sizeof(bases) / sizeof(bases[0]))];
		struct piece piece;
		struct rte_mbuf *m;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		base.payload = 1000;
		frame_make(&whole, &base);
		piece = (struct piece){ (uint32_t)(x % 13) * 64, (uint32_t)(x >> 8) % 5 * 64, x >> 20 & 1 };
		m = fragment(&whole, &base, &piece, (uint16_t)(x >> 30 & 3));
		rte_pktmbuf_mtod(m, uint8_t *)[14 + (x >> 32) % 40] ^= (x >> 40) % 16 ? 0 : (uint8_t)(x >> 50);
		m = reassembly_add(r, m, (uint16_t)whole.ip_at, now, &n);
		rte_pktmbuf_free(m);
		now += x >> 60;
		if (i % 1000 == 0)
			reassembly_expire(r, now);
	}
	reassembly_free(r);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
}

static int start(void **state)
{
	const struct eal_config config = { .memory_mb = 128 };
	char error[256];
	bool hugepages;

	if (eal_start(&config, &hugepages, error)) {
		print_error("%s\n", error);
		return -1;
	}
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return pool ? 0 : -1;
}

static int stop(void **state)
{
	eal_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
