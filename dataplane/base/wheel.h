/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A hierarchical timing wheel (Varghese and Lauck 1987): 1 ms ticks, add and cancel O(1). One owner thread; reads no clock. */

struct wheel;

/* Embedded in whatever wants waking; zeroed, it is idle. `kind` is the owner's, to find the object that embeds it. */
struct wheel_timer {
	struct wheel_timer *next;
	struct wheel_timer **prev_next; /* NULL: idle */
	uint64_t due_ms;
	uint32_t kind;
};

/* A wheel whose time is now_ms. NULL: no memory. control-only */
struct wheel *wheel_new(uint64_t now_ms);
void wheel_free(struct wheel *w);

static inline bool wheel_timer_armed(const struct wheel_timer *t)
{
	return t->prev_next != 0;
}

/* (Re)arms t for due_ms; a time that has passed fires at the next advance. worker-only */
void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t due_ms);

/* Idle ones are left alone: most that are cancelled are. worker-only */
static inline void wheel_cancel(struct wheel_timer *t)
{
	if (!t->prev_next)
		return;
	*t->prev_next = t->next;
	if (t->next)
		t->next->prev_next = t->prev_next;
	t->prev_next = 0;
}

/* Brings what wheel_cancel will write, besides the timer, into the cache. worker-only */
static inline void wheel_prefetch_cancel(const struct wheel_timer *t)
{
	if (!t->prev_next)
		return;
	__builtin_prefetch(t->prev_next, 1);
	__builtin_prefetch(t->next, 1); /* NULL is ignored */
}

/* Moves time to now_ms and hands the timers that are due, disarmed and in order of their ticks, to fire. fire may arm and cancel any timer.
 * Some only, where very many are due at once (16 of one ms): wheel_next_due is not after now_ms then, and the next advances go on, with
 * ever more of them the later it is. Returns how many fired. worker-only */
uint32_t wheel_advance(struct wheel *w, uint64_t now_ms, void (*fire)(void *ctx, struct wheel_timer *t), void *ctx);

/* The first time at which something may be due: exact within the present block of 256 ms, else a lower bound; UINT64_MAX when nothing is
 * armed. worker-only */
uint64_t wheel_next_due(const struct wheel *w);
