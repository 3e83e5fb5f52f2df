/* SPDX-License-Identifier: Apache-2.0 */
/* Hard messages of our own, by the rules of RFC 4475 and RFC 5118: lines, lists and sizes. */
#include "script.h"

/* An INVITE with these lines instead of its usual ones, refused with status. */
static void refused(const char *what, const char *with, unsigned status)
{
	bent(what, with);
	up(status);
	quiet();
	all_gone();
}

static void dropped(const char *what, const char *with)
{
	bent(what, with);
	quiet();
	counted(COUNTER_sip_bad_dropped, 1);
}

/* ---- lines */

static void folded_everywhere(void)
{
	const struct sent *s;

	bent("From: <sip:caller@10.1.0.1>;tag=from\r\nTo: <sip:callee@10.0.0.1>\r\nCall-ID: call-1\r\nCSeq: 1 INVITE\r\n",
	     "From:\r\n \"C\"\r\n\t<sip:caller@10.1.0.1>\r\n ;\r\n tag=from\r\nTO :\r\n <sip:callee@10.0.0.1>\r\ncall-id:\r\n call-1\r\nCSeq:\t1\r\n  INVITE\r\n");
	up(100);
	s = out("INVITE", A);
	has(s, "From:\r\n \"C\"\r\n\t<sip:caller@10.1.0.1>\r\n ;\r\n tag=from\r\nTO :\r\n <sip:callee@10.0.0.1>\r\n");
	reply(A, 486);
	out("ACK", A);
	has(up(486), ";\r\n tag=from\r\n");
	ack_send(&stage, &(struct request){ 0 }, stage.sent[stage.sent_count - 1]);
}

static void folded_hops(void)
{
	bent("Max-Forwards: 70", "Max-Forwards:\r\n  0068 ");
	up(100);
	is(out("INVITE", A), "Max-Forwards", "67");
}

static void folded_via(void)
{
	const struct sent *s;

	bent("Via: " VIA, "v:  SIP  / 2.0\r\n /UDP\r\n    10.1.0.1:5060\r\n ;branch=\r\n z9hG4bK1\r\n ; x , SIP/2.0/TCP spindle.example.com ;\r\n  branch  =   z9hG4bK9");
	up(100);
	s = out("INVITE", A);
	has(s, ", SIP/2.0/TCP spindle.example.com ;\r\n  branch  =   z9hG4bK9\r\n");
	reply(A, 180);
	s = up(180);
	has(s, "v: SIP  / 2.0\r\n /UDP\r\n    10.1.0.1:5060\r\n ;branch=\r\n z9hG4bK1\r\n ; x , SIP/2.0/TCP");
}

static void space_before_the_colon(void)
{
	const struct sent *s = invite(.headers = "X-Hdr : v\r\nX-Tab\t:\tv\r\nSubject   :s\r\n");

	has(s, "\r\nX-Hdr : v\r\nX-Tab\t:\tv\r\nSubject   :s\r\n");
}

static void space_before_known_colons(void)
{
	bent("Call-ID: call-1\r\nCSeq: 1 INVITE\r\nContact:", "Call-ID \t: call-1\r\nCSeq : 1 INVITE\r\nContact :");
	up(100);
	has(out("INVITE", A), "Call-ID \t: call-1\r\n");
}

static void compact_forms(void)
{
	const struct sent *s;

	raw(CALLER, "INVITE " NUMBER " SIP/2.0\r\nv: " VIA "\r\nf: <sip:c@x>;tag=1\r\nt: <sip:d@y>\r\ni: compact\r\nCSeq: 1 INVITE\r\n"
		    "m: <sip:c@10.1.0.1>\r\nk: timer\r\ns: hello\r\nl: 0\r\n\r\n");
	up(100);
	s = out("INVITE", A);
	has(s, "\r\nf: <sip:c@x>;tag=1\r\nt: <sip:d@y>\r\ni: compact\r\n");
	has(s, "\r\nk: timer\r\ns: hello\r\nl: 0\r\n\r\n");
	reply(A, 486);
	has(out("ACK", A), "\r\ni: compact\r\n");
	up(486);
}

static void compact_and_long_forms_mixed(void)
{
	bent("Contact:", "i: call-1\r\nContact:");
	up(400);
	quiet();
}

static void names_in_any_case(void)
{
	bent("Call-ID: call-1\r\nCSeq:", "cALL-id: call-1\r\ncseq:");
	up(100);
	out("INVITE", A);
}

static void bare_line_feeds(void)
{
	raw(CALLER, edited_all(request_text(&(struct request){ 0 }), "\r\n", "\n"));
	up(100);
	out("INVITE", A);
}

