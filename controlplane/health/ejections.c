/* SPDX-License-Identifier: Apache-2.0 */
#include "health/ejections.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "alarms/alarms.h"
#include "dataplane.h"
#include "tables/endpoints.h"
#include "tables/tables.h"
#include "tables/trunks.h"

#define LOOK_MS 100

/* An endpoint that is out, or was until a moment ago. */
struct followed {
	uint32_t slot, id;
	uint64_t until_ms;
	char subject[TRUNK_NAME_MAX + IP_PORT_TEXT_MAX];
};

struct ejections {
	struct tables *tables;
	struct alarms *alarms;
	struct event *timer;
	uint64_t seen;		  /* endpoints_ejections, at the last look */
	struct followed *followed; /* as many as there may be endpoints */
	uint32_t count;
};

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	ejections_look(ctx, dataplane_now_ms());
}

struct ejections *ejections_new(struct event_base *base, struct dataplane *d, struct alarms *alarms)
{
	static const struct timeval often = { 0, LOOK_MS * 1000 };
	struct ejections *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->tables = dataplane_tables(d);
	e->alarms = alarms;
	e->followed = calloc(endpoints_max(e->tables->endpoints), sizeof(*e->followed));
	if (base)
		e->timer = event_new(base, -1, EV_PERSIST, on_timer, e);
	if (e->followed && (!base || (e->timer && event_add(e->timer, &often) == 0)))
		return e;
	ejections_free(e);
	return NULL;
}

void ejections_free(struct ejections *e)
{
	if (!e)
		return;
	if (e->timer)
		event_free(e->timer);
	free(e->followed);
	free(e);
}

void ejection_text(const struct endpoint_live *live, char out[EJECTION_TEXT_MAX])
{
	unsigned n = atomic_load_explicit(&live->eject_count, memory_order_relaxed);
	unsigned status = atomic_load_explicit(&live->eject_status, memory_order_relaxed);
	char last[32] = "";

	if (status)
		snprintf(last, sizeof(last), ", the last with %u", status);
	switch ((enum eject_reason)atomic_load_explicit(&live->eject_reason, memory_order_relaxed)) {
	case EJECT_NONE: snprintf(out, EJECTION_TEXT_MAX, "not ejected"); break;
	case EJECT_REFUSED: snprintf(out, EJECTION_TEXT_MAX, "a call could not be delivered"); break;
	case EJECT_RETRY_AFTER: snprintf(out, EJECTION_TEXT_MAX, "a 503 asked for %u s", n); break;
	case EJECT_SILENT: snprintf(out, EJECTION_TEXT_MAX, "%u calls in a row got no answer", n); break;
	case EJECT_FAILURES: snprintf(out, EJECTION_TEXT_MAX, "%u calls in a row failed%s", n, last); break;
	case EJECT_SHARE: snprintf(out, EJECTION_TEXT_MAX, "%u %% of its calls failed%s", n, last); break;
	}
}

static struct followed *find(struct ejections *e, uint32_t slot)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (e->followed[i].slot == slot)
			return &e->followed[i];
	return NULL;
}

static struct followed *follow(struct ejections *e, uint32_t slot, const struct endpoint_config *config)
{
	const struct trunk *trunk = trunks_get(e->tables->trunks, config->trunk_slot);
	struct followed *f = &e->followed[e->count++];
	char address[IP_PORT_TEXT_MAX];

	ip_port_format(&config->addr, address);
	*f = (struct followed){ .slot = slot, .id = config->id };
	snprintf(f->subject, sizeof(f->subject), "%s/%s", trunk ? trunk->name : "?", address);
	return f;
}

static void drop(struct ejections *e, struct followed *f, const char *why)
{
	alarm_clear(e->alarms, ALARM_EJECTED, f->subject, "%s", why);
	*f = e->followed[--e->count];
}

static void take_in(struct ejections *e, uint32_t slot, uint64_t now_ms)
{
	const struct endpoint_config *config = endpoints_get(e->tables->endpoints, slot);
	const struct endpoint_live *live = endpoints_live(e->tables->endpoints, slot);
	uint64_t until = atomic_load_explicit(&live->ejected_until_ms, memory_order_relaxed);
	struct followed *f;
	char why[EJECTION_TEXT_MAX];

	if (!config || until <= now_ms)
		return;
	f = find(e, slot);
	if (f && f->id != config->id) { /* the slot's earlier tenant */
		drop(e, f, "no longer an endpoint");
		f = NULL;
	}
	if (!f)
		f = follow(e, slot, config);
	if (f->until_ms == until)
		return;
	f->until_ms = until;
	ejection_text(live, why);
	alarm_raise(e->alarms, ALARM_EJECTED, f->subject, "%s; no new calls for %.1f s", why, (double)(until - now_ms) / 1000);
}

static void look_back(struct ejections *e, uint64_t now_ms)
{
	for (uint32_t i = e->count; i-- > 0;) {
		struct followed *f = &e->followed[i];
		const struct endpoint_config *config = endpoints_get(e->tables->endpoints, f->slot);

		if (!config || config->id != f->id)
			drop(e, f, "no longer an endpoint");
		else if (now_ms >= f->until_ms + EJECTION_QUIET_MS)
			drop(e, f, "it gets calls again");
	}
}

void ejections_look(struct ejections *e, uint64_t now_ms)
{
	uint64_t n = endpoints_ejections(e->tables->endpoints);

	if (n != e->seen) {
		e->seen = n;
		for (uint32_t slot = 0; slot < endpoints_max(e->tables->endpoints); slot++)
			take_in(e, slot, now_ms);
	}
	look_back(e, now_ms);
}
