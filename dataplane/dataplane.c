/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/err.h"
#include "base/random.h"
#include "eal.h"
#include "records.h"
#include "sip/branch.h"
#include "sip/dialog_hash.h"
#include "sip/via.h"
#include "tls/tls.h"

_Static_assert(WORKERS_MAX <= 1 << BRANCH_WORKER_BITS, "a branch names the worker");

#define EXCEPTION_RING	4096
#define MBUF_CACHE	256
#define PACKET_LINEAR	65600 /* an IP packet of many segments, made linear for the kernel */

_Static_assert(TARGET_SLOTS_MAX == TARGET_CELLS, "one statistics cell per target slot");
_Static_assert((unsigned)DATAPLANE_NAMES_MAX == (unsigned)PROXY_NAMES_MAX, "each of the names is handed on");

void dataplane_config_default(struct dataplane_config *config)
{
	*config = (struct dataplane_config){
		.workers = 1,
		.limits = {
			.transactions = 65536,
			.calls = 65536,
			.call_age_s = 12 * 3600,
			.trace_mb = 8,
			.trace_s = 2,
			.message_mb = 256,
			.fragments = 1024,
			.mbufs = 16384,
			.connections = 16384,
			.stream_mb = 64,
			.tables = { .numbers = 1000000, .prefixes = 10000, .profiles = 1000, .trunks = 1000, .endpoints = 10000 },
		},
		.ejection = { .after = 3, .after_failures = 5, .numbers = 3, .window_ms = 10000, .window_percent = 50, .window_calls = 20,
			      .first_ms = 10000, .max_ms = 300000, .share_percent = 50, .ramp_ms = 30000, .last_resort = true },
		.timers = { .t1 = 500, .t2 = 4000, .t4 = 5000, .timer_c = 185000 },
		.tcp = { .idle_s = 900, .message_timeout_s = 32, .connect_timeout_ms = 4000, .keepalive_s = 120, .port_low = 20000, .port_high = 31999 },
		.tls = { .handshakes = 1024, .tickets = 4096, .handshake_budget_us = 1000, .handshake_timeout_ms = 10000 },
		.server_name = "Strowger",
		.node = 1,
	};
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		config->cores[i] = -1;
}

uint64_t dataplane_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- starting */

static unsigned memory_wanted_mb(const struct dataplane_config *c, unsigned mbuf_bytes)
{
	uint64_t mbufs = (uint64_t)c->limits.mbufs * c->workers * (mbuf_bytes + 256);

	return (unsigned)(mbufs >> 20) + 96;
}

static int start_eal(struct dataplane *d, char *error_text)
{
	const char *devices[PORTS_MAX * PORT_DEVICES_MAX];
	struct eal_config ec = { .devices = devices };
	int rc;

	for (unsigned p = 0; p < d->config.port_count; p++)
		for (unsigned i = 0; i < d->config.ports[p].device_count; i++)
			devices[ec.device_count++] = d->config.ports[p].devices[i];
	ec.memory_mb = memory_wanted_mb(&d->config, port_mbuf_bytes(d->config.ports, d->config.port_count));
	rc = eal_start(&ec, &d->hugepages, error_text);
	d->eal = rc == 0;
	return rc;
}

static int start_tables(struct dataplane *d, char *error_text)
{
	struct tables_limits limits = d->config.limits.tables;

	limits.workers = d->config.workers;
	d->shared.tables = tables_new(&limits);
	d->baseline = calloc(TARGET_SLOTS_MAX, sizeof(d->baseline[0]));
	d->linear = malloc(PACKET_LINEAR);
	if (d->shared.tables && d->baseline && d->linear) {
		endpoints_set_ramp(d->shared.tables->endpoints, d->config.ejection.ramp_ms);
		return 0;
	}
	snprintf(error_text, 256, "tables: not enough memory for limits.numbers = %u; lower it", limits.numbers);
	return -ERR_NOMEM;
}

