/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/directory.h"
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
	ENDS_ACCEPTED,	/* timers L and M: indices of lingering, with home and slot */
	ENDS_CONFIRMED, /* timer I: of confirmed, with home */
	ENDS_COMPLETED, /* timer D: slots */
	END_QUEUES
};

/* What else an entry of those says. */
enum { WITH_HOME, WITH_SLOT };

#define KEYED_POOLS	3  /* one for each of enum server_lingering */
#define LINGERING_BYTES 64 /* and none on two lines */

/* Local addresses that lingering ones have had: they are listeners', of which there are few. Of more than these nothing lingers apart. */
#define LOCALS_MAX 128

struct transactions {
	struct txn_timers timers;
	struct hash_key key[2];
	struct wheel *wheel;
	struct slab *slab;
	struct pool *keyed[KEYED_POOLS]; /* by enum server_lingering: what begins with a struct txn_key */
	struct pool *clients;
	struct expiry *ends[END_QUEUES];
	uint64_t next_end_ms; /* of all of them; UINT64_MAX: none */
	uint32_t completed; /* how many clients linger so */
	uint32_t client_bytes;
	uint32_t max_server, server_count; /* lingering ones among them */
	struct directory directory; /* of `keyed`: reference_to */
	struct ip_port locals[LOCALS_MAX];
	uint32_t local_count, local_last; /* the one that was looked for last */
	uint32_t max_slots, fresh_slots, free_slots; /* slots from fresh on were never used; head of the list of those that were */
	struct client_slot *slots;
};

/* Of the thing at that index of keyed[how], in the directory. */
static inline uint32_t reference_to(enum server_lingering how, uint32_t index)
{
	return index << 2 | (how + 1U);
}

static inline enum server_lingering reference_how(uint32_t reference)
{
	return (enum server_lingering)((reference & 3) - 1);
}

static inline struct txn_key *reference_at(const struct transactions *t, uint32_t reference)
{
	return pool_at(t->keyed[reference_how(reference)], reference >> 2);
}

static inline uint32_t server_home(const struct transactions *t, const struct server_txn *s)
{
	return directory_home(&t->directory, s->key.a);
}

static inline uint32_t server_reference(const struct transactions *t, const struct server_txn *s)
{
	return reference_to(LINGERS_NOT, pool_index(t->keyed[LINGERS_NOT], s));
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

/* But for its place in the directory. */
static inline void server_free(struct transactions *t, struct server_txn *s)
{
	wheel_cancel(&s->retransmit);
	wheel_cancel(&s->lifetime);
	pool_put(t->keyed[LINGERS_NOT], s);
}
