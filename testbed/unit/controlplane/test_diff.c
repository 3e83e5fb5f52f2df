/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "model/diff.h"

#define BASE                                                                                                                                  \
	"trunks:\n"                                                                                                                           \
	"  - {name: a, endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2, priority: 1}], sources: [10.0.0.0/24], profile: in}\n"           \
	"  - {name: b, endpoints: [{address: 10.0.1.1}]}\n"

#define PROFILE "profiles: [{name: in, strategy: failover, targets: [{trunk: a}, {trunk: b}]}, {name: out}]\n"

static const struct {
	const char *from, *to;
	const char *lines; /* each with its newline */
} cases[] = {
	{ BASE PROFILE, BASE PROFILE, "" },
	{ "", BASE PROFILE,
	  "+ trunk a\n+ trunk b\n+ profile in\n+ profile out\n" },
	{ BASE PROFILE, "", "- trunk a\n- trunk b\n- profile in\n- profile out\n" },
	{ BASE PROFILE, BASE "profiles: [{name: in, strategy: round_robin, max_retries: 3, targets: [{trunk: a}, {trunk: b}]}, {name: out}]\n",
	  "~ profile in: strategy failover → round_robin\n~ profile in: max_retries 2 → 3\n" },
	{ BASE PROFILE, BASE "profiles: [{name: in, retry_codes: {add: [480]}, targets: [{trunk: a, weight: 5, enabled: false}]}, {name: out}]\n",
	  "~ profile in: retry_codes {\"add\":[],\"remove\":[]} → {\"add\":[480],\"remove\":[]}\n"
	  "~ target in/a: weight 100 → 5\n~ target in/a: enabled true → false\n- target in/b\n" },
	{ BASE PROFILE, BASE "profiles: [{name: in, targets: [{trunk: b}, {trunk: a}]}, {name: out}]\n", "~ profile in: order a, b → b, a\n" },
	/* a drain is said in words */
	{ BASE PROFILE, BASE "profiles: [{name: in, strategy: failover, targets: [{trunk: a, drain: {since: 1769878921}}, {trunk: b}]}, {name: out}]\n",
	  "~ target in/a: drain none → since 2026-01-31 17:02:01 UTC\n" },
	/* the order of trunks and profiles means nothing, nor does the case of names in references */
	{ BASE PROFILE,
	  "trunks:\n"
	  "  - {name: b, endpoints: [{address: 10.0.1.1}]}\n"
	  "  - {name: a, endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2, priority: 1}], sources: [10.0.0.0/24], profile: in}\n"
	  "profiles: [{name: out}, {name: in, targets: [{trunk: a}, {trunk: b}]}]\n",
	  "" },
	{ BASE PROFILE,
	  "trunks:\n"
	  "  - {name: a, endpoints: [{address: 10.0.0.2, priority: 2}, {address: 10.0.0.3}], sources: [10.0.2.0/24], request_uri: keep, host: x, large_requests: tcp, connection_reuse: true}\n"
	  "  - {name: b, endpoints: [{address: 10.0.1.1}], number_plan: {country_code: '1'}, probe: {enabled: false}, tls: {name: X, minimum_version: '1.3'}}\n" PROFILE,
	  "~ trunk a: profile in → none\n~ trunk a: request_uri endpoint → keep\n~ trunk a: host none → x\n~ trunk a: large_requests none → tcp\n~ trunk a: connection_reuse none → true\n"
	  "~ trunk a: sources [\"10.0.0.0/24\"] → [\"10.0.2.0/24\"]\n"
	  "~ endpoint a/10.0.0.2:5060: priority/weight 1/100 → 2/100\n+ endpoint a/10.0.0.3:5060\n- endpoint a/10.0.0.1:5060\n"
	  "~ trunk b: number_plan none → {\"country_code\":\"1\",\"international_prefix\":\"\",\"national_prefix\":\"\"}\n"
	  "~ trunk b: probe none → {\"enabled\":false}\n~ trunk b: tls none → {\"name\":\"x\",\"minimum_version\":\"1.3\"}\n" },
	/* a transport is part of what an endpoint is */
	{ "trunks: [{name: a, endpoints: [{address: 10.0.0.1}, {host: x, transport: udp}]}, {name: b}]\n" PROFILE,
	  "trunks: [{name: a, endpoints: [{address: 10.0.0.1, transport: tcp}, {host: x, transport: tcp}]}, {name: b}]\n" PROFILE,
	  "+ endpoint a/10.0.0.1:5060 (tcp)\n- endpoint a/10.0.0.1:5060\n+ endpoint a/x (tcp)\n- endpoint a/x (udp)\n" },
	{ PROFILE "trunks: [{name: a}, {name: b}]\nnumbers: [{number: '1', profile: in}, {prefix: '2', profile: in}]\n"
		  "domains: [{domain: x, profile: in}]\n",
	  PROFILE "trunks: [{name: a}, {name: b}]\nnumbers: [{number: '1', profile: out}, {number: '2', profile: in}]\n"
		  "domains: [{domain: X., profile: out}, {domain: y, profile: in}]\n",
	  "~ domain x: profile in → out\n+ domain y → in\n- prefix +2 → in\n~ number +1: profile in → out\n+ number +2 → in\n" },
};

