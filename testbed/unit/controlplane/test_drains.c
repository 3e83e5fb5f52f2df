/* SPDX-License-Identifier: Apache-2.0 */
/* Drains of targets and of the node, through the operations. */
#include "operations_fixture.h"

#include <time.h>

#include "api/change.h"
#include "drains.h"
#include "model/drain.h"
#include "model/state.h"
#include "wall_clock.h"

static void set_calls(struct bench *b, const char *profile, const char *trunk, uint64_t live, uint64_t ringing)
{
	uint32_t slot = publish_target_slot(b->routing.publisher, trunk_id(span_str(profile)), trunk_id(span_str(trunk)));

	fake_dataplane(b->dataplane)->targets[slot].live = live;
	fake_dataplane(b->dataplane)->targets[slot].ringing = ringing;
}

static void counts_down(void **state)
{
	struct bench *b = *state;

	set_calls(b, "in", "a", 2, 1);
	expect(b, "drains", "{}", "{'targets':[],'node':null}");
	expect(b, "target.drain", "{'target':'in/a'}",
	       "{'applied':true,'total':1,'targets':[{'target':'in/a','live':2,'ringing':1,'safe':false,'text':'3 calls are left','deadline':null}]}");
	expect(b, "targets", "{}", "[{'target':'in/a','state':'draining','enabled':true,'live':2,'endpoints':[{'state':'draining','health':'unknown'},{}]},{'state':'up'},{'target':'rr/a','state':'up'},{},{},{}]");
	/* no new call goes there; in the other profiles it takes calls */
	expect(b, "route", "{'from':'+1','to':'+442035550100'}", "{'attempts':[{'target':'in/b'}],'left_out':[{'target':'in/a','reason':'draining'}]}");
	set_calls(b, "in", "a", 1, 0);
	expect(b, "drains", "{}", "{'targets':[{'text':'1 call is left','safe':false}]}");
	set_calls(b, "in", "a", 0, 1); /* nobody has answered it yet, and who stops the target now cuts it off */
	expect(b, "drains", "{}", "{'targets':[{'text':'1 call is left','safe':false}]}");
	set_calls(b, "in", "a", 0, 0);
	expect(b, "drains", "{}", "{'targets':[{'text':'no calls are left','safe':true}]}");
	expect(b, "target.undrain", "{'target':'IN/A'}", "{'total':1,'targets':[]}");
	expect(b, "targets", "{}", "[{'target':'in/a','state':'up','drain':null,'endpoints':[{'state':'unknown'},{}]},{},{},{},{},{}]");
	expect(b, "target.undrain", "{'target':'in/a'}", "{'total':0}");
}

static void in_all_profiles(void **state)
{
	struct bench *b = *state;

	expect(b, "target.drain", "{'target':'a','deadline_s':60}",
	       "{'total':3,'targets':[{'target':'in/a'},{'target':'rr/a'},{'target':'w/a'}]}");
	expect(b, "target.undrain", "{'target':'rr/a'}", "{'total':1}");
	expect(b, "drains", "{}", "{'targets':[{'target':'in/a'},{'target':'w/a'}]}");
	expect(b, "target.undrain", "{'target':'A'}", "{'total':2,'targets':[]}");
}

/* As `config log` and the answer of a change show it. */
static void in_words(void **state)
{
	static const struct {
		const char *drain, *text;
	} rows[] = {
		{ NULL, "none" },
		{ "{\"since\": 1769878921, \"deadline\": 0}", "since 2026-01-31 17:02:01 UTC" },
		{ "{\"since\": 1769878921, \"deadline\": 1769882521}", "since 2026-01-31 17:02:01 UTC until 2026-01-31 18:02:01 UTC" },
		{ "{\"since\": 253402300799, \"deadline\": 253402300799}", "since 9999-12-31 23:59:59 UTC until 9999-12-31 23:59:59 UTC" },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *drain = rows[i].drain ? json_loads(rows[i].drain, 0, NULL) : NULL;
		char text[MODEL_DRAIN_TEXT_MAX];

		model_drain_text(drain, text);
		assert_string_equal(text, rows[i].text);
		json_decref(drain);
	}
}

