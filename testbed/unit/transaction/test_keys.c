/* SPDX-License-Identifier: Apache-2.0 */
/* How transactions are found (RFC 3261 §17.2.3). */
#include "transactions_fixture.h"

struct request {
	const char *method, *uri, *via, *from_tag, *call_id;
	unsigned cseq;
};

static struct txn_key key_of(const struct transactions *t, const struct request *r, enum sip_method as)
{
	static struct sip_message m;
	static char text[4096];
	int n = snprintf(text, sizeof(text),
			 "%s %s SIP/2.0\r\nVia: %s\r\nFrom: <sip:a@x>%s%s\r\nTo: <sip:b@y>%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n\r\n", r->method,
			 r->uri, r->via, r->from_tag[0] ? ";tag=" : "", r->from_tag, strcmp(r->method, "ACK") ? "" : ";tag=other",
			 r->call_id, r->cseq, r->method);
	struct span rest;
	struct via top;

	assert_int_equal(sip_parse((uint8_t *)text, (uint32_t)n, &m), SIP_OK);
	rest = sip_first(&m, SIP_H_VIA);
	assert_int_equal(via_next(&rest, &top), 1);
	return txn_key_of(t, &m, &top, as == SIP_METHODS ? m.method : as);
}

#define NEW_VIA "SIP/2.0/UDP pc.example:5070;branch=z9hG4bKabc"
#define OLD_VIA "SIP/2.0/UDP pc.example;branch=1"

static void test_keys(void **state)
{
	static const struct {
		const char *what;
		struct request a, b;
		enum sip_method as_b; /* SIP_METHODS: its own */
		bool same;
	} cases[] = {
		/* the rules for branches with the cookie: branch, sent-by, method; nothing else */
		{ "a retransmission",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_METHODS, true },
		{ "only branch, sent-by and method count",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "INVITE", "sip:z@z", NEW_VIA, "2", "c2", 9 }, SIP_METHODS, true },
		{ "other Via parameters do not count",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", NEW_VIA ";rport", "1", "c1", 1 }, SIP_METHODS, true },
		{ "branches are tokens: without case",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 },
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP PC.example:5070;branch=Z9HG4BKABC", "1", "c1", 1 }, SIP_METHODS, true },
		{ "another branch",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", NEW_VIA "d", "1", "c1", 1 }, SIP_METHODS, false },
		{ "another host",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 },
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP pd.example:5070;branch=z9hG4bKabc", "1", "c1", 1 }, SIP_METHODS, false },
		{ "another port",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 },
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP pc.example:5071;branch=z9hG4bKabc", "1", "c1", 1 }, SIP_METHODS, false },
		{ "another port that ends alike",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 },
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP pc.example:5326;branch=z9hG4bKabc", "1", "c1", 1 }, SIP_METHODS, false },
		{ "another method",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "OPTIONS", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_METHODS, false },
		{ "two unknown methods",
		  { "FOO", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "BAR", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_METHODS, false },
		{ "one unknown method twice",
		  { "FOO", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "FOO", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_METHODS, true },
		{ "ACK finds its INVITE",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "ACK", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_INVITE, true },
		{ "CANCEL finds its INVITE",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "CANCEL", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_INVITE, true },
		{ "CANCEL is a transaction of its own",
		  { "INVITE", "sip:b@y", NEW_VIA, "1", "c1", 1 }, { "CANCEL", "sip:b@y", NEW_VIA, "1", "c1", 1 }, SIP_METHODS, false },
		/* RFC 2543: request URI, From tag, Call-ID, CSeq number, whole top Via */
		{ "old: a retransmission",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, SIP_METHODS, true },
		{ "old: no branch at all",
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP pc", "1", "c1", 1 }, { "INVITE", "sip:b@y", "SIP/2.0/UDP pc", "1", "c1", 1 }, SIP_METHODS, true },
		{ "old: no From tag",
		  { "INVITE", "sip:b@y", OLD_VIA, "", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "", "c1", 1 }, SIP_METHODS, true },
		{ "old: another URI",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:c@y", OLD_VIA, "1", "c1", 1 }, SIP_METHODS, false },
		{ "old: another From tag",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "2", "c1", 1 }, SIP_METHODS, false },
		{ "old: tags are tokens: without case",
		  { "INVITE", "sip:b@y", OLD_VIA, "Tag-1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "tAG-1", "c1", 1 }, SIP_METHODS, true },
		{ "old: another Call-ID",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "1", "c2", 1 }, SIP_METHODS, false },
		{ "old: Call-IDs compare with case",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "1", "C1", 1 }, SIP_METHODS, false },
		{ "old: another CSeq number",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 2 }, SIP_METHODS, false },
		{ "old: another top Via",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA ";x", "1", "c1", 1 }, SIP_METHODS, false },
		{ "old: ACK, whose To has the answer's tag",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "ACK", "sip:b@y", OLD_VIA, "1", "c1", 1 }, SIP_INVITE, true },
		{ "old: CANCEL",
		  { "INVITE", "sip:b@y", OLD_VIA, "1", "c1", 1 }, { "CANCEL", "sip:b@y", OLD_VIA, "1", "c1", 1 }, SIP_INVITE, true },
		{ "the bare cookie is an old branch",
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP pc;branch=z9hG4bK", "1", "c1", 1 },
		  { "INVITE", "sip:b@y", "SIP/2.0/UDP pc;branch=z9hG4bK", "1", "c2", 1 }, SIP_METHODS, false },
		{ "fields do not run into each other",
		  { "INVITE", "sip:b@yy", OLD_VIA, "1", "c1", 1 }, { "INVITE", "sip:b@y", OLD_VIA, "y1", "c1", 1 }, SIP_METHODS, false },
	};
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 4, 4);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct txn_key a = key_of(t, &cases[i].a, SIP_METHODS), b = key_of(t, &cases[i].b, cases[i].as_b);

		if ((a.a == b.a && a.b == b.b) != cases[i].same)
			fail_msg("%s", cases[i].what);
	}
	transactions_free(t);
	wheel_free(w);
}

