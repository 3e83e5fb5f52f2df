/* SPDX-License-Identifier: Apache-2.0 */
/* A request that a datagram should not carry, since its fragments do not get far, goes by a stream instead: RFC 3261 §18.1.1. */
#include "proxy/state.h"
#include "tables/endpoints.h"
#include "tables/trunks.h"

/* Where the trunk takes TCP at the address of `to`: the endpoint with the same port, else the first that is there. */
static bool offered(const struct proxy *p, const struct trunk *trunk, const struct ip_port *to, struct ip_port *ret)
{
	bool found = false;

	for (unsigned i = 0; i < trunk->endpoint_count; i++) {
		const struct endpoint_config *e = endpoints_get(p->tables->endpoints, trunk->endpoints[i]);

		if (!e || e->transport != TRANSPORT_TCP || !ip_eq(&e->addr.ip, &to->ip) ||
		    !endpoint_usable(p->tables->endpoints, trunk->endpoints[i], p->now_ms))
			continue;
		if (!found || e->addr.port == to->port)
			*ret = e->addr;
		found = true;
	}
	return found;
}

bool large_to_tcp(struct proxy *p, struct attempt *a)
{
	const struct trunk *trunk;
	struct flow to = { .transport = TRANSPORT_TCP };
	int listener;

	if (a->large != LARGE_UNKNOWN || a->txn.to.transport != TRANSPORT_UDP)
		return false;
	a->large = LARGE_NO;
	trunk = p->streams ? trunks_get(p->tables->trunks, a->trunk_slot) : NULL;
	if (!trunk || trunk->id != a->trunk_id || trunk->large_requests == TRUNK_LARGE_UDP)
		return false;
	to.remote = a->txn.to.remote;
	if (!offered(p, trunk, &a->txn.to.remote, &to.remote) && trunk->large_requests != TRUNK_LARGE_TCP)
		return false;
	listener = listener_for(p, &to.remote, TRANSPORT_TCP, &a->context->from.local);
	if (listener < 0)
		return false;
	count(p, COUNTER_large_by_tcp);
	to.local = p->listeners[listener].addr;
	a->listener = (uint16_t)listener;
	a->large = LARGE_BY_TCP;
	client_txn_redirect(p->transactions, &a->txn, &to, p->now_ms);
	return true;
}

bool large_to_udp(struct proxy *p, struct attempt *a)
{
	const struct endpoint_config *e;
	struct flow to = { .transport = TRANSPORT_UDP };
	int listener;

	if (a->large != LARGE_BY_TCP)
		return false;
	a->large = LARGE_NO;
	e = endpoints_get(p->tables->endpoints, a->endpoint);
	if (!e || e->id != a->endpoint_id)
		return false;
	to.remote = e->addr;
	listener = listener_for(p, &to.remote, TRANSPORT_UDP, &a->context->from.local);
	if (listener < 0)
		return false;
	count(p, COUNTER_large_by_udp);
	to.local = p->listeners[listener].addr;
	a->listener = (uint16_t)listener;
	client_txn_redirect(p->transactions, &a->txn, &to, p->now_ms);
	return true;
}
