/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire_check.h"
#include "wire_histogram.h"
#include "wire_messages.h"
#include "wire_pace.h"
#include "wire_template.h"
#include "wire_view.h"

static struct histogram h;

/* Every value lies in its bucket, above the bucket before, and the bucket is narrower than 1/64 of it. */
static void test_buckets(void **state)
{
	static const uint64_t around[] = { 0,	 1,    63,   64,    127,   128,	    129,       255,	   256,
					   1000, 4095, 4096, 65535, 65536, 1000000, 123456789, 1ull << 40, (1ull << 42) - 1 };

	for (unsigned i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		uint64_t v = around[i];
		uint32_t b = histogram_bucket(v);

		assert_true(b < HISTOGRAM_BUCKETS);
		assert_true(histogram_bucket_top(b) >= v);
		assert_true(!b || histogram_bucket_top(b - 1) < v);
		assert_true(histogram_bucket_top(b) - v <= v / HISTOGRAM_PARTS);
	}
	for (uint64_t v = 1; v < 1 << 20; v++)
		assert_true(histogram_bucket(v) - histogram_bucket(v - 1) <= 1);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket((1ull << 42) - 1), HISTOGRAM_BUCKETS - 1);
}

static void test_quantiles(void **state)
{
	static const struct {
		double share;
		uint64_t exact;
	} rows[] = { { 0, 1 }, { 0.5, 50000 }, { 0.9, 90000 }, { 0.99, 99000 }, { 0.999, 99900 }, { 1, 100000 } };

	histogram_clear(&h);
	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		histogram_add(&h, v);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t got = histogram_quantile(&h, rows[i].share);

		assert_true(got >= rows[i].exact && got <= rows[i].exact + rows[i].exact / HISTOGRAM_PARTS);
	}
	assert_int_equal(h.count, 100000);
	assert_int_equal(h.max, 100000);
	assert_true(histogram_mean(&h) > 50000.4 && histogram_mean(&h) < 50000.6);
}

/* A single value is every quantile, and is not rounded beyond what was seen. */
static void test_single(void **state)
{
	histogram_clear(&h);
	histogram_add(&h, 1234567);
	assert_int_equal(histogram_quantile(&h, 0.001), 1234567);
	assert_int_equal(histogram_quantile(&h, 1), 1234567);
	histogram_add(&h, UINT64_MAX);
	assert_int_equal(histogram_quantile(&h, 1), UINT64_MAX);
}

static void test_merge(void **state)
{
	static struct histogram other, both;

	histogram_clear(&h);
	histogram_clear(&other);
	histogram_clear(&both);
	srand(1);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = (uint64_t)rand() % 5000000;

		histogram_add(i & 1 ? &h : &other, v);
		histogram_add(&both, v);
	}
	histogram_merge(&h, &other);
	assert_memory_equal(&h, &both, sizeof(h));
}

/* ---- templates */

static void test_template(void **state)
{
	static const struct {
		const char *text, *block, *expected; /* expected NULL: refused */
	} rows[] = {
		{ "plain", "", "plain" },
		{ "a {cseq} b", "", "a 01234 b" },
		{ "{block}x{at}", "BLOCK ", "BLOCK x109" },
		{ "{at}-{block}-{from}", "B", "109-B-101" },
		{ "{id}{id8}", "", "0123456789abcdeff00dcafe" },
		{ "L: {length}\r\n\r\n{\"k\":{callee}}", "", "L: 10\r\n\r\n{\"k\":0042}" },
		{ "L: {length}\r\n\r\n", "", "L: 0\r\n\r\n" },
		{ "{length}", "", NULL },
		{ "{unknown}", "", NULL },
	};
	static const uint64_t value[SLOT_COUNT] = {
		[SLOT_ID] = 0x0123456789abcdef,
		[SLOT_ID8] = 0xf00dcafe,
		[SLOT_CSEQ] = 1234,
		[SLOT_CALLEE] = 42,
		[SLOT_FROM] = 101,
		[SLOT_AT] = 109,
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct template t;
		uint8_t out[256];
		uint32_t n;

		assert_int_equal(template_init(&t, rows[i].text, 5), rows[i].expected != NULL);
		if (!rows[i].expected)
			continue;
		n = template_write(&t, value, rows[i].block, (uint32_t)strlen(rows[i].block), out);
		assert_int_equal(n, strlen(rows[i].expected));
		assert_memory_equal(out, rows[i].expected, n);
		template_done(&t);
	}
}

