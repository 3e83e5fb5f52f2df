/* SPDX-License-Identifier: Apache-2.0 */
/* Mid-dialog requests, routed from the message alone by the signed token in our Record-Route, without a transaction (RFC 3261 §16.11, §16.4,
 * §16.12): the two sides retransmit, as they would without us. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "proxy/record.h"
#include "proxy/state.h"
#include "sip/uri.h"
#include "tables/access.h"
#include "tables/endpoints.h"
#include "tables/trunks.h"

static const struct span NO_HEADERS = { 0, 0 };

#define RECORD_ROUTES_BYTES 512
#define ROUTES_IN_MAX 64 /* Route values in one request; more are refused */

struct route_value {
	struct span whole, uri; /* the element as written; its URI */
	int line;
};

/* What the request says about its way. */
struct way {
	struct token token;
	enum token_side side;	      /* who speaks */
	bool strict_before;	      /* our Record-Route is the request URI: a strict router sent it (§16.4) */
	unsigned count, first;	      /* Route values; the first that stays */
	unsigned own;		      /* how many at the front are ours */
	struct span request_uri;      /* what it becomes (RFC 3261 §16.4, §16.6(6)) */
	struct span tail;	      /* URI to append to the Route set, p == NULL: none */
	bool rebuild;		      /* strict routing: the Route lines are written anew */
	struct sip_uri hop;	      /* where the message says it goes next */
	bool hop_is_route;
	struct route_value routes[ROUTES_IN_MAX];
};

/* ---- reading */

static int token_from(const struct proxy *p, struct span user, struct way *w)
{
	if (!user.p)
		return -ERR_NOT_FOUND;
	return token_decode(&p->config.token_keys, user, p->in->call_id, p->in->from_tag, p->in->to_tag, &w->token, &w->side);
}

static bool is_own_route(const struct proxy *p, struct span text)
{
	struct sip_uri uri;
	struct token t;
	enum token_side side;

	if (!uri_read(text, &uri))
		return false;
	return host_is_us(p, uri.host, uri.port) ||
	       (uri.user.p && token_decode(&p->config.token_keys, uri.user, p->in->call_id, p->in->from_tag, p->in->to_tag, &t,
					   &side) == 0);
}

