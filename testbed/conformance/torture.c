/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of RFC 4475 and RFC 5118 through the proxy. The files are not part of this tree: STROWGER_TORTURE names their folder, or it
 * stands beside it. Requests come from the caller, whose trunk has a profile for any URI. Responses come from a target twice: as they
 * are, which is stray, and with a Via of ours, of an outstanding request, on top. */
#include <sys/stat.h>

#include "script.h"

#include "sip/message.h"

enum fate {
	FORWARDED, /* to A, every header line and the body byte by byte but for what a proxy edits */
	REFUSED,   /* with `status` */
	ANSWERED_UP, /* a response that goes up with `status`, its bytes kept */
	DROPPED,
};

struct torture {
	const char *file; /* below the folder */
	enum fate fate;
	unsigned status;
	const char *with; /* text that the answer must hold, or NULL */
};

static const char *folder(void)
{
	const char *named = getenv("STROWGER_TORTURE");

	return named ? named : TORTURE_BESIDE;
}

bool torture_present(void)
{
	struct stat st;

	return stat(folder(), &st) == 0 && S_ISDIR(st.st_mode);
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
	return span_of(bytes, (uint32_t)n);
}

/* What the proxy sent that was not looked at yet, to that address on any port. */
static const struct sent *next_to(const char *ip)
{
	struct ip_addr addr = ip_of(ip);

	while (stage.sent_read < stage.sent_count) {
		const struct sent *s = stage.sent[stage.sent_read++];

		if (view_of(s)->status == 100 && memcmp(s->data, "SIP/2.0 100 T", 13) == 0)
			continue; /* our own Trying */
		if (!ip_eq(&s->to.remote.ip, &addr))
			fail_msg("sent elsewhere:\n%.*s", (int)s->len, (const char *)s->data);
		return s;
	}
	return NULL;
}

static bool edited_by_a_proxy(const struct sip_message *m, int line)
{
	uint8_t id = m->headers[line].id;

	return id == SIP_H_MAX_FORWARDS || id == SIP_H_ROUTE || (id == SIP_H_VIA && line == m->first[SIP_H_VIA]);
}

static void expect_kept(struct span original, const struct sent *s)
{
	static struct sip_message m;

	assert_int_equal(sip_parse(original.p, original.n, &m), SIP_OK);
	for (int i = 0; i < m.header_count; i++) {
		const struct sip_header *h = &m.headers[i];

		if (!edited_by_a_proxy(&m, i) && !memmem(s->data, s->len, m.data + h->start, h->end - h->start))
			fail_msg("changed: %.*s", (int)(h->end - h->start), (const char *)m.data + h->start);
	}
	if (s->len < m.len - m.body || memcmp(s->data + s->len - (m.len - m.body), m.data + m.body, m.len - m.body))
		fail_msg("the body was changed");
	if (m.is_request && !span_eq(view_of(s)->method_name, m.method_name))
		fail_msg("the method was changed");
}

static void request(const struct torture *t, struct span bytes)
{
	const struct sent *s;

	stage.trunk[TRUNK_CALLER].profile_slot = stage.profile_slot;
	publish();
	send_bytes(&stage, CALLER, US, bytes.p, bytes.n);
	s = next_to(t->fate == FORWARDED ? "10.2.0.1" : "10.1.0.1");
	if (t->fate == DROPPED) {
		if (s)
			fail_msg("not dropped, but sent:\n%.*s", (int)s->len, (const char *)s->data);
		return;
	}
	if (!s)
		fail_msg("nothing was sent");
	if (t->fate == FORWARDED)
		expect_kept(bytes, s);
	else if (view_of(s)->status != t->status)
		fail_msg("wanted %u, sent\n%.*s", t->status, (int)s->len, (const char *)s->data);
	if (t->with && !sent_has(s, t->with))
		fail_msg("\"%s\" is not in\n%.*s", t->with, (int)s->len, (const char *)s->data);
	if (stage.sent_read < stage.sent_count)
		fail_msg("something else was sent");
}

/* The method in its CSeq, however wrong the rest is. */
static const char *method_of(struct span bytes)
{
	static char method[64];
	const char *at = memmem(bytes.p, bytes.n, "\r\nCSeq:", 7);

	if (!at || sscanf(at + 7, " %*[0-9] %63[A-Z]", method) != 1)
		fail_msg("no method in CSeq");
	return method;
}

