/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "config_ports.h"
#include "config_resolver.h"
#include "config_schema.h"
#include "config_stale.h"
#include "error.h"
#include "model/compile.h"
#include "model/fields.h"
#include "model/number_lines.h"
#include "sip/via.h"
#include "yaml_file.h"

static int load_node(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_node none;
	const struct raw_node *node = raw->node ? raw->node : &none;
	int64_t id;
	int err = field_integer(node->id, 1, 1, 65535, "node", "id", &id, error);

	if (!err)
		err = field_name(node->name ? node->name : "strowger", "node", "name", c->node_name, error);
	if (!err && raw->region && !model_name_valid(raw->region))
		err = error_set(error, -ERR_INVALID, "region: '%.64s' is not a name (as of targets and trunks)", raw->region);
	if (!err && raw->region)
		memcpy(c->region, raw->region, strlen(raw->region) + 1);
	if (!err)
		c->dataplane.node = (uint16_t)id;
	return err;
}

static int load_cores(const struct raw_workers *w, struct dataplane_config *d, char *error)
{
	if (w->cores_count > WORKERS_MAX)
		return error_set(error, -ERR_FULL, "workers.cores: more than %d", WORKERS_MAX);
	for (uint32_t i = 0; i < w->cores_count; i++) {
		char key[32];
		int64_t core;
		int err;

		snprintf(key, sizeof(key), "cores[%u]", i);
		err = field_integer(&w->cores[i], 0, 0, 1023, "workers", key, &core, error);
		if (err)
			return err;
		for (uint32_t j = 0; j < i; j++)
			if (d->cores[j] == core)
				return error_set(error, -ERR_INVALID, "workers.cores[%u]: core %d is listed twice", i, (int)core);
		d->cores[i] = (int)core;
	}
	d->workers = w->cores_count;
	return 0;
}

static int load_workers(const struct raw_config *raw, struct config *c, char *error)
{
	static const char *const idles[] = { "spin", "sleep", NULL };
	static const struct raw_workers none;
	const struct raw_workers *w = raw->workers ? raw->workers : &none;
	struct dataplane_config *d = &c->dataplane;
	int64_t count;
	int idle;
	int err = field_integer(w->count, 1, 1, WORKERS_MAX, "workers", "count", &count, error);

	if (!err)
		err = field_choice(w->idle, 0, idles, "workers", "idle", &idle, error);
	if (err)
		return err;
	d->workers = (unsigned)count;
	d->idle_sleep = idle == 1;
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		d->cores[i] = -1;
	return w->cores_count ? load_cores(w, d, error) : 0;
}

static int load_listeners(const struct raw_config *raw, struct config *c, char *error)
{
	static const char *const transports[] = { "udp", "tcp", "tls", NULL }; /* in the order of enum sip_transport */
	struct dataplane_config *d = &c->dataplane;
	char path[32];

	if (!raw->listeners_count)
		return error_set(error, -ERR_INVALID, "listeners: at least one is needed");
	if (raw->listeners_count > sizeof(d->listeners) / sizeof(d->listeners[0]))
		return error_set(error, -ERR_FULL, "listeners: more than %zu", sizeof(d->listeners) / sizeof(d->listeners[0]));
	for (uint32_t i = 0; i < raw->listeners_count; i++) {
		const struct raw_listener *from = &raw->listeners[i];
		struct dataplane_listener *l = &d->listeners[i];
		int64_t port;
		int transport, err;

		snprintf(path, sizeof(path), "listeners[%u]", i);
		if (ip_parse(span_str(from->address), &l->addr.ip))
			return error_set(error, -ERR_INVALID, "%s.address: '%.64s' is not an IP address", path, from->address);
		err = field_choice(from->transport, 0, transports, path, "transport", &transport, error);
		if (!err)
			err = field_integer(from->port, transport_port((unsigned)transport), 1, 65535, path, "port", &port, error);
		if (err)
			return err;
		l->addr.port = (uint16_t)port;
		l->transport = (uint8_t)transport;
		for (uint32_t j = 0; j < i; j++)
			if (ip_port_eq(&d->listeners[j].addr, &l->addr) && d->listeners[j].transport == l->transport)
				return error_set(error, -ERR_INVALID, "%s: the same address, port and transport as listeners[%u]", path, j);
	}
	d->listener_count = raw->listeners_count;
	return 0;
}

