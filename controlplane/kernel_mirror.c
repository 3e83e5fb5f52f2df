/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_mirror.h"

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dataplane.h"
#include "kernel_neighbours.h"
#include "kernel_route.h"
#include "tables/routes.h"

#define RECEIVE_BYTES	 32768
#define RECEIVES_A_TURN	 16
#define SOCKET_BYTES	 (4 << 20)
#define SETTLE_MS	 20 /* between a change of routes and reading them: changes come in bunches */
#define RETRY_MS	 1000
#define CONFIRM_S	 20
#define CONFIRMS_A_TURN	 256
#define FIRST_READING_MS 5000

/* One reading at a time is under way. Routes are published once both families were read, one right behind the other. */
enum reading { READ_NONE, READ_ROUTES_V4, READ_ROUTES_V6, READ_NEIGHBOURS };

struct kernel_mirror {
	struct routes *table;
	uint32_t interfaces[PORTS_MAX];
	unsigned interface_count;
	struct mnl_socket *nl;	/* readings and notifications: in one queue, so in their true order */
	struct mnl_socket *ask; /* what is sent for its effect; answers are thrown away */
	struct event *readable, *settle, *confirm;
	bool routes_due, neighbours_due;
	enum reading reading;
	uint64_t began_ms;	/* reading routes */
	unsigned settle_ms;
	uint32_t serial; /* of the reading under way */
	bool spoilt;	 /* the kernel changed while it was read */
	struct route *fresh;
	size_t fresh_count, fresh_room;
	struct neighbour_set neighbours;
	size_t confirm_at; /* next slot to look at; 0: begin */
	struct mirror_stats stats;
};

static void schedule(struct event *timer, unsigned ms)
{
	struct timeval t = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (!evtimer_pending(timer, NULL))
		evtimer_add(timer, &t);
}

/* ---- routes */

static void take_route(struct kernel_mirror *m, const struct nlmsghdr *h)
{
	struct route route;

	if (!kernel_route_read(h, m->interfaces, m->interface_count, &route))
		return;
	if (m->fresh_count == m->fresh_room) {
		size_t room = m->fresh_room ? m->fresh_room * 2 : 256;
		struct route *more = room <= ROUTES_MAX ? realloc(m->fresh, room * sizeof(*more)) : NULL;

		if (!more) {
			m->stats.refused++;
			return;
		}
		m->fresh = more;
		m->fresh_room = room;
	}
	m->fresh[m->fresh_count++] = route;
}

static void routes_changed(struct kernel_mirror *m)
{
	m->routes_due = true;
	schedule(m->settle, m->settle_ms);
}

/* ---- neighbours */

static void forget(struct kernel_mirror *m, struct neighbour *n)
{
	routes_neighbour_delete(m->table, n->port, &n->ip);
	neighbour_remove(&m->neighbours, n);
}

static void learn(struct kernel_mirror *m, uint16_t port, const struct ip_addr *ip, const uint8_t *mac, unsigned state)
{
	struct neighbour *n = neighbour_find(&m->neighbours, port, ip);

	if (!n || memcmp(n->mac, mac, 6)) {
		if (routes_neighbour_set(m->table, port, ip, mac)) {
			m->stats.refused++;
			return;
		}
		if (!n)
			n = neighbour_add(&m->neighbours, port, ip);
		if (!n) {
			routes_neighbour_delete(m->table, port, ip);
			m->stats.refused++;
			return;
		}
		n->used = true;
		memcpy(n->mac, mac, 6);
	}
	n->aging = !(state & (NUD_PERMANENT | NUD_NOARP));
	n->reading = m->serial;
}

