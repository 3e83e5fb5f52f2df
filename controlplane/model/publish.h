/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sip/number.h"

struct model;
struct model_endpoint;
struct model_trunk;
struct tables;

/* Turns the difference of two models into table calls, in an order in which a reader never meets a name that leads nowhere: what is
 * new is added before anything names it, and what is gone is removed after nothing names it any more. Slots of what stays are kept, and
 * with them live state (health, ejections, round-robin tickets, statistics). */

struct publisher;

/* The owner of per-target statistics, whose slots are handed out here. */
struct publish_hooks {
	/* May the slot be given to another target (no call counts on it any more)? */
	bool (*target_idle)(void *ctx, uint32_t target_slot);
	/* It is being given to another one. */
	void (*target_reset)(void *ctx, uint32_t target_slot);
	void *ctx;
	uint32_t target_slots; /* how many there are */
	const char *region;    /* the node's own, alive as long as the publisher; NULL or empty: none */
	/* As whom an endpoint must be verified by TLS (struct endpoint_config); NULL: nobody is. */
	uint32_t (*tls_peer)(void *ctx, const struct model_trunk *t, const struct model_endpoint *e);
	void *tls_ctx;
};

/* Nothing is published yet: the tables are as of an empty model. default_plan is for trunks without their own. NULL: no memory.
 * control-only */
struct publisher *publisher_new(struct tables *t, const struct publish_hooks *hooks, const struct number_plan *default_plan);
void publisher_free(struct publisher *p);

/* Makes the tables say `to` where they said `from` (what was published last). Both have been validated.
 * 0; -ERR_FULL, -ERR_NOMEM with an error: then the tables say `from` again. control-only */
int publish_model(struct publisher *p, const struct model *from, const struct model *to, char *error);

/* One number or prefix; profile_id NUMBER_MAP_NONE deletes. 0; -ERR_FULL, -ERR_NOT_FOUND. control-only */
int publish_number(struct publisher *p, e164 number, bool prefix, uint32_t profile_id);

/* Slots by id; UINT32_MAX: not published. control-only */
uint32_t publish_profile_slot(const struct publisher *p, uint32_t profile_id);
uint32_t publish_trunk_slot(const struct publisher *p, uint32_t trunk_id);
uint32_t publish_target_slot(const struct publisher *p, uint32_t profile_id, uint32_t trunk_id);
uint32_t publish_endpoint_slot(const struct publisher *p, uint32_t trunk_id, uint32_t endpoint_id);
