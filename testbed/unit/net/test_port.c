/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "eal.h"
#include "frames.h"
#include "net/output.h"
#include "port.h"
#include "tables/epoch.h"
#include "tables/routes.h"
#include "veth.h"

/*   test (raw socket) ── peer ══ veth ══ port0 ── port under test     both in a network namespace of the child's own
 *
 * EAL starts once in a process, so every case runs in a child; the namespace goes with it. */

#define MBUFS	16383

static struct rte_mempool *pool;
static struct frame frame;

/* Device arguments as the configuration makes them; AF_PACKET with frames large enough for what the kernel puts together. */
static void use_af_packet(struct port_config *c)
{
	snprintf(c->devices[0], sizeof(c->devices[0]), "net_af_packet0,iface=port0,qpairs=%u,framesz=8192,blocksz=8192,framecnt=256",
		 c->queues);
	c->device_count = 1;
}

static void use_af_xdp(struct port_config *c)
{
	for (unsigned i = 0; i < c->queues; i++)
		snprintf(c->devices[i], sizeof(c->devices[i]), "net_af_xdp%u,iface=port0,start_queue=%u,queue_count=1", i, i);
	c->device_count = c->queues;
}

static void start(const struct port_config *config)
{
	const char *devices[PORT_DEVICES_MAX];
	struct eal_config eal = { .devices = devices, .device_count = config->device_count, .memory_mb = 512 };
	cpu_set_t before, after;
	char error[256];
	bool hugepages;

	for (unsigned i = 0; i < config->device_count; i++)
		devices[i] = config->devices[i];
	pthread_getaffinity_np(pthread_self(), sizeof(before), &before);
	if (eal_start(&eal, &hugepages, error)) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	pthread_getaffinity_np(pthread_self(), sizeof(after), &after);
	CHECK(CPU_EQUAL(&before, &after));
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, port_mbuf_bytes(config, 1), SOCKET_ID_ANY);
	CHECK(pool);
}

static struct port *open_port(const struct port_config *config)
{
	struct port *p;
	char error[256];

	if (port_open(config, pool, &p, error)) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
	return p;
}

/* Sends a frame from the peer, and takes it from the queue whose descriptor tells of it; returns which. */
static unsigned pass(struct port *p, unsigned queues, int peer, struct rte_mbuf **ret_frame)
{
	struct pollfd fds[4];
	uint32_t own;
	unsigned i;

	for (i = 0; i < queues; i++) {
		CHECK(port_wait_fds(p, i, &fds[i].fd, 1) == 1);
		fds[i].events = POLLIN;
		CHECK(port_rx(p, i, ret_frame, 1, &own) == 0);
	}
	CHECK(send(peer, frame.bytes, frame.length, 0) == (ssize_t)frame.length);
	CHECK(poll(fds, queues, WAIT_MS) == 1);
	for (i = 0; !(fds[i].revents & POLLIN); i++)
		;
	CHECK(port_rx(p, i, ret_frame, 1, &own) == 1);
	CHECK(own == 0);
	return i;
}

static void check_receive(struct port *p, unsigned queues, int peer)
{
	unsigned seen[4] = { 0 }, all = 0;

	for (unsigned flow = 0; flow < 64; flow++) {
		struct rte_mbuf *m;

		frame_make(&frame, &(struct recipe){ .family = flow & 1 ? 6 : 4, .payload = 100 + flow * 20, .source_port = (uint16_t)(6000 + flow) });
		seen[pass(p, queues, peer, &m)]++;
		CHECK(m->pkt_len == frame.length && m->nb_segs == 1);
		CHECK(memcmp(rte_pktmbuf_mtod(m, void *), frame.bytes, frame.length) == 0);
		rte_pktmbuf_free(m);
	}
	for (unsigned i = 0; i < queues; i++)
		all += seen[i] > 0;
	CHECK(all == queues);
}

/* A frame of `parts` segments. */
static struct rte_mbuf *chained(unsigned parts)
{
	struct rte_mbuf *first = NULL;
	uint32_t size = (frame.length + parts - 1) / parts;

	for (uint32_t at = 0; at < frame.length; at += size) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t n = RTE_MIN(size, frame.length - at);

		CHECK(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), frame.bytes + at, n);
		if (!first)
			first = m;
		else
			CHECK(rte_pktmbuf_chain(first, m) == 0);
	}
	return first;
}

