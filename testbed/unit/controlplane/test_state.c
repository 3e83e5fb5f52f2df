/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <sys/stat.h>

#include "model/diff.h"
#include "model/number_map.h"
#include "model/publish.h"
#include "model/state.h"
#include "routing.h"
#include "tables/tables.h"

static char directory[64], path[96];

static const char *const whole =
	"trunks:\n"
	"  - {name: a, endpoints: [{address: 10.0.0.2, port: 5070, priority: 1, weight: 3}], sources: [10.0.0.0/24, 'fd00::/8'], profile: in, "
	"request_uri: keep, large_requests: tcp, connection_reuse: true, host: a.example, number_plan: {country_code: '44', national_prefix: '0'}, "
	"probe: {enabled: false, interval_ms: 500, timeout_ms: 400, down_after: 9, up_after: 8, accept: [200, 404], from: 'sip:a@b', "
	"to: 'sip:c@d', user_agent: X, max_forwards: 7}}\n"
	"  - {name: b, endpoints: [{address: 10.0.0.3, transport: tls}, {host: x.example, transport: tls}], tls: {name: Sip.B.Example, ca: /etc/ca.pem, "
	"allow_wildcard: true, verify: false, certificate: ours, minimum_version: '1.3'}}\n"
	"  - {name: c, tls: {verify: true}}\n"
	"profiles:\n"
	"  - {name: in, strategy: weighted_lb, response_timeout_ms: 1, ring_timeout_s: 2, retry_codes: {add: [480], remove: [501]}, "
	"retry_after_progress: true, targets: [{trunk: b, weight: 0}, {trunk: a, enabled: false, position: 3}]}\n"
	"  - {name: out}\n"
	"numbers: [{number: '441', profile: in}, {number: '442', profile: out}, {prefix: '4', profile: in}]\n"
	"domains: [{domain: example.com, profile: out}]\n";

static void expect_same(const struct model *a, const struct model *b)
{
	struct diff d;

	diff_init(&d);
	diff_models(&d, a, b);
	if (d.total)
		fail_msg("%u differences, first: %s", d.total, diff_line(&d.changes[0]));
	diff_done(&d);
}

static struct model *load(char *error)
{
	struct state *s = state_new(path);
	struct model *m = NULL;
	int err = state_load(s, &plenty, &m, error);

	state_free(s);
	return err ? NULL : m;
}

static int fresh(void **state)
{
	unlink(path);
	return 0;
}

static void round_trip(void **state)
{
	struct model *m = model_of(whole), *back;
	struct state *s = state_new(path);
	char error[ERROR_TEXT_MAX] = "";
	struct stat st;

	assert_int_equal(state_load(s, &plenty, &back, error), -ERR_NOT_FOUND);
	assert_true(state_wants_model(s));
	assert_int_equal(state_begin_model(s, m, error), 0);
	assert_int_equal(state_load(s, &plenty, &back, error), -ERR_NOT_FOUND); /* not kept yet */
	assert_int_equal(state_keep(s, error), 0);
	assert_false(state_wants_model(s));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	back = load(error);
	if (!back)
		fail_msg("%s", error);
	expect_same(m, back);
	model_free(back);
	state_free(s);
	model_free(m);
}

static void appends(void **state)
{
	struct model *m = model_of(whole), *back;
	struct state *s = state_new(path);
	char error[ERROR_TEXT_MAX] = "";

	state_begin_model(s, m, error);
	state_keep(s, error);
	assert_int_equal(state_begin_number(s, number_of("443"), false, "out", error), 0);
	assert_int_equal(state_keep(s, error), 0);
	number_map_set(m->numbers, number_of("443"), trunk_id(SPAN_LIT("out")));
	assert_int_equal(state_begin_number(s, number_of("4"), true, NULL, error), 0);
	assert_int_equal(state_keep(s, error), 0);
	number_map_delete(m->prefixes, number_of("4"));
	m->profiles[1].strategy = STRATEGY_ROUND_ROBIN;
	assert_int_equal(state_begin_profile(s, &m->profiles[1], error), 0);
	assert_int_equal(state_keep(s, error), 0);
	/* forgotten: it must not be there */
	assert_int_equal(state_begin_number(s, number_of("999"), false, "in", error), 0);
	state_forget(s);
	back = load(error);
	if (!back)
		fail_msg("%s", error);
	expect_same(m, back);
	model_free(back);
	state_free(s);
	model_free(m);
}

/* Power went while a line was being appended: what was accepted before is there, the torn line is not, and the next goes in its place. */
static void torn_line(void **state)
{
	struct model *m = model_of(whole), *back;
	struct state *s = state_new(path);
	char error[ERROR_TEXT_MAX] = "";
	FILE *f;

	state_begin_model(s, m, error);
	state_keep(s, error);
	state_free(s);
	f = fopen(path, "a");
	fputs("{\"number\":\"+77\",\"prof", f);
	fclose(f);
	s = state_new(path);
	assert_int_equal(state_load(s, &plenty, &back, error), 0);
	expect_same(m, back);
	model_free(back);
	assert_int_equal(state_begin_number(s, number_of("442"), false, "in", error), 0);
	assert_int_equal(state_keep(s, error), 0);
	number_map_set(m->numbers, number_of("442"), trunk_id(SPAN_LIT("in")));
	back = load(error);
	if (!back)
		fail_msg("%s", error);
	expect_same(m, back);
	model_free(back);
	state_free(s);
	model_free(m);
}

