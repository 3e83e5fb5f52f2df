/* SPDX-License-Identifier: Apache-2.0 */
#include "health/prober.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/random.h"
#include "base/siphash.h"
#include "base/wheel.h"
#include "dataplane.h"
#include "health/options.h"
#include "log.h"
#include "model/publish.h"
#include "routing.h"
#include "tables/trunks.h"

#define FIRST_MS      1000 /* a new endpoint waits no longer than this */
#define BUSY_MS	      20   /* the data plane was full */
#define LOST_MS	      2000 /* beyond a probe's timeout: its result got lost */
#define RESULTS_A_TURN 256

/* Places are the endpoints' slots. */
struct probed {
	struct wheel_timer timer; /* the next probe; while one is out: when its result is lost */
	struct probe_settings settings;
	struct health health;
	uint64_t sent, failed;
	uint64_t sent_ms;      /* the last one */
	uint32_t trunk_id, endpoint_id;
	uint32_t out;	       /* serial of the probe that is out; 0: none */
	bool spread;	       /* its second probe has been placed within its interval */
	struct rtt rtt;
	uint32_t round;	       /* of prober.round, when it was last in force; 0: the place is free */
};

struct prober {
	struct dataplane *dataplane;
	struct endpoints *endpoints;
	struct event *timer;
	struct wheel *wheel;
	struct probe_settings otherwise;
	struct probed *probed;
	uint32_t *used; /* the places that are taken */
	uint32_t used_count, round, serial, generation;
	uint64_t dice;
};

static uint64_t roll(struct prober *p, uint64_t below)
{
	return mix64(p->dice++) % below;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	prober_advance(ctx, dataplane_now_ms());
}

struct prober *prober_new(struct event_base *base, struct dataplane *d, const struct probe_settings *otherwise)
{
	struct prober *p = calloc(1, sizeof(*p));
	uint32_t max;

	if (!p)
		return NULL;
	p->dataplane = d;
	p->endpoints = dataplane_tables(d)->endpoints;
	p->otherwise = *otherwise;
	random_secret(&p->dice, sizeof(p->dice));
	max = endpoints_max(p->endpoints);
	p->wheel = wheel_new(dataplane_now_ms());
	p->probed = calloc(max, sizeof(*p->probed));
	p->used = calloc(max, sizeof(*p->used));
	if (base)
		p->timer = event_new(base, -1, 0, on_timer, p);
	if (p->wheel && p->probed && p->used && (p->timer || !base))
		return p;
	prober_free(p);
	return NULL;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	if (p->timer)
		event_free(p->timer);
	wheel_free(p->wheel);
	free(p->probed);
	free(p->used);
	free(p);
}

static uint32_t slot_of(const struct prober *p, const struct probed *e)
{
	return (uint32_t)(e - p->probed);
}

static void set_timer(struct prober *p, uint64_t now_ms)
{
	uint64_t due = wheel_next_due(p->wheel), wait = due > now_ms ? due - now_ms : 1;
	const struct timeval after = { (time_t)(wait / 1000), (suseconds_t)(wait % 1000) * 1000 };

	if (p->timer && due != UINT64_MAX)
		event_add(p->timer, &after);
}

/* The endpoint's own configuration; NULL: its slot is somebody else's by now. */
static const struct endpoint_config *config_of(const struct prober *p, const struct probed *e)
{
	const struct endpoint_config *config = endpoints_get(p->endpoints, slot_of(p, e));

	return config && config->id == e->endpoint_id ? config : NULL;
}

static void write_health(const struct prober *p, const struct probed *e, uint64_t now_ms)
{
	endpoint_set_health(p->endpoints, slot_of(p, e), (enum endpoint_health)e->health.state, now_ms);
}

/* ---- results */