static int load_limits(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_limits none;
	const struct raw_limits *r = raw->limits ? raw->limits : &none;
	struct dataplane_limits *l = &c->dataplane.limits;
	struct tables_limits *t = &l->tables;
	const struct field_row rows[] = {
		/* 26 bits name a client transaction in a branch, 24 a call in a token; a server transaction may have two clients. */
		{ "transactions", r->transactions, 64, (1 << 25) - 1, &l->transactions },
		{ "in_progress", r->in_progress, 64, (1 << 25) - 1, &l->in_progress },
		{ "calls", r->calls, 64, (1 << 24) - 1, &l->calls },
		{ "call_age_s", r->call_age_s, 1, 4000000, &l->call_age_s },
		{ "message_mb", r->message_mb, 1, 65536, &l->message_mb },
		{ "trace_mb", r->trace_mb, 0, 4096, &l->trace_mb },
		{ "trace_s", r->trace_s, 0, 3600, &l->trace_s },
		{ "fragments", r->fragments, 1, 65536, &l->fragments },
		{ "mbufs", r->mbufs, 1024, 1 << 22, &l->mbufs },
		{ "connections", r->connections, 16, 4000000, &l->connections },
		{ "connections_per_source", r->connections_per_source, 0, 4000000, &l->connections_per_source },
		{ "stream_mb", r->stream_mb, 2, 65536, &l->stream_mb },
		{ "numbers", r->numbers, 1, 100000000, &t->numbers },
		{ "prefixes", r->prefixes, 1, 1000000, &t->prefixes },
		{ "profiles", r->profiles, 1, 65535, &t->profiles },
		{ "trunks", r->trunks, 1, 65535, &t->trunks },
		{ "endpoints", r->endpoints, 1, 1000000, &t->endpoints },
	};
	int err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "limits", error);

	if (err)
		return err;
	if (l->in_progress > l->transactions)
		return error_set(error, -ERR_INVALID, "limits.in_progress: more than transactions (%u > %u)", l->in_progress, l->transactions);
	if (!r->connections_per_source)
		l->connections_per_source = l->connections / 2;
	c->limits = (struct model_limits){ t->numbers, t->prefixes, t->profiles, t->trunks, t->endpoints, 0 };
	for (unsigned i = 0; i < c->dataplane.listener_count; i++)
		c->limits.listeners |= LISTENS(c->dataplane.listeners[i].transport, c->dataplane.listeners[i].addr.ip.family);
	/* A whole section may be replaced by another in one change: both have slots for a moment. */
	t->profiles *= 2;
	t->trunks = 2 * t->trunks + TRUNKS_GONE_MAX;
	t->endpoints *= 2;
	t->workers = c->dataplane.workers;
	return 0;
}

static int load_timers(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_timers none;
	const struct raw_timers *r = raw->timers ? raw->timers : &none;
	struct dataplane_timers *t = &c->dataplane.timers;
	const struct field_row rows[] = {
		{ "t1_ms", r->t1_ms, 10, 10000, &t->t1 },
		{ "t2_ms", r->t2_ms, 10, 60000, &t->t2 },
		{ "t4_ms", r->t4_ms, 10, 60000, &t->t4 },
		{ "timer_c_ms", r->timer_c_ms, 1000, 3600000, &t->timer_c },
	};
	int err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "timers", error);

	if (!err && t->t2 < t->t1)
		err = error_set(error, -ERR_INVALID, "timers.t2_ms: less than t1_ms (%u < %u)", t->t2, t->t1);
	return err;
}

