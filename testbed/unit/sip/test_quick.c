/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "exact.h"
#include "sip/quick_vector.h"

#define NINE "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF1: 6\r\nG: 7\r\nH: 8\r\nJ: 9\r\n"

static void looks(void **state)
{
	static const struct {
		const char *text;
		enum quick_kind kind;
		const char *call_id, *branch;
	} cases[] = {
		{ "BYE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=b\r\nCall-ID: x@y \r\n\r\n", QUICK_REQUEST, "x@y", NULL },
		{ "BYE sip:h SIP/2.0\r\ni :\r\n x\r\n\r\n", QUICK_REQUEST, "x", NULL },
		{ "\r\n\nBYE sip:h SIP/2.0\ni:x\n\n", QUICK_REQUEST, "x", NULL },
		{ "BYE sip:h SIP/2.0\r\n" NINE NINE "Call-ID: far\r\n\r\n", QUICK_REQUEST, "far", NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID: first\r\nCall-ID: second\r\n\r\n", QUICK_REQUEST, "first", NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID: cut-behind\r\nX", QUICK_REQUEST, "cut-behind", NULL },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=b , SIP/2.0/UDP g;branch=c\r\nCall-ID: x\r\n\r\n", QUICK_RESPONSE, NULL, "b" },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\nv: SIP/2.0/UDP h;branch=b\r\n\r\n", QUICK_RESPONSE, NULL, "b" },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\n" NINE "v: SIP/2.0/UDP h;branch=b\r\n\r\n", QUICK_RESPONSE, NULL, "b" },
		{ "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nVia: SIP/2.0/UDP g;branch=c\r\nCall-ID: x\r\n\r\n", QUICK_RESPONSE, "x", NULL },
		{ "SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n", QUICK_RESPONSE, "x", NULL },
		{ "SIP/2.0 200 OK\r\n\r\n", QUICK_NONE, NULL, NULL },
		{ "BYE sip:h SIP/2.0\r\n\r\nCall-ID: body\r\n", QUICK_NONE, NULL, NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID:\r\n\r\n", QUICK_NONE, NULL, NULL },
		{ "BYE sip:h SIP/2.0\r\nCall-ID: unfinished", QUICK_NONE, NULL, NULL },
		{ "\r\n\r\n", QUICK_NONE, NULL, NULL },
		{ "", QUICK_NONE, NULL, NULL },
		{ "A ", QUICK_NONE, NULL, NULL },
		{ "SIP", QUICK_NONE, NULL, NULL },
		{ "\x80\x00\x01", QUICK_NONE, NULL, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct span s = exact_str(cases[i].text);
		struct quick look;

		quick_look(s.p, s.n, &look);
		if (look.kind != cases[i].kind)
			fail_msg("'%s': kind %d", cases[i].text, look.kind);
		if (look.kind != QUICK_NONE) {
			expect_span(cases[i].text, "Call-ID", look.call_id, cases[i].call_id);
			expect_span(cases[i].text, "branch", look.top_branch, cases[i].branch);
		}
		exact_free(s);
	}
}

#if CPU_X86
#define OURS   "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtafldiesnadx35lo6z4wlhkxt\r\n"
#define OTHERS "Via: SIP/2.0/UDP 198.51.100.7:5080;branch=z9hG4bK-524287-1---;rport\r\n"
#define NAMES  "From: \"Alice\" <sip:alice@example.com>;tag=88sja8x\r\nTo: <sip:bob@example.com>;tag=99sa0xk\r\n"
#define ID     "f81d4fae-7dec-11d0-a765-00a0c91e6bf6@foo.bar.com"
#define REST   "CSeq: 7 BYE\r\nContact: <sip:alice@198.51.100.7>\r\nUser-Agent: an agent of some length\r\nContent-Length: 0\r\n\r\n"

static const struct sample {
	const char *text;
	bool by_vectors;
} samples[] = {
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS "Max-Forwards: 70\r\n" NAMES "Call-ID: " ID "\r\n" REST, true },
	{ "INVITE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Contact: <sip:a@h>\r\ncAlL-iD: " ID "\r\nCall-Info: <x:y>\r\n" REST, true },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Max-Forwards: 70\r\nCSeq: 7 BYE\r\nCall-ID: " ID "\r\n\r\n", true },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Max-Forwards: 70\r\nIdentity: x\r\nCall-ID: " ID "\r\n" REST, true },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "i: " ID "\r\n" REST, false },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Call-ID : " ID "\r\n" REST, false },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Call-ID : first\r\nCall-ID: " ID "\r\n" REST, false },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Call-ID:first\r\nCall-ID: " ID "\r\n" REST, false },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Call-ID: " ID "\r\n folded\r\n" REST, false },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES "Subject: x\r\n Call-ID: y\r\nCall-ID: " ID "\r\n" REST, false },
	{ "BYE sip:bob@192.0.2.4 SIP/2.0\r\n" OTHERS NAMES REST "Call-ID: " ID "\r\n", false },
	{ "SIP/2.0 200 OK\r\n" OURS OTHERS NAMES "Call-ID: " ID "\r\n" REST, true },
	{ "SIP/2.0 200 OK\r\nvia: SIP/2.0/tls 192.0.2.1;BRANCH=z9hG4bKtafldiesnadx35lo6z4wlhkxt\r\n" OTHERS NAMES "Call-ID: " ID "\r\n" REST, true },
	{ "SIP/2.0 200 OK\r\n" OTHERS OURS NAMES "Call-ID: " ID "\r\n" REST, false },
	{ "SIP/2.0 200 OK\r\nCall-ID: " ID "\r\n" OURS NAMES REST, false },
};

