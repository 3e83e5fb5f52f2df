/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct model;
struct origin;

/* A version as a line of the log (its form: versions_read). control-only */

#define RECORD_NUMBERS_MAX 100000 /* more changed numbers than these make a version incomplete */
#define RECORD_TEXTS_MAX   200	  /* lines of the difference that are kept as text; the rest is counted */

/* NULL: no memory. */
json_t *record_model(uint64_t version, uint64_t unix_ms, const struct model *from, const struct model *to, const struct origin *origin);
/* The first version, or one from which there is no way back. */
json_t *record_start(uint64_t version, uint64_t unix_ms, const char *print, bool is_break, const struct origin *origin);

/* A hash of all that a model says, as text. */
#define RECORD_PRINT_MAX 17
void record_print(const struct model *m, char out[RECORD_PRINT_MAX]);
