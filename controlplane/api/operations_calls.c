/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "base64.h"
#include "cdr_line.h"
#include "error.h"
#include "model/model.h"
#include "routing.h"
#include "sip/via.h"
#include "tables/call_record.h"
#include "tables/tables.h"
#include "utf8.h"
#include "wall_clock.h"

#define LIMIT_MAX      10000
#define CALLS_PLAIN    100
#define MESSAGES_PLAIN 1000
#define WORKER_WAIT_MS 200
#define FIRST_LINE_MAX 256

static int read_limit(const json_t *params, json_int_t otherwise, unsigned *ret_limit, char *error)
{
	json_int_t limit = param_integer(params, "limit", otherwise);

	if (limit < 1 || limit > LIMIT_MAX)
		return error_set(error, -ERR_INVALID, "limit: %lld is not in 1..%d", (long long)limit, LIMIT_MAX);
	*ret_limit = (unsigned)limit;
	return 0;
}

static json_t *time_json(uint64_t ms)
{
	char text[CDR_TIME_MAX];

	cdr_time(ms, text);
	return json_string(text);
}

/* ---- calls */

struct call_list {
	const struct control *control;
	uint64_t now_ms;
	json_t *calls;
};

static void add_call(void *ctx, const struct call_record *record, bool answered)
{
	static const char *const only_at_end[] = { "type", "end", "ended_ms", "duration_ms" };
	const struct call_list *list = ctx;
	const struct model_profile *profile = model_profile_by_id(list->control->routing->model, record->profile_id);
	struct call_record r = *record;
	uint64_t since = r.arrived_unix_ms + (answered ? r.answered_ms : r.progress_ms);
	char line[CDR_LINE_MAX];
	json_t *json;

	if (r.kind == RECORD_FAILED || r.kind == RECORD_END)
		return; /* over: its transactions linger */
	r.kind = RECORD_START;
	if (!r.profile[0] && profile)
		memcpy(r.profile, profile->name, sizeof(r.profile));
	json = json_loadb(line, cdr_line(&r, dataplane_tables(list->control->dataplane)->trunks, line), 0, NULL);
	for (unsigned i = 0; i < sizeof(only_at_end) / sizeof(only_at_end[0]); i++)
		json_object_del(json, only_at_end[i]);
	json_object_set_new(json, "state", json_string(answered ? "answered" : r.progress_ms ? "ringing" : "setup"));
	json_object_set_new(json, "since", time_json(since));
	json_object_set_new(json, "for_ms", json_integer(list->now_ms > since ? (json_int_t)(list->now_ms - since) : 0));
	json_array_append_new(list->calls, json);
}

static int compare_arrival(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "arrived")), json_string_value(json_object_get(*y, "arrived")));
}

/* Workers tell them in the order of their tables. */
static json_t *oldest_first(json_t *calls)
{
	size_t n = json_array_size(calls);
	json_t **order = calloc(n + 1, sizeof(*order)), *sorted = json_array();

	for (size_t i = 0; order && i < n; i++)
		order[i] = json_array_get(calls, i);
	if (order)
		qsort(order, n, sizeof(*order), compare_arrival);
	for (size_t i = 0; order && i < n; i++)
		json_array_append(sorted, order[i]);
	free(order);
	json_decref(calls);
	return sorted;
}

int operation_calls(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct call_list list = { c, wall_ms(), json_array() };
	unsigned limit = 0;
	int n = read_limit(params, CALLS_PLAIN, &limit, error);

	if (!n) {
		n = dataplane_calls(c->dataplane, limit, WORKER_WAIT_MS, add_call, &list);
		if (n < 0)
			error_set(error, n, "a worker did not answer within %d ms; try again", WORKER_WAIT_MS);
	}
	if (n < 0) {
		json_decref(list.calls);
		return n;
	}
	*ret_result = json_pack("{s:o, s:b}", "calls", oldest_first(list.calls), "more", n == (int)limit);
	return 0;
}

/* ---- trace */

struct message_list {
	uint64_t unix_offset_ms;
	unsigned limit;
	json_t *messages;
};

static json_t *first_line(const uint8_t *message, uint32_t kept)
{
	char text[3 * FIRST_LINE_MAX + 1];
	uint32_t n = 0;

	while (n < kept && n < FIRST_LINE_MAX && message[n] != '\r' && message[n] != '\n')
		n++;
	return json_stringn(text, utf8_text(message, n, text));
}

static json_t *data_json(const uint8_t *message, uint32_t kept)
{
	char *text = malloc(BASE64_BYTES((size_t)kept));
	json_t *json = text ? json_stringn(text, base64_encode(message, kept, text)) : NULL;

	free(text);
	return json;
}

static void add_message(void *ctx, unsigned worker, uint64_t time_ms, bool outgoing, const struct flow *flow, const uint8_t *message,
			uint32_t kept, uint32_t len)
{
	struct message_list *list = ctx;
	uint64_t at = time_ms + list->unix_offset_ms;
	char local[IP_PORT_TEXT_MAX], remote[IP_PORT_TEXT_MAX];

	if (json_array_size(list->messages) >= list->limit)
		return;
	ip_port_format(&flow->local, local);
	ip_port_format(&flow->remote, remote);
	json_array_append_new(list->messages,
			      json_pack("{s:o, s:I, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o?}", "time", time_json(at), "unix_ms", (json_int_t)at,
					"worker", (int)worker, "direction", outgoing ? "out" : "in", "local", local, "remote", remote,
					"transport", transport_name(flow->transport), "bytes", (json_int_t)len, "first_line", first_line(message, kept), "data",
					data_json(message, kept)));
}

int operation_trace(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const char *call_id = param_text(params, "call_id");
	struct message_list list = { .unix_offset_ms = wall_offset_ms() };
	unsigned total, one_in;
	uint64_t hash;
	int err = read_limit(params, MESSAGES_PLAIN, &list.limit, error);

	if (err)
		return err;
	if (!dataplane_configuration(c->dataplane)->limits.trace_mb)
		return error_set(error, -ERR_NOT_FOUND, "nothing is kept: limits.trace_mb is 0");
	list.messages = json_array();
	hash = dataplane_call_hash(c->dataplane, call_id, strlen(call_id));
	total = dataplane_trace(c->dataplane, hash, add_message, &list);
	one_in = dataplane_trace_one_in(c->dataplane, hash);
	if (!total) {
		json_decref(list.messages);
		if (one_in > 1)
			return error_set(error, -ERR_NOT_FOUND,
					 "call_id: no message of %.128s is kept: under this load one call in %u is (limits.trace_mb, limits.trace_s)", call_id,
					 one_in);
		return error_set(error, -ERR_NOT_FOUND, "call_id: no message of %.128s is kept (any more); limits.trace_mb says how much is",
				 call_id);
	}
	*ret_result = json_pack("{s:s, s:I, s:I, s:o}", "call_id", call_id, "total", (json_int_t)total, "one_in", (json_int_t)one_in, "messages", list.messages);
	return 0;
}
