/* SPDX-License-Identifier: Apache-2.0 */
#include "shutdown.h"

#include <event2/event.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "api/control.h"
#include "config.h"
#include "dataplane.h"
#include "log.h"
#include "model/model.h"
#include "model/publish.h"
#include "routing.h"

#define POLL_MS	 50
#define QUIET_MS 1000 /* after the last BYE: its 200, and a retransmission where that is lost */

struct shutdown {
	struct event_base *base;
	struct control *control;
	struct event *poll;
	uint64_t by_ms, quiet_since_ms;
};

/* Calls that are up, and attempts that nobody has answered yet. Lingering transactions only absorb retransmissions, for up to 32 s: they
 * are not waited for. */
static uint64_t live_calls(const struct control *c)
{
	uint64_t calls = 0;

	for (unsigned w = 0; w < c->config->dataplane.workers; w++) {
		struct worker_gauges g;

		dataplane_gauges(c->dataplane, w, &g);
		calls += g.live_calls;
	}
	return calls;
}

static uint64_t ringing_attempts(const struct control *c)
{
	const struct model *m = c->routing->model;
	uint64_t ringing = 0;

	for (uint32_t i = 0; i < m->profile_count; i++) {
		const struct model_profile *p = &m->profiles[i];

		for (unsigned k = 0; k < p->target_count; k++) {
			struct target_stats s;

			dataplane_target_stats(c->dataplane, publish_target_slot(c->routing->publisher, p->id, p->targets[k].trunk_id), &s);
			ringing += s.ringing;
		}
	}
	return ringing;
}

static void on_poll(evutil_socket_t fd, short what, void *ctx)
{
	struct shutdown *s = ctx;
	uint64_t calls = live_calls(s->control), ringing = ringing_attempts(s->control), now = dataplane_now_ms();

	if (calls || ringing)
		s->quiet_since_ms = now;
	if (now < s->by_ms && now < s->quiet_since_ms + QUIET_MS)
		return;
	if (calls || ringing)
		log_line(LOG_LEVEL_WARNING, "stopping with %llu live calls and %llu ringing: drain_timeout_s is over",
			 (unsigned long long)calls, (unsigned long long)ringing);
	event_base_loopbreak(s->base);
}

struct shutdown *shutdown_new(struct event_base *base, struct control *control)
{
	struct shutdown *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->control = control;
	s->poll = event_new(base, -1, EV_PERSIST, on_poll, s);
	if (s->poll)
		return s;
	free(s);
	return NULL;
}

void shutdown_free(struct shutdown *s)
{
	if (!s)
		return;
	event_free(s->poll);
	free(s);
}

void shutdown_go(struct shutdown *s)
{
	const struct timeval poll = { 0, POLL_MS * 1000 };
	struct control *c = s->control;

	if (c->stopping) {
		log_line(LOG_LEVEL_NOTICE, "second signal: stopping at once");
		event_base_loopbreak(s->base);
		return;
	}
	s->quiet_since_ms = dataplane_now_ms();
	s->by_ms = s->quiet_since_ms + c->config->drain_timeout_s * 1000ull;
	if (!c->draining)
		c->drain_since_s = (uint64_t)time(NULL);
	c->draining = c->stopping = true;
	c->drain_deadline_s = (uint64_t)time(NULL) + c->config->drain_timeout_s;
	dataplane_drain(c->dataplane, true);
	sd_notify(0, "STOPPING=1");
	log_line(LOG_LEVEL_NOTICE, "draining: %llu live calls may finish for %u s (a second signal stops at once)", (unsigned long long)live_calls(c),
		 c->config->drain_timeout_s);
	event_add(s->poll, &poll);
}
