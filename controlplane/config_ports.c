/* SPDX-License-Identifier: Apache-2.0 */
#include "config_ports.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "config.h"
#include "config_schema.h"
#include "error.h"
#include "model/fields.h"

/* A name that the kernel takes for an interface, and DPDK inside device arguments. */
static bool interface_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 15 && strcmp(name, ".") && strcmp(name, "..") &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@") == n;
}

/* ADDRESS/LENGTH with host bits, as `ip address add` takes it. */
static bool parse_address(const char *text, struct config_address *ret)
{
	const char *slash = strchr(text, '/');
	uint64_t length;

	if (!slash || ip_parse(span_of(text, (uint32_t)(slash - text)), &ret->ip))
		return false;
	if (!span_to_u64(span_str(slash + 1), ret->ip.family == IP_V4 ? 32 : 128, &length) || !length)
		return false;
	ret->length = (uint8_t)length;
	return true;
}

static int load_addresses(const struct raw_port *raw, const char *path, struct config_port *p, char *error)
{
	if (raw->addresses_count > CONFIG_ADDRESSES_MAX || raw->gateways_count > CONFIG_GATEWAYS_MAX)
		return error_set(error, -ERR_FULL, "%s: more than %d addresses or %d gateways", path, CONFIG_ADDRESSES_MAX, CONFIG_GATEWAYS_MAX);
	for (uint32_t i = 0; i < raw->addresses_count; i++)
		if (!parse_address(raw->addresses[i], &p->addresses[i]))
			return error_set(error, -ERR_INVALID, "%s.addresses[%u]: '%.64s' is not ADDRESS/LENGTH", path, i, raw->addresses[i]);
	for (uint32_t i = 0; i < raw->gateways_count; i++)
		if (ip_parse(span_str(raw->gateways[i]), &p->gateways[i]))
			return error_set(error, -ERR_INVALID, "%s.gateways[%u]: '%.64s' is not an IP address", path, i, raw->gateways[i]);
	p->address_count = raw->addresses_count;
	p->gateway_count = raw->gateways_count;
	return 0;
}

/* AF_XDP: a socket serves one queue, and one device with several queues is refused or loses flows, so every worker's queue is a device of
 * its own. AF_PACKET: the kernel hands over IPv4 datagrams that it has put together, so frames must be larger than the MTU; with eight of them
 * to a block and 2,048 in all it loses nothing at four times the rate that one a block and 256 do. */
static int virtual_devices(const struct raw_port *raw, unsigned index, struct port_config *port)
{
	if (strcmp(raw->driver, "af_packet") == 0) {
		snprintf(port->devices[0], sizeof(port->devices[0]),
			 "net_af_packet%u,iface=%s,qpairs=%u,framesz=8192,blocksz=65536,framecnt=2048,qdisc_bypass=0", index, raw->interface,
			 port->queues);
		port->device_count = 1;
		return 0;
	}
	if (port->queues > PORT_DEVICES_MAX)
		return -ERR_FULL;
	for (unsigned q = 0; q < port->queues; q++)
		snprintf(port->devices[q], sizeof(port->devices[q]), "net_af_xdp%u,iface=%s,start_queue=%u,queue_count=1",
			 index * PORT_DEVICES_MAX + q, raw->interface, q);
	port->device_count = port->queues;
	return 0;
}

static int load_device(const struct raw_port *raw, const char *path, unsigned index, struct port_config *port, char *error)
{
	static const char *const drivers[] = { "af_packet", "af_xdp", NULL };
	int driver, err;

	if (raw->device && (raw->driver || raw->interface))
		return error_set(error, -ERR_INVALID, "%s.device: stands instead of driver and interface, not beside them", path);
	if (raw->device) {
		if (!raw->device[0] || strpbrk(raw->device, " \t\r\n"))
			return error_set(error, -ERR_INVALID, "%s.device: '%.64s' is neither a PCI address nor device arguments", path, raw->device);
		port->device_count = 1;
		return field_text(raw->device, path, "device", port->devices[0], sizeof(port->devices[0]), error);
	}
	if (!raw->driver || !raw->interface)
		return error_set(error, -ERR_INVALID, "%s: needs driver and interface, or device", path);
	err = field_choice(raw->driver, 0, drivers, path, "driver", &driver, error);
	if (err)
		return err;
	if (!interface_name_valid(raw->interface))
		return error_set(error, -ERR_INVALID, "%s.interface: '%.64s' is not an interface name", path, raw->interface);
	if (virtual_devices(raw, index, port))
		return error_set(error, -ERR_INVALID, "%s.driver: %s serves at most %d workers", path, raw->driver, PORT_DEVICES_MAX);
	return 0;
}

static int load_port(const struct raw_port *raw, unsigned index, struct config *c, char *error)
{
	struct port_config *port = &c->dataplane.ports[index];
	char path[32];
	int64_t mtu, vlan;
	int err;

	snprintf(path, sizeof(path), "ports[%u]", index);
	if (!interface_name_valid(raw->name))
		return error_set(error, -ERR_INVALID, "%s.name: '%.64s' is not an interface name (at most 15 characters)", path, raw->name);
	port->queues = c->dataplane.workers;
	err = field_text(raw->name, path, "name", port->name, sizeof(port->name), error);
	if (!err)
		err = load_device(raw, path, index, port, error);
	if (!err)
		err = field_integer(raw->mtu, 1500, 1280, 9000, path, "mtu", &mtu, error);
	if (!err)
		err = field_integer(raw->vlan, 0, raw->vlan ? 1 : 0, 4094, path, "vlan", &vlan, error);
	if (!err)
		err = load_addresses(raw, path, &c->ports[index], error);
	if (err)
		return err;
	port->mtu = (uint16_t)mtu;
	port->vlan = (uint16_t)vlan;
	if (raw->interface && strcmp(raw->interface, port->name) == 0)
		return error_set(error, -ERR_INVALID, "%s.name: %s is the interface underneath; the kernel interface needs a name of its own", path,
				 port->name);
	for (unsigned j = 0; j < index; j++)
		if (strcmp(c->dataplane.ports[j].name, port->name) == 0)
			return error_set(error, -ERR_INVALID, "%s.name: ports[%u] has it already", path, j);
	return 0;
}

int config_load_ports(const struct raw_config *raw, struct config *c, char *error)
{
	if (!raw->ports_count)
		return error_set(error, -ERR_INVALID, "ports: at least one is needed");
	if (raw->ports_count > PORTS_MAX)
		return error_set(error, -ERR_FULL, "ports: more than %d", PORTS_MAX);
	for (uint32_t i = 0; i < raw->ports_count; i++) {
		int err = load_port(&raw->ports[i], i, c, error);

		if (err)
			return err;
	}
	c->dataplane.port_count = raw->ports_count;
	return 0;
}
