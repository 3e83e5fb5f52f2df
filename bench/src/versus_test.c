/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's checks: what a proxy may do to a message passes, what it may not is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "versus_state.h"
#include "versus_texts.h"

#define SERIALS 200
#define OURS	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours\r\n"

static struct maker *maker;

static int begin(void **state)
{
	struct maker_config config = { "192.0.2.1", "192.0.2.10", { "192.0.2.21", "192.0.2.22" }, 2, 1000, 42 };

	maker = maker_new(&config);
	return maker ? 0 : -1;
}

static int end(void **state)
{
	maker_free(maker);
	return 0;
}

/* In a text, the first `from` becomes `to`. */
static void edit(char *text, const char *from, const char *to)
{
	char after[VERSUS_MESSAGE_MAX], *at = strstr(text, from);

	assert_non_null(at);
	snprintf(after, sizeof(after), "%s", at + strlen(from));
	snprintf(at, VERSUS_MESSAGE_MAX - (size_t)(at - text), "%s%s", to, after);
}

static void invite(uint64_t serial, char *text)
{
	uint32_t len = maker_invite(maker, serial, (uint8_t *)text);

	assert_true(len < VERSUS_MESSAGE_MAX);
	text[len] = 0;
}

/* As a proxy sends an INVITE on. */
static void forwarded(uint64_t serial, char *text)
{
	invite(serial, text);
	edit(text, "Via:", OURS "Via:");
	edit(text, strstr(text, "Max-Forwards: 70") ? "Max-Forwards: 70" : "Max-Forwards:70", "Max-Forwards: 69");
}

static enum verdict target_sees(const char *text, uint64_t *serial, char *answer)
{
	uint32_t len = 0;
	enum verdict verdict = maker_answer(maker, 1, (const uint8_t *)text, (uint32_t)strlen(text), serial, (uint8_t *)answer, &len);

	answer[len] = 0;
	return verdict;
}

static enum verdict caller_sees(const char *text, uint64_t *serial, unsigned *status)
{
	return maker_check(maker, (const uint8_t *)text, (uint32_t)strlen(text), serial, status);
}

static void invites_differ(void **state)
{
	char one[VERSUS_MESSAGE_MAX], other[VERSUS_MESSAGE_MAX];

	for (uint64_t s = 0; s < SERIALS; s++) {
		invite(s, one);
		invite(s + 1, other);
		assert_string_not_equal(strstr(one, "Call-ID"), strstr(other, "Call-ID"));
		assert_null(strpbrk(one, "{}"));
	}
}

static void good_way_passes(void **state)
{
	char text[VERSUS_MESSAGE_MAX], answer[VERSUS_MESSAGE_MAX];

	for (uint64_t s = 0; s < SERIALS; s++) {
		uint64_t serial = UINT64_MAX;
		unsigned status = 0;

		forwarded(s, text);
		edit(text, "\r\n", "\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n");
		assert_int_equal(target_sees(text, &serial, answer), VERDICT_OK);
		assert_int_equal(serial, s);
		assert_non_null(strstr(answer, "Record-Route: <sip:192.0.2.1;lr>\r\n"));
		edit(answer, OURS, "");
		assert_int_equal(caller_sees(answer, &serial, &status), VERDICT_OK);
		assert_int_equal(serial, s);
		assert_int_equal(status, 200);
	}
}

static void trying_passes(void **state)
{
	char text[VERSUS_MESSAGE_MAX], answer[VERSUS_MESSAGE_MAX + 20];
	uint64_t serial = 0;
	unsigned status = 0;

	invite(7, text);
	snprintf(answer, sizeof(answer), "SIP/2.0 100 Trying%s", strstr(text, "\r\n"));
	assert_int_equal(caller_sees(answer, &serial, &status), VERDICT_OK);
	assert_int_equal(serial, 7);
	assert_int_equal(status, 100);
}

static void target_names_what_is_wrong(void **state)
{
	static const struct {
		const char *what, *from, *to;
		enum verdict verdict;
	} cases[] = {
		{ "another method", "INVITE sip:", "OPTIONS sip:", VERDICT_START_LINE },
		{ "no Via of the proxy's", OURS, "", VERDICT_VIA },
		{ "a Via too many", OURS, OURS OURS, VERDICT_VIA },
		{ "the proxy's Via below", "branch=z9hG4bK", "branch=z9hG4bKx", VERDICT_OK },
		{ "Max-Forwards not counted", "Max-Forwards: 69", "Max-Forwards: 70", VERDICT_HEADERS },
		{ "another From tag", ";tag=", ";tag=0", VERDICT_HEADERS },
		{ "another CSeq", " INVITE\r\n", "0 INVITE\r\n", VERDICT_HEADERS },
		{ "a Call-ID cut short", "@192.0.2.10\r\nCSeq", "\r\nCSeq", VERDICT_STRANGER },
		{ "a body cut short", "a=sendrecv\r\n", "", VERDICT_NOT_SIP },
		{ "another body", "a=sendrecv", "a=sendonly", VERDICT_BODY },
		{ "no Call-ID", "Call-ID", "Cell-ID", VERDICT_NOT_SIP },
	};
	char text[VERSUS_MESSAGE_MAX], answer[VERSUS_MESSAGE_MAX];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t serial, s = 0;

		/* The desk phone's text has all that the cases change. */
		do {
			forwarded(s++, text);
		} while (!strstr(text, "Deskphone"));
		edit(text, cases[i].from, cases[i].to);
		print_message("%s\n", cases[i].what);
		assert_int_equal(target_sees(text, &serial, answer), cases[i].verdict);
	}
	forwarded(1, text);
	strstr(text, "+442035")[7] ^= 1;
	assert_int_equal(target_sees(text, &(uint64_t){ 0 }, answer), VERDICT_START_LINE);
}

