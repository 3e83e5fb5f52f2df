/* SPDX-License-Identifier: Apache-2.0 */
#include "modes.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>

#define SETTLE_MS    40000 /* longer than every timer of a transaction but timer C: 64*T1 is 32 s, T4 5 s */

/* Slots that a later batch goes on with. */
struct list {
	uint32_t slot[8192];
	uint32_t count;
};

static void add(struct list *l, uint32_t slot)
{
	if (l->count == sizeof(l->slot) / sizeof(l->slot[0])) {
		fprintf(stderr, "bench: a list is too short\n");
		exit(1);
	}
	l->slot[l->count++] = slot;
}

static void put_all(struct traffic *t, const struct list *l, enum step step)
{
	for (uint32_t i = 0; i < l->count; i++)
		traffic_put(t, l->slot[i], step);
}

/* meter NULL: the batch was only to warm up. */
static void note(struct traffic *t, struct meter *meter, uint64_t cycles, uint32_t units)
{
	if (!meter)
		return;
	meter_add(meter, traffic_ns(cycles) / units);
	t->units += units;
}

static uint64_t warm_calls(const struct mode_options *o)
{
	return o->warm ? o->warm : o->rate * 33ull;
}

/* ---- in dialog */

/* Shares of what a call that is up sends, in thousandths: a call in five is ended, and another takes its place. */
static enum step next_request(struct traffic *t)
{
	uint64_t r = traffic_random(t) % 1000;

	return r < 200 ? STEP_BYE : r < 500 ? STEP_INFO : r < 750 ? STEP_UPDATE : STEP_REINVITE;
}

struct dialogs {
	struct list requested[STEPS]; /* by what was asked: to be answered in the next batch */
	struct list fresh, again;     /* to be acknowledged in the next batch */
};

/* New calls in place of those that ended: set up aside, but for the ACK, which is in-dialog. */
static void replace(struct traffic *t, struct dialogs *d, uint32_t count, uint64_t advance_ns)
{
	d->fresh.count = 0;
	for (uint32_t i = 0; i < count; i++) {
		add(&d->fresh, traffic_fresh(t));
		traffic_put(t, d->fresh.slot[i], STEP_INVITE);
	}
	traffic_go(t, advance_ns, false);
	put_all(t, &d->fresh, STEP_ANSWER);
	traffic_go(t, 0, false);
}

static void in_dialog_batch(struct traffic *t, struct dialogs *d, uint32_t batch, uint64_t advance_ns, struct meter *meter)
{
	static const enum step kinds[] = { STEP_BYE, STEP_INFO, STEP_UPDATE, STEP_REINVITE };
	static struct dialogs next;
	uint32_t ended = d->requested[STEP_BYE].count;
	uint64_t cycles;

	next.again.count = 0;
	for (unsigned k = 0; k < 4; k++) {
		next.requested[kinds[k]].count = 0;
		put_all(t, &d->requested[kinds[k]], STEP_OK);
	}
	put_all(t, &d->fresh, STEP_ACK);
	put_all(t, &d->again, STEP_REACK);
	while (t->batch < batch) {
		enum step step = next_request(t);
		uint32_t slot = traffic_pick(t);

		traffic_put(t, slot, step);
		add(&next.requested[step], slot);
	}
	batch = t->batch;
	cycles = traffic_go(t, 0, meter != NULL);
	note(t, meter, cycles, batch);
	for (uint32_t i = 0; i < ended; i++)
		traffic_over(t, d->requested[STEP_BYE].slot[i]);
	for (unsigned k = 1; k < 4; k++)
		for (uint32_t i = 0; i < d->requested[kinds[k]].count; i++) {
			uint32_t slot = d->requested[kinds[k]].slot[i];

			if (kinds[k] == STEP_REINVITE)
				add(&next.again, slot);
			else
				traffic_back(t, slot);
		}
	for (uint32_t i = 0; i < d->fresh.count; i++)
		traffic_back(t, d->fresh.slot[i]);
	for (uint32_t i = 0; i < d->again.count; i++)
		traffic_back(t, d->again.slot[i]);
	for (unsigned k = 0; k < 4; k++)
		d->requested[kinds[k]] = next.requested[kinds[k]];
	d->again = next.again;
	replace(t, d, ended, advance_ns);
}

void mode_in_dialog(struct traffic *t, const struct mode_options *o, struct meter *meter)
{
	static struct dialogs d;
	uint64_t advance_ns = o->batch * 1000000000ull / 10 / o->rate;

	traffic_populate(t, o->calls, o->rate);
	traffic_wait(t, SETTLE_MS, 1, false);
	for (unsigned i = 0; i < 20; i++)
		in_dialog_batch(t, &d, o->batch, advance_ns, NULL);
	traffic_reset(t);
	while (t->in < o->messages)
		in_dialog_batch(t, &d, o->batch, advance_ns, meter);
}

/* ---- INVITE and 200 */