static void no_blank_line(void)
{
	refused("Contact: <sip:caller@10.1.0.1:5060>\r\nContent-Length: 0\r\n\r\n", "Contact: <sip:caller@10.1.0.1:5060>\r\n", 400);
}

static void line_without_a_colon(void)
{
	refused("Contact:", "Hello world\r\nContact:", 400);
}

static void empty_name(void)
{
	refused("Contact:", ": nothing\r\nContact:", 400);
}

static void odd_name(void)
{
	refused("Contact:", "X(odd): v\r\nContact:", 400);
}

static void empty_values(void)
{
	has(invite(.headers = "X-Empty:\r\nX-Blank:   \t\r\nSupported:\r\n"), "\r\nX-Empty:\r\nX-Blank:   \t\r\nSupported:\r\n");
}

static void utf8_and_8bit(void)
{
	static const char odd[] = "Subject: \xe2\x82\xac \xff\xfe\x80\r\nX-\xc3: no token\r\n";
	static const char fine[] = "Subject: \xe2\x82\xac \xff\xfe\x80\r\n";

	has(invite(.headers = fine, .from = "\"\xd8\xa7\" <sip:c@x>;tag=from"), fine);
	ask(.headers = odd, .via = VIA "2");
	up(400);
}

static void nuls(void)
{
	static char text[2000];
	size_t n = (size_t)sprintf(text, "%s", request_text(&(struct request){ .headers = "X-Nul: a#b\r\n", .body = "v#w" }));
	const struct sent *s;

	for (size_t i = 0; i < n; i++)
		if (text[i] == '#')
			text[i] = 0;
	send_bytes(&stage, CALLER, US, text, (uint32_t)n);
	up(100);
	s = out("INVITE", A);
	expect_true(memmem(s->data, s->len, "X-Nul: a\0b\r\n", 12) && !memcmp(s->data + s->len - 3, "v\0w", 3), "NULs are kept");
}

static void nul_in_a_name(void)
{
	static char text[2000];
	size_t n = (size_t)sprintf(text, "%s", request_text(&(struct request){ .headers = "X#Y: v\r\n" }));

	*strchr(text, '#') = 0;
	send_bytes(&stage, CALLER, US, text, (uint32_t)n);
	up(400);
	quiet();
}

static void nul_in_the_uri(void)
{
	static char text[2000];
	size_t n = (size_t)sprintf(text, "%s", request_text(&(struct request){ .uri = "sip:+44#2035550100@10.0.0.1" }));

	*strchr(text, '#') = 0;
	send_bytes(&stage, CALLER, US, text, (uint32_t)n);
	up(400);
	quiet();
}

/* ---- headers that may come once */

static void two_to(void)
{
	refused("Call-ID:", "To: <sip:other@x>\r\nCall-ID:", 400);
}

static void two_from(void)
{
	refused("Call-ID:", "f: <sip:other@x>;tag=2\r\nCall-ID:", 400);
}

static void two_call_ids(void)
{
	refused("CSeq:", "Call-ID: another\r\nCSeq:", 400);
}

static void two_cseqs(void)
{
	refused("Contact:", "CSeq: 2 INVITE\r\nContact:", 400);
}

static void two_max_forwards(void)
{
	refused("Contact:", "Max-Forwards: 5\r\nContact:", 400);
}

static void two_lengths(void)
{
	refused("Contact:", "Content-Length: 5\r\nContact:", 400);
}

static void two_equal_lengths(void)
{
	refused("Contact:", "Content-Length: 0\r\nContact:", 400);
}

static void list_where_one_is_due(void)
{
	refused("To: <sip:callee@10.0.0.1>", "To: <sip:callee@10.0.0.1>, <sip:other@x>", 400);
}

static void repeated_in_a_response(void)
{
	invite();
	raw(A, edited(reply_text(A, 200, NULL), "Call-ID:", "To: <sip:other@x>;tag=9\r\nCall-ID:"));
	quiet();
	counted(COUNTER_sip_bad_dropped, 1);
}

/* ---- headers that must come */

static void without_from(void)
{
	dropped("From: <sip:caller@10.1.0.1>;tag=from\r\n", "");
}

static void without_to(void)
{
	dropped("To: <sip:callee@10.0.0.1>\r\n", "");
}

static void without_call_id(void)
{
	dropped("Call-ID: call-1\r\n", "");
}

static void without_cseq(void)
{
	dropped("CSeq: 1 INVITE\r\n", "");
}

static void without_via(void)
{
	dropped("Via: " VIA "\r\n", "");
}

