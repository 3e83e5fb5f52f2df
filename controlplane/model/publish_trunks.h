/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>

#include "model/publish_steps.h"

/* Trunks, their endpoints and their sources in a publication. What returns int: 0, or an error that is set in the change. control-only */

/* New trunks, and endpoints that are new or changed. */
int publish_trunks_add(struct change *c);
/* Trunks that are new or changed, with all that they name. */
int publish_trunks_update(struct change *c);
/* Who may call, anew where sources came, went or changed. Last of what may fail: it cannot be taken back. */
int publish_trunks_access(struct change *c);

/* Takes back a step whose kind is of trunks or endpoints. */
void publish_trunks_step_back(struct change *c, const struct undo *u);

/* Trunks and endpoints that are in c->from only. Nothing may name them any more. */
void publish_trunks_remove_gone(struct change *c);

bool publish_trunks_same_endpoints(const struct model_trunk *a, const struct model_trunk *b);
