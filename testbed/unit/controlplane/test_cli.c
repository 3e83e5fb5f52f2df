/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/table.h"

#define WORDS_MAX 16

/* Splits a line at spaces in place. */
static int split(char *line, char *argv[WORDS_MAX])
{
	int argc = 0;

	for (char *word = strtok(line, " "); word && argc < WORDS_MAX - 1; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

static int parse(const char *text, char *line, char *argv[WORDS_MAX], struct invocation *ret)
{
	strcpy(line, text);
	return command_parse(split(line, argv), argv, ret);
}

/* What --help shows is what works. */
static void every_example_parses(void **state)
{
	size_t n;
	const struct command *all = commands_all(&n);

	for (size_t i = 0; i < n; i++) {
		char line[256], *argv[WORDS_MAX], help[128];
		struct invocation got;

		if (parse(all[i].example, line, argv, &got) || got.command != &all[i])
			fail_msg("%s", all[i].example);
		snprintf(help, sizeof(help), "strowgerctl %s --help", all[i].words);
		assert_int_equal(parse(help, line, argv, &got), 0);
		assert_true(got.help);
		assert_ptr_equal(got.command, &all[i]);
	}
}

/* Where a word begins several commands, --help behind it is about these. */
static void groups_have_help(void **state)
{
	static const struct {
		const char *line, *group;
		int result;
	} cases[] = {
		{ "strowgerctl target --help", "target", 0 },
		{ "strowgerctl --help config", "config", 0 },
		{ "strowgerctl node -h", "node", 0 },
		{ "strowgerctl target", NULL, -1 },
		{ "strowgerctl target nonsense --help", NULL, -1 },
		{ "strowgerctl targe --help", NULL, -1 },
		{ "strowgerctl targets --help", NULL, 0 },
		{ "strowgerctl numbers --help", NULL, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[256], *argv[WORDS_MAX];
		struct invocation got;

		if (parse(cases[i].line, line, argv, &got) != cases[i].result)
			fail_msg("%s", cases[i].line);
		if (cases[i].group)
			assert_string_equal(got.group, cases[i].group);
		else
			assert_null(got.group);
	}
}

static void good_lines(void **state)
{
	static const struct {
		const char *line, *words;
		int argc;
		bool json;
		const char *socket;
	} cases[] = {
		{ "strowgerctl status", "status", 0, false, "/run/strowger/control.sock" },
		{ "strowgerctl --socket /tmp/s --json status", "status", 0, true, "/tmp/s" },
		{ "strowgerctl status --json --socket=/tmp/s", "status", 0, true, "/tmp/s" },
		{ "strowgerctl target weight in/a 0", "target weight", 2, false, "/run/strowger/control.sock" },
		{ "strowgerctl numbers", "numbers", 0, false, "/run/strowger/control.sock" },
		{ "strowgerctl profile set in a=1 b=2 c=3", "profile set", 4, false, "/run/strowger/control.sock" },
		{ "strowgerctl apply --dry-run -f x.yaml", "apply", 0, false, "/run/strowger/control.sock" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[256], *argv[WORDS_MAX];
		struct invocation got;

		assert_int_equal(parse(cases[i].line, line, argv, &got), 0);
		assert_string_equal(got.command->words, cases[i].words);
		assert_int_equal(got.argc, cases[i].argc);
		assert_int_equal(got.json, cases[i].json);
		assert_string_equal(got.socket, cases[i].socket);
	}
}

static void bad_lines(void **state)
{
	static const char *const lines[] = {
		"strowgerctl",
		"strowgerctl nothing",
		"strowgerctl target",
		"strowgerctl target explode in/a",
		"strowgerctl target enable",
		"strowgerctl target weight in/a",
		"strowgerctl status extra",
		"strowgerctl status --once",
		"strowgerctl apply",
		"strowgerctl apply -f",
		"strowgerctl route +1",
		"strowgerctl --nonsense status",
		"strowgerctl drain",
		"strowgerctl alarms --follow --history",
		"strowgerctl alarms --follow --limit 5",
		"strowgerctl alarms --history --limit x",
		"strowgerctl calls --limit 5x",
		"strowgerctl trace a --limit ten",
		"strowgerctl numbers --limit 99999999999999999999",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		char line[256], *argv[WORDS_MAX];
		struct invocation got;

		if (!parse(lines[i], line, argv, &got))
			fail_msg("accepted: %s", lines[i]);
	}
}

static void tables_are_aligned(void **state)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);
	struct table *t = table_new("name|>calls|state");
	json_t *row = json_pack("{s:s, s:{s:i}, s:b}", "name", "→x", "calls", "live", 12345, "up", 1);

	table_json(t, row, "name|calls.live|up");
	table_row(t, (const char *const[]){ "longer", "7", NULL });
	table_print(t, f, "nothing");
	table_print(table_new("a|b"), f, "nothing");
	fclose(f);
	assert_string_equal(text, "name    calls  state\n→x      12345  yes\nlonger      7  -\nnothing\n");
	free(text);
	json_decref(row);
}

static void words_of_values(void **state)
{
	static const struct {
		const char *json, *words;
	} cases[] = { { "[\"a\", 1, true]", "a, 1, yes" }, { "null", "-" }, { "[]", "" }, { "1.25", "1.2" }, { "false", "no" }, { "{}", "{}" } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		char *words = json_words(value);

		assert_string_equal(words, cases[i].words);
		free(words);
		json_decref(value);
	}
}

static void unreachable(void **state)
{
	struct client *c;

	assert_int_equal(client_open("/nonexistent/control.sock", &c), CTL_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_example_parses), cmocka_unit_test(groups_have_help), cmocka_unit_test(good_lines),	   cmocka_unit_test(bad_lines),
		cmocka_unit_test(tables_are_aligned),	cmocka_unit_test(words_of_values), cmocka_unit_test(unreachable),
	};

	unsetenv("STROWGER_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
