/* SPDX-License-Identifier: Apache-2.0 */
#include <rte_mbuf.h>

#include "check.h"
#include "net/bytes.h"
#include "net/checksum.h"
#include "net/packet.h"

/* Frames out of any bytes. The first byte says how they come: with the checksums put right, so that what lies behind them is reached
 * (bit 0); in two segments, cut at the second byte (bit 1). What is returned lies inside, and a chain reads as one segment does. */

#define REPAIR 1
#define CHAIN  2

static const struct listener_set listeners = {
	.count = 2,
	.addr = { { { { 192, 0, 2, 1 }, IP_V4 }, 5060 }, { { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, IP_V6 }, 5060 } },
};

static void over(struct rte_mbuf *m, uint8_t *data, size_t bytes)
{
	*m = (struct rte_mbuf){ .buf_addr = data, .buf_len = (uint16_t)bytes, .data_len = (uint16_t)bytes, .pkt_len = (uint32_t)bytes,
				.nb_segs = 1, .refcnt = 1 };
}

static void repair_l4(uint8_t *l4, size_t bytes, uint8_t protocol, uint64_t pseudo)
{
	size_t at = protocol == PROTO_UDP ? 6 : 2;
	uint16_t sum = 0;

	if (bytes < UDP_BYTES)
		return;
	memcpy(l4 + at, &sum, 2);
	sum = checksum_fold(checksum_add(protocol == PROTO_ICMP ? 0 : pseudo, l4, (uint32_t)bytes));
	memcpy(l4 + at, &sum, 2);
}

/* Of a frame without tags and extension headers. */
static void repair(uint8_t *frame, size_t bytes)
{
	uint8_t *ip = frame + ETHER_BYTES;
	uint16_t sum = 0;

	if (bytes >= ETHER_BYTES + IPV4_BYTES && get16(frame + 12) == ETHERTYPE_V4) {
		size_t header = (ip[0] & 15) * 4u, total = get16(ip + 2);

		if (header < IPV4_BYTES || total < header || total > bytes - ETHER_BYTES)
			return;
		memcpy(ip + 10, &sum, 2);
		sum = checksum_fold(checksum_words(0, ip, (unsigned)header / 4));
		memcpy(ip + 10, &sum, 2);
		repair_l4(ip + header, total - header, ip[9], checksum_pseudo(ip + 12, ip + 16, 4, ip[9], (uint32_t)(total - header)));
	} else if (bytes >= ETHER_BYTES + IPV6_BYTES && get16(frame + 12) == ETHERTYPE_V6) {
		size_t total = get16(ip + 4);

		if (total <= bytes - ETHER_BYTES - IPV6_BYTES)
			repair_l4(ip + IPV6_BYTES, total, ip[6], checksum_pseudo(ip + 8, ip + 24, 16, ip[6], (uint32_t)total));
	}
}

static void verify(const struct packet *p, enum counter drop, const uint8_t *from, size_t bytes)
{
	if (p->kind == PACKET_DROP)
		CHECK(drop < COUNTER_COUNT);
	if (p->kind != PACKET_UDP && p->kind != PACKET_ICMP_ERROR)
		return;
	CHECK(p->payload >= from && p->payload + p->payload_len <= from + bytes);
	CHECK(p->source.ip.family == p->destination.ip.family && p->source.ip.family != IP_NONE);
	CHECK((p->kind == PACKET_UDP ? p->destination.port : p->source.port) == 5060);
}

/* What the short way takes the long one reads as it does. */
static void verify_usual(const struct rte_mbuf *m, const struct packet *p)
{
	struct ip_port source, destination;
	uint32_t length = packet_usual(m, &listeners, false, &source, &destination);

	if (!length)
		return;
	CHECK(p->kind == PACKET_UDP && p->payload_len == length && p->payload == (const uint8_t *)m->buf_addr + PACKET_USUAL_AT);
	CHECK(ip_port_eq(&source, &p->source) && ip_port_eq(&destination, &p->destination));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch[65536];
	enum counter drop = COUNTER_COUNT, drop_chained = COUNTER_COUNT;
	struct packet p, chained;
	struct rte_mbuf m, second;
	uint8_t *copy;
	size_t cut;

	if (size < 3 || size > 60000)
		return 0;
	copy = malloc(size - 2);
	if (!copy)
		return 0;
	memcpy(copy, data + 2, size - 2);
	if (data[0] & REPAIR)
		repair(copy, size - 2);
	over(&m, copy, size - 2);
	packet_parse(&m, &listeners, false, scratch, &p, &drop);
	verify(&p, drop, copy, size - 2);
	verify_usual(&m, &p);
	cut = data[1];
	if (data[0] & CHAIN && cut && cut < size - 2) {
		over(&m, copy, cut);
		over(&second, copy + cut, size - 2 - cut);
		m.next = &second;
		m.nb_segs = 2;
		m.pkt_len = (uint32_t)(size - 2);
		packet_parse(&m, &listeners, false, scratch, &chained, &drop_chained);
		verify(&chained, drop_chained, scratch, size - 2);
		CHECK(chained.kind == p.kind && drop_chained == drop && chained.payload_len == p.payload_len);
		CHECK(!p.payload || chained.payload - scratch == p.payload - copy);
	}
	free(copy);
	return 0;
}
