/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve/resolver.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alarms/alarms.h"
#include "base/err.h"
#include "base/siphash.h"
#include "error.h"
#include "log.h"
#include "resolve/follow.h"
#include "resolve/kept.h"
#include "wall_clock.h"

#define BUCKETS 4096
#define REST_MS  600000 /* a name that nobody uses is known for so long: a rollback may bring it back */
#define REST_MAX 256
#define KEEP_MS 500 /* answers that come together are written once */

struct resolver {
	struct resolver_setup setup;
	struct follow_bounds bounds;
	struct querier *querier;
	struct follow *list;
	struct follow *resting; /* used no more, the latest first */
	struct follow *buckets[BUCKETS]; /* by name, port and transport: every publication looks up every host */
	struct kept *kept;
	char *kept_path;
	struct event *keep;
	bool keep_failed; /* said so */
	struct located places[TRUNK_ENDPOINTS_MAX]; /* what find_places() handed out last */
	struct ip_port former[FOLLOW_FORMER_MAX];
};

struct resolver_config resolver_config_default(void)
{
	return (struct resolver_config){ .query = { .timeout_ms = 1000, .tries = 2 }, .min_ttl_s = 5, .max_ttl_s = 3600 };
}

static void on_keep(evutil_socket_t fd, short what, void *ctx)
{
	struct resolver *r = ctx;
	char error[ERROR_TEXT_MAX];
	int err = kept_write(r->kept_path, r->list, error);

	if (err && !r->keep_failed)
		log_line(LOG_LEVEL_WARNING, "the answers of DNS are not kept: %s", error);
	r->keep_failed = err != 0;
}

struct resolver *resolver_new(const struct resolver_setup *setup, char *error)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(error, -ERR_NOMEM, "out of memory");
		return NULL;
	}
	r->setup = *setup;
	r->bounds = (struct follow_bounds){ setup->config->min_ttl_s, setup->config->max_ttl_s, setup->call_age_s, setup->listeners };
	r->querier = querier_new(setup->base, &setup->config->query, error);
	if (!r->querier)
		goto fail;
	if (!setup->kept_path)
		return r;
	r->kept_path = strdup(setup->kept_path);
	r->keep = evtimer_new(setup->base, on_keep, r);
	if (!r->kept_path || !r->keep) {
		error_set(error, -ERR_NOMEM, "out of memory");
		goto fail;
	}
	r->kept = kept_read(r->kept_path, error);
	if (!r->kept && *error)
		log_line(LOG_LEVEL_WARNING, "the answers of DNS from before are not used: %s", error);
	return r;
fail:
	resolver_free(r);
	return NULL;
}

static void free_all(struct follow *list)
{
	while (list) {
		struct follow *f = list;

		list = f->next;
		follow_free(f);
	}
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->keep && event_pending(r->keep, EV_TIMEOUT, NULL))
		on_keep(-1, 0, r);
	free_all(r->list);
	free_all(r->resting);
	querier_free(r->querier); /* questions that are out are the last that holds on to a follow */
	kept_free(r->kept);
	if (r->keep)
		event_free(r->keep);
	free(r->kept_path);
	free(r);
}

/* ---- what is told */

static void count_text(const struct follow *f, char *out, size_t bytes)
{
	snprintf(out, bytes, "%u endpoint%s", f->now.count, f->now.count == 1 ? "" : "s");
}

static void age_text(const struct follow *f, char *out, size_t bytes)
{
	uint64_t s = f->good_unix_ms ? (wall_ms() - f->good_unix_ms) / 1000 : 0;

	if (s < 120)
		snprintf(out, bytes, "%llu s", (unsigned long long)s);
	else if (s < 7200)
		snprintf(out, bytes, "%llu min", (unsigned long long)s / 60);
	else
		snprintf(out, bytes, "%llu h", (unsigned long long)s / 3600);
}

static void tell_places(const struct follow *f)
{
	char text[32];

	count_text(f, text, sizeof(text));
	if (f->now.count)
		log_line(LOG_LEVEL_NOTICE, "name %s stands for %s now%s", f->target.name, text, f->partial ? " (some answers are late)" : "");
	else
		log_line(LOG_LEVEL_WARNING, "name %s stands for no endpoint any more: %s", f->target.name, f->why);
	if (f->now.left_out)
		log_line(LOG_LEVEL_WARNING, "name %s: %u more records than a trunk has room for (%u endpoints)", f->target.name,
			 f->now.left_out, TRUNK_ENDPOINTS_MAX);
}

static void tell_alarms(const struct resolver *r, const struct follow *f)
{
	struct alarms *a = r->setup.alarms;
	const char *name = f->target.name;
	char age[32], count[32];

	age_text(f, age, sizeof(age));
	count_text(f, count, sizeof(count));
	switch (f->state) {
	case FOLLOW_OK:
		alarm_clear(a, ALARM_DNS_STALE, name, "DNS answers again: %s", count);
		alarm_clear(a, ALARM_DNS_EMPTY, name, "it stands for %s", count);
		break;
	case FOLLOW_NONE:
		alarm_clear(a, ALARM_DNS_STALE, name, "DNS answers again");
		alarm_raise(a, ALARM_DNS_EMPTY, name, "no endpoint: %s", f->why);
		break;
	case FOLLOW_STALE:
		alarm_raise(a, ALARM_DNS_STALE, name, "%s in use as known %s ago: %s", count, age, f->why);
		break;
	case FOLLOW_FAILED:
		alarm_raise(a, ALARM_DNS_EMPTY, name, "no endpoint: %s", f->why);
		break;
	case FOLLOW_ASKING:
	case FOLLOW_STATES: break;
	}
}

/* DNS has not said anything of it yet: it is being asked, or it fails. */
static bool is_unknown(const struct follow *f)
{
	return !f->settled || f->state == FOLLOW_FAILED;
}

