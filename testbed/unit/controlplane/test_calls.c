/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and traces, from the data plane's answers to what an operator sees. */
#include "operations_fixture.h"

#include "base64.h"
#include "cli/ladder.h"
#include "cli/pcap.h"
#include "cli/table.h"
#include "utf8.h"

static struct ip_port end_of(const char *text)
{
	struct ip_port a;

	assert_int_equal(ip_port_parse(span_str(text), 0, &a), 0);
	return a;
}

/* ---- calls */

static struct call_record call_of(const char *call_id, uint64_t arrived_unix_ms)
{
	struct call_record r = { .kind = RECORD_START, .profile_id = trunk_id(SPAN_LIT("in")), .attempt_count = 1,
				 .arrived_unix_ms = arrived_unix_ms, .source_trunk_id = trunk_id(SPAN_LIT("caller")) };

	r.call_id_len = (uint8_t)strlen(call_id);
	memcpy(r.call_id, call_id, r.call_id_len);
	r.attempts[0] = (struct attempt_record){ .trunk_id = trunk_id(SPAN_LIT("a")), .endpoint = end_of("10.0.0.1:5060") };
	return r;
}

static void calls(void **state)
{
	struct bench *b = *state;
	struct fake_dataplane *fake = fake_dataplane(b->dataplane);
	struct call_record records[4] = { call_of("ringing", 3000), call_of("answered", 2000), call_of("over", 1500), call_of("setup", 1000) };

	expect(b, "calls", "{}", "{'calls':[],'more':false}");
	records[0].progress_ms = 5;
	records[1].answered_ms = 1001;
	records[1].attempts[0].result = ATTEMPT_RECORD_ANSWERED;
	records[2].kind = RECORD_FAILED;
	fake->calls = records;
	fake->call_count = 4;
	expect(b, "calls", "{}",
	       "{'more':false,'calls':["
	       "{'call_id':'setup','state':'setup','since':'1970-01-01T00:00:01.000Z','attempts':[{'target':'in/a','result':'pending'}]},"
	       "{'call_id':'answered','state':'answered','since':'1970-01-01T00:00:03.001Z','profile':'in','source':{'trunk':'caller'}},"
	       "{'call_id':'ringing','state':'ringing','since':'1970-01-01T00:00:03.005Z'}]}");
	expect(b, "calls", "{'limit':2}", "{'more':true,'calls':[{'call_id':'answered'},{'call_id':'ringing'}]}");
	/* A profile that is gone by now. */
	records[0].profile_id = 99;
	expect(b, "calls", "{'limit':1}", "{'more':true,'calls':[{'call_id':'ringing','profile':null,'attempts':[{'target':null,'trunk':'a'}]}]}");
	expect_refusal(b, "calls", "{'limit':0}", "limit: 0 is not in 1..10000");
	expect_refusal(b, "calls", "{'limit':10001}", "limit: 10001 is not in 1..10000");
	fake->workers_stuck = true;
	expect_refusal(b, "calls", "{}", "a worker did not answer within 200 ms; try again");
}

/* ---- connections */

