/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "net/checksum.h"
#include "packet_bed.h"

struct parse_case {
	const char *name;
	struct recipe recipe;
	enum packet_kind kind;
	enum counter drop;
	uint64_t flags;
	bool usual; /* packet_usual takes it */
};

#define DROP(why) .kind = PACKET_DROP, .drop = COUNTER_##why
#define UDP	  .kind = PACKET_UDP, .drop = NONE
#define USUAL	  UDP, .usual = true
#define KERNEL	  .kind = PACKET_KERNEL, .drop = NONE
#define FRAGMENT  .kind = PACKET_FRAGMENT, .drop = NONE

static const struct parse_case cases[] = {
	{ "v4", { .family = 4, .payload = 400 }, USUAL },
	{ "v4, no payload", { .family = 4 }, UDP },
	{ "v4, odd payload", { .family = 4, .payload = 401 }, USUAL },
	{ "v4, one byte", { .family = 4, .payload = 1 }, USUAL },
	{ "v4, the scratch full", { .family = 4, .payload = 65536 - 42 }, UDP },
	{ "v4, larger than the scratch", { .family = 4, .payload = 65536 - 41 }, DROP(drop_length) },
	{ "v4, second listener", { .family = 4, .payload = 4, .destination = "192.0.2.2", .port = 5080 }, USUAL },
	{ "v4, options", { .family = 4, .payload = 100, .options = 40 }, UDP },
	{ "v4, padding behind", { .family = 4, .payload = 2, .trailer = 16 }, USUAL },
	{ "v4, no checksum", { .family = 4, .payload = 100, .no_udp_sum = true }, UDP },
	{ "v4, UDP shorter than IP", { .family = 4, .payload = 100, .udp_length = -10, .no_udp_sum = true }, UDP },
	{ "v4, priority tag", { .family = 4, .payload = 100, .tags = "8100:0" }, UDP },
	{ "v4, two priority tags", { .family = 4, .payload = 100, .tags = "88a8:0 8100:0" }, UDP },
	{ "v6", { .family = 6, .payload = 400 }, UDP },
	{ "v6, odd payload", { .family = 6, .payload = 333 }, UDP },
	{ "v6, the scratch full", { .family = 6, .payload = 65536 - 62 }, UDP },
	{ "v6, padding behind", { .family = 6, .payload = 2, .trailer = 9 }, UDP },
	{ "v6, priority tags", { .family = 6, .payload = 100, .tags = "88a8:0 8100:0" }, UDP },
	{ "v6, hop by hop, padding", { .family = 6, .payload = 9, .extensions = "11000104 00000000", .first_extension = 0 }, UDP },
	{ "v6, hop by hop, router alert", { .family = 6, .payload = 9, .extensions = "11000502 00000100", .first_extension = 0 }, UDP },
	{ "v6, destination options", { .family = 6, .payload = 9, .extensions = "11000104 00000000", .first_extension = 60 }, UDP },
	{ "v6, route at its end", { .family = 6, .payload = 9, .extensions = "11000200 00000000", .first_extension = 43 }, UDP },
	{ "v6, three extensions",
	  { .family = 6, .payload = 9, .extensions = "3c000104 00000000 2b000104 00000000 11000200 00000000", .first_extension = 0 },
	  UDP },
	{ "v6, atomic fragment", { .family = 6, .payload = 50, .extensions = "11000000 12345678", .first_extension = 44 }, UDP },

	{ "v4, VLAN", { .family = 4, .payload = 100, .tags = "8100:64" }, KERNEL },
	{ "v4, VLAN in VLAN", { .family = 4, .payload = 100, .tags = "88a8:64 8100:65" }, KERNEL },
	{ "v4, VLAN in priority", { .family = 4, .payload = 100, .tags = "88a8:0 8100:65" }, KERNEL },
	{ "v4, three tags", { .family = 4, .payload = 100, .tags = "8100:0 8100:0 8100:0" }, KERNEL },
	{ "v4, group frame", { .family = 4, .payload = 100, .group = true }, KERNEL },
	{ "v4, another address", { .family = 4, .payload = 100, .destination = "192.0.2.7" }, KERNEL },
	{ "v4, another port", { .family = 4, .payload = 100, .port = 53 }, KERNEL },
	{ "v4, port of another listener", { .family = 4, .payload = 100, .port = 5080 }, KERNEL },
	{ "v4, TCP", { .family = 4, .payload = 40, .protocol = 6 }, KERNEL },
	{ "v4, ICMP echo", { .family = 4, .payload = 40, .protocol = 1, .inner = (const uint8_t[40]){ 8 } }, KERNEL },
	{ "v4, fragment of TCP", { .family = 4, .payload = 40, .protocol = 6, .fragment = true, .more = true }, KERNEL },
	{ "v6, another address", { .family = 6, .payload = 100, .destination = "2001:db8::2" }, KERNEL },
	{ "v6, another port", { .family = 6, .payload = 100, .port = 53 }, KERNEL },
	{ "v6, multicast", { .family = 6, .payload = 100, .destination = "ff02::1", .group = true }, KERNEL },
	{ "v6, neighbour solicitation", { .family = 6, .payload = 24, .protocol = 58, .inner = (const uint8_t[24]){ 135 } }, KERNEL },
	{ "v6, route with segments left", { .family = 6, .payload = 9, .extensions = "11000201 00000000", .first_extension = 43 }, KERNEL },
	{ "v6, option with a demand", { .family = 6, .payload = 9, .extensions = "1100c204 00000000", .first_extension = 0 }, KERNEL },
	{ "v6, hop by hop not first",
	  { .family = 6, .payload = 9, .extensions = "00000104 00000000 11000104 00000000", .first_extension = 60 },
	  KERNEL },
	{ "v6, ESP", { .family = 6, .payload = 40, .protocol = 50 }, KERNEL },
	{ "v6, nothing follows", { .family = 6, .protocol = 59 }, KERNEL },
	{ "v6, nine extensions",
	  { .family = 6, .payload = 9, .first_extension = 60,
	    .extensions = "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000"
			  "3c00010400000000 3c00010400000000 1100010400000000" },
	  KERNEL },

	{ "v4, first fragment", { .family = 4, .payload = 64, .fragment = true, .more = true }, FRAGMENT },
	{ "v4, last fragment", { .family = 4, .payload = 63, .fragment = true, .offset = 64 }, FRAGMENT },
	{ "v4, fragment to another", { .family = 4, .payload = 64, .fragment = true, .more = true, .destination = "192.0.2.7" }, KERNEL },
	{ "v6, first fragment", { .family = 6, .payload = 64, .fragment = true, .more = true }, FRAGMENT },
	{ "v6, last fragment", { .family = 6, .payload = 63, .fragment = true, .offset = 64 }, FRAGMENT },
	{ "v6, fragment of destination options", { .family = 6, .payload = 64, .fragment = true, .more = true, .protocol = 60 }, FRAGMENT },
	{ "v6, fragment of TCP", { .family = 6, .payload = 64, .fragment = true, .more = true, .protocol = 6 }, KERNEL },

	{ "v4, bad header checksum", { .family = 4, .payload = 100, .bad_ip_sum = true }, DROP(drop_checksum) },
	{ "v4, bad UDP checksum", { .family = 4, .payload = 100, .bad_udp_sum = true }, DROP(drop_checksum) },
	{ "v6, bad UDP checksum", { .family = 6, .payload = 101, .bad_udp_sum = true }, DROP(drop_checksum) },
	{ "v6, no checksum", { .family = 6, .payload = 100, .no_udp_sum = true }, DROP(drop_checksum) },
	{ "v4, IP length too large", { .family = 4, .payload = 100, .ip_length = 1 }, DROP(drop_length) },
	{ "v4, IP length within the header", { .family = 4, .payload = 100, .ip_length = -109 }, DROP(drop_length) },
	{ "v4, IP length within UDP", { .family = 4, .payload = 100, .ip_length = -1 }, DROP(drop_length) },
	{ "v4, IP length within UDP's header", { .family = 4, .payload = 100, .ip_length = -101 }, DROP(drop_short) },
	{ "v4, UDP length too large", { .family = 4, .payload = 100, .udp_length = 1 }, DROP(drop_length) },
	{ "v4, UDP length in the padding", { .family = 4, .payload = 10, .udp_length = 4, .trailer = 4 }, DROP(drop_length) },
	{ "v4, UDP length 7", { .family = 4, .payload = 100, .udp_length = -101 }, DROP(drop_length) },
	{ "v6, IP length too large", { .family = 6, .payload = 100, .ip_length = 1 }, DROP(drop_length) },
	{ "v6, UDP length too large", { .family = 6, .payload = 100, .udp_length = 1 }, DROP(drop_length) },
	{ "v6, extension beyond the end", { .family = 6, .protocol = 60, .payload = 8, .inner = (const uint8_t[8]){ 17, 1 } }, DROP(drop_length) },
	{ "v6, option beyond its header",
	  { .family = 6, .payload = 9, .extensions = "11000109 00000000", .first_extension = 60 },
	  KERNEL },
	{ "v4, from ourselves", { .family = 4, .payload = 10, .source = "192.0.2.2" }, DROP(drop_own_source) },
	{ "v4, from loopback", { .family = 4, .payload = 10, .source = "127.0.0.1" }, DROP(drop_own_source) },
	{ "v4, from multicast", { .family = 4, .payload = 10, .source = "224.0.0.5" }, DROP(drop_own_source) },
	{ "v4, from broadcast", { .family = 4, .payload = 10, .source = "255.255.255.255" }, DROP(drop_own_source) },
	{ "v4, from nowhere", { .family = 4, .payload = 10, .source = "0.0.0.0" }, DROP(drop_own_source) },
	{ "v6, from ourselves", { .family = 6, .payload = 10, .source = "2001:db8::1" }, DROP(drop_own_source) },
	{ "v6, from loopback", { .family = 6, .payload = 10, .source = "::1" }, DROP(drop_own_source) },
	{ "v6, from nowhere", { .family = 6, .payload = 10, .source = "::" }, DROP(drop_own_source) },
	{ "v6, from multicast", { .family = 6, .payload = 10, .source = "ff02::1" }, DROP(drop_own_source) },

	{ "the driver found it good", { .family = 4, .payload = 100, .bad_udp_sum = true }, USUAL, .flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD },
	{ "the driver found it bad, wrongly", { .family = 4, .payload = 100 }, USUAL, .flags = RTE_MBUF_F_RX_L4_CKSUM_BAD },
	{ "the driver found it good, both lengths too large", { .family = 4, .payload = 100, .ip_length = 1, .udp_length = 1 }, DROP(drop_length),
	  .flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD },
	{ "the driver found it good, both lengths within UDP's header", { .family = 4, .payload = 100, .ip_length = -101, .udp_length = -101 },
	  DROP(drop_short), .flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD },
	{ "the driver did not look", { .family = 4, .payload = 100, .bad_udp_sum = true }, DROP(drop_checksum),
	  .flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD },
};

