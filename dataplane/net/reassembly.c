/* SPDX-License-Identifier: Apache-2.0 */
#define ALLOW_EXPERIMENTAL_API /* rte_ip_frag_table_del_expired_entries */

#include "net/reassembly.h"

#include <stdlib.h>
#include <string.h>

#include <rte_ip_frag.h>
#include <rte_mbuf.h>

#include "net/bytes.h"
#include "net/checksum.h"
#include "net/extension.h"

/* rte_ip_frag's hash table: every datagram may lie in two buckets of this many entries. */
#define BUCKET_ENTRIES 8
#define PREFETCH       3
#define IP_BYTES_MAX   65535

struct reassembly {
	struct rte_ip_frag_tbl *table; /* its clock is ours, in ms */
	struct rte_ip_frag_death_row dead;
};

struct reassembly *reassembly_new(uint32_t max_datagrams, uint32_t timeout_ms)
{
	struct reassembly *r = calloc(1, sizeof(*r));
	uint32_t entries = RTE_MAX(max_datagrams, 1u);

	if (!r)
		return NULL;
	/* Twice the room, so that the bound met first is the number of datagrams and not a full bucket. */
	r->table = rte_ip_frag_table_create(RTE_MAX(entries / BUCKET_ENTRIES, 2u), BUCKET_ENTRIES, entries, timeout_ms, SOCKET_ID_ANY);
	if (!r->table) {
		free(r);
		return NULL;
	}
	return r;
}

void reassembly_free(struct reassembly *r)
{
	if (!r)
		return;
	rte_ip_frag_table_destroy(r->table);
	free(r);
}

static uint32_t bury(struct reassembly *r)
{
	uint32_t count = r->dead.cnt;

	rte_ip_frag_free_death_row(&r->dead, PREFETCH);
	return count;
}

/* What rte_ip_frag leaves unchecked: a fragment in the middle is a multiple of 8 bytes long (RFC 791, RFC 8200 §4.5), and none reaches
 * beyond the longest datagram there is. */
static bool extent_sound(uint32_t header, uint32_t offset, uint32_t bytes, bool more)
{
	return bytes && !(more && bytes % 8) && header + offset + bytes <= IP_BYTES_MAX;
}

static struct rte_mbuf *add_v4(struct reassembly *r, struct rte_mbuf *m, uint8_t *ip, uint32_t bytes, uint64_t now_ms)
{
	uint32_t header, total;
	uint16_t field, sum;

	if (bytes < IPV4_BYTES)
		goto refuse;
	header = (ip[0] & 15) * 4u;
	total = get16(ip + 2);
	field = get16(ip + 6);
	if (header < IPV4_BYTES || total < header || total > bytes ||
	    !extent_sound(header, (field & IPV4_FRAG_OFFSET) * 8u, total - header, field & IPV4_FRAG_MORE))
		goto refuse;
	m->l3_len = header;
	m = rte_ipv4_frag_reassemble_packet(r->table, &r->dead, m, now_ms, (struct rte_ipv4_hdr *)ip);
	if (!m)
		return NULL;
	ip = rte_pktmbuf_mtod_offset(m, uint8_t *, m->l2_len);
	sum = checksum_fold(checksum_add(0, ip, m->l3_len));
	memcpy(ip + 10, &sum, 2);
	return m;
refuse:
	r->dead.row[r->dead.cnt++] = m;
	return NULL;
}

/* Takes out what stands between the IPv6 header and the Fragment header, which rte_ip_frag expects right behind it: options that one
 * may skip, and routes that are at their end. */
static uint8_t *drop_extensions(struct rte_mbuf *m, uint8_t *ip, const struct extension_end *end)
{
	uint32_t gap = end->offset - IPV6_BYTES;
	uint8_t *front = rte_pktmbuf_mtod(m, uint8_t *);

	if (!gap)
		return ip;
	put16(ip + 4, (uint16_t)(get16(ip + 4) - gap));
	ip[6] = PROTO_FRAGMENT;
	memmove(front + gap, front, m->l2_len + IPV6_BYTES);
	rte_pktmbuf_adj(m, (uint16_t)gap);
	return ip + gap;
}

static struct rte_mbuf *add_v6(struct reassembly *r, struct rte_mbuf *m, uint8_t *ip, uint32_t bytes, uint64_t now_ms)
{
	struct extension_end end;
	uint32_t total;

	if (bytes < IPV6_BYTES)
		goto refuse;
	total = IPV6_BYTES + get16(ip + 4);
	if (total > bytes || extension_walk(ip, total, false, &end) != EXTENSION_OK || !end.fragment ||
	    !extent_sound(0, end.fragment_offset, total - end.offset - IPV6_FRAG_BYTES, end.fragment_more))
		goto refuse;
	ip = drop_extensions(m, ip, &end);
	m->l3_len = IPV6_BYTES + IPV6_FRAG_BYTES;
	return rte_ipv6_frag_reassemble_packet(r->table, &r->dead, m, now_ms, (struct rte_ipv6_hdr *)ip,
					       (struct rte_ipv6_fragment_ext *)(ip + IPV6_BYTES));
refuse:
	r->dead.row[r->dead.cnt++] = m;
	return NULL;
}

struct rte_mbuf *reassembly_add(struct reassembly *r, struct rte_mbuf *fragment, uint16_t l2_len, uint64_t now_ms,
				uint32_t *ret_dropped)
{
	struct rte_mbuf *whole = NULL;
	uint8_t *ip;

	*ret_dropped = 0;
	/* rte_ip_frag trims and shifts within the first segment. */
	if (l2_len < ETHER_BYTES || rte_pktmbuf_linearize(fragment) || fragment->pkt_len <= l2_len) {
		rte_pktmbuf_free(fragment);
		*ret_dropped = 1;
		return NULL;
	}
	/* What the driver found about one fragment says nothing about the whole. */
	fragment->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
	fragment->l2_len = l2_len;
	ip = rte_pktmbuf_mtod_offset(fragment, uint8_t *, l2_len);
	if (get16(ip - 2) == ETHERTYPE_V4)
		whole = add_v4(r, fragment, ip, fragment->pkt_len - l2_len, now_ms);
	else if (get16(ip - 2) == ETHERTYPE_V6)
		whole = add_v6(r, fragment, ip, fragment->pkt_len - l2_len, now_ms);
	else
		r->dead.row[r->dead.cnt++] = fragment;
	*ret_dropped = bury(r);
	return whole;
}

uint32_t reassembly_expire(struct reassembly *r, uint64_t now_ms)
{
	/* One death row's worth at a time: the loop turn stays short. */
	rte_ip_frag_table_del_expired_entries(r->table, &r->dead, now_ms);
	return bury(r);
}
