/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that are no datagrams: ICMP errors, and TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "net/icmp.h"
#include "packet_bed.h"

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
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_icmp), cmocka_unit_test(test_tcp), cmocka_unit_test(test_icmp_tcp) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
