/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/watch.h"

#include "base/siphash.h"
#include "tables/endpoints.h"
#include "tables/trouble.h"

/* A host that answers "nobody listens there" is believed for this long, since hosts rate-limit such answers: without it
 * every further call would wait for its response timeout. Short, and no failure beside: the next refusal costs a call no
 * time. */
#define REFUSED_EJECT_MS 2000

static void eject(struct proxy *p, const struct attempt *a, uint64_t ms, enum eject_reason reason, uint16_t status, uint32_t count)
{
	endpoint_eject(p->tables->endpoints, a->endpoint,
		       &(struct ejection){ p->now_ms, p->now_ms + ms, (uint8_t)reason, status, count });
}

/* What was sent before the endpoint was last taken out says nothing of how it is now; nor do its slot's earlier tenants. */
static bool speaks_of_now(const struct proxy *p, const struct attempt *a, const struct endpoint_live *live)
{
	const struct endpoint_config *e = endpoints_get(p->tables->endpoints, a->endpoint);

	return e && e->id == a->endpoint_id && a->started_ms >= atomic_load_explicit(&live->ejected_ms, memory_order_relaxed);
}

/* One more may go: of the endpoints of the enabled targets at most the share is out at once, this one included. */
static bool may_eject(const struct proxy *p, const struct context *c)
{
	const struct profile *profile = profiles_get(p->tables->profiles, c->profile_slot);
	unsigned all = 0, out = 0;

	if (!profile || profile->id != c->profile_id)
		return false;
	for (unsigned t = 0; t < profile->target_count; t++) {
		const struct profile_target *target = &profile->targets[t];

		for (unsigned i = 0; target->enabled && i < target->endpoint_count; i++) {
			all++;
			out += !endpoint_usable(p->tables->endpoints, target->endpoints[i], p->now_ms);
		}
	}
	return (out + 1) * 100 <= all * p->config.ejection.share_percent;
}

static void failed(struct proxy *p, const struct attempt *a, enum failure_kind kind, uint64_t number, uint16_t status)
{
	struct endpoints *e = p->tables->endpoints;
	struct endpoint_live *live = endpoints_live(e, a->endpoint);
	struct trouble *trouble = endpoint_trouble(e, a->endpoint);
	struct verdict v;

	if (!speaks_of_now(p, a, live))
		return;
	atomic_store_explicit(&live->troubled, 1, memory_order_relaxed);
	v = trouble_failed(trouble, &p->config.ejection, kind, number, a->started_ms, p->now_ms);
	if (v.reason == EJECT_NONE || !endpoint_usable(e, a->endpoint, p->now_ms) || !endpoints_decide_begin(e))
		return;
	/* Asked again: another worker may have come first. */
	if (endpoint_usable(e, a->endpoint, p->now_ms)) {
		if (may_eject(p, a->context)) {
			eject(p, a, trouble_ejected(trouble, &p->config.ejection, p->now_ms), v.reason, status, v.count);
			count(p, COUNTER_ejections);
		} else {
			count(p, COUNTER_ejections_refused);
		}
	}
	endpoints_decide_end(e);
}

static void succeeded(struct proxy *p, const struct attempt *a, struct endpoint_live *live)
{
	struct trouble *trouble = endpoint_trouble(p->tables->endpoints, a->endpoint);
	uint64_t back_ms = atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed);

	if (!speaks_of_now(p, a, live) ||
	    trouble_succeeded(trouble, &p->config.ejection, p->in->status >= 200, a->started_ms, back_ms, p->now_ms))
		return;
	atomic_store_explicit(&live->troubled, 0, memory_order_relaxed);
	/* A failure that another worker noted between the two must not be lost. */
	if (atomic_load_explicit(&trouble->hard, memory_order_relaxed) || atomic_load_explicit(&trouble->codes, memory_order_relaxed))
		atomic_store_explicit(&live->troubled, 1, memory_order_relaxed);
}

void watch_begun(struct proxy *p, const struct attempt *a)
{
	if (atomic_load_explicit(&endpoints_live(p->tables->endpoints, a->endpoint)->troubled, memory_order_relaxed))
		trouble_begun(endpoint_trouble(p->tables->endpoints, a->endpoint));
}

/* By hash, what the call dialled; the request is read again for it, which the next attempt would do anyway. */
static uint64_t number_of(struct proxy *p, const struct context *c)
{
	const struct sip_uri *uri = context_view(p, c) ? request_uri(&p->kept) : NULL;

	return uri ? siphash13(&p->config.branch_key, uri->user.p, uri->user.n) : 0;
}

void watch_response(struct proxy *p, const struct attempt *a)
{
	struct endpoint_live *live = endpoints_live(p->tables->endpoints, a->endpoint);
	uint16_t status = p->in->status;

	if ((status == 408 || status / 100 == 5) && code_set_has(&a->context->knobs.retry_codes, status)) {
		if (!a->progressed)
			failed(p, a, FAILURE_CODE, number_of(p, a->context), status);
		return;
	}
	if (atomic_load_explicit(&live->troubled, memory_order_relaxed))
		succeeded(p, a, live);
}

void watch_failed(struct proxy *p, const struct attempt *a, enum failure why)
{
	if (why == FAIL_TRANSPORT) {
		eject(p, a, REFUSED_EJECT_MS, EJECT_REFUSED, 0, 1);
		return;
	}
	/* One that the setup budget cut short had no time to fail. */
	if (a->progressed || (why == FAIL_RESPONSE_TIMEOUT && p->now_ms - a->started_ms < a->context->knobs.response_timeout_ms))
		return;
	failed(p, a, FAILURE_HARD, 0, 0);
}

void watch_pause(struct proxy *p, const struct attempt *a, uint32_t seconds)
{
	eject(p, a, seconds * 1000ULL, EJECT_RETRY_AFTER, 503, seconds);
}