static void response(const struct torture *t, struct span bytes)
{
	static uint8_t with_ours[70000];
	const char *method = method_of(bytes), *line_end;
	const struct sent *s;
	uint32_t head;

	ask(.method = method);
	s = out(method, A);
	if (!strcmp(method, "INVITE"))
		up(100);
	send_bytes(&stage, A, US, bytes.p, bytes.n);
	if (next_to("10.1.0.1"))
		fail_msg("a stray response was sent on");
	line_end = memmem(bytes.p, bytes.n, "\r\n", 2);
	assert_non_null(line_end);
	head = (uint32_t)(line_end + 2 - (const char *)bytes.p);
	memcpy(with_ours, bytes.p, head);
	head += (uint32_t)sprintf((char *)with_ours + head, "Via: %s\r\n", sent_header(s, "Via", 0));
	memcpy(with_ours + head, line_end + 2, bytes.n - (size_t)(line_end + 2 - (const char *)bytes.p));
	head += bytes.n - (uint32_t)(line_end + 2 - (const char *)bytes.p);
	send_bytes(&stage, A, US, with_ours, head);
	s = next_to("10.1.0.1");
	if (t->fate == DROPPED) {
		if (s)
			fail_msg("not dropped, but sent:\n%.*s", (int)s->len, (const char *)s->data);
		reply(A, 486);
		return;
	}
	if (!s || view_of(s)->status != t->status)
		fail_msg("it did not go up");
	if (memcmp(s->data, bytes.p, (size_t)(line_end - (const char *)bytes.p)))
		fail_msg("the status line was changed");
	expect_kept(bytes, s);
}

static void play(void);

#define WIRE(name) "rfc5118/wire/" name ".dat"

static const struct torture messages[] = {
	{ "rfc4475/wsinv.dat", REFUSED, 481, "1918181833n" },
	{ "rfc4475/intmeth.dat", FORWARDED },
	{ "rfc4475/esc01.dat", FORWARDED },
	{ "rfc4475/escnull.dat", FORWARDED },
	{ "rfc4475/esc02.dat", FORWARDED },
	{ "rfc4475/lwsdisp.dat", FORWARDED },
	{ "rfc4475/longreq.dat", FORWARDED },
	{ "rfc4475/dblreq.dat", FORWARDED },
	{ "rfc4475/semiuri.dat", FORWARDED, 0, "OPTIONS sip:user;par=u%40example.net@10.2.0.1 SIP/2.0\r\n" },
	{ "rfc4475/transports.dat", FORWARDED },
	{ "rfc4475/mpart01.dat", REFUSED, 403, "Route Refused" },
	{ "rfc4475/unreason.dat", ANSWERED_UP, 200 },
	{ "rfc4475/noreason.dat", DROPPED },
	{ "rfc4475/badinv01.dat", REFUSED, 400 },
	{ "rfc4475/clerr.dat", REFUSED, 400 },
	{ "rfc4475/ncl.dat", REFUSED, 400 },
	{ "rfc4475/scalar02.dat", REFUSED, 400 },
	{ "rfc4475/scalarlg.dat", DROPPED },
	{ "rfc4475/quotbal.dat", REFUSED, 400 },
	{ "rfc4475/ltgtruri.dat", REFUSED, 400 },
	{ "rfc4475/lwsruri.dat", REFUSED, 400 },
	{ "rfc4475/lwsstart.dat", REFUSED, 400 },
	{ "rfc4475/trws.dat", REFUSED, 400 },
	{ "rfc4475/escruri.dat", REFUSED, 400 },
	{ "rfc4475/baddate.dat", FORWARDED },
	{ "rfc4475/regbadct.dat", FORWARDED },
	{ "rfc4475/badaspec.dat", FORWARDED },
	{ "rfc4475/baddn.dat", REFUSED, 400 },
	{ "rfc4475/badvers.dat", REFUSED, 505 },
	{ "rfc4475/mismatch01.dat", REFUSED, 400 },
	{ "rfc4475/mismatch02.dat", REFUSED, 400 },
	{ "rfc4475/bigcode.dat", DROPPED },
	{ "rfc4475/badbranch.dat", FORWARDED },
	{ "rfc4475/insuf.dat", DROPPED },
	{ "rfc4475/unkscm.dat", REFUSED, 416 },
	{ "rfc4475/novelsc.dat", REFUSED, 416 },
	{ "rfc4475/unksm2.dat", FORWARDED },
	{ "rfc4475/bext01.dat", REFUSED, 420, "\r\nUnsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n" },
	{ "rfc4475/invut.dat", FORWARDED },
	{ "rfc4475/regaut01.dat", FORWARDED },
	{ "rfc4475/multi01.dat", REFUSED, 400 },
	{ "rfc4475/mcl01.dat", REFUSED, 400 },
	{ "rfc4475/bcast.dat", ANSWERED_UP, 200 },
	{ "rfc4475/zeromf.dat", REFUSED, 483 },
	{ "rfc4475/cparam01.dat", FORWARDED },
	{ "rfc4475/cparam02.dat", FORWARDED },
	{ "rfc4475/regescrt.dat", FORWARDED },
	{ "rfc4475/sdp01.dat", FORWARDED },
	{ "rfc4475/inv2543.dat", FORWARDED },
	{ WIRE("ipv6-good"), FORWARDED },
	{ WIRE("ipv6-bad"), REFUSED, 400 },
	{ WIRE("port-ambiguous"), FORWARDED },
	{ WIRE("port-unambiguous"), FORWARDED },
	{ WIRE("via-received-param-with-delim"), REFUSED, 481 },
	{ WIRE("via-received-param-no-delim"), FORWARDED },
	{ WIRE("ipv6-in-sdp"), FORWARDED },
	{ WIRE("mult-ip-in-header"), REFUSED, 481 },
	{ WIRE("mult-ip-in-sdp"), FORWARDED },
	{ WIRE("ipv4-mapped-ipv6"), FORWARDED },
	{ WIRE("ipv6-bug-abnf-3-colons"), FORWARDED },
	{ WIRE("ipv6-correct-abnf-2-colons"), FORWARDED },
};

