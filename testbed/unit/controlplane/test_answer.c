/* SPDX-License-Identifier: Apache-2.0 */
#include "dns_fixture.h"

static struct packet m;

static struct dns_answer *good(const char *name, uint16_t type)
{
	struct dns_answer *a = NULL;

	assert_int_equal(read_answer(&m, name, type, &a), 0);
	return a;
}

static void refused(const char *name, uint16_t type, int err)
{
	struct dns_answer *a = NULL;

	assert_int_equal(read_answer(&m, name, type, &a), err);
	assert_null(a);
}

static void records(void **state)
{
	struct dns_answer *a;

	begin(&m, "Example.COM", DNS_A, 0, 3, 0);
	put_address(&m, "example.com", 300, "192.0.2.1");
	put_address(&m, "EXAMPLE.com", 20, "192.0.2.2");
	put_address(&m, "other.example.com", 1, "192.0.2.3");
	a = good("example.com", DNS_A);
	assert_int_equal(a->outcome, DNS_RECORDS);
	assert_int_equal(a->count, 2);
	assert_int_equal(a->ttl_s, 20);
	assert_int_equal(a->records[0].ttl_s, 300);
	assert_memory_equal(a->records[1].ip.bytes, "\xc0\x00\x02\x02", 4);
	free(a);

	begin(&m, "_sip._udp.example.com", DNS_SRV, 0, 2, 0);
	put_srv(&m, "_sip._udp.example.com", 60, 10, 0, 5070, "A.Example.com");
	put_srv(&m, "_sip._udp.example.com", 60, 65535, 65535, 65535, "");
	a = good("_sip._udp.example.com", DNS_SRV);
	assert_int_equal(a->count, 2);
	assert_string_equal(a->records[0].srv.target, "a.example.com");
	assert_int_equal(a->records[0].srv.port, 5070);
	assert_string_equal(a->records[1].srv.target, "");
	assert_int_equal(a->records[1].srv.weight, 65535);
	free(a);

	begin(&m, "example.com", DNS_NAPTR, 0, 1, 0);
	put_naptr(&m, "example.com", 60, 50, 51, "s", "SIP+d2u", "", "_sip._udp.example.com");
	a = good("example.com", DNS_NAPTR);
	assert_int_equal(a->records[0].naptr.order, 50);
	assert_int_equal(a->records[0].naptr.preference, 51);
	assert_string_equal(a->records[0].naptr.flags, "S");
	assert_string_equal(a->records[0].naptr.service, "SIP+D2U");
	assert_false(a->records[0].naptr.has_regexp);
	assert_string_equal(a->records[0].naptr.replacement, "_sip._udp.example.com");
	free(a);
}

static void aliases(void **state)
{
	struct dns_answer *a;

	begin(&m, "a.test", DNS_AAAA, 0, 4, 0);
	put_cname(&m, "b.test", 5, "c.test"); /* out of order */
	put_address(&m, "c.test", 300, "2001:db8::1");
	put_cname(&m, "a.test", 100, "b.test");
	put_address(&m, "a.test", 1, "2001:db8::2"); /* an alias has nothing else: not ours */
	a = good("a.test", DNS_AAAA);
	assert_int_equal(a->count, 1);
	assert_string_equal(a->name, "c.test");
	assert_int_equal(a->ttl_s, 5);
	free(a);

	begin(&m, "a.test", DNS_A, 0, 1, 0); /* leads out of what the server knows */
	put_cname(&m, "a.test", 100, "x.elsewhere");
	a = good("a.test", DNS_A);
	assert_int_equal(a->outcome, DNS_NO_DATA);
	assert_false(a->has_soa);
	assert_string_equal(a->name, "x.elsewhere");
	free(a);

	begin(&m, "a.test", DNS_A, 0, 2, 0); /* round in a circle */
	put_cname(&m, "a.test", 100, "b.test");
	put_cname(&m, "b.test", 100, "a.test");
	a = good("a.test", DNS_A);
	assert_int_equal(a->count, 0);
	free(a);
}

