/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>

#include "exact.h"
#include "sip/message.h"

/* The messages of RFC 4475 and RFC 5118, judged as a proxy must: what it need not understand it lets through. The files are
 * not part of this tree: STROWGER_TORTURE names their folder, or it stands beside it. */

static struct sip_message m;

struct expectation {
	const char *file;
	enum sip_verdict verdict;
	enum sip_fault fault;
	bool answerable; /* looked at for SIP_BAD requests */
};

static const struct expectation expectations[] = {
	{ "rfc4475/wsinv.dat", SIP_OK },
	{ "rfc4475/intmeth.dat", SIP_OK },
	{ "rfc4475/esc01.dat", SIP_OK },
	{ "rfc4475/escnull.dat", SIP_OK },
	{ "rfc4475/esc02.dat", SIP_OK },
	{ "rfc4475/lwsdisp.dat", SIP_OK },
	{ "rfc4475/longreq.dat", SIP_OK },
	{ "rfc4475/dblreq.dat", SIP_OK },
	{ "rfc4475/semiuri.dat", SIP_OK },
	{ "rfc4475/transports.dat", SIP_OK },
	{ "rfc4475/mpart01.dat", SIP_OK },
	{ "rfc4475/unreason.dat", SIP_OK },
	{ "rfc4475/noreason.dat", SIP_OK },
	{ "rfc4475/badinv01.dat", SIP_BAD, SIP_FAULT_VIA, true },
	{ "rfc4475/clerr.dat", SIP_BAD, SIP_FAULT_CONTENT_LENGTH, true },
	{ "rfc4475/ncl.dat", SIP_BAD, SIP_FAULT_CONTENT_LENGTH, true },
	{ "rfc4475/scalar02.dat", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "rfc4475/scalarlg.dat", SIP_BAD, SIP_FAULT_CSEQ },
	{ "rfc4475/quotbal.dat", SIP_BAD, SIP_FAULT_TO, true },
	{ "rfc4475/ltgtruri.dat", SIP_BAD, SIP_FAULT_URI, true },
	{ "rfc4475/lwsruri.dat", SIP_BAD, SIP_FAULT_URI, true },
	{ "rfc4475/lwsstart.dat", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "rfc4475/trws.dat", SIP_BAD, SIP_FAULT_START_LINE, true },
	{ "rfc4475/escruri.dat", SIP_BAD, SIP_FAULT_URI, true },
	{ "rfc4475/baddate.dat", SIP_OK },
	{ "rfc4475/regbadct.dat", SIP_OK },
	{ "rfc4475/badaspec.dat", SIP_OK },
	{ "rfc4475/baddn.dat", SIP_BAD, SIP_FAULT_HEAD, true }, /* its file lacks the blank line too */
	{ "rfc4475/badvers.dat", SIP_BAD, SIP_FAULT_VERSION, true },
	{ "rfc4475/mismatch01.dat", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "rfc4475/mismatch02.dat", SIP_BAD, SIP_FAULT_CSEQ, true },
	{ "rfc4475/bigcode.dat", SIP_BAD, SIP_FAULT_START_LINE },
	{ "rfc4475/badbranch.dat", SIP_OK },
	{ "rfc4475/insuf.dat", SIP_BAD, SIP_FAULT_MISSING, false },
	{ "rfc4475/unkscm.dat", SIP_BAD, SIP_FAULT_SCHEME, true },
	{ "rfc4475/novelsc.dat", SIP_BAD, SIP_FAULT_SCHEME, true },
	{ "rfc4475/unksm2.dat", SIP_OK },
	{ "rfc4475/bext01.dat", SIP_OK },
	{ "rfc4475/invut.dat", SIP_OK },
	{ "rfc4475/regaut01.dat", SIP_OK },
	{ "rfc4475/multi01.dat", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "rfc4475/mcl01.dat", SIP_BAD, SIP_FAULT_REPEATED, true },
	{ "rfc4475/bcast.dat", SIP_OK },
	{ "rfc4475/zeromf.dat", SIP_OK },
	{ "rfc4475/cparam01.dat", SIP_OK },
	{ "rfc4475/cparam02.dat", SIP_OK },
	{ "rfc4475/regescrt.dat", SIP_OK },
	{ "rfc4475/sdp01.dat", SIP_OK },
	{ "rfc4475/inv2543.dat", SIP_OK },
	{ "rfc5118/wire/ipv6-good.dat", SIP_OK },
	{ "rfc5118/wire/ipv6-bad.dat", SIP_BAD, SIP_FAULT_URI, true },
	{ "rfc5118/wire/port-ambiguous.dat", SIP_OK },
	{ "rfc5118/wire/port-unambiguous.dat", SIP_OK },
	{ "rfc5118/wire/via-received-param-with-delim.dat", SIP_OK },
	{ "rfc5118/wire/via-received-param-no-delim.dat", SIP_OK },
	{ "rfc5118/wire/ipv6-in-sdp.dat", SIP_OK },
	{ "rfc5118/wire/mult-ip-in-header.dat", SIP_OK },
	{ "rfc5118/wire/mult-ip-in-sdp.dat", SIP_OK },
	{ "rfc5118/wire/ipv4-mapped-ipv6.dat", SIP_OK },
	{ "rfc5118/wire/ipv6-bug-abnf-3-colons.dat", SIP_OK },
	{ "rfc5118/wire/ipv6-correct-abnf-2-colons.dat", SIP_OK },
};

