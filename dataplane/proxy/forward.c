/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to the target: the caller's request and the edits of RFC 3261 §16.6, the same for every retransmission. */
#include <string.h>

#include "base/err.h"
#include "base/partial.h"
#include "proxy/state.h"
#include "sip/uri.h"
#include "sip/writer.h"
#include "tables/trunks.h"

uint32_t loop_hash(const struct proxy *p, const struct sip_message *m, uint64_t call_hash, uint64_t from_hash)
{
	uint64_t words[4] = { call_hash, from_hash, m->cseq };
	struct span route = sip_first(m, SIP_H_ROUTE);

	if (route.n)
		words[3] = keyed_hash(&p->config.branch_key, route.p, route.n);
	return (uint32_t)keyed_hash_with(&p->config.branch_key, words, 4, m->request_uri.p, m->request_uri.n);
}

uint32_t via_line(const struct proxy *p, unsigned listener, const struct branch *b, char *out)
{
	const struct listener *l = &p->listeners[listener];
	uint32_t n = 0;

	memcpy(out, "Via: ", 5);
	n = 5;
	memcpy(out + n, l->via, l->via_len);
	n += l->via_len;
	memcpy(out + n, ";branch=", 8);
	n += 8;
	branch_encode(&p->branch_mac, b, out + n);
	n += BRANCH_TEXT;
	memcpy(out + n, "\r\n", 2);
	return n + 2;
}

uint32_t via_alias(char *out, uint32_t len)
{
	memcpy(out + len - 2, ";alias\r\n", 8);
	return len + 6;
}

/* Its trunk may open connections to us that are used both ways: we say the same of ours. */
static bool is_reused(const struct proxy *p, const struct attempt *a)
{
	const struct trunk *trunk = trunks_get(p->tables->trunks, a->trunk_slot);

	return trunk && trunk->id == a->trunk_id && trunk->connection_reuse;
}

#define RECORD_ROUTE_MAX (sizeof("Record-Route: <sip:@;transport=tcp;lr>\r\n") + TOKEN_TEXT_MAX + IP_PORT_TEXT_MAX)

/* secure: of a dialog that a sips URI begins (RFC 5630 §5.3): by TLS, whatever the parameters say. */
static uint32_t record_route_line(const struct listener *l, bool secure, const char *token, uint32_t token_len, char *out)
{
	uint32_t n;

	memcpy(out, "Record-Route: <sip:", 19);
	n = 19;
	if (secure) {
		out[n - 1] = 's';
		out[n++] = ':';
	}
	memcpy(out + n, token, token_len);
	n += token_len;
	out[n++] = '@';
	memcpy(out + n, l->host, l->host_len);
	n += l->host_len;
	memcpy(out + n, secure ? ";lr" : l->route_params, secure ? 3 : l->route_params_len);
	n += secure ? 3 : l->route_params_len;
	memcpy(out + n, ">\r\n", 3);
	return n + 3;
}

/* Requests that found a dialog, or may (RFC 3261 §16.6(4), RFC 3515, RFC 6665). */
static bool forms_dialog(uint8_t method)
{
	return method == SIP_INVITE || method == SIP_SUBSCRIBE || method == SIP_REFER;
}

static void token_of(const struct proxy *p, const struct context *c, const struct attempt *a, const struct sip_message *m, struct token *ret)
{
	const struct live_call *call =
		c->call_slot == CALL_NONE ? NULL : call_at(p->calls, c->call_slot, c->call_generation);

	if (call) {
		call_token(p->calls, call, ret);
	} else {
		*ret = (struct token){
			.node = p->config.node,
			.boot = p->config.boot,
			.worker = p->config.worker,
			.slot = 0xffffff,
			.setup_s = unix_s(p, c->arrived_ms),
			.caller_trunk = c->caller_trunk_id,
		};
		if (behind_nat(m, &c->from))
			ret->caller_flow = c->from.remote;
	}
	ret->target_trunk = a->trunk_id;
	ret->endpoint = a->endpoint_id;
}

#define HOPS_LINE	 "Max-Forwards: 70\r\n"
#define BREADTH_LINE_MAX sizeof("Max-Breadth: 255\r\n")
_Static_assert(MAX_BREADTH_DEFAULT == 60, "written out below");

static uint32_t breadth_line(uint8_t breadth, char *out)
{
	struct writer w = { .out = (uint8_t *)out, .cap = BREADTH_LINE_MAX };

	if (breadth == MAX_BREADTH_DEFAULT) {
		PUT(&w, "Max-Breadth: 60\r\n");
		return w.n;
	}
	PUT(&w, "Max-Breadth: ");
	put_u32(&w, breadth);
	PUT(&w, "\r\n");
	return w.n;
}

