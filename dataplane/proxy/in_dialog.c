/* SPDX-License-Identifier: Apache-2.0 */
/* Mid-dialog requests, routed from the message alone by the signed token in our Record-Route, from datagram to datagram without a transaction (RFC
 * 3261 §16.11, §16.4, §16.12): the two sides retransmit, as they would without us. Where a stream takes part: relay.c. */
#include <string.h>

#include "base/err.h"
#include "base/partial.h"
#include "proxy/load.h"
#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/route_set.h"
#include "proxy/sides.h"
#include "tables/access.h"
#include "tables/endpoints.h"
#include "tables/trunks.h"

static const struct span NO_HEADERS = { 0, 0 };

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
	call = call_find(p->calls, p->call_hash, from_tag_hash(p), tag_hash(&p->config.call_key, p->in->to_tag), NULL, &w->side);
	if (!call)
		return false;
	call_token(p->calls, call, &w->token);
	return true;
}

/* ---- where to */

static bool endpoint_by_id(const struct proxy *p, const struct trunk *t, uint32_t id, struct flow *ret_to)
{
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(p->tables->endpoints, t->endpoints[i]);

		if (e && e->id == id) {
			ret_to->remote = e->addr;
			ret_to->transport = e->transport;
			ret_to->tls_peer = e->tls_peer;
			return true;
		}
	}
	for (unsigned i = 0; i < t->former_count; i++)
		if (t->former[i].id == id) {
			ret_to->remote = t->former[i].addr;
			return true;
		}
	return false;
}

/* Whoever speaks does so from where its side lives: a token that was copied from the wire is worth nothing elsewhere. */
static bool speaks_from(struct proxy *p, const struct way *w, const struct ip_addr *source)
{
	if (w->side == TOKEN_FROM_CALLER && ip_eq(&w->token.caller_flow.ip, source))
		return true;
	return side_lives_at(p, w->side == TOKEN_FROM_CALLER ? w->token.caller_trunk : w->token.target_trunk, source);
}

static bool transport_said(struct span params, uint8_t *ret)
{
	struct span value;

	if (!param_find(params, "transport", &value))
		return false;
	*ret = span_ieq_str(value, "tcp") ? TRANSPORT_TCP : span_ieq_str(value, "tls") ? TRANSPORT_TLS : TRANSPORT_UDP;
	return true;
}

static bool is_sips(struct span uri)
{
	return uri.n > 5 && span_ieq(span_of(uri.p, 5), SPAN_LIT("sips:"));
}

/* The transport of the side that the request goes to: TLS for a sips URI, also where that is our own Record-Route of the dialog (RFC 5630);
 * else what the next hop's URI says (RFC 3263 §4.1); where that says nothing, our own Record-Route for that side, which is the last one of
 * ours. */
static uint8_t side_transport(const struct proxy *p, struct way *w)
{
	struct span ours = w->own ? w->routes[w->own - 1].uri : (struct span){ 0, 0 };
	uint8_t transport = TRANSPORT_UDP;
	struct sip_uri own;

	w->secure = w->hop->scheme == URI_SIPS || (p->tls && is_sips(ours));
	if (w->secure)
		return TRANSPORT_TLS;
	if (!p->streams || transport_said(w->hop->params, &transport))
		return transport;
	if (ours.n && memmem(ours.p, ours.n, ";transport=", 11) && uri_read(ours, &own))
		transport_said(own.params, &transport);
	else if (!ours.n && w->strict_before && request_uri(p->in))
		transport_said(p->in->uri.params, &transport);
	return transport;
}

