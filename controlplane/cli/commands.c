/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"

#define DEFAULT_SOCKET "/run/strowger/control.sock"

static const struct command table[] = {
	{ "status", "", "what runs, since when, and how many calls", "strowgerctl status", 0, 0, 0, command_status },
	{ "workers", "[--loop]", "load and gauges of each worker; or how long the turns of its loop took that had work in them",
	  "strowgerctl workers --loop", 0, 0, OPTION_LOOP, command_workers },
	{ "alarms", "[--follow | --history [--limit N]]",
	  "what is wrong now and what to do; --follow: each event as it comes (--json: a line each)",
	  "strowgerctl alarms --follow --json", 0, 0, OPTION_FOLLOW | OPTION_HISTORY | OPTION_LIMIT, command_alarms },
	{ "calls", "[--limit N]", "calls that ring or are up, the oldest first, at most N (100)", "strowgerctl calls --limit 20", 0, 0,
	  OPTION_LIMIT, command_calls },
	{ "connections", "[ADDRESS] [tcp|tls] [us|them] [--limit N]", "connections of TCP and TLS, or those with ADDRESS[:PORT], of one transport, opened by us or by them",
	  "strowgerctl connections 198.51.100.10 tcp", 0, 3, OPTION_LIMIT, command_connections },
	{ "connection close", "ID", "close one, once what waits for it has left", "strowgerctl connection close 100000001000002", 1, 1, 0, command_connection_close },
	{ "trace", "CALL-ID [--limit N] [--pcap FILE]", "the messages of a live or recent call as a ladder, or into a pcap file (-: stdout)",
	  "strowgerctl trace a84b4c76e66710@pc33.example.com --pcap call.pcap", 1, 1, OPTION_LIMIT | OPTION_PCAP, command_trace },
	{ "targets", "[--rtt]", "targets with their state and statistics, and their endpoints; or how long endpoints take to answer OPTIONS",
	  "strowgerctl targets --rtt", 0, 0, OPTION_RTT, command_targets },
	{ "target enable", "PROFILE/TRUNK", "give a target calls again", "strowgerctl target enable inbound/carrier-a", 1, 1, OPTION_VERSIONED,
	  command_target_enable },
	{ "target disable", "PROFILE/TRUNK", "no new calls; live ones end normally",
	  "strowgerctl target disable inbound/carrier-a", 1, 1, OPTION_VERSIONED, command_target_disable },
	{ "target weight", "PROFILE/TRUNK N", "share of calls (weighted_lb), 0..65535; 0 drains it under every strategy",
	  "strowgerctl target weight inbound/carrier-a 30", 2, 2, OPTION_VERSIONED, command_target_weight },
	{ "target set", "PROFILE/TRUNK KEY=VALUE...", "change enabled, weight, max_calls, max_cps (0: no limit) or region (null: none)",
	  "strowgerctl target set inbound/carrier-a max_calls=200 max_cps=20 region=fra", 2, -1, OPTION_VERSIONED, command_target_set },
	{ "target probe", "PROFILE/TRUNK [KEY=VALUE...]",
	  "how its endpoints are asked with OPTIONS, over what profile and trunk say; without KEY=VALUE as those say",
	  "strowgerctl target probe inbound/carrier-a interval_ms=500 timeout_ms=300", 1, -1, OPTION_VERSIONED, command_target_probe },
	{ "profiles", "", "all profiles", "strowgerctl profiles", 0, 0, 0, command_profiles },
	{ "profile show", "NAME", "one profile with all its knobs", "strowgerctl profile show inbound", 1, 1, 0, command_profile_show },
	{ "profile set", "NAME KEY=VALUE...", "change knobs or strategy; retry_codes=+480,-501 adds and removes codes; regions=fra,ams,* from the nearest on",
	  "strowgerctl profile set inbound strategy=round_robin ring_timeout_s=20", 2, -1, OPTION_VERSIONED, command_profile_set },
	{ "numbers", "[PREFIX] [--limit N]", "numbers and prefixes, of which at most N (100) are shown", "strowgerctl numbers +4420", 0, 1,
	  OPTION_LIMIT, command_numbers },
	{ "numbers load", "-f FILE [--dry-run]",
	  "replace all numbers and prefixes by FILE's (-: stdin), of any length: lines \"+442035550100 london\", prefixes \"+4420* london\"",
	  "strowgerctl numbers load -f numbers.txt --dry-run", 0, 0, OPTION_FILE | OPTION_DRY_RUN | OPTION_VERSIONED, command_numbers_load },
	{ "number set", "NUMBER PROFILE", "lead a number to a profile", "strowgerctl number set +442035550100 inbound", 2, 2, OPTION_VERSIONED,
	  command_number_set },
	{ "number delete", "NUMBER", "forget a number", "strowgerctl number delete +442035550100", 1, 1, OPTION_VERSIONED, command_number_delete },
	{ "prefix set", "PREFIX PROFILE", "lead all numbers that begin so to a profile", "strowgerctl prefix set +44 inbound", 2, 2,
	  OPTION_VERSIONED, command_prefix_set },
	{ "prefix delete", "PREFIX", "forget a prefix", "strowgerctl prefix delete +44", 1, 1, OPTION_VERSIONED, command_prefix_delete },
	{ "resolve", "[NAME] [--now]", "the names that trunks have, and what DNS says of them; --now asks anew at once",
	  "strowgerctl resolve sip.carrier.example --now", 0, 1, OPTION_NOW, command_resolve },
	{ "certificates", "", "our certificates, and those that others have shown us: whose, until when, what is wrong", "strowgerctl certificates", 0, 0, 0,
	  command_certificates },
	{ "certificates reload", "", "read certificates, CA files and ticket keys anew; exit status 1: something cannot be used, what was before is",
	  "strowgerctl certificates reload", 0, 0, 0, command_certificates_reload },
	{ "apply", "-f FILE [--dry-run]", "make routing as FILE says (YAML or JSON): a section that is there replaces that section whole",
	  "strowgerctl apply -f routing.yaml --dry-run", 0, 0, OPTION_FILE | OPTION_DRY_RUN | OPTION_VERSIONED, command_apply },
	{ "config log", "[--limit N] [--before N]", "versions of the routing, the last first: who, when, what",
	  "strowgerctl config log --limit 5", 0, 0, OPTION_LIMIT | OPTION_BEFORE, command_config_log },
	{ "config show", "N", "one version with all its changes", "strowgerctl config show 17", 1, 1, 0, command_config_show },
	{ "config diff", "A [B]", "what changed from version A to version B, or to what is in force", "strowgerctl config diff 15", 1, 2, 0,
	  command_config_diff },
	{ "config rollback", "N [--keep-numbers] [--dry-run]",
	  "make the routing as it was at version N (or all but numbers and prefixes); this is a new version",
	  "strowgerctl config rollback 15", 1, 1, OPTION_DRY_RUN | OPTION_KEEP_NUMBERS | OPTION_VERSIONED, command_config_rollback },
	{ "export", "", "trunks, profiles and domains in force, in the form that apply takes", "strowgerctl export", 0, 0, 0, command_export },
	{ "route", "FROM TO [--source ADDR] [--call-id ID]", "where would this call go, and why? Nothing is sent",
	  "strowgerctl route +15550100 +442035550100 --source 10.77.1.2", 2, 2, OPTION_SOURCE | OPTION_CALL_ID, command_route },
	{ "counters", "", "all counters that are not zero (--json: all)", "strowgerctl counters", 0, 0, 0, command_counters },
	{ "target drain", "TARGET [--deadline T] [--wait]",
	  "no new calls to PROFILE/TRUNK, or to a trunk in all profiles; --wait: until it is safe to take away (T: 90s, 15m, 2h)",
	  "strowgerctl target drain inbound/carrier-a --deadline 30m --wait", 1, 1, OPTION_DEADLINE | OPTION_WAIT | OPTION_VERSIONED,
	  command_target_drain },
	{ "target undrain", "TARGET", "calls to it again", "strowgerctl target undrain inbound/carrier-a", 1, 1, OPTION_VERSIONED,
	  command_target_undrain },
	{ "node drain", "[--deadline T] [--wait]", "new calls get 503, what is up goes on; as target drain",
	  "strowgerctl node drain --deadline 15m --wait", 0, 0, OPTION_DEADLINE | OPTION_WAIT, command_node_drain },
	{ "node undrain", "", "take calls again", "strowgerctl node undrain", 0, 0, 0, command_node_undrain },
	{ "drains", "", "what is draining, and how many calls are left", "strowgerctl drains", 0, 0, 0, command_drains },
	{ "drain", "on|off", "node drain and node undrain in one", "strowgerctl drain on", 1, 1, 0, command_drain },
	{ "ready", "", "does this node take calls? Exit status 1: it does not", "strowgerctl ready", 0, 0, 0, command_ready },
	{ "top", "[--once]", "a live screen; q ends it", "strowgerctl top --once", 0, 0, OPTION_ONCE, command_top },
};

