/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/partial.h"

/* A run of bytes inside somebody else's buffer; never NUL-terminated, never owned.
 * An absent value has p == NULL; an empty one has p != NULL and n == 0. */
struct span {
	const uint8_t *p;
	uint32_t n;
};

#define SPAN_LIT(s) ((struct span){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline struct span span_of(const void *p, uint32_t n)
{
	return (struct span){ (const uint8_t *)p, n };
}

static inline struct span span_str(const char *s)
{
	return (struct span){ (const uint8_t *)s, (uint32_t)strlen(s) };
}

/* One past its last byte; an absent value stays NULL, to which nothing may be added. any */
static inline const uint8_t *span_end(struct span s)
{
	return s.n ? s.p + s.n : s.p;
}

static inline bool span_eq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	return a.n < 8 ? load_few(a.p, a.n) == load_few(b.p, b.n) : memcmp(a.p, b.p, a.n) == 0;
}

/* ASCII lower case without a table look-up; other bytes as they are. any */
static inline uint8_t ascii_lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

static inline bool span_ieq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

static inline bool span_ieq_str(struct span a, const char *s)
{
	return span_ieq(a, span_str(s));
}

/* Decimal digits only, at least one, at most max. false: not such a number (value unwritten). any */
static inline bool span_to_u64(struct span s, uint64_t max, uint64_t *ret_value)
{
	uint64_t v = 0;

	if (!s.n)
		return false;
	for (uint32_t i = 0; i < s.n; i++) {
		uint8_t d = (uint8_t)(s.p[i] - '0');

		if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v) || v > max)
			return false;
	}
	*ret_value = v;
	return true;
}

/* Without leading and trailing SP, HTAB, CR and LF (folding leaves those inside values). any */
static inline struct span span_trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r' ||
		       s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}
