/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_dataplane.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/siphash.h"

struct dataplane {
	struct fake_dataplane fake;
};

struct dataplane *fake_dataplane_new(const struct tables_limits *limits)
{
	struct dataplane *d = aligned_alloc(64, sizeof(*d));

	if (!d)
		return NULL;
	memset(d, 0, sizeof(*d));
	dataplane_config_default(&d->fake.config);
	d->fake.config.workers = 2;
	d->fake.config.cores[0] = d->fake.config.cores[1] = -1;
	d->fake.config.port_count = 1;
	strcpy(d->fake.config.ports[0].name, "sip0");
	d->fake.config.ports[0].device_count = 1;
	d->fake.config.listener_count = 1;
	ip_port_parse(SPAN_LIT("10.77.0.1:5060"), 0, &d->fake.config.listeners[0].addr);
	d->fake.tables = tables_new(limits);
	return d;
}

void fake_dataplane_free(struct dataplane *d)
{
	tables_free(d->fake.tables);
	free(d);
}

struct fake_dataplane *fake_dataplane(struct dataplane *d)
{
	return &d->fake;
}

void dataplane_config_default(struct dataplane_config *config)
{
	*config = (struct dataplane_config){
		.workers = 1,
		.limits = { .transactions = 65536, .calls = 65536, .call_age_s = 43200, .message_mb = 256, .trace_mb = 8, .trace_s = 2, .fragments = 1024, .mbufs = 16384, .connections = 16384,
			    .stream_mb = 64,
			    .tables = { .numbers = 1000000, .prefixes = 10000, .profiles = 1000, .trunks = 1000, .endpoints = 10000 } },
		.timers = { .t1 = 500, .t2 = 4000, .t4 = 5000, .timer_c = 185000 },
		.tcp = { .idle_s = 900, .message_timeout_s = 32, .connect_timeout_ms = 4000, .keepalive_s = 120, .port_low = 20000, .port_high = 31999 },
	};
}

void dataplane_drain(struct dataplane *d, bool drain)
{
	d->fake.draining = drain;
}

struct tables *dataplane_tables(struct dataplane *d)
{
	return d->fake.tables;
}

const struct dataplane_config *dataplane_configuration(const struct dataplane *d)
{
	return &d->fake.config;
}

bool dataplane_hugepages(const struct dataplane *d)
{
	return false;
}

struct port *dataplane_port(struct dataplane *d, unsigned index)
{
	return NULL;
}

static uint64_t fake_now_ms = FAKE_NOW_MS;

void fake_set_now(uint64_t now_ms)
{
	fake_now_ms = now_ms;
}

uint64_t dataplane_now_ms(void)
{
	return fake_now_ms;
}

int dataplane_probe(struct dataplane *d, const struct probe_request *request)
{
	if (d->fake.probe_count == d->fake.probe_room)
		return -ERR_FULL;
	d->fake.probes[d->fake.probe_count++] = *request;
	return 0;
}

bool dataplane_probe_result(struct dataplane *d, struct probe_result *ret)
{
	if (d->fake.result_first == d->fake.result_count)
		return false;
	*ret = d->fake.results[d->fake.result_first++];
	return true;
}

void dataplane_release_endpoint(struct dataplane *d, uint32_t endpoint)
{
	if (d->fake.released_count < sizeof(d->fake.released) / sizeof(d->fake.released[0]))
		d->fake.released[d->fake.released_count] = endpoint;
	d->fake.released_count++;
}

const struct counters *dataplane_counters(const struct dataplane *d, unsigned worker)
{
	return &d->fake.counters[worker];
}

void dataplane_gauges(struct dataplane *d, unsigned worker, struct worker_gauges *ret)
{
	*ret = d->fake.gauges[worker];
}

void dataplane_loop_times(const struct dataplane *d, unsigned worker, struct loop_times *ret)
{
	*ret = d->fake.loop[worker];
}

void dataplane_target_stats(const struct dataplane *d, uint32_t target_slot, struct target_stats *ret)
{
	*ret = d->fake.targets[target_slot];
}

void dataplane_target_stats_reset(struct dataplane *d, uint32_t target_slot)
{
	memset(&d->fake.targets[target_slot], 0, sizeof(d->fake.targets[target_slot]));
	d->fake.resets[target_slot]++;
}

bool dataplane_recount(struct dataplane *d)
{
	d->fake.recounts++;
	return true;
}

void dataplane_retries(const struct dataplane *d, uint32_t profile_slot, uint32_t profile_id, struct retry_stats *ret)
{
	*ret = d->fake.retries;
}

uint64_t dataplane_call_hash(const struct dataplane *d, const void *call_id, size_t bytes)
{
	static const struct hash_key key = { 1, 2 };

	return siphash24(&key, call_id, bytes);
}

const struct call_record *dataplane_record_peek(struct dataplane *d)
{
	return d->fake.record_first < d->fake.record_count ? &d->fake.records[d->fake.record_first] : NULL;
}

void dataplane_record_drop(struct dataplane *d)
{
	d->fake.record_first++;
}

int dataplane_calls(struct dataplane *d, unsigned max, unsigned wait_ms,
		    void (*fn)(void *ctx, const struct call_record *record, bool answered), void *ctx)
{
	unsigned n = 0;

	if (d->fake.workers_stuck)
		return -ERR_IO;
	for (; n < d->fake.call_count && n < max; n++)
		fn(ctx, &d->fake.calls[n], d->fake.calls[n].answered_ms != 0);
	return (int)n;
}

int dataplane_connections(struct dataplane *d, unsigned wait_ms, bool (*fn)(void *ctx, unsigned worker, const struct stream_view *view), void *ctx)
{
	if (d->fake.workers_stuck)
		return -ERR_IO;
	for (unsigned i = 0; i < d->fake.connection_count; i++)
		if (!fn(ctx, 0, &d->fake.connections[i]))
			break;
	return 0;
}

int dataplane_connection_close(struct dataplane *d, uint64_t connection, unsigned wait_ms, struct stream_view *ret)
{
	if (d->fake.workers_stuck)
		return -ERR_IO;
	for (unsigned i = 0; i < d->fake.connection_count; i++)
		if (d->fake.connections[i].name == connection) {
			*ret = d->fake.connections[i];
			d->fake.connections[i].state = "FIN-WAIT-1";
			return 0;
		}
	return -ERR_NOT_FOUND;
}

unsigned dataplane_trace(const struct dataplane *d, uint64_t call_hash,
			 void (*fn)(void *ctx, unsigned worker, uint64_t time_ms, bool outgoing, const struct flow *flow,
				    const uint8_t *message, uint32_t kept, uint32_t len),
			 void *ctx)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->fake.trace_count; i++) {
		const struct fake_message *m = &d->fake.trace[i];

		if (call_hash && m->call != call_hash)
			continue;
		fn(ctx, 1, m->time_ms, m->outgoing, &m->flow, (const uint8_t *)m->text, (uint32_t)strlen(m->text), m->len);
		n++;
	}
	return n;
}

unsigned dataplane_trace_one_in(const struct dataplane *d, uint64_t call_hash)
{
	return d->fake.trace_one_in ? d->fake.trace_one_in : 1;
}

uint16_t port_mtu(const struct port *p)
{
	return 1500;
}

void port_mac(const struct port *p, uint8_t ret_mac[6])
{
	memcpy(ret_mac, "\x02\0\0\0\0\1", 6);
}

const char *port_name(const struct port *p)
{
	return "sip0";
}

void port_stats(const struct port *p, struct port_stats *ret)
{
	memset(ret, 0, sizeof(*ret));
}
