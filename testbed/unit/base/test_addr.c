/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/cpu.h"
#include "base/err.h"
#include "base/siphash.h"

/* A copy without a byte to spare, so that a sanitizer sees a read past the end. */
static struct span exact(const char *s)
{
	uint32_t n = (uint32_t)strlen(s);
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, s, n);
	return span_of(copy, n);
}

static void parses_and_formats(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "256.0.0.1", NULL },
		{ "01.2.3.4", NULL },
		{ "1.2.3", NULL },
		{ "1.2.3.4.5", NULL },
		{ "1.2.3.4 ", NULL },
		{ "1..3.4", NULL },
		{ "1.2.3.0004", NULL },
		{ "", NULL },
		{ "[", NULL },
		{ "[]", NULL },
		{ ":", NULL },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "[::1]", "::1" },
		{ "[::1", NULL },
		{ "::1]", NULL },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "1:0:0:4:5:6:7:8", "1::4:5:6:7:8" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "1:2:3:4::5:6:7:8", NULL },
		{ "1:2:3:4:5:6:7", NULL },
		{ "1::2::3", NULL },
		{ "1:::2", NULL },
		{ ":1:2:3:4:5:6:7", NULL },
		{ "1:2:3:4:5:6:7:", NULL },
		{ "12345::", NULL },
		{ "g::", NULL },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "::FFFF:c000:0201", "::ffff:192.0.2.1" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201" },
		{ "1:2:3:4:5:6:7:192.0.2.1", NULL },
		{ "::192.0.2.256", NULL },
		{ "::192.0.2.1:1", NULL },
		{ "fe80::1%eth0", NULL },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct span text = exact(cases[i].in);
		struct ip_addr ip;
		char out[IP_TEXT_MAX + 2];
		int r = ip_parse(text, &ip);

		if (!cases[i].out != (r == -ERR_INVALID))
			fail_msg("%s: %d", cases[i].in, r);
		if (r == 0) {
			uint32_t n = ip_format(&ip, false, out);

			assert_int_equal(n, strlen(out));
			assert_string_equal(out, cases[i].out);
		}
		free((void *)text.p);
	}
}

static void ports(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1:5060" },
		{ "10.0.0.1:5070", "10.0.0.1:5070" },
		{ "10.0.0.1:65535", "10.0.0.1:65535" },
		{ "10.0.0.1:65536", NULL },
		{ "10.0.0.1:0", NULL },
		{ "10.0.0.1:", NULL },
		{ "10.0.0.1:x", NULL },
		{ ":5060", NULL },
		{ "[2001:db8::1]:5061", "[2001:db8::1]:5061" },
		{ "[2001:db8::1]", "[2001:db8::1]:5060" },
		{ "2001:db8::1", "[2001:db8::1]:5060" },
		{ "[2001:db8::1]5061", NULL },
		{ "[2001:db8::1]:", NULL },
		{ "host:5060", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct span text = exact(cases[i].in);
		struct ip_port addr;
		char out[IP_PORT_TEXT_MAX];
		int r = ip_port_parse(text, 5060, &addr);

		if (!cases[i].out != (r == -ERR_INVALID))
			fail_msg("%s: %d", cases[i].in, r);
		if (r == 0) {
			uint32_t n = ip_port_format(&addr, out);

			assert_int_equal(n, strlen(out));
			assert_string_equal(out, cases[i].out);
		}
		free((void *)text.p);
	}
}

