/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that look. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

/* "name   value" for each path of the list. */
static void print_fields(const json_t *object, const char *const (*fields)[2], unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		char *text = json_words(json_at(object, fields[k][1]));

		printf("%-22s %s\n", fields[k][0], text ? text : "");
		free(text);
	}
}

static void print_records(const json_t *cdr)
{
	const char *failing = json_string_value(json_object_get(cdr, "failing"));
	json_int_t waiting = json_integer_value(json_object_get(cdr, "waiting"));

	if (!json_is_object(cdr))
		return;
	printf("%-22s %lld written to %s", "call records", (long long)json_integer_value(json_object_get(cdr, "written")),
	       json_string_value(json_object_get(cdr, "file")));
	if (waiting)
		printf(", %lld wait", (long long)waiting);
	if (failing)
		printf("; CANNOT BE WRITTEN: %s", failing);
	putchar('\n');
}

int command_status(const struct invocation *i, struct client *c)
{
	static const char *const fields[][2] = {
		{ "version", "version" }, { "node", "node" }, { "name", "name" }, { "state", "state" }, { "uptime (s)", "uptime_s" },
		{ "workers", "workers" }, { "hugepages", "hugepages" }, { "listeners", "listeners" },
		{ "live calls", "calls.live" }, { "calls started", "calls.started" }, { "calls answered", "calls.answered" },
		{ "calls rejected", "calls.rejected" }, { "calls cancelled", "calls.cancelled" },
		{ "calls exhausted", "calls.exhausted" }, { "calls rescued", "calls.rescued" }, { "trunks", "trunks" },
		{ "names", "resolver.names" }, { "names stale", "resolver.stale" },
		{ "profiles", "profiles" }, { "numbers", "numbers" }, { "prefixes", "prefixes" }, { "domains", "domains" },
		{ "routing version", "routing_version" }, { "alarms raised", "alarms" },
	};
	struct table *ports;
	json_t *result, *port;
	size_t k;
	int status = command_ask(i, c, "status", NULL, &result);

	if (status != CTL_OK || !result)
		return status;
	print_fields(result, fields, sizeof(fields) / sizeof(fields[0]));
	print_records(json_object_get(result, "cdr"));
	ports = table_new("port|mac|>mtu|>rx packets|>tx packets|>missed|>errors");
	json_array_foreach(json_object_get(result, "ports"), k, port)
		table_json(ports, port, "name|mac|mtu|rx_packets|tx_packets|rx_missed|rx_errors");
	putchar('\n');
	table_print(ports, stdout, "no ports");
	json_decref(result);
	return status;
}

/* A list of objects as a table. */
static int show_list(const struct invocation *i, struct client *c, const char *method, json_t *params, const char *headings, const char *keys,
		     const char *nothing)
{
	struct table *t;
	json_t *result, *row;
	size_t k;
	int status = command_ask(i, c, method, params, &result);

	if (status != CTL_OK || !result)
		return status;
	t = table_new(headings);
	json_array_foreach(result, k, row)
		table_json(t, row, keys);
	table_print(t, stdout, nothing);
	json_decref(result);
	return status;
}

/* How long the turns took that had work in them. */
static int show_loop(const struct invocation *i, struct client *c)
{
	return show_list(i, c, "workers", json_pack("{s:b}", "loop", 1),
			 ">worker|>busy %|>turns|>p50 us|>p99 us|>p99.9 us|>p99.99 us|>longest us",
			 "worker|busy_percent|loop.turns|loop.p50_us|loop.p99_us|loop.p999_us|loop.p9999_us|loop.longest_us", "no workers");
}

int command_workers(const struct invocation *i, struct client *c)
{
	if (i->loop)
		return show_loop(i, c);
	return show_list(i, c, "workers", NULL, ">worker|>core|>busy %|>live calls|>connections|>server tx|>client tx|>message bytes|>calls started",
			 "worker|core|busy_percent|live_calls|connections|server_transactions|client_transactions|message_bytes|calls_started", "no workers");
}

/* The trunks of targets that the operator has neither disabled nor drained. */
static json_t *trunks_in_use(const json_t *targets)
{
	json_t *trunks = json_object(), *target;
	size_t k;

	json_array_foreach(targets, k, target)
		if (json_is_true(json_object_get(target, "enabled")) && json_is_null(json_object_get(target, "drain")))
			json_object_set_new(trunks, json_string_value(json_object_get(target, "trunk")), json_true());
	return trunks;
}