static void connections(void **state)
{
	struct bench *b = *state;
	struct fake_dataplane *fake = fake_dataplane(b->dataplane);
	struct stream_view views[3] = {
		{ .name = 0x100000001000005, .local = end_of("10.77.0.1:5060"), .remote = end_of("10.0.9.1:41000"), .transport = 1, .state = "ESTABLISHED",
		  .age_ms = 9000, .idle_ms = 10, .bytes_in = 800, .bytes_out = 400, .messages_in = 2, .messages_out = 1, .queued = 7, .retransmitted = 3,
		  .srtt_us = 1500 },
		{ .name = 0x100000001000006, .local = end_of("10.77.0.1:20000"), .remote = end_of("10.0.0.1:5060"), .transport = 1, .ours = true, .state = "SYN-SENT" },
		{ .name = 0x100000001000007, .local = end_of("10.77.0.1:20001"), .remote = end_of("10.0.0.1:5061"), .transport = 2, .ours = true, .state = "ESTABLISHED",
		  .cipher = "TLS_AES_128_GCM_SHA256", .tls_version = 0x0304, .tls_resumed = true },
	};

	expect(b, "connections", "{}", "{'connections':[],'more':false}");
	fake->connections = views;
	fake->connection_count = 3;
	expect(b, "connections", "{}",
	       "{'more':false,'connections':["
	       "{'id':'100000001000005','worker':0,'remote':'10.0.9.1:41000','local':'10.77.0.1:5060','transport':'tcp','state':'ESTABLISHED','opened_by':'them',"
	       "'age_ms':9000,'idle_ms':10,'messages_in':2,'messages_out':1,'bytes_in':800,'bytes_out':400,'queued':7,'retransmitted':3,'srtt_ms':1.5,'tls':null},"
	       "{'remote':'10.0.0.1:5060','opened_by':'us','state':'SYN-SENT','srtt_ms':null},"
	       "{'transport':'tls','tls':{'version':'1.3','cipher':'TLS_AES_128_GCM_SHA256','resumed':true}}]}");
	expect(b, "connections", "{'limit':2}", "{'more':true,'connections':[{'id':'100000001000005'},{'id':'100000001000006'}]}");
	expect(b, "connections", "{'limit':3}", "{'more':false}");
	expect(b, "connections", "{'remote':'10.0.0.1'}", "{'connections':[{'id':'100000001000006'},{'id':'100000001000007'}]}");
	expect(b, "connections", "{'remote':'10.0.0.1:5061'}", "{'connections':[{'id':'100000001000007'}]}");
	expect(b, "connections", "{'transport':'tcp','opened_by':'us','limit':1}", "{'more':false,'connections':[{'id':'100000001000006'}]}");
	expect(b, "connections", "{'opened_by':'them'}", "{'connections':[{'id':'100000001000005'}]}");
	expect_refusal(b, "connections", "{'remote':'carrier'}", "remote: 'carrier' is no address, with or without a port");
	expect_refusal(b, "connections", "{'transport':'udp'}", "transport: 'udp' is none of tcp, tls");
	expect_refusal(b, "connections", "{'opened_by':'me'}", "opened_by: 'me' is none of us, them");
	expect_refusal(b, "connections", "{'limit':0}", "limit: 0 is not in 1..10000");
	expect(b, "connection.close", "{'id':'100000001000007'}", "{'closed':{'remote':'10.0.0.1:5061','worker':0}}");
	assert_string_equal(views[2].state, "FIN-WAIT-1");
	expect_refusal(b, "connection.close", "{'id':'100000001000009'}", "id: there is no connection 100000001000009");
	expect_refusal(b, "connection.close", "{'id':'-1'}", "id: '-1' is not as connections shows it");
	expect_refusal(b, "connection.close", "{'id':''}", "id: '' is not as connections shows it");
	fake->workers_stuck = true;
	expect_refusal(b, "connections", "{}", "a worker did not answer within 200 ms; try again");
	expect_refusal(b, "connection.close", "{'id':'100000001000007'}", "a worker did not answer within 200 ms; try again");
}

/* ---- traces */

#define INVITE "INVITE sip:1@x SIP/2.0\r\nCall-ID: c1\r\n\r\n"
#define RINGS  "SIP/2.0 180 Ringing\nCall-ID: c1\n\n"
#define ODD    "\xff\x1b[2J\tX\r\nno SIP at all"

