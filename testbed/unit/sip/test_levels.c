/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>

#include "base/cpu.h"
#include "exact.h"
#include "same.h"
#include "sip/lex.h"
#include "sip/level.h"

/* Every instruction set reads what the scalar readers read, and refuses what they refuse: usual texts, and what becomes of them when
 * bytes are changed, put in, taken out or cut off. */

static const struct sip_level *levels[CPU_LEVELS];

static uint64_t seed = 0x5eed;

static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % n;
}

/* Up to three changes; the bytes are those that mean something in one place or another. */
static struct span mutate(const char *text)
{
	static const char bytes[] = " \t\r\n:;,=<>\"\\@?/.[]0159azAZ-_%\x01\x7f\x80\xff";
	uint8_t copy[2048];
	uint32_t n = (uint32_t)strlen(text);

	assert_true(n + 3 < sizeof(copy));
	memcpy(copy, text, n);
	for (uint32_t i = random_below(4); i && n; i--) {
		uint32_t at = random_below(n);
		uint8_t byte = random_below(16) ? (uint8_t)bytes[random_below(sizeof(bytes))] : (uint8_t)random_below(256);

		switch (random_below(5)) {
		case 0:
			memmove(copy + at + 1, copy + at, n++ - at);
			copy[at] = byte;
			break;
		case 1:
			memmove(copy + at, copy + at + 1, --n - at);
			break;
		case 2:
			n = random_below(4) ? n : at;
			break;
		default:
			copy[at] = byte;
		}
	}
	return exact(copy, n);
}

static void try_via(struct span s, const struct sip_level *level)
{
	struct span rest = s, rest_again = s;
	struct via v, again;
	int r;

	do {
		r = sip_level_scalar.via_next(&rest, &v);
		if (level->via_next(&rest_again, &again) != r)
			fail_msg("other verdict: '%.*s'", (int)s.n, s.p);
		if (r == 1 && (!same_via(&v, &again) || !same_span(rest, rest_again)))
			fail_msg("read otherwise: '%.*s'", (int)s.n, s.p);
	} while (r == 1);
}

static void try_element(struct span s, const struct sip_level *level)
{
	struct span rest = s, rest_again = s, tag, tag_again;
	struct name_addr e, again;
	int r;

	do {
		r = sip_level_scalar.name_addr_read(&rest, &e, &tag);
		if (level->name_addr_read(&rest_again, &again, &tag_again) != r)
			fail_msg("other verdict: '%.*s'", (int)s.n, s.p);
		if (r == 1 && (!same_element(&e, &again) || !same_span(rest, rest_again) || !same_span(tag, tag_again)))
			fail_msg("read otherwise: '%.*s'", (int)s.n, s.p);
	} while (r == 1);
}

static void try_uri(struct span s, const struct sip_level *level)
{
	struct sip_uri uri, again;
	int r = sip_level_scalar.uri_parse(s, &uri);

	if (level->uri_parse(s, &again) != r || (r == 0 && !same_uri(&uri, &again)))
		fail_msg("read otherwise: '%.*s'", (int)s.n, s.p);
}

static void try_message(struct span s, const struct sip_level *level)
{
	static struct sip_message m, again;
	enum sip_verdict v = sip_level_scalar.parse(s.p, s.n, &m);

	memset(&again, 0xa5, sizeof(again)); /* or what one level leaves out, the one before it has written */
	if (level->parse(s.p, s.n, &again) != v)
		fail_msg("other verdict: '%.*s'", (int)s.n, s.p);
	if (v != SIP_KEEPALIVE && v != SIP_NOT_SIP && !same_message(&m, &again))
		fail_msg("read otherwise: '%.*s'", (int)s.n, s.p);
}

static void each(const char *const *texts, size_t count, uint32_t rounds, void (*try)(struct span, const struct sip_level *))
{
	for (uint32_t round = 0; round < rounds; round++)
		for (size_t i = 0; i < count; i++) {
			struct span s = round ? mutate(texts[i]) : exact_str(texts[i]);

			for (int k = CPU_AVX2; k < CPU_LEVELS; k++)
				if (levels[k])
					try(s, levels[k]);
			exact_free(s);
		}
}

