/* SPDX-License-Identifier: Apache-2.0 */
#include "output_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/err.h"
#include "eal.h"
#include "sent.h"
#include "tables/epoch.h"

#define MBUFS	  4095

struct rte_mempool *pool, *small;
struct port *port;
static struct epoch *epoch;
struct routes *routes;
struct counters counters;
struct collected kernel, wire;
const uint8_t peer_mac[6] = { 2, 0, 0, 0, 0, 1 };

const struct ip_port from4 = { { { 192, 0, 2, 9 }, IP_V4 }, 5060 }, to4 = { { { 192, 0, 2, 1 }, IP_V4 }, 5060 };
const struct ip_port from6 = { { { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, IP_V6 }, 5060 };
const struct ip_port to6 = { { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, IP_V6 }, 5060 };
const struct ip_port stranger4 = { { { 192, 0, 2, 77 }, IP_V4 }, 5060 }, nowhere4 = { { { 203, 0, 113, 1 }, IP_V4 }, 5060 };
const struct ip_port stranger6 = { { { 0x20, 0x01, 0x0d, 0xb8, [15] = 77 }, IP_V6 }, 5060 };

uint64_t counted(enum counter which)
{
	return counter_read(&counters, which);
}

void collect(struct collected *c, struct rte_mbuf *m, uint16_t at)
{
	assert_true(c->count < COLLECTED);
	assert_int_equal(m->nb_segs, 1);
	c->port[c->count] = at;
	c->length[c->count] = m->pkt_len;
	memcpy(c->bytes[c->count], rte_pktmbuf_mtod(m, void *), m->pkt_len);
	c->count++;
	rte_pktmbuf_free(m);
}

static void to_kernel(void *ctx, struct rte_mbuf *m, uint16_t at)
{
	collect(ctx, m, at);
}

/* What the port sent comes back from net_ring. */
void receive(void)
{
	struct rte_mbuf *frames[64];
	uint16_t n;

	wire.count = 0;
	while ((n = rte_eth_rx_burst(0, 0, frames, 64)))
		for (uint16_t i = 0; i < n; i++)
			collect(&wire, frames[i], 0);
}

int publish_routes(void)
{
	static const struct route list[] = {
		{ { { { 192, 0, 2, 0 }, IP_V4 }, 24 }, { { 0 }, IP_NONE }, 0, 0 },
		{ { { { 0x20, 0x01, 0x0d, 0xb8 }, IP_V6 }, 64 }, { { 0 }, IP_NONE }, 0, 0 },
	};

	return routes_publish(routes, list, 2);
}

struct output *output(struct rte_mempool *from, bool with_kernel)
{
	struct output_config config = {
		.ports = &port,
		.port_count = 1,
		.pool = from,
		.routes = routes,
		.counters = &counters,
		.to_kernel = with_kernel ? to_kernel : NULL,
		.ctx = &kernel,
	};
	struct output *o = output_new(&config);

	assert_non_null(o);
	memset(&counters, 0, sizeof(counters));
	kernel.count = wire.count = 0;
	return o;
}

int put_out(struct output *o, uint32_t bytes, const struct ip_port *from, const struct ip_port *to)
{
	uint8_t *p = output_reserve(o, bytes);

	if (!p)
		return -ERR_NOMEM;
	for (uint32_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i + 1);
	return output_commit(o, bytes, from, to);
}

void check_ether(const uint8_t *frame, bool v4)
{
	uint8_t mac[6];

	port_mac(port, mac);
	assert_memory_equal(frame, peer_mac, 6);
	assert_memory_equal(frame + 6, mac, 6);
	assert_int_equal(sent_number(frame + 12, 2), v4 ? 0x0800 : 0x86dd);
}

static int start_routes(void)
{
	epoch = epoch_new(1);
	routes = epoch ? routes_new(epoch) : NULL;
	if (!routes || publish_routes())
		return -1;
	return routes_neighbour_set(routes, 0, &to4.ip, peer_mac) || routes_neighbour_set(routes, 0, &to6.ip, peer_mac) ? -1 : 0;
}

int bed_start(void **state)
{
	const struct port_config config = { .name = "test", .devices = { "net_ring0" }, .device_count = 1, .queues = 1, .mtu = MTU };
	const char *devices[] = { "net_ring0" };
	const struct eal_config eal = { .devices = devices, .device_count = 1, .memory_mb = 256 };
	char error[256];
	bool hugepages;

	if (eal_start(&eal, &hugepages, error))
		goto failed;
	pool = rte_pktmbuf_pool_create("test", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	small = rte_pktmbuf_pool_create("small", 15, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || !small || port_open(&config, pool, &port, error))
		goto failed;
	return start_routes();
failed:
	print_error("%s\n", error);
	return -1;
}

int bed_stop(void **state)
{
	routes_free(routes);
	epoch_free(epoch);
	port_close(port);
	eal_stop();
	return 0;
}
