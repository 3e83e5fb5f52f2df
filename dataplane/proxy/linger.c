/* SPDX-License-Identifier: Apache-2.0 */
/* How a request on its way ends, part by part: what only waits for something that may come again makes room for as little as answers that. */
#include <stddef.h>
#include <string.h>

#include "base/pool.h"
#include "proxy/load.h"
#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/state.h"
#include "sip/reply.h"

/* ---- the context */

/* Its transactions are gone, or need it no longer. */
static void context_free(struct proxy *p, struct context *c)
{
	wheel_cancel(&c->budget);
	slab_put(p->slab, c->request);
	slab_put(p->slab, c->best);
	slab_put(p->slab, c->challenges);
	slab_put(p->slab, c->reason);
	pool_put(p->contexts, c);
}

void context_linger(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;
	struct server_txn *s = c->server;
	uint8_t *response = s ? s->response : NULL;
	bool both = s && s->kind == TXN_INVITE_SERVER && s->state == TXN_ACCEPTED && c->attempts == a && !a->next && a->txn.state == TXN_ACCEPTED;

	if (!both || !transactions_linger(p->transactions, s, &a->txn)) {
		transactions_settle(p->transactions, s, &a->txn);
		return;
	}
	slab_put(p->slab, response);
	context_free(p, c);
}

/* One of its transactions has gone. */
static void context_less(struct proxy *p, struct context *c)
{
	struct live_call *call;

	if (c->attempts) {
		if (!c->attempts->next && c->attempts->txn.state == TXN_ACCEPTED)
			context_linger(p, c->attempts); /* the others were its rivals */
		return;
	}
	/* What is answered needs none for what it still does: its response comes again, or absorbs. */
	if (c->server && c->server->state != TXN_COMPLETED && c->server->state != TXN_CONFIRMED)
		return;
	if (c->server)
		c->server->user = NULL;
	call = c->call_slot == CALL_NONE ? NULL : call_at(p->calls, c->call_slot, c->call_generation);
	if (call && !call->answered) {
		record_close(p, call);
		call_close(p->calls, call);
	}
	context_free(p, c);
}

/* ---- attempts */

/* The context, which has it no longer. */
static struct context *attempt_leave(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;
	struct attempt **link = &c->attempts;

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	attempt_settle(p, a);
	load_left(p, a);
	wheel_cancel(&a->ring);
	return c;
}

void attempt_release(struct proxy *p, struct attempt *a)
{
	struct context *c = attempt_leave(p, a);

	client_txn_release(p->transactions, &a->txn);
	context_less(p, c);
}

/* What the responses to an INVITE, and their ACK, have in common with it. The hashes are of the Call-ID and From tag. */
static uint64_t dialog_hash_of(uint64_t call_hash, uint64_t from_hash, uint32_t cseq)
{
	return mix64(call_hash + mix64(from_hash + cseq));
}

struct refused *refused_keep(struct proxy *p, const struct attempt *a)
{
	const struct sip_message *m = &p->sent;
	struct refused *r;

	/* By a stream there is nothing that would wait (timer D is 0). We send no Route: the caller's was its way to us. */
	if (a->txn.to.transport != TRANSPORT_UDP || a->txn.state != TXN_COMPLETED || m->first[SIP_H_ROUTE] >= 0 ||
	    m->max_forwards > UINT8_MAX)
		return NULL;
	r = slab_get(p->slab, (uint32_t)offsetof(struct refused, uri) + m->request_uri.n);
	if (!r)
		return NULL;
	r->to = a->txn.to.remote;
	r->dialog = dialog_hash_of(a->context->call_hash, a->context->from_hash, m->cseq);
	r->max_forwards = (uint8_t)m->max_forwards;
	r->uri_len = (uint16_t)m->request_uri.n;
	r->listener = a->listener;
	r->cancelled = a->cancelled;
	memcpy(r->uri, m->request_uri.p, m->request_uri.n);
	return r;
}

void attempt_linger(struct proxy *p, struct attempt *a, struct refused *left)
{
	struct context *c = attempt_leave(p, a);

	client_txn_linger(p->transactions, &a->txn, left);
	context_less(p, c);
}

void refused_again(struct proxy *p, const struct refused *r, enum txn_event event)
{
	const struct sip_message *m = p->in;
	const struct flow to = { .remote = r->to, .local = p->listeners[r->listener].addr, .transport = TRANSPORT_UDP };
	char via[VIA_LINE_MAX];
	uint32_t room, n = via_line(p, r->listener, &p->look->branch, via);
	uint8_t *out;
	int len;

	if (m->method == SIP_CANCEL && r->cancelled) /* the answer to our CANCEL, which need not come before the INVITE's */
		return;
	if (m->method != SIP_INVITE || !has_via_below(m) || dialog_hash_of(p->call_hash, from_tag_hash(p), m->cseq) != r->dialog) {
		count(p, COUNTER_responses_stray);
		return;
	}
	if (!(txn_step(TXN_INVITE_CLIENT, TXN_COMPLETED, event).actions & TXN_DO_ACK))
		return;
	room = m->body + r->uri_len + VIA_LINE_MAX + REFUSED_ACK_GROWTH;
	out = room <= SLAB_BYTES_MAX ? send_begin(p, room, &to) : NULL;
	len = out ? reply_compose_ack_again(m, span_of(r->uri, r->uri_len), span_of(via, n), r->max_forwards, out, room) : 0;
	if (len > 0)
		send_end(p, (uint32_t)len, &to);
}

/* ---- the server's side */

/* Its user, which has it no longer. */
static void server_leave(struct proxy *p, void *user, bool relayed)
{
	if (user && relayed) {
		((struct relay *)user)->server = NULL;
	} else if (user) {
		((struct context *)user)->server = NULL;
		context_less(p, user);
	}
}

void server_over(struct proxy *p, struct server_txn *s)
{
	void *user = s->user;
	bool relayed = s->relayed;

	slab_put(p->slab, s->response);
	server_txn_release(p->transactions, s);
	server_leave(p, user, relayed);
}

void server_linger(struct proxy *p, struct server_txn *s)
{
	void *user = s->user;
	bool relayed = s->relayed;
	uint8_t *response = s->response;

	if (s->reply_to.transport != TRANSPORT_UDP || !server_txn_linger(p->transactions, s))
		return;
	slab_put(p->slab, response);
	server_leave(p, user, relayed);
}
