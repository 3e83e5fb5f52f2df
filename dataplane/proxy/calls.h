/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"
#include "base/wheel.h"
#include "sip/token.h"

/* One worker's live calls: from the INVITE's arrival to BYE, found by the hint in our Record-Route token, or by Call-ID and tags where a
 * peer mangled the token. */

#define CALL_NONE UINT32_MAX

struct live_call {
	struct wheel_timer age; /* ends a call whose BYE was missed */
	struct live_call *chain;
	uint64_t call_id, caller_tag, target_tag; /* keyed hashes; target_tag 0 until the answer */
	struct token token;			  /* the sides, as in Record-Route */
	struct kept_record *record;		  /* what goes on record (record.h); NULL: none */
	uint32_t session_ms;			  /* RFC 4028: it ends unless refreshed within this; 0: no session timer */
	uint32_t target_slot;
	uint16_t generation;
	bool answered;
};

struct calls;
struct kept_record;

/* age_kind: wheel_timer.kind of live_call.age. NULL: no memory. control-only */
struct calls *calls_new(uint32_t max_calls, uint32_t max_age_ms, const struct hash_key *key, struct wheel *wheel,
			uint32_t age_kind);
void calls_free(struct calls *c);

/* worker-only, all of these */
/* A call that is being set up. NULL: full. */
struct live_call *call_open(struct calls *c, struct span call_id, struct span caller_tag);
void call_close(struct calls *c, struct live_call *call);
/* The answer came: from now on it may be found by either tag, and grows old. */
void call_answer(struct calls *c, struct live_call *call, struct span target_tag, uint64_t now_ms);

/* The session timer agreed on (RFC 4028), in s; 0: none, the maximum age alone. Takes effect with call_answer and call_refresh. */
void call_session(struct live_call *call, uint64_t session_s);
/* A re-INVITE or UPDATE passed: the call begins to grow old anew. NULL is ignored. */
void call_refresh(struct calls *c, struct live_call *call, uint64_t now_ms);

uint32_t call_slot(const struct calls *c, const struct live_call *call);
/* NULL: gone. */
struct live_call *call_at(const struct calls *c, uint32_t slot, uint16_t generation);
/* An answered call by Call-ID and both tags, whoever speaks; *ret_side says who. NULL: none. */
struct live_call *call_find(const struct calls *c, struct span call_id, struct span from_tag, struct span to_tag,
			    enum token_side *ret_side);
/* The call in the first taken slot from *cursor on, which moves behind it; NULL: no more. */
struct live_call *calls_next(const struct calls *c, uint32_t *cursor);
uint32_t calls_live(const struct calls *c); /* answered ones */
uint32_t calls_open(const struct calls *c); /* all */