static const char *const vias[] = {
	"SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK776asdhds;rport",
	"SIP/2.0/UDP 1.2.3.4;rport=5060;received=192.168.100.200;branch=z9hG4bK-524287-1---0123456789abcdef;maddr=224.0.1.75",
	"SIP/2.0/TCP pc33.example.com:5061;Branch=z9hG4bKa;RPORT;ttl=5, SIP/2.0/tls 255.255.255.255;received=::1;;branch=",
	"SIP/2.0/UDP [2001:db8::9:1]:5080;branch=z9hG4bKx ,SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;x=\"a,b\"",
	"SIP/2.0/SCTP p;branch=z9hG4bK1,SIP/2.0/UDP 010.1.1.1,SIP/2.0/UDP 1.1.1.1.1:1,SIP/2.0/UDP 1.256.1.1,SIP/2.0/UDP a",
	"SIP/2.0/UDP 1.2.3.4a;branch=z9hG4bKx;received=1.2.3.4",
	"SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKa;branch=z9hG4bKb;rport",
	"SIP/2.0/UDP 10.0.0.7;rport;rport;branch=z9hG4bKa",
	"SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKa;rport=5080",
	"SIP/2.0/UDP 10.0.0.7;branch=;rport",
	"SIP/2.0/UDP 100.101.102.103:65535;branch=z9hG4bKtaaaaaaaaaaaaaaaaaaaaaaaa;rport",
};

static const char *const elements[] = {
	"\"Caller 123\" <sip:+447700900123@carrier.example.org>;tag=1928301774",
	"<sip:+442035550100@sip.example.net>",
	"Bob <sips:bob@biloxi.example.com;transport=tcp>;TAG=a6c85cf;x, <sip:b@c>;q=0.5;tag=y;tag=z,sip:carol@x;tag=bare",
	"<sip:aeaaaaqaaaaab4aamvhq2yaaaaaab4aaaaaaqaaaaaaaaaaaiaaabigvmyfzd2mzp2q@10.0.0.1:5060;lr>, <sip:p2.example.com;lr>",
	"\"A \\\"quoted\\\", <B>\" <sip:alice@example.com;p=v?h=w>;x=\"y,z\";tag=t",
	"<sip:a>;tag=b,<a>;tag=c,<:>;tag,*",
	"<a>;tag=0123456789abcdef",
	"Caf\xc3\xa9 con leche y muchas palabras mas para que sea largo, largo, larguisimo <sip:x@y>",
};

static const char *const uris[] = {
	"sip:+442035550100@sip.example.net",
	"sip:alice:secret@10.1.22.133:5060;transport=udp;user=phone",
	"SIPS:h.example.com:5061;a=b",
	"sip:aeaaaaqaaaaab4aamvhq2yaaaaaab4aaaaaaqaaaaaaaaaaaiaaabigvmyfzd2mzp2q@10.0.0.1:5060;lr",
	"sip:a;b=c?d/e@[2001:db8::1]:5070;x?y=z",
	"sip:192.0.2.1",
	"tel:+44-20-3555-0100;phone-context=+44",
	"sip:x%40y;p=1@host_with-odd.name.;lr;ftag=0123456789012345678901234567890123456789012345678901234567890123456789",
	"http://example.com/",
};

#define HEAD                                                                                                                       \
	"Via: SIP/2.0/UDP 10.9.0.7:5060;branch=z9hG4bK0123456789abcdef;rport\r\nMax-Forwards: 70\r\n"                              \
	"From: \"Caller 7\" <sip:+447700900007@carrier.example.org>;tag=0badcafe\r\nTo: <sip:+442035550100@sip.example.net>\r\n"   \
	"Call-ID: 0123456789abcdef-7@10.9.0.7\r\n"