/* Of two branches that differ in one bit of one byte: the same where that makes another case of one letter, whatever the length. */
static void test_case(void **state)
{
	static struct sip_message m;
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 4, 4);
	struct via top = { .host = SPAN_LIT("h"), .port = 5060 };

	for (uint32_t n = 8; n <= 96; n++)
		for (unsigned c = 0; c < 256; c++) {
			uint32_t at = 7 + (n + c) % (n - 7);
			bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
			uint8_t *branch = malloc(n); /* no more: nothing behind it is read */
			struct txn_key key[3];

			for (unsigned i = 0; i < 3; i++) {
				memcpy(branch, "z9hG4bK", 7);
				memset(branch + 7, 'x', n - 7);
				branch[at] = (uint8_t)(i == 0 ? c : i == 1 ? c ^ 0x20 : c ^ 1);
				top.branch = span_of(branch, n);
				key[i] = txn_key_of(t, &m, &top, SIP_INVITE);
			}
			assert_int_equal(key[0].a == key[1].a && key[0].b == key[1].b, letter);
			assert_false(key[0].a == key[2].a && key[0].b == key[2].b);
			free(branch);
		}
	transactions_free(t);
	wheel_free(w);
}

/* Fields longer than any buffer of ours still tell transactions apart by their last byte. */
static void test_long_keys(void **state)
{
	static char branch[2][1500];
	struct wheel *w = wheel_new(START);
	struct transactions *t = make(w, 4, 4);
	struct txn_key key[2];

	for (unsigned cookie = 0; cookie < 2; cookie++) {
		for (unsigned i = 0; i < 2; i++) {
			int n = snprintf(branch[i], sizeof(branch[i]), "SIP/2.0/UDP h;branch=%s", cookie ? "z9hG4bK" : "");

			memset(branch[i] + n, 'x', 1400);
			branch[i][n + 1400] = (char)('a' + i);
			branch[i][n + 1401] = 0;
			key[i] = key_of(t, &(struct request){ "INVITE", "sip:b@y", branch[i], "1", branch[i] + 100, 1 }, SIP_METHODS);
		}
		assert_true(key[0].a != key[1].a && key[0].b != key[1].b);
	}
	transactions_free(t);
	wheel_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_keys), cmocka_unit_test(test_case), cmocka_unit_test(test_long_keys) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
