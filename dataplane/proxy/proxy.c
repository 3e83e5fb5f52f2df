/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pages.h"
#include "base/pool.h"
#include "proxy/load.h"
#include "proxy/probe.h"
#include "proxy/record.h"
#include "proxy/relay.h"
#include "proxy/state.h"
#include "base/err.h"
#include "sip/quick.h"
#include "tables/access.h"
#include "tables/endpoints.h"

#define CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static void listener_texts(struct listener *l)
{
	static const char *const names[] = { "UDP", "TCP", "TLS" };
	static const char *const params[] = { ";lr", ";transport=tcp;lr", ";transport=tls;lr" };

	l->host_len = ip_port_format(&l->addr, l->host);
	l->route_params = params[l->transport];
	l->route_params_len = (uint32_t)strlen(l->route_params);
	l->route_tail_len = (uint32_t)snprintf(l->route_tail, sizeof(l->route_tail), "@%s%s>", l->host, l->route_params);
	l->via_len = (uint32_t)snprintf(l->via, sizeof(l->via), "SIP/2.0/%s %s", names[l->transport], l->host);
}

/* What is hashed once must serve for the tokens. (Unused where assertions are off.) */
__attribute__((unused)) static bool is_dialog_key(const struct proxy_config *config)
{
	struct hash_key key = token_dialog_key(&config->token_keys, config->token_keys.signing);

	return key.k0 == config->call_key.k0 && key.k1 == config->call_key.k1;
}

struct proxy *proxy_new(const struct proxy_config *config, uint64_t now_ms)
{
	struct proxy *p = pages_new(sizeof(*p));
	struct hash_key txn_key = { config->branch_key.k1, ~config->branch_key.k0 };
	struct transactions_config tc = {
		.max_server = config->max_transactions,
		.max_client = config->max_transactions * 2,
		.max_in_progress = config->max_in_progress,
		.client_bytes = sizeof(struct attempt),
		.timers = config->timers,
		.key = txn_key,
	};

	if (!p)
		return NULL;
	assert(is_dialog_key(config));
	p->config = *config;
	token_signer_init(&p->signer, &config->token_keys);
	branch_key(&p->branch_mac, &config->branch_key);
	p->admission = (uint8_t)config->admission;
	p->tables = config->tables;
	p->counters = config->counters;
	p->now_ms = now_ms;
	p->in = &p->views[0];
	p->look = &p->looks[0];
	p->listener_count = config->listener_count;
	for (unsigned i = 0; i < p->listener_count; i++) {
		p->listeners[i].addr = config->listeners[i].addr;
		p->listeners[i].transport = config->listeners[i].transport;
		listener_texts(&p->listeners[i]);
		p->streams |= p->listeners[i].transport != TRANSPORT_UDP;
		p->tls |= p->listeners[i].transport == TRANSPORT_TLS;
	}
	if (config->server_name && config->server_name[0])
		p->server_line_len = (uint32_t)snprintf(p->server_line, sizeof(p->server_line), "Server: %.64s\r\n", config->server_name);
	p->wheel = wheel_new(now_ms);
	tc.wheel = p->wheel;
	p->slab = slab_new((uint64_t)config->message_mb << 20);
	tc.slab = p->slab;
	p->contexts = pool_new(config->max_in_progress ? config->max_in_progress : config->max_transactions, sizeof(struct context));
	if (p->wheel && p->slab && p->contexts) {
		p->transactions = transactions_new(&tc);
		p->calls = calls_new(config->max_calls, config->max_call_age_ms, p->wheel, TIMER_CALL_AGE,
				     &(struct token){ .node = config->node, .boot = config->boot, .worker = config->worker });
	}
	p->challenges = challenges_new();
	p->by_endpoint = calloc(endpoints_max(p->tables->endpoints), sizeof(p->by_endpoint[0]));
	p->sweep = sweep_new(p);
	p->retries = calloc(profiles_max(p->tables->profiles), sizeof(p->retries[0]));
	p->unposted_end = &p->unposted;
	if (!p->transactions || !p->calls || !p->challenges || !p->by_endpoint || !p->sweep || !p->retries) {
		proxy_free(p);
		return NULL;
	}
	return p;
}

