/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Finds the lines of a SIP message's head with SIMD; the widest of AVX-512BW, AVX2 and scalar that this CPU has is chosen once
 * by scan_select. Reads only bytes inside the buffer (it may sit at the end of a page). */

/* A header line as found; offsets from the start of the message. */
struct scan_line {
	uint32_t start; /* first byte of the line */
	uint32_t colon; /* first ':' in it, or UINT32_MAX when it has none */
	uint32_t end;	/* one past its CRLF (or bare LF); folded continuation lines are part of it */
};

enum scan_end {
	SCAN_COMPLETE, /* the blank line was found */
	SCAN_PARTIAL,  /* the bytes ended before it */
	SCAN_TOO_MANY, /* more lines than there is room for */
};

/* Lines from data up to the blank line; line 0 is the start line. ret_head is the offset one past the blank line
 * (undefined unless SCAN_COMPLETE). A bare LF ends a line as CRLF does, a bare CR does not; NUL and 8-bit bytes are content. any */
enum scan_end scan_lines(const uint8_t *data, uint32_t len, struct scan_line *lines, uint32_t max_lines,
			 uint32_t *ret_count, uint32_t *ret_head);

enum scan_kind { SCAN_SCALAR, SCAN_AVX2, SCAN_AVX512 };

/* Forces one implementation (tests, benchmarks); false: this CPU lacks it. Without a call the best is chosen at the first
 * scan_lines. control-only, before the workers start */
bool scan_select(enum scan_kind kind);
