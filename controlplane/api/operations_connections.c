/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "error.h"
#include "sip/via.h"
#include "tls/tls.h"

#define LIMIT_MAX      10000
#define PLAIN	       100
#define WORKER_WAIT_MS 200

/* ---- which */

struct filter {
	bool has_remote, has_transport, has_side, ours;
	struct ip_port remote; /* port 0: any */
	unsigned transport;
	json_int_t limit;
};

static int read_remote(const char *text, struct filter *f, char *error)
{
	if (!text)
		return 0;
	f->has_remote = true;
	if (ip_parse(span_str(text), &f->remote.ip) == 0)
		return 0;
	if (ip_port_parse(span_str(text), 0, &f->remote) == 0)
		return 0;
	return error_set(error, -ERR_INVALID, "remote: '%.64s' is no address, with or without a port", text);
}

static int read_filter(const json_t *params, struct filter *f, char *error)
{
	const char *transport = json_string_value(json_object_get(params, "transport")), *side = json_string_value(json_object_get(params, "opened_by"));

	*f = (struct filter){ .limit = param_integer(params, "limit", PLAIN), .has_transport = transport, .has_side = side };
	if (f->limit < 1 || f->limit > LIMIT_MAX)
		return error_set(error, -ERR_INVALID, "limit: %lld is not in 1..%d", (long long)f->limit, LIMIT_MAX);
	if (transport && strcmp(transport, "tcp") != 0 && strcmp(transport, "tls") != 0)
		return error_set(error, -ERR_INVALID, "transport: '%.64s' is none of tcp, tls", transport);
	if (side && strcmp(side, "us") != 0 && strcmp(side, "them") != 0)
		return error_set(error, -ERR_INVALID, "opened_by: '%.64s' is none of us, them", side);
	f->transport = transport && strcmp(transport, "tls") == 0 ? TRANSPORT_TLS : TRANSPORT_TCP;
	f->ours = side && strcmp(side, "us") == 0;
	return read_remote(json_string_value(json_object_get(params, "remote")), f, error);
}

static bool passes(const struct filter *f, const struct stream_view *v)
{
	if (f->has_remote && (!ip_eq(&f->remote.ip, &v->remote.ip) || (f->remote.port && f->remote.port != v->remote.port)))
		return false;
	return (!f->has_transport || f->transport == v->transport) && (!f->has_side || f->ours == v->ours);
}

/* ---- as JSON */

static json_t *tls_json(const struct stream_view *v)
{
	if (!v->cipher)
		return json_null();
	return json_pack("{s:s, s:s, s:b}", "version", v->tls_version == TLS_1_3 ? "1.3" : "1.2", "cipher", v->cipher, "resumed", v->tls_resumed);
}

static json_t *view_json(unsigned worker, const struct stream_view *v)
{
	char id[20], local[IP_PORT_TEXT_MAX], remote[IP_PORT_TEXT_MAX];

	snprintf(id, sizeof(id), "%" PRIx64, v->name);
	ip_port_format(&v->local, local);
	ip_port_format(&v->remote, remote);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "id", id, "worker", (int)worker, "remote", remote,
			 "local", local, "transport", transport_name(v->transport), "state", v->state, "opened_by", v->ours ? "us" : "them", "age_ms",
			 (json_int_t)v->age_ms, "idle_ms", (json_int_t)v->idle_ms, "messages_in", (json_int_t)v->messages_in, "messages_out",
			 (json_int_t)v->messages_out, "bytes_in", (json_int_t)v->bytes_in, "bytes_out", (json_int_t)v->bytes_out, "queued",
			 (json_int_t)v->queued, "retransmitted", (json_int_t)v->retransmitted, "srtt_ms",
			 v->srtt_us ? json_real(v->srtt_us / 1000.0) : json_null(), "tls", tls_json(v));
}

struct list {
	struct filter filter;
	json_t *connections;
	bool more;
};

static bool add(void *ctx, unsigned worker, const struct stream_view *v)
{
	struct list *l = ctx;

	if (!passes(&l->filter, v))
		return true;
	l->more = json_array_size(l->connections) == (size_t)l->filter.limit;
	if (!l->more)
		json_array_append_new(l->connections, view_json(worker, v));
	return !l->more;
}

static int not_in_time(char *error)
{
	return error_set(error, -ERR_IO, "a worker did not answer within %d ms; try again", WORKER_WAIT_MS);
}

int operation_connections(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct list l = { .connections = NULL };
	int err = read_filter(params, &l.filter, error);

	if (err)
		return err;
	l.connections = json_array();
	if (dataplane_connections(c->dataplane, WORKER_WAIT_MS, add, &l)) {
		json_decref(l.connections);
		return not_in_time(error);
	}
	*ret_result = json_pack("{s:o, s:b}", "connections", l.connections, "more", l.more);
	return 0;
}

int operation_connection_close(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const char *id = json_string_value(json_object_get(params, "id"));
	struct stream_view v;
	uint64_t name;
	char *end;
	int err;

	name = strtoull(id, &end, 16);
	if (!*id || *end || strlen(id) > 16 || strspn(id, "0123456789abcdef") != strlen(id))
		return error_set(error, -ERR_INVALID, "id: '%.64s' is not as connections shows it", id);
	err = dataplane_connection_close(c->dataplane, name, WORKER_WAIT_MS, &v);
	if (err == -ERR_NOT_FOUND)
		return error_set(error, err, "id: there is no connection %.16s", id);
	if (err)
		return not_in_time(error);
	*ret_result = json_pack("{s:o}", "closed", view_json((unsigned)(name >> 56) - 1, &v));
	return 0;
}