/* As whom the other end of a TLS connection to that side is verified: as the endpoint that is or was at that address, or as another of its trunk. */
static uint32_t tls_peer_of(const struct proxy *p, const struct trunk *t, const struct sip_uri *hop)
{
	uint32_t peer = TLS_PEER_ANYBODY;

	for (unsigned i = 0; i < t->former_count; i++)
		if (hop->host_kind != HOST_NAME && ip_eq(&t->former[i].addr.ip, &hop->ip))
			peer = t->former[i].tls_peer;
	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(p->tables->endpoints, t->endpoints[i]);

		if (!e || e->transport != TRANSPORT_TLS)
			continue;
		if (hop->host_kind != HOST_NAME && ip_eq(&e->addr.ip, &hop->ip))
			return e->tls_peer;
		if (peer == TLS_PEER_ANYBODY)
			peer = e->tls_peer;
	}
	return peer;
}

/* The next hop: the next Route, else the request URI, but only where the token's other side lives; else that side's own flow, so that
 * nobody relays through us with a token that they made up, copied or kept. false: nowhere. */
static bool next_hop(struct proxy *p, struct way *w, struct flow *ret_to)
{
	const struct sip_uri *uri = w->hop;
	bool to_target = w->side == TOKEN_FROM_CALLER;
	uint32_t trunk_id = to_target ? w->token.target_trunk : w->token.caller_trunk;
	bool natted = !to_target && w->token.caller_flow.ip.family && !w->hop_is_route; /* its Contact leads nowhere */
	bool lives = !natted && uri->scheme != URI_TEL && uri->host_kind != HOST_NAME && side_lives_at(p, trunk_id, &uri->ip);
	const struct trunk *trunk = NULL;

	*ret_to = (struct flow){ .transport = side_transport(p, w) };
	if (!lives || ret_to->transport == TRANSPORT_TLS) {
		trunk = side_trunk(p, trunk_id);
		if (!trunk)
			return false;
	}
	if (ret_to->transport == TRANSPORT_TLS)
		ret_to->tls_peer = tls_peer_of(p, trunk, w->hop);
	if (lives) {
		ret_to->remote.ip = uri->ip;
		ret_to->remote.port = uri->port ? uri->port : ret_to->transport == TRANSPORT_TLS ? 5061 : 5060;
		return true;
	}
	if (to_target)
		return endpoint_by_id(p, trunk, w->token.endpoint, ret_to) && (!w->secure || ret_to->transport == TRANSPORT_TLS);
	ret_to->remote = w->token.caller_flow;
	return ret_to->remote.ip.family != IP_NONE;
}

/* ---- forwarding */

/* 40 bits of what a response to this request must carry in the Via below ours; also what keeps the branch of a retransmission, a CANCEL
 * and the ACK for a non-2xx the same on any node with the same key (§16.11). */
static uint64_t stateless_digest(struct proxy *p, const struct ip_port *reply_to, struct span branch)
{
	const uint8_t *ip = reply_to->ip.bytes;
	bool v4 = reply_to->ip.family == IP_V4;
	uint64_t words[6] = { p->call_hash, from_tag_hash(p), p->in->cseq | (uint64_t)reply_to->port << 32 | (uint64_t)reply_to->ip.family << 48,
			      v4 ? load_32(ip) : load_64(ip) };

	if (!v4)
		words[4] = load_64(ip + 8);
	return keyed_hash_with(&p->config.branch_key, words, v4 ? 4 : 6, branch.p, branch.n) & 0xffffffffffULL;
}

/* The record of just this dialog: where two legs answered, the token of both names it, but only one is counted. */
static struct live_call *live_call_of(struct proxy *p, const struct way *w)
{
	enum token_side side;

	return call_find(p->calls, p->call_hash, from_tag_hash(p), tag_hash(&p->config.call_key, p->in->to_tag), &w->token, &side);
}

static void end_call(struct proxy *p, const struct way *w)
{
	struct live_call *call = live_call_of(p, w);

	if (!call) {
		/* Whoever set it up, another node or we before a restart, will not see this BYE. */
		if (w->token.node != p->config.node || w->token.boot != p->config.boot)
			record_foreign_end(p, &w->token, w->side);
		return;
	}
	record_end(p, call, w->side == TOKEN_FROM_CALLER ? RECORD_ENDED_BY_CALLER : RECORD_ENDED_BY_TARGET);
	load_ended(p, call);
	count(p, COUNTER_calls_ended);
	record_close(p, call);
	call_close(p->calls, call);
}

