/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/epoch.h"

static unsigned released;

static void release(void *object)
{
	released++;
	free(object);
}

enum action { RETIRE, ONLINE, OFFLINE, QUIESCENT };

/* Steps on two readers; after each, what still waits and what was released in all. */
static void test_grace(void **state)
{
	static const struct {
		const char *what;
		enum action action;
		unsigned worker;
		uint32_t waiting;
		unsigned released;
	} steps[] = {
		{ "nobody reads: released at once", RETIRE, 0, 0, 1 },
		{ "a reader comes", ONLINE, 0, 0, 1 },
		{ "it may hold the object", RETIRE, 0, 1, 1 },
		{ "who comes later cannot", ONLINE, 1, 1, 1 },
		{ "a reader that came later says nothing of the first", QUIESCENT, 1, 1, 1 },
		{ "the first is past it", QUIESCENT, 0, 0, 2 },
		{ "both may hold it", RETIRE, 0, 1, 2 },
		{ "one of them", QUIESCENT, 0, 1, 2 },
		{ "a second object behind it", RETIRE, 0, 2, 2 },
		{ "the other: the first object only", QUIESCENT, 1, 1, 3 },
		{ "a nap counts as quiescence", OFFLINE, 0, 0, 4 },
		{ "only one reads now", RETIRE, 0, 1, 4 },
		{ "gone as well", OFFLINE, 1, 0, 5 },
	};
	struct epoch *e = epoch_new(2);

	released = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		switch (steps[i].action) {
		case RETIRE: epoch_retire(e, malloc(8), release); break;
		case ONLINE: epoch_online(e, steps[i].worker); break;
		case OFFLINE: epoch_offline(e, steps[i].worker); break;
		case QUIESCENT: epoch_quiescent(e, steps[i].worker); break;
		}
		if (epoch_reclaim(e) != steps[i].waiting || released != steps[i].released)
			fail_msg("%s: %u waiting, %u released", steps[i].what, epoch_reclaim(e), released);
	}
	epoch_free(e);
}

/* Far more than the list first has room for, released in order. */
static uintptr_t last_released;

static void release_in_order(void *object)
{
	assert_int_equal((uintptr_t)object, last_released + 1);
	last_released++;
}

static void test_many(void **state)
{
	struct epoch *e = epoch_new(1);
	uintptr_t next = 1;

	last_released = 0;
	epoch_online(e, 0);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 37 * round; i++)
			epoch_retire(e, (void *)next++, release_in_order);
		assert_int_equal(epoch_reclaim(e), 37 * round);
		epoch_quiescent(e, 0);
		assert_int_equal(epoch_reclaim(e), 0);
		assert_int_equal(last_released, next - 1);
	}
	epoch_free(e);
}

struct chain {
	struct epoch *epoch;
	unsigned left;
};

static void release_chain(void *object)
{
	struct chain *c = object;

	if (c->left--)
		epoch_retire(c->epoch, c, release_chain);
}

/* Releasing may retire in its turn; freeing the epoch releases what a reader still blocks. */
static void test_from_release(void **state)
{
	struct epoch *e = epoch_new(1);
	struct chain c = { e, 3 };

	epoch_online(e, 0);
	epoch_retire(e, &c, release_chain);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(epoch_reclaim(e), 1);
		epoch_quiescent(e, 0);
	}
	assert_int_equal(epoch_reclaim(e), 1);
	released = 0;
	epoch_retire(e, malloc(8), release);
	epoch_retire(e, NULL, release);
	assert_int_equal(epoch_reclaim(e), 2);
	epoch_free(e);
	assert_int_equal(released, 1);
	epoch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_from_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
