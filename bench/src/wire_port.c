/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "wire_stream.h"

#define DESCRIPTORS 2048
#define MBUFS	    16383
#define QUEUE	    64
#define BURST	    64
#define HEADERS	    (sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr))
#define MEMORY_MB   128
#define LINK_LOOK_US 1000 /* while the other end is yet to start */
#define NET_MASK    0xffff0000u

struct wire_port {
	struct wire_port_config config;
	uint16_t ethdev;
	struct rte_mempool *pool;
	struct rte_ether_addr mac, peer;
	bool peer_known;
	uint16_t ids;
	struct rte_mbuf *spare;
	struct wire_stream *stream; /* NULL: datagrams */
	unsigned count;
	struct rte_mbuf *queue[QUEUE];
	struct wire_port_stats stats;
};

/* ---- checksums */

#if defined(__x86_64__)
#define BY_CPU __attribute__((target_clones("avx2", "default")))
#else
#define BY_CPU
#endif

/* One's complement sum, in host order. The loop is one that compilers turn into vectors. */
BY_CPU static uint64_t sum_bytes(const uint8_t *p, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t i, word;

	for (i = 0; i + 4 <= n; i += 4) {
		memcpy(&word, p + i, 4);
		sum += word;
	}
	word = 0;
	memcpy(&word, p + i, n - i);
	return sum + word;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t udp_sum(const struct rte_ipv4_hdr *ip, const struct rte_udp_hdr *udp, uint32_t bytes)
{
	return fold(sum_bytes((const uint8_t *)&ip->src_addr, 8) + rte_cpu_to_be_16(IPPROTO_UDP) +
		    rte_cpu_to_be_16((uint16_t)bytes) + sum_bytes((const uint8_t *)udp, bytes));
}

/* ---- out */

unsigned wire_port_room(const struct wire_port *p)
{
	if (p->stream)
		return wire_stream_waiting(p->stream) ? 0 : QUEUE;
	return QUEUE - p->count;
}

bool wire_port_by_tcp(const struct wire_port *p)
{
	return p->stream;
}

bool wire_port_waiting(const struct wire_port *p)
{
	return p->stream ? wire_stream_waiting(p->stream) : p->count > 0;
}

static uint8_t *reserve_at(struct wire_port *p, uint32_t headers)
{
	if (p->count == QUEUE)
		return NULL;
	if (!p->spare)
		p->spare = rte_pktmbuf_alloc(p->pool);
	return p->spare ? rte_pktmbuf_mtod_offset(p->spare, uint8_t *, headers) : NULL;
}

uint8_t *wire_port_reserve(struct wire_port *p)
{
	return p->stream ? wire_stream_reserve(p->stream) : reserve_at(p, HEADERS);
}

/* Headers in front of `bytes`, and the frame into the queue. */
static struct rte_ipv4_hdr *frame_out(struct wire_port *p, uint8_t protocol, uint32_t bytes, uint32_t from_ip, uint32_t to_ip)
{
	struct rte_ether_hdr *ether = rte_pktmbuf_mtod(p->spare, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);

	ether->dst_addr = p->peer;
	ether->src_addr = p->mac;
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + bytes)),
		.packet_id = p->ids++,
		.time_to_live = 64,
		.next_proto_id = protocol,
		.src_addr = rte_cpu_to_be_32(from_ip),
		.dst_addr = rte_cpu_to_be_32(to_ip),
	};
	ip->hdr_checksum = (uint16_t)~fold(sum_bytes((const uint8_t *)ip, sizeof(*ip)));
	p->spare->data_len = (uint16_t)(sizeof(*ether) + sizeof(*ip) + bytes);
	p->spare->pkt_len = p->spare->data_len;
	p->queue[p->count++] = p->spare;
	p->spare = NULL;
	return ip;
}

uint8_t *wire_port_segment_reserve(struct wire_port *p)
{
	return reserve_at(p, sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr));
}

void wire_port_segment_commit(struct wire_port *p, uint32_t bytes, uint32_t from_ip, uint32_t to_ip)
{
	frame_out(p, IPPROTO_TCP, bytes, from_ip, to_ip);
}

