/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "model/expand.h"
#include "resolve/query.h"

struct alarms;
struct event_base;
struct follow;
struct model;

/* The names that trunks have instead of addresses: each is followed once, however many trunks name it. control-only */

struct resolver_config {
	struct query_config query;
	uint32_t min_ttl_s, max_ttl_s;
};

/* What holds where nobody says otherwise. any */
struct resolver_config resolver_config_default(void);

struct resolver_setup {
	struct event_base *base;
	const struct resolver_config *config;
	unsigned listeners;  /* LISTENS(...) of each that there is */
	uint32_t call_age_s; /* how long a dialog may live where a name was */
	const char *kept_path; /* the last good answers; NULL: they are not kept over a restart */
	struct alarms *alarms; /* NULL: nobody is told */
	void (*changed)(void *ctx); /* from the event loop: a name stands for something else now */
	void *ctx;
};

struct resolver;

/* NULL with an error. What the file of kept answers has is known from the start. */
struct resolver *resolver_new(const struct resolver_setup *setup, char *error);
void resolver_free(struct resolver *r);

/* Follows the names of m from now on, and no other. */
void resolver_follow(struct resolver *r, const struct model *m);

/* What names stand for now, for model_expand(). Names that are not followed yet are, from now on. */
struct names resolver_names(struct resolver *r);

/* Whose address it is that a name stands for: the SRV record's target, or the name itself. NULL: it does not stand for that now. */
const char *resolver_target(const struct resolver *r, const struct model_host *host, const struct ip_port *addr);

/* Has every name been asked to the end, or is it known from before? */
bool resolver_settled(const struct resolver *r);

/* The followed names, one by one: NULL begins, NULL ends. */
const struct follow *resolver_next(const struct resolver *r, const struct follow *f);

/* Asks a name anew at once (NULL: all). How many that were. */
unsigned resolver_ask_now(struct resolver *r, const char *name);

void resolver_stats(const struct resolver *r, struct querier_stats *ret);
