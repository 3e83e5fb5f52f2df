/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct model;
struct model_limits;
struct versions;

/* Makes an older version again: from the model in force, the versions since then are taken back one by one, the youngest first. Drains of
 * targets are not routing: they stay as they are. keep_numbers: numbers and prefixes stay as they are, too.
 * 0 and a validated model; -ERR_NOT_FOUND, -ERR_INVALID, -ERR_IO with an error that says what
 * stands in the way, -ERR_NOMEM. control-only */
int reconstruct(const struct versions *v, uint64_t version, const struct model *now, const struct model_limits *limits, bool keep_numbers,
		struct model **ret_model, char *error);
