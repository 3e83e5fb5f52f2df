/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sip/number.h"

struct model;
struct model_limits;
struct model_profile;

/* The routing that was accepted last, kept in a file: one JSON object per line. A whole model is written beside the file, synced and
 * renamed over it; a change of one number or profile is one line appended and synced, since rewriting millions of numbers for one would take
 * seconds. A last line without its newline was never accepted (the power went) and does not count. */

struct state;

/* Nothing is opened yet. NULL: no memory. control-only */
struct state *state_new(const char *path);
void state_free(struct state *s);

/* The model in the file. 0; -ERR_NOT_FOUND: there is no file; -ERR_INVALID with "FILE:LINE: ...", -ERR_IO, -ERR_NOMEM. control-only */
int state_load(struct state *s, const struct model_limits *limits, struct model **ret_model, char *error);

/* Which version of the routing (versions/versions.h) the file holds, as far as it says so; 0: it does not. And which one the next change
 * will be. control-only */
uint64_t state_accepted(const struct state *s);
void state_accept(struct state *s, uint64_t version);

/* A change is stored in two steps, so that it can be published in between: begin makes it durable where nobody reads it yet (or appends
 * it), then either keep or forget. 0; -ERR_IO, -ERR_NOMEM with an error (then nothing is begun). control-only */
int state_begin_model(struct state *s, const struct model *m, char *error);
/* profile: its name, NULL: the number goes. Durable against the end of the process at once, against a power cut after state_settle: many
 * changes of numbers share one sync. */
int state_begin_number(struct state *s, e164 number, bool prefix, const char *profile, char *error);
int state_begin_profile(struct state *s, const struct model_profile *profile, char *error);
int state_keep(struct state *s, char *error);
void state_forget(struct state *s);

/* Waits until the changes of numbers that were kept are on the disk; nothing where none was since the last time. 0; -ERR_IO with an error:
 * they are in force, but a power cut may take them back; the next change writes everything anew. control-only */
int state_settle(struct state *s, char *error);

/* So many lines were appended (or there is no file yet) that the next change should be a whole model. control-only */
bool state_wants_model(const struct state *s);
