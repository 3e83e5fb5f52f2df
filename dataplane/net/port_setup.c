/* SPDX-License-Identifier: Apache-2.0 */
#include "net/port_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "net/bytes.h"
#include "net/wait_fd.h"
#include "net/xdp_program.h"

#define DESCRIPTORS    1024
#define RX_SUMS	       (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define RX_TCP_SUMS    RTE_ETH_RX_OFFLOAD_TCP_CKSUM
#define TX_TCP_SUMS    RTE_ETH_TX_OFFLOAD_TCP_CKSUM
#define TX_SUMS	       (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)
#define OWN_POOL_MBUFS 2047 /* per queue */

/* What AF_PACKET's driver takes when it is not told. */
#define PACKET_FRAME_DEFAULT 2048
/* A page, less the mempool's and the mbuf's own headers. */
#define XDP_ROOM_MAX 3712

static uint32_t data_room(const struct port_config *config, const char *arguments)
{
	uint32_t frame = config->mtu + ETHER_BYTES + 2u * VLAN_BYTES;

	if (device_kind(arguments) == DEVICE_AF_PACKET)
		frame = RTE_MAX(frame, device_number(arguments, "framesz", PACKET_FRAME_DEFAULT));
	frame = RTE_MAX(frame, (uint32_t)RTE_MBUF_DEFAULT_DATAROOM) + RTE_PKTMBUF_HEADROOM;
	return RTE_MIN(frame, (uint32_t)UINT16_MAX & ~63u);
}

uint16_t port_mbuf_bytes(const struct port_config *configs, unsigned count)
{
	uint32_t need = RTE_MBUF_DEFAULT_BUF_SIZE;
	bool xdp = false;

	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < configs[i].device_count; k++) {
			xdp |= device_kind(configs[i].devices[k]) == DEVICE_AF_XDP;
			need = RTE_MAX(need, data_room(&configs[i], configs[i].devices[k]));
		}
	return (uint16_t)(xdp ? RTE_MIN(need, (uint32_t)XDP_ROOM_MAX) : need);
}

/* AF_XDP queues of an interface that the port's devices serve. */
static unsigned xdp_queues(const struct port_config *config, const char *interface)
{
	unsigned n = 0;

	for (unsigned i = 0; i < config->device_count; i++) {
		char name[16];

		if (device_kind(config->devices[i]) == DEVICE_AF_XDP && device_interface(config->devices[i], name) &&
		    strcmp(name, interface) == 0)
			n += device_number(config->devices[i], "queue_count", 1);
	}
	return n;
}

/* What can be known of a kernel interface below before its sockets are made. */
static int check_interface(const struct port_config *config, const struct port_device *device, bool first, char *error_text)
{
	char interface[16], program[XDP_NAME_MAX];
	struct interface info;
	int err;

	if (!device_interface(device->arguments, interface))
		return 0;
	if (interface_read(interface, &info)) {
		snprintf(error_text, 256, "port %s: no interface %s", config->name, interface);
		return -ERR_NOT_FOUND;
	}
	if (info.mtu < config->mtu) {
		snprintf(error_text, 256, "port %s: the MTU of %s is %u, the port's is %u: make them agree", config->name, interface, info.mtu,
			 config->mtu);
		return -ERR_UNSUPPORTED;
	}
	if (device->kind != DEVICE_AF_XDP)
		return 0;
	if (info.rx_queues > xdp_queues(config, interface)) {
		snprintf(error_text, 256,
			 "port %s: %s has %u receive queues, only %u are served: ethtool -L, or as many workers and AF_XDP devices",
			 config->name, interface, info.rx_queues, xdp_queues(config, interface));
		return -ERR_UNSUPPORTED;
	}
	if (!first)
		return 0;
	err = xdp_program_clear(info.index, program);
	if (err)
		snprintf(error_text, 256, "port %s: XDP program %s on %s cannot be taken off: ip link set %s xdp off", config->name, program,
			 interface, interface);
	return err;
}

/* The device by its name, its share of the queues, and what it can do. */
static int find_device(struct port *p, const struct port_config *config, struct port_device *device, uint16_t first_queue,
		       struct rte_eth_dev_info *ret_info, char *error_text)
{
	char name[DEVICE_NAME_MAX];
	unsigned left = config->queues - first_queue, offered;