static void on_changed(void *ctx, struct follow *f, bool places)
{
	static const struct timeval soon = { 0, KEEP_MS * 1000 };
	struct resolver *r = ctx;

	if (places)
		tell_places(f);
	if (!f->partial)
		tell_alarms(r, f);
	if (r->keep && f->good_unix_ms && !event_pending(r->keep, EV_TIMEOUT, NULL))
		event_add(r->keep, &soon);
	if (places || (!f->told && !is_unknown(f))) /* that there is nothing is news too, the first time */
		r->setup.changed(r->setup.ctx);
	f->told = f->told || !is_unknown(f);
}

/* ---- who is followed */

static bool same_target(const struct model_host *a, const struct model_host *b)
{
	return a->port == b->port && a->transport == b->transport && strcmp(a->name, b->name) == 0;
}

static unsigned bucket_of(const struct model_host *h)
{
	uint64_t hash = (uint64_t)h->port << 8 | h->transport;

	for (const char *p = h->name; *p; p++)
		hash = mix64(hash ^ (uint8_t)*p);
	return (unsigned)(hash % BUCKETS);
}

static struct follow *find(const struct resolver *r, const struct model_host *target)
{
	for (struct follow *f = r->buckets[bucket_of(target)]; f; f = f->same_next)
		if (same_target(&f->target, target))
			return f;
	return NULL;
}

static void wake(struct resolver *r, struct follow *f)
{
	struct follow **at = &r->resting;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->next = r->list;
	r->list = f;
	follow_start(f);
}

/* NULL: no memory. */
static struct follow *find_or_begin(struct resolver *r, const struct model_host *target)
{
	struct follow *f = find(r, target);

	if (f && f->resting)
		wake(r, f);
	if (f)
		return f;
	f = follow_new(r->setup.base, r->querier, target, &r->bounds);
	if (!f)
		return NULL;
	f->changed = on_changed;
	f->ctx = r;
	if (r->kept)
		kept_remember(r->kept, f);
	f->next = r->list;
	r->list = f;
	f->same_next = r->buckets[bucket_of(target)];
	r->buckets[bucket_of(target)] = f;
	follow_start(f);
	return f;
}

static void forget(struct resolver *r, struct follow **at)
{
	struct follow *f = *at, **same = &r->buckets[bucket_of(&f->target)];

	*at = f->next;
	while (*same != f)
		same = &(*same)->same_next;
	*same = f->same_next;
	follow_free(f);
}

/* Nobody uses it any more: what it knows is kept for a while. */
static void rest(struct resolver *r, struct follow **at)
{
	struct follow *f = *at;

	*at = f->next;
	f->next = r->resting;
	r->resting = f;
	f->rest_ms = follow_now_ms();
	follow_rest(f);
	alarm_clear(r->setup.alarms, ALARM_DNS_STALE, f->target.name, "the name is not in use any more");
	alarm_clear(r->setup.alarms, ALARM_DNS_EMPTY, f->target.name, "the name is not in use any more");
}

static void forget_rested(struct resolver *r)
{
	uint64_t now = follow_now_ms();
	unsigned n = 0;

	for (struct follow **at = &r->resting; *at;) {
		if (n < REST_MAX && (*at)->rest_ms + REST_MS > now) {
			at = &(*at)->next;
			n++;
		} else {
			forget(r, at);
		}
	}
}

void resolver_follow(struct resolver *r, const struct model *m)
{
	for (struct follow *f = r->list; f; f = f->next)
		f->marked = false;
	for (uint32_t i = 0; i < m->trunk_count; i++)
		for (unsigned h = 0; h < m->trunks[i].host_count; h++) {
			struct follow *f = find_or_begin(r, &m->trunks[i].hosts[h]);

			if (f)
				f->marked = true;
		}
	for (struct follow **at = &r->list; *at;) {
		if ((*at)->marked)
			at = &(*at)->next;
		else
			rest(r, at);
	}
	forget_rested(r);
}

static void find_places(void *ctx, const struct model_host *host, struct located_list *ret)
{
	struct resolver *r = ctx;
	const struct follow *f = find_or_begin(r, host);

	if (!f)
		return;
	for (unsigned i = 0; i < f->now.count; i++) {
		const struct sip_place *p = &f->now.places[i];

		r->places[i] = (struct located){ p->addr, p->transport, p->priority, p->weight };
	}
	for (unsigned i = 0; i < f->former_count; i++)
		r->former[i] = f->former[i].addr;
	*ret = (struct located_list){ r->places, f->now.count, r->former, f->former_count, is_unknown(f) };
}

struct names resolver_names(struct resolver *r)
{
	return (struct names){ find_places, r };
}

const char *resolver_target(const struct resolver *r, const struct model_host *host, const struct ip_port *addr)
{
	const struct follow *f = find(r, host);

	for (unsigned i = 0; f && i < f->now.count; i++)
		if (ip_port_eq(&f->now.places[i].addr, addr))
			return f->now.places[i].target;
	return NULL;
}

bool resolver_settled(const struct resolver *r)
{
	for (const struct follow *f = r->list; f; f = f->next)
		if (!f->settled)
			return false;
	return true;
}

const struct follow *resolver_next(const struct resolver *r, const struct follow *f)
{
	return f ? f->next : r->list;
}

unsigned resolver_ask_now(struct resolver *r, const char *name)
{
	unsigned n = 0;

	for (struct follow *f = r->list; f; f = f->next) {
		if (name && strcmp(f->target.name, name) != 0)
			continue;
		follow_ask_now(f);
		n++;
	}
	return n;
}

void resolver_stats(const struct resolver *r, struct querier_stats *ret)
{
	querier_stats(r->querier, ret);
}
