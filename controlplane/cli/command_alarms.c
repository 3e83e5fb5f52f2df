/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about what is wrong. */
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

/* "2026-01-31T23:59:59.999Z" as "2026-01-31 23:59:59". */
static const char *moment(const json_t *object, const char *key, char out[24])
{
	snprintf(out, 24, "%.10s %.8s", text_at(object, key), strlen(text_at(object, key)) > 11 ? text_at(object, key) + 11 : "");
	return out;
}

static void print_raised(const json_t *result)
{
	struct table *t = table_new("severity|alarm|subject|since (UTC)|what is wrong|what to do");
	json_int_t forgotten = json_integer_value(json_object_get(result, "forgotten"));
	json_t *alarm;
	size_t k;

	json_array_foreach(json_object_get(result, "raised"), k, alarm) {
		char when[24];
		const char *cells[] = { text_at(alarm, "severity"), text_at(alarm, "kind"), text_at(alarm, "subject"), moment(alarm, "raised", when),
					text_at(alarm, "text"), text_at(alarm, "what_to_do") };

		table_row(t, cells);
	}
	table_print(t, stdout, "nothing is wrong");
	if (forgotten)
		printf("(%lld more could not be kept: the table of alarms is full)\n", (long long)forgotten);
}

static void print_event(const json_t *event)
{
	char when[24], *line = NULL;

	if (asprintf(&line, "%s  %-7s  %-8s  %s %s: %s", moment(event, "time", when), text_at(event, "event"), text_at(event, "severity"),
		     text_at(event, "kind"), text_at(event, "subject"), text_at(event, "text")) < 0)
		return;
	text_printable(line);
	printf("%s\n", line);
	free(line);
}

static void print_line(const json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
}

static int show_history(const struct invocation *i, struct client *c)
{
	json_t *params = i->limit ? json_pack("{s:I}", "limit", (json_int_t)atoll(i->limit)) : NULL, *result, *event;
	size_t k;
	int status = command_ask(i, c, "alarms.history", params, &result);

	if (status != CTL_OK || !result)
		return status;
	if (!json_array_size(json_object_get(result, "events")))
		printf("no alarm has been raised since strowgerd started\n");
	json_array_foreach(json_object_get(result, "events"), k, event)
		print_event(event);
	json_decref(result);
	return status;
}

/* One notification; with --json as one line: an event, or {"event": "lost", "events": N}. */
static void print_notification(const struct invocation *i, const json_t *notification)
{
	json_t *params = json_object_get(notification, "params");

	if (strcmp(text_at(notification, "method"), "lost") == 0) {
		json_int_t events = json_integer_value(json_object_get(params, "events"));

		if (i->json) {
			json_object_set_new(params, "event", json_string("lost"));
			print_line(params);
		} else {
			printf("(%lld events lost: they were not read fast enough; strowgerctl alarms says what is wrong now)\n", (long long)events);
		}
	} else if (i->json) {
		print_line(params);
	} else {
		print_event(params);
	}
	fflush(stdout);
}

/* What is raised already comes first: a reader need not ask twice. */
static void print_present(const struct invocation *i, const json_t *result)
{
	json_t *alarm;
	size_t k;

	if (!i->json) {
		print_raised(result);
	} else {
		json_array_foreach(json_object_get(result, "raised"), k, alarm) {
			json_object_set_new(alarm, "event", json_string("present"));
			print_line(alarm);
		}
	}
	fflush(stdout);
}

static int follow(const struct invocation *i, struct client *c)
{
	struct invocation quiet = *i;
	json_t *result;
	int status;

	quiet.json = false;
	status = command_ask(&quiet, c, "alarms.follow", NULL, &result);
	if (status != CTL_OK)
		return status;
	print_present(i, result);
	json_decref(result);
	while (status == CTL_OK && !ferror(stdout)) {
		json_t *notification;

		status = client_next(c, &notification);
		if (status == CTL_OK) {
			print_notification(i, notification);
			json_decref(notification);
		}
	}
	return status;
}

int command_alarms(const struct invocation *i, struct client *c)
{
	json_t *result;
	int status;

	if (i->follow)
		return follow(i, c);
	if (i->history || i->limit)
		return show_history(i, c);
	status = command_ask(i, c, "alarms", NULL, &result);
	if (status == CTL_OK && result) {
		print_raised(result);
		json_decref(result);
	}
	return status;
}
