/* SPDX-License-Identifier: Apache-2.0 */
/* The attempt machine: which endpoint next, how long it may take, and what its failure means for the call. */
#include "base/err.h"
#include "proxy/load.h"
#include "proxy/record.h"
#include "proxy/state.h"
#include "proxy/watch.h"
#include "tables/endpoints.h"
#include "tables/loads.h"
#include "tables/trunks.h"

bool attempts_pending(const struct context *c)
{
	for (const struct attempt *a = c->attempts; a; a = a->next)
		if (!a->done)
			return true;
	return false;
}

bool attempts_ending(const struct context *c)
{
	for (const struct attempt *a = c->attempts; a; a = a->next)
		if (a->cancelled && a->txn.state == TXN_PROCEEDING)
			return true;
	return false;
}

/* ---- unanswered attempts, by endpoint */

static void join_endpoint(struct proxy *p, struct attempt *a)
{
	struct attempt **head = &p->by_endpoint[a->endpoint];

	a->same_next = *head;
	a->same_prev_next = head;
	if (*head)
		(*head)->same_prev_next = &a->same_next;
	*head = a;
}

static void leave_endpoint(struct attempt *a)
{
	if (!a->same_prev_next)
		return;
	*a->same_prev_next = a->same_next;
	if (a->same_next)
		a->same_next->same_prev_next = a->same_prev_next;
	a->same_prev_next = NULL;
}

/* A dead endpoint may have thousands: a few each millisecond, so that the loop goes on. */
#define RELEASES_PER_MS 16

void attempts_release(struct proxy *p, uint32_t endpoint)
{
	uint32_t n = 0;

	for (struct attempt *a = p->by_endpoint[endpoint]; a; a = a->same_next) {
		if (a->refused)
			continue;
		a->refused = true;
		count(p, COUNTER_attempt_released);
		wheel_arm(p->wheel, &a->clock, p->now_ms + 1 + n++ / RELEASES_PER_MS);
	}
}

void attempt_settle(struct proxy *p, struct attempt *a)
{
	if (!a->done)
		load_settled(p, a);
	a->done = true;
	leave_endpoint(a);
	wheel_cancel(&a->clock);
	if (!a->cancelled)
		wheel_cancel(&a->ring);
}

/* ---- beginning */

uint64_t caller_hash(const struct proxy *p, const struct context *c)
{
	return mix64(c->call_hash + mix64(c->from_hash));
}

/* The profile as it is now; NULL when it is gone: then there is no further attempt. */
static const struct profile *current_profile(const struct proxy *p, const struct context *c)
{
	const struct profile *profile = profiles_get(p->tables->profiles, c->profile_slot);

	return profile && profile->id == c->profile_id ? profile : NULL;
}

static struct attempt *attempt_new(struct proxy *p, struct context *c, const struct profile *profile, const struct selection *s)
{
	const struct endpoint_config *e = endpoints_get(p->tables->endpoints, s->endpoint);
	const struct trunk *trunk = e ? trunks_get(p->tables->trunks, e->trunk_slot) : NULL;
	struct flow to;
	struct attempt *a;
	int listener;

	if (!trunk)
		return NULL;
	listener = listener_for(p, &e->addr, e->transport, &c->from.local);
	if (listener < 0)
		return NULL;
	to = (struct flow){ .remote = e->addr, .local = p->listeners[listener].addr, .transport = e->transport, .tls_peer = e->tls_peer };
	a = (struct attempt *)client_txn_new(p->transactions, c->method, &to, p->now_ms);
	if (!a) {
		count(p, COUNTER_out_of_memory);
		return NULL;
	}
	a->txn.settled_by_user = true;
	a->context = c;
	a->next = c->attempts;
	c->attempts = a;
	a->clock.kind = TIMER_ATTEMPT_CLOCK;
	a->ring.kind = TIMER_ATTEMPT_RING;
	a->started_ms = p->now_ms;
	a->endpoint = s->endpoint;
	a->endpoint_id = e->id;
	a->trunk_slot = e->trunk_slot;
	a->trunk_id = trunk->id;
	a->target = s->target;
	a->target_slot = profile->targets[s->target].target_slot;
	a->call_slot = c->call_slot;
	a->ahead_server = c->server;
	a->ahead_bucket = c->server ? server_txn_bucket(p->transactions, c->server) : NULL;
	a->listener = (uint16_t)listener;
	join_endpoint(p, a);
	watch_begun(p, a);
	record_attempt(p, a);
	return a;
}

