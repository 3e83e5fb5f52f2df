/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of an INVITE's transactions once they only wait for what may come again: as little as answers that, until their last timer's end. */
#include "base/slab.h"
#include "transaction/table.h"

/* What has lingered to its end is freed in portions, in which its cold lines are fetched together, and whoever waits in the port waits for few. */
#define ENDS_AT_ONCE 8
#define ENDS_LATE_MS 12 /* for each ms that they are late twice as many, up to here */

/* ---- beginning */

static inline void ends_at(struct transactions *t, enum end_queue queue, struct expiry_thing thing, uint64_t due_ms)
{
	expiry_add(t->ends[queue], &thing, due_ms);
	if (due_ms < t->next_end_ms)
		t->next_end_ms = due_ms; /* or later: then nothing is found to end */
}

/* Which of the local addresses it is; -1: there are too many. */
static int local_index(struct transactions *t, const struct ip_port *local)
{
	if (t->local_last < t->local_count && ip_port_eq(&t->locals[t->local_last], local))
		return (int)t->local_last;
	for (t->local_last = 0; t->local_last < t->local_count; t->local_last++)
		if (ip_port_eq(&t->locals[t->local_last], local))
			return (int)t->local_last;
	if (t->local_count == LOCALS_MAX)
		return -1;
	t->locals[t->local_count++] = *local;
	return (int)t->local_last;
}

struct lingering *transactions_linger(struct transactions *t, struct server_txn *s, struct client_txn *c)
{
	struct pool *lingering = t->keyed[LINGERS_ACCEPTED];
	int local = local_index(t, &s->reply_to.local);
	struct lingering *l = local < 0 ? NULL : pool_get(lingering);
	uint32_t index, home;

	if (!l)
		return NULL;
	__builtin_prefetch(pool_ahead(lingering, 0), 1); /* who comes next writes there */
	*l = (struct lingering){
		.key = s->key,
		.connection = s->reply_to.connection,
		.remote = s->reply_to.remote,
		.tls_peer = s->reply_to.tls_peer,
		.transport = s->reply_to.transport,
		.local = (uint8_t)local,
	};
	index = pool_index(lingering, l);
	home = server_home(t, s);
	directory_replace(&t->directory, home, server_reference(t, s), reference_to(LINGERS_ACCEPTED, index));
	t->slots[c->slot].lingering = l;
	t->slots[c->slot].state = SLOT_LINGERS;
	ends_at(t, ENDS_ACCEPTED, (struct expiry_thing){ index, { [WITH_HOME] = home, [WITH_SLOT] = c->slot } }, c->lifetime.due_ms);
	server_free(t, s);
	client_free(t, c);
	return l;
}

struct flow lingering_reply_to(const struct transactions *t, const struct lingering *l)
{
	return (struct flow){ .remote = l->remote, .local = t->locals[l->local], .transport = l->transport, .tls_peer = l->tls_peer,
			      .connection = l->connection };
}

bool server_txn_linger(struct transactions *t, struct server_txn *s)
{
	struct pool *confirmed = t->keyed[LINGERS_CONFIRMED];
	struct txn_key *key = pool_get(confirmed);
	uint32_t index, home;

	if (!key)
		return false;
	*key = s->key;
	index = pool_index(confirmed, key);
	home = server_home(t, s);
	directory_replace(&t->directory, home, server_reference(t, s), reference_to(LINGERS_CONFIRMED, index));
	ends_at(t, ENDS_CONFIRMED, (struct expiry_thing){ index, { [WITH_HOME] = home } }, s->lifetime.due_ms);
	server_free(t, s);
	return true;
}

void client_txn_linger(struct transactions *t, struct client_txn *c, void *left)
{
	t->slots[c->slot].left = left;
	t->slots[c->slot].state = SLOT_COMPLETED;
	ends_at(t, ENDS_COMPLETED, (struct expiry_thing){ .index = c->slot }, c->lifetime.due_ms);
	t->completed++;
	client_free(t, c);
}

