/* SPDX-License-Identifier: Apache-2.0 */
#include "routing.h"

#include <string.h>
#include <time.h>

#include "base/err.h"
#include "error.h"
#include "model/former.h"
#include "model/number_map.h"
#include "model/publish.h"
#include "model/state.h"

int routing_init(struct routing *r, struct publisher *publisher, struct state *state, const struct model_limits *limits, char *error)
{
	memset(r, 0, sizeof(*r));
	r->publisher = publisher;
	r->state = state;
	r->limits = *limits;
	r->origin = (struct origin){ .who = "strowgerd", .operation = "start" };
	r->model = model_new();
	r->expanded = model_new();
	return r->model && r->expanded ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
}

void routing_done(struct routing *r)
{
	model_free(r->model);
	model_free(r->expanded);
	publisher_free(r->publisher);
	state_free(r->state);
	versions_free(r->versions);
	formers_free(r->formers);
	memset(r, 0, sizeof(*r));
}

void routing_resolve_by(struct routing *r, const struct names *names)
{
	r->names = *names;
}

int routing_remember(struct routing *r, uint32_t keep_s, char *error)
{
	r->formers = formers_new(keep_s);
	return r->formers ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
}

/* The tables say `expanded` afterwards, or what they said before. */
static int publish_expanded(struct routing *r, const struct model *expanded, char *error)
{
	int err = publish_model(r->publisher, r->expanded, expanded, error);

	r->generation++;
	return err;
}

/* Of the model in force, whose names may have moved, or of one that is to replace it. */
static struct model *expand(const struct routing *r, const struct model *m, uint32_t *ret_left_out, char *error)
{
	struct model *expanded = model_expand(m, r->names.find ? &r->names : NULL, r->limits.endpoints, ret_left_out);
	struct timespec now;

