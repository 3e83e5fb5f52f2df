/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The only wrapper of rte_rcu_qsbr: one variable for all tables. Readers are the workers (index 0..workers-1); the one writer is
 * the control thread. Nothing here blocks: a grace period is started, and later asked after. */

struct epoch;

/* NULL: no memory. control-only */
struct epoch *epoch_new(unsigned workers);
/* Frees everything still retired; the workers have stopped. control-only */
void epoch_free(struct epoch *e);

/* Enter and leave the set of readers; offline around a nap. worker-only */
void epoch_online(struct epoch *e, unsigned worker);
void epoch_offline(struct epoch *e, unsigned worker);
/* Once per loop turn: this worker holds no pointer from any table. worker-only */
void epoch_quiescent(struct epoch *e, unsigned worker);

/* Hands over something already unpublished; release(object) runs from a later epoch_reclaim, when no reader can hold it. Never
 * fails (an internal list grows). control-only */
void epoch_retire(struct epoch *e, void *object, void (*release)(void *object));
/* Releases what may be released; returns how many are still waiting. Call it from the control loop. control-only */
uint32_t epoch_reclaim(struct epoch *e);

/* Takes every worker offline and releases everything retired, for tables that are about to be freed; the workers have stopped.
 * control-only */
void epoch_flush(struct epoch *e);
