/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations, asked in JSON-RPC. */
#include "operations_fixture.h"

#include "alarms/alarms.h"
#include "base/log_linear.h"

static void looks(void **state)
{
	struct bench *b = *state;
	struct fake_dataplane *fake = fake_dataplane(b->dataplane);
	uint32_t slot = publish_target_slot(b->routing.publisher, trunk_id(SPAN_LIT("in")), trunk_id(SPAN_LIT("a")));

	counter_add(&fake->counters[0], COUNTER_calls_started, 3);
	counter_add(&fake->counters[1], COUNTER_calls_started, 4);
	fake->gauges[1].live_calls = 2;
	fake->targets[slot] = (struct target_stats){ .attempts = 5, .answered = 4, .live = 2, .rescued_away = 1 };
	expect(b, "status", "{}",
	       "{'version':'9.9','name':'test','state':'running','hugepages':false,'workers':2,'listeners':['udp:10.77.0.1:5060'],"
	       "'ports':[{'name':'sip0','mtu':1500}],'calls':{'started':7,'answered':0,'live':2},'trunks':3,'profiles':4,'numbers':2,"
	       "'prefixes':1,'domains':1}");
	expect(b, "workers", "{}", "[{'worker':0,'core':-1,'calls_started':3},{'worker':1,'live_calls':2,'calls_started':4}]");
	fake->loop[1] = (struct loop_times){ .cycles_per_s = 2000000000, .longest = 90000 };
	fake->loop[1].turns[log_linear_bucket(2000, LOOP_BITS)] = 998;
	fake->loop[1].turns[log_linear_bucket(90000, LOOP_BITS)] = 2;
	expect(b, "workers", "{'loop':true}",
	       "[{'worker':0,'loop':{'turns':0,'p50_us':0.0,'longest_us':0.0,'buckets':[]}},"
	       "{'worker':1,'loop':{'turns':1000,'p50_us':1.0235,'p99_us':1.0235,'p999_us':45.0,'longest_us':45.0,"
	       "'buckets':[{'us':0.96,'turns':998},{'us':40.96,'turns':2}]}}]");
	expect(b, "counters", "{}", "{'total':{'calls_started':7},'workers':[{'calls_started':3},{'calls_started':4}]}");
	expect(b, "targets", "{}",
	       "[{'target':'in/a','profile':'in','trunk':'a','position':0,'weight':100,'enabled':true,'state':'up','attempts':5,'answered':4,"
	       "'live':2,'rescued_away':1,'endpoints':[{'address':'10.0.0.1:5060','health':'unknown'},{'address':'10.0.0.2:5060'}]},"
	       "{'target':'in/b'},{'target':'rr/a'},{'target':'rr/b'},{'target':'w/a'},{'target':'w/b'}]");
	expect(b, "profiles", "{}", "[{'name':'in','strategy':'failover','numbers':1},{'name':'rr'},{'name':'w','numbers':1},{'numbers':0}]");
	expect(b, "profile.get", "{'name':'W'}",
	       "{'name':'w','strategy':'weighted_lb','ring_timeout_s':25,'targets':[{'trunk':'a','weight':70},{'trunk':'b','weight':30}]}");
	expect(b, "numbers", "{}",
	       "{'numbers':[{'number':'+442035550100','profile':'in'},{'number':'+442035550101','profile':'rr'}],"
	       "'prefixes':[{'prefix':'+49','profile':'w'}],'numbers_total':2,'prefixes_total':1}");
	expect(b, "numbers", "{'prefix':'+442','limit':1}",
	       "{'numbers':[{'number':'+442035550100'}],'numbers_total':2,'prefixes':[],'prefixes_total':0}");
	expect(b, "export", "{}", "{'trunks':[{'name':'caller'},{},{}],'profiles':[{},{},{},{}],'domains':[{'domain':'example.com'}]}");
	assert_int_equal(b->changes, 0);
}

