/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/tables.h"
#include "tables/trunks.h"

static const struct tables_limits limits = { .workers = 2, .numbers = 1000, .prefixes = 100, .profiles = 10, .trunks = 10,
					     .endpoints = 10 };

/* New tables answer "nothing" to everything; two sets of them do not meet. */
static void test_empty(void **state)
{
	struct tables *a = tables_new(&limits), *b = tables_new(&limits);
	struct ip_addr ip = ip_of("192.0.2.1");
	struct route_result r;

	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(numbers_set(b->numbers, number_of("44"), 1), 0);
	assert_int_equal(numbers_lookup(a->numbers, number_of("44")).profile_slot, NUMBERS_NONE);
	assert_null(profiles_get(a->profiles, 0));
	assert_null(trunks_get(a->trunks, 0));
	assert_null(endpoints_get(a->endpoints, 0));
	assert_int_equal(endpoints_max(a->endpoints), 10);
	assert_int_equal(access_lookup(a->access, &ip), TRUNK_NONE);
	assert_int_equal(routes_lookup(a->routes, &ip, &r), ROUTE_NONE);
	assert_int_equal(domains_lookup(domain_table_get(a->domains), SPAN_LIT("example.com")), DOMAINS_NONE);
	tables_free(a);
	tables_free(b);
	tables_free(NULL);
}

static void test_domains(void **state)
{
	static const struct domain_entry entries[] = { { "example.com", 5 } };
	struct tables *t = tables_new(&limits);
	const struct domains *held;

	epoch_online(t->epoch, 1);
	held = domain_table_get(t->domains);
	domain_table_publish(t->domains, domains_build(entries, 1));
	assert_int_equal(epoch_reclaim(t->epoch), 1);
	assert_int_equal(domains_lookup(held, SPAN_LIT("example.com")), DOMAINS_NONE);
	assert_int_equal(domains_lookup(domain_table_get(t->domains), SPAN_LIT("example.com")), 5);
	epoch_quiescent(t->epoch, 1);
	assert_int_equal(epoch_reclaim(t->epoch), 0);
	/* Freed with something retired and a worker that never went offline. */
	domain_table_publish(t->domains, domains_build(NULL, 0));
	tables_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_empty), cmocka_unit_test(test_domains) };

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
