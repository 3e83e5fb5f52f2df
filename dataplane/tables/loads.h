/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How many calls each target has, over all workers, and how many came lately: for limits (max_calls, max_cps) and least_calls.
 *
 * One line per target that every worker counts in, so that a limit is exact however calls fall on workers; leases handed out to workers would strand
 * a part of a small limit with those that have no use for it. Only targets that have a limit, or belong to a least_calls profile, are counted here:
 * no other call touches these lines.
 *
 * A leak would keep a target at its limit for ever. So each worker also writes down how many places it holds itself, counts that again from its own
 * calls and attempts twice a minute (proxy/load.c), and puts what it finds wrong right in both; loads_repair puts right the sum. */

#define LOADS_SLOTS 65536 /* target slots (profile_target.target_slot) */

struct loads;

/* NULL: no memory. control-only */
struct loads *loads_new(uint32_t workers);
void loads_free(struct loads *l);

/* Takes a place for one call; 0: no limit. max_cps: never more than so many were taken in any 1,000 ms; a place is free again after 1,000
 * to 1,050 ms. Two workers that race for the last of max_cps may both be refused; they are never both served. false: the target is at its
 * limit, and nothing was taken. worker-only */
bool loads_take(struct loads *l, uint32_t slot, unsigned worker, uint32_t max_calls, uint32_t max_cps, uint64_t now_ms);
/* Of a call that is there already: only max_calls will know. worker-only */
void loads_adopt(struct loads *l, uint32_t slot, unsigned worker);
/* Gives the place back. worker-only */
void loads_release(struct loads *l, uint32_t slot, unsigned worker);
/* What the worker really holds; the difference goes into the sum too. true: it was wrong. worker-only */
bool loads_correct(struct loads *l, uint32_t slot, unsigned worker, uint32_t held);
/* A call was passed over because of the limit. worker-only */
void loads_passed_over(struct loads *l, uint32_t slot);

/* May loads_take refuse it now? any */
bool loads_full(const struct loads *l, uint32_t slot, uint32_t max_calls, uint32_t max_cps, uint64_t now_ms);
/* Calls that ring or are up. any */
uint32_t loads_calls(const struct loads *l, uint32_t slot);
/* Calls begun within the last second; 0 without a max_cps. any */
uint32_t loads_rate(const struct loads *l, uint32_t slot, uint64_t now_ms);
/* Since the slot was given to its target. any */
uint64_t loads_passed(const struct loads *l, uint32_t slot);

/* Whether calls of the target are to be counted here: those that are up already are then adopted. control-only */
void loads_watch(struct loads *l, uint32_t slot, bool on);
bool loads_watched(const struct loads *l, uint32_t slot);
/* Of any slot. any */
bool loads_any_watched(const struct loads *l);
/* The slot is given to another target. control-only */
void loads_reset(struct loads *l, uint32_t slot);
/* To be called about once a second: where the sum has differed from what the workers hold, by the same number, since the last time, it is put right.
 * true: it was wrong. control-only */
bool loads_repair(struct loads *l, uint32_t slot);
/* For tests: as a stray write would leave it. */
void loads_damage(struct loads *l, uint32_t slot, int64_t calls);
