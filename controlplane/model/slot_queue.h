/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Hands out the numbers 0 .. count-1. A number that came back is used again as late as possible: fresh ones first, then the one that has
 * been free longest, so that whatever still counts on it has had time to end. control-only */

struct slot_queue;

/* NULL: no memory. */
struct slot_queue *slot_queue_new(uint32_t count);
void slot_queue_free(struct slot_queue *s);

#define SLOT_QUEUE_NONE UINT32_MAX

/* Skips free slots for which usable() says no (NULL: all are usable). SLOT_QUEUE_NONE: there is none. */
uint32_t slot_queue_take(struct slot_queue *s, bool (*usable)(void *ctx, uint32_t slot), void *ctx);
void slot_queue_put(struct slot_queue *s, uint32_t slot);