static int load_tcp(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_tcp none;
	const struct raw_tcp *r = raw->tcp ? raw->tcp : &none;
	struct dataplane_tcp *t = &c->dataplane.tcp;
	const struct field_row rows[] = {
		{ "idle_s", r->idle_s, 0, 86400, &t->idle_s },
		{ "message_timeout_s", r->message_timeout_s, 0, 3600, &t->message_timeout_s },
		{ "connect_timeout_ms", r->connect_timeout_ms, 100, 60000, &t->connect_timeout_ms },
		{ "keepalive_s", r->keepalive_s, 0, 86400, &t->keepalive_s },
		{ "port_low", r->port_low, 1024, 65535, &t->port_low },
		{ "port_high", r->port_high, 1024, 65535, &t->port_high },
	};
	int err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "tcp", error);

	if (!err && t->port_high < t->port_low + 255)
		return error_set(error, -ERR_INVALID, "tcp.port_high: less than 255 above port_low (%u to %u)", t->port_low, t->port_high);
	for (unsigned i = 0; !err && i < c->dataplane.listener_count; i++) {
		const struct dataplane_listener *l = &c->dataplane.listeners[i];

		if (l->transport != TRANSPORT_UDP && l->addr.port >= t->port_low && l->addr.port <= t->port_high)
			err = error_set(error, -ERR_INVALID, "listeners[%u].port: %u is among tcp.port_low to port_high, which connections of ours begin at",
					i, l->addr.port);
	}
	return err;
}

static int load_ejection(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_ejection none;
	const struct raw_ejection *r = raw->ejection ? raw->ejection : &none;
	struct ejection_config *e = &c->dataplane.ejection;
	uint32_t first_s = e->first_ms / 1000, max_s = e->max_ms / 1000, window_s = e->window_ms / 1000, ramp_s = e->ramp_ms / 1000;
	const struct field_row rows[] = {
		{ "after", r->after, 0, 100, &e->after },
		{ "after_failures", r->after_failures, 0, 100, &e->after_failures },
		{ "numbers", r->numbers, 1, 32, &e->numbers },
		{ "window_s", r->window_s, 0, 3600, &window_s },
		{ "window_percent", r->window_percent, 1, 100, &e->window_percent },
		{ "window_calls", r->window_calls, 1, 10000, &e->window_calls },
		{ "first_s", r->first_s, 1, 3600, &first_s },
		{ "max_s", r->max_s, 1, 86400, &max_s },
		{ "share_percent", r->share_percent, 0, 100, &e->share_percent },
		{ "ramp_s", r->ramp_s, 0, 3600, &ramp_s },
	};
	int err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "ejection", error);

	if (!err && max_s < first_s)
		err = error_set(error, -ERR_INVALID, "ejection.max_s: less than first_s (%u < %u)", max_s, first_s);
	e->first_ms = first_s * 1000;
	e->max_ms = max_s * 1000;
	e->window_ms = window_s * 1000;
	e->ramp_ms = ramp_s * 1000;
	if (r->last_resort)
		e->last_resort = *r->last_resort;
	return err;
}

static int load_quality(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_quality none;
	const struct raw_quality *r = raw->quality ? raw->quality : &none;
	struct quality_config *q = &c->quality;

	*q = quality_config_default();

	const struct field_row rows[] = {
		{ "window_s", r->window_s, 0, 86400, &q->window_s },
		{ "calls", r->calls, 10, 1000000, &q->calls },
		{ "fall_percent", r->fall_percent, 1, 99, &q->fall_percent },
		{ "short_s", r->short_s, 0, 600, &q->short_s },
		{ "short_percent", r->short_percent, 1, 99, &q->short_percent },
		{ "cause_percent", r->cause_percent, 1, 99, &q->cause_percent },
	};
	return field_rows(rows, sizeof(rows) / sizeof(rows[0]), "quality", error);
}

static int load_control(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_control none;
	const struct raw_control *r = raw->control ? raw->control : &none;
	int64_t drain;
	int err = field_path(r->socket ? r->socket : "/run/strowger/control.sock", "control", "socket", c->control_socket,
			     sizeof(c->control_socket), error);

	if (!err)
		err = field_text(r->group, "control", "group", c->control_group, sizeof(c->control_group), error);
	if (!err)
		err = field_path(raw->state_file, NULL, "state_file", c->state_file, sizeof(c->state_file), error);
	if (!err)
		err = field_path(raw->token_key_file, NULL, "token_key_file", c->token_key_file, sizeof(c->token_key_file), error);
	if (!err)
		err = field_path(raw->numbers_file, NULL, "numbers_file", c->numbers_file, sizeof(c->numbers_file), error);
	drain = raw->drain_timeout_s ? *raw->drain_timeout_s : 30;
	if (!err && (drain < 0 || drain > 86400))
		err = error_set(error, -ERR_INVALID, "drain_timeout_s: %lld is not in 0..86400", (long long)drain);
	c->drain_timeout_s = (uint32_t)drain;
	return err;
}

