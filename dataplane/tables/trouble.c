/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/trouble.h"

#include "base/siphash.h"
#include "tables/endpoints.h"

/* A tally in one word, so that one compare-and-swap keeps it whole: which window, and what happened in it. At the bound of
 * a count all are halved: their ratio is what matters. */
struct tally {
	uint16_t window, good, hard, codes;
};

static struct tally unpack(uint64_t word)
{
	return (struct tally){ (uint16_t)(word >> 48), (uint16_t)(word >> 32), (uint16_t)(word >> 16), (uint16_t)word };
}

static uint64_t pack(struct tally t)
{
	return (uint64_t)t.window << 48 | (uint64_t)t.good << 32 | (uint64_t)t.hard << 16 | t.codes;
}

static uint16_t window_at(const struct ejection_config *c, uint64_t now_ms)
{
	return (uint16_t)(now_ms / c->window_ms);
}

void trouble_clear(struct trouble *t)
{
	atomic_store_explicit(&t->hard, 0, memory_order_relaxed);
	atomic_store_explicit(&t->codes, 0, memory_order_relaxed);
	atomic_store_explicit(&t->numbers, 0, memory_order_relaxed);
	atomic_store_explicit(&t->now, 0, memory_order_relaxed);
	atomic_store_explicit(&t->before, 0, memory_order_relaxed);
	atomic_store_explicit(&t->numbers_now, 0, memory_order_relaxed);
	atomic_store_explicit(&t->numbers_before, 0, memory_order_relaxed);
	atomic_store_explicit(&t->since_ms, 0, memory_order_relaxed);
	atomic_store_explicit(&t->begun, 0, memory_order_relaxed);
	atomic_store_explicit(&t->level, 0, memory_order_relaxed);
}

void trouble_begun(struct trouble *t)
{
	atomic_fetch_add_explicit(&t->begun, 1, memory_order_relaxed);
}

/* Adds to the tally of the window that now_ms lies in; whoever comes first in a window puts the old one away. */
static void tally(struct trouble *t, const struct ejection_config *c, unsigned good, unsigned hard, unsigned codes, uint64_t now_ms)
{
	uint16_t window = window_at(c, now_ms);
	uint64_t old = atomic_load_explicit(&t->now, memory_order_relaxed), new;
	bool first;

	do {
		struct tally present = unpack(old);

		first = present.window != window;
		if (first)
			present = (struct tally){ .window = window };
		if (present.good == UINT16_MAX || present.hard == UINT16_MAX || present.codes == UINT16_MAX)
			present = (struct tally){ window, present.good / 2, present.hard / 2, present.codes / 2 };
		present.good = (uint16_t)(present.good + good);
		present.hard = (uint16_t)(present.hard + hard);
		present.codes = (uint16_t)(present.codes + codes);
		new = pack(present);
	} while (!atomic_compare_exchange_weak_explicit(&t->now, &old, new, memory_order_relaxed, memory_order_relaxed));
	if (!first)
		return;
	/* Another worker may look before these are there, and miss a window's failures once. */
	atomic_store_explicit(&t->before, old, memory_order_relaxed);
	atomic_store_explicit(&t->numbers_before, atomic_exchange_explicit(&t->numbers_now, 0, memory_order_relaxed), memory_order_relaxed);
}

struct sums {
	uint32_t good, hard, codes;
	uint64_t numbers;
};

/* What happened in the last window_ms: in this window, and in that part of the one before it which is no longer ago. */
static struct sums lately(const struct trouble *t, const struct ejection_config *c, uint64_t now_ms)
{
	struct tally now = unpack(atomic_load_explicit(&t->now, memory_order_relaxed));
	struct tally before = unpack(atomic_load_explicit(&t->before, memory_order_relaxed));
	uint32_t left = c->window_ms - (uint32_t)(now_ms % c->window_ms);
	struct sums s = { now.good, now.hard, now.codes, atomic_load_explicit(&t->numbers_now, memory_order_relaxed) };

	if (now.window != window_at(c, now_ms) || before.window != (uint16_t)(now.window - 1))
		return s;
	s.good += (uint32_t)((uint64_t)before.good * left / c->window_ms);
	s.hard += (uint32_t)((uint64_t)before.hard * left / c->window_ms);
	s.codes += (uint32_t)((uint64_t)before.codes * left / c->window_ms);
	s.numbers |= atomic_load_explicit(&t->numbers_before, memory_order_relaxed);
	return s;
}

/* A bit per number by its hash: two may share one, so that there are at least as many numbers as bits. */
static bool several(const struct ejection_config *c, uint64_t numbers)
{
	return (uint32_t)__builtin_popcountll(numbers) >= c->numbers;
}

static struct verdict by_share(const struct trouble *t, const struct ejection_config *c, uint64_t now_ms)
{
	struct sums s = lately(t, c, now_ms);
	uint32_t all = s.good + s.hard + s.codes, bad = s.hard + (several(c, s.numbers) ? s.codes : 0);

