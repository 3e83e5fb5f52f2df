/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/load.h"

#include <stdlib.h>

#include "tables/loads.h"

_Static_assert(TARGET_CELLS == LOADS_SLOTS, "a cell and a load per target slot");

/* So many are looked at in one go: some 10 us, when memory is cold. */
#define SWEEP_MS	16
#define SWEEP_REST_MS	30000 /* between the end of one sweep and the next */
#define CALLS_AT_ONCE	1024
#define CLIENTS_AT_ONCE 2048
#define CELLS_AT_ONCE	2048
#define BATCH		64
#define LEAVING_MAX	256 /* calls that end in one turn; those beyond give their places back at once */

enum phase { PHASE_CLEAR, PHASE_CALLS, PHASE_CLIENTS, PHASE_CORRECT };

/* What the sweep has found of one target so far. */
struct tally {
	uint32_t live, ringing, held;
};

/* What lies before these places is in the tallies, and what changes there changes them too; what lies behind will be found when the sweep gets
 * there. So the tallies are exact in the end, though calls went on all the time. */
struct sweep {
	struct wheel_timer timer;
	enum phase phase;
	uint32_t calls_seen, clients_seen;
	uint32_t cell;	/* in PHASE_CLEAR and PHASE_CORRECT */
	uint32_t cells; /* target slots from here on have never been used */
	bool armed;
	bool again; /* when this one has ended */
	/* Places whose BYE has not left yet: another worker's INVITE must not overtake it. None by the time that the sweep looks. */
	uint32_t leaving[LEAVING_MAX];
	unsigned leaving_count;
	bool adopt; /* some target's calls are counted in the loads */
	struct tally *tally; /* by target slot */
};

struct sweep *sweep_new(struct proxy *p)
{
	struct sweep *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->timer.kind = TIMER_SWEEP;
	s->tally = calloc(TARGET_CELLS, sizeof(s->tally[0]));
	if (!s->tally) {
		free(s);
		return NULL;
	}
	return s;
}

void sweep_free(struct sweep *s)
{
	if (!s)
		return;
	free(s->tally);
	free(s);
}

/* ---- as it changes */

static void arm(struct proxy *p, uint64_t ms)
{
	p->sweep->armed = true;
	wheel_arm(p->wheel, &p->sweep->timer, p->now_ms + ms);
}

bool load_take(struct proxy *p, const struct context *c, const struct profile *profile, unsigned target)
{
	const struct profile_target *t = &profile->targets[target];
	bool exempt = c->selection.exempt;

	return loads_take(profile->loads, t->target_slot, p->config.worker, exempt ? 0 : t->max_calls, exempt ? 0 : t->max_cps, p->now_ms);
}

void load_put(struct proxy *p, const struct profile *profile, unsigned target)
{
	loads_release(profile->loads, profile->targets[target].target_slot, p->config.worker);
}

static bool seen(const struct sweep *s, const struct attempt *a)
{
	return a->txn.slot < s->clients_seen;
}

void load_rings(struct proxy *p, struct attempt *a, bool held)
{
	struct sweep *s = p->sweep;

	a->held = held;
	target_add(p->config.targets, a->target_slot, TARGET_RINGING, 1);
	if (a->target_slot >= s->cells && a->target_slot < TARGET_CELLS)
		s->cells = a->target_slot + 1;
	if (!s->armed)
		arm(p, SWEEP_REST_MS);
	if (seen(s, a) && a->target_slot < TARGET_CELLS) {
		s->tally[a->target_slot].ringing++;
		s->tally[a->target_slot].held += held;
	}
}

void load_settled(struct proxy *p, struct attempt *a)
{
	target_add(p->config.targets, a->target_slot, TARGET_RINGING, -1);
	if (seen(p->sweep, a) && a->target_slot < TARGET_CELLS)
		p->sweep->tally[a->target_slot].ringing--;
}

/* The place, wherever it goes. */
static void let_go(struct proxy *p, struct attempt *a)
{
	a->held = false;
	if (seen(p->sweep, a))
		p->sweep->tally[a->target_slot].held--;
}

void load_left(struct proxy *p, struct attempt *a)
{
	if (!a->held)
		return;
	let_go(p, a);
	loads_release(p->tables->loads, a->target_slot, p->config.worker);
}

void load_answered(struct proxy *p, struct attempt *a, struct live_call *call)
{
	struct sweep *s = p->sweep;

	call->target_slot = a->target_slot;
	call->held = a->held;
	target_add(p->config.targets, a->target_slot, TARGET_LIVE, 1);
	if (call_slot(p->calls, call) < s->calls_seen && a->target_slot < TARGET_CELLS) {
		s->tally[a->target_slot].live++;
		s->tally[a->target_slot].held += a->held;
	}
	if (a->held)
		let_go(p, a);
}

void load_ended(struct proxy *p, struct live_call *call)
{
	struct sweep *s = p->sweep;

	target_add(p->config.targets, call->target_slot, TARGET_LIVE, -1);
	if (call_slot(p->calls, call) < s->calls_seen && call->target_slot < TARGET_CELLS) {
		s->tally[call->target_slot].live--;
		s->tally[call->target_slot].held -= call->held;
	}
	if (call->held && s->leaving_count < LEAVING_MAX)
		s->leaving[s->leaving_count++] = call->target_slot;
	else if (call->held)
		loads_release(p->tables->loads, call->target_slot, p->config.worker);
	call->held = false;
}

