/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/device.h"
#include "port.h"

/* What a port is made of: shared by port.c, which runs it, and port_setup.c, which opens and closes it. */

struct port_queue {
	_Alignas(64) uint16_t ethdev;
	uint16_t queue;				     /* of that ethdev */
	int wait_fd;				     /* -1: none */
	_Atomic(uint64_t) rx_other_vlan, tx_unsendable; /* written by the queue's worker */
};

struct port_device {
	const char *arguments;
	enum device_kind kind;
	uint16_t ethdev;
	uint16_t first_queue, queues; /* of the port */
	bool configured, started;
};

struct port {
	char name[16];
	uint8_t mac[6];
	uint16_t mtu, vlan;
	bool rx_sums, tx_sums, tx_tcp_sums;
	bool multi_segs; /* every device sends chained frames as they are */
	struct rte_mempool *pool, *rx_pool;
	bool rx_pool_own;
	unsigned device_count;
	struct port_device devices[PORT_DEVICES_MAX];
	unsigned queues;
	struct port_queue queue[];
};
