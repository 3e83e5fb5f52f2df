/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The file descriptors that a driver opened, which DPDK does not tell: found among all of this process. */

#define WAIT_FDS_MAX 4096

struct wait_fd_set {
	unsigned count;
	int fd[WAIT_FDS_MAX]; /* ascending */
};

/* Packet sockets bound to an interface: in order of their making, so AF_PACKET's queues in order. control-only */
void wait_fd_packet(uint32_t interface_index, struct wait_fd_set *ret);
/* All AF_XDP sockets. control-only */
void wait_fd_xdp(struct wait_fd_set *ret);
/* All that are open on /dev/net/tun. control-only */
void wait_fd_tun(struct wait_fd_set *ret);

/* The first of `after` that is not among `before`; -1: none. any */
int wait_fd_new(const struct wait_fd_set *before, const struct wait_fd_set *after);
