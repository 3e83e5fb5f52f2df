/* SPDX-License-Identifier: Apache-2.0 */
/* Call records as JSON: every field, and whatever bytes the network sent. */
#include "fixture.h"

#include <jansson.h>

#include "cdr_line.h"
#include "fake_dataplane.h"
#include "tables/tables.h"
#include "tables/trunks.h"

static struct dataplane *dataplane;

static uint32_t add_trunk(const char *name)
{
	struct trunk t = { .id = trunk_id(span_str(name)), .profile_slot = PROFILE_NONE };
	uint32_t slot;

	strcpy(t.name, name);
	assert_int_equal(trunks_add(dataplane_tables(dataplane)->trunks, &t, &slot), 0);
	return t.id;
}

static const char *line_of(const struct call_record *r)
{
	static char line[CDR_LINE_MAX];
	size_t n = cdr_line(r, dataplane_tables(dataplane)->trunks, line);

	assert_int_equal(n, strlen(line));
	assert_int_equal(line[n - 1], '\n');
	assert_null(memchr(line, '\n', n - 1));
	return line;
}

static void set(char *field, uint8_t *len, const char *text)
{
	*len = (uint8_t)strlen(text);
	memcpy(field, text, *len);
}

static struct ip_port end_of(const char *text)
{
	struct ip_port a;

	assert_int_equal(ip_port_parse(span_str(text), 0, &a), 0);
	return a;
}

static struct call_record example(uint32_t carrier, uint32_t first)
{
	struct call_record r = {
		.id = 0xabc, .kind = RECORD_END, .end = RECORD_ENDED_BY_TARGET, .status = 200, .node = 7, .worker = 1, .attempt_count = 2,
		.arrived_unix_ms = 1767225599987, .progress_ms = 120, .answered_ms = 2500, .ended_ms = 62501,
		.number = number_of("442035550100"), .source_trunk_id = carrier, .profile = "in", .source = end_of("10.0.0.9:5060"), .cause = 38,
	};

	set(r.call_id, &r.call_id_len, "a84b4c@pc33");
	set(r.from, &r.from_len, "alice");
	set(r.to, &r.to_len, "02035550100");
	r.attempts[0] = (struct attempt_record){ .trunk_id = first, .endpoint = end_of("[2001:db8::1]:5070"), .code = 503, .cause = 34,
						 .result = ATTEMPT_RECORD_CODE, .started_ms = 0, .duration_ms = 20 };
	r.attempts[1] = (struct attempt_record){ .trunk_id = 0x1234, .endpoint = end_of("10.0.1.1:5060"), .code = 200,
						 .result = ATTEMPT_RECORD_ANSWERED, .started_ms = 20, .duration_ms = 2480 };
	return r;
}

static void a_whole_call(void **state)
{
	struct call_record r = example(add_trunk("carrier"), add_trunk("first"));

	assert_string_equal(
		line_of(&r),
		"{\"type\":\"end\",\"id\":\"0000000000000abc\",\"call_id\":\"a84b4c@pc33\",\"from\":\"alice\",\"to\":\"02035550100\","
		"\"number\":\"+442035550100\",\"source\":{\"address\":\"10.0.0.9:5060\",\"trunk\":\"carrier\"},\"profile\":\"in\",\"node\":7,"
		"\"worker\":1,\"arrived\":\"2025-12-31T23:59:59.987Z\",\"progress_ms\":120,\"answered_ms\":2500,\"ended_ms\":62501,"
		"\"duration_ms\":60001,\"status\":200,\"end\":\"target\",\"q850\":38,\"attempts\":["
		"{\"result\":\"retry_code\",\"target\":\"in/first\",\"trunk\":\"first\",\"endpoint\":\"[2001:db8::1]:5070\",\"code\":503,\"q850\":34,"
		"\"started_ms\":0,\"duration_ms\":20},"
		"{\"result\":\"answered\",\"target\":\"in/00001234\",\"trunk\":\"00001234\",\"endpoint\":\"10.0.1.1:5060\",\"code\":200,\"q850\":null,"
		"\"started_ms\":20,\"duration_ms\":2480}]}\n");
}

