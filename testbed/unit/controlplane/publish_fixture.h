/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Real tables behind a publisher, and what readers find in them. */

#include "fixture.h"

#include "model/number_map.h"
#include "model/publish.h"
#include "tables/access.h"
#include "tables/domains.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"
#include "tables/numbers.h"
#include "tables/profiles.h"
#include "tables/select.h"
#include "tables/tables.h"
#include "tables/trunks.h"

static const struct tables_limits room = { .workers = 1, .numbers = 64, .prefixes = 8, .profiles = 8, .trunks = 8, .endpoints = 12 };

struct stage {
	struct tables *tables;
	struct publisher *publisher;
	struct model *model; /* in force */
	unsigned resets;
};

static bool always_idle(void *ctx, uint32_t slot)
{
	return true;
}

static void count_reset(void *ctx, uint32_t slot)
{
	struct stage *s = ctx;

	s->resets++;
}

/* As whom an endpoint is verified: a number made of the trunk's tls.name. */
static uint32_t peer_of(void *ctx, const struct model_trunk *t, const struct model_endpoint *e)
{
	return 100 + (uint32_t)strlen(t->tls.name);
}

static inline void set_up(struct stage *s)
{
	static const struct number_plan plan = { .country_code = "44" };
	const struct publish_hooks hooks = { always_idle, count_reset, s, 16, NULL, peer_of, NULL };

	memset(s, 0, sizeof(*s));
	s->tables = tables_new(&room);
	assert_non_null(s->tables);
	s->publisher = publisher_new(s->tables, &hooks, &plan);
	s->model = model_new();
}

static inline void tear_down(struct stage *s)
{
	model_free(s->model);
	publisher_free(s->publisher);
	tables_free(s->tables);
}

/* No worker is online, so what was retired can go at once. */
static inline int put(struct stage *s, const char *text, char *error)
{
	struct model *to = model_of(text);
	int err = publish_model(s->publisher, s->model, to, error);

	if (err) {
		model_free(to);
	} else {
		model_free(s->model);
		s->model = to;
	}
	epoch_reclaim(s->tables->epoch);
	return err;
}

/* Where a call to a number or domain would go: "profile>address,address"; "-" when nothing matches. */
static inline void route(const struct stage *s, const char *number, const char *domain, char *out)
{
	struct number_match m = { .profile_slot = NUMBERS_NONE };
	struct selection_state state;
	struct selection chosen;
	const struct profile *p;
	uint32_t slot;

	if (number)
		m = numbers_lookup(s->tables->numbers, number_of(number));
	slot = domain ? domains_lookup(domain_table_get(s->tables->domains), span_str(domain)) : m.profile_slot;
	strcpy(out, "-");
	if (slot == PROFILE_NONE)
		return;
	p = profiles_get(s->tables->profiles, slot);
	assert_non_null(p);
	sprintf(out, "%s>", p->name);
	selection_start(&state, 0);
	while (select_next(p, s->tables->endpoints, 0, &state, &chosen) == 0) {
		const struct endpoint_config *e = endpoints_get(s->tables->endpoints, chosen.endpoint);
		char text[IP_PORT_TEXT_MAX];

		assert_non_null(e);
		assert_non_null(trunks_get(s->tables->trunks, e->trunk_slot));
		ip_port_format(&e->addr, text);
		strcat(strcat(out, text), " ");
	}
}

static inline void expect_route(const struct stage *s, const char *number, const char *domain, const char *want)
{
	char got[512];

	route(s, number, domain, got);
	assert_string_equal(got, want);
}

/* The name of the trunk that a source belongs to, or "-". */
static inline const char *owner(const struct stage *s, const char *source)
{
	struct ip_addr ip = ip_of(source);
	uint32_t slot = access_lookup(s->tables->access, &ip);

	return slot == TRUNK_NONE ? "-" : trunks_get(s->tables->trunks, slot)->name;
}

#define TRUNKS                                                                                                                                \
	"trunks:\n"                                                                                                                           \
	"  - {name: a, endpoints: [{address: 10.0.0.2, priority: 1}, {address: 10.0.0.1}], sources: [10.0.0.0/24], profile: in}\n"           \
	"  - {name: b, endpoints: [{address: 10.0.1.1}], sources: [10.0.1.0/24], number_plan: {country_code: '1'}}\n"
#define PROFILES "profiles: [{name: in, targets: [{trunk: a}, {trunk: b}]}, {name: out, targets: [{trunk: b}]}]\n"
#define NUMBERS	 "numbers: [{number: '441', profile: in}, {number: '442', profile: out}, {prefix: '49', profile: out}]\n"
#define DOMAINS	 "domains: [{domain: example.com, profile: in}]\n"
#define WHOLE	 TRUNKS PROFILES NUMBERS DOMAINS

static inline void expect_whole(const struct stage *s)
{
	expect_route(s, "441", NULL, "in>10.0.0.1:5060 10.0.0.2:5060 10.0.1.1:5060 ");
	expect_route(s, "442", NULL, "out>10.0.1.1:5060 ");
	expect_route(s, "499", NULL, "out>10.0.1.1:5060 ");
	expect_route(s, "33", NULL, "-");
	expect_route(s, NULL, "EXAMPLE.com", "in>10.0.0.1:5060 10.0.0.2:5060 10.0.1.1:5060 ");
	assert_string_equal(owner(s, "10.0.0.9"), "a");
	assert_string_equal(owner(s, "10.0.1.9"), "b");
	assert_string_equal(owner(s, "10.0.2.9"), "-");
}