static void lines(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct model *from = model_of(cases[i].from), *to = model_of(cases[i].to);
		char got[4096] = "";
		struct diff d;
		json_t *json;

		diff_init(&d);
		diff_models(&d, from, to);
		for (uint32_t k = 0; k < d.count; k++) {
			char *line = diff_line(&d.changes[k]);

			strcat(strcat(got, line), "\n");
			free(line);
		}
		/* numbers come in no order: the table lists at most one that is changed and one that is new */
		if (strlen(got) != strlen(cases[i].lines) || (strcmp(got, cases[i].lines) && !strstr(cases[i].lines, "number +1")))
			fail_msg("case %u: got\n%s want\n%s", i, got, cases[i].lines);
		json = diff_json(&d);
		assert_int_equal(json_integer_value(json_object_get(json, "total")), d.total);
		assert_int_equal(json_array_size(json_object_get(json, "changes")), d.count);
		json_decref(json);
		diff_done(&d);
		model_free(from);
		model_free(to);
	}
}

static void json_form(void **state)
{
	struct model *from = model_of(PROFILE BASE), *to = model_of(BASE "profiles: [{name: in, ring_timeout_s: 9, targets: [{trunk: a}, "
								    "{trunk: b}]}, {name: out}]\n");
	json_t *want = json_pack("{s:i, s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:s}]}", "total", 1, "changes", "op", "change", "kind", "profile",
				 "name", "in", "field", "ring_timeout_s", "from", "25", "to", "9", "text",
				 "~ profile in: ring_timeout_s 25 → 9"),
	       *got;
	struct diff d;

	diff_init(&d);
	diff_models(&d, from, to);
	got = diff_json(&d);
	assert_true(json_equal(got, want));
	json_decref(got);
	json_decref(want);
	diff_done(&d);
	model_free(from);
	model_free(to);
}

/* Millions of numbers are counted, not listed. */
static void long_lists_are_counted(void **state)
{
	char *text = malloc(200000), *p = text;
	struct model *from = model_of("profiles: [{name: in}]\n"), *to;
	struct model_limits roomy = plenty;
	char error[ERROR_TEXT_MAX];
	struct diff d;

	roomy.numbers = 10000;
	p += sprintf(p, "profiles: [{name: in}]\nnumbers:\n");
	for (unsigned i = 0; i < 3000; i++)
		p += sprintf(p, "- {number: '%u', profile: in}\n", 100000 + i);
	to = model_try(text, &roomy, error);
	assert_non_null(to);
	diff_init(&d);
	diff_models(&d, from, to);
	assert_int_equal(d.total, 3000);
	assert_int_equal(d.count, DIFF_LISTED_MAX);
	diff_done(&d);
	model_free(from);
	model_free(to);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(lines), cmocka_unit_test(json_form), cmocka_unit_test(long_lists_are_counted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