const struct command *commands_all(size_t *ret_count)
{
	*ret_count = sizeof(table) / sizeof(table[0]);
	return table;
}

/* Does the command have this first word, and others behind it? */
static bool in_group(const struct command *c, const char *group)
{
	size_t n = strlen(group);

	return strncmp(c->words, group, n) == 0 && c->words[n] == ' ';
}

static bool is_group(const char *word)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (in_group(&table[i], word))
			return true;
	return false;
}

static void list(const char *group)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char whole[96];

		if (group && !in_group(&table[i], group))
			continue;
		snprintf(whole, sizeof(whole), "%s %s", table[i].words, table[i].arguments);
		printf("  %-44s %s\n", whole, table[i].summary);
	}
}

static void help_on_one(const struct command *c)
{
	printf("Usage: strowgerctl %s%s%s\n%s.\n", c->words, c->arguments[0] ? " " : "", c->arguments, c->summary);
	if (c->options & OPTION_VERSIONED)
		printf("--comment TEXT says why (config log shows it); --if-version N: only when version N is in force.\n");
	printf("\nExample: %s\n", c->example);
}

void command_help(const struct invocation *i)
{
	if (i->command) {
		help_on_one(i->command);
		return;
	}
	if (i->group) {
		printf("Usage: strowgerctl %s COMMAND\n\n", i->group);
		list(i->group);
		printf("\nstrowgerctl %s COMMAND --help shows an example\n", i->group);
		return;
	}
	printf("Usage: strowgerctl [--socket PATH] [--json] COMMAND\n\n");
	list(NULL);
	printf("\n  --socket PATH  the control socket (%s, or $STROWGER_SOCKET)\n"
	       "  --json         print the answer as JSON\n"
	       "  --help         behind a command: about it, with an example\n"
	       "  --comment TEXT, --if-version N\n"
	       "                 with what changes routing: why, for config log; and only when version N is in force\n\n"
	       "Exit status: 0 done; 1 refused by strowgerd; 2 wrong usage; 3 strowgerd cannot be reached\n\n"
	       "Example: strowgerctl status\n",
	       DEFAULT_SOCKET);
}