/* Lists the Route set. 0, -ERR_INVALID, -ERR_FULL. */
static int read_routes(const struct proxy *p, struct way *w)
{
	const struct sip_message *m = p->in;

	w->count = 0;
	for (int line = m->first[SIP_H_ROUTE]; line >= 0; line = m->headers[line].next) {
		struct span rest = sip_value(m, line);
		struct name_addr element;
		int rc;

		while ((rc = name_addr_next(&rest, &element)) == 1) {
			if (w->count == ROUTES_IN_MAX)
				return -ERR_FULL;
			w->routes[w->count++] = (struct route_value){ element.whole, element.uri, line };
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A Route's URI on its way to the request line, where headers are not allowed (§19.1.1). */
static bool may_be_request_uri(struct span text)
{
	struct sip_uri uri;

	return uri_read(text, &uri) && !uri.headers.p;
}

/* Takes our own values off the Route set and works out the next hop: RFC 3261 §16.4 (a strict router before us), §16.6(6) (one behind us).
 * 0, or a negative enum err. */
static int follow_routes(const struct proxy *p, struct way *w)
{
	struct span hop;
	int rc = read_routes(p, w);

	if (rc < 0)
		return rc;
	w->request_uri = p->in->request_uri;
	w->tail.p = NULL;
	w->rebuild = false;
	w->first = 0;
	if (w->strict_before) {
		if (!w->count)
			return -ERR_INVALID;
		w->request_uri = w->routes[--w->count].uri;
		w->rebuild = true;
	}
	while (w->first < w->count && is_own_route(p, w->routes[w->first].uri))
		w->first++;
	w->own = w->first;
	w->hop_is_route = w->first < w->count;
	hop = w->hop_is_route ? w->routes[w->first].uri : w->request_uri;
	if (!uri_read(hop, &w->hop))
		return -ERR_INVALID;
	if (w->hop_is_route && !param_find(w->hop.params, "lr", NULL)) {
		w->tail = w->request_uri;
		w->request_uri = hop;
		w->first++;
		w->rebuild = true;
	}
	return w->rebuild && !may_be_request_uri(w->request_uri) ? -ERR_INVALID : 0;
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
		if (behind < w->count && w->routes[behind].line == w->routes[i].line)
			edit_replace(&p->edits, h->value, (uint32_t)(w->routes[behind].whole.p - m->data) - h->value, none);
		else
			edit_replace(&p->edits, h->start, h->end - h->start, none);
	}
}

static void edit_rebuild(struct proxy *p, const struct way *w)
{
	const struct sip_message *m = p->in;
	int first_line = m->first[SIP_H_ROUTE];
	char *out = (char *)edit_text_begin(&p->edits, 1024);
	uint32_t n = 0;

	if (!out)
		return;
	for (unsigned i = w->first; i <= w->count; i++) {
		struct span uri = i < w->count ? w->routes[i].uri : w->tail;

		if (!uri.p)
			continue;
		if (n + uri.n + 16 > 1024) { /* no room: rather nothing than a Route set with a gap */
			p->edits.error = -ERR_FULL;
			return;
		}
		n += (uint32_t)sprintf(out + n, "%s<%.*s>", n ? ", " : "Route: ", (int)uri.n, (const char *)uri.p);
	}
	if (n) {
		memcpy(out + n, "\r\n", 2);
		n += 2;
	}
	for (int line = first_line; line >= 0; line = m->headers[line].next)
		edit_replace(&p->edits, m->headers[line].start, m->headers[line].end - m->headers[line].start,
			     line == first_line ? edit_text_end(&p->edits, n) : (struct span){ 0, 0 });
	edit_replace_span(&p->edits, m, m->request_uri, w->request_uri);
}

/* A NOTIFY may reach the subscriber before the answer to its SUBSCRIBE: then it founds the dialog, with its own Record-Route (RFC 6665 §4.3).
 * Ours are those by which it came, the other way round. */
static void edit_record_route(struct proxy *p, const struct way *w)
{
	char *out = (char *)edit_text_begin(&p->edits, RECORD_ROUTES_BYTES);
	struct sip_uri uri;
	struct way scratch;
	uint32_t n = 0;

	for (unsigned i = w->own; out && i--;) {
		struct span text = w->routes[i].uri;

		if (n + text.n + 20 > RECORD_ROUTES_BYTES || !uri_read(text, &uri) || token_from(p, uri.user, &scratch) < 0)
			continue;
		n += (uint32_t)sprintf(out + n, "Record-Route: <%.*s>\r\n", (int)text.n, (const char *)text.p);
	}
	if (out)
		edit_replace(&p->edits, p->in->start_line_end, 0, edit_text_end(&p->edits, n));
}

/* What could start something new, with a token from a call that is long over. Whatever ends a call passes at any age. */
static bool is_kept(const struct proxy *p, const struct token *t)
{
	uint32_t now_s = unix_s(p, p->now_ms);

	if (p->in->method != SIP_INVITE && p->in->method != SIP_REFER && p->in->method != SIP_MESSAGE)
		return false;
	return (int32_t)(now_s - t->setup_s) > (int32_t)(p->config.max_call_age_ms / 1000);
}

/* A peer mangled or dropped the token: the live calls know Call-ID and tags, and its source must be a trunk's. */
static bool from_live_calls(struct proxy *p, const struct flow *from, struct way *w)
{
	const struct live_call *call;

	if (!p->in->to_tag.p || access_lookup(p->tables->access, &from->remote.ip) == TRUNK_NONE)
		return false;
	call = call_find(p->calls, p->in->call_id, p->in->from_tag, p->in->to_tag, &w->side);
	if (!call)
		return false;
	w->token = call->token;
	return true;
}

/* 0: the token is in *w; -ERR_NOT_FOUND: nothing of ours in it; -ERR_FORGED. */
static int read_token(struct proxy *p, struct way *w)
{
	struct span rest = sip_first(p->in, SIP_H_ROUTE);
	struct name_addr top;
	struct sip_uri uri;
	int rc = -ERR_NOT_FOUND;

	w->strict_before = false;
	if (rest.p && name_addr_next(&rest, &top) == 1 && uri_read(top.uri, &uri))
		rc = token_from(p, uri.user, w);
	if (rc == 0)
		return 0;
	if (uri_read(p->in->request_uri, &uri) && uri.scheme == URI_SIP && token_from(p, uri.user, w) == 0) {
		w->strict_before = true;
		return 0;
	}
	return rc;
}

/* ---- where to */

static bool side_lives_at(const struct proxy *p, const struct trunk *t, const struct ip_addr *ip)
{
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(p->tables->endpoints, t->endpoints[i]);

		if (e && ip_eq(&e->addr.ip, ip))
			return true;
	}
	for (unsigned i = 0; i < t->prefix_count; i++)
		if (ip_prefix_contains(&t->prefixes[i], ip))
			return true;
	return false;
}

static bool endpoint_by_id(const struct proxy *p, const struct trunk *t, uint32_t id, struct ip_port *ret_addr)
{
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(p->tables->endpoints, t->endpoints[i]);

		if (e && e->id == id) {
			*ret_addr = e->addr;
			return true;
		}
	}
	return false;
}

