/* SPDX-License-Identifier: Apache-2.0 */
#include "api/operations.h"

#include <stdio.h>
#include <string.h>

#include "alarms/alarms.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/server.h"
#include "base/err.h"
#include "error.h"
#include "routing.h"

#define COMMENT_MAX 500

static const struct operation_param none[] = { { 0 } };

static const struct operation_param workers[] = { { "loop", PARAM_BOOLEAN, false, "with how long the turns of its loop took" }, { 0 } };

static const struct operation_param target_set[] = {
	{ "target", PARAM_TEXT, true, "PROFILE/TRUNK" },
	{ "enabled", PARAM_BOOLEAN, false, "false: no new calls; live ones go on" },
	{ "weight", PARAM_INTEGER, false, "share of calls, 0..65535; 0 drains" },
	{ "max_calls", PARAM_INTEGER, false, "calls at once, 0..1000000; 0: no limit" },
	{ "max_cps", PARAM_INTEGER, false, "calls begun within any second, 0..100000; 0: no limit" },
	{ "region", PARAM_TEXT_OR_NULL, false, "where it is, for tiers; null: nowhere" },
	{ "probe", PARAM_OBJECT, false, "how its endpoints are probed, over what profile and trunk say; {}: as those say" },
	{ 0 },
};

static const struct operation_param profile_get[] = { { "name", PARAM_TEXT, true, "the profile" }, { 0 } };

static const struct operation_param profile_set[] = {
	{ "name", PARAM_TEXT, true, "the profile" },
	{ "strategy", PARAM_TEXT, false, "failover, round_robin, weighted_lb, simultaneous_ring, least_calls or fastest" },
	{ "response_timeout_ms", PARAM_INTEGER, false, "sending ... any response; 0: off" },
	{ "progress_timeout_ms", PARAM_INTEGER, false, "100 ... 18x; 0: off" },
	{ "ring_timeout_s", PARAM_INTEGER, false, "sending ... an answer, per target, at most 180; 0: off" },
	{ "setup_budget_s", PARAM_INTEGER, false, "arrival ... the first 18x, over all attempts; 0: off" },
	{ "max_retries", PARAM_INTEGER, false, "further targets after the first" },
	{ "max_attempts", PARAM_INTEGER, false, "endpoints in all, 1..16" },
	{ "exhausted_code", PARAM_INTEGER, false, "answer when nothing is left, 400..699" },
	{ "retry_budget", PARAM_INTEGER, false, "percent of attempts that may be retries, 0..100; 0: any" },
	{ "retry_after_progress", PARAM_BOOLEAN, false, "a 408 or 5xx moves on even after an 18x went upstream" },
	{ "decline_scope", PARAM_TEXT, false, "all: a 6xx ends every branch of a simultaneous ring; target: its own only" },
	{ "follow_redirects", PARAM_BOOLEAN, false, "Contacts of a 3xx that are endpoints of this profile are tried next" },
	{ "retry_codes", PARAM_OBJECT, false, "{add: [codes], remove: [codes]} against the default 408 and 5xx" },
	{ "regions", PARAM_LIST, false, "regions from the nearest on, at most 16; \"*\": all others" },
	{ "probe", PARAM_OBJECT, false, "how endpoints that it uses are probed, over what their trunks say; {}: as those say" },
	{ "targets", PARAM_LIST, false, "[{trunk, position, weight, enabled, max_calls, max_cps, region, probe}]" },
	{ 0 },
};

static const struct operation_param numbers[] = {
	{ "prefix", PARAM_TEXT, false, "only what begins with these digits" },
	{ "limit", PARAM_INTEGER, false, "at most so many, 1..100000 (100)" },
	{ 0 },
};

static const struct operation_param number_set[] = {
	{ "number", PARAM_TEXT, false, "an E.164 number" },
	{ "prefix", PARAM_TEXT, false, "or a prefix" },
	{ "profile", PARAM_TEXT_OR_NULL, true, "where it leads; null removes it" },
	{ 0 },
};

static const struct operation_param numbers_begin[] = { { "expected", PARAM_INTEGER, false, "about how many will come" }, { 0 } };

static const struct operation_param numbers_add[] = {
	{ "load", PARAM_INTEGER, true, "as numbers.begin answered" },
	{ "text", PARAM_TEXT, true, "lines: \"+442035550100 london\", a prefix as \"+4420* london\"; may end within a line" },
	{ 0 },
};

static const struct operation_param numbers_commit[] = {
	{ "load", PARAM_INTEGER, true, "as numbers.begin answered" },
	{ "dry_run", PARAM_BOOLEAN, false, "only say what would change" },
	{ 0 },
};

