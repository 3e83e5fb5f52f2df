/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* The only user of rte_ethdev. A port is one or more ethdevs (an AF_XDP socket serves one queue, so two queues are two ethdevs);
 * worker w receives on and sends to queue w of it, whichever ethdev that is. What the drivers do and do not is hidden here: checksums
 * that they do not offload, multi-segment frames that they corrupt, frames of our own that AF_PACKET reflects. */

#define PORT_DEVICES_MAX 16

struct port_config {
	char name[16];		    /* the operator's name for it; also of the kernel interface paired with it */
	char devices[PORT_DEVICES_MAX][256]; /* DPDK device arguments: "0000:00:05.0" or "net_af_xdp0,iface=..."; probed by EAL */
	unsigned device_count;
	unsigned queues;	    /* workers */
	uint16_t mtu;		    /* IP MTU, 1500 */
	/* 0: a port as it is: frames with a VLAN tag reach packet_parse with their tag and so go to the kernel, whose own VLAN interfaces may
	 * stand on the paired one. Else an access port of that VLAN: every frame sent, the kernel's too, gets this tag; it is taken
	 * off what is received; frames without it are dropped and counted. The floors above see no tag. */
	uint16_t vlan;
};

/* The data room (headroom included) that mbufs need so that every frame these ports receive fits into one: 2,176 bytes at least; 8 kB
 * frames of AF_PACKET, which the kernel puts together from fragments, need more, but AF_XDP cannot have more than a page. Where both are
 * configured AF_XDP wins, and the other port makes a pool of its own. any */
uint16_t port_mbuf_bytes(const struct port_config *configs, unsigned count);

struct port;

/* Configures and starts. Queues are spread over the devices in order. 0; -ERR_NOT_FOUND (no such device), -ERR_UNSUPPORTED (fewer queues
 * than workers, or a kernel interface with more, whose flows would be lost), -ERR_NOMEM, -ERR_IO; error_text (256 bytes) says which and
 * what to do about it. An AF_XDP queue takes 2,048 mbufs of the pool to itself at once, and up to 2,048 more while it sends.
 * control-only, before the workers start and before privileges are dropped */
int port_open(const struct port_config *config, struct rte_mempool *pool, struct port **ret_port, char *error_text);
/* Stops and closes; the workers have stopped. control-only */
void port_close(struct port *p);

uint16_t port_mtu(const struct port *p);
void port_mac(const struct port *p, uint8_t ret_mac[6]);
const char *port_name(const struct port *p);
/* The driver verifies / fills in UDP and IP checksums. any */
bool port_rx_checksum(const struct port *p);
bool port_tx_checksum(const struct port *p);
/* The driver fills in TCP's too. any */
bool port_tx_tcp_checksum(const struct port *p);
/* Handing frames to some device of it takes a system call. any */
bool port_tx_by_kernel(const struct port *p);

/* At most n frames (n up to 64), single-segment or chained, the caller's to free; our own reflected ones are dropped and counted in
 * *ret_own. worker-only, queue = the worker's index */
uint16_t port_rx(struct port *p, unsigned queue, struct rte_mbuf **frames, uint16_t n, uint32_t *ret_own);

/* Takes frames from the front of the list (n up to 64); returns how many it took. The caller owns the rest, whose pointers may have
 * changed: a chained frame becomes one segment where the driver wants it. worker-only */
uint16_t port_tx(struct port *p, unsigned queue, struct rte_mbuf **frames, uint16_t n);

/* File descriptors that become readable when a frame waits on the queue (AF_PACKET, AF_XDP, TAP); returns how many (at most max), or
 * -ERR_UNSUPPORTED: this driver cannot be slept on. control-only, after port_open */
int port_wait_fds(const struct port *p, unsigned queue, int *fds, unsigned max);

struct port_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors;
	uint64_t rx_other_vlan, tx_unsendable; /* dropped here: not of the port's VLAN; larger than one mbuf */
};
/* control-only */
void port_stats(const struct port *p, struct port_stats *ret);
