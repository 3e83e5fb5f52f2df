/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

/* Buffers at hand for what is sent next: those that what was received came in, and the pool's where they do not suffice. One per worker. */

#define SPARES_KEPT    64
#define SPARES_AT_ONCE 8 /* taken from the pool */

struct spares {
	struct rte_mempool *pool;
	uint32_t count;
	struct rte_mbuf *mbufs[SPARES_KEPT]; /* empty, of one segment, nobody else's; the last one is the next */
	uint32_t fetched_count;
	struct rte_mbuf *fetched[SPARES_AT_ONCE]; /* taken from the pool ahead, as they lay there: what is written of them has been asked for meanwhile */
};

/* Makes count more than 0, or returns -ERR_NOMEM: the pool has none left. worker-only */
int spares_fill(struct spares *s);

/* Takes n buffers over that nobody reads any more: keeps those that can be sent from as long as there is room, gives back the others, chained,
 * shared or another pool's. worker-only */
void spares_take(struct spares *s, struct rte_mbuf *const *mbufs, unsigned n);

/* Gives all back. worker-only */
void spares_done(struct spares *s);
