/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of TCP and TLS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

/* Words in any order: tcp or tls, us or them, anything else is an address. */
static json_t *filter(const struct invocation *i)
{
	json_t *params = json_object();

	for (int k = 0; k < i->argc; k++) {
		const char *word = i->argv[k];
		const char *key = strcmp(word, "tcp") == 0 || strcmp(word, "tls") == 0 ? "transport" :
				  strcmp(word, "us") == 0 || strcmp(word, "them") == 0 ? "opened_by" : "remote";

		if (json_object_get(params, key)) {
			fprintf(stderr, "strowgerctl: connections: '%s': one %s is enough\n", word, key);
			json_decref(params);
			return NULL;
		}
		json_object_set_new(params, key, json_string(word));
	}
	if (i->limit)
		json_object_set_new(params, "limit", json_integer(atoll(i->limit)));
	return params;
}

static const char *text_of(const json_t *connection, const char *key)
{
	const char *text = json_string_value(json_object_get(connection, key));

	return text ? text : "";
}

static void seconds(const json_t *connection, const char *key, char out[24])
{
	snprintf(out, 24, "%.1f", (double)json_integer_value(json_object_get(connection, key)) / 1000);
}

static void pair(const json_t *connection, const char *messages, const char *bytes, char out[64])
{
	snprintf(out, 64, "%lld (%lld B)", (long long)json_integer_value(json_object_get(connection, messages)),
		 (long long)json_integer_value(json_object_get(connection, bytes)));
}

/* "1.3 TLS_AES_256_GCM_SHA384", "... resumed"; empty: not by TLS, or in its handshake. */
static void secured_by(const json_t *connection, char out[64])
{
	const json_t *tls = json_object_get(connection, "tls");

	snprintf(out, 64, "%s%s%s%s", text_of(tls, "version"), json_is_object(tls) ? " " : "", text_of(tls, "cipher"),
		 json_is_true(json_object_get(tls, "resumed")) ? " resumed" : "");
}

static void add_row(struct table *t, const json_t *connection)
{
	const json_t *srtt_ms = json_object_get(connection, "srtt_ms");
	char secured[64], age[24], idle[24], in[64], out[64], queued[24], again[24], srtt[24] = "";
	const char *cells[] = { text_of(connection, "remote"), text_of(connection, "local"), text_of(connection, "transport"), secured, text_of(connection, "state"),
				text_of(connection, "opened_by"), age, idle, in, out, queued, again, srtt, text_of(connection, "id") };

	secured_by(connection, secured);
	seconds(connection, "age_ms", age);
	seconds(connection, "idle_ms", idle);
	pair(connection, "messages_in", "bytes_in", in);
	pair(connection, "messages_out", "bytes_out", out);
	snprintf(queued, sizeof(queued), "%lld", (long long)json_integer_value(json_object_get(connection, "queued")));
	snprintf(again, sizeof(again), "%lld", (long long)json_integer_value(json_object_get(connection, "retransmitted")));
	if (json_is_real(srtt_ms))
		snprintf(srtt, sizeof(srtt), "%.1f", json_real_value(srtt_ms));
	table_row(t, cells);
}

int command_connections(const struct invocation *i, struct client *c)
{
	json_t *params = filter(i), *result, *connection;
	struct table *t;
	size_t k;
	int status;

	if (!params)
		return CTL_USAGE;
	status = command_ask(i, c, "connections", params, &result);
	if (status != CTL_OK || !result)
		return status;
	t = table_new("remote|local|transport|tls|state|opened by|>age s|>idle s|>in|>out|>queued B|>sent again|>srtt ms|id");
	json_array_foreach(json_object_get(result, "connections"), k, connection)
		add_row(t, connection);
	table_print(t, stdout, "no connections");
	if (json_is_true(json_object_get(result, "more")))
		printf("(there may be more; --limit shows more)\n");
	json_decref(result);
	return status;
}

int command_connection_close(const struct invocation *i, struct client *c)
{
	json_t *result;
	int status = command_ask(i, c, "connection.close", json_pack("{s:s}", "id", i->argv[0]), &result);

	if (status != CTL_OK || !result)
		return status;
	printf("connection %s with %s is being closed\n", i->argv[0], text_of(json_object_get(result, "closed"), "remote"));
	json_decref(result);
	return status;
}
