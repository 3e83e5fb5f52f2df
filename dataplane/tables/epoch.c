/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/epoch.h"

#include <stdlib.h>
#include <string.h>

#include <rte_rcu_qsbr.h>

struct retired {
	void *object;
	void (*release)(void *object);
	uint64_t token; /* the grace period that it waits for */
};

struct epoch {
	struct rte_rcu_qsbr *qsbr;
	unsigned workers;
	struct retired *queue; /* a ring, oldest first; capacity is a power of two */
	uint32_t capacity, head, count;
};

#define QUEUE_START 256

struct epoch *epoch_new(unsigned workers)
{
	struct epoch *e = calloc(1, sizeof(*e));
	size_t bytes;

	if (!e)
		return NULL;
	e->workers = workers ? workers : 1;
	e->capacity = QUEUE_START;
	e->queue = malloc(e->capacity * sizeof(*e->queue));
	if (!e->queue)
		goto fail_queue;
	bytes = rte_rcu_qsbr_get_memsize(e->workers);
	bytes = (bytes + RTE_CACHE_LINE_SIZE - 1) & ~(size_t)(RTE_CACHE_LINE_SIZE - 1);
	e->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
	if (!e->qsbr)
		goto fail_qsbr;
	memset(e->qsbr, 0, bytes);
	if (rte_rcu_qsbr_init(e->qsbr, e->workers))
		goto fail_init;
	/* Registered once for all; a reader that is not online is taken for quiescent. */
	for (unsigned i = 0; i < e->workers; i++)
		if (rte_rcu_qsbr_thread_register(e->qsbr, i))
			goto fail_init;
	return e;

fail_init:
	free(e->qsbr);
fail_qsbr:
	free(e->queue);
fail_queue:
	free(e);
	return NULL;
}

void epoch_flush(struct epoch *e)
{
	for (unsigned i = 0; i < e->workers; i++)
		rte_rcu_qsbr_thread_offline(e->qsbr, i);
	(void)epoch_reclaim(e);
}

void epoch_free(struct epoch *e)
{
	if (!e)
		return;
	epoch_flush(e);
	free(e->queue);
	free(e->qsbr);
	free(e);
}

void epoch_online(struct epoch *e, unsigned worker)
{
	rte_rcu_qsbr_thread_online(e->qsbr, worker);
}

void epoch_offline(struct epoch *e, unsigned worker)
{
	rte_rcu_qsbr_thread_offline(e->qsbr, worker);
}

void epoch_quiescent(struct epoch *e, unsigned worker)
{
	rte_rcu_qsbr_quiescent(e->qsbr, worker);
}

static bool grow(struct epoch *e)
{
	uint32_t capacity = e->capacity * 2;
	struct retired *queue = malloc(capacity * sizeof(*queue));

	if (!queue)
		return false;
	for (uint32_t i = 0; i < e->count; i++)
		queue[i] = e->queue[(e->head + i) & (e->capacity - 1)];
	free(e->queue);
	e->queue = queue;
	e->capacity = capacity;
	e->head = 0;
	return true;
}

void epoch_retire(struct epoch *e, void *object, void (*release)(void *object))
{
	if (!object)
		return;
	/* With no memory for its place in the queue the object is lost: waiting for the readers here would stop the control loop,
	 * and releasing it now would pull it from under them. */
	if (e->count == e->capacity && !grow(e))
		return;
	e->queue[(e->head + e->count++) & (e->capacity - 1)] =
		(struct retired){ .object = object, .release = release, .token = rte_rcu_qsbr_start(e->qsbr) };
}

/* check may answer from a token that it keeps; the order towards the readers is made here as well, where a sanitizer sees it. */
static bool period_over(struct epoch *e, uint64_t token)
{
	if (rte_rcu_qsbr_check(e->qsbr, token, false) != 1)
		return false;
	for (unsigned i = 0; i < e->workers; i++)
		(void)__atomic_load_n(&e->qsbr->qsbr_cnt[i].cnt, __ATOMIC_ACQUIRE);
	return true;
}

uint32_t epoch_reclaim(struct epoch *e)
{
	while (e->count) {
		struct retired r = e->queue[e->head];

		if (!period_over(e, r.token))
			break;
		/* Out of the queue first: release may retire something in its turn. */
		e->head = (e->head + 1) & (e->capacity - 1);
		e->count--;
		r.release(r.object);
	}
	return e->count;
}
