/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"
#include "sip/message.h"

static void header_names(void **state)
{
	for (int id = SIP_H_OTHER + 1; id < SIP_HEADER_IDS; id++) {
		const char *usual = sip_header_name((enum sip_header_id)id);
		struct span s = exact_str(usual);
		uint8_t *p = (uint8_t *)s.p;

		assert_true(s.n > 1);
		assert_int_equal(sip_header_lookup(s), id);
		for (uint32_t i = 0; i < s.n; i++)
			p[i] = (uint8_t)(p[i] >= 'a' && p[i] <= 'z' ? p[i] - 32 : p[i]);
		assert_int_equal(sip_header_lookup(s), id);
		for (uint32_t i = 0; i < s.n; i++)
			p[i] = ascii_lower(p[i]);
		assert_int_equal(sip_header_lookup(s), id);
		/* one byte off, in every place, is another name; bit 5 of a '-' is not a matter of case */
		for (uint32_t i = 0; i < s.n; i++) {
			uint8_t keep = p[i];

			for (unsigned bit = 0; bit < 8; bit++) {
				p[i] = keep ^ (uint8_t)(1u << bit);
				if (bit == 5 && keep >= 'a' && keep <= 'z')
					assert_int_equal(sip_header_lookup(s), id);
				else
					assert_int_not_equal(sip_header_lookup(s), id);
			}
			p[i] = keep;
		}
		exact_free(s);
	}
}

static void compact_and_foreign(void **state)
{
	static const struct {
		const char *name;
		enum sip_header_id id;
	} cases[] = {
		{ "v", SIP_H_VIA }, { "F", SIP_H_FROM }, { "t", SIP_H_TO }, { "I", SIP_H_CALL_ID }, { "m", SIP_H_CONTACT },
		{ "L", SIP_H_CONTENT_LENGTH }, { "c", SIP_H_CONTENT_TYPE }, { "K", SIP_H_SUPPORTED }, { "x", SIP_H_SESSION_EXPIRES },
		{ "Y", SIP_H_IDENTITY }, { "o", SIP_H_EVENT }, { "s", SIP_H_OTHER }, { "e", SIP_H_OTHER }, { "", SIP_H_OTHER },
		{ "Subject", SIP_H_OTHER }, { "Allow", SIP_H_OTHER }, { "Vib", SIP_H_OTHER }, { "Contact-", SIP_H_OTHER },
		{ "X-Via", SIP_H_OTHER }, { "Proxy-Authorizatiom", SIP_H_OTHER }, { "C%6Fntact", SIP_H_OTHER },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = exact_str(cases[i].name);

		if (sip_header_lookup(s) != cases[i].id)
			fail_msg("%s", cases[i].name);
		exact_free(s);
	}
}

static void methods(void **state)
{
	static const char *const unknown[] = { "invite", "INVITe", "", "ACKK", "RE%47IST%45R", "MESSAGF", "X" };

	for (int i = SIP_UNKNOWN_METHOD + 1; i < SIP_METHODS; i++) {
		struct span s = exact_str(sip_method_name((enum sip_method)i));

		assert_int_equal(sip_method_lookup(s), i);
		exact_free(s);
	}
	for (size_t i = 0; i < COUNT_OF(unknown); i++) {
		struct span s = exact_str(unknown[i]);

		assert_int_equal(sip_method_lookup(s), SIP_UNKNOWN_METHOD);
		exact_free(s);
	}
}

static void reasons(void **state)
{
	assert_string_equal(sip_reason_phrase(100), "Trying");
	assert_string_equal(sip_reason_phrase(486), "Busy Here");
	assert_string_equal(sip_reason_phrase(503), "Service Unavailable");
	assert_string_equal(sip_reason_phrase(699), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_names),
		cmocka_unit_test(compact_and_foreign),
		cmocka_unit_test(methods),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
