/* SPDX-License-Identifier: Apache-2.0 */
/* What the control plane reads of running workers: counters, gauges, statistics of targets, calls and their records, traces. */
#include "dataplane_state.h"

#include <rte_cycles.h>

#include "base/err.h"
#include "proxy/trace.h"
#include "records.h"
#include "sip/dialog_hash.h"

const struct counters *dataplane_counters(const struct dataplane *d, unsigned worker)
{
	return worker_counters(d->shared.worker[worker]);
}

void dataplane_gauges(struct dataplane *d, unsigned worker, struct worker_gauges *ret)
{
	const struct worker_published *p = worker_published(d->shared.worker[worker]);
	uint64_t busy = atomic_load_explicit(&p->busy_cycles, memory_order_relaxed);
	uint64_t total = atomic_load_explicit(&p->total_cycles, memory_order_relaxed);
	struct gauge_reading *last = &d->last[worker];

	ret->server_transactions = atomic_load_explicit(&p->server_transactions, memory_order_relaxed);
	ret->client_transactions = atomic_load_explicit(&p->client_transactions, memory_order_relaxed);
	ret->live_calls = atomic_load_explicit(&p->live_calls, memory_order_relaxed);
	ret->records_waiting = atomic_load_explicit(&p->records_waiting, memory_order_relaxed);
	ret->connections = atomic_load_explicit(&p->connections, memory_order_relaxed);
	ret->message_bytes = atomic_load_explicit(&p->message_bytes, memory_order_relaxed);
	ret->busy_permille = total > last->total ? (busy - last->busy) * 1000 / (total - last->total) : 0;
	ret->busy_us = busy / (rte_get_tsc_hz() / 1000000);
	*last = (struct gauge_reading){ busy, total };
}

void dataplane_loop_times(const struct dataplane *d, unsigned worker, struct loop_times *ret)
{
	const struct worker_published *p = worker_published(d->shared.worker[worker]);

	ret->cycles_per_s = rte_get_tsc_hz();
	ret->longest = atomic_load_explicit(&p->longest_turn, memory_order_relaxed);
	for (unsigned i = 0; i < LOOP_BUCKETS; i++)
		ret->turns[i] = atomic_load_explicit(&p->turns[i], memory_order_relaxed);
}

static uint64_t target_sum(const struct dataplane *d, uint32_t slot, enum target_count which)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->shared.workers; i++)
		sum += atomic_load_explicit(&worker_targets(d->shared.worker[i])[slot].count[which], memory_order_relaxed);
	return sum;
}

void dataplane_target_stats(const struct dataplane *d, uint32_t target_slot, struct target_stats *ret)
{
	uint64_t v[TARGET_COUNTS];

	*ret = (struct target_stats){ 0 };
	if (target_slot >= TARGET_SLOTS_MAX)
		return;
	for (unsigned i = 0; i < TARGET_COUNTS; i++)
		v[i] = target_sum(d, target_slot, i) - d->baseline[target_slot][i];
	/* These two are what is, not what was: workers put them right by themselves. */
	v[TARGET_LIVE] = target_sum(d, target_slot, TARGET_LIVE);
	v[TARGET_RINGING] = target_sum(d, target_slot, TARGET_RINGING);
	*ret = (struct target_stats){
		.attempts = v[TARGET_ATTEMPTS],
		.answered = v[TARGET_ANSWERED],
		.rejected = v[TARGET_REJECTED],
		.failed = v[TARGET_FAILED],
		.timeouts = v[TARGET_TIMEOUTS],
		.rescued_away = v[TARGET_RESCUED_AWAY],
		.live = (int64_t)v[TARGET_LIVE] > 0 ? v[TARGET_LIVE] : 0,
		.ringing = (int64_t)v[TARGET_RINGING] > 0 ? v[TARGET_RINGING] : 0,
	};
}

void dataplane_target_stats_reset(struct dataplane *d, uint32_t target_slot)
{
	if (target_slot >= TARGET_SLOTS_MAX)
		return;
	for (unsigned i = 0; i < TARGET_COUNTS; i++)
		d->baseline[target_slot][i] = target_sum(d, target_slot, i);
}

bool dataplane_recount(struct dataplane *d)
{
	bool all = true;

	for (unsigned i = 0; i < d->shared.workers; i++)
		all &= worker_recount(d->shared.worker[i]);
	return all;
}

