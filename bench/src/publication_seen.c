/* SPDX-License-Identifier: Apache-2.0 */
#include "publication.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "base/log_linear.h"
#include "error.h"
#include "model/publish.h"
#include "routing.h"
#include "sip/number.h"
#include "tables/numbers.h"
#include "tables/tables.h"
#include "turn.h"
#include "worker_state.h"
#include "world.h"

#define BITS	3
#define BUCKETS 400
#define AWAY_US 100

/* A change, as its maker tells the lookers of it: first what, then in force, then when that was. */
struct told {
	_Atomic(uint64_t) number, serial;
	_Atomic(uint64_t) done_tsc; /* 0: not yet in force */
	_Atomic(uint32_t) slot;
	_Atomic(bool) stop;
};

struct looker {
	struct world *world;
	struct worker *worker;
	struct told *told;
	pthread_t thread;
	_Atomic(uint64_t) seen; /* serial of the last change that it saw */
	uint64_t looked, late, away, longest, bucket[BUCKETS];
	uint64_t last_tsc, away_tsc; /* the end of the last look; a look that comes later than this behind it: the thread was not let run */
};

static void look(struct looker *l, uint64_t began)
{
	uint64_t serial = atomic_load_explicit(&l->told->serial, memory_order_acquire), done, now, last = l->last_tsc;
	struct number_match match;

	l->last_tsc = rte_rdtsc();

	if (serial == atomic_load_explicit(&l->seen, memory_order_relaxed))
		return;
	done = atomic_load_explicit(&l->told->done_tsc, memory_order_acquire);
	match = numbers_lookup(l->world->shared->tables->numbers, atomic_load_explicit(&l->told->number, memory_order_relaxed));
	now = rte_rdtsc_precise();
	l->looked++;
	if (match.profile_slot != atomic_load_explicit(&l->told->slot, memory_order_relaxed)) {
		l->late += done && done < began;
		return;
	}
	if (!done)
		return; /* seen before its maker knows: counted when he does */
	if (last && now - last > l->away_tsc)
		l->away++;
	else
		l->bucket[log_linear_bucket(now > done ? now - done : 0, BITS)]++;
	l->longest = now > done && now - done > l->longest ? now - done : l->longest;
	atomic_store_explicit(&l->seen, serial, memory_order_release);
}

static void *turn_and_look(void *ctx)
{
	struct looker *l = ctx;

	while (!atomic_load_explicit(&l->told->stop, memory_order_relaxed)) {
		uint64_t began = rte_rdtsc_precise();

		turn_run(l->worker);
		look(l, began);
	}
	return NULL;
}

static bool all_saw(const struct looker *l, unsigned n, uint64_t serial)
{
	for (unsigned i = 0; i < n; i++)
		if (atomic_load_explicit(&l[i].seen, memory_order_acquire) != serial)
			return false;
	return true;
}

static int change_all(struct routing *r, struct told *told, const struct looker *lookers, unsigned workers, uint32_t changes, uint32_t per_s)
{
	uint64_t hz = rte_get_tsc_hz(), begun = rte_rdtsc(), patience = hz * 10;
	char profile[8], error[ERROR_TEXT_MAX] = "";

	for (uint64_t i = 1; i <= changes; i++) {
		uint64_t due = begun + i * hz / per_s, asked;
		unsigned p = (unsigned)(i % PROFILES);
		char text[24];
		e164 number;

		snprintf(text, sizeof(text), "%llu", OUR_NUMBERS + i % 1000);
		snprintf(profile, sizeof(profile), "p%u", p);
		e164_parse(span_str(text), &number);
		atomic_store_explicit(&told->done_tsc, 0, memory_order_relaxed);
		atomic_store_explicit(&told->number, number, memory_order_relaxed);
		atomic_store_explicit(&told->slot, publish_profile_slot(r->publisher, model_profile(r->model, profile)->id), memory_order_relaxed);
		while (rte_rdtsc() < due)
			;
		/* The same number comes again with every thousandth change, and then leads elsewhere: 1000 is no multiple of ten profiles plus one. */
		atomic_store_explicit(&told->serial, i, memory_order_release);
		if (routing_set_number(r, number, false, profile, error)) {
			fprintf(stderr, "publication: %s\n", error);
			return -1;
		}
		atomic_store_explicit(&told->done_tsc, rte_rdtsc_precise(), memory_order_release);
		for (asked = rte_rdtsc(); !all_saw(lookers, workers, i);)
			if (rte_rdtsc() - asked > patience) {
				fprintf(stderr, "publication: change %llu was not seen within 10 s\n", (unsigned long long)i);
				return -1;
			}
	}
	return 0;
}

int publication_seen(struct world *w, struct routing *r, uint32_t changes, uint32_t per_s, struct seen *ret)
{
	static struct looker lookers[WORLD_WORKERS_MAX];
	static uint64_t all[BUCKETS];
	struct told told = { .serial = 0 };
	double ns = 1e9 / (double)rte_get_tsc_hz();
	uint64_t begun = rte_rdtsc(), longest = 0;
	int rc;

	for (unsigned i = 0; i < w->config.workers; i++) {
		lookers[i] = (struct looker){ .world = w, .worker = w->worker[i], .told = &told,
					       .away_tsc = rte_get_tsc_hz() * AWAY_US / 1000000 };
		if (pthread_create(&lookers[i].thread, NULL, turn_and_look, &lookers[i]))
			return -1;
	}
	rc = change_all(r, &told, lookers, w->config.workers, changes, per_s);
	atomic_store(&told.stop, true);
	*ret = (struct seen){ .changes = changes, .per_s = changes / ((double)(rte_rdtsc() - begun) * ns * 1e-9) };
	for (unsigned i = 0; i < w->config.workers; i++) {
		pthread_join(lookers[i].thread, NULL);
		ret->looked += lookers[i].looked;
		ret->late += lookers[i].late;
		ret->away += lookers[i].away;
		longest = lookers[i].longest > longest ? lookers[i].longest : longest;
		for (unsigned k = 0; k < BUCKETS; k++)
			all[k] += lookers[i].bucket[k];
	}
	ret->p50_ns = (uint64_t)((double)log_linear_quantile(all, BUCKETS, BITS, 500000) * ns);
	ret->p99_ns = (uint64_t)((double)log_linear_quantile(all, BUCKETS, BITS, 990000) * ns);
	ret->longest_ns = (uint64_t)((double)longest * ns);
	return rc;
}