static void test_hex(void **state)
{
	uint8_t text[17] = "";
	uint64_t got;

	srand(2);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();
		char expected[17];

		put_hex16(text, v);
		snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)v);
		assert_string_equal((char *)text, expected);
		assert_true(read_hex16(text, &got));
		assert_int_equal(got, v);
		text[rand() % 16] = (uint8_t) "gG A:/@`"[rand() % 8];
		assert_false(read_hex16(text, &got));
	}
}

/* ---- messages */

static struct messages *messages;

static int make_messages(void **state)
{
	messages = messages_new("10.78.1", "10.78.2", "10.78.0.1", MAKES, "udp");
	return messages ? 0 : -1;
}

static int drop_messages(void **state)
{
	messages_free(messages);
	return 0;
}

static void test_identities(void **state)
{
	for (uint64_t serial = 0; serial < 100000; serial += 7) {
		struct identity who;
		uint64_t back;

		identity_make(messages, 5, serial, &who);
		assert_true(who.caller < MAKES);
		assert_true(identity_serial(5, who.id, &back));
		assert_int_equal(back, serial);
		assert_false(identity_serial(6, who.id, &back));
	}
}

/* Content-Length says how long the body is; Call-ID, CSeq and branch say whose it is; no name is left unfilled. */
static void test_requests(void **state)
{
	static const char route[] = "Route: <sip:token@10.78.0.1;lr>\r\n";
	uint8_t out[MESSAGE_MAX];
	char digits[12];
	struct view v;

	for (uint64_t serial = 0; serial < 500; serial++)
		for (enum kind kind = 0; kind < KIND_COUNT; kind++)
			for (enum side side = CALLER; side <= TARGET; side++) {
				unsigned target = (unsigned)serial / 8 % MAKES;
				bool first = kind == KIND_INVITE;
				struct identity who;
				uint64_t id, branch;
				const char *length;
				uint32_t cseq, n;

				if (side == TARGET && kind <= KIND_ACK)
					continue;
				identity_make(messages, 1, serial, &who);
				cseq = message_first_cseq(side, side == CALLER ? who.caller : target) + 7;
				n = message_request(messages, &who, kind, side, target, cseq, route,
						    first ? 0 : sizeof(route) - 1, out);
				assert_true(n < MESSAGE_MAX);
				assert_true(view_read(&v, out, n, false));
				assert_int_equal(v.status, 0);
				assert_memory_equal(out, kind_methods[kind], strlen(kind_methods[kind]));
				assert_true(view_id(&v, &id) && id == who.id);
				assert_int_equal(view_cseq(&v), cseq);
				assert_int_equal(v.vias, 1);
				assert_true(view_branch(&v, 0, &branch) && branch == message_branch(&who, kind, side, cseq));
				assert_int_equal(v.first[LINE_ROUTE] == 255, first);
				out[n] = 0;
				length = strstr((char *)out, "Content-Length: ");
				snprintf(digits, sizeof(digits), "%u\r\n", n - v.body);
				assert_memory_equal(length + 16, digits, strlen(digits));
				assert_null(strstr((char *)out, "{id"));
				assert_null(memchr(out, '}', v.body));
			}
}

/* ---- what a proxy may do, and what not */

#define ROUTE  "Route: <sip:token@10.78.0.1;lr>\r\n"
#define VIA    "Via: SIP/2.0/UDP 10.78.1.101:5060;branch=z9hG4bK0123456789abcdef;rport\r\n"
#define VIA2   "Via: SIP/2.0/UDP 10.78.1.101:5060;branch=z9hG4bK0123456789abcdef;received=10.78.1.101;rport=5060\r\n"
#define VIA3   "Via: SIP/2.0/UDP 10.78.1.101:5060;received=10.78.1.101;branch=z9hG4bK0123456789abcdef;rport=5060\r\n"
#define VIA4   "Via: SIP/2.0/UDP 10.78.1.101:5060;received=10.78.1.101;branch=z9hG4bK0123456789abcdee;rport=5060\r\n"
#define OURS   "Via: SIP/2.0/UDP 10.78.0.1:5060;branch=z9hG4bKabcdef\r\n"
#define OTHERS "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 0123456789abcdef@x\r\nCSeq: 7 INFO\r\n"
#define LINE   "INFO sip:a@10.0.0.1 SIP/2.0\r\n"
#define SENT   LINE VIA ROUTE "Max-Forwards: 70\r\n" OTHERS "Subject: x\r\n\r\nbody"
#define HOPS   "Max-Forwards: 69\r\n"

