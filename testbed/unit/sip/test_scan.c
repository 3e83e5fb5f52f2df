/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <unistd.h>

#include "exact.h"
#include "sip/scan.h"

#define LINES 64

static const enum scan_kind kinds[] = { SCAN_SCALAR, SCAN_AVX2, SCAN_AVX512 };

struct result {
	enum scan_end end;
	uint32_t count, head;
	struct scan_line lines[LINES];
};

static struct result scan(struct span s, uint32_t max)
{
	struct result r;

	memset(&r, 0xee, sizeof(r));
	r.end = scan_lines(s.p, s.n, r.lines, max, &r.count, &r.head);
	if (r.end != SCAN_COMPLETE)
		r.head = 0;
	return r;
}

/* What the header promises, written as plainly as can be. */
static struct result model(struct span s, uint32_t max)
{
	struct result r;
	uint32_t start = 0, colon = UINT32_MAX;

	memset(&r, 0xee, sizeof(r));
	r.end = SCAN_PARTIAL;
	r.count = r.head = 0;
	for (uint32_t i = 0; i < s.n; i++) {
		if (s.p[i] == ':' && colon == UINT32_MAX)
			colon = i;
		if (s.p[i] != '\n')
			continue;
		if (i == start || (i == start + 1 && s.p[start] == '\r')) {
			r.end = SCAN_COMPLETE;
			r.head = i + 1;
			return r;
		}
		if (i + 1 < s.n && (s.p[i + 1] == ' ' || s.p[i + 1] == '\t'))
			continue;
		if (r.count == max) {
			r.end = SCAN_TOO_MANY;
			return r;
		}
		r.lines[r.count++] = (struct scan_line){ start, colon, i + 1 };
		start = i + 1;
		colon = UINT32_MAX;
	}
	return r;
}

static void finds_lines(void **state)
{
	static const struct {
		const char *text;
		enum scan_end end;
		uint32_t count, head;
		struct scan_line last;
	} cases[] = {
		{ "", SCAN_PARTIAL, 0, 0, { 0 } },
		{ "A", SCAN_PARTIAL, 0, 0, { 0 } },
		{ "A\r\n", SCAN_PARTIAL, 1, 0, { 0, UINT32_MAX, 3 } },
		{ "A\r\nb:c\r\n\r\nbody", SCAN_COMPLETE, 2, 10, { 3, 4, 8 } },
		{ "A\nb:c\n\nbody", SCAN_COMPLETE, 2, 7, { 2, 3, 6 } },
		{ "A\r\nb:c\r\n d:e\r\n\tf\r\n\r\n", SCAN_COMPLETE, 2, 20, { 3, 4, 18 } },
		{ "A\r\nb\r\n c:d\r\n\r\n", SCAN_COMPLETE, 2, 14, { 3, 8, 12 } },
		{ "A\r\nb:c\r\n \r\n\r\n", SCAN_COMPLETE, 2, 13, { 3, 4, 11 } },
		{ "A\rB\r\nb:c\rd\r\n\r\n", SCAN_COMPLETE, 2, 14, { 5, 6, 12 } },
		{ "\r\n", SCAN_COMPLETE, 0, 2, { 0 } },
		{ "\n", SCAN_COMPLETE, 0, 1, { 0 } },
		{ "A:B:C\r\n\r\n   leading space in a body", SCAN_COMPLETE, 1, 9, { 0, 1, 7 } },
	};

	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		if (!scan_select(kinds[k]))
			continue;
		for (size_t i = 0; i < COUNT_OF(cases); i++) {
			struct span s = exact_str(cases[i].text);
			struct result r = scan(s, LINES);

			if (r.end != cases[i].end || r.count != cases[i].count || r.head != cases[i].head ||
			    (r.count && memcmp(&r.lines[r.count - 1], &cases[i].last, sizeof(struct scan_line))))
				fail_msg("kind %zu, case %zu: end %d, %u lines, head %u", k, i, r.end, r.count, r.head);
			exact_free(s);
		}
	}
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Every variant against the model, on random bytes from small alphabets and of every small length. */
static void variants_agree(void **state)
{
	static const char alphabet[] = "\n\n\r\n: \tab:c";
	uint64_t seed = 0x5eed;

	for (uint32_t round = 0; round < 40000; round++) {
		uint32_t n = (uint32_t)(next_random(&seed) % 300), max = (uint32_t)(next_random(&seed) % LINES);
		uint32_t sparse = (uint32_t)(next_random(&seed) % 5);
		uint8_t bytes[300];

		for (uint32_t i = 0; i < n; i++) {
			uint64_t r = next_random(&seed);

			bytes[i] = r % 4 < sparse ? (uint8_t)(r >> 32) : (uint8_t)alphabet[(r >> 8) % (sizeof(alphabet) - 1)];
		}
		struct span s = exact(bytes, n);
		struct result want = model(s, max);

		for (size_t k = 0; k < COUNT_OF(kinds); k++) {
			if (!scan_select(kinds[k]))
				continue;
			struct result got = scan(s, max);

			if (memcmp(&got, &want, offsetof(struct result, lines)) ||
			    memcmp(got.lines, want.lines, want.count * sizeof(struct scan_line)))
				fail_msg("round %u: kind %zu differs", round, k);
		}
		exact_free(s);
	}
}

/* A message that ends where readable memory ends, at every distance from a block's end. */
static void stays_inside_the_page(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	memset(map, 'x', page);
	map[page - 1] = '\n';
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		if (!scan_select(kinds[k]))
			continue;
		for (uint32_t n = 1; n <= 200; n++) {
			struct result r = scan(span_of(map + page - n, n), LINES);

			assert_int_equal(r.end, n == 1 ? SCAN_COMPLETE : SCAN_PARTIAL);
			assert_int_equal(r.count, n == 1 ? 0 : 1);
		}
	}
	munmap(map, 2 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_lines),
		cmocka_unit_test(variants_agree),
		cmocka_unit_test(stays_inside_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
