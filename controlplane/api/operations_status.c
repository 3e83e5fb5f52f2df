/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "alarms/alarms.h"
#include "api/control.h"
#include "api/handlers.h"
#include "base/log_linear.h"
#include "cdr.h"
#include "config.h"
#include "model/number_map.h"
#include "resolve/follow.h"
#include "resolve/resolver.h"
#include "routing.h"
#include "sip/via.h"

static uint64_t total(const struct control *c, enum counter which)
{
	unsigned workers = dataplane_configuration(c->dataplane)->workers;
	uint64_t sum = 0;

	for (unsigned w = 0; w < workers; w++)
		sum += counter_read(dataplane_counters(c->dataplane, w), which);
	return sum;
}

static json_t *ports_json(const struct control *c)
{
	const struct dataplane_config *d = dataplane_configuration(c->dataplane);
	json_t *list = json_array();

	for (unsigned i = 0; i < d->port_count; i++) {
		struct port *port = dataplane_port(c->dataplane, i);
		struct port_stats stats;
		uint8_t mac[6];
		char text[18];

		port_stats(port, &stats);
		port_mac(port, mac);
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", port_name(port), "mac", text, "mtu",
					port_mtu(port), "devices", (int)d->ports[i].device_count, "rx_packets", (json_int_t)stats.rx_packets,
					"tx_packets", (json_int_t)stats.tx_packets, "rx_bytes", (json_int_t)stats.rx_bytes, "tx_bytes",
					(json_int_t)stats.tx_bytes, "rx_missed", (json_int_t)stats.rx_missed, "rx_errors",
					(json_int_t)stats.rx_errors, "tx_errors", (json_int_t)stats.tx_errors));
	}
	return list;
}

static json_t *listeners_json(const struct control *c)
{
	const struct dataplane_config *d = dataplane_configuration(c->dataplane);
	json_t *list = json_array();

	for (unsigned i = 0; i < d->listener_count; i++) {
		char text[IP_PORT_TEXT_MAX];

		ip_port_format(&d->listeners[i].addr, text);
		json_array_append_new(list, json_sprintf("%s:%s", transport_name(d->listeners[i].transport), text));
	}
	return list;
}

static json_t *calls_json(const struct control *c)
{
	uint64_t live = 0;

	for (unsigned w = 0; w < dataplane_configuration(c->dataplane)->workers; w++)
		live += c->gauges[w].live_calls;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "started", (json_int_t)total(c, COUNTER_calls_started), "answered",
			 (json_int_t)total(c, COUNTER_calls_answered), "rejected", (json_int_t)total(c, COUNTER_calls_rejected),
			 "cancelled", (json_int_t)total(c, COUNTER_calls_cancelled), "exhausted",
			 (json_int_t)total(c, COUNTER_calls_exhausted), "rescued", (json_int_t)total(c, COUNTER_calls_rescued), "live",
			 (json_int_t)live);
}

/* null: none are kept. */
static json_t *cdr_json(const struct control *c)
{
	json_int_t waiting = 0;
	struct cdr_stats s;

	if (!c->cdr || !c->config->cdr.path[0])
		return json_null();
	for (unsigned w = 0; w < dataplane_configuration(c->dataplane)->workers; w++)
		waiting += c->gauges[w].records_waiting;
	cdr_stats(c->cdr, &s);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s?}", "file", c->config->cdr.path, "written", (json_int_t)s.written,
			 "repeated", (json_int_t)s.repeated, "waiting", waiting, "failures", (json_int_t)s.failures, "rotations",
			 (json_int_t)s.rotations, "rotations_failed", (json_int_t)s.rotations_failed, "failing",
			 s.failing ? strerror(s.failing) : NULL);
}

/* Gauges are cheap, but their busy share is "since the last reading": only the rest is read afresh for a status. */
static void refresh_gauges(struct control *c)
{
	for (unsigned w = 0; w < dataplane_configuration(c->dataplane)->workers; w++) {
		uint64_t busy = c->gauges[w].busy_permille;

		dataplane_gauges(c->dataplane, w, &c->gauges[w]);
		c->gauges[w].busy_permille = busy;
	}
}

/* null where names are not resolved. */
static json_t *names_json(const struct control *c)
{
	unsigned by_state[FOLLOW_STATES] = { 0 }, names = 0;
	struct querier_stats s;

	if (!c->resolver)
		return json_null();
	for (const struct follow *f = resolver_next(c->resolver, NULL); f; f = resolver_next(c->resolver, f), names++)
		by_state[f->state]++;
	resolver_stats(c->resolver, &s);
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:i, s:i}", "names", (int)names, "ok", (int)by_state[FOLLOW_OK], "none",
			 (int)by_state[FOLLOW_NONE], "stale", (int)by_state[FOLLOW_STALE], "failed", (int)by_state[FOLLOW_FAILED], "asked",
			 (json_int_t)s.asked, "answered", (json_int_t)s.answered, "unanswered", (json_int_t)s.unanswered, "out", (int)s.out, "waiting",
			 (int)s.waiting);
}

