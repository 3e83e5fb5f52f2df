/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

/* What the parsers of this floor share: character classes and the few loops over them (RFC 3261 §25.1). Not for other floors. */

enum lex_class {
	LEX_TOKEN = 1, /* alphanum and - . ! % * _ + ` ' ~ */
	LEX_SPACE = 2, /* SP, HTAB, and CR, LF, which folding leaves inside values */
	LEX_HOST = 4,  /* letters, digits, '-', '.', and '_', which names in the field have */
	LEX_URI = 8,   /* what may stand in a URI: no control, no white space, none of < > " ; 8-bit bytes are let through */
	LEX_WORD = 16, /* runs on in an unquoted parameter value: anything but white space ; , " < > */
	LEX_SCHEME = 32,
	LEX_USER = 64,	   /* LEX_URI without '@' and ':' */
	LEX_DISPLAY = 128, /* what find_angle runs over: anything but < , ; " */
};

extern const uint8_t lex_table[256];

/* Sets of 7-bit bytes for look-ups of 16 and more at once: bit h of [l] is byte h << 4 | l. */
enum lex_set {
	LEX_SET_STOP,	 /* not LEX_WORD, but for ';' */
	LEX_SET_CLOSE,	 /* neither LEX_URI nor LEX_SPACE */
	LEX_SET_NOT_URI, /* not LEX_URI */
	LEX_SET_URI_ODD, /* the same, and '?' */
	LEX_SET_TOKEN,	 /* LEX_TOKEN */
	LEX_SET_HOST,	 /* LEX_HOST */
	LEX_SETS
};

extern const uint8_t lex_sets[LEX_SETS][16] __attribute__((aligned(16), visibility("hidden")));

/* What such look-ups need besides: 1 << (h & 7) for each h < 8, twice; and fifteens. Here, since a compiler that knows them puts them together
 * anew wherever they are needed. */
extern const uint8_t lex_rows[32] __attribute__((visibility("hidden"))), lex_halves[32] __attribute__((visibility("hidden")));

static inline bool lex_is(uint8_t c, unsigned classes)
{
	return lex_table[c] & classes;
}

/* The first byte in [p, end) that is not of the classes. */
static inline const uint8_t *lex_run(const uint8_t *p, const uint8_t *end, unsigned classes)
{
	for (; end - p >= 4; p += 4) {
		if (!(lex_table[p[0]] & classes))
			return p;
		if (!(lex_table[p[1]] & classes))
			return p + 1;
		if (!(lex_table[p[2]] & classes))
			return p + 2;
		if (!(lex_table[p[3]] & classes))
			return p + 3;
	}
	while (p < end && (lex_table[*p] & classes))
		p++;
	return p;
}

static inline const uint8_t *lex_space(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (lex_table[*p] & LEX_SPACE))
		p++;
	return p;
}

/* end moved left over white space. */
static inline const uint8_t *lex_space_back(const uint8_t *p, const uint8_t *end)
{
	while (end > p && (lex_table[end[-1]] & LEX_SPACE))
		end--;
	return end;
}

static inline struct span lex_span(const uint8_t *p, const uint8_t *end)
{
	return (struct span){ p, (uint32_t)(end - p) };
}

/* p at '"': one past the closing quote, or NULL when there is none. A backslash takes the next byte with it. */
static inline const uint8_t *lex_quoted(const uint8_t *p, const uint8_t *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\' && ++p == end)
			break;
	}
	return NULL;
}

/* One ";name=value", with white space anywhere between its parts. */
struct lex_param {
	struct span name;  /* n == 0: an empty parameter (";;"), which the grammar forbids and the field has */
	struct span value; /* p == NULL without '='; quotes are kept */
	struct span whole;
};

/* p at ';'. Where the next ';' or ',' or the end is, or NULL when malformed. */
static inline const uint8_t *lex_param(const uint8_t *p, const uint8_t *end, struct lex_param *ret)
{
	const uint8_t *from = p, *last;

	p = lex_space(p + 1, end);
	ret->name.p = p;
	while (p < end && (lex_table[*p] & LEX_WORD) && *p != '=')
		p++;
	ret->name.n = (uint32_t)(p - ret->name.p);
	ret->value = (struct span){ 0, 0 };
	last = p;
	p = lex_space(p, end);
	if (p < end && *p == '=') {
		p = lex_space(p + 1, end);
		ret->value.p = p;
		if (p < end && *p == '"') {
			p = lex_quoted(p, end);
			if (!p)
				return NULL;
		} else {
			p = lex_run(p, end, LEX_WORD);
		}
		if (!ret->name.n)
			return NULL;
		ret->value.n = (uint32_t)(p - ret->value.p);
		last = p;
		p = lex_space(p, end);
	}
	ret->whole = lex_span(from, last);
	return p == end || *p == ';' || *p == ',' ? p : NULL;
}

/* a equals the lower-case literal b without regard to ASCII case; both have n bytes. */
static inline bool lex_ieq(const uint8_t *a, const char *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != (uint8_t)b[i])
			return false;
	return true;
}

#define LEX_IS(span, literal) ((span).n == sizeof(literal) - 1 && lex_ieq((span).p, literal, sizeof(literal) - 1))

