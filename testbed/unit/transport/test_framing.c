/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/framing.h"

#define FIRST  "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: 5\r\n\r\nab\r\n\r"
#define SECOND "SIP/2.0 200 OK\r\nl:\r\n 3\r\nSubject: \r\n x\r\n\r\n\r\n\r"
#define JOINED FIRST SECOND "\r\n\r\n"

/* Feeds bytes as a connection would: what is not taken stays at the front. Writes what was found, a letter each, and lengths. */
struct feed {
	struct framing framing;
	uint8_t *bytes; /* exactly as long as what is in it, so that a byte read beyond is noticed by a sanitizer */
	uint32_t n;
	char found[256];
};

static bool feed(struct feed *f, const char *bytes, uint32_t n)
{
	static const char letters[] = { [FRAMING_MESSAGE] = 'm', [FRAMING_IDLE] = 'i', [FRAMING_PING] = 'p', [FRAMING_NO_LENGTH] = 'N',
					[FRAMING_BAD_LENGTH] = 'B', [FRAMING_TOO_LARGE] = 'L', [FRAMING_NOISE] = 'X' };

	f->bytes = realloc(f->bytes, f->n + n);
	memcpy(f->bytes + f->n, bytes, n);
	f->n += n;
	while (f->n) {
		size_t at = strlen(f->found);
		uint32_t len;
		enum framing_verdict v = framing_next(&f->framing, f->bytes, f->n, &len);

		if (v == FRAMING_MORE)
			return true;
		snprintf(f->found + at, sizeof(f->found) - at, "%c%u ", letters[v], len);
		if (v > FRAMING_PING)
			return false;
		memmove(f->bytes, f->bytes + len, f->n - len);
		f->n -= len;
		f->bytes = realloc(f->bytes, f->n ? f->n : 1);
	}
	return true;
}

static void check(struct feed *f, const char *want)
{
	assert_string_equal(f->found, want);
	free(f->bytes);
	*f = (struct feed){ .n = 0 };
}

/* Two messages and a ping, cut into three at every two places, and byte by byte. */
static void every_split(void **state)
{
	const uint32_t n = sizeof(JOINED) - 1;
	struct feed f = { .n = 0 };
	char want[64];

	snprintf(want, sizeof(want), "m%zu m%zu i2 p2 ", sizeof(FIRST) - 1, sizeof(SECOND) - 1);
	for (uint32_t a = 1; a < n; a++) {
		for (uint32_t b = a; b < n; b++) {
			feed(&f, JOINED, a);
			if (b > a)
				feed(&f, JOINED + a, b - a);
			feed(&f, JOINED + b, n - b);
			check(&f, want);
		}
	}
	for (uint32_t i = 0; i < n; i++)
		feed(&f, JOINED + i, 1);
	check(&f, want);
}

static void verdicts(void **state)
{
#define HEAD "INVITE sip:a SIP/2.0\r\n"
	static const struct {
		const char *bytes, *want;
	} cases[] = {
		{ "\r\n", "i2 " },
		{ "\n\r\n\n\r\n\r\n", "i1 i2 i1 i2 p2 " },
		{ "\n", "i1 " },
		{ "\r", "" },
		{ "\r\n\r", "i2 " },
		{ "\r\n\r\n\r\n", "i2 p2 i2 " },
		{ "\r\n\rX", "i2 X0 " },
		{ "\r\n" HEAD "l: 0\r\n\r\n", "i2 m30 " },
		{ HEAD "Content-Length: 0\r\n\r\n", "m43 " },
		{ HEAD "CONTENT-LENGTH : \t7  \r\n\r\n1234567", "m54 " },
		{ HEAD "Content-Length: 0\n\n", "m41 " },
		{ HEAD "Content-Length: 2\r\nl: 02\r\n\r\nab", "m52 " },
		{ HEAD "Content-Lengths: 2\r\nl: 1\r\n\r\na", "m51 " },
		{ HEAD "Subject: x\r\n\tl: 9\r\nl: 1\r\n\r\na", "m50 " },
		{ HEAD "\r\n", "N24 " },
		{ HEAD "Subject: l: 2\r\n\r\n", "N39 " },
		{ HEAD "l: 2\r\nContent-Length: 3\r\n\r\n", "B49 " },
		{ HEAD "l: -1\r\n\r\n", "B31 " },
		{ HEAD "l: +1\r\n\r\n", "B31 " },
		{ HEAD "l: 1 2\r\n\r\n", "B32 " },
		{ HEAD "l:\r\n\r\n", "B28 " },
		{ HEAD "l: 0x10\r\n\r\n", "B33 " },
		{ HEAD "l: 4294967328\r\n\r\n", "L39 " },
		{ HEAD "l: 18446744073709551616\r\n\r\n", "L49 " },
		{ HEAD "l: 65504\r\n\r\n", "L34 " },
		{ HEAD "l: 65501\r\n\r\n", "" },
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "X27 " },
		{ "\x16\x03\x01", "X0 " },
		{ "SIP/2.0\r\nl: 0\r\n\r\n", "X17 " },
		{ "x\r\n\r\n", "X5 " },
	};
	struct feed f = { .n = 0 };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		feed(&f, cases[i].bytes, (uint32_t)strlen(cases[i].bytes));
		if (strcmp(f.found, cases[i].want) != 0)
			print_error("case %u: %s", i, cases[i].bytes);
		check(&f, cases[i].want);
	}
}

static void bounds(void **state)
{
	static char bytes[FRAMING_MESSAGE_MAX + 64];
	struct feed f = { .n = 0 };
	int n;

	/* A head without an end, and one that has it too late. */
	memset(bytes, 'A', sizeof(bytes));
	assert_true(feed(&f, bytes, FRAMING_HEAD_MAX));
	assert_false(feed(&f, bytes, 1));
	check(&f, "L0 ");
	memcpy(bytes + FRAMING_HEAD_MAX - 3, "\r\n\r\n", 4);
	assert_false(feed(&f, bytes, FRAMING_HEAD_MAX + 1));
	check(&f, "L0 ");
	/* The largest message. */
	n = snprintf(bytes, sizeof(bytes), HEAD "l: 65501\r\n\r\n");
	memset(bytes + n, 'b', 65501);
	assert_true(feed(&f, bytes, (uint32_t)n + 65501));
	check(&f, "m65535 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_split), cmocka_unit_test(verdicts), cmocka_unit_test(bounds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
