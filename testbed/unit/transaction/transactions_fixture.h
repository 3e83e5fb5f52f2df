/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Transactions with short timers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transaction/transactions.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define START 1000003 /* no round time */

static const struct txn_timers timers = { 500, 4000, 5000 };

static const struct flow udp = { .transport = TRANSPORT_UDP }, tcp = { .transport = TRANSPORT_TCP };

/* slab: for what refused ones leave; NULL: for none. */
static inline struct transactions *make_with(struct wheel *w, struct slab *slab, uint32_t servers, uint32_t clients)
{
	struct transactions_config c = {
		.max_server = servers,
		.max_client = clients,
		.client_bytes = sizeof(struct client_txn) + 40,
		.timers = timers,
		.key = { 17, 4711 },
		.wheel = w,
		.slab = slab,
	};
	struct transactions *t = transactions_new(&c);

	assert_non_null(t);
	return t;
}

static inline struct transactions *make(struct wheel *w, uint32_t servers, uint32_t clients)
{
	return make_with(w, NULL, servers, clients);
}

static inline struct client_txn *client_at(struct transactions *t, enum sip_method method, const struct flow *to)
{
	struct client_txn *c = client_txn_new(t, method, to, START);

	assert_non_null(c);
	return c;
}