static const char *const messages[] = {
	"INVITE sip:+442035550100@sip.example.net SIP/2.0\r\n" HEAD "CSeq: 101 INVITE\r\nContact: <sip:+447700900007@10.9.0.7:5060>\r\n"
	"User-Agent: SBC/7.4.2\r\nAllow: INVITE, ACK, CANCEL, BYE\r\nP-Asserted-Identity: <sip:1@x>\r\nX-A_Rather-Long-Name-Of-Ours: 1\r\n"
	"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
	"SIP/2.0 200 OK\r\nvia:SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKtaaaaaaaaaaaaaaaaaaaaaaaa\r\n" HEAD
	"CSeq: 4711 SUBSCRIBE\r\nRecord-Route: <sip:p;lr>\r\nl: 0\r\n\r\n",
	"BYE sip:10.0.0.1 SIP/2.0\n" HEAD "CSEQ:\r\n 1\tBYE  \r\nSubject: folded\r\n\tover\r\n two\r\nRoute: <sip:a;lr>,<sip:b;lr>\r\n\r\n",
	"\r\n\r\nREGISTER sips:r.example.com SIP/2.0\r\nv: SIP/2.0/TCP a;branch=z9hG4bKb\r\nf: sip:a@b;tag=c\r\nt: a <sip:a@b>\r\ni : x\r\n"
	"CSeq: 0 REGISTER\r\nm: *\r\nExpires: 0\r\n\r\n",
	"NOVEL tel:+44 SIP/2.0\r\n" HEAD "CSeq: 1 NOVEL\r\nAuthorization: Digest x\r\nProxy-Authorization: y\r\nProxy-Authenticate: z\r\n\r\n",
	"NOTIFY sip:+4420@10.0.0.1;user=phone SIP/2.0\r\n" HEAD "CSeq: 17 NOTIFY\r\n\r\n",
	"SIP/2.0 100\r\n" HEAD "CSeq: 1 INVITE\r\n\r\n",
	"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: a, b <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: c\r\n"
	"CSeq: 1 OPTIONS\r\n\r\n",
	"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: sip:x@y;p=<sip:u@v>;tag=1\r\nTo: <sip:x y>\r\nCall-ID: c\r\n"
	"CSeq: 1 OPTIONS\r\n\r\n",
	"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: \"a <b>\" <sip:x@y>;tag=1\r\nTo: <sip:x@y>;tag=a/b\r\n"
	"Call-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n",
};

static void values(void **state)
{
	each(vias, COUNT_OF(vias), 20000, try_via);
	each(elements, COUNT_OF(elements), 20000, try_element);
	each(uris, COUNT_OF(uris), 20000, try_uri);
}

static void by_every_level(const char *text, void (*try)(struct span, const struct sip_level *))
{
	struct span s = exact_str(text);

	for (int k = CPU_AVX2; k < CPU_LEVELS; k++)
		if (levels[k])
			try(s, levels[k]);
	exact_free(s);
}

/* Branches of every length, with a bare rport behind them, or what is one bit from it, or what stands in its place. */
static void branches(void **state)
{
	static const char *const tails[] = { "", ";rport", ";RPORT", "rport", ";rport;", ";rport=", ";rport ", ";rport,SIP/2.0/UDP b;branch=c;rport", ";branch", "_" };
	char text[256];

	for (int length = 0; length < 70; length++)
		for (size_t i = 0; i < COUNT_OF(tails); i++) {
			size_t tail = strlen(tails[i]);
			int n = snprintf(text, sizeof(text), "SIP/2.0/UDP 10.0.0.7:5060;branch=%.*s%s", length,
					 "z9hG4bKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;rport", tails[i]);

			by_every_level(text, try_via);
			for (size_t bit = 0; bit < 7 * tail; bit++) {
				char *byte = &text[(size_t)n - tail + bit / 7];

				*byte ^= (char)(1 << bit % 7);
				if (*byte)
					by_every_level(text, try_via);
				*byte ^= (char)(1 << bit % 7);
			}
		}
}

/* Ports of every number of digits and what may follow them. */
static void ports(void **state)
{
	static const char *const digits[] = { "", "0", "9", "99", "5060", "0000", "0506", "12345", "50609", "65535", "65536", "123456", "50:0", "506/" };
	static const char *const behind[] = { "", ";", ";lr", ";transport=udp", "?a=b", "x", " ", "/", ",", ":" };
	char text[128];

	for (size_t d = 0; d < COUNT_OF(digits); d++)
		for (size_t b = 0; b < COUNT_OF(behind); b++) {
			snprintf(text, sizeof(text), "sip:a@10.0.0.7:%s%s", digits[d], behind[b]);
			by_every_level(text, try_uri);
			snprintf(text, sizeof(text), "sip:host%s%s", behind[b], digits[d]);
			by_every_level(text, try_uri);
			snprintf(text, sizeof(text), "SIP/2.0/UDP 10.0.0.7:%s%s", digits[d], behind[b]);
			by_every_level(text, try_via);
		}
}

static void whole_messages(void **state)
{
	each(messages, COUNT_OF(messages), 10000, try_message);
}

/* A message that ends at every of its bytes: every length of the last chunk. */
static void cut_messages(void **state)
{
	for (size_t i = 0; i < COUNT_OF(messages); i++)
		for (size_t n = 0; n <= strlen(messages[i]); n++) {
			struct span s = exact(messages[i], n);

			for (int k = CPU_AVX2; k < CPU_LEVELS; k++)
				if (levels[k])
					try_message(s, levels[k]);
			exact_free(s);
		}
}

