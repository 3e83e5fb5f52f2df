/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "config.h"
#include "dataplane.h"
#include "kernel_link.h"
#include "kernel_mirror.h"
#include "port.h"

#define FRAMES_A_TURN	  64 /* from each TAP */
#define EXCEPTIONS_A_TURN 256
#define FRAME_BYTES	  65600
#define METRIC		  100
#define SEND_BYTES	  (1 << 20)

struct paired {
	struct kernel *kernel;
	uint16_t port;
	int fd; /* TAP; -1: none */
	uint32_t index;
	struct event *readable;
};

struct kernel {
	struct dataplane *dataplane;
	struct paired pairs[PORTS_MAX];
	unsigned count;
	int raw4, raw6; /* IP packets with their header; -1: the host has no such family */
	struct kernel_mirror *mirror;
	struct kernel_stats stats;
	uint8_t frame[FRAME_BYTES];
};

/* ---- the kernel's frames */

static void on_tap(evutil_socket_t fd, short what, void *arg)
{
	struct paired *p = arg;
	struct kernel *k = p->kernel;

	for (unsigned i = 0; i < FRAMES_A_TURN; i++) {
		ssize_t n = read(fd, k->frame, sizeof(k->frame));

		if (n <= 0)
			return;
		if (dataplane_inject(k->dataplane, p->port, k->frame, (uint32_t)n))
			k->stats.drop_from_kernel++;
		else
			k->stats.from_kernel++;
	}
}

/* ---- the data plane's exceptions */

static void frame_out(struct kernel *k, uint16_t port, const uint8_t *frame, uint32_t bytes)
{
	if (port < k->count && write(k->pairs[port].fd, frame, bytes) == (ssize_t)bytes)
		k->stats.to_kernel++;
	else
		k->stats.drop_to_kernel++;
}

/* The kernel routes it, resolves the neighbour, and keeps it in the meantime. */
static bool packet_out(struct kernel *k, uint16_t port, const uint8_t *ip, uint32_t bytes)
{
	if (bytes >= 20 && ip[0] >> 4 == 4) {
		struct sockaddr_in to = { .sin_family = AF_INET };

		memcpy(&to.sin_addr, ip + 16, 4);
		return sendto(k->raw4, ip, bytes, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)bytes;
	}
	if (bytes >= 40 && ip[0] >> 4 == 6) {
		struct sockaddr_in6 to = { .sin6_family = AF_INET6 };

		memcpy(&to.sin6_addr, ip + 24, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&to.sin6_addr) && port < k->count)
			to.sin6_scope_id = k->pairs[port].index;
		return sendto(k->raw6, ip, bytes, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)bytes;
	}
	return false;
}

static void exception(void *ctx, enum exception_kind kind, uint16_t port, const uint8_t *data, uint32_t bytes)
{
	struct kernel *k = ctx;

	if (kind == EXCEPTION_FRAME)
		frame_out(k, port, data, bytes);
	else if (packet_out(k, port, data, bytes))
		k->stats.resolved++;
	else
		k->stats.drop_resolve++;
}

bool kernel_take(struct kernel *k)
{
	return dataplane_exceptions(k->dataplane, EXCEPTIONS_A_TURN, exception, k) == EXCEPTIONS_A_TURN;
}

/* ---- life */

static int open_raw(struct kernel *k, char *error_text)
{
	int one = 1, bytes = SEND_BYTES;

	k->raw4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (k->raw4 < 0) {
		snprintf(error_text, 256, "raw socket: %s", strerror(errno));
		return -ERR_IO;
	}
	k->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	if (k->raw6 >= 0)
		setsockopt(k->raw6, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof(one));
	setsockopt(k->raw4, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(k->raw6, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

static int open_pair(struct kernel *k, struct event_base *base, const struct config_port *config, char *error_text)
{
	struct paired *p = &k->pairs[k->count];
	const struct port *port = dataplane_port(k->dataplane, k->count);
	uint8_t mac[6];
	int err;

	p->kernel = k;
	p->port = (uint16_t)k->count;
	err = kernel_link_open(port_name(port), &p->fd, &p->index, error_text);
	if (err)
		return err;
	k->count++; /* from here on kernel_free closes it */
	port_mac(port, mac);
	err = kernel_link_setup(port_name(port), p->index, mac, port_mtu(port), config, METRIC + p->port, error_text);
	if (err)
		return err;
	p->readable = event_new(base, p->fd, EV_READ | EV_PERSIST, on_tap, p);
	if (!p->readable || event_add(p->readable, NULL)) {
		snprintf(error_text, 256, "kernel interface %s: no memory", port_name(port));
		return -ERR_NOMEM;
	}
	return 0;
}

static int start(struct kernel *k, const struct kernel_config *config, char *error_text)
{
	unsigned ports = dataplane_configuration(config->dataplane)->port_count;
	uint32_t interfaces[PORTS_MAX];
	int err = open_raw(k, error_text);

	for (unsigned i = 0; !err && i < ports; i++) {
		err = open_pair(k, config->base, &config->ports[i], error_text);
		interfaces[i] = k->pairs[i].index;
	}
	if (err)
		return err;
	return kernel_mirror_new(config->base, dataplane_tables(config->dataplane)->routes, interfaces, ports, &k->mirror, error_text);
}

int kernel_new(const struct kernel_config *config, struct kernel **ret_kernel, char *error_text)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err;

	if (!k) {
		snprintf(error_text, 256, "kernel: no memory");
		return -ERR_NOMEM;
	}
	k->dataplane = config->dataplane;
	k->raw4 = k->raw6 = -1;
	err = start(k, config, error_text);
	if (err) {
		kernel_free(k);
		return err;
	}
	*ret_kernel = k;
	return 0;
}

void kernel_free(struct kernel *k)
{
	if (!k)
		return;
	kernel_mirror_free(k->mirror);
	for (unsigned i = 0; i < k->count; i++) {
		if (k->pairs[i].readable)
			event_free(k->pairs[i].readable);
		close(k->pairs[i].fd);
	}
	if (k->raw4 >= 0)
		close(k->raw4);
	if (k->raw6 >= 0)
		close(k->raw6);
	free(k);
}

void kernel_stats(const struct kernel *k, struct kernel_stats *ret)
{
	struct mirror_stats mirror;

	kernel_mirror_stats(k->mirror, &mirror);
	*ret = k->stats;
	ret->routes = mirror.routes;
	ret->neighbours = mirror.neighbours;
	ret->route_dumps = mirror.route_dumps;
	ret->overruns = mirror.overruns;
	ret->refused = mirror.refused;
}