static void changes(void **state)
{
	struct bench *b = *state;

	expect(b, "target.set", "{'target':'in/a','enabled':false}",
	       "{'applied':true,'total':1,'changes':[{'text':'~ target in/a: enabled true → false'}],'target':{'state':'disabled'}}");
	expect(b, "target.set", "{'target':'IN/B','weight':0}", "{'total':1,'target':{'target':'in/b','state':'drained','weight':0}}");
	expect(b, "target.set", "{'target':'in/b','weight':0}", "{'total':0}");
	assert_int_equal(b->changes, 2);
	expect(b, "profile.set", "{'name':'in','strategy':'round_robin','ring_timeout_s':9,'retry_codes':{'add':[480]}}",
	       "{'total':3,'profile':{'strategy':'round_robin','ring_timeout_s':9,'retry_codes':{'add':[480],'remove':[]},"
	       "'targets':[{'enabled':false},{'weight':0}]}}");
	expect(b, "profile.set", "{'name':'in','targets':[{'trunk':'b'}]}", "{'profile':{'strategy':'round_robin','targets':[{'trunk':'b'}]}}");
	expect(b, "number.set", "{'number':'+442035550100','profile':'w'}", "{'number':'+442035550100','profile':'w'}");
	expect(b, "number.set", "{'prefix':'49','profile':null}", "{'prefix':'+49','profile':null}");
	expect(b, "status", "{}", "{'numbers':2,'prefixes':0}");
	expect(b, "drain", "{'on':true}", "{'state':'draining'}");
	assert_true(fake_dataplane(b->dataplane)->draining);
	expect(b, "status", "{}", "{'state':'draining'}");
	expect(b, "drain", "{'on':false}", "{'state':'running'}");
}

static void applies(void **state)
{
	struct bench *b = *state;

	expect(b, "apply", "{'domains':[],'dry_run':true}", "{'applied':false,'total':1,'changes':[{'text':'- domain example.com → in'}]}");
	expect(b, "status", "{}", "{'domains':1}");
	assert_int_equal(b->changes, 0);
	expect(b, "apply", "{'domains':[{'domain':'other.example','profile':'w'}]}", "{'applied':true,'total':2}");
	expect(b, "route", "{'from':'x','to':'sip:bob@other.example'}", "{'verdict':'routed','profile':'w'}");
	expect(b, "status", "{}", "{'domains':1,'trunks':3,'numbers':2}");
	expect(b, "apply", "{'numbers':[{'number':'+1','profile':'rr'}]}", "{'total':4}");
	expect(b, "apply", "{'numbers':[{'number':'+1','profile':'rr'}]}", "{'total':0,'changes':[]}");
	assert_int_equal(b->changes, 2);
}

/* Without a resolver names stand for nothing, but they can be configured all the same. */
static void names(void **state)
{
	struct bench *b = *state;

	expect(b, "resolve", "{}", "[]");
	expect_refusal(b, "resolve", "{'name':'a b'}", "name: 'a b' is not a host name");
	expect_refusal(b, "resolve", "{'name':'sip.example'}", "name: no trunk names sip.example");
	expect_refusal(b, "resolve", "{'now':1}", "now: expected true or false");
	expect(b, "apply", "{'trunks':[{'name':'caller'},{'name':'a','endpoints':[{'host':'SIP.example.','port':5070}]},{'name':'b'}]}", "{'applied':true}");
	expect(b, "export", "{}", "{'trunks':[{},{'endpoints':[{'host':'sip.example','port':5070,'priority':0,'weight':100}]},{}]}");
	expect_refusal(b, "apply", "{'trunks':[{'name':'a','endpoints':[{'host':'x','address':'10.0.0.1'}]}]}",
		       "trunks[0].endpoints[0]: needs either address or host");
}