/* By every level, in a copy of the exact size. */
static void try_text(const char *text, size_t n)
{
	struct span s = exact(text, n);

	for (int k = CPU_AVX2; k < CPU_LEVELS; k++)
		if (levels[k])
			try_message(s, levels[k]);
	exact_free(s);
}

#define REST                                                                                                                       \
	"Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"

/* What ends in a NUL is no method that we know. */
static void methods_with_a_nul(void **state)
{
	static const char *const formats[] = { "INFO%c sip:h SIP/2.0\r\n" REST "\r\n",
					       "SIP/2.0 200 OK\r\n" HEAD "CSeq: 1 INFO%c\r\nContact: <sip:a>\r\n\r\n" };
	char text[1024];

	for (size_t i = 0; i < COUNT_OF(formats); i++)
		for (unsigned c = 0; c < 128; c++)
			try_text(text, (size_t)snprintf(text, sizeof(text), formats[i], (char)c));
}

/* Numbers of any length that end as a shorter one that would do. */
static void long_numbers(void **state)
{
	static const char *const formats[] = {
		"OPTIONS sip:h SIP/2.0\r\nMax-Forwards: %s\r\n" REST "\r\n", "OPTIONS sip:h SIP/2.0\r\nContent-Length: %s\r\n" REST "\r\n123456789",
		"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h:%s;branch=z9hG4bKa\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: c\r\n"
		"CSeq: 1 OPTIONS\r\n\r\n", "SIP/2.0 200 OK\r\n" HEAD "CSeq: %s INFO\r\nContact: <sip:a>\r\n\r\n",
	};
	static const char *const numbers[] = { "5", "05", "105", "1005", "10005", "00005", "100005", "1000005", "10000005", "12345678", "100000005",
					       "2147483647", "2147483648", "4294967301", "100000000005", "18446744073709551621", "" };
	char text[1024];

	for (size_t i = 0; i < COUNT_OF(formats); i++)
		for (size_t k = 0; k < COUNT_OF(numbers); k++)
			try_text(text, (size_t)snprintf(text, sizeof(text), formats[i], numbers[k]));
}

/* A name with one bit of one of its bytes changed, far from the message's end and near it, and as it is in capitals. */
static void try_name(const char *name)
{
	static const char *const behind[] = { ": 1\r\n" REST "\r\n", ": 1\r\n\r\n", ":\n\n", ": \r\n\r\nbody" };
	size_t length = strlen(name);
	char text[512];

	for (size_t i = 0; i < COUNT_OF(behind); i++)
		for (size_t at = 0; at <= length + 1; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				int start = snprintf(text, sizeof(text), "OPTIONS sip:h SIP/2.0\r\n%s", i ? REST : "");
				int n = start + snprintf(text + start, sizeof(text) - (size_t)start, "%s%s", name, behind[i]);

				text[start + (int)at] ^= (char)(1 << bit);
				try_text(text, (size_t)n);
				for (size_t k = 0; k < length; k++)
					text[start + (int)k] = (char)toupper(text[start + (int)k]);
				try_text(text, (size_t)n);
			}
}

static void names(void **state)
{
	static const char *const others[] = { "v", "f", "t", "i", "m", "l", "c", "k", "x", "y", "o", "s", "Allow", "Content-Disposition",
					      "Subscription-State", "X-Unheard-Of", "P-Charging-Function-Addresses",
					      "A-Name-That-Is-Longer-Than-All-That-We-Know-And-Than-Sixty-Four-Bytes" };

	for (int id = SIP_H_OTHER + 1; id < SIP_HEADER_IDS; id++)
		try_name(sip_header_name((enum sip_header_id)id));
	for (size_t i = 0; i < COUNT_OF(others); i++)
		try_name(others[i]);
}

/* As many lines as there is room for, and one less and more; short ones, long ones, and long ones in between. */
static void many_lines(void **state)
{
	static const char *const lines[] = { "a:\n", "s: \n", "k: x\r\n", "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, REFER, NOTIFY\r\n" };
	static char text[128 * 1024];

	for (size_t line = 0; line < COUNT_OF(lines); line++)
		for (size_t count = SIP_LINES_MAX - 80; count < SIP_LINES_MAX + 2; count++) {
			size_t n = (size_t)snprintf(text, sizeof(text), "OPTIONS sip:h SIP/2.0\r\n" REST);

			for (size_t i = 5; i < count; i++)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", i % 300 ? lines[line] : lines[3]);
			n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
			try_text(text, n);
			try_text(text, n - 2);
		}
}

