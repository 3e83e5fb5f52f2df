/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/expiry.h"
#include "base/pool.h"
#include "transaction/transactions.h"

/* Internal to transaction/: where a worker's transactions are kept. */

enum slot_state { SLOT_FREE, SLOT_CLIENT, SLOT_LINGERS, SLOT_COMPLETED };

/* What the slot in a branch leads to. Outlives its objects, so that the next has another generation. */
struct client_slot {
	union {
		struct client_txn *client;
		struct lingering *lingering;
		void *left;    /* client_txn_linger's */
		uint32_t next; /* free slot */
	};
	uint16_t generation;
	uint8_t state; /* enum slot_state */
};

#define SLOT_END UINT32_MAX

/* What lingers, by how it came to: each lasts equally long, so that the first to begin is the first to end. */
enum end_queue {
	ENDS_ACCEPTED,	/* timers L and M: indices of lingering */
	ENDS_CONFIRMED, /* timer I: of confirmed */
	ENDS_COMPLETED, /* timer D: slots */
	END_QUEUES
};

struct transactions {
	struct txn_timers timers;
	struct hash_key key[2];
	struct wheel *wheel;
	struct slab *slab;
	struct pool *servers, *clients, *lingering, *confirmed; /* confirmed: struct txn_link */
	struct expiry *ends[END_QUEUES];
	uint64_t next_end_ms; /* of all of them; UINT64_MAX: none */
	uint32_t completed; /* how many clients linger so */
	uint32_t client_bytes;
	uint32_t max_server, server_count; /* lingering ones among them */
	uint32_t mask;
	struct txn_link **buckets;
	uint32_t max_slots, fresh_slots, free_slots; /* slots from fresh on were never used; head of the list of those that were */
	struct client_slot *slots;
};

/* The pointer that leads to the link. */
static inline struct txn_link **link_to(struct transactions *t, const struct txn_link *l)
{
	struct txn_link **at = &t->buckets[l->key.a & t->mask];

	while (*at != l)
		at = &(*at)->chain;
	return at;
}

static inline void slot_free(struct transactions *t, uint32_t slot)
{
	struct client_slot *x = &t->slots[slot];

	x->generation++;
	x->state = SLOT_FREE;
	x->next = t->free_slots;
	t->free_slots = slot;
}

/* But for its slot. */
static inline void client_free(struct transactions *t, struct client_txn *c)
{
	wheel_cancel(&c->retransmit);
	wheel_cancel(&c->lifetime);
	pool_put(t->clients, c);
}

/* But for its link. */
static inline void server_free(struct transactions *t, struct server_txn *s)
{
	wheel_cancel(&s->retransmit);
	wheel_cancel(&s->lifetime);
	pool_put(t->servers, s);
}