static void deadlines(void **state)
{
	struct bench *b = *state;
	struct model_profile *p;
	struct model_target *t;
	struct drain_progress progress;
	char text[DRAIN_TEXT_MAX], error[ERROR_TEXT_MAX];

	set_calls(b, "in", "a", 3, 0);
	expect(b, "target.drain", "{'target':'in/a','deadline_s':3600}", "{'targets':[{'safe':false}]}");
	t = target_find(b->routing.model, "in/a", &p, error);
	assert_non_null(t);
	assert_in_range(t->drain.deadline_s - t->drain.since_s, 3600, 3601); /* in whole seconds, and none too few */
	t->drain.deadline_s -= 3602; /* an hour later */
	progress = drain_of_target(&b->control, p, t);
	assert_true(progress.safe);
	drain_text(&progress, text);
	assert_string_equal(text, "the deadline has passed, 3 calls are left");
	/* draining again sets the deadline anew, and keeps since */
	t->drain.since_s -= 100;
	expect(b, "target.drain", "{'target':'in/a'}", "{'targets':[{'deadline':null,'safe':false}]}");
	assert_true(wall_ms() / 1000 - target_find(b->routing.model, "in/a", &p, error)->drain.since_s >= 100);
}

/* Calls that were up before the process began are not counted: it cannot say that none is left, until none may be up any more. */
static void older_than_the_process(void **state)
{
	struct bench *b = *state;
	struct model_profile *p;
	struct model_target *t;
	char error[ERROR_TEXT_MAX];

	b->control.started_ms = dataplane_now_ms();
	set_calls(b, "in", "a", 0, 0);
	expect(b, "target.drain", "{'target':'in/a'}", "{'targets':[{'safe':true,'text':'no calls are left'}]}");
	t = target_find(b->routing.model, "in/a", &p, error);
	t->drain.since_s -= 5;
	expect(b, "drains", "{}", "{'targets':[{'safe':false,'text':'none is left of the calls since the start; older ones are not counted'}]}");
	set_calls(b, "in", "a", 1, 0);
	expect(b, "drains", "{}", "{'targets':[{'safe':false,'text':'at least 1 call is left'}]}");
	t->drain.deadline_s = t->drain.since_s + 1;
	expect(b, "drains", "{}", "{'targets':[{'safe':true,'text':'the deadline has passed, at least 1 call is left'}]}");
	set_calls(b, "in", "a", 0, 0);
	expect(b, "drains", "{}", "{'targets':[{'safe':true,'text':'no calls are left'}]}");
	t->drain.deadline_s = 0;
	t->drain.since_s -= 1000ull * 43200;
	b->control.started_ms -= 1000ull * 43200; /* limits.call_age_s */
	expect(b, "drains", "{}", "{'targets':[{'safe':true,'text':'no calls are left'}]}");
}

static void refusals(void **state)
{
	struct bench *b = *state;

	expect_refusal(b, "target.drain", "{'target':'in/zz'}", "target: profile in has no target zz");
	expect_refusal(b, "target.drain", "{'target':'zz/a'}", "target: no profile named zz");
	expect_refusal(b, "target.drain", "{'target':'caller'}", "target: no profile has a target caller");
	expect_refusal(b, "target.drain", "{'target':'in/a','deadline_s':0}", "deadline_s: 0 is not in 1..604800");
	expect_refusal(b, "target.drain", "{}", "target: is missing");
	expect_refusal(b, "node.drain", "{'deadline_s':604801}", "deadline_s: 604801 is not in 1..604800");
	expect_refusal(b, "profile.set", "{'name':'in','targets':[{'trunk':'a','drain':{'since':-1}}]}",
		       "profile.targets[0].drain.since: -1 is not in 1..253402300799");
	assert_int_equal(b->changes, 0);
}

