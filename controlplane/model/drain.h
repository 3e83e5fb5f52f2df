/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct model;
struct model_profile;
struct raw_profile;

/* A target that is being emptied: it is enabled, but gets no new call until somebody ends the drain. It is kept with the routing, so that it
 * outlives the process; but it is no setting: a section that is applied, and a rollback, leave it as it is. control-only */
struct model_drain {
	uint64_t since_s;    /* Unix time; 0: not draining */
	uint64_t deadline_s; /* when its calls need not be waited for any more; 0: never */
};

/* Reads "drain" of the profile's targets, which have been loaded. 0; -ERR_INVALID with "PATH.targets[i].drain.KEY: ...". */
int model_drains_load(const struct raw_profile *raw, const char *path, struct model_profile *p, char *error);
/* Adds "drain", {"since": s, "deadline": s}, to the targets (a list in the profile's order) that are draining. */
void model_drains_show(const struct model_profile *p, json_t *targets);
/* Takes "drain" away from the targets of a profile, for whom it is no setting. */
void model_drains_drop(json_t *profile);
/* 0; -ERR_INVALID where a target of these profiles (a list, as it came) says "drain", with an error that names it. */
int model_drains_refuse(const json_t *profiles, char *error);

#define MODEL_DRAIN_TEXT_MAX 80
/* "since 2026-01-31 17:02:01 UTC", and "until when" where there is a deadline, of what model_drains_show wrote; "none" of NULL. any */
void model_drain_text(const json_t *drain, char out[MODEL_DRAIN_TEXT_MAX]);
/* Targets of `to` that say nothing of a drain take over what the same target of `from` says. */
void model_drains_carry(struct model *to, const struct model *from);
