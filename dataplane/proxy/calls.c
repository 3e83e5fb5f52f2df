/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/calls.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/directory.h"
#include "base/pages.h"
#include "base/poison.h"
#include "base/siphash.h"

/* Calls with one Call-ID and caller's tag: more than anybody forks to. They lie in line after line, and whoever seeks there has to pass them. */
#define ALIKE_MAX 64

/* What stays readable of a free slot. */
#define KEPT_BYTES offsetof(struct live_call, call_id)

/* A worker looks at every call once a second, some at a time, to see which are too old: a timer each would touch its neighbours' cold lines at every
 * answer and every BYE. */
#define LOOK_MS	    64
#define LOOK_ALL_MS 1000
#define LOOK_BLOCK  64 /* calls looked at in one go */
/* Those that are too old go in portions, one a ms, so that whoever waits in the port waits for few: where many began together they also stand together.
 * A share of all goes too, so that none is kept for long: where all live four seconds they go as fast as they come. */
#define ENDS_AT_ONCE 32
#define ENDS_SHARE   4096
#define ENDS_AHEAD   8 /* whose lines are fetched: there, and at twice that */

_Static_assert(sizeof(struct live_call) == 64, "a call is a cache line");
_Static_assert(KEPT_BYTES == 8, "poisoning goes by words of 8 bytes");

struct caller_stream {
	uint64_t connection;
	struct ip_addr caller;
};

struct calls {
	struct live_call *at;
	uint32_t *due_s;	/* by slot: when the call is too old, in s of the wheel's clock; 0: not answered */
	struct ip_port *flows;	/* by slot, of those that are natted */
	struct caller_stream *streams; /* by slot, of those that are streamed */
	struct directory directory;    /* of slot + 1 */
	struct wheel *wheel;
	uint32_t *free;	     /* slots that were given back, the last one last: here and not in the calls, whose lines are cold */
	uint32_t free_count;
	uint32_t max, fresh; /* slots from here on were never taken */
	uint32_t max_age_ms, open, live;
	struct wheel_timer look;
	uint64_t looked_ms;	/* when it was last looked */
	uint32_t look_at, look_left; /* where, and at how many more calls this time */
	uint32_t ended;		     /* of this portion */
	uint16_t node, boot;
	uint8_t worker;
};

static size_t due_bytes(const struct calls *c)
{
	return sizeof(c->due_s[0]) * (size_t)c->max;
}

static size_t free_bytes(const struct calls *c)
{
	return sizeof(c->free[0]) * (size_t)c->max;
}

struct calls *calls_new(uint32_t max_calls, uint32_t max_age_ms, struct wheel *wheel, uint32_t age_kind, const struct token *own)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->max = max_calls;
	c->max_age_ms = max_age_ms;
	c->look.kind = age_kind;
	c->wheel = wheel;
	c->node = own->node;
	c->boot = own->boot;
	c->worker = own->worker;
	c->at = pages_new(sizeof(c->at[0]) * (size_t)max_calls);
	c->due_s = pages_new(due_bytes(c));
	c->free = pages_new(free_bytes(c));
	c->flows = pages_new(sizeof(c->flows[0]) * (size_t)max_calls);
	c->streams = pages_new(sizeof(c->streams[0]) * (size_t)max_calls);
	if (directory_init(&c->directory, max_calls) < 0 || !c->at || !c->due_s || !c->free || !c->flows || !c->streams) {
		calls_free(c);
		return NULL;
	}
	for (uint32_t i = 0; POISON_GAP_BYTES && i < max_calls; i++)
		poison_region((uint8_t *)&c->at[i] + KEPT_BYTES, sizeof(c->at[i]) - KEPT_BYTES);
	return c;
}