	if (device_name(device->arguments, name) || rte_eth_dev_get_port_by_name(name, &device->ethdev) ||
	    rte_eth_dev_info_get(device->ethdev, ret_info)) {
		snprintf(error_text, 256, "port %s: there is no device %.64s", config->name, device->arguments);
		return -ERR_NOT_FOUND;
	}
	offered = RTE_MIN(ret_info->max_rx_queues, ret_info->max_tx_queues);
	device->first_queue = first_queue;
	device->queues = (uint16_t)RTE_MIN(left, offered);
	/* AF_PACKET spreads frames over all queues it was made with. */
	if (!device->queues || (device->kind == DEVICE_AF_PACKET && device->queues < offered)) {
		snprintf(error_text, 256, "port %s: device %.64s offers more queues than there are workers (%u)", config->name,
			 device->arguments, config->queues);
		return -ERR_UNSUPPORTED;
	}
	p->multi_segs &= !!(ret_info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	p->rx_sums &= (ret_info->rx_offload_capa & RX_SUMS) == RX_SUMS;
	p->tx_sums &= (ret_info->tx_offload_capa & TX_SUMS) == TX_SUMS;
	p->tx_tcp_sums &= !!(ret_info->tx_offload_capa & TX_TCP_SUMS);
	return 0;
}

/* Makes one queue, and finds the socket that the driver made for it. */
static int make_queue(struct port *p, struct port_device *device, uint16_t i, const struct rte_eth_dev_info *info)
{
	struct port_queue *q = &p->queue[device->first_queue + i];
	void (*list)(struct wait_fd_set *) = device->kind == DEVICE_AF_XDP ? wait_fd_xdp :
					     device->kind == DEVICE_TAP	   ? wait_fd_tun :
									     NULL;
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	struct wait_fd_set before, after;
	int socket = rte_eth_dev_socket_id(device->ethdev);
	int err = rte_eth_dev_adjust_nb_rx_tx_desc(device->ethdev, &rx, &tx);

	if (err)
		return err;
	q->ethdev = device->ethdev;
	q->queue = i;
	if (list)
		list(&before);
	err = rte_eth_rx_queue_setup(device->ethdev, i, rx, (unsigned)socket, NULL, p->rx_pool);
	if (err)
		return err;
	if (list) {
		list(&after);
		q->wait_fd = wait_fd_new(&before, &after);
	}
	return rte_eth_tx_queue_setup(device->ethdev, i, tx, (unsigned)socket, NULL);
}

static int configure(struct port *p, struct port_device *device, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {
		.rxmode.offloads = p->rx_sums ? RX_SUMS | (info->rx_offload_capa & RX_TCP_SUMS) : 0,
		.txmode.offloads = (p->tx_sums ? TX_SUMS : 0) | (port_tx_tcp_checksum(p) ? TX_TCP_SUMS : 0) | (p->multi_segs ? RTE_ETH_TX_OFFLOAD_MULTI_SEGS : 0),
	};
	int err;

	/* A kernel interface has its MTU from the kernel. */
	if (device->kind == DEVICE_PCI) {
		conf.rxmode.mtu = p->mtu;
		if (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER)
			conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	}
	if (device->queues > 1 && info->flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP) & info->flow_type_rss_offloads;
	}
	err = rte_eth_dev_configure(device->ethdev, device->queues, device->queues, &conf);
	for (uint16_t i = 0; !err && i < device->queues; i++)
		err = make_queue(p, device, i, info);
	return err;
}

/* AF_PACKET made its sockets when it was probed: one per queue, in order. */
static void find_packet_sockets(struct port *p, const struct port_device *device)
{
	struct wait_fd_set sockets;
	struct interface info;
	char interface[16];

	if (device->kind != DEVICE_AF_PACKET || !device_interface(device->arguments, interface) || interface_read(interface, &info))
		return;
	wait_fd_packet(info.index, &sockets);
	for (uint16_t i = 0; sockets.count == device->queues && i < device->queues; i++)
		p->queue[device->first_queue + i].wait_fd = sockets.fd[i];
}

static const char *why_not_started(const struct port_device *device)
{
	if (device->kind == DEVICE_AF_XDP)
		return " (is its queue in use? are there 4,096 mbufs per queue?)";
	if (device_connects(device->arguments))
		return " (does the other end listen at its socket? it is to be started first)";
	return "";
}

