/* SPDX-License-Identifier: Apache-2.0 */
/* The log of versions as a file, and starts with it; ends of the process at every step between. */
#include "versions_fixture.h"

#include <sys/stat.h>

#include "model/state.h"

static void add_number(struct versions *v, const char *number, const char *was, const char *is)
{
	char error[ERROR_TEXT_MAX] = "";
	e164 n;

	assert_int_equal(e164_parse(span_str(number), &n), 0);
	if (versions_begin_number(v, n, false, was, is, &me, error))
		fail_msg("%s", error);
	versions_keep(v);
}

static char *line_of(const struct versions *v, uint64_t version, const char *key)
{
	char error[ERROR_TEXT_MAX] = "", *text;
	json_t *line;

	if (versions_read(v, version, &line, error))
		fail_msg("%s", error);
	text = json_dumps(json_object_get(line, key), JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(line);
	return text;
}

static void expect_line(const struct versions *v, uint64_t version, const char *key, const char *want)
{
	char *got = line_of(v, version, key);

	assert_string_equal(got ? got : "none", want);
	free(got);
}

static void is_kept(void **state)
{
	struct origin odd = { .who = "o\"dd", .operation = "test", .comment = "why\nnot" };
	char error[ERROR_TEXT_MAX];
	struct versions *v;
	struct stat st;
	e164 n;

	unlink(path);
	v = open_log(&roomy);
	assert_int_equal(versions_last(v), 0);
	assert_int_equal(versions_next(v), 1);
	add_number(v, "+441", NULL, "in");
	add_number(v, "+441", "in", "out");
	e164_parse(SPAN_LIT("+442"), &n);
	assert_int_equal(versions_begin_number(v, n, true, "in", NULL, &odd, error), 0);
	versions_keep(v);
	assert_int_equal(versions_begin_number(v, n, true, "x", NULL, &me, error), 0);
	versions_forget(v); /* it was not accepted after all */
	assert_int_equal(versions_settle(v, error), 0);
	versions_free(v);
	assert_int_equal(stat(path, &st), 0);
	v = open_log(&roomy);
	assert_int_equal(versions_first(v), 1);
	assert_int_equal(versions_last(v), 3);
	expect_line(v, 1, "numbers", "[[\"+441\",null,\"in\"]]");
	expect_line(v, 2, "numbers", "[[\"+441\",\"in\",\"out\"]]");
	expect_line(v, 2, "who", "\"root\"");
	expect_line(v, 3, "prefixes", "[[\"+442\",\"in\",null]]");
	expect_line(v, 3, "who", "\"o\\\"dd\"");
	expect_line(v, 3, "comment", "\"why\\nnot\"");
	assert_int_equal(versions_read(v, 4, &(json_t *){ NULL }, error), -ERR_NOT_FOUND);
	assert_string_equal(error, "version 4 is not kept: 1 to 3 are");
	versions_free(v);
}

static void is_bounded(void **state)
{
	static const struct versions_limits few = { .keep = 10, .bytes = 1 << 20 }, small = { .keep = 1000, .bytes = 2000 };
	struct versions *v;
	struct stat st;

	unlink(path);
	v = open_log(&few);
	for (unsigned i = 0; i < 25; i++)
		add_number(v, "+441", "in", "out");
	assert_int_equal(versions_last(v), 25);
	assert_in_range(versions_last(v) - versions_first(v) + 1, 5, 10);
	expect_line(v, versions_first(v), "numbers", "[[\"+441\",\"in\",\"out\"]]");
	expect_line(v, 25, "version", "25");
	versions_free(v);
	v = open_log(&small);
	assert_int_equal(versions_last(v), 25);
	for (unsigned i = 0; i < 100; i++)
		add_number(v, "+441", "in", "out");
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 500, 2200);
	assert_int_equal(versions_last(v), 125);
	for (uint64_t n = versions_first(v); n <= 125; n++) {
		char *number = line_of(v, n, "version");

		assert_int_equal(atoll(number), n);
		free(number);
	}
	versions_free(v);
}

