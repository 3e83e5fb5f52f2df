/* SPDX-License-Identifier: Apache-2.0 */
/* The log of versions, and the way back, through the operations that operators use; ends of the process at every step between. */
#include "operations_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/err.h"
#include "model/diff.h"
#include "model/state.h"
#include "versions/reconstruct.h"
#include "versions/versions.h"

static char directory[64], path[96], state_path[96];
static const struct versions_limits roomy = { .keep = 1000, .bytes = 1 << 20 };
static const struct origin me = { .who = "root", .operation = "test" };

static struct versions *open_log(const struct versions_limits *limits)
{
	char note[ERROR_TEXT_MAX], error[ERROR_TEXT_MAX] = "";
	struct versions *v = NULL;

	if (versions_open(path, limits, &v, note, error))
		fail_msg("%s", error);
	assert_string_equal(note, "");
	return v;
}

static void add_number(struct versions *v, const char *number, const char *was, const char *is)
{
	char error[ERROR_TEXT_MAX] = "";
	e164 n;

	assert_int_equal(e164_parse(span_str(number), &n), 0);
	if (versions_begin_number(v, n, false, was, is, &me, error))
		fail_msg("%s", error);
	versions_keep(v);
}

static char *line_of(const struct versions *v, uint64_t version, const char *key)
{
	char error[ERROR_TEXT_MAX] = "", *text;
	json_t *line;

	if (versions_read(v, version, &line, error))
		fail_msg("%s", error);
	text = json_dumps(json_object_get(line, key), JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(line);
	return text;
}

static void expect_line(const struct versions *v, uint64_t version, const char *key, const char *want)
{
	char *got = line_of(v, version, key);

	assert_string_equal(got ? got : "none", want);
	free(got);
}

static void is_kept(void **state)
{
	struct origin odd = { .who = "o\"dd", .operation = "test", .comment = "why\nnot" };
	char error[ERROR_TEXT_MAX];
	struct versions *v;
	struct stat st;
	e164 n;

	unlink(path);
	v = open_log(&roomy);
	assert_int_equal(versions_last(v), 0);
	assert_int_equal(versions_next(v), 1);
	add_number(v, "+441", NULL, "in");
	add_number(v, "+441", "in", "out");
	e164_parse(SPAN_LIT("+442"), &n);
	assert_int_equal(versions_begin_number(v, n, true, "in", NULL, &odd, error), 0);
	versions_keep(v);
	assert_int_equal(versions_begin_number(v, n, true, "x", NULL, &me, error), 0);
	versions_forget(v); /* it was not accepted after all */
	assert_int_equal(versions_settle(v, error), 0);
	versions_free(v);
	assert_int_equal(stat(path, &st), 0);
	v = open_log(&roomy);
	assert_int_equal(versions_first(v), 1);
	assert_int_equal(versions_last(v), 3);
	expect_line(v, 1, "numbers", "[[\"+441\",null,\"in\"]]");
	expect_line(v, 2, "numbers", "[[\"+441\",\"in\",\"out\"]]");
	expect_line(v, 2, "who", "\"root\"");
	expect_line(v, 3, "prefixes", "[[\"+442\",\"in\",null]]");
	expect_line(v, 3, "who", "\"o\\\"dd\"");
	expect_line(v, 3, "comment", "\"why\\nnot\"");
	assert_int_equal(versions_read(v, 4, &(json_t *){ NULL }, error), -ERR_NOT_FOUND);
	assert_string_equal(error, "version 4 is not kept: 1 to 3 are");
	versions_free(v);
}

static void is_bounded(void **state)
{
	static const struct versions_limits few = { .keep = 10, .bytes = 1 << 20 }, small = { .keep = 1000, .bytes = 2000 };
	struct versions *v;
	struct stat st;

	unlink(path);
	v = open_log(&few);
	for (unsigned i = 0; i < 25; i++)
		add_number(v, "+441", "in", "out");
	assert_int_equal(versions_last(v), 25);
	assert_in_range(versions_last(v) - versions_first(v) + 1, 5, 10);
	expect_line(v, versions_first(v), "numbers", "[[\"+441\",\"in\",\"out\"]]");
	expect_line(v, 25, "version", "25");
	versions_free(v);
	v = open_log(&small);
	assert_int_equal(versions_last(v), 25);
	for (unsigned i = 0; i < 100; i++)
		add_number(v, "+441", "in", "out");
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 500, 2200);
	assert_int_equal(versions_last(v), 125);
	for (uint64_t n = versions_first(v); n <= 125; n++) {
		char *number = line_of(v, n, "version");

		assert_int_equal(atoll(number), n);
		free(number);
	}
	versions_free(v);
}