void attempt_arm_ring(struct proxy *p, struct attempt *a)
{
	const struct context *c = a->context;
	uint64_t due_ms = a->started_ms + (c->knobs.ring_timeout_ms ? c->knobs.ring_timeout_ms : p->config.timer_c_ms);

	if (c->method == SIP_INVITE && !wheel_timer_armed(&a->ring) && (!wheel_timer_armed(&a->clock) || a->clock.due_ms >= due_ms))
		wheel_arm(p->wheel, &a->ring, due_ms);
}

static void arm_clocks(struct proxy *p, const struct context *c, struct attempt *a)
{
	/* A MESSAGE has no second target to hurry to (may_retry): it is sent on until timer F. */
	if (c->knobs.response_timeout_ms && c->method != SIP_MESSAGE)
		wheel_arm(p->wheel, &a->clock, p->now_ms + c->knobs.response_timeout_ms);
	attempt_arm_ring(p, a);
}

/* 0: on its way. -ERR_FULL: the target is at its limit, by now; nothing was begun. Else the endpoint could not even be sent to. */
static int attempt_begin(struct proxy *p, struct context *c, const struct profile *profile, const struct selection *s,
			 uint8_t breadth, const struct sip_message *m)
{
	bool held = profile->targets[s->target].counted && c->method == SIP_INVITE;
	struct attempt *a;
	int n;

	if (held && !load_take(p, c, profile, s->target))
		return -ERR_FULL;
	a = attempt_new(p, c, profile, s);
	c->started++;
	count(p, COUNTER_attempts);
	if (c->started > 1)
		count(p, COUNTER_retries);
	if (c->knobs.retry_budget)
		budget_note(p, c, c->retrying);
	target_add(p->config.targets, profile->targets[s->target].target_slot, TARGET_ATTEMPTS, 1);
	if (!a) {
		if (held)
			load_put(p, profile, s->target);
		target_add(p->config.targets, profile->targets[s->target].target_slot, TARGET_FAILED, 1);
		return -ERR_UNREACHABLE;
	}
	a->breadth = breadth;
	load_rings(p, a, held);
	arm_clocks(p, c, a);
	n = forward_send(p, c, a, m);
	if (n < 0) {
		count(p, COUNTER_attempt_transport_error);
		target_add(p->config.targets, a->target_slot, TARGET_FAILED, 1);
		record_result(p, a, ATTEMPT_RECORD_TRANSPORT, 0);
		attempt_settle(p, a);
		load_left(p, a);
		client_txn_event(p->transactions, &a->txn, TXN_TRANSPORT_ERROR, p->now_ms);
		c->attempts = a->next; /* it was put in front; the context must survive this */
		client_txn_release(p->transactions, &a->txn);
		return -ERR_UNREACHABLE;
	}
	count(p, COUNTER_requests_forwarded);
	return 0;
}

/* A caller that answers a challenge goes to its challenger; a redirect goes where it says. */
static bool choose_named(struct proxy *p, struct context *c, const struct profile *profile, struct selection *ret)
{
	uint32_t challenger = c->started || c->parallel ? ENDPOINT_NONE : challenge_find(p->challenges, caller_hash(p, c), p->now_ms);

	if (challenger != ENDPOINT_NONE &&
	    select_prefer(profile, p->tables->endpoints, p->now_ms, &c->selection, challenger, ret) == 0)
		return true;
	while (c->redirect_count)
		if (select_prefer(profile, p->tables->endpoints, p->now_ms, &c->selection, c->redirects[--c->redirect_count], ret) == 0)
			return true;
	return false;
}