/* Bytes that decide something, or stand beside those that do. */
static const char odd[] = "\r\n\t :;,=<>\"@.-019cCiIvVz\x01\x7f\x80\xff";

static uint32_t some(void)
{
	static uint64_t x = 3;

	x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(x >> 32);
}

/* A few bytes of the first n written over, left out, put in, or the end cut off; n afterwards. */
static uint32_t spoil(char *text, uint32_t n)
{
	for (uint32_t times = 1 + some() % 3; times; times--) {
		uint32_t at = some() % n;
		char c = odd[some() % (sizeof(odd) - 1)];

		switch (some() % 8) {
		case 0:
			memmove(text + at, text + at + 1, n - at - 1);
			n--;
			break;
		case 1:
			memmove(text + at + 1, text + at, n - at);
			text[at] = c;
			n++;
			break;
		case 2:
			n -= some() % 4 ? 0 : some() % (n / 2);
			break;
		default:
			text[at] = c;
		}
	}
	return n;
}

static bool alike(struct span s)
{
	struct quick careful, quick;

	if (!quick_look_vector(s.p, s.n, &quick))
		return false;
	quick_look_careful(s.p, s.n, &careful);
	if (quick.kind != careful.kind || quick.call_id.p != careful.call_id.p || quick.call_id.n != careful.call_id.n ||
	    quick.top_branch.p != careful.top_branch.p || quick.top_branch.n != careful.top_branch.n)
		fail_msg("the two ways differ: '%.*s'", (int)s.n, (const char *)s.p);
	return true;
}

/* Whenever the vectors say something, it is what the careful way says; and they do of what mostly comes. */
static void vectors_agree(void **state)
{
	if (!cpu_select(CPU_AVX2))
		skip();
	for (size_t i = 0; i < COUNT_OF(samples); i++) {
		uint32_t n = (uint32_t)strlen(samples[i].text), taken = 0;

		for (int times = 0; times < 20000; times++) {
			char text[1024];
			struct span s;

			memcpy(text, samples[i].text, n);
			s = exact(text, times ? spoil(text, n) : n);
			taken += alike(s);
			if (!times && taken != samples[i].by_vectors)
				fail_msg("%zu: by vectors: %u", i, taken);
			exact_free(s);
		}
		assert_true(!samples[i].by_vectors || taken > 5000);
	}
	/* every place that a Call-ID can have in its block of 64 bytes, and every end of the message behind it */
	for (uint32_t before = 0; before < 130; before++) {
		for (uint32_t behind = 0; behind < 70; behind++) {
			char text[512];
			int n = snprintf(text, sizeof(text), "BYE sip:x SIP/2.0\r\n" OTHERS "X: %.*s\r\nCall-ID: " ID "\r\n%.*s", (int)before,
					 "................................................................"
					 "................................................................................", (int)behind,
					 "Y: 1\r\n\r\n..................................................................................");
			struct span s = exact(text, (uint32_t)n);

			if (alike(s) != (n >= 192 && behind))
				fail_msg("%u before, %u behind", before, behind);
			exact_free(s);
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks),
#if CPU_X86
		cmocka_unit_test(vectors_agree),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
