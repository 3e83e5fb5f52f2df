/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct worker;

/* The worker's own loop, one turn at a time and by a clock that the benchmark moves: what is timed is what runs in strowgerd. */

/* Simulated time, for both workers. */
void turn_clock_set(uint64_t ns);
uint64_t turn_clock(void);

/* One turn: receive, own, act, send. Returns how much it did. */
unsigned turn_run(struct worker *w);
/* The same, by the name that a profiler is told to count in. */
unsigned turn_measured(struct worker *w);