/* Our Via and Record-Route go right behind the start line: legal anywhere, and an ICMP error that quotes the packet holds the branch.
 * Where the call changes listener or transport, each side gets a Record-Route that it can reach (RFC 5658). */
static void edit_own_lines(struct proxy *p, const struct context *c, const struct attempt *a, const struct sip_message *m)
{
	char *out = (char *)edit_text_begin(&p->edits, VIA_LINE_MAX + 2 * RECORD_ROUTE_MAX + sizeof(HOPS_LINE) + BREADTH_LINE_MAX);
	struct branch b = {
		.kind = BRANCH_TRANSACTION,
		.worker = p->config.worker,
		.slot = a->txn.slot,
		.generation = a->txn.generation,
		.loop = loop_hash(p, m, c->call_hash, c->from_hash),
	};
	int inner = listener_at(p, &c->from.local, c->from.transport);
	bool secure = c->selection.tls_only;
	char token[TOKEN_TEXT_MAX];
	struct token t;
	uint32_t n;

	if (!out)
		return;
	n = via_line(p, a->listener, &b, out);
	if (a->txn.to.transport != TRANSPORT_UDP && is_reused(p, a))
		n = via_alias(out, n);
	if (forms_dialog(c->method)) {
		uint32_t len;

		token_of(p, c, a, m, &t);
		len = token_encode(&p->signer, &t, c->call_hash, c->from_hash, token);
		n += record_route_line(&p->listeners[a->listener], secure, token, len, out + n);
		if (inner >= 0 && inner != a->listener)
			n += record_route_line(&p->listeners[inner], secure, token, len, out + n);
	}
	if (m->max_forwards == UINT32_MAX) { /* §16.6(3) */
		memcpy(out + n, HOPS_LINE, sizeof(HOPS_LINE) - 1);
		n += sizeof(HOPS_LINE) - 1;
	}
	if (m->first[SIP_H_MAX_BREADTH] < 0)
		n += breadth_line(a->breadth, out + n);
	edit_replace_text(&p->edits, m->start_line_end, 0, n);
}

/* Text of ours, written where it stays until it is composed. Out of room: edit_compose says so. */
static struct writer text_begin(struct edit_list *l, uint32_t room)
{
	uint8_t *out = edit_text_begin(l, room);

	return (struct writer){ .out = out, .cap = out ? room : 0 };
}

static struct span text_end(struct edit_list *l, const struct writer *w)
{
	return w->cap ? edit_text_end(l, w->n) : span_of(l->text, 0);
}

/* None, a single digit, more than two, or no room. */
static __attribute__((noinline)) void edit_hops_carefully(struct edit_list *l, const struct sip_message *m)
{
	struct writer w;

	if (m->max_forwards == UINT32_MAX) { /* §16.6(3) */
		edit_replace(l, m->start_line_end, 0, SPAN_LIT(HOPS_LINE));
		return;
	}
	w = text_begin(l, 10);
	put_u32(&w, m->max_forwards - 1);
	edit_replace_span(l, m, sip_first(m, SIP_H_MAX_FORWARDS), text_end(l, &w));
}

