/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct routing;
struct world;

#define PROFILES     10 /* p0 ... p9, that numbers move between */
#define OUR_NUMBERS  443000000000ull

/* How soon a change is seen by workers that turn on threads of their own. */
struct seen {
	uint64_t changes, looked; /* times that a worker looked, after a turn */
	uint64_t late;		  /* looked after a turn that began behind the change, and still saw what was before it */
	uint64_t away;		  /* seen behind 100 us in which the worker's thread was not let run: not in p50 and p99 */
	uint64_t p50_ns, p99_ns, longest_ns; /* from the change's end to its being seen */
	double per_s;
};

/* Moves `changes` numbers, so many a second, while each of the world's workers turns and looks the last one up. 0, or -1 with a line on stderr. */
int publication_seen(struct world *w, struct routing *r, uint32_t changes, uint32_t per_s, struct seen *ret);
