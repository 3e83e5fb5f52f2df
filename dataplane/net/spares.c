/* SPDX-License-Identifier: Apache-2.0 */
#include "net/spares.h"

#include <rte_mbuf.h>

#include "base/err.h"
#include "base/prefetch.h"

#define PART 32 /* given back */

/* The next ones. Whoever sent them last is long gone, and so are their headers from the caches; another core may have them. */
static void fetch(struct spares *s)
{
	if (unlikely(rte_mempool_get_bulk(s->pool, (void **)s->fetched, SPARES_AT_ONCE)))
		return;
	s->fetched_count = SPARES_AT_ONCE;
	for (unsigned i = 0; i < SPARES_AT_ONCE; i++) {
		prefetch_owned(&s->fetched[i]->cacheline0);
		prefetch_owned(&s->fetched[i]->cacheline1);
	}
}

int spares_fill(struct spares *s)
{
	if (s->count)
		return 0;
	if (unlikely(!s->fetched_count))
		fetch(s);
	if (likely(s->fetched_count)) {
		for (unsigned i = 0; i < SPARES_AT_ONCE; i++) {
			rte_pktmbuf_reset(s->fetched[i]);
			s->mbufs[i] = s->fetched[i];
		}
		s->count = SPARES_AT_ONCE;
		s->fetched_count = 0;
		fetch(s);
		return 0;
	}
	s->mbufs[0] = rte_pktmbuf_alloc(s->pool);
	s->count = s->mbufs[0] != NULL;
	return s->count ? 0 : -ERR_NOMEM;
}

/* Of the pool, in one piece, and nobody else's. */
static inline bool is_ours(const struct rte_mbuf *m, const struct rte_mempool *pool)
{
	return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && m->pool == pool && RTE_MBUF_DIRECT(m);
}

static __attribute__((noinline)) void give_back(struct rte_mbuf *const *mbufs, unsigned n)
{
	struct rte_mbuf *part[PART];

	for (unsigned at = 0; at < n; at += PART) {
		unsigned count = RTE_MIN(n - at, (unsigned)PART);

		memcpy(part, mbufs + at, count * sizeof(part[0]));
		rte_pktmbuf_free_bulk(part, count);
	}
}

void spares_take(struct spares *s, struct rte_mbuf *const *mbufs, unsigned n)
{
	const struct rte_mempool *pool = s->pool;
	uint32_t count = s->count, room = RTE_MIN(n, SPARES_KEPT - count);

	for (unsigned i = 0; i < room; i++) {
		struct rte_mbuf *m = mbufs[i];

		if (unlikely(!is_ours(m, pool))) {
			give_back(&m, 1);
			continue;
		}
		/* What is sent from looks at nothing else that whoever received has written; the lengths are written then. */
		m->data_off = RTE_PKTMBUF_HEADROOM;
		m->ol_flags = 0;
		m->tx_offload = 0;
		s->mbufs[count++] = m;
	}
	s->count = count;
	if (room < n)
		give_back(mbufs + room, n - room);
}

void spares_done(struct spares *s)
{
	rte_pktmbuf_free_bulk(s->mbufs, s->count);
	rte_mempool_put_bulk(s->pool, (void *const *)s->fetched, s->fetched_count);
	s->count = s->fetched_count = 0;
}