/* The command of the longest run of words at the front. */
static const struct command *find(int argc, char **argv, int *ret_words)
{
	for (int words = 2; words >= 1; words--) {
		char both[64];

		if (argc < words)
			continue;
		snprintf(both, sizeof(both), "%s%s%s", argv[0], words > 1 ? " " : "", words > 1 ? argv[1] : "");
		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
			if (strcmp(table[i].words, both) == 0) {
				*ret_words = words;
				return &table[i];
			}
	}
	return NULL;
}

/* One row each: what getopt, --help and the invocation know of it. */
static const struct option_row {
	const char *name;
	char letter;	 /* 0: the long form only */
	unsigned option; /* which commands take it; 0: all */
	size_t text;	 /* where its argument goes in struct invocation; or else */
	size_t flag;	 /* where it is noted */
} option_rows[] = {
#define TEXT(member) .text = offsetof(struct invocation, member)
#define FLAG(member) .flag = offsetof(struct invocation, member)
	{ "socket", 0, 0, TEXT(socket) },
	{ "json", 0, 0, FLAG(json) },
	{ "help", 'h', 0, FLAG(help) },
	{ "version", 'V', 0, FLAG(version) },
	{ "file", 'f', OPTION_FILE, TEXT(file) },
	{ "dry-run", 0, OPTION_DRY_RUN, FLAG(dry_run) },
	{ "source", 0, OPTION_SOURCE, TEXT(source) },
	{ "call-id", 0, OPTION_CALL_ID, TEXT(call_id) },
	{ "limit", 0, OPTION_LIMIT, TEXT(limit) },
	{ "once", 0, OPTION_ONCE, FLAG(once) },
	{ "pcap", 0, OPTION_PCAP, TEXT(pcap) },
	{ "loop", 0, OPTION_LOOP, FLAG(loop) },
	{ "rtt", 0, OPTION_RTT, FLAG(rtt) },
	{ "follow", 0, OPTION_FOLLOW, FLAG(follow) },
	{ "history", 0, OPTION_HISTORY, FLAG(history) },
	{ "now", 0, OPTION_NOW, FLAG(now) },
	{ "comment", 0, OPTION_COMMENT, TEXT(comment) },
	{ "if-version", 0, OPTION_IF_VERSION, TEXT(if_version) },
	{ "before", 0, OPTION_BEFORE, TEXT(before) },
	{ "deadline", 0, OPTION_DEADLINE, TEXT(deadline) },
	{ "wait", 0, OPTION_WAIT, FLAG(wait) },
	{ "keep-numbers", 0, OPTION_KEEP_NUMBERS, FLAG(keep_numbers) },
#undef TEXT
#undef FLAG
};

