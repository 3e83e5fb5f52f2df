/* SPDX-License-Identifier: Apache-2.0 */
/* The routing's past: versions, what differs between them, and the way back. */
#include <stdio.h>
#include <string.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "cdr_line.h"
#include "error.h"
#include "model/diff.h"
#include "model/model.h"
#include "routing.h"
#include "versions/reconstruct.h"
#include "versions/versions.h"

#define LOG_PLAIN   20
#define LOG_MAX	    10000
#define LOG_SCANNED 20000 /* versions that one question reads at most, so that nobody else waits long */

static const struct versions *versions_of(const struct control *c, char *error)
{
	if (!c->routing->versions)
		error_set(error, -ERR_NOT_FOUND, "versions are not kept");
	return c->routing->versions;
}

static void add_numbers(json_t *changes, const json_t *list, const char *kind)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		const char *name = json_string_value(json_array_get(entry, 0)), *was = json_string_value(json_array_get(entry, 1));
		const char *is = json_string_value(json_array_get(entry, 2));

		if (!was)
			json_array_append_new(changes, json_sprintf("+ %s %s → %s", kind, name ? name : "?", is ? is : "?"));
		else if (!is)
			json_array_append_new(changes, json_sprintf("- %s %s → %s", kind, name ? name : "?", was));
		else
			json_array_append_new(changes, json_sprintf("~ %s %s: profile %s → %s", kind, name ? name : "?", was, is));
	}
}

/* As people see it: the time as text, changes as texts, without what is there to go back by. */
static json_t *shown(json_t *line, bool whole)
{
	static const char *const kept[] = { "version", "who", "operation", "comment", "total", "changes" };
	json_t *json = json_object(), *changes;
	char time[CDR_TIME_MAX];

	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (json_object_get(line, kept[i]))
			json_object_set(json, kept[i], json_object_get(line, kept[i]));
	cdr_time((uint64_t)json_integer_value(json_object_get(line, "time")), time);
	json_object_set_new(json, "time", json_string(time));
	changes = json_object_get(json, "changes");
	if (!changes) { /* of one number: made when it is asked for */
		changes = json_array();
		add_numbers(changes, json_object_get(line, "prefixes"), "prefix");
		add_numbers(changes, json_object_get(line, "numbers"), "number");
		json_object_set_new(json, "changes", changes);
	}
	while (!whole && json_array_size(changes) > 1)
		json_array_remove(changes, json_array_size(changes) - 1);
	json_object_set_new(json, "way_back", json_boolean(!json_object_get(line, "break") && !json_object_get(line, "incomplete")));
	return json;
}

/* Was it one number, without a comment? Of those there may be thousands between two changes of anything else. */
static bool is_number(const json_t *line)
{
	return !json_object_get(line, "changes") && !json_object_get(line, "comment");
}

/* Makes the version part of the row above, which is about younger numbers that the same user changed. */
static bool joins(json_t *above, const json_t *line, bool above_is_number)
{
	if (!above || !above_is_number || !is_number(line) ||
	    strcmp(json_string_value(json_object_get(above, "who")), json_string_value(json_object_get(line, "who"))) != 0)
		return false;
	json_object_set(above, "first", json_object_get(line, "version"));
	json_object_set_new(above, "total", json_integer(json_integer_value(json_object_get(above, "total")) + 1));
	return true;
}

/* Adds the row of a version, or counts it into the one above. 0; a negative enum err. */
static int add_row(json_t *list, const struct versions *v, uint64_t version, bool *above_is_number, char *error)
{
	json_t *line, *above = json_array_get(list, json_array_size(list) - 1);
	int err = versions_read(v, version, &line, error);

	if (err == -ERR_INVALID) { /* damaged: the others can be read all the same */
		*above_is_number = false;
		json_array_append_new(list, json_pack("{s:I, s:s}", "version", (json_int_t)version, "damaged", error));
		return 0;
	}
	if (err)
		return err;
	if (!joins(above, line, *above_is_number))
		json_array_append_new(list, shown(line, false));
	*above_is_number = is_number(line);
	json_decref(line);
	return 0;
}