static void check_transmit(struct port *p, unsigned queues, int peer)
{
	static uint8_t got[4096];

	while (recv(peer, got, sizeof(got), MSG_DONTWAIT) > 0)
		;
	for (unsigned parts = 1; parts <= 5; parts++)
		for (unsigned q = 0; q < queues; q++) {
			struct rte_mbuf *m;

			frame_make(&frame, &(struct recipe){ .family = 4, .payload = 1400 + parts });
			port_mac(p, frame.bytes + 6);
			m = chained(parts);
			CHECK(port_tx(p, q, &m, 1) == 1);
			CHECK(peer_receive(peer, got, sizeof(got)) == (ssize_t)frame.length);
			CHECK(memcmp(got, frame.bytes, frame.length) == 0);
		}
}

/* What the local kernel sends on the interface below, and our own frames, are no input. */
static void check_own(struct port *p, unsigned queues)
{
	int s = raw_socket("port0");
	uint32_t own = 0, n;

	frame_make(&frame, &(struct recipe){ .family = 4, .payload = 10 });
	port_mac(p, frame.bytes + 6);
	CHECK(send(s, frame.bytes, frame.length, 0) == (ssize_t)frame.length);
	for (unsigned i = 0; i < queues; i++) {
		struct rte_mbuf *m;

		CHECK(port_rx(p, i, &m, 1, &n) == 0);
		own += n;
	}
	CHECK(own >= 1);
	close(s);
}

static void port_af_packet(void)
{
	struct port_config config = { .name = "sip0", .queues = 2, .mtu = 1500 };
	uint8_t scratch[65536];
	struct recipe whole = { .family = 4, .payload = 4000 }, part = { .family = 4, .protocol = 17, .fragment = true, .id = 7 };
	static struct frame full;
	struct port_stats stats;
	enum counter drop;
	struct packet parsed;
	struct rte_mbuf *m;
	struct port *p;
	int peer;

	make_veth(2);
	use_af_packet(&config);
	CHECK(port_mbuf_bytes(&config, 1) >= 8192 + RTE_PKTMBUF_HEADROOM);
	start(&config);
	p = open_port(&config);
	CHECK(port_tx_by_kernel(p));
	peer = raw_socket("peer");
	check_own(p, 2);
	check_receive(p, 2, peer);
	check_transmit(p, 2, peer);

	/* The kernel puts IPv4 fragments together; the whole datagram fits into one mbuf. */
	while (port_rx(p, 0, &m, 1, &(uint32_t){ 0 }) || port_rx(p, 1, &m, 1, &(uint32_t){ 0 }))
		rte_pktmbuf_free(m);
	frame_make(&full, &whole);
	for (uint32_t at = 0; at < 4008; at += 1480) {
		part.offset = (uint16_t)at;
		part.more = at + 1480 < 4008;
		part.payload = RTE_MIN(1480u, 4008 - at);
		part.inner = full.bytes + full.l4_at + at;
		frame_make(&frame, &part);
		if (part.more)
			CHECK(send(peer, frame.bytes, frame.length, 0) == (ssize_t)frame.length);
	}
	pass(p, 2, peer, &m);
	CHECK(m->pkt_len == full.length);
	packet_parse(m, &frame_listeners, false, scratch, &parsed, &drop);
	CHECK(parsed.kind == PACKET_UDP && parsed.payload_len == 4000);
	rte_pktmbuf_free(m);

	port_stats(p, &stats);
	CHECK(stats.rx_packets >= 65 && stats.tx_packets == 10);
	port_close(p);
	eal_stop();
}

static void af_xdp(unsigned queues)
{
	struct port_config config = { .name = "sip0", .queues = queues, .mtu = 1500 };
	struct port_stats stats;
	struct port *p;
	int peer;

	use_af_xdp(&config);
	start(&config);
	p = open_port(&config);
	peer = raw_socket("peer");
	check_receive(p, queues, peer);
	check_transmit(p, queues, peer);
	port_stats(p, &stats);
	CHECK(stats.rx_packets == 64 && stats.tx_packets == 5 * queues && stats.tx_unsendable == 0);
	port_close(p);
	eal_stop();
}

static void port_af_xdp(void)
{
	make_veth(1);
	af_xdp(1);
}

static void port_af_xdp_queues(void)
{
	make_veth(2);
	af_xdp(2);
}

/* A process that dies leaves its XDP program behind; the next one is not troubled by it. */
static void port_af_xdp_stale(void)
{
	struct port_config config = { .name = "sip0", .queues = 1, .mtu = 1500 };
	int status;
	pid_t pid;

	make_veth(1);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		use_af_xdp(&config);
		start(&config);
		open_port(&config);
		kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	run("ip link show port0 | grep -q xdp");
	af_xdp(1);
}

static void expect(const struct port_config *config, int err, const char *word)
{
	char error[256];
	struct port *p;
	int got = port_open(config, pool, &p, error);

	if (got != err || !strstr(error, word)) {
		fprintf(stderr, "%d: %s\n", got, error);
		_exit(1);
	}
}

