/* SPDX-License-Identifier: Apache-2.0 */
#include "model/diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "model/drain.h"
#include "model/model.h"
#include "model/model_json.h"
#include "model/number_map.h"
#include "sip/via.h"

void diff_init(struct diff *d)
{
	memset(d, 0, sizeof(*d));
}

void diff_done(struct diff *d)
{
	for (uint32_t i = 0; i < d->count; i++) {
		free(d->changes[i].name);
		free(d->changes[i].from);
		free(d->changes[i].to);
	}
	free(d->changes);
	diff_init(d);
}

static char *duplicate(struct diff *d, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		d->error = -ERR_NOMEM;
	return copy;
}

static void note(struct diff *d, enum diff_op op, const char *kind, const char *name, const char *field, const char *from, const char *to)
{
	d->total++;
	if (d->count >= DIFF_LISTED_MAX)
		return;
	if (d->count == d->room) {
		uint32_t room = d->room ? 2 * d->room : 16;
		struct diff_change *more = realloc(d->changes, room * sizeof(*more));

		if (!more) {
			d->error = -ERR_NOMEM;
			return;
		}
		d->changes = more;
		d->room = room;
	}
	d->changes[d->count++] = (struct diff_change){ op, kind, duplicate(d, name), field, duplicate(d, from), duplicate(d, to) };
}

/* Newly allocated, as people read it; NULL: no memory. */
static char *value_text(const char *key, const json_t *value)
{
	char drain[MODEL_DRAIN_TEXT_MAX];

	if (strcmp(key, "drain") == 0) {
		model_drain_text(value, drain);
		return strdup(drain);
	}
	if (!value || json_is_string(value))
		return strdup(value ? json_string_value(value) : "none");
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Compares two JSON forms of one element key by key, so that a field that is added to the form is never forgotten here. Keys whose
 * value is a list of named things are left to the caller. */
static void diff_fields(struct diff *d, const char *kind, const char *name, json_t *from, json_t *to, const char *skip)
{
	static const char *const keys[] = { "name", "profile", "request_uri", "host", "large_requests", "connection_reuse", "number_plan",
					    "probe", "tls", "sources", "strategy",
					    "response_timeout_ms", "progress_timeout_ms", "ring_timeout_s", "setup_budget_s",
					    "max_retries", "max_attempts", "exhausted_code", "retry_after_progress", "decline_scope",
					    "follow_redirects", "retry_codes", "retry_budget", "regions",
					    "trunk", "position", "weight", "enabled", "max_calls", "max_cps", "region", "drain", "priority" };

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *a = json_object_get(from, keys[i]), *b = json_object_get(to, keys[i]);
		char *x, *y;

		if ((!a && !b) || (a && b && json_equal(a, b)) || strcmp(keys[i], skip) == 0)
			continue;
		x = value_text(keys[i], a);
		y = value_text(keys[i], b);
		note(d, DIFF_CHANGE, kind, name, keys[i], x, y);
		free(x);
		free(y);
	}
}

static void endpoint_name(const struct model_trunk *t, const struct model_endpoint *e, char *out, size_t bytes)
{
	bool plain = e->transport == TRANSPORT_UDP;
	char address[IP_PORT_TEXT_MAX];

	ip_port_format(&e->addr, address);
	snprintf(out, bytes, "%s/%s%s%s%s", t->name, address, plain ? "" : " (", plain ? "" : transport_name(e->transport), plain ? "" : ")");
}

static const struct model_endpoint *find_endpoint(const struct model_trunk *t, uint32_t id)
{
	for (unsigned i = 0; i < t->endpoint_count; i++)
		if (t->endpoints[i].id == id)
			return &t->endpoints[i];
	return NULL;
}

static void diff_endpoints(struct diff *d, const struct model_trunk *from, const struct model_trunk *to)
{
	char name[2 * TRUNK_NAME_MAX + IP_PORT_TEXT_MAX], a[32], b[32];

	for (unsigned i = 0; i < to->endpoint_count; i++) {
		const struct model_endpoint *e = &to->endpoints[i], *was = find_endpoint(from, e->id);

		endpoint_name(to, e, name, sizeof(name));
		if (!was) {
			note(d, DIFF_ADD, "endpoint", name, NULL, NULL, NULL);
			continue;
		}
		snprintf(a, sizeof(a), "%u/%u", was->priority, was->weight);
		snprintf(b, sizeof(b), "%u/%u", e->priority, e->weight);
		if (strcmp(a, b) != 0)
			note(d, DIFF_CHANGE, "endpoint", name, "priority/weight", a, b);
	}
	for (unsigned i = 0; i < from->endpoint_count; i++) {
		if (find_endpoint(to, from->endpoints[i].id))
			continue;
		endpoint_name(from, &from->endpoints[i], name, sizeof(name));
		note(d, DIFF_REMOVE, "endpoint", name, NULL, NULL, NULL);
	}
}

