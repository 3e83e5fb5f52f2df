/* SPDX-License-Identifier: Apache-2.0 */
/* Mbuf to mbuf: frames are built, parsed, proxied and sent to a null port, with the floors that a worker uses and no thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "bench_messages.h"
#include "eal.h"
#include "net/output.h"
#include "net/packet.h"
#include "port.h"
#include "proxy/proxy.h"
#include "proxy/stats.h"
#include "shim.h"
#include "sip/message.h"
#include "sip/via.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "tables/trunks.h"

#define CALLER "10.9.0.7"
#define US     "10.9.0.1"
/* The simulated pace: transactions linger for 32 s of it, so this many times 32 of them are paid for at any time. */
#define CALLS_PER_SECOND 1000

static struct {
	struct port *port;
	struct rte_mempool *pool;
	struct output *output;
	struct tables *tables;
	struct proxy *proxy;
	struct counters counters;
	struct listener_set listeners;
	struct profile *profiles[3];
	struct ip_port us, caller, target;
	uint64_t n, now_ms, sent;
	uint8_t *scratch;
	uint8_t last[4096]; /* what the proxy last sent, and before that */
	uint32_t last_len;
	uint8_t bye[2048];
	uint32_t bye_len;
} b;

static struct ip_port addr(const char *text)
{
	struct ip_port a;

	if (ip_port_parse(span_str(text), 5060, &a) < 0)
		abort();
	return a;
}

static uint8_t *reserved;

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	return reserved = output_reserve(b.output, bytes);
}

static int commit(void *ctx, uint32_t len, const struct flow *to)
{
	if (ip_eq(&to->remote.ip, &b.target.ip) && len <= sizeof(b.last)) {
		memcpy(b.last, reserved, len); /* the bench plays the target, so it must read what was sent */
		b.last_len = len;
	}
	b.sent++;
	return output_commit(b.output, len, &to->local, &to->remote);
}

static void no_kernel(void *ctx, struct rte_mbuf *m, uint16_t port)
{
	rte_pktmbuf_free(m);
}

/* A frame as a driver would hand it over. */
static struct rte_mbuf *frame(const uint8_t *payload, uint32_t len, const struct ip_port *from)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b.pool);
	uint8_t *f = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(42 + len));
	uint32_t sum = 0;

	if (!f)
		abort();
	port_mac(b.port, f);
	memcpy(f + 6, "\x02\x00\x00\x00\x00\x09\x08\x00\x45\x00", 10);
	f[16] = (uint8_t)((28 + len) >> 8);
	f[17] = (uint8_t)(28 + len);
	memcpy(f + 18, "\x00\x01\x00\x00\x40\x11\x00\x00", 8);
	memcpy(f + 26, from->ip.bytes, 4);
	memcpy(f + 30, b.us.ip.bytes, 4);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)f[i] << 8 | f[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	f[24] = (uint8_t)(sum >> 8);
	f[25] = (uint8_t)sum;
	f[34] = (uint8_t)(from->port >> 8);
	f[35] = (uint8_t)from->port;
	f[36] = (uint8_t)(b.us.port >> 8);
	f[37] = (uint8_t)b.us.port;
	f[38] = (uint8_t)((8 + len) >> 8);
	f[39] = (uint8_t)(8 + len);
	f[40] = f[41] = 0; /* IPv4 allows no UDP checksum; peers on the wire mostly offload it */
	memcpy(f + 42, payload, len);
	return m;
}

static void in(const uint8_t *payload, uint32_t len, const struct ip_port *from)
{
	struct rte_mbuf *m = frame(payload, len, from);
	struct packet packet;
	enum counter drop;

	packet_parse(m, &b.listeners, false, b.scratch, &packet, &drop);
	if (packet.kind == PACKET_UDP) {
		struct flow f = { .remote = packet.source, .local = packet.destination, .transport = TRANSPORT_UDP };

		proxy_datagram(b.proxy, packet.payload, packet.payload_len, &f, b.now_ms);
	}
	rte_pktmbuf_free(m);
}

static void tick(void)
{
	if (b.n % (CALLS_PER_SECOND / 1000) == 0)
		proxy_advance(b.proxy, ++b.now_ms);
	if (b.n % 8 == 0)
		output_flush(b.output);
}

