/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct config_port;
struct dataplane;
struct event_base;

/* The kernel as the L3 control plane: for every port a TAP interface with the port's name, address and MTU. What the data plane leaves to the
 * kernel (ARP, ND, ICMP, TCP, routing protocols) is written to it; what the kernel sends on it goes out of the port; routes and
 * neighbours that the kernel keeps for it are mirrored into tables/routes.
 *
 * It is a plain file descriptor of the control thread and no DPDK device (net_tap): workers then make no system call for it, and it does not
 * come and go with a port. It vanishes with kernel_free, or when the process ends in whatever way. */

struct kernel;

struct kernel_config {
	struct event_base *base;
	struct dataplane *dataplane;	 /* started, and freed later than this */
	const struct config_port *ports; /* addresses and gateways, beside the data plane's ports; read only by kernel_new */
};

/* Makes the interfaces, gives them their addresses and default routes (of metric 100 and the port's index, so that a default route which
 * the host has already stays the better one for the kernel's own traffic), brings them up, and mirrors all routes and neighbours once before
 * it returns. Needs CAP_NET_ADMIN and CAP_NET_RAW, from then on as well. 0; -ERR_IO, -ERR_NOMEM, -ERR_EXISTS with error_text (256 bytes).
 * control-only */
int kernel_new(const struct kernel_config *config, struct kernel **ret_kernel, char *error_text);
/* Takes some of the exceptions that wait in the data plane (its event is the caller's to listen to). true: at the bound, come again soon.
 * control-only */
bool kernel_take(struct kernel *k);
/* NULL is ignored. control-only */
void kernel_free(struct kernel *k);

struct kernel_stats {
	uint64_t to_kernel, from_kernel;     /* frames */
	uint64_t resolved;		     /* IP packets of ours that the kernel was asked to send */
	uint64_t drop_to_kernel, drop_from_kernel, drop_resolve; /* the kernel did not take it; the data plane did not; no way to the host */
	uint64_t routes, neighbours;	     /* mirrored now */
	uint64_t route_dumps, overruns;	     /* times that the routes were read; that notifications were lost */
	uint64_t refused;		     /* routes and neighbours beyond the tables' bounds */
};
/* control-only */
void kernel_stats(const struct kernel *k, struct kernel_stats *ret);