static void play(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(messages); i++) {
		const char *base = strrchr(messages[i].file, '/') + 1;
		size_t n = strlen(law_playing->name);
		struct span bytes;

		if (strncmp(base, law_playing->name, n) || strcmp(base + n, ".dat"))
			continue;
		bytes = load(messages[i].file);
		if (bytes.n > 4 && !memcmp(bytes.p, "SIP/", 4))
			response(&messages[i], bytes);
		else
			request(&messages[i], bytes);
		return;
	}
	fail_msg("no such message");
}

#define OLD(name, rule)		     { name, "rfc4475", rule, play, NULL }
#define OLD_BUT(name, rule, because) { name, "rfc4475", rule, play, because }
#define SIX(name, rule)		     { name, "rfc5118", rule, play, NULL }
#define SIX_BUT(name, rule, because) { name, "rfc5118", rule, play, because }

LAW_BOOK(torture,
	OLD_BUT("wsinv", "§3.1.1.1: a well-formed INVITE of unusual spacing is forwarded, along its Routes",
		"it is read as well formed, but it has a To tag and is of no dialog of ours: 481; our own cases `folded_everywhere` and `folded_via` show such an INVITE passing"),
	OLD("intmeth", "§3.1.1.2: unusual characters everywhere: forwarded byte by byte"),
	OLD("esc01", "§3.1.1.3: escapes are not touched"),
	OLD("escnull", "§3.1.1.4: an escaped NUL in a user part is forwarded whole"),
	OLD("esc02", "§3.1.1.5: an escape in a method or a header name is no escape"),
	OLD("lwsdisp", "§3.1.1.6: no space before < is accepted"),
	OLD("longreq", "§3.1.1.7: long values are forwarded whole"),
	OLD("dblreq", "§3.1.1.8: bytes behind the message are not forwarded"),
	OLD("semiuri", "§3.1.1.9: a semicolon in the user part"),
	OLD("transports", "§3.1.1.10: unknown transports in Via are kept"),
	OLD_BUT("mpart01", "§3.1.1.11: a binary body passes",
		"it is read as well formed, but its Route is another's: outside a dialog those are refused, lest we relay for anybody; our own case `nuls` shows a binary body passing"),
	OLD("unreason", "§3.1.1.12: a reason phrase in UTF-8 passes"),
	OLD("noreason", "§3.1.1.13: a 100 without reason phrase is read, and goes no further"),
	OLD("badinv01", "§3.1.2.1: separators without values get 400"),
	OLD("clerr", "§3.1.2.2: a Content-Length beyond the datagram gets 400"),
	OLD("ncl", "§3.1.2.3: a negative Content-Length gets 400"),
	OLD("scalar02", "§3.1.2.4: overlarge numbers get 400"),
	OLD("scalarlg", "§3.1.2.5: a response with overlarge numbers is dropped"),
	OLD("quotbal", "§3.1.2.6: a quote without an end gets 400"),
	OLD("ltgtruri", "§3.1.2.7: angle brackets around the request URI get 400"),
	OLD("lwsruri", "§3.1.2.8: space in the request URI gets 400"),
	OLD("lwsstart", "§3.1.2.9: several spaces in the request line get 400"),
	OLD("trws", "§3.1.2.10: space behind the request line gets 400"),
	OLD("escruri", "§3.1.2.11: headers in the request URI get 400"),
	OLD("baddate", "§3.1.2.12: a Date in another time zone is no business of a proxy's: forwarded"),
	OLD_BUT("regbadct", "§3.1.2.13: 400 for a Contact with headers and no brackets",
		"a proxy does not read Contact of a REGISTER; the registrar refuses it. Bytes are not changed, so nothing is propagated but what came"),
	OLD_BUT("badaspec", "§3.1.2.14: 400 for spaces within an addr-spec",
		"it stands in a To or From whose URI a proxy does not use; it is passed on as it came, for the user agent to judge"),
	OLD("baddn", "§3.1.2.15: a display name that is no token gets 400"),
	OLD("badvers", "§3.1.2.16: an unknown version gets 505"),
	OLD("mismatch01", "§3.1.2.17: a CSeq with another method gets 400"),
	OLD("mismatch02", "§3.1.2.18: so it does with unknown methods"),
	OLD("bigcode", "§3.1.2.19: a response with an overlarge status is dropped"),
	OLD("badbranch", "§3.2.1: a branch of the cookie alone does no harm"),
	OLD_BUT("insuf", "§3.3.1: 400 for missing Call-ID, From and To",
		"without them no response can be built that anybody could match: dropped and counted"),
	OLD("unkscm", "§3.3.2: an unknown scheme gets 416"),
	OLD("novelsc", "§3.3.3: a scheme that is no SIP scheme gets 416"),
	OLD("unksm2", "§3.3.4: unknown schemes in To, From and Contact pass"),
	OLD("bext01", "§3.3.5: unknown options in Proxy-Require get 420"),
	OLD("invut", "§3.3.6: an unknown content type is the user agent's business"),
	OLD("regaut01", "§3.3.7: credentials of an unknown scheme pass"),
	OLD("multi01", "§3.3.8: several values where one is due get 400"),
	OLD("mcl01", "§3.3.9: several Content-Lengths get 400"),
	OLD_BUT("bcast", "§3.3.10: a response whose next Via is a broadcast address is dropped",
		"with a branch of ours it belongs to a transaction, whose answers go to where the request came from and never by that Via; without one it is dropped"),
	OLD("zeromf", "§3.3.11: Max-Forwards 0 gets 483"),
	OLD("cparam01", "§3.3.12: unknown Contact parameters pass"),
	OLD("cparam02", "§3.3.13: unknown URI parameters pass"),
	OLD("regescrt", "§3.3.14: an escaped Route in a Contact stays escaped"),
	OLD("sdp01", "§3.3.15: Accept without SDP is the user agent's business"),
	OLD("inv2543", "§3.4.1: an INVITE of RFC 2543 is forwarded"),
	SIX("ipv6-good", "§4.1: an IPv6 reference"), SIX("ipv6-bad", "§4.2: an IPv6 address without brackets gets 400"),
	SIX("port-ambiguous", "§4.3: a port within the brackets is part of the address"),
	SIX("port-unambiguous", "§4.4: a port behind the brackets"),
	SIX_BUT("via-received-param-with-delim", "§4.5: received with brackets is accepted",
		"it is accepted as well formed, and being a BYE of no dialog of ours it gets 481"),
	SIX("via-received-param-no-delim", "§4.5: received without brackets is accepted"),
	SIX("ipv6-in-sdp", "§4.6: IPv6 in SDP is not touched"),
	SIX_BUT("mult-ip-in-header", "§4.7: IPv4 and IPv6 in one stack of Vias",
		"it is accepted as well formed, and being a BYE of no dialog of ours it gets 481"),
	SIX("mult-ip-in-sdp", "§4.8: several addresses in SDP are not touched"),
	SIX("ipv4-mapped-ipv6", "§4.9: IPv4-mapped addresses pass"),
	SIX("ipv6-bug-abnf-3-colons", "§4.10: three colons are tolerated"),
	SIX("ipv6-correct-abnf-2-colons", "§4.10: two colons before an IPv4 part"));