static const struct operation_param numbers_abort[] = { { "load", PARAM_INTEGER, true, "as numbers.begin answered" }, { 0 } };

static const struct operation_param apply[] = {
	{ "trunks", PARAM_LIST, false, "a section that is given replaces that section whole" },
	{ "profiles", PARAM_LIST, false, "" },
	{ "numbers", PARAM_LIST, false, "" },
	{ "domains", PARAM_LIST, false, "" },
	{ "dry_run", PARAM_BOOLEAN, false, "only say what would change" },
	{ 0 },
};

static const struct operation_param route[] = {
	{ "from", PARAM_TEXT, true, "the caller: a number or SIP URI" },
	{ "to", PARAM_TEXT, true, "what is dialled: a number, SIP or tel URI, or a domain" },
	{ "source", PARAM_TEXT, false, "the address that the call comes from; without it the access list is not asked" },
	{ "call_id", PARAM_TEXT, false, "for weighted_lb: the Call-ID to hash" },
	{ 0 },
};

static const struct operation_param calls[] = { { "limit", PARAM_INTEGER, false, "at most so many, 1..10000 (100)" }, { 0 } };

static const struct operation_param connections[] = {
	{ "limit", PARAM_INTEGER, false, "at most so many, 1..10000 (100)" },
	{ "remote", PARAM_TEXT, false, "only those of this address, or address and port" },
	{ "transport", PARAM_TEXT, false, "only tcp or tls" },
	{ "opened_by", PARAM_TEXT, false, "us or them: only those that we, or they, opened" },
	{ 0 },
};

static const struct operation_param connection_close[] = { { "id", PARAM_TEXT, true, "as connections shows it" }, { 0 } };

static const struct operation_param history[] = { { "limit", PARAM_INTEGER, false, "at most so many of the last, 1..10000 (100)" }, { 0 } };

static const struct operation_param trace[] = {
	{ "call_id", PARAM_TEXT, true, "the call's Call-ID" },
	{ "limit", PARAM_INTEGER, false, "at most so many messages, 1..10000 (1000)" },
	{ 0 },
};

static const struct operation_param resolve[] = {
	{ "name", PARAM_TEXT, false, "only this name" },
	{ "now", PARAM_BOOLEAN, false, "true: ask anew at once; asking is then true until the answers are there" },
	{ 0 },
};

static const struct operation_param config_log[] = {
	{ "limit", PARAM_INTEGER, false, "at most so many, 1..10000 (20)" },
	{ "before", PARAM_INTEGER, false, "only versions before this one" },
	{ 0 },
};

static const struct operation_param config_show[] = { { "version", PARAM_INTEGER, true, "its number" }, { 0 } };

static const struct operation_param config_diff[] = {
	{ "from", PARAM_INTEGER, true, "a version" },
	{ "to", PARAM_INTEGER, false, "another; without it what is in force" },
	{ 0 },
};

static const struct operation_param config_rollback[] = {
	{ "version", PARAM_INTEGER, true, "the routing becomes what it was then; drains of targets stay" },
	{ "keep_numbers", PARAM_BOOLEAN, false, "true: numbers and prefixes stay as they are" },
	{ "dry_run", PARAM_BOOLEAN, false, "only say what would change" },
	{ 0 },
};

/* What every operation that changes routing takes beside its own. */
static const struct operation_param versioned[] = {
	{ "comment", PARAM_TEXT, false, "why, for config.log; at most 500 bytes" },
	{ "if_version", PARAM_INTEGER, false, "refuse when another version than this one is in force" },
	{ 0 },
};

static const struct operation_param target_drain[] = {
	{ "target", PARAM_TEXT, true, "PROFILE/TRUNK, or a trunk: in all profiles" },
	{ "deadline_s", PARAM_INTEGER, false, "after so many seconds, 1..604800, it is safe to take away with calls up" },
	{ 0 },
};

static const struct operation_param target_undrain[] = {
	{ "target", PARAM_TEXT, true, "PROFILE/TRUNK, or a trunk: in all profiles" },
	{ 0 },
};

static const struct operation_param node_drain[] = {
	{ "deadline_s", PARAM_INTEGER, false, "after so many seconds, 1..604800, it is safe to take away with calls up" },
	{ 0 },
};

static const struct operation_param drain[] = { { "on", PARAM_BOOLEAN, true, "true: new calls get 503; false: back to work" }, { 0 } };