static void nothing_but_a_start_line(void)
{
	raw(CALLER, "INVITE " NUMBER " SIP/2.0\r\n\r\n");
	quiet();
}

static void from_without_tag(void)
{
	invite(.from = "sip:caller@10.1.0.1");
}

static void empty_call_id(void)
{
	refused("Call-ID: call-1", "Call-ID: ", 400);
}

/* ---- sizes */

static void header_of_60_kb(void)
{
	static char value[60100];
	const struct sent *s;

	memset(value, 'x', 60000);
	memcpy(value, "X-Big: ", 7);
	strcpy(value + 60000, "\r\n");
	s = invite(.headers = value);
	expect_true(s->len > 60000, "whole");
	has(s, value);
	reply(A, 486);
	out("ACK", A);
	up(486);
}

static void datagram_of_64_kb(void)
{
	static char value[66000];
	char *text;

	memset(value, 'x', 65000);
	memcpy(value, "X-Big: ", 7);
	strcpy(value + 65000, "\r\n");
	text = edited(request_text(&(struct request){ 0 }), "Contact:", edited(value, "X-Big", "Contact: <sip:x@y>\r\nX-Big"));
	text[65507] = 0; /* the most that UDP over IPv4 carries: cut in the middle */
	if (strlen(text) == 65507)
		raw(CALLER, text);
	expect_true(drain_out("INVITE", A) <= 1, "at most one leaves");
	while (stage.sent_read < stage.sent_count)
		answer_to(stage.sent[stage.sent_read]->data[8] == '1' ? 100 : 400, CALLER);
}

static void header_of_64_kb(void)
{
	static char value[66000];

	memset(value, 'x', 65536);
	memcpy(value, "X-Big: ", 7);
	strcpy(value + 65536, "\r\n");
	ask(.headers = value);
	expect_true(!drain_out("INVITE", A) && !drain_out("INVITE", B) && !drain_out("INVITE", C), "it goes nowhere");
	is(up(503), "CSeq", "1 INVITE");
	quiet();
	all_gone();
}

static void thousand_vias(void)
{
	static char vias[60000];
	const struct sent *s;
	size_t n = (size_t)sprintf(vias, VIA);

	for (unsigned i = 0; i < 999; i++)
		n += (size_t)sprintf(vias + n, "\r\nVia: SIP/2.0/UDP h%u;branch=z9hG4bK%u", i, i);
	s = invite(.via = vias);
	lines(s, "Via", 1001);
	reply(A, 180);
	s = up(180);
	lines(s, "Via", 1000);
	is(s, "Via", VIA);
	is_nth(s, "Via", 999, "SIP/2.0/UDP h998;branch=z9hG4bK998");
}

static void thousand_vias_in_one_line(void)
{
	static char vias[60000];
	const struct sent *s;
	size_t n = (size_t)sprintf(vias, VIA);

	for (unsigned i = 0; i < 999; i++)
		n += (size_t)sprintf(vias + n, ",SIP/2.0/UDP h%u;branch=z9hG4bK%u", i, i);
	s = invite(.via = vias);
	has(s, ",SIP/2.0/UDP h998;branch=z9hG4bK998\r\n");
	lines(s, "Via", 2);
}

static void too_many_lines(void)
{
	static char headers[20000];
	size_t n = 0;

	for (unsigned i = 0; i < 1600; i++)
		n += (size_t)sprintf(headers + n, "X: %u\r\n", i);
	ask(.headers = headers);
	up(400);
	quiet();
}

static void fifteen_hundred_lines(void)
{
	static char headers[20000];
	size_t n = 0;

	for (unsigned i = 0; i < 1500; i++)
		n += (size_t)sprintf(headers + n, "X: %u\r\n", i);
	has(invite(.headers = headers), headers);
}

static void long_values(void)
{
	static char id[3000], tag[3100], branch[3100];

	memset(id, 'i', 2500);
	snprintf(tag, sizeof(tag), "<sip:c@x>;tag=%s", id);
	snprintf(branch, sizeof(branch), "SIP/2.0/UDP 10.1.0.1:5060;branch=z9hG4bK%s", id);
	is(invite(.call_id = id, .from = tag, .via = branch), "Call-ID", id);
	again();
	up(100);
	quiet();
	reply(A, 486);
	out("ACK", A);
	up(486);
	ack();
	later(3000);
	quiet();
}

