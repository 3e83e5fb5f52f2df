/* SPDX-License-Identifier: Apache-2.0 */
/* What a call's state costs: timers, pools, buffers, live calls, records on their way to the control thread. */
#include <stdlib.h>
#include <string.h>

#include "base/mailbox.h"
#include "base/pool.h"
#include "base/siphash.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "micro.h"
#include "proxy/calls.h"
#include "proxy/trace.h"
#include "sip/message.h"
#include "tables/call_record.h"
#include "transaction/transactions.h"

#define TIMERS	 1000000
#define OBJECTS	 100000
#define CALLS	 1000000
#define SPREAD	 32000 /* ms: timers lie as those of lingering transactions do */

static struct wheel *wheel;
static struct wheel_timer *timers;
static uint64_t now_ms = 1000000;
static struct pool *pool;
static struct slab *slab;
static struct mailbox *mailbox;
static struct calls *calls;
static struct trace *trace;
static struct call_record record;
static struct live_call **live;

static uint32_t anywhere(uint32_t i, uint32_t count)
{
	return (uint32_t)(mix64(i) % count);
}

static int wheel_ready(void)
{
	if (wheel)
		return 1;
	wheel = wheel_new(now_ms);
	timers = calloc(TIMERS, sizeof(*timers));
	if (!wheel || !timers)
		return 0;
	for (uint32_t i = 0; i < TIMERS; i++)
		wheel_arm(wheel, &timers[i], now_ms + anywhere(i, SPREAD) + 1);
	return 1;
}

/* Any of a million timers is put off. */
static uint64_t rearm(uint32_t i)
{
	wheel_arm(wheel, &timers[anywhere(i, TIMERS)], now_ms + SPREAD + (i & 1023));
	return 1;
}

static uint64_t arm_and_cancel(uint32_t i)
{
	static struct wheel_timer timer;

	wheel_arm(wheel, &timer, now_ms + 500 + (i & 31));
	wheel_cancel(&timer);
	return !wheel_timer_armed(&timer);
}

static void fired(void *ctx, struct wheel_timer *t)
{
	wheel_arm(wheel, t, now_ms + SPREAD);
	++*(uint64_t *)ctx;
}

/* A millisecond goes by; about 31 timers fire in it and are armed again. */
static uint64_t advance(uint32_t i)
{
	uint64_t n = 0;

	wheel_advance(wheel, ++now_ms, fired, &n);
	return n + 1;
}

static int memory_ready(void)
{
	if (pool)
		return 1;
	pool = pool_new(OBJECTS, 256);
	slab = slab_new(64 << 20);
	return pool && slab;
}

static uint64_t pool_cycle(uint32_t i)
{
	void *p = pool_get(pool);

	if (!p)
		return 0;
	pool_put(pool, p);
	return 1;
}

static uint64_t slab_cycle(uint32_t i)
{
	void *p = slab_get(slab, 200 + i % 800);

	if (!p)
		return 0;
	slab_put(slab, p);
	return 1;
}

static int mailbox_ready(void)
{
	if (!mailbox)
		mailbox = mailbox_new(4096, sizeof(struct call_record));
	return mailbox != NULL;
}

/* Posted, looked at and dropped: both sides on one core. */
static uint64_t mailbox_cycle(uint32_t i)
{
	const struct call_record *r;

	record.id = i;
	if (!mailbox_post(mailbox, &record) || !(r = mailbox_peek(mailbox)) || r->id != i)
		return 0;
	mailbox_drop(mailbox);
	return 1;
}

static int calls_ready(void)
{
	static const struct token own = { .node = 1, .boot = 1 };

	if (calls)
		return live != NULL;
	if (!wheel_ready())
		return 0;
	calls = calls_new(CALLS + 16, 3600 * 1000, wheel, 1, &own);
	live = calloc(CALLS, sizeof(*live));
	for (uint32_t i = 0; calls && live && i < CALLS; i++) {
		live[i] = call_open(calls, mix64(i), mix64(i + 1) | 1, 1000, 7);
		if (!live[i])
			return 0;
		call_answer(calls, live[i], mix64(i + 2) | 1, now_ms);
	}
	return calls && live;
}

/* A call begins, is answered and ends among a million others. */
static uint64_t call_cycle(uint32_t i)
{
	uint64_t id = mix64(i + 0x100000000ull);
	struct live_call *call = call_open(calls, id, id | 1, 1000, 7);

	if (!call)
		return 0;
	call_answer(calls, call, id | 2, now_ms);
	call_close(calls, call);
	return 1;
}

static uint64_t call_lookup(uint32_t i)
{
	enum token_side side;

	i = anywhere(i, CALLS);
	return call_find(calls, mix64(i), mix64(i + 1) | 1, mix64(i + 2) | 1, NULL, &side) == live[i];
}

static uint64_t call_hinted(uint32_t i)
{
	i = anywhere(i, CALLS);
	return call_at(calls, call_slot(calls, live[i]), live[i]->generation) == live[i];
}

static int trace_ready(void)
{
	if (!trace)
		trace = trace_new(8 << 20, 0);
	return trace != NULL;
}

static uint64_t trace_message(uint32_t i)
{
	static const struct flow flow;
	uint32_t len;
	const uint8_t *m = corpus_invite(i, &len);

	trace_put(trace, TRACE_IN, i, i, &flow, m, len);
	return 1;
}

const struct micro_step state_steps[] = {
	{ .name = "state/timer_rearm_1M", .run = rearm, .prepare = wheel_ready },
	{ .name = "state/timer_arm_cancel", .run = arm_and_cancel, .prepare = wheel_ready },
	{ .name = "state/timers_31_fire", .run = advance, .prepare = wheel_ready },
	{ .name = "state/pool", .run = pool_cycle, .prepare = memory_ready },
	{ .name = "state/slab", .run = slab_cycle, .prepare = memory_ready },
	{ .name = "state/record_mailbox", .run = mailbox_cycle, .prepare = mailbox_ready },
	{ .name = "state/call_open_answer_close", .run = call_cycle, .prepare = calls_ready },
	{ .name = "state/call_find_1M", .run = call_lookup, .prepare = calls_ready },
	{ .name = "state/call_at_1M", .run = call_hinted, .prepare = calls_ready },
	{ .name = "state/trace", .run = trace_message, .prepare = trace_ready },
	{ .name = NULL },
};
