/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call_record;
struct trunks;

/* A call record as one line of JSON (docs/cdr.md). */

#define CDR_LINE_MAX 16384 /* no record is longer */

/* Writes the line with its newline and a NUL behind it into out (CDR_LINE_MAX bytes); returns its length without the NUL. Trunks are named
 * by their ids: one that is gone is eight hex digits. What the network sent is made valid UTF-8: a byte that belongs to no character
 * becomes the character of its value (Latin-1), a NUL U+FFFD. control-only */
size_t cdr_line(const struct call_record *r, const struct trunks *trunks, char *out);

/* The type and id of a line that cdr_line wrote. false: another line. */
bool cdr_line_identity(const char *line, size_t bytes, uint64_t *ret_id, uint8_t *ret_kind);

/* The name of a trunk by its id, in out (TRUNK_NAME_MAX bytes); NULL: id 0, no trunk. control-only */
const char *cdr_trunk_name(const struct trunks *trunks, uint32_t id, char *out);

/* "2026-01-31T23:59:59.999Z" with NUL. any */
#define CDR_TIME_MAX 32
void cdr_time(uint64_t unix_ms, char *out);
