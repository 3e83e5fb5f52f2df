/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about single calls. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base64.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/ladder.h"
#include "cli/pcap.h"
#include "cli/table.h"

static const char *text_at(const json_t *object, const char *path)
{
	const char *text = json_string_value(json_at(object, path));

	return text ? text : "";
}

/* Where an answered call went, or where it rings. */
static void targets_of(const json_t *call, char *out, size_t room)
{
	const char *wanted = strcmp(text_at(call, "state"), "answered") == 0 ? "answered" : "pending";
	json_t *attempt;
	size_t k, used = 0;

	out[0] = 0;
	json_array_foreach(json_object_get(call, "attempts"), k, attempt) {
		if (strcmp(text_at(attempt, "result"), wanted) != 0 || used >= room)
			continue;
		used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ", " : "", text_at(attempt, "target"));
	}
}

static void duration(json_int_t ms, char *out, size_t room)
{
	long long s = ms / 1000;

	if (s >= 3600)
		snprintf(out, room, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(out, room, "%lld:%02lld", s / 60, s % 60);
}

int command_calls(const struct invocation *i, struct client *c)
{
	json_t *params = i->limit ? json_pack("{s:I}", "limit", (json_int_t)atoll(i->limit)) : NULL, *result, *call;
	struct table *t;
	size_t k;
	int status = command_ask(i, c, "calls", params, &result);

	if (status != CTL_OK || !result)
		return status;
	t = table_new("state|since (UTC)|>for|from|to|target|Call-ID");
	json_array_foreach(json_object_get(result, "calls"), k, call) {
		const char *since = text_at(call, "since");
		char when[16], lasts[24], target[512];
		const char *cells[] = { text_at(call, "state"), when, lasts, text_at(call, "from"), text_at(call, "to"), target,
					text_at(call, "call_id") };

		snprintf(when, sizeof(when), "%.8s", strlen(since) > 11 ? since + 11 : since);
		duration(json_integer_value(json_object_get(call, "for_ms")), lasts, sizeof(lasts));
		targets_of(call, target, sizeof(target));
		table_row(t, cells);
	}
	table_print(t, stdout, "no calls");
	if (json_is_true(json_object_get(result, "more")))
		printf("(there may be more; --limit shows more)\n");
	json_decref(result);
	return status;
}

/* ---- trace */

static int write_message(FILE *f, const json_t *message)
{
	const json_t *data = json_object_get(message, "data");
	bool out = strcmp(text_at(message, "direction"), "out") == 0;
	struct ip_port from, to;
	uint8_t *bytes;
	size_t n;
	int err;

	if (ip_port_parse(span_str(text_at(message, out ? "local" : "remote")), 0, &from) ||
	    ip_port_parse(span_str(text_at(message, out ? "remote" : "local")), 0, &to)) {
		errno = EINVAL;
		return -1;
	}
	bytes = malloc(json_string_length(data) + 1);
	if (!bytes || base64_decode(json_string_value(data), json_string_length(data), bytes, &n)) {
		free(bytes);
		errno = EINVAL;
		return -1;
	}
	err = pcap_datagram(f, (uint64_t)json_integer_value(json_object_get(message, "unix_ms")), &from, &to, bytes, (uint32_t)n,
			    (uint32_t)json_integer_value(json_object_get(message, "bytes")));
	free(bytes);
	return err;
}

static int write_pcap(const char *path, const json_t *messages)
{
	bool to_stdout = strcmp(path, "-") == 0;
	FILE *f = to_stdout ? stdout : fopen(path, "wb");
	json_t *message;
	size_t k;
	int err = f ? pcap_begin(f) : -1;

	json_array_foreach(messages, k, message)
		if (!err)
			err = write_message(f, message);
	if (f && ((to_stdout ? fflush(f) : fclose(f)) != 0))
		err = -1;
	if (err) {
		fprintf(stderr, "strowgerctl: %s: %s\n", path, strerror(errno));
		return CTL_USAGE;
	}
	if (!to_stdout)
		printf("%zu messages written to %s\n", json_array_size(messages), path);
	return CTL_OK;
}

int command_trace(const struct invocation *i, struct client *c)
{
	json_t *params = json_pack("{s:s}", "call_id", i->argv[0]), *result, *messages;
	json_int_t total;
	int status;

	if (!params) {
		fprintf(stderr, "strowgerctl: trace: the Call-ID is not UTF-8\n");
		return CTL_USAGE;
	}
	if (i->limit)
		json_object_set_new(params, "limit", json_integer(atoll(i->limit)));
	status = command_ask(i, c, "trace", params, &result);
	if (status != CTL_OK || !result)
		return status;
	messages = json_object_get(result, "messages");
	total = json_integer_value(json_object_get(result, "total"));
	if (i->pcap)
		status = write_pcap(i->pcap, messages);
	else
		ladder_print(messages, stdout);
	if (json_integer_value(json_object_get(result, "one_in")) > 1)
		fprintf(stderr, "(under this load one call in %lld is kept, and this one no longer: messages may be missing; limits.trace_mb, limits.trace_s)\n",
			(long long)json_integer_value(json_object_get(result, "one_in")));
	if (total > (json_int_t)json_array_size(messages))
		fprintf(stderr, "(the first %zu of %lld messages; --limit shows more)\n", json_array_size(messages), (long long)total);
	json_decref(result);
	return status;
}