static void test_check_request(void **state)
{
	static const struct {
		const char *what, *got;
		bool fine;
	} rows[] = {
		{ "as it should be", LINE OURS VIA2 HOPS OTHERS "Subject: x\r\n\r\nbody", true },
		{ "another URI", "INFO sip:a@10.0.0.9:5070 SIP/2.0\r\n" OURS VIA2 HOPS OTHERS "Subject: x\r\n\r\nbody", true },
		{ "rport not filled in", LINE OURS VIA HOPS OTHERS "Subject: x\r\n\r\nbody", true },
		{ "received before the branch", LINE OURS VIA3 HOPS OTHERS "Subject: x\r\n\r\nbody", true },
		{ "another branch", LINE OURS VIA4 HOPS OTHERS "Subject: x\r\n\r\nbody", false },
		{ "Record-Route and Max-Breadth added",
		  LINE OURS "Record-Route: <sip:t@h;lr>\r\nMax-Breadth: 60\r\n" VIA2 HOPS OTHERS "Subject: x\r\n\r\nbody", true },
		{ "no Via added", LINE VIA2 HOPS OTHERS "Subject: x\r\n\r\nbody", false },
		{ "two Vias added", LINE OURS OURS VIA2 HOPS OTHERS "Subject: x\r\n\r\nbody", false },
		{ "Route left", LINE OURS VIA2 ROUTE HOPS OTHERS "Subject: x\r\n\r\nbody", false },
		{ "hops not counted", LINE OURS VIA2 "Max-Forwards: 70\r\n" OTHERS "Subject: x\r\n\r\nbody", false },
		{ "a line missing", LINE OURS VIA2 HOPS OTHERS "\r\nbody", false },
		{ "a line changed", LINE OURS VIA2 HOPS OTHERS "Subject: y\r\n\r\nbody", false },
		{ "a line added", LINE OURS VIA2 HOPS OTHERS "Subject: x\r\nX: y\r\n\r\nbody", false },
		{ "another body", LINE OURS VIA2 HOPS OTHERS "Subject: x\r\n\r\nbodY", false },
		{ "half a body", LINE OURS VIA2 HOPS OTHERS "Subject: x\r\n\r\nbo", false },
		{ "another method", "BYE sip:a@10.0.0.1 SIP/2.0\r\n" OURS VIA2 HOPS OTHERS "Subject: x\r\n\r\nbody", false },
	};
	struct view sent, got;

	assert_true(view_read(&sent, (const uint8_t *)SENT, sizeof(SENT) - 1, false));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong;

		assert_true(view_read(&got, (const uint8_t *)rows[i].got, (uint32_t)strlen(rows[i].got), false));
		wrong = check_request(&sent, &got);
		if (!wrong != rows[i].fine)
			fail_msg("%s: %s", rows[i].what, wrong ? wrong : "passed");
	}
}

static void test_branch_behind_received(void **state)
{
	static const char text[] = LINE OURS VIA3 HOPS OTHERS "\r\n";
	struct view v;
	uint64_t branch = 0;

	assert_true(view_read(&v, (const uint8_t *)text, sizeof(text) - 1, false));
	assert_true(view_branch(&v, 1, &branch));
	assert_int_equal(branch, 0x0123456789abcdef);
}

#define OK "SIP/2.0 200 OK\r\n"

static void test_check_response(void **state)
{
	static const struct {
		const char *what, *got;
		bool fine;
	} rows[] = {
		{ "as it should be", OK VIA2 OTHERS "Server: s\r\n\r\nbody", true },
		{ "our Via left", OK OURS VIA2 OTHERS "Server: s\r\n\r\nbody", false },
		{ "both Vias gone", OK OTHERS "Server: s\r\n\r\nbody", false },
		{ "another status", "SIP/2.0 500 No\r\n" VIA2 OTHERS "Server: s\r\n\r\nbody", false },
		{ "a line missing", OK VIA2 OTHERS "\r\nbody", false },
		{ "a line added", OK VIA2 OTHERS "Server: s\r\nX: y\r\n\r\nbody", false },
		{ "another body", OK VIA2 OTHERS "Server: s\r\n\r\nBody", false },
	};
	static const char text[] = OK OURS VIA2 OTHERS "Server: s\r\n\r\nbody";
	struct view sent, got;

	assert_true(view_read(&sent, (const uint8_t *)text, sizeof(text) - 1, false));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *wrong = NULL;

		if (!view_read(&got, (const uint8_t *)rows[i].got, (uint32_t)strlen(rows[i].got), false))
			wrong = "unreadable";
		else
			wrong = check_response(&sent, &got);
		if (!wrong != rows[i].fine)
			fail_msg("%s: %s", rows[i].what, wrong ? wrong : "passed");
	}
}

