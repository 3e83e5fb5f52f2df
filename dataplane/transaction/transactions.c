/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/transactions.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/keyed_hash.h"
#include "base/pages.h"
#include "transaction/key.h"
#include "transaction/table.h"

struct transactions *transactions_new(const struct transactions_config *config)
{
	struct transactions *t = calloc(1, sizeof(*t));
	const uint32_t servers = config->max_in_progress ? config->max_in_progress : config->max_server;
	const uint32_t clients = config->max_in_progress ? config->max_in_progress * 2 : config->max_client;
	bool some_missing = false;

	if (!t)
		return NULL;
	t->timers = config->timers;
	t->key[0] = config->key;
	t->key[1] = (struct hash_key){ mix64(config->key.k0), mix64(config->key.k1) };
	t->wheel = config->wheel;
	t->slab = config->slab;
	t->client_bytes = config->client_bytes;
	t->max_server = config->max_server;
	t->max_slots = config->max_client;
	t->free_slots = SLOT_END;
	t->next_end_ms = UINT64_MAX;
	t->keyed[LINGERS_NOT] = pool_new(servers, sizeof(struct server_txn));
	t->keyed[LINGERS_ACCEPTED] = pool_new(config->max_server, LINGERING_BYTES);
	t->keyed[LINGERS_CONFIRMED] = pool_new(config->max_server, sizeof(struct txn_key));
	t->clients = pool_new(clients, config->client_bytes);
	t->ends[ENDS_ACCEPTED] = expiry_new(config->max_server);
	t->ends[ENDS_CONFIRMED] = expiry_new(config->max_server);
	t->ends[ENDS_COMPLETED] = expiry_new(config->max_client);
	t->slots = pages_new(config->max_client * sizeof(t->slots[0]));
	for (unsigned i = 0; i < END_QUEUES; i++)
		some_missing |= !t->ends[i];
	for (unsigned i = 0; i < KEYED_POOLS; i++)
		some_missing |= !t->keyed[i];
	if (directory_init(&t->directory, config->max_server) < 0 || !t->clients || !t->slots || some_missing) {
		transactions_free(t);
		return NULL;
	}
	return t;
}

void transactions_free(struct transactions *t)
{
	if (!t)
		return;
	pool_free(t->clients);
	for (unsigned i = 0; i < KEYED_POOLS; i++)
		pool_free(t->keyed[i]);
	for (unsigned i = 0; i < END_QUEUES; i++)
		expiry_free(t->ends[i]);
	directory_done(&t->directory);
	pages_free(t->slots, t->max_slots * sizeof(t->slots[0]));
	free(t);
}

void transactions_touch(struct transactions *t)
{
	pool_touch(t->clients);
	for (unsigned i = 0; i < KEYED_POOLS; i++)
		pool_touch(t->keyed[i]);
	for (unsigned i = 0; i < END_QUEUES; i++)
		expiry_touch(t->ends[i]);
	directory_touch(&t->directory);
	pages_touch(t->slots, t->max_slots * sizeof(t->slots[0]));
}

struct txn_key txn_key_of(const struct transactions *t, const struct sip_message *m, const struct via *top, enum sip_method method)
{
	return txn_key_read(t->key, m, top, method);
}

struct server_txn *server_txn_find(const struct transactions *t, const struct txn_key *key, enum server_lingering *ret_lingering)
{
	struct directory_search search = directory_seek(&t->directory, key->a);
	uint32_t reference;

	*ret_lingering = LINGERS_NOT;
	while ((reference = directory_next(&t->directory, &search))) {
		struct txn_key *found = reference_at(t, reference);

		if (found->a != key->a || found->b != key->b)
			continue;
		*ret_lingering = reference_how(reference);
		return *ret_lingering == LINGERS_NOT ? (struct server_txn *)found : NULL;
	}
	return NULL;
}

struct server_txn *server_txn_new(struct transactions *t, const struct txn_key *key, bool invite, const struct flow *reply_to)
{
	struct server_txn *s = t->server_count < t->max_server ? pool_get(t->keyed[LINGERS_NOT]) : NULL;

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s)); /* not by a compound literal: that is written word by word */
	s->key = *key;
	s->kind = invite ? TXN_INVITE_SERVER : TXN_SERVER;
	s->state = invite ? TXN_PROCEEDING : TXN_TRYING;
	s->reply_to = *reply_to;
	s->retransmit.kind = TXN_TIMER_KIND_SERVER_RETRANSMIT;
	s->lifetime.kind = TXN_TIMER_KIND_SERVER_LIFETIME;
	t->server_count++;
	directory_add(&t->directory, key->a, server_reference(t, s));
	return s;
}