/* RFC 4028 §9: a re-INVITE or UPDATE refreshes the session, and may change its interval. */
static void refresh_call(struct proxy *p, const struct way *w)
{
	struct live_call *call = live_call_of(p, w);
	uint64_t seconds = session_expires(p->in);

	if (call && seconds)
		call_session(call, seconds);
	call_refresh(p->calls, call, p->now_ms);
}

/* Without a transaction: the two sides retransmit. */
static bool send_stateless(struct proxy *p, const struct flow *from, const struct way *w, const struct flow *to, unsigned listener)
{
	const struct sip_message *m = p->in;
	int hops = m->first[SIP_H_MAX_FORWARDS];
	struct flow reply_to;
	struct branch b = { .kind = BRANCH_STATELESS };
	uint32_t room;
	uint8_t *out;
	char *line;
	int n;

	reply_flow(&m->top_via, from, &reply_to);
	b.digest = stateless_digest(p, &reply_to.remote, m->top_via.branch);
	b.worker = (uint8_t)listener_at(p, &from->local, from->transport); /* responses leave by the listener that the request came by */
	line = (char *)edit_text_begin(&p->edits, 160);
	if (!line)
		return false;
	edit_replace_text(&p->edits, m->start_line_end, 0, via_line(p, listener, &b, line));
	edit_top_via(p, m, from);
	if (hops < 0 || hops < m->first[SIP_H_ROUTE]) {
		edit_max_forwards(&p->edits, m);
		way_edit_routes(p, w);
	} else {
		way_edit_routes(p, w);
		edit_max_forwards(&p->edits, m);
	}
	if (to->transport != TRANSPORT_UDP)
		edit_content_length(&p->edits, m, to->transport);
	room = edit_size(&p->edits, m);
	out = send_begin(p, room, to);
	n = out ? edit_compose(&p->edits, m, out, room) : -ERR_NOMEM;
	return n > 0 && send_end_edited(p, m, (uint32_t)n, to) == 0;
}

static bool relay(struct proxy *p, const struct flow *from, const struct way *w, const struct flow *to, unsigned listener)
{
	const struct token *t = &w->token;
	struct live_call *call = token_from_here(p, t) && p->in->method == SIP_INVITE ? call_at(p->calls, t->slot, t->generation) : NULL;

	if (call)
		call->relayed = true;
	way_edit_routes(p, w);
	return relay_request(p, from, to, listener);
}

/* The listener of the transport that the side has; where there is none, it had better come by UDP than not at all, unless it must be secure. */
static int outgoing_listener(const struct proxy *p, const struct flow *from, const struct way *w, struct flow *to)
{
	int listener = listener_for(p, &to->remote, to->transport, &from->local);

	if (listener < 0 && to->transport != TRANSPORT_UDP && !w->secure) {
		to->transport = TRANSPORT_UDP;
		listener = listener_for(p, &to->remote, TRANSPORT_UDP, &from->local);
	}
	return listener;
}

/* A caller at the end of a connection is met there (RFC 5923 in spirit: it may listen nowhere), whatever its Contact or first Route says of its port;
 * and who speaks by another connection than before is met at that one. */
static void caller_connection(struct proxy *p, const struct flow *from, const struct way *w, struct flow *to)
{
	struct live_call *call;
	struct ip_addr caller;
	uint64_t connection;

	if (w->side == TOKEN_FROM_CALLER ? !from->connection : to->transport == TRANSPORT_UDP)
		return;
	call = live_call_of(p, w);
	if (w->side == TOKEN_FROM_CALLER) {
		if (call)
			call_streamed(p->calls, call, from->connection, &from->remote.ip);
		return;
	}
	connection = call ? call_connection(p->calls, call, &caller) : 0;
	to->connection = connection && ip_eq(&caller, &to->remote.ip) ? connection : FLOW_THEIRS;
}

