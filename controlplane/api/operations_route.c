/* SPDX-License-Identifier: Apache-2.0 */
/* Where would this call go, and why? Walks the functions that the data plane uses, and changes nothing. */
#include <stdio.h>
#include <string.h>

#include "api/change.h"
#include "api/control.h"
#include "api/handlers.h"
#include "api/operations.h"
#include "base/err.h"
#include "config.h"
#include "error.h"
#include "routing.h"
#include "sip/uri.h"
#include "sip/via.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/loads.h"
#include "tables/numbers.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "tables/trunks.h"

struct walk {
	struct control *c;
	const struct tables *t;
	const struct trunk *trunk; /* NULL: no source was given */
	const struct number_plan *plan;
	bool sips;    /* only what is reached by TLS will do */
	json_t *says; /* the result so far */
	char *error;
};

static int refuse(struct walk *w, int status, const char *reason)
{
	json_object_set_new(w->says, "verdict", json_string("refused"));
	json_object_set_new(w->says, "status", json_integer(status));
	json_object_set_new(w->says, "reason", json_string(reason));
	return 1;
}

/* The address in "sip:user@10.0.0.1", or a bare one. */
static bool address_of(const char *text, struct ip_addr *ret)
{
	struct sip_uri uri;

	if (ip_parse(span_str(text), ret) == 0)
		return true;
	if (uri_parse(span_str(text), &uri) || (uri.scheme != URI_SIP && uri.scheme != URI_SIPS) || uri.host_kind == HOST_NAME)
		return false;
	*ret = uri.ip;
	return true;
}

/* 0: go on; 1: refused; negative: an error. */
static int find_source(struct walk *w, const char *source, const char *from)
{
	char text[IP_TEXT_MAX + 2], reason[128];
	struct ip_addr ip;
	uint32_t slot;

	if (source && ip_parse(span_str(source), &ip))
		return error_set(w->error, -ERR_INVALID, "source: '%.64s' is not an IP address", source);
	if (!source && !address_of(from, &ip)) {
		json_object_set_new(w->says, "source", json_null());
		return 0;
	}
	ip_format(&ip, false, text);
	slot = access_lookup(w->t->access, &ip);
	w->trunk = slot == TRUNK_NONE ? NULL : trunks_get(w->t->trunks, slot);
	json_object_set_new(w->says, "source", json_pack("{s:s, s:s?}", "address", text, "trunk", w->trunk ? w->trunk->name : NULL));
	if (w->trunk) {
		w->plan = &w->trunk->plan;
		return 0;
	}
	snprintf(reason, sizeof(reason), "no trunk has %s among its sources%s", text,
		 w->c->config->dataplane.unknown_source == UNKNOWN_SOURCE_SILENT ? " (not answered: access.unknown_source is silent)" : "");
	return refuse(w, 403, reason);
}

static void matched(struct walk *w, const char *by, const char *value)
{
	json_object_set_new(w->says, "matched", json_pack("{s:s, s:s}", "by", by, "value", value));
}

static uint32_t match_number(struct walk *w, e164 number)
{
	struct number_match m = numbers_lookup(w->t->numbers, number);
	char text[E164_TEXT_MAX];

	e164_format(number, text);
	json_object_set_new(w->says, "number", json_string(text));
	if (m.profile_slot == NUMBERS_NONE)
		return PROFILE_NONE;
	if (!m.exact)
		e164_format(e164_truncate(number, m.prefix_digits), text);
	matched(w, m.exact ? "number" : "prefix", text);
	return m.profile_slot;
}