static void port_refused(void)
{
	struct port_config config = { .name = "sip0", .queues = 1, .mtu = 1500 }, c;

	make_veth(2);
	use_af_xdp(&config);
	strcpy(config.devices[1], "net_null0");
	config.device_count = 2;
	start(&config);
	c = config;
	c.device_count = 1;
	c.mtu = 9000;
	expect(&c, -ERR_UNSUPPORTED, "MTU of port0 is 1500");
	c = config;
	c.device_count = 1;
	strcpy(c.devices[0], "net_nothing0,iface=x");
	expect(&c, -ERR_NOT_FOUND, "net_nothing0");
	strcpy(c.devices[0], "");
	expect(&c, -ERR_NOT_FOUND, "no device");
	c.device_count = 0;
	expect(&c, -ERR_UNSUPPORTED, "0 queues for 1");
	/* More devices than workers: their flows would be lost. */
	expect(&config, -ERR_UNSUPPORTED, "more queues than there are workers");
	eal_stop();
}

/* veth has two queues, the port serves one. */
static void port_refused_queues(void)
{
	struct port_config config = { .name = "sip0", .queues = 1, .mtu = 1500 };

	make_veth(2);
	use_af_xdp(&config);
	start(&config);
	expect(&config, -ERR_UNSUPPORTED, "has 2 receive queues");
	eal_stop();
}

