/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/watch.h"

#include "tables/endpoints.h"

/* Slots are used again: what is noted of another endpoint does not count. */
static struct endpoint_watch *watch_of(struct proxy *p, const struct attempt *a)
{
	struct endpoint_watch *w = &p->watch[a->endpoint];

	if (w->id != a->endpoint_id)
		*w = (struct endpoint_watch){ .id = a->endpoint_id };
	return w;
}

void watch_heard(struct proxy *p, const struct attempt *a)
{
	struct endpoint_watch *w = watch_of(p, a);

	w->silent = 0;
	w->ejections = 0;
}

/* One more may go: of the endpoints of the enabled targets at most the share is out at once, this one included. */
static bool may_eject(const struct proxy *p, const struct context *c)
{
	const struct profile *profile = profiles_get(p->tables->profiles, c->profile_slot);
	unsigned all = 0, out = 0;

	if (!profile || profile->id != c->profile_id)
		return false;
	for (unsigned t = 0; t < profile->target_count; t++) {
		const struct profile_target *target = &profile->targets[t];

		for (unsigned i = 0; target->enabled && i < target->endpoint_count; i++) {
			all++;
			out += !endpoint_usable(p->tables->endpoints, target->endpoints[i], p->now_ms);
		}
	}
	return (out + 1) * 100 <= all * p->config.ejection.share_percent;
}

void watch_silent(struct proxy *p, const struct attempt *a)
{
	const struct ejection_config *e = &p->config.ejection;
	struct endpoint_watch *w = watch_of(p, a);
	uint64_t ms = e->first_ms;

	if (w->silent < UINT8_MAX)
		w->silent++;
	if (!e->after || w->silent < e->after || !endpoint_usable(p->tables->endpoints, a->endpoint, p->now_ms))
		return;
	if (!may_eject(p, a->context)) {
		count(p, COUNTER_ejections_refused);
		return;
	}
	for (unsigned i = 0; i < w->ejections && ms < e->max_ms; i++)
		ms *= 2;
	if (w->ejections < UINT8_MAX)
		w->ejections++;
	w->silent = (uint8_t)(e->after - 1); /* the next silence after its return is enough */
	endpoint_eject(p->tables->endpoints, a->endpoint, p->now_ms + (ms < e->max_ms ? ms : e->max_ms));
	count(p, COUNTER_ejections);
}
