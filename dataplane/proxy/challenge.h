/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Who challenged: a caller that comes back with credentials after a 401 or 407 (same Call-ID and From tag) must meet the endpoint whose nonce
 * it answers. A small table that forgets: an entry is overwritten by another call's, or is over. One owner thread. */

struct challenges;

/* NULL: no memory. control-only */
struct challenges *challenges_new(void);
void challenges_free(struct challenges *c);

/* call: a keyed hash of Call-ID and From tag. worker-only */
void challenge_note(struct challenges *c, uint64_t call, uint32_t endpoint, uint64_t until_ms);
/* The endpoint's slot, or ENDPOINT_NONE. worker-only */
uint32_t challenge_find(const struct challenges *c, uint64_t call, uint64_t now_ms);
