/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of our own: refusals without a transaction, and 100, 487, 408 ... through one. */
#include "sip/reply.h"

#include "base/base32.h"
#include "proxy/state.h"
#include "sip/writer.h"
#include "tables/access.h"
#include "tables/trunks.h"

#define OWN_REPLY_EXTRA 512 /* what we add to the headers that are copied */

/* The To tag of our own answers: the same for every retransmission of a request, unguessable for others. */
static uint32_t own_tag(const struct proxy *p, const struct sip_message *m, char out[16])
{
	uint64_t h[2];

	h[0] = siphash24(&p->config.branch_key, m->call_id.p, m->call_id.n);
	h[1] = siphash24(&p->config.branch_key, m->from_tag.p, m->from_tag.n) ^ m->cseq;
	h[0] = siphash24(&p->config.branch_key, h, sizeof(h));
	return base32_encode((const uint8_t *)h, 8, out);
}

#define RPORT_BEFORE (sizeof(";rport=") - 1)

/* What to add to the top Via, since responses that we make ourselves are read by peers that sit behind a NAT too. text: room for it. */
static void via_additions(struct proxy *p, const struct sip_message *m, const struct flow *from, struct reply *r, struct writer *text)
{
	const struct via *top = &m->top_via;
	bool rport = top->rport && !top->rport_value.p;
	bool received = !top->received.p && (top->rport || top->host_kind == HOST_NAME || !ip_eq(&top->ip, &from->remote.ip));
	const struct received *known = rport || received ? received_from(p, &from->remote) : NULL;
	char ip[IP_TEXT_MAX + 2];
	uint32_t begin;

	if (known) {
		if (rport)
			r->rport_value = span_of(known->text + known->received_len + RPORT_BEFORE,
						 known->len - known->received_len - (uint32_t)RPORT_BEFORE);
		if (received)
			r->via_append = span_of(known->text, known->received_len);
		return;
	}
	if (rport) {
		put_u32(text, from->remote.port);
		r->rport_value = span_of(text->out, text->n);
	}
	if (received) {
		begin = text->n;
		PUT(text, ";received=");
		put(text, span_of(ip, ip_format(&from->remote.ip, false, ip)));
		r->via_append = span_of(text->out + begin, text->n - begin);
	}
}

static int compose(struct proxy *p, const struct sip_message *m, const struct flow *from, uint16_t status, const char *reason,
		   struct span headers, uint8_t *out, uint32_t cap)
{
	struct reply r = { .status = status, .reason = reason };
	uint8_t via_text[RECEIVED_TEXT_MAX], lines[1024];
	struct writer via = { via_text, sizeof(via_text), 0, false };
	struct writer all = { lines, sizeof(lines), 0, false };
	char tag[16];

	if (status > 100 && !m->to_tag.p)
		r.to_tag = span_of(tag, own_tag(p, m, tag));
	via_additions(p, m, from, &r, &via);
	r.headers = headers;
	if (status > 100) {
		put(&all, span_of(p->server_line, p->server_line_len));
		put(&all, headers);
		r.headers = span_of(all.out, all.n);
	}
	return reply_compose(m, &r, out, cap);
}

/* An upper bound of what reply_compose writes: the request's head at most, and what we add. Tight, since what fits an mbuf is written where it is
 * sent from. */
static uint32_t reply_room(const struct sip_message *m, struct span headers)
{
	uint32_t room = m->body + headers.n + OWN_REPLY_EXTRA;

	return room < SLAB_BYTES_MAX ? room : SLAB_BYTES_MAX - 64;
}

bool unheard(const struct proxy *p, const struct flow *from)
{
	return p->config.silent_to_unknown && access_lookup(p->tables->access, &from->remote.ip) == TRUNK_NONE;
}

void reply_stateless(struct proxy *p, const struct sip_message *m, const struct flow *from, uint16_t status, const char *reason,
		     struct span headers)
{
	struct flow to;
	uint32_t room = reply_room(m, headers);
	uint8_t *out;
	int n;

	if (m->method == SIP_ACK)
		return;
	reply_flow(&m->top_via, from, &to);
	out = send_begin(p, room, &to);
	if (!out)
		return;
	n = compose(p, m, from, status, reason, headers, out, room);
	if (n > 0)
		send_end(p, (uint32_t)n, &to);
}

void reply_trying(struct proxy *p, struct context *c, const struct sip_message *request)
{
	const struct span none = { 0, 0 };
	uint32_t room = reply_room(request, none);
	uint8_t *out = send_begin(p, room, &c->reply_to);
	int n = out ? compose(p, request, &c->from, 100, NULL, none, out, room) : 0;

	if (n > 0)
		send_end(p, (uint32_t)n, &c->reply_to);
}

bool reply_transaction(struct proxy *p, struct server_txn *s, const struct flow *from, const struct sip_message *request, uint16_t status,
		       struct span headers)
{
	enum txn_event event = status < 200 ? TXN_TX_1XX : status < 300 ? TXN_TX_2XX : TXN_TX_FINAL;
	uint32_t room = reply_room(request, headers);
	uint8_t *out, *to;
	int n;

	if (!(server_txn_event(p->transactions, s, event, p->now_ms) & TXN_DO_SEND_RESPONSE))
		return false;
	out = send_begin(p, room, &s->reply_to);
	to = out ? out : p->text; /* no buffer just now: it is kept, and sent by timer G or when the request comes again */
	n = compose(p, request, from, status, NULL, headers, to, room);
	if (n <= 0)
		return true;
	server_keep(p, s, to, (uint32_t)n);
	if (out)
		send_end(p, (uint32_t)n, &s->reply_to);
	else
		server_unsent(p, s);
	return true;
}

void reply_local(struct proxy *p, struct context *c, const struct sip_message *request, uint16_t status, struct span headers)
{
	if (c->server && reply_transaction(p, c->server, &c->from, request, status, headers) && status >= 300)
		upstream_failed(p, c, status);
}
