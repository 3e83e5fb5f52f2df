/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic_tcp.h"

#include <stdlib.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "ends.h"
#include "tcp/tcp.h"
#include "turn.h"

#define ROUNDS	    400
#define ROUND_NS    50000 /* from the wire to an end and back */
#define AT_ONCE	    512   /* connections that are opened together */
#define IN_FLIGHT   (256u << 20)

static struct rte_mbuf *reserved;

static uint64_t now_us(void)
{
	return turn_clock() / 1000;
}

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	const struct traffic *t = ctx;

	return world_segment_room(t->world, bytes, &reserved);
}

static int commit(void *ctx, uint32_t bytes, uint32_t from_ip, uint32_t to_ip)
{
	struct traffic *t = ctx;

	world_segment_frame(t->world, reserved, bytes, from_ip);
	if (to_ip != PROXY_IP || rte_ring_sp_enqueue(t->world->wire_in[0], reserved))
		traffic_stop("the wire is too short for the segments");
	return 0;
}

static void message(void *ctx, uint32_t own_ip, const uint8_t *data, uint32_t len)
{
	struct traffic *t = ctx;

	check_output(t, data, len, own_ip);
	t->out++;
	t->out_bytes += len;
}

bool traffic_tcp_start(struct traffic *t)
{
	const struct world_config *w = &t->world->config;
	const struct ends_config config = { .connections = w->connections, .buffer_bytes = IN_FLIGHT, .mtu = 1500, .proxy_ip = PROXY_IP, .port = 5060,
					    .seed = 11, .tls = t->world->tls, .reserve = reserve, .commit = commit, .message = message, .ctx = t };
	int err = 0;

	if (!w->connections)
		return true;
	peers_by_stream(w->tcp_callers, w->tcp_targets, w->tls);
	t->ends = ends_new(&config, now_us());
	if (!t->ends)
		return false;
	ends_touch(t->ends);
	for (unsigned i = 0; !err && w->tcp_callers && i < t->world->config.callers; i++)
		err = ends_listen(t->ends, world_caller_ip(i));
	for (uint32_t i = 0; !err && w->tcp_targets && i < w->endpoints; i++)
		err = ends_listen(t->ends, world_endpoint_ip(i));
	return !err;
}

bool traffic_tcp_put(struct traffic *t, uint32_t from, uint64_t serial, const struct input *in)
{
	const struct world_config *w = &t->world->config;

	if (!(world_is_endpoint(t->world, from) ? w->tcp_targets : w->tcp_callers))
		return false;
	if (!ends_send(t->ends, from, serial, in->text, in->len))
		traffic_stop("a connection takes no more, or there is none");
	return true;
}

bool traffic_tcp_take(struct traffic *t, const struct rte_mbuf *m)
{
	struct tcp_packet packet;

	if (!t->ends || !world_segment(m, &packet))
		return false;
	ends_input(t->ends, &packet, now_us());
	return true;
}

/* One way there and back. */
static uint64_t round_trip(struct traffic *t, uint64_t advance_ns, bool timed)
{
	uint64_t cycles;

	ends_advance(t->ends, now_us());
	cycles = traffic_turns(t, advance_ns, timed);
	traffic_off_the_wire(t, true);
	return cycles;
}

uint64_t traffic_tcp_run(struct traffic *t, uint64_t advance_ns, bool timed)
{
	uint64_t cycles = round_trip(t, advance_ns, timed);

	for (unsigned i = 0; t->missing && i < ROUNDS; i++)
		cycles += round_trip(t, ROUND_NS, timed);
	return cycles;
}

/* ---- connections */

static uint64_t until(struct traffic *t, const uint64_t *counter, uint64_t value, bool timed)
{
	uint64_t cycles = 0;

	for (unsigned i = 0; *counter < value && i < ROUNDS; i++)
		cycles += round_trip(t, ROUND_NS, timed);
	if (*counter != value)
		traffic_stop("connections do not stand, or do not end");
	return cycles;
}

static void open_some(struct traffic *t, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ends_open(t->ends, world_caller_ip((first + i) % t->world->config.callers)))
			traffic_stop("a connection cannot be opened");
}

void traffic_connect(struct traffic *t, uint32_t count)
{
	const struct ends_counts *c = ends_counts(t->ends);

	for (uint32_t done = 0, n; done < count; done += n) {
		n = RTE_MIN(count - done, (uint32_t)AT_ONCE);
		open_some(t, done, n);
		until(t, &c->opened, c->opened + n, false);
	}
}

uint64_t traffic_open_and_close(struct traffic *t, uint32_t count)
{
	const struct ends_counts *c = ends_counts(t->ends);
	uint64_t cycles;

	open_some(t, 0, count);
	cycles = until(t, &c->opened, c->opened + count, true);
	for (unsigned i = 0; i < t->world->config.callers; i++)
		ends_close(t->ends, world_caller_ip(i));
	return cycles + until(t, &c->closed, c->closed + count, true);
}
