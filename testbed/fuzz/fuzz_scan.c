/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "sip/scan.h"

/* The variants agree with each other on any bytes; lines follow one another without a gap and lie inside. The first byte says
 * how many lines there is room for. */

#define LINES 255

struct result {
	enum scan_end end;
	uint32_t count, head;
	struct scan_line lines[LINES];
};

static void scan(enum scan_kind kind, struct span s, uint32_t max, struct result *r)
{
	if (!scan_select(kind))
		scan_select(SCAN_SCALAR);
	r->end = scan_lines(s.p, s.n, r->lines, max, &r->count, &r->head);
	if (r->end != SCAN_COMPLETE)
		r->head = 0;
}

static void check_lines(const struct result *r, struct span s, uint32_t max)
{
	uint32_t at = 0;

	CHECK(r->count <= max);
	for (uint32_t i = 0; i < r->count; i++) {
		const struct scan_line *l = &r->lines[i];

		CHECK(l->start == at && l->end > l->start && l->end <= s.n);
		CHECK(s.p[l->end - 1] == '\n');
		CHECK(l->colon == UINT32_MAX || (l->colon >= l->start && l->colon < l->end && s.p[l->colon] == ':'));
		CHECK(l->colon != UINT32_MAX || !memchr(s.p + l->start, ':', l->end - l->start));
		at = l->end;
	}
	if (r->end == SCAN_COMPLETE)
		CHECK(r->head <= s.n && r->head - at <= 2 && s.p[r->head - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result plain, other;
	struct span s;
	uint32_t max;

	if (!size)
		return 0;
	max = data[0];
	s = span_of(data + 1, (uint32_t)size - 1);
	scan(SCAN_SCALAR, s, max, &plain);
	check_lines(&plain, s, max);
	for (int kind = SCAN_AVX2; kind <= SCAN_AVX512; kind++) {
		scan((enum scan_kind)kind, s, max, &other);
		CHECK(other.end == plain.end && other.count == plain.count && other.head == plain.head);
		CHECK(memcmp(other.lines, plain.lines, plain.count * sizeof(struct scan_line)) == 0);
	}
	return 0;
}
