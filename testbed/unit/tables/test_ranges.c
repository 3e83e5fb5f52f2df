/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "tables/ranges.h"

static void test_cases(void **state)
{
	static const struct {
		const char *prefixes[6]; /* the value is the place in the list */
		struct {
			const char *ip;
			uint32_t value;
		} lookups[8];
	} cases[] = {
		{ { NULL }, { { "0.0.0.0", RANGES_NONE }, { "255.255.255.255", RANGES_NONE }, { "::", RANGES_NONE } } },
		{ { "0.0.0.0/0" }, { { "0.0.0.0", 0 }, { "255.255.255.255", 0 }, { "::", RANGES_NONE } } },
		{ { "::/0" }, { { "::", 0 }, { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0 }, { "1.2.3.4", RANGES_NONE } } },
		{ { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3" },
		  { { "9.255.255.255", RANGES_NONE }, { "10.0.0.0", 0 }, { "10.1.0.0", 1 }, { "10.1.2.2", 2 }, { "10.1.2.3", 3 },
		    { "10.1.3.0", 1 }, { "10.2.0.0", 0 }, { "11.0.0.0", RANGES_NONE } } },
		{ { "10.1.0.0/16", "10.1.0.0/16" }, { { "10.1.0.0", 1 }, { "10.1.255.255", 1 }, { "10.2.0.0", RANGES_NONE } } },
		{ { "10.0.0.0/8", "10.255.0.0/16", "11.0.0.0/8" },
		  { { "10.254.255.255", 0 }, { "10.255.0.0", 1 }, { "10.255.255.255", 1 }, { "11.0.0.0", 2 } } },
		{ { "255.255.255.255", "255.0.0.0/8", "0.0.0.0" },
		  { { "255.255.255.255", 0 }, { "255.255.255.254", 1 }, { "0.0.0.0", 2 }, { "0.0.0.1", RANGES_NONE } } },
		{ { "2001:db8::/32", "2001:db8:1::/48", "2001:db8::1", "10.0.0.0/8" },
		  { { "2001:db8::", 0 }, { "2001:db8::1", 2 }, { "2001:db8::2", 0 }, { "2001:db8:1::5", 1 }, { "2001:db9::", RANGES_NONE },
		    { "10.0.0.1", 3 } } },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		struct range_entry entries[6];
		size_t n = 0;
		struct ranges *r;

		for (; n < 6 && cases[k].prefixes[n]; n++)
			entries[n] = (struct range_entry){ prefix_of(cases[k].prefixes[n]), (uint32_t)n };
		r = ranges_build(entries, n);
		assert_non_null(r);
		for (unsigned i = 0; i < 8 && cases[k].lookups[i].ip; i++) {
			struct ip_addr ip = ip_of(cases[k].lookups[i].ip);

			if (ranges_lookup(r, &ip) != cases[k].lookups[i].value)
				fail_msg("case %u, %s: %u", k, cases[k].lookups[i].ip, ranges_lookup(r, &ip));
		}
		ranges_free(r);
	}
	ranges_free(NULL);
}

/* Few distinct bytes, so that random prefixes nest and touch. */
static struct ip_addr random_ip(unsigned family)
{
	static const uint8_t bytes[] = { 0, 1, 127, 128, 254, 255 };
	struct ip_addr ip = { .family = (uint8_t)family };

	for (unsigned i = 0; i < (family == IP_V4 ? 4 : 16); i++)
		ip.bytes[i] = bytes[random_next() % ARRAY_SIZE(bytes)];
	return ip;
}

static struct ip_prefix random_prefix(void)
{
	struct ip_prefix p = { .ip = random_ip(random_next() % 2 ? IP_V4 : IP_V6) };

	p.length = (uint8_t)(random_next() % (p.ip.family == IP_V4 ? 33 : 129));
	for (unsigned i = 0; i < 128; i++)
		if (i >= p.length)
			p.ip.bytes[i / 8] &= (uint8_t)~(0x80 >> (i % 8));
	return p;
}

static bool holds(const struct ip_prefix *p, const struct ip_addr *ip)
{
	if (p->ip.family != ip->family)
		return false;
	for (unsigned i = 0; i < p->length; i++)
		if ((p->ip.bytes[i / 8] ^ ip->bytes[i / 8]) & (0x80 >> (i % 8)))
			return false;
	return true;
}

static void test_model(void **state)
{
	random_state = 5;
	for (unsigned round = 0; round < 300; round++) {
		struct range_entry entries[120];
		size_t n = random_next() % ARRAY_SIZE(entries);
		struct ranges *r;

		for (size_t i = 0; i < n; i++)
			entries[i] = (struct range_entry){ random_prefix(), (uint32_t)(random_next() % 50) };
		r = ranges_build(entries, n);
		for (unsigned i = 0; i < 300; i++) {
			struct ip_addr ip = random_ip(random_next() % 2 ? IP_V4 : IP_V6);
			uint32_t expected = RANGES_NONE;
			int longest = -1;

			if (n && random_next() % 2) {
				/* the edges of a prefix that is there */
				const struct ip_prefix *p = &entries[random_next() % n].prefix;
				bool last = random_next() % 2;

				ip = p->ip;
				for (unsigned bit = p->length; last && bit < (ip.family == IP_V4 ? 32 : 128); bit++)
					ip.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
			}
			for (size_t k = 0; k < n; k++)
				if (holds(&entries[k].prefix, &ip) && entries[k].prefix.length >= longest) {
					longest = entries[k].prefix.length;
					expected = entries[k].value;
				}
			assert_int_equal(ranges_lookup(r, &ip), expected);
		}
		ranges_free(r);
	}
}

static void test_other_family(void **state)
{
	struct range_entry all[] = { { { .ip = { .family = IP_V4 } }, 1 }, { { .ip = { .family = IP_V6 } }, 2 } };
	struct ranges *r = ranges_build(all, 2);
	struct ip_addr none = { .family = IP_NONE };

	assert_int_equal(ranges_lookup(r, &none), RANGES_NONE);
	ranges_free(r);
}

static void test_speed(void **state)
{
	enum { N = 10000 };
	struct range_entry *entries = calloc(N, sizeof(*entries));
	struct ranges *r;
	uint64_t start = now_ns(), sum = 0;

	for (uint32_t i = 0; i < N; i++) {
		uint32_t a = (uint32_t)random_next();

		entries[i].prefix.ip.family = IP_V4;
		memcpy(entries[i].prefix.ip.bytes, &a, 3);
		entries[i].prefix.length = 24;
		entries[i].value = i;
	}
	r = ranges_build(entries, N);
	print_message("build of %u prefixes: %.2f ms\n", N, (double)(now_ns() - start) / 1e6);
	start = now_ns();
	for (unsigned i = 0; i < 1000000; i++) {
		struct ip_addr ip = { .family = IP_V4 };
		uint32_t a = (uint32_t)random_next();

		memcpy(ip.bytes, &a, 4);
		sum += ranges_lookup(r, &ip);
	}
	print_message("lookup among them: %.1f ns (%lu)\n", (double)(now_ns() - start) / 1e6, sum & 1);
	ranges_free(r);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_other_family),
		cmocka_unit_test(test_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
