/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sip/number.h"

/* E.164 numbers and number prefixes to profile slots: one writer, readers without locks; one change costs less than a microsecond and
 * copies nothing (word_table.h). */

struct numbers;

#define NUMBERS_NONE UINT32_MAX

/* Room for max_numbers exact numbers and max_prefixes prefixes. NULL: no memory. control-only */
struct numbers *numbers_new(uint32_t max_numbers, uint32_t max_prefixes);
/* The readers have stopped. control-only */
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
/* Brings what numbers_lookup will read first into the cache. any */
void numbers_prefetch(const struct numbers *n, e164 number);
/* Many at once: their cache misses overlap. reader, inside a quiescent period */
void numbers_lookup_bulk(const struct numbers *n, const e164 *numbers, unsigned count, struct number_match *ret);
