/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that empty a target or the node. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

#define LOOK_MS 250

static int usage(const struct invocation *i, const char *what)
{
	fprintf(stderr, "strowgerctl: %s: %s\nstrowgerctl %s --help says how\n", i->command->words, what, i->command->words);
	return CTL_USAGE;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "90", "90s", "15m", "2h" in seconds. false: none of these. */
static bool read_duration(const char *text, json_int_t *ret)
{
	static const struct {
		char letter;
		int seconds;
	} units[] = { { 0, 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	char *end;
	long n = strtol(text, &end, 10);

	if (!isdigit((unsigned char)*text) || n > 100000000 || (*end && end[1]))
		return false;
	for (unsigned k = 0; k < sizeof(units) / sizeof(units[0]); k++)
		if (*end == units[k].letter) {
			*ret = (json_int_t)n * units[k].seconds;
			return true;
		}
	return false;
}

/* Parameters with --deadline in them; NULL with a message on stderr. */
static json_t *deadline_params(const struct invocation *i)
{
	json_t *params = json_object();
	json_int_t seconds;

	if (!i->deadline)
		return params;
	if (read_duration(i->deadline, &seconds)) {
		json_object_set_new(params, "deadline_s", json_integer(seconds));
		return params;
	}
	usage(i, "--deadline takes seconds, or 90s, 15m, 2h");
	json_decref(params);
	return NULL;
}

static const json_t *find(const json_t *drains, const char *name)
{
	const json_t *node = json_object_get(drains, "node");
	json_t *target;
	size_t k;

	if (strcmp(name, "node") == 0)
		return json_is_object(node) ? node : NULL;
	json_array_foreach(json_object_get(drains, "targets"), k, target)
		if (strcmp(text_at(target, "target"), name) == 0)
			return target;
	return NULL;
}

/* One countdown: a line that is drawn over on a terminal, else a line for each change. */
struct watch {
	const struct invocation *invocation;
	char last[256];
	bool terminal, drawn;
};

static void show(struct watch *w, const json_t *drain)
{
	char line[256];

	snprintf(line, sizeof(line), "%s: %s%s", text_at(drain, "target"), text_at(drain, "text"),
		 json_is_true(json_object_get(drain, "safe")) ? "; safe to take away" : "");
	if (w->invocation->json || strcmp(line, w->last) == 0)
		return;
	if (w->terminal && w->drawn)
		printf("\r\033[K");
	printf("%s%s", line, w->terminal ? "" : "\n");
	fflush(stdout);
	w->drawn = true;
	strcpy(w->last, line);
}

/* Until it is safe to take `name` away. */
static int wait_for(struct watch *w, struct client *c, const char *name)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000l };
	bool safe = false;

	w->drawn = false;
	for (;;) {
		const json_t *drain;
		char *message;
		json_t *drains;
		int status = client_call(c, "drains", NULL, &drains, &message);

		if (status == CTL_REFUSED) {
			fprintf(stderr, "strowgerctl: refused: %s\n", message);
			free(message);
		}
		if (status != CTL_OK)
			return status;
		drain = find(drains, name);
		if (drain) {
			show(w, drain);
			safe = json_is_true(json_object_get(drain, "safe"));
		}
		json_decref(drains);
		if (safe || !drain) {
			if (w->terminal && w->drawn && !w->invocation->json)
				putchar('\n');
			if (!drain)
				fprintf(stderr, "strowgerctl: %s is not draining any more\n", name);
			return drain ? CTL_OK : CTL_REFUSED;
		}
		nanosleep(&pause, NULL);
	}
}

/* What was begun (a list of drains): shown, and with --wait waited for, one after the other. */
static int follow(const struct invocation *i, struct client *c, const json_t *list)
{
	struct watch w = { .invocation = i, .terminal = isatty(STDOUT_FILENO) };
	json_t *drain;
	int status = CTL_OK;
	size_t k;

	json_array_foreach(list, k, drain) {
		w.last[0] = 0;
		if (i->wait && status == CTL_OK)
			status = wait_for(&w, c, text_at(drain, "target"));
		else if (!i->wait && !i->json)
			printf("%s: no new calls; %s%s\n", text_at(drain, "target"), text_at(drain, "text"),
			       json_is_true(json_object_get(drain, "safe")) ? "; safe to take away" : "");
	}
	return status;
}

static int ask_quietly(const struct invocation *i, struct client *c, const char *method, json_t *params, json_t **ret_result)
{
	struct invocation quiet = *i;

	quiet.json = false;
	return command_ask(&quiet, c, method, params, ret_result);
}

/* With --json what was answered, at the end of the waiting. */
static void print_json(const struct invocation *i, const json_t *result)
{
	if (!i->json)
		return;
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
}

int command_target_drain(const struct invocation *i, struct client *c)
{
	json_t *params = deadline_params(i), *result;
	int status;

	if (!params)
		return CTL_USAGE;
	json_object_set_new(params, "target", json_string(i->argv[0]));
	if (command_versioned(i, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	status = ask_quietly(i, c, "target.drain", params, &result);
	if (status != CTL_OK)
		return status;
	status = follow(i, c, json_object_get(result, "targets"));
	print_json(i, result);
	json_decref(result);
	return status;
}

int command_target_undrain(const struct invocation *i, struct client *c)
{
	json_t *params = json_pack("{s:s}", "target", i->argv[0]), *result;
	int status;

	if (!params || command_versioned(i, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	status = command_ask(i, c, "target.undrain", params, &result);
	if (status == CTL_OK && result) {
		if (json_integer_value(json_object_get(result, "total")))
			printf("%s takes calls again\n", i->argv[0]);
		else
			printf("%s was not draining\n", i->argv[0]);
		json_decref(result);
	}
	return status;
}

int command_node_drain(const struct invocation *i, struct client *c)
{
	json_t *params = deadline_params(i), *result, *list;
	int status;

	if (!params)
		return CTL_USAGE;
	status = ask_quietly(i, c, "node.drain", params, &result);
	if (status != CTL_OK)
		return status;
	list = json_pack("[O]", json_object_get(result, "node"));
	status = follow(i, c, list);
	print_json(i, result);
	json_decref(list);
	json_decref(result);
	return status;
}

int command_node_undrain(const struct invocation *i, struct client *c)
{
	json_t *result;
	int status = command_ask(i, c, "node.undrain", NULL, &result);

	if (status == CTL_OK && result) {
		printf("node: takes calls again\n");
		json_decref(result);
	}
	return status;
}

int command_drains(const struct invocation *i, struct client *c)
{
	struct table *t;
	json_t *result, *drain;
	size_t k;
	int status = command_ask(i, c, "drains", NULL, &result);

	if (status != CTL_OK || !result)
		return status;
	t = table_new("draining|since|deadline|>live|>ringing|safe to take away");
	if (json_is_object(json_object_get(result, "node")))
		table_json(t, json_object_get(result, "node"), "target|since|deadline|live|ringing|safe");
	json_array_foreach(json_object_get(result, "targets"), k, drain)
		table_json(t, drain, "target|since|deadline|live|ringing|safe");
	table_print(t, stdout, "nothing is draining");
	json_decref(result);
	return status;
}

/* The older spelling. */
int command_drain(const struct invocation *i, struct client *c)
{
	bool on = strcmp(i->argv[0], "on") == 0;
	json_t *result;
	int status;

	if (!on && strcmp(i->argv[0], "off") != 0)
		return usage(i, "on or off?");
	status = command_ask(i, c, "drain", json_pack("{s:b}", "on", on), &result);
	if (status == CTL_OK && result) {
		printf("%s\n", text_at(result, "state"));
		json_decref(result);
	}
	return status;
}

/* Exit status 1 when it is not. */
int command_ready(const struct invocation *i, struct client *c)
{
	json_t *result;
	int status = ask_quietly(i, c, "ready", NULL, &result);
	bool ready;

	if (status != CTL_OK)
		return status;
	ready = json_is_true(json_object_get(result, "ready"));
	if (i->json)
		print_json(i, result);
	else
		printf("%s: %s\n", ready ? "ready" : "not ready", text_at(result, "reason"));
	json_decref(result);
	return ready ? CTL_OK : CTL_REFUSED;
}
