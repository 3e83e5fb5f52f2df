/* SPDX-License-Identifier: Apache-2.0 */
/* Memory as the system sees it: what a run's resident set grows by when only the number of calls grows. */
#include "modes.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUP	  128
#define SETTLE_MS 40000
#define REFUSALS  2 /* the third target answers */

static void put_all(struct traffic *t, const uint32_t *slots, enum step step)
{
	for (uint32_t i = 0; i < GROUP; i++)
		traffic_put(t, slots[i], step);
	traffic_go(t, 0, false);
}

static void invite(struct traffic *t, uint32_t *slots, uint64_t advance_ns)
{
	for (uint32_t i = 0; i < GROUP; i++)
		traffic_put(t, slots[i] = traffic_fresh(t), STEP_INVITE);
	traffic_go(t, advance_ns, false);
}

static void answer(struct traffic *t, const uint32_t *slots)
{
	put_all(t, slots, STEP_ANSWER);
	put_all(t, slots, STEP_ACK);
	for (uint32_t i = 0; i < GROUP; i++)
		traffic_back(t, slots[i]);
}

/* Calls up to `until`, so slowly that no more transactions linger at any time than did before. */
static void grow_calls(struct traffic *t, uint32_t per_second, uint32_t until)
{
	uint32_t slots[GROUP];

	while (t->live_count + GROUP <= until) {
		invite(t, slots, GROUP * 1000000000ull / per_second);
		for (unsigned i = 0; i < REFUSALS; i++)
			put_all(t, slots, STEP_REFUSE);
		answer(t, slots);
	}
}

double mode_memory_call(struct traffic *t, const struct mode_options *o)
{
	uint32_t first = o->calls / 10, per_second = first / 40;
	uint64_t before;
	uint32_t count;

	peers_long_call_ids(true);
	traffic_reserve(8 * GROUP);
	grow_calls(t, per_second, first);
	before = resident_bytes();
	count = t->live_count;
	grow_calls(t, per_second, o->calls);
	return (double)(resident_bytes() - before) / (t->live_count - count);
}

double mode_memory_connection(struct traffic *t, const struct mode_options *o)
{
	uint32_t first = o->connections / 10, more = o->connections - first;
	uint64_t before;

	traffic_connect(t, first);
	before = resident_bytes();
	traffic_connect(t, more);
	return (double)(resident_bytes() - before) / more;
}

static uint64_t grow_progress(struct traffic *t, uint32_t *slots, uint32_t count)
{
	for (uint32_t done = 0; done < count; done += GROUP) {
		invite(t, slots + done, 0);
		put_all(t, slots + done, STEP_TRYING);
		put_all(t, slots + done, STEP_RINGING);
	}
	return resident_bytes();
}

static void end_calls(struct traffic *t, uint32_t count)
{
	uint32_t slots[GROUP];

	for (uint32_t done = 0; done < count; done += GROUP) {
		for (uint32_t i = 0; i < GROUP; i++)
			traffic_put(t, slots[i] = traffic_pick(t), STEP_BYE);
		traffic_go(t, 0, false);
		put_all(t, slots, STEP_OK);
		for (uint32_t i = 0; i < GROUP; i++)
			traffic_over(t, slots[i]);
	}
}

static void rival_all(struct traffic *t, const uint32_t *slots)
{
	for (uint32_t i = 0; i < GROUP; i++)
		traffic_rival(t, slots[i]);
}

/* All ring at both targets, the second answers, since it is its Record-Route that is kept; the first says that it has stopped. */
static void fork_out(struct traffic *t, const uint32_t *slots)
{
	rival_all(t, slots);
	put_all(t, slots, STEP_RINGING);
	rival_all(t, slots);
	put_all(t, slots, STEP_RINGING);
	put_all(t, slots, STEP_ANSWER);
	rival_all(t, slots);
	put_all(t, slots, STEP_LOST);
	rival_all(t, slots);
	put_all(t, slots, STEP_ACK);
	for (uint32_t i = 0; i < GROUP; i++)
		traffic_back(t, slots[i]);
}

static void refuse(struct traffic *t, const uint32_t *slots)
{
	put_all(t, slots, STEP_BUSY);
	put_all(t, slots, STEP_BUSY_ACK);
	for (uint32_t i = 0; i < GROUP; i++)
		traffic_over(t, slots[i]);
}

/* Calls that end at once, so that nothing but their transactions stays. */
static uint64_t grow_lingering(struct traffic *t, enum ending ending, uint32_t count)
{
	uint32_t slots[GROUP];

	for (uint32_t done = 0; done < count; done += GROUP) {
		invite(t, slots, 1000000); /* all within a few seconds: none has gone when the last comes */
		if (ending == ENDING_REFUSED) {
			refuse(t, slots);
			continue;
		}
		if (ending == ENDING_FORKED)
			fork_out(t, slots);
		else
			answer(t, slots);
		end_calls(t, GROUP);
	}
	return resident_bytes();
}

/* Those of which the growth is measured, and those before, with which all that is there once has been touched. */
static uint32_t many_of(const struct mode_options *o)
{
	return (o->calls / GROUP + 1) * GROUP;
}

static uint32_t few_of(const struct mode_options *o)
{
	return (o->calls / 10 / GROUP + 1) * GROUP;
}

double mode_memory_lingering(struct traffic *t, const struct mode_options *o)
{
	uint64_t before;

	traffic_reserve(8 * GROUP);
	before = grow_lingering(t, o->ending, few_of(o));
	return (double)(grow_lingering(t, o->ending, many_of(o)) - before) / many_of(o);
}

double mode_memory_progress(struct traffic *t, const struct mode_options *o)
{
	uint32_t few = few_of(o), many = many_of(o);
	uint32_t *slots = calloc(few + many, sizeof(*slots));
	uint64_t before, after;

	if (!slots)
		return 0;
	traffic_reserve(few + many + 8 * GROUP);
	traffic_wait(t, SETTLE_MS, 10, false);
	/* What lingered has gone, and its memory waits for others: more INVITEs than it has room for, before the growth is measured. */
	before = grow_progress(t, slots, few);
	after = grow_progress(t, slots + few, many);
	free(slots);
	return (double)(after - before) / many;
}