static int start_tls(struct dataplane *d, char *error_text)
{
	bool wanted = false;

	for (unsigned i = 0; i < d->config.listener_count; i++)
		wanted |= d->config.listeners[i].transport == TRANSPORT_TLS;
	if (!wanted)
		return 0;
	d->shared.tls_store = tls_store_new(d->shared.tables->epoch);
	if (d->shared.tls_store)
		return 0;
	snprintf(error_text, 256, "not enough memory for TLS");
	return -ERR_NOMEM;
}

static int start_ports(struct dataplane *d, char *error_text)
{
	unsigned mbufs = d->config.limits.mbufs * d->config.workers;

	d->shared.pool = rte_pktmbuf_pool_create("strowger", mbufs, MBUF_CACHE, 0,
						 port_mbuf_bytes(d->config.ports, d->config.port_count), SOCKET_ID_ANY);
	if (!d->shared.pool) {
		snprintf(error_text, 256, "not enough memory for %u packet buffers; lower limits.mbufs or give hugepages", mbufs);
		return -ERR_NOMEM;
	}
	for (unsigned i = 0; i < d->config.port_count; i++) {
		struct port_config pc = d->config.ports[i];
		int rc;

		pc.queues = d->config.workers;
		rc = port_open(&pc, d->shared.pool, &d->shared.ports[i], error_text);
		if (rc < 0)
			return rc;
		d->shared.port_count++;
	}
	return 0;
}

static uint64_t unix_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void proxy_settings(const struct dataplane_config *c, struct proxy_config *ret)
{
	*ret = (struct proxy_config){
		.listener_count = c->listener_count,
		.token_keys = c->token_keys,
		.node = c->node,
		.boot = c->boot,
		.timers = { c->timers.t1, c->timers.t2, c->timers.t4 },
		.timer_c_ms = c->timers.timer_c,
		.ejection = c->ejection,
		.max_transactions = c->limits.transactions,
		.max_in_progress = c->limits.in_progress,
		.max_calls = c->limits.calls,
		.message_mb = c->limits.message_mb,
		.max_call_age_ms = c->limits.call_age_s * 1000,
		.admission = c->admission,
		.silent_to_unknown = c->unknown_source == UNKNOWN_SOURCE_SILENT,
		.server_name = c->server_name,
		.clock_offset_ms = unix_now_ms() - dataplane_now_ms(),
	};
	for (unsigned i = 0; i < c->name_count; i++)
		ret->names[i] = c->names[i];
	ret->name_count = c->name_count;
	for (unsigned i = 0; i < c->listener_count; i++) {
		ret->listeners[i].addr = c->listeners[i].addr;
		ret->listeners[i].transport = c->listeners[i].transport;
	}
}

