/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wheel.h"

#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

/* Time is cut into blocks of 256 ms. The near ring has a slot per millisecond of the present block and the next; four far rings
 * have 256 slots each, of 1, 2^8, 2^16 and 2^24 blocks. A far slot is taken a whole block before its time begins and spread over the rings
 * below during that block, some timers in each advance, so the near ring always holds everything of the present block. What lies beyond the
 * last ring (34 years) waits in its last slot and is placed again from there. A bit per slot says that it may hold something; a cancelled
 * timer leaves its bit behind, and whoever finds the slot empty clears it. */

#define BLOCK_BITS 8
#define BLOCK_MS   (1u << BLOCK_BITS)
#define NEAR_SLOTS (2 * BLOCK_MS)
#define FAR_SLOTS  256u
#define FAR_RINGS  4

/* Whoever advances the wheel has other work that waits: no advance does much, however many timers are due. */
#define FIRED_AT_ONCE  16 /* while they are on time; */
#define FIRED_LATE_MS  12 /* for each ms that they are late twice as many, up to here */
#define SPREAD_AT_ONCE 8
#define SPREAD_PER_MS  64 /* besides, for each ms since the advance before */

struct far_ring {
	uint64_t bits[FAR_SLOTS / 64];
	struct wheel_timer *slot[FAR_SLOTS];
};

struct wheel {
	uint64_t now;  /* up to here all have fired, but for those of this ms that are in `taken` */
	uint64_t stop; /* nothing fires and nothing needs spreading before this time */
	struct wheel_timer *overdue; /* armed for a time that had passed */
	struct wheel_timer *taken;   /* those that are being fired */
	bool spreading;		     /* some may be in: */
	struct wheel_timer *spread[FAR_RINGS]; /* of far slots whose time begins with the next block */
	uint64_t near_bits[NEAR_SLOTS / 64];
	struct wheel_timer *near[NEAR_SLOTS];
	struct far_ring far[FAR_RINGS];
};

struct wheel *wheel_new(uint64_t now_ms)
{
	struct wheel *w = pages_new(sizeof(*w));

	if (!w)
		return NULL;
	w->now = now_ms;
	w->stop = UINT64_MAX;
	return w;
}

void wheel_free(struct wheel *w)
{
	pages_free(w, sizeof(*w));
}

static void list_push(struct wheel_timer **head, struct wheel_timer *t)
{
	t->next = *head;
	if (t->next)
		t->next->prev_next = &t->next;
	t->prev_next = head;
	*head = t;
}

static void list_move(struct wheel_timer **to, struct wheel_timer **from)
{
	*to = *from;
	*from = NULL;
	if (*to)
		(*to)->prev_next = to;
}

/* The block up to whose end the near ring reaches. */
static uint64_t near_block(const struct wheel *w)
{
	return (w->now >> BLOCK_BITS) + 1;
}

/* When a slot of far ring r that stands for slot time s (in units of the ring) must be spread: a block before it begins. */
static uint64_t spread_time(unsigned r, uint64_t s)
{
	return ((s << (8 * r)) - 1) << BLOCK_BITS;
}

/* Files t, whose time is after now. Returns when the wheel must first look at it. */
static uint64_t place(struct wheel *w, struct wheel_timer *t)
{
	uint64_t block = t->due_ms >> BLOCK_BITS, base = near_block(w), s = 0;
	unsigned r;

	if (block <= base) {
		unsigned slot = t->due_ms % NEAR_SLOTS;

		list_push(&w->near[slot], t);
		w->near_bits[slot / 64] |= 1ULL << (slot % 64);
		return t->due_ms;
	}
	for (r = 0; r < FAR_RINGS; r++) {
		s = block >> (8 * r);
		if (s - (base >> (8 * r)) < FAR_SLOTS)
			break;
	}
	if (r == FAR_RINGS) {
		r--;
		s = (base >> (8 * r)) + FAR_SLOTS - 1;
	}
	list_push(&w->far[r].slot[s % FAR_SLOTS], t);
	w->far[r].bits[s % FAR_SLOTS / 64] |= 1ULL << (s % 64);
	return spread_time(r, s);
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, uint64_t due_ms)
{
	uint64_t stop;

	wheel_cancel(t);
	t->due_ms = due_ms;
	if (due_ms <= w->now) {
		list_push(&w->overdue, t);
		return;
	}
	stop = place(w, t);
	if (stop < w->stop)
		w->stop = stop;
}

/* How far ahead of slot `from` the first slot that holds a timer lies, going round; `slots` when there is none. */
static unsigned ring_first(uint64_t *bits, struct wheel_timer *const *slot, unsigned slots, unsigned from)
{
	unsigned words = slots / 64;

	for (unsigned i = 0; i <= words; i++) {
		unsigned word = (from / 64 + i) % words;
		uint64_t here = bits[word];

		if (i == 0)
			here &= UINT64_MAX << (from % 64);
		else if (i == words)
			here &= ~(UINT64_MAX << (from % 64));
		for (; here; here &= here - 1) {
			unsigned at = word * 64 + (unsigned)__builtin_ctzll(here);

			if (slot[at])
				return (at - from + slots) % slots;
			bits[word] &= ~(1ULL << (at % 64));
		}
	}
	return slots;
}

