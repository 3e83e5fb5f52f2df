/* SPDX-License-Identifier: Apache-2.0 */
/* What bounds a figure from below, over the same messages. */
#include "modes.h"

#include <stdatomic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>
#include <rte_ring.h>

#define BURST 32

static _Noreturn void stop(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(1);
}

/* ---- copy and look-up */

static uint64_t key_of(uint64_t i)
{
	uint64_t x = i * 0x9e3779b97f4a7c15ULL;

	return x ^ x >> 31;
}

static struct rte_hash *table_of(uint32_t entries)
{
	struct rte_hash_parameters hp = { .name = "floor", .entries = entries * 2 < 64 ? 64 : entries * 2, .key_len = 8, .hash_func = rte_hash_crc };
	struct rte_hash *h = rte_hash_create(&hp);

	for (uint64_t i = 0; h && i < entries; i++) {
		uint64_t key = key_of(i);

		if (rte_hash_add_key(h, &key) < 0)
			stop("the table of keys is full");
	}
	if (!h)
		stop("no memory for a table of keys");
	return h;
}

struct copying {
	struct rte_hash *table;
	uint64_t *keys; /* one for each frame of a batch, chosen beforehand */
	struct rte_mbuf **out;
	uint32_t entries;
	uint64_t found;
};

static uint64_t copy_all(struct traffic *t)
{
	struct copying *c = t->runner_context;
	struct rte_mbuf *frames[BURST];
	uint64_t begin, cycles;
	unsigned n, at = 0;

	for (uint32_t i = 0; i < t->batch; i++)
		c->keys[i] = key_of(traffic_random(t) % c->entries);
	begin = rte_rdtsc_precise();
	while ((n = rte_ring_sc_dequeue_burst(t->world->wire_in[0], (void **)frames, BURST, NULL))) {
		for (unsigned i = 0; i < n; i++, at++) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(frames[i]->pool);

			if (!m)
				stop("no mbuf left");
			c->found += rte_hash_lookup(c->table, &c->keys[at]) >= 0;
			rte_memcpy(rte_pktmbuf_append(m, frames[i]->data_len), rte_pktmbuf_mtod(frames[i], void *), frames[i]->data_len);
			rte_pktmbuf_free(frames[i]);
			frames[i] = m;
		}
		if (rte_ring_sp_enqueue_bulk(t->world->wire_out[0], (void **)frames, n, NULL) != n)
			stop("the wire is too short");
	}
	cycles = rte_rdtsc_precise() - begin;
	if (c->found != at)
		stop("a key was not found");
	c->found = 0;
	return cycles;
}

/* The messages are those of a dialog's requests: none is answered, since none arrives. */
static void floor_batch(struct traffic *t, uint32_t batch, struct meter *meter)
{
	uint32_t slots[65536];
	uint64_t cycles;

	for (uint32_t i = 0; i < batch; i++) {
		slots[i] = traffic_pick(t);
		traffic_put(t, slots[i], i & 1 ? STEP_INFO : STEP_UPDATE);
	}
	cycles = traffic_go(t, 0, true);
	meter_add(meter, traffic_ns(cycles) / batch);
	t->missing = 0;
	for (uint32_t i = 0; i < batch; i++)
		traffic_back(t, slots[i]);
}

void mode_floor(struct traffic *t, const struct mode_options *o, struct meter *meter)
{
	struct copying c = { .entries = o->calls };

	traffic_populate(t, o->calls, o->rate);
	c.table = table_of(o->calls);
	c.keys = calloc(o->batch, sizeof(*c.keys));
	t->runner = copy_all;
	t->runner_context = &c;
	traffic_reset(t);
	while (t->in < o->messages)
		floor_batch(t, o->batch, meter);
	free(c.keys);
	rte_hash_free(c.table);
}

/* ---- the bare hop */

struct hop {
	struct rte_ring *ring, *back;
	_Atomic(bool) ready, stop;
	_Atomic(uint64_t) taken;
};

static void *take_all(void *arg)
{
	struct hop *h = arg;
	struct rte_mbuf *frames[BURST];
	volatile uint8_t first;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	atomic_store(&h->ready, true);
	while (!atomic_load_explicit(&h->stop, memory_order_relaxed)) {
		unsigned n = rte_ring_sc_dequeue_burst(h->ring, (void **)frames, BURST, NULL);

		for (unsigned i = 0; i < n; i++)
			first = *rte_pktmbuf_mtod(frames[i], uint8_t *);
		if (n && rte_ring_sp_enqueue_bulk(h->back, (void **)frames, n, NULL) != n)
			stop("the way back is too short");
		atomic_store_explicit(&h->taken, atomic_load_explicit(&h->taken, memory_order_relaxed) + n, memory_order_release);
	}
	(void)first;
	return NULL;
}

/* Every frame goes to the other core, which looks at its first byte: the time until the last has been looked at. */
static uint64_t hop_all(struct traffic *t)
{
	struct hop *h = t->runner_context;
	uint64_t want = atomic_load(&h->taken) + t->batch, begin, cycles;
	struct rte_mbuf *frames[BURST];
	unsigned n;

	begin = rte_rdtsc_precise();
	while ((n = rte_ring_sc_dequeue_burst(t->world->wire_in[0], (void **)frames, BURST, NULL)))
		while (!rte_ring_sp_enqueue_bulk(h->ring, (void **)frames, n, NULL))
			;
	while (atomic_load_explicit(&h->taken, memory_order_acquire) < want)
		;
	cycles = rte_rdtsc_precise() - begin;
	while ((n = rte_ring_sc_dequeue_burst(h->back, (void **)frames, BURST, NULL)))
		rte_pktmbuf_free_bulk(frames, n);
	return cycles;
}

void mode_hop(struct traffic *t, const struct mode_options *o, struct meter *meter)
{
	struct hop h = { .ring = rte_ring_create("hop", 2048, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ),
			 .back = rte_ring_create("back", 131072, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ) };
	pthread_t thread;

	traffic_populate(t, o->calls, o->rate);
	if (!h.ring || !h.back || pthread_create(&thread, NULL, take_all, &h))
		stop("no memory for the hop");
	while (!atomic_load(&h.ready))
		;
	t->runner = hop_all;
	t->runner_context = &h;
	traffic_reset(t);
	while (t->in < o->messages)
		floor_batch(t, o->batch, meter);
	atomic_store(&h.stop, true);
	pthread_join(thread, NULL);
	rte_ring_free(h.ring);
	rte_ring_free(h.back);
}