/* What a file may look like after an accident, and what is left of the two versions that it held. */
static void is_careful(void **state)
{
	static const char header[] = "{\"strowger\":\"versions\",\"version\":1}\n";
	static const char one[] = "{\"version\":7,\"time\":1,\"who\":\"a\",\"operation\":\"b\",\"total\":0}\n";
	static const char two[] = "{\"version\":8,\"time\":1,\"who\":\"a\",\"operation\":\"b\",\"total\":0}\n";
	static const struct {
		const char *what, *parts[4];
		uint64_t last;
		bool aside;
	} cases[] = {
		{ "whole", { header, one, two }, 8, false },
		{ "empty", { "" }, 0, false },
		{ "a torn line", { header, one, "{\"version\":8,\"ti" }, 7, false },
		{ "a torn header", { "{\"strow" }, 0, true },
		{ "something else", { "hello\n" }, 0, true },
		{ "a gap", { header, one, "{\"version\":9,\"time\":1,\"who\":\"a\",\"operation\":\"b\"}\n" }, 0, true },
		{ "zeros", { header, one, "\n\n" }, 0, true },
		{ "a line cut short", { header, "{\"version\":7,\"time\":1,\"who\n", two }, 0, true },
		{ "a number too large", { header, "{\"version\":99999999999999999999999999,\"a\":1}\n" }, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024] = "", note[ERROR_TEXT_MAX], error[ERROR_TEXT_MAX] = "", aside[128];
		struct versions *v;
		struct stat st;

		for (unsigned k = 0; cases[i].parts[k]; k++)
			strcat(text, cases[i].parts[k]);
		write_file(path, text);
		snprintf(aside, sizeof(aside), "%s.damaged", path);
		unlink(aside);
		if (versions_open(path, &roomy, &v, note, error))
			fail_msg("%s: %s", cases[i].what, error);
		if (versions_last(v) != cases[i].last || !note[0] == cases[i].aside || (stat(aside, &st) == 0) != cases[i].aside)
			fail_msg("%s: last %llu, %s", cases[i].what, (unsigned long long)versions_last(v), note);
		add_number(v, "+441", NULL, "in"); /* it goes on in any case, and never with a number that was given before */
		assert_int_equal(versions_last(v), strcmp(cases[i].what, "a gap") == 0 || strcmp(cases[i].what, "zeros") == 0 ? 8 : cases[i].last + 1);
		versions_free(v);
		versions_free(open_log(&roomy));
	}
}

static void damage_is_named(void **state)
{
	char error[ERROR_TEXT_MAX] = "", want[ERROR_TEXT_MAX];
	struct versions *v;
	json_t *line;

	write_file(path, "{\"strowger\":\"versions\",\"version\":1}\n{\"version\":1,\"time\":1,\"wh\\o\":\"a\",}\n{\"version\":2,\"time\":1,\"who\":\"a\",\"operation\":\"b\"}\n");
	v = open_log(&roomy);
	assert_int_equal(versions_read(v, 1, &line, error), -ERR_INVALID);
	snprintf(want, sizeof(want), "version 1 is damaged in %s", path);
	assert_string_equal(error, want);
	assert_int_equal(versions_read(v, 2, &line, error), 0);
	json_decref(line);
	versions_free(v);
}

/* ---- with routing */

static int set_up_versions(void **state)
{
	struct bench *b;
	uint64_t dropped;
	char error[ERROR_TEXT_MAX];

	unlink(path);
	unlink(state_path);
	set_up(state);
	b = *state;
	b->routing.versions = open_log(&roomy);
	assert_int_equal(versions_start(b->routing.versions, 0, b->routing.model, &me, &dropped, error), 0);
	return 0;
}