	if (!expanded) {
		error_set(error, -ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (r->names.find)
		expand_hold(expanded, r->expanded, &r->names);
	if (r->formers) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		formers_note(r->formers, r->expanded, expanded, (uint64_t)now.tv_sec);
		if (formers_lay_over(r->formers, expanded, (uint64_t)now.tv_sec)) {
			model_free(expanded);
			error_set(error, -ERR_NOMEM, "out of memory");
			return NULL;
		}
	}
	return expanded;
}

static void take_over(struct routing *r, struct model *model, struct model *expanded, uint32_t left_out)
{
	model_free(r->model);
	model_free(r->expanded);
	r->model = model;
	r->expanded = expanded;
	r->left_out = left_out;
}

static int put_in_force(struct routing *r, struct model *candidate, char *error)
{
	uint32_t left_out;
	struct model *expanded = expand(r, candidate, &left_out, error);
	int err = expanded ? publish_expanded(r, expanded, error) : -ERR_NOMEM;

	if (err) {
		model_free(candidate);
		model_free(expanded);
		return err;
	}
	take_over(r, candidate, expanded, left_out);
	return 0;
}

int routing_refresh(struct routing *r, bool *ret_changed, char *error)
{
	uint32_t left_out;
	struct model *expanded = expand(r, r->model, &left_out, error);
	int err = 0;

	*ret_changed = false;
	if (!expanded)
		return -ERR_NOMEM;
	if (!model_same_trunks(expanded, r->expanded)) {
		err = publish_expanded(r, expanded, error);
		*ret_changed = !err;
	}
	if (!err)
		r->left_out = left_out;
	if (!*ret_changed) {
		model_free(expanded);
		return err;
	}
	model_free(r->expanded);
	r->expanded = expanded;
	return 0;
}

int routing_begin(struct routing *r, const struct model *written, bool *ret_from_state, char *error)
{
	struct model *first = NULL;
	int err = r->state ? state_load(r->state, &r->limits, &first, error) : -ERR_NOT_FOUND;

	*ret_from_state = !err;
	if (err == -ERR_NOT_FOUND) {
		first = model_copy(written);
		err = first ? 0 : error_set(error, -ERR_NOMEM, "out of memory");
	}
	return err ? err : put_in_force(r, first, error);
}

uint64_t routing_version(const struct routing *r)
{
	return r->versions ? versions_last(r->versions) : 0;
}

/* The log of versions is written first: where the process ends between the two, it is ahead of the state file, and versions_start drops
 * what never came into force. What the state file gets from here on is the new version. */
static int begin_version(struct routing *r, const struct model *candidate, char *error)
{
	int err;

	if (!r->versions)
		return 0;
	err = versions_begin_model(r->versions, r->model, candidate, &r->origin, error);
	if (!err && r->state)
		state_accept(r->state, versions_next(r->versions));
	return err;
}

static void keep_version(struct routing *r)
{
	if (r->versions)
		versions_keep(r->versions);
}

static void forget_version(struct routing *r)
{
	if (r->versions)
		versions_forget(r->versions);
}

/* Publishes between the two steps of storing, so that disk and tables agree whatever fails. */
static int publish_begun(struct routing *r, struct model *candidate, char *error)
{
	uint32_t left_out;
	struct model *expanded = expand(r, candidate, &left_out, error);
	int err = expanded ? publish_expanded(r, expanded, error) : -ERR_NOMEM;
	char ignored[ERROR_TEXT_MAX];

	if (err) {
		if (r->state)
			state_forget(r->state);
		goto fail;
	}
	err = r->state ? state_keep(r->state, error) : 0;
	if (err) {
		publish_model(r->publisher, expanded, r->expanded, ignored);
		goto fail;
	}
	keep_version(r);
	take_over(r, candidate, expanded, left_out);
	return 0;
fail:
	forget_version(r);
	model_free(candidate);
	model_free(expanded);
	return err;
}

int routing_check(const struct routing *r, const struct model *candidate, char *error)
{
	return r->check ? r->check(r->check_ctx, r->model, candidate, error) : 0;
}

/* profile NULL: the whole model is stored. */
static int commit(struct routing *r, struct model *candidate, const struct model_profile *profile, char *error)
{
	int err = routing_check(r, candidate, error);

	if (!err)
		err = begin_version(r, candidate, error);
	if (err)
		goto fail;
	if (r->state)
		err = profile ? state_begin_profile(r->state, profile, error) : state_begin_model(r->state, candidate, error);
	if (!err)
		return publish_begun(r, candidate, error);
	forget_version(r);
fail:
	model_free(candidate);
	return err;
}

int routing_commit(struct routing *r, struct model *candidate, char *error)
{
	return commit(r, candidate, NULL, error);
}

int routing_commit_profile(struct routing *r, struct model *candidate, uint32_t profile_id, char *error)
{
	bool appended = r->state && !state_wants_model(r->state);

	return commit(r, candidate, appended ? model_profile_by_id(candidate, profile_id) : NULL, error);
}

/* NUMBER_MAP_NONE deletes. */
static int change_map(struct number_map *map, e164 number, uint32_t profile_id)
{
	if (profile_id != NUMBER_MAP_NONE)
		return number_map_set(map, number, profile_id);
	number_map_delete(map, number);
	return 0;
}

static int begin_number(struct routing *r, e164 number, bool prefix, uint32_t was, uint32_t is, char *error)
{
	int err;

	if (!r->versions)
		return 0;
	err = versions_begin_number(r->versions, number, prefix, was == NUMBER_MAP_NONE ? NULL : model_profile_name(r->model, was),
				    is == NUMBER_MAP_NONE ? NULL : model_profile_name(r->model, is), &r->origin, error);
	if (!err && r->state)
		state_accept(r->state, versions_next(r->versions));
	return err;
}

static int store_number(struct routing *r, e164 number, bool prefix, const char *profile, char *error)
{
	if (!r->state)
		return 0;
	if (state_wants_model(r->state))
		return state_begin_model(r->state, r->model, error);
	return state_begin_number(r->state, number, prefix, profile, error);
}

static int check_number(const struct routing *r, e164 number, bool prefix, const char *profile, char *error)
{
	const struct number_map *map = prefix ? r->model->prefixes : r->model->numbers;
	uint32_t most = prefix ? r->limits.prefixes : r->limits.numbers;
	bool present = number_map_get(map, number) != NUMBER_MAP_NONE;
	char text[E164_TEXT_MAX];

	e164_format(number, text);
	if (!profile && !present)
		return error_set(error, -ERR_NOT_FOUND, "%s: %s is not there", prefix ? "prefix" : "number", text);
	if (profile && !model_profile(r->model, profile))
		return error_set(error, -ERR_NOT_FOUND, "profile: no profile named %.64s", profile);
	if (profile && !present && number_map_count(map) >= most)
		return error_set(error, -ERR_FULL, "%s: limits.%s is %u", prefix ? "prefix" : "number", prefix ? "prefixes" : "numbers", most);
	return 0;
}

int routing_set_number(struct routing *r, e164 number, bool prefix, const char *profile, char *error)
{
	struct number_map *map = prefix ? r->model->prefixes : r->model->numbers;
	uint32_t was = number_map_get(map, number), id;
	int err = check_number(r, number, prefix, profile, error);

	if (err)
		return err;
	id = profile ? model_profile(r->model, profile)->id : NUMBER_MAP_NONE;
	if (id == was)
		return 0;
	if (change_map(map, number, id))
		return error_set(error, -ERR_NOMEM, "out of memory");
	err = begin_number(r, number, prefix, was, id, error);
	if (err)
		goto fail_version;
	err = store_number(r, number, prefix, profile ? model_profile_name(r->model, id) : NULL, error);
	if (err)
		goto fail_store;
	err = publish_number(r->publisher, number, prefix, id);
	if (err) {
		error_set(error, err, "%s: %s", prefix ? "prefix" : "number", err_name(err));
		goto fail_publish;
	}
	err = r->state ? state_keep(r->state, error) : 0;
	if (!err) {
		keep_version(r);
		return 0;
	}
	publish_number(r->publisher, number, prefix, was);
	goto fail_store;
fail_publish:
	if (r->state)
		state_forget(r->state);
fail_store:
	forget_version(r);
fail_version:
	change_map(map, number, was);
	return err;
}

int routing_settle(struct routing *r, char *error)
{
	int err = r->versions ? versions_settle(r->versions, error) : 0, worse = r->state ? state_settle(r->state, error) : 0;

	return worse ? worse : err;
}