void calls_free(struct calls *c)
{
	if (!c)
		return;
	if (c->at)
		unpoison_region(c->at, sizeof(c->at[0]) * (size_t)c->max);
	pages_free(c->at, sizeof(c->at[0]) * (size_t)c->max);
	pages_free(c->due_s, due_bytes(c));
	pages_free(c->free, free_bytes(c));
	pages_free(c->flows, sizeof(c->flows[0]) * (size_t)c->max);
	pages_free(c->streams, sizeof(c->streams[0]) * (size_t)c->max);
	directory_done(&c->directory);
	free(c);
}

void calls_touch(struct calls *c)
{
	pages_touch(c->at, sizeof(c->at[0]) * (size_t)c->max);
	pages_touch(c->due_s, due_bytes(c));
	pages_touch(c->free, free_bytes(c));
	directory_touch(&c->directory);
}

/* By Call-ID and the caller's tag. */
static uint64_t hash_of(uint64_t call_id, uint64_t caller_tag)
{
	return mix64(call_id + mix64(caller_tag));
}

static uint32_t home_of(const struct calls *c, uint64_t call_id, uint64_t caller_tag)
{
	return directory_home(&c->directory, hash_of(call_id, caller_tag));
}

static uint32_t reference_of(const struct calls *c, const struct live_call *call)
{
	return call_slot(c, call) + 1;
}

static struct live_call *take(struct calls *c)
{
	struct live_call *call;

	if (!c->free_count && c->fresh == c->max)
		return NULL;
	call = &c->at[c->free_count ? c->free[--c->free_count] : c->fresh++];
	unpoison_region(call, sizeof(*call));
	return call;
}

/* By their signatures, which is near enough. */
static bool too_many_alike(const struct calls *c, uint64_t hash)
{
	struct directory_search search = directory_seek(&c->directory, hash);
	unsigned n = 0;

	if (__builtin_expect(!search.at->beyond, 1))
		return false;
	while (directory_next(&c->directory, &search))
		n++;
	return n >= ALIKE_MAX;
}

struct live_call *call_open(struct calls *c, uint64_t call_id, uint64_t caller_tag, uint32_t setup_s, uint32_t caller_trunk)
{
	uint64_t hash = hash_of(call_id, caller_tag);
	struct live_call *call = too_many_alike(c, hash) ? NULL : take(c);

	if (!call)
		return NULL;
	directory_add(&c->directory, hash, reference_of(c, call));
	call->open = true;
	call->answered = false;
	call->natted = false;
	call->streamed = false;
	call->held = false;
	call->accepted = false;
	call->relayed = false;
	call->call_id = call_id;
	call->caller_tag = caller_tag;
	call->target_tag = 0;
	call->record = NULL;
	call->setup_s = setup_s;
	call->caller_trunk = caller_trunk;
	call->target_trunk = 0;
	call->endpoint = 0;
	call->session_ms = 0;
	call->target_slot = UINT32_MAX;
	c->open++;
	return call;
}

void call_close(struct calls *c, struct live_call *call)
{
	uint32_t slot = call_slot(c, call);

	assert(call->open);
	directory_remove(&c->directory, home_of(c, call->call_id, call->caller_tag), reference_of(c, call));
	c->due_s[slot] = 0;
	c->live -= call->answered;
	c->open--;
	call->generation++;
	call->open = false;
	c->free[c->free_count++] = slot;
	poison_region((uint8_t *)call + KEPT_BYTES, sizeof(*call) - KEPT_BYTES);
}

void call_natted(struct calls *c, struct live_call *call, const struct ip_port *flow)
{
	call->natted = true;
	c->flows[call_slot(c, call)] = *flow;
}

void call_streamed(struct calls *c, struct live_call *call, uint64_t connection, const struct ip_addr *caller)
{
	call->streamed = connection != 0;
	if (call->streamed)
		c->streams[call_slot(c, call)] = (struct caller_stream){ connection, *caller };
}

uint64_t call_connection(const struct calls *c, const struct live_call *call, struct ip_addr *ret_caller)
{
	const struct caller_stream *s = &c->streams[call_slot(c, call)];

	if (!call->streamed)
		return 0;
	*ret_caller = s->caller;
	return s->connection;
}

