/* SPDX-License-Identifier: Apache-2.0 */
/* What judges the proxy is judged here: a message that was forwarded as it should passes, each thing that may be wrong with it is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "call.h"
#include "ends.h"
#include "ends_tls.h"
#include "meter.h"
#include "tcp/tcp.h"

#define OURS	 "Via: SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bKours\r\n"
#define CALLERS	 "Via: SIP/2.0/UDP 10.8.1.2:5060;branch=z9hG4bK1"
#define ROUTE	 "Route: <sip:token@10.9.0.1:5060;lr>\r\n"
#define RECORDED "Record-Route: <sip:token@10.9.0.1:5060;lr>\r\nMax-Breadth: 60\r\n"
#define REST	 "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: c\r\nCSeq: 1 INFO\r\n"
#define BODY	 "Content-Length: 3\r\n\r\nabc"
#define TOLD	 ";received=10.8.1.2;rport=5060\r\n"

static const char within[] = "INFO sip:b@10.16.0.2 SIP/2.0\r\n" CALLERS ";rport\r\nMax-Forwards: 70\r\n" ROUTE REST BODY;
static const char founding[] = "INVITE sip:+44@10.9.0.1 SIP/2.0\r\n" CALLERS "\r\nMax-Forwards: 70\r\n" REST BODY;

static void requests(void **state)
{
	static const struct {
		const char *what, *in, *out;
		bool founding, right;
	} cases[] = {
		{ "as it should be", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\n" REST BODY, false, true },
		{ "hops unchanged", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 70\r\n" REST BODY, false, false },
		{ "our Route left", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\n" ROUTE REST BODY, false, false },
		{ "no Via of ours", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" CALLERS TOLD "Max-Forwards: 69\r\n" REST BODY, false, false },
		{ "Vias swapped", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" CALLERS TOLD OURS "Max-Forwards: 69\r\n" REST BODY, false, false },
		{ "rport unanswered", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS ";rport\r\nMax-Forwards: 69\r\n" REST BODY, false, false },
		{ "another URI", within, "INFO sip:z@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\n" REST BODY, false, false },
		{ "a line lost", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\n" BODY, false, false },
		{ "a line added", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\nX: y\r\n" REST BODY, false, false },
		{ "a body changed", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\n" REST "Content-Length: 3\r\n\r\nabd",
		  false, false },
		{ "a body cut", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS CALLERS TOLD "Max-Forwards: 69\r\n" REST "Content-Length: 3\r\n\r\nab",
		  false, false },
		{ "a Record-Route within a dialog", within, "INFO sip:b@10.16.0.2 SIP/2.0\r\n" OURS RECORDED CALLERS TOLD "Max-Forwards: 69\r\n" REST BODY,
		  false, false },
		{ "founding", founding, "INVITE sip:+44@10.16.0.2 SIP/2.0\r\n" OURS RECORDED CALLERS "\r\nMax-Forwards: 69\r\n" REST BODY, true, true },
		{ "founding, no Record-Route", founding, "INVITE sip:+44@10.16.0.2 SIP/2.0\r\n" OURS CALLERS "\r\nMax-Forwards: 69\r\n" REST BODY, true,
		  false },
		{ "founding, another number", founding, "INVITE sip:+45@10.16.0.2 SIP/2.0\r\n" OURS RECORDED CALLERS "\r\nMax-Forwards: 69\r\n" REST BODY,
		  true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *fault = check_request((const uint8_t *)cases[i].in, (uint32_t)strlen(cases[i].in), (const uint8_t *)cases[i].out,
						  (uint32_t)strlen(cases[i].out), cases[i].founding);

		if (cases[i].right != !fault)
			fail_msg("%s: %s", cases[i].what, fault ? fault : "passed");
	}
}

static void responses(void **state)
{
	static const char in[] = "SIP/2.0 200 OK\r\n" OURS CALLERS "\r\n" REST BODY;
	static const struct {
		const char *what, *out;
		bool right;
	} cases[] = {
		{ "as it should be", "SIP/2.0 200 OK\r\n" CALLERS "\r\n" REST BODY, true },
		{ "our Via left", in, false },
		{ "the wrong Via gone", "SIP/2.0 200 OK\r\n" OURS REST BODY, false },
		{ "another status", "SIP/2.0 202 OK\r\n" CALLERS "\r\n" REST BODY, false },
		{ "a body cut", "SIP/2.0 200 OK\r\n" CALLERS "\r\n" REST "Content-Length: 3\r\n\r\nab", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *fault = check_response((const uint8_t *)in, sizeof(in) - 1, (const uint8_t *)cases[i].out, (uint32_t)strlen(cases[i].out));

		if (cases[i].right != !fault)
			fail_msg("%s: %s", cases[i].what, fault ? fault : "passed");
	}
}

/* Every make's Call-ID gives the serial number back, and no two messages are alike. */
static void serials(void **state)
{
	uint8_t last[MESSAGE_MAX] = { 0 };

	for (unsigned long_ids = 0; long_ids < 2; long_ids++) {
		peers_long_call_ids(long_ids);
		for (uint32_t i = 0; i < 500; i++) {
			struct call_name name = { .serial = i * 0x300000007ull, .caller_ip = 0x0a080002u + i, .number = 442000000000ull + i };
			uint8_t text[MESSAGE_MAX + 1];
			uint32_t len = peer_invite(text, MIX_USUAL, &name);
			const char *id;

			text[len] = '\0';
			id = strstr((const char *)text, "\r\nCall-ID: ");
			assert_non_null(id);
			id += 11;
			assert_true(peer_serial((const uint8_t *)id, (uint32_t)strcspn(id, "\r")) == name.serial);
			assert_true(!long_ids || strcspn(id, "\r") == 60);
			assert_int_not_equal(memcmp(last, text, len), 0);
			memcpy(last, text, len);
		}
	}
	peers_long_call_ids(false);
	assert_true(peer_serial((const uint8_t *)"a84b4c76e66710@pc33", 19) == UINT64_MAX);
}

