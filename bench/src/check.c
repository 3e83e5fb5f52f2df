/* SPDX-License-Identifier: Apache-2.0 */
/* What came out, judged by reading it as text: none of the data plane's own parsers has a say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#define OWN_VIA	"Via: SIP/2.0/"
#define OWN_HOST " " PROXY_HOST ":5060;branch=z9hG4bK"

struct line {
	const char *p;
	uint32_t n; /* with its CRLF */
};

static _Noreturn void wrong(const char *why, const uint8_t *text, uint32_t len)
{
	fprintf(stderr, "bench: %s:\n%.*s\n", why, (int)len, (const char *)text);
	exit(1);
}

/* The next line of *at; false: the end. */
static bool line_next(const char **at, const char *end, struct line *ret)
{
	const char *newline;

	if (*at >= end)
		return false;
	newline = memchr(*at, '\n', (size_t)(end - *at));
	ret->p = *at;
	ret->n = (uint32_t)((newline ? newline + 1 : end) - *at);
	*at += ret->n;
	return true;
}

static bool begins(struct line l, const char *with)
{
	size_t n = strlen(with);

	return l.n >= n && memcmp(l.p, with, n) == 0;
}

/* The first header line of a name. */
static bool line_find(const uint8_t *text, uint32_t len, const char *name, struct line *ret)
{
	const char *at = (const char *)text, *end = at + len;

	while (line_next(&at, end, ret) && ret->n > 2)
		if (begins(*ret, name))
			return true;
	return false;
}

/* The next line that must be the same in what came and what left. */
static bool line_kept(const char **at, const char *end, const char *const *changed, struct line *ret)
{
	while (line_next(at, end, ret)) {
		const char *const *c = changed;

		if (ret->n == 2) /* the body follows, all of it */
			ret->n += (uint32_t)(end - *at), *at = end;
		while (*c && !begins(*ret, *c))
			c++;
		if (!*c)
			return true;
	}
	return false;
}

/* The sender's Via as it came, but for what RFC 3581 makes of its rport. */
static bool same_via(struct line came, struct line left)
{
	static const char asked[] = ";rport\r\n", told[] = ";rport=5060\r\n";
	uint32_t n = came.n;

	if (n > sizeof(asked) - 1 && !memcmp(came.p + n - (sizeof(asked) - 1), asked, sizeof(asked) - 1)) {
		n -= sizeof(asked) - 1;
		return left.n > n + sizeof(told) - 1 && !memcmp(left.p, came.p, n) && !memcmp(left.p + n, ";received=", 10) &&
		       !memcmp(left.p + left.n - (sizeof(told) - 1), told, sizeof(told) - 1);
	}
	return left.n == n && !memcmp(left.p, came.p, n);
}

const char *check_request(const uint8_t *in, uint32_t in_len, const uint8_t *out, uint32_t out_len, bool founding)
{
	static const char *const in_changed[] = { "Via:", "Max-Forwards:", "Route:", NULL };
	static const char *const founding_changed[] = { "Via:", "Max-Forwards:", "Record-Route:", "Max-Breadth:", NULL };
	static const char *const within_changed[] = { "Via:", "Max-Forwards:", NULL };
	const char *a = (const char *)in, *a_end = a + in_len, *b = (const char *)out, *b_end = b + out_len;
	struct line x = { 0 }, y = { 0 }, via = { 0 };

	line_next(&a, a_end, &x);
	line_next(&b, b_end, &y);
	if (founding) { /* the host becomes the endpoint's */
		uint32_t n = (uint32_t)((const char *)memchr(x.p, '@', x.n) - x.p) + 1;

		if (y.n < n || memcmp(x.p, y.p, n))
			return "another request URI";
	} else if (x.n != y.n || memcmp(x.p, y.p, x.n)) {
		return "another start line";
	}
	line_next(&b, b_end, &y);
	if (!begins(y, OWN_VIA) || y.n < sizeof(OWN_VIA) + 3 + sizeof(OWN_HOST) || memcmp(y.p + sizeof(OWN_VIA) - 1 + 3, OWN_HOST, sizeof(OWN_HOST) - 1))
		return "our Via is not on top";
	line_find(in, in_len, "Via: ", &x);
	line_find((const uint8_t *)b, (uint32_t)(b_end - b), "Via: ", &via);
	if (!same_via(x, via))
		return "another Via below ours";
	if (!line_find(out, out_len, "Max-Forwards: 69\r\n", &x))
		return "hops";
	if (founding != line_find(out, out_len, "Record-Route: <sip:", &x) || line_find(out, out_len, "Route:", &x))
		return "Record-Route or Route";
	for (;;) {
		bool more = line_kept(&a, a_end, in_changed, &x);

		if (more != line_kept(&b, b_end, founding ? founding_changed : within_changed, &y))
			return "lines lost or added";
		if (!more)
			return NULL;
		if (x.n != y.n || memcmp(x.p, y.p, x.n))
			return "a line was changed";
	}
}

const char *check_response(const uint8_t *in, uint32_t in_len, const uint8_t *out, uint32_t out_len)
{
	struct line via;
	uint32_t before;

	if (!line_find(in, in_len, "Via: ", &via) || in_len != out_len + via.n)
		return "another length";
	before = (uint32_t)((const uint8_t *)via.p - in);
	if (memcmp(in, out, before) || memcmp(in + before + via.n, out + before, out_len - before))
		return "changed bytes";
	return NULL;
}

