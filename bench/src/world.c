/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane.h"
#include "eal.h"
#include "ends_tls.h"
#include "net/port_setup.h"
#include "port.h"
#include "records.h"
#include "sip/branch.h"
#include "sip/number.h"
#include "sip/via.h"
#include "tables/access.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/tables.h"
#include "tables/trunks.h"
#include "tcp/tcp.h"
#include "tls/tls.h"
#include "turn.h"
#include "worker_state.h"

#define CARRIERS	    16 /* trunks that call in */
#define ENDPOINTS_A_TRUNK   8
#define TRUNKS_A_PROFILE    8
#define TARGETS_PEER	    2 /* as whom TLS targets are known; 1 is the default */
#define START_NS	    1000000000000ull

uint32_t world_caller_ip(unsigned index)
{
	return 0x0a080000u + ((index % CARRIERS) << 8) + 2 + index / CARRIERS; /* 10.8.carrier.host */
}

uint32_t world_endpoint_ip(uint32_t index)
{
	return 0x0a100000u + (index / 250 << 8) + 2 + index % 250; /* 10.16.0.0 and up */
}

bool world_is_endpoint(const struct world *w, uint32_t ip)
{
	uint32_t at = ip - 0x0a100000u;

	return (at & 255) >= 2 && (at & 255) < 252 && (at >> 8) * 250 + (at & 255) - 2 < w->config.endpoints;
}

struct ip_addr world_address(uint32_t ip)
{
	struct ip_addr a = { .family = IP_V4 };

	a.bytes[0] = (uint8_t)(ip >> 24);
	a.bytes[1] = (uint8_t)(ip >> 16);
	a.bytes[2] = (uint8_t)(ip >> 8);
	a.bytes[3] = (uint8_t)ip;
	return a;
}