static void tell(const struct prober *p, const struct probed *e, const struct endpoint_config *config, uint8_t was)
{
	const struct trunk *trunk = trunks_get(dataplane_tables(p->dataplane)->trunks, config->trunk_slot);
	char address[IP_PORT_TEXT_MAX], why[HEALTH_TEXT_MAX];

	if (e->health.state != ENDPOINT_DOWN && was != ENDPOINT_DOWN)
		return;
	ip_port_format(&config->addr, address);
	health_text(&e->health, why);
	log_line(e->health.state == ENDPOINT_DOWN ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "endpoint %s of trunk %s is %s: %s", address,
		 trunk ? trunk->name : "?", endpoint_health_name((enum endpoint_health)e->health.state), why);
}

/* From one probe to the next. */
static uint64_t jittered(struct prober *p, uint64_t interval)
{
	return interval - interval / 10 + roll(p, interval / 5 + 1);
}

/* How long who begins at any moment waits for the next probe of a row that has always been: so many that begin together make no wave, neither now nor
 * an interval later. */
static uint64_t anywhere(struct prober *p, uint64_t interval)
{
	return roll(p, jittered(p, interval));
}

/* Whoever came together was asked together, within a second: with the second probe they are spread. */
static uint64_t next_due(struct prober *p, struct probed *e, uint64_t now_ms)
{
	uint64_t interval = e->settings.interval_ms, due = e->sent_ms + (e->spread ? jittered(p, interval) : anywhere(p, interval));

	e->spread = true;
	return due > now_ms ? due : now_ms + 1;
}

static void conclude(struct prober *p, struct probed *e, const struct probe_result *r, uint64_t now_ms)
{
	const struct endpoint_config *config = config_of(p, e);
	uint8_t was = e->health.state;

	e->out = 0;
	wheel_arm(p->wheel, &e->timer, next_due(p, e, now_ms));
	if (!config || r->unsent) /* what is our own fault is not held against it */
		return;
	if (!health_alive(&e->settings, r))
		e->failed++;
	if (r->status) {
		rtt_add(&e->rtt, r->rtt_us);
		/* For the fastest strategy, until calls have said more. */
		atomic_store_explicit(&endpoints_live(dataplane_tables(p->dataplane)->endpoints, slot_of(p, e))->probe_us, e->rtt.mean_us,
				      memory_order_relaxed);
	}
	if (!health_take(&e->health, &e->settings, r, now_ms))
		return;
	if (r->answer_len && !r->refused)
		options_said(r->answer, r->answer_len, e->health.said, sizeof(e->health.said));
	write_health(p, e, now_ms);
	if (e->health.state == ENDPOINT_DOWN)
		dataplane_release_endpoint(p->dataplane, slot_of(p, e));
	tell(p, e, config, was);
}

bool prober_take(struct prober *p, uint64_t now_ms)
{
	struct probe_result r;
	unsigned n = 0;

	while (n < RESULTS_A_TURN && dataplane_probe_result(p->dataplane, &r)) {
		uint32_t slot = (uint32_t)r.id, serial = (uint32_t)(r.id >> 32);

		n++;
		/* A result that comes after its endpoint went, or was given up for lost, finds another serial. */
		if (slot < endpoints_max(p->endpoints) && p->probed[slot].out == serial && serial)
			conclude(p, &p->probed[slot], &r, now_ms);
	}
	if (n)
		set_timer(p, now_ms);
	return n == RESULTS_A_TURN;
}

/* ---- sending */

/* Names ourselves by a listener of the endpoint's family; the worker sends from there. */
static void own_uri(const struct prober *p, uint8_t family, char *out, size_t bytes)
{
	const struct dataplane_config *config = dataplane_configuration(p->dataplane);
	const struct dataplane_listener *own = &config->listeners[0];
	char text[IP_PORT_TEXT_MAX];

	for (unsigned i = config->listener_count; i-- > 0;)
		if (config->listeners[i].addr.ip.family == family)
			own = &config->listeners[i];
	ip_port_format(&own->addr, text);
	snprintf(out, bytes, "sip:%s", text);
}

/* What the settings leave open. */
static const char *text_or(const char *given, const char *otherwise)
{
	return given[0] ? given : otherwise;
}