/* A list in pieces: one at a time, in force as a whole or not at all. */
static void loads_lists(void **state)
{
	struct bench *b = *state;

	expect_refusal(b, "numbers.add", "{'load':1,'text':''}", "load: no such load is under way (numbers.begin begins one)");
	expect(b, "numbers.begin", "{'expected':5}", "{'load':1}");
	expect_refusal(b, "numbers.begin", "{}", "another list of numbers is being loaded; it ends, or is forgotten a minute after its last piece");
	expect(b, "numbers.add", "{'load':1,'text':'+11 in\\n+12 r'}", "{'numbers':1}");
	expect(b, "numbers.add", "{'load':1,'text':'r\\n+49* in'}", "{'numbers':2}");
	expect(b, "numbers", "{}", "{'numbers_total':2,'prefixes_total':1}"); /* nothing yet */
	expect(b, "numbers.commit", "{'load':1,'dry_run':true}", "{'applied':false,'total':5}");
	expect_refusal(b, "numbers.commit", "{'load':1}", "load: no such load is under way (numbers.begin begins one)");
	expect(b, "numbers.begin", "{}", "{'load':2}");
	expect_refusal(b, "numbers.add", "{'load':1,'text':''}", "load: no such load is under way (numbers.begin begins one)");
	expect(b, "numbers.add", "{'load':2,'text':'+11 in\\n+12 rr\\n+49* in'}", "{'numbers':2}");
	expect(b, "numbers.commit", "{'load':2}", "{'applied':true,'total':5}");
	expect(b, "numbers", "{}", "{'numbers':[{'number':'+11','profile':'in'},{'number':'+12','profile':'rr'}],'prefixes':[{'prefix':'+49','profile':'in'}]}");
	/* what is wrong ends it, and changes nothing */
	expect(b, "numbers.begin", "{}", "{'load':3}");
	expect_refusal(b, "numbers.add", "{'load':3,'text':'+11 in\\n+12 nobody\\n'}", "line 2: 'nobody' is no profile");
	expect_refusal(b, "numbers.add", "{'load':3,'text':''}", "load: no such load is under way (numbers.begin begins one)");
	/* a profile that went meanwhile */
	expect(b, "numbers.begin", "{}", "{'load':4}");
	expect(b, "numbers.add", "{'load':4,'text':'+15 fall\\n'}", "{'numbers':1}");
	expect(b, "numbers.abort", "{'load':4}", "{'aborted':true}");
	expect(b, "numbers", "{}", "{'numbers_total':2}");
	/* one that was left alone for a minute gives way */
	expect(b, "numbers.begin", "{}", "{'load':5}");
	fake_set_now(FAKE_NOW_MS + 60000);
	expect(b, "numbers.begin", "{}", "{'load':6}");
	expect(b, "numbers.abort", "{'load':6}", "{}");
	fake_set_now(FAKE_NOW_MS);
}

static void refuses(void **state)
{
	static const struct {
		const char *method, *params;
		int code;
		const char *message;
	} cases[] = {
		{ "nothing", "{}", -32601, "no method named nothing (operations lists them)" },
		{ "status", "{'x':1}", -32602, "x: status has no such parameter" },
		{ "status", "[]", -32602, "params: expected an object" },
		{ "target.set", "{}", -32602, "target: is missing" },
		{ "target.set", "{'target':'in/a'}", -32602, "target.set: needs enabled, weight, max_calls, max_cps, region or probe" },
		{ "target.set", "{'target':'in/a','weight':'5'}", -32602, "weight: expected a whole number" },
		{ "target.set", "{'target':'in/a','weight':65536}", -32602, "weight: 65536 is not in 0..65535" },
		{ "target.set", "{'target':'in/x','weight':1}", -32004, "target: profile in has no target x" },
		{ "target.set", "{'target':'y/x','weight':1}", -32004, "target: no profile named y" },
		{ "profile.get", "{'name':'y'}", -32004, "name: no profile named y (apply creates one)" },
		{ "profile.set", "{'name':'y','strategy':'failover'}", -32004, "name: no profile named y (apply creates one)" },
		{ "profile.set", "{'name':'in','strategy':'best'}", -32602,
		  "profile.strategy: 'best' is none of failover, round_robin, weighted_lb, simultaneous_ring, least_calls, fastest" },
		{ "profile.set", "{'name':'in','ring_timeout_s':181}", -32602, "profile.ring_timeout_s: 181 is not in 0..180" },
		{ "profile.set", "{'name':'in','retry_codes':{'plus':[480]}}", -32602, "retry_codes.plus: unknown key" },
		{ "profile.set", "{'name':'in','targets':[{'trunk':'zz'}]}", -32602, "profiles[0].targets[0].trunk: no trunk named zz" },
		{ "number.set", "{'profile':'in'}", -32602, "number: needs either number or prefix" },
		{ "number.set", "{'number':'abc','profile':'in'}", -32602, "number: 'abc' is not an E.164 number (+, up to 15 digits)" },
		{ "number.set", "{'number':'+1','profile':'zz'}", -32004, "profile: no profile named zz" },
		{ "number.set", "{'number':'+1','profile':null}", -32004, "number: +1 is not there" },
		{ "numbers", "{'limit':0}", -32602, "limit: 0 is not in 1..100000" },
		{ "numbers", "{'prefix':'x'}", -32602, "prefix: 'x' is not an E.164 prefix (+, up to 15 digits)" },
		{ "apply", "{}", -32602, "apply: needs at least one of trunks, profiles, numbers, domains" },
		{ "apply", "{'trunks':{}}", -32602, "trunks: expected a list" },
		{ "apply", "{'trunks':[]}", -32602, "profiles[0].targets[0].trunk: no trunk named a" },
		{ "apply", "{'profiles':[]}", -32602, "trunks[0].profile: no profile named fall" },
		{ "apply", "{'trunks':[{'name':'a'},{'name':'b'}],'profiles':[]}", -32602, "domains: example.com names a profile that does not exist" },
		{ "apply", "{'trunks':[{'name':'a','endpoints':[{'address':'1.2.3.4','port':'x'}]}]}", -32602,
		  "trunks[0].endpoints[0].port: expected a whole number" },
		{ "route", "{'from':'x'}", -32602, "to: is missing" },
		{ "route", "{'from':'x','to':'sip:[','source':'10.0.9.1'}", -32602, "to: 'sip:[' is not a URI" },
		{ "route", "{'from':'x','to':'y','source':'z'}", -32602, "source: 'z' is not an IP address" },
		{ "drain", "{'on':1}", -32602, "on: expected true or false" },
	};
	struct bench *b = *state;
	struct model *before = model_copy(b->routing.model);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *answer = ask(b, cases[i].method, cases[i].params), *error = json_object_get(answer, "error");
		const char *message = json_string_value(json_object_get(error, "message"));

		if (!message || strcmp(message, cases[i].message) != 0 || json_integer_value(json_object_get(error, "code")) != cases[i].code)
			fail_msg("case %u: got %s", i, json_dumps(answer, JSON_COMPACT));
		json_decref(answer);
	}
	assert_memory_equal(before->profiles, b->routing.model->profiles, before->profile_count * sizeof(*before->profiles));
	assert_int_equal(b->changes, 0);
	model_free(before);
}