/* Batches that were interrupted are left out and counted; what is merely slower stays in. */
static void interruptions(void **state)
{
	struct meter m = { 0 };
	struct meter_summary s;

	for (unsigned i = 0; i < 900; i++)
		meter_add(&m, i % 100 == 7 ? 5000 : i % 2 ? 100 : 120);
	meter_summary(&m, &s);
	assert_int_equal(s.batches, 900);
	assert_int_equal(s.interrupted, 9);
	assert_true(s.mean > 109 && s.mean < 111);
	for (unsigned i = 0; i < METER_WINDOWS; i++)
		assert_true(s.window[i] > 109 && s.window[i] < 111);
	free(m.ns);
}

/* ---- ends of TCP connections */

#define HERE	    0x0a080002u
#define THERE	    0x0a090001u
#define SEGMENTS    4096
#define LINES	    3
#define MESSAGES_EACH 50

/* Both ends and the segments on their way to each: [0] opens, [1] is opened to and answers. */
struct way {
	struct ends *ends[2];
	struct {
		uint8_t bytes[2048];
		uint32_t len, from, to;
	} * segments;
	unsigned count;
	uint64_t messages[2], bytes[2];
	uint8_t reply[4000];
};

static struct way way;

static uint8_t *reserve(void *ctx, uint32_t bytes)
{
	assert_true(bytes <= sizeof(way.segments[0].bytes) && way.count < SEGMENTS);
	return way.segments[way.count].bytes;
}

static int commit(void *ctx, uint32_t bytes, uint32_t from_ip, uint32_t to_ip)
{
	way.segments[way.count].len = bytes;
	way.segments[way.count].from = from_ip;
	way.segments[way.count++].to = to_ip;
	return 0;
}

static uint32_t a_message(uint8_t *out, unsigned body)
{
	int n = sprintf((char *)out, "INFO sip:b@x SIP/2.0\r\nCall-ID: %u\r\nContent-Length: %u\r\n\r\n", body, body);

	memset(out + n, 'x', body);
	return (uint32_t)n + body;
}

