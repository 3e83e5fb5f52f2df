/* SPDX-License-Identifier: Apache-2.0 */
#include "exact.h"

#include <stdio.h>

#include "sip/message.h"
#include "sip/name_addr.h"
#include "sip/party.h"
#include "sip/uri.h"

#define ROUNDS 200000

/* By the readers of everything: what party_user promises. */
static struct span user_by_parts(struct span value)
{
	struct name_addr element;
	struct sip_uri uri;

	if (name_addr_next(&value, &element) != 1 || uri_parse(element.uri, &uri) < 0 || uri.scheme == URI_OTHER)
		return (struct span){ 0, 0 };
	return uri.user;
}

/* ... and what party_is_at does. */
static bool elsewhere_by_parts(struct span value, struct span host)
{
	struct name_addr element;
	struct sip_uri uri;

	return name_addr_next(&value, &element) == 1 && uri_parse(element.uri, &uri) == 0 && uri.scheme != URI_OTHER && !span_eq(uri.host, host);
}

static void users(void **state)
{
	static const struct {
		const char *value, *user;
	} cases[] = {
		{ "<sip:alice@example.org>;tag=1", "alice" },
		{ "<sip:+4930123456@10.1.2.3>", "+4930123456" },
		{ "\"Alice, \\\"Al\\\" <x@y>\" <sip:al-ice@example.org>;tag=1", "al-ice" },
		{ "\"\"<sip:alice@example.org>", "alice" },
		{ "Alice <sip:alice@example.org>", "alice" },
		{ "<sip:alice@example.org;user=phone>", "alice" },
		{ "<sip:alice@example.org;user=phone?subject=x>", "alice" },
		{ "<sip:alice@example.org?subject=x>", "alice" },
		{ "<sip:alice@example.org:5060>", "alice" },
		{ "<sip:alice@example.org:0>", "" },
		{ "<sip:alice@example.org:65536>", "" },
		{ "<sip:alice;a=b/c?d@example.org>", "alice;a=b/c?d" },
		{ "<sip:alice:secret@example.org>", "alice" },
		{ "<sip:@example.org>", "" },
		{ "<sip:alice@>", "" },
		{ "<sip:alice@[::1]>", "alice" },
		{ "<sip:alice@[::1>", "" },
		{ "<sip:alice@b@c>", "" },
		{ "<sip:alice@b%20>", "" },
		{ "<sip:alice@b;x y>", "" },
		{ "<sip:example.org>;a=x@y", "" },
		{ "<sip:example.org;a=x@y>", "example.org;a=x" },
		{ "<SIP:alice@example.org>", "alice" },
		{ "<sips:alice@example.org>", "alice" },
		{ "<tel:+4930123456>", "+4930123456" },
		{ "<tel:alice@example.org>", "alice@example.org" },
		{ "<mailto:alice@example.org>", "" },
		{ "sip:alice@example.org;tag=1", "alice" },
		{ "< sip:alice@example.org >", "alice" },
		{ "\"never closed <sip:alice@example.org>", "" },
		{ "<sip:", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span value = exact_str(cases[i].value), user = party_user(value);

		if (!span_eq(user, span_str(cases[i].user)))
			fail_msg("%s: %.*s", cases[i].value, (int)user.n, (const char *)user.p);
		exact_free(value);
	}
}

static void places(void **state)
{
	static const struct {
		const char *value, *host;
		bool there;
	} cases[] = {
		{ "<sip:alice@10.1.2.3:5060>", "10.1.2.3", true },
		{ "<sip:alice@10.1.2.3>;expires=3", "10.1.2.3", true },
		{ "<sip:alice@10.1.2.3;transport=tcp>", "10.1.2.3", true },
		{ "\"A\" <sip:alice@10.1.2.3>", "10.1.2.3", true },
		{ "<sip:alice@[::1]:5060>", "[::1]", true },
		{ "<sip:alice@10.1.2.3>", "10.1.2.30", false },
		{ "<sip:alice@10.1.2.30>", "10.1.2.3", false },
		{ "<sip:alice@10.1.2.3.example>", "10.1.2.3", false },
		{ "<sip:alice@10.1.2.3", "10.1.2.3", false },
		{ "<sip:bob@10.9.9.9>;x=@10.1.2.3>", "10.1.2.3", false },
		{ "<sip:10.9.9.9>;x=<sip:a@10.1.2.3>", "10.1.2.3", false },
		{ "<sip:alice:pw@10.1.2.3>", "10.1.2.3", false }, /* perhaps */
		{ "<tel:alice@10.1.2.3>", "10.1.2.3", false },
		{ "*", "10.1.2.3", false },
		{ "", "10.1.2.3", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span value = exact_str(cases[i].value);

		if (party_is_at(value, span_str(cases[i].host)) != cases[i].there)
			fail_msg("%s, %s", cases[i].value, cases[i].host);
		exact_free(value);
	}
}

static uint32_t dice(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33);
}

/* Values with some bytes changed, inserted or left out: never another answer than the careful one. */
static void changed(void **state)
{
	static const char *const values[] = {
		"<sip:+4930123456@10.1.2.3>;tag=a1", "\"A. Lice\" <sip:al@10.1.2.3:5060;user=phone>;tag=a1", "Al <sip:al@10.1.2.3?x=y>", "<sip:10.1.2.3>",
	};
	static const char bytes[] = "<>@:;?,\"\\ sip.1a=[]%\t";
	static struct sip_message m;
	uint64_t seed = 1;
	unsigned read = 0, there = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		char text[128], message[512];
		struct span value, host = SPAN_LIT("10.1.2.3"), user;
		size_t n = strlen(values[round % COUNT_OF(values)]);

		memcpy(text, values[round % COUNT_OF(values)], n + 1);
		for (unsigned i = dice(&seed) % 4; i; i--) {
			size_t at = dice(&seed) % n, leave = dice(&seed) % 3, put = dice(&seed) % 3;
			char rest[128];

			leave = leave < n - at ? leave : n - at;
			memcpy(rest, text + at + leave, n + 1 - at - leave);
			for (size_t k = 0; k < put; k++)
				text[at + k] = bytes[dice(&seed) % (sizeof(bytes) - 1)];
			memcpy(text + at + put, rest, n + 1 - at - leave);
			n = strlen(text);
			if (!n)
				break;
		}
		value = exact_str(text);
		if (party_is_at(value, host)) {
			there++;
			if (elsewhere_by_parts(value, host))
				fail_msg("%s is not there", text);
		}
		exact_free(value);
		snprintf(message, sizeof(message), "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bKx\r\nFrom: %s\r\nTo: <sip:c@d>\r\nCall-ID: q\r\n"
			 "CSeq: 2 BYE\r\n\r\n", text);
		value = exact_str(message);
		if (sip_parse(value.p, value.n, &m) == SIP_OK) {
			read++;
			user = party_user(sip_first(&m, SIP_H_FROM));
			if (!span_eq(user, user_by_parts(sip_first(&m, SIP_H_FROM))))
				fail_msg("%s: %.*s", text, (int)user.n, (const char *)user.p);
		}
		exact_free(value);
	}
	assert_true(read > ROUNDS / 10 && there > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(users), cmocka_unit_test(places), cmocka_unit_test(changed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
