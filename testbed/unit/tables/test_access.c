/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/access.h"
#include "tables/epoch.h"
#include "tables/trunks.h"

static void test_publish(void **state)
{
	static const struct {
		const char *what;
		struct {
			const char *prefix;
			uint32_t trunk;
		} list[3];
		struct {
			const char *ip;
			uint32_t trunk;
		} lookups[5];
	} steps[] = {
		{ "empty: everybody is refused", { { NULL } }, { { "192.0.2.1", TRUNK_NONE }, { "::1", TRUNK_NONE } } },
		{ "a carrier and a host within it", { { "192.0.2.0/24", 3 }, { "192.0.2.7", 4 }, { "2001:db8::/32", 5 } },
		  { { "192.0.2.1", 3 }, { "192.0.2.7", 4 }, { "192.0.3.1", TRUNK_NONE }, { "2001:db8::9", 5 }, { "2001:db9::", TRUNK_NONE } } },
		{ "replaced whole", { { "192.0.3.0/24", 1 } }, { { "192.0.2.1", TRUNK_NONE }, { "192.0.3.1", 1 } } },
		{ "emptied again", { { NULL } }, { { "192.0.3.1", TRUNK_NONE } } },
	};
	struct epoch *e = epoch_new(1);
	struct access *a = access_new(e);

	epoch_online(e, 0);
	for (unsigned k = 0; k < ARRAY_SIZE(steps); k++) {
		struct range_entry entries[3];
		size_t n = 0;

		for (; n < 3 && steps[k].list[n].prefix; n++)
			entries[n] = (struct range_entry){ prefix_of(steps[k].list[n].prefix), steps[k].list[n].trunk };
		assert_int_equal(access_publish(a, entries, n), 0);
		for (unsigned i = 0; i < 5 && steps[k].lookups[i].ip; i++) {
			struct ip_addr ip = ip_of(steps[k].lookups[i].ip);

			if (access_lookup(a, &ip) != steps[k].lookups[i].trunk)
				fail_msg("%s: %s", steps[k].what, steps[k].lookups[i].ip);
		}
		assert_int_equal(epoch_reclaim(e), 1);
		epoch_quiescent(e, 0);
		assert_int_equal(epoch_reclaim(e), 0);
	}
	access_free(a);
	access_free(NULL);
	epoch_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_publish) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