void edit_max_forwards(struct edit_list *l, const struct sip_message *m)
{
	static const char digits[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
				     "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	struct span value;
	uint8_t *out;

	if (m->max_forwards - 11 >= 90 || !(out = edit_text_begin(l, 2))) {
		edit_hops_carefully(l, m);
		return;
	}
	memcpy(out, digits + 2 * (m->max_forwards - 1), 2);
	value = sip_first(m, SIP_H_MAX_FORWARDS);
	edit_replace_text(l, (uint32_t)(value.p - m->data), value.n, 2);
}

static uint32_t received_text(const struct ip_port *remote, uint8_t *out, uint32_t room, uint32_t *ret_received)
{
	struct writer w = { .out = out, .cap = room };
	char ip[IP_TEXT_MAX + 2];

	PUT(&w, ";received=");
	put(&w, span_of(ip, ip_format(&remote->ip, false, ip)));
	*ret_received = w.n;
	PUT(&w, ";rport=");
	put_u32(&w, remote->port);
	return w.n;
}

const struct received *received_from(struct proxy *p, const struct ip_port *remote)
{
	uint32_t ip = load_32(remote->ip.bytes), received;
	struct received *r = &p->received[(ip ^ (uint32_t)remote->port << 16) * 0x9e3779b1u >> (32 - PROXY_RECEIVED_BITS)];

	if (remote->ip.family != IP_V4)
		return NULL;
	if (r->ip != ip || r->port != remote->port || !r->len) {
		*r = (struct received){ .ip = ip, .port = remote->port };
		r->len = (uint8_t)received_text(remote, r->text, sizeof(r->text), &received);
		r->received_len = (uint8_t)received;
	}
	return r;
}

/* What a sender's Via is to say of where it came from. */
static struct span received_of(struct proxy *p, const struct ip_port *remote, bool port_too)
{
	struct edit_list *l = &p->edits;
	uint8_t *room = edit_text_begin(l, RECEIVED_TEXT_MAX);
	uint32_t len, received;
	const struct received *r;

	if (!room)
		return span_of(l->text, 0);
	r = received_from(p, remote);
	if (!r) {
		len = received_text(remote, room, RECEIVED_TEXT_MAX, &received);
		return edit_text_end(l, port_too ? len : received);
	}
	memcpy(room, r->text, sizeof(r->text));
	return edit_text_end(l, port_too ? r->len : r->received_len);
}

void edit_top_via(struct proxy *p, const struct sip_message *m, const struct flow *from)
{
	const struct via *top = &m->top_via;
	struct edit_list *l = &p->edits;
	struct span text;

	/* What the sender claims to have been received from is not for it to say (§18.2.1). */
	if (top->received_whole.p)
		edit_replace_span(l, m, top->received_whole, (struct span){ 0, 0 });
	if (!top->rport && top->host_kind != HOST_NAME && ip_eq(&top->ip, &from->remote.ip))
		return;
	text = received_of(p, &from->remote, top->rport);
	if (top->rport)
		edit_replace_span(l, m, top->rport_whole, text);
	else
		edit_replace(l, (uint32_t)(top->whole.p + top->whole.n - m->data), 0, text);
}

void edit_content_length(struct edit_list *l, const struct sip_message *m, uint8_t transport)
{
	struct writer w;

	if (transport == TRANSPORT_UDP || m->first[SIP_H_CONTENT_LENGTH] >= 0)
		return;
	w = text_begin(l, 32);
	PUT(&w, "Content-Length: ");
	put_u32(&w, m->len - m->body);
	PUT(&w, "\r\n");
	edit_replace(l, m->head_end, 0, text_end(l, &w));
}

/* Parameters of the request URI that would send it elsewhere than where we send it. */
static void edit_uri_params(struct edit_list *l, const struct sip_message *m, struct span params)
{
	struct span name, value, whole;

	while (param_next(&params, &name, &value, &whole))
		if (span_ieq_str(name, "maddr") || span_ieq_str(name, "transport"))
			edit_replace_span(l, m, whole, (struct span){ 0, 0 });
}

/* The host of the request URI becomes the target's (RFC 3261 §16.5: the target set decides), unless its trunk wants it kept. */
static void edit_request_uri(struct proxy *p, const struct attempt *a, const struct sip_message *m)
{
	const struct trunk *trunk = trunks_get(p->tables->trunks, a->trunk_slot);
	const struct endpoint_config *named = endpoints_get(p->tables->endpoints, a->endpoint);
	const struct ip_port *to = &a->txn.to.remote;
	char host[IP_PORT_TEXT_MAX];
	const struct sip_uri *uri = request_uri(m);
	struct span text;

	if (trunk && (trunk->id != a->trunk_id))
		trunk = NULL;
	if (trunk && trunk->request_uri == TRUNK_URI_KEEP)
		return;
	if (!uri)
		return;
	if (trunk && trunk->host[0])
		text = edit_text(&p->edits, trunk->host, (uint32_t)strlen(trunk->host));
	else if (named && named->host[0] && named->id == a->endpoint_id)
		text = edit_text(&p->edits, named->host, (uint32_t)strlen(named->host));
	else
		text = edit_text(&p->edits, host, to->port == 5060 ? ip_format(&to->ip, true, host) : ip_port_format(to, host));
	if (uri->scheme == URI_TEL) { /* RFC 3966 in the form of RFC 3261 §19.1.6 */
		char *out = (char *)edit_text_begin(&p->edits, 4 + uri->user.n + 1 + text.n + 12);
		uint32_t n;

		if (!out)
			return;
		memcpy(out, "sip:", 4);
		memcpy(out + 4, uri->user.p, uri->user.n);
		n = 4 + uri->user.n;
		out[n++] = '@';
		memcpy(out + n, text.p, text.n);
		n += text.n;
		memcpy(out + n, ";user=phone", 11);
		edit_replace_span(&p->edits, m, m->request_uri, edit_text_end(&p->edits, n + 11));
		return;
	}
	edit_replace_span(&p->edits, m, uri->hostport, text);
	edit_uri_params(&p->edits, m, uri->params);
}

/* RFC 5393 §5.3.3: what came is replaced by this branch's share; where none came, own lines or this make the default explicit. */
static void edit_max_breadth(struct edit_list *l, const struct attempt *a, const struct sip_message *m)
{
	struct writer w;

	if (m->first[SIP_H_MAX_BREADTH] < 0)
		return;
	w = text_begin(l, 4);
	put_u32(&w, a->breadth);
	edit_replace_span(l, m, sip_first(m, SIP_H_MAX_BREADTH), text_end(l, &w));
}

/* A Route that names us was the caller's way to reach us; request_in refused all others. */
static void edit_drop_routes(struct edit_list *l, const struct sip_message *m)
{
	for (int line = m->first[SIP_H_ROUTE]; line >= 0; line = m->headers[line].next)
		edit_replace(l, m->headers[line].start, m->headers[line].end - m->headers[line].start, (struct span){ 0, 0 });
}

static void edit(struct proxy *p, const struct context *c, const struct attempt *a, const struct sip_message *m)
{
	bool hops_first = m->max_forwards != UINT32_MAX && m->first[SIP_H_MAX_FORWARDS] < m->first[SIP_H_VIA];

	edit_reset(&p->edits);
	/* In the order in which most messages have them: then they need no sorting. */
	edit_request_uri(p, a, m);
	edit_own_lines(p, c, a, m);
	if (hops_first)
		edit_max_forwards(&p->edits, m);
	edit_top_via(p, m, &c->from);
	if (!hops_first && m->max_forwards != UINT32_MAX)
		edit_max_forwards(&p->edits, m);
	edit_max_breadth(&p->edits, a, m);
	edit_drop_routes(&p->edits, m);
	edit_content_length(&p->edits, m, a->txn.to.transport);
}

int forward_compose(struct proxy *p, const struct context *c, const struct attempt *a, const struct sip_message *m,
		    uint8_t *out, uint32_t cap)
{
	edit(p, c, a, m);
	return edit_compose(&p->edits, m, out, cap);
}

/* Who waits for a target's answer turns to the next one then, or gives up. */
static uint16_t patience_of(const struct proxy *p, const struct context *c, const struct attempt *a)
{
	uint64_t until_ms = UINT64_MAX;

	if (wheel_timer_armed(&a->clock))
		until_ms = a->clock.due_ms;
	if (wheel_timer_armed(&a->ring) && a->ring.due_ms < until_ms)
		until_ms = a->ring.due_ms;
	if (c->method == SIP_INVITE && wheel_timer_armed(&c->budget) && c->budget.due_ms < until_ms)
		until_ms = c->budget.due_ms;
	if (until_ms <= p->now_ms)
		return 1;
	return until_ms - p->now_ms <= UINT16_MAX ? (uint16_t)(until_ms - p->now_ms) : 0;
}

/* As send_end_edited. */
static int send_streamed(struct proxy *p, const struct context *c, const struct attempt *a, const struct sip_message *m, uint32_t len)
{
	struct flow to = a->txn.to;

	to.patience_ms = patience_of(p, c, a);
	return send_end_edited(p, m, len, &to);
}

int forward_send(struct proxy *p, const struct context *c, struct attempt *a, const struct sip_message *m)
{
	uint32_t room;
	uint8_t *out;
	int n;

	edit(p, c, a, m);
	room = edit_size(&p->edits, m); /* no more: what fits an mbuf is written where it is sent from */
	if (__builtin_expect(room > DATAGRAM_REQUEST_MAX, 0) && large_to_tcp(p, a)) {
		edit(p, c, a, m);
		room = edit_size(&p->edits, m);
	}
	if (room > SLAB_BYTES_MAX)
		return -ERR_FULL;
	out = send_begin(p, room, &a->txn.to);
	if (!out)
		return send_unsent(&a->txn.to);
	n = edit_compose(&p->edits, m, out, room);
	if (n > 0)
		n = a->txn.to.transport == TRANSPORT_UDP ? send_end_edited(p, m, (uint32_t)n, &a->txn.to) : send_streamed(p, c, a, m, (uint32_t)n);
	return n < 0 && large_to_udp(p, a) ? forward_send(p, c, a, m) : n;
}
