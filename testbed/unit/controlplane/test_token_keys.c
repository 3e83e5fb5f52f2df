/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <sys/stat.h>

#include "token_keys.h"

static char directory[64], path[96];

static void made_once_and_kept(void **state)
{
	struct token_keys first, again;
	char error[ERROR_TEXT_MAX] = "";
	struct stat st;

	assert_int_equal(token_keys_load(path, &first, error), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(first.present[first.signing]);
	assert_int_equal(token_keys_load(path, &again, error), 0);
	assert_int_equal(first.key[0].k0, again.key[0].k0);
	assert_int_equal(first.key[0].k1, again.key[0].k1);
}

static void without_a_file_each_start_has_its_own(void **state)
{
	struct token_keys a, b;
	char error[ERROR_TEXT_MAX] = "";

	assert_int_equal(token_keys_load("", &a, error), 0);
	assert_int_equal(token_keys_load("", &b, error), 0);
	assert_true(a.key[0].k0 != b.key[0].k0);
}

#define HEX "00112233445566778899aabbccddeeff"

static void files(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int signing;	   /* -1: refused */
		const char *error; /* behind "token_key_file: PATH" */
	} cases[] = {
		{ "0 " HEX "\n", 0600, 0, NULL },
		{ "# comment\n3 " HEX "\n1 " HEX "\n", 0400, 3, NULL },
		{ "0 " HEX "\n", 0640, -1, " may be read by others (mode 640): chmod 600 it" },
		{ "", 0600, -1, " holds no key" },
		{ "4 " HEX "\n", 0600, -1, ": key 1 is not ID (0..3) and 32 hex digits" },
		{ "0 " HEX "\n0 " HEX "\n", 0600, -1, ": key 2 is not ID (0..3) and 32 hex digits" },
		{ "0 0011\n", 0600, -1, ": key 1 is not ID (0..3) and 32 hex digits" },
		{ "0 " HEX "00\n", 0600, -1, ": key 1 is not ID (0..3) and 32 hex digits" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char error[ERROR_TEXT_MAX] = "", want[ERROR_TEXT_MAX];
		struct token_keys keys;
		int err;

		unlink(path);
		write_file(path, cases[i].text);
		assert_int_equal(chmod(path, cases[i].mode), 0);
		err = token_keys_load(path, &keys, error);
		snprintf(want, sizeof(want), "token_key_file: %s%s", path, cases[i].error ? cases[i].error : "");
		if (cases[i].signing < 0 ? strcmp(error, want) != 0 : err || keys.signing != cases[i].signing)
			fail_msg("case %u: %s", i, error);
		if (cases[i].signing >= 0) {
			assert_true(keys.key[keys.signing].k0 == 0x0011223344556677);
			assert_true(keys.key[keys.signing].k1 == 0x8899aabbccddeeff);
		}
	}
	assert_int_equal(token_keys_load("/nonexistent/key", &(struct token_keys){ 0 }, (char[ERROR_TEXT_MAX]){ 0 }), -ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(made_once_and_kept), cmocka_unit_test(without_a_file_each_start_has_its_own),
					    cmocka_unit_test(files) };
	int failed;

	make_directory(directory);
	snprintf(path, sizeof(path), "%s/token.key", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_directory(directory);
	return failed;
}