static int start_device(struct port *p, const struct port_config *config, struct port_device *device,
			const struct rte_eth_dev_info *info, char *error_text)
{
	int err;

	err = check_interface(config, device, device == p->devices, error_text);
	if (err)
		return err;
	device->configured = true;
	err = configure(p, device, info);
	if (!err)
		err = rte_eth_dev_start(device->ethdev);
	if (err) {
		snprintf(error_text, 256, "port %s: device %.96s does not start: %s%s", config->name, device->arguments, rte_strerror(-err),
			 why_not_started(device));
		return -ERR_IO;
	}
	device->started = true;
	find_packet_sockets(p, device);
	/* Neighbour discovery is multicast. Where the driver has no such switch the interface below hears everything. */
	rte_eth_allmulticast_enable(device->ethdev);
	return 0;
}

/* A pool of the port's own where the common one's mbufs are too small for what AF_PACKET receives. */
static int choose_pool(struct port *p, const struct port_config *config, struct rte_mempool *pool, char *error_text)
{
	uint32_t need = 0;
	char name[32];

	p->pool = p->rx_pool = pool;
	for (unsigned i = 0; i < config->device_count; i++)
		if (device_kind(config->devices[i]) == DEVICE_AF_PACKET)
			need = RTE_MAX(need, data_room(config, config->devices[i]));
	if (need <= rte_pktmbuf_data_room_size(pool))
		return 0;
	snprintf(name, sizeof(name), "port_%s", config->name);
	p->rx_pool = rte_pktmbuf_pool_create(name, OWN_POOL_MBUFS * config->queues, 256, 0, (uint16_t)need, SOCKET_ID_ANY);
	if (!p->rx_pool) {
		snprintf(error_text, 256, "port %s: no memory for %u mbufs of %u bytes", config->name, OWN_POOL_MBUFS * config->queues, need);
		return -ERR_NOMEM;
	}
	p->rx_pool_own = true;
	return 0;
}

int port_open(const struct port_config *config, struct rte_mempool *pool, struct port **ret_port, char *error_text)
{
	struct rte_eth_dev_info info[PORT_DEVICES_MAX];
	struct rte_ether_addr mac;
	uint16_t queues = 0;
	struct port *p = NULL;
	size_t bytes = sizeof(*p) + config->queues * sizeof(p->queue[0]);
	int err = -ERR_NOMEM;

	snprintf(error_text, 256, "port %s: no memory", config->name);
	p = aligned_alloc(64, bytes);
	if (!p)
		return err;
	memset(p, 0, bytes);
	memcpy(p->name, config->name, sizeof(p->name) - 1);
	p->mtu = config->mtu;
	p->vlan = config->vlan;
	p->multi_segs = p->rx_sums = p->tx_sums = p->tx_tcp_sums = true;
	p->queues = config->queues;
	for (unsigned i = 0; i < p->queues; i++)
		p->queue[i].wait_fd = -1;
	err = choose_pool(p, config, pool, error_text);
	for (unsigned i = 0; !err && i < config->device_count; i++) {
		struct port_device *device = &p->devices[p->device_count];

		device->arguments = config->devices[i];
		device->kind = device_kind(device->arguments);
		err = find_device(p, config, device, queues, &info[i], error_text);
		if (!err) {
			p->device_count++;
			queues = (uint16_t)(queues + device->queues);
		}
	}
	if (!err && queues < config->queues) {
		snprintf(error_text, 256, "port %s: its devices have %u queues for %u workers", config->name, queues, config->queues);
		err = -ERR_UNSUPPORTED;
	}
	for (unsigned i = 0; !err && i < p->device_count; i++)
		err = start_device(p, config, &p->devices[i], &info[i], error_text);
	if (!err && rte_eth_macaddr_get(p->devices[0].ethdev, &mac)) {
		snprintf(error_text, 256, "port %s: its address cannot be read", config->name);
		err = -ERR_IO;
	}
	if (err) {
		port_close(p);
		return err;
	}
	memcpy(p->mac, &mac, 6);
	for (unsigned i = 0; i < p->device_count; i++)
		p->devices[i].arguments = NULL; /* the caller's */
	*ret_port = p;
	return 0;
}

void port_close(struct port *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->device_count; i++)
		if (p->devices[i].started)
			rte_eth_dev_stop(p->devices[i].ethdev);
	for (unsigned i = 0; i < p->device_count; i++)
		if (p->devices[i].configured)
			rte_eth_dev_close(p->devices[i].ethdev);
	if (p->rx_pool_own)
		rte_mempool_free(p->rx_pool);
	free(p);
}