void wire_port_commit(struct wire_port *p, uint32_t len, const struct datagram_way *way)
{
	uint32_t bytes = (uint32_t)sizeof(struct rte_udp_hdr) + len;
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;
	uint16_t sum;

	p->stats.bytes_sent += len;
	if (p->stream) {
		p->stats.sent += wire_stream_commit(p->stream, len, way);
		return;
	}
	ip = frame_out(p, IPPROTO_UDP, bytes, way->from_ip, way->to_ip);
	udp = (struct rte_udp_hdr *)(ip + 1);
	*udp = (struct rte_udp_hdr){ rte_cpu_to_be_16(way->from_port), rte_cpu_to_be_16(way->to_port),
				     rte_cpu_to_be_16((uint16_t)bytes), 0 };
	sum = (uint16_t)~udp_sum(ip, udp, bytes);
	udp->dgram_cksum = sum ? sum : 0xffff;
}

static unsigned frames_out(struct wire_port *p)
{
	unsigned taken = 0, n;

	while (taken < p->count) {
		n = rte_eth_tx_burst(p->ethdev, 0, p->queue + taken, (uint16_t)(p->count - taken));
		if (!n)
			break;
		taken += n;
	}
	p->stats.sent += p->stream ? 0 : taken; /* messages */
	if (taken < p->count) {
		p->stats.full++;
		memmove(p->queue, p->queue + taken, (p->count - taken) * sizeof(p->queue[0]));
	}
	p->count -= taken;
	return taken;
}

unsigned wire_port_flush(struct wire_port *p)
{
	unsigned taken = 0, full;

	if (!p->stream)
		return frames_out(p);
	do { /* segments that found no room are made when there is some */
		wire_stream_advance(p->stream);
		full = p->count == QUEUE;
		taken += frames_out(p);
	} while (full && !p->count);
	return taken;
}

/* ---- ARP */

static bool is_mine(const struct wire_port *p, uint32_t ip)
{
	return (ip & NET_MASK) == (p->config.mine & NET_MASK) && ip != p->config.us;
}

static void arp_send(struct wire_port *p, uint16_t opcode, const struct rte_ether_addr *to, uint32_t from_ip, uint32_t to_ip)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);
	struct rte_ether_hdr *ether;
	struct rte_arp_hdr *arp;

	if (!m)
		return;
	ether = (struct rte_ether_hdr *)rte_pktmbuf_append(m, 60);
	memset(ether, 0, 60);
	arp = (struct rte_arp_hdr *)(ether + 1);
	ether->dst_addr = *to;
	ether->src_addr = p->mac;
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	arp->arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = 6;
	arp->arp_plen = 4;
	arp->arp_opcode = rte_cpu_to_be_16(opcode);
	arp->arp_data.arp_sha = p->mac;
	arp->arp_data.arp_sip = rte_cpu_to_be_32(from_ip);
	if (opcode == RTE_ARP_OP_REPLY)
		arp->arp_data.arp_tha = *to;
	arp->arp_data.arp_tip = rte_cpu_to_be_32(to_ip);
	if (!rte_eth_tx_burst(p->ethdev, 0, &m, 1))
		rte_pktmbuf_free(m);
}

static void arp_in(struct wire_port *p, const struct rte_mbuf *m)
{
	const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(m, const struct rte_arp_hdr *, sizeof(struct rte_ether_hdr));
	uint32_t sender = rte_be_to_cpu_32(arp->arp_data.arp_sip), target = rte_be_to_cpu_32(arp->arp_data.arp_tip);

	if (m->data_len < sizeof(struct rte_ether_hdr) + sizeof(*arp))
		return;
	if (sender == p->config.us) {
		p->peer = arp->arp_data.arp_sha;
		p->peer_known = true;
	}
	if (rte_be_to_cpu_16(arp->arp_opcode) == RTE_ARP_OP_REQUEST && is_mine(p, target) && sender == p->config.us)
		arp_send(p, RTE_ARP_OP_REPLY, &arp->arp_data.arp_sha, target, sender);
}

/* ---- in */

