/* SPDX-License-Identifier: Apache-2.0 */
#include "publish_fixture.h"

#include "sip/via.h"

#include "model/compile.h"
#include "model/expand.h"

static void publishes_everything(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct stage s;
	const struct trunk *t;

	set_up(&s);
	assert_int_equal(put(&s, WHOLE, error), 0);
	expect_whole(&s);
	t = trunks_get(s.tables->trunks, publish_trunk_slot(s.publisher, trunk_id(SPAN_LIT("a"))));
	assert_string_equal(profiles_get(s.tables->profiles, t->profile_slot)->name, "in");
	assert_string_equal(t->plan.country_code, "44");
	t = trunks_get(s.tables->trunks, publish_trunk_slot(s.publisher, trunk_id(SPAN_LIT("b"))));
	assert_string_equal(t->plan.country_code, "1");
	assert_int_equal(t->profile_slot, PROFILE_NONE);
	assert_int_equal(s.resets, 3);
	tear_down(&s);
}

static void removes_everything(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct stage s;

	set_up(&s);
	for (unsigned i = 0; i < 50; i++) { /* slots come back: otherwise the tables would be full by now */
		assert_int_equal(put(&s, WHOLE, error), 0);
		expect_whole(&s);
		assert_int_equal(put(&s, "", error), 0);
		expect_route(&s, "441", NULL, "-");
		expect_route(&s, NULL, "example.com", "-");
		assert_string_equal(owner(&s, "10.0.0.9"), "-");
		assert_int_equal(numbers_count(s.tables->numbers), 0);
		for (uint32_t k = 0; k < endpoints_max(s.tables->endpoints); k++)
			assert_null(endpoints_get(s.tables->endpoints, k));
	}
	tear_down(&s);
}

/* Health, ejection, tickets and statistics hang on slots: what did not change keeps its slot. */
static void keeps_slots(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	uint32_t a = trunk_id(SPAN_LIT("a")), b = trunk_id(SPAN_LIT("b")), in = trunk_id(SPAN_LIT("in")), endpoint, profile, target;
	struct ip_port addr = { .ip = ip_of("10.0.0.1"), .port = 5060 };
	struct stage s;
	uint32_t id;

	set_up(&s);
	assert_int_equal(put(&s, WHOLE, error), 0);
	id = endpoint_id(a, &addr, 0);
	endpoint = publish_endpoint_slot(s.publisher, a, id);
	profile = publish_profile_slot(s.publisher, in);
	target = publish_target_slot(s.publisher, in, a);
	atomic_store(&endpoints_live(s.tables->endpoints, endpoint)->health, ENDPOINT_DOWN);
	profiles_ticket(s.tables->profiles, profile);
	s.resets = 0;
	assert_int_equal(put(&s,
			     "trunks:\n"
			     "  - {name: a, endpoints: [{address: 10.0.0.3}, {address: 10.0.0.1, weight: 7}], sources: [10.0.9.0/24]}\n"
			     "  - {name: c, endpoints: [{address: 10.0.3.1}]}\n"
			     "profiles: [{name: new, targets: [{trunk: c}]}, {name: in, strategy: round_robin, targets: [{trunk: c}, {trunk: a}]}]\n"
			     "numbers: [{number: '441', profile: in}]\n",
			     error),
			 0);
	assert_int_equal(publish_endpoint_slot(s.publisher, a, id), endpoint);
	assert_int_equal(endpoints_get(s.tables->endpoints, endpoint)->weight, 7);
	assert_int_equal(endpoints_live(s.tables->endpoints, endpoint)->health, ENDPOINT_DOWN);
	assert_int_equal(publish_profile_slot(s.publisher, in), profile);
	assert_int_equal(profiles_ticket_peek(s.tables->profiles, profile), 1);
	assert_int_equal(publish_target_slot(s.publisher, in, a), target);
	assert_int_equal(publish_target_slot(s.publisher, in, b), UINT32_MAX);
	assert_int_equal(s.resets, 2); /* in/c and new/c */
	expect_route(&s, "441", NULL, "in>10.0.3.1:5060 10.0.0.3:5060 ");
	expect_route(&s, "442", NULL, "-");
	assert_string_equal(owner(&s, "10.0.9.9"), "a");
	assert_string_equal(owner(&s, "10.0.1.9"), "-");
	tear_down(&s);
}

