/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/maglev.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

/* After Maglev (Eisenbud et al. 2016, §3.4) every target walks all slots in a permutation of its own and takes those that are free.
 * Maglev's targets take turns, each turn ending with a slot taken, so one target's leaving changes everybody's turns. Here a walk
 * goes by a clock that nobody else can disturb: target i reaches the k-th slot of its permutation at the time of the k-th smallest of
 * `size` exponential variables with rate weight_i. That is weighted rendezvous hashing: the first to arrive keeps a slot with a
 * probability of exactly its share, whoever else is there, and a leaver's slots go to those that would have come next. A target
 * stops when its exact quota is full, which corrects what chance got wrong (about 1% of the slots). */

#define TARGETS_MAX 32
#define TIME_ONE    (1ULL << 44)

struct walker {
	uint64_t due;	/* when it reaches its next slot */
	uint64_t hazard; /* the same for weight 1 */
	uint32_t slot, skip;
	uint32_t steps; /* slots passed */
	uint32_t left;	/* slots it may still take */
	uint32_t stable_id;
	uint16_t weight;
	uint8_t index;
};

uint32_t maglev_size(unsigned targets)
{
	return targets <= 16 ? 4093 : 16381;
}

/* One slot further on its way. E[k-th of n exponentials] = 1/n + 1/(n-1) + ... + 1/(n-k+1). */
static void step(struct walker *w, uint32_t size)
{
	w->slot = (uint32_t)(((uint64_t)w->slot + w->skip) % size);
	w->hazard += TIME_ONE / (size - w->steps);
	w->steps++;
	w->due = w->hazard / w->weight;
}

/* floor(size * weight / sum) each, and one more for the largest remainders, so that all slots are dealt. */
static void quotas(struct walker *w, unsigned count, uint32_t size)
{
	uint64_t remainder[TARGETS_MAX], sum = 0;
	uint32_t dealt = 0;

	for (unsigned i = 0; i < count; i++)
		sum += w[i].weight;
	for (unsigned i = 0; i < count; i++) {
		uint64_t share = (uint64_t)size * w[i].weight;

		w[i].left = (uint32_t)(share / sum);
		remainder[i] = share % sum + 1;
		dealt += w[i].left;
	}
	while (dealt < size) {
		unsigned best = 0;

		for (unsigned i = 1; i < count; i++)
			if (remainder[i] > remainder[best])
				best = i;
		w[best].left++;
		remainder[best] = 0;
		dealt++;
	}
}

static int compare(const void *pa, const void *pb)
{
	const struct walker *a = pa, *b = pb;

	if (a->stable_id != b->stable_id)
		return a->stable_id < b->stable_id ? -1 : 1;
	return a->index < b->index ? -1 : 1;
}

/* The walkers with weight, in order of their ids: how an operator lists targets decides nothing. */
static unsigned walkers_start(struct walker *w, uint32_t size, const struct maglev_target *targets, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		if (targets[i].weight)
			w[n++] = (struct walker){ .stable_id = targets[i].stable_id,
						  .weight = targets[i].weight,
						  .index = (uint8_t)i };
	qsort(w, n, sizeof(*w), compare);
	for (unsigned i = 0; i < n; i++) {
		uint64_t h = mix64(w[i].stable_id + 0x9e3779b97f4a7c15ULL);

		w[i].slot = (uint32_t)(h % size);
		w[i].skip = 1 + (uint32_t)(mix64(h) % (size - 1));
		step(&w[i], size);
	}
	return n;
}

void maglev_fill(uint8_t *table, uint32_t size, const struct maglev_target *targets, unsigned count)
{
	struct walker w[TARGETS_MAX];
	uint32_t free_slots = size;
	unsigned n;

	assert(count <= TARGETS_MAX);
	memset(table, MAGLEV_NONE, size);
	n = walkers_start(w, size, targets, count);
	if (!n)
		return;
	quotas(w, n, size);
	while (free_slots) {
		unsigned next = 0;

		for (unsigned i = 1; i < n; i++)
			if (w[i].due < w[next].due)
				next = i;
		if (!w[next].left) {
			w[next] = w[--n];
			continue;
		}
		if (table[w[next].slot] == MAGLEV_NONE) {
			table[w[next].slot] = w[next].index;
			w[next].left--;
			free_slots--;
		}
		if (w[next].steps < size)
			step(&w[next], size);
		else
			w[next].left = 0;
	}
}