static void expected(struct traffic *t, struct call *c, uint8_t what, const uint8_t *text, uint32_t len)
{
	if (!(c->expect & what))
		wrong("a message that nobody waits for", text, len);
	c->expect &= (uint8_t)~what;
	t->missing--;
}

/* Keeps the header lines of a name, one after the other. */
static uint16_t keep_lines(const uint8_t *text, uint32_t len, const char *name, uint8_t *out, uint32_t room)
{
	const char *at = (const char *)text, *end = at + len;
	struct line l;
	uint32_t n = 0;

	while (line_next(&at, end, &l) && l.n > 2) {
		if (!begins(l, name))
			continue;
		if (n + l.n > room)
			wrong("too long for the peer", text, len);
		memcpy(out + n, l.p, l.n);
		n += l.n;
	}
	return (uint16_t)n;
}

static void keep_vias(struct call *c, const uint8_t *text, uint32_t len)
{
	if (!c->flight)
		c->flight = flight_new();
	c->flight->via_bytes = keep_lines(text, len, "Via: ", c->flight->vias, VIAS_BYTES);
}

static void response_out(struct traffic *t, struct call *c, uint32_t slot, const uint8_t *text, uint32_t len, uint32_t to)
{
	struct call_name name = call_name_of(t, slot);
	unsigned status = (unsigned)strtoul((const char *)text + 8, NULL, 10);
	const char *fault;

	if (to != (c->from_caller ? name.caller_ip : c->target_ip))
		wrong("a response to the wrong side", text, len);
	if (status == 100 && t->ends && !(c->expect & EXPECT_TRYING))
		return; /* within a dialog too an INVITE has a transaction there, which says that it came */
	if (status == 100) {
		expected(t, c, EXPECT_TRYING, text, len);
		return;
	}
	expected(t, c, EXPECT_RESPONSE, text, len);
	if (status != c->status)
		wrong("another status", text, len);
	fault = check_response(t->inputs[c->input].text, t->inputs[c->input].len, text, len);
	if (fault)
		wrong(fault, text, len);
}

/* What the side speaks that it goes to. */
static bool left_by(const uint8_t *text, uint32_t len, bool to_caller)
{
	struct line via;

	return line_find(text, len, OWN_VIA, &via) && !memcmp(via.p + sizeof(OWN_VIA) - 1, peer_transport(to_caller), 3);
}

static void invite_out(struct traffic *t, struct call *c, uint32_t slot, const uint8_t *text, uint32_t len, uint32_t to)
{
	struct call_name name = call_name_of(t, slot);
	uint8_t came[MESSAGE_MAX];
	uint32_t came_len = peer_invite(came, t->mix, &name);
	const char *fault = check_request(came, came_len, text, len, true);

	if (c->expect & EXPECT_RIVAL && !(c->expect & EXPECT_INVITE)) {
		expected(t, c, EXPECT_RIVAL, text, len);
		traffic_rival(t, slot);
	} else {
		expected(t, c, EXPECT_INVITE, text, len);
	}
	if (!fault && !left_by(text, len, false))
		fault = "our Via names another transport";
	if (fault || !world_is_endpoint(t->world, to) || to == c->refused_ip || to == c->rival_ip)
		wrong(fault ? fault : "not an endpoint", text, len);
	c->target_ip = to;
	c->route_bytes = keep_lines(text, len, "Record-Route: ", c->routes, ROUTES_BYTES);
	keep_vias(c, text, len);
}

static void request_out(struct traffic *t, struct call *c, uint32_t slot, const uint8_t *text, uint32_t len, uint32_t to)
{
	struct call_name name = call_name_of(t, slot);
	const struct input *came = &t->inputs[c->input];
	const char *fault;

	if (c->expect & EXPECT_HOP_ACK && to == c->refused_ip && !memcmp(text, "ACK ", 4)) {
		expected(t, c, EXPECT_HOP_ACK, text, len);
		return;
	}
	if (c->expect & EXPECT_CANCEL && to == c->rival_ip && !memcmp(text, "CANCEL ", 7)) {
		expected(t, c, EXPECT_CANCEL, text, len);
		return;
	}
	if (c->expect & (EXPECT_INVITE | EXPECT_RIVAL)) {
		invite_out(t, c, slot, text, len, to);
		return;
	}
	expected(t, c, EXPECT_REQUEST, text, len);
	fault = check_request(came->text, came->len, text, len, false);
	if (!fault && !left_by(text, len, !c->from_caller))
		fault = "our Via names another transport";
	if (fault || to != (c->from_caller ? c->target_ip : name.caller_ip))
		wrong(fault ? fault : "a request to the wrong side", text, len);
	if (c->method != M_ACK)
		keep_vias(c, text, len);
}

void check_output(struct traffic *t, const uint8_t *text, uint32_t len, uint32_t to)
{
	struct line id;
	uint64_t serial;
	uint32_t slot;
	struct call *c;

	if (!line_find(text, len, "Call-ID: ", &id))
		wrong("no Call-ID", text, len);
	serial = peer_serial((const uint8_t *)id.p + 9, id.n - 9);
	slot = (uint32_t)serial;
	if (slot >= t->slots || t->calls[slot].generation != serial >> 32)
		wrong("an unknown call", text, len);
	c = &t->calls[slot];
	if (len > 8 && !memcmp(text, "SIP/2.0 ", 8))
		response_out(t, c, slot, text, len, to);
	else
		request_out(t, c, slot, text, len, to);
}