static const struct trunk *trunk_of(const struct proxy *p, uint32_t id)
{
	uint32_t slot = trunks_find(p->tables->trunks, id);

	return slot == TRUNK_NONE ? NULL : trunks_get(p->tables->trunks, slot);
}

/* Whoever speaks does so from where its side lives: a token that was copied from the wire is worth nothing elsewhere. */
static bool speaks_from(const struct proxy *p, const struct way *w, const struct ip_addr *source)
{
	const struct trunk *trunk = trunk_of(p, w->side == TOKEN_FROM_CALLER ? w->token.caller_trunk : w->token.target_trunk);

	if (w->side == TOKEN_FROM_CALLER && ip_eq(&w->token.caller_flow.ip, source))
		return true;
	return trunk && side_lives_at(p, trunk, source);
}

/* The next hop: the next Route, else the request URI, but only where the token's other side lives; else that side's own flow, so that
 * nobody relays through us with a token that they made up, copied or kept. false: nowhere. */
static bool next_hop(const struct proxy *p, const struct way *w, struct ip_port *ret_to)
{
	const struct sip_uri *uri = &w->hop;
	bool to_target = w->side == TOKEN_FROM_CALLER;
	const struct trunk *trunk = trunk_of(p, to_target ? w->token.target_trunk : w->token.caller_trunk);

	if (!trunk)
		return false;
	if (!to_target && w->token.caller_flow.ip.family && !w->hop_is_route) {
		*ret_to = w->token.caller_flow; /* behind a NAT: its Contact leads nowhere */
		return true;
	}
	if (uri->scheme == URI_SIP && uri->host_kind != HOST_NAME && side_lives_at(p, trunk, &uri->ip)) {
		ret_to->ip = uri->ip;
		ret_to->port = uri->port ? uri->port : 5060;
		return true;
	}
	if (to_target)
		return endpoint_by_id(p, trunk, w->token.endpoint, ret_to);
	*ret_to = w->token.caller_flow;
	return ret_to->ip.family != IP_NONE;
}

/* ---- forwarding */

/* 40 bits of what a response to this request must carry in the Via below ours; also what keeps the branch of a retransmission, a CANCEL
 * and the ACK for a non-2xx the same on any node with the same key (§16.11). */
static uint64_t stateless_digest(const struct proxy *p, const struct ip_port *reply_to, struct span branch)
{
	const struct hash_key *key = &p->config.branch_key;
	struct {
		struct ip_port reply_to;
		uint64_t branch, call_id, from;
		uint32_t cseq;
	} in;

	memset(&in, 0, sizeof(in));
	in.reply_to.ip = reply_to->ip;
	in.reply_to.port = reply_to->port;
	in.branch = siphash24(key, branch.p, branch.n);
	in.call_id = siphash24(key, p->in->call_id.p, p->in->call_id.n);
	in.from = siphash24(key, p->in->from_tag.p, p->in->from_tag.n);
	in.cseq = p->in->cseq;
	return siphash24(key, &in, sizeof(in)) & 0xffffffffffULL;
}

/* The record of just this dialog: where two legs answered, the token of both names it, but only one is counted. */
static struct live_call *live_call_of(const struct proxy *p)
{
	enum token_side side;

	return call_find(p->calls, p->in->call_id, p->in->from_tag, p->in->to_tag, &side);
}

static void end_call(struct proxy *p, const struct way *w)
{
	struct live_call *call = live_call_of(p);

	if (!call) {
		/* Whoever set it up, another node or we before a restart, will not see this BYE. */
		if (w->token.node != p->config.node || w->token.boot != p->config.boot)
			record_foreign_end(p, &w->token, w->side);
		return;
	}
	record_end(p, call, w->side == TOKEN_FROM_CALLER ? RECORD_ENDED_BY_CALLER : RECORD_ENDED_BY_TARGET);
	target_add(p->config.targets, call->target_slot, TARGET_LIVE, -1);
	count(p, COUNTER_calls_ended);
	record_close(p, call);
	call_close(p->calls, call);
}

/* RFC 4028 §9: a re-INVITE or UPDATE refreshes the session, and may change its interval. */
static void refresh_call(struct proxy *p)
{
	struct live_call *call = live_call_of(p);
	uint64_t seconds = session_expires(p->in);

	if (call && seconds)
		call_session(call, seconds);
	call_refresh(p->calls, call, p->now_ms);
}