static bool read_frame(const struct wire_port *p, struct rte_mbuf *m, struct arrival *ret)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ether + 1);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	uint32_t bytes;

	if (m->data_len < HEADERS || ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) || ip->version_ihl != 0x45 ||
	    ip->next_proto_id != IPPROTO_UDP || ip->fragment_offset & rte_cpu_to_be_16(0x3fff))
		return false;
	/* Swapped MACs and nothing else are what an echo is. */
	if (p->config.echo &&
	    (!rte_is_same_ether_addr(&ether->dst_addr, &p->mac) || !rte_is_same_ether_addr(&ether->src_addr, &p->peer)))
		return false;
	bytes = rte_be_to_cpu_16(udp->dgram_len);
	if (bytes < sizeof(*udp) || bytes > m->data_len - HEADERS + sizeof(*udp))
		return false;
	ret->mbuf = m;
	ret->payload = (const uint8_t *)(udp + 1);
	ret->len = bytes - (uint32_t)sizeof(*udp);
	ret->way = (struct datagram_way){ rte_be_to_cpu_32(ip->src_addr), rte_be_to_cpu_32(ip->dst_addr),
					  rte_be_to_cpu_16(udp->src_port), rte_be_to_cpu_16(udp->dst_port) };
	return p->config.echo || is_mine(p, ret->way.to_ip);
}

static bool is_segment(const struct wire_port *p, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ether + 1);

	return p->stream && m->data_len >= sizeof(*ether) + sizeof(*ip) && ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) &&
	       ip->version_ihl == 0x45 && ip->next_proto_id == IPPROTO_TCP;
}

unsigned wire_port_receive(struct wire_port *p, struct arrival *ret_arrivals)
{
	struct rte_mbuf *frames[BURST];
	unsigned n = p->stream && wire_stream_behind(p->stream) ? 0 : rte_eth_rx_burst(p->ethdev, 0, frames, BURST), kept = 0;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];
		const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

		if (likely(read_frame(p, m, &ret_arrivals[kept]))) {
			p->stats.bytes_received += ret_arrivals[kept++].len;
			continue;
		}
		if (is_segment(p, m))
			wire_stream_segment(p->stream, m);
		else if (ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
			arp_in(p, m);
		else
			p->stats.other++;
		rte_pktmbuf_free(m);
	}
	if (p->stream) {
		kept = wire_stream_arrivals(p->stream, ret_arrivals, BURST);
		for (unsigned i = 0; i < kept; i++)
			p->stats.bytes_received += ret_arrivals[i].len;
	}
	p->stats.received += kept;
	return kept;
}

void wire_port_release(struct arrival *arrivals, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free(arrivals[i].mbuf);
}

