/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that come in: RFC 3261 §16.3 (validation), §16.4, §16.5 (targets), §16.10 (CANCEL), and who may call at all. */
#include <string.h>

#include "base/pool.h"
#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/state.h"
#include "sip/party.h"
#include "sip/uri.h"
#include "sip/writer.h"
#include "tables/access.h"
#include "tables/trunks.h"

static const struct span NO_HEADERS = { 0, 0 };

static void refuse(struct proxy *p, const struct flow *from, enum counter why, uint16_t status, const char *reason,
		   struct span headers)
{
	count(p, why);
	reply_stateless(p, p->in, from, status, reason, headers);
}

static void refuse_stranger(struct proxy *p, const struct flow *from)
{
	count(p, COUNTER_refused_source);
	if (!unheard(p, from))
		reply_stateless(p, p->in, from, 403, NULL, NO_HEADERS);
}

/* The ACK comes by the Record-Route of a call whose INVITE was accepted, and in which no INVITE was relayed with a transaction: none can absorb it
 * (RFC 6026 §7.1). */
static bool acknowledges_2xx(const struct proxy *p)
{
	const struct live_call *call =
		p->in->to_tag.p && token_is_ours(p) ? call_at(p->calls, p->look->token.slot, p->look->token.generation) : NULL;

	return call && call->accepted && !call->relayed && call->call_id == p->call_hash;
}

/* false: it is of no transaction of ours. */
static bool ack_absorbed(struct proxy *p)
{
	enum server_lingering lingering;
	struct server_txn *s = server_txn_find(p->transactions, transaction_key(p), &lingering);
	bool absorbed = lingering == LINGERS_CONFIRMED;

	if (s)
		absorbed = !(server_txn_event(p->transactions, s, TXN_RX_ACK, p->now_ms) & TXN_DO_TO_USER);
	if (!absorbed)
		return false;
	count(p, COUNTER_acks_absorbed);
	if (s && s->state == TXN_CONFIRMED)
		server_linger(p, s);
	return true;
}

/* RFC 3261 §17.1.1.3, RFC 6026: an ACK for a non-2xx ends here; for a 2xx it is a request of its own. */
static void ack_in(struct proxy *p, const struct flow *from)
{
	if (!acknowledges_2xx(p) && ack_absorbed(p))
		return;
	if (!in_dialog(p, from)) /* nobody asked for it, and §16.3 leaves no way to refuse an ACK */
		count(p, COUNTER_refused_token);
}

uint8_t *reason_keep(struct proxy *p, uint32_t *ret_len)
{
	uint32_t n = 0, at = 0;
	uint8_t *kept;

	for (int line = p->in->first[SIP_H_REASON]; line >= 0; line = p->in->headers[line].next)
		n += p->in->headers[line].end - p->in->headers[line].start;
	kept = n && n <= 1024 ? slab_get(p->slab, n) : NULL;
	for (int line = p->in->first[SIP_H_REASON]; kept && line >= 0; line = p->in->headers[line].next) {
		const struct sip_header *h = &p->in->headers[line];

		memcpy(kept + at, p->in->data + h->start, h->end - h->start);
		at += h->end - h->start;
	}
	*ret_len = at;
	return kept;
}

static void context_cancel(struct proxy *p, struct context *c)
{
	if (c->final_sent || c->cancelled)
		return;
	c->cancelled = true;
	wheel_cancel(&c->budget); /* what is still waited for has clocks of its own */
	c->reason = reason_keep(p, &c->reason_len);
	attempts_abandon(p, c, NULL);
	if (!attempts_ending(c))
		upstream_finish(p, c);
}

static void cancel_in(struct proxy *p, const struct flow *from)
{
	enum server_lingering lingering;
	struct server_txn *s = server_txn_find(p->transactions, transaction_key(p), &lingering);

	if (!s && !lingering) {
		if (in_dialog(p, from))
			return;
		if (access_lookup(p->tables->access, &from->remote.ip) == TRUNK_NONE)
			refuse_stranger(p, from);
		else
			refuse(p, from, COUNTER_refused_no_route, 481, NULL, NO_HEADERS);
		return;
	}
	/* Answered without a transaction: a retransmitted CANCEL meets the same INVITE and gets the same answer. */
	reply_stateless(p, p->in, from, 200, NULL, NO_HEADERS);
	if (!s || !s->user)
		return;
	if (s->relayed)
		relay_cancel(p, s->user);
	else
		context_cancel(p, s->user);
}