static void single_numbers(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	uint32_t in = trunk_id(SPAN_LIT("in"));
	struct stage s;

	set_up(&s);
	assert_int_equal(put(&s, WHOLE, error), 0);
	assert_int_equal(publish_number(s.publisher, number_of("442"), false, in), 0);
	expect_route(&s, "442", NULL, "in>10.0.0.1:5060 10.0.0.2:5060 10.0.1.1:5060 ");
	assert_int_equal(publish_number(s.publisher, number_of("49"), true, NUMBER_MAP_NONE), 0);
	expect_route(&s, "499", NULL, "-");
	assert_int_equal(publish_number(s.publisher, number_of("49"), true, NUMBER_MAP_NONE), -ERR_NOT_FOUND);
	tear_down(&s);
}

/* Each runs into another bound of `room`; whatever was done before that is undone. */
static const struct {
	const char *text, *error;
} failures[] = {
	{ TRUNKS "  - {name: c}\n  - {name: d}\n  - {name: e}\n  - {name: f}\n  - {name: g}\n  - {name: h}\n  - {name: i}\n" PROFILES NUMBERS,
	  "trunk i: the table is full" },
	{ "trunks:\n"
	  "  - {name: a, endpoints: [{address: 10.0.0.1, weight: 9}], sources: [10.0.7.0/24]}\n"
	  "  - {name: b, endpoints: [{address: 10.0.5.1}, {address: 10.0.5.2}, {address: 10.0.5.3}, {address: 10.0.5.4}, {address: 10.0.5.5}, "
	  "{address: 10.0.5.6}, {address: 10.0.5.7}, {address: 10.0.5.8}, {address: 10.0.5.9}, {address: 10.0.5.10}]}\n" PROFILES,
	  "endpoint of trunk b: the table is full" },
	{ TRUNKS "profiles: [{name: in, strategy: weighted_lb, targets: [{trunk: b}]}, {name: p1, targets: [{trunk: a}]}, {name: p2}, {name: p3}, "
		 "{name: p4}, {name: p5}, {name: p6}, {name: p7}]\n"
		 "numbers: [{number: '441', profile: p1}]\n",
	  "profile p7: the table is full" },
	{ "trunks: [{name: a, endpoints: [{address: 10.0.6.6}], profile: out}, {name: c, endpoints: [{address: 10.0.7.7}], sources: [10.0.7.0/24]}]\n"
	  "profiles: [{name: out, targets: [{trunk: c}]}]\n"
	  "numbers: [{number: '442', profile: out}, {prefix: '1', profile: out}, {prefix: '2', profile: out}, {prefix: '3', profile: out}, "
	  "{prefix: '4', profile: out}, {prefix: '5', profile: out}, {prefix: '6', profile: out}, {prefix: '7', profile: out}, "
	  "{prefix: '8', profile: out}, {prefix: '9', profile: out}]\n"
	  "domains: [{domain: example.com, profile: out}, {domain: other.example, profile: out}]\n",
	  "prefix +" },
};

static void failure_leaves_all_as_it_was(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(failures); i++) {
		char error[ERROR_TEXT_MAX] = "";
		struct stage s;

		set_up(&s);
		assert_int_equal(put(&s, WHOLE, error), 0);
		for (unsigned again = 0; again < 3; again++) {
			assert_int_equal(put(&s, failures[i].text, error), -ERR_FULL);
			if (strncmp(error, failures[i].error, strlen(failures[i].error)) != 0)
				fail_msg("case %u: %s", i, error);
			expect_whole(&s);
			assert_int_equal(numbers_count(s.tables->numbers), 2);
		}
		assert_int_equal(put(&s, "", error), 0);
		assert_int_equal(put(&s, WHOLE, error), 0);
		expect_whole(&s);
		tear_down(&s);
	}
}