int operation_status(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct dataplane_config *d = dataplane_configuration(c->dataplane);
	const struct model *m = c->routing->model;
	struct alarms_stats alarms;

	alarms_stats(c->alarms, &alarms);
	refresh_gauges(c);
	*ret_result = json_pack("{s:s, s:i, s:s, s:I, s:s, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "version", c->version, "node",
				(int)d->node, "name", c->config->node_name, "uptime_s",
				(json_int_t)((dataplane_now_ms() - c->started_ms) / 1000), "state", c->draining ? "draining" : "running",
				"hugepages", dataplane_hugepages(c->dataplane), "workers", (int)d->workers, "ports", ports_json(c),
				"listeners", listeners_json(c), "calls", calls_json(c), "cdr", cdr_json(c), "resolver", names_json(c), "trunks", (int)m->trunk_count, "profiles",
				(int)m->profile_count, "numbers", (int)number_map_count(m->numbers), "prefixes",
				(int)number_map_count(m->prefixes), "domains", (int)m->domain_count, "routing_version", (json_int_t)routing_version(c->routing), "alarms", (json_int_t)alarms.raised);
	return 0;
}

static double microseconds(const struct loop_times *t, uint64_t cycles)
{
	return t->cycles_per_s ? (double)cycles * 1e6 / (double)t->cycles_per_s : 0;
}

/* The longest turn is known exactly; a bucket only by its ends. */
static double quantile_us(const struct loop_times *t, uint32_t share)
{
	uint64_t cycles = log_linear_quantile(t->turns, LOOP_BUCKETS, LOOP_BITS, share);

	return microseconds(t, cycles < t->longest ? cycles : t->longest);
}

/* How long its turns took that had work in them; buckets by where they begin, so that two readings can be subtracted. */
static json_t *loop_json(const struct control *c, unsigned worker)
{
	json_t *buckets = json_array();
	struct loop_times t;
	uint64_t turns = 0;

	dataplane_loop_times(c->dataplane, worker, &t);
	for (unsigned i = 0; i < LOOP_BUCKETS; i++) {
		turns += t.turns[i];
		if (t.turns[i])
			json_array_append_new(buckets, json_pack("{s:f, s:I}", "us", microseconds(&t, log_linear_floor(i, LOOP_BITS)), "turns",
								 (json_int_t)t.turns[i]));
	}
	return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "turns", (json_int_t)turns, "p50_us", quantile_us(&t, 500000), "p99_us",
			 quantile_us(&t, 990000), "p999_us", quantile_us(&t, 999000), "p9999_us", quantile_us(&t, 999900), "longest_us",
			 microseconds(&t, t.longest), "buckets", buckets);
}

int operation_workers(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct dataplane_config *d = dataplane_configuration(c->dataplane);
	json_t *list = json_array();

	refresh_gauges(c);
	for (unsigned w = 0; w < d->workers; w++) {
		const struct worker_gauges *g = &c->gauges[w];

		json_t *one = json_pack("{s:i, s:i, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "worker", (int)w, "core", d->cores[w], "busy_percent",
					(double)g->busy_permille / 10, "busy_s", (double)g->busy_us / 1e6, "live_calls", (json_int_t)g->live_calls, "connections", (json_int_t)g->connections, "server_transactions",
					(json_int_t)g->server_transactions, "client_transactions", (json_int_t)g->client_transactions,
					"message_bytes", (json_int_t)g->message_bytes, "calls_started",
					(json_int_t)counter_read(dataplane_counters(c->dataplane, w), COUNTER_calls_started));

		if (json_is_true(json_object_get(params, "loop")))
			json_object_set_new(one, "loop", loop_json(c, w));
		json_array_append_new(list, one);
	}
	*ret_result = list;
	return 0;
}

int operation_counters(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_t *all = json_object(), *list = json_array();

	for (int i = 0; i < COUNTER_COUNT; i++)
		json_object_set_new(all, counter_name((enum counter)i), json_integer((json_int_t)total(c, (enum counter)i)));
	for (unsigned w = 0; w < dataplane_configuration(c->dataplane)->workers; w++) {
		const struct counters *counters = dataplane_counters(c->dataplane, w);
		json_t *one = json_object();

		for (int i = 0; i < COUNTER_COUNT; i++)
			json_object_set_new(one, counter_name((enum counter)i),
					    json_integer((json_int_t)counter_read(counters, (enum counter)i)));
		json_array_append_new(list, one);
	}
	*ret_result = json_pack("{s:o, s:o}", "total", all, "workers", list);
	return 0;
}