static const struct operation table[] = {
	{ "status", "what runs, since when, and how many calls", OPERATION_LOOKS, none, operation_status },
	{ "workers", "load and gauges of each worker", OPERATION_LOOKS, workers, operation_workers },
	{ "counters", "all counters, in total and by worker", OPERATION_LOOKS, none, operation_counters },
	{ "drain", "node.drain and node.undrain in one", OPERATION_ACTS, drain, operation_drain },
	{ "node.drain", "new calls get 503; what is up goes on", OPERATION_ACTS, node_drain, operation_node_drain },
	{ "node.undrain", "take calls again", OPERATION_ACTS, none, operation_node_undrain },
	{ "ready", "does this node take calls? {ready, reason}", OPERATION_LOOKS, none, operation_ready },
	{ "drains", "what is draining, and how many calls are left", OPERATION_LOOKS, none, operation_drains },
	{ "alarms", "what is wrong now", OPERATION_LOOKS, none, operation_alarms },
	{ "alarms.history", "alarms raised and cleared, the oldest first", OPERATION_LOOKS, history, operation_alarms_history },
	{ "alarms.follow", "what is wrong now, then a notification \"alarm\" for each event on this connection", OPERATION_LOOKS, none,
	  operation_alarms_follow },
	{ "calls", "calls that ring or are up", OPERATION_LOOKS, calls, operation_calls },
	{ "connections", "connections of TCP and TLS", OPERATION_LOOKS, connections, operation_connections },
	{ "connection.close", "close one, once what waits for it has left", OPERATION_ACTS, connection_close, operation_connection_close },
	{ "trace", "the messages of a call that are still kept", OPERATION_LOOKS, trace, operation_trace },
	{ "targets", "targets with their state and statistics", OPERATION_LOOKS, none, operation_targets },
	{ "target.set", "enable, disable, weigh, limit or place a target", OPERATION_CHANGES, target_set, operation_target_set },
	{ "target.drain", "no new calls to a target; what is up goes on", OPERATION_CHANGES, target_drain, operation_target_drain },
	{ "target.undrain", "calls to a target again", OPERATION_CHANGES, target_undrain, operation_target_undrain },
	{ "profiles", "all profiles", OPERATION_LOOKS, none, operation_profiles },
	{ "profile.get", "one profile", OPERATION_LOOKS, profile_get, operation_profile_get },
	{ "profile.set", "change knobs, strategy or targets of a profile", OPERATION_CHANGES, profile_set, operation_profile_set },
	{ "numbers", "numbers and prefixes", OPERATION_LOOKS, numbers, operation_numbers },
	{ "number.set", "lead a number or prefix to a profile, or remove it", OPERATION_CHANGES, number_set, operation_number_set },
	{ "numbers.begin", "begin a list of any length that is to replace all numbers and prefixes; one at a time", OPERATION_ACTS, numbers_begin, operation_numbers_begin },
	{ "numbers.add", "the next piece of it; what is wrong with it ends the load", OPERATION_ACTS, numbers_add, operation_numbers_add },
	{ "numbers.commit", "put it in force; answers the difference", OPERATION_CHANGES, numbers_commit, operation_numbers_commit },
	{ "numbers.abort", "forget it", OPERATION_ACTS, numbers_abort, operation_numbers_abort },
	{ "apply", "replace routing sections; answers the difference", OPERATION_CHANGES, apply, operation_apply },
	{ "export", "trunks, profiles and domains in force, as apply takes them", OPERATION_LOOKS, none, operation_export },
	{ "route", "where a call would go, and why", OPERATION_LOOKS, route, operation_route },
	{ "config.log", "versions of the routing, the last first", OPERATION_LOOKS, config_log, operation_config_log },
	{ "config.show", "one version: who, when, what changed", OPERATION_LOOKS, config_show, operation_config_show },
	{ "config.diff", "what differs between two versions, or a version and now", OPERATION_LOOKS, config_diff, operation_config_diff },
	{ "config.rollback", "make the routing as it was at a version", OPERATION_CHANGES, config_rollback, operation_config_rollback },
	{ "certificates", "our certificates, and those that others have shown us: whose, until when, what is wrong", OPERATION_LOOKS, none, operation_certificates },
	{ "certificates.reload", "read certificates, CA files and ticket keys anew; what cannot be used leaves what is in use", OPERATION_ACTS, none,
	  operation_certificates_reload },
	{ "resolve", "the names that trunks have for endpoints, and what DNS says of them", OPERATION_LOOKS, resolve, operation_resolve },
	{ "operations", "this table", OPERATION_LOOKS, none, operation_list },
};

const struct operation *operations_all(size_t *ret_count)
{
	*ret_count = sizeof(table) / sizeof(table[0]);
	return table;
}

const struct operation *operation_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static const char *const type_words[] = {
	[PARAM_TEXT] = "text", [PARAM_TEXT_OR_NULL] = "text or null", [PARAM_INTEGER] = "a whole number",
	[PARAM_BOOLEAN] = "true or false", [PARAM_OBJECT] = "an object", [PARAM_LIST] = "a list",
};

