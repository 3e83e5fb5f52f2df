/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/record.h"

#include <stddef.h>
#include <string.h>

#include "sip/q850.h"

/* A record while its call goes on: its texts as long as they are, and as many attempts as there were, since there may be a million of them.
 * What leaves is a whole call_record. */
struct kept_record {
	uint64_t id;
	uint64_t arrived_unix_ms;
	e164 number;
	uint32_t progress_ms, answered_ms, ended_ms;
	uint32_t source_trunk_id, profile_id;
	struct ip_port source;
	uint16_t status, node;
	uint16_t bytes; /* of the buffer */
	uint8_t kind, end, worker;
	uint8_t call_id_len, from_len, to_len, profile_len;
	uint8_t cause;
	uint8_t attempt_count;
	/* In the same two lines as the first of them, while the call is set up. Call-ID, from, to and profile lie at the buffer's end. */
	struct attempt_record attempts[];
};

struct waiting_record {
	struct waiting_record *next;
	struct kept_record k;
};

static uint32_t text_bytes(const struct kept_record *k)
{
	return (uint32_t)k->call_id_len + k->from_len + k->to_len + k->profile_len;
}

static char *text_of(struct kept_record *k)
{
	return (char *)k + k->bytes - text_bytes(k);
}

static uint32_t front_bytes(unsigned attempts)
{
	return (uint32_t)(sizeof(struct kept_record) + attempts * sizeof(struct attempt_record));
}

/* Into a buffer of `bytes`, which are enough. */
static void copy_kept(struct kept_record *to, struct kept_record *from, uint32_t bytes)
{
	memcpy(to, from, front_bytes(from->attempt_count));
	to->bytes = (uint16_t)bytes;
	memcpy(text_of(to), text_of(from), text_bytes(from));
}

static struct kept_record *record_of(const struct proxy *p, const struct context *c)
{
	struct live_call *call = c->call_slot == CALL_NONE ? NULL : call_at(p->calls, c->call_slot, c->call_generation);

	return call ? call->record : NULL;
}

static uint32_t since(const struct proxy *p, const struct kept_record *k)
{
	uint64_t ms = p->now_ms + p->config.clock_offset_ms - k->arrived_unix_ms;

	return ms ? (uint32_t)ms : 1; /* 0 says that it did not happen */
}

/* ---- posting */

static const char *take_text(char *out, const char *text, uint8_t n)
{
	memcpy(out, text, n);
	return text + n;
}

/* What lies behind the texts' ends and behind the last attempt is of no meaning. */
static void write_whole(struct kept_record *k, struct call_record *r)
{
	const char *text = text_of(k);

	r->id = k->id;
	r->kind = k->kind;
	r->end = k->end;
	r->status = k->status;
	r->node = k->node;
	r->worker = k->worker;
	r->attempt_count = k->attempt_count;
	r->arrived_unix_ms = k->arrived_unix_ms;
	r->progress_ms = k->progress_ms;
	r->answered_ms = k->answered_ms;
	r->ended_ms = k->ended_ms;
	r->number = k->number;
	r->source_trunk_id = k->source_trunk_id;
	r->profile_id = k->profile_id;
	r->source = k->source;
	r->cause = k->cause;
	r->call_id_len = k->call_id_len;
	r->from_len = k->from_len;
	r->to_len = k->to_len;
	text = take_text(r->call_id, text, k->call_id_len);
	text = take_text(r->from, text, k->from_len);
	text = take_text(r->to, text, k->to_len);
	take_text(r->profile, text, k->profile_len);
	r->profile[k->profile_len] = '\0';
	memcpy(r->attempts, k->attempts, k->attempt_count * sizeof(r->attempts[0]));
}

/* false: no room. */
static bool post_whole(struct proxy *p, struct kept_record *k)
{
	struct call_record *r = p->config.record_room(p->config.outbox.ctx);

	if (!r)
		return false;
	write_whole(k, r);
	p->config.record_written(p->config.outbox.ctx);
	return true;
}

