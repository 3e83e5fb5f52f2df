/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "cdr_line.h"
#include "error.h"
#include "health/ejections.h"
#include "health/prober.h"
#include "health/quality.h"
#include "model/publish.h"
#include "resolve/resolver.h"
#include "routing.h"
#include "sip/via.h"
#include "tables/loads.h"
#include "tables/ramp.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "wall_clock.h"

/* A time of the data plane's clock, past or to come. */
static json_t *since_json(uint64_t ms)
{
	char text[CDR_TIME_MAX];

	cdr_time(ms + wall_offset_ms(), text);
	return json_string(text);
}

static json_t *ms_json(uint32_t us)
{
	return us ? json_real((double)us / 1000) : json_null();
}

/* Round trips of its probes: the moving average, and quantiles of the last thousand or so. */
static json_t *rtt_json(const struct rtt *r)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "mean_ms", ms_json(r->mean_us), "p50_ms", ms_json(rtt_quantile_us(r, 500000)), "p90_ms",
			 ms_json(rtt_quantile_us(r, 900000)), "p99_ms", ms_json(rtt_quantile_us(r, 990000)));
}

static uint64_t relaxed(const _Atomic(uint64_t) *v)
{
	return atomic_load_explicit((_Atomic(uint64_t) *)v, memory_order_relaxed);
}

/* What live traffic says of it, over what probes say: an endpoint that is down is worse than ejected, every other is shown as such. */
static void add_ejection(json_t *endpoint, const struct endpoint_live *live)
{
	uint64_t now = dataplane_now_ms(), until = relaxed(&live->ejected_until_ms);
	char why[EJECTION_TEXT_MAX], end[CDR_TIME_MAX];

	json_object_set_new(endpoint, "ramp_percent", json_integer(until > now ? 0 : ramp_permille(live, now) / 10));
	json_object_set_new(endpoint, "ejected_until", json_null());
	if (until <= now)
		return;
	cdr_time(until + wall_offset_ms(), end);
	ejection_text(live, why);
	json_object_set_new(endpoint, "ejected_until", json_string(end));
	if (atomic_load_explicit(&live->health, memory_order_relaxed) == ENDPOINT_DOWN)
		return;
	json_object_set_new(endpoint, "health", json_string(endpoint_health_name(ENDPOINT_EJECTED)));
	json_object_set_new(endpoint, "since", since_json(relaxed(&live->ejected_ms)));
	json_object_set_new(endpoint, "reason", json_sprintf("%s; until %s", why, end));
}

/* Its health, since when, why, and what probes have seen. */
static json_t *endpoint_json(const struct control *c, const struct model_endpoint *e, uint32_t slot)
{
	const struct endpoint_live *live = endpoints_live(dataplane_tables(c->dataplane)->endpoints, slot);
	uint8_t health = live ? atomic_load_explicit(&live->health, memory_order_relaxed) : ENDPOINT_UNKNOWN;
	char address[IP_PORT_TEXT_MAX], reason[HEALTH_TEXT_MAX] = "not probed";
	struct prober_status s = { .sent = 0 };
	bool probed = prober_status(c->prober, slot, &s);
	json_t *endpoint;

	if (probed)
		health_text(&s.health, reason);
	ip_port_format(&e->addr, address);
	endpoint = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:i, s:i}", "address", address, "transport", transport_name(e->transport), "health",
			 endpoint_health_name((enum endpoint_health)health), "reason", reason, "since",
			 probed ? since_json(s.health.since_ms) : json_null(), "rtt_ms",
			 ms_json(s.rtt.mean_us), "rtt", rtt_json(&s.rtt), "probe_interval_ms",
			 probed ? json_integer(s.interval_ms) : json_null(), "probes_sent", (json_int_t)s.sent, "probes_failed",
			 (json_int_t)s.failed, "priority", e->priority, "weight", e->weight);
	if (!live)
		return endpoint;
	add_ejection(endpoint, live);
	/* What the fastest strategy goes by. */
	json_object_set_new(endpoint, "response_ms", ms_json(endpoint_response_us(dataplane_tables(c->dataplane)->endpoints, slot)));
	return endpoint;
}

/* Of one that came by name: the name, and whose address it is. */
static void add_origin(const struct control *c, json_t *endpoint, const struct model_trunk *t, const struct model_endpoint *e)
{
	const struct model_host *host = &t->hosts[e->by_host - 1];
	const char *target = c->resolver ? resolver_target(c->resolver, host, &e->addr) : NULL;

	json_object_set_new(endpoint, "name", json_string(host->name));
	json_object_set_new(endpoint, "target", target ? json_string(target) : json_null());
}