static void says_who_and_what(void **state)
{
	struct bench *b = *state;

	expect(b, "config.log", "{}", "{'version':1,'oldest':1,'versions':[{'version':1,'operation':'test','way_back':true}]}");
	expect(b, "target.set", "{'target':'in/a','enabled':false,'comment':'works at 3'}", "{'version':2,'total':1}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'version':3}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'version':3}"); /* nothing changed */
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'version':4}");
	expect(b, "apply", "{'domains':[],'dry_run':true}", "{'version':4}");
	expect(b, "apply", "{'domains':[{'domain':'b.example','profile':'w'}]}", "{'version':5}");
	expect_refusal(b, "profile.set", "{'name':'in','ring_timeout_s':999}", "profile.ring_timeout_s: 999 is not in 0..180");
	expect(b, "status", "{}", "{'routing_version':5}");
	expect(b, "config.log", "{'limit':2,'before':5}",
	       "{'version':5,'more':true,'versions':[{'version':4,'first':3,'total':2,'changes':['- prefix +49 → w'],'operation':'number.set','who':'strowgerd'},"
	       "{'version':2,'operation':'target.set','total':1}]}");
	expect(b, "config.log", "{'limit':1}", "{'more':true,'versions':[{'version':5,'total':2}]}");
	expect(b, "config.log", "{}", "{'more':false,'versions':[{'version':5},{'version':4},{'version':2},{'version':1}]}");
	expect(b, "config.show", "{'version':3}", "{'changes':['~ number +442035550100: profile in → w'],'total':1}");
	expect(b, "config.show", "{'version':2}",
	       "{'version':2,'comment':'works at 3','operation':'target.set','total':1,'changes':['~ target in/a: enabled true → false']}");
	expect(b, "config.show", "{'version':5}", "{'total':2,'changes':['+ domain b.example → w','- domain example.com → in']}");
	expect_refusal(b, "config.show", "{'version':6}", "version 6 is not kept: 1 to 5 are");
	expect_refusal(b, "config.log", "{'limit':0}", "limit: 0 is not in 1..10000");
}

static void goes_back(void **state)
{
	struct bench *b = *state;
	json_t *first = result_of(b, "export", "{}"), *now;

	expect(b, "target.set", "{'target':'in/a','enabled':false}", "{'version':2}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'version':3}");
	expect(b, "number.set", "{'number':'+15','profile':'w'}", "{'version':4}");
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'version':5}");
	expect(b, "apply", "{'trunks':[{'name':'z','endpoints':[{'address':'10.0.5.1'}]}],'profiles':[{'name':'N','targets':[{'trunk':'z'}]}],"
			   "'numbers':[{'number':'+15','profile':'N'}],'domains':[]}", "{'version':6}");
	expect(b, "config.diff", "{'from':5}", "{'total':13}");
	expect(b, "config.diff", "{'from':4,'to':5}", "{'total':1,'changes':[{'text':'- prefix +49 → w'}]}");
	expect(b, "config.diff", "{'from':5,'to':4}", "{'total':1,'changes':[{'text':'+ prefix +49 → w'}]}");
	expect(b, "config.rollback", "{'version':4,'dry_run':true}", "{'applied':false,'version':6}");
	expect(b, "config.rollback", "{'version':4}", "{'applied':true,'version':7}");
	expect(b, "config.show", "{'version':7}", "{'operation':'config.rollback','comment':'back to version 4'}");
	expect(b, "numbers", "{}", "{'numbers':[{'number':'+15','profile':'w'},{'number':'+442035550100','profile':'w'},{'number':'+442035550101','profile':'rr'}],"
				   "'prefixes':[{'prefix':'+49','profile':'w'}]}");
	expect(b, "config.diff", "{'from':4}", "{'total':0}");
	/* over a rollback, to where it all began */
	expect(b, "config.rollback", "{'version':1,'comment':'as it was'}", "{'version':8}");
	now = result_of(b, "export", "{}");
	assert_int_equal(json_array_size(json_object_get(now, "trunks")), json_array_size(json_object_get(first, "trunks")));
	json_decref(now);
	expect(b, "config.diff", "{'from':1}", "{'total':0}");
	expect(b, "config.diff", "{'from':1,'to':8}", "{'total':0}");
	expect(b, "config.rollback", "{'version':6}", "{'version':9}");
	expect(b, "config.diff", "{'from':6}", "{'total':0}");
	expect(b, "config.rollback", "{'version':9}", "{'total':0,'version':9}"); /* nothing to do is no version */
	expect_refusal(b, "config.rollback", "{'version':99}", "version 99 is not kept: 1 to 9 are");
	expect_refusal(b, "config.rollback", "{'version':0}", "version: 0 is no version");
	json_decref(first);
}

