/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A bounded ring of fixed-size messages from exactly one thread to exactly one other, without locks. A full one refuses:
 * nobody ever waits. */

struct mailbox;

/* capacity is rounded up to a power of two. NULL: no memory. control-only */
struct mailbox *mailbox_new(uint32_t capacity, uint32_t message_bytes);
void mailbox_free(struct mailbox *m);

/* Copies the message in. false: full. the producing thread only */
bool mailbox_post(struct mailbox *m, const void *message);

/* Copies the oldest message out. false: empty. the consuming thread only */
bool mailbox_take(struct mailbox *m, void *ret_message);

/* What the consumer has not taken yet, as either side sees it now. any */
uint32_t mailbox_pending(const struct mailbox *m);
