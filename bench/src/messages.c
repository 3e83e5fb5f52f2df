/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that need no packet: scan, parse, compose, and their bounds. */
#include <stdio.h>
#include <string.h>

#include "base/siphash.h"
#include "bench_messages.h"
#include "shim.h"
#include "sip/branch.h"
#include "sip/edit.h"
#include "sip/message.h"
#include "sip/quick.h"
#include "sip/scan.h"
#include "sip/token.h"
#include "sip/via.h"

#define MESSAGE_MAX 1024

static uint8_t messages[BENCH_MESSAGES][MESSAGE_MAX];
static uint32_t lengths[BENCH_MESSAGES];
static uint8_t out[4096];

uint32_t bench_write_invite(uint8_t *buffer, uint32_t cap, uint64_t n, const char *source_ip)
{
	static const char sdp[] = "v=0\r\no=- 3897123 3897123 IN IP4 10.9.0.7\r\ns=-\r\nc=IN IP4 10.9.0.7\r\nt=0 0\r\n"
				  "m=audio 16384 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

	return (uint32_t)snprintf(
		(char *)buffer, cap,
		"INVITE sip:+4420355501%02u@sip.example.net SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK%016llx;rport\r\n"
		"Max-Forwards: 70\r\n"
		"From: \"Caller %llu\" <sip:+447700900%03u@carrier.example.org>;tag=%08llx\r\n"
		"To: <sip:+4420355501%02u@sip.example.net>\r\n"
		"Call-ID: %016llx-%08llx@%s\r\n"
		"CSeq: 101 INVITE\r\n"
		"Contact: <sip:+447700900%03u@%s:5060>\r\n"
		"User-Agent: SBC/7.4.2\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\nSupported: timer, 100rel\r\n"
		"Content-Type: application/sdp\r\nContent-Length: %u\r\n\r\n%s",
		(unsigned)(n % 100), source_ip, (unsigned long long)mix64(n), (unsigned long long)n % 1000, (unsigned)(n % 1000),
		(unsigned long long)(mix64(~n) & 0xffffffff), (unsigned)(n % 100), (unsigned long long)mix64(n * 3),
		(unsigned long long)(n & 0xffffffff), source_ip, (unsigned)(n % 1000), source_ip, (unsigned)(sizeof(sdp) - 1), sdp);
}

const uint8_t *bench_message(unsigned i, uint32_t *ret_len)
{
	i %= BENCH_MESSAGES;
	if (!lengths[i])
		lengths[i] = bench_write_invite(messages[i], MESSAGE_MAX, i, "10.9.0.7");
	*ret_len = lengths[i];
	return messages[i];
}

uint32_t bench_memcpy(unsigned i)
{
	uint32_t len;
	const uint8_t *m = bench_message(i, &len);

	memcpy(out, m, len);
	return out[len - 1];
}

uint32_t bench_memchr_lines(unsigned i)
{
	uint32_t len, lines = 0;
	const uint8_t *m = bench_message(i, &len), *end = m + len, *p = m;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))))
		p++, lines++;
	return lines;
}

int bench_scan_kind(int kind)
{
	return scan_select((enum scan_kind)kind);
}

uint32_t bench_scan(unsigned i)
{
	static struct scan_line lines[128];
	uint32_t len, count, head;
	const uint8_t *m = bench_message(i, &len);

	scan_lines(m, len, lines, 128, &count, &head);
	return count + head;
}

static struct sip_message view;

uint32_t bench_parse(unsigned i)
{
	uint32_t len;
	const uint8_t *m = bench_message(i, &len);

	return sip_parse(m, len, &view) == SIP_OK ? view.header_count : 0;
}

uint32_t bench_quick(unsigned i)
{
	struct quick look;
	uint32_t len;
	const uint8_t *m = bench_message(i, &len);

	quick_look(m, len, &look);
	return look.call_id.n;
}

uint32_t bench_compose(unsigned i)
{
	static struct edit_list edits;
	uint32_t len;
	const uint8_t *m = bench_message(i, &len);
	int n;

	if (view.data != m)
		sip_parse(m, len, &view);
	edit_reset(&edits);
	edit_replace(&edits, view.start_line_end, 0,
		     SPAN_LIT("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabcdefghijklmnopqrstuvwxy\r\n"));
	edit_replace_span(&edits, &view, sip_first(&view, SIP_H_MAX_FORWARDS), SPAN_LIT("69"));
	n = edit_compose(&edits, &view, out, sizeof(out));
	return n > 0 ? (uint32_t)n : 0;
}

uint32_t bench_branch(unsigned i)
{
	static const struct hash_key key = { 1, 2 };
	struct branch b = { .kind = BRANCH_TRANSACTION, .slot = i, .generation = 7, .loop = i * 77 }, back;
	char text[BRANCH_TEXT];

	branch_encode(&key, &b, text);
	return branch_decode(&key, span_of(text, BRANCH_TEXT), &back) == 0 ? back.slot : 0;
}

uint32_t bench_token(unsigned i)
{
	static const struct token_keys keys = { .key = { { 3, 4 } }, .present = { true } };
	struct token t = { .slot = i, .setup_s = 1000 }, back;
	struct span id = SPAN_LIT("a84b4c76e66710@pc33.example.com"), tag = SPAN_LIT("1928301774");
	enum token_side side;
	char text[TOKEN_TEXT_MAX];
	uint32_t n = token_encode(&keys, &t, id, tag, text);

	return token_decode(&keys, span_of(text, n), id, tag, tag, &back, &side) == 0 ? back.slot : 0;
}
