/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cpu.h"
#include "base/err.h"
#include "exact.h"
#include "sip/edit.h"
#include "sip/via.h"

#define HEAD                                                                                                           \
	"BYE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"        \
	"Call-ID: x\r\nCSeq: 1 BYE\r\n"

static struct sip_message m;
static struct edit_list l;

static struct span load(const char *text)
{
	struct span s = exact_str(text);

	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	edit_reset(&l);
	return s;
}

static void expect_composed(const char *what, const char *want)
{
	uint32_t n = edit_size(&l, &m);
	uint8_t *out = malloc(n ? n : 1);

	assert_non_null(out);
	if (n)
		assert_int_equal(edit_compose(&l, &m, out, n - 1), -ERR_FULL);
	for (int twice = 0; twice < 2; twice++) {
		int r = edit_compose(&l, &m, out, n);

		if (r < 0 || (uint32_t)r != n)
			fail_msg("%s: %d, expected %u", what, r, n);
		expect_span(what, "composed", span_of(out, n), want);
	}
	free(out);
}

static void nothing_changes_nothing(void **state)
{
	struct span s = load(HEAD "X: \xff odd\t\r\n\r\nbody");

	expect_composed("identity", HEAD "X: \xff odd\t\r\n\r\nbody");
	exact_free(s);
}

static void order_and_places(void **state)
{
	struct span s = load(HEAD "\r\n");
	uint32_t at = m.start_line_end;

	edit_replace(&l, m.len, 0, SPAN_LIT("tail"));
	edit_replace(&l, at, 0, SPAN_LIT("A: 1\r\n"));
	edit_replace_span(&l, &m, m.request_uri, SPAN_LIT("sip:other"));
	edit_replace(&l, at, 5, SPAN_LIT("v: "));
	edit_replace(&l, at, 0, SPAN_LIT("B"));
	expect_composed("order", "BYE sip:other SIP/2.0\r\nA: 1\r\nv: BSIP/2.0/UDP 10.0.0.1;branch=1\r\nFrom: <sip:a@b>;tag=1\r\n"
				 "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\ntail");
	exact_free(s);
}

static void refusals(void **state)
{
	struct span s = load(HEAD "\r\n");
	uint8_t out[4096], text[EDIT_TEXT_BYTES + 1] = { 0 };

	edit_replace(&l, 4, 5, SPAN_LIT("x"));
	edit_replace(&l, 8, 1, SPAN_LIT("y"));
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_INVALID);
	edit_reset(&l);
	edit_replace(&l, 4, 5, SPAN_LIT("x"));
	edit_replace(&l, 4, 1, SPAN_LIT("y"));
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_INVALID);
	edit_reset(&l);
	edit_replace(&l, 4, 5, SPAN_LIT("x"));
	edit_replace(&l, 6, 0, SPAN_LIT("y"));
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_INVALID);
	edit_reset(&l);
	edit_replace(&l, m.len, 1, SPAN_LIT(""));
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_INVALID);
	edit_reset(&l);
	edit_replace(&l, m.len + 1, 0, SPAN_LIT("x"));
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_INVALID);
	edit_reset(&l);
	for (int i = 0; i <= EDITS_MAX; i++)
		edit_replace(&l, 0, 0, SPAN_LIT("x"));
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_FULL);
	edit_reset(&l);
	assert_int_equal(edit_text(&l, text, sizeof(text)).n, 0);
	assert_int_equal(edit_compose(&l, &m, out, sizeof(out)), -ERR_FULL);
	exact_free(s);
}

static void text_is_kept(void **state)
{
	struct span s = load(HEAD "\r\n");
	char temporary[] = "sip:t";
	uint8_t *room;

	edit_replace_span(&l, &m, m.request_uri, edit_text(&l, temporary, 5));
	memset(temporary, 'X', 5);
	room = edit_text_begin(&l, 100);
	assert_non_null(room);
	memcpy(room, "Y: z\r\n", 6);
	edit_replace(&l, m.head_end, 0, edit_text_end(&l, 6));
	assert_int_equal(l.text_used, 11);
	expect_composed("text", "BYE sip:t SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
				"Call-ID: x\r\nCSeq: 1 BYE\r\nY: z\r\n\r\n");
	exact_free(s);
}