/* Each endpoint once, though many profiles may name its trunk: draining or disabled only where it is so in all of them. */
static void print_endpoints(const json_t *targets, const char *headings, const char *keys)
{
	struct table *t = table_new(headings);
	json_t *target, *endpoint, *seen = json_object(), *used = trunks_in_use(targets);
	size_t k, n;

	json_array_foreach(targets, k, target) {
		const char *trunk = json_string_value(json_object_get(target, "trunk"));

		if (json_object_get(seen, trunk))
			continue;
		json_object_set_new(seen, trunk, json_true());
		json_array_foreach(json_object_get(target, "endpoints"), n, endpoint) {
			json_object_set_new(endpoint, "trunk", json_string(trunk));
			if (json_object_get(used, trunk))
				json_object_set(endpoint, "state", json_object_get(endpoint, "health"));
			table_json(t, endpoint, keys);
		}
	}
	json_decref(seen);
	json_decref(used);
	table_print(t, stdout, "no endpoints");
}

/* "8 of 10 calls, 3 of 5 cps"; "" without limits. */
static void limits_words(const json_t *target, char *out, size_t bytes)
{
	json_int_t calls = json_integer_value(json_object_get(target, "max_calls"));
	json_int_t cps = json_integer_value(json_object_get(target, "max_cps"));
	size_t n = 0;

	out[0] = '\0';
	if (calls)
		n = (size_t)snprintf(out, bytes, "%lld of %lld calls", (long long)json_integer_value(json_object_get(target, "calls")),
				     (long long)calls);
	if (cps && n < bytes)
		snprintf(out + n, bytes - n, "%s%lld of %lld cps", n ? ", " : "", (long long)json_integer_value(json_object_get(target, "cps")),
			 (long long)cps);
}

static bool has_place(const json_t *target)
{
	return json_integer_value(json_object_get(target, "max_calls")) || json_integer_value(json_object_get(target, "max_cps")) ||
	       json_is_string(json_object_get(target, "region"));
}

/* Of the targets that have limits or a region: how much of them is in use, and how many calls passed them over. */
static void print_limits(const json_t *targets)
{
	struct table *t = NULL;
	json_t *target;
	char words[96];
	size_t k;

	json_array_foreach(targets, k, target) {
		if (!has_place(target))
			continue;
		if (!t) {
			t = table_new("target|region|in use|>passed over");
			putchar('\n');
		}
		limits_words(target, words, sizeof(words));
		json_object_set_new(target, "in_use", words[0] ? json_string(words) : json_null());
		table_json(t, target, "target|region|in_use|passed_over");
	}
	if (t)
		table_print(t, stdout, "");
}

int command_targets(const struct invocation *i, struct client *c)
{
	struct table *t;
	json_t *result, *target;
	size_t k;
	int status = command_ask(i, c, "targets", NULL, &result);

	if (status != CTL_OK || !result)
		return status;
	if (i->rtt) {
		print_endpoints(result, "trunk|endpoint|health|>every ms|>mean ms|>p50 ms|>p90 ms|>p99 ms|>probes|>failed",
				"trunk|address|health|probe_interval_ms|rtt.mean_ms|rtt.p50_ms|rtt.p90_ms|rtt.p99_ms|probes_sent|probes_failed");
		json_decref(result);
		return status;
	}
	t = table_new("target|state|>position|>weight|>attempts|>answered|>rejected|>failed|>timeouts|>rescued away|>ringing|>live");
	json_array_foreach(result, k, target)
		table_json(t, target, "target|state|position|weight|attempts|answered|rejected|failed|timeouts|rescued_away|ringing|live");
	table_print(t, stdout, "no targets: strowgerctl apply -f FILE brings some");
	print_limits(result);
	if (json_array_size(result)) {
		putchar('\n');
		print_endpoints(result, "trunk|endpoint|state|since|reason|>rtt ms|>probes|>failed|name|target",
				"trunk|address|state|since|reason|rtt_ms|probes_sent|probes_failed|name|target");
	}
	json_decref(result);
	return status;
}

