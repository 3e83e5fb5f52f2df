/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_changes_nothing), cmocka_unit_test(order_and_places), cmocka_unit_test(refusals),
		cmocka_unit_test(text_is_kept),		   cmocka_unit_test(values_go),	       cmocka_unit_test(via_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