void proxy_touch(struct proxy *p)
{
	transactions_touch(p->transactions);
	calls_touch(p->calls);
	pool_touch(p->contexts);
	slab_touch(p->slab);
}

void proxy_free(struct proxy *p)
{
	if (!p)
		return;
	calls_free(p->calls);
	challenges_free(p->challenges);
	free(p->by_endpoint);
	sweep_free(p->sweep);
	free(p->retries);
	transactions_free(p->transactions);
	pool_free(p->contexts);
	slab_free(p->slab);
	wheel_free(p->wheel);
	pages_free(p, sizeof(*p));
}

int listener_for(const struct proxy *p, const struct ip_port *to, uint8_t transport, const struct ip_port *preferred)
{
	int found = -1;

	for (unsigned i = 0; i < p->listener_count; i++) {
		const struct listener *l = &p->listeners[i];

		if (l->transport != transport || l->addr.ip.family != to->ip.family)
			continue;
		if (preferred && ip_port_eq(&l->addr, preferred))
			return (int)i;
		if (found < 0)
			found = (int)i;
	}
	return found;
}

int listener_at(const struct proxy *p, const struct ip_port *addr, uint8_t transport)
{
	for (unsigned i = 0; i < p->listener_count; i++)
		if (p->listeners[i].transport == transport && ip_port_eq(&p->listeners[i].addr, addr))
			return (int)i;
	return -1;
}

uint32_t source_trunk(struct proxy *p, const struct flow *from)
{
	struct look *l = p->look;

	if (!l->sourced) {
		l->sourced = true;
		l->trunk = access_lookup(p->tables->access, &from->remote.ip);
	}
	return l->trunk;
}

uint64_t from_tag_hash(struct proxy *p)
{
	struct look *l = p->look;

	if (!l->from_hashed) {
		l->from_hashed = true;
		l->from_hash = tag_hash(&p->config.call_key, p->in->from_tag);
	}
	return l->from_hash;
}

void reply_flow(const struct via *top, const struct flow *from, struct flow *ret_reply_to)
{
	uint16_t said = top->port ? top->port : from->transport == TRANSPORT_TLS ? 5061 : 5060;
	bool symmetric = from->transport == TRANSPORT_UDP && top->rport;

	*ret_reply_to = *from;
	ret_reply_to->remote.port = symmetric ? from->remote.port : said;
}

bool context_view(struct proxy *p, const struct context *c)
{
	return sip_parse(c->request, c->request_len, &p->kept) == SIP_OK;
}

static void server_lifetime(struct proxy *p, struct server_txn *s)
{
	server_txn_event(p->transactions, s, TXN_TIMER_LIFETIME, p->now_ms);
	if (s->state == TXN_TERMINATED)
		server_over(p, s);
}

static void cancel_fired(struct proxy *p, struct attempt *a)
{
	uint32_t next = a->cancel_interval_ms * 2;

	a->cancel_interval_ms = next < p->config.timers.t2 ? next : p->config.timers.t2;
	count(p, COUNTER_retransmissions_sent);
	downstream_cancel(p, a);
}

static void calls_aged(struct proxy *p)
{
	const struct live_call *ahead;
	struct live_call *call;

	while ((call = calls_expired(p->calls, p->now_ms, &ahead))) {
		if (ahead)
			record_prefetch(ahead->record);
		load_ended(p, call);
		count(p, COUNTER_calls_expired);
		record_end(p, call, RECORD_EXPIRED);
		record_close(p, call);
		call_close(p->calls, call);
	}
}