static void take_neighbour(struct kernel_mirror *m, const struct nlmsghdr *h)
{
	const unsigned usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
	const struct ndmsg *message = mnl_nlmsg_get_payload(h);
	const struct nlattr *a, *mac = NULL;
	struct ip_addr ip = { 0 };
	int port = kernel_route_port(m->interfaces, m->interface_count, (uint32_t)message->ndm_ifindex);
	struct neighbour *n;

	if (port < 0 || message->ndm_flags & NTF_PROXY)
		return;
	mnl_attr_for_each(a, h, sizeof(*message))
	{
		if (mnl_attr_get_type(a) == NDA_DST && !kernel_route_ip(a, message->ndm_family, &ip))
			return;
		if (mnl_attr_get_type(a) == NDA_LLADDR && mnl_attr_get_payload_len(a) == 6)
			mac = a;
	}
	if (ip.family == IP_NONE)
		return;
	if (h->nlmsg_type == RTM_NEWNEIGH && message->ndm_state & usable && mac) {
		learn(m, (uint16_t)port, &ip, mnl_attr_get_payload(mac), message->ndm_state);
		return;
	}
	n = neighbour_find(&m->neighbours, (uint16_t)port, &ip);
	if (n)
		forget(m, n);
}

/* Those that the reading did not name are gone. */
static void forget_unread(struct kernel_mirror *m)
{
	for (size_t i = 0; i < m->neighbours.size;)
		if (m->neighbours.slots[i].used && m->neighbours.slots[i].reading != m->serial)
			forget(m, &m->neighbours.slots[i]); /* another may have moved here */
		else
			i++;
}

