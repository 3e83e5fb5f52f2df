/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/route_set.h"

#include <string.h>

#include "base/err.h"
#include "sip/uri.h"
#include "sip/writer.h"

#define RECORD_ROUTES_BYTES 512
#define ROUTES_BYTES	    1024

/* ---- reading */

static int decode(struct proxy *p, struct span user, struct token *ret_token, enum token_side *ret_side)
{
	const struct sip_message *m = p->in;
	const struct token_dialog d = {
		.key = &p->config.call_key,
		.call_hash = p->call_hash,
		.from_hash = from_tag_hash(p),
		.call_id = m->call_id,
		.from_tag = m->from_tag,
		.to_tag = m->to_tag,
	};

	return user.p ? token_decode(&p->signer, user, &d, ret_token, ret_side) : -ERR_NOT_FOUND;
}

static int token_from(struct proxy *p, struct span user, struct way *w)
{
	return decode(p, user, &w->token, &w->side);
}

static bool is_own_route(struct proxy *p, struct span text)
{
	struct sip_uri uri;
	struct token t;
	enum token_side side;

	if (!uri_read(text, &uri))
		return false;
	return uri_is_us(p, &uri) || decode(p, uri.user, &t, &side) == 0;
}

static bool note_route(struct way *w, const struct name_addr *element, int line)
{
	if (w->count == ROUTES_IN_MAX)
		return false;
	w->routes[w->count++] = (struct route_value){ element->whole, element->uri, line };
	return true;
}

/* Lists the Route set behind what way_read_token has read of it. 0, -ERR_INVALID, -ERR_FULL. */
static int read_routes(const struct proxy *p, struct way *w)
{
	const struct sip_message *m = p->in;
	struct span rest = w->rest;
	struct name_addr element;
	int line = m->first[SIP_H_ROUTE], rc;

	while (line >= 0) {
		while ((rc = name_addr_next(&rest, &element)) == 1)
			if (!note_route(w, &element, line))
				return -ERR_FULL;
		if (rc < 0)
			return rc;
		line = m->headers[line].next;
		rest = sip_value(m, line);
	}
	return 0;
}

/* A Route as we wrote its Record-Route, "sip:TOKEN@..." or "sips:TOKEN@...": once the token is verified nothing else in it matters. What has an @
 * before the shortest token's end has no token. */
static struct span own_user(struct span uri)
{
	uint32_t scheme = uri.n > 5 && !memcmp(uri.p, "sip", 3) ? uri.p[3] == ':' ? 4 : !memcmp(uri.p + 3, "s:", 2) ? 5 : 0 : 0;
	const uint8_t *at;

	if (scheme && uri.n > scheme + TOKEN_TEXT_USUAL && uri.p[scheme + TOKEN_TEXT_USUAL] == '@')
		return span_of(uri.p + scheme, TOKEN_TEXT_USUAL);
	at = scheme ? memchr(uri.p + scheme, '@', uri.n - scheme) : NULL;
	return at ? span_of(uri.p + scheme, (uint32_t)(at - uri.p - scheme)) : (struct span){ 0, 0 };
}

/* A line of one Route, to the letter as we wrote its Record-Route: a token that is verified has nothing in it that would have to be read. */
static bool look_usual(struct proxy *p, struct look *l, struct span line)
{
	const uint32_t tail = 5 + TOKEN_TEXT_USUAL;

	for (unsigned i = 0; i < p->listener_count; i++) {
		const struct listener *ours = &p->listeners[i];

		if (line.n != tail + ours->route_tail_len || memcmp(line.p + tail, ours->route_tail, ours->route_tail_len))
			continue;
		if (memcmp(line.p, "<sip:", 5) || decode(p, span_of(line.p + 5, TOKEN_TEXT_USUAL), &l->token, &l->side))
			return false;
		l->route.whole = line;
		l->route.uri = span_of(line.p + 1, line.n - 2);
		l->route_rest = span_of(line.p + line.n, 0);
		return true;
	}
	return false;
}

void route_look(struct proxy *p)
{
	struct look *l = p->look;
	struct sip_uri uri;

	l->routed = true;
	l->route_rest = sip_first(p->in, SIP_H_ROUTE);
	l->route_good = look_usual(p, l, l->route_rest);
	l->token_error = l->route_good ? 0 : -ERR_NOT_FOUND;
	if (l->route_good)
		return;
	if (!l->route_rest.p || name_addr_next(&l->route_rest, &l->route) != 1)
		return;
	l->token_error = decode(p, own_user(l->route.uri), &l->token, &l->side);
	l->route_good = l->token_error == 0 || uri_read(l->route.uri, &uri);
	if (l->token_error == -ERR_NOT_FOUND && l->route_good)
		l->token_error = decode(p, uri.user, &l->token, &l->side);
}

int way_read_token(struct proxy *p, struct way *w)
{
	const struct sip_uri *request;
	struct look *l = p->look;

	if (!l->routed)
		route_look(p);
	w->strict_before = false;
	w->count = 0;
	if (l->route_good) {
		note_route(w, &l->route, p->in->first[SIP_H_ROUTE]);
		w->rest = l->route_rest;
	} else {
		w->rest = sip_first(p->in, SIP_H_ROUTE);
	}
	w->top_is_ours = l->token_error == 0;
	if (w->top_is_ours) {
		w->token = l->token;
		w->side = l->side;
		return 0;
	}
	request = request_uri(p->in);
	if (request && request->scheme != URI_TEL && token_from(p, request->user, w) == 0) {
		w->strict_before = true;
		return 0;
	}
	return l->token_error;
}

/* A Route's URI on its way to the request line, where headers are not allowed (§19.1.1). */
static bool may_be_request_uri(struct span text)
{
	struct sip_uri uri;

	return uri_read(text, &uri) && !uri.headers.p;
}

