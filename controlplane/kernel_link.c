/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_link.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/err.h"
#include "config.h"

int kernel_link_open(const char *name, int *ret_fd, uint32_t *ret_index, char *error_text)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0) {
		snprintf(error_text, 256, "/dev/net/tun: %s", strerror(errno));
		return -ERR_IO;
	}
	if (ioctl(fd, TUNSETIFF, &request)) {
		int err = errno == EBUSY || errno == EINVAL ? -ERR_EXISTS : -ERR_IO;

		snprintf(error_text, 256, "kernel interface %s: %s", name, err == -ERR_EXISTS ? "there is one of that name" : strerror(errno));
		close(fd);
		return err;
	}
	*ret_fd = fd;
	*ret_index = if_nametoindex(name);
	return 0;
}

/* Sends the request and waits for the kernel's word on it: 0 or an errno. */
static int ask(struct mnl_socket *nl, struct nlmsghdr *h)
{
	char answer[8192];
	int n;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = 1; /* never two at a time */
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return errno;
	n = (int)mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (n < 0)
		return errno;
	return mnl_cb_run(answer, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(nl), NULL, NULL) < 0 ? errno : 0;
}

static int set_link(struct mnl_socket *nl, uint32_t index, const uint8_t *mac, uint32_t mtu, unsigned flags)
{
	char buffer[256] = { 0 }; /* what fills an attribute up goes to the kernel too */
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;

	h->nlmsg_type = RTM_NEWLINK;
	link = mnl_nlmsg_put_extra_header(h, sizeof(*link));
	link->ifi_index = (int)index;
	link->ifi_flags = flags;
	link->ifi_change = flags;
	if (mac)
		mnl_attr_put(h, IFLA_ADDRESS, 6, mac);
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return ask(nl, h);
}

static void put_ip(struct nlmsghdr *h, uint16_t type, const struct ip_addr *ip)
{
	mnl_attr_put(h, type, ip->family == IP_V4 ? 4 : 16, ip->bytes);
}

static uint8_t family_of(const struct ip_addr *ip)
{
	return ip->family == IP_V4 ? AF_INET : AF_INET6;
}

static int add_address(struct mnl_socket *nl, uint32_t index, const struct config_address *a)
{
	char buffer[256] = { 0 }; /* what fills an attribute up goes to the kernel too */
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *address;

	h->nlmsg_type = RTM_NEWADDR;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	address = mnl_nlmsg_put_extra_header(h, sizeof(*address));
	address->ifa_family = family_of(&a->ip);
	address->ifa_prefixlen = a->length;
	address->ifa_index = index;
	put_ip(h, IFA_LOCAL, &a->ip);
	put_ip(h, IFA_ADDRESS, &a->ip);
	if (a->ip.family == IP_V6)
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD);
	return ask(nl, h);
}

static int add_gateway(struct mnl_socket *nl, uint32_t index, const struct ip_addr *gateway, uint32_t metric)
{
	char buffer[256] = { 0 }; /* what fills an attribute up goes to the kernel too */
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct rtmsg *route;

	h->nlmsg_type = RTM_NEWROUTE;
	h->nlmsg_flags = NLM_F_CREATE;
	route = mnl_nlmsg_put_extra_header(h, sizeof(*route));
	route->rtm_family = family_of(gateway);
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_UNIVERSE;
	route->rtm_type = RTN_UNICAST;
	put_ip(h, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(h, RTA_OIF, index);
	mnl_attr_put_u32(h, RTA_PRIORITY, metric);
	return ask(nl, h);
}

/* Where IPv6 is switched off, or /proc is not to be written, the kernel's defaults stay. */
static void set_option(const char *name, const char *option, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", name, option);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		errno = 0;
	close(fd);
}

static int fail(char *error_text, const char *name, const char *what, int error)
{
	snprintf(error_text, 256, "kernel interface %s: %s: %s", name, what, strerror(error));
	return -ERR_IO;
}

static int setup(struct mnl_socket *nl, const char *name, uint32_t index, const uint8_t mac[6], uint16_t mtu, const struct config_port *config,
		 uint32_t metric, char *error_text)
{
	static const uint8_t none[6];
	char text[IP_TEXT_MAX + 2], what[128];
	int error;

	/* A driver without an address of its own leaves the one that the kernel made up. */
	error = set_link(nl, index, memcmp(mac, none, 6) ? mac : NULL, mtu, 0);
	if (error)
		return fail(error_text, name, "address or MTU", error);
	set_option(name, "accept_dad", "0");
	set_option(name, "keep_addr_on_down", "1");
	error = set_link(nl, index, NULL, 0, IFF_UP);
	if (error)
		return fail(error_text, name, "up", error);
	for (unsigned i = 0; i < config->address_count; i++) {
		error = add_address(nl, index, &config->addresses[i]);
		if (error) {
			ip_format(&config->addresses[i].ip, false, text);
			snprintf(what, sizeof(what), "address %s/%u", text, config->addresses[i].length);
			return fail(error_text, name, what, error);
		}
	}
	for (unsigned i = 0; i < config->gateway_count; i++) {
		error = add_gateway(nl, index, &config->gateways[i], metric);
		if (error) {
			ip_format(&config->gateways[i], false, text);
			snprintf(what, sizeof(what), "gateway %s", text);
			return fail(error_text, name, what, error);
		}
	}
	return 0;
}

int kernel_link_setup(const char *name, uint32_t index, const uint8_t mac[6], uint16_t mtu, const struct config_port *config,
		      uint32_t metric, char *error_text)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int status;

	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		status = fail(error_text, name, "netlink", errno);
	else
		status = setup(nl, name, index, mac, mtu, config, metric, error_text);
	if (nl)
		mnl_socket_close(nl);
	return status;
}