void server_txn_release(struct transactions *t, struct server_txn *s)
{
	directory_remove(&t->directory, server_home(t, s), server_reference(t, s));
	server_free(t, s);
	t->server_count--;
}

static inline bool slot_room(const struct transactions *t)
{
	return t->free_slots != SLOT_END || t->fresh_slots < t->max_slots;
}

static uint32_t slot_take(struct transactions *t)
{
	uint32_t slot = t->free_slots;

	if (slot == SLOT_END)
		return t->fresh_slots < t->max_slots ? t->fresh_slots++ : SLOT_END;
	t->free_slots = t->slots[slot].next;
	return slot;
}

static int is_reliable(const struct flow *f)
{
	return f->transport != TRANSPORT_UDP;
}

/* A timer whose due_ms says when. Timers B and F are armed where timers A and E have nothing to say before them, or have once spoken: most requests
 * are answered before. Timers L and M mostly are not needed at all (transactions_linger). */
static void arm_unarmed(struct transactions *t, struct wheel_timer *lifetime)
{
	if (!wheel_timer_armed(lifetime))
		wheel_arm(t->wheel, lifetime, lifetime->due_ms);
}

struct client_txn *client_txn_new(struct transactions *t, enum sip_method method, const struct flow *to, uint64_t now_ms)
{
	struct client_txn *c = slot_room(t) ? pool_get(t->clients) : NULL;

	if (!c)
		return NULL;
	memset(c, 0, t->client_bytes);
	c->slot = slot_take(t);
	t->slots[c->slot].client = c;
	t->slots[c->slot].state = SLOT_CLIENT;
	c->generation = t->slots[c->slot].generation;
	c->kind = method == SIP_INVITE ? TXN_INVITE_CLIENT : TXN_CLIENT;
	c->state = TXN_TRYING;
	c->method = (uint8_t)method;
	c->retransmit.kind = TXN_TIMER_KIND_CLIENT_RETRANSMIT;
	c->lifetime.kind = TXN_TIMER_KIND_CLIENT_LIFETIME;
	c->lifetime.due_ms = now_ms + txn_wait_ms(&t->timers);
	client_txn_redirect(t, c, to, now_ms);
	return c;
}

void client_txn_redirect(struct transactions *t, struct client_txn *c, const struct flow *to, uint64_t now_ms)
{
	c->to = *to;
	c->interval_ms = t->timers.t1;
	if (!is_reliable(to)) {
		wheel_arm(t->wheel, &c->retransmit, now_ms + c->interval_ms);
		return;
	}
	wheel_cancel(&c->retransmit);
	arm_unarmed(t, &c->lifetime);
}

void client_txn_release(struct transactions *t, struct client_txn *c)
{
	slot_free(t, c->slot);
	client_free(t, c);
}

struct client_txn *client_txn_at(const struct transactions *t, uint32_t slot, uint16_t generation, struct lingering **ret_lingering)
{
	const struct client_slot *x = slot < t->fresh_slots ? &t->slots[slot] : NULL;
	bool live = x && x->generation == generation;

	*ret_lingering = live && x->state == SLOT_LINGERS ? x->lingering : NULL;
	return live && x->state == SLOT_CLIENT ? x->client : NULL;
}

unsigned client_txns(const struct transactions *t, uint32_t *cursor, uint32_t end, struct client_txn **ret, unsigned max)
{
	uint32_t slot = *cursor, last = end < t->fresh_slots ? end : t->fresh_slots;
	unsigned n = 0;

	for (; slot < last && n < max; slot++)
		if (t->slots[slot].state == SLOT_CLIENT)
			ret[n++] = t->slots[slot].client;
	*cursor = slot;
	return n;
}

void transactions_settle(struct transactions *t, struct server_txn *s, struct client_txn *c)
{
	if (s && s->state == TXN_ACCEPTED)
		arm_unarmed(t, &s->lifetime);
	if (c->state == TXN_ACCEPTED)
		arm_unarmed(t, &c->lifetime);
}

/* What the two kinds of transaction have in common, so that one function moves the timers of both. */
struct timed {
	uint8_t kind;
	uint8_t *state;
	uint32_t *interval_ms;
	struct wheel_timer *retransmit, *lifetime;
	int reliable;
	bool settled_by_user;
};