struct attempt *about_attempt(struct proxy *p, struct attempt *a)
{
	p->call_hash = a->context->call_hash;
	return a;
}

void client_txn_happens(struct proxy *p, struct client_txn *txn, enum txn_event event)
{
	p->call_hash = 0;
	if (txn->user == CLIENT_TXN_PROBE)
		probe_event(p, (struct probe *)txn, event);
	else if (txn->user == CLIENT_TXN_RELAY)
		relay_event(p, (struct relay *)txn, event);
	else
		client_event(p, about_attempt(p, (struct attempt *)txn), event);
}

static void fire(void *ctx, struct wheel_timer *t)
{
	struct proxy *p = ctx;

	switch (t->kind) {
	case TXN_TIMER_KIND_SERVER_RETRANSMIT: {
		struct server_txn *s = CONTAINER(t, struct server_txn, retransmit);

		p->call_hash = s->call_hash;
		if (server_txn_event(p->transactions, s, TXN_TIMER_RETRANSMIT, p->now_ms) & TXN_DO_REPLAY) {
			count(p, COUNTER_retransmissions_sent);
			upstream_replay(p, s);
		}
		break;
	}
	case TXN_TIMER_KIND_SERVER_LIFETIME:
		server_lifetime(p, CONTAINER(t, struct server_txn, lifetime));
		break;
	case TXN_TIMER_KIND_CLIENT_RETRANSMIT:
		client_txn_happens(p, CONTAINER(t, struct client_txn, retransmit), TXN_TIMER_RETRANSMIT);
		break;
	case TXN_TIMER_KIND_CLIENT_LIFETIME:
		client_txn_happens(p, CONTAINER(t, struct client_txn, lifetime), TXN_TIMER_LIFETIME);
		break;
	case TIMER_ATTEMPT_CLOCK:
		attempt_clock_fired(p, about_attempt(p, CONTAINER(t, struct attempt, clock)));
		break;
	case TIMER_ATTEMPT_RING:
		attempt_ring_fired(p, about_attempt(p, CONTAINER(t, struct attempt, ring)));
		break;
	case TIMER_ATTEMPT_CANCEL:
		cancel_fired(p, about_attempt(p, CONTAINER(t, struct attempt, ring)));
		break;
	case TIMER_BUDGET:
		p->call_hash = CONTAINER(t, struct context, budget)->call_hash;
		budget_fired(p, CONTAINER(t, struct context, budget));
		break;
	case TIMER_CALL_AGE:
		calls_aged(p);
		break;
	case TIMER_SWEEP:
		sweep_fired(p);
		break;
	case TIMER_RELAY:
		relay_clock_fired(p, CONTAINER(t, struct relay, clock));
		break;
	case TIMER_PROBE:
		p->call_hash = 0;
		probe_timeout(p, CONTAINER(t, struct probe, timeout));
		break;
	}
}

uint32_t proxy_advance(struct proxy *p, uint64_t now_ms)
{
	uint32_t fired;

	p->now_ms = now_ms;
	if (p->unposted)
		record_flush(p);
	load_flush(p);
	fired = wheel_advance(p->wheel, now_ms, fire, p) + transactions_end(p->transactions, now_ms);
	if (p->config.trace)
		trace_flush(p->config.trace, now_ms);
	return fired;
}

uint64_t proxy_next_due(const struct proxy *p)
{
	uint64_t timer = wheel_next_due(p->wheel), end = transactions_next_end(p->transactions);

	return timer < end ? timer : end;
}

/* Too early for it: as if it had been lost, so that its sender brings it again. */
static bool held(const struct proxy *p)
{
	return p->admission == ADMIT_NOTHING || !p->in->to_tag.p;
}

