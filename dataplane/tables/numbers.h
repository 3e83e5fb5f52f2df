/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sip/number.h"

struct epoch;

/* E.164 numbers and number prefixes to profile slots: rte_hash with lock-free readers; one change costs microseconds and copies
 * nothing. */

struct numbers;

#define NUMBERS_NONE UINT32_MAX

/* Room for max_numbers exact numbers and max_prefixes prefixes. name must be unique in the process (26 characters at most).
 * NULL: no memory. control-only */
struct numbers *numbers_new(const char *name, uint32_t max_numbers, uint32_t max_prefixes, struct epoch *e);
void numbers_free(struct numbers *n);

/* Adds or replaces. 0, -ERR_FULL, -ERR_INVALID (no number). control-only */
int numbers_set(struct numbers *n, e164 number, uint32_t profile_slot);
int numbers_set_prefix(struct numbers *n, e164 prefix, uint32_t profile_slot);
/* 0, -ERR_NOT_FOUND. control-only */
int numbers_delete(struct numbers *n, e164 number);
int numbers_delete_prefix(struct numbers *n, e164 prefix);
/* Exact numbers; prefixes. control-only */
uint32_t numbers_count(const struct numbers *n);
uint32_t numbers_prefix_count(const struct numbers *n);

struct number_match {
	uint32_t profile_slot; /* NUMBERS_NONE: no match */
	bool exact;
	uint8_t prefix_digits; /* when not exact: how long the prefix was */
};

/* The exact number, else the longest prefix. reader, inside a quiescent period */
struct number_match numbers_lookup(const struct numbers *n, e164 number);