static void host_name(const struct model_trunk *t, const struct model_host *h, char *out, size_t bytes)
{
	int n = snprintf(out, bytes, "%s/%s", t->name, h->name);

	if (h->port)
		n += snprintf(out + n, bytes - (size_t)n, ":%u", h->port);
	if (h->transport != TRANSPORT_UNSAID)
		snprintf(out + n, bytes - (size_t)n, " (%s)", transport_name(h->transport));
}

static const struct model_host *find_host(const struct model_trunk *t, const struct model_host *like)
{
	for (unsigned i = 0; i < t->host_count; i++)
		if (strcmp(t->hosts[i].name, like->name) == 0 && t->hosts[i].port == like->port && t->hosts[i].transport == like->transport)
			return &t->hosts[i];
	return NULL;
}

/* Endpoints by name are the operator's; where DNS says that they are is no change of his. */
static void diff_hosts(struct diff *d, const struct model_trunk *from, const struct model_trunk *to)
{
	char name[TRUNK_NAME_MAX + DNS_TEXT_MAX + 32], a[32], b[32];

	for (unsigned i = 0; i < to->host_count; i++) {
		const struct model_host *h = &to->hosts[i], *was = find_host(from, h);

		host_name(to, h, name, sizeof(name));
		if (!was) {
			note(d, DIFF_ADD, "endpoint", name, NULL, NULL, NULL);
			continue;
		}
		snprintf(a, sizeof(a), "%u/%u", was->priority, was->weight);
		snprintf(b, sizeof(b), "%u/%u", h->priority, h->weight);
		if (strcmp(a, b) != 0)
			note(d, DIFF_CHANGE, "endpoint", name, "priority/weight", a, b);
	}
	for (unsigned i = 0; i < from->host_count; i++) {
		if (find_host(to, &from->hosts[i]))
			continue;
		host_name(from, &from->hosts[i], name, sizeof(name));
		note(d, DIFF_REMOVE, "endpoint", name, NULL, NULL, NULL);
	}
}

static void diff_trunks(struct diff *d, const struct model *from, const struct model *to)
{
	for (uint32_t i = 0; i < to->trunk_count; i++) {
		const struct model_trunk *t = &to->trunks[i], *was = model_trunk_by_id(from, t->id);
		json_t *a, *b;

		if (!was) {
			note(d, DIFF_ADD, "trunk", t->name, NULL, NULL, NULL);
			continue;
		}
		if (memcmp(was, t, sizeof(*t)) == 0)
			continue;
		a = model_trunk_json(was);
		b = model_trunk_json(t);
		diff_fields(d, "trunk", t->name, a, b, "");
		json_decref(a);
		json_decref(b);
		diff_endpoints(d, was, t);
		diff_hosts(d, was, t);
	}
	for (uint32_t i = 0; i < from->trunk_count; i++)
		if (!model_trunk_by_id(to, from->trunks[i].id))
			note(d, DIFF_REMOVE, "trunk", from->trunks[i].name, NULL, NULL, NULL);
}

static json_t *target_json(json_t *profile, const char *trunk)
{
	json_t *target;
	size_t i;

	json_array_foreach(json_object_get(profile, "targets"), i, target)
		if (strcasecmp(json_string_value(json_object_get(target, "trunk")), trunk) == 0)
			return target;
	return NULL;
}

static void diff_targets(struct diff *d, const struct model_profile *from, const struct model_profile *to, json_t *a, json_t *b)
{
	char name[PROFILE_NAME_MAX + TRUNK_NAME_MAX];

	for (unsigned i = 0; i < to->target_count; i++) {
		json_t *was = target_json(a, to->targets[i].trunk);

		snprintf(name, sizeof(name), "%s/%s", to->name, to->targets[i].trunk);
		if (!was)
			note(d, DIFF_ADD, "target", name, NULL, NULL, NULL);
		else
			diff_fields(d, "target", name, was, target_json(b, to->targets[i].trunk), "trunk");
	}
	for (unsigned i = 0; i < from->target_count; i++) {
		if (target_json(b, from->targets[i].trunk))
			continue;
		snprintf(name, sizeof(name), "%s/%s", from->name, from->targets[i].trunk);
		note(d, DIFF_REMOVE, "target", name, NULL, NULL, NULL);
	}
}

/* Targets of equal position keep the order in which they are listed, so order is a change of its own. */
static bool same_order(const struct model_profile *a, const struct model_profile *b)
{
	if (a->target_count != b->target_count)
		return true;
	for (unsigned i = 0; i < a->target_count; i++)
		if (!model_target((struct model_profile *)a, b->targets[i].trunk))
			return true;
	for (unsigned i = 0; i < a->target_count; i++)
		if (a->targets[i].trunk_id != b->targets[i].trunk_id)
			return false;
	return true;
}

static void order_text(const struct model_profile *p, char *out, size_t bytes)
{
	size_t used = 0;

	out[0] = 0;
	for (unsigned i = 0; i < p->target_count && used < bytes; i++)
		used += (size_t)snprintf(out + used, bytes - used, "%s%s", i ? ", " : "", p->targets[i].trunk);
}

