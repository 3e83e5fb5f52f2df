/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Slots on their way out. A reader may have taken a slot's number from one table (number -> profile, profile -> endpoint) just before it was
 * unpublished there, and look it up in the next table just after: so a slot that nothing names any more stays filled for a grace period, and
 * only then is it emptied. control-only */

struct removals;
struct tables;

enum removal_kind { REMOVAL_TRUNK, REMOVAL_PROFILE, REMOVAL_ENDPOINT };

#define REMOVALS_NONE UINT32_MAX

/* NULL: no memory. */
struct removals *removals_new(struct tables *t);
/* What still waits is emptied by the epoch all the same. */
void removals_free(struct removals *r);

/* Nothing that is published names the slot any more. id: of a trunk, for removals_revive. */
void removals_add(struct removals *r, enum removal_kind kind, uint32_t slot, uint32_t id);

/* The slot of a trunk that waits to be removed: it stays, for the trunk to be published in it again. REMOVALS_NONE: none waits. */
uint32_t removals_revive(struct removals *r, uint32_t trunk_id);