/* What a target answers: the request's Vias, Record-Routes, From, Call-ID and CSeq, To with a tag. */
static uint32_t answer(const uint8_t *request, uint32_t len, uint8_t *out)
{
	static const char *const copied[] = { "Via:", "Record-Route:", "From:", "Call-ID:", "CSeq:" };
	const uint8_t *end = request + len, *line = memchr(request, '\n', len);
	uint32_t n = (uint32_t)sprintf((char *)out, "SIP/2.0 200 OK\r\n");

	for (line++; line < end && *line != '\r';) {
		const uint8_t *next = (const uint8_t *)memchr(line, '\n', (size_t)(end - line)) + 1;

		for (unsigned i = 0; i < 5; i++)
			if (!strncmp((const char *)line, copied[i], strlen(copied[i]))) {
				memcpy(out + n, line, (size_t)(next - line));
				n += (uint32_t)(next - line);
			}
		if (!strncmp((const char *)line, "To:", 3)) {
			memcpy(out + n, line, (size_t)(next - line) - 2);
			n += (uint32_t)(next - line) - 2;
			n += (uint32_t)sprintf((char *)out + n, ";tag=t%016llx\r\n", (unsigned long long)b.n);
		}
		line = next;
	}
	return n + (uint32_t)sprintf((char *)out + n, "Contact: <sip:10.9.1.2:5060>\r\nContent-Length: 0\r\n\r\n");
}

uint32_t bench_peers(void)
{
	uint8_t message[2048];
	uint32_t len;

	bench_frames_sent();
	len = bench_write_invite(message, sizeof(message), b.n, CALLER);
	rte_pktmbuf_free(frame(message, len, &b.caller));
	len = answer(b.last, b.last_len, message);
	rte_pktmbuf_free(frame(message, len, &b.target));
	return len;
}

uint64_t bench_invite_answered(void)
{
	uint8_t message[2048];
	uint32_t len;

	b.n++;
	len = bench_write_invite(message, sizeof(message), b.n, CALLER);
	in(message, len, &b.caller);
	len = answer(b.last, b.last_len, message);
	in(message, len, &b.target);
	tick();
	return b.sent;
}

static void make_bye(void)
{
	uint8_t reply[2048];
	struct sip_message *m = calloc(1, sizeof(*m));
	uint32_t len;

	b.n++;
	len = bench_write_invite(reply, sizeof(reply), b.n, CALLER);
	in(reply, len, &b.caller);
	len = answer(b.last, b.last_len, reply);
	in(reply, len, &b.target);
	if (sip_parse(reply, len, m) != SIP_OK)
		abort();
	b.bye_len = (uint32_t)snprintf((char *)b.bye, sizeof(b.bye),
				       "INFO sip:10.9.1.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP " CALLER ":5060;branch=z9hG4bK776asdhds;rport\r\n"
				       "Max-Forwards: 70\r\nRoute: %.*s\r\nFrom: %.*s\r\nTo: %.*s\r\nCall-ID: %.*s\r\nCSeq: 102 INFO\r\n"
				       "Content-Length: 0\r\n\r\n",
				       (int)sip_first(m, SIP_H_RECORD_ROUTE).n, (const char *)sip_first(m, SIP_H_RECORD_ROUTE).p,
				       (int)sip_first(m, SIP_H_FROM).n, (const char *)sip_first(m, SIP_H_FROM).p,
				       (int)sip_first(m, SIP_H_TO).n, (const char *)sip_first(m, SIP_H_TO).p, (int)m->call_id.n,
				       (const char *)m->call_id.p);
	free(m);
}

uint64_t bench_in_dialog(void)
{
	if (!b.bye_len)
		make_bye();
	b.n++;
	in(b.bye, b.bye_len, &b.caller);
	tick();
	return b.sent;
}

uint64_t bench_frames_sent(void)
{
	if (!b.bye_len)
		make_bye();
	return b.sent;
}

/* ---- setting up */

static void targets(void)
{
	static const char *const names[] = { "one", "two", "three" };
	struct profile_target_source sources[3];
	static uint32_t slots[3];
	static const uint16_t priority = 0, weight = 100;
	struct profile_source ps = { .name = "bench", .knobs = profile_knobs_default(), .target_count = 3, .targets = sources };
	static const enum strategy strategies[] = { STRATEGY_FAILOVER, STRATEGY_ROUND_ROBIN, STRATEGY_WEIGHTED };
	uint32_t slot;

	for (unsigned i = 0; i < 3; i++) {
		struct trunk *t = calloc(1, sizeof(*t));
		struct endpoint_config e = { .addr = b.target, .weight = 100 };
		uint32_t trunk;

		strcpy(t->name, names[i]);
		t->id = trunk_id(span_str(names[i]));
		t->profile_slot = PROFILE_NONE;
		e.addr.port = (uint16_t)(5060 + i);
		e.id = endpoint_id(t->id, &e.addr, TRANSPORT_UDP);
		endpoints_add(b.tables->endpoints, &e, &slots[i]);
		t->endpoint_count = 1;
		t->endpoints[0] = slots[i];
		trunks_add(b.tables->trunks, t, &trunk);
		e.trunk_slot = trunk;
		endpoints_update(b.tables->endpoints, slots[i], &e);
		sources[i] = (struct profile_target_source){ trunk, i, t->id, (uint16_t)i, 100, true, 1, &slots[i], &priority, &weight };
		free(t);
	}
	for (unsigned i = 0; i < 3; i++) {
		ps.strategy = strategies[i];
		b.profiles[i] = profile_compile(&ps);
	}
	ps.strategy = STRATEGY_ROUND_ROBIN;
	profiles_add(b.tables->profiles, profile_compile(&ps), &slot);
	for (unsigned i = 0; i < 100; i++) {
		char number[20];
		e164 n;

		snprintf(number, sizeof(number), "+4420355501%02u", i);
		e164_parse(span_str(number), &n);
		numbers_set(b.tables->numbers, n, slot);
	}
}

