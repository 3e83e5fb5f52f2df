/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct domain_entry;
struct model;
struct model_profile;
struct model_trunk;
struct profile;
struct range_entry;
struct trunk;
struct number_plan;

/* Model elements into the forms that tables publish; where they name each other by slot, slots are asked for. control-only */

struct compile_slots {
	uint32_t (*trunk)(const void *ctx, uint32_t trunk_id);
	uint32_t (*profile)(const void *ctx, uint32_t profile_id);
	uint32_t (*target)(const void *ctx, uint32_t profile_id, uint32_t trunk_id);
	uint32_t (*endpoint)(const void *ctx, uint32_t trunk_id, uint32_t endpoint_id);
	const void *ctx;
};

/* NULL: no memory. The caller's to publish or profile_free. */
struct profile *compile_profile(const struct model *m, const struct model_profile *p, const struct compile_slots *slots);

void compile_trunk(const struct model *m, const struct model_trunk *t, const struct number_plan *default_plan,
		   const struct compile_slots *slots, struct trunk *ret);

/* All sources of all trunks; *ret_entries is the caller's to free. 0, -ERR_NOMEM. */
int compile_access(const struct model *m, const struct compile_slots *slots, struct range_entry **ret_entries, size_t *ret_count);

/* All domains; names are the model's. *ret_entries is the caller's to free. 0, -ERR_NOMEM. */
int compile_domains(const struct model *m, const struct compile_slots *slots, struct domain_entry **ret_entries, size_t *ret_count);

/* Does all that compiles compile, without any tables? 0; -ERR_NOMEM with an error. */
int compile_check(const struct model *m, char *error);
