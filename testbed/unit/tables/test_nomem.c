/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "../base/nomem.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/routes.h"
#include "tables/tables.h"
#include "tables/trunks.h"

static struct profile *profile_of(enum strategy strategy)
{
	static const uint32_t endpoints[] = { 0, 1 };
	static const uint16_t zeros[] = { 0, 0 };
	static const struct profile_target_source targets[] = {
		{ .weight = 1, .enabled = true, .endpoint_count = 2, .endpoints = endpoints, .priorities = zeros, .weights = zeros },
		{ .weight = 1, .enabled = true, .endpoint_count = 2, .endpoints = endpoints, .priorities = zeros, .weights = zeros },
	};
	struct profile_source s = { .name = "p", .strategy = strategy, .knobs = profile_knobs_default(), .target_count = 2,
				    .targets = targets };

	return profile_compile(&s);
}

static void use_profiles(struct tables *t)
{
	struct profile *p = profile_of(STRATEGY_WEIGHTED);
	uint32_t slot;

	if (!p)
		return;
	if (profiles_add(t->profiles, p, &slot)) {
		profile_free(p);
		return;
	}
	p = profile_of(STRATEGY_FAILOVER);
	if (p)
		profiles_update(t->profiles, slot, p);
}

/* What fails leaves what was there before. */
static void use_trunks(struct tables *t)
{
	struct trunk trunk = { .id = 5, .name = "a" };
	uint32_t slot;

	if (trunks_add(t->trunks, &trunk, &slot)) {
		assert_int_equal(trunks_find(t->trunks, 5), TRUNK_NONE);
		return;
	}
	trunk.id = 6;
	if (trunks_update(t->trunks, slot, &trunk))
		trunk.id = 5;
	assert_int_equal(trunks_find(t->trunks, trunk.id), slot);
	assert_int_equal(trunks_find(t->trunks, 11 - trunk.id), TRUNK_NONE);
	trunks_remove(t->trunks, slot);
	assert_int_equal(trunks_find(t->trunks, trunk.id), TRUNK_NONE);
}

static void use_lists(struct tables *t)
{
	struct range_entry entry = { prefix_of("10.0.0.0/8"), 3 };
	struct route route = { .prefix = prefix_of("10.0.0.0/8") };
	struct domain_entry domain = { "example.com", 1 };
	struct domains *d = domains_build(&domain, 1);
	struct ip_addr ip = ip_of("10.1.1.1");
	struct route_result hop;
	bool published;

	if (d)
		domain_table_publish(t->domains, d);
	published = !access_publish(t->access, &entry, 1);
	assert_int_equal(access_lookup(t->access, &ip), published ? 3 : TRUNK_NONE);
	published = !routes_publish(t->routes, &route, 1);
	assert_int_equal(routes_lookup(t->routes, &ip, &hop), published ? ROUTE_NO_NEIGHBOUR : ROUTE_NONE);
}

static void everything(void)
{
	static const struct tables_limits limits = { 1, 100, 100, 4, 4, 4 };
	struct tables *t = tables_new(&limits);
	struct endpoint_config c = { .addr = { ip_of("192.0.2.1"), 5060 } };
	uint32_t slot;

	if (!t)
		return;
	epoch_online(t->epoch, 0);
	if (!endpoints_add(t->endpoints, &c, &slot)) {
		(void)endpoints_update(t->endpoints, slot, &c);
		endpoints_remove(t->endpoints, slot);
	}
	use_profiles(t);
	use_trunks(t);
	use_lists(t);
	tables_free(t);
}

static void test_everything(void **state)
{
	assert_true(nomem_run(everything) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_everything) };

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
