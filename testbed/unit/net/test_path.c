/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/path.h"

static const struct ip_port us = { { { 10, 0, 0, 1 }, IP_V4 }, 5060 };

static struct ip_port peer(uint32_t n)
{
	return (struct ip_port){ { { 10, 1, (uint8_t)(n >> 8), (uint8_t)n }, IP_V4 }, (uint16_t)(5060 + (n >> 16)) };
}

/* Sends to peers 0 ... n - 1, as net/output.c does; returns how many were not known. Each way, once found, is that peer's. */
static unsigned round_of(struct paths *paths, uint32_t version, uint32_t n)
{
	unsigned missed = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct ip_port to = peer(i); /* always in this order: three to two places never find theirs */
		struct path *path = path_find(paths, version, &us, &to);
		struct route_result hop = { .port = (uint16_t)to.ip.bytes[3], .mac = { 2, 0, 0, 0, to.ip.bytes[2], to.ip.bytes[3] } };

		if (!path) {
			missed++;
			path = path_replace(paths, version, &us, &to);
			path_fill(path, &hop, (const uint8_t[6]){ 2, 9, 9, 9, 9, 9 }, 1500, false);
			path = path_find(paths, version, &us, &to);
			assert_non_null(path);
		}
		assert_true(ip_port_eq(&path->destination, &to) && ip_port_eq(&path->source, &us));
		assert_int_equal(path->port, hop.port);
		assert_memory_equal(path->head, hop.mac, 6);
		assert_memory_equal(path->head + ETHER_BYTES + 16, to.ip.bytes, 4);
	}
	return missed;
}

static void test_few_and_many(void **state)
{
	static const struct {
		uint32_t peers, grown, missed; /* in the end; of a round then, at most */
	} cases[] = { { 1, 0, 0 }, { 100, 0, 0 }, { 500, 0, 50 }, { 10000, PATHS_BITS_LAST - PATHS_BITS_FIRST, 2500 } };
	struct paths *paths = NULL;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t peers = cases[i].peers;

		free(paths);
		paths = aligned_alloc(64, sizeof(*paths));
		memset(paths, 0, sizeof(*paths));
		assert_int_equal(round_of(paths, 1, peers), peers);
		for (unsigned again = 0; again < 20; again++)
			round_of(paths, 1, peers);
		assert_int_equal(paths->grown, cases[i].grown);
		assert_in_range(round_of(paths, 1, peers), 0, cases[i].missed);
	}
	/* however many there are, there is an end to it, and ways of old are not found by their number */
	round_of(paths, 1, 200000);
	assert_int_equal(paths->grown, PATHS_BITS_LAST - PATHS_BITS_FIRST);
	assert_int_equal(round_of(paths, 2, 100), 100);
	assert_int_equal(round_of(paths, 2, 100), 0);
	free(paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_few_and_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
