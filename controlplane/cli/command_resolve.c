/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

#define ASK_EVERY_MS 50
#define ASK_TIMES    200 /* ten seconds: longer than the name servers are waited for */

static json_t *params_of(const struct invocation *i, bool now)
{
	return json_pack("{s:s*, s:b}", "name", i->argc ? i->argv[0] : NULL, "now", now);
}

static void print_endpoints(const json_t *names)
{
	struct table *t = table_new("name|endpoint|>priority|>weight|target");
	json_t *name, *endpoint;
	size_t k, n;

	json_array_foreach(names, k, name)
		json_array_foreach(json_object_get(name, "endpoints"), n, endpoint) {
			json_object_set(endpoint, "name", json_object_get(name, "name"));
			table_json(t, endpoint, "name|address|priority|weight|target");
		}
	putchar('\n');
	table_print(t, stdout, "no endpoints");
}

/* What was asked, one line for each record. */
static void print_lookups(const json_t *names)
{
	struct table *t = table_new("question|type|>ttl left|answer");
	json_t *name, *lookup, *record;
	size_t k, n, m;

	json_array_foreach(names, k, name)
		json_array_foreach(json_object_get(name, "lookups"), n, lookup) {
			const char *failed = json_string_value(json_object_get(lookup, "failed"));
			char ttl[32] = "-";
			const char *cells[] = { json_string_value(json_object_get(lookup, "name")),
						json_string_value(json_object_get(lookup, "type")), ttl,
						json_string_value(json_object_get(lookup, "outcome")) };

			if (json_is_real(json_object_get(lookup, "ttl_left_s")))
				snprintf(ttl, sizeof(ttl), "%.0f s", json_real_value(json_object_get(lookup, "ttl_left_s")));
			json_array_foreach(json_object_get(lookup, "records"), m, record) {
				cells[3] = json_string_value(record);
				table_row(t, cells);
			}
			if (!m)
				table_row(t, cells);
			cells[3] = failed;
			if (failed)
				table_row(t, cells);
		}
	putchar('\n');
	table_print(t, stdout, "nothing was asked");
}

/* Until the answers are there; what was asked before this began counts too. */
static int wait_for_answers(const struct invocation *i, struct client *c)
{
	static const struct timespec pause = { 0, ASK_EVERY_MS * 1000000L };

	for (unsigned n = 0; n < ASK_TIMES; n++) {
		json_t *result = NULL, *name;
		char *error = NULL;
		bool asking = false;
		size_t k;
		int status;

		nanosleep(&pause, NULL);
		status = client_call(c, "resolve", params_of(i, false), &result, &error);
		free(error);
		if (status != CTL_OK)
			return status;
		json_array_foreach(result, k, name)
			asking |= json_is_true(json_object_get(name, "asking"));
		json_decref(result);
		if (!asking)
			return CTL_OK;
	}
	return CTL_OK;
}

int command_resolve(const struct invocation *i, struct client *c)
{
	struct table *t;
	json_t *result, *name;
	char *error = NULL;
	size_t k;
	int status;

	if (i->now) {
		status = client_call(c, "resolve", params_of(i, true), &result, &error);
		if (status == CTL_REFUSED)
			fprintf(stderr, "strowgerctl: %s\n", error);
		free(error);
		if (status != CTL_OK)
			return status;
		json_decref(result);
		wait_for_answers(i, c);
	}
	status = command_ask(i, c, "resolve", params_of(i, false), &result);
	if (status != CTL_OK || !result)
		return status;
	t = table_new("name|state|good|>refresh in s|>changes|why");
	json_array_foreach(result, k, name)
		table_json(t, name, "name|state|good|refresh_s|changes|why");
	table_print(t, stdout, "no trunk has a name for an endpoint");
	if (json_array_size(result)) {
		print_endpoints(result);
		print_lookups(result);
	}
	json_decref(result);
	return status;
}