bool extensions_refused(struct proxy *p, const struct flow *from)
{
	struct sip_list_cursor cursor = { 0 };
	uint8_t header[512];
	struct writer w = { header, sizeof(header), 0, false };
	struct span option;
	bool any = false, named = false;

	if (p->in->first[SIP_H_PROXY_REQUIRE] < 0)
		return false;
	while (sip_list_next(p->in, SIP_H_PROXY_REQUIRE, &cursor, &option)) {
		any = true;
		if (w.n + option.n + sizeof("Unsupported: ") + 2 > sizeof(header))
			continue; /* too long to be named: refused all the same */
		put_str(&w, named ? ", " : "Unsupported: ");
		put(&w, option);
		named = true;
	}
	if (!any)
		return false;
	if (named)
		PUT(&w, "\r\n");
	refuse(p, from, COUNTER_refused_extension, 420, NULL, span_of(w.out, w.n));
	return true;
}

/* RFC 5393 §4.2: one of our own branches with the same loop hash means that the request came back unchanged. */
static bool is_own_branch(struct proxy *p, struct span branch, struct branch *ret_branch)
{
	return branch.n == BRANCH_TEXT && branch_decode(&p->branch_mac, branch, ret_branch) == 0;
}

static bool came_before(struct proxy *p, const struct branch *b)
{
	return b->loop == loop_hash(p, p->in, p->call_hash, from_tag_hash(p));
}

static bool is_loop(struct proxy *p)
{
	int line = p->in->first[SIP_H_VIA];
	struct span rest = p->in->via_rest;
	struct branch b;
	struct via v;

	if (is_own_branch(p, p->in->top_via.branch, &b) && came_before(p, &b))
		return true;
	for (;;) {
		while (rest.n && via_next(&rest, &v) == 1)
			if (is_own_branch(p, v.branch, &b) && came_before(p, &b))
				return true;
		line = p->in->headers[line].next;
		if (line < 0)
			return false;
		rest = sip_value(p->in, line);
	}
}

/* A Route that is not our own would send the request past the routing that the operator decided on. */
static bool foreign_route(const struct proxy *p)
{
	for (int line = p->in->first[SIP_H_ROUTE]; line >= 0; line = p->in->headers[line].next) {
		struct span rest = sip_value(p->in, line);
		struct name_addr element;
		struct sip_uri uri;
		int rc;

		while ((rc = name_addr_next(&rest, &element)) == 1)
			if (!uri_read(element.uri, &uri) || !uri_is_us(p, &uri))
				return true;
		if (rc < 0)
			return true;
	}
	return false;
}

/* An OPTIONS for the proxy itself (no user part, our own address): how peers probe us. */
static bool options_for_us(struct proxy *p)
{
	const struct sip_uri *uri = p->in->method == SIP_OPTIONS ? request_uri(p->in) : NULL;

	return uri && uri->scheme != URI_TEL && !uri->user.p && uri_is_us(p, uri);
}

/* RFC 5393 §5.3.3; more than a call can use is as good as what it can. */
static uint8_t max_breadth(const struct sip_message *m)
{
	uint64_t value;

	if (m->first[SIP_H_MAX_BREADTH] < 0 || !span_to_u64(sip_first(m, SIP_H_MAX_BREADTH), UINT32_MAX, &value))
		return MAX_BREADTH_DEFAULT;
	return (uint8_t)(value < UINT8_MAX ? value : UINT8_MAX);
}