/* Which values go, by place, in the order in which they are named; what is left of the line. */
static void values_go(void **state)
{
	static const struct {
		const char *line;
		int remove[4]; /* 1-based, 0 ends */
		const char *left;
	} cases[] = {
		{ "Route: <sip:a>\r\n", { 1 }, "" },
		{ "Route: <sip:a>, <sip:b>\r\n", { 1 }, "Route: <sip:b>\r\n" },
		{ "Route: <sip:a>, <sip:b>\r\n", { 2 }, "Route: <sip:a>\r\n" },
		{ "Route: <sip:a>, <sip:b>\r\n", { 1, 2 }, "" },
		{ "Route: <sip:a>, <sip:b>\r\n", { 2, 1 }, "" },
		{ "Route: <sip:a>,<sip:b> , <sip:c>\r\n", { 2 }, "Route: <sip:a>,<sip:c>\r\n" },
		{ "Route: <sip:a>,<sip:b> , <sip:c>\r\n", { 2, 3 }, "Route: <sip:a>\r\n" },
		{ "Route: <sip:a>,<sip:b> , <sip:c>\r\n", { 3, 2 }, "Route: <sip:a>\r\n" },
		{ "Route: <sip:a>,<sip:b> , <sip:c>\r\n", { 3, 1 }, "Route: <sip:b>\r\n" },
		{ "Route: <sip:a>,<sip:b> , <sip:c>\r\n", { 1, 3, 2 }, "" },
		{ "Route:\r\n <sip:a,a>\r\n ,\"x,\\\"\" <sip:b,b>;q=\"1,2\"\r\n", { 1 },
		  "Route:\r\n \"x,\\\"\" <sip:b,b>;q=\"1,2\"\r\n" },
		{ "Route: <sip:a>\r\n , <sip:b>  \r\n", { 2 }, "Route: <sip:a>  \r\n" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[1024], want[1024];
		struct span values[4], rest, s;
		struct name_addr e;
		int n = 0;

		snprintf(text, sizeof(text), "%s%s\r\n", HEAD, cases[i].line);
		snprintf(want, sizeof(want), "%s%s\r\n", HEAD, cases[i].left);
		s = load(text);
		rest = sip_first(&m, SIP_H_ROUTE);
		while (name_addr_next(&rest, &e) == 1)
			values[n++] = e.whole;
		for (int r = 0; r < 4 && cases[i].remove[r]; r++)
			edit_remove_value(&l, &m, m.first[SIP_H_ROUTE], values[cases[i].remove[r] - 1]);
		expect_composed(cases[i].line, want);
		exact_free(s);
	}
}

/* A proxy's own Via goes off a line that it shares, and an insertion at the same place stays. */
static void via_goes(void **state)
{
	struct span s = load("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP p;branch=2,\r\n SIP/2.0/UDP q;branch=1\r\nFrom: <sip:a@b>;tag=1\r\n"
			     "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n");
	struct span rest = sip_first(&m, SIP_H_VIA);
	struct via v;

	assert_int_equal(via_next(&rest, &v), 1);
	edit_replace(&l, m.start_line_end, 0, SPAN_LIT("A: b\r\n"));
	edit_remove_value(&l, &m, m.first[SIP_H_VIA], v.whole);
	expect_composed("via", "SIP/2.0 200 OK\r\nA: b\r\nVia: SIP/2.0/UDP q;branch=1\r\nFrom: <sip:a@b>;tag=1\r\n"
			       "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n");
	exact_free(s);
}

/* What goes from one line leaves another's removals as they are, whichever was named first. */
static void lines_apart(void **state)
{
	for (int first = 0; first < 2; first++) {
		struct span s = load(HEAD "Route: <sip:a>, <sip:b>\r\nRoute: <sip:c>, <sip:d>\r\n\r\n");
		int line[2] = { m.first[SIP_H_ROUTE], m.headers[m.first[SIP_H_ROUTE]].next };

		for (int i = 0; i < 2; i++) {
			int at = line[first ^ i];
			struct span rest = sip_value(&m, at);
			struct name_addr e;

			assert_int_equal(name_addr_next(&rest, &e), 1);
			edit_remove_value(&l, &m, at, e.whole);
		}
		expect_composed("lines", HEAD "Route: <sip:b>\r\nRoute: <sip:d>\r\n\r\n");
		exact_free(s);
	}
}

/* ---- any list at all, against the plainest way to read it: byte by byte */

/* Bytes written, or -ERR_INVALID. */
static int plainly(const struct edit *e, uint32_t count, uint8_t *out)
{
	uint8_t removed[4096] = { 0 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < count; i++) {
		if ((uint64_t)e[i].offset + e[i].removed > m.len)
			return -ERR_INVALID;
		for (uint32_t k = 0; k < e[i].removed; k++)
			if (removed[e[i].offset + k]++)
				return -ERR_INVALID;
	}
	for (uint32_t i = 0; i < count; i++) /* nothing stands inside what is removed, but where that begins */
		if (e[i].offset && e[i].offset < m.len && removed[e[i].offset] && removed[e[i].offset - 1])
			for (uint32_t k = 0; k < count; k++)
				if (e[k].offset < e[i].offset && e[k].offset + e[k].removed > e[i].offset)
					return -ERR_INVALID;
	for (uint32_t at = 0; at <= m.len; at++) {
		for (uint32_t i = 0; i < count; i++)
			if (e[i].offset == at)
				for (uint32_t k = 0; k < e[i].inserted.n; k++)
					out[n++] = e[i].inserted.p[k];
		if (at < m.len && !removed[at])
			out[n++] = m.data[at];
	}
	return (int)n;
}

static uint32_t draw(uint32_t below)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)((x >> 16) % below);
}

