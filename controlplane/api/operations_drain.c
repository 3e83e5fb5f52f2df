/* SPDX-License-Identifier: Apache-2.0 */
/* Emptying targets and the node, and whether the node takes calls. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "cdr_line.h"
#include "drains.h"
#include "error.h"
#include "model/model.h"
#include "routing.h"
#include "wall_clock.h"

#define DEADLINE_MAX_S 604800

/* For a drain that begins at now_ms; 0 where none is given. */
static int read_deadline(const json_t *params, uint64_t now_ms, uint64_t *ret_deadline_s, char *error)
{
	json_int_t seconds = param_integer(params, "deadline_s", 0);

	*ret_deadline_s = 0;
	if (!param_given(params, "deadline_s"))
		return 0;
	if (seconds < 1 || seconds > DEADLINE_MAX_S)
		return error_set(error, -ERR_INVALID, "deadline_s: %lld is not in 1..%d", (long long)seconds, DEADLINE_MAX_S);
	*ret_deadline_s = (now_ms + 999) / 1000 + (uint64_t)seconds; /* not a moment sooner */
	return 0;
}

static json_t *time_json(uint64_t seconds)
{
	char text[CDR_TIME_MAX];

	if (!seconds)
		return json_null();
	cdr_time(seconds * 1000, text);
	return json_string(text);
}

static json_t *progress_json(const char *name, const struct drain_progress *p)
{
	char text[DRAIN_TEXT_MAX];

	drain_text(p, text);
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:b, s:s}", "target", name, "since", time_json(p->since_s), "deadline",
			 time_json(p->deadline_s), "live", (json_int_t)p->live, "ringing", (json_int_t)p->ringing, "safe", p->safe, "text", text);
}

/* PROFILE/TRUNK, or TRUNK: in all profiles. */
static bool is_named(const char *wanted, const struct model_profile *p, const struct model_target *t)
{
	size_t n = strlen(p->name);

	if (!strchr(wanted, '/'))
		return strcasecmp(wanted, t->trunk) == 0;
	return strncasecmp(wanted, p->name, n) == 0 && wanted[n] == '/' && strcasecmp(wanted + n + 1, t->trunk) == 0;
}

/* wanted NULL: all. */
static json_t *draining_targets(const struct control *c, const char *wanted)
{
	const struct model *m = c->routing->model;
	json_t *list = json_array();

	for (uint32_t i = 0; i < m->profile_count; i++) {
		const struct model_profile *p = &m->profiles[i];

		for (unsigned k = 0; k < p->target_count; k++) {
			char name[PROFILE_NAME_MAX + TRUNK_NAME_MAX];
			struct drain_progress progress;

			if (!p->targets[k].drain.since_s || (wanted && !is_named(wanted, p, &p->targets[k])))
				continue;
			snprintf(name, sizeof(name), "%s/%s", p->name, p->targets[k].trunk);
			progress = drain_of_target(c, p, &p->targets[k]);
			json_array_append_new(list, progress_json(name, &progress));
		}
	}
	return list;
}

static json_t *node_json(const struct control *c)
{
	struct drain_progress progress;

	if (!c->draining)
		return json_null();
	progress = drain_of_node(c);
	return progress_json("node", &progress);
}

int operation_drains(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	*ret_result = json_pack("{s:o, s:o}", "targets", draining_targets(c, NULL), "node", node_json(c));
	return 0;
}

/* A profile cannot be left without its name: what is not there is said, as target.set says it. */
static int check_name(const struct control *c, const char *wanted, char *error)
{
	const struct model *m = c->routing->model;
	struct model_profile *profile;

	if (strchr(wanted, '/'))
		return target_find(m, wanted, &profile, error) ? 0 : -ERR_NOT_FOUND;
	for (uint32_t i = 0; i < m->profile_count; i++)
		if (model_target(&m->profiles[i], wanted))
			return 0;
	return error_set(error, -ERR_NOT_FOUND, "target: no profile has a target %.64s", wanted);
}

/* drain NULL ends it. */
static int change_drain(struct control *c, const char *wanted, const struct model_drain *drain, json_t **ret_result, char *error)
{
	struct model *candidate;
	uint32_t id = 0;
	unsigned profiles = 0;
	int err = check_name(c, wanted, error);

	if (err)
		return err;
	candidate = model_copy(c->routing->model);
	if (!candidate)
		return error_set(error, -ERR_NOMEM, "out of memory");
	for (uint32_t i = 0; i < candidate->profile_count; i++) {
		struct model_profile *p = &candidate->profiles[i];

		for (unsigned k = 0; k < p->target_count; k++) {
			struct model_drain *d = &p->targets[k].drain;

			if (!is_named(wanted, p, &p->targets[k]))
				continue;
			*d = drain ? (struct model_drain){ d->since_s ? d->since_s : drain->since_s, drain->deadline_s } : (struct model_drain){ 0 };
			id = p->id;
			profiles++;
		}
	}
	err = change_commit(c, candidate, profiles == 1 ? id : 0, false, ret_result, error);
	if (!err)
		json_object_set_new(*ret_result, "targets", draining_targets(c, wanted));
	return err;
}

int operation_target_drain(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	uint64_t now_ms = wall_ms();
	struct model_drain drain = { .since_s = now_ms / 1000 };
	int err = read_deadline(params, now_ms, &drain.deadline_s, error);

	return err ? err : change_drain(c, param_text(params, "target"), &drain, ret_result, error);
}

int operation_target_undrain(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	return change_drain(c, param_text(params, "target"), NULL, ret_result, error);
}

/* ---- the node */

static void set_node(struct control *c, bool draining, uint64_t now_ms, uint64_t deadline_s)
{
	if (draining && !c->draining)
		c->drain_since_s = now_ms / 1000;
	c->draining = draining;
	c->drain_deadline_s = deadline_s;
	dataplane_drain(c->dataplane, draining);
}

static int refuse_stopping(const struct control *c, char *error)
{
	return c->stopping ? error_set(error, -ERR_UNSUPPORTED, "strowgerd was told to stop: it drains until it ends") : 0;
}

int operation_node_drain(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	uint64_t now_ms = wall_ms(), deadline_s;
	int err = refuse_stopping(c, error);

	if (!err)
		err = read_deadline(params, now_ms, &deadline_s, error);
	if (err)
		return err;
	set_node(c, true, now_ms, deadline_s);
	*ret_result = json_pack("{s:s, s:o}", "state", "draining", "node", node_json(c));
	return 0;
}

int operation_node_undrain(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	int err = refuse_stopping(c, error);

	if (err)
		return err;
	set_node(c, false, 0, 0);
	*ret_result = json_pack("{s:s}", "state", "running");
	return 0;
}

/* The older spelling. */
int operation_drain(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	bool on = json_is_true(json_object_get(params, "on"));

	if (!on && refuse_stopping(c, error))
		return -ERR_UNSUPPORTED;
	set_node(c, on, wall_ms(), on ? c->drain_deadline_s : 0);
	*ret_result = json_pack("{s:s}", "state", on ? "draining" : "running");
	return 0;
}

int operation_ready(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	char text[DRAIN_TEXT_MAX], reason[DRAIN_TEXT_MAX + 16] = "takes calls";

	if (c->draining) {
		struct drain_progress progress = drain_of_node(c);

		drain_text(&progress, text);
		snprintf(reason, sizeof(reason), "%s: %s", c->stopping ? "stopping" : "draining", text);
	}
	*ret_result = json_pack("{s:b, s:s}", "ready", !c->draining, "reason", reason);
	return 0;
}