static void wait_for_room(struct proxy *p, struct kept_record *k)
{
	uint32_t bytes = front_bytes(k->attempt_count) + text_bytes(k);
	struct waiting_record *w = slab_get(p->slab, (uint32_t)offsetof(struct waiting_record, k) + bytes);

	if (!w) {
		count(p, COUNTER_records_lost);
		return;
	}
	copy_kept(&w->k, k, bytes);
	w->next = NULL;
	*p->unposted_end = w;
	p->unposted_end = &w->next;
	p->unposted_count++;
}

static void post(struct proxy *p, struct kept_record *k)
{
	if (p->config.record_room && (p->unposted || !post_whole(p, k)))
		wait_for_room(p, k);
}

uint32_t record_flush(struct proxy *p)
{
	struct waiting_record *w;

	while ((w = p->unposted) && post_whole(p, &w->k)) {
		p->unposted = w->next;
		if (!p->unposted)
			p->unposted_end = &p->unposted;
		p->unposted_count--;
		slab_put(p->slab, w);
	}
	return p->unposted_count;
}

const struct call_record *record_view(struct proxy *p, const struct live_call *call)
{
	write_whole(call->record, &p->posting);
	return &p->posting;
}

void record_prefetch(const void *record)
{
	if (!record)
		return;
	/* As many as one with an attempt and usual texts has. */
	for (unsigned line = 0; line < 4; line++)
		__builtin_prefetch((const uint8_t *)record + 64 * line, 1);
}

/* ---- keeping */

static uint8_t text_len(struct span text, uint32_t room)
{
	return (uint8_t)(text.n < room ? text.n : room);
}

static char *put_text(char *out, struct span text, uint8_t n)
{
	if (n)
		memcpy(out, text.p, n);
	return out + n;
}

static void start(struct proxy *p, struct kept_record *k)
{
	memset(k, 0, sizeof(*k));
	k->id = (uint64_t)p->config.boot << 48 | (uint64_t)p->config.worker << 40 | (++p->record_sequence & 0xffffffffffULL);
	k->node = p->config.node;
	k->worker = p->config.worker;
}

static struct kept_record *keep(struct proxy *p, const struct context *c, struct span from_user, struct span to_user)
{
	/* Its name as it is now: the profile may be gone by the time that somebody reads the record. */
	const struct profile *profile = profiles_get(p->tables->profiles, c->profile_slot);
	struct span name = profile ? span_str(profile->name) : (struct span){ 0, 0 };
	uint8_t id_len = text_len(p->in->call_id, RECORD_CALL_ID_MAX), name_len = text_len(name, PROFILE_NAME_MAX - 1);
	uint8_t from_len = text_len(from_user, RECORD_USER_MAX), to_len = text_len(to_user, RECORD_USER_MAX);
	uint32_t bytes = slab_room(p->slab, front_bytes(1) + id_len + from_len + to_len + name_len);
	struct kept_record *k;
	char *text;

	k = slab_get(p->slab, bytes);
	if (!k) {
		count(p, COUNTER_records_lost);
		return NULL;
	}
	start(p, k);
	k->arrived_unix_ms = p->now_ms + p->config.clock_offset_ms;
	k->source_trunk_id = c->caller_trunk_id;
	k->source = c->from.remote;
	k->profile_id = c->profile_id;
	k->bytes = (uint16_t)bytes;
	k->call_id_len = id_len;
	k->from_len = from_len;
	k->to_len = to_len;
	k->profile_len = name_len;
	text = put_text(text_of(k), p->in->call_id, id_len);
	text = put_text(text, from_user, from_len);
	text = put_text(text, to_user, to_len);
	put_text(text, name, name_len);
	return k;
}

void record_open(struct proxy *p, struct context *c, struct live_call *call, struct span from_user, struct span to_user)
{
	call->record = p->config.record_room ? keep(p, c, from_user, to_user) : NULL;
}

void record_number(struct live_call *call, e164 number)
{
	if (call->record)
		call->record->number = number;
}

/* Room for one attempt more. NULL: no memory. */
static struct kept_record *grow(struct proxy *p, struct context *c, struct kept_record *k)
{
	uint32_t bytes = slab_room(p->slab, front_bytes(k->attempt_count + 1u) + text_bytes(k));
	struct kept_record *larger = slab_get(p->slab, bytes);

