/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_stream.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "ends.h"
#include "ends_tls.h"
#include "tcp/tcp.h"

#define SIP_PORT      5060
#define MESSAGE_BYTES 1600
#define FIRST	      101 /* last number of the first caller's address, and of the first target's */
#define BUFFER_BYTES  (64ull << 20)
#define CAME	      4096	 /* messages that may wait to be looked at; a power of two: what came out of order may come in order all at once */
#define CAME_MANY     512	 /* no further frames are received before some were looked at */
#define WAITING_BYTES (2u << 20)  /* queued or in flight: beyond this the device takes no more just now */
#define AT_ONCE	      256	 /* connections that are opened together */

struct wire_stream {
	struct wire_port_config config;
	struct wire_port *port;
	struct ends *ends;
	struct ends_tls *tls;
	uint64_t turn; /* the next message's connection */
	uint64_t ticks_per_us;
	uint8_t scratch[MESSAGE_BYTES];
	uint32_t first, count; /* of what came */
	struct {
		uint32_t len, to_ip;
		uint8_t bytes[MESSAGE_BYTES];
	} came[CAME];
};

static uint64_t now_us(const struct wire_stream *s)
{
	return rte_rdtsc() / s->ticks_per_us;
}

/* ---- what the ends are given */

static uint8_t *segment_reserve(void *ctx, uint32_t bytes)
{
	const struct wire_stream *s = ctx;

	return wire_port_segment_reserve(s->port);
}

static int segment_commit(void *ctx, uint32_t bytes, uint32_t from_ip, uint32_t to_ip)
{
	const struct wire_stream *s = ctx;

	wire_port_segment_commit(s->port, bytes, from_ip, to_ip);
	return 0;
}

/* One that is too long, or one too many, is left out: it counts as lost. */
static void message(void *ctx, uint32_t own_ip, const uint8_t *data, uint32_t len)
{
	struct wire_stream *s = ctx;
	uint32_t at = (s->first + s->count) % CAME;

	if (s->count == CAME || len > MESSAGE_BYTES)
		return;
	s->came[at].len = len;
	s->came[at].to_ip = own_ip;
	memcpy(s->came[at].bytes, data, len);
	s->count++;
}

/* ---- life */

struct wire_stream *wire_stream_new(const struct wire_port_config *config, struct wire_port *port)
{
	struct wire_stream *s = calloc(1, sizeof(*s));
	struct ends_config ec = { .connections = config->connections + 64, .buffer_bytes = BUFFER_BYTES, .mtu = 1500, .proxy_ip = config->us, .port = SIP_PORT,
				  .seed = rte_rdtsc(), .reserve = segment_reserve, .commit = segment_commit, .message = message, .ctx = s };
	int err = 0;

	if (!s)
		return NULL;
	s->config = *config;
	s->port = port;
	s->ticks_per_us = rte_get_tsc_hz() / 1000000;
	if (config->tls && !(ec.tls = s->tls = ends_tls_new()))
		err = -1;
	if (s->tls)
		ends_tls_unlink(s->tls);
	if (!err)
		s->ends = ends_new(&ec, now_us(s));
	for (unsigned i = 0; s->ends && !err && i < config->makes; i++) {
		err = ends_listen(s->ends, config->callers + FIRST + i);
		if (!err)
			err = ends_listen(s->ends, config->targets + FIRST + i);
	}
	if (!s->ends || err) {
		wire_stream_free(s);
		return NULL;
	}
	ends_touch(s->ends);
	return s;
}

void wire_stream_free(struct wire_stream *s)
{
	if (s) {
		ends_free(s->ends);
		ends_tls_free(s->tls);
	}
	free(s);
}

bool wire_stream_open(struct wire_stream *s, unsigned wait_s, char *error_text)
{
	const struct ends_counts *c = ends_counts(s->ends);
	uint64_t end = rte_rdtsc() + wait_s * rte_get_tsc_hz();
	uint32_t asked = 0;
	struct arrival arrivals[64];

	while (c->opened < s->config.connections && !c->failed && rte_rdtsc() < end) {
		while (asked < s->config.connections && asked - c->opened < AT_ONCE &&
		       !ends_open(s->ends, s->config.callers + FIRST + asked % s->config.makes)) {
			asked++;
			wire_port_flush(s->port); /* a SYN for which the port has no room is sent again after a second */
		}
		wire_port_flush(s->port);
		wire_port_release(arrivals, wire_port_receive(s->port, arrivals));
	}
	snprintf(error_text, 256, "%llu of %u connections stand, %llu failed", (unsigned long long)c->opened, s->config.connections,
		 (unsigned long long)c->failed);
	return c->opened == s->config.connections;
}

/* ---- messages */

uint8_t *wire_stream_reserve(struct wire_stream *s)
{
	return s->scratch;
}

bool wire_stream_commit(struct wire_stream *s, uint32_t len, const struct datagram_way *way)
{
	return ends_send(s->ends, way->from_ip, s->turn++, s->scratch, len);
}

bool wire_stream_waiting(const struct wire_stream *s)
{
	return ends_buffered(s->ends) > WAITING_BYTES;
}

void wire_stream_segment(struct wire_stream *s, const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
	uint32_t bytes = rte_be_to_cpu_16(ip->total_length), head = sizeof(struct rte_ether_hdr);
	struct tcp_packet packet = { .source.family = IP_V4, .destination.family = IP_V4 };

	if (bytes < sizeof(*ip) || head + bytes > m->data_len)
		return;
	memcpy(packet.source.bytes, &ip->src_addr, 4);
	memcpy(packet.destination.bytes, &ip->dst_addr, 4);
	packet.segment = span_of((const uint8_t *)(ip + 1), bytes - (uint32_t)sizeof(*ip));
	ends_input(s->ends, &packet, now_us(s));
}

bool wire_stream_behind(const struct wire_stream *s)
{
	return s->count > CAME_MANY;
}

unsigned wire_stream_arrivals(struct wire_stream *s, struct arrival *ret_arrivals, unsigned most)
{
	unsigned n = 0;

	for (; n < most && s->count; n++, s->count--, s->first = (s->first + 1) % CAME)
		ret_arrivals[n] = (struct arrival){ .payload = s->came[s->first].bytes,
						    .len = s->came[s->first].len,
						    .way = { s->config.us, s->came[s->first].to_ip, SIP_PORT, SIP_PORT } };
	return n;
}

void wire_stream_advance(struct wire_stream *s)
{
	ends_advance(s->ends, now_us(s));
}