static json_t *endpoints_json(const struct control *c, const struct model_trunk *t)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < t->endpoint_count; i++) {
		const struct model_endpoint *e = &t->endpoints[i];

		json_t *endpoint = endpoint_json(c, e, publish_endpoint_slot(c->routing->publisher, t->id, e->id));

		if (e->by_host)
			add_origin(c, endpoint, t, e);
		json_array_append_new(list, endpoint);
	}
	return list;
}

/* The word for people; the data plane's own reason decides. */
static const char *state_word(const struct control *c, const struct model_profile *p, uint32_t trunk)
{
	const struct tables *t = dataplane_tables(c->dataplane);
	const struct profile *compiled = profiles_get(t->profiles, publish_profile_slot(c->routing->publisher, p->id));
	uint32_t slot = publish_target_slot(c->routing->publisher, p->id, trunk);

	for (unsigned i = 0; compiled && i < compiled->target_count; i++) {
		const char *reason;

		if (compiled->targets[i].target_slot != slot)
			continue;
		reason = select_refusal(compiled, i, t->endpoints, dataplane_now_ms());
		if (!reason)
			return "up";
		if (strcmp(reason, "weight 0") == 0)
			return "drained";
		if (strcmp(reason, "no endpoint") == 0)
			return "empty";
		if (strcmp(reason, "all endpoints ejected") == 0)
			return "ejected";
		if (strcmp(reason, "at its limit") == 0)
			return "full";
		return strcmp(reason, "disabled") == 0 ? "disabled" : "down";
	}
	return "unknown";
}

/* Its limits, and how much of them is in use; "calls" counts every branch that rings. */
static void add_limits(const struct control *c, const struct model_target *t, uint32_t slot, json_t *json)
{
	const struct loads *loads = dataplane_tables(c->dataplane)->loads;

	json_object_set_new(json, "max_calls", json_integer(t->max_calls));
	json_object_set_new(json, "max_cps", json_integer(t->max_cps));
	json_object_set_new(json, "region", t->region[0] ? json_string(t->region) : json_null());
	if (slot >= LOADS_SLOTS || !loads_watched(loads, slot))
		return;
	json_object_set_new(json, "calls", json_integer(loads_calls(loads, slot)));
	json_object_set_new(json, "passed_over", json_integer((json_int_t)loads_passed(loads, slot)));
	if (t->max_cps)
		json_object_set_new(json, "cps", json_integer(loads_rate(loads, slot, dataplane_now_ms())));
}

static const char *state_of(const struct control *c, const struct model_profile *p, const struct model_target *t)
{
	return t->enabled && t->drain.since_s ? "draining" : state_word(c, p, t->trunk_id);
}

static json_t *known(double value)
{
	return value < 0 ? json_null() : json_real((double)(int64_t)(value * 10 + 0.5) / 10);
}

/* What became of its calls lately, and what usually does (health/quality.h). */
static json_t *quality_json(const struct control *c, uint32_t profile, uint32_t trunk)
{
	struct quality_view v;

	if (!quality_view(c->quality, profile, trunk, &v))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "answered_percent", known(v.answered), "answered_percent_usual",
			 known(v.answered_usual), "short_percent", known(v.brief), "short_percent_usual", known(v.brief_usual),
			 "trouble_percent", known(v.causes), "trouble_percent_usual", known(v.causes_usual), "duration_s",
			 known(v.duration_s), "duration_s_usual", known(v.duration_usual_s));
}

static json_t *unix_json(uint64_t seconds)
{
	char text[CDR_TIME_MAX];

	cdr_time(seconds * 1000, text);
	return seconds ? json_string(text) : json_null();
}

/* What the operator did to the target holds for its endpoints too, as far as this target's calls go: "state", beside their health. */
static void add_operators_wish(const struct model_target *t, json_t *json)
{
	const char *wish = !t->enabled ? "disabled" : t->drain.since_s ? "draining" : NULL;
	json_t *endpoint;
	size_t i;

	json_array_foreach(json_object_get(json, "endpoints"), i, endpoint)
		json_object_set_new(endpoint, "state", wish ? json_string(wish) : json_incref(json_object_get(endpoint, "health")));
	json_object_set_new(json, "drain", t->drain.since_s ? json_pack("{s:o, s:o}", "since", unix_json(t->drain.since_s), "deadline",
									unix_json(t->drain.deadline_s)) : json_null());
}

