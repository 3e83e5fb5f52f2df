/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/record.h"

#include <stddef.h>
#include <string.h>

/* During setup with room for every attempt; an answered call keeps less (shrink). */
struct kept_record {
	struct kept_record *next; /* among those that wait for the mailbox */
	struct call_record r;
};

static struct kept_record *record_of(const struct proxy *p, const struct context *c)
{
	struct live_call *call = c->call_slot == CALL_NONE ? NULL : call_at(p->calls, c->call_slot, c->call_generation);

	return call ? call->record : NULL;
}

static uint32_t since(const struct proxy *p, const struct call_record *r)
{
	uint64_t ms = p->now_ms + p->config.clock_offset_ms - r->arrived_unix_ms;

	return ms ? (uint32_t)ms : 1; /* 0 says that it did not happen */
}

static uint8_t put_text(char *out, size_t room, struct span text)
{
	uint8_t n = (uint8_t)(text.n < room ? text.n : room);

	if (n)
		memcpy(out, text.p, n);
	return n;
}

static void wait_for_room(struct proxy *p, const struct call_record *r)
{
	struct kept_record *k = slab_get(p->slab, sizeof(*k));

	if (!k) {
		count(p, COUNTER_records_lost);
		return;
	}
	k->r = *r;
	k->next = NULL;
	*p->unposted_end = k;
	p->unposted_end = &k->next;
	p->unposted_count++;
}

static void post(struct proxy *p, const struct call_record *r)
{
	if (!p->config.record)
		return;
	if (p->unposted || !p->config.record(p->config.outbox.ctx, r))
		wait_for_room(p, r);
}

uint32_t record_flush(struct proxy *p)
{
	struct kept_record *k;

	while ((k = p->unposted) && p->config.record(p->config.outbox.ctx, &k->r)) {
		p->unposted = k->next;
		if (!p->unposted)
			p->unposted_end = &p->unposted;
		p->unposted_count--;
		slab_put(p->slab, k);
	}
	return p->unposted_count;
}

void record_open(struct proxy *p, struct context *c, struct live_call *call, struct span from_user, struct span to_user)
{
	struct kept_record *k;
	struct call_record *r;

	call->record = NULL;
	if (!p->config.record)
		return;
	k = slab_get(p->slab, sizeof(*k));
	if (!k) {
		count(p, COUNTER_records_lost);
		return;
	}
	r = &k->r;
	memset(r, 0, offsetof(struct call_record, attempts));
	r->id = (uint64_t)p->config.boot << 48 | (uint64_t)p->config.worker << 40 | (++p->record_sequence & 0xffffffffffULL);
	r->node = p->config.node;
	r->worker = p->config.worker;
	r->arrived_unix_ms = p->now_ms + p->config.clock_offset_ms;
	r->source_trunk_id = c->caller_trunk_id;
	r->source = c->from.remote;
	r->profile_id = c->profile_id;
	r->call_id_len = put_text(r->call_id, sizeof(r->call_id), p->in->call_id);
	r->from_len = put_text(r->from, sizeof(r->from), from_user);
	r->to_len = put_text(r->to, sizeof(r->to), to_user);
	call->record = k;
}

void record_number(struct live_call *call, e164 number)
{
	if (call->record)
		call->record->r.number = number;
}