static void prefixes(void **state)
{
	static const struct {
		const char *prefix, *inside, *outside; /* inside NULL: refused */
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
		{ "10.1.2.3", "10.1.2.3", "10.1.2.2" },
		{ "192.168.4.0/22", "192.168.7.255", "192.168.8.0" },
		{ "0.0.0.0/0", "1.2.3.4", "::" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
		{ "::1", "::1", "::" },
		{ "::/0", "2001::", "0.0.0.0" },
		{ "10.0.0.1/8", NULL, NULL },
		{ "10.0.0.0/33", NULL, NULL },
		{ "10.0.0.0/", NULL, NULL },
		{ "::/129", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct span text = exact(cases[i].prefix);
		struct ip_prefix prefix;
		struct ip_addr in, out;
		int r = ip_prefix_parse(text, &prefix);

		if (!cases[i].inside != (r == -ERR_INVALID))
			fail_msg("%s: %d", cases[i].prefix, r);
		free((void *)text.p);
		if (r)
			continue;
		assert_int_equal(ip_parse(span_str(cases[i].inside), &in), 0);
		assert_int_equal(ip_parse(span_str(cases[i].outside), &out), 0);
		assert_true(ip_prefix_contains(&prefix, &in));
		assert_false(ip_prefix_contains(&prefix, &out));
	}
}

/* IPv4 is compared as a number: every length, with a difference at every bit. */
static void prefixes_agree(void **state)
{
	for (unsigned length = 0; length <= 32; length++)
		for (unsigned bit = 0; bit <= 32; bit++) {
			struct ip_addr ip = { .family = IP_V4, .bytes = { 0xa5, 0x3c, 0x0f, 0x96 } };
			struct ip_prefix prefix = { .ip = ip, .length = (uint8_t)length };

			if (bit < 32)
				ip.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			if (ip_prefix_contains(&prefix, &ip) != (bit >= length) || ip_prefix_has(&prefix, &ip) != (bit >= length))
				fail_msg("/%u, bit %u", length, bit);
		}
}

static void formats_with_brackets(void **state)
{
	struct ip_addr v4, v6;
	char out[IP_TEXT_MAX + 2];

	assert_int_equal(ip_parse(SPAN_LIT("192.0.2.7"), &v4), 0);
	assert_int_equal(ip_parse(SPAN_LIT("2001:db8::7"), &v6), 0);
	ip_format(&v4, true, out);
	assert_string_equal(out, "192.0.2.7");
	ip_format(&v6, true, out);
	assert_string_equal(out, "[2001:db8::7]");
	assert_false(ip_eq(&v4, &v6));
}

/* Every instruction set against the scalar loop: octets of all sizes and shapes, with a byte changed, and cut off. */
static void quads_agree(void **state)
{
	static const char *const octets[] = { "0", "7", "00", "07", "10", "99", "099", "100", "199", "249", "250", "255", "256", "300", "999", "1000", "" };
	static const char bytes[] = "./09:a \xff";
	size_t count = sizeof(octets) / sizeof(*octets);
	uint64_t seed = 0x5eed;

	for (uint32_t round = 0; round < 200000; round++) {
		uint32_t r = (uint32_t)((seed = mix64(seed + 1)) >> 20);
		char text[32];
		uint32_t n = (uint32_t)snprintf(text, sizeof(text), "%s.%s.%s.%s", octets[r % count], octets[r / 32 % count],
						octets[r / 1024 % count], octets[r / 32768 % count]);
		struct ip_addr ip = { 0 }, again = { 0 };
		struct span s;
		int rc;

		if (seed % 4 == 0)
			text[(seed >> 8) % n] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
		if (seed % 16 == 1)
			text[n = (uint32_t)((seed >> 8) % n)] = 0;
		s = exact(text);
		cpu_select(CPU_SCALAR);
		rc = ip_parse(s, &ip);
		for (int level = CPU_AVX2; level < CPU_LEVELS; level++)
			if (cpu_select((enum cpu_level)level) && (ip_parse(s, &again) != rc || (rc == 0 && !ip_eq(&ip, &again))))
				fail_msg("read otherwise: '%s'", text);
		free((void *)s.p);
	}
}

/* Ports, lengths and the like: no more than allowed, and nothing that came around. */
static void numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t value;
	} cases[] = {
		{ "0", 0, true, 0 },
		{ "00065535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "30000000000000000000", UINT64_MAX, false, 0 },
		{ "", 9, false, 0 },
		{ "-1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span text = exact(cases[i].text);
		uint64_t value = 77;

		if (span_to_u64(text, cases[i].max, &value) != cases[i].good || value != (cases[i].good ? cases[i].value : 77))
			fail_msg("%s: %llu", cases[i].text, (unsigned long long)value);
		free((uint8_t *)text.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_formats),
		cmocka_unit_test(ports),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(prefixes_agree),
		cmocka_unit_test(formats_with_brackets),
		cmocka_unit_test(quads_agree),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
