/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay.h"

#include <string.h>

#include "sip/reply.h"

_Static_assert(sizeof(struct relay) <= sizeof(struct attempt), "relays and attempts share a pool");

#define CANCEL_GROWTH 512 /* what a CANCEL or ACK has beyond the head of its INVITE */

static const struct span NO_HEADERS = { 0, 0 };

static void forget_messages(struct proxy *p, struct relay *r)
{
	slab_put(p->slab, r->request);
	slab_put(p->slab, r->sent);
	slab_put(p->slab, r->reason);
	r->request = r->sent = r->reason = NULL;
	r->reason_len = 0;
}

static void release(struct proxy *p, struct relay *r)
{
	if (r->server)
		r->server->user = NULL;
	wheel_cancel(&r->clock);
	forget_messages(p, r);
	client_txn_release(p->transactions, &r->txn);
}

/* ---- towards the next hop */

int relay_resend(struct proxy *p, const struct relay *r)
{
	uint8_t *out = r->sent ? send_begin(p, r->sent_len, &r->txn.to) : NULL;

	if (!out)
		return send_unsent(&r->txn.to);
	memcpy(out, r->sent, r->sent_len);
	return send_end(p, r->sent_len, &r->txn.to);
}

static bool sent_view(struct proxy *p, const struct relay *r)
{
	return r->sent && sip_parse(r->sent, r->sent_len, &p->sent) == SIP_OK;
}

static void send_ack(struct proxy *p, const struct relay *r, struct span response_to)
{
	uint32_t room;
	uint8_t *out;
	int n;

	if (!sent_view(p, r))
		return;
	room = p->sent.body + response_to.n + CANCEL_GROWTH;
	out = room <= SLAB_BYTES_MAX ? send_begin(p, room, &r->txn.to) : NULL;
	n = out ? reply_compose_ack(&p->sent, response_to, out, room) : 0;
	if (n > 0)
		send_end(p, (uint32_t)n, &r->txn.to);
}

static bool send_cancel(struct proxy *p, const struct relay *r)
{
	uint32_t room;
	uint8_t *out;
	int n;

	if (!sent_view(p, r))
		return true; /* and never will be */
	room = p->sent.body + r->reason_len + CANCEL_GROWTH;
	out = room <= SLAB_BYTES_MAX ? send_begin(p, room, &r->txn.to) : NULL;
	n = out ? reply_compose_cancel(&p->sent, span_of(r->reason, r->reason_len), out, room) : 0;
	if (n > 0)
		send_end(p, (uint32_t)n, &r->txn.to);
	return out;
}

/* And arms what sends it again (timer E): over a stream only where there was no buffer for it. */
static void cancel_sent(struct proxy *p, struct relay *r)
{
	wheel_cancel(&r->clock);
	if (!send_cancel(p, r) || r->txn.to.transport == TRANSPORT_UDP)
		wheel_arm(p->wheel, &r->clock, p->now_ms + r->cancel_interval_ms);
}

static void cancel_now(struct proxy *p, struct relay *r)
{
	r->cancelled = true;
	r->cancel_interval_ms = p->config.timers.t1;
	cancel_sent(p, r);
	/* §9.1: without a final response by then, the INVITE is considered over. */
	wheel_arm(p->wheel, &r->txn.lifetime, p->now_ms + txn_wait_ms(&p->config.timers));
}

/* ---- towards the caller */

static void answer(struct proxy *p, struct relay *r, uint16_t status)
{
	if (r->final_sent || !r->server || !r->request || sip_parse(r->request, r->request_len, &p->kept) != SIP_OK)
		return;
	r->final_sent = true;
	reply_transaction(p, r->server, &r->from, &p->kept, status, NO_HEADERS);
}

bool relay_trying(struct proxy *p, const struct relay *r)
{
	if (!r->request || sip_parse(r->request, r->request_len, &p->kept) != SIP_OK)
		return false;
	reply_stateless(p, &p->kept, &r->from, 100, NULL, NO_HEADERS);
	return true;
}

static void forward_up(struct proxy *p, struct relay *r)
{
	const struct sip_message *m = p->in;
	enum txn_event event = m->status < 200 ? TXN_TX_1XX : m->status < 300 ? TXN_TX_2XX : TXN_TX_FINAL;
	bool accepted = event == TXN_TX_2XX && m->method == SIP_INVITE;
	struct server_txn *s = r->server;

	if (!s || !(server_txn_event(p->transactions, s, event, p->now_ms) & TXN_DO_SEND_RESPONSE))
		return;
	r->final_sent |= m->status >= 200;
	if (upstream_pass(p, s, &s->reply_to, !accepted) && accepted) /* retransmitted by the target, end to end (RFC 6026): nothing to keep */
		forget_messages(p, r);
}

static void response_up(struct proxy *p, struct relay *r)
{
	uint16_t status = p->in->status;

	if (status < 200) {
		r->provisional = true;
		if (r->want_cancel && !r->cancelled)
			cancel_now(p, r);
		else if (r->txn.method == SIP_INVITE && status > 100 && !r->cancelled) /* timer C, §16.7(2) */
			wheel_arm(p->wheel, &r->clock, p->now_ms + p->config.timer_c_ms);
		if (status == 100)
			return;
	} else {
		wheel_cancel(&r->clock);
	}
	/* RFC 4320 §4.2: such a 408 goes no further; the armed lifetime ends the transaction. */
	if (status == 408 && r->txn.method != SIP_INVITE)
		return;
	forward_up(p, r);
}

/* ---- events */

static void timed_out(struct proxy *p, struct relay *r)
{
	count(p, COUNTER_transaction_timeouts);
	if (r->txn.method == SIP_INVITE)
		answer(p, r, r->want_cancel ? 487 : 408);
}

