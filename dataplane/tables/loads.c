/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/loads.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A second is counted in 20 parts; those of the last second, and the one that has begun, lie in 21 of the 32 places. */
#define PART_MS	      50
#define PARTS_COUNTED 21
#define PARTS	      32

struct load {
	_Alignas(64) _Atomic(int64_t) calls; /* signed: what is wrong may be too little, until it is put right */
	_Atomic(uint64_t) passed;
	_Atomic(bool) watched;
	int64_t off; /* control's: by how much the sum was wrong when it last looked */
	_Alignas(64) _Atomic(uint64_t) part[PARTS]; /* which part of time << 32 | calls begun in it */
};

struct loads {
	void *memory;
	struct load *at;
	uint32_t workers;
	_Atomic(uint32_t) watched; /* how many are */
	_Atomic(uint32_t) *held; /* by worker, then slot; one writer each */
};

struct loads *loads_new(uint32_t workers)
{
	struct loads *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->workers = workers ? workers : 1;
	/* Zeroed and, at this size, from the system: pages that no limited target needs are never touched. */
	l->memory = calloc(LOADS_SLOTS + 1, sizeof(l->at[0]));
	l->held = calloc((size_t)l->workers * LOADS_SLOTS, sizeof(l->held[0]));
	if (!l->memory || !l->held) {
		loads_free(l);
		return NULL;
	}
	l->at = (struct load *)(((uintptr_t)l->memory + 63) & ~(uintptr_t)63);
	return l;
}

void loads_free(struct loads *l)
{
	if (!l)
		return;
	free(l->memory);
	free(l->held);
	free(l);
}

static void held_add(struct loads *l, uint32_t slot, unsigned worker, int32_t n)
{
	_Atomic(uint32_t) *held = &l->held[(size_t)worker * LOADS_SLOTS + slot];

	atomic_store_explicit(held, atomic_load_explicit(held, memory_order_relaxed) + (uint32_t)n, memory_order_relaxed);
}

static uint32_t rate(const struct load *at, uint64_t part)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < PARTS_COUNTED; i++) {
		uint64_t v = atomic_load(&at->part[(part - i) % PARTS]);

		if (v >> 32 == (uint32_t)(part - i))
			sum += (uint32_t)v;
	}
	return sum;
}

/* Into the part that has begun; n is 1, or -1 to take it back. */
static void part_add(struct load *at, uint64_t part, int n)
{
	_Atomic(uint64_t) *cell = &at->part[part % PARTS];
	uint64_t was = atomic_load(cell), is;

	do {
		if (was >> 32 == (uint32_t)part)
			is = was + (uint64_t)(int64_t)n;
		else if (n > 0)
			is = part << 32 | 1;
		else
			return; /* time has come round: there is nothing to take back */
	} while (!atomic_compare_exchange_weak(cell, &was, is));
}

/* Counted first and looked at then: of two that race for the last place, the later one to count sees both. */
static bool rate_take(struct load *at, uint32_t max_cps, uint64_t now_ms)
{
	uint64_t part = now_ms / PART_MS;

	part_add(at, part, 1);
	if (rate(at, part) <= max_cps)
		return true;
	part_add(at, part, -1);
	return false;
}

bool loads_take(struct loads *l, uint32_t slot, unsigned worker, uint32_t max_calls, uint32_t max_cps, uint64_t now_ms)
{
	struct load *at = &l->at[slot];
	int64_t calls = atomic_load_explicit(&at->calls, memory_order_relaxed);

	do {
		if (max_calls && calls >= (int64_t)max_calls)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&at->calls, &calls, calls + 1, memory_order_relaxed, memory_order_relaxed));
	if (max_cps && !rate_take(at, max_cps, now_ms)) {
		atomic_fetch_sub_explicit(&at->calls, 1, memory_order_relaxed);
		return false;
	}
	held_add(l, slot, worker, 1);
	return true;
}