/* Every way. */
static __attribute__((noinline)) int follow(struct proxy *p, struct way *w)
{
	int rc = read_routes(p, w);

	if (rc < 0)
		return rc;
	w->hop = &w->hop_read;
	if (w->strict_before) {
		if (!w->count)
			return -ERR_INVALID;
		w->request_uri = w->routes[--w->count].uri;
		w->rebuild = true;
	}
	w->first = w->top_is_ours;
	while (w->first < w->count && is_own_route(p, w->routes[w->first].uri))
		w->first++;
	w->own = w->first;
	w->hop_is_route = w->first < w->count;
	if (!w->hop_is_route && !w->strict_before)
		w->hop = request_uri(p->in);
	else if (!uri_read(w->hop_is_route ? w->routes[w->first].uri : w->request_uri, &w->hop_read))
		return -ERR_INVALID;
	if (!w->hop)
		return -ERR_INVALID;
	if (w->hop_is_route && !param_find(w->hop->params, "lr", NULL)) {
		w->tail = w->request_uri;
		w->request_uri = w->routes[w->first].uri;
		w->first++;
		w->rebuild = true;
	}
	return w->rebuild && !may_be_request_uri(w->request_uri) ? -ERR_INVALID : 0;
}

int way_follow(struct proxy *p, struct way *w)
{
	const struct sip_message *m = p->in;

	w->request_uri = m->request_uri;
	w->tail.p = NULL;
	w->rebuild = false;
	/* As most are: a single Route, which is ours, so the request URI is next. */
	if (w->top_is_ours && !w->rest.n && m->headers[m->first[SIP_H_ROUTE]].next < 0 && (w->hop = request_uri(m))) {
		w->first = w->own = 1;
		w->hop_is_route = false;
		return 0;
	}
	return follow(p, w);
}

/* Loose routing all around: our own values go, the rest stays as it was written. */
static void edit_drop_own(struct proxy *p, const struct way *w)
{
	const struct sip_message *m = p->in;
	const struct span none = { 0, 0 };

	for (unsigned i = 0; i < w->first; i++) {
		const struct sip_header *h = &m->headers[w->routes[i].line];
		unsigned behind = i + 1;

		if (i && w->routes[i].line == w->routes[i - 1].line)
			continue; /* its line is dealt with */
		while (behind < w->first && w->routes[behind].line == w->routes[i].line)
			behind++;
		if (behind < w->count && w->routes[behind].line == w->routes[i].line) {
			const uint8_t *value = sip_value(m, w->routes[i].line).p;

			edit_replace(&p->edits, (uint32_t)(value - m->data), (uint32_t)(w->routes[behind].whole.p - value), none);
		} else {
			edit_replace(&p->edits, h->start, h->end - h->start, none);
		}
	}
}

static void edit_rebuild(struct proxy *p, const struct way *w)
{
	const struct sip_message *m = p->in;
	int first_line = m->first[SIP_H_ROUTE];
	uint8_t *out = edit_text_begin(&p->edits, ROUTES_BYTES);
	struct writer line_text = { out, out ? ROUTES_BYTES : 0, 0, false };

	for (unsigned i = w->first; out && i <= w->count; i++) {
		struct span uri = i < w->count ? w->routes[i].uri : w->tail;

		if (!uri.p)
			continue;
		put_str(&line_text, line_text.n ? ", <" : "Route: <");
		put(&line_text, uri);
		PUT(&line_text, ">");
	}
	if (line_text.n)
		PUT(&line_text, "\r\n");
	if (!out || line_text.full) { /* no room: rather nothing than a Route set with a gap */
		p->edits.error = -ERR_FULL;
		return;
	}
	for (int line = first_line; line >= 0; line = m->headers[line].next)
		edit_replace(&p->edits, m->headers[line].start, m->headers[line].end - m->headers[line].start,
			     line == first_line ? edit_text_end(&p->edits, line_text.n) : (struct span){ 0, 0 });
	edit_replace_span(&p->edits, m, m->request_uri, w->request_uri);
}

/* A NOTIFY may reach the subscriber before the answer to its SUBSCRIBE: then it founds the dialog, with its own Record-Route (RFC 6665 §4.3).
 * Ours are those by which it came, the other way round. */
static void edit_record_route(struct proxy *p, const struct way *w)
{
	uint8_t *out = edit_text_begin(&p->edits, RECORD_ROUTES_BYTES);
	struct writer lines = { out, RECORD_ROUTES_BYTES, 0, false };
	struct sip_uri uri;
	struct way scratch;

	for (unsigned i = w->own; out && i--;) {
		struct span text = w->routes[i].uri;

		if (lines.n + text.n + 20 > RECORD_ROUTES_BYTES || !uri_read(text, &uri) || token_from(p, uri.user, &scratch) < 0)
			continue;
		PUT(&lines, "Record-Route: <");
		put(&lines, text);
		PUT(&lines, ">\r\n");
	}
	if (out)
		edit_replace(&p->edits, p->in->start_line_end, 0, edit_text_end(&p->edits, lines.n));
}

void way_edit_front(struct proxy *p, const struct way *w)
{
	if (w->rebuild)
		edit_rebuild(p, w);
	if (p->in->method == SIP_NOTIFY)
		edit_record_route(p, w);
}

void way_edit_routes(struct proxy *p, const struct way *w)
{
	const struct sip_message *m = p->in;
	const struct sip_header *h;

	if (w->rebuild)
		return;
	if (w->count != 1 || w->first != 1) {
		edit_drop_own(p, w);
		return;
	}
	h = &m->headers[w->routes[0].line];
	edit_replace(&p->edits, h->start, h->end - h->start, (struct span){ 0, 0 });
}
