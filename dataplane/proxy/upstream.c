/* SPDX-License-Identifier: Apache-2.0 */
/* What goes back to the caller: responses passed on, the best of several, and replays. */
#include <string.h>

#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/state.h"
#include "sip/writer.h"

#define CHALLENGES_MAX 8192 /* bytes of challenges merged into one response */

bool has_via_below(const struct sip_message *m)
{
	return m->via_rest.n || m->headers[m->first[SIP_H_VIA]].next >= 0;
}

bool strip_top_via(struct edit_list *l, const struct sip_message *m)
{
	int line = m->first[SIP_H_VIA];
	const struct sip_header *h = &m->headers[line];

	if (m->via_rest.n)
		edit_remove_value(l, m, line, m->top_via.whole);
	else
		edit_replace(l, h->start, h->end - h->start, (struct span){ 0, 0 });
	return has_via_below(m);
}

bool edit_upwards(struct edit_list *l, const struct sip_message *m, uint8_t transport)
{
	edit_reset(l);
	if (!strip_top_via(l, m))
		return false;
	edit_content_length(l, m, transport);
	return true;
}

void server_keep(struct proxy *p, struct server_txn *s, const uint8_t *response, uint32_t len)
{
	/* The old one first: it must never be replayed in place of its successor, and its room is the likeliest to do. */
	slab_put(p->slab, s->response);
	s->response = slab_get(p->slab, len);
	if (!s->response) {
		count(p, COUNTER_out_of_memory);
		return;
	}
	memcpy(s->response, response, len);
	s->response_len = len;
}

void server_unsent(struct proxy *p, struct server_txn *s)
{
	if (s->reply_to.transport != TRANSPORT_UDP && s->kind == TXN_INVITE_SERVER && s->state == TXN_COMPLETED)
		wheel_arm(p->wheel, &s->retransmit, p->now_ms + p->config.timers.t1);
}

/* The 100 is not kept, since the request is: it is made again. */
static bool trying_again(struct proxy *p, const struct server_txn *s)
{
	if (s->kind != TXN_INVITE_SERVER || s->state != TXN_PROCEEDING || !s->user)
		return false;
	if (s->relayed)
		return relay_trying(p, s->user);
	if (!context_view(p, s->user))
		return false;
	reply_trying(p, s->user, &p->kept);
	return true;
}

bool upstream_replay(struct proxy *p, struct server_txn *s)
{
	uint8_t *out;

	if (!s->response)
		return trying_again(p, s);
	out = send_begin(p, s->response_len, &s->reply_to);
	if (!out) {
		server_unsent(p, s);
		return false;
	}
	memcpy(out, s->response, s->response_len);
	send_end(p, s->response_len, &s->reply_to);
	return true;
}

bool upstream_pass(struct proxy *p, struct server_txn *s, const struct flow *reply_to, bool keep)
{
	const struct sip_message *m = p->in;
	uint32_t room;
	uint8_t *out, *to;
	int n;

	if (!edit_upwards(&p->edits, m, reply_to->transport))
		return false;
	room = edit_size(&p->edits, m);
	out = send_begin(p, room, reply_to);
	to = out ? out : p->text; /* no buffer just now: it is kept, and sent when the request comes again */
	n = edit_compose(&p->edits, m, to, room);
	if (n <= 0)
		return false;
	if (s && keep)
		server_keep(p, s, to, (uint32_t)n);
	if (out)
		send_end_edited(p, m, (uint32_t)n, reply_to);
	else if (s)
		server_unsent(p, s);
	return true;
}