/* What was dialled: a URI, a user part that dials a number, or a domain. */
static int read_dialled(const struct walk *w, const char *to, e164 *ret_number, struct span *ret_host)
{
	struct sip_uri uri;
	char whole[512];

	*ret_number = 0;
	*ret_host = span_of("", 0);
	if (strncasecmp(to, "sip:", 4) && strncasecmp(to, "sips:", 5) && strncasecmp(to, "tel:", 4)) {
		if (!strchr(to, '@')) {
			if (number_from_user(span_str(to), w->plan, ret_number))
				*ret_host = span_str(to);
			return 0;
		}
		snprintf(whole, sizeof(whole), "sip:%s", to);
		if (strlen(to) + 5 > sizeof(whole) || uri_parse(span_str(whole), &uri))
			return error_set(w->error, -ERR_INVALID, "to: '%.64s' is neither a number, a URI nor a domain", to);
		*ret_host = span_of(strchr(to, '@') + 1, uri.host.n);
	} else {
		if (uri_parse(span_str(to), &uri))
			return error_set(w->error, -ERR_INVALID, "to: '%.64s' is not a URI", to);
		if (uri.scheme != URI_TEL)
			*ret_host = uri.host;
	}
	if (number_from_uri(&uri, w->plan, ret_number))
		*ret_number = 0;
	return uri.scheme == URI_SIPS ? 1 : 0;
}

static bool has_tls(const struct walk *w)
{
	const struct dataplane_config *config = &w->c->config->dataplane;

	for (unsigned i = 0; i < config->listener_count; i++)
		if (config->listeners[i].transport == TRANSPORT_TLS)
			return true;
	return false;
}

/* As the data plane does: number, domain, source trunk, in that order. */
static int find_profile(struct walk *w, const char *to, uint32_t *ret_slot)
{
	uint32_t slot = PROFILE_NONE;
	struct span host;
	e164 number;
	int sips = read_dialled(w, to, &number, &host);

	if (sips < 0)
		return sips;
	w->sips = sips;
	if (sips && !has_tls(w))
		return refuse(w, 416, "sips asks for TLS all the way, and there is no listener of it");
	if (number)
		slot = match_number(w, number);
	if (slot == PROFILE_NONE && host.n) {
		slot = domains_lookup(domain_table_get(w->t->domains), host);
		if (slot != PROFILE_NONE) {
			char name[256];

			snprintf(name, sizeof(name), "%.*s", (int)host.n, (const char *)host.p);
			matched(w, "domain", name);
		}
	}
	if (slot == PROFILE_NONE && w->trunk) {
		slot = w->trunk->profile_slot;
		if (slot != PROFILE_NONE)
			matched(w, "trunk", w->trunk->name);
	}
	if (slot == PROFILE_NONE)
		return refuse(w, 404, w->trunk ? "neither number, domain nor source trunk leads to a profile" :
						 "neither number nor domain leads to a profile (the source trunk was not asked: no source given)");
	*ret_slot = slot;
	return 0;
}

static uint64_t choose_hash(struct walk *w, const struct profile *p, uint32_t slot, const char *call_id)
{
	uint64_t ticket;

	if (p->strategy == STRATEGY_ROUND_ROBIN) {
		ticket = profiles_ticket_peek(w->t->profiles, slot);
		json_object_set_new(w->says, "ticket", json_integer((json_int_t)ticket));
		return ticket;
	}
	if (!call_id)
		call_id = "dry-run";
	json_object_set_new(w->says, "call_id", json_string(call_id));
	return dataplane_call_hash(w->c->dataplane, call_id, strlen(call_id));
}

static json_t *target_name(const struct walk *w, const struct profile *p, unsigned target)
{
	const struct trunk *trunk = trunks_get(w->t->trunks, p->targets[target].trunk_slot);

	return json_sprintf("%s/%s", p->name, trunk ? trunk->name : "?");
}

static const struct model_target *target_of(const struct walk *w, const struct profile *p, unsigned target)
{
	const struct trunk *trunk = trunks_get(w->t->trunks, p->targets[target].trunk_slot);
	struct model_profile *profile = model_profile(w->c->routing->model, p->name);

	return trunk && profile ? model_target(profile, trunk->name) : NULL;
}

