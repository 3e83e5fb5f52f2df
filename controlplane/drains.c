/* SPDX-License-Identifier: Apache-2.0 */
#include "drains.h"

#include <stdio.h>

#include "api/control.h"
#include "model/publish.h"
#include "routing.h"
#include "wall_clock.h"

/* Calls outlive the process by their tokens, but not its count of them. */
static bool is_older(const struct control *c, uint64_t since_s)
{
	uint64_t up_ms = dataplane_now_ms() - c->started_ms, start_ms = wall_ms() - up_ms;

	/* Both clocks are cut to milliseconds: what was within the same second as the start counts as after it. */
	return since_s < (start_ms - 2) / 1000 && up_ms / 1000 < dataplane_configuration(c->dataplane)->limits.call_age_s;
}

static struct drain_progress progress(const struct control *c, uint64_t since_s, uint64_t deadline_s, uint64_t live, uint64_t ringing)
{
	bool over = deadline_s && wall_ms() / 1000 >= deadline_s, older = is_older(c, since_s);

	return (struct drain_progress){ since_s, deadline_s, live, ringing, older, over || (live + ringing == 0 && !older) };
}

static struct target_stats stats_of(const struct control *c, const struct model_profile *p, const struct model_target *t)
{
	struct target_stats s;

	dataplane_target_stats(c->dataplane, publish_target_slot(c->routing->publisher, p->id, t->trunk_id), &s);
	return s;
}

struct drain_progress drain_of_target(const struct control *c, const struct model_profile *p, const struct model_target *t)
{
	struct target_stats s = stats_of(c, p, t);

	return progress(c, t->drain.since_s, t->drain.deadline_s, s.live, s.ringing);
}

struct drain_progress drain_of_node(const struct control *c)
{
	const struct model *m = c->routing->model;
	uint64_t live = 0, ringing = 0;

	for (unsigned w = 0; w < dataplane_configuration(c->dataplane)->workers; w++) {
		struct worker_gauges g;

		dataplane_gauges(c->dataplane, w, &g);
		live += g.live_calls;
	}
	for (uint32_t i = 0; i < m->profile_count; i++)
		for (unsigned k = 0; k < m->profiles[i].target_count; k++)
			ringing += stats_of(c, &m->profiles[i], &m->profiles[i].targets[k]).ringing;
	return progress(c, c->drain_since_s, c->drain_deadline_s, live, ringing);
}

void drain_text(const struct drain_progress *p, char out[DRAIN_TEXT_MAX])
{
	unsigned long long calls = p->live + p->ringing;

	if (!calls && p->older && !p->safe)
		snprintf(out, DRAIN_TEXT_MAX, "none is left of the calls since the start; older ones are not counted");
	else if (!calls)
		snprintf(out, DRAIN_TEXT_MAX, "no calls are left");
	else
		snprintf(out, DRAIN_TEXT_MAX, "%s%s%llu call%s left", p->safe ? "the deadline has passed, " : "", p->older ? "at least " : "", calls,
			 calls == 1 ? " is" : "s are");
}
