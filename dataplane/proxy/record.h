/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/state.h"

/* What is put on record of a call (tables/call_record.h): filled in while it goes on, posted at its answer and at its end. A record that the
 * control thread has no room for just now waits here; none is dropped. worker-only, all of these */

/* The INVITE (p->in) of a new call arrived. No memory: the call has no record (counted). */
void record_open(struct proxy *p, struct context *c, struct live_call *call, struct span from_user, struct span to_user);
/* What it dials. */
void record_number(struct live_call *call, e164 number);
/* An attempt begins; its outcome goes to a->record. */
void record_attempt(struct proxy *p, struct attempt *a);
/* Its outcome is known, or its latest response. */
void record_result(struct proxy *p, struct attempt *a, enum record_attempt_result result, uint16_t code);
void record_progress(struct proxy *p, const struct context *c);
/* Answered: RECORD_START. */
void record_answer(struct proxy *p, struct context *c, struct live_call *call, uint16_t status);
/* The final response went up and was no 2xx: RECORD_FAILED. */
void record_failed(struct proxy *p, struct context *c, enum record_end end, uint16_t status);
/* An answered call ended: RECORD_END. */
void record_end(struct proxy *p, struct live_call *call, enum record_end end);
/* A BYE that ends a call which somebody else set up: RECORD_FOREIGN_END. */
void record_foreign_end(struct proxy *p, const struct token *t, enum token_side side);
/* The call is gone: its record's memory too. */
void record_close(struct proxy *p, struct live_call *call);
/* Brings a call's record into the cache, or whatever lies there by now; NULL is ignored. */
void record_prefetch(const void *record);
/* The record as it is now, whole, in scratch memory that the next one takes. The call has one. */
const struct call_record *record_view(struct proxy *p, const struct live_call *call);
/* Posts what could not be posted before; returns how many still wait. */
uint32_t record_flush(struct proxy *p);
