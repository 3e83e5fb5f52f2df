/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 20000

/* Puts MANY numbered packets in at end 0, a millisecond apart, and notes what comes out. */
struct outcome {
	unsigned times[MANY], damaged, late, last;
	uint64_t order_sum; /* another order, another sum */
};

static unsigned bits_changed(const uint8_t *packet, uint32_t bytes, uint32_t *ret_number)
{
	unsigned changed = 0;

	memcpy(ret_number, packet, 4);
	for (uint32_t i = 4; i < bytes; i++)
		changed += (unsigned)__builtin_popcount(packet[i] ^ 0x5au);
	return changed;
}

static void collect(struct relay *r, uint64_t now_us, struct outcome *o)
{
	const uint8_t *packet;
	uint32_t bytes, number;
	unsigned end, changed;

	while ((packet = relay_take(r, now_us, &end, &bytes))) {
		changed = bits_changed(packet, bytes, &number);
		assert_int_equal(end, 0);
		assert_int_equal(bytes, 100);
		assert_true(number < MANY && changed <= 1);
		o->times[number]++;
		o->damaged += changed;
		o->late += number < o->last;
		o->last = number > o->last ? number : o->last;
		o->order_sum = o->order_sum * 31 + number;
	}
}

static struct outcome run(const struct relay_rules *rules, struct relay_counts *ret_counts)
{
	static struct outcome o;
	struct relay *r = relay_new(rules);
	uint8_t packet[100];

	assert_non_null(r);
	memset(&o, 0, sizeof(o));
	memset(packet, 0x5a, sizeof(packet));
	for (uint32_t i = 0; i < MANY; i++) {
		memcpy(packet, &i, 4);
		relay_put(r, 0, packet, sizeof(packet), 4, i * 10ULL);
		collect(r, i * 10ULL, &o);
	}
	collect(r, UINT64_MAX - 1, &o);
	assert_int_equal(relay_next_due(r), UINT64_MAX);
	*ret_counts = *relay_counts(r);
	relay_free(r);
	return o;
}

static void test_fates(void **state)
{
	static const struct {
		const char *what;
		struct relay_rules rules;
	} cases[] = {
		{ "a good link", { .seed = 1 } },
		{ "a long one", { .seed = 1, .delay_us = 5000 } },
		{ "lost", { .seed = 2, .lose = 500 } },
		{ "overtaken", { .seed = 3, .reorder = 500, .late_us = 55 } },
		{ "twice", { .seed = 4, .duplicate = 500, .late_us = 55 } },
		{ "damaged", { .seed = 5, .corrupt = 500 } },
		{ "all of it", { .seed = 6, .lose = 100, .reorder = 100, .duplicate = 100, .corrupt = 100, .late_us = 55, .delay_us = 1000 } },
		{ "nothing comes", { .seed = 7, .lose = 10000 } },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct relay_rules *rules = &cases[i].rules;
		struct relay_counts counts;
		struct outcome o = run(rules, &counts);
		unsigned missing = 0, twice = 0;

		for (unsigned n = 0; n < MANY; n++) {
			missing += !o.times[n];
			twice += o.times[n] == 2;
			assert_in_range(o.times[n], 0, 2);
		}
		assert_int_equal(counts.in, MANY);
		assert_int_equal(missing, counts.lost);
		assert_int_equal(twice, counts.duplicated);
		assert_int_equal(o.damaged, counts.corrupted);
		/* Shares are what was asked for, to a fifth. */
		assert_in_range(counts.lost * 5, rules->lose * MANY / 10000 * 4, rules->lose * MANY / 10000 * 6);
		assert_in_range(counts.reordered * 5, rules->reorder * MANY / 10000 * 4, rules->reorder * MANY / 10000 * 6);
		assert_in_range(counts.duplicated * 5, rules->duplicate * MANY / 10000 * 4, rules->duplicate * MANY / 10000 * 6);
		assert_in_range(counts.corrupted * 5, rules->corrupt * MANY / 10000 * 4, rules->corrupt * MANY / 10000 * 6);
		assert_int_equal(counts.too_many, 0);
		assert_int_equal(o.late > 0, rules->late_us > 0);
	}
}

static void test_the_seed_says_it_all(void **state)
{
	struct relay_rules rules = { .seed = 9, .lose = 100, .reorder = 100, .duplicate = 100, .late_us = 55 };
	struct relay_counts counts;
	uint64_t first = run(&rules, &counts).order_sum;

	assert_true(run(&rules, &counts).order_sum == first);
	rules.seed++;
	assert_true(run(&rules, &counts).order_sum != first);
}

/* 1,000 bytes a millisecond: what waits for more than 20 ms is lost, the rest comes at that rate. */
static void test_rate(void **state)
{
	struct relay_rules rules = { .seed = 1, .bytes_per_s = 1000000, .queue_us = 20000, .delay_us = 500 };
	struct relay *r = relay_new(&rules);
	uint8_t packet[1000] = { 0 };
	uint32_t bytes;
	unsigned end, n = 0;

	for (unsigned i = 0; i < 100; i++)
		relay_put(r, 1, packet, sizeof(packet), 0, 0);
	assert_in_range(relay_counts(r)->too_many, 78, 80);
	for (uint64_t now_us = 0; relay_next_due(r) != UINT64_MAX; n++) {
		uint64_t due_us = relay_next_due(r);

		assert_int_equal(due_us, (n + 1) * 1000 + 500);
		assert_null(relay_take(r, due_us - 1, &end, &bytes));
		now_us = due_us;
		assert_non_null(relay_take(r, now_us, &end, &bytes));
		assert_int_equal(end, 1);
	}
	assert_int_equal(n + relay_counts(r)->too_many, 100);
	relay_free(r);
}

static void test_bounds(void **state)
{
	struct relay_rules wrong = { .lose = 9999, .corrupt = 2 }, right = { .delay_us = 1 };
	uint8_t packet[RELAY_PACKET_MAX + 1] = { 0 };
	struct relay *r;

	assert_null(relay_new(&wrong));
	r = relay_new(&right);
	relay_put(r, 0, packet, sizeof(packet), 0, 0);
	relay_put(r, 0, packet, 0, 0, 0);
	assert_int_equal(relay_next_due(r), UINT64_MAX);
	for (unsigned i = 0; i < RELAY_PACKETS + 5; i++)
		relay_pass(r, 0, packet, 60, 0);
	assert_int_equal(relay_counts(r)->too_many, 5);
	relay_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fates),
		cmocka_unit_test(test_the_seed_says_it_all),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
