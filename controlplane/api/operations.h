/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct control;

/* The one table of what an operator can ask for; every door (the control socket now) serves it. */

enum param_type { PARAM_TEXT, PARAM_TEXT_OR_NULL, PARAM_INTEGER, PARAM_BOOLEAN, PARAM_OBJECT, PARAM_LIST };

struct operation_param {
	const char *name; /* NULL ends a list */
	enum param_type type;
	bool required;
	const char *doc;
};

enum operation_effect {
	OPERATION_LOOKS,
	OPERATION_ACTS,	   /* more than looks */
	OPERATION_CHANGES, /* routing: a version each; takes comment and if_version as well */
};

struct operation {
	const char *name, *doc;
	enum operation_effect effect;
	const struct operation_param *params;
	/* params have been checked against the table. 0 and a result that the caller owns; or a negative enum err and an error that names the
	 * parameter. control-only */
	int (*run)(struct control *c, const json_t *params, json_t **ret_result, char *error);
};

/* All of them. */
const struct operation *operations_all(size_t *ret_count);
/* NULL: no such name. */
const struct operation *operation_find(const char *name);
/* Checks the parameters (NULL: none) and runs. As operation.run. control-only */
int operation_run(const struct operation *op, struct control *c, const json_t *params, json_t **ret_result, char *error);

/* Parameters by name, of the type that the table says; NULL, `otherwise` or false where absent. */
const char *param_text(const json_t *params, const char *name);
json_int_t param_integer(const json_t *params, const char *name, json_int_t otherwise);
bool param_given(const json_t *params, const char *name);
