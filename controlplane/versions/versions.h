/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sip/number.h"

struct diff;
struct model;

/* Every accepted change of routing is a version: a line of a log that says who, when, by which operation, what changed, and what was there
 * before, so that older versions can be made again from the present one (versions/reconstruct.h). Numbered from 1 without gaps; the oldest
 * are dropped at a bound. The log outlives the process where it has a file. Everything here is control-only. */

struct versions;

struct versions_limits {
	uint32_t keep;	/* versions, at least 2 */
	uint64_t bytes; /* of the file, give or take a line */
};

/* Who changes something, and how. */
struct origin {
	const char *who, *operation, *comment; /* comment NULL: none */
	const struct diff *diff; /* of the two models, where the caller has it already; NULL: it is made */
};

/* Opens or makes the log; path NULL: one in memory. A file that is no log of versions, or whose lines do not follow on each other, is moved
 * aside to PATH.damaged, and *ret_note says so (else it is empty): never a reason not to start. note: ERROR_TEXT_MAX bytes.
 * 0; -ERR_NOMEM; -ERR_IO: no file can be made there, with an error. */
int versions_open(const char *path, const struct versions_limits *limits, struct versions **ret_versions, char *note, char *error);
/* NULL is ignored. */
void versions_free(struct versions *v);

/* The numbers of the first and last version that are kept; 0: there is none. */
uint64_t versions_first(const struct versions *v);
uint64_t versions_last(const struct versions *v);
/* What the next version will be called. */
uint64_t versions_next(const struct versions *v);

/* The process began with this model, which is that of version `accepted` (0: not known). Versions behind it never came into force: they are
 * dropped (*ret_dropped: how many). Where it is no version of the log, nor what the last start found, a new one is written, from which there
 * is no way back to those before. 0; -ERR_IO, -ERR_NOMEM with an error. */
int versions_start(struct versions *v, uint64_t accepted, const struct model *model, const struct origin *origin, uint64_t *ret_dropped,
		   char *error);

/* A change is written in two steps, so that it can be put in force in between: begin appends it, then either keep or forget. 0; -ERR_IO,
 * -ERR_NOMEM with an error (then nothing is begun). */
int versions_begin_model(struct versions *v, const struct model *from, const struct model *to, const struct origin *origin, char *error);
/* was, is: profiles' names, NULL: none. Costs a line of about 130 bytes and one write. */
int versions_begin_number(struct versions *v, e164 number, bool prefix, const char *was, const char *is, const struct origin *origin,
			  char *error);
void versions_keep(struct versions *v);
void versions_forget(struct versions *v);
/* Waits until what was kept is on the disk. 0; -ERR_IO with an error. */
int versions_settle(struct versions *v, char *error);

/* The line of a version. {"version", "time" (unix ms), "who", "operation", "comment"?, "total", "changes": [texts], "trunks": [[name, was]],
 * "profiles": ..., "domains": ..., "numbers": [[number, was, is]], "prefixes": ..., "incomplete"?, "break"?}: was is null where there was
 * nothing; incomplete: more numbers changed than are kept; break: nothing is known of what was before.
 * 0 and a new object; -ERR_NOT_FOUND, -ERR_INVALID (damaged), -ERR_IO, -ERR_NOMEM with an error. */
int versions_read(const struct versions *v, uint64_t version, json_t **ret_line, char *error);
