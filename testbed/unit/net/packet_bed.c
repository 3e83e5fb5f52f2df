/* SPDX-License-Identifier: Apache-2.0 */
#include "packet_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#define HALF 32768

uint8_t scratch[65536];
const struct listener_set *listeners = &frame_listeners;
uint32_t usual_count;

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

enum counter parse(const uint8_t *bytes, uint32_t length, uint64_t flags, struct packet *ret_packet, uint8_t *ret_payload)
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
