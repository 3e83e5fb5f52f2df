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

/* One cache line. */
struct live_call {
	uint16_t generation; /* outlives the call: the slot's next one has another */
	bool open : 1;
	bool answered : 1;
	bool held : 1;				  /* it has a place in its target's load (load.c) */
	bool natted : 1;			  /* calls.c knows where its packets come from */
	bool streamed : 1;			  /* calls.c knows what connection its caller is at */
	bool accepted : 1;			  /* its 2xx left by its INVITE's transaction: that one absorbs no ACK */
	bool relayed : 1;			  /* an INVITE within it had a transaction (relay.c), which may absorb one */
	uint64_t call_id, caller_tag, target_tag; /* keyed hashes; target_tag 0 until the answer */
	struct kept_record *record;		  /* what goes on record (record.h); NULL: none */
	uint32_t setup_s, caller_trunk, target_trunk, endpoint; /* as in the token (token.h) */
	uint32_t session_ms;			  /* RFC 4028: it ends unless refreshed within this; 0: no session timer */
	uint32_t target_slot;
} __attribute__((aligned(64)));

struct calls;

/* age_kind: wheel_timer.kind of the timer at which calls_expired is to be asked. own: node, boot and worker of the tokens of these calls.
 * NULL: no memory. control-only */
struct calls *calls_new(uint32_t max_calls, uint32_t max_age_ms, struct wheel *wheel, uint32_t age_kind, const struct token *own);
void calls_free(struct calls *c);
/* Touches their memory (pages.h). control-only */
void calls_touch(struct calls *c);

/* worker-only, all of these. Call-IDs and tags are given as their hashes (dialog_hash.h), by one key. */
/* A call that is being set up. NULL: full, or 64 calls have the same Call-ID and caller's tag. */
struct live_call *call_open(struct calls *c, uint64_t call_id, uint64_t caller_tag, uint32_t setup_s, uint32_t caller_trunk);
void call_close(struct calls *c, struct live_call *call);
/* The caller is behind a NAT: where its packets really come from. */
void call_natted(struct calls *c, struct live_call *call, const struct ip_port *flow);
/* The caller is at the end of that connection (0: it is not, or no longer known); and which that is, and whose. 0: none. */
void call_streamed(struct calls *c, struct live_call *call, uint64_t connection, const struct ip_addr *caller);
uint64_t call_connection(const struct calls *c, const struct live_call *call, struct ip_addr *ret_caller);
/* The answer came: from now on it may be found by either tag, and grows old. */
void call_answer(struct calls *c, struct live_call *call, uint64_t target_tag, uint64_t now_ms);

/* The session timer agreed on (RFC 4028), in s; 0: none, the maximum age alone. Takes effect with call_answer and call_refresh. */
void call_session(struct live_call *call, uint64_t session_s);
/* A re-INVITE or UPDATE passed: the call begins to grow old anew. NULL is ignored. */
void call_refresh(struct calls *c, struct live_call *call, uint64_t now_ms);
/* Its timer fired: a call whose BYE was missed, within two seconds of its time, or some more where most calls end together; the caller closes it and asks
 * again. *ret_ahead: one that is likely to be next but a few, so that what hangs on it can be fetched, or NULL. NULL: no more just now. */
struct live_call *calls_expired(struct calls *c, uint64_t now_ms, const struct live_call **ret_ahead);

uint32_t call_slot(const struct calls *c, const struct live_call *call);
/* NULL: gone. */
struct live_call *call_at(const struct calls *c, uint32_t slot, uint16_t generation);
/* What our Record-Route says of it. */
void call_token(const struct calls *c, const struct live_call *call, struct token *ret);
/* An answered call by hashes of its Call-ID and both tags, whoever speaks; *ret_side says who. hint: the token that came with the request, which
 * saves the search; NULL: none. NULL: no such call. */
struct live_call *call_find(const struct calls *c, uint64_t call_id, uint64_t from_tag, uint64_t to_tag, const struct token *hint,
			    enum token_side *ret_side);
/* Brings what call_at, or call_find with that hint, will read into the cache. */
void calls_prefetch(const struct calls *c, uint32_t slot);
/* The same of what call_answer will write. */
void calls_prefetch_answer(const struct calls *c, uint32_t slot);
/* After calls_prefetch, or of a call that call_at gave: the same of what call_close will write. */
void calls_prefetch_close(const struct calls *c, const struct live_call *call);
/* Brings what call_open will read and write into the cache, of the call that is opened after that many others. */
void calls_prefetch_open(const struct calls *c, unsigned before, uint64_t call_id, uint64_t caller_tag);
/* The call in the first taken slot from *cursor on, which moves behind it; NULL: no more. */
struct live_call *calls_next(const struct calls *c, uint32_t *cursor);
/* The answered calls, at most max of them, in the slots from *cursor to before `end`; *cursor moves behind them. Fewer than max: those were all, and
 * *cursor is `end`, or less where no slot from there on was ever taken. */
unsigned calls_answered(const struct calls *c, uint32_t *cursor, uint32_t end, struct live_call **ret, unsigned max);
uint32_t calls_live(const struct calls *c); /* answered ones */
uint32_t calls_open(const struct calls *c); /* all */
