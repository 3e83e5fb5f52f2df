/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control plane's own: a non-INVITE client transaction without a call around it. It lives until its answer or its timeout and
 * leaves at once: what comes later finds no slot, and a probe need not absorb it. */
#include "proxy/probe.h"

#include <string.h>

#include "base/err.h"
#include "proxy/state.h"
#include "tables/access.h"
#include "tables/trunks.h"

_Static_assert(sizeof(struct probe) <= sizeof(struct attempt), "probes and attempts share a pool");

static void release(struct proxy *p, struct probe *b)
{
	wheel_cancel(&b->timeout);
	slab_put(p->slab, b->message);
	client_txn_release(p->transactions, &b->txn);
}

static void finish(struct proxy *p, struct probe *b, struct probe_result *r)
{
	r->id = b->id;
	p->config.probe_done(p->config.outbox.ctx, r, b->started);
	release(p, b);
}

int probe_resend(struct proxy *p, const struct probe *b)
{
	uint8_t *out = send_begin(p, b->len, &b->txn.to);

	if (!out)
		return send_unsent(&b->txn.to);
	memcpy(out, b->message, b->len);
	return send_end(p, b->len, &b->txn.to);
}

/* The method of the request line; SIP_INVITE also where there is none: no probe is made of that. */
static enum sip_method method_of(struct span message)
{
	const uint8_t *space = memchr(message.p, ' ', message.n);

	return space ? sip_method_lookup(span_of(message.p, (uint32_t)(space - message.p))) : SIP_INVITE;
}

/* The message with our Via behind its start line. 0, -ERR_INVALID, -ERR_NOMEM. */
static int compose(struct proxy *p, struct probe *b, struct span message, int listener)
{
	const uint8_t *line = memchr(message.p, '\n', message.n);
	struct branch branch = {
		.kind = BRANCH_TRANSACTION,
		.worker = p->config.worker,
		.slot = b->txn.slot,
		.generation = b->txn.generation,
	};
	char via[VIA_LINE_MAX];
	uint32_t via_len, head;

	if (!line)
		return -ERR_INVALID;
	head = (uint32_t)(line + 1 - message.p);
	via_len = via_line(p, (unsigned)listener, &branch, via);
	b->len = message.n + via_len;
	b->message = slab_get(p->slab, b->len);
	if (!b->message)
		return -ERR_NOMEM;
	memcpy(b->message, message.p, head);
	memcpy(b->message + head, via, via_len);
	memcpy(b->message + head + via_len, message.p + head, message.n - head);
	return 0;
}

void proxy_probe(struct proxy *p, const struct probe_request *request, uint64_t started, uint64_t now_ms)
{
	struct span message = span_of(request->message, request->len);
	int listener = listener_for(p, &request->to, request->transport, NULL);
	enum sip_method method = method_of(message);
	struct probe_result refused = { .id = request->id };
	struct probe *b = NULL;
	struct flow to;

	p->now_ms = now_ms;
	p->call_hash = 0;
	refused.unsent = method == SIP_INVITE || method == SIP_ACK || method == SIP_CANCEL;
	if (listener < 0 || refused.unsent)
		goto refuse;
	refused.unsent = true;
	to = (struct flow){ .remote = request->to, .local = p->listeners[listener].addr, .transport = request->transport,
			    .tls_peer = request->tls_peer };
	b = (struct probe *)client_txn_new(p->transactions, method, &to, now_ms);
	if (!b)
		goto refuse;
	b->txn.user = CLIENT_TXN_PROBE;
	b->id = request->id;
	b->started = started;
	b->timeout.kind = TIMER_PROBE;
	if (compose(p, b, message, listener) < 0)
		goto refuse;
	refused.unsent = false;
	if (probe_resend(p, b) < 0)
		goto refuse;
	wheel_arm(p->wheel, &b->timeout, now_ms + request->timeout_ms);
	count(p, COUNTER_probes);
	return;
refuse:
	refused.refused = !refused.unsent;
	p->config.probe_done(p->config.outbox.ctx, &refused, started);
	if (b)
		release(p, b);
}

/* Its head, for the control plane to say why: whole lines. */
static void keep_head(struct probe_result *r, const struct sip_message *m)
{
	uint32_t n = m->head_end;

	if (n > PROBE_ANSWER_MAX) {
		const uint8_t *newline = memrchr(m->data, '\n', PROBE_ANSWER_MAX);

		n = newline ? (uint32_t)(newline + 1 - m->data) : 0;
	}
	memcpy(r->answer, m->data, n);
	r->answer_len = (uint16_t)n;
}

static void answered(struct proxy *p, struct probe *b)
{
	struct probe_result r = { .status = p->in->status };

	r.retry_after_s = retry_after(p->in);
	r.retry_after = r.retry_after_s > 0;
	if (r.status >= 300)
		keep_head(&r, p->in);
	finish(p, b, &r);
}

/* The peer's own address, or another that its trunk calls from. */
static bool comes_from_peer(const struct proxy *p, const struct probe *b, const struct ip_addr *from)
{
	uint32_t trunk;

	if (ip_eq(from, &b->txn.to.remote.ip))
		return true;
	trunk = access_lookup(p->tables->access, from);
	return trunk != TRUNK_NONE && trunk == access_lookup(p->tables->access, &b->txn.to.remote.ip);
}

void probe_response(struct proxy *p, struct probe *b, const struct flow *from, enum txn_event event)
{
	if (p->in->method == b->txn.method && comes_from_peer(p, b, &from->remote.ip))
		probe_event(p, b, event);
	else
		count(p, COUNTER_responses_stray);
}

void probe_undelivered(struct proxy *p, struct probe *b, const char *why)
{
	struct probe_result r = { .refused = true };
	size_t n = strlen(why);

	r.answer_len = (uint16_t)(n < PROBE_ANSWER_MAX ? n : PROBE_ANSWER_MAX);
	memcpy(r.answer, why, r.answer_len);
	finish(p, b, &r);
}

void probe_event(struct proxy *p, struct probe *b, enum txn_event event)
{
	uint16_t actions = client_txn_event(p->transactions, &b->txn, event, p->now_ms);

	if (actions & TXN_DO_SEND_REQUEST)
		probe_resend(p, b);
	if (actions & TXN_DO_TIMEOUT)
		probe_timeout(p, b);
	else if (actions & TXN_DO_ERROR)
		finish(p, b, &(struct probe_result){ .refused = true });
	else if (actions & TXN_DO_TO_USER && event != TXN_RX_1XX)
		answered(p, b);
}

void probe_timeout(struct proxy *p, struct probe *b)
{
	count(p, COUNTER_probe_timeouts);
	finish(p, b, &(struct probe_result){ .timeout = true });
}