bool wire_port_intact(const struct arrival *a)
{
	const struct rte_ipv4_hdr *ip;
	const struct rte_udp_hdr *udp;
	uint32_t bytes;

	if (!a->mbuf)
		return true;
	ip = rte_pktmbuf_mtod_offset(a->mbuf, const struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
	udp = (const struct rte_udp_hdr *)(ip + 1);
	bytes = rte_be_to_cpu_16(udp->dgram_len);

	return rte_be_to_cpu_16(ip->total_length) == sizeof(*ip) + bytes &&
	       fold(sum_bytes((const uint8_t *)ip, sizeof(*ip))) == 0xffff && udp->dgram_cksum &&
	       udp_sum(ip, udp, bytes) == 0xffff;
}

const struct wire_port_stats *wire_port_stats(const struct wire_port *p)
{
	return &p->stats;
}

/* ---- life */

static unsigned long hugepages(const char *which)
{
	char path[96];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-2048kB/%s_hugepages", which);
	f = fopen(path, "re");
	if (f && fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

static int start_eal(const struct wire_port_config *config, char *error_text)
{
	/* Those that somebody has mapped and not touched yet are free only by name. */
	bool huge = (hugepages("free") - hugepages("resv")) * 2 >= MEMORY_MB;
	char lcore[32], prefix[48], memory[16], device[512];
	char *argv[12];
	int argc = 0;

	snprintf(lcore, sizeof(lcore), "--lcores=0@%u", config->core);
	snprintf(prefix, sizeof(prefix), "--file-prefix=strowger-wire-%d", (int)getpid());
	snprintf(memory, sizeof(memory), "%d", MEMORY_MB);
	snprintf(device, sizeof(device), "--vdev=%s", config->device);
	argv[argc++] = "strowger-wire";
	argv[argc++] = lcore;
	argv[argc++] = prefix;
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--no-pci";
	argv[argc++] = "--log-level=error";
	argv[argc++] = "--iova-mode=va";
	argv[argc++] = device;
	if (huge) {
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
		argv[argc++] = "-m";
		argv[argc++] = memory;
	}
	if (rte_eal_init(argc, argv) >= 0)
		return 0;
	snprintf(error_text, 256, "DPDK does not start: %s", rte_strerror(rte_errno));
	return -1;
}

static int start_port(struct wire_port *p, char *error_text)
{
	struct rte_eth_conf conf = { 0 };
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	char name[64];
	int err;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(p->config.device, ","), p->config.device);
	err = rte_eth_dev_get_port_by_name(name, &p->ethdev);
	p->pool = rte_pktmbuf_pool_create("wire", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!err && !p->pool)
		err = -ENOMEM;
	if (!err)
		err = rte_eth_dev_configure(p->ethdev, 1, 1, &conf);
	if (!err)
		err = rte_eth_dev_adjust_nb_rx_tx_desc(p->ethdev, &rx, &tx);
	if (!err)
		err = rte_eth_rx_queue_setup(p->ethdev, 0, rx, (unsigned)rte_eth_dev_socket_id(p->ethdev), NULL, p->pool);
	if (!err)
		err = rte_eth_tx_queue_setup(p->ethdev, 0, tx, (unsigned)rte_eth_dev_socket_id(p->ethdev), NULL);
	if (!err)
		err = rte_eth_dev_start(p->ethdev);
	if (!err)
		err = rte_eth_macaddr_get(p->ethdev, &p->mac);
	if (err)
		snprintf(error_text, 256, "%s does not start: %s", name, rte_strerror(-err));
	return err;
}

struct wire_port *wire_port_open(const struct wire_port_config *config, char *error_text)
{
	struct wire_port *p = calloc(1, sizeof(*p));

	snprintf(error_text, 256, "no memory");
	if (!p)
		return NULL;
	p->config = *config;
	p->peer = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 1 } };
	if (start_eal(config, error_text) || start_port(p, error_text)) {
		free(p);
		return NULL;
	}
	return p;
}

/* A device that is yet to start needs this core for that, and a driver has no event to wait for. */
static bool link_comes(struct wire_port *p, uint64_t end)
{
	struct rte_eth_link link = { 0 };

	for (;;) {
		rte_eth_link_get_nowait(p->ethdev, &link);
		if (link.link_status || rte_rdtsc() >= end)
			return link.link_status;
		rte_delay_us_sleep(LINK_LOOK_US);
	}
}

/* A reply may be lost where the other end is not quite up, so it is asked again. */
static bool peer_answers(struct wire_port *p, uint64_t end)
{
	uint64_t now = rte_rdtsc(), again = 0;
	struct arrival arrivals[BURST];

	while (!p->peer_known && now < end) {
		if (now >= again)
			arp_send(p, RTE_ARP_OP_REQUEST, &(struct rte_ether_addr){ { 255, 255, 255, 255, 255, 255 } },
				 (p->config.mine & NET_MASK) | 0xfefe, p->config.us);
		again = now >= again ? now + rte_get_tsc_hz() / 10 : again;
		wire_port_release(arrivals, wire_port_receive(p, arrivals));
		now = rte_rdtsc();
	}
	return p->peer_known;
}

int wire_port_meet(struct wire_port *p, unsigned wait_s, char *error_text)
{
	uint64_t end = rte_rdtsc() + wait_s * rte_get_tsc_hz();

	if (!link_comes(p, end)) {
		snprintf(error_text, 256, "no link after %u s", wait_s);
		return -1;
	}
	if (!p->config.echo && !peer_answers(p, end)) {
		snprintf(error_text, 256, "the device does not answer ARP");
		return -1;
	}
	if (!p->config.connections)
		return 0;
	p->stream = wire_stream_new(&p->config, p);
	if (!p->stream)
		snprintf(error_text, 256, "no memory");
	return p->stream && wire_stream_open(p->stream, wait_s, error_text) ? 0 : -1;
}

void wire_port_close(struct wire_port *p)
{
	wire_stream_free(p->stream);
	rte_pktmbuf_free(p->spare);
	rte_pktmbuf_free_bulk(p->queue, p->count);
	rte_eth_dev_stop(p->ethdev);
	rte_eth_dev_close(p->ethdev);
	rte_eal_cleanup();
	free(p);
}
