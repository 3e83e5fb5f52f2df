/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/epoch.h"
#include "tables/routes.h"

static void route_line(struct route *r, const char *prefix, const char *gateway, uint16_t port, uint16_t metric)
{
	*r = (struct route){ .prefix = prefix_of(prefix), .port = port, .metric = metric };
	if (gateway)
		r->gateway = ip_of(gateway);
}

static void test_lookup(void **state)
{
	static const struct {
		const char *prefix, *gateway;
		uint16_t port, metric;
	} lines[] = {
		{ "0.0.0.0/0", "192.0.2.254", 0, 100 }, { "0.0.0.0/0", "192.0.2.253", 0, 200 }, { "192.0.2.0/24", NULL, 0, 0 },
		{ "10.0.0.0/8", "198.51.100.1", 1, 0 }, { "198.51.100.0/24", NULL, 1, 0 },	{ "10.1.0.0/16", "fe80::1", 1, 0 },
		{ "2001:db8::/64", NULL, 1, 0 },	{ "2001:db8:1::/48", "fe80::1", 1, 0 },
	};
	static const struct {
		uint16_t port;
		const char *ip;
		uint8_t last;
	} neighbours[] = { { 0, "192.0.2.254", 1 },  { 0, "192.0.2.7", 2 }, { 1, "198.51.100.1", 3 }, { 1, "fe80::1", 4 },
			   { 1, "2001:db8::5", 5 }, { 0, "fe80::1", 6 },   { 1, "192.0.2.8", 7 } };
	static const struct {
		const char *what, *ip;
		enum route_verdict verdict;
		uint16_t port;
		uint8_t last;
	} cases[] = {
		{ "default, better metric", "203.0.113.9", ROUTE_OK, 0, 1 },
		{ "on link", "192.0.2.7", ROUTE_OK, 0, 2 },
		{ "on link, known on the other port only", "192.0.2.8", ROUTE_NO_NEIGHBOUR, 0, 0 },
		{ "through a gateway on port 1", "10.9.9.9", ROUTE_OK, 1, 3 },
		{ "IPv4 through an IPv6 gateway", "10.1.9.9", ROUTE_OK, 1, 4 },
		{ "IPv6 on link", "2001:db8::5", ROUTE_OK, 1, 5 },
		{ "IPv6 on link, unknown", "2001:db8::6", ROUTE_NO_NEIGHBOUR, 1, 0 },
		{ "IPv6 through a gateway", "2001:db8:1::1", ROUTE_OK, 1, 4 },
		{ "no IPv6 default", "2001:db8:2::1", ROUTE_NONE, 0, 0 },
	};
	struct epoch *e = epoch_new(1);
	struct routes *r = routes_new(e);
	struct route list[ARRAY_SIZE(lines)];

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		route_line(&list[i], lines[i].prefix, lines[i].gateway, lines[i].port, lines[i].metric);
	for (unsigned i = 0; i < ARRAY_SIZE(neighbours); i++) {
		struct ip_addr ip = ip_of(neighbours[i].ip);

		assert_int_equal(routes_neighbour_set(r, neighbours[i].port, &ip, (uint8_t[]){ 2, 0, 0, 0xff, 0, neighbours[i].last }), 0);
	}
	/* The better metric wins wherever it stands in the list. */
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_int_equal(routes_publish(r, list, ARRAY_SIZE(list)), 0);
		for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
			struct ip_addr ip = ip_of(cases[k].ip);
			struct route_result got = { .port = 99 };

			if (routes_lookup(r, &ip, &got) != cases[k].verdict)
				fail_msg("%s: verdict %d", cases[k].what, routes_lookup(r, &ip, &got));
			if (cases[k].verdict != ROUTE_NONE)
				assert_int_equal(got.port, cases[k].port);
			if (cases[k].verdict == ROUTE_OK)
				assert_memory_equal(got.mac, ((uint8_t[]){ 2, 0, 0, 0xff, 0, cases[k].last }), 6);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(list) / 2; i++) {
			struct route t = list[i];

			list[i] = list[ARRAY_SIZE(list) - 1 - i];
			list[ARRAY_SIZE(list) - 1 - i] = t;
		}
	}
	routes_free(r);
	epoch_free(e);
}

