/* SPDX-License-Identifier: Apache-2.0 */
#include "model/drain.h"

#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "error.h"
#include "model/fields.h"
#include "model/model.h"
#include "model/routing_schema.h"

#define TIME_MAX_S 253402300799 /* the end of the year 9999 */

static int load_drain(const struct raw_drain *raw, const char *where, struct model_drain *ret, char *error)
{
	int64_t since, deadline;
	int err = field_integer(raw->since, 1, 1, TIME_MAX_S, where, "since", &since, error);
	if (!err)
		err = field_integer(raw->deadline, 0, 0, TIME_MAX_S, where, "deadline", &deadline, error);
	if (!err)
		*ret = (struct model_drain){ (uint64_t)since, (uint64_t)deadline };
	return err;
}

int model_drains_load(const struct raw_profile *raw, const char *path, struct model_profile *p, char *error)
{
	char where[128];
	int err = 0;

	for (uint32_t i = 0; !err && i < p->target_count; i++) {
		snprintf(where, sizeof(where), "%s.targets[%u].drain", path, i);
		if (raw->targets[i].drain)
			err = load_drain(raw->targets[i].drain, where, &p->targets[i].drain, error);
	}
	return err;
}

static json_t *drain_json(const struct model_drain *d)
{
	return json_pack("{s:I, s:I}", "since", (json_int_t)d->since_s, "deadline", (json_int_t)d->deadline_s);
}

void model_drains_show(const struct model_profile *p, json_t *targets)
{
	for (unsigned i = 0; i < p->target_count; i++)
		if (p->targets[i].drain.since_s)
			json_object_set_new(json_array_get(targets, i), "drain", drain_json(&p->targets[i].drain));
}

void model_drains_drop(json_t *profile)
{
	json_t *target;
	size_t i;

	json_array_foreach(json_object_get(profile, "targets"), i, target)
		json_object_del(target, "drain");
}

int model_drains_refuse(const json_t *profiles, char *error)
{
	json_t *profile, *target;
	size_t i, k;

	json_array_foreach(profiles, i, profile)
		json_array_foreach(json_object_get(profile, "targets"), k, target)
			if (json_object_get(target, "drain"))
				return error_set(error, -ERR_INVALID, "profiles[%zu].targets[%zu].drain: is no setting; target.drain and target.undrain change it", i, k);
	return 0;
}

static size_t put_time(char *out, size_t room, const char *word, json_int_t unix_s)
{
	time_t at = (time_t)unix_s;
	char format[48];
	struct tm utc;

	snprintf(format, sizeof(format), "%s %%Y-%%m-%%d %%H:%%M:%%S UTC", word);
	return gmtime_r(&at, &utc) ? strftime(out, room, format, &utc) : 0;
}

void model_drain_text(const json_t *drain, char out[MODEL_DRAIN_TEXT_MAX])
{
	json_int_t deadline = json_integer_value(json_object_get(drain, "deadline"));
	size_t n;

	snprintf(out, MODEL_DRAIN_TEXT_MAX, "none");
	if (!drain)
		return;
	n = put_time(out, MODEL_DRAIN_TEXT_MAX, "since", json_integer_value(json_object_get(drain, "since")));
	if (deadline)
		put_time(out + n, MODEL_DRAIN_TEXT_MAX - n, " until", deadline);
}

void model_drains_carry(struct model *to, const struct model *from)
{
	for (uint32_t i = 0; i < to->profile_count; i++) {
		struct model_profile *p = &to->profiles[i], *was = model_profile_by_id(from, p->id);

		for (unsigned k = 0; was && k < p->target_count; k++) {
			const struct model_target *t = model_target(was, p->targets[k].trunk);

			if (t && !p->targets[k].drain.since_s)
				p->targets[k].drain = t->drain;
		}
	}
}
