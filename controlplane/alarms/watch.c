/* SPDX-License-Identifier: Apache-2.0 */
#include "alarms/watch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarms/alarms.h"
#include "api/change.h"
#include "api/control.h"
#include "cdr.h"
#include "config.h"
#include "drains.h"
#include "error.h"
#include "model/publish.h"
#include "routing.h"
#include "tables/profiles.h"
#include "tables/select.h"

#define CALM_PERMILLE	100 /* below the threshold, so that an alarm does not flap around it */
#define REFUSED_CALM_S	30
#define RECORDS_WAIT_S	5

/* How long something has been so, or has not. */
struct hold {
	uint32_t bad_s, good_s;
};

struct watch {
	struct watch_config config;
	unsigned workers;
	struct hold busy[WORKERS_MAX];
	struct hold refused, records;
	uint64_t refused_total, memory_total; /* as of the last second */
	bool begun;
};

struct watch *watch_new(const struct watch_config *config, unsigned workers)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->config = *config;
	w->workers = workers;
	return w;
}

void watch_free(struct watch *w)
{
	free(w);
}

static void hold(struct hold *h, bool bad, bool good)
{
	h->bad_s = bad ? h->bad_s + 1 : 0;
	h->good_s = good ? h->good_s + 1 : 0;
}

/* ---- targets */

/* Why it takes no call though the operator wants it to; NULL: it does, or he does not. *ret_open: it takes calls. */
static const char *failure_of(const struct control *c, const struct profile *compiled, const struct model_profile *p,
			      const struct model_target *t, bool *ret_open)
{
	uint32_t slot = publish_target_slot(c->routing->publisher, p->id, t->trunk_id);
	const char *reason = NULL;
	unsigned i = 0;

	*ret_open = false;
	if (!t->enabled || !t->weight || t->drain.since_s)
		return NULL;
	while (i < compiled->target_count && compiled->targets[i].target_slot != slot)
		i++;
	if (i < compiled->target_count)
		reason = select_refusal(compiled, i, dataplane_tables(c->dataplane)->endpoints, dataplane_now_ms());
	*ret_open = !reason || strcmp(reason, "at its limit") == 0;
	return *ret_open ? NULL : reason;
}

static const char *closed_word(const struct model_target *t)
{
	return !t->enabled ? "it is disabled" : !t->weight ? "its weight is 0" : "it is draining";
}

static void look_at_drain(const struct control *c, const struct model_profile *p, const struct model_target *t, const char *name)
{
	struct drain_progress progress;
	char text[DRAIN_TEXT_MAX];

	if (!t->drain.since_s) {
		alarm_clear(c->alarms, ALARM_DRAINING, name, "it takes calls again");
		return;
	}
	progress = drain_of_target(c, p, t);
	drain_text(&progress, text);
	alarm_raise(c->alarms, ALARM_DRAINING, name, "%s", text);
}

static void look_at_profile(const struct control *c, const struct model_profile *p)
{
	const struct profile *compiled = profiles_get(dataplane_tables(c->dataplane)->profiles, publish_profile_slot(c->routing->publisher, p->id));
	unsigned open = 0;

	for (unsigned i = 0; compiled && i < p->target_count; i++) {
		const struct model_target *t = &p->targets[i];
		char name[PROFILE_NAME_MAX + TRUNK_NAME_MAX];
		bool takes_calls;
		const char *failure = failure_of(c, compiled, p, t, &takes_calls);

		open += takes_calls;
		snprintf(name, sizeof(name), "%s/%s", p->name, t->trunk);
		if (failure)
			alarm_raise(c->alarms, ALARM_TARGET_DOWN, name, "%s", failure);
		else
			alarm_clear(c->alarms, ALARM_TARGET_DOWN, name, "%s", takes_calls ? "it takes calls" : closed_word(t));
		look_at_drain(c, p, t, name);
	}
	if (p->target_count && !open)
		alarm_raise(c->alarms, ALARM_ALL_DOWN, p->name, "none of its %u target%s takes calls", p->target_count, p->target_count == 1 ? "" : "s");
	else
		alarm_clear(c->alarms, ALARM_ALL_DOWN, p->name, "%u of %u target%s take calls", open, p->target_count, p->target_count == 1 ? "" : "s");
}

static bool is_gone(const struct model *m, const struct alarm *a)
{
	struct model_profile *p;
	char ignored[ERROR_TEXT_MAX];

	if (a->kind == ALARM_ALL_DOWN)
		return !model_profile(m, a->subject);
	if (a->kind == ALARM_TARGET_DOWN || (a->kind == ALARM_DRAINING && strcmp(a->subject, "node") != 0))
		return !target_find(m, a->subject, &p, ignored);
	return false;
}