static int load_versions(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_versions none;
	const struct raw_versions *r = raw->versions ? raw->versions : &none;
	uint32_t keep = 500000, mb = 64;
	const struct field_row rows[] = {
		{ "keep", r->keep, 2, 10000000, &keep },
		{ "mb", r->mb, 1, 4096, &mb },
	};
	int err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "versions", error);

	c->versions = (struct versions_limits){ .keep = keep, .bytes = (uint64_t)mb << 20 };
	return err;
}

static int load_alarms(const struct raw_config *raw, struct config *c, char *error)
{
	static const struct raw_alarms none;
	const struct raw_alarms *r = raw->alarms ? raw->alarms : &none;
	const struct field_row rows[] = {
		{ "busy_percent", r->busy_percent, 0, 100, &c->watch.busy_percent },
		{ "busy_s", r->busy_s, 1, 3600, &c->watch.busy_s },
	};

	c->watch = (struct watch_config){ .busy_percent = 90, .busy_s = 5 };
	return field_rows(rows, sizeof(rows) / sizeof(rows[0]), "alarms", error);
}

#define CDR_RECORDS "/.records"

/* The records on their way to the file are mapped from a file beside it, so that both are on the same disk. */
static int load_cdr(const struct raw_config *raw, struct config *c, char *error)
{
	const struct raw_cdr *r = raw->cdr;
	char *records = c->dataplane.record_file;
	uint32_t rotate_mb = 100, keep = 10;
	const struct field_row rows[] = {
		{ "rotate_mb", r ? r->rotate_mb : NULL, 0, 1 << 20, &rotate_mb },
		{ "keep", r ? r->keep : NULL, 1, 100, &keep },
	};
	size_t directory;
	int err;

	_Static_assert(sizeof(c->cdr.path) + sizeof(CDR_RECORDS) <= sizeof(c->dataplane.record_file), "any path that fits has room");
	err = field_path(r ? r->file : NULL, "cdr", "file", c->cdr.path, sizeof(c->cdr.path), error);
	if (!err)
		err = field_rows(rows, sizeof(rows) / sizeof(rows[0]), "cdr", error);
	if (err || !r)
		return err;
	directory = (size_t)(strrchr(c->cdr.path, '/') - c->cdr.path);
	if (!c->cdr.path[directory + 1] || strcmp(c->cdr.path + directory, CDR_RECORDS) == 0)
		return error_set(error, -ERR_INVALID, "cdr.file: '%.64s' cannot be a file of records", c->cdr.path);
	c->cdr.rotate_bytes = (uint64_t)rotate_mb << 20;
	c->cdr.keep = keep;
	memset(records, 0, sizeof(c->dataplane.record_file));
	memcpy(records, c->cdr.path, directory);
	strcpy(records + directory, CDR_RECORDS);
	return 0;
}

/* Lower case, without a trailing dot; false: not a host name (RFC 1123, underscores let pass). */
static bool host_name(const char *given, char ret[256])
{
	size_t n = strlen(given);

	if (n && given[n - 1] == '.')
		n--;
	if (!n || n > 255 || strspn(given, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") < n)
		return false;
	memset(ret, 0, 256);
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)ascii_lower((uint8_t)given[i]);
	return ret[0] != '.' && ret[0] != '-' && !strstr(ret, "..");
}

static int load_names(const struct raw_config *raw, struct config *c, char *error)
{
	struct dataplane_config *d = &c->dataplane;

	if (raw->names_count > DATAPLANE_NAMES_MAX)
		return error_set(error, -ERR_FULL, "names: more than %d", DATAPLANE_NAMES_MAX);
	for (uint32_t i = 0; i < raw->names_count; i++) {
		if (!host_name(raw->names[i], d->names[i]))
			return error_set(error, -ERR_INVALID, "names[%u]: '%.64s' is not a host name", i, raw->names[i]);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(d->names[i], d->names[j]) == 0)
				return error_set(error, -ERR_INVALID, "names[%u]: %.64s is listed twice", i, d->names[i]);
	}
	d->name_count = raw->names_count;
	return 0;
}

