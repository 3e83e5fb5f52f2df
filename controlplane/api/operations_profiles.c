/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "error.h"
#include "json_fill.h"
#include "model/model_json.h"
#include "model/number_map.h"
#include "model/routing_schema.h"
#include "routing.h"
#include "yaml_file.h"

static json_t *profile_json(const struct control *c, const struct model_profile *p)
{
	const struct model *m = c->routing->model;
	json_t *json = model_profile_json(p);

	json_object_set_new(json, "numbers", json_integer(number_map_users(m->numbers, p->id) + number_map_users(m->prefixes, p->id)));
	return json;
}

int operation_profiles(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct model *m = c->routing->model;
	json_t *list = json_array();

	for (uint32_t i = 0; i < m->profile_count; i++)
		json_array_append_new(list, profile_json(c, &m->profiles[i]));
	*ret_result = list;
	return 0;
}

static struct model_profile *find_profile(const struct model *m, const json_t *params, char *error)
{
	struct model_profile *p = model_profile(m, param_text(params, "name"));

	if (!p)
		error_set(error, -ERR_NOT_FOUND, "name: no profile named %.64s (apply creates one)", param_text(params, "name"));
	return p;
}

int operation_profile_get(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct model_profile *p = find_profile(c->routing->model, params, error);

	if (!p)
		return -ERR_NOT_FOUND;
	*ret_result = profile_json(c, p);
	return 0;
}

/* A schema of a pointer, as json_fill makes and yaml_file_release frees. */
static cyaml_schema_value_t profile_pointer_schema(void)
{
	cyaml_schema_value_t schema = routing_profile_schema;

	schema.flags = CYAML_FLAG_POINTER;
	return schema;
}

/* What the profile says now, with what was given laid over it, read as the file would be. */
static int merge(const struct model_profile *now, const json_t *params, struct model_profile *ret, char *error)
{
	const cyaml_schema_value_t schema = profile_pointer_schema();
	json_t *json = model_profile_json(now);
	void *raw;
	int err;

	if (!json || json_object_update(json, (json_t *)params) || json_object_set_new(json, "name", json_string(now->name)))
		err = error_set(error, -ERR_NOMEM, "out of memory");
	else
		err = json_fill(json, &schema, "", &raw, error);
	json_decref(json);
	if (err)
		return err;
	err = model_load_profile(raw, "profile", ret, error);
	yaml_file_release(&schema, raw);
	return err;
}

int operation_profile_set(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct model_profile *now = find_profile(c->routing->model, params, error), *changed = calloc(1, sizeof(*changed));
	struct model *candidate = NULL;
	uint32_t id;
	int err;

	if (!now || !changed) {
		free(changed);
		return now ? error_set(error, -ERR_NOMEM, "out of memory") : -ERR_NOT_FOUND;
	}
	id = now->id;
	err = merge(now, params, changed, error);
	if (!err) {
		candidate = model_copy(c->routing->model);
		if (!candidate)
			err = error_set(error, -ERR_NOMEM, "out of memory");
	}
	if (!err) {
		*model_profile_by_id(candidate, id) = *changed;
		model_drains_carry(candidate, c->routing->model);
		err = model_validate(candidate, &c->routing->limits, error);
		if (err)
			model_free(candidate);
	}
	free(changed);
	if (!err)
		err = change_commit(c, candidate, id, false, ret_result, error);
	if (!err)
		json_object_set_new(*ret_result, "profile", profile_json(c, model_profile_by_id(c->routing->model, id)));
	return err;
}
