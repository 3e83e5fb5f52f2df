/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "base/err.h"
#include "base/partial.h"
#include "net/bytes.h"
#include "net/port_setup.h"

#define TX_MAX	64
#define VLAN_ID 0x0fff

static void count(_Atomic(uint64_t) *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

uint16_t port_mtu(const struct port *p)
{
	return p->mtu;
}

void port_mac(const struct port *p, uint8_t ret_mac[6])
{
	memcpy(ret_mac, p->mac, 6);
}

const char *port_name(const struct port *p)
{
	return p->name;
}

bool port_rx_checksum(const struct port *p)
{
	return p->rx_sums;
}

bool port_tx_checksum(const struct port *p)
{
	return p->tx_sums;
}

bool port_tx_tcp_checksum(const struct port *p)
{
	return p->tx_sums && p->tx_tcp_sums;
}

bool port_tx_by_kernel(const struct port *p)
{
	for (unsigned i = 0; i < p->device_count; i++)
		if (p->devices[i].kind != DEVICE_PCI && p->devices[i].kind != DEVICE_OTHER)
			return true;
	return false;
}

/* Takes the tag off; false: it has none of this VLAN. */
static bool tag_remove(struct rte_mbuf *m, uint16_t vlan)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t type;

	if (m->data_len < ETHER_BYTES + VLAN_BYTES)
		return false;
	type = get16(p + 12);
	if ((type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ) || (get16(p + 14) & VLAN_ID) != vlan)
		return false;
	memmove(p + VLAN_BYTES, p, 12);
	rte_pktmbuf_adj(m, VLAN_BYTES);
	return true;
}

static bool tag_insert(struct rte_mbuf *m, uint16_t vlan)
{
	uint8_t *p;

	if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) > 1)
		return false;
	p = (uint8_t *)rte_pktmbuf_prepend(m, VLAN_BYTES);
	if (!p)
		return false;
	memmove(p, p + VLAN_BYTES, 12);
	put16(p + 12, ETHERTYPE_VLAN);
	put16(p + 14, vlan);
	m->l2_len += m->l2_len ? VLAN_BYTES : 0;
	return true;
}

/* Our own, reflected. */
static inline bool from_us(const struct port *p, const struct rte_mbuf *m)
{
	const uint8_t *source = rte_pktmbuf_mtod_offset(m, const uint8_t *, 6);

	return m->data_len >= 12 && !((load_32(source) ^ load_32(p->mac)) | (load_32(source + 2) ^ load_32(p->mac + 2)));
}

/* Without what is not for the floors above; the rest moves up. */
static uint16_t sift(struct port *p, struct port_queue *q, struct rte_mbuf **frames, uint16_t n, uint32_t *ret_own)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];

		if (from_us(p, m)) {
			(*ret_own)++;
			rte_pktmbuf_free(m);
			continue;
		}
		if (p->vlan && !tag_remove(m, p->vlan)) {
			count(&q->rx_other_vlan, 1);
			rte_pktmbuf_free(m);
			continue;
		}
		frames[kept++] = m;
	}
	return kept;
}

uint16_t port_rx(struct port *p, unsigned queue, struct rte_mbuf **frames, uint16_t n, uint32_t *ret_own)
{
	struct port_queue *q = &p->queue[queue];
	bool sifted = p->vlan;

	n = rte_eth_rx_burst(q->ethdev, q->queue, frames, n);
	*ret_own = 0;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint16_t i = 0; i < n; i++)
		sifted |= from_us(p, frames[i]);
	return unlikely(sifted) ? sift(p, q, frames, n, ret_own) : n;
}

/* One segment of a chain: in place where the first has the room, else a copy. NULL: larger than an mbuf, or none left; m is freed. */
static struct rte_mbuf *linear(struct port *p, struct rte_mbuf *m)
{
	struct rte_mbuf *copy;
	uint8_t *to;

	if (RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && rte_pktmbuf_linearize(m) == 0)
		return m;
	copy = rte_pktmbuf_alloc(p->pool);
	to = copy && m->pkt_len <= rte_pktmbuf_tailroom(copy) ? (uint8_t *)rte_pktmbuf_append(copy, (uint16_t)m->pkt_len) : NULL;
	if (to) {
		rte_pktmbuf_read(m, 0, m->pkt_len, to);
		copy->ol_flags = m->ol_flags;
		copy->tx_offload = m->tx_offload;
	} else {
		rte_pktmbuf_free(copy);
		copy = NULL;
	}
	rte_pktmbuf_free(m);
	return copy;
}

/* m as the driver wants it, or NULL: it is freed. */
static struct rte_mbuf *prepare(struct port *p, struct rte_mbuf *m)
{
	if (m->nb_segs > 1 && !p->multi_segs)
		m = linear(p, m);
	if (m && p->vlan && !tag_insert(m, p->vlan)) {
		rte_pktmbuf_free(m);
		m = NULL;
	}
	return m;
}

static uint16_t tx_prepared(struct port *p, struct port_queue *q, struct rte_mbuf **frames, uint16_t n)
{
	struct rte_mbuf *ready[TX_MAX];
	uint16_t made = 0, sent, taken;

	n = RTE_MIN(n, TX_MAX);
	for (uint16_t i = 0; i < n; i++) {
		ready[made] = prepare(p, frames[i]);
		if (ready[made])
			made++;
		else
			count(&q->tx_unsendable, 1);
	}
	sent = rte_eth_tx_burst(q->ethdev, q->queue, ready, made);
	/* The rest goes back as it came, behind what was taken or dropped. */
	taken = (uint16_t)(n - (made - sent));
	for (uint16_t i = sent; i < made; i++) {
		if (p->vlan) {
			tag_remove(ready[i], p->vlan);
			ready[i]->l2_len -= ready[i]->l2_len ? VLAN_BYTES : 0;
		}
		frames[taken + i - sent] = ready[i];
	}
	return taken;
}

uint16_t port_tx(struct port *p, unsigned queue, struct rte_mbuf **frames, uint16_t n)
{
	struct port_queue *q = &p->queue[queue];
	bool plain = !p->vlan;

	for (uint16_t i = 0; plain && !p->multi_segs && i < n; i++)
		plain = frames[i]->nb_segs == 1;
	if (likely(plain))
		return rte_eth_tx_burst(q->ethdev, q->queue, frames, n);
	return tx_prepared(p, q, frames, n);
}

int port_wait_fds(const struct port *p, unsigned queue, int *fds, unsigned max)
{
	if (p->queue[queue].wait_fd < 0)
		return -ERR_UNSUPPORTED;
	if (!max)
		return 0;
	fds[0] = p->queue[queue].wait_fd;
	return 1;
}

void port_stats(const struct port *p, struct port_stats *ret)
{
	*ret = (struct port_stats){ 0 };
	for (unsigned i = 0; i < p->device_count; i++) {
		struct rte_eth_stats s;

		if (rte_eth_stats_get(p->devices[i].ethdev, &s))
			continue;
		ret->rx_packets += s.ipackets;
		ret->tx_packets += s.opackets;
		ret->rx_bytes += s.ibytes;
		ret->tx_bytes += s.obytes;
		ret->rx_missed += s.imissed;
		ret->rx_errors += s.ierrors + s.rx_nombuf;
		ret->tx_errors += s.oerrors;
	}
	for (unsigned i = 0; i < p->queues; i++) {
		ret->rx_other_vlan += atomic_load_explicit(&p->queue[i].rx_other_vlan, memory_order_relaxed);
		ret->tx_unsendable += atomic_load_explicit(&p->queue[i].tx_unsendable, memory_order_relaxed);
	}
}
