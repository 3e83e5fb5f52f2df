/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "transport/flow.h"

/* The last messages of one worker, as they came and went, in a bounded ring of bytes: the oldest are overwritten. One writer, which never
 * waits; any thread may read, and notices what was overwritten meanwhile. */

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

/* NULL: no memory. control-only */
struct trace *trace_new(size_t bytes);
void trace_free(struct trace *t);

/* The owner thread only. Readers see it from the next trace_flush on. */
void trace_put(struct trace *t, enum trace_direction direction, uint64_t time_ms, uint64_t call, const struct flow *flow,
	       const uint8_t *message, uint32_t len);

/* The same of `message`, len bytes that leave: what `list`, the same in all calls, made of the message at `from`. Where that is what was put last with TRACE_IN,
 * since the last trace_flush and for the same call, less is written; readers get the same. */
void trace_put_edited(struct trace *t, const uint8_t *from, uint64_t time_ms, uint64_t call, const struct flow *flow,
		      const struct edit_list *list, const uint8_t *message, uint32_t len);

/* Once a loop turn. The owner thread only. */
void trace_flush(struct trace *t);

/* Hands every entry of `call` (0: all) that is whole, oldest first, to fn; returns how many. What was overwritten while being read is
 * left out. any */
unsigned trace_read(const struct trace *t, uint64_t call, void (*fn)(void *ctx, const struct trace_entry *entry, const uint8_t *message),
		    void *ctx);
