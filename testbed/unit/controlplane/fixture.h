/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of the control plane share: EAL and cmocka from the tables' tests, models from YAML text, a temporary directory. */

#include "../tables/fixture.h"

#include <unistd.h>

#include "error.h"
#include "model/model.h"
#include "model/routing_schema.h"
#include "yaml_file.h"

static const struct model_limits plenty = { .numbers = 1000, .prefixes = 100, .profiles = 100, .trunks = 100, .endpoints = 100 };

/* A model of routing sections in YAML; NULL with the error. */
static inline struct model *model_try(const char *text, const struct model_limits *limits, char *error)
{
	struct model *m = NULL;
	struct yaml_file *y;
	void *raw;

	if (yaml_file_parse("routing", text, strlen(text), &y, error))
		return NULL;
	if (yaml_file_load(y, &routing_schema, &raw, error) == 0) {
		if (model_load(raw, MODEL_ALL, NULL, limits, &m, error))
			yaml_file_locate(y, error);
		yaml_file_release(&routing_schema, raw);
	}
	yaml_file_free(y);
	return m;
}

static inline struct model *model_of(const char *text)
{
	char error[ERROR_TEXT_MAX] = "";
	struct model *m = model_try(text, &plenty, error);

	if (!m)
		fail_msg("%s", error);
	return m;
}

/* A new directory under /tmp, for teardown by remove_directory. */
static inline void make_directory(char path[64])
{
	strcpy(path, "/tmp/strowger-test-XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline void remove_directory(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- %s", path);
	assert_int_equal(system(command), 0);
}

static inline void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}