void dataplane_retries(const struct dataplane *d, uint32_t profile_slot, uint32_t profile_id, struct retry_stats *ret)
{
	*ret = (struct retry_stats){ .window_s = RETRY_WINDOW_S, .floor = RETRY_FLOOR * d->shared.workers };
	for (unsigned i = 0; i < d->shared.workers; i++) {
		struct retry_count c = worker_retries(d->shared.worker[i], profile_slot, profile_id);

		ret->attempts += c.attempts;
		ret->retries += c.retries;
	}
}

uint64_t dataplane_call_hash(const struct dataplane *d, const void *call_id, size_t bytes)
{
	return call_id_hash(&d->shared.call_key, span_of(call_id, (uint32_t)bytes));
}

/* ---- calls */

const struct call_record *dataplane_record_peek(struct dataplane *d)
{
	return records_peek(d->shared.records);
}

void dataplane_record_drop(struct dataplane *d)
{
	records_drop(d->shared.records);
}

int dataplane_calls(struct dataplane *d, unsigned max, unsigned wait_ms,
		    void (*fn)(void *ctx, const struct call_record *record, bool answered), void *ctx)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->shared.workers; i++) {
		const struct call_page *page;
		uint32_t cursor = 0;

		do {
			page = worker_ask_calls(d->shared.worker[i], &cursor, wait_ms);
			if (!page)
				return -ERR_IO;
			for (unsigned k = 0; k < page->count && n < max; k++, n++)
				fn(ctx, &page->record[k], page->answered[k]);
		} while (page->more && n < max);
	}
	return (int)n;
}

int dataplane_connections(struct dataplane *d, unsigned wait_ms, bool (*fn)(void *ctx, unsigned worker, const struct stream_view *view), void *ctx)
{
	for (unsigned i = 0; i < d->shared.workers; i++) {
		const struct connection_page *page;
		uint32_t cursor = 0;

		do {
			page = worker_ask_connections(d->shared.worker[i], &cursor, wait_ms);
			if (!page)
				return -ERR_IO;
			for (unsigned k = 0; k < page->count; k++)
				if (!fn(ctx, i, &page->view[k]))
					return 0;
		} while (page->more);
	}
	return 0;
}

int dataplane_connection_close(struct dataplane *d, uint64_t connection, unsigned wait_ms, struct stream_view *ret)
{
	unsigned worker = connection ? streams_worker_of(connection) : d->shared.workers;
	const struct connection_page *page;

	if (worker >= d->shared.workers)
		return -ERR_NOT_FOUND;
	page = worker_ask_close(d->shared.worker[worker], connection, wait_ms);
	if (!page)
		return -ERR_IO;
	if (!page->count)
		return -ERR_NOT_FOUND;
	*ret = page->view[0];
	return 0;
}

/* Passes one worker's entries on. */
struct trace_reader {
	void (*fn)(void *ctx, unsigned worker, uint64_t time_ms, bool outgoing, const struct flow *flow, const uint8_t *message,
		   uint32_t kept, uint32_t len);
	void *ctx;
	unsigned worker;
};

static void trace_entry_out(void *ctx, const struct trace_entry *e, const uint8_t *message)
{
	const struct trace_reader *r = ctx;
	struct flow flow = { .remote = e->remote, .local = e->local, .transport = e->transport };

	r->fn(r->ctx, r->worker, e->time_ms, e->direction == TRACE_OUT, &flow, message, e->kept, e->len);
}

unsigned dataplane_trace(const struct dataplane *d, uint64_t call_hash,
			 void (*fn)(void *ctx, unsigned worker, uint64_t time_ms, bool outgoing, const struct flow *flow,
				    const uint8_t *message, uint32_t kept, uint32_t len),
			 void *ctx)
{
	struct trace_reader r = { fn, ctx, 0 };
	unsigned n = 0;

	for (; r.worker < d->shared.workers; r.worker++) {
		const struct trace *t = worker_trace(d->shared.worker[r.worker]);

		n += t ? trace_read(t, call_hash, trace_entry_out, &r) : 0;
	}
	return n;
}

unsigned dataplane_trace_one_in(const struct dataplane *d, uint64_t call_hash)
{
	const struct trace *t = worker_trace(d->shared.worker[proxy_call_owner(call_hash, d->shared.workers)]);

	return t && !trace_keeps(t, call_hash) ? trace_one_in(t) : 1;
}