void call_answer(struct calls *c, struct live_call *call, uint64_t target_tag, uint64_t now_ms)
{
	if (call->answered)
		return;
	call->answered = true;
	call->target_tag = target_tag;
	if (!c->live++) {
		c->looked_ms = now_ms;
		wheel_arm(c->wheel, &c->look, now_ms + LOOK_MS);
	}
	call_refresh(c, call, now_ms);
}

void call_refresh(struct calls *c, struct live_call *call, uint64_t now_ms)
{
	uint32_t age_ms = c->max_age_ms;

	if (!call || !call->answered)
		return;
	/* RFC 4028 §10: the side that waits ends the session a third of it, 32 s at most, before; a BYE would have come by the whole of it. */
	if (call->session_ms && call->session_ms < age_ms)
		age_ms = call->session_ms;
	c->due_s[call_slot(c, call)] = (uint32_t)((now_ms + age_ms + 999) / 1000);
}

/* One of a block is due. */
static bool block_due(const uint32_t *due_s, uint32_t now_s)
{
	uint32_t any = 0;

	for (unsigned i = 0; i < LOOK_BLOCK; i++)
		any |= due_s[i] - 1 < now_s; /* 0 is not */
	return any;
}

/* What ending the next ones will touch. */
static const struct live_call *ends_ahead(const struct calls *c, uint32_t slot, uint32_t now_s)
{
	uint32_t near = slot + ENDS_AHEAD, far = slot + 2 * ENDS_AHEAD;

	if (far < c->fresh && c->due_s[far] - 1 < now_s)
		__builtin_prefetch(&c->at[far], 1);
	if (near >= c->fresh || c->due_s[near] - 1 >= now_s)
		return NULL;
	calls_prefetch_close(c, &c->at[near]);
	return &c->at[near];
}

struct live_call *calls_expired(struct calls *c, uint64_t now_ms, const struct live_call **ret_ahead)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	if (c->ended >= ENDS_AT_ONCE + c->live / ENDS_SHARE) {
		c->ended = 0;
		if (c->live)
			wheel_arm(c->wheel, &c->look, now_ms + 1);
		return NULL;
	}
	if (!c->look_left) {
		uint64_t passed = now_ms - c->looked_ms;

		c->look_left = passed < LOOK_ALL_MS ? (uint32_t)(c->fresh * passed / LOOK_ALL_MS) + 1 : c->fresh;
		c->looked_ms = now_ms;
	}
	while (c->look_left) {
		uint32_t slot = c->look_at < c->fresh ? c->look_at : 0;

		if (slot % LOOK_BLOCK == 0 && c->look_left >= LOOK_BLOCK && slot + LOOK_BLOCK <= c->fresh && !block_due(&c->due_s[slot], now_s)) {
			c->look_at = slot + LOOK_BLOCK;
			c->look_left -= LOOK_BLOCK;
			continue;
		}
		c->look_at = slot + 1;
		c->look_left--;
		if (c->due_s[slot] - 1 < now_s) {
			c->due_s[slot] = 0;
			c->look_left++; /* not over yet, even if this was the last one: the caller asks again */
			c->ended++;
			*ret_ahead = ends_ahead(c, slot, now_s);
			return &c->at[slot];
		}
	}
	c->ended = 0;
	if (c->live)
		wheel_arm(c->wheel, &c->look, now_ms + LOOK_MS);
	return NULL;
}

void call_session(struct live_call *call, uint64_t session_s)
{
	call->session_ms = session_s && session_s < UINT32_MAX / 1000 ? (uint32_t)session_s * 1000 : 0;
}

struct live_call *calls_next(const struct calls *c, uint32_t *cursor)
{
	while (*cursor < c->fresh) {
		struct live_call *call = &c->at[(*cursor)++];

		if (call->open)
			return call;
	}
	return NULL;
}

