/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic(uint64_t) now_ns;

/* Reads the real clock too: what that costs belongs to a turn. */
static int simulated_clock(clockid_t id, struct timespec *t)
{
	uint64_t ns = atomic_load_explicit(&now_ns, memory_order_relaxed);

	clock_gettime(id, t);
	t->tv_sec = (time_t)(ns / 1000000000);
	t->tv_nsec = (long)(ns % 1000000000);
	return 0;
}

/* The loop is private to worker.c, and so it is to stay: it is compiled here once more, with the other clock. */
#define clock_gettime simulated_clock
#include "worker.c"
#undef clock_gettime

void turn_clock_set(uint64_t ns)
{
	atomic_store_explicit(&now_ns, ns, memory_order_relaxed);
}

uint64_t turn_clock(void)
{
	return atomic_load_explicit(&now_ns, memory_order_relaxed);
}

/* No tail call: what is below belongs to the function that was called. */
static unsigned one_turn(struct worker *w)
{
	unsigned work = turn(w);

	__asm__ volatile("" : "+r"(work));
	return work;
}

unsigned turn_run(struct worker *w)
{
	return one_turn(w);
}

unsigned __attribute__((noinline)) turn_measured(struct worker *w)
{
	return one_turn(w);
}
