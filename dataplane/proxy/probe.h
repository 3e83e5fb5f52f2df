/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "proxy/proxy.h"
#include "tables/probe.h"
#include "transaction/transactions.h"

/* Internal to proxy/: a request of the control plane's own on its way. See proxy_probe. */

struct probe {
	struct client_txn txn; /* first: transactions.c allocates us. txn.user is CLIENT_TXN_PROBE */
	struct wheel_timer timeout;
	uint64_t id, started;
	uint8_t *message; /* with our Via, in a slab buffer */
	uint32_t len;
};

/* A response whose branch is its own (p->in), from there: it counts where CSeq's method and the sender are right, else it is stray. May release it.
 * worker-only */
void probe_response(struct proxy *p, struct probe *b, const struct flow *from, enum txn_event event);
/* The request again, as it was. 0 (also where there was no buffer for a datagram), or a negative enum err. */
int probe_resend(struct proxy *p, const struct probe *b);
/* An event of its transaction; may release it. worker-only */
void probe_event(struct proxy *p, struct probe *b, enum txn_event event);
/* It could not be delivered, for that reason: releases it. worker-only */
void probe_undelivered(struct proxy *p, struct probe *b, const char *why);
/* Its time is up: releases it. worker-only */
void probe_timeout(struct proxy *p, struct probe *b);
