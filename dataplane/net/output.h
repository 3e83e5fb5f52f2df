/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/counters.h"

struct port;
struct routes;
struct rte_mbuf;
struct rte_mempool;

/* Packets out: UDP and IP headers in front of a payload, fragments where it is larger than the MTU, the frame queued on the port that the
 * route names; handed to the driver once per loop turn, or some at a time where that costs no system call. One per worker. */

#define OUTPUT_HEADROOM (14 + 4 + 40 + 8) /* Ethernet, VLAN, IPv6, UDP: bytes left free in front of the payload */
#define OUTPUT_PAYLOAD_MAX 65507

struct output_config {
	struct port *const *ports;
	unsigned port_count;
	unsigned queue; /* the worker's index */
	struct rte_mempool *pool;
	const struct routes *routes;
	struct counters *counters;
	/* A datagram whose next hop the kernel must resolve, as an IP packet (no Ethernet header) of one segment; takes it over. Where it is larger
	 * than the port's MTU this is called for each of its fragments, since a raw socket refuses more than that.
	 * The callee counts. NULL: such datagrams are -ERR_UNREACHABLE. */
	void (*to_kernel)(void *ctx, struct rte_mbuf *ip_packet, uint16_t port);
	void *ctx;
};

struct output;

/* NULL: no memory. control-only */
struct output *output_new(const struct output_config *config);
void output_free(struct output *o);

/* Room for a payload of up to `bytes` (at most OUTPUT_PAYLOAD_MAX), contiguous: an mbuf's data where it fits, else a scratch area.
 * One at a time: the next call forgets an uncommitted one. NULL: no mbuf (counted). worker-only */
uint8_t *output_reserve(struct output *o, uint32_t bytes);
/* The same, and asks for what output_commit will read of the way there: of thousands of peers it is not in the first cache. worker-only */
uint8_t *output_reserve_for(struct output *o, uint32_t bytes, const struct ip_port *source, const struct ip_port *destination);

/* Sends the first len bytes of what was reserved. 0, -ERR_UNREACHABLE (counted: no route, two families, or no to_kernel and no neighbour). Full
 * ports drop and count; so does a lack of mbufs for fragments, all of them or none. worker-only */
int output_commit(struct output *o, uint32_t len, const struct ip_port *source, const struct ip_port *destination);

/* Sends the first len bytes of what was reserved as a TCP segment, header and payload, never in fragments (DF). Its checksum field is zero:
 * it, or the driver, fills that in. 0, -ERR_UNREACHABLE as above; one that does not fit the port's MTU is dropped and counted.
 * worker-only */
int output_commit_tcp(struct output *o, uint32_t len, const struct ip_addr *source, const struct ip_addr *destination);

/* The least MTU of all ports. any */
uint16_t output_mtu(const struct output *o);

/* Queues a whole frame on a port (what the kernel sends), without the tag of the port's VLAN. Takes it over. worker-only */
void output_frame(struct output *o, uint16_t port, struct rte_mbuf *frame);

/* Takes over frames that nobody reads any more: what is sent next goes out in them, as far as they can be sent from. worker-only */
void output_recycle(struct output *o, struct rte_mbuf *const *frames, unsigned n);

/* Hands the queued frames to the drivers. worker-only */
void output_flush(struct output *o);
