/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The day of a time; "-" where there is none. */
static const char *day_at(const json_t *object, const char *key, char out[16])
{
	const char *text = text_at(object, key);

	snprintf(out, 16, "%.10s", text ? text : "-");
	return out;
}

static void print_ours(const json_t *result)
{
	struct table *t = table_new("certificate|names|issuer|until|>days left|since|default of|trunks|what is wrong");
	const json_t *x;
	size_t k;

	json_array_foreach(json_object_get(result, "ours"), k, x) {
		char until[16], since[16], *names = json_words(json_object_get(x, "names")), *days = json_words(json_object_get(x, "days_left")),
			*defaults = json_words(json_object_get(x, "default_of")), *trunks = json_words(json_object_get(x, "trunks"));
		const char *cells[] = { text_at(x, "name"), names, text_at(x, "issuer"), day_at(x, "not_after", until), days, day_at(x, "since", since),
					defaults, trunks, text_at(x, "broken") };

		table_row(t, cells);
		free(names);
		free(days);
		free(defaults);
		free(trunks);
	}
	table_print(t, stdout, "no certificate of ours");
}

static void print_theirs(const json_t *result)
{
	struct table *t = table_new("theirs|address|names|subject|until|>days left|last seen|verified|why not");
	const json_t *x;
	size_t k;

	json_array_foreach(json_object_get(result, "theirs"), k, x) {
		const char *trunk = text_at(x, "trunk"), *seen = text_at(x, "last_seen");
		char until[16], last[24], *names = json_words(json_object_get(x, "names")), *days = json_words(json_object_get(x, "days_left"));
		const char *cells[] = { trunk ? trunk : text_at(x, "side"), text_at(x, "address"), names, text_at(x, "subject"), day_at(x, "not_after", until), days,
					last, json_is_true(json_object_get(x, "verified")) ? "yes" : "no", text_at(x, "why") };

		snprintf(last, sizeof(last), "%.10s %.8s", seen ? seen : "", seen && strlen(seen) > 11 ? seen + 11 : "");
		table_row(t, cells);
		free(names);
		free(days);
	}
	putchar('\n');
	table_print(t, stdout, "nobody has shown one");
}

int command_certificates(const struct invocation *i, struct client *c)
{
	const json_t *text;
	json_t *result;
	size_t k;
	int status = command_ask(i, c, "certificates", NULL, &result);

	if (status != CTL_OK || !result)
		return status;
	print_ours(result);
	print_theirs(result);
	json_array_foreach(json_object_get(result, "broken"), k, text)
		printf("%s%s\n", k ? "" : "\n", json_string_value(text));
	if (text_at(json_object_get(result, "ticket_keys"), "broken"))
		printf("\nticket keys: %s\n", text_at(json_object_get(result, "ticket_keys"), "broken"));
	json_decref(result);
	return status;
}

int command_certificates_reload(const struct invocation *i, struct client *c)
{
	json_t *result;
	const json_t *x;
	bool broken;
	size_t k;
	int status = command_ask(&(struct invocation){ .command = i->command }, c, "certificates.reload", NULL, &result);

	if (status != CTL_OK)
		return status;
	broken = json_integer_value(json_object_get(result, "broken")) > 0;
	if (i->json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach(json_object_get(result, "news"), k, x) {
			const char *error = text_at(x, "error");
			char *line = NULL;

			if (asprintf(&line, "%s: %s%s%s", text_at(x, "name"), text_at(x, "news"), error ? ", what was there before is in use: " : "",
				     error ? error : "") < 0)
				continue;
			text_printable(line);
			fprintf(error ? stderr : stdout, "%s\n", line);
			free(line);
		}
		if (!k)
			printf("nothing has changed\n");
	}
	json_decref(result);
	return broken ? CTL_REFUSED : CTL_OK;
}