static void send_on(struct proxy *p, const struct flow *from, const struct way *w, const struct ip_port *to)
{
	const struct sip_message *m = p->in;
	int listener = listener_for(p, to, TRANSPORT_UDP, &from->local);
	struct span rest = sip_first(m, SIP_H_VIA);
	struct flow reply_to, out_flow = { .remote = *to, .transport = TRANSPORT_UDP };
	struct branch b = { .kind = BRANCH_STATELESS };
	struct via top;
	uint32_t room;
	uint8_t *out;
	char *line;
	int n;

	if (listener < 0 || via_next(&rest, &top) != 1) {
		count(p, COUNTER_refused_destination);
		return;
	}
	reply_flow(&top, from, &reply_to);
	b.digest = stateless_digest(p, &reply_to.remote, top.branch);
	b.worker = (uint8_t)listener_at(p, &from->local); /* responses leave by the listener that the request came by */
	line = (char *)edit_text_begin(&p->edits, 160);
	if (!line)
		return;
	edit_replace(&p->edits, m->start_line_end, 0, edit_text_end(&p->edits, via_line(p, (unsigned)listener, &b, line)));
	edit_top_via(&p->edits, m, from);
	edit_max_forwards(&p->edits, m);
	room = edit_size(&p->edits, m);
	out = send_begin(p, room);
	n = out ? edit_compose(&p->edits, m, out, room) : -ERR_NOMEM;
	if (n <= 0)
		return;
	out_flow.local = p->listeners[listener].addr;
	if (send_end(p, (uint32_t)n, &out_flow) < 0)
		return;
	count(p, COUNTER_in_dialog_forwarded);
	if (m->method == SIP_BYE)
		end_call(p, w);
	else if (m->method == SIP_INVITE || m->method == SIP_UPDATE)
		refresh_call(p);
}

static void refuse(struct proxy *p, const struct flow *from, enum counter why, uint16_t status)
{
	count(p, why);
	if (!unheard(p, from))
		reply_stateless(p, p->in, from, status, NULL, NO_HEADERS); /* never to an ACK */
}

bool in_dialog(struct proxy *p, const struct flow *from)
{
	struct ip_port to;
	struct way w;
	int rc;

	/* Without a To tag it is no mid-dialog request: a token must not lead a new call past the routing. */
	if (!p->in->to_tag.p)
		return false;
	rc = read_token(p, &w);
	if (rc == 0 && is_kept(p, &w.token))
		rc = -ERR_FORGED;
	if (rc < 0 && !from_live_calls(p, from, &w)) {
		if (rc == -ERR_NOT_FOUND)
			return false;
		refuse(p, from, COUNTER_refused_token, access_lookup(p->tables->access, &from->remote.ip) == TRUNK_NONE ? 403 : 481);
		return true;
	}
	if (!speaks_from(p, &w, &from->remote.ip)) {
		refuse(p, from, COUNTER_refused_source, 403);
		return true;
	}
	if (follow_routes(p, &w) < 0) {
		refuse(p, from, COUNTER_refused_token, 400);
		return true;
	}
	if (p->in->max_forwards == 0) {
		refuse(p, from, COUNTER_refused_hops, 483);
		return true;
	}
	if (p->in->method != SIP_ACK && p->in->method != SIP_CANCEL && extensions_refused(p, from))
		return true;
	if (!next_hop(p, &w, &to)) {
		refuse(p, from, COUNTER_refused_destination, 403);
		return true;
	}
	edit_reset(&p->edits);
	if (w.rebuild)
		edit_rebuild(p, &w);
	else
		edit_drop_own(p, &w);
	if (p->in->method == SIP_NOTIFY)
		edit_record_route(p, &w);
	send_on(p, from, &w, &to);
	return true;
}

void stateless_response(struct proxy *p, const struct branch *b)
{
	struct span rest = sip_first(p->in, SIP_H_VIA);
	struct flow to = { .transport = TRANSPORT_UDP };
	struct via top, below;
	int line = p->in->first[SIP_H_VIA];
	uint32_t room;
	uint8_t *out;
	int n;

	via_next(&rest, &top);
	if (via_next(&rest, &below) != 1) {
		line = p->in->headers[line].next;
		rest = sip_value(p->in, line);
		if (line < 0 || via_next(&rest, &below) != 1)
			goto stray;
	}
	/* The Via below ours decides where this goes, so it must be the one that the request came with. */
	if (b->worker >= p->listener_count || via_response_addr(&below, &to.remote) < 0 ||
	    stateless_digest(p, &to.remote, below.branch) != b->digest)
		goto stray;
	to.local = p->listeners[b->worker].addr;
	edit_reset(&p->edits);
	if (!strip_top_via(&p->edits, p->in))
		goto stray;
	room = edit_size(&p->edits, p->in);
	out = send_begin(p, room);
	n = out ? edit_compose(&p->edits, p->in, out, room) : 0;
	if (n > 0 && send_end(p, (uint32_t)n, &to) == 0)
		count(p, COUNTER_stateless_responses);
	return;
stray:
	count(p, COUNTER_responses_stray);
}