static void send_on(struct proxy *p, const struct flow *from, const struct way *w, struct flow *to)
{
	const struct sip_message *m = p->in;
	int listener = outgoing_listener(p, from, w, to);
	bool sent;

	if (listener < 0) {
		count(p, COUNTER_refused_destination);
		return;
	}
	to->local = p->listeners[listener].addr;
	if (p->streams)
		caller_connection(p, from, w, to);
	if (m->method == SIP_ACK || (from->transport == TRANSPORT_UDP && to->transport == TRANSPORT_UDP))
		sent = send_stateless(p, from, w, to, (unsigned)listener);
	else
		sent = relay(p, from, w, to, (unsigned)listener);
	if (!sent)
		return;
	count(p, COUNTER_in_dialog_forwarded);
	if (m->method == SIP_BYE)
		end_call(p, w);
	else if (m->method == SIP_INVITE || m->method == SIP_UPDATE)
		refresh_call(p, w);
}

static void refuse(struct proxy *p, const struct flow *from, enum counter why, uint16_t status)
{
	count(p, why);
	if (!unheard(p, from))
		reply_stateless(p, p->in, from, status, NULL, NO_HEADERS); /* never to an ACK */
}

bool in_dialog(struct proxy *p, const struct flow *from)
{
	struct flow to;
	struct way w;
	int rc;

	/* Without a To tag it is no mid-dialog request: a token must not lead a new call past the routing. */
	if (!p->in->to_tag.p)
		return false;
	rc = way_read_token(p, &w);
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
	if (way_follow(p, &w) < 0) {
		refuse(p, from, COUNTER_refused_token, 400);
		return true;
	}
	if (p->in->max_forwards == 0) {
		refuse(p, from, COUNTER_refused_hops, 483);
		return true;
	}
	if (p->in->first[SIP_H_PROXY_REQUIRE] >= 0 && p->in->method != SIP_ACK && p->in->method != SIP_CANCEL && extensions_refused(p, from))
		return true;
	if (!next_hop(p, &w, &to)) {
		refuse(p, from, COUNTER_refused_destination, 403);
		return true;
	}
	edit_reset(&p->edits);
	if (w.rebuild || p->in->method == SIP_NOTIFY)
		way_edit_front(p, &w);
	send_on(p, from, &w, &to);
	return true;
}

void stateless_response(struct proxy *p, const struct branch *b)
{
	struct span rest = p->in->via_rest;
	struct flow to = { .connection = 0 };
	struct via below;
	uint32_t room;
	uint8_t *out;
	int n;

	if (!rest.n)
		rest = sip_value(p->in, p->in->headers[p->in->first[SIP_H_VIA]].next);
	if (via_next(&rest, &below) != 1)
		goto stray;
	/* The Via below ours decides where this goes, so it must be the one that the request came with. */
	if (b->worker >= p->listener_count || via_response_addr(&below, &to.remote) < 0 ||
	    stateless_digest(p, &to.remote, below.branch) != b->digest)
		goto stray;
	to.local = p->listeners[b->worker].addr;
	to.transport = p->listeners[b->worker].transport;
	edit_reset(&p->edits);
	if (!strip_top_via(&p->edits, p->in))
		goto stray;
	room = edit_size(&p->edits, p->in);
	out = send_begin(p, room, &to);
	n = out ? edit_compose(&p->edits, p->in, out, room) : 0;
	if (n > 0 && send_end_edited(p, p->in, (uint32_t)n, &to) == 0)
		count(p, COUNTER_stateless_responses);
	return;
stray:
	count(p, COUNTER_responses_stray);
}
