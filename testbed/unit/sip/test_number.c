/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "exact.h"
#include "sip/number.h"

static const struct number_plan uk = { "44", "00", "0" }, us = { "1", "011", "1" }, off = { "", "", "" }, nine = { "7", "9", "8" };

static void from_uris(void **state)
{
	static const struct {
		const char *uri;
		const struct number_plan *plan;
		const char *number; /* NULL: none */
	} cases[] = {
		{ "sip:+442035550100@h", &uk, "+442035550100" },
		{ "sip:00442035550100@h", &uk, "+442035550100" },
		{ "sip:02035550100@h", &uk, "+442035550100" },
		{ "sip:442035550100@h", &uk, "+442035550100" },
		{ "sip:+44%202035550100@h", &uk, "+442035550100" },
		{ "sip:%2b442035550100@h", &uk, "+442035550100" },
		{ "sip:+44(20)3555-01.00;ext=5@h", &uk, "+442035550100" },
		{ "sip:+44203%355@h", &uk, "+4420355" },
		{ "sip:011442035550100@h", &us, "+442035550100" },
		{ "sip:12125550100@h", &us, "+12125550100" },
		{ "sip:02035550100@h", &off, NULL },
		{ "sip:12345678@h", &off, "+12345678" },
		{ "sip:1234567@h", &off, NULL },
		{ "sip:123456789012345@h", &off, "+123456789012345" },
		{ "sip:1234567890123456@h", &off, NULL },
		{ "sip:+1234567890123456@h", &off, NULL },
		{ "sip:+0123@h", &off, NULL },
		{ "sip:++123@h", &off, NULL },
		{ "sip:1+23@h", &off, NULL },
		{ "sip:+@h", &uk, NULL },
		{ "sip:0@h", &uk, NULL },
		{ "sip:alice@h", &uk, NULL },
		{ "sip:4420355501%zz@h", &uk, NULL },
		{ "sip:4420355501%2@h", &uk, NULL },
		{ "sip:00000000000000000000000000000000000000@h", &uk, NULL },
		{ "sip:h", &uk, NULL },
		{ "tel:+44-20-3555-0100", &off, "+442035550100" },
		{ "tel:0100;phone-context=+44-20-3555", &off, "+442035550100" },
		{ "tel:+442035550100;phone-context=+1", &off, "+442035550100" },
		{ "tel:02035550100;phone-context=example.com", &uk, "+442035550100" },
		{ "tel:0100;phone-context=+4x", &off, NULL },
		{ "tel:012345678901234;phone-context=+44", &off, NULL },
		{ "sip:9442035550100@h", &nine, "+442035550100" },
		{ "sip:84951234567@h", &nine, "+74951234567" },
		{ "sip:74951234567@h", &nine, "+74951234567" },
		{ "mailto:442035550100@h", &uk, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = exact_str(cases[i].uri);
		struct sip_uri uri;
		char text[E164_TEXT_MAX];
		e164 number = 0;
		int r;

		assert_int_equal(uri_parse(s, &uri), 0);
		r = number_from_uri(&uri, cases[i].plan, &number);
		if (r != (cases[i].number ? 0 : -ERR_NOT_FOUND))
			fail_msg("%s: %d", cases[i].uri, r);
		if (r == 0) {
			uint32_t n = e164_format(number, text);

			assert_int_equal(n, strlen(text));
			if (strcmp(text, cases[i].number))
				fail_msg("%s: %s", cases[i].uri, text);
		}
		exact_free(s);
	}
}

/* Digits of every length, with and without '+', another character in every place: what counts is worked out digit by digit. */
static void every_length(void **state)
{
	static const char others[] = "/:-aA@\x80\xb1+";
	static const struct number_plan *const plans[] = { &off, &uk, &us };

	for (unsigned round = 0; round < 17 * 2 * 3 * 18 * (sizeof(others) - 1); round++) {
		unsigned rest = round, length = 1 + rest % 17, plus = (rest /= 17) % 2, plan = (rest /= 2) % 3, odd = (rest /= 3) % 18;
		char other = others[(rest / 18) % (sizeof(others) - 1)], text[20] = "+", want[20] = "+", got[E164_TEXT_MAX] = "";
		unsigned n = 0;
		bool good = true;
		struct span s;
		e164 number;

		for (unsigned i = 0; i < length; i++) {
			char c = i == odd ? other : (char)('0' + (3 + 7 * i + round % 5) % 10);

			text[plus + i] = c;
			if (c >= '0' && c <= '9')
				want[1 + n++] = c;
			else if (c != '-' && !(c == '+' && !i && !plus))
				good = false;
		}
		text[plus + length] = 0;
		good = good && n && n <= 15 && want[1] != '0' && (plus || (odd == 0 && other == '+') || n >= 8);
		if (!plus && text[0] != '+' && plans[plan] == &us && want[1] == '1')
			continue; /* a prefix: see from_uris */
		if (!plus && want[1] == '0')
			continue;
		s = exact_str(text);
		if (number_from_user(s, plans[plan], &number) == 0)
			e164_format(number, got);
		if (strcmp(got, good ? want : ""))
			fail_msg("%s: %s, not %s", text, got, good ? want : "none");
		exact_free(s);
	}
}

static void packing(void **state)
{
	e164 full, prefix, n;

	assert_int_equal(e164_parse(SPAN_LIT("+442035550100"), &full), 0);
	assert_int_equal(e164_parse(SPAN_LIT("4420"), &prefix), 0);
	assert_int_equal(full, 0xc442035550100000ULL);
	assert_int_equal(prefix, 0x4442000000000000ULL);
	assert_int_equal(e164_digits(full), 12);
	assert_int_equal(e164_truncate(full, 4), prefix);
	assert_int_equal(e164_truncate(full, 12), full);
	assert_int_equal(e164_truncate(full, 0), 0);
	assert_int_equal(e164_parse(SPAN_LIT("999999999999999"), &n), 0);
	assert_int_equal(e164_truncate(n, 15), n);
	assert_int_equal(e164_parse(SPAN_LIT(""), &n), -ERR_INVALID);
	assert_int_equal(e164_parse(SPAN_LIT("+"), &n), -ERR_INVALID);
	assert_int_equal(e164_parse(SPAN_LIT("12a"), &n), -ERR_INVALID);
	assert_int_equal(e164_parse(SPAN_LIT("1234567890123456"), &n), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_uris),
		cmocka_unit_test(every_length),
		cmocka_unit_test(packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