static int open_port(char *error)
{
	static const char *const devices[] = { "net_null0" };
	struct eal_config ec = { .devices = devices, .device_count = 1, .memory_mb = 512 };
	struct port_config pc = { .name = "null", .devices = { "net_null0" }, .device_count = 1, .queues = 1, .mtu = 1500 };
	bool huge;

	if (eal_start(&ec, &huge, error) < 0)
		return -1;
	b.pool = rte_pktmbuf_pool_create("bench", 16384, 256, 0, port_mbuf_bytes(&pc, 1), SOCKET_ID_ANY);
	return b.pool ? port_open(&pc, b.pool, &b.port, error) : -1;
}

int bench_pipeline_start(void)
{
	struct tables_limits limits = { 1, 100000, 100, 10, 10, 10 };
	struct range_entry everybody = { .value = 0 };
	struct route route = { .port = 0 };
	struct output_config oc = { .queue = 0, .to_kernel = no_kernel };
	struct proxy_config pc = {
		.outbox = { reserve, commit, NULL },
		.call_key = { 1, 2 },
		.branch_key = { 3, 4 },
		.token_keys = { .key = { { 5, 6 } }, .present = { true } },
		.timers = { 500, 4000, 5000 },
		.timer_c_ms = 185000,
		.max_transactions = 80 * CALLS_PER_SECOND,
		.max_calls = 2000000,
		.message_mb = 1024,
		.max_call_age_ms = 60000,
	};
	char error[256] = "out of memory";

	b.us = addr(US);
	b.caller = addr(CALLER);
	b.target = addr("10.9.1.2");
	b.now_ms = 1000000;
	b.scratch = malloc(65536);
	if (open_port(error) < 0 || !(b.tables = tables_new(&limits))) {
		fprintf(stderr, "bench: %s\n", error);
		return -1;
	}
	b.listeners = (struct listener_set){ 1, { b.us } };
	ip_prefix_parse(SPAN_LIT("10.9.0.0/24"), &everybody.prefix);
	targets();
	access_publish(b.tables->access, &everybody, 1);
	ip_prefix_parse(SPAN_LIT("10.0.0.0/8"), &route.prefix);
	routes_publish(b.tables->routes, &route, 1);
	routes_neighbour_set(b.tables->routes, 0, &b.caller.ip, (const uint8_t *)"\x02\0\0\0\0\x09");
	routes_neighbour_set(b.tables->routes, 0, &b.target.ip, (const uint8_t *)"\x02\0\0\0\0\x0a");
	oc.ports = &b.port;
	oc.port_count = 1;
	oc.pool = b.pool;
	oc.routes = b.tables->routes;
	oc.counters = &b.counters;
	b.output = output_new(&oc);
	pc.tables = b.tables;
	pc.counters = &b.counters;
	pc.targets = calloc(TARGET_CELLS, sizeof(struct target_cell));
	pc.listeners[0].addr = b.us;
	pc.listener_count = 1;
	b.proxy = b.output && pc.targets ? proxy_new(&pc, b.now_ms) : NULL;
	if (!b.proxy)
		fprintf(stderr, "bench: out of memory\n");
	return b.proxy ? 0 : -1;
}

uint32_t bench_select(int strategy, uint64_t hash)
{
	struct selection_state s;
	struct selection r = { 0 };

	selection_start(&s, hash);
	select_next(b.profiles[strategy], b.tables->endpoints, b.now_ms, &s, &r);
	return r.endpoint;
}

uint32_t bench_number_lookup(uint64_t n)
{
	char text[20];
	static e164 numbers[100];
	static int ready;

	for (unsigned i = 0; !ready && i < 100; i++) {
		snprintf(text, sizeof(text), "+4420355501%02u", i);
		e164_parse(span_str(text), &numbers[i]);
	}
	ready = 1;
	return numbers_lookup(b.tables->numbers, numbers[n % 100]).profile_slot;
}
