/* SPDX-License-Identifier: Apache-2.0 */
#include "health/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarms/alarms.h"
#include "dataplane.h"
#include "log.h"
#include "model/publish.h"
#include "routing.h"
#include "tables/loads.h"
#include "tables/tables.h"

#define FULL_MAX 256 /* alarms of ours at a time; what is beyond is only counted, in `targets` */

/* A target whose alarm is raised. */
struct full {
	char subject[ALARM_SUBJECT_MAX];
	uint64_t last_ms; /* when it was last at its limit */
	bool seen;	  /* it is still there, with a limit */
};

struct limits {
	struct dataplane *dataplane;
	struct alarms *alarms;
	uint64_t *passed; /* by target slot: what was counted when it was last looked at */
	struct full full[FULL_MAX];
	unsigned full_count;
};

struct limits *limits_new(struct dataplane *d, struct alarms *alarms)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->dataplane = d;
	l->alarms = alarms;
	l->passed = calloc(LOADS_SLOTS, sizeof(l->passed[0]));
	if (!l->passed) {
		free(l);
		return NULL;
	}
	return l;
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	free(l->passed);
	free(l);
}

static struct full *find(struct limits *l, const char *subject)
{
	for (unsigned i = 0; i < l->full_count; i++)
		if (strcmp(l->full[i].subject, subject) == 0)
			return &l->full[i];
	return NULL;
}

static void forget(struct limits *l, struct full *f, const char *why)
{
	alarm_clear(l->alarms, ALARM_LIMIT, f->subject, "%s", why);
	*f = l->full[--l->full_count];
}

/* "10 of 10 calls, 30 of 50 calls per second; 12 calls passed it over within the last second" */
static void raise(struct limits *l, const struct model_target *t, uint32_t slot, const char *subject, uint64_t passed, uint64_t now_ms)
{
	const struct loads *loads = dataplane_tables(l->dataplane)->loads;
	char use[96] = "";
	size_t n = 0;

	if (t->max_calls)
		n = (size_t)snprintf(use, sizeof(use), "%u of %u call%s", loads_calls(loads, slot), t->max_calls, t->max_calls == 1 ? "" : "s");
	if (t->max_cps)
		snprintf(use + n, sizeof(use) - n, "%s%u of %u calls per second", n ? ", " : "", loads_rate(loads, slot, now_ms), t->max_cps);
	alarm_raise(l->alarms, ALARM_LIMIT, subject, "%s; %llu call%s passed it over within the last second", use, (unsigned long long)passed, passed == 1 ? "" : "s");
}

static void look_at(struct limits *l, const struct model_profile *p, const struct model_target *t, uint32_t slot, uint64_t now_ms)
{
	struct loads *loads = dataplane_tables(l->dataplane)->loads;
	uint64_t total = loads_passed(loads, slot), passed = total >= l->passed[slot] ? total - l->passed[slot] : total;
	bool full = t->max_calls && loads_calls(loads, slot) >= t->max_calls;
	char subject[ALARM_SUBJECT_MAX];
	struct full *f;

	l->passed[slot] = total;
	if (loads_repair(loads, slot))
		log_line(LOG_LEVEL_WARNING, "target %s/%s: the count of its calls was wrong and has been put right: %u", p->name, t->trunk,
			 loads_calls(loads, slot));
	if (!t->max_calls && !t->max_cps)
		return;
	snprintf(subject, sizeof(subject), "%s/%s", p->name, t->trunk);
	f = find(l, subject);
	if (full || passed) {
		if (!f && l->full_count < FULL_MAX) {
			f = &l->full[l->full_count++];
			memcpy(f->subject, subject, sizeof(subject));
		}
		if (f)
			f->last_ms = now_ms;
		raise(l, t, slot, subject, passed, now_ms);
	}
	if (f)
		f->seen = true;
}

void limits_look(struct limits *l, const struct routing *r, uint64_t now_ms)
{
	for (unsigned i = 0; i < l->full_count; i++)
		l->full[i].seen = false;
	for (uint32_t i = 0; i < r->model->profile_count; i++) {
		const struct model_profile *p = &r->model->profiles[i];

		for (unsigned k = 0; k < p->target_count; k++) {
			uint32_t slot = publish_target_slot(r->publisher, p->id, p->targets[k].trunk_id);

			if (slot < LOADS_SLOTS && loads_watched(dataplane_tables(l->dataplane)->loads, slot))
				look_at(l, p, &p->targets[k], slot, now_ms);
		}
	}
	for (unsigned i = l->full_count; i-- > 0;) {
		if (!l->full[i].seen)
			forget(l, &l->full[i], "it has no limit any more");
		else if (now_ms >= l->full[i].last_ms + LIMIT_QUIET_MS)
			forget(l, &l->full[i], "it takes calls again");
	}
}
