/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "frames.h"
#include "net/checksum.h"

#define BYTES_MAX 65535

/* RFC 1071, word by word as it says. */
static uint16_t plain(const uint8_t *p, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < bytes; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint16_t fast(uint64_t sum, const uint8_t *p, uint32_t bytes)
{
	return ntohs(checksum_fold(checksum_add(sum, p, bytes)));
}

/* Of a sum there are two zeros. */
static bool same(uint16_t a, uint16_t b)
{
	return a % 0xffff == b % 0xffff;
}

static void check_level(uint8_t *data)
{
	for (uint32_t bytes = 0; bytes < 300; bytes++)
		for (uint32_t from = 0; from < 4; from++) {
			/* A buffer of just that size: what reads beyond it is caught by the sanitizers. */
			uint8_t *copy = malloc(bytes + 1);

			memcpy(copy, data + from * 301, bytes);
			assert_true(same(fast(0, copy, bytes), plain(copy, bytes)));
			copy = realloc(copy, bytes ? bytes : 1);
			assert_true(same(fast(0, copy, bytes), plain(copy, bytes)));
			free(copy);
		}
	for (uint32_t bytes = BYTES_MAX - 70; bytes <= BYTES_MAX; bytes++)
		assert_true(same(fast(0, data, bytes), plain(data, bytes)));
	/* Parts of an even length, one after the other. */
	for (uint32_t cut = 0; cut < 400; cut += 2)
		assert_true(same(fast(checksum_add(0, data, cut), data + cut, 777), plain(data, cut + 777)));
}

static void check_levels(uint8_t *data)
{
	enum cpu_level best = cpu_level;

	for (int level = CPU_SCALAR; level < CPU_LEVELS; level++)
		if (cpu_select((enum cpu_level)level))
			check_level(data);
	cpu_select(best);
}

static void test_random(void **state)
{
	static uint8_t data[BYTES_MAX];

	srand(1071);
	for (uint32_t i = 0; i < BYTES_MAX; i++)
		data[i] = (uint8_t)(rand() >> 7);
	check_levels(data);
}

/* Where sums become largest and smallest: every carry there is. */
static void test_extremes(void **state)
{
	static const uint8_t fill[] = { 0x00, 0x7f, 0x80, 0xff };
	static uint8_t data[BYTES_MAX];

	for (unsigned i = 0; i < sizeof(fill); i++) {
		memset(data, fill[i], sizeof(data));
		check_levels(data);
	}
}

/* Sums that are right are the multiples of 65,535 but 0, however they are carried. */
static void test_right(void **state)
{
	static const uint64_t around[] = { 0, 0xffff, 0x1fffe, 0xffff0000, 0xffffffff, 0xffff00000000, 0x7fffffffffff8000, UINT64_MAX };

	for (unsigned i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		for (uint64_t sum = around[i] - 70000; sum != around[i] + 70000; sum++) {
			bool right = sum && sum % 0xffff == 0;

			if (checksum_is_right(sum) != right || (checksum_fold(sum) == 0) != right)
				fail_msg("%llx", (unsigned long long)sum);
		}
}

/* Every length around the widths of the loops, at every alignment, against the plain sum. */
static void test_alignments(void **state)
{
	static uint8_t data[4096 + 64];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 167 + (i >> 5) * 91);
	for (uint32_t at = 0; at < 9; at++)
		for (uint32_t n = 0; n < 700; n++) {
			uint8_t *copy = malloc(at + n + 1);
			uint16_t got, want = (uint16_t)~sum_plain(0, data + at, n);

			memcpy(copy + at, data + at, n);
			got = checksum_fold(checksum_add(0, copy + at, n));
			assert_int_equal((uint16_t)(got << 8 | got >> 8), want);
			free(copy);
		}
	memset(data, 0xff, sizeof(data));
	for (uint32_t n = 1; n < sizeof(data); n++) {
		uint16_t got = checksum_fold(checksum_add(UINT64_MAX, data, n));

		assert_int_equal((uint16_t)(got << 8 | got >> 8), (uint16_t)~sum_plain(0xffff, data, n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_extremes), cmocka_unit_test(test_right),
					    cmocka_unit_test(test_alignments) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