uint64_t resident_bytes(void)
{
	static const char *const keys[] = { "Rss:", "Private_Hugetlb:", "Shared_Hugetlb:" };
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	uint64_t kb = 0;

	while (f && fgets(line, sizeof(line), f))
		for (unsigned i = 0; i < 3; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				kb += strtoull(line + strlen(keys[i]), NULL, 10);
	if (f)
		fclose(f);
	return kb * 1024;
}

/* ---- tables */

/* Endpoints in trunks of up to eight, trunks in profiles of up to eight targets. */
struct shape {
	uint32_t per_trunk, trunks, per_profile, profiles;
};

static struct shape shape_of(const struct world_config *c)
{
	struct shape s;

	s.per_trunk = c->endpoints > 64 ? ENDPOINTS_A_TRUNK : 1;
	s.trunks = (c->endpoints + s.per_trunk - 1) / s.per_trunk;
	s.per_profile = RTE_MIN(s.trunks, (uint32_t)TRUNKS_A_PROFILE);
	s.profiles = (s.trunks + s.per_profile - 1) / s.per_profile;
	return s;
}

static uint8_t stream_transport(const struct world_config *c)
{
	return c->tls ? TRANSPORT_TLS : TRANSPORT_TCP;
}

static int add_trunk(struct world *w, uint32_t t, const struct shape *s, struct profile_target_source *target)
{
	static const uint16_t priorities[ENDPOINTS_A_TRUNK], weights[ENDPOINTS_A_TRUNK] = { 10, 10, 10, 10, 10, 10, 10, 10 };
	struct tables *tables = w->shared->tables;
	struct trunk *trunk = calloc(1, sizeof(*trunk));
	struct endpoint_config e = { .weight = 10, .transport = w->config.tcp_targets ? stream_transport(&w->config) : TRANSPORT_UDP,
				     .tls_peer = w->config.tls ? TARGETS_PEER : 0 };
	uint32_t slot, *slots = calloc(s->per_trunk, sizeof(*slots));
	int rc;

	snprintf(trunk->name, sizeof(trunk->name), "target-%u", t);
	trunk->id = trunk_id(span_str(trunk->name));
	trunk->profile_slot = PROFILE_NONE;
	rc = trunks_add(tables->trunks, trunk, &slot);
	for (uint32_t i = 0; rc == 0 && i < s->per_trunk && t * s->per_trunk + i < w->config.endpoints; i++) {
		e.addr = (struct ip_port){ world_address(world_endpoint_ip(t * s->per_trunk + i)), 5060 };
		e.id = endpoint_id(trunk->id, &e.addr, e.transport);
		e.trunk_slot = slot;
		rc = endpoints_add(tables->endpoints, &e, &trunk->endpoints[i]);
		slots[i] = trunk->endpoints[i];
		trunk->endpoint_count++;
		routes_neighbour_set(tables->routes, 0, &e.addr.ip, (const uint8_t *)"\x02\0\0\0\0\x0a");
	}
	if (rc == 0)
		rc = trunks_update(tables->trunks, slot, trunk);
	*target = (struct profile_target_source){ slot,		   t,	    trunk->id, (uint16_t)(t % s->per_profile), 10, true, trunk->endpoint_count,
						  slots, priorities, weights };
	free(trunk);
	return rc;
}

static int add_profiles(struct world *w, const struct shape *s, uint32_t *slots)
{
	static const enum strategy strategies[] = { STRATEGY_ROUND_ROBIN, STRATEGY_WEIGHTED, STRATEGY_FAILOVER };
	int rc = 0;

	for (uint32_t p = 0; rc == 0 && p < s->profiles; p++) {
		struct profile_target_source targets[TRUNKS_A_PROFILE];
		char name[32];
		struct profile_source source = { .name = name, .knobs = profile_knobs_default(), .targets = targets };
		struct profile *compiled;
		unsigned added;

		snprintf(name, sizeof(name), "numbers-%u", p);
		source.strategy = w->config.forked ? STRATEGY_SIMULTANEOUS_RING : w->config.failover ? STRATEGY_FAILOVER : strategies[p % 3];
		for (uint32_t t = p * s->per_profile; rc == 0 && t < RTE_MIN(s->trunks, (p + 1) * s->per_profile); t++)
			rc = add_trunk(w, t, s, &targets[source.target_count++]);
		added = source.target_count;
		if (w->config.forked)
			source.target_count = RTE_MIN(source.target_count, 2);
		compiled = profile_compile(&source);
		rc = rc == 0 && compiled ? profiles_add(w->shared->tables->profiles, compiled, &slots[p]) : -1;
		for (unsigned i = 0; i < added; i++)
			free((void *)(uintptr_t)targets[i].endpoints);
	}
	return rc;
}

static int add_numbers(struct world *w, const struct shape *s, const uint32_t *slots)
{
	struct timespec begin, end;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (uint64_t i = 0; rc == 0 && i < w->config.numbers; i++) {
		char text[20];
		e164 n;
		int bytes = snprintf(text, sizeof(text), "+%llu", FIRST_NUMBER + (unsigned long long)i);

		rc = e164_parse(span_of(text, (uint32_t)bytes), &n);
		if (rc == 0)
			rc = numbers_set(w->shared->tables->numbers, n, slots[mix64(i) % s->profiles]);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	w->numbers_load_s = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
	return rc;
}

static int add_carriers(struct world *w)
{
	struct tables *tables = w->shared->tables;
	struct range_entry sources[CARRIERS];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < CARRIERS; i++) {
		struct trunk *t = calloc(1, sizeof(*t));
		char prefix[24];

		snprintf(t->name, sizeof(t->name), "carrier-%u", i);
		snprintf(prefix, sizeof(prefix), "10.8.%u.0/24", i);
		t->id = trunk_id(span_str(t->name));
		t->profile_slot = PROFILE_NONE;
		ip_prefix_parse(span_str(prefix), &t->prefixes[0]);
		t->prefix_count = 1;
		sources[i].prefix = t->prefixes[0];
		rc = trunks_add(tables->trunks, t, &sources[i].value);
		free(t);
	}
	for (unsigned i = 0; i < WORLD_CALLERS; i++) {
		struct ip_addr a = world_address(world_caller_ip(i));

		routes_neighbour_set(tables->routes, 0, &a, (const uint8_t *)"\x02\0\0\0\0\x09");
	}
	return rc == 0 ? access_publish(tables->access, sources, CARRIERS) : rc;
}

static int fill_tables(struct world *w)
{
	struct shape s = shape_of(&w->config);
	struct tables_limits limits = { w->config.workers, RTE_MAX(w->config.numbers, w->config.room), 100, s.profiles + (w->config.room ? 100 : 0),
					s.trunks + CARRIERS, w->config.endpoints };
	uint32_t *slots = calloc(s.profiles, sizeof(*slots));
	struct route on_link = { .port = 0 };
	uint64_t before = resident_bytes();
	int rc = -1;

	w->shared->tables = tables_new(&limits);
	if (w->shared->tables && slots) {
		ip_prefix_parse(SPAN_LIT("10.0.0.0/8"), &on_link.prefix);
		rc = routes_publish(w->shared->tables->routes, &on_link, 1);
	}
	if (rc == 0)
		rc = add_profiles(w, &s, slots);
	if (rc == 0)
		rc = add_carriers(w);
	if (rc == 0)
		rc = add_numbers(w, &s, slots);
	w->tables_bytes = resident_bytes() - before;
	free(slots);
	return rc;
}

/* ---- the wire and the workers */

static int open_port(struct world *w, char *error)
{
	struct port_config pc = { .name = "wire", .devices = { "net_ring_wire" }, .device_count = 1, .queues = w->config.workers, .mtu = 1500 };
	struct port *port;

	w->shared->pool = rte_pktmbuf_pool_create("bench", w->config.mbufs, 256, 0, port_mbuf_bytes(&pc, 1), SOCKET_ID_ANY);
	for (unsigned i = 0; i < w->config.workers; i++) {
		char name[16];

		snprintf(name, sizeof(name), "in%u", i);
		w->wire_in[i] = rte_ring_create(name, w->config.ring, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "out%u", i);
		w->wire_out[i] = rte_ring_create(name, w->config.ring * 2, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!w->wire_in[i] || !w->wire_out[i])
			return -1;
	}
	if (!w->shared->pool || rte_eth_from_rings("wire", w->wire_in, w->config.workers, w->wire_out, w->config.workers, 0) < 0 ||
	    port_open(&pc, w->shared->pool, &port, error) < 0)
		return -1;
	port->rx_sums = port->tx_sums = w->config.offload; /* rings offload nothing: what a network card does is said here */
	port_mac(port, w->mac);
	w->shared->ports[0] = port;
	w->shared->port_count = 1;
	return 0;
}

static void proxy_settings(const struct world_config *c, const struct ip_port *us, struct proxy_config *ret)
{
	struct dataplane_config *defaults = calloc(1, sizeof(*defaults));

	dataplane_config_default(defaults);
	*ret = (struct proxy_config){
		.listeners = { { *us, TRANSPORT_UDP }, { *us, stream_transport(c) } },
		.listener_count = c->connections ? 2 : 1,
		.token_keys = { .key = { { 5, 6 } }, .present = { true } },
		.node = defaults->node,
		.boot = 1,
		.timers = { defaults->timers.t1, defaults->timers.t2, defaults->timers.t4 },
		.timer_c_ms = defaults->timers.timer_c,
		.ejection = defaults->ejection,
		.max_transactions = c->max_transactions,
		.max_calls = c->max_calls,
		.message_mb = c->message_mb,
		.max_call_age_ms = defaults->limits.call_age_s * 1000,
		.server_name = "Strowger",
		.clock_offset_ms = 1700000000000,
	};
	free(defaults);
}

/* What the proxy presents is what the ends do. */
static int start_tls(struct world *w, char *error)
{
	struct tls_identity *identity = NULL;
	struct tls_server_source server = { .name = "bench", .identities = &identity, .identity_count = 1 };
	struct tls_peer_source peer = { .verify = false };
	int rc = -1;

	w->tls = ends_tls_new();
	w->shared->tls_store = tls_store_new(w->shared->tables->epoch);
	if (w->tls && w->shared->tls_store)
		rc = tls_identity_load(ends_tls_certificate(w->tls), ends_tls_key(w->tls), &identity, error);
	if (w->tls)
		ends_tls_unlink(w->tls);
	if (rc == 0)
		rc = tls_store_set_server(w->shared->tls_store, 0, &server, error);
	if (rc == 0)
		rc = tls_store_set_peer(w->shared->tls_store, TARGETS_PEER, &peer, error);
	tls_identity_unref(identity);
	return rc;
}

static int start_workers(struct world *w, char *error)
{
	struct worker_shared *s = w->shared;
	struct ip_port us = { world_address(PROXY_IP), 5060 };
	struct worker_config wc = { .shared = s,
				    .core = -1,
				    .fragments = 64,
				    .trace_mb = w->config.trace_mb,
				    .trace_s = w->config.trace_s,
				    .streams = { .connections = w->config.connections, .buffer_mb = w->config.connections / 8 + 64, .idle_ms = 900000,
						 .message_ms = 32000, .connect_timeout_ms = 4000, .keepalive_ms = 120000,
						 .tls = { .handshakes = 1024, .tickets = 4096, .handshake_budget_us = 1000, .handshake_timeout_ms = 10000 } } };

	s->workers = w->config.workers;
	s->listeners = (struct listener_set){ .count = 1, .addr = { us } };
	if (w->config.connections) {
		s->listeners.tcp_count = 1;
		s->listeners.tcp[0] = us;
		s->listeners.stream[0].transport = stream_transport(&w->config);
		s->listeners.tcp_low = 20000;
		s->listeners.tcp_high = 31999;
	}
	s->tuple_key = (struct hash_key){ 7, 8 };
	s->tcp_secret = (struct hash_key){ 9, 10 };
	s->branch_key = (struct hash_key){ 3, 4 };
	branch_key(&s->branch_mac, &s->branch_key);
	s->exception_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->exceptions = rte_ring_create("exceptions", 4096, SOCKET_ID_ANY, RING_F_SC_DEQ);
	s->records = records_open(NULL, s->workers, error);
	if (!s->exceptions || !s->records || (w->config.tls && start_tls(w, error) < 0))
		return -1;
	proxy_settings(&w->config, &us, &wc.proxy);
	s->call_key = token_dialog_key(&wc.proxy.token_keys, 0);
	turn_clock_set(START_NS);
	for (unsigned i = 0; i < s->workers; i++) {
		wc.index = i;
		s->worker[i] = w->worker[i] = worker_new(&wc, error);
		if (!w->worker[i])
			return -1;
		epoch_online(s->tables->epoch, i);
	}
	return 0;
}

int world_start(struct world *w, const struct world_config *config)
{
	struct eal_config ec = { 0 };
	char error[256] = "out of memory";
	int rc;

	memset(w, 0, sizeof(*w));
	w->config = *config;
	if (!config->callers)
		w->config.callers = config->tcp_callers ? WORLD_CALLERS_TCP : WORLD_CALLERS;
	w->shared = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*w->shared), 64));
	memset(w->shared, 0, sizeof(*w->shared));
	/* Without huge pages no mbuf crosses a page, so each has one to itself. */
	ec.memory_mb = (unsigned)(((uint64_t)config->mbufs * 4224 + (uint64_t)config->numbers * 80) >> 20) + 96;
	rc = eal_start(&ec, &w->hugepages, error);
	if (rc == 0)
		rc = fill_tables(w);
	if (rc == 0)
		rc = open_port(w, error);
	if (rc == 0)
		rc = start_workers(w, error);
	if (rc < 0)
		fprintf(stderr, "bench: %s (%s)\n", error, rte_strerror(rte_errno));
	return rc < 0 ? -1 : 0;
}

void world_control(struct world *w)
{
	uint64_t told;

	while (records_peek(w->shared->records)) {
		records_drop(w->shared->records);
		w->records++;
	}
	if (read(w->shared->exception_fd, &told, sizeof(told)) > 0)
		atomic_store(&w->shared->exception_told, false);
	epoch_reclaim(w->shared->tables->epoch);
}