/* Where live traffic has taken out all that is left, a call is better tried at the least bad of those than refused. */
static bool choose_ejected(struct proxy *p, struct context *c, const struct profile *profile, struct selection *ret)
{
	if (!p->config.ejection.last_resort || select_ejected(profile, p->tables->endpoints, p->now_ms, &c->selection, ret))
		return false;
	count(p, COUNTER_last_resort);
	return true;
}

/* The next endpoint. */
static bool choose(struct proxy *p, struct context *c, const struct profile *profile, struct selection *ret)
{
	if (choose_named(p, c, profile, ret))
		return true;
	if (select_next(profile, p->tables->endpoints, p->now_ms, &c->selection, ret) == 0)
		return true;
	return choose_ejected(p, c, profile, ret);
}

static bool start_one(struct proxy *p, struct context *c, const struct profile *profile, const struct sip_message *m)
{
	struct selection s;
	bool begun = false;

	selection_resume(&c->selection);
	while (!begun && c->started < ATTEMPTS_MAX && choose(p, c, profile, &s)) {
		int rc = attempt_begin(p, c, profile, &s, c->breadth, m);

		begun = rc == 0;
		if (rc == -ERR_FULL)
			selection_undo(&c->selection, &s);
		else
			c->retrying = false; /* away from where nothing could be sent to */
	}
	return begun;
}

/* In a simultaneous ring a target rings once: its further endpoints are other ways to the same phones, for when the first cannot even be
 * sent to. */
static bool rings_already(const struct selection *chosen, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (chosen[i].target == chosen[n].target)
			return true;
	return false;
}

static uint8_t breadth_left(const struct context *c)
{
	uint8_t left = c->breadth;

	for (const struct attempt *a = c->attempts; a; a = a->next)
		if (!a->done)
			left = left > a->breadth ? left - a->breadth : 0;
	return left;
}

/* All that Max-Breadth lets ring at once, each with its share of it (RFC 5393 §5.3.3). */
static bool start_all(struct proxy *p, struct context *c, const struct profile *profile, const struct sip_message *m)
{
	struct selection s[ATTEMPTS_MAX];
	unsigned n = 0, targets = 0, begun = 0, breadth = breadth_left(c);
	uint32_t rung = c->selection.targets_tried, ringing = 0; /* bit per target */

	while (n < ATTEMPTS_MAX && targets < breadth && choose(p, c, profile, &s[n])) {
		if (rung >> s[n].target & 1)
			continue; /* another way to phones that have rung */
		targets += !rings_already(s, n);
		n++;
	}
	c->waiting = targets == breadth;
	for (unsigned i = 0; i < n && begun < targets; i++) {
		uint8_t share = (uint8_t)(breadth / targets + (begun < breadth % targets));

		if (ringing >> s[i].target & 1 || attempt_begin(p, c, profile, &s[i], share, m) < 0)
			continue;
		ringing |= 1u << s[i].target;
		begun++;
	}
	return begun || (n && c->waiting && start_all(p, c, profile, m));
}

bool attempts_more(struct proxy *p, struct context *c)
{
	const struct profile *profile;

	if (!c->waiting || !c->server || c->final_sent || c->cancelled || c->exhausted)
		return false;
	profile = current_profile(p, c);
	return profile && context_view(p, c) && start_all(p, c, profile, &p->kept);
}

/* Targets that were not chosen because they are at their limit. */
static void count_passed_over(struct proxy *p, struct context *c, const struct profile *profile)
{
	for (uint32_t left = c->selection.full; left; left &= left - 1) {
		count(p, COUNTER_limit_passed_over);
		loads_passed_over(profile->loads, profile->targets[__builtin_ctz(left)].target_slot);
	}
	c->selection.full = 0;
}