static void test_change(void **state)
{
	struct epoch *e = epoch_new(1);
	struct routes *r = routes_new(e), *second = routes_new(e);
	struct ip_addr ip = ip_of("192.0.2.7");
	struct route_result got;
	struct route one;

	route_line(&one, "192.0.2.0/24", NULL, 3, 0);
	assert_int_equal(routes_lookup(r, &ip, &got), ROUTE_NONE);
	assert_int_equal(routes_publish(r, &one, 1), 0);
	assert_int_equal(routes_lookup(r, &ip, &got), ROUTE_NO_NEIGHBOUR);
	for (uint8_t i = 0; i < 200; i++) {
		assert_int_equal(routes_neighbour_set(r, 3, &ip, (uint8_t[]){ 0, 1, 2, 3, 4, i }), 0);
		assert_int_equal(routes_lookup(r, &ip, &got), ROUTE_OK);
		assert_int_equal(got.mac[5], i);
	}
	routes_neighbour_delete(r, 3, &ip);
	routes_neighbour_delete(r, 3, &ip);
	assert_int_equal(routes_lookup(r, &ip, &got), ROUTE_NO_NEIGHBOUR);
	/* A MAC of zeros is one, too. */
	assert_int_equal(routes_neighbour_set(r, 3, &ip, (uint8_t[6]){ 0 }), 0);
	assert_int_equal(routes_lookup(r, &ip, &got), ROUTE_OK);
	assert_int_equal(routes_publish(r, NULL, 0), 0);
	assert_int_equal(routes_lookup(r, &ip, &got), ROUTE_NONE);
	assert_int_equal(routes_lookup(second, &ip, &got), ROUTE_NONE);
	routes_free(second);
	routes_free(r);
	epoch_free(e);
}

static void test_bounds(void **state)
{
	struct epoch *e = epoch_new(1);
	struct routes *r = routes_new(e);
	struct route *list = calloc(ROUTES_MAX + 1, sizeof(*list));
	struct ip_addr ip = ip_of("10.0.0.0");
	struct route_result got;
	uint32_t i;

	for (i = 0; i <= ROUTES_MAX; i++) {
		list[i].prefix = (struct ip_prefix){ .ip = ip, .length = 32 };
		list[i].prefix.ip.bytes[1] = (uint8_t)(i >> 16);
		list[i].prefix.ip.bytes[2] = (uint8_t)(i >> 8);
		list[i].prefix.ip.bytes[3] = (uint8_t)i;
	}
	assert_int_equal(routes_publish(r, list, ROUTES_MAX), 0);
	assert_int_equal(routes_publish(r, list, ROUTES_MAX + 1), -ERR_FULL);
	for (i = 0; i < NEIGHBOURS_MAX; i++)
		assert_int_equal(routes_neighbour_set(r, 0, &list[i].prefix.ip, (uint8_t[6]){ 1 }), 0);
	assert_int_equal(routes_neighbour_set(r, 0, &list[i].prefix.ip, (uint8_t[6]){ 1 }), -ERR_FULL);
	assert_int_equal(routes_neighbour_set(r, 0, &list[0].prefix.ip, (uint8_t[6]){ 9 }), 0);
	/* One goes, another comes. */
	routes_neighbour_delete(r, 0, &list[5].prefix.ip);
	assert_int_equal(routes_neighbour_set(r, 0, &list[i].prefix.ip, (uint8_t[6]){ 1 }), 0);
	assert_int_equal(routes_lookup(r, &list[5].prefix.ip, &got), ROUTE_NO_NEIGHBOUR);
	assert_int_equal(routes_lookup(r, &list[0].prefix.ip, &got), ROUTE_OK);
	assert_int_equal(got.mac[0], 9);
	routes_free(r);
	epoch_free(e);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_bounds),
	};

	eal_for_test("64");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