static void check_udp(const struct recipe *r, const struct packet *p, const uint8_t *payload)
{
	uint32_t length = (uint32_t)((int)r->payload + r->udp_length);

	assert_int_equal(p->source.port, 5060);
	assert_int_equal(p->destination.port, r->port ? r->port : 5060);
	assert_int_equal(p->source.ip.family, r->family);
	assert_int_equal(p->source.ip.bytes[r->family == 4 ? 3 : 15], 9);
	assert_int_equal(p->destination.ip.bytes[r->family == 4 ? 3 : 15], r->destination ? 2 : 1);
	assert_int_equal(p->payload_len, length);
	for (uint32_t i = 0; i < length; i++)
		if (payload[i] != (uint8_t)(i + 1))
			fail_msg("payload byte %u", i);
}

static void test_cases(void **state)
{
	static struct frame f;
	static uint8_t payload[65536];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct parse_case *c = &cases[i];
		struct packet p;
		enum counter drop;

		frame_make(&f, &c->recipe);
		usual_count = 0;
		drop = parse(f.bytes, f.length, c->flags, &p, payload);
		if (p.kind != c->kind || drop != c->drop || usual_count != c->usual)
			fail_msg("%s: kind %d, drop %d, usual %u", c->name, (int)p.kind, (int)drop, usual_count);
		if (f.length <= sizeof(scratch))
			assert_int_equal(p.l2_len, f.ip_at > 22 ? 22 : f.ip_at);
		if (c->kind == PACKET_UDP)
			check_udp(&c->recipe, &p, payload);
	}
}