static void test_view_refuses(void **state)
{
	static const char *const rows[] = {
		"",
		"INFO",
		"INFO sip:a@b SIP/2.0\r\n",
		"SIP/2.0 2x0 OK\r\n" OURS OTHERS "\r\n",
		"HELLO WORLD, HOW ARE YOU\r\n\r\n",
		LINE VIA OTHERS,
		LINE OTHERS "\r\n",
		LINE VIA "From: x\r\n\r\n",
	};
	struct view v;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i]);
		uint8_t *exact = malloc(n ? n : 1); /* a read beyond the end is one that ASan sees */

		memcpy(exact, rows[i], n);
		assert_false(view_read(&v, exact, (uint32_t)n, false));
		free(exact);
	}
}

/* Who speaks TCP or TLS says so where it counts: in Via, and in the URIs that the other side will send to. */
static void test_transports(void **state)
{
	static const struct {
		const char *transport, *via, *uri, *never;
	} cases[] = { { "udp", "SIP/2.0/UDP ", ":5060>", "transport=" },
		      { "tcp", "SIP/2.0/TCP ", ":5060;transport=tcp>", "SIP/2.0/UDP" },
		      { "tls", "SIP/2.0/TLS ", ":5060;transport=tls>", "SIP/2.0/UDP" } };

	for (unsigned i = 0; i < 3; i++) {
		struct messages *m = messages_new("10.78.1", "10.78.2", "10.78.0.1", MAKES, cases[i].transport);
		struct identity who;
		char out[MESSAGE_MAX + 1];

		assert_non_null(m);
		for (uint64_t serial = 0; serial < 4 * MAKES; serial++)
			for (enum side side = CALLER; side <= TARGET; side++) {
				enum kind kind = side == CALLER ? KIND_INVITE : KIND_UPDATE;

				identity_make(m, 1, serial, &who);
				out[message_request(m, &who, kind, side, (unsigned)(serial % MAKES), message_first_cseq(side, who.caller), "", 0, (uint8_t *)out)] = 0;
				assert_non_null(strstr(out, cases[i].via));
				assert_non_null(strstr(strstr(out, "Contact: "), cases[i].uri));
				assert_null(strstr(out, cases[i].never));
			}
		messages_free(m);
	}
}

/* One start each 10 ticks: by themselves, or what is due within a while together; never more or less of them, whatever the turns. */
static void test_pace(void **state)
{
	static const struct {
		double gather;
		uint64_t turn;		   /* ticks between two turns */
		unsigned together, within; /* starts in one turn, but the first; turns with some */
	} cases[] = { { 0, 1, 1, 100 }, { 0, 5, 1, 100 }, { 50, 1, 5, 20 }, { 100, 3, 10, 10 }, { 0, 200, 20, 5 }, { 15, 10, 2, 50 } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pace p = { .interval = 10, .most = 50, .gather = cases[i].gather };
		unsigned turns = 0;

		for (uint64_t now = 0; now <= 1000; now += cases[i].turn) {
			unsigned n = pace_owed(&p, now);

			assert_in_range(n, 0, cases[i].together + 1);
			turns += n > 0;
			p.made += n;
		}
		assert_in_range(p.made, 100 - cases[i].together, 100);
		assert_in_range(turns, cases[i].within - 2, cases[i].within + 1);
		assert_int_equal(p.skipped + p.held_back, 0);
	}
}

/* A loop that was away makes up for what may be owed, a burst a turn, and leaves the rest out, to the wire's account where that was full. */
static void test_pace_behind(void **state)
{
	for (unsigned full = 0; full < 2; full++) {
		struct pace p = { .interval = 10, .most = 50, .gather = 100, .full = full };

		for (unsigned turn = 0; turn < 2; turn++) {
			assert_int_equal(pace_owed(&p, 1000 + turn), turn ? 50 - PACE_BURST : PACE_BURST);
			p.made += turn ? 50 - PACE_BURST : PACE_BURST;
		}
		assert_int_equal(full ? p.held_back : p.skipped, 50);
		assert_int_equal(full ? p.skipped : p.held_back, 0);
		assert_int_equal(pace_owed(&p, 1050), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),	       cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_single),	       cmocka_unit_test(test_merge),
		cmocka_unit_test(test_template),       cmocka_unit_test(test_hex),
		cmocka_unit_test(test_identities),     cmocka_unit_test(test_requests),
		cmocka_unit_test(test_check_request),  cmocka_unit_test(test_branch_behind_received),
		cmocka_unit_test(test_check_response), cmocka_unit_test(test_view_refuses),
		cmocka_unit_test(test_transports),     cmocka_unit_test(test_pace),
		cmocka_unit_test(test_pace_behind),
	};

	return cmocka_run_group_tests(tests, make_messages, drop_messages);
}
