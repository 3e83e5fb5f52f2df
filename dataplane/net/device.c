/* SPDX-License-Identifier: Apache-2.0 */
#include "net/device.h"

#include <ctype.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

/* [dddd:]bb:dd.f */
static bool is_pci(const char *s)
{
	size_t n = strcspn(s, ",");
	unsigned colons = 0, dots = 0;

	for (size_t i = 0; i < n; i++) {
		colons += s[i] == ':';
		dots += s[i] == '.';
		if (s[i] != ':' && s[i] != '.' && !isxdigit((unsigned char)s[i]))
			return false;
	}
	return (colons == 1 || colons == 2) && dots == 1;
}

/* The driver's name is what a number of our choosing follows; "eth_" is DPDK's older spelling. */
static bool has_driver(const char *s, const char *driver)
{
	if (strncmp(s, "eth_", 4) == 0 || strncmp(s, "net_", 4) == 0)
		s += 4;
	return strncmp(s, driver, strlen(driver)) == 0;
}

enum device_kind device_kind(const char *arguments)
{
	if (is_pci(arguments))
		return DEVICE_PCI;
	if (has_driver(arguments, "af_packet"))
		return DEVICE_AF_PACKET;
	if (has_driver(arguments, "af_xdp"))
		return DEVICE_AF_XDP;
	if (has_driver(arguments, "tap"))
		return DEVICE_TAP;
	return DEVICE_OTHER;
}

int device_name(const char *arguments, char ret_name[DEVICE_NAME_MAX])
{
	size_t n = strcspn(arguments, ",");

	if (!n || n >= DEVICE_NAME_MAX)
		return -ERR_INVALID;
	memcpy(ret_name, arguments, n);
	ret_name[n] = '\0';
	return 0;
}

bool device_value(const char *arguments, const char *key, char *ret_value, unsigned bytes)
{
	size_t length = strlen(key);

	for (const char *p = strchr(arguments, ','); p; p = strchr(p, ',')) {
		size_t n;

		p++;
		if (strncmp(p, key, length) || p[length] != '=')
			continue;
		p += length + 1;
		n = strcspn(p, ",");
		if (n >= bytes)
			return false;
		memcpy(ret_value, p, n);
		ret_value[n] = '\0';
		return true;
	}
	return false;
}

uint32_t device_number(const char *arguments, const char *key, uint32_t otherwise)
{
	char text[16], *end;
	unsigned long v;

	if (!device_value(arguments, key, text, sizeof(text)))
		return otherwise;
	v = strtoul(text, &end, 10);
	return *end || end == text || v > UINT32_MAX ? otherwise : (uint32_t)v;
}

bool device_shares_buffers(const char *arguments)
{
	char value[4];

	return has_driver(arguments, "memif") && device_value(arguments, "zero-copy", value, sizeof(value)) && strcmp(value, "yes") == 0;
}

bool device_connects(const char *arguments)
{
	char role[8];

	return has_driver(arguments, "memif") && (!device_value(arguments, "role", role, sizeof(role)) || strcmp(role, "server") != 0);
}

bool device_interface(const char *arguments, char ret_name[16])
{
	enum device_kind kind = device_kind(arguments);

	return (kind == DEVICE_AF_PACKET || kind == DEVICE_AF_XDP) && device_value(arguments, "iface", ret_name, 16);
}

/* 0: the driver does not say. (sysfs would, but shows the interfaces of the network namespace that it was mounted in.) */
static unsigned count_queues(int s, struct ifreq *request)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	request->ifr_data = (void *)&channels;
	return ioctl(s, SIOCETHTOOL, request) ? 0 : channels.rx_count + channels.combined_count;
}

int interface_read(const char *name, struct interface *ret)
{
	struct ifreq request = { 0 };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), status = -ERR_NOT_FOUND;

	if (s < 0)
		return -ERR_NOT_FOUND;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	ret->index = if_nametoindex(name);
	if (ret->index && ioctl(s, SIOCGIFMTU, &request) == 0) {
		ret->mtu = (uint32_t)request.ifr_mtu;
		ret->rx_queues = count_queues(s, &request);
		status = 0;
	}
	close(s);
	return status;
}