static void explains_routes(void **state)
{
	struct bench *b = *state;
	struct profiles *profiles = dataplane_tables(b->dataplane)->profiles;
	uint32_t rr = publish_profile_slot(b->routing.publisher, trunk_id(SPAN_LIT("rr")));

	expect(b, "route", "{'from':'+1','to':'+442035550100','source':'10.0.9.1'}",
	       "{'source':{'address':'10.0.9.1','trunk':'caller'},'number':'+442035550100','matched':{'by':'number','value':'+442035550100'},"
	       "'profile':'in','strategy':'failover','verdict':'routed','left_out':[],'attempts':["
	       "{'order':1,'target':'in/a','endpoint':'10.0.0.1:5060'},{'order':2,'target':'in/a','endpoint':'10.0.0.2:5060'},"
	       "{'order':3,'target':'in/b','endpoint':'10.0.1.1:5060'}]}");
	/* the node's number plan makes a national number whole; the prefix is named */
	expect(b, "route", "{'from':'+1','to':'02035550100'}", "{'source':null,'number':'+442035550100','profile':'in'}");
	expect(b, "route", "{'from':'+1','to':'sip:+4930123@example.com'}", "{'matched':{'by':'prefix','value':'+49'},'profile':'w'}");
	expect(b, "route", "{'from':'+1','to':'sip:bob@EXAMPLE.com'}", "{'matched':{'by':'domain','value':'EXAMPLE.com'},'profile':'in'}");
	expect(b, "route", "{'from':'+1','to':'example.com'}", "{'matched':{'by':'domain'},'profile':'in'}");
	expect(b, "route", "{'from':'sip:x@10.0.9.7','to':'bob@nowhere.example'}",
	       "{'source':{'trunk':'caller'},'matched':{'by':'trunk','value':'caller'},'profile':'fall','verdict':'refused','status':500,"
	       "'reason':'no target of the profile can take a call now'}");
	expect(b, "route", "{'from':'+1','to':'+442035550100','source':'10.9.9.9'}",
	       "{'verdict':'refused','status':403,'source':{'trunk':null},'reason':'no trunk has 10.9.9.9 among its sources'}");
	expect(b, "route", "{'from':'+1','to':'+33'}", "{'verdict':'refused','status':404}");
	expect(b, "route", "{'from':'+1','to':'sips:bob@example.com'}", "{'verdict':'refused','status':416}");
	/* a dry run takes no ticket */
	expect(b, "route", "{'from':'+1','to':'+442035550101'}",
	       "{'ticket':0,'attempts':[{'target':'rr/a'},{'target':'rr/a'}],'left_out':[{'target':'rr/b','reason':'beyond max_retries or max_attempts'}]}");
	expect(b, "route", "{'from':'+1','to':'+442035550101'}", "{'ticket':0}");
	profiles_ticket(profiles, rr);
	expect(b, "route", "{'from':'+1','to':'+442035550101'}", "{'ticket':1,'attempts':[{'target':'rr/b'}]}");
	/* the same Call-ID, the same target */
	expect(b, "route", "{'from':'+1','to':'+4930','call_id':'abc'}", "{'call_id':'abc','strategy':'weighted_lb'}");
	expect(b, "target.set", "{'target':'in/a','enabled':false}", "{}");
	expect(b, "route", "{'from':'+1','to':'+442035550100'}",
	       "{'attempts':[{'target':'in/b'}],'left_out':[{'target':'in/a','reason':'disabled'}]}");
}

