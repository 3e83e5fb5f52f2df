/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proxy/state.h"

/* What each target has to do with this worker: calls that ring there, calls that are up, and the places that they hold in the loads that
 * all workers share (tables/loads.h). Counted as it changes, and counted anew twice a minute from the attempts and live calls
 * themselves, some at a time: what a bug or a stray write made of a count lasts no longer than that. worker-only, all of these */

struct sweep;

/* NULL: no memory. control-only */
struct sweep *sweep_new(struct proxy *p);
void sweep_free(struct sweep *s);
/* Its timer fired. */
void sweep_fired(struct proxy *p);

/* A place for the call at that target, which is a counted one. false: it is at its limit. */
bool load_take(struct proxy *p, const struct context *c, const struct profile *profile, unsigned target);
/* The place was not used. */
void load_put(struct proxy *p, const struct profile *profile, unsigned target);

/* The attempt has begun; held: it has a place. */
void load_rings(struct proxy *p, struct attempt *a, bool held);
/* It rings no more (attempt_settle), but keeps its place. */
void load_settled(struct proxy *p, struct attempt *a);
/* Its target has nothing to do with the call any more. */
void load_left(struct proxy *p, struct attempt *a);
/* The attempt's target has the call: the place goes over to the live call. */
void load_answered(struct proxy *p, struct attempt *a, struct live_call *call);
/* The answered call has ended; its place is given back by load_flush. */
void load_ended(struct proxy *p, struct live_call *call);
/* What was composed so far has left: called once a turn. */
void load_flush(struct proxy *p);

/* ---- the retry budget (budget.c) */
/* An attempt begins; retry: it counts against the budget. */
void budget_note(struct proxy *p, const struct context *c, bool retry);
/* May another retry begin within the profile's budget? */
bool budget_allows(const struct proxy *p, const struct context *c);