static void end_calls(struct traffic *t, uint32_t count)
{
	static struct list ending;

	ending.count = 0;
	for (uint32_t i = 0; i < count; i++) {
		add(&ending, traffic_pick(t));
		traffic_put(t, ending.slot[i], STEP_BYE);
	}
	traffic_go(t, 0, false);
	put_all(t, &ending, STEP_OK);
	traffic_go(t, 0, false);
	for (uint32_t i = 0; i < count; i++)
		traffic_over(t, ending.slot[i]);
}

/* Half a batch of new INVITEs, and the answers to those of the batch before. The ACK of each, and a BYE for another call, pass untimed. */
static void stateful_batch(struct traffic *t, struct list *invited, uint32_t half, uint64_t advance_ns, struct meter *meter)
{
	static struct list fresh;
	struct list *answered = invited;
	uint64_t cycles;

	fresh.count = 0;
	for (uint32_t i = 0; i < half; i++) {
		add(&fresh, traffic_fresh(t));
		traffic_put(t, fresh.slot[i], STEP_INVITE);
	}
	put_all(t, answered, STEP_ANSWER);
	cycles = traffic_go(t, advance_ns, meter != NULL);
	note(t, meter, cycles, 2 * half);
	put_all(t, answered, STEP_ACK);
	traffic_go(t, 0, false);
	for (uint32_t i = 0; i < answered->count; i++)
		traffic_back(t, answered->slot[i]);
	end_calls(t, answered->count);
	*invited = fresh;
}

void mode_stateful(struct traffic *t, const struct mode_options *o, struct meter *meter)
{
	static struct list invited;
	uint32_t half = o->batch / 2;
	uint64_t advance_ns = half * 1000000000ull / o->rate, timed = 0, warm = warm_calls(o);

	traffic_populate(t, o->calls, o->rate);
	for (uint64_t i = 0; i < warm; i += half)
		stateful_batch(t, &invited, half, advance_ns, NULL);
	traffic_reset(t);
	for (; timed < o->messages; timed += 2 * half)
		stateful_batch(t, &invited, half, advance_ns, meter);
	put_all(t, &invited, STEP_ANSWER);
	traffic_go(t, 0, false);
	for (uint32_t i = 0; i < invited.count; i++)
		traffic_back(t, invited.slot[i]);
}

/* ---- whole calls */

/* Seven batches that hang together: what was INVITE in one is 100 in the next. */
struct calls_under_way {
	struct list at[STEPS];
};

static void call_batch(struct traffic *t, struct calls_under_way *u, uint32_t count, uint64_t advance_ns, struct meter *meter)
{
	struct list *at = u->at;
	uint64_t cycles;

	put_all(t, &at[STEP_BYE], STEP_OK);
	put_all(t, &at[STEP_ANSWER], STEP_ACK);
	put_all(t, &at[STEP_RINGING], STEP_ANSWER);
	put_all(t, &at[STEP_TRYING], STEP_RINGING);
	put_all(t, &at[STEP_INVITE], STEP_TRYING);
	at[STEP_OK] = at[STEP_BYE];
	at[STEP_ACK] = at[STEP_ANSWER];
	at[STEP_ANSWER] = at[STEP_RINGING];
	at[STEP_RINGING] = at[STEP_TRYING];
	at[STEP_TRYING] = at[STEP_INVITE];
	at[STEP_INVITE].count = at[STEP_BYE].count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = traffic_fresh(t);

		add(&at[STEP_INVITE], slot);
		traffic_put(t, slot, STEP_INVITE);
		slot = traffic_pick(t);
		add(&at[STEP_BYE], slot);
		traffic_put(t, slot, STEP_BYE);
	}
	cycles = traffic_go(t, advance_ns, meter != NULL);
	note(t, meter, cycles, count);
	for (uint32_t i = 0; i < at[STEP_ACK].count; i++)
		traffic_back(t, at[STEP_ACK].slot[i]);
	for (uint32_t i = 0; i < at[STEP_OK].count; i++)
		traffic_over(t, at[STEP_OK].slot[i]);
}

void mode_call(struct traffic *t, const struct mode_options *o, struct meter *meter)
{
	static struct calls_under_way u;
	uint32_t count = o->batch / 7;
	uint64_t advance_ns = count * 1000000000ull / o->rate, warm = warm_calls(o);

	traffic_populate(t, o->calls, o->rate);
	for (uint64_t i = 0; i < warm; i += count)
		call_batch(t, &u, count, advance_ns, NULL);
	traffic_reset(t);
	while (t->in < o->messages)
		call_batch(t, &u, count, advance_ns, meter);
}

/* ---- connections */

void mode_connections(struct traffic *t, const struct mode_options *o, struct meter *meter)
{
	uint32_t count = o->batch / 2;

	for (uint64_t done = 0; done < o->messages; done += count) {
		uint64_t cycles = traffic_open_and_close(t, count);

		if (done) /* the first were to warm up */
			note(t, meter, cycles, count);
	}
}
