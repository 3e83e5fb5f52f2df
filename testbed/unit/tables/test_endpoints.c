/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/endpoints.h"
#include "tables/epoch.h"

static struct endpoint_config config_of(const char *ip, uint16_t port)
{
	return (struct endpoint_config){ .addr = { ip_of(ip), port }, .weight = 1, .trunk_slot = 7 };
}

static void test_usable(void **state)
{
	static const struct {
		enum endpoint_health health;
		uint64_t ejected_until;
		bool usable_at_1000;
	} cases[] = {
		{ ENDPOINT_UNKNOWN, 0, true },	    { ENDPOINT_UP, 0, true },	      { ENDPOINT_SUSPECT, 0, true },
		{ ENDPOINT_DOWN, 0, false },	    { ENDPOINT_DOWN, 5, false },      { ENDPOINT_EJECTED, 1001, false },
		{ ENDPOINT_EJECTED, 1000, true },   { ENDPOINT_UP, 1001, false },     { ENDPOINT_UP, 999, true },
		{ ENDPOINT_UNKNOWN, 2000, false },  { ENDPOINT_SUSPECT, 1001, false },
	};
	struct epoch *e = epoch_new(1);
	struct endpoints *p = endpoints_new(4, e);
	struct endpoint_config c = config_of("192.0.2.1", 5060);
	uint32_t slot;

	assert_int_equal(endpoints_add(p, &c, &slot), 0);
	assert_int_equal(atomic_load(&endpoints_live(p, slot)->health), ENDPOINT_UNKNOWN);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		atomic_store(&endpoints_live(p, slot)->health, cases[i].health);
		atomic_store(&endpoints_live(p, slot)->ejected_until_ms, cases[i].ejected_until);
		if (endpoint_usable(p, slot, 1000) != cases[i].usable_at_1000)
			fail_msg("case %u", i);
	}
	assert_false(endpoint_usable(p, slot + 1, 1000));
	assert_false(endpoint_usable(p, ENDPOINT_NONE, 1000));
	assert_int_equal((uintptr_t)endpoints_live(p, 1) % 64, 0);
	endpoints_free(p);
	epoch_free(e);
}

static void test_eject(void **state)
{
	struct epoch *e = epoch_new(1);
	struct endpoints *p = endpoints_new(1, e);
	struct endpoint_config c = config_of("2001:db8::1", 5060);
	uint32_t slot;

	assert_int_equal(endpoints_add(p, &c, &slot), 0);
	endpoint_eject(p, slot, &(struct ejection){ .until_ms = 500 });
	endpoint_eject(p, slot, &(struct ejection){ .until_ms = 300 }); /* the later one holds */
	assert_false(endpoint_usable(p, slot, 499));
	assert_true(endpoint_usable(p, slot, 500));
	endpoint_eject(p, slot, &(struct ejection){ .until_ms = 700 });
	assert_false(endpoint_usable(p, slot, 699));
	endpoint_eject(p, 99, &(struct ejection){ .until_ms = 700 });
	endpoints_free(p);
	epoch_free(e);
}

/* A removed slot is empty at once, its configuration stays readable and its number unused until the reader is past it. */
static void test_slots(void **state)
{
	struct epoch *e = epoch_new(1);
	struct endpoints *p = endpoints_new(2, e);
	struct endpoint_config a = config_of("192.0.2.1", 1), b = config_of("192.0.2.2", 2), c = config_of("192.0.2.3", 3);
	const struct endpoint_config *held;
	uint32_t slot_a, slot_b, slot_c = 99, version = endpoints_version(p);

	assert_int_equal(endpoints_max(p), 2);
	assert_int_equal(endpoints_add(p, &a, &slot_a), 0);
	assert_int_not_equal(endpoints_version(p), version);
	assert_int_equal(endpoints_add(p, &b, &slot_b), 0);
	assert_int_equal(endpoints_add(p, &c, &slot_c), -ERR_FULL);
	assert_int_equal(slot_c, 99);
	assert_null(endpoints_get(p, 2));

	epoch_online(e, 0);
	held = endpoints_get(p, slot_a);
	atomic_store(&endpoints_live(p, slot_a)->health, ENDPOINT_DOWN);
	version = endpoints_version(p);
	endpoints_remove(p, slot_a);
	assert_int_not_equal(endpoints_version(p), version);
	endpoints_remove(p, slot_a);
	assert_null(endpoints_get(p, slot_a));
	assert_int_not_equal(epoch_reclaim(e), 0);
	assert_int_equal(held->addr.port, 1);
	assert_int_equal(endpoints_add(p, &c, &slot_c), -ERR_FULL);
	epoch_quiescent(e, 0);
	assert_int_equal(epoch_reclaim(e), 0);
	assert_int_equal(endpoints_add(p, &c, &slot_c), 0);
	assert_int_equal(slot_c, slot_a);
	assert_true(endpoint_usable(p, slot_c, 0)); /* nothing of its predecessor's health */

	held = endpoints_get(p, slot_b);
	atomic_store(&endpoints_live(p, slot_b)->health, ENDPOINT_DOWN);
	b.addr.port = 22;
	version = endpoints_version(p);
	endpoint_set_health(p, slot_c, ENDPOINT_UP, 1);
	assert_int_equal(endpoints_version(p), version); /* what is live is not its configuration */
	assert_int_equal(endpoints_update(p, slot_b, &b), 0);
	assert_int_not_equal(endpoints_version(p), version);
	assert_int_equal(endpoints_get(p, slot_b)->addr.port, 22);
	assert_int_equal(held->addr.port, 2);
	assert_int_equal(atomic_load(&endpoints_live(p, slot_b)->health), ENDPOINT_DOWN);
	endpoints_free(p);
	epoch_free(e);
}

static void test_id(void **state)
{
	struct ip_port base = { ip_of("192.0.2.1"), 5060 };
	struct ip_port variants[] = { { ip_of("192.0.2.2"), 5060 }, { ip_of("192.0.2.1"), 5061 }, { ip_of("c000:201::"), 5060 } };
	uint32_t id = endpoint_id(9, &base, 0);

	assert_int_equal(endpoint_id(9, &base, 0), id);
	assert_int_not_equal(endpoint_id(8, &base, 0), id);
	assert_int_not_equal(endpoint_id(9, &base, 1), id);
	for (unsigned i = 0; i < ARRAY_SIZE(variants); i++)
		assert_int_not_equal(endpoint_id(9, &variants[i], 0), id);
	assert_string_equal(endpoint_health_name(ENDPOINT_EJECTED), "ejected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_eject),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
