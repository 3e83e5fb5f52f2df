/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sip/number.h"

/* Numbers (or prefixes) to profile ids, as the operator wants them: the model's half of tables/numbers.h. Counted references: models
 * that differ elsewhere share one. Every function is control-only. */

struct number_map;

#define NUMBER_MAP_NONE UINT32_MAX

/* NULL: no memory. */
struct number_map *number_map_new(uint32_t expected);
struct number_map *number_map_ref(struct number_map *m);
/* NULL is ignored. */
void number_map_unref(struct number_map *m);

/* Adds or replaces. 0, -ERR_NOMEM (nothing changed). */
int number_map_set(struct number_map *m, e164 number, uint32_t profile_id);
/* false: there was none. */
bool number_map_delete(struct number_map *m, e164 number);
/* Profile id or NUMBER_MAP_NONE. */
uint32_t number_map_get(const struct number_map *m, e164 number);
uint32_t number_map_count(const struct number_map *m);

/* How many numbers name a profile: kept as they come and go. */
uint32_t number_map_users(const struct number_map *m, uint32_t profile_id);

/* Start with *cursor = 0; no order. false: no more. */
bool number_map_next(const struct number_map *m, uint64_t *cursor, e164 *ret_number, uint32_t *ret_profile_id);
/* The same over the profile ids that are in use. */
bool number_map_next_user(const struct number_map *m, uint64_t *cursor, uint32_t *ret_profile_id);

/* Calls fn for each number whose profile differs (NUMBER_MAP_NONE: absent on that side) until it returns non-zero, which is returned:
 * first what is new or changed, then what is gone. */
int number_map_diff(const struct number_map *from, const struct number_map *to,
		    int (*fn)(void *ctx, e164 number, uint32_t from_profile, uint32_t to_profile), void *ctx);
