/* SPDX-License-Identifier: Apache-2.0 */
/* Responses that come in, and what a client transaction's events mean for the call: RFC 3261 §16.7. */
#include "base/err.h"
#include "proxy/load.h"
#include "proxy/probe.h"
#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/state.h"
#include "proxy/watch.h"

uint64_t session_expires(const struct sip_message *m)
{
	struct span value = sip_first(m, SIP_H_SESSION_EXPIRES);
	uint32_t digits = 0;
	uint64_t seconds = 0;

	while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	span_to_u64(span_of(value.p, digits), UINT32_MAX, &seconds);
	return seconds;
}

/* late: the attempt had been given up. */
static void call_answered(struct proxy *p, struct context *c, struct attempt *a, bool late)
{
	struct live_call *call = c->call_slot == CALL_NONE ? NULL : call_at(p->calls, c->call_slot, c->call_generation);

	count(p, COUNTER_calls_answered);
	target_add(p->config.targets, a->target_slot, TARGET_ANSWERED, 1);
	if (c->first_failed != UINT32_MAX && !c->parallel && !late) {
		count(p, COUNTER_calls_rescued);
		target_add(p->config.targets, c->first_failed, TARGET_RESCUED_AWAY, 1);
	}
	if (!call || call->answered)
		return;
	call->target_trunk = a->trunk_id;
	call->endpoint = a->endpoint_id;
	call_session(call, session_expires(p->in));
	call_answer(p->calls, call, tag_hash(&p->config.call_key, p->in->to_tag), p->now_ms);
	/* The 2xx goes up just now: from here its transaction becomes Accepted. One that has told of a failure waits for an ACK. */
	call->accepted = c->server && c->server->state == TXN_PROCEEDING;
	load_answered(p, a, call);
	record_answer(p, c, call, p->in->status);
}

static void provisional_in(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;
	bool first = !a->provisional;

	a->provisional = true;
	if (a->want_cancel) {
		attempt_abandon(p, a); /* now a CANCEL may go out */
		return;
	}
	if (a->done)
		return;
	if (p->in->status == 100) {
		if (first && c->method == SIP_INVITE && c->knobs.progress_timeout_ms)
			wheel_arm(p->wheel, &a->clock, p->now_ms + c->knobs.progress_timeout_ms);
		else if (first)
			wheel_cancel(&a->clock);
		attempt_arm_ring(p, a);
		return;
	}
	wheel_cancel(&a->clock);
	a->progressed = true;
	if (c->method != SIP_INVITE) /* RFC 4320 §4.1: none but 100 to a non-INVITE */
		return;
	wheel_cancel(&c->budget);
	if (!c->knobs.ring_timeout_ms) /* timer C, §16.7(2) */
		wheel_arm(p->wheel, &a->ring, p->now_ms + p->config.timer_c_ms);
	else
		attempt_arm_ring(p, a);
	if (c->final_sent)
		return;
	c->progress_sent = true;
	record_progress(p, c);
	upstream_forward(p, c);
}

static void success_in(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;
	bool late = a->done;

	attempt_settle(p, a);
	record_result(p, a, ATTEMPT_RECORD_ANSWERED, p->in->status);
	wheel_cancel(&a->ring);
	wheel_cancel(&c->budget);
	if (c->method != SIP_INVITE) {
		if (!c->final_sent) {
			target_add(p->config.targets, a->target_slot, TARGET_ANSWERED, 1);
			upstream_forward(p, c);
		}
		return;
	}
	if (!c->answered) {
		c->answered = true;
		call_answered(p, c, a, late);
	}
	load_left(p, a); /* of a second leg that answered: no live call speaks for it */
	upstream_forward(p, c); /* every 2xx, each time it comes: §16.7(5), RFC 6026 */
	attempts_abandon(p, c, a);
}

uint32_t retry_after(const struct sip_message *m)
{
	struct span value = sip_first(m, SIP_H_RETRY_AFTER);
	uint32_t digits = 0;
	uint64_t seconds;

	while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9')
		digits++;
	if (m->status != 503 || !span_to_u64(span_of(value.p, digits), UINT32_MAX, &seconds))
		return 0;
	return seconds < RETRY_AFTER_MAX_S ? (uint32_t)seconds : RETRY_AFTER_MAX_S;
}

/* §16.7(6) and RFC 3261 §21.5.4: a 503 speaks of its endpoint, for as long as it says. */
static void eject_on_503(struct proxy *p, const struct attempt *a)
{
	uint32_t seconds = retry_after(p->in);

	if (seconds)
		watch_pause(p, a, seconds);
}

/* A 6xx, to all the branches of a simultaneous ring (§16.7(5)), unless the profile says that it speaks for its own target only. */
static bool declined_for_all(const struct proxy *p, const struct context *c)
{
	return p->in->status >= 600 && !c->knobs.decline_ends_target;
}

/* The answer to an attempt that still counted, and it moves nothing on. */
static void rejection_in(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;

	attempt_settle(p, a);
	record_result(p, a, ATTEMPT_RECORD_REJECTED, p->in->status);
	target_add(p->config.targets, a->target_slot, TARGET_REJECTED, 1);
	if (p->in->status == 401 || p->in->status == 407)
		challenge_note(p->challenges, caller_hash(p, c), a->endpoint, p->now_ms + 2 * txn_wait_ms(&p->config.timers));
	if (!c->parallel) {
		upstream_take(p, c);
		upstream_finish(p, c);
		return;
	}
	upstream_consider(p, c);
	if (declined_for_all(p, c)) {
		c->exhausted = c->declined = true;
		wheel_cancel(&c->budget);
		attempts_abandon(p, c, a);
	}
	if (!attempts_more(p, c) && !attempts_pending(c) && !(c->declined && attempts_ending(c)))
		upstream_finish(p, c);
}