static void messages_of(struct bench *b, struct fake_message m[5])
{
	struct fake_dataplane *fake = fake_dataplane(b->dataplane);
	const struct flow caller = { end_of("10.0.9.1:5062"), end_of("10.77.0.1:5060"), 0 };
	const struct flow target = { end_of("[2001:db8::2]:5060"), end_of("[2001:db8::1]:5060"), 0 };
	uint64_t call = dataplane_call_hash(b->dataplane, "c1", 2);

	m[0] = (struct fake_message){ call, 1000000, false, caller, INVITE, sizeof(INVITE) - 1 };
	m[1] = (struct fake_message){ call, 1000001, true, target, INVITE, 5000 };
	m[2] = (struct fake_message){ call + 1, 1000002, true, target, INVITE, sizeof(INVITE) - 1 };
	m[3] = (struct fake_message){ call, 1000003, false, target, RINGS, sizeof(RINGS) - 1 };
	m[4] = (struct fake_message){ call, 1000004, true, caller, ODD, sizeof(ODD) - 1 };
	fake->trace = m;
	fake->trace_count = 5;
}

static void trace(void **state)
{
	struct bench *b = *state;
	struct fake_message m[5];

	messages_of(b, m);
	expect(b, "trace", "{'call_id':'c1'}",
	       "{'call_id':'c1','total':4,'messages':["
	       "{'direction':'in','remote':'10.0.9.1:5062','local':'10.77.0.1:5060','worker':1,'transport':'udp','first_line':"
	       "'INVITE sip:1@x SIP/2.0'},"
	       "{'direction':'out','remote':'[2001:db8::2]:5060','bytes':5000},"
	       "{'direction':'in','first_line':'SIP/2.0 180 Ringing','data':'U0lQLzIuMCAxODAgUmluZ2luZwpDYWxsLUlEOiBjMQoK'},"
	       "{'direction':'out','first_line':'\xc3\xbf\\u001b[2J\\tX'}]}");
	expect(b, "trace", "{'call_id':'c1','limit':1}", "{'total':4,'messages':[{'direction':'in'}]}");
	expect_refusal(b, "trace", "{'call_id':'c2'}", "call_id: no message of c2 is kept (any more); limits.trace_mb says how much is");
	expect(b, "trace", "{'call_id':'c1'}", "{'one_in':1}");
	fake_dataplane(b->dataplane)->trace_one_in = 64;
	expect(b, "trace", "{'call_id':'c1'}", "{'total':4,'one_in':64}");
	expect_refusal(b, "trace", "{'call_id':'c2'}", "call_id: no message of c2 is kept: under this load one call in 64 is (limits.trace_mb, limits.trace_s)");
	fake_dataplane(b->dataplane)->trace_one_in = 2;
	expect_refusal(b, "trace", "{'call_id':'c2'}", "call_id: no message of c2 is kept: under this load one call in 2 is (limits.trace_mb, limits.trace_s)");
	expect_refusal(b, "trace", "{'call_id':'c1','limit':-1}", "limit: -1 is not in 1..10000");
	expect_refusal(b, "trace", "{}", "call_id: is missing");
	fake_dataplane(b->dataplane)->config.limits.trace_mb = 0;
	expect_refusal(b, "trace", "{'call_id':'c1'}", "nothing is kept: limits.trace_mb is 0");
}

static void expect_ladder(const char *json, const char *want)
{
	json_t *messages = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	assert_non_null(messages);
	ladder_print(messages, f);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
	json_decref(messages);
}

#define AT(time, direction, remote, line) \
	"{\"time\":\"2026-01-0" time "Z\",\"direction\":\"" direction "\",\"remote\":\"" remote "\",\"first_line\":\"" line "\"}"