static json_t *target_json(const struct control *c, const struct model_profile *p, const struct model_target *t)
{
	const struct model_trunk *trunk = model_trunk_by_id(c->routing->expanded, t->trunk_id);
	char name[PROFILE_NAME_MAX + TRUNK_NAME_MAX];
	uint32_t slot = publish_target_slot(c->routing->publisher, p->id, t->trunk_id);
	struct target_stats s;
	json_t *json;

	dataplane_target_stats(c->dataplane, slot, &s);
	snprintf(name, sizeof(name), "%s/%s", p->name, trunk->name);
	json = json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "target", name, "profile",
			 p->name, "trunk", trunk->name, "position", t->position, "weight", t->weight, "enabled", t->enabled, "state",
			 state_of(c, p, t), "attempts", (json_int_t)s.attempts, "answered", (json_int_t)s.answered, "rejected",
			 (json_int_t)s.rejected, "failed", (json_int_t)s.failed, "timeouts", (json_int_t)s.timeouts, "rescued_away",
			 (json_int_t)s.rescued_away, "live", (json_int_t)s.live, "ringing", (json_int_t)s.ringing, "endpoints",
			 endpoints_json(c, trunk));
	if (json) {
		add_limits(c, t, slot, json);
		add_operators_wish(t, json);
		json_object_set_new(json, "quality", quality_json(c, p->id, t->trunk_id));
	}
	return json;
}

int operation_targets(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	const struct model *m = c->routing->model;
	json_t *list = json_array();

	for (uint32_t i = 0; i < m->profile_count; i++)
		for (unsigned j = 0; j < m->profiles[i].target_count; j++)
			json_array_append_new(list, target_json(c, &m->profiles[i], &m->profiles[i].targets[j]));
	*ret_result = list;
	return 0;
}

struct model_target *target_find(const struct model *m, const char *name, struct model_profile **ret_profile, char *error)
{
	const char *slash = strchr(name, '/');
	char profile[PROFILE_NAME_MAX];
	struct model_target *t;

	if (!slash || (size_t)(slash - name) >= sizeof(profile)) {
		error_set(error, -ERR_INVALID, "target: '%.64s' is not PROFILE/TRUNK", name);
		return NULL;
	}
	snprintf(profile, sizeof(profile), "%.*s", (int)(slash - name), name);
	*ret_profile = model_profile(m, profile);
	t = *ret_profile ? model_target(*ret_profile, slash + 1) : NULL;
	if (!*ret_profile)
		error_set(error, -ERR_NOT_FOUND, "target: no profile named %s", profile);
	else if (!t)
		error_set(error, -ERR_NOT_FOUND, "target: profile %s has no target %.64s", (*ret_profile)->name, slash + 1);
	return t;
}

/* What is given, checked, into the target. */
static int set_numbers(const json_t *params, struct model_target *target, char *error)
{
	uint32_t weight = target->weight;
	const struct {
		const char *key;
		json_int_t max;
		uint32_t *to;
	} numbers[] = {
		{ "weight", 65535, &weight },
		{ "max_calls", MAX_CALLS_MOST, &target->max_calls },
		{ "max_cps", MAX_CPS_MOST, &target->max_cps },
	};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		json_int_t value = param_integer(params, numbers[i].key, *numbers[i].to);

		if (value < 0 || value > numbers[i].max)
			return error_set(error, -ERR_INVALID, "%s: %lld is not in 0..%lld", numbers[i].key, (long long)value,
					 (long long)numbers[i].max);
		*numbers[i].to = (uint32_t)value;
	}
	target->weight = (uint16_t)weight;
	return 0;
}

static int set_target(const json_t *params, struct model_target *target, char *error)
{
	const char *region = param_text(params, "region");
	int err = set_numbers(params, target, error);

	if (err)
		return err;
	if (param_given(params, "probe"))
		err = probe_settings_read(json_object_get(params, "probe"), "probe", &target->probe, error);
	if (err)
		return err;
	if (param_given(params, "enabled"))
		target->enabled = json_is_true(json_object_get(params, "enabled"));
	if (region && !model_name_valid(region))
		return error_set(error, -ERR_INVALID, "region: '%.64s' is not a name", region);
	if (param_given(params, "region"))
		snprintf(memset(target->region, 0, sizeof(target->region)), sizeof(target->region), "%s", region ? region : "");
	return 0;
}

int operation_target_set(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct model_profile *profile;
	struct model_target *target;
	struct model *candidate;
	uint32_t id;
	int err;

	if (json_object_size(params) < 2)
		return error_set(error, -ERR_INVALID, "target.set: needs enabled, weight, max_calls, max_cps, region or probe");
	if (!target_find(c->routing->model, param_text(params, "target"), &profile, error))
		return -ERR_NOT_FOUND;
	candidate = model_copy(c->routing->model);
	if (!candidate)
		return error_set(error, -ERR_NOMEM, "out of memory");
	target = target_find(candidate, param_text(params, "target"), &profile, error);
	err = set_target(params, target, error);
	if (err) {
		model_free(candidate);
		return err;
	}
	id = profile->id;
	err = change_commit(c, candidate, id, false, ret_result, error);
	if (!err) {
		profile = model_profile_by_id(c->routing->model, id);
		target = target_find(c->routing->model, param_text(params, "target"), &profile, error);
		json_object_set_new(*ret_result, "target", target_json(c, profile, target));
	}
	return err;
}
