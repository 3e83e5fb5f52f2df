/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The table behind STRATEGY_WEIGHTED: slots dealt out to weighted targets, each share exact to one slot, such that a change of weights or
 * targets moves few slots beyond those that must move. Same input, same table, on any node. */

#define MAGLEV_NONE 0xff

struct maglev_target {
	uint32_t stable_id; /* same on every node */
	uint16_t weight;    /* 0: no slot */
};

/* The table's size for that many targets; a prime. any */
uint32_t maglev_size(unsigned targets);

/* Writes an index of targets (at most 32) into each of the `size` slots of table (a prime at most PROFILE_TABLE_MAX), MAGLEV_NONE where
 * no target has weight. control-only */
void maglev_fill(uint8_t *table, uint32_t size, const struct maglev_target *targets, unsigned count);