void load_flush(struct proxy *p)
{
	struct sweep *s = p->sweep;

	while (s->leaving_count)
		loads_release(p->tables->loads, s->leaving[--s->leaving_count], p->config.worker);
}

/* ---- anew */

/* A call from before its target had a limit. */
static bool adopted(struct proxy *p, uint32_t slot)
{
	if (!loads_watched(p->tables->loads, slot))
		return false;
	loads_adopt(p->tables->loads, slot, p->config.worker);
	return true;
}

/* Each of these does a part; true: there was no more. */
static bool tally_calls(struct proxy *p)
{
	struct sweep *s = p->sweep;
	uint32_t end = s->calls_seen + CALLS_AT_ONCE;
	struct live_call *calls[BATCH];
	unsigned n;

	do {
		n = calls_answered(p->calls, &s->calls_seen, end, calls, BATCH);
		for (unsigned i = 0; i < n; i++) {
			struct live_call *call = calls[i];
			struct tally *t;

			if (call->target_slot >= TARGET_CELLS)
				continue;
			t = &s->tally[call->target_slot];
			if (s->adopt && !call->held)
				call->held = adopted(p, call->target_slot);
			t->live++;
			t->held += call->held;
		}
	} while (n == BATCH);
	return s->calls_seen < end;
}

static bool tally_clients(struct proxy *p)
{
	struct sweep *s = p->sweep;
	uint32_t end = s->clients_seen + CLIENTS_AT_ONCE;
	struct client_txn *clients[BATCH];
	unsigned n;

	do {
		n = client_txns(p->transactions, &s->clients_seen, end, clients, BATCH);
		for (unsigned i = 0; i < n; i++) {
			struct attempt *a = (struct attempt *)clients[i];

			if (a->txn.user != CLIENT_TXN_ATTEMPT || a->target_slot >= TARGET_CELLS)
				continue;
			if (s->adopt && !a->held && !a->done && a->txn.method == SIP_INVITE)
				a->held = adopted(p, a->target_slot);
			s->tally[a->target_slot].ringing += !a->done;
			s->tally[a->target_slot].held += a->held;
		}
	} while (n == BATCH);
	return s->clients_seen < end;
}

static bool cell_correct(struct target_cell *cell, enum target_count which, uint32_t is)
{
	if (atomic_load_explicit(&cell->count[which], memory_order_relaxed) == is)
		return false;
	atomic_store_explicit(&cell->count[which], is, memory_order_relaxed);
	return true;
}

static bool correct_cells(struct proxy *p)
{
	struct sweep *s = p->sweep;
	uint32_t end = s->cell + CELLS_AT_ONCE < s->cells ? s->cell + CELLS_AT_ONCE : s->cells;

	for (; s->cell < end; s->cell++) {
		const struct tally *t = &s->tally[s->cell];
		bool wrong = cell_correct(&p->config.targets[s->cell], TARGET_LIVE, t->live);

		wrong |= cell_correct(&p->config.targets[s->cell], TARGET_RINGING, t->ringing);
		wrong |= loads_correct(p->tables->loads, s->cell, p->config.worker, t->held);
		if (wrong)
			count(p, COUNTER_loads_corrected);
	}
	return s->cell == s->cells;
}

static bool clear_tallies(struct proxy *p)
{
	struct sweep *s = p->sweep;
	uint32_t end = s->cell + CELLS_AT_ONCE < s->cells ? s->cell + CELLS_AT_ONCE : s->cells;

	for (; s->cell < end; s->cell++)
		s->tally[s->cell] = (struct tally){ 0 };
	return s->cell == s->cells;
}

void sweep_fired(struct proxy *p)
{
	struct sweep *s = p->sweep;
	bool more;
	static bool (*const parts[])(struct proxy *) = {
		[PHASE_CLEAR] = clear_tallies,
		[PHASE_CALLS] = tally_calls,
		[PHASE_CLIENTS] = tally_clients,
		[PHASE_CORRECT] = correct_cells,
	};

	if (!parts[s->phase](p)) {
		arm(p, SWEEP_MS);
		return;
	}
	if (s->phase == PHASE_CALLS)
		s->calls_seen = UINT32_MAX; /* all there are, and will be */
	if (s->phase == PHASE_CLIENTS)
		s->clients_seen = UINT32_MAX;
	s->cell = 0;
	if (s->phase == PHASE_CLEAR)
		s->adopt = loads_any_watched(p->tables->loads);
	if (s->phase != PHASE_CORRECT) {
		s->phase++;
		arm(p, SWEEP_MS);
		return;
	}
	s->phase = PHASE_CLEAR;
	s->calls_seen = s->clients_seen = 0;
	s->armed = false;
	/* With nobody there nothing changes: the next call begins the next sweep. */
	more = calls_live(p->calls) || transactions_clients(p->transactions);
	if (s->again || more)
		arm(p, s->again ? SWEEP_MS : SWEEP_REST_MS);
	s->again = false;
}

void proxy_recount(struct proxy *p)
{
	if (p->sweep->armed && (p->sweep->phase != PHASE_CLEAR || p->sweep->cell))
		p->sweep->again = true;
	else
		arm(p, 1);
}
