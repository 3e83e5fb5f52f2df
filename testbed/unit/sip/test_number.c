/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "exact.h"
#include "sip/number.h"

static const struct number_plan uk = { "44", "00", "0" }, us = { "1", "011", "1" }, off = { "", "", "" };

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
		cmocka_unit_test(packing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
