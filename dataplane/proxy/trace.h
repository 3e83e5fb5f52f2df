/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/flow.h"

/* The last messages of one worker, as they came and went, in a bounded ring of bytes: the oldest are overwritten. One writer, which never
 * waits; any thread may read, and notices what was overwritten meanwhile.
 *
 * A ring that holds everything holds some milliseconds of a loaded worker: nobody has asked by then, and hardly a call is over. So that it reaches back
 * for a while whatever the load, it keeps all messages of as many calls as that leaves room for, one of 2, of 4 ..., which their hash chooses: those of one of 4
 * are among those of one of 2, and every worker would choose the same. */

#define TRACE_MESSAGE_MAX 4096 /* of a longer message the beginning is kept */

enum trace_direction { TRACE_PAD /* internal: no message */, TRACE_IN, TRACE_OUT };

/* A cache line, and the message behind it. */
struct trace_entry {
	struct ip_port remote, local;
	uint8_t transport;
	uint16_t kept; /* bytes of the message that follow */
	uint16_t len;	/* of the message as it was */
	uint8_t direction; /* enum trace_direction */
	uint8_t edits;	   /* internal: 0 */
	uint64_t time_ms; /* of the proxy's clock: a worker reads it once a loop turn */
	uint64_t call;	  /* keyed hash of its Call-ID */
};

struct edit_list;
struct trace;

/* reach_ms: how far back it is to reach; 0: everything is kept. NULL: no memory. control-only */
struct trace *trace_new(size_t bytes, uint32_t reach_ms);
void trace_free(struct trace *t);

/* What a struct trace begins with: the highest of the numbers made of a call's hash with which it is kept. */
struct trace_choice {
	_Atomic(uint32_t) most;
};

/* The call is one of those that are kept at present. t: NULL keeps none. any */
static inline bool trace_keeps(const struct trace *t, uint64_t call)
{
	uint32_t number = (uint32_t)~(call * 0x9e3779b97f4a7c15 >> 32); /* workers and targets are chosen by other bits of it; of no call (0): the highest */

	return t && number <= atomic_load_explicit((_Atomic(uint32_t) *)&((const struct trace_choice *)t)->most, memory_order_relaxed);
}

/* Of how many calls one is kept at present. any */
uint32_t trace_one_in(const struct trace *t);

/* The owner thread only, of a call that trace_keeps. Readers see it from the next trace_flush on. */
void trace_put(struct trace *t, enum trace_direction direction, uint64_t time_ms, uint64_t call, const struct flow *flow,
	       const uint8_t *message, uint32_t len);

/* The same of `message`, len bytes that leave: what `list`, the same in all calls, made of the message at `from`. Where that is what was put last with TRACE_IN,
 * since the last trace_flush and for the same call, less is written; readers get the same. */
void trace_put_edited(struct trace *t, const uint8_t *from, uint64_t time_ms, uint64_t call, const struct flow *flow,
		      const struct edit_list *list, const uint8_t *message, uint32_t len);

/* Once a loop turn: which calls are kept may be others from here on. The owner thread only. */
void trace_flush(struct trace *t, uint64_t now_ms);

/* Hands every entry of `call` (0: all) that is whole, oldest first, to fn; returns how many. What was overwritten while being read is
 * left out. any */
unsigned trace_read(const struct trace *t, uint64_t call, void (*fn)(void *ctx, const struct trace_entry *entry, const uint8_t *message),
		    void *ctx);