unsigned calls_answered(const struct calls *c, uint32_t *cursor, uint32_t end, struct live_call **ret, unsigned max)
{
	uint32_t slot = *cursor, last = end < c->fresh ? end : c->fresh;
	unsigned n = 0;

	for (; slot < last && n < max; slot++)
		if (c->due_s[slot]) /* sixteen to a line: the calls' own lines are left alone where there is none */
			ret[n++] = &c->at[slot];
	*cursor = slot;
	return n;
}

uint32_t call_slot(const struct calls *c, const struct live_call *call)
{
	return (uint32_t)(call - c->at);
}

struct live_call *call_at(const struct calls *c, uint32_t slot, uint16_t generation)
{
	struct live_call *call = &c->at[slot];

	return slot < c->fresh && call->open && call->generation == generation ? call : NULL;
}

void call_token(const struct calls *c, const struct live_call *call, struct token *ret)
{
	*ret = (struct token){
		.node = c->node,
		.boot = c->boot,
		.worker = c->worker,
		.slot = call_slot(c, call),
		.generation = call->generation,
		.setup_s = call->setup_s,
		.caller_trunk = call->caller_trunk,
		.target_trunk = call->target_trunk,
		.endpoint = call->endpoint,
	};
	if (call->natted)
		ret->caller_flow = c->flows[ret->slot];
}

static bool is_dialog(const struct live_call *call, uint64_t call_id, uint64_t caller, uint64_t target)
{
	return call->call_id == call_id && call->caller_tag == caller && call->target_tag == target && call->answered;
}

static struct live_call *find(const struct calls *c, uint64_t call_id, uint64_t caller, uint64_t target)
{
	struct directory_search search = directory_seek(&c->directory, hash_of(call_id, caller));
	uint32_t reference;

	while ((reference = directory_next(&c->directory, &search)))
		if (is_dialog(&c->at[reference - 1], call_id, caller, target))
			return &c->at[reference - 1];
	return NULL;
}

struct live_call *call_find(const struct calls *c, uint64_t call_id, uint64_t from_tag, uint64_t to_tag, const struct token *hint,
			    enum token_side *ret_side)
{
	struct live_call *call = NULL;

	if (hint && hint->node == c->node && hint->boot == c->boot && hint->worker == c->worker)
		call = call_at(c, hint->slot, hint->generation);
	if (call && is_dialog(call, call_id, from_tag, to_tag)) {
		*ret_side = TOKEN_FROM_CALLER;
		return call;
	}
	if (call && is_dialog(call, call_id, to_tag, from_tag)) {
		*ret_side = TOKEN_FROM_TARGET;
		return call;
	}
	/* Two legs may have answered: the token of both names the one that is counted, and the other one is not among them. */
	call = find(c, call_id, from_tag, to_tag);
	*ret_side = call ? TOKEN_FROM_CALLER : TOKEN_FROM_TARGET;
	return call ? call : find(c, call_id, to_tag, from_tag);
}

void calls_prefetch(const struct calls *c, uint32_t slot)
{
	if (slot < c->fresh)
		__builtin_prefetch(&c->at[slot]);
}

void calls_prefetch_answer(const struct calls *c, uint32_t slot)
{
	if (slot >= c->fresh)
		return;
	__builtin_prefetch(&c->at[slot], 1);
	__builtin_prefetch(&c->due_s[slot], 1);
}

void calls_prefetch_close(const struct calls *c, const struct live_call *call)
{
	directory_prefetch(&c->directory, home_of(c, call->call_id, call->caller_tag));
	__builtin_prefetch(&c->due_s[call_slot(c, call)], 1);
}

void calls_prefetch_open(const struct calls *c, unsigned before, uint64_t call_id, uint64_t caller_tag)
{
	uint32_t slot = before < c->free_count ? c->free[c->free_count - 1 - before] : c->fresh + (before - c->free_count);

	directory_prefetch(&c->directory, home_of(c, call_id, caller_tag));
	if (slot < c->max)
		__builtin_prefetch(&c->at[slot], 1);
}

uint32_t calls_live(const struct calls *c)
{
	return c->live;
}

uint32_t calls_open(const struct calls *c)
{
	return c->open;
}
