/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that change. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "error.h"
#include "model/routing_schema.h"
#include "yaml_file.h"

static int usage(const struct invocation *i, const char *what)
{
	fprintf(stderr, "strowgerctl: %s: %s\nstrowgerctl %s --help says how\n", i->command->words, what, i->command->words);
	return CTL_USAGE;
}

void command_print_changes(const json_t *result)
{
	json_int_t total = json_integer_value(json_object_get(result, "total"));
	const json_t *changes = json_object_get(result, "changes");
	json_t *change;
	size_t k;

	json_array_foreach(changes, k, change)
		printf("%s\n", json_string_value(json_object_get(change, "text")));
	if (total > (json_int_t)json_array_size(changes))
		printf("... and %lld more\n", (long long)total - (long long)json_array_size(changes));
	if (!total)
		printf("no difference: nothing to do\n");
	else if (!json_is_true(json_object_get(result, "applied")))
		printf("dry run: %lld change%s, none made\n", (long long)total, total == 1 ? "" : "s");
}

static int change(const struct invocation *i, struct client *c, const char *method, json_t *params)
{
	json_t *result;
	int status;

	if (command_versioned(i, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	status = command_ask(i, c, method, params, &result);
	if (status == CTL_OK && result) {
		command_print_changes(result);
		json_decref(result);
	}
	return status;
}

int command_target_enable(const struct invocation *i, struct client *c)
{
	return change(i, c, "target.set", json_pack("{s:s, s:b}", "target", i->argv[0], "enabled", 1));
}

int command_target_disable(const struct invocation *i, struct client *c)
{
	return change(i, c, "target.set", json_pack("{s:s, s:b}", "target", i->argv[0], "enabled", 0));
}

int command_target_weight(const struct invocation *i, struct client *c)
{
	char *end;
	long weight = strtol(i->argv[1], &end, 10);

	if (end == i->argv[1] || *end)
		return usage(i, "the weight is a whole number");
	return change(i, c, "target.set", json_pack("{s:s, s:I}", "target", i->argv[0], "weight", (json_int_t)weight));
}

/* "+480,-501" */
static json_t *codes_value(const char *text)
{
	json_t *add = json_array(), *gone = json_array();
	char *copy = strdup(text), *rest = copy, *word;
	bool good = copy != NULL;

	while (good && (word = strsep(&rest, ",")) != NULL) {
		char *end;
		long code = strtol(word + 1, &end, 10);

		good = (*word == '+' || *word == '-') && end != word + 1 && !*end;
		if (good)
			json_array_append_new(*word == '+' ? add : gone, json_integer(code));
	}
	free(copy);
	if (good)
		return json_pack("{s:o, s:o}", "add", add, "remove", gone);
	json_decref(add);
	json_decref(gone);
	return NULL;
}

/* "fra,ams,*"; nothing: an empty list. */
static json_t *words_value(const char *text)
{
	json_t *list = json_array();
	char *copy = strdup(text), *rest = copy, *word;

	while (copy && *text && (word = strsep(&rest, ",")) != NULL)
		json_array_append_new(list, json_string(word));
	free(copy);
	return list;
}

/* What JSON says it is, else text. */
static json_t *value_of(const char *key, const char *text)
{
	json_t *value;

	if (strcmp(key, "retry_codes") == 0 && *text != '{')
		value = codes_value(text);
	else if (strcmp(key, "regions") == 0 && *text != '[')
		value = words_value(text);
	else
		value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value ? value : json_string(text);
}

/* KEY=VALUE from the second word on, into params. */
static int read_settings(const struct invocation *i, json_t *params)
{
	for (int k = 1; k < i->argc; k++) {
		const char *equals = strchr(i->argv[k], '=');
		char key[64];

		if (!equals || equals == i->argv[k] || (size_t)(equals - i->argv[k]) >= sizeof(key))
			return usage(i, "settings are written KEY=VALUE");
		snprintf(key, sizeof(key), "%.*s", (int)(equals - i->argv[k]), i->argv[k]);
		json_object_set_new(params, key, value_of(key, equals + 1));
	}
	return CTL_OK;
}

/* The name goes under the key `what`. */
static int set(const struct invocation *i, struct client *c, const char *method, const char *what)
{
	json_t *params = json_pack("{s:s}", what, i->argv[0]);
	int status = read_settings(i, params);

	if (status == CTL_OK)
		return change(i, c, method, params);
	json_decref(params);
	return status;
}

int command_profile_set(const struct invocation *i, struct client *c)
{
	return set(i, c, "profile.set", "name");
}

int command_target_set(const struct invocation *i, struct client *c)
{
	return set(i, c, "target.set", "target");
}

/* Replaces what the target said of probes; no KEY=VALUE: it says nothing any more. */
int command_target_probe(const struct invocation *i, struct client *c)
{
	json_t *probe = json_object();
	int status = read_settings(i, probe);

	if (status == CTL_OK)
		return change(i, c, "target.set", json_pack("{s:s, s:o}", "target", i->argv[0], "probe", probe));
	json_decref(probe);
	return status;
}

static int set_number(const struct invocation *i, struct client *c, const char *kind, const char *profile)
{
	json_t *params = json_pack("{s:s, s:s?}", kind, i->argv[0], "profile", profile), *result;
	int status;

	if (command_versioned(i, params)) {
		json_decref(params);
		return CTL_USAGE;
	}
	status = command_ask(i, c, "number.set", params, &result);
	if (status == CTL_OK && result) {
		const char *number = json_string_value(json_object_get(result, kind));

		if (profile)
			printf("%s %s → %s\n", kind, number, profile);
		else
			printf("- %s %s\n", kind, number);
		json_decref(result);
	}
	return status;
}

int command_number_set(const struct invocation *i, struct client *c)
{
	return set_number(i, c, "number", i->argv[1]);
}

int command_number_delete(const struct invocation *i, struct client *c)
{
	return set_number(i, c, "number", NULL);
}

int command_prefix_set(const struct invocation *i, struct client *c)
{
	return set_number(i, c, "prefix", i->argv[1]);
}

int command_prefix_delete(const struct invocation *i, struct client *c)
{
	return set_number(i, c, "prefix", NULL);
}

/* An error of the daemon that names a key is given the file and line of that key. */
static int send_file(const struct invocation *i, struct client *c, const struct yaml_file *y, json_t *params)
{
	json_t *result;
	char *message, error[ERROR_TEXT_MAX];
	int status = client_call(c, "apply", params, &result, &message);

	if (status == CTL_REFUSED) {
		error_set(error, 0, "%s", message);
		yaml_file_locate(y, error);
		fprintf(stderr, "strowgerctl: refused: %s\n", error);
		free(message);
	} else if (status == CTL_OK) {
		if (i->json) {
			json_dumpf(result, stdout, JSON_INDENT(2));
			putchar('\n');
		} else {
			command_print_changes(result);
		}
		json_decref(result);
	}
	return status;
}

int command_apply(const struct invocation *i, struct client *c)
{
	char error[ERROR_TEXT_MAX];
	struct yaml_file *y = NULL;
	json_t *params = NULL;
	int status;

	if (!yaml_file_read(i->file, &y, error))
		params = yaml_file_json(y, &routing_schema, error);
	if (params && command_versioned(i, params)) {
		json_decref(params);
		status = CTL_USAGE;
	} else if (params) {
		json_object_set_new(params, "dry_run", json_boolean(i->dry_run));
		status = send_file(i, c, y, params);
	} else {
		fprintf(stderr, "strowgerctl: %s\n", error);
		if (strstr(error, ": unknown key (known here: trunks "))
			fputs("apply changes the routing alone; what else a configuration file has is read when strowgerd starts\n", stderr);
		status = CTL_USAGE;
	}
	yaml_file_free(y);
	return status;
}

/* ---- numbers load */

#define PIECE_BYTES	(128u << 10)
#define BYTES_OF_A_LINE 20 /* about */

static int send_piece(const struct invocation *i, struct client *c, json_int_t load, const char *text, size_t n)
{
	json_t *piece = json_stringn(text, n), *result = NULL;
	char *message = NULL;
	int status;

	if (!piece) {
		fprintf(stderr, "strowgerctl: %s: not UTF-8 text\n", i->file);
		return CTL_USAGE;
	}
	status = client_call(c, "numbers.add", json_pack("{s:I, s:o}", "load", load, "text", piece), &result, &message);
	if (status == CTL_REFUSED)
		fprintf(stderr, "strowgerctl: refused: %s: %s\n", i->file, message);
	free(message);
	json_decref(result);
	return status;
}

/* In pieces of whole lines, so that no character is cut. */
static int send_lines(const struct invocation *i, struct client *c, FILE *f, json_int_t load)
{
	char *text = malloc(PIECE_BYTES);
	size_t held = 0, n;
	int status = text ? CTL_OK : CTL_REFUSED;

	while (status == CTL_OK && (n = fread(text + held, 1, PIECE_BYTES - held, f)) > 0) {
		const char *newline = memrchr(text, '\n', held + n);
		size_t whole = newline ? (size_t)(newline - text) + 1 : held + n;

		status = send_piece(i, c, load, text, whole);
		held = held + n - whole;
		memmove(text, text + whole, held);
	}
	if (status == CTL_OK && held)
		status = send_piece(i, c, load, text, held);
	free(text);
	if (status == CTL_OK && ferror(f)) {
		fprintf(stderr, "strowgerctl: %s: %s\n", i->file, strerror(errno));
		status = CTL_USAGE;
	}
	return status;
}

static void abort_load(struct client *c, json_int_t load)
{
	json_t *result = NULL;
	char *message = NULL;

	client_call(c, "numbers.abort", json_pack("{s:I}", "load", load), &result, &message);
	free(message);
	json_decref(result);
}

int command_numbers_load(const struct invocation *i, struct client *c)
{
	FILE *f = strcmp(i->file, "-") == 0 ? stdin : fopen(i->file, "re");
	struct stat st = { .st_size = 0 };
	json_t *result = NULL;
	char *message = NULL;
	json_int_t load;
	int status;

	if (!f || fstat(fileno(f), &st)) {
		fprintf(stderr, "strowgerctl: %s: %s\n", i->file, strerror(errno));
		return CTL_USAGE;
	}
	status = client_call(c, "numbers.begin", json_pack("{s:I}", "expected", (json_int_t)(st.st_size / BYTES_OF_A_LINE)), &result, &message);
	if (status == CTL_REFUSED)
		fprintf(stderr, "strowgerctl: refused: %s\n", message);
	free(message);
	if (status == CTL_OK) {
		load = json_integer_value(json_object_get(result, "load"));
		json_decref(result);
		status = send_lines(i, c, f, load);
		if (status == CTL_OK)
			status = change(i, c, "numbers.commit", json_pack("{s:I, s:b}", "load", load, "dry_run", i->dry_run));
		else if (status == CTL_USAGE)
			abort_load(c, load);
	}
	if (f != stdin)
		fclose(f);
	return status;
}