/* What a driver's flags say counts only where it was asked to verify. */
static void test_flags_of_no_meaning(void **state)
{
	static struct frame f;
	struct rte_mbuf m;
	struct ip_port source, destination;
	struct packet p;
	enum counter drop = NONE;

	frame_make(&f, &(struct recipe){ .family = 4, .payload = 100, .bad_udp_sum = true });
	mbuf_over(&m, f.bytes, f.length);
	m.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	packet_parse(&m, listeners, false, scratch, &p, &drop);
	assert_int_equal(p.kind, PACKET_DROP);
	assert_int_equal(drop, COUNTER_drop_checksum);
	assert_int_equal(packet_usual(&m, listeners, false, &source, &destination), 0);
	assert_int_equal(packet_usual(&m, listeners, true, &source, &destination), 100);
}

static const struct recipe cut_recipes[] = {
	{ .family = 4, .payload = 60 },
	{ .family = 4, .payload = 33, .options = 12, .tags = "88a8:0 8100:0" },
	{ .family = 6, .payload = 60 },
	{ .family = 6, .payload = 9, .extensions = "3c000104 00000000 2b000104 00000000 11000200 00000000", .first_extension = 0 },
	{ .family = 6, .payload = 64, .fragment = true, .more = true },
};

/* A frame cut short anywhere is dropped, and nothing behind the cut is read. */
static void test_cut(void **state)
{
	static struct frame f;
	struct packet p;

	for (size_t i = 0; i < sizeof(cut_recipes) / sizeof(cut_recipes[0]); i++) {
		frame_make(&f, &cut_recipes[i]);
		for (uint32_t n = 0; n < f.length; n++) {
			enum counter drop = parse(f.bytes, n, 0, &p, NULL);

			if (p.kind != PACKET_DROP || (drop != COUNTER_drop_short && drop != COUNTER_drop_length))
				fail_msg("frame %zu cut at %u: kind %d, drop %d", i, n, (int)p.kind, (int)drop);
		}
	}
}

