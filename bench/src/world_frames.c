/* SPDX-License-Identifier: Apache-2.0 */
/* What a world's two ends put on the wire, and what they take from it. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "tcp/tcp.h"
#include "worker.h"

#define HEADERS (14 + 20 + 8)

/* ---- frames */

struct rte_mbuf *world_frame(const struct world *w, const uint8_t *payload, uint32_t len, uint32_t from)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->shared->pool);
	uint8_t *f = m ? (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(HEADERS + len)) : NULL;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f + 14);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(f + 34);

	if (!f)
		return NULL;
	memcpy(f, w->mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x00\x09\x08\x00", 8);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(28 + len)),
		.packet_id = rte_cpu_to_be_16((uint16_t)from),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(from),
		.dst_addr = rte_cpu_to_be_32(PROXY_IP),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*udp = (struct rte_udp_hdr){ rte_cpu_to_be_16(5060), rte_cpu_to_be_16(5060), rte_cpu_to_be_16((uint16_t)(8 + len)), 0 };
	memcpy(f + HEADERS, payload, len);
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	if (w->config.offload)
		m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	return m;
}

static bool udp_sum_is_right(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp)
{
	uint32_t sum = rte_ipv4_phdr_cksum(ip, 0) + (uint32_t)rte_raw_cksum(udp, rte_be_to_cpu_16(udp->dgram_len));

	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

int world_read(const struct world *w, const struct rte_mbuf *m, const uint8_t **ret_payload, uint32_t *ret_len, uint32_t *ret_to)
{
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(f + 14);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(f + 34);

	if (m->nb_segs != 1 || m->data_len < HEADERS || memcmp(f + 12, "\x08\x00\x45", 3) ||
	    m->data_len != 14 + rte_be_to_cpu_16(ip->total_length) || memcmp(f + 6, w->mac, 6) ||
	    rte_be_to_cpu_16(udp->dgram_len) != m->data_len - 34) {
		fprintf(stderr, "bench: a frame left whose headers do not agree\n");
		return -1;
	}
	if (!w->config.offload && rte_raw_cksum(ip, sizeof(*ip)) != 0xffff) {
		fprintf(stderr, "bench: a frame left with a bad IP checksum\n");
		return -1;
	}
	if (!w->config.offload && !udp_sum_is_right(ip, udp)) {
		fprintf(stderr, "bench: a frame left with a bad UDP checksum\n");
		return -1;
	}
	*ret_payload = f + HEADERS;
	*ret_len = m->data_len - HEADERS;
	*ret_to = rte_be_to_cpu_32(ip->dst_addr);
	return 0;
}

/* ---- segments */

#define SEGMENT_AT (14 + 20)

uint8_t *world_segment_room(const struct world *w, uint32_t bytes, struct rte_mbuf **ret_frame)
{
	*ret_frame = rte_pktmbuf_alloc(w->shared->pool);
	return *ret_frame ? (uint8_t *)rte_pktmbuf_append(*ret_frame, (uint16_t)(SEGMENT_AT + bytes)) + SEGMENT_AT : NULL;
}

void world_segment_frame(const struct world *w, struct rte_mbuf *frame, uint32_t bytes, uint32_t from)
{
	uint8_t *f = rte_pktmbuf_mtod(frame, uint8_t *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(f + 14);

	frame->data_len = (uint16_t)(SEGMENT_AT + bytes);
	frame->pkt_len = frame->data_len;
	memcpy(f, w->mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x00\x09\x08\x00", 8);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(20 + bytes)),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = rte_cpu_to_be_32(from),
		.dst_addr = rte_cpu_to_be_32(PROXY_IP),
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (w->config.offload)
		frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
}

bool world_segment(const struct rte_mbuf *m, struct tcp_packet *ret)
{
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(f + 14);

	if (m->nb_segs != 1 || m->data_len < SEGMENT_AT + 20 || memcmp(f + 12, "\x08\x00\x45", 3) || ip->next_proto_id != IPPROTO_TCP ||
	    m->data_len != 14 + rte_be_to_cpu_16(ip->total_length))
		return false;
	*ret = (struct tcp_packet){ .source = world_address(rte_be_to_cpu_32(ip->src_addr)),
				    .destination = world_address(rte_be_to_cpu_32(ip->dst_addr)),
				    .segment = { f + SEGMENT_AT, (uint32_t)m->data_len - SEGMENT_AT } };
	return true;
}
