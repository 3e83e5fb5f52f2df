/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct control;
struct model_profile;
struct model_target;

/* How far targets, and the node, are emptied. control-only */

struct drain_progress {
	uint64_t since_s, deadline_s; /* Unix time; deadline 0: none */
	uint64_t live, ringing;	      /* calls that are up, and attempts without a final answer */
	bool older;		      /* than the process: calls from before it may be up, and nobody has counted them */
	bool safe;		      /* none is left, or the deadline has passed */
};

/* Of a target that is draining. */
struct drain_progress drain_of_target(const struct control *c, const struct model_profile *p, const struct model_target *t);
/* Of the node, which is draining. */
struct drain_progress drain_of_node(const struct control *c);

/* "3 calls are left", "no calls are left", "the deadline has passed, 3 calls are left". */
#define DRAIN_TEXT_MAX 96
void drain_text(const struct drain_progress *p, char out[DRAIN_TEXT_MAX]);
