/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* When something is started: evenly, at a rate. Times in ticks since the beginning; reads no clock. */

#define PACE_BURST 32 /* starts in one turn */

struct pace {
	double interval; /* ticks per start */
	double base;	 /* ticks after the beginning at which start 0 was due */
	double most;	 /* starts that may be owed: the rest is left out */
	double gather;	 /* ticks between turns that start something: what is due meanwhile starts together. 0: each when it is due */
	double gathered; /* when one last did */
	uint64_t made, skipped, held_back; /* started, by the caller's count; left out; left out as the wire was full */
	bool full; /* the wire was, in this turn or the one before */
};

/* How many starts are due, PACE_BURST at most. */
static inline unsigned pace_owed(struct pace *p, uint64_t elapsed)
{
	double n = ((double)elapsed - p->base) / p->interval - (double)p->made;

	if (n > p->most) {
		*(p->full ? &p->held_back : &p->skipped) += (uint64_t)(n - p->most);
		p->base += (n - p->most) * p->interval;
		n = p->most;
	}
	if (n < 1 || (double)elapsed - p->gathered < p->gather)
		return 0;
	if (n > PACE_BURST)
		return PACE_BURST; /* and the rest in the next turns */
	p->gathered = (double)elapsed;
	return (unsigned)n;
}