static bool type_matches(enum param_type type, const json_t *value)
{
	switch (type) {
	case PARAM_TEXT:
		return json_is_string(value);
	case PARAM_TEXT_OR_NULL:
		return json_is_string(value) || json_is_null(value);
	case PARAM_INTEGER:
		return json_is_integer(value);
	case PARAM_BOOLEAN:
		return json_is_boolean(value);
	case PARAM_OBJECT:
		return json_is_object(value);
	case PARAM_LIST:
		return json_is_array(value);
	}
	return false;
}

static const struct operation_param *find_param(const struct operation_param *list, const char *name)
{
	for (; list->name; list++)
		if (strcmp(list->name, name) == 0)
			return list;
	return NULL;
}

static int check_params(const struct operation *op, const json_t *params, char *error)
{
	const char *key;
	json_t *value;

	if (params && !json_is_object(params))
		return error_set(error, -ERR_INVALID, "params: expected an object");
	json_object_foreach((json_t *)params, key, value) {
		const struct operation_param *p = find_param(op->params, key);

		if (!p && op->effect == OPERATION_CHANGES)
			p = find_param(versioned, key);
		if (!p)
			return error_set(error, -ERR_INVALID, "%.64s: %s has no such parameter", key, op->name);
		if (!type_matches(p->type, value))
			return error_set(error, -ERR_INVALID, "%s: expected %s", key, type_words[p->type]);
	}
	for (const struct operation_param *p = op->params; p->name; p++)
		if (p->required && !json_object_get(params, p->name))
			return error_set(error, -ERR_INVALID, "%s: is missing", p->name);
	return 0;
}

static int check_version(const struct control *c, const json_t *params, char *error)
{
	json_int_t version = (json_int_t)routing_version(c->routing), wanted = param_integer(params, "if_version", version);

	if (param_given(params, "comment") && strlen(param_text(params, "comment")) > COMMENT_MAX)
		return error_set(error, -ERR_INVALID, "comment: longer than %d bytes", COMMENT_MAX);
	if (wanted == version)
		return 0;
	return error_set(error, -ERR_CHANGED,
			 "if_version: version %lld is in force, not %lld: somebody changed something meanwhile (config log says who)",
			 (long long)version, (long long)wanted);
}

/* Says who makes the next version, and hands on the operation's own parameters. */
static int run_change(const struct operation *op, struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_t *own = json_copy((json_t *)params);
	int err = check_version(c, params, error);

	for (const struct operation_param *p = versioned; own && p->name; p++)
		json_object_del(own, p->name);
	c->routing->origin = (struct origin){ .who = c->client ? server_client_name(c->client) : "strowgerd", .operation = op->name,
					      .comment = param_text(params, "comment") };
	if (!err)
		err = op->run(c, own, ret_result, error);
	if (err == -ERR_IO)
		alarm_raise(c->alarms, ALARM_STATE, "routing", "a change was refused: %s", error);
	else if (!err)
		alarm_clear(c->alarms, ALARM_STATE, "routing", "changes are kept again");
	if (!err && json_is_object(*ret_result))
		json_object_set_new(*ret_result, "version", json_integer((json_int_t)routing_version(c->routing)));
	c->routing->origin = (struct origin){ .who = "strowgerd", .operation = op->name };
	json_decref(own);
	return err;
}

int operation_run(const struct operation *op, struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	int err = check_params(op, params, error);

	if (err)
		return err;
	*ret_result = NULL;
	err = op->effect == OPERATION_CHANGES ? run_change(op, c, params, ret_result, error) : op->run(c, params, ret_result, error);
	if (!err && !*ret_result)
		err = error_set(error, -ERR_NOMEM, "out of memory");
	return err;
}

const char *param_text(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

json_int_t param_integer(const json_t *params, const char *name, json_int_t otherwise)
{
	const json_t *value = json_object_get(params, name);

	return value ? json_integer_value(value) : otherwise;
}

bool param_given(const json_t *params, const char *name)
{
	return json_object_get(params, name) != NULL;
}

static void list_params(json_t *takes, const struct operation_param *p)
{
	for (; p->name; p++)
		json_array_append_new(takes, json_pack("{s:s, s:s, s:b, s:s}", "name", p->name, "type", type_words[p->type], "required",
						       p->required, "doc", p->doc));
}

int operation_list(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *takes = json_array();

		list_params(takes, table[i].params);
		if (table[i].effect == OPERATION_CHANGES)
			list_params(takes, versioned);
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "name", table[i].name, "doc", table[i].doc, "changes",
						      table[i].effect != OPERATION_LOOKS, "params", takes));
	}
	*ret_result = list;
	return 0;
}
