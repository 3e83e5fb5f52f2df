/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "tables/select.h"

/* Internal to select.c (who can take the call at all, endpoints within a target, tiers) and select_order.c (the strategies). */

#define GOLDEN 0x9e3779b97f4a7c15ULL

/* What one call of select_next looks at. */
struct choice {
	const struct profile *profile;
	const struct endpoints *endpoints;
	const struct endpoint_live *live; /* theirs, by slot */
	uint32_t live_count;
	uint64_t now_ms;
	uint64_t out_ms; /* ejections that end by then do not count: now_ms, but for the last resort */
	struct selection_state *state;
	uint32_t within;      /* bit per target: those that may be chosen now (a tier) */
	const uint8_t *table; /* the weighted table of those */
	uint32_t table_size;
	bool first; /* the call's first attempt, and any transport will do: nothing but an endpoint's live state says whether it may have it */
	bool whole; /* endpoints on their ramps may have every call: there is no other to send it to */
};

/* ---- select.c */
/* A bit per target whose configuration and limits let it take the call, but for those that are refused. */
uint32_t choice_opens(const struct choice *c, uint32_t refused);
/* They let this one, and it has an untried endpoint that is up. */
bool choice_usable(const struct choice *c, unsigned target);
/* A bit per target within of which that is so. */
uint32_t choice_usables(const struct choice *c);
/* A bit per untried usable endpoint of the lowest priority that has one. */
uint64_t choice_group(const struct choice *c, const struct profile_target *t);
/* Picks an endpoint of the target and notes it. false: it has none left. */
bool choice_take(const struct choice *c, unsigned target, struct selection *ret);

/* ---- select_order.c */
/* The next target by the profile's strategy, among those within. false: none is left. */
bool order_next(const struct choice *c, struct selection *ret);