static void random_list(bool in_order, struct edit *list)
{
	static const char literal[] = "a literal that is longer than one step of thirty-two bytes, and longer than two of them too";
	uint32_t count = draw(9), at = 0;

	edit_reset(&l);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = draw(3) ? draw(sizeof(literal)) : 0, removed = draw(2) ? draw(draw(4) ? 12 : 80) : 0;
		uint32_t offset = in_order ? at + draw(draw(2) ? 8 : 60) : draw(m.len + (draw(50) ? 1 : 9));
		struct span text = draw(4) ? edit_text(&l, literal, n) : span_of(literal, n);

		if (in_order && (offset > m.len || removed > m.len - offset))
			offset = m.len, removed = 0;
		list[i] = (struct edit){ offset, removed, text };
		edit_replace(&l, offset, removed, text);
		at = offset + removed;
	}
}

/* Whatever comes in order or not, beyond the end or over another: at each level the same bytes or the same refusal, and none beyond the room. */
static void any_list(void **state)
{
	static uint8_t want[8192];
	enum cpu_level best = cpu_level;
	struct span s = load(HEAD "Route: <sip:a;lr>\r\nX: \xff odd\t\r\n\r\nbody");
	unsigned composed = 0, refused = 0;

	for (unsigned round = 0; round < 30000; round++) {
		struct edit list[9];
		uint32_t size;
		uint8_t *out;
		int expected, got;

		random_list(round % 2, list);
		expected = plainly(list, l.count, want);
		size = expected < 0 ? 0 : (uint32_t)expected;
		assert_true(cpu_select((enum cpu_level)(round % CPU_LEVELS)) || round % CPU_LEVELS);
		out = malloc(size + 1);
		assert_non_null(out);
		if (size) {
			assert_int_equal(edit_size(&l, &m), size);
			assert_int_equal(edit_compose(&l, &m, out, size - 1), -ERR_FULL);
		}
		free(out);
		out = malloc(size ? size : 1);
		assert_non_null(out);
		got = edit_compose(&l, &m, out, size);
		if (got != expected || (size && memcmp(out, want, size)))
			fail_msg("round %u: %d, expected %d", round, got, expected);
		expected < 0 ? refused++ : composed++;
		free(out);
	}
	cpu_select(best);
	assert_true(composed > 5000 && refused > 1000);
	exact_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changes_nothing), cmocka_unit_test(order_and_places), cmocka_unit_test(refusals),
		cmocka_unit_test(text_is_kept),		   cmocka_unit_test(values_go),	       cmocka_unit_test(via_goes),
		cmocka_unit_test(lines_apart),		   cmocka_unit_test(any_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