/* The checks in front of everything that costs memory. The trunk that the source belongs to, or TRUNK_NONE: refused and answered. */
static uint32_t admit(struct proxy *p, const struct flow *from)
{
	uint32_t trunk = source_trunk(p, from);

	if (trunk == TRUNK_NONE) {
		refuse_stranger(p, from);
		return TRUNK_NONE;
	}
	if (p->in->to_tag.p) { /* §12.2.2: a dialog that is not ours, or no longer */
		refuse(p, from, COUNTER_refused_token, 481, NULL, NO_HEADERS);
		return TRUNK_NONE;
	}
	if (options_for_us(p)) {
		reply_stateless(p, p->in, from, p->draining ? 503 : 200, NULL,
				p->draining ? SPAN_LIT("Retry-After: 60\r\n") : NO_HEADERS);
		return TRUNK_NONE;
	}
	if (p->in->max_forwards == 0) {
		refuse(p, from, COUNTER_refused_hops, 483, NULL, NO_HEADERS);
		return TRUNK_NONE;
	}
	if (is_loop(p)) {
		refuse(p, from, COUNTER_refused_loop, 482, NULL, NO_HEADERS);
		return TRUNK_NONE;
	}
	if (extensions_refused(p, from))
		return TRUNK_NONE;
	if (max_breadth(p->in) == 0) {
		refuse(p, from, COUNTER_refused_breadth, 440, NULL, NO_HEADERS);
		return TRUNK_NONE;
	}
	if (foreign_route(p)) {
		refuse(p, from, COUNTER_refused_destination, 403, "Route Refused", NO_HEADERS);
		return TRUNK_NONE;
	}
	if (p->draining) {
		refuse(p, from, COUNTER_refused_draining, 503, NULL, SPAN_LIT("Retry-After: 60\r\n"));
		return TRUNK_NONE;
	}
	return trunk;
}

bool behind_nat(const struct sip_message *m, const struct flow *from)
{
	struct span rest = sip_first(m, SIP_H_CONTACT);
	const struct via *top = &m->top_via;
	struct name_addr contact;
	struct sip_uri uri;

	/* Most name it as they name it in their Via. */
	if (top->host_kind != HOST_NAME && ip_eq(&top->ip, &from->remote.ip) && party_is_at(rest, top->host))
		return false;
	if (name_addr_next(&rest, &contact) != 1 || !uri_read(contact.uri, &uri))
		return false;
	return uri.host_kind == HOST_NAME || !ip_eq(&uri.ip, &from->remote.ip);
}

static bool open_call(struct proxy *p, struct context *c, e164 number)
{
	struct live_call *call = call_open(p->calls, c->call_hash, c->from_hash, unix_s(p, p->now_ms), c->caller_trunk_id);

	if (!call)
		return false;
	c->call_slot = call_slot(p->calls, call);
	c->call_generation = call->generation;
	if (behind_nat(p->in, &c->from))
		call_natted(p->calls, call, &c->from.remote);
	if (c->from.connection)
		call_streamed(p->calls, call, c->from.connection, &c->from.remote.ip);
	record_open(p, c, call, party_user(sip_first(p->in, SIP_H_FROM)), request_uri(p->in)->user);
	record_number(call, number);
	return true;
}

static struct context *context_new(struct proxy *p, const struct flow *from, uint32_t trunk, const struct routing *r)
{
	struct context *c = pool_get(p->contexts);
	uint8_t *copy = c ? slab_get(p->slab, p->in->len) : NULL;
	struct server_txn *s;