#define HEADER "{\"strowger\":\"routing\",\"version\":1}\n"

static const struct {
	const char *text, *error; /* behind the path */
} corrupt[] = {
	{ "", ":1: empty" },
	{ "hello\n", ":1: '[' or '{' expected near 'hello'" },
	{ "{}\n", ":1: not a state file of strowgerd" },
	{ "{\"strowger\":\"routing\",\"version\":2}\n", ":1: version 2, but this program reads version 1" },
	{ HEADER "{\"number\":\"+44\"}\n", ":2: profile is missing" },
	{ HEADER "{\"number\":\"x\",\"profile\":\"a\"}\n", ":2: number: not an E.164 number" },
	{ HEADER "{\"what\":1}\n", ":2: neither trunk, profile, domain, number nor prefix" },
	{ HEADER "{\"profile\":{}}\n", ":2: profile: name is missing" },
	{ HEADER "{\"trunk\":{\"name\":\"a\",\"foo\":1}}\n", ": trunks[0].foo: unknown key" },
	{ HEADER "{\"trunk\":{\"name\":\"a\",\"endpoints\":[{\"address\":5}]}}\n", ": trunks[0].endpoints[0].address: expected text" },
	{ HEADER "{\"number\":\"+44\",\"profile\":\"gone\"}\n",
	  ": numbers: number +44 names a profile that does not exist" },
	{ HEADER "{\"domain\":\"a\",\"profile\":\"gone\"}\n", ": domains[0].profile: no profile named gone" },
};

static void corrupt_files(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(corrupt); i++) {
		char error[ERROR_TEXT_MAX] = "", want[ERROR_TEXT_MAX];
		struct model *m;

		write_file(path, corrupt[i].text);
		m = load(error);
		snprintf(want, sizeof(want), "%s%s", path, corrupt[i].error);
		if (m || strcmp(error, want) != 0)
			fail_msg("case %u: got %s, want %s", i, m ? "accepted" : error, want);
	}
}

static void unwritable_directory(void **state)
{
	struct state *s = state_new("/nonexistent/state.json");
	struct model *m = model_of(whole);
	char error[ERROR_TEXT_MAX] = "";

	assert_int_equal(state_begin_model(s, m, error), -ERR_IO);
	assert_string_equal(error, "/nonexistent/state.json.new: No such file or directory");
	state_free(s);
	model_free(m);
}

static bool always_idle(void *ctx, uint32_t slot)
{
	return true;
}

static void no_reset(void *ctx, uint32_t slot)
{
}

static void start(struct routing *r, struct tables *t, const struct model *written, bool *from_state)
{
	static const struct number_plan plan;
	const struct publish_hooks hooks = { always_idle, no_reset, NULL, 64 };
	char error[ERROR_TEXT_MAX] = "";

	assert_int_equal(routing_init(r, publisher_new(t, &hooks, &plan), state_new(path), &plenty, error), 0);
	if (routing_begin(r, written, from_state, error))
		fail_msg("%s", error);
}

/* Tables, model and file change together, and a restart finds what was accepted last. */
static void restart_finds_what_was_accepted(void **state)
{
	static const struct tables_limits room = { .workers = 1, .numbers = 64, .prefixes = 8, .profiles = 8, .trunks = 8, .endpoints = 12 };
	struct model *written = model_of(whole), *changed, *full;
	struct tables *t = tables_new(&room);
	char error[ERROR_TEXT_MAX] = "";
	struct routing r;
	bool from_state;

	start(&r, t, written, &from_state);
	assert_false(from_state);
	assert_int_equal(routing_set_number(&r, number_of("445"), false, "OUT", error), 0); /* writes the file whole */
	assert_int_equal(routing_set_number(&r, number_of("441"), false, NULL, error), 0);
	assert_int_equal(routing_set_number(&r, number_of("441"), false, NULL, error), -ERR_NOT_FOUND);
	assert_string_equal(error, "number: +441 is not there");
	assert_int_equal(routing_set_number(&r, number_of("441"), false, "none", error), -ERR_NOT_FOUND);
	assert_string_equal(error, "profile: no profile named none");
	changed = model_copy(r.model);
	changed->profiles[0].strategy = STRATEGY_FAILOVER;
	assert_int_equal(routing_commit_profile(&r, changed, changed->profiles[0].id, error), 0);
	/* a change that the tables cannot take leaves file and model alone */
	full = model_of("profiles: [{name: in}, {name: out}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}, {name: h}, {name: i}]\n");
	assert_int_equal(routing_commit(&r, full, error), -ERR_FULL);
	changed = model_copy(r.model);
	routing_done(&r);
	tables_free(t);

	t = tables_new(&room);
	start(&r, t, written, &from_state);
	assert_true(from_state);
	expect_same(changed, r.model);
	assert_int_equal(number_map_get(r.model->numbers, number_of("445")), trunk_id(SPAN_LIT("out")));
	assert_int_equal(number_map_get(r.model->numbers, number_of("441")), NUMBER_MAP_NONE);
	routing_done(&r);
	tables_free(t);
	model_free(changed);
	model_free(written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(round_trip, fresh), cmocka_unit_test_setup(appends, fresh), cmocka_unit_test_setup(torn_line, fresh),
		cmocka_unit_test_setup(corrupt_files, fresh), cmocka_unit_test(unwritable_directory),
		cmocka_unit_test_setup(restart_finds_what_was_accepted, fresh),
	};
	int failed;

	eal_for_test("96");
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/state.json", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_directory(directory);
	return failed;
}
