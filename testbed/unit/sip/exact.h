/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A heap copy without a byte to spare, so that a sanitizer sees every read past the end. */
static inline struct span exact(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	if (n)
		memcpy(copy, bytes, n);
	return span_of(copy, (uint32_t)n);
}

static inline struct span exact_str(const char *s)
{
	return exact(s, strlen(s));
}

static inline void exact_free(struct span s)
{
	free((void *)s.p);
}

/* want NULL: the span must be absent. */
static inline void expect_span(const char *what, const char *field, struct span got, const char *want)
{
	const char *text = want ? want : "", *have = got.p ? (const char *)got.p : "";

	if (!want && got.p)
		fail_msg("%s: %s is there: '%.*s'", what, field, (int)got.n, have);
	if (!got.p && *text)
		fail_msg("%s: %s is absent, expected '%s'", what, field, text);
	if (got.n != strlen(text) || (got.n && memcmp(got.p, text, got.n)))
		fail_msg("%s: %s is '%.*s', expected '%s'", what, field, (int)got.n, have, text);
}