#define TLS_TRUNK(tls) "trunks: [{name: a, endpoints: [{address: 10.0.0.1, transport: tls}, {address: 10.0.0.2}]" tls "}]\n" \
		       "profiles: [{name: in, targets: [{trunk: a}]}]\n"

/* Other tls settings give an endpoint another peer, where it is: its slot, and what is known of it, stay. Taken back with the rest. */
static void tls_settings(void **state)
{
	static const char *const steps[] = { TLS_TRUNK(""), TLS_TRUNK(", tls: {name: b.example}"), TLS_TRUNK(", tls: {name: b.example, minimum_version: '1.3'}"),
					     TLS_TRUNK(", tls: {name: carrier.example}"), TLS_TRUNK("") };
	static const uint32_t peers[] = { 100, 109, 109, 115, 100 };
	struct ip_port by_tls = { ip_of("10.0.0.1"), 5061 }, by_udp = { ip_of("10.0.0.2"), 5060 };
	uint32_t a = trunk_id(SPAN_LIT("a")), slot = UINT32_MAX, other;
	char error[ERROR_TEXT_MAX] = "", too_much[4096];
	struct stage s;

	set_up(&s);
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(put(&s, steps[i], error), 0);
		other = publish_endpoint_slot(s.publisher, a, endpoint_id(a, &by_tls, TRANSPORT_TLS));
		assert_true(!i || other == slot);
		slot = other;
		assert_int_equal(endpoints_get(s.tables->endpoints, slot)->tls_peer, peers[i]);
		other = publish_endpoint_slot(s.publisher, a, endpoint_id(a, &by_udp, TRANSPORT_UDP));
		assert_int_equal(endpoints_get(s.tables->endpoints, other)->tls_peer, 0);
		if (!i)
			atomic_store(&endpoints_live(s.tables->endpoints, slot)->health, ENDPOINT_UP);
		assert_int_equal(atomic_load(&endpoints_live(s.tables->endpoints, slot)->health), ENDPOINT_UP);
	}
	snprintf(too_much, sizeof(too_much), "%s", TLS_TRUNK(", tls: {name: carrier.example}") "numbers:\n");
	for (unsigned i = 0; i < 70; i++)
		sprintf(too_much + strlen(too_much), " - {number: '1%u', profile: in}\n", i);
	assert_int_equal(put(&s, too_much, error), -ERR_FULL);
	assert_int_equal(endpoints_get(s.tables->endpoints, slot)->tls_peer, 100);
	tear_down(&s);
}

/* Dialogs that live where an endpoint was are verified as it was; a trunk that is not reached by TLS asks for nobody. */
static void former_places_by_tls(void **state)
{
	static const char *const texts[] = { "trunks: [{name: a, endpoints: [{address: 10.0.0.1, transport: tls}], tls: {name: b.example}}]", "trunks: [{name: a, endpoints: [{address: 10.0.0.1}]}]" };

	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		struct model *m = model_of(texts[i]);
		struct ip_port addr = { ip_of("10.0.0.9"), 5061 };
		const struct trunk *t;
		char error[ERROR_TEXT_MAX] = "";
		struct stage s;

		set_up(&s);
		expand_former(&m->trunks[0], &addr);
		assert_int_equal(publish_model(s.publisher, s.model, m, error), 0);
		t = trunks_get(s.tables->trunks, publish_trunk_slot(s.publisher, trunk_id(SPAN_LIT("a"))));
		assert_int_equal(t->former_count, 1);
		assert_int_equal(t->former[0].tls_peer, i ? 0 : 109);
		model_free(s.model);
		s.model = m;
		tear_down(&s);
	}
}

static void target_slots_run_out(void **state)
{
	const struct publish_hooks hooks = { always_idle, count_reset, NULL, 2 };
	static const struct number_plan plan;
	char error[ERROR_TEXT_MAX] = "";
	struct model *empty = model_new(), *whole = model_of(WHOLE);
	struct tables *t = tables_new(&room);
	struct stage s = { 0 };
	struct publish_hooks own = hooks;
	struct publisher *p;

	own.ctx = &s;
	p = publisher_new(t, &own, &plan);
	assert_int_equal(publish_model(p, empty, whole, error), -ERR_FULL);
	assert_string_equal(error, "profile out: all 2 target slots are in use");
	publisher_free(p);
	tables_free(t);
	model_free(empty);
	model_free(whole);
}

