/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct control;
struct model;

/* What every changing operation ends with. Takes candidate over. profile_id: the only profile that differs, 0: anything may.
 * *ret_result is the difference, {"applied", "total", "changes"}. 0 or a negative enum err. control-only */
int change_commit(struct control *c, struct model *candidate, uint32_t profile_id, bool dry_run, json_t **ret_result, char *error);