/* What a target's place among the others depends on: {"max_calls", "calls", "max_cps", "cps", "region", "tier"}, of those that apply. */
static void add_place(const struct walk *w, const struct profile *p, unsigned target, json_t *json)
{
	const struct profile_target *t = &p->targets[target];
	const struct model_target *m = target_of(w, p, target);

	if (t->max_calls)
		json_object_set_new(json, "max_calls", json_integer(t->max_calls));
	if (t->max_calls || p->strategy == STRATEGY_LEAST_CALLS)
		json_object_set_new(json, "calls", json_integer(loads_calls(w->t->loads, t->target_slot)));
	if (t->max_cps) {
		json_object_set_new(json, "max_cps", json_integer(t->max_cps));
		json_object_set_new(json, "cps", json_integer(loads_rate(w->t->loads, t->target_slot, dataplane_now_ms())));
	}
	if (m && m->region[0])
		json_object_set_new(json, "region", json_string(m->region));
	if (p->tiers)
		json_object_set_new(json, "tier", json_integer(t->tier));
}

static json_t *attempts_json(const struct walk *w, const struct profile *p, uint64_t hash, uint32_t *ret_reached)
{
	uint64_t now = dataplane_now_ms();
	struct selection_state state;
	struct selection chosen;
	json_t *list = json_array(), *attempt;

	*ret_reached = 0;
	selection_start(&state, hash);
	state.tls_only = w->sips;
	while (json_array_size(list) < ATTEMPTS_MAX) {
		bool found = select_next(p, w->t->endpoints, now, &state, &chosen) == 0;
		bool last_resort = !found && w->c->config->dataplane.ejection.last_resort;
		char text[IP_PORT_TEXT_MAX];

		if (!found && (!last_resort || select_ejected(p, w->t->endpoints, now, &state, &chosen)))
			break;
		ip_port_format(&endpoints_get(w->t->endpoints, chosen.endpoint)->addr, text);
		*ret_reached |= 1u << chosen.target;
		attempt = json_pack("{s:i, s:o, s:s}", "order", (int)json_array_size(list) + 1, "target", target_name(w, p, chosen.target),
				    "endpoint", text);
		if (last_resort) /* live traffic has taken out all that is left */
			json_object_set_new(attempt, "last_resort", json_true());
		add_place(w, p, chosen.target, attempt);
		json_array_append_new(list, attempt);
	}
	return list;
}

static bool reached_by_tls(const struct walk *w, const struct profile_target *t)
{
	for (unsigned i = 0; i < t->endpoint_count; i++)
		if (endpoints_get(w->t->endpoints, t->endpoints[i])->transport == TRANSPORT_TLS)
			return true;
	return false;
}

/* Why a target that could take the call is not asked. */
static const char *not_reached(const struct walk *w, const struct profile *p, unsigned target, uint32_t reached)
{
	if (w->sips && !reached_by_tls(w, &p->targets[target]))
		return "none of its endpoints is reached by TLS";
	for (unsigned i = 0; i < p->target_count; i++)
		if (reached >> i & 1 && p->targets[i].tier < p->targets[target].tier)
			return p->strategy == STRATEGY_SIMULTANEOUS_RING ? "a nearer region rings; it does when all of that have failed" :
									  "a nearer region comes first, and then max_retries or max_attempts are used up";
	return "beyond max_retries or max_attempts";
}

static json_t *limit_words(const struct walk *w, const struct profile_target *t)
{
	if (t->max_calls && loads_calls(w->t->loads, t->target_slot) >= t->max_calls)
		return json_sprintf("at its limit: %u of %u calls", loads_calls(w->t->loads, t->target_slot), t->max_calls);
	return json_sprintf("at its limit: %u of %u calls per second", loads_rate(w->t->loads, t->target_slot, dataplane_now_ms()), t->max_cps);
}

/* The tables know only that it is off. */
static const char *off_word(const struct walk *w, const json_t *name)
{
	struct model_profile *profile;
	char ignored[ERROR_TEXT_MAX];
	const struct model_target *t = target_find(w->c->routing->model, json_string_value(name), &profile, ignored);

	return t && t->enabled && t->drain.since_s ? "draining" : "disabled";
}

