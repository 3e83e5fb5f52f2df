/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table of operations over a data plane without workers: asked in JSON-RPC, as clients do. */

#include "fixture.h"

#include "api/control.h"
#include "api/operations.h"
#include "api/rpc.h"
#include "config.h"
#include "fake_dataplane.h"
#include "model/number_map.h"
#include "model/publish.h"
#include "routing.h"
#include "tables/profiles.h"
#include "tables/tables.h"

static const char *const whole =
	"trunks:\n"
	"  - {name: caller, sources: [10.0.9.0/24], profile: fall}\n"
	"  - {name: a, endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2, priority: 1}]}\n"
	"  - {name: b, endpoints: [{address: 10.0.1.1}]}\n"
	"profiles:\n"
	"  - {name: in, strategy: failover, targets: [{trunk: a}, {trunk: b}]}\n"
	"  - {name: rr, strategy: round_robin, max_retries: 0, targets: [{trunk: a}, {trunk: b}]}\n"
	"  - {name: w, strategy: weighted_lb, targets: [{trunk: a, weight: 70}, {trunk: b, weight: 30}]}\n"
	"  - {name: fall}\n"
	"numbers: [{number: '442035550100', profile: in}, {number: '442035550101', profile: rr}, {prefix: '49', profile: w}]\n"
	"domains: [{domain: example.com, profile: in}]\n";

struct bench {
	struct dataplane *dataplane;
	struct config config;
	struct routing routing;
	struct control control;
	unsigned changes;
};

static inline void changed(void *ctx)
{
	((struct bench *)ctx)->changes++;
}

static inline bool target_idle(void *ctx, uint32_t slot)
{
	return true;
}

static inline void target_reset(void *ctx, uint32_t slot)
{
	dataplane_target_stats_reset(((struct bench *)ctx)->dataplane, slot);
}

static inline int set_up(void **state)
{
	static const struct tables_limits room = { .workers = 2, .numbers = 64, .prefixes = 8, .profiles = 16, .trunks = 16, .endpoints = 32 };
	struct bench *b = calloc(1, sizeof(*b));
	const struct publish_hooks hooks = { target_idle, target_reset, b, 64 };
	struct model *m = model_of(whole);
	char error[ERROR_TEXT_MAX];
	bool from_state;

	b->dataplane = fake_dataplane_new(&room);
	strcpy(b->config.node_name, "test");
	strcpy(b->config.number_plan.country_code, "44");
	strcpy(b->config.number_plan.national_prefix, "0");
	routing_init(&b->routing, publisher_new(dataplane_tables(b->dataplane), &hooks, &b->config.number_plan), NULL, &plenty, error);
	assert_int_equal(routing_begin(&b->routing, m, &from_state, error), 0);
	model_free(m);
	b->control = (struct control){ .dataplane = b->dataplane, .config = &b->config, .routing = &b->routing, .version = "9.9",
				       .changed = changed, .ctx = b };
	*state = b;
	return 0;
}

static inline int tear_down(void **state)
{
	struct bench *b = *state;

	routing_done(&b->routing);
	fake_dataplane_free(b->dataplane);
	free(b);
	return 0;
}

/* The answer to a method, as JSON; params in JSON with ' for ". */
static inline json_t *ask(struct bench *b, const char *method, const char *params)
{
	char text[4096], *line;
	json_t *answer;
	int n = snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);

	for (int i = 0; i < n; i++)
		if (text[i] == '\'')
			text[i] = '"';
	line = rpc_answer(&b->control, text, (size_t)n);
	assert_non_null(line);
	answer = json_loads(line, 0, NULL);
	assert_non_null(answer);
	free(line);
	return answer;
}

static inline json_t *result_of(struct bench *b, const char *method, const char *params)
{
	json_t *answer = ask(b, method, params), *result = json_incref(json_object_get(answer, "result"));

	if (!result)
		fail_msg("%s %s: %s", method, params, json_dumps(answer, 0));
	json_decref(answer);
	return result;
}

/* Does a result hold at least what `want` (with ' for ") holds? */
static inline bool holds(const json_t *have, const json_t *want)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(want)) {
		json_object_foreach((json_t *)want, key, value)
			if (!holds(json_object_get(have, key), value))
				return false;
		return json_is_object(have);
	}
	if (!json_is_array(want))
		return have && json_equal(have, want);
	if (json_array_size(have) != json_array_size(want))
		return false;
	json_array_foreach(want, i, value)
		if (!holds(json_array_get(have, i), value))
			return false;
	return true;
}

static inline void expect(struct bench *b, const char *method, const char *params, const char *want)
{
	char text[4096];
	json_t *result = result_of(b, method, params), *wanted;

	snprintf(text, sizeof(text), "%s", want);
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	wanted = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(wanted);
	if (!holds(result, wanted))
		fail_msg("%s %s\n got  %s\n want %s", method, params, json_dumps(result, JSON_COMPACT), text);
	json_decref(wanted);
	json_decref(result);
}

static inline void expect_refusal(struct bench *b, const char *method, const char *params, const char *message)
{
	json_t *answer = ask(b, method, params);

	assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "error"), "message")), message);
	json_decref(answer);
}
