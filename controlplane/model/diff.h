/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdint.h>

struct model;

/* What one model changes in another, for people: one line per changed field. */

enum diff_op { DIFF_ADD, DIFF_REMOVE, DIFF_CHANGE };

struct diff_change {
	enum diff_op op;
	const char *kind;  /* "trunk", "profile", "target", "number", "prefix", "domain" */
	char *name;
	const char *field; /* DIFF_CHANGE: which */
	char *from, *to;   /* NULL: nothing there; DIFF_ADD of a number or domain: to is its profile */
};

/* Numbers may differ by millions: beyond this many changes they are counted, not listed. */
#define DIFF_LISTED_MAX 1000

struct diff {
	struct diff_change *changes;
	uint32_t count, room;
	uint32_t total;	 /* with those that are not listed */
	int error;	 /* sticky: -ERR_NOMEM */
};

/* Begins an empty diff, compares, and releases. A failed diff has error set. control-only */
void diff_init(struct diff *d);
void diff_models(struct diff *d, const struct model *from, const struct model *to);
void diff_done(struct diff *d);

/* "+ trunk x", "~ profile y: strategy failover → round_robin": newly allocated; NULL: no memory. any */
char *diff_line(const struct diff_change *c);

/* {"total": n, "changes": [{"op", "kind", "name", "field"?, "from"?, "to"?, "text"}]}. any */
json_t *diff_json(const struct diff *d);
