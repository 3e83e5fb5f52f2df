/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* Aligned columns for people. */

struct table;

/* Headings, separated by '|'; a heading that begins with '>' is right-aligned. NULL: no memory. */
struct table *table_new(const char *headings);
/* One row: as many cells as headings, copied (control characters replaced); NULL is "-". */
void table_row(struct table *t, const char *const *cells);
/* A row from an object: the values of these keys, separated by '|' ("target|calls.live"). */
void table_json(struct table *t, const json_t *object, const char *keys);
/* Prints and frees. An empty table prints `nothing` instead. */
void table_print(struct table *t, FILE *f, const char *nothing);

/* Replaces what would move the cursor or worse (control characters, also those of UTF-8) in text that came from the network. */
void text_printable(char *text);

/* A value as text: numbers plain, booleans yes and no, null and absent "-", lists joined by ", ". Newly allocated. */
char *json_words(const json_t *value);
/* The value at a dotted path, or NULL. */
const json_t *json_at(const json_t *object, const char *path);
