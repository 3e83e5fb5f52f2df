/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/transactions.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

struct transactions {
	struct txn_timers timers;
	struct hash_key key[2];
	struct wheel *wheel;
	struct pool *servers, *clients;
	uint32_t client_bytes;
	uint32_t mask;
	struct server_txn **buckets;
	uint32_t *generations; /* by client slot: the low 16 bits; CLIENT_LIVE while taken. Outlives the object */
};

#define CLIENT_LIVE 0x80000000u

static uint32_t bucket_count(uint32_t max)
{
	uint32_t n = 64;

	while (n < max && n < 1U << 30)
		n *= 2;
	return n;
}

struct transactions *transactions_new(const struct transactions_config *config)
{
	struct transactions *t = calloc(1, sizeof(*t));
	uint32_t n = bucket_count(config->max_server);

	if (!t)
		return NULL;
	t->timers = config->timers;
	t->key[0] = config->key;
	t->key[1] = (struct hash_key){ mix64(config->key.k0), mix64(config->key.k1) };
	t->wheel = config->wheel;
	t->client_bytes = config->client_bytes;
	t->mask = n - 1;
	t->buckets = calloc(n, sizeof(t->buckets[0]));
	t->servers = pool_new(config->max_server, sizeof(struct server_txn));
	t->clients = pool_new(config->max_client, config->client_bytes);
	t->generations = calloc(config->max_client, sizeof(t->generations[0]));
	if (!t->buckets || !t->servers || !t->clients || !t->generations) {
		transactions_free(t);
		return NULL;
	}
	return t;
}

void transactions_free(struct transactions *t)
{
	if (!t)
		return;
	pool_free(t->servers);
	pool_free(t->clients);
	free(t->buckets);
	free(t->generations);
	free(t);
}

/* Long fields are folded into a hash first, so that the buffer has a bound. Case is folded where SIP compares without it. */
static uint32_t put_field(const struct transactions *t, uint8_t *buffer, uint32_t at, struct span field, bool fold)
{
	buffer[at++] = (uint8_t)(field.n ? 1 + (field.n & 0x7f) : 0);
	if (field.n > 96) {
		uint64_t h = siphash24(&t->key[1], field.p, field.n);

		memcpy(buffer + at, &h, sizeof(h));
		return at + (uint32_t)sizeof(h);
	}
	for (uint32_t i = 0; i < field.n; i++)
		buffer[at++] = fold ? ascii_lower(field.p[i]) : field.p[i];
	return at;
}

struct txn_key txn_key_of(const struct transactions *t, const struct sip_message *m, const struct via *top,
			  enum sip_method method)
{
	uint8_t buffer[6 * 100];
	uint32_t n = 0;
	struct txn_key key;

	buffer[n++] = (uint8_t)method;
	if (method == SIP_UNKNOWN_METHOD)
		n = put_field(t, buffer, n, m->method_name, false);
	if (via_branch_is_3261(top->branch)) {
		n = put_field(t, buffer, n, top->branch, true);
		n = put_field(t, buffer, n, top->host, true);
		buffer[n++] = (uint8_t)(top->port >> 8);
		buffer[n++] = (uint8_t)top->port;
	} else {
		n = put_field(t, buffer, n, m->request_uri, false);
		n = put_field(t, buffer, n, m->from_tag, true);
		n = put_field(t, buffer, n, m->call_id, false);
		n = put_field(t, buffer, n, top->whole, false);
		memcpy(buffer + n, &m->cseq, sizeof(m->cseq));
		n += (uint32_t)sizeof(m->cseq);
	}
	key.a = siphash24(&t->key[0], buffer, n);
	key.b = siphash24(&t->key[1], buffer, n);
	return key;
}

struct server_txn *server_txn_find(const struct transactions *t, const struct txn_key *key)
{
	struct server_txn *s = t->buckets[key->a & t->mask];

	while (s && (s->key.a != key->a || s->key.b != key->b))
		s = s->chain;
	return s;
}

struct server_txn *server_txn_new(struct transactions *t, const struct txn_key *key, bool invite, const struct flow *reply_to)
{
	struct server_txn *s = pool_get(t->servers);

	if (!s)
		return NULL;
	*s = (struct server_txn){
		.key = *key,
		.kind = invite ? TXN_INVITE_SERVER : TXN_SERVER,
		.state = invite ? TXN_PROCEEDING : TXN_TRYING,
		.reply_to = *reply_to,
		.retransmit = { .kind = TXN_TIMER_KIND_SERVER_RETRANSMIT },
		.lifetime = { .kind = TXN_TIMER_KIND_SERVER_LIFETIME },
		.chain = t->buckets[key->a & t->mask],
	};
	t->buckets[key->a & t->mask] = s;
	return s;
}

