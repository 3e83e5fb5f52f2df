/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A log of versions in a directory of its own. */

#include "operations_fixture.h"

#include "base/err.h"
#include "versions/reconstruct.h"
#include "versions/versions.h"

static char directory[64], path[96], state_path[96];
static const struct versions_limits roomy = { .keep = 1000, .bytes = 1 << 20 };
static const struct origin me = { .who = "root", .operation = "test" };

static inline struct versions *open_log(const struct versions_limits *limits)
{
	char note[ERROR_TEXT_MAX], error[ERROR_TEXT_MAX] = "";
	struct versions *v = NULL;

	if (versions_open(path, limits, &v, note, error))
		fail_msg("%s", error);
	assert_string_equal(note, "");
	return v;
}

static inline int run_with_log(const struct CMUnitTest *tests, size_t count)
{
	int failed;

	eal_for_test("96");
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/routing.json.versions", directory);
	snprintf(state_path, sizeof(state_path), "%s/routing.json", directory);
	failed = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
	remove_directory(directory);
	return failed;
}
