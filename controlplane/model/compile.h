/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct domain_entry;
struct loads;
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
	const char *region;  /* the node's own; NULL or empty: none */
	struct loads *loads; /* where limited targets are counted; NULL: no limit holds */
};

/* NULL: no memory. The caller's to publish or profile_free. */
struct profile *compile_profile(const struct model *m, const struct model_profile *p, const struct compile_slots *slots);

/* Which tier a target belongs to, 0 being the nearest: the node's region first, then the profile's regions in their order; what they do not name is where
 * "*" stands among them, else behind all. */
unsigned compile_tier(const struct model_profile *p, const char *node_region, const char *target_region);

void compile_trunk(const struct model *m, const struct model_trunk *t, const struct number_plan *default_plan,
		   const struct compile_slots *slots, struct trunk *ret);

/* All sources of all trunks; *ret_entries is the caller's to free. 0, -ERR_NOMEM. */
int compile_access(const struct model *m, const struct compile_slots *slots, struct range_entry **ret_entries, size_t *ret_count);

/* All domains; names are the model's. *ret_entries is the caller's to free. 0, -ERR_NOMEM. */
int compile_domains(const struct model *m, const struct compile_slots *slots, struct domain_entry **ret_entries, size_t *ret_count);

/* Does all that compiles compile, without any tables? 0; -ERR_NOMEM with an error. */
int compile_check(const struct model *m, char *error);