static int write_request(struct prober *p, const struct probed *e, const struct endpoint_config *config, struct probe_request *r)
{
	const struct trunk *trunk = trunks_get(dataplane_tables(p->dataplane)->trunks, config->trunk_slot);
	const struct probe_settings *s = &e->settings;
	char uri[300], own[IP_PORT_TEXT_MAX + 8], address[IP_PORT_TEXT_MAX], tag[24], call_id[40];
	struct options_request o = { .uri = uri, .own = own, .from = text_or(s->from, own), .to = text_or(s->to, uri), .tag = tag, .call_id = call_id,
				     .user_agent = s->user_agent, .max_forwards = s->max_forwards };
	const char *name = trunk && trunk->host[0] ? trunk->host : config->host;
	bool named = name[0] && trunk && trunk->request_uri == TRUNK_URI_ENDPOINT;

	ip_port_format(&config->addr, address);
	snprintf(uri, sizeof(uri), "sip:%s", named ? name : address);
	own_uri(p, config->addr.ip.family, own, sizeof(own));
	snprintf(tag, sizeof(tag), "%016llx", (unsigned long long)mix64(p->dice++));
	snprintf(call_id, sizeof(call_id), "%016llx%016llx", (unsigned long long)mix64(p->dice), (unsigned long long)mix64(p->dice + 1));
	p->dice += 2;
	r->id = (uint64_t)p->serial << 32 | slot_of(p, e);
	r->to = config->addr;
	r->transport = config->transport;
	r->tls_peer = config->tls_peer;
	r->timeout_ms = s->timeout_ms;
	r->len = (uint16_t)options_write(&o, r->message, sizeof(r->message));
	if (!r->len) { /* a host or an address of record that libosip2 does not take */
		snprintf(uri, sizeof(uri), "sip:%s", address);
		o.from = own;
		o.to = uri;
		r->len = (uint16_t)options_write(&o, r->message, sizeof(r->message));
	}
	return r->len ? 0 : -ERR_INVALID;
}

static void send_probe(struct prober *p, struct probed *e, const struct endpoint_config *config, uint64_t now_ms)
{
	struct probe_request r;
	int err;

	p->serial += p->serial == UINT32_MAX ? 2 : 1; /* never 0 */
	err = write_request(p, e, config, &r);
	if (!err)
		err = dataplane_probe(p->dataplane, &r);
	if (err) { /* ours to answer for: it says nothing about the endpoint */
		wheel_arm(p->wheel, &e->timer, now_ms + (err == -ERR_FULL ? BUSY_MS + roll(p, BUSY_MS) : e->settings.interval_ms));
		return;
	}
	e->sent++;
	e->sent_ms = now_ms;
	e->out = p->serial;
	wheel_arm(p->wheel, &e->timer, now_ms + e->settings.timeout_ms + LOST_MS);
}

struct turn {
	struct prober *p;
	uint64_t now_ms;
};

static void fire(void *ctx, struct wheel_timer *t)
{
	const struct turn *turn = ctx;
	struct probed *e = (struct probed *)((char *)t - offsetof(struct probed, timer));
	const struct endpoint_config *config = config_of(turn->p, e);

	e->out = 0; /* a result that the data plane owes us says nothing about the endpoint */
	if (config)
		send_probe(turn->p, e, config, turn->now_ms);
	else
		wheel_arm(turn->p->wheel, t, turn->now_ms + e->settings.interval_ms);
}

void prober_advance(struct prober *p, uint64_t now_ms)
{
	struct turn turn = { p, now_ms };

	wheel_advance(p->wheel, now_ms, fire, &turn);
	set_timer(p, now_ms);
}

/* ---- what is in force */

static void arm_first(struct prober *p, struct probed *e, uint64_t now_ms)
{
	e->spread = e->settings.interval_ms <= FIRST_MS;
	wheel_arm(p->wheel, &e->timer, now_ms + 1 + (e->spread ? anywhere(p, e->settings.interval_ms) : roll(p, FIRST_MS)));
}

static void keep(struct prober *p, struct probed *e, const struct probe_settings *s, uint64_t now_ms)
{
	bool other_pace = e->settings.interval_ms != s->interval_ms;

	e->round = p->round;
	e->settings = *s;
	write_health(p, e, now_ms);
	if (other_pace && !e->out)
		arm_first(p, e, now_ms);
}

