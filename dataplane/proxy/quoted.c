/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of ours that come back: an ICMP error quotes one, or a stream could not deliver it. Found by the branch in what is left of it. */
#include <string.h>

#include "base/err.h"
#include "proxy/probe.h"
#include "proxy/relay.h"
#include "proxy/state.h"
#include "sip/branch.h"

/* The first branch of ours in what an ICMP error quotes: we write our Via right behind the start line, so that it is nearly always there.
 * The text may be cut anywhere behind it. */
static int quoted_branch(const struct cmac *mac, const uint8_t *quoted, uint32_t len, struct branch *ret_branch)
{
	static const char mark[] = ";branch=z9hG4bK";
	const uint8_t *at = memmem(quoted, len, mark, sizeof(mark) - 1);

	if (!at)
		return -ERR_NOT_FOUND;
	at += sizeof(";branch=") - 1;
	if ((uint32_t)(quoted + len - at) < BRANCH_TEXT)
		return -ERR_NOT_FOUND;
	return branch_decode(mac, span_of(at, BRANCH_TEXT), ret_branch);
}

/* The client transaction whose request `message` is, or begins as; NULL: there is none, or it went elsewhere. */
static struct client_txn *client_of_request(struct proxy *p, const uint8_t *message, uint32_t len, const struct ip_port *to)
{
	struct lingering *lingering;
	struct client_txn *txn;
	struct branch b;

	if (quoted_branch(&p->branch_mac, message, len, &b) < 0 || b.kind != BRANCH_TRANSACTION)
		return NULL;
	txn = client_txn_at(p->transactions, b.slot, b.generation, &lingering);
	return txn && ip_port_eq(&txn->to.remote, to) ? txn : NULL;
}

void proxy_icmp_error(struct proxy *p, const uint8_t *quoted, uint32_t len, const struct ip_port *to, uint64_t now_ms)
{
	struct client_txn *txn = client_of_request(p, quoted, len, to);

	p->now_ms = now_ms;
	if (!txn || txn->to.transport != TRANSPORT_UDP)
		return;
	count(p, COUNTER_icmp_errors_matched);
	client_txn_happens(p, txn, TXN_TRANSPORT_ERROR);
}

/* A peer may close an idle connection just when a request is on its way: once, and so soon that nobody waits for it, it is tried on another. */
static bool may_resend(const struct proxy *p, struct client_txn *txn)
{
	uint64_t began_ms = txn->lifetime.due_ms - txn_wait_ms(&p->config.timers);

	if (txn->resent || p->now_ms - began_ms >= p->config.timers.t1)
		return false;
	txn->resent = true;
	if (txn->user == CLIENT_TXN_RELAY)
		return !((struct relay *)txn)->want_cancel; /* its sender has given it up */
	return txn->user != CLIENT_TXN_ATTEMPT || !((struct attempt *)txn)->done;
}

static int resend(struct proxy *p, struct client_txn *txn)
{
	p->call_hash = 0;
	count(p, COUNTER_retransmissions_sent);
	switch (txn->user) {
	case CLIENT_TXN_PROBE: return probe_resend(p, (struct probe *)txn);
	case CLIENT_TXN_RELAY: p->call_hash = ((struct relay *)txn)->call_hash; return relay_resend(p, (struct relay *)txn);
	default: return downstream_resend(p, about_attempt(p, (struct attempt *)txn));
	}
}

/* The client transaction whose request comes back from a stream; NULL: a response, or nobody waits for it. Counts it. */
static struct client_txn *came_back(struct proxy *p, const uint8_t *message, uint32_t len, const struct ip_port *to)
{
	struct client_txn *txn;

	if (len >= 4 && memcmp(message, "SIP/", 4) == 0) {
		count(p, COUNTER_responses_undelivered);
		return NULL;
	}
	txn = client_of_request(p, message, len, to);
	/* Once a provisional has come the peer has the request, and may answer by another connection (RFC 3261 §18.2.2). */
	if (!txn || txn->to.transport == TRANSPORT_UDP || txn->state != TXN_TRYING)
		return NULL;
	count(p, COUNTER_requests_undelivered);
	return txn;
}

void proxy_undelivered(struct proxy *p, const uint8_t *message, uint32_t len, const struct ip_port *to, const char *why, uint64_t now_ms)
{
	struct client_txn *txn;

	p->now_ms = now_ms;
	txn = came_back(p, message, len, to);
	if (!txn)
		return;
	if (txn->user == CLIENT_TXN_ATTEMPT && !((struct attempt *)txn)->done && large_to_udp(p, (struct attempt *)txn) && resend(p, txn) == 0)
		return;
	/* What has a reason of its own, such as a certificate, will have it again. */
	if (!why && may_resend(p, txn) && resend(p, txn) == 0)
		return;
	p->unsecured = why != NULL;
	if (why && txn->user == CLIENT_TXN_PROBE)
		probe_undelivered(p, (struct probe *)txn, why);
	else
		client_txn_happens(p, txn, TXN_TRANSPORT_ERROR);
	p->unsecured = false;
}

void proxy_not_taken(struct proxy *p, const uint8_t *message, uint32_t len, const struct ip_port *to, uint64_t now_ms)
{
	struct client_txn *txn;

	p->now_ms = now_ms;
	txn = came_back(p, message, len, to);
	if (!txn)
		return;
	/* It is as if noted already: neither is the endpoint taken out nor are the others that wait for it sent elsewhere, where they would
	 * come a second time. */
	if (txn->user == CLIENT_TXN_ATTEMPT)
		((struct attempt *)txn)->refused = true;
	client_txn_happens(p, txn, TXN_TRANSPORT_ERROR);
}

unsigned proxy_owner_quoted(const struct cmac *branch_mac, unsigned workers, unsigned self, const uint8_t *quoted, uint32_t len)
{
	struct branch b;

	if (quoted_branch(branch_mac, quoted, len, &b) == 0 && b.kind == BRANCH_TRANSACTION && b.worker < workers)
		return b.worker;
	return self;
}
