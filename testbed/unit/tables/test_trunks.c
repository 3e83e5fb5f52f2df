/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/epoch.h"
#include "tables/trunks.h"

static struct trunk trunk_of(const char *name)
{
	struct trunk t = { .id = trunk_id(span_str(name)) };

	snprintf(t.name, sizeof(t.name), "%s", name);
	return t;
}

static void test_id(void **state)
{
	assert_int_equal(trunk_id(SPAN_LIT("Carrier-A")), trunk_id(SPAN_LIT("carrier-a")));
	assert_int_not_equal(trunk_id(SPAN_LIT("carrier-a")), trunk_id(SPAN_LIT("carrier-b")));
	assert_int_not_equal(trunk_id(SPAN_LIT("")), 0);
	assert_int_equal(trunk_id(SPAN_LIT("foobar")), 0xbf9cf968); /* FNV-1a: ids live in tokens and must never change */
}

/* Adds, renames and removes at random, against a plain array. */
static void test_model(void **state)
{
	enum { SLOTS = 20, NAMES = 60 };
	struct epoch *e = epoch_new(1);
	struct trunks *t = trunks_new(SLOTS, e);
	uint32_t slot_of[NAMES];
	unsigned live = 0;
	char name[16];

	random_state = 1;
	memset(slot_of, 0xff, sizeof(slot_of));
	for (unsigned step = 0; step < 5000; step++) {
		unsigned i = random_next() % NAMES, k = random_next() % NAMES;
		uint32_t slot, version = trunks_version(t);
		bool changed = false;
		struct trunk one;
		int r;

		snprintf(name, sizeof(name), "trunk %u", i);
		one = trunk_of(name);
		switch (random_next() % 4) {
		case 0:
		case 1:
			r = trunks_add(t, &one, &slot);
			assert_int_equal(r, slot_of[i] != TRUNK_NONE ? -ERR_EXISTS : live == SLOTS ? -ERR_FULL : 0);
			if (!r)
				slot_of[i] = slot, live++;
			changed = !r;
			break;
		case 2: /* k takes the name i */
			if (slot_of[k] == TRUNK_NONE)
				break;
			r = trunks_update(t, slot_of[k], &one);
			assert_int_equal(r, i != k && slot_of[i] != TRUNK_NONE ? -ERR_EXISTS : 0);
			changed = !r;
			if (!r && i != k) {
				slot_of[i] = slot_of[k];
				slot_of[k] = TRUNK_NONE;
			}
			break;
		case 3:
			if (slot_of[i] == TRUNK_NONE)
				break;
			trunks_remove(t, slot_of[i]);
			assert_null(trunks_get(t, slot_of[i]));
			slot_of[i] = TRUNK_NONE;
			live--;
			changed = true;
			break;
		}
		assert_int_equal(trunks_version(t) != version, changed);
		assert_int_equal(epoch_reclaim(e), 0);
		for (i = 0; i < NAMES; i++) {
			snprintf(name, sizeof(name), "trunk %u", i);
			assert_int_equal(trunks_find(t, trunk_id(span_str(name))), slot_of[i]);
			if (slot_of[i] != TRUNK_NONE)
				assert_string_equal(trunks_get(t, slot_of[i])->name, name);
		}
	}
	trunks_free(t);
	epoch_free(e);
}

static void test_held(void **state)
{
	struct epoch *e = epoch_new(1);
	struct trunks *t = trunks_new(1, e);
	struct trunk a = trunk_of("a"), b = trunk_of("b");
	const struct trunk *held;
	uint32_t slot;

	assert_int_equal(trunks_add(t, &a, &slot), 0);
	epoch_online(e, 0);
	held = trunks_get(t, slot);
	trunks_remove(t, slot);
	assert_int_equal(trunks_find(t, a.id), TRUNK_NONE);
	assert_int_not_equal(epoch_reclaim(e), 0);
	assert_string_equal(held->name, "a");
	assert_int_equal(trunks_add(t, &b, &slot), -ERR_FULL);
	epoch_quiescent(e, 0);
	assert_int_equal(epoch_reclaim(e), 0);
	assert_int_equal(trunks_add(t, &b, &slot), 0);
	assert_int_equal(trunks_update(t, 5, &b), -ERR_NOT_FOUND);
	trunks_free(t);
	epoch_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_id), cmocka_unit_test(test_model), cmocka_unit_test(test_held) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
