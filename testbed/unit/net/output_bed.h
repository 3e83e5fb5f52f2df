/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A net_ring port with routes and neighbours, and what tests of net/output.h send through it. */

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/addr.h"
#include "base/counters.h"
#include "net/output.h"
#include "port.h"
#include "tables/routes.h"

#define MTU	  1500
#define COLLECTED 128
#define RING	  1023 /* what net_ring holds */

/* Frames that went to the kernel, copied. */
struct collected {
	unsigned count;
	uint16_t port[COLLECTED];
	uint32_t length[COLLECTED];
	uint8_t bytes[COLLECTED][2048];
};

extern struct rte_mempool *pool, *small;
extern struct port *port;
extern struct routes *routes;
extern struct counters counters;
extern struct collected kernel, wire;
extern const uint8_t peer_mac[6];
extern const struct ip_port from4, to4, from6, to6, stranger4, nowhere4, stranger6;

uint64_t counted(enum counter which);
/* A frame's bytes; frees it. */
void collect(struct collected *c, struct rte_mbuf *m, uint16_t at);
/* What the port sent, into wire. */
void receive(void);
int publish_routes(void);
/* With counters and what was collected at zero. */
struct output *output(struct rte_mempool *from, bool with_kernel);
/* A payload of so many bytes: output_commit's result. */
int put_out(struct output *o, uint32_t bytes, const struct ip_port *from, const struct ip_port *to);
void check_ether(const uint8_t *frame, bool v4);

/* For cmocka_run_group_tests. */
int bed_start(void **state);
int bed_stop(void **state);
