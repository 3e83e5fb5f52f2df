/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct rte_mbuf;

/* IP fragments of both families put together (rte_ip_frag), bounded in datagrams and in time. One per worker. A datagram of more than
 * 8 fragments, or with two that overlap or repeat each other, is refused whole (RFC 5722, for IPv4 as well). */

struct reassembly;

/* max_datagrams incomplete ones at a time, each for at most timeout_ms. NULL: no memory. control-only */
struct reassembly *reassembly_new(uint32_t max_datagrams, uint32_t timeout_ms);
void reassembly_free(struct reassembly *r);

/* Takes the frame over. The whole datagram (chained, its first frame's Ethernet header kept, IP length and checksum made right),
 * or NULL: kept, or refused (then *ret_dropped frames were freed). worker-only */
struct rte_mbuf *reassembly_add(struct reassembly *r, struct rte_mbuf *fragment, uint16_t l2_len, uint64_t now_ms,
				uint32_t *ret_dropped);

/* Frees what timed out, some 300 frames at most in one call; returns how many. Call it now and then. worker-only */
uint32_t reassembly_expire(struct reassembly *r, uint64_t now_ms);
