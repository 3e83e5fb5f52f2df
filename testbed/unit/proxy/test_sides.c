/* SPDX-License-Identifier: Apache-2.0 */
/* Whose an address is: as the tables say, asked for the first time or again, before and after they change. */
#include "harness.h"

#include "proxy/sides.h"

/* What the tables say, place by place. */
static bool lives(const struct harness *h, unsigned trunk, const struct ip_addr *ip)
{
	const struct trunk *t = trunks_get(h->tables->trunks, h->trunk_slot[trunk]);

	for (unsigned i = 0; t && i < t->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(h->tables->endpoints, t->endpoints[i]);

		if (e && ip_eq(&e->addr.ip, ip))
			return true;
	}
	for (unsigned i = 0; t && i < t->prefix_count; i++)
		if (ip_prefix_contains(&t->prefixes[i], ip))
			return true;
	for (unsigned i = 0; t && i < t->former_count; i++)
		if (ip_eq(&t->former[i].addr.ip, ip))
			return true;
	return false;
}

static struct ip_addr address(const char *net, unsigned last)
{
	char text[IP_TEXT_MAX];
	struct ip_addr ip;

	snprintf(text, sizeof(text), strchr(net, ':') ? "%s%x" : "%s%u", net, last);
	assert_int_equal(ip_parse(span_str(text), &ip), 0);
	return ip;
}

/* Every trunk and many addresses, more than there are places for in a line. Returns how many live where they were asked for. */
static unsigned compare(struct harness *h)
{
	static const char *const nets[] = { "10.1.0.", "10.2.0.", "10.2.1.", "10.3.0.", "10.4.0.", "10.9.0.", "fd01::" };
	unsigned found = 0;

	for (unsigned again = 0; again < 2; again++)
		for (unsigned net = 0; net < ARRAY_SIZE(nets); net++)
			for (unsigned last = 0; last < 256; last++)
				for (unsigned t = 0; t < h->trunk_count; t++) {
					struct ip_addr ip = address(nets[net], last);
					bool expected = lives(h, t, &ip);

					assert_int_equal(side_lives_at(h->proxy, h->trunk[t].id, &ip), expected);
					found += expected;
				}
	return found;
}

static void test_as_the_tables_say(void **state)
{
	struct ip_addr moved = address("10.9.0.", 7), ip;
	struct endpoint_config e;
	struct harness h;
	struct trunk *a;
	unsigned before;

	harness_start(&h, NULL);
	a = &h.trunk[TRUNK_A];
	before = compare(&h);
	assert_true(before > 2000);
	/* its endpoint has another address */
	e = *endpoints_get(h.tables->endpoints, a->endpoints[0]);
	ip = e.addr.ip;
	e.addr.ip = moved;
	assert_int_equal(endpoints_update(h.tables->endpoints, a->endpoints[0], &e), 0);
	assert_true(side_lives_at(h.proxy, a->id, &moved));
	assert_int_equal(compare(&h), before + 2);
	/* it has no prefix, then a former endpoint */
	a->prefix_count = 0;
	assert_int_equal(trunks_update(h.tables->trunks, h.trunk_slot[TRUNK_A], a), 0);
	assert_false(side_lives_at(h.proxy, a->id, &ip));
	assert_int_equal(compare(&h), before + 2 - 2 * 256);
	a->former_count = 1;
	a->former[0].addr = (struct ip_port){ ip, 5060 };
	assert_int_equal(trunks_update(h.tables->trunks, h.trunk_slot[TRUNK_A], a), 0);
	assert_true(side_lives_at(h.proxy, a->id, &ip));
	compare(&h);
	/* its endpoint is gone, then the trunk, then it is there again */
	endpoints_remove(h.tables->endpoints, a->endpoints[0]);
	assert_false(side_lives_at(h.proxy, a->id, &moved));
	compare(&h);
	trunks_remove(h.tables->trunks, h.trunk_slot[TRUNK_A]);
	assert_null(side_trunk(h.proxy, a->id));
	assert_false(side_lives_at(h.proxy, a->id, &ip));
	compare(&h);
	assert_int_equal(trunks_add(h.tables->trunks, a, &h.trunk_slot[TRUNK_A]), 0);
	assert_true(side_lives_at(h.proxy, a->id, &ip));
	assert_string_equal(side_trunk(h.proxy, a->id)->name, a->name);
	compare(&h);
	harness_end(&h);
}

/* No trunk has the id 0, and no address is none: what is empty says nothing. */
static void test_nobody(void **state)
{
	static const struct ip_addr none;
	struct harness h;

	harness_start(&h, NULL);
	assert_false(side_lives_at(h.proxy, 0, &none));
	assert_null(side_trunk(h.proxy, 0));
	for (unsigned t = 0; t < h.trunk_count; t++)
		assert_false(side_lives_at(h.proxy, h.trunk[t].id, &none));
	harness_end(&h);
}

/* Another trunk whose line it is too does not live there. */
static void test_of_the_same_line(void **state)
{
	struct ip_addr ip = address("10.2.0.", 9);
	struct harness h;
	uint32_t a, other = 0;

	harness_start(&h, NULL);
	a = h.trunk[TRUNK_A].id;
	assert_true(side_lives_at(h.proxy, a, &ip));
	do
		other++;
	while (other == a || side_place(h.proxy, other, &ip) != side_place(h.proxy, a, &ip));
	assert_false(side_lives_at(h.proxy, other, &ip));
	assert_true(side_lives_at(h.proxy, a, &ip));
	harness_end(&h);
}

/* What was found is not looked up again: the trunk is written over where it lies, as nothing that is published ever is. */
static void test_kept(void **state)
{
	struct ip_addr first = address("10.2.0.", 9), second = address("10.2.0.", 10);
	struct harness h;
	struct trunk *published;

	harness_start(&h, NULL);
	published = (struct trunk *)(uintptr_t)trunks_get(h.tables->trunks, h.trunk_slot[TRUNK_A]);
	assert_true(side_lives_at(h.proxy, published->id, &first));
	published->prefix_count = 0;
	assert_true(side_lives_at(h.proxy, published->id, &first));
	assert_false(side_lives_at(h.proxy, published->id, &second));
	/* and what was not found is */
	published->prefix_count = 1;
	assert_true(side_lives_at(h.proxy, published->id, &second));
	harness_end(&h);
}

HARNESS_MAIN(cmocka_unit_test(test_as_the_tables_say), cmocka_unit_test(test_nobody), cmocka_unit_test(test_of_the_same_line), cmocka_unit_test(test_kept))
