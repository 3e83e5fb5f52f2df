/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "error.h"
#include "json_fill.h"
#include "model/drain.h"
#include "model/model_json.h"
#include "model/routing_schema.h"
#include "routing.h"
#include "yaml_file.h"

int operation_apply(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	static const struct {
		const char *name;
		unsigned section;
	} sections[] = { { "trunks", MODEL_TRUNKS }, { "profiles", MODEL_PROFILES }, { "numbers", MODEL_NUMBERS }, { "domains", MODEL_DOMAINS } };
	bool dry_run = json_is_true(json_object_get(params, "dry_run"));
	json_t *only = json_object();
	struct model *candidate;
	unsigned given = 0;
	void *raw;
	int err;

	for (unsigned i = 0; i < 4; i++) {
		json_t *section = json_object_get(params, sections[i].name);

		if (!section)
			continue;
		given |= sections[i].section;
		json_object_set(only, sections[i].name, section);
	}
	if (given)
		err = model_drains_refuse(json_object_get(only, "profiles"), error);
	else
		err = error_set(error, -ERR_INVALID, "apply: needs at least one of trunks, profiles, numbers, domains");
	if (!err)
		err = json_fill(only, &routing_schema, "", &raw, error);
	json_decref(only);
	if (err)
		return err;
	err = model_load(raw, given, c->routing->model, &c->routing->limits, &candidate, error);
	yaml_file_release(&routing_schema, raw);
	return err ? err : change_commit(c, candidate, 0, dry_run, ret_result, error);
}

/* A drain is a state of operation: a file that was exported during one is none of its begin. */
static json_t *exported_profile(const struct model_profile *p)
{
	json_t *profile = model_profile_json(p);

	model_drains_drop(profile);
	return profile;
}

int operation_export(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct model *m = c->routing->model;
	json_t *trunks = json_array(), *profiles = json_array(), *domains = json_array();

	for (uint32_t i = 0; i < m->trunk_count; i++)
		json_array_append_new(trunks, model_trunk_json(&m->trunks[i]));
	for (uint32_t i = 0; i < m->profile_count; i++)
		json_array_append_new(profiles, exported_profile(&m->profiles[i]));
	for (uint32_t i = 0; i < m->domain_count; i++)
		json_array_append_new(domains, model_domain_json(m, &m->domains[i]));
	*ret_result = json_pack("{s:o, s:o, s:o}", "trunks", trunks, "profiles", profiles, "domains", domains);
	return 0;
}
