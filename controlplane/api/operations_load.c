/* SPDX-License-Identifier: Apache-2.0 */
/* A list of numbers too long for one request: begun, given in pieces, put in force as one change. One at a time. */
#include "api/operations_load.h"

#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "error.h"
#include "model/model.h"
#include "model/number_lines.h"
#include "routing.h"

#define ABANDONED_MS 60000 /* after so long without a piece somebody else may begin */

struct number_load {
	struct number_lines *lines;
	struct model *names; /* whose profiles they lead to */
	json_int_t id;
	uint64_t touched_ms;
};

void number_load_free(struct number_load *l)
{
	if (!l)
		return;
	number_lines_free(l->lines);
	model_free(l->names);
	free(l);
}

static void forget(struct control *c)
{
	number_load_free(c->load);
	c->load = NULL;
}

static int find(const struct control *c, const json_t *params, char *error)
{
	if (c->load && c->load->id == param_integer(params, "load", 0))
		return 0;
	return error_set(error, -ERR_NOT_FOUND, "load: no such load is under way (numbers.begin begins one)");
}

int operation_numbers_begin(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	json_int_t expected = param_integer(params, "expected", 0);
	struct number_load *l;

	if (expected < 0 || expected > UINT32_MAX - 1)
		return error_set(error, -ERR_INVALID, "expected: %lld is not in 0..%u", (long long)expected, UINT32_MAX - 1);
	if (c->load && dataplane_now_ms() < c->load->touched_ms + ABANDONED_MS)
		return error_set(error, -ERR_EXISTS, "another list of numbers is being loaded; it ends, or is forgotten a minute after its last piece");
	forget(c);
	l = calloc(1, sizeof(*l));
	if (l)
		l->names = model_copy(c->routing->model);
	if (l && l->names)
		l->lines = number_lines_new(l->names, &c->routing->limits, (uint32_t)expected);
	if (!l || !l->lines) {
		number_load_free(l);
		return error_set(error, -ERR_NOMEM, "out of memory");
	}
	l->id = ++c->loads;
	l->touched_ms = dataplane_now_ms();
	c->load = l;
	*ret_result = json_pack("{s:I}", "load", l->id);
	return 0;
}

/* What is wrong with a piece ends the load: nothing of it comes into force. */
int operation_numbers_add(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const json_t *text = json_object_get(params, "text");
	int err = find(c, params, error);

	if (err)
		return err;
	c->load->touched_ms = dataplane_now_ms();
	err = number_lines_take(c->load->lines, json_string_value(text), json_string_length(text), error);
	if (err)
		forget(c);
	else
		*ret_result = json_pack("{s:I}", "numbers", (json_int_t)number_lines_count(c->load->lines));
	return err;
}

int operation_numbers_commit(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct model *candidate = NULL;
	int err = find(c, params, error);

	if (err)
		return err;
	err = number_lines_end(c->load->lines, error);
	if (!err) {
		candidate = model_copy(c->routing->model);
		err = candidate ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
	}
	if (!err) {
		number_lines_replace(c->load->lines, candidate);
		err = model_validate(candidate, &c->routing->limits, error);
		if (err)
			model_free(candidate);
	}
	forget(c);
	return err ? err : change_commit(c, candidate, 0, json_is_true(json_object_get(params, "dry_run")), ret_result, error);
}

int operation_numbers_abort(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	int err = find(c, params, error);

	if (err)
		return err;
	forget(c);
	*ret_result = json_pack("{s:b}", "aborted", 1);
	return 0;
}