/* Acts on p->in. */
static void act(struct proxy *p, const struct flow *from)
{
	switch (p->look->verdict) {
	case SIP_OK:
		if (trace_keeps(p->config.trace, p->call_hash))
			trace_put(p->config.trace, TRACE_IN, p->now_ms, p->call_hash, from, p->in->data, p->in->len);
		if (!p->in->is_request)
			response_in(p, from);
		else if (p->admission != ADMIT_ALL && held(p))
			count(p, COUNTER_requests_held);
		else
			request_in(p, from);
		break;
	case SIP_KEEPALIVE:
		count(p, COUNTER_sip_keepalives);
		break;
	case SIP_NOT_SIP:
		count(p, COUNTER_sip_not_sip);
		break;
	case SIP_BAD:
		/* Strangers get no more than what is due to them: nothing, or what an INVITE would get. */
		if (p->in->is_request && sip_answerable(p->in) && p->in->method != SIP_ACK && !unheard(p, from)) {
			count(p, COUNTER_sip_bad_answered);
			reply_stateless(p, p->in, from, sip_fault_status(p->in->fault), sip_fault_reason(p->in->fault),
					(struct span){ 0, 0 });
		} else {
			count(p, COUNTER_sip_bad_dropped);
		}
		break;
	}
}

void proxy_datagrams(struct proxy *p, const struct datagram *datagrams, unsigned n, uint64_t now_ms)
{
	p->now_ms = now_ms;
	while (n) {
		unsigned batch = n < PROXY_VIEWS ? n : PROXY_VIEWS;

		read_ahead(p, datagrams, batch);
		for (unsigned i = 0; i < batch; i++) {
			p->in = &p->views[i];
			p->look = &p->looks[i];
			p->call_hash = p->look->call_hash;
			act(p, &datagrams[i].from);
		}
		datagrams += batch;
		n -= batch;
	}
}

void proxy_datagram(struct proxy *p, const uint8_t *data, uint32_t len, const struct flow *from, uint64_t now_ms)
{
	struct datagram d = { data, len, *from };

	proxy_datagrams(p, &d, 1, now_ms);
}

void proxy_release_endpoint(struct proxy *p, uint32_t endpoint)
{
	if (endpoint < endpoints_max(p->tables->endpoints))
		attempts_release(p, endpoint);
}

unsigned proxy_calls(struct proxy *p, uint32_t *cursor, unsigned max,
		     void (*fn)(void *ctx, const struct call_record *record, bool answered), void *ctx)
{
	struct live_call *call;
	unsigned n = 0;

	while (n < max && (call = calls_next(p->calls, cursor))) {
		const struct call_record *record = call->record ? record_view(p, call) : NULL;

		if (!record || record->kind == RECORD_FAILED) /* over: its transactions linger */
			continue;
		fn(ctx, record, call->answered);
		n++;
	}
	return n;
}

void proxy_admit(struct proxy *p, enum admission what)
{
	p->admission = (uint8_t)what;
}

void proxy_drain(struct proxy *p, bool drain)
{
	p->draining = drain;
}

void proxy_gauges(const struct proxy *p, struct proxy_gauges *ret)
{
	ret->server_transactions = transactions_servers(p->transactions);
	ret->client_transactions = transactions_clients(p->transactions);
	ret->live_calls = calls_live(p->calls);
	ret->records_waiting = p->unposted_count;
	ret->message_bytes = slab_bytes_in_use(p->slab);
}

unsigned proxy_owner(const struct hash_key *call_key, const struct cmac *branch_mac, unsigned workers, unsigned self,
		     const uint8_t *data, uint32_t len)
{
	struct quick look;
	struct branch b;

	if (workers == 1)
		return 0;
	quick_look(data, len, &look);
	if (look.kind == QUICK_RESPONSE && look.top_branch.p && branch_decode(branch_mac, look.top_branch, &b) == 0 &&
	    b.kind == BRANCH_TRANSACTION && b.worker < workers)
		return b.worker;
	if (look.kind == QUICK_NONE || !look.call_id.p)
		return self;
	return proxy_call_owner(call_id_hash(call_key, look.call_id), workers);
}
