/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The days of certificates, for people. */

/* "2026-11-20" (UTC) of Unix seconds; ret has 16 bytes. any */
void day_text(int64_t unix_s, char ret[16]);
/* Whole days until then, rounded down; negative: over for so long. any */
int64_t days_left(int64_t not_after_s, int64_t now_s);