void record_attempt(struct proxy *p, struct attempt *a)
{
	struct kept_record *k = record_of(p, a->context);

	a->record = -1;
	if (!k || k->r.attempt_count >= ATTEMPTS_MAX)
		return;
	a->record = (int8_t)k->r.attempt_count;
	k->r.attempts[k->r.attempt_count++] = (struct attempt_record){
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
	r = &k->r.attempts[a->record];
	if (code)
		r->code = code;
	if (r->result != ATTEMPT_RECORD_PENDING && result != ATTEMPT_RECORD_ANSWERED)
		return; /* the first outcome stands, but for a late answer */
	r->result = (uint8_t)result;
	r->duration_ms = (uint32_t)(p->now_ms - a->started_ms);
}

void record_progress(struct proxy *p, const struct context *c)
{
	struct kept_record *k = record_of(p, c);

	if (k && !k->r.progress_ms)
		k->r.progress_ms = since(p, &k->r);
}

/* The profile's name as it is now: it may be gone by the time that somebody reads the record. */
static void put_profile(const struct proxy *p, const struct context *c, struct call_record *r)
{
	const struct profile *profile = profiles_get(p->tables->profiles, c->profile_slot);

	if (profile && profile->id == c->profile_id)
		memcpy(r->profile, profile->name, sizeof(r->profile));
}

/* An answered call keeps only what it needs: as many attempts as it had. */
static void shrink(struct proxy *p, struct live_call *call)
{
	size_t need = offsetof(struct kept_record, r.attempts) + call->record->r.attempt_count * sizeof(struct attempt_record);
	struct kept_record *small = slab_get(p->slab, (uint32_t)need);

	if (!small)
		return;
	memcpy(small, call->record, need);
	slab_put(p->slab, call->record);
	call->record = small;
}

/* What is kept may be short (shrink); what leaves is whole. */
static const struct call_record *whole(struct proxy *p, const struct kept_record *k)
{
	size_t bytes = offsetof(struct call_record, attempts) + k->r.attempt_count * sizeof(struct attempt_record);

	memset(&p->posting, 0, sizeof(p->posting));
	memcpy(&p->posting, &k->r, bytes);
	return &p->posting;
}

static void post_kept(struct proxy *p, const struct kept_record *k)
{
	post(p, whole(p, k));
}

const struct call_record *record_view(struct proxy *p, const struct live_call *call)
{
	return whole(p, call->record);
}

void record_answer(struct proxy *p, struct context *c, struct live_call *call, uint16_t status)
{
	struct call_record *r;

	if (!call->record)
		return;
	r = &call->record->r;
	r->kind = RECORD_START;
	r->status = status;
	r->answered_ms = since(p, r);
	put_profile(p, c, r);
	post_kept(p, call->record);
	shrink(p, call);
}

void record_failed(struct proxy *p, struct context *c, enum record_end end, uint16_t status)
{
	struct kept_record *k = record_of(p, c);

	if (!k || k->r.kind == RECORD_FAILED)
		return;
	k->r.kind = RECORD_FAILED;
	k->r.end = (uint8_t)end;
	k->r.status = status;
	k->r.ended_ms = since(p, &k->r);
	put_profile(p, c, &k->r);
	post_kept(p, k);
}

void record_end(struct proxy *p, struct live_call *call, enum record_end end)
{
	struct call_record *r;

	if (!call->record)
		return;
	r = &call->record->r;
	r->kind = RECORD_END;
	r->end = (uint8_t)end;
	r->ended_ms = since(p, r);
	post_kept(p, call->record);
}

void record_foreign_end(struct proxy *p, const struct token *t, enum token_side side)
{
	struct call_record *r = &p->posting;

	memset(r, 0, sizeof(*r));
	r->id = (uint64_t)p->config.boot << 48 | (uint64_t)p->config.worker << 40 | (++p->record_sequence & 0xffffffffffULL);
	r->kind = RECORD_FOREIGN_END;
	r->end = side == TOKEN_FROM_CALLER ? RECORD_ENDED_BY_CALLER : RECORD_ENDED_BY_TARGET;
	r->node = t->node;
	r->worker = t->worker;
	r->arrived_unix_ms = (uint64_t)t->setup_s * 1000;
	r->ended_ms = since(p, r);
	r->source_trunk_id = t->caller_trunk;
	r->call_id_len = put_text(r->call_id, sizeof(r->call_id), p->in->call_id);
	r->attempt_count = 1;
	r->attempts[0].trunk_id = t->target_trunk;
	r->attempts[0].result = ATTEMPT_RECORD_ANSWERED;
	post(p, r);
}

void record_close(struct proxy *p, struct live_call *call)
{
	slab_put(p->slab, call->record);
	call->record = NULL;
}
