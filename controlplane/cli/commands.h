/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct client;

/* strowgerctl's commands: one table, from which parsing, help and tests come. */

enum ctl_option {
	OPTION_FILE = 1,
	OPTION_DRY_RUN = 2,
	OPTION_SOURCE = 4,
	OPTION_CALL_ID = 8,
	OPTION_LIMIT = 16,
	OPTION_ONCE = 32,
	OPTION_PCAP = 64,
	OPTION_LOOP = 128,
	OPTION_FOLLOW = 256,
	OPTION_HISTORY = 512,
	OPTION_RTT = 1024,
	OPTION_NOW = 2048,
	OPTION_COMMENT = 4096,
	OPTION_IF_VERSION = 8192,
	OPTION_BEFORE = 16384,
	OPTION_DEADLINE = 32768,
	OPTION_WAIT = 65536,
	OPTION_KEEP_NUMBERS = 1 << 20,
	OPTION_VERSIONED = OPTION_COMMENT | OPTION_IF_VERSION, /* what every change of routing takes */
};

struct invocation {
	const struct command *command;
	const char *group; /* with help and without a command: the first word of several, "target" */
	int argc; /* words behind the command's own */
	char **argv;
	const char *socket, *file, *source, *call_id, *limit, *pcap;
	const char *comment, *if_version, *before, *deadline;
	bool json, dry_run, once, loop, rtt, follow, history, now, wait, keep_numbers, help, version;
	unsigned options; /* those given, of enum ctl_option */
};

struct command {
	const char *words; /* "target enable" */
	const char *arguments, *summary, *example; /* the example is whole: "strowgerctl status" */
	int least, most;   /* words behind; most -1: any number */
	unsigned options;  /* those it takes, of enum ctl_option */
	int (*run)(const struct invocation *i, struct client *c); /* an enum ctl_exit */
};

const struct command *commands_all(size_t *ret_count);

/* Reads argv into *ret. 0; -1 with a message on stderr (usage). */
int command_parse(int argc, char **argv, struct invocation *ret);
/* Help on the command, on those of the group, or on all. */
void command_help(const struct invocation *i);

/* Calls a method. CTL_OK and a result (the caller's), which has been printed already and is NULL with --json; otherwise said on stderr. */
int command_ask(const struct invocation *i, struct client *c, const char *method, json_t *params, json_t **ret_result);

/* Adds --comment and --if-version to the parameters of a change. 0; -1 with a message on stderr. */
int command_versioned(const struct invocation *i, json_t *params);
/* Prints what a change answers: its lines, or that there is none. */
void command_print_changes(const json_t *result);
/* A whole number that is an argument of the command. 0; -1 with a message on stderr. */
int command_number(const struct invocation *i, const char *text, json_int_t *ret);

int command_status(const struct invocation *i, struct client *c);
int command_workers(const struct invocation *i, struct client *c);
int command_counters(const struct invocation *i, struct client *c);
int command_drain(const struct invocation *i, struct client *c);
int command_drains(const struct invocation *i, struct client *c);
int command_target_drain(const struct invocation *i, struct client *c);
int command_target_undrain(const struct invocation *i, struct client *c);
int command_node_drain(const struct invocation *i, struct client *c);
int command_node_undrain(const struct invocation *i, struct client *c);
int command_ready(const struct invocation *i, struct client *c);
int command_alarms(const struct invocation *i, struct client *c);
int command_connections(const struct invocation *i, struct client *c);
int command_connection_close(const struct invocation *i, struct client *c);
int command_calls(const struct invocation *i, struct client *c);
int command_trace(const struct invocation *i, struct client *c);
int command_targets(const struct invocation *i, struct client *c);
int command_target_enable(const struct invocation *i, struct client *c);
int command_target_disable(const struct invocation *i, struct client *c);
int command_target_probe(const struct invocation *i, struct client *c);
int command_target_set(const struct invocation *i, struct client *c);
int command_target_weight(const struct invocation *i, struct client *c);
int command_profiles(const struct invocation *i, struct client *c);
int command_profile_show(const struct invocation *i, struct client *c);
int command_profile_set(const struct invocation *i, struct client *c);
int command_numbers(const struct invocation *i, struct client *c);
int command_numbers_load(const struct invocation *i, struct client *c);
int command_number_set(const struct invocation *i, struct client *c);
int command_number_delete(const struct invocation *i, struct client *c);
int command_prefix_set(const struct invocation *i, struct client *c);
int command_prefix_delete(const struct invocation *i, struct client *c);
int command_apply(const struct invocation *i, struct client *c);
int command_config_log(const struct invocation *i, struct client *c);
int command_config_show(const struct invocation *i, struct client *c);
int command_config_diff(const struct invocation *i, struct client *c);
int command_config_rollback(const struct invocation *i, struct client *c);
int command_export(const struct invocation *i, struct client *c);
int command_certificates(const struct invocation *i, struct client *c);
int command_certificates_reload(const struct invocation *i, struct client *c);
int command_resolve(const struct invocation *i, struct client *c);
int command_route(const struct invocation *i, struct client *c);
int command_top(const struct invocation *i, struct client *c);