void server_txn_release(struct transactions *t, struct server_txn *s)
{
	struct server_txn **link = &t->buckets[s->key.a & t->mask];

	while (*link != s)
		link = &(*link)->chain;
	*link = s->chain;
	wheel_cancel(&s->retransmit);
	wheel_cancel(&s->lifetime);
	pool_put(t->servers, s);
}

static int is_reliable(const struct flow *f)
{
	return f->transport != TRANSPORT_UDP;
}

struct client_txn *client_txn_new(struct transactions *t, enum sip_method method, const struct flow *to, uint64_t now_ms)
{
	struct client_txn *c = pool_get(t->clients);
	uint32_t slot;

	if (!c)
		return NULL;
	memset(c, 0, t->client_bytes);
	slot = pool_index(t->clients, c);
	t->generations[slot] |= CLIENT_LIVE;
	c->generation = (uint16_t)t->generations[slot];
	c->kind = method == SIP_INVITE ? TXN_INVITE_CLIENT : TXN_CLIENT;
	c->state = TXN_TRYING;
	c->method = (uint8_t)method;
	c->to = *to;
	c->retransmit.kind = TXN_TIMER_KIND_CLIENT_RETRANSMIT;
	c->lifetime.kind = TXN_TIMER_KIND_CLIENT_LIFETIME;
	c->interval_ms = t->timers.t1;
	if (!is_reliable(to))
		wheel_arm(t->wheel, &c->retransmit, now_ms + c->interval_ms);
	wheel_arm(t->wheel, &c->lifetime, now_ms + txn_wait_ms(&t->timers));
	return c;
}

void client_txn_release(struct transactions *t, struct client_txn *c)
{
	uint32_t slot = pool_index(t->clients, c);

	t->generations[slot] = (uint16_t)(t->generations[slot] + 1);
	wheel_cancel(&c->retransmit);
	wheel_cancel(&c->lifetime);
	pool_put(t->clients, c);
}

uint32_t client_txn_slot(const struct transactions *t, const struct client_txn *c)
{
	return pool_index(t->clients, c);
}

struct client_txn *client_txn_at(const struct transactions *t, uint32_t slot, uint16_t generation)
{
	if (slot >= pool_capacity(t->clients) || t->generations[slot] != (CLIENT_LIVE | generation))
		return NULL;
	return pool_at(t->clients, slot);
}

/* What the two kinds of transaction have in common, so that one function moves the timers of both. */
struct timed {
	uint8_t kind;
	uint8_t *state;
	uint32_t *interval_ms;
	struct wheel_timer *retransmit, *lifetime;
	int reliable;
};

static uint16_t step(struct transactions *t, const struct timed *x, enum txn_event event, uint64_t now_ms)
{
	struct txn_step s = txn_step(x->kind, *x->state, event);

	if (!s.valid)
		return 0;
	*x->state = s.next;
	if (s.actions & TXN_DO_STOP_RETRANSMIT)
		wheel_cancel(x->retransmit);
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
	}
	if (s.actions & TXN_DO_START_LIFETIME)
		wheel_arm(t->wheel, x->lifetime,
			  now_ms + txn_linger_ms(x->kind, *x->state, &t->timers, x->reliable));
	if (*x->state == TXN_TERMINATED) {
		wheel_cancel(x->retransmit);
		wheel_cancel(x->lifetime);
	}
	return s.actions;
}

uint16_t server_txn_event(struct transactions *t, struct server_txn *s, enum txn_event event, uint64_t now_ms)
{
	struct timed x = { s->kind, &s->state, &s->interval_ms, &s->retransmit, &s->lifetime, is_reliable(&s->reply_to) };

	return step(t, &x, event, now_ms);
}

uint16_t client_txn_event(struct transactions *t, struct client_txn *c, enum txn_event event, uint64_t now_ms)
{
	struct timed x = { c->kind, &c->state, &c->interval_ms, &c->retransmit, &c->lifetime, is_reliable(&c->to) };

	return step(t, &x, event, now_ms);
}

bool transactions_client_room(const struct transactions *t)
{
	return pool_in_use(t->clients) < pool_capacity(t->clients);
}

uint32_t transactions_servers(const struct transactions *t)
{
	return pool_in_use(t->servers);
}

uint32_t transactions_clients(const struct transactions *t)
{
	return pool_in_use(t->clients);
}