/* What is raised about something that the routing has no more. */
static void forget_gone(const struct control *c)
{
	const struct alarm *a;
	uint32_t i = 0;

	while ((a = alarms_raised(c->alarms, i)) != NULL) {
		char subject[ALARM_SUBJECT_MAX];

		if (!is_gone(c->routing->model, a)) {
			i++;
			continue;
		}
		strcpy(subject, a->subject); /* which goes with the alarm */
		alarm_clear(c->alarms, a->kind, subject, "it is gone");
	}
}

/* ---- the node */

static void look_at_node_drain(const struct control *c)
{
	struct drain_progress progress;
	char text[DRAIN_TEXT_MAX];

	if (!c->draining) {
		alarm_clear(c->alarms, ALARM_DRAINING, "node", "it takes calls again");
		return;
	}
	progress = drain_of_node(c);
	drain_text(&progress, text);
	alarm_raise(c->alarms, ALARM_DRAINING, "node", "%s%s", c->stopping ? "stopping: " : "", text);
}

static void look_at_workers(struct watch *w, const struct control *c)
{
	uint64_t threshold = 10ull * w->config.busy_percent, calm = threshold > CALM_PERMILLE ? threshold - CALM_PERMILLE : 0;

	for (unsigned i = 0; threshold && i < w->workers; i++) {
		uint64_t busy = c->gauges[i].busy_permille;
		char subject[24];

		hold(&w->busy[i], busy >= threshold, busy <= calm);
		snprintf(subject, sizeof(subject), "worker %u", i);
		if (w->busy[i].bad_s >= w->config.busy_s)
			alarm_raise(c->alarms, ALARM_OVERLOAD, subject, "%llu.%llu %% busy", (unsigned long long)busy / 10, (unsigned long long)busy % 10);
		else if (w->busy[i].good_s >= w->config.busy_s)
			alarm_clear(c->alarms, ALARM_OVERLOAD, subject, "%llu.%llu %% busy", (unsigned long long)busy / 10, (unsigned long long)busy % 10);
	}
}

static uint64_t total(const struct watch *w, const struct control *c, enum counter which)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->workers; i++)
		sum += counter_read(dataplane_counters(c->dataplane, i), which);
	return sum;
}

static void look_at_tables(struct watch *w, const struct control *c)
{
	uint64_t refused = total(w, c, COUNTER_refused_full), memory = total(w, c, COUNTER_out_of_memory);
	uint64_t more = refused - w->refused_total + memory - w->memory_total;

	w->refused_total = refused;
	w->memory_total = memory;
	if (!w->begun) /* what was before this process looked is over */
		return;
	hold(&w->refused, more > 0, !more);
	if (more)
		alarm_raise(c->alarms, ALARM_OVERLOAD, "tables", "%llu refused in a second: transactions, calls or messages are at their limit",
			    (unsigned long long)more);
	else if (w->refused.good_s >= REFUSED_CALM_S)
		alarm_clear(c->alarms, ALARM_OVERLOAD, "tables", "nothing was refused for %d s", REFUSED_CALM_S);
}

static void look_at_records(struct watch *w, const struct control *c)
{
	uint64_t waiting = 0;
	struct cdr_stats s;

	if (!c->cdr || !c->config->cdr.path[0])
		return;
	for (unsigned i = 0; i < w->workers; i++)
		waiting += c->gauges[i].records_waiting;
	cdr_stats(c->cdr, &s);
	if (s.failing)
		alarm_raise(c->alarms, ALARM_RECORDS, c->config->cdr.path, "%s", strerror(s.failing));
	else
		alarm_clear(c->alarms, ALARM_RECORDS, c->config->cdr.path, "they are written again");
	hold(&w->records, waiting > 0, !waiting);
	if (w->records.bad_s >= RECORDS_WAIT_S)
		alarm_raise(c->alarms, ALARM_OVERLOAD, "call records", "%llu wait in the workers' memory", (unsigned long long)waiting);
	else if (!waiting)
		alarm_clear(c->alarms, ALARM_OVERLOAD, "call records", "none wait");
}

void watch_second(struct watch *w, const struct control *c)
{
	const struct model *m = c->routing->model;

	for (uint32_t i = 0; i < m->profile_count; i++)
		look_at_profile(c, &m->profiles[i]);
	forget_gone(c);
	look_at_node_drain(c);
	look_at_workers(w, c);
	look_at_tables(w, c);
	look_at_records(w, c);
	w->begun = true;
}