#define OPTION_ROWS (sizeof(option_rows) / sizeof(option_rows[0]))

static int read_options(int argc, char **argv, struct invocation *ret)
{
	struct option options[OPTION_ROWS + 1] = { { 0 } };
	int letter;

	for (unsigned k = 0; k < OPTION_ROWS; k++)
		options[k] = (struct option){ option_rows[k].name, option_rows[k].text ? required_argument : no_argument, NULL,
					      option_rows[k].letter ? option_rows[k].letter : (int)(256 + k) };
	optind = 0; /* a fresh scan, also in tests */
	while ((letter = getopt_long(argc, argv, "f:hV", options, NULL)) != -1) {
		const struct option_row *row;
		unsigned k = 0;

		while (k < OPTION_ROWS && options[k].val != letter)
			k++;
		if (k == OPTION_ROWS)
			return -1;
		row = &option_rows[k];
		ret->options |= row->option;
		if (row->text)
			*(const char **)((char *)ret + row->text) = optarg;
		else
			*(bool *)((char *)ret + row->flag) = true;
	}
	return 0;
}

static int usage(const struct command *c, const char *what)
{
	if (c)
		fprintf(stderr, "strowgerctl: %s: %s\nstrowgerctl %s --help says how\n", c->words, what, c->words);
	else
		fprintf(stderr, "strowgerctl: %s\nstrowgerctl --help lists the commands\n", what);
	return -1;
}

int command_parse(int argc, char **argv, struct invocation *ret)
{
	const char *environment = getenv("STROWGER_SOCKET");
	char what[128];
	json_int_t number;
	int words = 0;

	memset(ret, 0, sizeof(*ret));
	ret->socket = environment && *environment ? environment : DEFAULT_SOCKET;
	if (read_options(argc, argv, ret))
		return usage(NULL, "wrong option");
	ret->argc = argc - optind;
	ret->argv = argv + optind;
	if (ret->version || (ret->help && !ret->argc))
		return 0;
	if (!ret->argc)
		return usage(NULL, "no command given");
	ret->command = find(ret->argc, ret->argv, &words);
	if (!ret->command && ret->help && ret->argc == 1 && is_group(ret->argv[0])) {
		ret->group = ret->argv[0];
		return 0;
	}
	if (!ret->command) {
		snprintf(what, sizeof(what), "no such command: %.40s%s%.40s", ret->argv[0], ret->argc > 1 ? " " : "",
			 ret->argc > 1 ? ret->argv[1] : "");
		return usage(NULL, what);
	}
	ret->argc -= words;
	ret->argv += words;
	if (ret->help)
		return 0;
	if (ret->options & ~ret->command->options)
		return usage(ret->command, "does not take that option");
	if (ret->argc < ret->command->least || (ret->command->most >= 0 && ret->argc > ret->command->most)) {
		snprintf(what, sizeof(what), "takes %s", ret->command->arguments[0] ? ret->command->arguments : "no arguments");
		return usage(ret->command, what);
	}
	if ((ret->command->options & OPTION_FILE) && !ret->file)
		return usage(ret->command, "needs -f FILE");
	if (ret->follow && (ret->history || ret->limit))
		return usage(ret->command, "--follow shows what comes, --history what was: one of them");
	if (ret->limit && command_number(ret, ret->limit, &number))
		return -1;
	return 0;
}

int command_ask(const struct invocation *i, struct client *c, const char *method, json_t *params, json_t **ret_result)
{
	char *message;
	int status = client_call(c, method, params, ret_result, &message);

	if (status == CTL_REFUSED) {
		fprintf(stderr, "strowgerctl: refused: %s\n", message);
		free(message);
	}
	if (status == CTL_OK && i->json) {
		json_dumpf(*ret_result, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(*ret_result);
		*ret_result = NULL;
	}
	return status;
}

int command_number(const struct invocation *i, const char *text, json_int_t *ret)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end != text && !*end && errno != ERANGE) {
		*ret = n;
		return 0;
	}
	fprintf(stderr, "strowgerctl: %s: '%.40s' is not a whole number\nstrowgerctl %s --help says how\n", i->command->words, text,
		i->command->words);
	return -1;
}

int command_versioned(const struct invocation *i, json_t *params)
{
	json_int_t version;

	if (i->comment && json_object_set_new(params, "comment", json_string(i->comment))) {
		fprintf(stderr, "strowgerctl: --comment: not UTF-8\n");
		return -1;
	}
	if (!i->if_version)
		return 0;
	if (command_number(i, i->if_version, &version))
		return -1;
	json_object_set_new(params, "if_version", json_integer(version));
	return 0;
}
