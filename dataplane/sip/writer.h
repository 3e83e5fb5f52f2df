/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/span.h"

/* Appends to a bounded buffer; past its end only the overflow is noted. */
struct writer {
	uint8_t *out;
	uint32_t cap, n;
	bool full;
};

static inline void put(struct writer *w, struct span s)
{
	if (s.n > w->cap - w->n) {
		w->full = true;
		return;
	}
	if (s.n)
		memcpy(w->out + w->n, s.p, s.n);
	w->n += s.n;
}

#define PUT(w, literal) put(w, SPAN_LIT(literal))

static inline void put_str(struct writer *w, const char *s)
{
	put(w, span_str(s));
}

static inline void put_u32(struct writer *w, uint32_t v)
{
	uint8_t digits[10];
	uint32_t n = sizeof(digits);

	do {
		digits[--n] = (uint8_t)('0' + v % 10);
	} while (v /= 10);
	put(w, span_of(digits + n, (uint32_t)sizeof(digits) - n));
}
