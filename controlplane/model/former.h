/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "base/addr.h"

struct formers;
struct model;

/* Where trunks had endpoints until a change of the routing, or of DNS, took them away, and trunks that are gone whole: no new call goes or comes
 * there, but dialogs still live there and must be able to end. In memory; at most FORMERS_MAX places and TRUNKS_GONE_MAX trunks, the oldest go
 * first. All functions are control-only. */

#define FORMERS_MAX 4096

/* keep_s: how long a dialog may live. NULL: no memory. */
struct formers *formers_new(uint32_t keep_s);
/* NULL is ignored. */
void formers_free(struct formers *f);

/* A routing `from` is being replaced by `to` (both expanded): notes the places of trunks in `from` that are no endpoints in `to` any more, and the
 * trunks that are not in `to`, with their sources.
 * Trunks are told by their names, so that one that goes, and comes back, has them again. */
void formers_note(struct formers *f, const struct model *from, const struct model *to, uint64_t now_s);

/* Adds what is remembered to an expanded model, the latest first: the trunks that are gone (`gone` is set; they have sources and former endpoints
 * alone), then places to the trunks, where there is room. 0; -ERR_NOMEM. */
int formers_lay_over(const struct formers *f, struct model *expanded, uint64_t now_s);