static void ladders(void **state)
{
	expect_ladder("[]", "\n");
	expect_ladder("[" AT("2T23:59:59.999", "in", "1.2.3.4:5", "INVITE sip:b SIP/2.0") "," AT("3T00:00:00.001", "out", "5.6.7.8:9", "INVITE sip:b")
		      "," AT("3T00:00:00.002", "in", "5.6.7.8:9", "SIP/2.0 180 Ringing") "," AT("3T00:00:00.002", "out", "1.2.3.4:5",
												"SIP/2.0 180 \\u001b[2J") "]",
		      "          1.2.3.4:5     strowger      5.6.7.8:9\n"
		      "2026-01-02 (UTC)\n"
		      "23:59:59.999  │───INVITE───▶│             │   INVITE sip:b SIP/2.0\n"
		      "2026-01-03 (UTC)\n"
		      "00:00:00.001  │             │───INVITE───▶│   INVITE sip:b\n"
		      "00:00:00.002  │             │◀────180─────│   SIP/2.0 180 Ringing\n"
		      "00:00:00.002  │◀────180─────│             │   SIP/2.0 180 ?[2J\n");
	/* What Strowger begins itself, and a method longer than the arrow. */
	expect_ladder("[" AT("2T00:00:00.000", "out", "1.2.3.4:5", "ABCDEFGHIJKLMNOPQ x") "]",
		      "          1.2.3.4:5     strowger\n2026-01-02 (UTC)\n00:00:00.000  │◀─ABCDEFGHI──│   ABCDEFGHIJKLMNOPQ x\n");
}

/* More parties than columns: they share the last one. */
static void wide_ladder(void **state)
{
	json_t *messages = json_array();
	char *text = NULL, remote[32];
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	for (int i = 0; i < 40; i++) {
		snprintf(remote, sizeof(remote), "10.0.0.%d:5060", i);
		json_array_append_new(messages, json_pack("{s:s, s:s, s:s, s:s}", "time", "2026-01-01T00:00:00.000Z", "direction", "out", "remote",
							  remote, "first_line", "BYE x SIP/2.0"));
	}
	ladder_print(messages, f);
	fclose(f);
	assert_non_null(strstr(text, "10.0.0.22:5060\n"));
	free(text);
	json_decref(messages);
}