static void speaks_json_rpc(void **state)
{
	static const struct {
		const char *request, *answer; /* NULL: none */
	} cases[] = {
		{ "{", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"not JSON: string or '}' expected near end of file\"},\"id\":null}\n" },
		{ "1", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"not a JSON-RPC 2.0 request: needs jsonrpc \\\"2.0\\\", method, "
		       "and id\"},\"id\":null}\n" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"drain\",\"params\":{\"on\":false}}", NULL },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}", NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"drain\",\"params\":{\"on\":false}}",
		  "{\"jsonrpc\":\"2.0\",\"result\":{\"state\":\"running\"},\"id\":\"x\"}\n" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"drain\",\"params\":{\"on\":false}},{\"jsonrpc\":\"2.0\",\"method\":\"drain\","
		  "\"params\":{\"on\":false}},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"drain\",\"params\":{\"on\":false}}]",
		  "[{\"jsonrpc\":\"2.0\",\"result\":{\"state\":\"running\"},\"id\":1},{\"jsonrpc\":\"2.0\",\"result\":{\"state\":\"running\"},\"id\":2}]\n" },
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char *line = rpc_answer(&b->control, cases[i].request, strlen(cases[i].request));

		if (!line != !cases[i].answer || (line && strcmp(line, cases[i].answer) != 0))
			fail_msg("case %u: got %s", i, line ? line : "nothing");
		free(line);
	}
}

static void table_is_whole(void **state)
{
	struct bench *b = *state;
	json_t *listed = result_of(b, "operations", "{}");
	size_t n;
	const struct operation *all = operations_all(&n);

	assert_int_equal(json_array_size(listed), n);
	for (size_t i = 0; i < n; i++) {
		assert_true(strlen(all[i].doc) > 0);
		assert_ptr_equal(operation_find(all[i].name), &all[i]);
	}
	json_decref(listed);
}

static void alarms_are_listed(void **state)
{
	struct bench *b = *state;

	b->control.alarms = alarms_new(16, 4);
	expect(b, "alarms", "{}", "{'raised':[],'sequence':0,'forgotten':0}");
	alarm_raise(b->control.alarms, ALARM_LIMIT, "in/a", "10 of 10");
	alarm_raise(b->control.alarms, ALARM_DRAINING, "node", "since now");
	alarm_raise(b->control.alarms, ALARM_ALL_DOWN, "in", "none");
	alarm_clear(b->control.alarms, ALARM_LIMIT, "in/a", "9 of 10");
	alarm_raise(b->control.alarms, ALARM_LIMIT, "in/a", "10 of 10");
	expect(b, "alarms", "{}",
	       "{'raised':[{'kind':'all-down','severity':'critical'},{'kind':'limit','severity':'minor','subject':'in/a','text':'10 of 10','count':1},"
	       "{'kind':'draining','severity':'warning'}],'sequence':5}");
	expect(b, "alarms.history", "{'limit':2}", "{'events':[{'event':'cleared','sequence':4},{'event':'raised','sequence':5}]}");
	expect(b, "alarms.history", "{}", "{'events':[{'sequence':2},{'sequence':3},{'sequence':4},{'sequence':5}]}");
	expect_refusal(b, "alarms.history", "{'limit':0}", "limit: 0 is not in 1..10000");
	expect_refusal(b, "alarms.follow", "{}", "alarms.follow: only over a connection that stays");
	alarms_free(b->control.alarms);
	b->control.alarms = NULL;
	expect(b, "alarms", "{}", "{'raised':[]}");
}

int main(void)
{
#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_BENCH(looks),	     WITH_BENCH(changes),	  WITH_BENCH(applies),	      WITH_BENCH(loads_lists),
		WITH_BENCH(names),	     WITH_BENCH(refuses),	  WITH_BENCH(explains_routes), WITH_BENCH(alarms_are_listed),
		WITH_BENCH(speaks_json_rpc), WITH_BENCH(table_is_whole),
	};

	eal_for_test("96");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