/* What a file may look like after an accident, and what is left of the two versions that it held. */
static void is_careful(void **state)
{
	static const char header[] = "{\"strowger\":\"versions\",\"version\":1}\n";
	static const char one[] = "{\"version\":7,\"time\":1,\"who\":\"a\",\"operation\":\"b\",\"total\":0}\n";
	static const char two[] = "{\"version\":8,\"time\":1,\"who\":\"a\",\"operation\":\"b\",\"total\":0}\n";
	static const struct {
		const char *what, *parts[4];
		uint64_t last;
		bool aside;
	} cases[] = {
		{ "whole", { header, one, two }, 8, false },
		{ "empty", { "" }, 0, false },
		{ "a torn line", { header, one, "{\"version\":8,\"ti" }, 7, false },
		{ "a torn header", { "{\"strow" }, 0, true },
		{ "something else", { "hello\n" }, 0, true },
		{ "a gap", { header, one, "{\"version\":9,\"time\":1,\"who\":\"a\",\"operation\":\"b\"}\n" }, 0, true },
		{ "zeros", { header, one, "\n\n" }, 0, true },
		{ "a line cut short", { header, "{\"version\":7,\"time\":1,\"who\n", two }, 0, true },
		{ "a number too large", { header, "{\"version\":99999999999999999999999999,\"a\":1}\n" }, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024] = "", note[ERROR_TEXT_MAX], error[ERROR_TEXT_MAX] = "", aside[128];
		struct versions *v;
		struct stat st;

		for (unsigned k = 0; cases[i].parts[k]; k++)
			strcat(text, cases[i].parts[k]);
		write_file(path, text);
		snprintf(aside, sizeof(aside), "%s.damaged", path);
		unlink(aside);
		if (versions_open(path, &roomy, &v, note, error))
			fail_msg("%s: %s", cases[i].what, error);
		if (versions_last(v) != cases[i].last || !note[0] == cases[i].aside || (stat(aside, &st) == 0) != cases[i].aside)
			fail_msg("%s: last %llu, %s", cases[i].what, (unsigned long long)versions_last(v), note);
		add_number(v, "+441", NULL, "in"); /* it goes on in any case, and never with a number that was given before */
		assert_int_equal(versions_last(v), strcmp(cases[i].what, "a gap") == 0 || strcmp(cases[i].what, "zeros") == 0 ? 8 : cases[i].last + 1);
		versions_free(v);
		versions_free(open_log(&roomy));
	}
}

static void damage_is_named(void **state)
{
	char error[ERROR_TEXT_MAX] = "", want[ERROR_TEXT_MAX];
	struct versions *v;
	json_t *line;

	write_file(path, "{\"strowger\":\"versions\",\"version\":1}\n{\"version\":1,\"time\":1,\"wh\\o\":\"a\",}\n{\"version\":2,\"time\":1,\"who\":\"a\",\"operation\":\"b\"}\n");
	v = open_log(&roomy);
	assert_int_equal(versions_read(v, 1, &line, error), -ERR_INVALID);
	snprintf(want, sizeof(want), "version 1 is damaged in %s", path);
	assert_string_equal(error, want);
	assert_int_equal(versions_read(v, 2, &line, error), 0);
	json_decref(line);
	versions_free(v);
}

static struct model *start_again(const char *what, uint64_t *ret_version, uint64_t *ret_dropped, struct state **ret_state, struct versions **ret_versions)
{
	struct state *s = state_new(state_path);
	struct versions *v = open_log(&roomy);
	char error[ERROR_TEXT_MAX] = "";
	struct model *m;

	if (state_load(s, &plenty, &m, error) || versions_start(v, state_accepted(s), m, &me, ret_dropped, error))
		fail_msg("%s: %s", what, error);
	*ret_version = versions_last(v);
	*ret_state = s;
	*ret_versions = v;
	return m;
}