static void negative(void **state)
{
	struct dns_answer *a;

	begin(&m, "x.test", DNS_SRV, 3, 0, 1);
	put_soa(&m, "test", 900, 30);
	a = good("x.test", DNS_SRV);
	assert_int_equal(a->outcome, DNS_NO_NAME);
	assert_true(a->has_soa);
	assert_int_equal(a->ttl_s, 30);
	free(a);

	begin(&m, "x.test", DNS_SRV, 0, 0, 1);
	put_soa(&m, "test", 20, 86400);
	a = good("x.test", DNS_SRV);
	assert_int_equal(a->outcome, DNS_NO_DATA);
	assert_int_equal(a->ttl_s, 20);
	free(a);

	begin(&m, "x.test", DNS_A, 0, 0, 0);
	a = good("x.test", DNS_A);
	assert_int_equal(a->outcome, DNS_NO_DATA);
	assert_false(a->has_soa);
	free(a);
}

static void absurd_ttls(void **state)
{
	struct dns_answer *a;

	begin(&m, "x.test", DNS_A, 0, 1, 0);
	put_address(&m, "x.test", 0xffffffff, "192.0.2.1");
	a = good("x.test", DNS_A);
	assert_int_equal(a->ttl_s, 0);
	free(a);
	begin(&m, "x.test", DNS_A, 0, 1, 0);
	put_address(&m, "x.test", 0x7fffffff, "192.0.2.1");
	a = good("x.test", DNS_A);
	assert_int_equal(a->ttl_s, 0x7fffffff);
	free(a);
}

static void many(void **state)
{
	struct dns_answer *a;
	char name[32];

	begin(&m, "x.test", DNS_SRV, 0, DNS_RECORDS_MAX + 7, 0);
	for (unsigned i = 0; i < DNS_RECORDS_MAX + 7; i++) {
		snprintf(name, sizeof(name), "t%u.test", i);
		put_srv(&m, "x.test", 60, i, 1, 5060, name);
	}
	a = good("x.test", DNS_SRV);
	assert_int_equal(a->count, DNS_RECORDS_MAX);
	assert_int_equal(a->left_out, 7);
	assert_string_equal(a->records[DNS_RECORDS_MAX - 1].srv.target, "t127.test");
	free(a);
}

