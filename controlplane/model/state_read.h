/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

struct model;
struct model_limits;

#define STATE_FORMAT  "routing" /* the first line is {"strowger": STATE_FORMAT, "version": STATE_VERSION} */
#define STATE_VERSION 1

/* Reads a state file (see model/state.h). *ret_length is the bytes that count, *ret_repeats how many lines replaced or removed an earlier
 * one, *ret_accepted the last version that a line names (0: none). 0; -ERR_NOT_FOUND, -ERR_INVALID with "FILE:LINE: ...", -ERR_IO, -ERR_NOMEM. control-only */
int state_read(const char *path, const struct model_limits *limits, struct model **ret_model, uint64_t *ret_length, uint32_t *ret_repeats,
	       uint64_t *ret_accepted, char *error);