static void message(void *ctx, uint32_t own_ip, const uint8_t *data, uint32_t len)
{
	unsigned side = own_ip == THERE, body = (unsigned)strtoul(strstr((const char *)data, "Call-ID: ") + 9, NULL, 10);

	assert_int_equal(len, a_message(way.reply, body));
	assert_memory_equal(data, way.reply, len);
	way.messages[side]++;
	way.bytes[side] += len;
	if (side)
		assert_true(ends_send(way.ends[1], THERE, body, data, len));
}

static struct ip_addr ip_addr_of(uint32_t ip)
{
	return (struct ip_addr){ .family = IP_V4, .bytes = { (uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip } };
}

/* Whatever is on its way arrives, until nothing is. */
static void arrive(uint64_t *now_us)
{
	do {
		for (unsigned i = 0; i < way.count; i++) { /* answers are put behind */
			struct tcp_packet p = { ip_addr_of(way.segments[i].from), ip_addr_of(way.segments[i].to),
						{ way.segments[i].bytes, way.segments[i].len } };

			ends_input(way.ends[way.segments[i].to == THERE], &p, *now_us);
		}
		way.count = 0;
		*now_us += 50000;
		for (unsigned i = 0; i < 2; i++)
			ends_advance(way.ends[i], *now_us);
	} while (way.count);
}

/* Messages longer and shorter than a segment, by several connections: each comes out whole, once, at the other end, and its answer likewise. */
static void move_whole_messages(struct ends_tls *tls)
{
	struct ends_config config = { .connections = 16, .buffer_bytes = 16 << 20, .mtu = 576, .proxy_ip = THERE, .port = 5060,
				      .tls = tls, .reserve = reserve, .commit = commit, .message = message };
	uint64_t now_us = 1000, bytes = 0;
	uint8_t text[4000];

	way = (struct way){ 0 };
	way.segments = calloc(SEGMENTS, sizeof(*way.segments));
	for (unsigned i = 0; i < 2; i++) {
		config.seed = i + 1;
		way.ends[i] = ends_new(&config, now_us);
		assert_non_null(way.ends[i]);
	}
	assert_int_equal(ends_listen(way.ends[1], THERE), 0);
	assert_false(ends_send(way.ends[0], HERE, 0, text, a_message(text, 1))); /* no connection yet */
	for (unsigned i = 0; i < LINES; i++)
		assert_int_equal(ends_open(way.ends[0], HERE), 0);
	arrive(&now_us);
	assert_int_equal(ends_counts(way.ends[0])->opened, LINES);
	assert_int_equal(ends_counts(way.ends[1])->accepted, LINES);
	for (unsigned i = 0; i < LINES * MESSAGES_EACH; i++) {
		uint32_t len = a_message(text, i * 37 % 1400);

		bytes += len;
		assert_true(ends_send(way.ends[0], HERE, i, text, len));
		if (i % 20 == 19)
			arrive(&now_us);
	}
	arrive(&now_us);
	for (unsigned side = 0; side < 2; side++) {
		assert_int_equal(way.messages[side], LINES * MESSAGES_EACH);
		assert_true(way.bytes[side] == bytes);
		assert_int_equal(ends_pending(way.ends[side]), 0);
	}
	ends_close(way.ends[0], HERE);
	arrive(&now_us);
	now_us += 10000000;
	arrive(&now_us);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ends_counts(way.ends[i])->closed, LINES);
		assert_int_equal(ends_counts(way.ends[i])->failed, 0);
		ends_free(way.ends[i]);
	}
	free(way.segments);
}

static void ends_move_whole_messages(void **state)
{
	move_whole_messages(NULL);
}

static void ends_move_them_by_tls(void **state)
{
	struct ends_tls *tls = ends_tls_new();
	char certificate[128];

	assert_non_null(tls);
	snprintf(certificate, sizeof(certificate), "%s", ends_tls_certificate(tls));
	assert_int_equal(access(certificate, R_OK), 0);
	move_whole_messages(tls);
	ends_tls_free(tls);
	assert_int_equal(access(certificate, R_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(responses),
		cmocka_unit_test(serials),
		cmocka_unit_test(interruptions),
		cmocka_unit_test(ends_move_whole_messages),
		cmocka_unit_test(ends_move_them_by_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