static void ends_between(void **state)
{
	static const struct {
		const char *what;
		bool begin_version, begin_state, keep_state, keep_version;
		uint64_t version, dropped;
		bool present; /* is the number there afterwards? */
	} cases[] = {
		{ "nothing", false, false, false, false, 1, 0, false },
		{ "only the log", true, false, false, false, 1, 1, false },
		{ "log and state", true, true, false, false, 2, 0, true },
		{ "kept", true, true, true, true, 2, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_of(whole), *back;
		struct versions *v, *w;
		struct state *s, *t;
		char error[ERROR_TEXT_MAX] = "";
		uint64_t version, dropped;
		e164 n;

		unlink(path);
		unlink(state_path);
		e164_parse(SPAN_LIT("+4477"), &n);
		v = open_log(&roomy);
		s = state_new(state_path);
		assert_int_equal(versions_start(v, 0, m, &me, &dropped, error), 0);
		state_accept(s, 1);
		assert_int_equal(state_begin_model(s, m, error), 0);
		assert_int_equal(state_keep(s, error), 0);
		if (cases[i].begin_version)
			assert_int_equal(versions_begin_number(v, n, false, NULL, "in", &me, error), 0);
		state_accept(s, 2);
		if (cases[i].begin_state)
			assert_int_equal(state_begin_number(s, n, false, "in", error), 0);
		if (cases[i].keep_state)
			assert_int_equal(state_keep(s, error), 0);
		if (cases[i].keep_version)
			versions_keep(v);
		back = start_again(cases[i].what, &version, &dropped, &t, &w);
		if (version != cases[i].version || dropped != cases[i].dropped ||
		    (number_map_get(back->numbers, n) != NUMBER_MAP_NONE) != cases[i].present)
			fail_msg("%s: version %llu, %llu dropped", cases[i].what, (unsigned long long)version, (unsigned long long)dropped);
		/* the next change goes on from there */
		assert_int_equal(versions_begin_number(w, n, false, NULL, "in", &me, error), 0);
		versions_keep(w);
		assert_int_equal(versions_last(w), cases[i].version + 1);
		model_free(back);
		model_free(m);
		versions_free(v);
		versions_free(w);
		state_free(s);
		state_free(t);
	}
}

/* Restarts without a change are no versions; a routing that came from elsewhere is one, with no way back. */
static void starts(void **state)
{
	struct model *m = model_of(whole), *other = model_of("profiles: [{name: other}]\n"), *back;
	char error[ERROR_TEXT_MAX] = "";
	struct versions *v;
	uint64_t dropped;

	unlink(path);
	for (unsigned i = 0; i < 3; i++) {
		v = open_log(&roomy);
		assert_int_equal(versions_start(v, 0, m, &me, &dropped, error), 0);
		assert_int_equal(versions_last(v), 1);
		versions_free(v);
	}
	for (unsigned i = 0; i < 2; i++) {
		v = open_log(&roomy);
		assert_int_equal(versions_start(v, 0, other, &me, &dropped, error), 0);
		assert_int_equal(versions_last(v), 2);
		versions_free(v);
	}
	v = open_log(&roomy);
	assert_int_equal(reconstruct(v, 1, other, &plenty, false, &back, error), -ERR_NOT_FOUND);
	assert_string_equal(error, "nothing from before version 2 can be made again: strowgerd started then with a routing that the log does not know");
	assert_int_equal(reconstruct(v, 2, other, &plenty, false, &back, error), 0);
	model_free(back);
	versions_free(v);
	/* the log was lost: numbers go on from what the state file says */
	unlink(path);
	v = open_log(&roomy);
	assert_int_equal(versions_start(v, 41, m, &me, &dropped, error), 0);
	assert_int_equal(versions_last(v), 42);
	versions_free(v);
	model_free(m);
	model_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_kept),	   cmocka_unit_test(is_bounded),   cmocka_unit_test(is_careful),
		cmocka_unit_test(damage_is_named), cmocka_unit_test(ends_between), cmocka_unit_test(starts),
	};

	return run_with_log(tests, ARRAY_SIZE(tests));
}
