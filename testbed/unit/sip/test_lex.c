/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"
#include "sip/lex.h"
#include "sip/value.h"

/* The table against RFC 3261 §25.1 as it is written there. */
static bool expected(int c, enum lex_class class)
{
	bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
	bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
	bool uri = c > ' ' && c != 0x7f && c != '<' && c != '>' && c != '"';

	switch (class) {
	case LEX_TOKEN:
		return alnum || (c && strchr("-.!%*_+`'~", c));
	case LEX_SPACE:
		return space;
	case LEX_HOST:
		return alnum || c == '-' || c == '.' || c == '_';
	case LEX_URI:
		return uri;
	case LEX_WORD:
		return !space && !(c && strchr(";,\"<>", c));
	case LEX_SCHEME:
		return alnum || c == '+' || c == '-' || c == '.';
	case LEX_USER:
		return uri && c != '@' && c != ':';
	case LEX_DISPLAY:
		return !(c && strchr("<,;\"", c));
	}
	return false;
}

static void classes(void **state)
{
	for (unsigned class = LEX_TOKEN; class <= LEX_DISPLAY; class <<= 1)
		for (int c = 0; c < 256; c++)
			if (lex_is((uint8_t)c, class) != expected(c, (enum lex_class)class))
				fail_msg("class %u, byte %02x", class, (unsigned)c);
}

static void runs(void **state)
{
	for (size_t n = 0; n < 20; n++) {
		for (size_t stop = 0; stop <= n; stop++) {
			char text[20];
			struct span s;

			memset(text, 'a', sizeof(text));
			if (stop < n)
				text[stop] = ' ';
			s = exact(text, n);
			assert_ptr_equal(lex_run(s.p, s.p + n, LEX_TOKEN), s.p + stop);
			exact_free(s);
		}
	}
}

static void values(void **state)
{
	static const struct {
		const char *text;
		const char *values[4];
	} cases[] = {
		{ "a", { "a" } },
		{ " a , b\r\n ,c", { "a", "b", "c" } },
		{ ",,a,, ,b,", { "a", "b" } },
		{ "\"x,y\" <a,b>;c=\"d,\\\",\",e", { "\"x,y\" <a,b>;c=\"d,\\\",\"", "e" } },
		{ "a,\"open,b", { "a", "\"open,b" } },
		{ "a,<open,b", { "a", "<open,b" } },
		{ "\"<\",b", { "\"<\"", "b" } },
		{ "", { NULL } },
		{ " , ", { NULL } },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = exact_str(cases[i].text), rest = s, v;
		int n = 0;

		while (value_next(&rest, &v))
			expect_span(cases[i].text, "value", v, cases[i].values[n++]);
		assert_null(cases[i].values[n]);
		exact_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(runs),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
