/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* What one worker has seen of one target; one writer, read by the control thread. Wraps like the counters. */

#define TARGET_CELLS 65536

enum target_count {
	TARGET_ATTEMPTS,
	TARGET_ANSWERED,
	TARGET_REJECTED, /* a final answer that stands: 486, 404 ... */
	TARGET_FAILED,	 /* a retry code or a broken transport */
	TARGET_TIMEOUTS,
	TARGET_RESCUED_AWAY, /* calls that another target answered after this one failed them */
	TARGET_LIVE,	     /* goes up and down */
	TARGET_RINGING,	     /* goes up and down */
	TARGET_COUNTS
};

struct target_cell {
	_Alignas(64) _Atomic(uint64_t) count[TARGET_COUNTS];
};

static inline void target_add(struct target_cell *cells, uint32_t slot, enum target_count which, int64_t n)
{
	_Atomic(uint64_t) *v;

	if (slot >= TARGET_CELLS)
		return;
	v = &cells[slot].count[which];
	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + (uint64_t)n, memory_order_relaxed);
}