void attempts_start(struct proxy *p, struct context *c, const struct sip_message *m)
{
	const struct profile *profile = current_profile(p, c);
	bool begun = false;

	if (profile && !c->exhausted && !c->cancelled)
		begun = c->parallel ? start_all(p, c, profile, m) : start_one(p, c, profile, m);
	if (c->selection.full)
		count_passed_over(p, c, profile);
	c->retrying = false;
	if (!begun)
		upstream_finish(p, c);
}

/* ---- ending */

void attempt_abandon(struct proxy *p, struct attempt *a)
{
	if (!a->done)
		record_result(p, a, ATTEMPT_RECORD_CANCELLED, 0);
	attempt_settle(p, a);
	if (a->txn.state > TXN_PROCEEDING || a->cancelled)
		return;
	client_txn_event(p->transactions, &a->txn, TXN_ABANDON, p->now_ms);
	if (a->txn.method != SIP_INVITE)
		return;
	a->want_cancel = true;
	if (!a->provisional) {
		load_left(p, a); /* who has said nothing at all is not believed to have the call */
		return;
	}
	a->cancelled = true; /* and its place is taken until the target says that it has let go */
	a->ring.kind = TIMER_ATTEMPT_CANCEL;
	a->cancel_interval_ms = p->config.timers.t1;
	downstream_cancel(p, a);
	/* §9.1: without a final response by then, the INVITE is considered over. */
	wheel_arm(p->wheel, &a->txn.lifetime, p->now_ms + txn_wait_ms(&p->config.timers));
}

void attempts_abandon(struct proxy *p, struct context *c, const struct attempt *except)
{
	for (struct attempt *a = c->attempts; a; a = a->next)
		if (a != except && (!a->done || (a->want_cancel && !a->cancelled)))
			attempt_abandon(p, a);
}

static void count_failure(struct proxy *p, struct attempt *a, enum failure why)
{
	static const enum counter counters[] = {
		[FAIL_RESPONSE_TIMEOUT] = COUNTER_attempt_response_timeout,
		[FAIL_PROGRESS_TIMEOUT] = COUNTER_attempt_progress_timeout,
		[FAIL_RING_TIMEOUT] = COUNTER_attempt_ring_timeout,
		[FAIL_TRANSACTION_TIMEOUT] = COUNTER_transaction_timeouts,
		[FAIL_TRANSPORT] = COUNTER_attempt_transport_error,
		[FAIL_CODE] = COUNTER_attempt_retry_code,
	};
	static const enum record_attempt_result results[] = {
		[FAIL_RESPONSE_TIMEOUT] = ATTEMPT_RECORD_RESPONSE_TIMEOUT,
		[FAIL_PROGRESS_TIMEOUT] = ATTEMPT_RECORD_PROGRESS_TIMEOUT,
		[FAIL_RING_TIMEOUT] = ATTEMPT_RECORD_RING_TIMEOUT,
		[FAIL_TRANSACTION_TIMEOUT] = ATTEMPT_RECORD_TIMEOUT,
		[FAIL_TRANSPORT] = ATTEMPT_RECORD_TRANSPORT,
		[FAIL_CODE] = ATTEMPT_RECORD_CODE,
	};
	bool timeout = why != FAIL_TRANSPORT && why != FAIL_CODE;

	record_result(p, a, why == FAIL_TRANSPORT && p->unsecured ? ATTEMPT_RECORD_TLS : results[why], why == FAIL_CODE ? p->in->status : 0);
	count(p, counters[why]);
	target_add(p->config.targets, a->target_slot, timeout ? TARGET_TIMEOUTS : TARGET_FAILED, 1);
}

/* All that rang have failed, and none has given a real answer: a farther tier may ring. */
static bool may_ring_further(struct proxy *p, struct context *c)
{
	const struct profile *profile = current_profile(p, c);

	if (!profile || (c->best_status && !code_set_has(&c->knobs.retry_codes, c->best_status)))
		return false;
	return select_ring_further(profile, p->tables->endpoints, p->now_ms, &c->selection);
}