static int start_workers(struct dataplane *d, char *error_text)
{
	struct worker_shared *s = &d->shared;
	struct worker_config wc = {
		.shared = s,
		.fragments = d->config.limits.fragments,
		.trace_mb = d->config.limits.trace_mb,
		.trace_s = d->config.limits.trace_s,
		.streams = {
			.connections = d->config.limits.connections,
			.per_source = d->config.limits.connections_per_source,
			.buffer_mb = d->config.limits.stream_mb,
			.idle_ms = d->config.tcp.idle_s * 1000,
			.message_ms = d->config.tcp.message_timeout_s * 1000,
			.connect_timeout_ms = d->config.tcp.connect_timeout_ms,
			.keepalive_ms = d->config.tcp.keepalive_s * 1000,
			.tls = d->config.tls,
		},
	};

	s->records = records_open(d->config.record_file, s->workers, error_text);
	if (!s->records)
		return -ERR_IO;
	s->exceptions = rte_ring_create("exceptions", EXCEPTION_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (!s->exceptions || s->exception_fd < 0) {
		snprintf(error_text, 256, "not enough memory for the exception ring");
		return -ERR_NOMEM;
	}
	proxy_settings(&d->config, &wc.proxy);
	for (unsigned i = 0; i < s->workers; i++) {
		wc.index = i;
		wc.core = d->config.cores[i];
		s->worker[i] = worker_new(&wc, error_text);
		if (!s->worker[i])
			return -ERR_NOMEM;
	}
	for (unsigned i = 0; i < s->workers; i++) {
		if (worker_start(s->worker[i]) < 0) {
			snprintf(error_text, 256, "worker %u: cannot start a thread", i);
			return -ERR_IO;
		}
	}
	return 0;
}

static void collect_listeners(const struct dataplane_config *config, struct listener_set *ret)
{
	for (unsigned i = 0; i < config->listener_count; i++) {
		const struct dataplane_listener *l = &config->listeners[i];

		if (l->transport == TRANSPORT_UDP)
			ret->addr[ret->count++] = l->addr;
		else {
			ret->stream[ret->tcp_count].transport = l->transport;
			ret->stream[ret->tcp_count].tls_server = l->tls_server;
			ret->tcp[ret->tcp_count++] = l->addr;
		}
	}
	ret->tcp_low = (uint16_t)config->tcp.port_low;
	ret->tcp_high = (uint16_t)config->tcp.port_high;
}

int dataplane_start(const struct dataplane_config *config, struct dataplane **ret_dataplane, char *error_text)
{
	struct dataplane *d = calloc(1, sizeof(*d));
	int rc;

	if (!d) {
		snprintf(error_text, 256, "out of memory");
		return -ERR_NOMEM;
	}
	d->config = *config;
	d->shared.workers = config->workers;
	d->shared.idle_sleep = config->idle_sleep;
	d->shared.exception_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	d->shared.call_key = token_dialog_key(&config->token_keys, config->token_keys.signing);
	random_secret(&d->shared.branch_key, sizeof(d->shared.branch_key));
	branch_key(&d->shared.branch_mac, &d->shared.branch_key);
	random_secret(&d->shared.tuple_key, sizeof(d->shared.tuple_key));
	random_secret(&d->shared.tcp_secret, sizeof(d->shared.tcp_secret));
	collect_listeners(config, &d->shared.listeners);
	rc = start_eal(d, error_text);
	/* Packet buffers first: the tables make do with whatever pages are left (pages.h). */
	if (rc == 0)
		rc = start_ports(d, error_text);
	if (rc == 0)
		rc = start_tables(d, error_text);
	if (rc == 0)
		rc = start_tls(d, error_text);
	if (rc == 0)
		rc = start_workers(d, error_text);
	if (rc < 0) {
		dataplane_stop(d);
		return rc;
	}
	*ret_dataplane = d;
	return 0;
}

void dataplane_stop(struct dataplane *d)
{
	struct worker_shared *s = &d->shared;
	void *m;

	atomic_store(&s->stop, true);
	for (unsigned i = 0; i < s->workers; i++)
		if (s->worker[i])
			worker_wake(s->worker[i]);
	for (unsigned i = 0; i < s->workers; i++)
		worker_join(s->worker[i]);
	for (unsigned i = 0; i < s->workers; i++)
		worker_free(s->worker[i]);
	while (s->exceptions && rte_ring_dequeue(s->exceptions, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(s->exceptions);
	records_close(s->records);
	for (unsigned i = 0; i < s->port_count; i++)
		port_close(s->ports[i]);
	tls_store_free(s->tls_store);
	if (s->tables)
		tables_free(s->tables);
	if (s->pool)
		rte_mempool_free(s->pool);
	if (d->eal)
		eal_stop();
	if (s->exception_fd >= 0)
		close(s->exception_fd);
	free(d->baseline);
	free(d->linear);
	free(d);
}

/* ---- looking */

void dataplane_admit(struct dataplane *d, enum admission what)
{
	for (unsigned i = 0; i < d->shared.workers; i++)
		worker_admit(d->shared.worker[i], what);
}

void dataplane_drain(struct dataplane *d, bool drain)
{
	for (unsigned i = 0; i < d->shared.workers; i++)
		worker_drain(d->shared.worker[i], drain);
}

void dataplane_hang_up(struct dataplane *d)
{
	for (unsigned i = 0; i < d->shared.workers; i++)
		worker_hang_up(d->shared.worker[i]);
}

struct tables *dataplane_tables(struct dataplane *d)
{
	return d->shared.tables;
}

const struct dataplane_config *dataplane_configuration(const struct dataplane *d)
{
	return &d->config;
}

bool dataplane_hugepages(const struct dataplane *d)
{
	return d->hugepages;
}

struct tls_store *dataplane_tls(struct dataplane *d)
{
	return d->shared.tls_store;
}

bool dataplane_tls_seen(struct dataplane *d, struct tls_seen *ret)
{
	for (unsigned i = 0; i < d->shared.workers; i++)
		if (worker_tls_seen(d->shared.worker[i], ret))
			return true;
	return false;
}

struct port *dataplane_port(struct dataplane *d, unsigned index)
{
	return index < d->shared.port_count ? d->shared.ports[index] : NULL;
}

/* ---- asking */

int dataplane_probe(struct dataplane *d, const struct probe_request *request)
{
	if (!request->len || request->len > PROBE_MESSAGE_MAX)
		return -ERR_INVALID;
	return worker_probe(d->shared.worker[mix64(request->id) % d->shared.workers], request) ? 0 : -ERR_FULL;
}

bool dataplane_probe_result(struct dataplane *d, struct probe_result *ret)
{
	for (unsigned i = 0; i < d->shared.workers; i++)
		if (worker_probe_result(d->shared.worker[i], ret))
			return true;
	return false;
}

void dataplane_release_endpoint(struct dataplane *d, uint32_t endpoint)
{
	for (unsigned i = 0; i < d->shared.workers; i++)
		worker_release_endpoint(d->shared.worker[i], endpoint);
}

/* ---- the kernel's packets */

int dataplane_event_fd(const struct dataplane *d)
{
	return d->shared.exception_fd;
}

unsigned dataplane_exceptions(struct dataplane *d, unsigned max,
			      void (*fn)(void *ctx, enum exception_kind kind, uint16_t port, const uint8_t *data, uint32_t len),
			      void *ctx)
{
	uint64_t told;
	unsigned n = 0;
	void *object;

	if (read(d->shared.exception_fd, &told, sizeof(told)) < 0)
		told = 0; /* nobody rang: a poll without an event is fine */
	atomic_store(&d->shared.exception_told, false);
	while (n < max && rte_ring_sc_dequeue(d->shared.exceptions, &object) == 0) {
		struct rte_mbuf *m = object;
		const uint8_t *data = m->pkt_len <= PACKET_LINEAR ? rte_pktmbuf_read(m, 0, m->pkt_len, d->linear) : NULL;

		n++;
		if (data)
			fn(ctx, (enum exception_kind)(m->hash.usr >> 16), (uint16_t)m->hash.usr, data, m->pkt_len);
		rte_pktmbuf_free(m);
	}
	if (n == max && !rte_ring_empty(d->shared.exceptions)) { /* the bound was reached: come again */
		told = 1;
		if (write(d->shared.exception_fd, &told, sizeof(told)) < 0)
			return n;
	}
	return n;
}

uint64_t dataplane_inject_dropped(const struct dataplane *d)
{
	return d->inject_dropped;
}

int dataplane_inject(struct dataplane *d, uint16_t port, const uint8_t *frame, uint32_t len)
{
	struct rte_mbuf *m;
	char *out;

	if (port >= d->shared.port_count)
		return -ERR_INVALID;
	m = rte_pktmbuf_alloc(d->shared.pool);
	if (!m) {
		d->inject_dropped++;
		return -ERR_NOMEM;
	}
	out = len <= rte_pktmbuf_tailroom(m) ? rte_pktmbuf_append(m, (uint16_t)len) : NULL;
	if (!out) {
		rte_pktmbuf_free(m);
		d->inject_dropped++;
		return -ERR_INVALID;
	}
	memcpy(out, frame, len);
	m->hash.usr = port;
	if (!worker_inject(d->shared.worker[0], m)) {
		rte_pktmbuf_free(m);
		d->inject_dropped++;
		return -ERR_FULL;
	}
	return 0;
}