static const char *folder(void)
{
	const char *named = getenv("STROWGER_TORTURE");
	struct stat st;

	if (!named)
		named = TORTURE_BESIDE;
	return stat(named, &st) == 0 && S_ISDIR(st.st_mode) ? named : NULL;
}

static struct span load(const char *file)
{
	static uint8_t bytes[65536];
	char path[1024];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder(), file);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s cannot be read", path);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return exact(bytes, n);
}

static void verdicts(void **state)
{
	for (size_t i = 0; i < COUNT_OF(expectations); i++) {
		const struct expectation *e = &expectations[i];
		struct span s = load(e->file);
		enum sip_verdict v = sip_parse(s.p, s.n, &m);

		if (v != e->verdict || m.fault != e->fault)
			fail_msg("%s: verdict %d, %s", e->file, v, sip_fault_reason(m.fault));
		if (v == SIP_BAD && m.is_request && sip_answerable(&m) != e->answerable)
			fail_msg("%s: answerable is wrong", e->file);
		exact_free(s);
	}
}

/* What the view shows of the messages that are meant to be hard to read. */
static void details(void **state)
{
	struct span s;

	s = load("rfc4475/wsinv.dat");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	expect_span("wsinv", "To tag", m.to_tag, "1918181833n");
	expect_span("wsinv", "From tag", m.from_tag, "98asjd8");
	assert_int_equal(m.max_forwards, 68);
	assert_int_equal(m.cseq, 9);
	assert_true(m.headers[m.first[SIP_H_VIA]].next >= 0);
	assert_int_equal(m.len - m.body, 150);
	exact_free(s);

	s = load("rfc4475/intmeth.dat");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_int_equal(m.method, SIP_UNKNOWN_METHOD);
	expect_span("intmeth", "method", m.method_name, "!interesting-Method0123456789_*+`.%indeed'~");
	expect_span("intmeth", "Call-ID", m.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
	expect_span("intmeth", "From tag", m.from_tag, "_token~1'+`*%!-.");
	exact_free(s);

	s = load("rfc4475/esc02.dat");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_int_equal(m.method, SIP_UNKNOWN_METHOD);
	exact_free(s);

	s = load("rfc4475/dblreq.dat");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_int_equal(m.method, SIP_REGISTER);
	assert_int_equal(m.len, m.body);
	assert_true(m.len < s.n);
	exact_free(s);

	s = load("rfc4475/inv2543.dat");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_null(m.from_tag.p);
	assert_int_equal(m.max_forwards, UINT32_MAX);
	assert_int_equal(m.len, s.n);
	exact_free(s);

	s = load("rfc4475/zeromf.dat");
	assert_int_equal(sip_parse(s.p, s.n, &m), SIP_OK);
	assert_int_equal(m.max_forwards, 0);
	exact_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(details),
	};

	if (!folder()) {
		printf("torture messages skipped: no folder (set STROWGER_TORTURE)\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
