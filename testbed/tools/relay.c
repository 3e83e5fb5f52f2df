/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

#define ALL 10000

struct under_way {
	uint64_t due_us, order;
	unsigned end;
	uint32_t bytes;
	uint8_t packet[RELAY_PACKET_MAX];
};

struct relay {
	struct relay_rules rules;
	struct relay_counts counts;
	uint64_t random[2], free_us[2], order; /* free_us: when the link has sent all that it was given */
	unsigned count; /* of the heap; behind it lie the numbers of free ones, and at `count` the one last taken */
	uint32_t heap[RELAY_PACKETS];
	struct under_way packets[RELAY_PACKETS];
};

struct relay *relay_new(const struct relay_rules *rules)
{
	struct relay *r;

	if ((uint64_t)rules->lose + rules->reorder + rules->duplicate + rules->corrupt > ALL)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->rules = *rules;
	for (unsigned end = 0; end < 2; end++)
		r->random[end] = mix64(rules->seed * 2 + end);
	for (uint32_t i = 0; i < RELAY_PACKETS; i++)
		r->heap[i] = i;
	return r;
}

void relay_free(struct relay *r)
{
	free(r);
}

static uint64_t next_random(struct relay *r, unsigned end)
{
	return mix64(r->random[end] += 0x9e3779b97f4a7c15ULL);
}

/* ---- a heap by time, then by order */

static bool sooner(const struct relay *r, unsigned a, unsigned b)
{
	const struct under_way *x = &r->packets[r->heap[a]], *y = &r->packets[r->heap[b]];

	return x->due_us != y->due_us ? x->due_us < y->due_us : x->order < y->order;
}

static void swap(struct relay *r, unsigned a, unsigned b)
{
	uint32_t x = r->heap[a];

	r->heap[a] = r->heap[b];
	r->heap[b] = x;
}

static struct under_way *add(struct relay *r, unsigned end, const uint8_t *packet, uint32_t bytes, uint64_t due_us)
{
	struct under_way *p;
	unsigned at = r->count;

	if (at == RELAY_PACKETS) {
		r->counts.too_many++;
		return NULL;
	}
	p = &r->packets[r->heap[at]];
	p->due_us = due_us;
	p->order = r->order++;
	p->end = end;
	p->bytes = bytes;
	memcpy(p->packet, packet, bytes);
	r->count++;
	for (; at && sooner(r, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(r, at, (at - 1) / 2);
	return p;
}

const uint8_t *relay_take(struct relay *r, uint64_t now_us, unsigned *ret_end, uint32_t *ret_bytes)
{
	struct under_way *p;
	unsigned at = 0, child;

	if (!r->count || r->packets[r->heap[0]].due_us > now_us)
		return NULL;
	p = &r->packets[r->heap[0]];
	swap(r, 0, --r->count);
	while ((child = 2 * at + 1) < r->count) {
		if (child + 1 < r->count && sooner(r, child + 1, child))
			child++;
		if (!sooner(r, child, at))
			break;
		swap(r, at, child);
		at = child;
	}
	*ret_end = p->end;
	*ret_bytes = p->bytes;
	return p->packet;
}

uint64_t relay_next_due(const struct relay *r)
{
	return r->count ? r->packets[r->heap[0]].due_us : UINT64_MAX;
}

const struct relay_counts *relay_counts(const struct relay *r)
{
	return &r->counts;
}

/* ---- what happens to a packet */

/* When it would arrive; false: the link has too much to do. */
static bool on_link(struct relay *r, unsigned end, uint32_t bytes, uint64_t now_us, uint64_t *ret_due_us)
{
	const struct relay_rules *rules = &r->rules;
	uint64_t start_us = r->free_us[end] > now_us ? r->free_us[end] : now_us;

	if (rules->bytes_per_s) {
		if (start_us - now_us > rules->queue_us) {
			r->counts.too_many++;
			return false;
		}
		r->free_us[end] = start_us += bytes * 1000000ULL / rules->bytes_per_s;
	}
	*ret_due_us = start_us + rules->delay_us;
	return true;
}

void relay_pass(struct relay *r, unsigned end, const uint8_t *packet, uint32_t bytes, uint64_t now_us)
{
	if (bytes && bytes <= RELAY_PACKET_MAX)
		add(r, end, packet, bytes, now_us + r->rules.delay_us);
}

void relay_put(struct relay *r, unsigned end, const uint8_t *packet, uint32_t bytes, uint32_t spare, uint64_t now_us)
{
	const struct relay_rules *rules = &r->rules;
	unsigned fate = (unsigned)(next_random(r, end) % ALL), upto = rules->lose;
	uint64_t due_us, bit = next_random(r, end);
	struct under_way *p;

	if (!bytes || bytes > RELAY_PACKET_MAX)
		return;
	r->counts.in++;
	if (!on_link(r, end, bytes, now_us, &due_us))
		return;
	if (fate < upto) {
		r->counts.lost++;
	} else if (fate < (upto += rules->reorder)) {
		r->counts.reordered++;
		add(r, end, packet, bytes, due_us + rules->late_us);
	} else if (fate < (upto += rules->duplicate)) {
		r->counts.duplicated++;
		add(r, end, packet, bytes, due_us);
		add(r, end, packet, bytes, due_us + rules->late_us);
	} else if (fate < upto + rules->corrupt && bytes > spare) {
		/* One bit: more might escape a checksum of 16 bits, and that would be nobody's fault. */
		r->counts.corrupted++;
		p = add(r, end, packet, bytes, due_us);
		bit %= (uint64_t)(bytes - spare) * 8;
		if (p)
			p->packet[spare + bit / 8] ^= (uint8_t)(1u << bit % 8);
	} else {
		add(r, end, packet, bytes, due_us);
	}
}