/* ---- pcap */

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t folded(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void pcaps(void **state)
{
	static const struct {
		const char *from, *to, *data;
		uint32_t len;
		unsigned ip_bytes;
	} cases[] = {
		{ "10.0.0.1:5060", "10.0.0.2:5061", "odd", 3, 20 },
		{ "10.0.0.1:5060", "10.0.0.2:5061", "even", 4, 20 },
		{ "10.0.0.1:5060", "10.0.0.2:5061", "", 0, 20 },
		{ "[2001:db8::1]:1", "[2001:db8::ffff]:65535", "odd", 3, 40 },
		{ "[2001:db8::1]:1", "[2001:db8::ffff]:65535", "cut", 9000, 40 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_port from = end_of(cases[i].from), to = end_of(cases[i].to);
		uint32_t kept = (uint32_t)strlen(cases[i].data), record[4];
		uint8_t *file = NULL, *ip, *udp;
		size_t bytes;
		FILE *f = open_memstream((char **)&file, &bytes);

		assert_int_equal(pcap_begin(f), 0);
		assert_int_equal(pcap_datagram(f, 1700000000123, &from, &to, (const uint8_t *)cases[i].data, kept, cases[i].len), 0);
		fclose(f);
		memcpy(record, file + 24, sizeof(record));
		assert_int_equal(record[0], 1700000000);
		assert_int_equal(record[1], 123000);
		assert_int_equal(record[2], 14 + cases[i].ip_bytes + 8 + kept);
		assert_int_equal(record[3], 14 + cases[i].ip_bytes + 8 + cases[i].len);
		assert_int_equal(bytes, 24 + 16 + record[2]);
		ip = file + 40 + 14;
		udp = ip + cases[i].ip_bytes;
		assert_int_equal(get16(udp), from.port);
		assert_int_equal(get16(udp + 2), to.port);
		assert_int_equal(get16(udp + 4), 8 + cases[i].len);
		assert_memory_equal(udp + 8, cases[i].data, kept);
		if (cases[i].ip_bytes == 20) {
			assert_int_equal(get16(ip + 2), 28 + cases[i].len);
			assert_int_equal(folded(0, ip, 20), 0xffff);
		} else {
			assert_int_equal(get16(ip + 4), 8 + cases[i].len);
		}
		if (kept == cases[i].len) { /* with its pseudo header it sums up to all ones */
			uint32_t sum = folded(17 + 8 + kept, from.ip.bytes, 16);

			assert_int_equal(folded(folded(sum, to.ip.bytes, 16), udp, 8 + kept), 0xffff);
		} else {
			assert_int_equal(get16(udp + 6), 0);
		}
		free(file);
	}
}

static void no_pcap(void **state)
{
	struct ip_port v4 = end_of("10.0.0.1:5060"), v6 = end_of("[::1]:5060");
	FILE *f = fopen("/dev/null", "w");

	assert_int_equal(pcap_datagram(f, 0, &v4, &v6, NULL, 0, 0), -1);
	assert_int_equal(pcap_datagram(f, 0, &v4, &v4, (const uint8_t *)"ab", 2, 1), -1);
	assert_int_equal(pcap_datagram(f, 0, &v4, &v4, NULL, 0, 65536), -1);
	fclose(f);
}

/* ---- bytes and characters */

static void base64(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" } };
	static const char *const wrong[] = { "Zg=", "Z", "Zg==Zg==", "Z===", "Zm9*", "====" };
	uint8_t every[256], back[258];
	char text[BASE64_BYTES(256)];
	size_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(base64_encode(cases[i].bytes, strlen(cases[i].bytes), text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(base64_decode(text, strlen(text), back, &n), 0);
		assert_int_equal(n, strlen(cases[i].bytes));
		assert_memory_equal(back, cases[i].bytes, n);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		if (!base64_decode(wrong[i], strlen(wrong[i]), back, &n))
			fail_msg("%s is accepted", wrong[i]);
	for (unsigned i = 0; i < 256; i++)
		every[i] = (uint8_t)i;
	assert_int_equal(base64_encode(every, 256, text), sizeof(text) - 1);
	assert_int_equal(base64_decode(text, sizeof(text) - 1, back, &n), 0);
	assert_int_equal(n, 256);
	assert_memory_equal(back, every, 256);
}

/* Any bytes become text that a strict reader takes; what was UTF-8 stays. */
static void utf8(void **state)
{
	uint8_t bytes[40];
	char text[3 * sizeof(bytes) + 1], again[3 * sizeof(text) + 1];

	for (unsigned round = 0; round < 20000; round++) {
		size_t n = random_next() % sizeof(bytes), m;
		json_t *json;

		for (size_t i = 0; i < n; i++)
			bytes[i] = random_next() % 3 ? (uint8_t)(0x80 | random_next()) : (uint8_t)random_next();
		m = utf8_text(bytes, n, text);
		json = json_stringn(text, m); /* NULL unless it is UTF-8 */
		assert_non_null(json);
		json_decref(json);
		assert_int_equal(utf8_text(text, m, again), m);
		assert_memory_equal(again, text, m);
	}
}

static void printable(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = { { "plain \xc3\xbc", "plain \xc3\xbc" }, { "\x1b[31m\x7f\r\n", "?[31m???" }, { "\xc2\x9b" "2J", "??2J" }, { "\xc2\xa0", "\xc2\xa0" },
		      { "\xc2", "\xc2" } };
	char text[32];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		strcpy(text, cases[i].from);
		text_printable(text);
		assert_string_equal(text, cases[i].to);
	}
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BENCH(calls),	   WITH_BENCH(connections),   WITH_BENCH(trace),	      cmocka_unit_test(ladders), cmocka_unit_test(wide_ladder), cmocka_unit_test(pcaps),
		cmocka_unit_test(no_pcap), cmocka_unit_test(base64), cmocka_unit_test(utf8),	 cmocka_unit_test(printable),
	};

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