static int load_small(const struct raw_config *raw, struct config *c, char *error)
{
	static const char *const answers[] = { "reject", "silent", NULL };
	const char *name = raw->server_name ? raw->server_name : "Strowger";
	int answer, err;

	err = field_choice(raw->access ? raw->access->unknown_source : NULL, 0, answers, "access", "unknown_source", &answer, error);
	if (err)
		return err;
	c->dataplane.unknown_source = answer ? UNKNOWN_SOURCE_SILENT : UNKNOWN_SOURCE_403;
	if (strlen(name) >= sizeof(c->dataplane.server_name) || strpbrk(name, "\r\n"))
		return error_set(error, -ERR_INVALID, "server_name: at most %zu characters of one line", sizeof(c->dataplane.server_name) - 1);
	memset(c->dataplane.server_name, 0, sizeof(c->dataplane.server_name));
	memcpy(c->dataplane.server_name, name, strlen(name));
	return raw->number_plan ? model_load_plan(raw->number_plan, "number_plan", &c->number_plan, error) : 0;
}

static int load_probe(const struct raw_config *raw, struct config *c, char *error)
{
	const struct probe_settings otherwise = probe_settings_default();
	struct probe_settings given;
	int err = probe_settings_load(raw->probe, "probe", &given, error);

	if (err)
		return err;
	c->probe = probe_settings_over(&given, &otherwise);
	_Static_assert(sizeof(c->probe.user_agent) == sizeof(c->dataplane.server_name), "as the server calls itself");
	if (!(given.given & PROBE_USER_AGENT))
		memcpy(c->probe.user_agent, c->dataplane.server_name, sizeof(c->probe.user_agent));
	return 0;
}

static int check(const struct raw_config *raw, struct config *c, char *error)
{
	int (*const sections[])(const struct raw_config *, struct config *, char *) = {
		load_node, load_workers, config_load_ports, load_listeners, load_limits, load_timers, load_tcp, config_load_tls, load_ejection,
		load_quality, load_small, load_names, load_control, load_cdr, load_probe, config_load_resolver, load_versions, load_alarms,
	};
	int err = 0;

	for (unsigned i = 0; i < sizeof(sections) / sizeof(sections[0]) && !err; i++)
		err = sections[i](raw, c, error);
	if (!err)
		err = model_load(&raw->routing, MODEL_ALL, NULL, &c->limits, &c->routing, error);
	return err ? err : compile_check(c->routing, error);
}

int config_load(const char *path, struct config **ret_config, char *error)
{
	struct config *c = calloc(1, sizeof(*c));
	struct yaml_file *y = NULL;
	void *raw = NULL;
	int err;

	if (!c || !(c->path = strdup(path))) {
		err = error_set(error, -ERR_NOMEM, "out of memory");
		goto out;
	}
	err = yaml_file_read(path, &y, error);
	if (!err)
		err = yaml_file_load(y, &config_schema, &raw, error);
	if (err)
		goto out;
	dataplane_config_default(&c->dataplane);
	err = check(raw, c, error);
	if (err)
		yaml_file_locate(y, error);
	else if (!(c->at_start = config_stale_keep(y, error)))
		err = -ERR_NOMEM;
out:
	yaml_file_release(&config_schema, raw);
	yaml_file_free(y);
	if (err)
		config_free(c);
	else
		*ret_config = c;
	return err;
}

static int add_numbers(const struct config *c, struct model *m, char *error)
{
	int err = c->numbers_file[0] ? number_lines_add_file(m, &c->limits, c->numbers_file, error) : 0;

	if (err)
		error_prefix(error, "numbers_file");
	return err;
}

int config_load_numbers(const struct config *c, char *error)
{
	return add_numbers(c, c->routing, error);
}

int config_load_routing(const struct config *c, struct model **ret_model, char *error)
{
	struct yaml_file *y;
	void *data;
	int err = yaml_file_read(c->path, &y, error);

	if (err)
		return err;
	err = yaml_file_load(y, &config_schema, &data, error);
	if (!err) {
		const struct raw_config *raw = data;

		err = model_load(&raw->routing, MODEL_ALL, NULL, &c->limits, ret_model, error);
		if (err)
			yaml_file_locate(y, error);
		yaml_file_release(&config_schema, data);
	}
	yaml_file_free(y);
	if (!err) {
		err = add_numbers(c, *ret_model, error);
		if (err)
			model_free(*ret_model);
	}
	return err;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	model_free(c->routing);
	json_decref(c->at_start);
	free(c->path);
	free(c);
}
