/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_route.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "tables/routes.h"

struct interfaces {
	const uint32_t *index;
	unsigned count;
};

int kernel_route_port(const uint32_t *interfaces, unsigned count, uint32_t interface)
{
	for (unsigned i = 0; i < count; i++)
		if (interfaces[i] == interface)
			return (int)i;
	return -1;
}

bool kernel_route_ip(const struct nlattr *a, uint8_t family, struct ip_addr *ret_ip)
{
	unsigned bytes = family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(a) < bytes || (family != AF_INET && family != AF_INET6))
		return false;
	*ret_ip = (struct ip_addr){ .family = family == AF_INET ? IP_V4 : IP_V6 };
	memcpy(ret_ip->bytes, mnl_attr_get_payload(a), bytes);
	return true;
}

/* One way to go on: fills in port and gateway; false: not through a port of ours, or broken. */
static bool read_hop(const struct interfaces *of, uint8_t family, uint32_t interface, unsigned flags, const struct nlattr *gateway,
		     const struct nlattr *via, struct route *r)
{
	int port = kernel_route_port(of->index, of->count, interface);

	if (port < 0 || flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return false;
	r->port = (uint16_t)port;
	r->gateway = (struct ip_addr){ 0 };
	if (gateway)
		return kernel_route_ip(gateway, family, &r->gateway);
	if (via && mnl_attr_get_payload_len(via) >= sizeof(struct rtvia)) {
		const struct rtvia *v = mnl_attr_get_payload(via);
		unsigned bytes = v->rtvia_family == AF_INET ? 4 : 16;

		if (mnl_attr_get_payload_len(via) < sizeof(*v) + bytes)
			return false;
		r->gateway.family = v->rtvia_family == AF_INET ? IP_V4 : IP_V6;
		memcpy(r->gateway.bytes, v->rtvia_addr, bytes);
	}
	return true;
}

static bool read_multipath(const struct interfaces *of, uint8_t family, const struct nlattr *multipath, struct route *r)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	for (; RTNH_OK(hop, left); left -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		const struct nlattr *attr, *gateway = NULL, *via = NULL;

		mnl_attr_for_each_payload((const struct nlattr *)RTNH_DATA(hop), hop->rtnh_len - sizeof(*hop))
		{
			if (mnl_attr_get_type(attr) == RTA_GATEWAY)
				gateway = attr;
			else if (mnl_attr_get_type(attr) == RTA_VIA)
				via = attr;
		}
		if (read_hop(of, family, (uint32_t)hop->rtnh_ifindex, hop->rtnh_flags, gateway, via, r))
			return true;
	}
	return false;
}

bool kernel_route_read(const struct nlmsghdr *h, const uint32_t *interfaces, unsigned count, struct route *ret_route)
{
	const struct interfaces of = { interfaces, count };
	const struct nlattr *attributes[RTA_MAX + 1] = { 0 }, *a;
	const struct rtmsg *message = mnl_nlmsg_get_payload(h);
	uint32_t table = message->rtm_table, metric = 0;

	mnl_attr_for_each(a, h, sizeof(*message))
		if (mnl_attr_get_type(a) <= RTA_MAX)
			attributes[mnl_attr_get_type(a)] = a;
	if (attributes[RTA_TABLE])
		table = mnl_attr_get_u32(attributes[RTA_TABLE]);
	if (table != RT_TABLE_MAIN || message->rtm_type != RTN_UNICAST || message->rtm_flags & RTM_F_CLONED || message->rtm_src_len ||
	    (message->rtm_family != AF_INET && message->rtm_family != AF_INET6))
		return false;
	*ret_route = (struct route){ .prefix = { { .family = message->rtm_family == AF_INET ? IP_V4 : IP_V6 }, message->rtm_dst_len } };
	if (attributes[RTA_DST] && !kernel_route_ip(attributes[RTA_DST], message->rtm_family, &ret_route->prefix.ip))
		return false;
	if (attributes[RTA_PRIORITY])
		metric = mnl_attr_get_u32(attributes[RTA_PRIORITY]);
	ret_route->metric = (uint16_t)(metric > UINT16_MAX ? UINT16_MAX : metric);
	if (attributes[RTA_MULTIPATH])
		return read_multipath(&of, message->rtm_family, attributes[RTA_MULTIPATH], ret_route);
	return attributes[RTA_OIF] && read_hop(&of, message->rtm_family, mnl_attr_get_u32(attributes[RTA_OIF]), message->rtm_flags,
					       attributes[RTA_GATEWAY], attributes[RTA_VIA], ret_route);
}
