/* SPDX-License-Identifier: Apache-2.0 */
#include "api/change.h"

#include "api/control.h"
#include "base/err.h"
#include "error.h"
#include "model/compile.h"
#include "model/diff.h"
#include "routing.h"

int change_commit(struct control *c, struct model *candidate, uint32_t profile_id, bool dry_run, json_t **ret_result, char *error)
{
	struct routing *r = c->routing;
	struct diff diff;
	int err = 0;

	diff_init(&diff);
	diff_models(&diff, r->model, candidate);
	*ret_result = diff.error ? NULL : diff_json(&diff);
	if (!*ret_result)
		err = error_set(error, -ERR_NOMEM, "out of memory");
	if (err || dry_run || !diff.total) {
		if (!err && dry_run)
			err = compile_check(candidate, error);
		if (!err && dry_run)
			err = routing_check(r, candidate, error);
		model_free(candidate);
	} else {
		r->origin.diff = &diff;
		err = profile_id ? routing_commit_profile(r, candidate, profile_id, error) : routing_commit(r, candidate, error);
		r->origin.diff = NULL;
		if (!err && c->changed)
			c->changed(c->ctx);
	}
	if (!err)
		err = json_object_set_new(*ret_result, "applied", json_boolean(!dry_run)) ? error_set(error, -ERR_NOMEM, "out of memory") : 0;
	if (err) {
		json_decref(*ret_result);
		*ret_result = NULL;
	}
	diff_done(&diff);
	return err;
}
