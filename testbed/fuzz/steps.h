/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* The rest of an input that is a list of steps. */
struct reader {
	const uint8_t *p, *end;
};

/* The next bytes as a number, the first one highest; 0 for each that is missing. */
static inline uint32_t take(struct reader *r, unsigned bytes)
{
	uint32_t v = 0;

	for (; bytes; bytes--)
		v = v << 8 | (r->p < r->end ? *r->p++ : 0);
	return v;
}