/* The first time after now at which the near ring has something; UINT64_MAX: nothing. */
static uint64_t near_first(struct wheel *w)
{
	unsigned ahead = ring_first(w->near_bits, w->near, NEAR_SLOTS, (w->now + 1) % NEAR_SLOTS);

	return ahead < NEAR_SLOTS ? w->now + 1 + ahead : UINT64_MAX;
}

/* The first slot time of far ring r that holds something, in units of the ring; UINT64_MAX: none. */
static uint64_t far_first(struct wheel *w, unsigned r)
{
	uint64_t from = (near_block(w) >> (8 * r)) + 1;
	unsigned ahead = ring_first(w->far[r].bits, w->far[r].slot, FAR_SLOTS, from % FAR_SLOTS);

	return ahead < FAR_SLOTS ? from + ahead : UINT64_MAX;
}

/* The present block's end: what is being spread must be in its place by then. */
static uint64_t block_end(const struct wheel *w)
{
	return near_block(w) << BLOCK_BITS;
}

static uint64_t next_stop(struct wheel *w)
{
	uint64_t stop = near_first(w);

	if (w->spreading && block_end(w) < stop)
		stop = block_end(w);
	for (unsigned r = 0; r < FAR_RINGS; r++) {
		uint64_t s = far_first(w, r);

		if (s != UINT64_MAX && spread_time(r, s) < stop)
			stop = spread_time(r, s);
	}
	return stop;
}

/* Where now is the first millisecond of a block: takes the far slots whose turn it is. Nothing is left of those before. */
static void spread_begin(struct wheel *w)
{
	uint64_t base = near_block(w);

	if (w->now % BLOCK_MS)
		return;
	for (unsigned r = 0; r < FAR_RINGS && !(base & ((1ULL << (8 * r)) - 1)); r++) {
		list_move(&w->spread[r], &w->far[r].slot[(base >> (8 * r)) % FAR_SLOTS]);
		w->spreading |= w->spread[r] != NULL;
	}
}

static void spread_some(struct wheel *w, uint64_t most)
{
	for (unsigned r = 0; r < FAR_RINGS; r++) {
		for (; w->spread[r]; most--) {
			struct wheel_timer *t = w->spread[r];
			uint64_t stop;

			if (!most)
				return;
			wheel_cancel(t);
			if (w->spread[r])
				__builtin_prefetch(w->spread[r], 1);
			stop = place(w, t);
			if (stop < w->stop)
				w->stop = stop;
		}
	}
	w->spreading = false;
}

/* The list is popped one by one: fire may cancel those that are still in it. */
static uint32_t fire_some(struct wheel *w, uint32_t most, void (*fire)(void *ctx, struct wheel_timer *t), void *ctx)
{
	uint32_t fired = 0;

	for (; w->taken && fired < most; fired++) {
		struct wheel_timer *t = w->taken;

		wheel_cancel(t);
		if (w->taken)
			__builtin_prefetch(w->taken);
		fire(ctx, t);
	}
	return fired;
}

/* How many may fire: of those that are due and have not fired the first was due at `since`. */
static uint32_t fired_most(uint64_t since, uint64_t now_ms)
{
	uint64_t late = now_ms > since ? now_ms - since : 0;

	return FIRED_AT_ONCE << (late < FIRED_LATE_MS ? late : FIRED_LATE_MS);
}

uint32_t wheel_advance(struct wheel *w, uint64_t now_ms, void (*fire)(void *ctx, struct wheel_timer *t), void *ctx)
{
	uint64_t before = w->now;
	uint32_t most = fired_most(w->taken ? w->now : w->stop, now_ms);
	uint32_t fired = w->taken ? fire_some(w, most, fire, ctx) : 0;

	/* What fire arms for the past joins the overdue list anew and waits for the next advance: no loop without end. */
	if (w->overdue && !w->taken) {
		list_move(&w->taken, &w->overdue);
		fired += fire_some(w, most - fired, fire, ctx);
	}
	while (!w->taken && w->stop <= now_ms) {
		uint64_t stop = next_stop(w);

		if (stop > now_ms) {
			w->stop = stop;
			break;
		}
		if (w->spreading && stop == block_end(w)) {
			spread_some(w, UINT64_MAX); /* may have found an earlier one */
			continue;
		}
		w->now = w->stop = stop;
		spread_begin(w);
		list_move(&w->taken, &w->near[stop % NEAR_SLOTS]);
		fired += fire_some(w, most - fired, fire, ctx);
	}
	if (now_ms > w->now && !w->taken)
		w->now = now_ms;
	if (w->spreading)
		spread_some(w, now_ms > before ? SPREAD_AT_ONCE + SPREAD_PER_MS * (now_ms - before) : SPREAD_AT_ONCE);
	return fired;
}

uint64_t wheel_next_due(const struct wheel *wheel)
{
	struct wheel *w = (struct wheel *)wheel; /* only bits of empty slots change */
	uint64_t due;

	if (w->overdue || w->taken)
		return w->now;
	due = near_first(w);
	if (w->spreading && block_end(w) < due)
		return block_end(w);
	if (due != UINT64_MAX)
		return due;
	for (unsigned r = 0; r < FAR_RINGS; r++) {
		uint64_t s = far_first(w, r);

		if (s != UINT64_MAX && s << (8 * r + BLOCK_BITS) < due)
			due = s << (8 * r + BLOCK_BITS);
	}
	return due;
}