/* A rollback is about routing: what drains goes on draining, and no drain of then comes back. */
static void leaves_drains(void **state)
{
	struct bench *b = *state;

	expect(b, "target.drain", "{'target':'in/a'}", "{'version':2}");
	expect(b, "target.set", "{'target':'in/b','weight':5}", "{'version':3}");
	expect(b, "target.undrain", "{'target':'in/a'}", "{'version':4}");
	expect(b, "target.drain", "{'target':'rr/b'}", "{'version':5}");
	expect(b, "config.show", "{'version':2}", "{'operation':'target.drain','total':1}");
	expect(b, "config.rollback", "{'version':2}", "{'version':6,'total':1}");
	expect(b, "targets", "{}", "[{'target':'in/a','state':'up'},{'target':'in/b','weight':100},{},{'target':'rr/b','state':'draining'},{},{}]");
}

/* Numbers move all day: a mistake in a profile can be taken back without them. */
static void keeps_numbers(void **state)
{
	struct bench *b = *state;

	expect(b, "profile.set", "{'name':'in','ring_timeout_s':9}", "{'version':2}");
	expect(b, "number.set", "{'number':'+15','profile':'w'}", "{'version':3}");
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'version':4}");
	expect(b, "config.rollback", "{'version':1,'keep_numbers':true}", "{'version':5,'total':1,'changes':[{'text':'~ profile in: ring_timeout_s 9 → 25'}]}");
	expect(b, "numbers", "{}", "{'numbers_total':3,'prefixes_total':0}");
	/* a number that leads to a profile which was not there then stands in the way, and is named */
	expect(b, "apply", "{'profiles':[{'name':'in'},{'name':'rr'},{'name':'w'},{'name':'fall'},{'name':'N'}]}", "{'version':6}");
	expect(b, "number.set", "{'number':'+16','profile':'N'}", "{'version':7}");
	expect_refusal(b, "config.rollback", "{'version':5,'keep_numbers':true}", "version 5 cannot be made again: numbers: number +16 (and 0 more) names a profile that does not exist");
	expect(b, "status", "{}", "{'routing_version':7}");
	expect(b, "config.rollback", "{'version':5}", "{'version':8}");
}

/* Names of endpoints, limits, regions, probes: whatever the sections can say comes back as it was. */
static void everything_comes_back(void **state)
{
	struct bench *b = *state;
	json_t *then, *now;

	expect(b, "apply", "{'trunks':[{'name':'a','endpoints':[{'host':'sip.carrier.example','weight':7},{'address':'fd77::1','port':5062}],"
			   "'sources':['10.9.0.0/16'],'host':'x.example','probe':{'interval_ms':500,'timeout_ms':200}},{'name':'b'}],"
			   "'profiles':[{'name':'in','regions':['fra','ams'],'retry_budget':20,'targets':[{'trunk':'a','max_calls':9,'max_cps':3,"
			   "'region':'fra','probe':{'enabled':false}},{'trunk':'b','position':2,'weight':0,'enabled':false}]}],'numbers':[],"
			   "'domains':[{'domain':'z.example','profile':'in'}]}", "{'version':2}");
	then = result_of(b, "export", "{}");
	expect(b, "apply", "{'trunks':[],'profiles':[],'domains':[]}", "{'version':3}");
	expect(b, "config.rollback", "{'version':2}", "{'version':4}");
	now = result_of(b, "export", "{}");
	assert_true(json_equal(then, now));
	expect(b, "config.diff", "{'from':2}", "{'total':0}");
	json_decref(then);
	json_decref(now);
}

static void guards(void **state)
{
	struct bench *b = *state;

	expect(b, "target.set", "{'target':'in/a','weight':5,'if_version':1}", "{'version':2}");
	expect_refusal(b, "target.set", "{'target':'in/a','weight':6,'if_version':1}",
		       "if_version: version 2 is in force, not 1: somebody changed something meanwhile (config log says who)");
	expect_refusal(b, "number.set", "{'number':'+15','profile':'w','if_version':3}",
		       "if_version: version 2 is in force, not 3: somebody changed something meanwhile (config log says who)");
	expect(b, "status", "{}", "{'routing_version':2,'numbers':2}");
	expect(b, "profile.set", "{'name':'in','ring_timeout_s':9,'if_version':2,'comment':'x'}", "{'version':3}");
	expect_refusal(b, "status", "{'if_version':3}", "if_version: status has no such parameter");
}

