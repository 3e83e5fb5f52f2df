/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of an INVITE's transactions once they only wait for what may come again: as little as answers that, until their last timer's end. */
#include "base/slab.h"
#include "transaction/table.h"

/* What has lingered to its end is freed in portions, in which its cold lines are fetched together, and whoever waits in the port waits for few. */
#define ENDS_AT_ONCE 8
#define ENDS_LATE_MS 12 /* for each ms that they are late twice as many, up to here */

/* ---- beginning */

static inline void ends_at(struct transactions *t, enum end_queue queue, uint32_t index, uint64_t due_ms)
{
	expiry_add(t->ends[queue], index, due_ms);
	if (due_ms < t->next_end_ms)
		t->next_end_ms = due_ms; /* or later: then nothing is found to end */
}

struct lingering *transactions_linger(struct transactions *t, struct server_txn *s, struct client_txn *c)
{
	struct lingering *l = pool_get(t->lingering);

	if (!l)
		return NULL;
	*l = (struct lingering){
		.link = { .chain = s->link.chain, .key = s->link.key, .lingers = LINGERS_ACCEPTED },
		.slot = c->slot,
		.reply_to = s->reply_to,
	};
	*link_to(t, &s->link) = &l->link;
	t->slots[c->slot].lingering = l;
	t->slots[c->slot].state = SLOT_LINGERS;
	ends_at(t, ENDS_ACCEPTED, pool_index(t->lingering, l), c->lifetime.due_ms);
	server_free(t, s);
	client_free(t, c);
	return l;
}

bool server_txn_linger(struct transactions *t, struct server_txn *s)
{
	struct txn_link *l = pool_get(t->confirmed);

	if (!l)
		return false;
	*l = (struct txn_link){ .chain = s->link.chain, .key = s->link.key, .lingers = LINGERS_CONFIRMED };
	*link_to(t, &s->link) = l;
	ends_at(t, ENDS_CONFIRMED, pool_index(t->confirmed, l), s->lifetime.due_ms);
	server_free(t, s);
	return true;
}

void client_txn_linger(struct transactions *t, struct client_txn *c, void *left)
{
	t->slots[c->slot].left = left;
	t->slots[c->slot].state = SLOT_COMPLETED;
	ends_at(t, ENDS_COMPLETED, c->slot, c->lifetime.due_ms);
	t->completed++;
	client_free(t, c);
}

void *client_txn_left(const struct transactions *t, uint32_t slot, uint16_t generation)
{
	const struct client_slot *x = slot < t->fresh_slots ? &t->slots[slot] : NULL;

	return x && x->generation == generation && x->state == SLOT_COMPLETED ? x->left : NULL;
}

/* ---- ending */

static void lingering_release(struct transactions *t, struct lingering *l)
{
	*link_to(t, &l->link) = l->link.chain;
	slot_free(t, l->slot);
	pool_put(t->lingering, l);
	t->server_count--;
}

/* Those that are freed next: their own lines, by which the others are found. */
static void prefetch_ends(const struct transactions *t)
{
	uint32_t index[ENDS_AT_ONCE];
	unsigned n = expiry_ahead(t->ends[ENDS_ACCEPTED], index, ENDS_AT_ONCE);

	for (unsigned i = 0; i < n; i++) {
		const struct lingering *l = pool_at(t->lingering, index[i]);

		__builtin_prefetch(&l->link, 1);
		__builtin_prefetch(&l->slot, 1);
	}
}

static void accepted_end(struct transactions *t, const uint32_t *index, unsigned n)
{
	struct lingering *l[ENDS_AT_ONCE];

	for (unsigned i = 0; i < n; i++) {
		l[i] = pool_at(t->lingering, index[i]);
		__builtin_prefetch(&t->buckets[l[i]->link.key.a & t->mask], 1);
		__builtin_prefetch(&t->slots[l[i]->slot], 1);
	}
	prefetch_ends(t);
	for (unsigned i = 0; i < n; i++)
		lingering_release(t, l[i]);
}

static void confirmed_end(struct transactions *t, const uint32_t *index, unsigned n)
{
	struct txn_link *l[ENDS_AT_ONCE];

	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(l[i] = pool_at(t->confirmed, index[i]), 1);
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&t->buckets[l[i]->key.a & t->mask], 1);
	for (unsigned i = 0; i < n; i++) {
		*link_to(t, l[i]) = l[i]->chain;
		pool_put(t->confirmed, l[i]);
	}
	t->server_count -= n;
}

static void completed_end(struct transactions *t, const uint32_t *slots, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(&t->slots[slots[i]], 1);
	for (unsigned i = 0; i < n; i++) {
		slab_put(t->slab, t->slots[slots[i]].left);
		slot_free(t, slots[i]);
	}
	t->completed -= n;
}

static void (*const queue_ends[END_QUEUES])(struct transactions *t, const uint32_t *index, unsigned n) = {
	[ENDS_ACCEPTED] = accepted_end,
	[ENDS_CONFIRMED] = confirmed_end,
	[ENDS_COMPLETED] = completed_end,
};

static unsigned queue_end(struct transactions *t, enum end_queue queue, uint64_t now_ms)
{
	struct expiry *ends = t->ends[queue];
	uint64_t due = expiry_next_due(ends), late;
	uint32_t index[ENDS_AT_ONCE];
	unsigned ended = 0, most, n;

	if (due > now_ms)
		return 0;
	late = now_ms - due;
	most = ENDS_AT_ONCE << (late < ENDS_LATE_MS ? late : ENDS_LATE_MS);
	while (ended < most && (n = expiry_take(ends, now_ms, index, ENDS_AT_ONCE))) {
		queue_ends[queue](t, index, n);
		ended += n;
	}
	return ended;
}

unsigned transactions_end(struct transactions *t, uint64_t now_ms)
{
	unsigned ended = 0;

	if (t->next_end_ms > now_ms)
		return 0;
	t->next_end_ms = UINT64_MAX;
	for (enum end_queue i = 0; i < END_QUEUES; i++) {
		uint64_t due;

		ended += queue_end(t, i, now_ms);
		due = expiry_next_due(t->ends[i]);
		t->next_end_ms = due < t->next_end_ms ? due : t->next_end_ms;
	}
	return ended;
}

uint64_t transactions_next_end(const struct transactions *t)
{
	return t->next_end_ms;
}