int operation_config_log(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct versions *v = versions_of(c, error);
	json_int_t limit = param_integer(params, "limit", LOG_PLAIN), before = param_integer(params, "before", 0);
	uint64_t last, first;
	unsigned scanned = 0;
	bool number = false, more;
	json_t *list;

	if (!v)
		return -ERR_NOT_FOUND;
	if (limit < 1 || limit > LOG_MAX)
		return error_set(error, -ERR_INVALID, "limit: %lld is not in 1..%d", (long long)limit, LOG_MAX);
	if (before < 0)
		return error_set(error, -ERR_INVALID, "before: %lld is no version", (long long)before);
	first = versions_first(v);
	last = versions_last(v);
	if (before && (uint64_t)before <= last)
		last = (uint64_t)before - 1;
	list = json_array();
	for (; last && last >= first && json_array_size(list) <= (size_t)limit && scanned < LOG_SCANNED; last--, scanned++) {
		int err = add_row(list, v, last, &number, error);

		if (err) {
			json_decref(list);
			return err;
		}
	}
	more = (last && last >= first) || json_array_size(list) > (size_t)limit;
	json_array_remove(list, (size_t)limit); /* where there is one: it was needed to see where the row above it ends */
	*ret_result = json_pack("{s:I, s:I, s:o, s:b}", "version", (json_int_t)versions_last(v), "oldest", (json_int_t)first, "versions", list,
				"more", more);
	return 0;
}

int operation_config_show(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct versions *v = versions_of(c, error);
	json_t *line;
	int err;

	if (!v)
		return -ERR_NOT_FOUND;
	err = versions_read(v, (uint64_t)param_integer(params, "version", 0), &line, error);
	if (err)
		return err;
	*ret_result = shown(line, true);
	json_decref(line);
	return 0;
}

/* 0: what is in force. */
static int model_at(const struct control *c, json_int_t version, bool keep_numbers, struct model **ret_model, char *error)
{
	const struct versions *v = versions_of(c, error);

	if (!v)
		return -ERR_NOT_FOUND;
	if (version)
		return reconstruct(v, (uint64_t)version, c->routing->model, &c->routing->limits, keep_numbers, ret_model, error);
	*ret_model = model_copy(c->routing->model);
	return *ret_model ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
}

int operation_config_diff(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_int_t a = param_integer(params, "from", 0), b = param_integer(params, "to", 0);
	struct model *from = NULL, *to = NULL;
	struct diff diff;
	int err;

	if (a < 1 || (param_given(params, "to") && b < 1))
		return error_set(error, -ERR_INVALID, "%s: %lld is no version", a < 1 ? "from" : "to", (long long)(a < 1 ? a : b));
	err = model_at(c, a, false, &from, error);
	if (!err)
		err = model_at(c, b, false, &to, error);
	diff_init(&diff);
	if (!err) {
		diff_models(&diff, from, to);
		*ret_result = diff.error ? NULL : diff_json(&diff);
		if (*ret_result)
			json_object_set_new(*ret_result, "applied", json_true());
	}
	diff_done(&diff);
	model_free(from);
	model_free(to);
	return err;
}

int operation_config_rollback(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_int_t version = param_integer(params, "version", 0);
	struct model *candidate;
	char comment[64];
	int err;

	if (version < 1)
		return error_set(error, -ERR_INVALID, "version: %lld is no version", (long long)version);
	err = model_at(c, version, json_is_true(json_object_get(params, "keep_numbers")), &candidate, error);
	if (err)
		return err;
	snprintf(comment, sizeof(comment), "back to version %lld", (long long)version);
	if (!c->routing->origin.comment)
		c->routing->origin.comment = comment;
	return change_commit(c, candidate, 0, json_is_true(json_object_get(params, "dry_run")), ret_result, error);
}
