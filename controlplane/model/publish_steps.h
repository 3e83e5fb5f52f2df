/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "model/compile.h"
#include "model/publisher.h"

struct domains;
struct model;
struct model_trunk;
struct profile;

/* One publication under way, and its steps: what publish_change.c, which orders them, and publish_trunks.c share. control-only */

/* How to take one step back. */
struct undo {
	enum { UNDO_TRUNK_ADD, UNDO_TRUNK_UPDATE, UNDO_ENDPOINT_ADD, UNDO_ENDPOINT_UPDATE, UNDO_PROFILE_ADD, UNDO_TARGET } kind;
	uint32_t slot;
	uint64_t key;
	const void *was; /* struct model_trunk or model_endpoint of the old model */
};

/* One publication under way. */
struct change {
	struct publisher *p;
	const struct model *from, *to;
	struct compile_slots slots;
	struct undo *undo;
	uint32_t undo_count;
	struct profile **updates; /* by place in to->profiles: compiled, not published yet; NULL: unchanged or added */
	struct domains *domains;  /* built; NULL: unchanged */
	bool access_changed, numbers_begun;
	char *error;
};

static inline void publish_step_done(struct change *c, int kind, uint32_t slot, uint64_t key, const void *was)
{
	c->undo[c->undo_count++] = (struct undo){ kind, slot, key, was };
}

/* err, with an error that names what had no room. */
int publish_no_room(struct change *c, int err, const char *what, const char *name);
