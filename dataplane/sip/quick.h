/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/span.h"

/* What the receiving worker needs to find a packet's owner, without a full view: one pass over the head that stops early. */

enum quick_kind {
	QUICK_NONE,	/* not SIP, keepalive, or no Call-ID: whoever received it deals with it */
	QUICK_REQUEST,
	QUICK_RESPONSE,
};

struct quick {
	enum quick_kind kind;
	struct span call_id;	/* trimmed; p == NULL when not needed (a response whose top Via has a branch) */
	struct span top_branch; /* responses: the branch of the first Via value; p == NULL when absent */
};

/* Never fails: what cannot be read is QUICK_NONE. any */
void quick_look(const uint8_t *data, uint32_t len, struct quick *ret_look);