void upstream_forward(struct proxy *p, struct context *c)
{
	const struct sip_message *m = p->in;
	enum txn_event event = m->status < 200 ? TXN_TX_1XX : m->status < 300 ? TXN_TX_2XX : TXN_TX_FINAL;
	struct server_txn *s = c->server;

	if (s && !(server_txn_event(p->transactions, s, event, p->now_ms) & TXN_DO_SEND_RESPONSE))
		return;
	/* A late 2xx to an INVITE is forwarded even without a transaction (§16.7(5)). */
	if (!s && (event != TXN_TX_2XX || c->method != SIP_INVITE))
		return;
	if (m->status >= 200)
		c->final_sent = true;
	/* 2xx to INVITE is retransmitted by the target end to end (RFC 6026): nothing to keep. */
	upstream_pass(p, s, s ? &s->reply_to : &c->reply_to, !(c->method == SIP_INVITE && event == TXN_TX_2XX));
}

void upstream_again(struct proxy *p, const struct lingering *l)
{
	const struct flow to = lingering_reply_to(p->transactions, l);
	uint32_t room;
	uint8_t *out;
	int n;

	if (!edit_upwards(&p->edits, p->in, to.transport))
		return;
	room = edit_size(&p->edits, p->in);
	out = send_begin(p, room, &to);
	n = out ? edit_compose(&p->edits, p->in, out, room) : 0;
	if (n > 0)
		send_end_edited(p, p->in, (uint32_t)n, &to);
}

/* RFC 3261 §16.7(6): 6xx before all; else the lowest class; within 4xx those that tell the caller how to repair the request. */
static int rank(uint16_t status)
{
	if (status >= 600)
		return 0;
	switch (status) {
	case 401: case 407: case 415: case 420: case 484:
		return 40;
	}
	return status / 100 * 10 + 5;
}

/* §16.7(7): every challenge of every branch goes up with the one that is sent. */
static void keep_challenges(struct proxy *p, struct context *c)
{
	static const enum sip_header_id ids[] = { SIP_H_WWW_AUTHENTICATE, SIP_H_PROXY_AUTHENTICATE };
	const struct sip_message *m = p->in;

	if (!c->parallel || (m->status != 401 && m->status != 407))
		return;
	if (!c->challenges)
		c->challenges = slab_get(p->slab, CHALLENGES_MAX);
	for (unsigned i = 0; c->challenges && i < 2; i++) {
		for (int line = m->first[ids[i]]; line >= 0; line = m->headers[line].next) {
			const struct sip_header *h = &m->headers[line];
			uint32_t n = h->end - h->start;

			if (n > CHALLENGES_MAX - c->challenges_len)
				continue;
			memcpy(c->challenges + c->challenges_len, m->data + h->start, n);
			c->challenges_len += n;
		}
	}
}

/* The best response's own challenges are among those kept: all of them take their place. */
static void merge_challenges(struct proxy *p, struct context *c)
{
	uint8_t *merged;
	uint32_t size;

	if (!c->challenges_len || (c->best_status != 401 && c->best_status != 407) ||
	    sip_parse(c->best, c->best_len, &p->kept) != SIP_OK)
		return;
	edit_reset(&p->edits);
	for (unsigned i = 0; i < p->kept.header_count; i++) {
		const struct sip_header *h = &p->kept.headers[i];

		if (h->id == SIP_H_WWW_AUTHENTICATE || h->id == SIP_H_PROXY_AUTHENTICATE)
			edit_replace(&p->edits, h->start, h->end - h->start, (struct span){ 0, 0 });
	}
	edit_replace(&p->edits, p->kept.head_end, 0, span_of(c->challenges, c->challenges_len));
	size = edit_size(&p->edits, &p->kept);
	merged = slab_get(p->slab, size);
	if (!merged || edit_compose(&p->edits, &p->kept, merged, size) <= 0) {
		slab_put(p->slab, merged);
		return;
	}
	slab_put(p->slab, c->best);
	c->best = merged;
	c->best_len = size;
}