static void compiles_without_tables(void **state)
{
	char error[ERROR_TEXT_MAX] = "";
	struct model *m = model_of(WHOLE);

	assert_int_equal(compile_check(m, error), 0);
	model_free(m);
}

/* A reader walks the tables over and over while a thousand publications pass; every name leads somewhere, always. */
struct reader {
	struct stage *stage;
	_Atomic(bool) stop;
	uint64_t walks;
};

static void walk_once(const struct stage *s)
{
	static const char *const numbers[] = { "441", "442", "499", "445" }, *const sources[] = { "10.0.0.9", "10.0.1.9", "10.0.3.9" };
	char text[512];

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		route(s, numbers[i], NULL, text);
	route(s, NULL, "example.com", text);
	for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
		struct ip_addr ip = ip_of(sources[i]);
		uint32_t slot = access_lookup(s->tables->access, &ip);
		const struct trunk *t = slot == TRUNK_NONE ? NULL : trunks_get(s->tables->trunks, slot);

		assert_true(slot == TRUNK_NONE || t);
		if (t && t->profile_slot != PROFILE_NONE)
			assert_non_null(profiles_get(s->tables->profiles, t->profile_slot));
		for (unsigned k = 0; t && k < t->endpoint_count; k++)
			assert_non_null(endpoints_get(s->tables->endpoints, t->endpoints[k]));
	}
}

static void *read_on(void *arg)
{
	struct reader *r = arg;

	epoch_online(r->stage->tables->epoch, 0);
	while (!atomic_load(&r->stop)) {
		walk_once(r->stage);
		epoch_quiescent(r->stage->tables->epoch, 0);
		r->walks++;
	}
	epoch_offline(r->stage->tables->epoch, 0);
	return NULL;
}

static void readers_meet_no_dangling_name(void **state)
{
	static const char *const models[] = {
		WHOLE,
		"trunks: [{name: c, endpoints: [{address: 10.0.3.1}], sources: [10.0.3.0/24, 10.0.0.0/24], profile: new}]\n"
		"profiles: [{name: new, targets: [{trunk: c}]}]\n"
		"numbers: [{number: '441', profile: new}, {number: '445', profile: new}]\ndomains: [{domain: example.com, profile: new}]\n",
		TRUNKS "profiles: [{name: in, strategy: weighted_lb, targets: [{trunk: b}]}]\nnumbers: [{number: '442', profile: in}]\n",
		"",
	};
	char error[ERROR_TEXT_MAX] = "";
	struct reader r = { 0 };
	pthread_t thread;
	struct stage s;

	set_up(&s);
	r.stage = &s;
	assert_int_equal(pthread_create(&thread, NULL, read_on, &r), 0);
	for (unsigned i = 0; i < 1000; i++) {
		int err = put(&s, models[i % ARRAY_SIZE(models)], error);

		/* Slots come back only after the grace period, that is when the reader has had its turn. */
		if (err == -ERR_FULL) {
			while (epoch_reclaim(s.tables->epoch))
				sched_yield();
			err = put(&s, models[i % ARRAY_SIZE(models)], error);
		}
		assert_int_equal(err, 0);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	assert_true(r.walks > 0);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishes_everything), cmocka_unit_test(removes_everything),
		cmocka_unit_test(keeps_slots),		cmocka_unit_test(single_numbers),
		cmocka_unit_test(failure_leaves_all_as_it_was), cmocka_unit_test(tls_settings), cmocka_unit_test(former_places_by_tls), cmocka_unit_test(target_slots_run_out),
		cmocka_unit_test(compiles_without_tables), cmocka_unit_test(readers_meet_no_dangling_name),
	};

	eal_for_test("128");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