static json_t *left_out_json(const struct walk *w, const struct profile *p, uint32_t reached)
{
	json_t *list = json_array(), *left;

	for (unsigned i = 0; i < p->target_count; i++) {
		const char *reason = select_refusal(p, i, w->t->endpoints, dataplane_now_ms());

		if (reached >> i & 1)
			continue;
		left = json_pack("{s:o, s:s}", "target", target_name(w, p, i), "reason", reason ? reason : not_reached(w, p, i, reached));
		if (p->targets[i].limited && reason && strcmp(reason, "at its limit") == 0)
			json_object_set_new(left, "reason", limit_words(w, &p->targets[i]));
		if (!p->targets[i].enabled)
			json_object_set_new(left, "reason", json_string(off_word(w, json_object_get(left, "target"))));
		add_place(w, p, i, left);
		json_array_append_new(list, left);
	}
	return list;
}

/* Where the profile has one: how much of it is used. */
static void add_budget(const struct walk *w, const struct profile *p, uint32_t slot)
{
	struct retry_stats s;

	if (!p->knobs.retry_budget)
		return;
	dataplane_retries(w->c->dataplane, slot, p->id, &s);
	json_object_set_new(w->says, "retry_budget",
			    json_pack("{s:i, s:I, s:I, s:i, s:i}", "percent", p->knobs.retry_budget, "attempts", (json_int_t)s.attempts,
				      "retries", (json_int_t)s.retries, "window_s", (int)s.window_s, "floor", (int)s.floor));
}

/* Of weighted_lb: how much of the table each target has (of a profile with regions: of the table of its tier). */
static void add_shares(const struct walk *w, const struct profile *p)
{
	uint32_t slots[PROFILE_TARGETS_MAX] = { 0 };
	json_t *shares = json_object();

	for (unsigned k = 0; k < (p->tiers ? p->tier_count : 1); k++) {
		const uint8_t *table = p->tiers ? p->tiers[k].table : p->table;

		for (uint32_t i = 0; i < p->table_size; i++)
			if (table[i] < p->target_count)
				slots[table[i]]++;
	}
	for (unsigned i = 0; i < p->target_count; i++) {
		json_t *name = target_name(w, p, i);

		json_object_set_new(shares, json_string_value(name), json_real(100.0 * slots[i] / p->table_size));
		json_decref(name);
	}
	json_object_set_new(w->says, "shares_percent", shares);
}

static void explain_profile(struct walk *w, uint32_t slot, const char *call_id)
{
	const struct profile *p = profiles_get(w->t->profiles, slot);
	json_t *attempts;
	uint32_t reached;

	if (!p) {
		refuse(w, 404, "the profile is gone");
		return;
	}
	json_object_set_new(w->says, "profile", json_string(p->name));
	json_object_set_new(w->says, "strategy", json_string(strategy_name(p->strategy)));
	attempts = attempts_json(w, p, choose_hash(w, p, slot, call_id), &reached);
	if (p->table_size)
		add_shares(w, p);
	add_budget(w, p, slot);
	json_object_set_new(w->says, "left_out", left_out_json(w, p, reached));
	if (json_array_size(attempts))
		json_object_set_new(w->says, "verdict", json_string("routed"));
	else
		refuse(w, w->sips ? 480 : p->knobs.exhausted_code,
		       w->sips ? "no target of the profile can take a sips call now: it needs TLS" : "no target of the profile can take a call now");
	json_object_set_new(w->says, "attempts", attempts);
}

int operation_route(struct control *c, const json_t *params, json_t **ret_result, char *error)
{
	struct walk w = { .c = c, .t = dataplane_tables(c->dataplane), .plan = &c->config->number_plan, .error = error };
	const char *from = param_text(params, "from"), *to = param_text(params, "to");
	uint32_t slot = PROFILE_NONE;
	int err;

	w.says = json_pack("{s:s, s:s}", "from", from, "to", to);
	if (!w.says)
		return error_set(error, -ERR_NOMEM, "out of memory");
	err = find_source(&w, param_text(params, "source"), from);
	if (!err)
		err = find_profile(&w, to, &slot);
	if (!err)
		explain_profile(&w, slot, param_text(params, "call_id"));
	if (c->draining)
		json_object_set_new(w.says, "note", json_string("this node is draining: new calls get 503"));
	if (err < 0) {
		json_decref(w.says);
		return err;
	}
	*ret_result = w.says;
	return 0;
}