/* May the call go on to another endpoint? */
static bool may_retry(struct proxy *p, struct context *c, enum failure why)
{
	if (!c->server || c->final_sent || c->cancelled || c->exhausted)
		return false;
	if (c->parallel && !may_ring_further(p, c))
		return false;
	if (why == FAIL_CODE && c->progress_sent && !c->knobs.retry_after_progress)
		return false; /* the caller has heard ringing or an announcement */
	/* A MESSAGE that timed out may have been read: sending it again would deliver it twice. */
	return !(c->method == SIP_MESSAGE && why != FAIL_CODE && why != FAIL_TRANSPORT);
}

/* A retry away from an endpoint that is known to be dead is never refused. */
static bool within_budget(struct proxy *p, struct context *c, const struct attempt *a, enum failure why)
{
	if (!c->knobs.retry_budget || c->parallel || why == FAIL_TRANSPORT ||
	    !endpoint_usable(p->tables->endpoints, a->endpoint, p->now_ms))
		return true;
	c->retrying = budget_allows(p, c);
	if (!c->retrying)
		count(p, COUNTER_retries_refused);
	return c->retrying;
}

void attempt_failed(struct proxy *p, struct attempt *a, enum failure why)
{
	struct context *c = a->context;

	count_failure(p, a, why);
	if (why == FAIL_TRANSPORT && !a->refused) {
		a->refused = true;
		watch_failed(p, a, why);
		attempts_release(p, a->endpoint); /* who refuses one call has no other ringing */
	}
	if (why == FAIL_RESPONSE_TIMEOUT || why == FAIL_PROGRESS_TIMEOUT || why == FAIL_TRANSACTION_TIMEOUT)
		watch_failed(p, a, why);
	if (why == FAIL_RESPONSE_TIMEOUT && c->timed)
		endpoint_responded(p->tables->endpoints, a->endpoint, (uint32_t)(p->now_ms - a->started_ms) * 1000);
	if (why != FAIL_CODE && why != FAIL_TRANSPORT)
		c->timeouts++;
	if (c->first_failed == UINT32_MAX)
		c->first_failed = a->target_slot;
	attempt_abandon(p, a);
	if (attempts_more(p, c) || attempts_pending(c) || c->final_sent)
		return;
	if (may_retry(p, c, why) && within_budget(p, c, a, why) && context_view(p, c))
		attempts_start(p, c, &p->kept);
	else
		upstream_finish(p, c);
}

/* ---- clocks */

void attempt_clock_fired(struct proxy *p, struct attempt *a)
{
	if (a->refused)
		attempt_failed(p, a, FAIL_TRANSPORT);
	else
		attempt_failed(p, a, a->provisional ? FAIL_PROGRESS_TIMEOUT : FAIL_RESPONSE_TIMEOUT);
}

void attempt_ring_fired(struct proxy *p, struct attempt *a)
{
	attempt_failed(p, a, FAIL_RING_TIMEOUT);
}

void budget_fired(struct proxy *p, struct context *c)
{
	struct attempt *a;

	if (c->method != SIP_INVITE) {
		/* RFC 4320 §4.1: by now the caller's timer E has come to T2; a 100, and nothing before, saves the retransmissions. */
		if (!c->final_sent && context_view(p, c))
			reply_local(p, c, &p->kept, 100, (struct span){ 0, 0 });
		return;
	}
	c->exhausted = true;
	for (a = c->attempts; a && a->done; a = a->next)
		;
	if (!a) {
		upstream_finish(p, c);
		return;
	}
	/* All at once; the last one to fail finishes the call. */
	while (a) {
		struct attempt *next = a->next;

		if (!a->done)
			attempt_failed(p, a, a->provisional ? FAIL_PROGRESS_TIMEOUT : FAIL_RESPONSE_TIMEOUT);
		a = next;
	}
}