static void caller_names_what_is_wrong(void **state)
{
	static const struct {
		const char *what, *from, *to;
		enum verdict verdict;
	} cases[] = {
		{ "a refusal", "SIP/2.0 200 OK", "SIP/2.0 503 Service Unavailable", VERDICT_REFUSED },
		{ "no status", "SIP/2.0 200 OK", "SIP/2.0 OK", VERDICT_START_LINE },
		{ "the proxy's Via left in", "SIP/2.0 200 OK\r\n", "SIP/2.0 200 OK\r\n" OURS, VERDICT_VIA },
		{ "no Via", "Via", "Xia", VERDICT_VIA },
		{ "another target's tag", "b\r\nCall-ID", "a\r\nCall-ID", VERDICT_BODY },
		{ "no target's tag", "b\r\nCall-ID", "z\r\nCall-ID", VERDICT_HEADERS },
		{ "another CSeq", " INVITE\r\n", "0 INVITE\r\n", VERDICT_HEADERS },
		{ "another body", "a=rtpmap:8 PCMA", "a=rtpmap:8 PCMB", VERDICT_BODY },
	};
	char text[VERSUS_MESSAGE_MAX], answer[VERSUS_MESSAGE_MAX];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t serial;
		unsigned status;

		forwarded(i, text);
		assert_int_equal(target_sees(text, &serial, answer), VERDICT_OK);
		edit(answer, OURS, "");
		edit(answer, cases[i].from, cases[i].to);
		print_message("%s\n", cases[i].what);
		assert_int_equal(caller_sees(answer, &serial, &status), cases[i].verdict);
	}
}

static void delays_are_kept_to_a_sixteenth(void **state)
{
	uint64_t buckets[DELAY_BUCKETS] = { 0 };

	for (uint32_t us = 0; us < 4000000; us += 1 + us / 50) {
		uint32_t upper = delay_of_bucket(delay_bucket(us));

		assert_true(upper >= us && upper - us <= us / 16);
	}
	for (uint32_t us = 1; us <= 1000; us++)
		buckets[delay_bucket(us)]++;
	assert_in_range(delay_quantile(buckets, 0.5), 500, 531);
	assert_in_range(delay_quantile(buckets, 0.99), 990, 1023);
}

/* Who calls by a stream says so in Via, and in no other way writes another message. */
static void transports_are_named(void **state)
{
	static const char *const names[] = { "SIP/2.0/UDP ", "SIP/2.0/TCP ", "SIP/2.0/TLS " };
	struct maker_config config = { "192.0.2.1", "192.0.2.10", .it = { "192.0.2.21" }, .targets = 1, .numbers = 10 };

	for (unsigned i = 0; i < 3; i++) {
		char text[VERSUS_MESSAGE_MAX + 1];
		struct maker *m;

		config.transport = (enum versus_transport)i;
		m = maker_new(&config);
		assert_non_null(m);
		for (uint64_t serial = 0; serial < SERIALS; serial++) {
			text[maker_invite(m, serial, (uint8_t *)text)] = 0;
			assert_non_null(strstr(text, names[i]));
		}
		maker_free(m);
	}
}

static void messages_are_found_in_a_stream(void **state)
{
	static const struct {
		const char *what, *bytes;
		uint32_t len;
	} cases[] = {
		{ "nothing", "", 0 },
		{ "a head without its end", "SIP/2.0 200 OK\r\nContent-Length: 0\r\n", 0 },
		{ "a head alone", "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", 37 },
		{ "no blank in front of the length", "SIP/2.0 200 OK\r\nContent-Length:0\r\n\r\n", 36 },
		{ "a body that is not all there", "SIP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nabc", 0 },
		{ "a body and the next message", "SIP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nabcdSIP/2.0", 41 },
		{ "no length: no body", "SIP/2.0 100 Trying\r\n\r\nSIP", 22 },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (stream_message_bytes((const uint8_t *)cases[i].bytes, (uint32_t)strlen(cases[i].bytes)) != cases[i].len)
			fail_msg("%s", cases[i].what);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invites_differ),
		cmocka_unit_test(good_way_passes),
		cmocka_unit_test(trying_passes),
		cmocka_unit_test(target_names_what_is_wrong),
		cmocka_unit_test(caller_names_what_is_wrong),
		cmocka_unit_test(delays_are_kept_to_a_sixteenth),
		cmocka_unit_test(transports_are_named),
		cmocka_unit_test(messages_are_found_in_a_stream),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
