/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

struct calls {
	struct pool *pool;
	struct wheel *wheel;
	struct hash_key key;
	uint32_t max_age_ms, age_kind, mask, live;
	struct live_call **buckets;
	uint16_t *generations; /* outlives the object: a slot's next call has another one */
	uint8_t *open;
};

struct calls *calls_new(uint32_t max_calls, uint32_t max_age_ms, const struct hash_key *key, struct wheel *wheel,
			uint32_t age_kind)
{
	struct calls *c = calloc(1, sizeof(*c));
	uint32_t n = 64;

	if (!c)
		return NULL;
	while (n < max_calls && n < 1U << 30)
		n *= 2;
	c->mask = n - 1;
	c->max_age_ms = max_age_ms;
	c->age_kind = age_kind;
	c->key = *key;
	c->wheel = wheel;
	c->pool = pool_new(max_calls, sizeof(struct live_call));
	c->buckets = calloc(n, sizeof(c->buckets[0]));
	c->generations = calloc(max_calls, sizeof(c->generations[0]));
	c->open = calloc(max_calls, 1);
	if (!c->pool || !c->buckets || !c->generations || !c->open) {
		calls_free(c);
		return NULL;
	}
	return c;
}

void calls_free(struct calls *c)
{
	if (!c)
		return;
	pool_free(c->pool);
	free(c->buckets);
	free(c->generations);
	free(c->open);
	free(c);
}

/* Tags compare without case (tokens); Call-IDs with it (RFC 3261 §20.8). An absent tag hashes as an empty one. */
static uint64_t tag_hash(const struct calls *c, struct span tag)
{
	uint8_t low[128];
	uint64_t h;

	if (tag.n > sizeof(low))
		h = siphash24(&c->key, tag.p, tag.n);
	else {
		for (uint32_t i = 0; i < tag.n; i++)
			low[i] = ascii_lower(tag.p[i]);
		h = siphash24(&c->key, low, tag.n);
	}
	return h ? h : 1;
}

/* By Call-ID and the caller's tag: nobody makes a long chain with one Call-ID. */
static struct live_call **bucket(const struct calls *c, uint64_t call_id, uint64_t caller_tag)
{
	return &c->buckets[mix64(call_id + mix64(caller_tag)) & c->mask];
}

struct live_call *call_open(struct calls *c, struct span call_id, struct span caller_tag)
{
	struct live_call *call = pool_get(c->pool);
	uint32_t slot;

	if (!call)
		return NULL;
	slot = pool_index(c->pool, call);
	*call = (struct live_call){
		.age = { .kind = c->age_kind },
		.call_id = siphash24(&c->key, call_id.p, call_id.n),
		.caller_tag = tag_hash(c, caller_tag),
		.generation = c->generations[slot],
		.target_slot = UINT32_MAX,
	};
	c->open[slot] = 1;
	call->chain = *bucket(c, call->call_id, call->caller_tag);
	*bucket(c, call->call_id, call->caller_tag) = call;
	return call;
}

void call_close(struct calls *c, struct live_call *call)
{
	struct live_call **link = bucket(c, call->call_id, call->caller_tag);
	uint32_t slot = pool_index(c->pool, call);

	while (*link != call)
		link = &(*link)->chain;
	*link = call->chain;
	wheel_cancel(&call->age);
	c->live -= call->answered;
	c->generations[slot]++;
	c->open[slot] = 0;
	pool_put(c->pool, call);
}

void call_answer(struct calls *c, struct live_call *call, struct span target_tag, uint64_t now_ms)
{
	if (call->answered)
		return;
	call->answered = true;
	call->target_tag = tag_hash(c, target_tag);
	c->live++;
	call_refresh(c, call, now_ms);
}

void call_refresh(struct calls *c, struct live_call *call, uint64_t now_ms)
{
	uint32_t age_ms = c->max_age_ms;

	if (!call)
		return;
	/* RFC 4028 §10: the side that waits ends the session a third of it, 32 s at most, before; a BYE would have come by the whole of it. */
	if (call->session_ms && call->session_ms < age_ms)
		age_ms = call->session_ms;
	wheel_arm(c->wheel, &call->age, now_ms + age_ms);
}

void call_session(struct live_call *call, uint64_t session_s)
{
	call->session_ms = session_s && session_s < UINT32_MAX / 1000 ? (uint32_t)session_s * 1000 : 0;
}

struct live_call *calls_next(const struct calls *c, uint32_t *cursor)
{
	while (*cursor < pool_capacity(c->pool)) {
		uint32_t slot = (*cursor)++;

		if (c->open[slot])
			return pool_at(c->pool, slot);
	}
	return NULL;
}

uint32_t call_slot(const struct calls *c, const struct live_call *call)
{
	return pool_index(c->pool, call);
}

struct live_call *call_at(const struct calls *c, uint32_t slot, uint16_t generation)
{
	if (slot >= pool_capacity(c->pool) || !c->open[slot] || c->generations[slot] != generation)
		return NULL;
	return pool_at(c->pool, slot);
}

static struct live_call *find(const struct calls *c, uint64_t call_id, uint64_t caller, uint64_t target)
{
	for (struct live_call *call = *bucket(c, call_id, caller); call; call = call->chain)
		if (call->answered && call->call_id == call_id && call->caller_tag == caller && call->target_tag == target)
			return call;
	return NULL;
}

struct live_call *call_find(const struct calls *c, struct span call_id, struct span from_tag, struct span to_tag,
			    enum token_side *ret_side)
{
	uint64_t id = siphash24(&c->key, call_id.p, call_id.n);
	uint64_t from = tag_hash(c, from_tag), to = tag_hash(c, to_tag);
	struct live_call *call = find(c, id, from, to);

	*ret_side = call ? TOKEN_FROM_CALLER : TOKEN_FROM_TARGET;
	return call ? call : find(c, id, to, from);
}

uint32_t calls_live(const struct calls *c)
{
	return c->live;
}

uint32_t calls_open(const struct calls *c)
{
	return pool_in_use(c->pool);
}
