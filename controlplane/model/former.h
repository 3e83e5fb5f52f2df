/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"

struct formers;
struct model;

/* Where trunks had endpoints until a change of the routing, or of DNS, took them away: no new call goes there, but dialogs still live there
 * and must be able to end. In memory; at most FORMERS_MAX, the oldest go first. All functions are control-only. */

#define FORMERS_MAX 4096

/* keep_s: how long a dialog may live. NULL: no memory. */
struct formers *formers_new(uint32_t keep_s);
/* NULL is ignored. */
void formers_free(struct formers *f);

/* A routing `from` is being replaced by `to` (both expanded): notes the places of trunks in `from` that are no endpoints in `to` any more.
 * Trunks are told by their names, so that one that goes, and comes back, has them again. */
void formers_note(struct formers *f, const struct model *from, const struct model *to, uint64_t now_s);

/* Adds what is remembered, the latest first, to the trunks of an expanded model, where there is room for it. */
void formers_lay_over(const struct formers *f, struct model *expanded, uint64_t now_s);
