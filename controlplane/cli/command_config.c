/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the routing's past. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The first change, and how many more there are. */
static void summary(const json_t *version, char *out, size_t room)
{
	const char *first = json_string_value(json_array_get(json_object_get(version, "changes"), 0)), *comment = text_at(version, "comment");
	json_int_t total = json_integer_value(json_object_get(version, "total"));
	const char *damaged = json_string_value(json_object_get(version, "damaged"));
	size_t n;

	n = (size_t)snprintf(out, room, "%s", damaged ? damaged : first ? first : "as found");
	if (total > 1 && n < room)
		n += (size_t)snprintf(out + n, room - n, " and %lld more", (long long)total - 1);
	if (json_is_false(json_object_get(version, "way_back")) && n < room)
		n += (size_t)snprintf(out + n, room - n, " (no way back beyond)");
	if (*comment && n < room)
		snprintf(out + n, room - n, "  # %s", comment);
}

int command_config_log(const struct invocation *i, struct client *c)
{
	json_t *params = json_object(), *result, *version;
	struct table *t;
	json_int_t n;
	size_t k;
	int status;

	for (k = 0; k < 2; k++) {
		const char *text = k ? i->before : i->limit;

		if (text && command_number(i, text, &n)) {
			json_decref(params);
			return CTL_USAGE;
		}
		if (text)
			json_object_set_new(params, k ? "before" : "limit", json_integer(n));
	}
	status = command_ask(i, c, "config.log", params, &result);
	if (status != CTL_OK || !result)
		return status;
	t = table_new(">version|time (UTC)|who|operation|what");
	json_array_foreach(json_object_get(result, "versions"), k, version) {
		json_int_t last = json_integer_value(json_object_get(version, "version")), first = json_integer_value(json_object_get(version, "first"));
		char number[48], when[24], what[512];
		const char *cells[] = { number, when, text_at(version, "who"), text_at(version, "operation"), what };

		if (first)
			snprintf(number, sizeof(number), "%lld..%lld", (long long)first, (long long)last);
		else
			snprintf(number, sizeof(number), "%lld", (long long)last);
		snprintf(when, sizeof(when), "%.10s %.8s", text_at(version, "time"),
			 strlen(text_at(version, "time")) > 11 ? text_at(version, "time") + 11 : "");
		summary(version, what, sizeof(what));
		table_row(t, cells);
	}
	table_print(t, stdout, "no versions");
	if (json_is_true(json_object_get(result, "more")))
		printf("(there are more; --limit shows more, --before N older ones)\n");
	json_decref(result);
	return status;
}

static void print_version(const json_t *version)
{
	static const char *const keys[] = { "version", "time", "who", "operation", "comment" };
	json_int_t total = json_integer_value(json_object_get(version, "total"));
	const json_t *changes = json_object_get(version, "changes");
	json_t *change;
	size_t k;

	for (unsigned n = 0; n < sizeof(keys) / sizeof(keys[0]); n++) {
		char *words = json_words(json_object_get(version, keys[n]));

		if (words) {
			text_printable(words);
			printf("%-10s %s\n", keys[n], words);
		}
		free(words);
	}
	json_array_foreach(changes, k, change)
		printf("%s\n", json_string_value(change));
	if (total > (json_int_t)json_array_size(changes))
		printf("... and %lld more\n", (long long)total - (long long)json_array_size(changes));
	if (json_is_false(json_object_get(version, "way_back")))
		printf("(nothing from before this version can be made again)\n");
}

int command_config_show(const struct invocation *i, struct client *c)
{
	json_t *result;
	json_int_t version;
	int status;

	if (command_number(i, i->argv[0], &version))
		return CTL_USAGE;
	status = command_ask(i, c, "config.show", json_pack("{s:I}", "version", version), &result);
	if (status == CTL_OK && result) {
		print_version(result);
		json_decref(result);
	}
	return status;
}

int command_config_diff(const struct invocation *i, struct client *c)
{
	json_int_t from, to = 0;
	json_t *params, *result;
	int status;

	if (command_number(i, i->argv[0], &from) || (i->argc > 1 && command_number(i, i->argv[1], &to)))
		return CTL_USAGE;
	params = json_pack("{s:I}", "from", from);
	if (i->argc > 1)
		json_object_set_new(params, "to", json_integer(to));
	status = command_ask(i, c, "config.diff", params, &result);
	if (status == CTL_OK && result) {
		if (json_integer_value(json_object_get(result, "total")))
			command_print_changes(result);
		else
			printf("no difference\n");
		json_decref(result);
	}
	return status;
}

int command_config_rollback(const struct invocation *i, struct client *c)
{
	json_t *params, *result;
	json_int_t version;
	int status;

	if (command_number(i, i->argv[0], &version))
		return CTL_USAGE;
	params = json_pack("{s:I, s:b, s:b}", "version", version, "dry_run", i->dry_run, "keep_numbers", i->keep_numbers);
	if (command_versioned(i, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	status = command_ask(i, c, "config.rollback", params, &result);
	if (status == CTL_OK && result) {
		command_print_changes(result);
		json_decref(result);
	}
	return status;
}