/* One damaged record beside a good one is left out; alone it makes the answer no answer. */
static void damaged_records(void **state)
{
	static const struct {
		uint16_t type;
		const char *data;
		unsigned n;
	} damaged[] = {
		{ DNS_A, "\1\2\3", 3 },
		{ DNS_A, "\1\2\3\4\5", 5 },
		{ DNS_A, "", 0 },
		{ DNS_AAAA, "\1\2\3\4", 4 },
		{ DNS_SRV, "\0\1\0\2\0\3", 6 },
		{ DNS_SRV, "\0\1\0\2\0\3\1a", 8 },		 /* its name leaves the record */
		{ DNS_SRV, "\0\1\0\2\0\3\1a\0z", 10 },		 /* and is followed by something */
		{ DNS_SRV, "\0\1\0\2\0\3\3a.b\0", 11 },		 /* a dot in a label */
		{ DNS_SRV, "\0\1\0\2\0\3\2 \n\0", 10 },
		{ DNS_NAPTR, "\0\1\0\2\1s\7SIP+D2U", 14 },
		{ DNS_NAPTR, "\0\1\0\2\1s\xffSIP+D2U\0\0", 16 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(damaged); i++)
		for (int beside = 0; beside < 2; beside++) {
			struct dns_answer *a;
			size_t data;

			begin(&m, "x.test", damaged[i].type, 0, 1 + (unsigned)beside, 0);
			data = begin_record(&m, "x.test", damaged[i].type, 60);
			put_bytes(&m, damaged[i].data, damaged[i].n);
			finish(&m, data);
			if (!beside) {
				refused("x.test", damaged[i].type, -ERR_INVALID);
				continue;
			}
			if (damaged[i].type == DNS_SRV)
				put_srv(&m, "x.test", 60, 1, 1, 1, "good");
			else if (damaged[i].type == DNS_NAPTR)
				put_naptr(&m, "x.test", 60, 1, 1, "s", "SIP+D2U", "", "good");
			else
				put_address(&m, "x.test", 60, damaged[i].type == DNS_A ? "192.0.2.1" : "2001:db8::1");
			a = good("x.test", damaged[i].type);
			assert_int_equal(a->count, 1);
			assert_int_equal(a->unread, 1);
			free(a);
		}
}

static void pointer(struct packet *p, size_t to)
{
	put16(p, 0xc000 | (unsigned)to);
}

static void compression(void **state)
{
	struct dns_answer *a;
	size_t data, at;

	begin(&m, "x.test", DNS_SRV, 0, 1, 0);
	pointer(&m, 12);
	put16(&m, DNS_SRV);
	put16(&m, 1);
	put32(&m, 60);
	put16(&m, 0);
	data = m.n;
	put_bytes(&m, "\0\1\0\2\0\3\2t1", 9);
	pointer(&m, 14); /* "test" */
	finish(&m, data);
	a = good("x.test", DNS_SRV);
	assert_string_equal(a->records[0].srv.target, "t1.test");
	free(a);

	/* to itself, forwards, and to each other */
	for (int offset = 0; offset < 6; offset += 2) {
		begin(&m, "x.test", DNS_SRV, 0, 1, 0);
		data = begin_record(&m, "x.test", DNS_SRV, 60);
		put_bytes(&m, "\0\1\0\2\0\3", 6);
		at = m.n;
		pointer(&m, at + (size_t)offset);
		pointer(&m, at);
		finish(&m, data);
		refused("x.test", DNS_SRV, -ERR_INVALID);
	}
	/* the question's own name is a loop */
	begin(&m, "", DNS_A, 0, 0, 0);
	m.n = 12;
	pointer(&m, 12);
	put16(&m, DNS_A);
	put16(&m, 1);
	refused("", DNS_A, -ERR_INVALID);
}

/* A message that is cut anywhere is no answer; nothing reads beyond its end. */
static void cut(void **state)
{
	size_t whole, head;

	begin(&m, "x.test", DNS_SRV, 0, 2, 0);
	head = m.n;
	put_srv(&m, "x.test", 60, 1, 2, 3, "one.test");
	put_srv(&m, "x.test", 60, 1, 2, 3, "two.test");
	whole = m.n;
	for (size_t n = 0; n < whole; n++) {
		m.n = n;
		refused("x.test", DNS_SRV, -ERR_INVALID);
	}
	m.n = whole;
	free(good("x.test", DNS_SRV));
	assert_true(head < whole);
}

static void others(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} changes[] = {
		{ "a question", 2, 0x01 }, { "another opcode", 2, 0xa0 }, { "no question", 5, 0 }, { "two questions", 5, 2 },
		{ "another name", 13, 'y' }, { "another type", 21, DNS_AAAA }, { "another class", 23, 3 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		begin(&m, "x.test", DNS_A, 0, 1, 0);
		put_address(&m, "x.test", 60, "192.0.2.1");
		m.p[changes[i].at] = changes[i].value;
		refused("x.test", DNS_A, -ERR_INVALID);
	}
	begin(&m, "x.test", DNS_A, 0, 1, 0);
	put_address(&m, "x.test", 60, "192.0.2.1");
	m.p[m.n - 11] = 3; /* a record of class CHAOS */
	free(good("x.test", DNS_A));
	for (unsigned rcode = 1; rcode < 16; rcode++) {
		if (rcode == 3)
			continue;
		begin(&m, "x.test", DNS_A, rcode, 1, 0);
		put_address(&m, "x.test", 60, "192.0.2.1");
		refused("x.test", DNS_A, -ERR_IO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records), cmocka_unit_test(aliases),	  cmocka_unit_test(negative), cmocka_unit_test(absurd_ttls), cmocka_unit_test(many),
		cmocka_unit_test(damaged_records), cmocka_unit_test(compression), cmocka_unit_test(cut), cmocka_unit_test(others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
