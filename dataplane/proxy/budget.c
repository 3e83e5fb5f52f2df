/* SPDX-License-Identifier: Apache-2.0 */
/* The retry budget of a profile: what share of its attempts in the last seconds may have been retries. Each worker keeps to the share by itself, and
 * so all of them do. */
#include <stdatomic.h>

#include "proxy/load.h"
#include "tables/loads.h"

/* The part of the window that this second is; cleared when another second was there before. */
static struct retry_part *part_now(struct proxy *p, const struct context *c)
{
	struct retry_window *w = &p->retries[c->profile_slot];
	uint64_t second = p->now_ms / 1000;
	struct retry_part *part = &w->part[second % RETRY_WINDOW_S];

	if (atomic_load_explicit(&w->profile_id, memory_order_relaxed) != c->profile_id) {
		for (unsigned i = 0; i < RETRY_WINDOW_S; i++)
			atomic_store_explicit(&w->part[i].second, 0, memory_order_relaxed);
		atomic_store_explicit(&w->profile_id, c->profile_id, memory_order_relaxed);
	}
	if (atomic_load_explicit(&part->second, memory_order_relaxed) != second) {
		atomic_store_explicit(&part->attempts, 0, memory_order_relaxed);
		atomic_store_explicit(&part->retries, 0, memory_order_relaxed);
		atomic_store_explicit(&part->second, second, memory_order_relaxed);
	}
	return part;
}

static void add(_Atomic(uint32_t) *v)
{
	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + 1, memory_order_relaxed);
}

void budget_note(struct proxy *p, const struct context *c, bool retry)
{
	struct retry_part *part = part_now(p, c);

	add(&part->attempts);
	if (retry)
		add(&part->retries);
}

struct retry_count proxy_retries(const struct proxy *p, uint32_t profile_slot, uint32_t profile_id, uint64_t now_ms)
{
	struct retry_count sum = { 0 };
	const struct retry_window *w = &p->retries[profile_slot];
	uint64_t second = now_ms / 1000;

	if (atomic_load_explicit(&w->profile_id, memory_order_relaxed) != profile_id)
		return sum;
	for (unsigned i = 0; i < RETRY_WINDOW_S; i++) {
		uint64_t at = atomic_load_explicit(&w->part[i].second, memory_order_relaxed);

		if (at > second || at + RETRY_WINDOW_S <= second)
			continue;
		sum.attempts += atomic_load_explicit(&w->part[i].attempts, memory_order_relaxed);
		sum.retries += atomic_load_explicit(&w->part[i].retries, memory_order_relaxed);
	}
	return sum;
}

bool budget_allows(const struct proxy *p, const struct context *c)
{
	struct retry_count had = proxy_retries(p, c->profile_slot, c->profile_id, p->now_ms);

	return had.retries < RETRY_FLOOR || (had.retries + 1) * 100 <= (uint64_t)c->knobs.retry_budget * (had.attempts + 1);
}
