/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/expand.h"
#include "model/model.h"
#include "versions/versions.h"

struct formers;
struct publisher;
struct state;

/* The routing that is in force: one model, its publication and its copy on disk, which change together or not at all. What is published is
 * the model with its names replaced by where DNS says that they are: that changes by itself, the operator's model does not. control-only */

struct routing {
	struct model *model;	/* as the operator wants it */
	struct model *expanded; /* as the tables say it: its trunks have the endpoints that names stand for */
	struct names names;	/* find NULL: names stand for nothing */
	uint32_t left_out;	/* endpoints that DNS has and there was no room for */
	struct publisher *publisher;
	struct state *state; /* NULL: changes are not kept */
	struct versions *versions; /* NULL: changes are not numbered */
	struct origin origin; /* of the change that is being made; the caller's texts */
	struct formers *formers; /* NULL: what a change takes away is forgotten at once */
	struct model_limits limits;
	/* Beside what a model says of itself: files that it names. 0, or a negative enum err with an error. NULL: nobody asks. */
	int (*check)(void *ctx, const struct model *from, const struct model *to, char *error);
	void *check_ctx;
	uint32_t generation;	/* counts publications of a whole model, taken back ones too */
};

/* Takes publisher and state over; nothing is in force yet. 0, -ERR_NOMEM. r->versions may be set before routing_begin, and is taken over too;
 * r->origin says who makes the changes that follow. */
int routing_init(struct routing *r, struct publisher *publisher, struct state *state, const struct model_limits *limits, char *error);
void routing_done(struct routing *r);

/* From now on names stand for what `names` finds; before the first model is in force. */
void routing_resolve_by(struct routing *r, const struct names *names);

/* From now on dialogs may live, for keep_s, where an endpoint was taken away. 0, -ERR_NOMEM. */
int routing_remember(struct routing *r, uint32_t keep_s, char *error);

/* Puts the first model in force: the state file's where there is one (*ret_from_state), else a copy of `written`. 0 or a negative enum err
 * with an error. */
int routing_begin(struct routing *r, const struct model *written, bool *ret_from_state, char *error);

/* The version that is in force; 0: versions are not kept. */
uint64_t routing_version(const struct routing *r);

/* May it be put in force, as far as can be told without doing so? 0, or a negative enum err with an error. */
int routing_check(const struct routing *r, const struct model *candidate, char *error);

/* Puts a validated model in force; takes it over, also on failure. 0, or a negative enum err and everything is as it was. */
int routing_commit(struct routing *r, struct model *candidate, char *error);

/* The same where only the profile of that id differs: cheaper on disk. */
int routing_commit_profile(struct routing *r, struct model *candidate, uint32_t profile_id, char *error);

/* Publishes what names stand for now; nothing where that is as before (*ret_changed says). The operator's model and its copy on disk stay as
 * they are. 0; -ERR_FULL, -ERR_NOMEM with an error, and everything is as it was: try again. */
int routing_refresh(struct routing *r, bool *ret_changed, char *error);

/* One number or prefix; profile NULL deletes. 0; -ERR_NOT_FOUND (profile or number), -ERR_FULL, -ERR_NOMEM, -ERR_IO. In force at once, and
 * safe against the end of the process; against a power cut after routing_settle. */
int routing_set_number(struct routing *r, e164 number, bool prefix, const char *profile, char *error);

/* Makes changes of numbers durable, all since the last time at once. 0; -ERR_IO with an error: they are in force, but may not outlive a
 * power cut. */
int routing_settle(struct routing *r, char *error);