int command_profiles(const struct invocation *i, struct client *c)
{
	struct table *t;
	json_t *result, *profile;
	size_t k;
	int status = command_ask(i, c, "profiles", NULL, &result);

	if (status != CTL_OK || !result)
		return status;
	t = table_new("profile|strategy|>targets|>numbers|>response ms|>progress ms|>ring s|>budget s|>retries");
	json_array_foreach(result, k, profile) {
		json_object_set_new(profile, "target_count", json_integer((json_int_t)json_array_size(json_object_get(profile, "targets"))));
		table_json(t, profile,
			   "name|strategy|target_count|numbers|response_timeout_ms|progress_timeout_ms|ring_timeout_s|setup_budget_s|max_retries");
	}
	table_print(t, stdout, "no profiles: strowgerctl apply -f FILE brings some");
	json_decref(result);
	return status;
}

int command_profile_show(const struct invocation *i, struct client *c)
{
	static const char *const fields[][2] = {
		{ "name", "name" }, { "strategy", "strategy" }, { "response_timeout_ms", "response_timeout_ms" },
		{ "progress_timeout_ms", "progress_timeout_ms" }, { "ring_timeout_s", "ring_timeout_s" },
		{ "setup_budget_s", "setup_budget_s" }, { "max_retries", "max_retries" }, { "max_attempts", "max_attempts" },
		{ "exhausted_code", "exhausted_code" }, { "retry_budget", "retry_budget" }, { "regions", "regions" }, { "retry_after_progress", "retry_after_progress" },
		{ "decline_scope", "decline_scope" }, { "follow_redirects", "follow_redirects" },
		{ "retry_codes added", "retry_codes.add" }, { "retry_codes removed", "retry_codes.remove" }, { "numbers", "numbers" },
	};
	struct table *t;
	json_t *result, *target;
	size_t k;
	int status = command_ask(i, c, "profile.get", json_pack("{s:s}", "name", i->argv[0]), &result);

	if (status != CTL_OK || !result)
		return status;
	print_fields(result, fields, sizeof(fields) / sizeof(fields[0]));
	t = table_new("target|>position|>weight|enabled|>max calls|>max cps|region");
	json_array_foreach(json_object_get(result, "targets"), k, target)
		table_json(t, target, "trunk|position|weight|enabled|max_calls|max_cps|region");
	putchar('\n');
	table_print(t, stdout, "no targets");
	json_decref(result);
	return status;
}

int command_numbers(const struct invocation *i, struct client *c)
{
	json_t *params = json_object(), *result, *row;
	struct table *t;
	size_t k, shown = 0;
	int status;

	if (i->argc)
		json_object_set_new(params, "prefix", json_string(i->argv[0]));
	if (i->limit)
		json_object_set_new(params, "limit", json_integer(atoll(i->limit)));
	status = command_ask(i, c, "numbers", params, &result);
	if (status != CTL_OK || !result)
		return status;
	t = table_new("number|kind|profile");
	for (int prefixes = 1; prefixes >= 0; prefixes--) {
		json_array_foreach(json_object_get(result, prefixes ? "prefixes" : "numbers"), k, row) {
			const char *text = json_string_value(json_object_get(row, prefixes ? "prefix" : "number"));
			const char *cells[] = { text, prefixes ? "prefix" : "number", json_string_value(json_object_get(row, "profile")) };

			table_row(t, cells);
			shown++;
		}
	}
	table_print(t, stdout, "no numbers");
	if ((json_int_t)shown < json_integer_value(json_object_get(result, "numbers_total")) +
					json_integer_value(json_object_get(result, "prefixes_total")))
		printf("(%zu shown of %lld numbers and %lld prefixes; --limit shows more)\n", shown,
		       (long long)json_integer_value(json_object_get(result, "numbers_total")),
		       (long long)json_integer_value(json_object_get(result, "prefixes_total")));
	json_decref(result);
	return status;
}

int command_counters(const struct invocation *i, struct client *c)
{
	struct table *t;
	json_t *result, *value;
	const char *name;
	int status = command_ask(i, c, "counters", NULL, &result);

	if (status != CTL_OK || !result)
		return status;
	t = table_new("counter|>total");
	json_object_foreach(json_object_get(result, "total"), name, value) {
		char *text = json_words(value);
		const char *cells[] = { name, text };

		if (json_integer_value(value))
			table_row(t, cells);
		free(text);
	}
	table_print(t, stdout, "all counters are zero");
	json_decref(result);
	return status;
}