/* No single changed byte of a packet gets through as another packet, except in fields that no checksum covers. */
static void test_changed(void **state)
{
	static struct frame f, g;
	struct packet p;

	for (size_t i = 0; i < sizeof(cut_recipes) / sizeof(cut_recipes[0]); i++) {
		frame_make(&f, &cut_recipes[i]);
		for (uint32_t n = 0; n < f.length; n++)
			for (unsigned bit = 0; bit < 8; bit++) {
				g = f;
				g.bytes[n] ^= (uint8_t)(1u << bit);
				parse(g.bytes, g.length, 0, &p, NULL);
				if (n >= f.l4_at && p.kind == PACKET_UDP)
					fail_msg("frame %zu, byte %u, bit %u", i, n, bit);
			}
	}
}

/* Whatever a frame's headers are changed to, with its checksums put right again, both ways say the same of it (parse compares them). */
static void test_usual_changed(void **state)
{
	static struct frame f, g;
	struct packet p;

	frame_make(&f, &(struct recipe){ .family = 4, .payload = 60 });
	usual_count = 0;
	for (uint32_t n = 0; n < PACKET_USUAL_AT; n++)
		for (unsigned value = 0; value < 256; value++)
			for (unsigned repaired = 0; repaired < 4; repaired++) {
				uint8_t *ip = g.bytes + 14, *udp = ip + 20;
				uint16_t sum = 0;

				g = f;
				g.bytes[n] = (uint8_t)value;
				if (repaired & 1) {
					memcpy(ip + 10, &sum, 2);
					sum = checksum_fold(checksum_words(0, ip, 5));
					memcpy(ip + 10, &sum, 2);
				}
				if (repaired & 2) {
					memset(udp + 6, 0, 2);
					sum = checksum_fold(checksum_add(checksum_pseudo(ip + 12, ip + 16, 4, 17, 68), udp, 68));
					memcpy(udp + 6, &sum, 2);
				}
				parse(g.bytes, g.length, 0, &p, NULL);
				parse(g.bytes, g.length, RTE_MBUF_F_RX_L4_CKSUM_GOOD, &p, NULL);
			}
	assert_true(usual_count > 4096);
}