/* An attempt that was given up has ended; where all were, by the caller or by a 6xx, the last one's end is the request's. */
static void ended(struct proxy *p, struct context *c)
{
	if ((c->cancelled || c->declined) && !c->final_sent && !attempts_pending(c) && !attempts_ending(c))
		upstream_finish(p, c);
}

/* A redirect that the profile says to follow, to endpoints of its own. */
static bool redirected(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;

	if (p->in->status >= 400 || !c->knobs.follow_redirects || c->parallel || c->cancelled || c->final_sent ||
	    !redirect_note(p, c))
		return false;
	attempt_settle(p, a);
	record_result(p, a, ATTEMPT_RECORD_CODE, p->in->status);
	upstream_consider(p, c); /* in case that nobody takes the call there */
	if (context_view(p, c))
		attempts_start(p, c, &p->kept);
	return true;
}

static void failure_in(struct proxy *p, struct attempt *a)
{
	struct context *c = a->context;
	bool known = a->done;

	if (a->cancelled)
		wheel_cancel(&a->ring);
	load_left(p, a);
	eject_on_503(p, a);
	if (known) {
		if (c->cancelled)
			upstream_consider(p, c);
		ended(p, c);
		return;
	}
	if (code_set_has(&c->knobs.retry_codes, p->in->status)) {
		upstream_consider(p, c);
		attempt_failed(p, a, FAIL_CODE);
		return;
	}
	if (!redirected(p, a))
		rejection_in(p, a);
}

/* The transaction ended without a final response. */
static void transaction_over(struct proxy *p, struct attempt *a, enum failure why)
{
	struct context *c = a->context;

	if (!a->done)
		attempt_failed(p, a, why);
	else
		ended(p, c);
}

void client_event(struct proxy *p, struct attempt *a, enum txn_event event)
{
	uint16_t actions = client_txn_event(p->transactions, &a->txn, event, p->now_ms);
	struct refused *left = NULL;

	if (actions & TXN_DO_SEND_REQUEST) {
		count(p, COUNTER_retransmissions_sent);
		downstream_resend(p, a);
	}
	if (actions & TXN_DO_ACK)
		left = downstream_ack(p, a);
	if (actions & TXN_DO_TO_USER) {
		if (event == TXN_RX_1XX)
			provisional_in(p, a);
		else if (event == TXN_RX_2XX)
			success_in(p, a);
		else
			failure_in(p, a);
	}
	if (event == TXN_RX_2XX && a->txn.state == TXN_ACCEPTED) {
		context_linger(p, a);
		return;
	}
	if (left) {
		attempt_linger(p, a, left);
		return;
	}
	if (actions & TXN_DO_TIMEOUT)
		transaction_over(p, a, FAIL_TRANSACTION_TIMEOUT);
	if (actions & TXN_DO_ERROR)
		transaction_over(p, a, FAIL_TRANSPORT);
	if (a->txn.state == TXN_TERMINATED)
		attempt_release(p, a);
}

/* The first response to the attempt: the endpoint's time, for the strategy that goes by it. */
static void time_response(struct proxy *p, const struct attempt *a)
{
	if (!a->provisional && !a->done && p->in->method == a->txn.method)
		endpoint_responded(p->tables->endpoints, a->endpoint, (uint32_t)(p->now_ms - a->started_ms) * 1000);
}

void response_in(struct proxy *p, const struct flow *from)
{
	enum txn_event event = p->in->status < 200 ? TXN_RX_1XX : p->in->status < 300 ? TXN_RX_2XX : TXN_RX_FINAL;
	struct lingering *lingering;
	struct client_txn *txn;
	struct attempt *a;
	const struct branch *b = &p->look->branch;
	const struct refused *refused;
	int rc = p->look->branch_error;

	count(p, COUNTER_sip_responses);
	if (rc < 0) {
		count(p, rc == -ERR_FORGED ? COUNTER_responses_forged : COUNTER_responses_stray);
		return;
	}
	if (b->kind == BRANCH_STATELESS) {
		stateless_response(p, b);
		return;
	}
	txn = client_txn_at(p->transactions, b->slot, b->generation, &lingering);
	if (lingering) {
		if (event == TXN_RX_2XX && p->in->method == SIP_INVITE)
			upstream_again(p, lingering);
		return;
	}
	if (!txn) {
		refused = client_txn_left(p->transactions, b->slot, b->generation);
		if (refused)
			refused_again(p, refused, event);
		else
			count(p, COUNTER_responses_stale);
		return;
	}
	if (txn->user == CLIENT_TXN_PROBE) {
		probe_response(p, (struct probe *)txn, from, event);
		return;
	}
	if (txn->user == CLIENT_TXN_RELAY) {
		relay_response(p, (struct relay *)txn, event);
		return;
	}
	a = (struct attempt *)txn;
	if (a->context->timed)
		time_response(p, a);
	if (!a->done && p->in->status > 100)
		watch_response(p, a);
	if (p->in->method == SIP_CANCEL && a->cancelled) { /* the CANCEL arrived (§9.1): its own transaction ends */
		if (p->in->status >= 200)
			wheel_cancel(&a->ring);
		return;
	}
	if (p->in->method != a->txn.method || !has_via_below(p->in)) {
		count(p, COUNTER_responses_stray);
		return;
	}
	client_event(p, a, event);
}