static void print_list(const json_t *list, const char *heading, const char *format, const char *a, const char *b)
{
	json_t *row;
	size_t k;

	if (json_array_size(list))
		printf("%s\n", heading);
	json_array_foreach(list, k, row) {
		char *x = json_words(json_object_get(row, a)), *y = json_words(json_object_get(row, b));

		printf(format, k + 1, x, y);
		free(x);
		free(y);
	}
}

static void mark_last_resorts(const json_t *attempts)
{
	json_t *row;
	size_t k;

	json_array_foreach(attempts, k, row)
		if (json_is_true(json_object_get(row, "last_resort")))
			json_object_set_new(row, "endpoint", json_sprintf("%s (ejected: the last resort)",
									  json_string_value(json_object_get(row, "endpoint"))));
}

static void print_shares(const json_t *r)
{
	const char *separator = "shares   ";
	const char *name;
	json_t *share;

	json_object_foreach((json_t *)json_object_get(r, "shares_percent"), name, share) {
		printf("%s %s %.1f%%", separator, name, json_number_value(share));
		separator = ",";
	}
	printf(" (the attempts are those of Call-ID %s)\n", json_string_value(json_object_get(r, "call_id")));
}

static long long number_at(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* NULL: the profile has none. */
static void print_budget(const json_t *b)
{
	if (b)
		printf("budget    %lld %% of attempts may be retries: %lld of %lld in the last %lld s were (%lld always may)\n",
		       number_at(b, "percent"), number_at(b, "retries"), number_at(b, "attempts"), number_at(b, "window_s"), number_at(b, "floor"));
}

static void print_route(const json_t *r)
{
	const json_t *source = json_object_get(r, "source");
	const char *matched = json_string_value(json_at(r, "matched.by"));

	if (json_is_object(source)) {
		const char *trunk = json_string_value(json_object_get(source, "trunk"));

		printf("source    %s: %s%s\n", json_string_value(json_object_get(source, "address")), trunk ? "trunk " : "belongs to no trunk",
		       trunk ? trunk : "");
	} else {
		printf("source    not given: who may call was not checked (--source ADDR)\n");
	}
	if (json_object_get(r, "number"))
		printf("number    %s\n", json_string_value(json_object_get(r, "number")));
	if (matched)
		printf("matched   %s %s\n", matched, json_string_value(json_at(r, "matched.value")));
	if (json_object_get(r, "profile"))
		printf("profile   %s, %s\n", json_string_value(json_object_get(r, "profile")), json_string_value(json_object_get(r, "strategy")));
	if (json_object_get(r, "ticket"))
		printf("ticket    %lld is next (and stays so: a dry run takes none)\n",
		       (long long)json_integer_value(json_object_get(r, "ticket")));
	if (json_object_get(r, "shares_percent"))
		print_shares(r);
	print_budget(json_object_get(r, "retry_budget"));
	mark_last_resorts(json_object_get(r, "attempts"));
	print_list(json_object_get(r, "attempts"), "attempts, in this order:", "  %zu. %s at %s\n", "target", "endpoint");
	print_list(json_object_get(r, "left_out"), "left out:", "  %2$s: %3$s\n", "target", "reason");
	if (json_object_get(r, "status"))
		printf("refused   %lld: %s\n", (long long)json_integer_value(json_object_get(r, "status")),
		       json_string_value(json_object_get(r, "reason")));
	if (json_object_get(r, "note"))
		printf("note      %s\n", json_string_value(json_object_get(r, "note")));
}

int command_route(const struct invocation *i, struct client *c)
{
	json_t *result;
	int status = command_ask(i, c, "route",
				 json_pack("{s:s, s:s, s:s*, s:s*}", "from", i->argv[0], "to", i->argv[1], "source", i->source, "call_id",
					   i->call_id),
				 &result);

	if (status == CTL_OK && result) {
		print_route(result);
		json_decref(result);
	}
	return status;
}

int command_export(const struct invocation *i, struct client *c)
{
	json_t *result;
	int status = command_ask(i, c, "export", NULL, &result);

	if (status == CTL_OK && result) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(result);
	}
	return status;
}
