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
#define HANG_UP_POLL_MS 5
#define HANG_UP_MS 500 /* for the last bytes, and for peers to say that they are done too */
#define QUIET_MS 1000 /* after the last BYE: its 200, and a retransmission where that is lost */

struct shutdown {
	struct event_base *base;
	struct control *control;
	struct event *poll;
	uint64_t by_ms, quiet_since_ms;
	bool hanging_up;
};

/* What is left of all workers. Lingering transactions only absorb retransmissions, for up to 32 s: they are not waited for. */
struct remains {
	uint64_t calls; /* that are up */
	uint32_t connections;
};

static struct remains remains_of(const struct control *c)
{
	struct remains r = { 0 };

	for (unsigned w = 0; w < c->config->dataplane.workers; w++) {
		struct worker_gauges g;

		dataplane_gauges(c->dataplane, w, &g);
		r.calls += g.live_calls;
		r.connections += g.connections;
	}
	return r;
}

/* Attempts that nobody has answered yet. */
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

static void poll_every(struct shutdown *s, unsigned ms)
{
	const struct timeval every = { 0, ms * 1000 };

	event_add(s->poll, &every);
}

/* Nobody is left with half a connection: the last step. */
static void hang_up(struct shutdown *s)
{
	if (!remains_of(s->control).connections) {
		event_base_loopbreak(s->base);
		return;
	}
	s->hanging_up = true;
	s->by_ms = dataplane_now_ms() + HANG_UP_MS;
	dataplane_hang_up(s->control->dataplane);
	poll_every(s, HANG_UP_POLL_MS);
}

static void poll_hang_up(struct shutdown *s)
{
	uint32_t left = remains_of(s->control).connections;

	if (left && dataplane_now_ms() < s->by_ms)
		return;
	if (left)
		log_line(LOG_LEVEL_NOTICE, "%u connections were not closed by their peers within %u ms", left, HANG_UP_MS);
	event_base_loopbreak(s->base);
}

static void on_poll(evutil_socket_t fd, short what, void *ctx)
{
	struct shutdown *s = ctx;
	uint64_t calls, ringing, now = dataplane_now_ms();

	if (s->hanging_up) {
		poll_hang_up(s);
		return;
	}
	calls = remains_of(s->control).calls;
	ringing = ringing_attempts(s->control);
	if (calls || ringing)
		s->quiet_since_ms = now;
	if (now < s->by_ms && now < s->quiet_since_ms + QUIET_MS)
		return;
	if (calls || ringing)
		log_line(LOG_LEVEL_WARNING, "stopping with %llu live calls and %llu ringing: drain_timeout_s is over",
			 (unsigned long long)calls, (unsigned long long)ringing);
	hang_up(s);
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
	struct control *c = s->control;

	if (s->hanging_up)
		return;
	if (c->stopping) {
		log_line(LOG_LEVEL_NOTICE, "second signal: stopping at once");
		hang_up(s);
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
	log_line(LOG_LEVEL_NOTICE, "draining: %llu live calls may finish for %u s (a second signal stops at once)", (unsigned long long)remains_of(c).calls,
		 c->config->drain_timeout_s);
	poll_every(s, POLL_MS);
}
