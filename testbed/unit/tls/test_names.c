/* SPDX-License-Identifier: Apache-2.0 */
/* Who a certificate is for (RFC 5922 §7). */
#include <openssl/x509v3.h>

#include "bed.h"
#include "tls/names.h"

enum kind { END, URI, DNS, IP, MAIL };

struct san {
	enum kind kind;
	const char *text;
	int bytes; /* 0: to its NUL */
};

static X509 *certificate(const struct san *sans)
{
	X509 *x = X509_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	/* The common name is of no account, ever. */
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"cn.example", -1, -1, 0);
	for (; sans->kind != END; sans++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		int type = sans->kind == URI ? GEN_URI : sans->kind == DNS ? GEN_DNS : sans->kind == IP ? GEN_IPADD : GEN_EMAIL;
		ASN1_STRING *text = sans->kind == IP ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

		ASN1_STRING_set(text, sans->text, sans->bytes ? sans->bytes : (int)strlen(sans->text));
		GENERAL_NAME_set0_value(name, type, text);
		sk_GENERAL_NAME_push(names, name);
	}
	assert_true(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0));
	GENERAL_NAMES_free(names);
	return x;
}

static void test_match(void **state)
{
	static const struct {
		const char *what;
		struct san sans[4];
		const char *name;
		bool wildcard, is;
		const char *identities;
	} cases[] = {
		{ "a DNS name", { { DNS, "a.example" } }, "a.example", false, true, "a.example" },
		{ "in another case", { { DNS, "A.Example" } }, "a.eXAMPLE", false, true, "A.Example" },
		{ "the name with a final dot", { { DNS, "a.example" } }, "a.example.", false, true, "a.example" },
		{ "another name", { { DNS, "b.example" } }, "a.example", false, false, "b.example" },
		{ "a longer one", { { DNS, "a.example.net" } }, "a.example", false, false, "a.example.net" },
		{ "a part of it", { { DNS, "example" } }, "a.example", false, false, "example" },
		{ "one of several", { { DNS, "b.example" }, { DNS, "a.example" } }, "a.example", false, true, "b.example, a.example" },
		{ "a sip: URI", { { URI, "sip:a.example" } }, "a.example", false, true, "a.example" },
		{ "in other cases", { { URI, "SIP:A.example" } }, "a.example", false, true, "A.example" },
		{ "with a port and parameters", { { URI, "sip:a.example:5061;transport=tls" } }, "a.example", false, true, "a.example" },
		{ "a URI comes before DNS names: these do not count", { { DNS, "a.example" }, { URI, "sip:b.example" } }, "a.example", false, false,
		  "b.example" },
		{ "and itself", { { DNS, "a.example" }, { URI, "sip:b.example" } }, "b.example", false, true, "b.example" },
		{ "one with a user part is none: the DNS names count", { { URI, "sip:me@b.example" }, { DNS, "a.example" } }, "a.example", false, true,
		  "a.example" },
		{ "nor does it name its host", { { URI, "sip:me@b.example" } }, "b.example", false, false, "" },
		{ "nor is a user with a password its domain", { { URI, "sip:a.example:word@b.example" } }, "a.example", false, false, "" },
		{ "sips: is none (RFC 5922 §7.1)", { { URI, "sips:b.example" }, { DNS, "a.example" } }, "a.example", false, true, "a.example" },
		{ "nor http:", { { URI, "http://b.example" } }, "b.example", false, false, "" },
		{ "nor a URI without a host", { { URI, "sip:" } }, "a.example", false, false, "" },
		{ "nor one with rubbish behind the host", { { URI, "sip:a.example/x" } }, "a.example", false, false, "" },
		{ "never the common name", { { DNS, "b.example" } }, "cn.example", false, false, "b.example" },
		{ "also where there is no other", { { MAIL, "x@cn.example" } }, "cn.example", false, false, "" },
		{ "a wildcard, refused", { { DNS, "*.example.net" } }, "a.example.net", false, false, "*.example.net" },
		{ "a wildcard, allowed", { { DNS, "*.example.net" } }, "a.example.net", true, true, "*.example.net" },
		{ "in another case", { { DNS, "*.Example.net" } }, "a.example.NET", true, true, "*.Example.net" },
		{ "stands for one label", { { DNS, "*.example.net" } }, "b.a.example.net", true, false, "*.example.net" },
		{ "and not for none", { { DNS, "*.example.net" } }, "example.net", true, false, "*.example.net" },
		{ "a whole one", { { DNS, "a*.example.net" } }, "ab.example.net", true, false, "a*.example.net" },
		{ "the left-most", { { DNS, "a.*.net" } }, "a.example.net", true, false, "a.*.net" },
		{ "not a whole top-level domain", { { DNS, "*.net" } }, "example.net", true, false, "*.net" },
		{ "not everything", { { DNS, "*" } }, "net", true, false, "*" },
		{ "an exact name where wildcards are allowed", { { DNS, "a.example" } }, "a.example", true, true, "a.example" },
		{ "an embedded NUL", { { DNS, "a.example\0.evil.example", 22 } }, "a.example", true, false, "" },
		{ "in a URI", { { URI, "sip:a.example\0.evil.example", 26 } }, "a.example", true, false, "" },
		{ "an international name in A-labels", { { DNS, "xn--mnchen-3ya.example" } }, "XN--mnchen-3ya.example", false, true, "xn--mnchen-3ya.example" },
		{ "raw UTF-8 is nobody", { { DNS, "m\xc3\xbcnchen.example" }, { DNS, "a.example" } }, "a.example", false, true, "a.example" },
		{ "an address", { { IP, "\xc0\x00\x02\x01", 4 } }, "192.0.2.1", false, true, "" },
		{ "another", { { IP, "\xc0\x00\x02\x02", 4 } }, "192.0.2.1", false, false, "" },
		{ "of IPv6, written another way", { { IP, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16 } }, "2001:DB8:0::1", false, true, "" },
		{ "an address as a DNS name", { { DNS, "192.0.2.1" } }, "192.0.2.1", true, false, "192.0.2.1" },
		{ "as a URI", { { URI, "sip:192.0.2.1" } }, "192.0.2.1", true, false, "" },
		{ "a wildcard does not cover addresses", { { DNS, "*.0.2.1" } }, "192.0.2.1", true, false, "*.0.2.1" },
		{ "an address of the wrong length", { { IP, "\xc0\x00\x02\x01\x05", 5 } }, "192.0.2.1", false, false, "" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		X509 *x = certificate(cases[i].sans);
		char text[TLS_NAMES_BYTES];
		struct name name;

		print_message("%s\n", cases[i].what);
		assert_int_equal(name_read(cases[i].name, &name), 0);
		name.allow_wildcard = cases[i].wildcard;
		assert_int_equal(name_is_of(&name, x), cases[i].is);
		names_write(x, text, sizeof(text));
		assert_string_equal(text, cases[i].identities);
		X509_free(x);
	}
}

static void test_read(void **state)
{
	static const struct {
		const char *text, *read; /* NULL: refused */
	} cases[] = {
		{ "a.example", "a.example" },	 { "A.EXAMPLE.", "a.example" }, { "a", "a" },	     { "a_b.example", "a_b.example" },
		{ "192.0.2.1", "192.0.2.1" },	 { "2001:DB8::0", "2001:db8::" }, { "", NULL },	     { ".", NULL },
		{ ".example", NULL },		 { "a..example", NULL },	  { "a.example..", NULL }, { "*.example.net", NULL },
		{ "m\xc3\xbcnchen.example", NULL }, { "a example", NULL },	  { "a.example:5061", NULL }, { "sip:a.example", NULL },
	};
	struct name name;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("\"%s\"\n", cases[i].text);
		assert_int_equal(name_read(cases[i].text, &name), cases[i].read ? 0 : -ERR_INVALID);
		if (cases[i].read)
			assert_string_equal(name.text, cases[i].read);
	}
}

static void test_describe(void **state)
{
	static const struct san sans[] = { { URI, "sip:a.example" }, { DNS, "b.ex\0mple", 9 }, { IP, "\xc0\x00\x02\x01", 4 }, { END } };
	X509 *x = certificate(sans);
	char text[40];

	names_describe(x, text, sizeof(text));
	assert_string_equal(text, "sip:a.example, b.ex?mple, 192.0.2.1");
	/* Whole names alone, where there is not room for all. */
	names_describe(x, text, 20);
	assert_string_equal(text, "sip:a.example");
	X509_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests_name("tls/names", tests, NULL, NULL);
}