/* A hundred changes by dice; every version can be made again just as it was. */
static void every_version_comes_back(void **state)
{
	static const char *const profiles[] = { "in", "rr", "w", "fall" };
	struct bench *b = *state;
	struct model *kept[101] = { NULL };
	char error[ERROR_TEXT_MAX] = "";

	srand(4711);
	for (unsigned i = 1; i <= 100; i++) {
		char params[256];
		struct model *m;

		switch (rand() % 4) {
		case 0:
			snprintf(params, sizeof(params), "{'number':'+4420%d','profile':'%s'}", rand() % 30, profiles[rand() % 4]);
			json_decref(result_of(b, "number.set", params));
			break;
		case 1:
			snprintf(params, sizeof(params), "{'prefix':'+%d','profile':'%s'}", 1 + rand() % 5, profiles[rand() % 4]);
			json_decref(result_of(b, "number.set", params));
			break;
		case 2:
			snprintf(params, sizeof(params), "{'target':'w/%c','weight':%d}", 'a' + rand() % 2, 1 + rand() % 5);
			json_decref(result_of(b, "target.set", params));
			break;
		default:
			snprintf(params, sizeof(params), "{'domains':[{'domain':'d%d.example','profile':'%s'}]}", rand() % 3, profiles[rand() % 4]);
			json_decref(result_of(b, "apply", params));
		}
		/* a copy shares the numbers: so from the log, while it is young */
		assert_int_equal(reconstruct(b->routing.versions, versions_last(b->routing.versions), b->routing.model, &plenty, false, &m, error), 0);
		model_free(kept[versions_last(b->routing.versions)]);
		kept[versions_last(b->routing.versions)] = m;
		if (number_map_count(m->numbers) && rand() % 2) /* what shares them must not see what follows */
			json_decref(result_of(b, "number.set", "{'number':'+999','profile':'in'}"));
	}
	for (uint64_t n = 2; n <= versions_last(b->routing.versions) && n <= 100; n++) {
		struct model *m;
		struct diff d;

		if (!kept[n])
			continue;
		if (reconstruct(b->routing.versions, n, b->routing.model, &plenty, false, &m, error))
			fail_msg("%s", error);
		diff_init(&d);
		diff_models(&d, kept[n], m);
		for (uint32_t k = 0; k < d.count; k++) /* numbers are shared with what is in force: only the rest is compared here */
			if (strcmp(d.changes[k].kind, "number") != 0 && strcmp(d.changes[k].kind, "prefix") != 0)
				fail_msg("version %llu: %s %s", (unsigned long long)n, d.changes[k].kind, d.changes[k].name);
		diff_done(&d);
		model_free(m);
	}
	for (unsigned i = 0; i <= 100; i++)
		model_free(kept[i]);
}

/* ---- the end of the process between two steps */

static struct model *start_again(const char *what, uint64_t *ret_version, uint64_t *ret_dropped, struct state **ret_state, struct versions **ret_versions)
{
	struct state *s = state_new(state_path);
	struct versions *v = open_log(&roomy);
	char error[ERROR_TEXT_MAX] = "";
	struct model *m;

	if (state_load(s, &plenty, &m, error) || versions_start(v, state_accepted(s), m, &me, ret_dropped, error))
		fail_msg("%s: %s", what, error);
	*ret_version = versions_last(v);
	*ret_state = s;
	*ret_versions = v;
	return m;
}

