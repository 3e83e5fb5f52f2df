/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <time.h>

/* UNIX time in ms, as operators read it. Whatever waits or lasts goes by the monotonic clock (dataplane_now_ms). */

static inline int64_t wall_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* any */
static inline uint64_t wall_ms(void)
{
	return (uint64_t)(wall_ns(CLOCK_REALTIME) / 1000000);
}

#define WALL_PAUSE_NS 50000 /* between two readings of clocks: more, and this thread was stopped there */

/* What is to be added to a time of the monotonic clock in ms, past or to come. From nanoseconds: of two clocks cut to ms the difference would be now one, now
 * another, and the time of the same event with it. any */
static inline uint64_t wall_offset_ms(void)
{
	int64_t before, wall, pause;
	unsigned tries = 0;

	do {
		before = wall_ns(CLOCK_MONOTONIC);
		wall = wall_ns(CLOCK_REALTIME);
		pause = wall_ns(CLOCK_MONOTONIC) - before;
	} while (pause > WALL_PAUSE_NS && ++tries < 8);
	return (uint64_t)((wall - before - pause / 2 + 500000) / 1000000);
}