void upstream_consider(struct proxy *p, struct context *c)
{
	const struct sip_message *m = p->in;
	uint8_t *copy;
	int n;

	if (c->final_sent)
		return;
	keep_challenges(p, c);
	if (m->status == 408 && c->method != SIP_INVITE) { /* RFC 4320 §4.2: such a 408 goes no further; it is a timeout like any */
		c->timeouts++;
		return;
	}
	if (c->best_status && rank(c->best_status) <= rank(m->status))
		return;
	c->best_status = m->status;
	slab_put(p->slab, c->best);
	c->best = NULL;
	if (!edit_upwards(&p->edits, m, c->reply_to.transport))
		return;
	if (m->status == 503) /* §16.7(6): a 503 says that we are overloaded, and we are not */
		edit_replace(&p->edits, 0, m->start_line_end, SPAN_LIT("SIP/2.0 500 Server Internal Error\r\n"));
	copy = slab_get(p->slab, edit_size(&p->edits, m));
	if (!copy) {
		count(p, COUNTER_out_of_memory);
		return;
	}
	n = edit_compose(&p->edits, m, copy, edit_size(&p->edits, m));
	if (n <= 0) {
		slab_put(p->slab, copy);
		return;
	}
	c->best = copy;
	c->best_len = (uint32_t)n;
}

void upstream_take(struct proxy *p, struct context *c)
{
	c->best_status = 0;
	upstream_consider(p, c);
}

/* The kept best response becomes the server transaction's response. */
static void send_best(struct proxy *p, struct context *c)
{
	struct server_txn *s = c->server;

	if (!(server_txn_event(p->transactions, s, TXN_TX_FINAL, p->now_ms) & TXN_DO_SEND_RESPONSE))
		return;
	merge_challenges(p, c);
	upstream_failed(p, c, c->best_status);
	slab_put(p->slab, s->response);
	s->response = c->best;
	s->response_len = c->best_len;
	c->best = NULL;
	upstream_replay(p, s);
}

void upstream_failed(struct proxy *p, struct context *c, uint16_t status)
{
	c->final_sent = true;
	if (c->method == SIP_INVITE)
		record_failed(p, c, c->cancelled ? RECORD_CANCELLED : c->best_status ? RECORD_REJECTED : RECORD_EXHAUSTED, status);
}

/* RFC 5630 §5.3: a sips URI, and nobody to go to by TLS. */
static void refuse_sips(struct proxy *p, struct context *c)
{
	int listener = listener_at(p, &c->from.local, c->from.transport);
	uint8_t text[sizeof("Warning: 380  \"SIPS Not Allowed\"\r\n") + IP_PORT_TEXT_MAX];
	struct writer w = { text, sizeof(text), 0, false };

	PUT(&w, "Warning: 380 ");
	put(&w, listener < 0 ? SPAN_LIT("strowger") : span_of(p->listeners[listener].host, p->listeners[listener].host_len));
	PUT(&w, " \"SIPS Not Allowed\"\r\n");
	reply_local(p, c, &p->kept, 480, span_of(w.out, w.n));
}

void upstream_finish(struct proxy *p, struct context *c)
{
	uint16_t status;

	if (c->method == SIP_INVITE)
		wheel_cancel(&c->budget);
	if (c->final_sent || !c->server)
		return;
	if (c->method == SIP_INVITE)
		count(p, c->cancelled ? COUNTER_calls_cancelled : c->best_status ? COUNTER_calls_rejected : COUNTER_calls_exhausted);
	if (c->best && !(c->cancelled && c->best_status >= 500 && c->best_status < 600)) {
		send_best(p, c);
		return;
	}
	if (c->cancelled)
		status = 487;
	else if (c->best_status)
		status = c->best_status == 503 ? 500 : c->best_status;
	else if (c->started && c->timeouts == c->started)
		status = 408;
	else
		status = c->knobs.exhausted_code;
	/* RFC 4320 §4.2: no 408 to a non-INVITE; the armed lifetime ends the transaction, unless a late answer comes before. */
	if (c->method != SIP_INVITE && status == 408)
		return;
	if (!context_view(p, c))
		return;
	if (c->selection.tls_only && !c->started && !c->cancelled)
		refuse_sips(p, c);
	else
		reply_local(p, c, &p->kept, status, (struct span){ 0, 0 });
}
