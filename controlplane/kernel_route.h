/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct nlattr;
struct nlmsghdr;
struct route;

/* What rtnetlink's messages say about routes. Pure. */

/* The port behind an interface, which is its place among them; -1: none. any */
int kernel_route_port(const uint32_t *interfaces, unsigned count, uint32_t interface);

/* An address of AF_INET or AF_INET6; false: another family, or too short. any */
bool kernel_route_ip(const struct nlattr *a, uint8_t family, struct ip_addr *ret_ip);

/* A route of the main table that leads to hosts through one of the interfaces; false: another, or one that does not work now. Of several
 * next hops the first that works. any */
bool kernel_route_read(const struct nlmsghdr *h, const uint32_t *interfaces, unsigned count, struct route *ret_route);
