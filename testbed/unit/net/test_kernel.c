/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/event.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "config.h"
#include "dataplane.h"
#include "eal.h"
#include "frames.h"
#include "kernel.h"
#include "kernel_mirror.h"
#include "kernel_neighbours.h"
#include "plane.h"
#include "tables/epoch.h"
#include "tables/routes.h"

/*   the test, as the host 10.77.0.9 and as data plane ══ sip0 (TAP), 10.77.0.1/24 fd77::1/64 ── the kernel
 *
 * in a network namespace of its own. The data plane's face is a stand-in: what the kernel sends is kept, exceptions are handed in. */

#define WAIT_MS	  5000
static struct dataplane dataplane;
static struct event_base *base;
static struct event *exceptions; /* the daemon's part: it listens for the data plane */
static struct kernel *kernel;
static const uint8_t our_mac[6] = PLANE_MAC, peer_mac[6] = { 2, 0, 0, 0, 0, 9 };

/* ---- the daemon */

static void take(evutil_socket_t fd, short what, void *arg)
{
	kernel_take(kernel);
}

/* ---- tools */

static void run(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static void except(enum exception_kind kind, const void *bytes, uint32_t length)
{
	struct exception *e = &dataplane.exceptions[dataplane.exception_count++];
	uint64_t one = 1;

	e->kind = kind;
	e->length = length;
	memcpy(e->bytes, bytes, length);
	assert_int_equal(write(dataplane.event_fd, &one, sizeof(one)), sizeof(one));
}

/* Turns the loop until it is so. */
static void wait_until(bool (*so)(void *arg), void *arg, const char *what)
{
	uint64_t deadline = dataplane_now_ms() + WAIT_MS;
	const struct timeval tick = { .tv_usec = 20000 };

	while (!so(arg)) {
		if (dataplane_now_ms() > deadline)
			fail_msg("never: %s", what);
		event_base_loopexit(base, &tick);
		event_base_loop(base, EVLOOP_ONCE);
		epoch_reclaim(dataplane.tables.epoch);
	}
}

struct expectation {
	const char *destination;
	enum route_verdict verdict;
	const uint8_t *mac;
	const struct routes *routes;
};

static bool route_is(void *arg)
{
	const struct expectation *e = arg;
	struct route_result r = { .port = 99 };
	struct ip_addr ip;

	assert_int_equal(ip_parse(span_str(e->destination), &ip), 0);
	if (routes_lookup(e->routes ? e->routes : dataplane.tables.routes, &ip, &r) != e->verdict)
		return false;
	if (e->verdict != ROUTE_NONE)
		assert_int_equal(r.port, 0);
	return e->verdict != ROUTE_OK || memcmp(r.mac, e->mac, 6) == 0;
}

static void expect_route(const char *destination, enum route_verdict verdict, const uint8_t *mac)
{
	struct expectation e = { destination, verdict, mac, NULL };

	wait_until(route_is, &e, destination);
}

/* A frame of the kernel's with these bytes at an offset; it is taken. */
struct pattern {
	uint32_t at, length;
	const uint8_t *bytes;
	struct exception *ret;
};

static bool frame_came(void *arg)
{
	const struct pattern *p = arg;

	for (unsigned i = 0; i < dataplane.frame_count; i++) {
		struct exception *f = &dataplane.frames[i];

		if (f->length >= p->at + p->length && memcmp(f->bytes + p->at, p->bytes, p->length) == 0) {
			*p->ret = *f;
			*f = dataplane.frames[--dataplane.frame_count];
			return true;
		}
	}
	if (dataplane.frame_count == FRAMES)
		dataplane.frame_count = 0;
	return false;
}

#define EXPECT_FRAME(at, result, ...)                                                                                  \
	wait_until(frame_came,                                                                                         \
		   &(struct pattern){ at, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ }, result }, \
		   "frame " #__VA_ARGS__)

static void put_sum(uint8_t *at, uint32_t sum)
{
	sum = ~sum & 0xffff;
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* Answers the ARP request with the host's address. */
static void answer_arp(const struct exception *request)
{
	uint8_t reply[42];

	memcpy(reply, request->bytes, 42);
	memcpy(reply, our_mac, 6);
	memcpy(reply + 6, peer_mac, 6);
	reply[21] = 2;
	memcpy(reply + 22, peer_mac, 6);
	memcpy(reply + 28, request->bytes + 38, 4);
	memcpy(reply + 32, our_mac, 6);
	memcpy(reply + 38, request->bytes + 28, 4);
	except(EXCEPTION_FRAME, reply, sizeof(reply));
}

/* Answers the neighbour solicitation. */
static void answer_nd(const struct exception *request)
{
	uint8_t reply[86] = { 0 }, pseudo[8] = { 0, 0, 0, 32, 0, 0, 0, 58 };

	memcpy(reply, our_mac, 6);
	memcpy(reply + 6, peer_mac, 6);
	reply[12] = 0x86;
	reply[13] = 0xdd;
	reply[14] = 0x60;
	reply[19] = 32;
	reply[20] = 58;
	reply[21] = 255;
	memcpy(reply + 22, request->bytes + 62, 16); /* the target */
	memcpy(reply + 38, request->bytes + 22, 16);
	reply[54] = 136;
	reply[58] = 0x60; /* solicited, override */
	memcpy(reply + 62, request->bytes + 62, 16);
	reply[78] = 2;
	reply[79] = 1;
	memcpy(reply + 80, peer_mac, 6);
	put_sum(reply + 56, sum_plain(sum_plain(sum_plain(0, reply + 22, 32), pseudo, 8), reply + 54, 32));
	except(EXCEPTION_FRAME, reply, sizeof(reply));
}

static void make_packet(struct frame *f, uint8_t family, const char *destination)
{
	frame_make(f, &(struct recipe){ .family = family, .payload = 100, .source = family == 4 ? "10.77.0.1" : "fd77::1",
					.destination = destination });
}

/* ---- cases */

static void test_interface(void **state)
{
	run("ip -o link show sip0 | grep -q 'mtu 1400' && ip -o link show sip0 | grep -q 'link/ether 02:00:00:00:00:01' &&"
	    "ip -o link show sip0 up | grep -q sip0 && ip -o addr show dev sip0 | grep -q 'inet 10.77.0.1/24' &&"
	    "ip -o addr show dev sip0 | grep -q 'inet6 fd77::1/64.*nodad' && ! ip -o addr show dev sip0 | grep -q tentative &&"
	    "ip route show default | grep -q 'via 10.77.0.254 dev sip0.*metric 100'");
	expect_route("10.77.0.9", ROUTE_NO_NEIGHBOUR, NULL);
	expect_route("198.51.100.1", ROUTE_NO_NEIGHBOUR, NULL);
	expect_route("fd77::9", ROUTE_NO_NEIGHBOUR, NULL);
	expect_route("2001:db8::1", ROUTE_NONE, NULL);
}

/* A packet of ours to an unknown neighbour: the kernel asks for it, keeps the packet meanwhile, and tells us of the neighbour. */
static void test_resolve(void **state)
{
	static struct frame f;
	struct exception got;

	make_packet(&f, 4, "10.77.0.9");
	except(EXCEPTION_IP_PACKET, f.bytes + f.ip_at, f.length - f.ip_at);
	EXPECT_FRAME(12, &got, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1);
	assert_memory_equal(got.bytes + 38, ((uint8_t[]){ 10, 77, 0, 9 }), 4);
	answer_arp(&got);
	EXPECT_FRAME(0, &got, 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0, 0x45);
	assert_int_equal(got.length, f.length);
	assert_memory_equal(got.bytes + 34, f.bytes + 34, f.length - 34);
	expect_route("10.77.0.9", ROUTE_OK, peer_mac);

	make_packet(&f, 6, "fd77::9");
	except(EXCEPTION_IP_PACKET, f.bytes + f.ip_at, f.length - f.ip_at);
	EXPECT_FRAME(54, &got, 135, 0);
	assert_int_equal(got.bytes[77], 9);
	answer_nd(&got);
	EXPECT_FRAME(0, &got, 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60);
	assert_memory_equal(got.bytes + 14, f.bytes + 14, f.length - 14);
	expect_route("fd77::9", ROUTE_OK, peer_mac);

	/* A fragment goes as it is; the kernel does not renumber it. */
	frame_make(&f, &(struct recipe){ .family = 4, .payload = 64, .source = "10.77.0.1", .destination = "10.77.0.9", .fragment = true,
					 .more = true, .id = 0x1234, .protocol = 17 });
	except(EXCEPTION_IP_PACKET, f.bytes + f.ip_at, f.length - f.ip_at);
	EXPECT_FRAME(18, &got, 0x12, 0x34, 0x20, 0);
}

static void test_ping(void **state)
{
	uint8_t echo[16] = { 8, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 };
	static struct frame f;
	struct exception got;

	put_sum(echo + 2, sum_plain(0, echo, sizeof(echo)));
	frame_make(&f, &(struct recipe){ .family = 4, .source = "10.77.0.9", .destination = "10.77.0.1", .protocol = 1, .payload = 16, .inner = echo });
	except(EXCEPTION_FRAME, f.bytes, f.length);
	EXPECT_FRAME(34, &got, 0, 0);
	assert_memory_equal(got.bytes + 38, echo + 4, 12);
}

struct route_case {
	const char *command, *destination;
	enum route_verdict verdict;
};

static void test_routes(void **state)
{
	static const struct route_case cases[] = {
		{ "ip route add 10.99.0.0/16 via 10.77.0.9", "10.99.1.1", ROUTE_OK },
		{ "ip route add 10.99.2.0/24 via 10.77.0.8", "10.99.2.1", ROUTE_NO_NEIGHBOUR },
		{ "ip route del 10.99.2.0/24", "10.99.2.1", ROUTE_OK },
		{ "ip route add 10.98.0.0/16 via inet6 fd77::9 dev sip0", "10.98.1.1", ROUTE_OK },
		{ "ip route add 10.97.0.0/16 nexthop via 10.78.0.7 dev other onlink nexthop via 10.77.0.9", "10.97.1.1", ROUTE_OK },
		{ "ip route replace 10.97.0.0/16 via 10.77.0.8", "10.97.1.1", ROUTE_NO_NEIGHBOUR },
		{ "ip route add 10.97.0.0/16 via 10.77.0.9 metric 5", "10.97.1.1", ROUTE_NO_NEIGHBOUR },
		{ "ip route del 10.97.0.0/16 metric 0", "10.97.1.1", ROUTE_OK },
		{ "ip route add 2001:db8::/32 via fd77::9", "2001:db8::77", ROUTE_OK },
		{ "ip route del 2001:db8::/32", "2001:db8::77", ROUTE_NONE },
		{ "ip route del default", "198.51.100.1", ROUTE_NONE },
		{ "ip route add 203.0.113.0/24 via 10.77.0.9 table 50", "203.0.113.1", ROUTE_NONE },
		{ "ip route add blackhole 203.0.113.0/24", "203.0.113.1", ROUTE_NONE },
		{ "ip route add 192.0.2.0/24 dev other", "192.0.2.1", ROUTE_NONE },
		{ "ip route add default via 10.77.0.9", "192.0.3.1", ROUTE_OK },
		{ "ip link set sip0 down", "10.99.1.1", ROUTE_NONE },
		{ "ip link set sip0 up && ip route add 10.99.0.0/16 dev sip0", "10.99.1.1", ROUTE_NO_NEIGHBOUR },
		{ "ip route del 10.99.0.0/16", "10.99.1.1", ROUTE_NONE },
		{ "ip -6 addr show dev sip0 | grep -q fd77::1", "fd77::10", ROUTE_NO_NEIGHBOUR },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run(cases[i].command);
		expect_route(cases[i].destination, cases[i].verdict, peer_mac);
	}
}

static void test_neighbours(void **state)
{
	static const uint8_t a[6] = { 2, 0, 0, 0, 1, 1 }, b[6] = { 2, 0, 0, 0, 1, 2 };

	run("ip neigh add 10.77.0.30 lladdr 02:00:00:00:01:01 dev sip0 nud permanent");
	expect_route("10.77.0.30", ROUTE_OK, a);
	run("ip neigh replace 10.77.0.30 lladdr 02:00:00:00:01:02 dev sip0 nud stale");
	expect_route("10.77.0.30", ROUTE_OK, b);
	run("ip neigh add fd77::30 lladdr 02:00:00:00:01:01 dev sip0 nud reachable");
	expect_route("fd77::30", ROUTE_OK, a);
	run("ip neigh del 10.77.0.30 dev sip0 && ip neigh del fd77::30 dev sip0");
	expect_route("10.77.0.30", ROUTE_NO_NEIGHBOUR, NULL);
	expect_route("fd77::30", ROUTE_NO_NEIGHBOUR, NULL);
	run("ip neigh add 10.77.0.31 lladdr 02:00:00:00:01:01 dev sip0 nud failed; ip neigh add 10.78.0.1 lladdr 02:00:00:00:01:01 dev other");
	expect_route("10.77.0.31", ROUTE_NO_NEIGHBOUR, NULL);
}

/* A second mirror, made when all is there already; a stale neighbour is asked after, and forgotten when it does not answer. */
static void test_confirm(void **state)
{
	static const uint8_t a[6] = { 2, 0, 0, 0, 1, 1 };
	struct routes *routes = routes_new(dataplane.tables.epoch);
	uint32_t index = if_nametoindex("sip0");
	struct expectation there = { "10.77.0.40", ROUTE_OK, a, routes }, gone = { "10.77.0.40", ROUTE_NO_NEIGHBOUR, NULL, routes };
	struct kernel_mirror *m;
	struct mirror_stats stats;
	struct exception got;
	char error[256];

	run("sysctl -qw net.ipv4.neigh.sip0.delay_first_probe_time=0 net.ipv4.neigh.sip0.retrans_time_ms=50 &&"
	    "ip neigh add 10.77.0.40 lladdr 02:00:00:00:01:01 dev sip0 nud stale");
	assert_int_equal(kernel_mirror_new(base, routes, &index, 1, &m, error), 0);
	assert_true(route_is(&there));
	kernel_mirror_confirm(m);
	/* ARP to the neighbour alone. */
	EXPECT_FRAME(0, &got, 2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1, 8, 6);
	wait_until(route_is, &gone, "the neighbour is forgotten");
	kernel_mirror_stats(m, &stats);
	assert_true(stats.confirmed >= 1);
	kernel_mirror_free(m);
	routes_free(routes);
}

static bool dumps_settled(void *arg)
{
	struct kernel_stats *s = arg;

	kernel_stats(kernel, s);
	return s->routes > 40000;
}

/* More notifications than a socket holds: everything is read again. */
static void test_overrun(void **state)
{
	struct kernel_stats s;

	run("for i in $(seq 0 159); do for j in $(seq 0 255); do echo route add 10.$((i + 90)).$j.0/24 dev sip0; done; done | ip -batch -");
	run("ip neigh add 10.77.0.50 lladdr 02:00:00:00:01:01 dev sip0 nud permanent");
	wait_until(dumps_settled, &s, "40,960 routes");
	assert_true(s.overruns >= 1);
	expect_route("10.249.255.1", ROUTE_NO_NEIGHBOUR, NULL);
	expect_route("10.77.0.50", ROUTE_OK, (const uint8_t[]){ 2, 0, 0, 0, 1, 1 });
	assert_int_equal(s.refused, 0);
	run("ip route flush root 10.0.0.0/8 proto boot");
	expect_route("10.249.255.1", ROUTE_NONE, NULL);
}

static void test_drops(void **state)
{
	struct kernel_stats before, after;
	static struct frame f;

	event_base_loop(base, EVLOOP_NONBLOCK);
	kernel_stats(kernel, &before);
	make_packet(&f, 4, "203.0.113.1"); /* blackhole */
	except(EXCEPTION_IP_PACKET, f.bytes + f.ip_at, f.length - f.ip_at);
	except(EXCEPTION_IP_PACKET, f.bytes + f.ip_at, 19);
	except(EXCEPTION_IP_PACKET, f.bytes, 30); /* neither 4 nor 6 */
	except(EXCEPTION_FRAME, f.bytes, 5);
	dataplane.full = true;
	run("ping -c1 -W1 -q 10.77.0.99 >/dev/null 2>&1 & wait; true");
	event_base_loop(base, EVLOOP_NONBLOCK);
	dataplane.full = false;
	kernel_stats(kernel, &after);
	assert_int_equal(after.drop_resolve - before.drop_resolve, 3);
	assert_int_equal(after.drop_to_kernel - before.drop_to_kernel, 1);
	assert_true(after.drop_from_kernel > before.drop_from_kernel);
}

/* The name is taken; nothing is left behind by the failure, nor at the end. */
static void test_again(void **state)
{
	const struct config_port port = { 0 };
	const struct config_port bad = { .gateways = { { { 203, 0, 113, 77 }, IP_V4 } }, .gateway_count = 1 };
	struct kernel_config config = { .base = base, .dataplane = &dataplane, .ports = &port };
	struct kernel *second;
	char error[256];

	assert_int_equal(kernel_new(&config, &second, error), -ERR_EXISTS);
	assert_non_null(strstr(error, "sip0"));
	assert_int_not_equal(if_nametoindex("sip0"), 0);
	kernel_free(kernel);
	kernel = NULL;
	assert_int_equal(if_nametoindex("sip0"), 0);
	config.ports = &bad;
	assert_int_equal(kernel_new(&config, &second, error), -ERR_IO);
	assert_non_null(strstr(error, "gateway 203.0.113.77"));
	assert_int_equal(if_nametoindex("sip0"), 0);
}

/* The set against a plain list. */
static void test_neighbour_set(void **state)
{
	struct neighbour_set s = { 0 };
	static bool in[4096];
	uint64_t x = 88172645463325252ULL;
	size_t count = 0;

	for (unsigned i = 0; i < 100000; i++) {
		struct ip_addr ip = { .family = IP_V4 };
		struct neighbour *n;
		unsigned key;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		key = (unsigned)(x >> 20) & 4095;
		ip.bytes[2] = (uint8_t)(key >> 8 & 7);
		ip.bytes[3] = (uint8_t)key;
		n = neighbour_find(&s, (uint16_t)(key >> 11), &ip);
		assert_int_equal(!!n, in[key]);
		if (n) {
			assert_true(ip_eq(&n->ip, &ip) && n->port == key >> 11);
			neighbour_remove(&s, n);
			count--;
		} else {
			n = neighbour_add(&s, (uint16_t)(key >> 11), &ip);
			n->used = true;
			count++;
		}
		in[key] = !in[key];
		assert_int_equal(s.count, count);
	}
	neighbour_set_done(&s);
}

static int start(void **state)
{
	const struct eal_config eal = { .memory_mb = 128 };
	const struct config_port port = {
		.addresses = { { { { 10, 77, 0, 1 }, IP_V4 }, 24 }, { { { 0xfd, 0x77, [15] = 1 }, IP_V6 }, 64 } },
		.address_count = 2,
		.gateways = { { { 10, 77, 0, 254 }, IP_V4 } },
		.gateway_count = 1,
	};
	struct kernel_config config = { .dataplane = &dataplane, .ports = &port };
	char error[256] = "namespace";
	bool hugepages;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || system("mount --make-rprivate / && mount -t sysfs sysfs /sys && ip link set lo up &&"
							  "ip link add other type veth peer name end && ip link set other up && ip link set end up && ip addr add 10.78.0.2/24 dev other"))
		goto failed;
	if (eal_start(&eal, &hugepages, error))
		goto failed;
	dataplane.config.port_count = 1;
	strcpy(dataplane.config.ports[0].name, "sip0");
	dataplane.config.ports[0].mtu = 1400;
	dataplane.event_fd = eventfd(0, EFD_NONBLOCK);
	dataplane.tables.epoch = epoch_new(1);
	dataplane.tables.routes = routes_new(dataplane.tables.epoch);
	base = event_base_new();
	config.base = base;
	if (kernel_new(&config, &kernel, error))
		goto failed;
	exceptions = event_new(base, dataplane.event_fd, EV_READ | EV_PERSIST, take, NULL);
	if (!exceptions || event_add(exceptions, NULL))
		goto failed;
	return 0;
failed:
	print_error("%s\n", error);
	return -1;
}

static int stop(void **state)
{
	event_free(exceptions);
	kernel_free(kernel);
	event_base_free(base);
	routes_free(dataplane.tables.routes);
	epoch_free(dataplane.tables.epoch);
	close(dataplane.event_fd);
	eal_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbour_set), cmocka_unit_test(test_interface), cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_ping),	      cmocka_unit_test(test_routes),	cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_confirm),	      cmocka_unit_test(test_overrun),	cmocka_unit_test(test_drops),
		cmocka_unit_test(test_again),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, start, stop);
}
