/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "resolve/answer.h"

/* What is known of the questions that a name led to: each with its last good answer, how long that holds, and how asking it again went. */

#define LOOKUPS_MAX 200 /* of one name */

struct lookup {
	char name[DNS_TEXT_MAX];
	uint16_t type;	      /* enum dns_type */
	bool used;	      /* rfc3263_locate() looked at it */
	bool out;	      /* it is being asked */
	bool failed;	      /* the last time that it was asked brought no answer, and `why` says so */
	uint32_t hash;
	struct dns_answer *answer; /* the last good one; NULL: none yet */
	uint64_t answered_ms, expires_ms; /* of the answer */
	uint64_t retry_ms;    /* failed: not to be asked before */
	const char *why;      /* static */
};

struct lookups {
	struct lookup *list[LOOKUPS_MAX];
	uint16_t count;
	uint32_t refused; /* LOOKUPS_MAX was reached */
};

/* The place of a question, made where there is none; NULL: no room. */
struct lookup *lookups_get(struct lookups *l, const char *name, uint16_t type);
/* NULL: it was never asked for. */
const struct lookup *lookups_find(const struct lookups *l, const char *name, uint16_t type);
/* Forgets those that are not used. None may be out. */
void lookups_sweep(struct lookups *l);
void lookups_done(struct lookups *l);
