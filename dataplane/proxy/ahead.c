/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead: what a message needs of this worker's tables is asked for while those before it are still being read, in as many passes as
 * there are pointers to follow, so that a worker with a million calls waits for memory once a batch rather than several times a message. */
#include <rte_prefetch.h>

#include "proxy/record.h"
#include "proxy/sides.h"
#include "proxy/state.h"

/* n: a constant. */
static inline __attribute__((always_inline)) void lines(const void *object, unsigned n)
{
#pragma GCC unroll 16
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0((const uint8_t *)object + 64 * i);
}

static void read_key(struct proxy *p, const struct sip_message *m, struct look *l)
{
	enum sip_method method = m->method == SIP_ACK || m->method == SIP_CANCEL ? SIP_INVITE : (enum sip_method)m->method;

	l->key = txn_key_of(p->transactions, m, &m->top_via, method);
	l->keyed = true;
}

const struct txn_key *transaction_key(struct proxy *p)
{
	if (!p->look->keyed)
		read_key(p, p->in, p->look);
	return &p->look->key;
}

/* What says that the sender, and where it sends to, are the dialog's two sides. */
static void prefetch_sides(struct proxy *p, const struct flow *from)
{
	const struct look *l = p->look;
	bool by_caller = l->side == TOKEN_FROM_CALLER;

	side_prefetch(p, by_caller ? l->token.caller_trunk : l->token.target_trunk, &from->remote.ip);
	side_prefetch(p, by_caller ? l->token.target_trunk : l->token.caller_trunk, &p->in->uri.ip);
}

/* true: further passes are due. *opening: how many calls those before it in the batch may open. */
static bool read_request(struct proxy *p, const struct flow *from, unsigned *opening)
{
	const struct sip_message *m = p->in;
	struct look *l = p->look;
	bool ours = false;

	if (m->to_tag.p && m->first[SIP_H_ROUTE] >= 0) {
		route_look(p);
		ours = token_is_ours(p);
		if (ours)
			calls_prefetch(p->calls, l->token.slot);
		if (l->token_error == 0)
			prefetch_sides(p, from);
	}
	/* No mid-dialog request belongs to a transaction of ours, but an ACK that may be for one's end: that of a call which is here mostly is not. */
	if (m->to_tag.p && (ours || m->method != SIP_ACK))
		return ours && m->method == SIP_BYE;
	read_key(p, m, l);
	transactions_prefetch_key(p->transactions, &l->key);
	if (m->to_tag.p || m->method == SIP_CANCEL)
		return true;
	number_look(p, from);
	if (m->method == SIP_INVITE)
		calls_prefetch_open(p->calls, (*opening)++, l->call_hash, from_tag_hash(p));
	return true;
}

/* Pass one: the message, and where its transaction is found. true: further passes are due. */
static bool read_message(struct proxy *p, const struct datagram *d, unsigned *opening)
{
	struct sip_message *m = p->in;
	struct look *l = p->look;

	l->from_hashed = l->sourced = l->numbered = l->routed = l->keyed = false;
	l->call_hash = p->call_hash = 0;
	l->verdict = (uint8_t)sip_parse(d->data, d->len, m);
	if (l->verdict != SIP_OK)
		return false;
	l->call_hash = p->call_hash = call_id_hash(&p->config.call_key, m->call_id);
	if (m->is_request)
		return read_request(p, &d->from, opening);
	l->branch_error = branch_decode(&p->branch_mac, m->top_via.branch, &l->branch);
	if (l->branch_error || l->branch.kind != BRANCH_TRANSACTION)
		return false;
	transactions_prefetch_slot(p->transactions, l->branch.slot);
	return true;
}

/* What the end of a call touches besides it. */
static void prefetch_end(struct proxy *p, const struct token *t)
{
	const struct live_call *call = call_at(p->calls, t->slot, t->generation);

	if (!call)
		return;
	record_prefetch(call->record);
	calls_prefetch_close(p->calls, call);
}

/* Pass two: the objects that those lead to. */
static void prefetch_object(struct proxy *p, const struct sip_message *m, const struct look *l)
{
	if (!m->is_request)
		lines(transactions_slot_object(p->transactions, l->branch.slot, l->branch.generation), sizeof(struct attempt) / 64);
	else if (!l->keyed)
		prefetch_end(p, &l->token);
	else if (m->method == SIP_ACK || m->method == SIP_CANCEL) /* others are new, nearly all: whether they are need not be known yet */
		transactions_prefetch_found(p->transactions, &l->key);
}

/* Of what the attempt leads to, what its end touches. */
static void prefetch_settling(struct proxy *p, const struct attempt *a)
{
	if (a->done)
		return;
	wheel_prefetch_cancel(&a->txn.retransmit);
	wheel_prefetch_cancel(&a->clock);
	wheel_prefetch_cancel(&a->ring);
	__builtin_prefetch(a->same_prev_next, 1);
	__builtin_prefetch(a->same_next, 1);
	__builtin_prefetch(a->ahead_bucket, 1);
	record_prefetch(a->ahead_record);
	if (a->call_slot != CALL_NONE)
		calls_prefetch_answer(p->calls, a->call_slot);
}

/* The same of what a provisional touches. */
static void prefetch_ringing(struct proxy *p, const struct attempt *a)
{
	__builtin_prefetch(&a->context->knobs); /* how long it may ring */
	wheel_prefetch_cancel(&a->txn.retransmit);
	wheel_prefetch_cancel(&a->clock);
	__builtin_prefetch(a->ahead_record, 1);
	if (a->call_slot != CALL_NONE)
		calls_prefetch(p->calls, a->call_slot);
}

/* Pass three: what an answer to an attempt touches besides. Nothing here waits for the context: the attempt says where the rest is. */
static void prefetch_context(struct proxy *p, const struct sip_message *m, const struct look *l)
{
	struct lingering *lingering;
	struct client_txn *txn;
	const struct attempt *a;

	if (m->is_request)
		return;
	txn = client_txn_at(p->transactions, l->branch.slot, l->branch.generation, &lingering);
	if (!txn || txn->user != CLIENT_TXN_ATTEMPT)
		return;
	a = (struct attempt *)txn;
	if (m->status >= 300)
		lines(a->context, sizeof(*a->context) / 64);
	else
		lines(a->context, CONTEXT_ANSWER_BYTES / 64);
	if (a->ahead_server)
		lines(a->ahead_server, sizeof(struct server_txn) / 64);
	if (m->status >= 200)
		prefetch_settling(p, a);
	else
		prefetch_ringing(p, a);
}

void read_ahead(struct proxy *p, const struct datagram *datagrams, unsigned n)
{
	unsigned due = 0; /* a bit each */
	unsigned opening = 0;

	for (unsigned i = 0; i < n; i++) {
		p->in = &p->views[i];
		p->look = &p->looks[i];
		due |= (unsigned)read_message(p, &datagrams[i], &opening) << i;
	}
	for (unsigned left = due; left; left &= left - 1)
		prefetch_object(p, &p->views[__builtin_ctz(left)], &p->looks[__builtin_ctz(left)]);
	for (unsigned left = due; left; left &= left - 1)
		prefetch_context(p, &p->views[__builtin_ctz(left)], &p->looks[__builtin_ctz(left)]);
}
