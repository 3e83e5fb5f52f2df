/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "frames.h"
#include "net/checksum.h"
#include "net/icmp.h"
#include "net/packet.h"

#define NONE COUNTER_COUNT
#define HALF 32768

static uint8_t scratch[65536];
static const struct listener_set *listeners = &frame_listeners;

static uint32_t usual_count;

/* What is as usual is told by the short way as by the long one; what is not is refused. */
static void check_usual(const struct rte_mbuf *m, bool checksum_done, const struct packet *p)
{
	struct ip_port source, destination;
	uint32_t bytes = packet_usual(m, listeners, checksum_done, &source, &destination);

	if (!bytes)
		return;
	usual_count++;
	assert_int_equal(p->kind, PACKET_UDP);
	assert_int_equal(bytes, p->payload_len);
	assert_ptr_equal(p->payload, rte_pktmbuf_mtod_offset(m, const uint8_t *, PACKET_USUAL_AT));
	assert_int_equal(p->l2_len, 14);
	assert_true(ip_port_eq(&source, &p->source) && ip_port_eq(&destination, &p->destination));
}

/* Parses a copy of exactly that many bytes, so that ASan sees a step beyond, and copies the payload out of it. */
static enum counter parse(const uint8_t *bytes, uint32_t length, uint64_t flags, struct packet *ret_packet, uint8_t *ret_payload)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct rte_mbuf m, second;
	enum counter drop = NONE;

	memcpy(copy, bytes, length);
	mbuf_over(&m, copy, length);
	if (length > HALF) { /* more than an mbuf can hold */
		mbuf_over(&m, copy, HALF);
		mbuf_over(&second, copy + HALF, length - HALF);
		m.next = &second;
		m.nb_segs = 2;
		m.pkt_len = length;
	}
	m.ol_flags = flags;
	packet_parse(&m, listeners, flags != 0, scratch, ret_packet, &drop);
	check_usual(&m, flags != 0, ret_packet);
	if (ret_payload && ret_packet->payload_len)
		memcpy(ret_payload, ret_packet->payload, ret_packet->payload_len);
	free(copy);
	return drop;
}

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

struct icmp_case {
	const char *name;
	uint8_t family, type, code;
	uint16_t mtu;
	struct recipe quoted; /* from us */
	uint32_t cut;	      /* bytes of it left out at the end */
	bool bad_sum;
	enum packet_kind kind;
	bool hard;
	uint16_t want_mtu;
	uint32_t want_payload;
};

#define OURS4 .family = 4, .source = "192.0.2.1", .destination = "198.51.100.7", .port = 5070
#define OURS6 .family = 6, .source = "2001:db8::1", .destination = "2001:db8:5::7", .port = 5070