static void begin(struct prober *p, struct probed *e, uint32_t trunk, uint32_t endpoint, const struct probe_settings *s, uint64_t now_ms)
{
	if (e->round)
		wheel_cancel(&e->timer);
	else
		p->used[p->used_count++] = slot_of(p, e);
	*e = (struct probed){ .settings = *s, .trunk_id = trunk, .endpoint_id = endpoint, .round = p->round };
	health_start(&e->health, now_ms);
	write_health(p, e, now_ms);
	arm_first(p, e, now_ms);
}

static void forget(struct prober *p, struct probed *e, uint64_t now_ms)
{
	wheel_cancel(&e->timer);
	/* It stays but is probed no more: nothing is known of it. */
	if (config_of(p, e))
		endpoint_set_health(p->endpoints, slot_of(p, e), ENDPOINT_UNKNOWN, now_ms);
	e->round = 0;
	e->out = 0;
}

/* What the users of each trunk want, by its place in the model: targets over their profiles over the trunk, the strictest of them. NULL: no
 * memory. */
static struct probe_settings *wanted(const struct prober *p, const struct model *m)
{
	struct probe_settings *all = calloc(m->trunk_count + 1, sizeof(*all));

	for (uint32_t i = 0; all && i < m->profile_count; i++) {
		const struct model_profile *profile = &m->profiles[i];

		for (unsigned k = 0; k < profile->target_count; k++) {
			const struct model_trunk *t = model_trunk_by_id(m, profile->targets[k].trunk_id);
			struct probe_settings s = probe_settings_over(&t->probe, &p->otherwise), *best = &all[t - m->trunks];

			s = probe_settings_over(&profile->probe, &s);
			s = probe_settings_over(&profile->targets[k].probe, &s);
			if (!best->given || probe_settings_stricter(&s, best))
				*best = s;
		}
	}
	for (uint32_t i = 0; all && i < m->trunk_count; i++)
		if (!all[i].given) /* nobody uses it */
			all[i] = probe_settings_over(&m->trunks[i].probe, &p->otherwise);
	return all;
}

static void follow_trunk(struct prober *p, const struct routing *r, const struct model_trunk *t, const struct probe_settings *s, uint64_t now_ms)
{
	for (unsigned i = 0; s->enabled && i < t->endpoint_count; i++) {
		uint32_t id = t->endpoints[i].id, slot = publish_endpoint_slot(r->publisher, t->id, id);
		struct probed *e;

		if (slot >= endpoints_max(p->endpoints))
			continue;
		e = &p->probed[slot];
		if (e->round && e->trunk_id == t->id && e->endpoint_id == id)
			keep(p, e, s, now_ms);
		else
			begin(p, e, t->id, id, s, now_ms);
	}
}

void prober_follow(struct prober *p, const struct routing *r)
{
	uint64_t now_ms = dataplane_now_ms();

	struct probe_settings *settings;

	if (p->generation == r->generation)
		return;
	settings = wanted(p, r->expanded);
	if (!settings) /* tried again within a second */
		return;
	p->generation = r->generation;
	p->round += p->round == UINT32_MAX ? 2 : 1; /* never 0 */
	for (uint32_t i = 0; i < r->expanded->trunk_count; i++)
		follow_trunk(p, r, &r->expanded->trunks[i], &settings[i], now_ms);
	free(settings);
	for (uint32_t i = 0; i < p->used_count;) {
		struct probed *e = &p->probed[p->used[i]];

		if (e->round == p->round) {
			i++;
			continue;
		}
		forget(p, e, now_ms);
		p->used[i] = p->used[--p->used_count];
	}
	set_timer(p, now_ms);
}

bool prober_status(const struct prober *p, uint32_t slot, struct prober_status *ret)
{
	const struct probed *e;

	if (!p || slot >= endpoints_max(p->endpoints) || !p->probed[slot].round)
		return false;
	e = &p->probed[slot];
	*ret = (struct prober_status){ .health = e->health, .rtt = e->rtt, .sent = e->sent, .failed = e->failed,
				       .interval_ms = e->settings.interval_ms };
	return true;
}