/* Asks the kernel to confirm one neighbour, as if it had a packet for it: a stale one is probed, then found reachable or dropped. */
static void confirm_one(struct kernel_mirror *m, const struct neighbour *n)
{
	char buffer[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ndmsg *message;

	h->nlmsg_type = RTM_NEWNEIGH;
	h->nlmsg_flags = NLM_F_REQUEST;
	message = mnl_nlmsg_put_extra_header(h, sizeof(*message));
	message->ndm_family = n->ip.family == IP_V4 ? AF_INET : AF_INET6;
	message->ndm_ifindex = (int)m->interfaces[n->port];
	message->ndm_flags = NTF_USE;
	mnl_attr_put(h, NDA_DST, n->ip.family == IP_V4 ? 4 : 16, n->ip.bytes);
	if (mnl_socket_sendto(m->ask, h, h->nlmsg_len) > 0)
		m->stats.confirmed++;
}

static void on_confirm(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval pause = { .tv_usec = 10000 }, period = { .tv_sec = CONFIRM_S };
	struct kernel_mirror *m = arg;
	unsigned asked = 0;
	char buffer[4096];

	for (; m->confirm_at < m->neighbours.size && asked < CONFIRMS_A_TURN; m->confirm_at++) {
		const struct neighbour *n = &m->neighbours.slots[m->confirm_at];

		if (n->used && n->aging) {
			confirm_one(m, n);
			asked++;
		}
	}
	/* Only refusals are answered: a neighbour that is gone already. */
	while (recv(mnl_socket_get_fd(m->ask), buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
	if (m->confirm_at < m->neighbours.size) {
		evtimer_add(m->confirm, &pause);
		return;
	}
	m->confirm_at = 0;
	evtimer_add(m->confirm, &period);
}

void kernel_mirror_confirm(struct kernel_mirror *m)
{
	m->confirm_at = 0;
	on_confirm(-1, 0, m);
}

/* ---- readings */

static int request(struct kernel_mirror *m, enum reading which)
{
	char buffer[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);

	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++m->serial;
	if (which == READ_NEIGHBOURS) {
		h->nlmsg_type = RTM_GETNEIGH;
		mnl_nlmsg_put_extra_header(h, sizeof(struct ndmsg));
	} else {
		struct rtmsg *message;

		h->nlmsg_type = RTM_GETROUTE;
		message = mnl_nlmsg_put_extra_header(h, sizeof(*message));
		message->rtm_family = which == READ_ROUTES_V4 ? AF_INET : AF_INET6;
		message->rtm_table = RT_TABLE_MAIN;
	}
	return mnl_socket_sendto(m->nl, h, h->nlmsg_len) < 0 ? -ERR_IO : 0;
}

static void again(struct kernel_mirror *m, enum reading which, unsigned ms)
{
	if (which == READ_NEIGHBOURS)
		m->neighbours_due = true;
	else
		m->routes_due = true;
	schedule(m->settle, ms);
}

static void start(struct kernel_mirror *m, enum reading which)
{
	if (which != READ_ROUTES_V6)
		m->spoilt = false;
	if (which == READ_ROUTES_V4) {
		m->fresh_count = 0;
		m->began_ms = dataplane_now_ms();
		m->stats.route_dumps++;
	}
	if (request(m, which))
		again(m, which, RETRY_MS);
	else
		m->reading = which;
}

/* The next reading that is due, if none is under way. */
static void begin(struct kernel_mirror *m)
{
	if (m->reading != READ_NONE)
		return;
	if (m->neighbours_due) {
		m->neighbours_due = false;
		start(m, READ_NEIGHBOURS);
	} else if (m->routes_due) {
		m->routes_due = false;
		start(m, READ_ROUTES_V4);
	}
}

static void publish(struct kernel_mirror *m)
{
	uint64_t took_ms = dataplane_now_ms() - m->began_ms;

	/* Where routes change all the time, reading them takes a fifth of it at most. */
	m->settle_ms = took_ms * 4 > SETTLE_MS ? (unsigned)took_ms * 4 : SETTLE_MS;
	if (m->spoilt)
		again(m, READ_ROUTES_V4, m->settle_ms);
	else if (routes_publish(m->table, m->fresh, m->fresh_count))
		again(m, READ_ROUTES_V4, RETRY_MS);
	else
		m->stats.routes = m->fresh_count;
}

/* The reading under way has come to its end, or failed. */
static void end(struct kernel_mirror *m, bool failed)
{
	enum reading which = m->reading;

	m->reading = READ_NONE;
	if (failed) {
		again(m, which, RETRY_MS);
		return;
	}
	switch (which) {
	case READ_ROUTES_V4: start(m, READ_ROUTES_V6); return;
	case READ_ROUTES_V6: publish(m); break;
	case READ_NEIGHBOURS:
		if (m->spoilt)
			again(m, which, SETTLE_MS);
		else
			forget_unread(m);
		break;
	case READ_NONE: break;
	}
	/* What changed meanwhile waits until it has settled. */
	if (!evtimer_pending(m->settle, NULL))
		begin(m);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	begin(arg);
}

static void take(struct kernel_mirror *m, const struct nlmsghdr *h)
{
	bool ours = m->reading != READ_NONE && h->nlmsg_seq == m->serial && h->nlmsg_pid == mnl_socket_get_portid(m->nl);

	if (ours && h->nlmsg_flags & NLM_F_DUMP_INTR)
		m->spoilt = true;
	switch (h->nlmsg_type) {
	case NLMSG_DONE:
	case NLMSG_ERROR:
		if (ours)
			end(m, h->nlmsg_type == NLMSG_ERROR);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (mnl_nlmsg_get_payload_len(h) >= sizeof(struct ndmsg))
			take_neighbour(m, h);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		if (!ours)
			routes_changed(m);
		else if (mnl_nlmsg_get_payload_len(h) >= sizeof(struct rtmsg))
			take_route(m, h);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		/* The kernel drops an interface's routes without a word when it goes down. */
		if (mnl_nlmsg_get_payload_len(h) >= sizeof(struct ifinfomsg) &&
		    kernel_route_port(m->interfaces, m->interface_count, (uint32_t)((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_index) >= 0)
			routes_changed(m);
		break;
	default: break;
	}
}

/* A bounded number of messages; false: there are none left. */
static bool receive(struct kernel_mirror *m)
{
	_Alignas(8) char buffer[RECEIVE_BYTES];

	for (unsigned i = 0; i < RECEIVES_A_TURN; i++) {
		ssize_t bytes = recv(mnl_socket_get_fd(m->nl), buffer, sizeof(buffer), MSG_DONTWAIT);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
		int left = (int)bytes;

		if (bytes < 0 && errno == ENOBUFS) {
			m->stats.overruns++;
			again(m, READ_NEIGHBOURS, SETTLE_MS);
			again(m, READ_ROUTES_V4, SETTLE_MS);
			continue;
		}
		if (bytes <= 0)
			return false;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take(m, h);
	}
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	receive(arg);
}

/* ---- life */

static int open_sockets(struct kernel_mirror *m)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	int one = 1, bytes = SOCKET_BYTES;

	m->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	m->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!m->nl || !m->ask || mnl_socket_bind(m->nl, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_bind(m->ask, 0, MNL_SOCKET_AUTOPID) < 0)
		return -ERR_IO;
	/* So that a reading of routes is one of the main table only; older kernels send all, which is filtered here. */
	mnl_socket_setsockopt(m->nl, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	setsockopt(mnl_socket_get_fd(m->nl), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(m->nl, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i], sizeof(groups[i])) < 0)
			return -ERR_IO;
	return 0;
}

/* Turns a loop of its own until all was read. */
static int read_all(struct kernel_mirror *m)
{
	uint64_t deadline = dataplane_now_ms() + FIRST_READING_MS, now;

	m->routes_due = m->neighbours_due = true;
	for (;;) {
		struct pollfd fd = { .fd = mnl_socket_get_fd(m->nl), .events = POLLIN };

		begin(m);
		if (m->reading == READ_NONE && !m->routes_due && !m->neighbours_due)
			return 0;
		now = dataplane_now_ms();
		if (now >= deadline)
			return -ERR_IO;
		if (m->reading != READ_NONE)
			poll(&fd, 1, (int)(deadline - now));
		receive(m);
	}
}

int kernel_mirror_new(struct event_base *base, struct routes *routes, const uint32_t *interfaces, unsigned count,
		      struct kernel_mirror **ret_mirror, char *error_text)
{
	const struct timeval period = { .tv_sec = CONFIRM_S };
	struct kernel_mirror *m = calloc(1, sizeof(*m));
	int err = -ERR_NOMEM;

	snprintf(error_text, 256, "routes and neighbours: no memory");
	if (!m)
		return err;
	m->table = routes;
	m->interface_count = count;
	m->settle_ms = SETTLE_MS;
	memcpy(m->interfaces, interfaces, count * sizeof(interfaces[0]));
	err = open_sockets(m);
	if (err) {
		snprintf(error_text, 256, "netlink: %s", strerror(errno));
		goto fail;
	}
	m->readable = event_new(base, mnl_socket_get_fd(m->nl), EV_READ | EV_PERSIST, on_readable, m);
	m->settle = evtimer_new(base, on_settle, m);
	m->confirm = evtimer_new(base, on_confirm, m);
	if (!m->readable || !m->settle || !m->confirm || event_add(m->readable, NULL) || evtimer_add(m->confirm, &period)) {
		err = -ERR_NOMEM;
		goto fail;
	}
	err = read_all(m);
	if (err) {
		snprintf(error_text, 256, "the kernel's routes and neighbours could not be read");
		goto fail;
	}
	*ret_mirror = m;
	return 0;
fail:
	kernel_mirror_free(m);
	return err;
}

void kernel_mirror_free(struct kernel_mirror *m)
{
	struct event *events[] = { m ? m->readable : NULL, m ? m->settle : NULL, m ? m->confirm : NULL };

	if (!m)
		return;
	for (unsigned i = 0; i < 3; i++)
		if (events[i])
			event_free(events[i]);
	if (m->nl)
		mnl_socket_close(m->nl);
	if (m->ask)
		mnl_socket_close(m->ask);
	neighbour_set_done(&m->neighbours);
	free(m->fresh);
	free(m);
}

void kernel_mirror_stats(const struct kernel_mirror *m, struct mirror_stats *ret)
{
	*ret = m->stats;
	ret->neighbours = m->neighbours.count;
}
