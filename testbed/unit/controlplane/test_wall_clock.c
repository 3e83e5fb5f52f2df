/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wall_clock.h"

#define READINGS 100000

/* The time of an event is the same whenever it is asked for: at most where the true difference lies between two milliseconds it is now one, now the other. */
static void offset_stands_still(void **state)
{
	uint64_t first = wall_offset_ms(), least = first, most = first, others = 0;

	for (int i = 0; i < READINGS; i++) {
		uint64_t now = wall_offset_ms();

		least = now < least ? now : least;
		most = now > most ? now : most;
		others += now != first;
	}
	assert_in_range(most - least, 0, 1);
	if (others > READINGS / 100) {
		/* Then it lies there, within what a reading takes. */
		int64_t exact = wall_ns(CLOCK_REALTIME) - wall_ns(CLOCK_MONOTONIC) + 500000, rest = exact % 1000000;

		assert_true(rest < 20000 || rest > 980000);
	}
}

static void offset_is_the_difference(void **state)
{
	uint64_t now = (uint64_t)(wall_ns(CLOCK_MONOTONIC) / 1000000) + wall_offset_ms(), wall = wall_ms();

	assert_in_range(wall, now - 2, now + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(offset_stands_still), cmocka_unit_test(offset_is_the_difference) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