static inline __attribute__((always_inline)) uint16_t step(struct transactions *t, const struct timed *x, enum txn_event event, uint64_t now_ms)
{
	struct txn_step s = txn_step(x->kind, *x->state, event);

	if (!s.valid)
		return 0;
	*x->state = s.next;
	if (s.actions & TXN_DO_STOP_RETRANSMIT)
		wheel_cancel(x->retransmit);
	if (s.actions & TXN_DO_STOP_RETRANSMIT && event == TXN_ABANDON)
		arm_unarmed(t, x->lifetime);
	if (s.actions & TXN_DO_STOP_LIFETIME)
		wheel_cancel(x->lifetime);
	if (s.actions & TXN_DO_START_RETRANSMIT && !x->reliable) {
		*x->interval_ms = t->timers.t1;
		wheel_arm(t->wheel, x->retransmit, now_ms + *x->interval_ms);
	}
	if (s.actions & TXN_DO_BACKOFF && !x->reliable) {
		uint32_t next = *x->interval_ms * 2;

		/* Timer A doubles without a bound; E and G stop at T2, and E runs at T2 once a provisional came. */
		if (x->kind != TXN_INVITE_CLIENT && next > t->timers.t2)
			next = t->timers.t2;
		if (x->kind == TXN_CLIENT && *x->state == TXN_PROCEEDING)
			next = t->timers.t2;
		*x->interval_ms = next;
		wheel_arm(t->wheel, x->retransmit, now_ms + next);
		arm_unarmed(t, x->lifetime); /* a server's is armed */
	}
	if (s.actions & TXN_DO_START_LIFETIME) {
		uint64_t due_ms = now_ms + txn_linger_ms(x->kind, *x->state, &t->timers, x->reliable);

		if (x->settled_by_user && *x->state == TXN_ACCEPTED) {
			wheel_cancel(x->lifetime);
			x->lifetime->due_ms = due_ms;
		} else {
			wheel_arm(t->wheel, x->lifetime, due_ms);
		}
	}
	if (*x->state == TXN_TERMINATED) {
		wheel_cancel(x->retransmit);
		wheel_cancel(x->lifetime);
	}
	return s.actions;
}

uint16_t server_txn_event(struct transactions *t, struct server_txn *s, enum txn_event event, uint64_t now_ms)
{
	struct timed x = { s->kind, &s->state, &s->interval_ms, &s->retransmit, &s->lifetime, is_reliable(&s->reply_to), s->settled_by_user };

	return step(t, &x, event, now_ms);
}

uint16_t client_txn_event(struct transactions *t, struct client_txn *c, enum txn_event event, uint64_t now_ms)
{
	struct timed x = { c->kind, &c->state, &c->interval_ms, &c->retransmit, &c->lifetime, is_reliable(&c->to), c->settled_by_user };

	return step(t, &x, event, now_ms);
}

bool transactions_client_room(const struct transactions *t)
{
	return slot_room(t) && pool_in_use(t->clients) < pool_capacity(t->clients);
}

uint32_t transactions_servers(const struct transactions *t)
{
	return t->server_count;
}

uint32_t transactions_clients(const struct transactions *t)
{
	return pool_in_use(t->clients) + pool_in_use(t->keyed[LINGERS_ACCEPTED]) + t->completed;
}

void transactions_prefetch_slot(const struct transactions *t, uint32_t slot)
{
	if (slot < t->max_slots)
		__builtin_prefetch(&t->slots[slot]);
}

void transactions_prefetch_key(const struct transactions *t, const struct txn_key *key)
{
	directory_prefetch(&t->directory, directory_home(&t->directory, key->a));
}

void transactions_prefetch_found(const struct transactions *t, const struct txn_key *key)
{
	struct directory_search search = directory_seek(&t->directory, key->a);
	uint32_t reference = directory_next(&t->directory, &search);

	if (__builtin_expect(reference, 0))
		__builtin_prefetch(reference_at(t, reference));
}

const void *server_txn_bucket(const struct transactions *t, const struct server_txn *s)
{
	return &t->directory.lines[server_home(t, s)];
}

const void *transactions_slot_object(const struct transactions *t, uint32_t slot, uint16_t generation)
{
	const struct client_slot *x = slot < t->fresh_slots ? &t->slots[slot] : NULL;

	return x && x->generation == generation && x->state == SLOT_CLIENT ? x->client : NULL;
}