void *client_txn_left(const struct transactions *t, uint32_t slot, uint16_t generation)
{
	const struct client_slot *x = slot < t->fresh_slots ? &t->slots[slot] : NULL;

	return x && x->generation == generation && x->state == SLOT_COMPLETED ? x->left : NULL;
}

/* ---- ending */

/* What is found by a key no more. */
static inline void keyed_release(struct transactions *t, enum server_lingering how, const struct expiry_thing *x)
{
	directory_remove(&t->directory, x->with[WITH_HOME], reference_to(how, x->index));
	pool_put(t->keyed[how], pool_at(t->keyed[how], x->index));
	t->server_count--;
}

static void accepted_end(struct transactions *t, const struct expiry_thing *x)
{
	keyed_release(t, LINGERS_ACCEPTED, x);
	slot_free(t, x->with[WITH_SLOT]);
}

static void accepted_prefetch(const struct transactions *t, const struct expiry_thing *x)
{
	directory_prefetch(&t->directory, x->with[WITH_HOME]);
	__builtin_prefetch(&t->slots[x->with[WITH_SLOT]], 1);
}

static void confirmed_end(struct transactions *t, const struct expiry_thing *x)
{
	keyed_release(t, LINGERS_CONFIRMED, x);
}

static void confirmed_prefetch(const struct transactions *t, const struct expiry_thing *x)
{
	directory_prefetch(&t->directory, x->with[WITH_HOME]);
}

static void completed_end(struct transactions *t, const struct expiry_thing *x)
{
	slab_put(t->slab, t->slots[x->index].left);
	slot_free(t, x->index);
	t->completed--;
}

static void completed_prefetch(const struct transactions *t, const struct expiry_thing *x)
{
	__builtin_prefetch(&t->slots[x->index], 1);
}

/* prefetch: what `end` touches, of those that come after. */
static inline __attribute__((always_inline)) unsigned queue_end(struct transactions *t, enum end_queue queue, uint64_t now_ms,
								void (*end)(struct transactions *t, const struct expiry_thing *x),
								void (*prefetch)(const struct transactions *t, const struct expiry_thing *x))
{
	struct expiry *ends = t->ends[queue];
	uint64_t due = expiry_next_due(ends), late;
	struct expiry_thing things[ENDS_AT_ONCE], ahead[ENDS_AT_ONCE];
	unsigned ended = 0, most, n, n_ahead;

	if (due > now_ms)
		return 0;
	late = now_ms - due;
	most = ENDS_AT_ONCE << (late < ENDS_LATE_MS ? late : ENDS_LATE_MS);
	while (ended < most && (n = expiry_take(ends, now_ms, things, ENDS_AT_ONCE))) {
		n_ahead = expiry_ahead(ends, ahead, ENDS_AT_ONCE);
		for (unsigned i = 0; i < n_ahead; i++)
			prefetch(t, &ahead[i]);
		for (unsigned i = 0; i < n; i++)
			end(t, &things[i]);
		ended += n;
	}
	return ended;
}

unsigned transactions_end(struct transactions *t, uint64_t now_ms)
{
	unsigned ended = 0;

	if (t->next_end_ms > now_ms)
		return 0;
	ended += queue_end(t, ENDS_ACCEPTED, now_ms, accepted_end, accepted_prefetch);
	ended += queue_end(t, ENDS_CONFIRMED, now_ms, confirmed_end, confirmed_prefetch);
	ended += queue_end(t, ENDS_COMPLETED, now_ms, completed_end, completed_prefetch);
	t->next_end_ms = UINT64_MAX;
	for (unsigned i = 0; i < END_QUEUES; i++) {
		uint64_t due = expiry_next_due(t->ends[i]);

		t->next_end_ms = due < t->next_end_ms ? due : t->next_end_ms;
	}
	return ended;
}

uint64_t transactions_next_end(const struct transactions *t)
{
	return t->next_end_ms;
}