LAW_BOOK(torture_own,
	LAW("own", folded_everywhere, "RFC 4475 §3.1.1.1: headers may be folded, and pass as they were"),
	LAW("own", folded_hops, "RFC 4475 §3.1.1.1: Max-Forwards folded and with leading zeros is a number"),
	LAW("own", folded_via, "RFC 4475 §3.1.1.1: Vias folded, spaced out and listed"),
	LAW("own", space_before_the_colon, "RFC 3261 §7.3.1: `X-Hdr : v` is a header and passes byte by byte"),
	LAW("own", space_before_known_colons, "RFC 3261 §7.3.1: so is a known one"),
	LAW("own", compact_forms, "RFC 3261 §7.3.3: compact forms are read, and not rewritten"),
	LAW("own", compact_and_long_forms_mixed, "RFC 3261 §7.3.3: a compact and a long form are the same header, twice"),
	LAW("own", names_in_any_case, "RFC 3261 §7.3.1: names are read in any case"),
	DEVIATES("own", bare_line_feeds, "RFC 3261 §7: lines end with CRLF",
		 "some peers end them with LF; what comes is forwarded as it came, and reads the same everywhere"),
	LAW("own", no_blank_line, "RFC 3261 §7: a request that ends within its head gets 400"),
	LAW("own", line_without_a_colon, "RFC 3261 §7.3.1: a line without a colon gets 400"),
	LAW("own", empty_name, "RFC 3261 §7.3.1: an empty header name gets 400"),
	LAW("own", odd_name, "RFC 3261 §25.1: a header name that is no token gets 400"),
	LAW("own", empty_values, "RFC 3261 §7.3.1: empty values pass"),
	LAW("own", utf8_and_8bit, "RFC 4475 §3.1.1.2: bytes above 127 pass in values, not in names"),
	LAW("own", nuls, "RFC 4475 §3.1.1.11: NULs in a value and in the body pass"),
	LAW("own", nul_in_a_name, "RFC 3261 §25.1: not in a name"),
	LAW("own", nul_in_the_uri, "RFC 3261 §25.1: nor in the request URI"),
	LAW("own", two_to, "RFC 4475 §3.3.8: two To headers get 400"),
	LAW("own", two_from, "RFC 4475 §3.3.8: two From headers get 400, the second one compact"),
	LAW("own", two_call_ids, "RFC 4475 §3.3.8: two Call-IDs get 400"),
	LAW("own", two_cseqs, "RFC 4475 §3.3.8: two CSeqs get 400"),
	LAW("own", two_max_forwards, "RFC 4475 §3.3.8: two Max-Forwards get 400"),
	LAW("own", two_lengths, "RFC 4475 §3.3.9: two Content-Lengths get 400"),
	LAW("own", two_equal_lengths, "RFC 4475 §3.3.9: also when they are equal"),
	LAW("own", list_where_one_is_due, "RFC 3261 §20.39: a list in To gets 400"),
	LAW("own", repeated_in_a_response, "RFC 3261 §16.7: a response with two To headers is dropped"),
	LAW("own", without_from, "RFC 4475 §3.3.1: without From there is nothing to answer with: dropped"),
	LAW("own", without_to, "RFC 4475 §3.3.1: the same without To"),
	LAW("own", without_call_id, "RFC 4475 §3.3.1: the same without Call-ID"),
	LAW("own", without_cseq, "RFC 4475 §3.3.1: the same without CSeq"),
	LAW("own", without_via, "RFC 3261 §18.2.2: the same without Via"),
	LAW("own", nothing_but_a_start_line, "RFC 4475 §3.3.1: a start line alone is dropped"),
	LAW("own", from_without_tag, "RFC 4475 §3.4.1: a From without tag passes (RFC 2543)"),
	LAW("own", empty_call_id, "RFC 3261 §20.8: an empty Call-ID gets 400"),
	LAW("own", header_of_60_kb, "RFC 4475 §3.1.1.7: a header of 60,000 bytes passes whole"),
	LAW("own", header_of_64_kb, "design: a message beyond the greatest buffer (64 KiB) is refused with 503"),
	LAW("own", datagram_of_64_kb, "RFC 3261 §18.3: a datagram of the greatest size, cut in a header, does no harm"),
	LAW("own", thousand_vias, "RFC 3261 §20.42: 1,000 Via lines pass and come back"),
	LAW("own", thousand_vias_in_one_line, "RFC 3261 §7.3.1: also in one line"),
	LAW("own", too_many_lines, "design: more than 1,536 header lines get 400"),
	LAW("own", fifteen_hundred_lines, "design: 1,500 pass"),
	LAW("own", long_values, "RFC 4475 §3.1.1.7: Call-ID, tag and branch of 2,500 bytes work in every transaction"));