static void nothing_known(void **state)
{
	struct call_record r = { .kind = RECORD_FOREIGN_END, .attempt_count = 1 };

	assert_string_equal(
		line_of(&r),
		"{\"type\":\"foreign_end\",\"id\":\"0000000000000000\",\"call_id\":\"\",\"from\":\"\",\"to\":\"\",\"number\":null,"
		"\"source\":{\"address\":null,\"trunk\":null},\"profile\":null,\"node\":0,\"worker\":0,\"arrived\":\"1970-01-01T00:00:00.000Z\","
		"\"progress_ms\":null,\"answered_ms\":null,\"ended_ms\":null,\"duration_ms\":null,\"status\":null,\"end\":\"caller\",\"q850\":null,"
		"\"attempts\":[{\"result\":\"pending\",\"target\":null,\"trunk\":null,\"endpoint\":null,\"code\":null,\"q850\":null,\"started_ms\":0,"
		"\"duration_ms\":0}]}\n");
}

/* Text from the network, and what a reader of the JSON gets. */
static void odd_bytes(void **state)
{
	static const struct {
		const char *bytes;
		unsigned n;
		const char *read; /* UTF-8 */
	} cases[] = {
		{ "plain", 5, "plain" },
		{ "a\"b\\c/d", 7, "a\"b\\c/d" },
		{ "\t\r\n\x1b[2J\x7f", 8, "\t\r\n\x1b[2J\x7f" },
		{ "a\0b", 3, "a\xef\xbf\xbd" "b" },
		{ "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x93\x9e", 16, "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x93\x9e" },
		{ "Z\xfcrich", 6, "Z\xc3\xbcrich" },			   /* Latin-1 */
		{ "cut \xe2\x82", 6, "cut \xc3\xa2\xc2\x82" },		   /* at the end of the field */
		{ "\xc0\xaf", 2, "\xc3\x80\xc2\xaf" },			   /* overlong */
		{ "\xe0\x9f\xbf", 3, "\xc3\xa0\xc2\x9f\xc2\xbf" },	   /* overlong */
		{ "\xed\xa0\x80", 3, "\xc3\xad\xc2\xa0\xc2\x80" },	   /* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "\xc3\xb4\xc2\x90\xc2\x80\xc2\x80" }, /* beyond Unicode */
		{ "\xff\xfe", 2, "\xc3\xbf\xc3\xbe" },
		{ "\x80", 1, "\xc2\x80" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call_record r = { .kind = RECORD_START };
		json_error_t problem;
		json_t *json;

		memcpy(r.call_id, cases[i].bytes, cases[i].n);
		memcpy(r.from, cases[i].bytes, cases[i].n);
		memcpy(r.to, cases[i].bytes, cases[i].n);
		r.call_id_len = r.from_len = r.to_len = (uint8_t)cases[i].n;
		json = json_loads(line_of(&r), JSON_REJECT_DUPLICATES, &problem);
		if (!json)
			fail_msg("case %u: %s: %s", i, problem.text, line_of(&r));
		assert_string_equal(json_string_value(json_object_get(json, "call_id")), cases[i].read);
		assert_string_equal(json_string_value(json_object_get(json, "from")), cases[i].read);
		assert_string_equal(json_string_value(json_object_get(json, "to")), cases[i].read);
		json_decref(json);
	}
}

/* The longest that a record can say fits, also where every byte needs six. */
static void the_longest(void **state)
{
	struct call_record r;
	json_t *json;

	memset(&r, 1, sizeof(r));
	r.attempt_count = ATTEMPTS_MAX;
	r.call_id_len = sizeof(r.call_id);
	r.from_len = r.to_len = sizeof(r.from);
	r.source.ip.family = IP_V6;
	r.number = number_of("123456789012345");
	for (unsigned i = 0; i < ATTEMPTS_MAX; i++)
		r.attempts[i].endpoint.ip.family = IP_V6;
	json = json_loads(line_of(&r), 0, NULL);
	assert_non_null(json);
	assert_int_equal(json_array_size(json_object_get(json, "attempts")), ATTEMPTS_MAX);
	json_decref(json);
}

/* A record comes out of a file: no length or word in it is trusted. */
static void out_of_range(void **state)
{
	struct call_record r;
	json_t *json;

	memset(&r, 0xff, sizeof(r));
	json = json_loads(line_of(&r), 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "type")), "unknown");
	assert_int_equal(json_array_size(json_object_get(json, "attempts")), ATTEMPTS_MAX);
	json_decref(json);
}

