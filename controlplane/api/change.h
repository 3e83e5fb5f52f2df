/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct control;
struct model;
struct model_profile;
struct model_target;

/* What every changing operation ends with. Takes candidate over. profile_id: the only profile that differs, 0: anything may.
 * *ret_result is the difference, {"applied", "total", "changes"}. 0 or a negative enum err. control-only */
int change_commit(struct control *c, struct model *candidate, uint32_t profile_id, bool dry_run, json_t **ret_result, char *error);

/* The target called PROFILE/TRUNK in a model; NULL with an error. control-only */
struct model_target *target_find(const struct model *m, const char *name, struct model_profile **ret_profile, char *error);