	if (all < c->window_calls || !all || (uint64_t)bad * 100 <= (uint64_t)all * c->window_percent)
		return (struct verdict){ EJECT_NONE, 0 };
	return (struct verdict){ EJECT_SHARE, (uint32_t)((uint64_t)bad * 100 / all) };
}

static bool row_empty(const struct trouble *t)
{
	return !atomic_load_explicit(&t->hard, memory_order_relaxed) && !atomic_load_explicit(&t->codes, memory_order_relaxed);
}

struct verdict trouble_failed(struct trouble *t, const struct ejection_config *c, enum failure_kind kind, uint64_t number, uint64_t sent_ms,
			      uint64_t now_ms)
{
	uint64_t bit = 1ULL << (mix64(number) & 63);
	uint32_t hard, codes;
	bool of_several;

	if (c->window_ms)
		tally(t, c, 0, kind == FAILURE_HARD, kind == FAILURE_CODE, now_ms);
	if (row_empty(t)) {
		atomic_store_explicit(&t->since_ms, (uint32_t)sent_ms, memory_order_relaxed);
		atomic_store_explicit(&t->begun, 0, memory_order_relaxed);
	}
	if (kind == FAILURE_CODE) {
		hard = atomic_load_explicit(&t->hard, memory_order_relaxed);
		codes = atomic_fetch_add_explicit(&t->codes, 1, memory_order_relaxed) + 1;
		of_several = several(c, atomic_fetch_or_explicit(&t->numbers, bit, memory_order_relaxed) | bit);
		atomic_fetch_or_explicit(&t->numbers_now, bit, memory_order_relaxed);
	} else {
		hard = atomic_fetch_add_explicit(&t->hard, 1, memory_order_relaxed) + 1;
		codes = atomic_load_explicit(&t->codes, memory_order_relaxed);
		of_several = several(c, atomic_load_explicit(&t->numbers, memory_order_relaxed));
	}
	if (c->after && hard >= c->after)
		return (struct verdict){ EJECT_SILENT, hard };
	codes = of_several && atomic_load_explicit(&t->begun, memory_order_relaxed) <= 2 * (hard + codes) ? codes : 0;
	if (c->after_failures && hard + codes >= c->after_failures)
		return (struct verdict){ EJECT_FAILURES, hard + codes };
	return c->window_ms ? by_share(t, c, now_ms) : (struct verdict){ EJECT_NONE, 0 };
}

/* How long an ejection is at that level. */
static uint32_t out_ms(const struct ejection_config *c, uint32_t level)
{
	uint64_t ms = c->first_ms;

	for (uint32_t i = 0; i < level && ms < c->max_ms; i++)
		ms *= 2;
	return ms < c->max_ms ? (uint32_t)ms : c->max_ms;
}

bool trouble_succeeded(struct trouble *t, const struct ejection_config *c, bool final, uint64_t sent_ms, uint64_t back_ms, uint64_t now_ms)
{
	uint32_t level = atomic_load_explicit(&t->level, memory_order_relaxed);
	struct sums s = { 0 };

	if (!row_empty(t) && (int32_t)((uint32_t)sent_ms - atomic_load_explicit(&t->since_ms, memory_order_relaxed)) >= 0) {
		atomic_store_explicit(&t->hard, 0, memory_order_relaxed);
		atomic_store_explicit(&t->codes, 0, memory_order_relaxed);
		atomic_store_explicit(&t->numbers, 0, memory_order_relaxed);
	}
	if (level && now_ms >= back_ms + out_ms(c, level - 1)) {
		atomic_store_explicit(&t->level, 0, memory_order_relaxed);
		level = 0;
	}
	if (c->window_ms) {
		if (final)
			tally(t, c, 1, 0, 0, now_ms);
		s = lately(t, c, now_ms);
	}
	return level || s.hard || s.codes || !row_empty(t);
}

uint32_t trouble_ejected(struct trouble *t, const struct ejection_config *c, uint64_t now_ms)
{
	uint32_t level = atomic_load_explicit(&t->level, memory_order_relaxed);

	if (level < 32)
		atomic_store_explicit(&t->level, level + 1, memory_order_relaxed);
	/* What it is on its return is judged anew, and it returns on probation. */
	atomic_store_explicit(&t->now, 0, memory_order_relaxed);
	atomic_store_explicit(&t->before, 0, memory_order_relaxed);
	atomic_store_explicit(&t->numbers_now, 0, memory_order_relaxed);
	atomic_store_explicit(&t->numbers_before, 0, memory_order_relaxed);
	atomic_store_explicit(&t->since_ms, (uint32_t)now_ms, memory_order_relaxed);
	atomic_store_explicit(&t->begun, 0, memory_order_relaxed);
	atomic_store_explicit(&t->hard, c->after ? c->after - 1 : 0, memory_order_relaxed);
	atomic_store_explicit(&t->codes, c->after_failures ? c->after_failures - 1 : 0, memory_order_relaxed);
	return out_ms(c, level);
}