static void words(void **state)
{
	static const struct {
		enum record_kind kind;
		enum record_end end;
		const char *type, *how;
	} cases[] = {
		{ RECORD_START, RECORD_ENDED_BY_CALLER, "start", NULL },
		{ RECORD_END, RECORD_EXPIRED, "end", "expired" },
		{ RECORD_FAILED, RECORD_CANCELLED, "failed", "cancelled" },
		{ RECORD_FAILED, RECORD_REJECTED, "failed", "rejected" },
		{ RECORD_FAILED, RECORD_EXHAUSTED, "failed", "exhausted" },
		{ RECORD_FOREIGN_END, RECORD_ENDED_BY_TARGET, "foreign_end", "target" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct call_record r = { .id = 0xfedcba9876543210 + i, .kind = cases[i].kind, .end = cases[i].end, .ended_ms = 9 };
		json_t *json = json_loads(line_of(&r), 0, NULL);
		uint64_t id;
		uint8_t kind;

		assert_string_equal(json_string_value(json_object_get(json, "type")), cases[i].type);
		if (cases[i].how)
			assert_string_equal(json_string_value(json_object_get(json, "end")), cases[i].how);
		else
			assert_true(json_is_null(json_object_get(json, "end")));
		assert_int_equal(json_is_null(json_object_get(json, "ended_ms")), cases[i].kind == RECORD_START);
		assert_true(json_is_null(json_object_get(json, "duration_ms")));
		json_decref(json);
		assert_true(cdr_line_identity(line_of(&r), strlen(line_of(&r)), &id, &kind));
		assert_int_equal(id, r.id);
		assert_int_equal(kind, cases[i].kind);
	}
}

static void strange_lines(void **state)
{
	static const char *const lines[] = { "", "{}", "{\"type\":\"start\"}", "{\"type\":\"what\",\"id\":\"00\"}", "{\"type\":\"start\",\"id\":7}",
					     "{\"id\":\"0000000000000001\",\"type\":\"start\"}" };
	uint64_t id;
	uint8_t kind;

	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		assert_false(cdr_line_identity(lines[i], strlen(lines[i]), &id, &kind));
}

static void times(void **state)
{
	static const struct {
		uint64_t unix_ms;
		const char *text;
	} cases[] = { { 0, "1970-01-01T00:00:00.000Z" }, { 951782400001, "2000-02-29T00:00:00.001Z" }, { UINT64_MAX, NULL } };
	char text[CDR_TIME_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		cdr_time(cases[i].unix_ms, text);
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
		assert_true(strlen(text) < sizeof(text));
	}
}

int main(void)
{
	static const struct tables_limits room = { .workers = 1, .numbers = 64, .prefixes = 8, .profiles = 8, .trunks = 8, .endpoints = 8 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_call), cmocka_unit_test(nothing_known), cmocka_unit_test(odd_bytes),	  cmocka_unit_test(the_longest),
		cmocka_unit_test(out_of_range), cmocka_unit_test(words),	 cmocka_unit_test(strange_lines), cmocka_unit_test(times),
	};
	int failed;

	eal_for_test("96");
	dataplane = fake_dataplane_new(&room);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_dataplane_free(dataplane);
	return failed;
}
