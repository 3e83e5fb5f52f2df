/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/err.h"
#include "model/number_lines.h"
#include "model/number_map.h"

#define PROFILES "profiles: [{name: london}, {name: in}]\n"

/* Takes the text in pieces of so many bytes, each in memory of its very size. */
static int take(struct number_lines *l, const char *text, size_t piece, char *error)
{
	int err = 0;

	for (size_t bytes = strlen(text), n; bytes && !err; text += n, bytes -= n) {
		char *exact;

		n = bytes < piece ? bytes : piece;
		exact = malloc(n);
		memcpy(exact, text, n);
		err = number_lines_take(l, exact, n, error);
		free(exact);
	}
	return err ? err : number_lines_end(l, error);
}

static const char *const good =
	"# the whole list\r\n"
	"\n"
	"+442035550100 london\n"
	"  442035550101,in\t# bare digits, a comma, CRLF\r\n"
	"+442035550102;  London \n"
	"+4420* in\n"
	"\t\r\n"
	"+1* london";

static void pieces_of_any_size(void **state)
{
	static const struct {
		const char *number, *profile;
		bool prefix;
	} want[] = {
		{ "442035550100", "london", false }, { "442035550101", "in", false }, { "442035550102", "london", false },
		{ "4420", "in", true },		     { "1", "london", true },
	};

	for (size_t piece = 1; piece <= strlen(good) + 1; piece++) {
		struct model *m = model_of(PROFILES "numbers: [{number: '999', profile: in}]\n"), *copy = model_copy(m);
		struct number_lines *l = number_lines_new(m, &plenty, 3);
		char error[ERROR_TEXT_MAX] = "";

		if (take(l, good, piece, error))
			fail_msg("pieces of %zu: %s", piece, error);
		assert_int_equal(number_lines_count(l), 5);
		number_lines_replace(l, copy);
		number_lines_free(l);
		assert_int_equal(number_map_count(copy->numbers), 3);
		assert_int_equal(number_map_count(copy->prefixes), 2);
		for (unsigned i = 0; i < ARRAY_SIZE(want); i++)
			assert_int_equal(number_map_get(want[i].prefix ? copy->prefixes : copy->numbers, number_of(want[i].number)),
					 trunk_id(span_str(want[i].profile)));
		assert_int_equal(number_map_count(m->numbers), 1);
		model_free(copy);
		model_free(m);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *text, *error;
		int err;
	} cases[] = {
		{ "+44x london\n", "line 1: '+44x' is not an E.164 number (+, up to 15 digits)", -ERR_INVALID },
		{ "\n#\n+1234567890123456 london\n", "line 3: '+1234567890123456' is not an E.164 number (+, up to 15 digits)", -ERR_INVALID },
		{ "* london\n", "line 1: '' is not an E.164 prefix (+, up to 15 digits)", -ERR_INVALID },
		{ "+44\n", "line 1: '+44' has no profile behind it", -ERR_INVALID },
		{ "+44 # london\n", "line 1: '+44' has no profile behind it", -ERR_INVALID },
		{ "+44 paris\n", "line 1: 'paris' is no profile", -ERR_INVALID },
		{ "+44 london\n+45 london in\n", "line 2: 'london in' is no profile", -ERR_INVALID },
		{ "+44 london\n+45 in\n44 in\n", "line 3: '44' is listed twice", -ERR_INVALID },
		{ "+44* in\n+44* in\n", "line 2: '+44' is listed twice", -ERR_INVALID },
		{ "+1 in\n+2 in\n+3 in\n+4 in\n", "line 4: more than limits.numbers, which is 3", -ERR_FULL },
		{ "+1* in\n+2* in\n+3* in\n", "line 3: more than limits.prefixes, which is 2", -ERR_FULL },
		{ "london\n", "line 1: 'london' is not an E.164 number (+, up to 15 digits)", -ERR_INVALID },
	};
	const struct model_limits few = { .numbers = 3, .prefixes = 2 };
	struct model *m = model_of(PROFILES);
	char error[ERROR_TEXT_MAX], name[400] = "+1 ";

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t piece = 1; piece < 60; piece += 7) {
			struct number_lines *l = number_lines_new(m, &few, 0);
			int err = take(l, cases[i].text, piece, error);

			if (err != cases[i].err || strcmp(error, cases[i].error) != 0)
				fail_msg("case %u: %d \"%s\"", i, err, error);
			number_lines_free(l);
		}
	memset(name + 3, 'x', 300);
	for (size_t piece = 1; piece < 400; piece += 57) {
		struct number_lines *l = number_lines_new(m, &few, 0);

		assert_int_equal(take(l, name, piece, error), -ERR_INVALID);
		number_lines_free(l);
	}
	model_free(m);
}

static void files(void **state)
{
	struct model *m = model_of(PROFILES "numbers: [{number: '999', profile: in}, {prefix: '9', profile: in}]\n");
	char directory[64], path[96], error[ERROR_TEXT_MAX] = "", want[200];

	make_directory(directory);
	snprintf(path, sizeof(path), "%s/numbers", directory);
	assert_int_equal(number_lines_add_file(m, &plenty, path, error), -ERR_IO);
	snprintf(want, sizeof(want), "%s: No such file or directory", path);
	assert_string_equal(error, want);
	write_file(path, "+1 in\n+999 london\n");
	assert_int_equal(number_lines_add_file(m, &plenty, path, error), -ERR_INVALID);
	snprintf(want, sizeof(want), "%s: line 2: '+999' is in the configuration's numbers already", path);
	assert_string_equal(error, want);
	assert_int_equal(number_map_count(m->numbers), 1); /* all or nothing */
	write_file(path, good);
	assert_int_equal(number_lines_add_file(m, &plenty, path, error), 0);
	assert_int_equal(number_map_count(m->numbers), 4);
	assert_int_equal(number_map_count(m->prefixes), 3);
	assert_int_equal(number_map_get(m->numbers, number_of("999")), trunk_id(SPAN_LIT("in")));
	remove_directory(directory);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pieces_of_any_size), cmocka_unit_test(refusals), cmocka_unit_test(files) };

	eal_for_test("128");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