	if (!larger)
		return NULL;
	copy_kept(larger, k, bytes);
	slab_put(p->slab, k);
	call_at(p->calls, c->call_slot, c->call_generation)->record = larger;
	return larger;
}

void record_attempt(struct proxy *p, struct attempt *a)
{
	struct kept_record *k = record_of(p, a->context);

	a->record = -1;
	if (!k || k->attempt_count >= ATTEMPTS_MAX)
		return;
	if (front_bytes(k->attempt_count + 1u) + text_bytes(k) > k->bytes)
		k = grow(p, a->context, k);
	if (!k) {
		count(p, COUNTER_records_lost); /* a part of one */
		return;
	}
	a->ahead_record = k;
	a->record = (int8_t)k->attempt_count;
	k->attempts[k->attempt_count++] = (struct attempt_record){
		.trunk_id = a->trunk_id,
		.endpoint = a->txn.to.remote,
		.started_ms = (uint32_t)(p->now_ms - a->context->arrived_ms),
	};
}

void record_result(struct proxy *p, struct attempt *a, enum record_attempt_result result, uint16_t code)
{
	struct kept_record *k = record_of(p, a->context);
	struct attempt_record *r;

	if (!k || a->record < 0)
		return;
	r = &k->attempts[a->record];
	if (code)
		r->code = code;
	if (code >= 300)
		r->cause = q850_cause(p->in);
	if (r->result != ATTEMPT_RECORD_PENDING && result != ATTEMPT_RECORD_ANSWERED)
		return; /* the first outcome stands, but for a late answer */
	r->result = (uint8_t)result;
	r->duration_ms = (uint32_t)(p->now_ms - a->started_ms);
}

void record_progress(struct proxy *p, const struct context *c)
{
	struct kept_record *k = record_of(p, c);

	if (k && !k->progress_ms)
		k->progress_ms = since(p, k);
}

void record_answer(struct proxy *p, struct context *c, struct live_call *call, uint16_t status)
{
	struct kept_record *k = call->record;

	if (!k)
		return;
	k->kind = RECORD_START;
	k->status = status;
	k->answered_ms = since(p, k);
	post(p, k);
}

void record_failed(struct proxy *p, struct context *c, enum record_end end, uint16_t status)
{
	struct kept_record *k = record_of(p, c);

	if (!k || k->kind == RECORD_FAILED)
		return;
	k->kind = RECORD_FAILED;
	k->end = (uint8_t)end;
	k->status = status;
	k->ended_ms = since(p, k);
	post(p, k);
}

void record_end(struct proxy *p, struct live_call *call, enum record_end end)
{
	struct kept_record *k = call->record;

	if (!k)
		return;
	k->kind = RECORD_END;
	k->end = (uint8_t)end;
	if (end != RECORD_EXPIRED) /* p->in is the BYE */
		k->cause = q850_cause(p->in);
	k->ended_ms = since(p, k);
	post(p, k);
}

void record_foreign_end(struct proxy *p, const struct token *t, enum token_side side)
{
	_Alignas(struct kept_record) uint8_t memory[sizeof(struct kept_record) + sizeof(struct attempt_record) + RECORD_CALL_ID_MAX];
	struct kept_record *k = (struct kept_record *)memory;

	start(p, k);
	k->bytes = sizeof(memory);
	k->kind = RECORD_FOREIGN_END;
	k->end = side == TOKEN_FROM_CALLER ? RECORD_ENDED_BY_CALLER : RECORD_ENDED_BY_TARGET;
	k->cause = q850_cause(p->in);
	k->node = t->node;
	k->worker = t->worker;
	k->arrived_unix_ms = (uint64_t)t->setup_s * 1000;
	k->ended_ms = since(p, k);
	k->source_trunk_id = t->caller_trunk;
	k->call_id_len = text_len(p->in->call_id, RECORD_CALL_ID_MAX);
	put_text(text_of(k), p->in->call_id, k->call_id_len);
	k->attempt_count = 1;
	k->attempts[0] = (struct attempt_record){ .trunk_id = t->target_trunk, .result = ATTEMPT_RECORD_ANSWERED };
	post(p, k);
}

void record_close(struct proxy *p, struct live_call *call)
{
	slab_put(p->slab, call->record);
	call->record = NULL;
}