static void diff_profile(struct diff *d, const struct model_profile *was, const struct model_profile *p)
{
	json_t *a = model_profile_json(was), *b = model_profile_json(p);

	diff_fields(d, "profile", p->name, a, b, "");
	diff_targets(d, was, p, a, b);
	if (!same_order(was, p)) {
		char from[1024], to[1024];

		order_text(was, from, sizeof(from));
		order_text(p, to, sizeof(to));
		note(d, DIFF_CHANGE, "profile", p->name, "order", from, to);
	}
	json_decref(a);
	json_decref(b);
}

static void diff_profiles(struct diff *d, const struct model *from, const struct model *to)
{
	for (uint32_t i = 0; i < to->profile_count; i++) {
		const struct model_profile *p = &to->profiles[i], *was = model_profile_by_id(from, p->id);

		if (!was)
			note(d, DIFF_ADD, "profile", p->name, NULL, NULL, NULL);
		else if (memcmp(was, p, sizeof(*p)) != 0)
			diff_profile(d, was, p);
	}
	for (uint32_t i = 0; i < from->profile_count; i++)
		if (!model_profile_by_id(to, from->profiles[i].id))
			note(d, DIFF_REMOVE, "profile", from->profiles[i].name, NULL, NULL, NULL);
}

struct number_walk {
	struct diff *d;
	const struct model *from, *to;
	const char *kind;
};

static int note_number(void *ctx, e164 number, uint32_t was, uint32_t is)
{
	struct number_walk *w = ctx;
	const char *before = was == NUMBER_MAP_NONE ? NULL : model_profile_name(w->from, was);
	const char *after = is == NUMBER_MAP_NONE ? NULL : model_profile_name(w->to, is);
	char text[E164_TEXT_MAX];

	e164_format(number, text);
	if (!before)
		note(w->d, DIFF_ADD, w->kind, text, NULL, NULL, after);
	else if (!after)
		note(w->d, DIFF_REMOVE, w->kind, text, NULL, before, NULL);
	else
		note(w->d, DIFF_CHANGE, w->kind, text, "profile", before, after);
	return 0;
}

static const struct model_domain *find_domain(const struct model *m, const char *name)
{
	uint32_t low = 0, high = m->domain_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(m->domains[middle].name, name);

		if (!order)
			return &m->domains[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void diff_domains(struct diff *d, const struct model *from, const struct model *to)
{
	for (uint32_t i = 0; i < to->domain_count; i++) {
		const struct model_domain *is = &to->domains[i], *was = find_domain(from, is->name);
		const char *profile = model_profile_name(to, is->profile_id);

		if (!was)
			note(d, DIFF_ADD, "domain", is->name, NULL, NULL, profile);
		else if (was->profile_id != is->profile_id)
			note(d, DIFF_CHANGE, "domain", is->name, "profile", model_profile_name(from, was->profile_id), profile);
	}
	for (uint32_t i = 0; i < from->domain_count; i++)
		if (!find_domain(to, from->domains[i].name))
			note(d, DIFF_REMOVE, "domain", from->domains[i].name, NULL,
			     model_profile_name(from, from->domains[i].profile_id), NULL);
}

void diff_models(struct diff *d, const struct model *from, const struct model *to)
{
	struct number_walk exact = { d, from, to, "number" }, prefixes = { d, from, to, "prefix" };

	diff_trunks(d, from, to);
	diff_profiles(d, from, to);
	diff_domains(d, from, to);
	number_map_diff(from->prefixes, to->prefixes, note_number, &prefixes);
	number_map_diff(from->numbers, to->numbers, note_number, &exact);
}

char *diff_line(const struct diff_change *c)
{
	char *line = NULL;
	int n;

	if (c->op == DIFF_CHANGE)
		n = asprintf(&line, "~ %s %s: %s %s → %s", c->kind, c->name, c->field, c->from, c->to);
	else if (c->op == DIFF_ADD)
		n = asprintf(&line, "+ %s %s%s%s", c->kind, c->name, c->to ? " → " : "", c->to ? c->to : "");
	else
		n = asprintf(&line, "- %s %s%s%s", c->kind, c->name, c->from ? " → " : "", c->from ? c->from : "");
	return n < 0 ? NULL : line;
}

json_t *diff_json(const struct diff *d)
{
	static const char *const ops[] = { "add", "remove", "change" };
	json_t *list = json_array();

	for (uint32_t i = 0; i < d->count; i++) {
		const struct diff_change *c = &d->changes[i];
		char *line = diff_line(c);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s}", "op", ops[c->op], "kind", c->kind, "name",
						      c->name, "field", c->field, "from", c->from, "to", c->to, "text", line ? line : ""));
		free(line);
	}
	return json_pack("{s:I, s:o}", "total", (json_int_t)d->total, "changes", list);
}