/* What is applied, set or rolled back says nothing of drains: they stay. */
static void drains_stay(void **state)
{
	struct bench *b = *state;
	json_t *exported;
	char *text, params[4096];

	expect(b, "target.drain", "{'target':'in/a'}", "{}");
	expect(b, "profile.set", "{'name':'in','targets':[{'trunk':'a','weight':7},{'trunk':'b'}]}", "{'profile':{'targets':[{'trunk':'a','weight':7,'drain':{}},{}]}}");
	expect(b, "target.set", "{'target':'in/a','weight':9}", "{'target':{'state':'draining'}}");
	exported = result_of(b, "export", "{}");
	expect(b, "apply", "{'profiles':[{'name':'in','targets':[{'trunk':'b'},{'trunk':'a','position':1}]}],'numbers':[],'domains':[],"
			   "'trunks':[{'name':'a'},{'name':'b'}]}", "{'applied':true}");
	expect(b, "targets", "{}", "[{'target':'in/b'},{'target':'in/a','state':'draining'}]");
	expect(b, "target.undrain", "{'target':'in/a'}", "{'total':1}");
	/* nor does what was exported while it drained: the rest comes back */
	text = json_dumps(exported, JSON_COMPACT);
	assert_null(strstr(text, "drain"));
	snprintf(params, sizeof(params), "%s", text);
	expect(b, "apply", params, "{'applied':true}");
	expect(b, "targets", "{}", "[{'target':'in/a','state':'up','weight':9},{},{},{},{},{}]");
	expect_refusal(b, "apply", "{'profiles':[{'name':'in','targets':[{'trunk':'b'},{'trunk':'a','drain':{'since':1}}]}]}",
		       "profiles[0].targets[1].drain: is no setting; target.drain and target.undrain change it");
	free(text);
	json_decref(exported);
}

static void outlives_the_process(void **state)
{
	struct bench *b = *state;
	char directory[64], path[96], error[ERROR_TEXT_MAX] = "";
	struct model *back;
	struct state *s;

	make_directory(directory);
	snprintf(path, sizeof(path), "%s/routing.json", directory);
	b->routing.state = state_new(path);
	expect(b, "target.drain", "{'target':'a','deadline_s':60}", "{'total':3}");
	expect(b, "target.undrain", "{'target':'rr/a'}", "{'total':1}"); /* a line that is appended */
	s = state_new(path);
	assert_int_equal(state_load(s, &plenty, &back, error), 0);
	assert_int_equal(back->profiles[0].targets[0].drain.since_s, b->routing.model->profiles[0].targets[0].drain.since_s);
	assert_in_range(back->profiles[0].targets[0].drain.deadline_s - back->profiles[0].targets[0].drain.since_s, 60, 61);
	assert_int_equal(back->profiles[1].targets[0].drain.since_s, 0);
	assert_true(back->profiles[0].targets[0].enabled);
	model_free(back);
	state_free(s);
	remove_directory(directory);
}

static void the_node(void **state)
{
	struct bench *b = *state;
	struct fake_dataplane *fake = fake_dataplane(b->dataplane);

	expect(b, "ready", "{}", "{'ready':true,'reason':'takes calls'}");
	fake->gauges[0].live_calls = 2;
	fake->gauges[1].live_calls = 1;
	set_calls(b, "in", "a", 0, 1);
	expect(b, "node.drain", "{'deadline_s':60}", "{'state':'draining','node':{'target':'node','live':3,'ringing':1,'safe':false,'text':'4 calls are left'}}");
	assert_true(fake->draining);
	expect(b, "ready", "{}", "{'ready':false,'reason':'draining: 4 calls are left'}");
	expect(b, "status", "{}", "{'state':'draining'}");
	expect(b, "drain", "{'on':true}", "{'state':'draining'}"); /* as it was spelt before */
	expect(b, "node.undrain", "{}", "{'state':'running'}");
	assert_false(fake->draining);
	expect(b, "ready", "{}", "{'ready':true}");
	expect(b, "drains", "{}", "{'node':null}");
	b->control.draining = b->control.stopping = true; /* SIGTERM */
	expect(b, "ready", "{}", "{'ready':false,'reason':'stopping: 4 calls are left'}");
	expect_refusal(b, "node.undrain", "{}", "strowgerd was told to stop: it drains until it ends");
	expect_refusal(b, "drain", "{'on':false}", "strowgerd was told to stop: it drains until it ends");
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BENCH(counts_down), WITH_BENCH(in_all_profiles), cmocka_unit_test(in_words), WITH_BENCH(deadlines),
		WITH_BENCH(older_than_the_process), WITH_BENCH(refusals),
		WITH_BENCH(drains_stay), WITH_BENCH(outlives_the_process), WITH_BENCH(the_node),
	};

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