/* The same frame in segments of every size reads the same. */
static void test_chained(void **state)
{
	static struct frame f;
	struct packet p;

	frame_make(&f, &(struct recipe){ .family = 6, .payload = 60 });
	for (uint32_t size = 1; size < f.length; size++) {
		struct rte_mbuf segments[128];
		enum counter drop = NONE;
		uint32_t n = 0;

		for (uint32_t at = 0; at < f.length; at += size, n++) {
			mbuf_over(&segments[n], f.bytes + at, RTE_MIN(size, f.length - at));
			if (n)
				segments[n - 1].next = &segments[n];
		}
		segments[0].nb_segs = (uint16_t)n;
		segments[0].pkt_len = f.length;
		packet_parse(&segments[0], &frame_listeners, false, scratch, &p, &drop);
		assert_int_equal(p.kind, PACKET_UDP);
		assert_int_equal(p.payload_len, 60);
		assert_true(p.payload >= scratch && p.payload + 60 <= scratch + sizeof(scratch));
		assert_memory_equal(p.payload, f.bytes + f.l4_at + 8, 60);
	}
}

/* Listeners that are not of UDP over IPv4 count for datagrams too: their addresses are ours, and their bytes are no other family's. */
static void test_other_listeners(void **state)
{
	static struct frame f;
	struct listener_set set = { .count = 2 };
	struct packet p;

	set.addr[0] = frame_listeners.addr[0];
	set.addr[1] = (struct ip_port){ { { 192, 0, 2, 7 }, IP_V6 }, 5060 }; /* c000:207:: */
	set.tcp_count = 1;
	set.tcp[0] = (struct ip_port){ { { 192, 0, 2, 5 }, IP_V4 }, 5061 };
	listeners = &set;
	frame_make(&f, &(struct recipe){ .family = 4, .payload = 10 });
	usual_count = 0;
	assert_int_equal(parse(f.bytes, f.length, 0, &p, NULL), NONE);
	assert_int_equal(usual_count, 1);
	frame_make(&f, &(struct recipe){ .family = 4, .payload = 10, .source = "192.0.2.5" });
	assert_int_equal(parse(f.bytes, f.length, 0, &p, NULL), COUNTER_drop_own_source);
	frame_make(&f, &(struct recipe){ .family = 4, .payload = 10, .destination = "192.0.2.7" });
	assert_int_equal(parse(f.bytes, f.length, 0, &p, NULL), NONE);
	assert_int_equal(p.kind, PACKET_KERNEL);
	assert_int_equal(usual_count, 1);
	listeners = &frame_listeners;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_flags_of_no_meaning), cmocka_unit_test(test_other_listeners),
		cmocka_unit_test(test_cut),   cmocka_unit_test(test_changed),		  cmocka_unit_test(test_usual_changed),
		cmocka_unit_test(test_chained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