static void ends_between(void **state)
{
	static const struct {
		const char *what;
		bool begin_version, begin_state, keep_state, keep_version;
		uint64_t version, dropped;
		bool present; /* is the number there afterwards? */
	} cases[] = {
		{ "nothing", false, false, false, false, 1, 0, false },
		{ "only the log", true, false, false, false, 1, 1, false },
		{ "log and state", true, true, false, false, 2, 0, true },
		{ "kept", true, true, true, true, 2, 0, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *m = model_of(whole), *back;
		struct versions *v, *w;
		struct state *s, *t;
		char error[ERROR_TEXT_MAX] = "";
		uint64_t version, dropped;
		e164 n;

		unlink(path);
		unlink(state_path);
		e164_parse(SPAN_LIT("+4477"), &n);
		v = open_log(&roomy);
		s = state_new(state_path);
		assert_int_equal(versions_start(v, 0, m, &me, &dropped, error), 0);
		state_accept(s, 1);
		assert_int_equal(state_begin_model(s, m, error), 0);
		assert_int_equal(state_keep(s, error), 0);
		if (cases[i].begin_version)
			assert_int_equal(versions_begin_number(v, n, false, NULL, "in", &me, error), 0);
		state_accept(s, 2);
		if (cases[i].begin_state)
			assert_int_equal(state_begin_number(s, n, false, "in", error), 0);
		if (cases[i].keep_state)
			assert_int_equal(state_keep(s, error), 0);
		if (cases[i].keep_version)
			versions_keep(v);
		back = start_again(cases[i].what, &version, &dropped, &t, &w);
		if (version != cases[i].version || dropped != cases[i].dropped ||
		    (number_map_get(back->numbers, n) != NUMBER_MAP_NONE) != cases[i].present)
			fail_msg("%s: version %llu, %llu dropped", cases[i].what, (unsigned long long)version, (unsigned long long)dropped);
		/* the next change goes on from there */
		assert_int_equal(versions_begin_number(w, n, false, NULL, "in", &me, error), 0);
		versions_keep(w);
		assert_int_equal(versions_last(w), cases[i].version + 1);
		model_free(back);
		model_free(m);
		versions_free(v);
		versions_free(w);
		state_free(s);
		state_free(t);
	}
}

/* Restarts without a change are no versions; a routing that came from elsewhere is one, with no way back. */
static void starts(void **state)
{
	struct model *m = model_of(whole), *other = model_of("profiles: [{name: other}]\n"), *back;
	char error[ERROR_TEXT_MAX] = "";
	struct versions *v;
	uint64_t dropped;

	unlink(path);
	for (unsigned i = 0; i < 3; i++) {
		v = open_log(&roomy);
		assert_int_equal(versions_start(v, 0, m, &me, &dropped, error), 0);
		assert_int_equal(versions_last(v), 1);
		versions_free(v);
	}
	for (unsigned i = 0; i < 2; i++) {
		v = open_log(&roomy);
		assert_int_equal(versions_start(v, 0, other, &me, &dropped, error), 0);
		assert_int_equal(versions_last(v), 2);
		versions_free(v);
	}
	v = open_log(&roomy);
	assert_int_equal(reconstruct(v, 1, other, &plenty, false, &back, error), -ERR_NOT_FOUND);
	assert_string_equal(error, "nothing from before version 2 can be made again: strowgerd started then with a routing that the log does not know");
	assert_int_equal(reconstruct(v, 2, other, &plenty, false, &back, error), 0);
	model_free(back);
	versions_free(v);
	/* the log was lost: numbers go on from what the state file says */
	unlink(path);
	v = open_log(&roomy);
	assert_int_equal(versions_start(v, 41, m, &me, &dropped, error), 0);
	assert_int_equal(versions_last(v), 42);
	versions_free(v);
	model_free(m);
	model_free(other);
}

/* A log that cannot be written refuses the change whole: nothing is in force, nothing is kept; and it goes on when there is room again. */
static void full_disk(void **state)
{
	struct bench *b = *state;
	struct rlimit was, tight = { .rlim_cur = 0 };
	struct stat st;
	json_t *answer;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	tight = (struct rlimit){ .rlim_cur = (rlim_t)st.st_size + 20, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	answer = ask(b, "number.set", "{'number':'+15','profile':'w'}");
	json_decref(ask(b, "target.set", "{'target':'in/a','weight':7}"));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_non_null(strstr(json_string_value(json_object_get(json_object_get(answer, "error"), "message")), "No space left on device"));
	json_decref(answer);
	expect(b, "numbers", "{'prefix':'15'}", "{'numbers':[]}");
	expect(b, "status", "{}", "{'routing_version':1}");
	expect(b, "config.diff", "{'from':1}", "{'total':0}");
	assert_int_equal(stat(path, &st), 0);
	expect(b, "number.set", "{'number':'+15','profile':'w'}", "{'version':2}");
	expect(b, "config.show", "{'version':2}", "{'changes':['+ number +15 → w']}");
}

int main(void)
{
#define WITH_VERSIONS(f) cmocka_unit_test_setup_teardown(f, set_up_versions, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_kept),	  cmocka_unit_test(is_bounded),	     cmocka_unit_test(is_careful),
		cmocka_unit_test(damage_is_named), WITH_VERSIONS(says_who_and_what), WITH_VERSIONS(goes_back),
		WITH_VERSIONS(guards),		  WITH_VERSIONS(leaves_drains), WITH_VERSIONS(keeps_numbers), WITH_VERSIONS(everything_comes_back),		  WITH_VERSIONS(every_version_comes_back), cmocka_unit_test(ends_between),
		cmocka_unit_test(starts),	  WITH_VERSIONS(full_disk),
	};
	int failed;

	signal(SIGXFSZ, SIG_IGN);
	eal_for_test("96");
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/routing.json.versions", directory);
	snprintf(state_path, sizeof(state_path), "%s/routing.json", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_directory(directory);
	return failed;
}
