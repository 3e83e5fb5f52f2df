/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/domains.h"

static void test_cases(void **state)
{
	static const struct domain_entry entries[] = {
		{ "example.com", 1 }, { "Sip.Example.COM", 2 }, { "dotted.example.org.", 3 },
		{ "twice.example", 4 }, { "TWICE.example", 5 }, { "192.0.2.1", 6 },
	};
	static const struct {
		const char *host;
		uint32_t slot;
	} cases[] = {
		{ "example.com", 1 },	   { "EXAMPLE.com", 1 },	{ "example.com.", 1 },
		{ "sip.example.com", 2 },  { "x.example.com", DOMAINS_NONE }, { "example.co", DOMAINS_NONE },
		{ "dotted.example.org", 3 }, { "dotted.example.org.", 3 }, { "twice.example", 5 },
		{ "192.0.2.1", 6 },	   { "", DOMAINS_NONE },	{ ".", DOMAINS_NONE },
		{ "example.com..", DOMAINS_NONE },
	};
	struct domains *d = domains_build(entries, ARRAY_SIZE(entries));

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		if (domains_lookup(d, span_str(cases[i].host)) != cases[i].slot)
			fail_msg("%s: %u", cases[i].host, domains_lookup(d, span_str(cases[i].host)));
	domains_free(d);
	d = domains_build(NULL, 0);
	assert_int_equal(domains_lookup(d, SPAN_LIT("example.com")), DOMAINS_NONE);
	domains_free(d);
	domains_free(NULL);
}

static void test_many(void **state)
{
	enum { N = 20000 };
	static char names[N][24];
	struct domain_entry *entries = calloc(N, sizeof(*entries));
	struct domains *d;

	for (uint32_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "Tenant%u.example", i);
		entries[i] = (struct domain_entry){ names[i], i };
	}
	d = domains_build(entries, N);
	free(entries);
	for (uint32_t i = 0; i < N; i++) {
		names[i][0] = 't';
		assert_int_equal(domains_lookup(d, span_str(names[i])), i);
		names[i][0] = 'u';
		assert_int_equal(domains_lookup(d, span_str(names[i])), DOMAINS_NONE);
	}
	domains_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
