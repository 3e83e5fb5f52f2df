/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bounded ring of fixed-size messages from exactly one thread to exactly one other, without locks. A full one refuses:
 * nobody ever waits. */

struct mailbox;

/* capacity is rounded up to a power of two. NULL: no memory. control-only */
struct mailbox *mailbox_new(uint32_t capacity, uint32_t message_bytes);
void mailbox_free(struct mailbox *m);

/* Copies the message in. false: full. the producing thread only */
bool mailbox_post(struct mailbox *m, const void *message);
/* Only the first `bytes` of it: what lies behind them is for the consumer to leave alone. the producing thread only */
bool mailbox_post_part(struct mailbox *m, const void *message, uint32_t bytes);

/* Where the next message is, for who writes it there piece by piece instead of copying it in: what lies there is left over from an earlier one. It
 * comes to the consumer by mailbox_posted, and what is not posted is as if it had not been written. NULL: full. the producing thread only */
void *mailbox_room(struct mailbox *m);
void mailbox_posted(struct mailbox *m);
/* Brings the first `bytes` of what mailbox_room will give into the cache. the producing thread only */
void mailbox_prefetch_room(const struct mailbox *m, uint32_t bytes);

/* Copies the oldest message out. false: empty. the consuming thread only */
bool mailbox_take(struct mailbox *m, void *ret_message);

/* What the consumer has not taken yet, as either side sees it now. any */
uint32_t mailbox_pending(const struct mailbox *m);

/* The oldest message without taking it: valid until mailbox_drop. NULL: empty. For a consumer that must have dealt with a message before
 * it is gone. the consuming thread only */
const void *mailbox_peek(struct mailbox *m);
/* Takes what was peeked at. the consuming thread only */
void mailbox_drop(struct mailbox *m);

/* ---- in memory that outlives the process (a mapped file), so that what was posted survives a SIGKILL of either side */

/* The bytes that a mailbox takes there; 0: the numbers are out of range. any */
size_t mailbox_bytes(uint32_t capacity, uint32_t message_bytes);
/* A mailbox in `memory`, cache-line aligned, of mailbox_bytes. What lies there from an earlier run with the same numbers is kept: its messages
 * wait for the consumer (*ret_pending); anything else is wiped. Not freed by mailbox_free. control-only, before either side starts */
struct mailbox *mailbox_in(void *memory, uint32_t capacity, uint32_t message_bytes, uint32_t *ret_pending);