	if (!copy)
		goto fail_context;
	memset(c, 0, sizeof(*c));
	c->from = *from;
	reply_flow(&p->in->top_via, from, &c->reply_to);
	c->method = p->in->method;
	c->source_trunk = trunk;
	c->caller_trunk_id = trunks_get(p->tables->trunks, trunk)->id;
	c->arrived_ms = p->now_ms;
	c->call_hash = p->call_hash;
	c->from_hash = from_tag_hash(p);
	c->breadth = max_breadth(p->in);
	c->call_slot = CALL_NONE;
	c->first_failed = UINT32_MAX;
	c->budget.kind = TIMER_BUDGET;
	c->profile_slot = r->profile_slot;
	c->profile_id = r->profile->id;
	c->knobs = r->profile->knobs;
	if (c->method == SIP_INVITE && !open_call(p, c, r->number))
		goto fail_copy;
	s = server_txn_new(p->transactions, transaction_key(p), c->method == SIP_INVITE, &c->reply_to);
	if (!s)
		goto fail_call;
	s->user = c;
	s->call_hash = c->call_hash;
	s->settled_by_user = true;
	c->server = s;
	memcpy(copy, p->in->data, p->in->len);
	c->request = copy;
	c->request_len = p->in->len;
	return c;
fail_call:
	if (c->call_slot != CALL_NONE) {
		struct live_call *call = call_at(p->calls, c->call_slot, c->call_generation);

		record_close(p, call);
		call_close(p->calls, call);
	}
fail_copy:
	slab_put(p->slab, copy);
fail_context:
	if (c)
		pool_put(p->contexts, c);
	return NULL;
}

/* See selection_state.hash in select.h. */
static uint64_t selection_hash(const struct proxy *p, const struct routing *r)
{
	if (r->profile->strategy != STRATEGY_ROUND_ROBIN)
		return p->call_hash;
	return p->config.alone ? profiles_ticket_alone(p->tables->profiles, r->profile_slot) : profiles_ticket(p->tables->profiles, r->profile_slot);
}

static void begin(struct proxy *p, struct context *c, const struct routing *r)
{
	selection_start(&c->selection, selection_hash(p, r));
	c->parallel = r->profile->strategy == STRATEGY_SIMULTANEOUS_RING && c->method == SIP_INVITE;
	c->timed = r->profile->strategy == STRATEGY_FASTEST;
	c->selection.exempt = c->method != SIP_INVITE;
	c->selection.tls_only = request_uri(p->in)->scheme == URI_SIPS;
	if (c->method == SIP_INVITE) {
		count(p, COUNTER_calls_started);
		reply_trying(p, c, p->in);
		if (c->knobs.setup_budget_ms)
			wheel_arm(p->wheel, &c->budget, p->now_ms + c->knobs.setup_budget_ms);
	} else {
		wheel_arm(p->wheel, &c->server->lifetime, p->now_ms + txn_wait_ms(&p->config.timers));
		wheel_arm(p->wheel, &c->budget, p->now_ms + p->config.timers.t2); /* see budget_fired */
	}
	attempts_start(p, c, p->in);
}

static void new_request(struct proxy *p, const struct flow *from)
{
	uint32_t trunk = admit(p, from);
	struct routing r;
	struct context *c;

	if (trunk == TRUNK_NONE)
		return;
	route_request(p, trunk, from, &r);
	if (r.status) {
		refuse(p, from, COUNTER_refused_no_route, r.status, r.reason, NO_HEADERS);
		return;
	}
	/* Given-up attempts keep their slots for a while: without one to spare the call could only fail. */
	c = transactions_client_room(p->transactions) ? context_new(p, from, trunk, &r) : NULL;
	if (!c) {
		refuse(p, from, COUNTER_refused_full, 503, NULL, SPAN_LIT("Retry-After: 5\r\n"));
		return;
	}
	begin(p, c, &r);
}

void request_again(struct proxy *p, struct server_txn *s)
{
	count(p, COUNTER_retransmissions_absorbed);
	if (s && server_txn_event(p->transactions, s, TXN_RX_REQUEST, p->now_ms) & TXN_DO_REPLAY && upstream_replay(p, s))
		count(p, COUNTER_responses_replayed);
}

void request_in(struct proxy *p, const struct flow *from)
{
	enum server_lingering lingering;
	struct server_txn *s;

	count(p, COUNTER_sip_requests);
	if (p->in->method == SIP_ACK) {
		ack_in(p, from);
		return;
	}
	if (p->in->method == SIP_CANCEL) {
		cancel_in(p, from);
		return;
	}
	if (in_dialog(p, from))
		return;
	s = server_txn_find(p->transactions, transaction_key(p), &lingering);
	if (!s && !lingering) {
		new_request(p, from);
		return;
	}
	request_again(p, s);
}