void loads_adopt(struct loads *l, uint32_t slot, unsigned worker)
{
	atomic_fetch_add_explicit(&l->at[slot].calls, 1, memory_order_relaxed);
	held_add(l, slot, worker, 1);
}

void loads_release(struct loads *l, uint32_t slot, unsigned worker)
{
	atomic_fetch_sub_explicit(&l->at[slot].calls, 1, memory_order_relaxed);
	held_add(l, slot, worker, -1);
}

bool loads_correct(struct loads *l, uint32_t slot, unsigned worker, uint32_t held)
{
	_Atomic(uint32_t) *cell = &l->held[(size_t)worker * LOADS_SLOTS + slot];
	int64_t off = (int64_t)held - (int32_t)atomic_load_explicit(cell, memory_order_relaxed);

	if (!off)
		return false;
	atomic_store_explicit(cell, held, memory_order_relaxed);
	atomic_fetch_add_explicit(&l->at[slot].calls, off, memory_order_relaxed);
	return true;
}

void loads_passed_over(struct loads *l, uint32_t slot)
{
	atomic_fetch_add_explicit(&l->at[slot].passed, 1, memory_order_relaxed);
}

bool loads_full(const struct loads *l, uint32_t slot, uint32_t max_calls, uint32_t max_cps, uint64_t now_ms)
{
	const struct load *at = &l->at[slot];

	if (max_calls && atomic_load_explicit(&at->calls, memory_order_relaxed) >= (int64_t)max_calls)
		return true;
	return max_cps && rate(at, now_ms / PART_MS) >= max_cps;
}

uint32_t loads_calls(const struct loads *l, uint32_t slot)
{
	int64_t calls = atomic_load_explicit(&l->at[slot].calls, memory_order_relaxed);

	return calls > 0 ? (uint32_t)calls : 0;
}

uint32_t loads_rate(const struct loads *l, uint32_t slot, uint64_t now_ms)
{
	return rate(&l->at[slot], now_ms / PART_MS);
}

uint64_t loads_passed(const struct loads *l, uint32_t slot)
{
	return atomic_load_explicit(&l->at[slot].passed, memory_order_relaxed);
}

void loads_watch(struct loads *l, uint32_t slot, bool on)
{
	/* Without a store where nothing changes: most slots' pages are never touched. */
	if (loads_watched(l, slot) == on)
		return;
	atomic_store_explicit(&l->at[slot].watched, on, memory_order_relaxed);
	atomic_fetch_add_explicit(&l->watched, on ? 1 : UINT32_MAX, memory_order_relaxed);
}

bool loads_any_watched(const struct loads *l)
{
	return atomic_load_explicit(&l->watched, memory_order_relaxed) != 0;
}

bool loads_watched(const struct loads *l, uint32_t slot)
{
	return atomic_load_explicit(&l->at[slot].watched, memory_order_relaxed);
}

void loads_reset(struct loads *l, uint32_t slot)
{
	if (loads_passed(l, slot))
		atomic_store_explicit(&l->at[slot].passed, 0, memory_order_relaxed);
	loads_watch(l, slot, false);
}

bool loads_repair(struct loads *l, uint32_t slot)
{
	struct load *at = &l->at[slot];
	int64_t held = 0, off;

	for (uint32_t w = 0; w < l->workers; w++)
		held += (int32_t)atomic_load_explicit(&l->held[(size_t)w * LOADS_SLOTS + slot], memory_order_relaxed);
	off = atomic_load_explicit(&at->calls, memory_order_relaxed) - held;
	/* A worker between its two stores makes a difference too, for some nanoseconds: it is not there the next time. */
	if (off && off == at->off) {
		atomic_fetch_sub_explicit(&at->calls, off, memory_order_relaxed);
		at->off = 0;
		return true;
	}
	if (off != at->off)
		at->off = off;
	return false;
}

void loads_damage(struct loads *l, uint32_t slot, int64_t calls)
{
	atomic_store_explicit(&l->at[slot].calls, calls, memory_order_relaxed);
}