static const struct icmp_case icmp_cases[] = {
	{ "port unreachable", 4, 3, 3, 0, { OURS4, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, true, 0, 100 },
	{ "host unreachable, 8 bytes quoted", 4, 3, 1, 0, { OURS4, .payload = 100 }, 100, false, PACKET_ICMP_ERROR, true, 0, 0 },
	{ "cut in the datagram", 4, 3, 3, 0, { OURS4, .payload = 100 }, 60, false, PACKET_ICMP_ERROR, true, 0, 40 },
	{ "quoted with options", 4, 3, 3, 0, { OURS4, .payload = 100, .options = 8 }, 60, false, PACKET_ICMP_ERROR, true, 0, 40 },
	{ "fragmentation needed", 4, 3, 4, 1400, { OURS4, .payload = 100 }, 92, false, PACKET_ICMP_ERROR, false, 1400, 8 },
	{ "time exceeded", 4, 11, 0, 0, { OURS4, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, false, 0, 100 },
	{ "parameter problem", 4, 12, 0, 0, { OURS4, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, false, 0, 100 },
	{ "bad checksum", 4, 3, 3, 0, { OURS4, .payload = 100 }, 0, true, PACKET_DROP, false, 0, 0 },
	{ "echo", 4, 8, 0, 0, { OURS4, .payload = 100 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "redirect", 4, 5, 0, 0, { OURS4, .payload = 100 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "quotes less than UDP's header", 4, 3, 3, 0, { OURS4, .payload = 100 }, 101, false, PACKET_KERNEL, false, 0, 0 },
	{ "quotes another port of ours", 4, 3, 3, 0, { OURS4, .payload = 100, .source_port = 53 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "quotes another's packet", 4, 3, 3, 0, { .family = 4, .payload = 100 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "quotes TCP", 4, 3, 3, 0, { OURS4, .payload = 100, .protocol = 6 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "quotes a later fragment", 4, 11, 1, 0, { OURS4, .payload = 64, .fragment = true, .offset = 64 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "v6 port unreachable", 6, 1, 4, 0, { OURS6, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, true, 0, 100 },
	{ "v6 no route, cut", 6, 1, 0, 0, { OURS6, .payload = 100 }, 50, false, PACKET_ICMP_ERROR, true, 0, 50 },
	{ "v6 too big", 6, 2, 0, 1280, { OURS6, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, false, 1280, 100 },
	{ "v6 time exceeded", 6, 3, 0, 0, { OURS6, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, false, 0, 100 },
	{ "v6 parameter problem", 6, 4, 1, 0, { OURS6, .payload = 100 }, 0, false, PACKET_ICMP_ERROR, false, 0, 100 },
	{ "v6 bad checksum", 6, 1, 4, 0, { OURS6, .payload = 100 }, 0, true, PACKET_DROP, false, 0, 0 },
	{ "v6 echo", 6, 128, 0, 0, { OURS6, .payload = 100 }, 0, false, PACKET_KERNEL, false, 0, 0 },
	{ "v6 quotes another's", 6, 1, 4, 0, { .family = 6, .payload = 100 }, 0, false, PACKET_KERNEL, false, 0, 0 },
};

/* The error as a frame: ICMP header, then the quoted packet without its Ethernet header. */
static void make_icmp(struct frame *f, const struct icmp_case *c)
{
	static struct frame quoted;
	uint8_t message[2048] = { c->type, c->code };
	struct recipe outer = { .family = c->family, .protocol = c->family == 4 ? 1 : 58, .inner = message };
	uint32_t sum;

	frame_make(&quoted, &c->quoted);
	message[6] = (uint8_t)(c->mtu >> 8);
	message[7] = (uint8_t)c->mtu;
	outer.payload = 8 + quoted.length - quoted.ip_at - c->cut;
	memcpy(message + 8, quoted.bytes + quoted.ip_at, outer.payload - 8);
	frame_make(f, &outer);
	if (c->family == 4) {
		sum = sum_plain(0, f->bytes + f->l4_at, outer.payload);
	} else {
		uint8_t tail[8] = { 0, 0, (uint8_t)(outer.payload >> 8), (uint8_t)outer.payload, 0, 0, 0, 58 };

		sum = sum_plain(0, f->bytes + f->ip_at + 8, 32);
		sum = sum_plain(sum_plain(sum, tail, 8), f->bytes + f->l4_at, outer.payload);
	}
	sum = ~sum ^ (c->bad_sum ? 1 : 0);
	f->bytes[f->l4_at + 2] = (uint8_t)(sum >> 8);
	f->bytes[f->l4_at + 3] = (uint8_t)sum;
}

static void test_icmp(void **state)
{
	static struct frame f;
	static uint8_t payload[65536];

	for (size_t i = 0; i < sizeof(icmp_cases) / sizeof(icmp_cases[0]); i++) {
		const struct icmp_case *c = &icmp_cases[i];
		bool v4 = c->family == 4;
		struct packet p;

		make_icmp(&f, c);
		parse(f.bytes, f.length, 0, &p, payload);
		if (p.kind != c->kind)
			fail_msg("%s: kind %d", c->name, (int)p.kind);
		if (c->kind != PACKET_ICMP_ERROR)
			continue;
		assert_int_equal(p.icmp_hard, c->hard);
		assert_int_equal(p.icmp_mtu, c->want_mtu);
		assert_int_equal(p.payload_len, c->want_payload);
		assert_int_equal(p.source.port, 5060);
		assert_int_equal(p.source.ip.bytes[v4 ? 3 : 15], 1);
		assert_int_equal(p.destination.port, 5070);
		assert_int_equal(p.destination.ip.bytes[v4 ? 3 : 15], 7);
		for (uint32_t k = 0; k < p.payload_len; k++)
			assert_int_equal(payload[k], (uint8_t)(k + 1));
		/* Cut anywhere it is dropped or the kernel's, and never read beyond. */
		for (uint32_t n = 0; n < f.length; n++) {
			parse(f.bytes, n, 0, &p, NULL);
			assert_int_equal(p.kind, PACKET_DROP);
		}
	}
}

/* Every length around the widths of the loops, at every alignment, against the plain sum. */
static void test_checksum(void **state)
{
	static uint8_t data[4096 + 64];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167 + (i >> 5) * 91);
	for (uint32_t at = 0; at < 9; at++)
		for (uint32_t n = 0; n < 700; n++) {
			uint8_t *copy = malloc(at + n + 1);
			uint16_t got, want = (uint16_t)~sum_plain(0, data + at, n);

			memcpy(copy + at, data + at, n);
			got = checksum_fold(checksum_add(0, copy + at, n));
			assert_int_equal((uint16_t)(got << 8 | got >> 8), want);
			free(copy);
		}
	memset(data, 0xff, sizeof(data));
	for (uint32_t n = 1; n < sizeof(data); n++) {
		uint16_t got = checksum_fold(checksum_add(UINT64_MAX, data, n));

		assert_int_equal((uint16_t)(got << 8 | got >> 8), (uint16_t)~sum_plain(0xffff, data, n));
	}
}

/* ---- TCP */

static void with_tcp(struct listener_set *set)
{
	*set = frame_listeners;
	set->tcp_count = 2;
	set->tcp[0] = (struct ip_port){ { { 192, 0, 2, 1 }, IP_V4 }, 5061 };
	set->tcp[1] = (struct ip_port){ { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, IP_V6 }, 5061 };
	set->tcp_low = 20000;
	set->tcp_high = 20099;
}

/* What is for a TCP listener, or for a port that our connections begin at, of an address that has one; the rest stays the kernel's. */
static void test_tcp(void **state)
{
	static const struct {
		uint8_t family;
		uint16_t port;
		uint32_t bytes;
		const char *source, *destination;
		enum packet_kind kind;
		enum counter drop;
	} tcp_cases[] = {
		{ 4, 5061, 40, NULL, NULL, PACKET_TCP, NONE },		   { 6, 5061, 20, NULL, NULL, PACKET_TCP, NONE },
		{ 4, 20000, 40, NULL, NULL, PACKET_TCP, NONE },		   { 4, 20099, 40, NULL, NULL, PACKET_TCP, NONE },
		{ 6, 20050, 40, NULL, NULL, PACKET_TCP, NONE },		   { 4, 19999, 40, NULL, NULL, PACKET_KERNEL, NONE },
		{ 4, 20100, 40, NULL, NULL, PACKET_KERNEL, NONE },	   { 4, 22, 40, NULL, NULL, PACKET_KERNEL, NONE },
		{ 4, 5060, 40, NULL, NULL, PACKET_KERNEL, NONE },	   { 4, 5061, 40, NULL, "192.0.2.2", PACKET_KERNEL, NONE },
		{ 4, 20000, 40, NULL, "192.0.2.2", PACKET_KERNEL, NONE },  { 4, 5061, 19, NULL, NULL, PACKET_DROP, COUNTER_drop_short },
		{ 4, 5061, 40, "192.0.2.2", NULL, PACKET_DROP, COUNTER_drop_own_source },
		{ 4, 5061, 40, "224.0.0.5", NULL, PACKET_DROP, COUNTER_drop_own_source },
	};
	static struct frame f;
	struct listener_set set;

	with_tcp(&set);
	listeners = &set;
	for (size_t i = 0; i < sizeof(tcp_cases) / sizeof(tcp_cases[0]); i++) {
		uint8_t inner[40] = { 0x30, 0x39, (uint8_t)(tcp_cases[i].port >> 8), (uint8_t)tcp_cases[i].port }, segment[64];
		struct recipe r = { .family = tcp_cases[i].family, .payload = tcp_cases[i].bytes, .protocol = 6, .inner = inner,
				    .source = tcp_cases[i].source, .destination = tcp_cases[i].destination };
		struct packet p;
		enum counter drop;

		frame_make(&f, &r);
		drop = parse(f.bytes, f.length, 0, &p, segment);
		if (p.kind != tcp_cases[i].kind || drop != tcp_cases[i].drop)
			fail_msg("case %zu: kind %d, drop %d", i, (int)p.kind, (int)drop);
		if (p.kind != PACKET_TCP)
			continue;
		assert_int_equal(p.source.port, 12345);
		assert_int_equal(p.source.ip.bytes[r.family == 4 ? 3 : 15], 9);
		assert_int_equal(p.destination.port, tcp_cases[i].port);
		assert_int_equal(p.payload_len, tcp_cases[i].bytes);
		assert_memory_equal(segment, inner, p.payload_len);
		assert_false(p.l4_good);
		parse(f.bytes, f.length, RTE_MBUF_F_RX_L4_CKSUM_GOOD, &p, NULL);
		assert_true(p.l4_good);
	}
	listeners = &frame_listeners;
}

/* An ICMP error about a segment of ours: who, to whom, and its sequence number, in the eight bytes that a router must quote. */
static void test_icmp_tcp(void **state)
{
	uint8_t message[8 + 20 + 8] = { 3, 4, 0, 0, 0, 0, 5, 0, 0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7,
					0x4e, 0x20, 0x13, 0xc4, 1, 2, 3, 4 };
	struct listener_set set;
	struct packet p = { .quotes_tcp = false };

	with_tcp(&set);
	assert_true(icmp_read_v4(message, sizeof(message), &set, &p));
	assert_true(p.quotes_tcp);
	assert_int_equal(p.source.port, 20000);
	assert_int_equal(p.destination.port, 5060);
	assert_int_equal(p.destination.ip.bytes[0], 198);
	assert_int_equal(p.sequence, 0x01020304);
	assert_int_equal(p.icmp_mtu, 1280);
	assert_false(p.icmp_hard);
	message[1] = 3;
	assert_true(icmp_read_v4(message, sizeof(message), &set, &p));
	assert_true(p.icmp_hard);
	assert_false(icmp_read_v4(message, sizeof(message) - 1, &set, &p));
	message[8 + 20] = 0; /* not a port of ours */
	assert_false(icmp_read_v4(message, sizeof(message), &set, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_tcp), cmocka_unit_test(test_icmp_tcp), cmocka_unit_test(test_cut),  cmocka_unit_test(test_changed), cmocka_unit_test(test_usual_changed),
		cmocka_unit_test(test_chained), cmocka_unit_test(test_icmp), cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