void relay_event(struct proxy *p, struct relay *r, enum txn_event event)
{
	uint16_t actions = client_txn_event(p->transactions, &r->txn, event, p->now_ms);

	p->call_hash = r->call_hash;
	if (actions & TXN_DO_SEND_REQUEST) {
		count(p, COUNTER_retransmissions_sent);
		relay_resend(p, r);
	}
	if (actions & TXN_DO_ACK)
		send_ack(p, r, sip_first(p->in, SIP_H_TO));
	if (actions & TXN_DO_TO_USER)
		response_up(p, r);
	if (actions & TXN_DO_TIMEOUT)
		timed_out(p, r);
	if (actions & TXN_DO_ERROR) /* §16.9: as if a 503 had come, which is no business of the caller's (§16.7(6)) */
		answer(p, r, r->want_cancel ? 487 : 500);
	if (r->txn.state == TXN_TERMINATED)
		release(p, r);
}

void relay_response(struct proxy *p, struct relay *r, enum txn_event event)
{
	if (p->in->method == SIP_CANCEL && r->cancelled) { /* the CANCEL arrived: its own transaction ends */
		if (p->in->status >= 200)
			wheel_cancel(&r->clock);
		return;
	}
	if (p->in->method != r->txn.method || !has_via_below(p->in)) {
		count(p, COUNTER_responses_stray);
		return;
	}
	relay_event(p, r, event);
}

void relay_clock_fired(struct proxy *p, struct relay *r)
{
	uint32_t next = r->cancel_interval_ms * 2;

	p->call_hash = r->call_hash;
	if (!r->cancelled) {
		r->want_cancel = true;
		cancel_now(p, r);
		return;
	}
	count(p, COUNTER_retransmissions_sent);
	r->cancel_interval_ms = next < p->config.timers.t2 ? next : p->config.timers.t2;
	cancel_sent(p, r);
}

void relay_cancel(struct proxy *p, struct relay *r)
{
	if (r->final_sent || r->want_cancel)
		return;
	r->want_cancel = true;
	r->reason = reason_keep(p, &r->reason_len);
	if (r->provisional) {
		cancel_now(p, r);
		return;
	}
	/* §9.1: no CANCEL before a provisional; it falls silent, and is cancelled at the first that comes. */
	client_txn_event(p->transactions, &r->txn, TXN_ABANDON, p->now_ms);
	answer(p, r, 487);
}

/* ---- beginning */

/* The request with our Via, in a slab buffer. */
static bool compose(struct proxy *p, struct relay *r, unsigned listener)
{
	const struct sip_message *m = p->in;
	struct branch b = {
		.kind = BRANCH_TRANSACTION,
		.worker = p->config.worker,
		.slot = r->txn.slot,
		.generation = r->txn.generation,
	};
	char *line = (char *)edit_text_begin(&p->edits, VIA_LINE_MAX);
	uint32_t size;
	int n;

	if (!line)
		return false;
	edit_replace(&p->edits, m->start_line_end, 0, edit_text_end(&p->edits, via_line(p, listener, &b, line)));
	edit_top_via(p, m, &r->from);
	edit_max_forwards(&p->edits, m);
	edit_content_length(&p->edits, m, r->txn.to.transport);
	size = edit_size(&p->edits, m);
	r->sent = slab_get(p->slab, size);
	n = r->sent ? edit_compose(&p->edits, m, r->sent, size) : -1;
	r->sent_len = n > 0 ? (uint32_t)n : 0;
	return n > 0;
}

static struct relay *relay_new(struct proxy *p, const struct flow *from, const struct flow *to, unsigned listener)
{
	const struct sip_message *m = p->in;
	struct relay *r = (struct relay *)client_txn_new(p->transactions, (enum sip_method)m->method, to, p->now_ms);
	struct flow reply_to;

	if (!r)
		return NULL;
	r->txn.user = CLIENT_TXN_RELAY;
	r->clock.kind = TIMER_RELAY;
	r->from = *from;
	r->call_hash = p->call_hash;
	r->request = slab_get(p->slab, m->len);
	r->request_len = m->len;
	if (!r->request || !compose(p, r, listener))
		goto fail;
	memcpy(r->request, m->data, m->len);
	reply_flow(&m->top_via, from, &reply_to);
	r->server = server_txn_new(p->transactions, transaction_key(p), m->method == SIP_INVITE, &reply_to);
	if (!r->server)
		goto fail;
	r->server->user = r;
	r->server->call_hash = r->call_hash;
	r->server->relayed = true;
	return r;
fail:
	release(p, r);
	return NULL;
}

bool relay_request(struct proxy *p, const struct flow *from, const struct flow *to, unsigned listener)
{
	enum server_lingering lingering;
	struct server_txn *s = server_txn_find(p->transactions, transaction_key(p), &lingering);
	struct relay *r;

	if (s || lingering) {
		request_again(p, s);
		return false;
	}
	r = relay_new(p, from, to, listener);
	if (!r) {
		count(p, COUNTER_refused_full);
		reply_stateless(p, p->in, from, 503, NULL, SPAN_LIT("Retry-After: 5\r\n"));
		return false;
	}
	if (r->txn.method == SIP_INVITE) {
		reply_stateless(p, p->in, from, 100, NULL, NO_HEADERS);
		wheel_arm(p->wheel, &r->clock, p->now_ms + p->config.timer_c_ms);
	} else {
		wheel_arm(p->wheel, &r->server->lifetime, p->now_ms + txn_wait_ms(&p->config.timers));
	}
	if (relay_resend(p, r) < 0)
		relay_event(p, r, TXN_TRANSPORT_ERROR);
	return true;
}
