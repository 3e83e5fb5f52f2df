/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct model;
struct model_limits;

/* Numbers as lines of text, for lists too long for YAML or JSON: "+442035550100 london", a prefix as "+4420* london", one to a line; blanks, a comma
 * or a semicolon between the two; blank lines and what follows a '#' are ignored. Text is taken as it comes, in pieces of any size. Every function is
 * control-only. */

struct number_lines;

/* Over m's profiles, which must outlive it; expected: about how many numbers will come. NULL: no memory. */
struct number_lines *number_lines_new(const struct model *m, const struct model_limits *limits, uint32_t expected);
/* NULL is ignored. */
void number_lines_free(struct number_lines *l);

/* 0; -ERR_INVALID, -ERR_FULL, -ERR_NOMEM with an error that begins "line 17: "; after one, nothing more is to be given to it. */
int number_lines_take(struct number_lines *l, const char *text, size_t bytes, char *error);
/* There is no more: a last line without its newline counts. 0 or as number_lines_take. */
int number_lines_end(struct number_lines *l, char *error);

uint64_t number_lines_count(const struct number_lines *l);

/* Puts what was taken in the place of m's own numbers and prefixes. m is a copy of the model that l was made over. */
void number_lines_replace(struct number_lines *l, struct model *m);

/* Adds the numbers of a file to m's own, a million or so a second. 0; -ERR_IO, or as number_lines_take, with an error that begins with path; m is then
 * as before. */
int number_lines_add_file(struct model *m, const struct model_limits *limits, const char *path, char *error);