/* An access port of VLAN 100 over net_ring, which returns what is sent. */
static void port_vlan(void)
{
	struct port_config config = { .name = "sip0", .devices = { "net_ring0" }, .device_count = 1, .queues = 1, .mtu = 1500, .vlan = 100 };
	static const char *const tags[] = { "8100:64", "88a8:64", "8100:64 8100:5", "8100:65", "", "8100:0" };
	static struct frame untagged;
	struct rte_mbuf *m, *burst[3];
	struct port_stats stats;
	struct port *p;
	uint32_t own;

	start(&config);
	p = open_port(&config);
	CHECK(port_wait_fds(p, 0, &(int){ 0 }, 1) == -ERR_UNSUPPORTED);
	for (unsigned i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		frame_make(&frame, &(struct recipe){ .family = 4, .payload = 100, .tags = tags[i] });
		frame_make(&untagged, &(struct recipe){ .family = 4, .payload = 100, .tags = i == 2 ? "8100:5" : "" });
		m = chained(1);
		CHECK(rte_eth_tx_burst(0, 0, &m, 1) == 1);
		CHECK(port_rx(p, 0, &m, 1, &own) == (i < 3));
		if (i < 3) {
			CHECK(m->pkt_len == untagged.length);
			CHECK(memcmp(rte_pktmbuf_mtod(m, void *), untagged.bytes, untagged.length) == 0);
			rte_pktmbuf_free(m);
		}
	}
	for (unsigned i = 0; i < 3; i++)
		burst[i] = chained(i + 1);
	CHECK(port_tx(p, 0, burst, 3) == 3);
	for (unsigned i = 0; i < 3; i++) {
		static const uint8_t tag[6] = { 0x81, 0, 0, 100, 0x81, 0 };

		CHECK(rte_eth_rx_burst(0, 0, &m, 1) == 1);
		CHECK(m->pkt_len == frame.length + 4);
		CHECK(memcmp(rte_pktmbuf_mtod(m, uint8_t *) + 12, tag, 6) == 0);
		rte_pktmbuf_free(m);
	}
	/* What a full port does not take comes back without a tag. */
	for (unsigned i = 0; i < 1023; i++) {
		m = chained(1);
		CHECK(port_tx(p, 0, &m, 1) == 1);
	}
	for (unsigned i = 0; i < 3; i++)
		burst[i] = chained(1);
	CHECK(port_tx(p, 0, burst, 3) == 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK(memcmp(rte_pktmbuf_mtod(burst[i], void *), frame.bytes, frame.length) == 0);
	port_stats(p, &stats);
	CHECK(stats.rx_other_vlan == 3 && stats.tx_unsendable == 0);
	port_close(p);
	eal_stop();
}

/* What output leaves to a driver that fills in checksums is right when it arrives: UDP's, IP's and TCP's, of both families. */
static void check_filled_in(struct port *p, int s)
{
	static const struct ip_port ends[][2] = {
		{ { { { 192, 0, 2, 1 }, IP_V4 }, 5060 }, { { { 192, 0, 2, 9 }, IP_V4 }, 5060 } },
		{ { { { 0x20, 1, 0xd, 0xb8, [15] = 1 }, IP_V6 }, 5060 }, { { { 0x20, 1, 0xd, 0xb8, [15] = 9 }, IP_V6 }, 5060 } },
	};
	static const struct route list[] = {
		{ { { { 192, 0, 2, 0 }, IP_V4 }, 24 }, { { 0 }, IP_NONE }, 0, 0 },
		{ { { { 0x20, 1, 0xd, 0xb8 }, IP_V6 }, 64 }, { { 0 }, IP_NONE }, 0, 0 },
	};
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	static struct counters counters;
	struct epoch *epoch = epoch_new(1);
	struct routes *routes = routes_new(epoch);
	struct output_config config = { .ports = &p, .port_count = 1, .pool = pool, .routes = routes, .counters = &counters };
	struct output *o = output_new(&config);
	uint8_t got[2048];

	CHECK(o && !routes_publish(routes, list, 2) && !routes_neighbour_set(routes, 0, &ends[0][1].ip, mac) &&
	      !routes_neighbour_set(routes, 0, &ends[1][1].ip, mac));
	for (unsigned i = 0; i < 8; i++) {
		const struct ip_port *from = &ends[i & 1][0], *to = &ends[i & 1][1];
		uint32_t header = i & 1 ? 40 : 20, bytes = i & 4 ? 101 : 1000;
		uint8_t *payload = output_reserve(o, bytes);

		for (uint32_t k = 0; k < bytes; k++)
			payload[k] = (uint8_t)(k * 7);
		payload[12] = 0x50; /* a TCP header of 20 bytes */
		payload[16] = payload[17] = 0;
		CHECK(!(i & 2 ? output_commit_tcp(o, bytes, &from->ip, &to->ip) : output_commit(o, bytes, from, to)));
		output_flush(o);
		bytes += i & 2 ? 0 : 8;
		/* The kernel speaks there too, once the interface is up. */
		do
			CHECK(peer_receive(s, got, sizeof(got)) > 0);
		while (memcmp(got, mac, 6));
		CHECK(sum_l4_right(got + 14, got + 14 + header, bytes, i & 2 ? 6 : 17));
		CHECK(i & 1 || sum_plain(0, got + 14, 20) == 0xffff);
	}
	output_free(o);
	routes_free(routes);
	epoch_free(epoch);
}

/* Software checksums of TAP are the driver's; a frame written to its interface arrives. */
static void port_tap(void)
{
	struct port_config config = { .name = "sip0", .devices = { "net_tap0,iface=dtap0" }, .device_count = 1, .queues = 1, .mtu = 1500 };
	struct rte_mbuf *m;
	struct port *p;
	int s;

	start(&config);
	p = open_port(&config);
	CHECK(port_rx_checksum(p) && port_tx_checksum(p) && port_tx_tcp_checksum(p));
	run("sysctl -qw net.ipv6.conf.dtap0.disable_ipv6=1 && ip link set dtap0 up");
	while (port_rx(p, 0, &m, 1, &(uint32_t){ 0 }))
		rte_pktmbuf_free(m);
	s = raw_socket("dtap0");
	frame_make(&frame, &(struct recipe){ .family = 4, .payload = 100 });
	pass(p, 1, s, &m);
	CHECK(m->pkt_len == frame.length);
	rte_pktmbuf_free(m);
	check_filled_in(p, s);
	port_close(p);
	eal_stop();
}

static void test_mbuf_bytes(void **state)
{
	struct port_config c[2] = { { .queues = 1, .mtu = 1500 }, { .queues = 1, .mtu = 1500 } };

	use_af_packet(&c[0]);
	use_af_xdp(&c[1]);
	assert_int_equal(port_mbuf_bytes(c, 0), RTE_MBUF_DEFAULT_BUF_SIZE);
	assert_in_range(port_mbuf_bytes(c, 1), 8192 + RTE_PKTMBUF_HEADROOM, 10000);
	assert_int_equal(port_mbuf_bytes(&c[1], 1), RTE_MBUF_DEFAULT_BUF_SIZE);
	assert_in_range(port_mbuf_bytes(c, 2), RTE_MBUF_DEFAULT_BUF_SIZE, 3800);
}

#define CHILD(name)                                                                                                    \
	static void test_##name(void **state)                                                                          \
	{                                                                                                              \
		in_child(name);                                                                                        \
	}

CHILD(port_af_packet)
CHILD(port_af_xdp)
CHILD(port_af_xdp_queues)
CHILD(port_af_xdp_stale)
CHILD(port_refused)
CHILD(port_refused_queues)
CHILD(port_vlan)
CHILD(port_tap)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mbuf_bytes),
		cmocka_unit_test(test_port_vlan),	   cmocka_unit_test(test_port_af_packet),
		cmocka_unit_test(test_port_af_xdp),	   cmocka_unit_test(test_port_af_xdp_queues),
		cmocka_unit_test(test_port_af_xdp_stale), cmocka_unit_test(test_port_refused),
		cmocka_unit_test(test_port_refused_queues), cmocka_unit_test(test_port_tap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