/* The blank line at every place of a block of 64 bytes, written in every way, and what looks like one before and behind it; and heads of every
 * number of lines up to some, of several kinds that are repeated, in turn. */
static void blank_lines(void **state)
{
	static const char *const ends[] = { "\r\n", "\n", "\n\n", "\r\r\n", " \r\n", "\t\n\r\n", "a\n\r\n", "a:\n\r\n", ":\n\n", "\r", "" };
	static const char *const bodies[] = { "", "\n", "\r\n\r\n", "v=0\r\n\r\n", "\n.\n.\n.\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n" };
	char text[1024];

	for (size_t end = 0; end < COUNT_OF(ends); end++)
		for (size_t body = 0; body < COUNT_OF(bodies); body++)
			for (int pad = 0; pad < 150; pad++)
				for (int bare = 0; bare < 2; bare++) {
					int n = snprintf(text, sizeof(text), "OPTIONS sip:h SIP/2.0\r\n" REST "X: %*s%s%s%s", pad, "y",
							 bare ? "\n" : "\r\n", ends[end], bodies[body]);

					try_text(text, (size_t)n);
				}
}

static void repeated_lines(void **state)
{
	static const char *const lines[] = { "Via: SIP/2.0/UDP a\r\n", "Allow: INVITE\r\n", "v:  SIP/2.0/TCP b;branch=z\r\n", "Route: <sip:a;lr>\r\n",
					     "X-Ours: 1\r\n", "Contact: <sip:a>\r\n", "ROUTE: <sip:b;lr>\r\n", "Call-ID : c\r\n" };
	char text[8192];

	for (size_t step = 1; step < COUNT_OF(lines); step += 2)
		for (size_t count = 0; count < 100; count++)
			for (size_t kinds = 1; kinds <= COUNT_OF(lines); kinds++) {
				size_t n = (size_t)snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n%s", count % 3 ? REST : "");

				for (size_t i = 0; i < count; i++)
					n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", lines[i * step % kinds]);
				n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
				try_text(text, n);
			}
}

/* Heads of about as many bytes as are looked through at once. */
static void long_heads(void **state)
{
	static char text[128 * 1024];

	for (int bytes = 7900; bytes < 70000; bytes += bytes < 8400 || bytes > 65000 ? 7 : 4999) {
		int n = snprintf(text, sizeof(text), "OPTIONS sip:h SIP/2.0\r\n" REST "X: %*s\r\nVia: SIP/2.0/UDP b\r\n\r\n%s", bytes, "y",
				 bytes & 1 ? "body" : "");

		try_text(text, (size_t)n);
	}
}

static void sets(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		bool in[LEX_SETS];

		for (int set = 0; set < LEX_SETS; set++)
			in[set] = c < 128 && lex_sets[set][c & 15] >> (c >> 4) & 1;
		assert_int_equal(in[LEX_SET_STOP], !lex_is((uint8_t)c, LEX_WORD) && c != ';');
		assert_int_equal(in[LEX_SET_CLOSE], !lex_is((uint8_t)c, LEX_URI | LEX_SPACE));
		assert_int_equal(in[LEX_SET_NOT_URI], !lex_is((uint8_t)c, LEX_URI));
		assert_int_equal(in[LEX_SET_URI_ODD], !lex_is((uint8_t)c, LEX_URI) || c == '?');
		assert_int_equal(in[LEX_SET_TOKEN], lex_is((uint8_t)c, LEX_TOKEN));
		assert_int_equal(in[LEX_SET_HOST], lex_is((uint8_t)c, LEX_HOST));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets),
		cmocka_unit_test(values),
		cmocka_unit_test(branches),
		cmocka_unit_test(ports),
		cmocka_unit_test(whole_messages),
		cmocka_unit_test(cut_messages),
		cmocka_unit_test(methods_with_a_nul),
		cmocka_unit_test(long_numbers),
		cmocka_unit_test(names),
		cmocka_unit_test(many_lines),
		cmocka_unit_test(blank_lines),
		cmocka_unit_test(repeated_lines),
		cmocka_unit_test(long_heads),
	};

#if CPU_X86
	if (cpu_select(CPU_AVX2))
		levels[CPU_AVX2] = &sip_level_avx2;
	if (cpu_select(CPU_AVX512))
		levels[CPU_AVX512] = &sip_level_avx512;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
