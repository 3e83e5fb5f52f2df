/* SPDX-License-Identifier: Apache-2.0 */
/* The prober over a data plane that notes what it is asked to send, and a clock that the test moves. */
#include "operations_fixture.h"

#include "health/prober.h"
#include "model/probe.h"
#include "sip/via.h"
#include "tables/endpoints.h"
#include "tables/epoch.h"

#define SENT_MAX 30000

struct probing {
	struct bench *bench;
	struct fake_dataplane *fake;
	struct prober *prober;
	struct probe_request *sent;
	uint64_t now;
};

static int begin(void **state)
{
	struct probing *t = calloc(1, sizeof(*t));
	struct probe_settings otherwise = probe_settings_default();
	void *b;

	set_up(&b);
	t->bench = b;
	t->fake = fake_dataplane(t->bench->dataplane);
	t->sent = calloc(SENT_MAX, sizeof(*t->sent));
	t->fake->probes = t->sent;
	t->fake->probe_room = SENT_MAX;
	strcpy(t->fake->config.server_name, "Strowger");
	t->now = FAKE_NOW_MS;
	fake_set_now(t->now);
	otherwise.interval_ms = 1000;
	otherwise.timeout_ms = 500;
	strcpy(otherwise.user_agent, "Strowger");
	t->prober = prober_new(NULL, t->bench->dataplane, &otherwise);
	t->bench->control.prober = t->prober;
	*state = t;
	return 0;
}

static int end(void **state)
{
	struct probing *t = *state;
	void *b = t->bench;

	prober_free(t->prober);
	tear_down(&b);
	free(t->sent);
	free(t);
	return 0;
}

static void in_force(struct probing *t, const char *text)
{
	char error[ERROR_TEXT_MAX] = "";

	if (routing_commit(&t->bench->routing, model_of(text), error))
		fail_msg("%s", error);
	prober_follow(t->prober, &t->bench->routing);
}

/* Moves the clock on, a millisecond at a time. */
static void pass(struct probing *t, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		fake_set_now(++t->now);
		prober_advance(t->prober, t->now);
	}
}

/* Until something is sent; how long that took. */
static unsigned until_sent(struct probing *t)
{
	unsigned ms = 0, before = t->fake->probe_count;

	for (; t->fake->probe_count == before; ms++) {
		assert_true(ms < 200000);
		pass(t, 1);
	}
	return ms;
}

static void give(struct probing *t, uint64_t id, struct probe_result r)
{
	r.id = id;
	t->fake->results = &r;
	t->fake->result_first = 0;
	t->fake->result_count = 1;
	assert_false(prober_take(t->prober, t->now));
}

static void answer_last(struct probing *t, struct probe_result r)
{
	give(t, t->sent[t->fake->probe_count - 1].id, r);
}

static uint32_t slot_in(struct probing *t, const char *trunk, const char *address)
{
	uint32_t id = trunk_id(span_str(trunk));
	struct ip_port a;

	ip_port_parse(span_str(address), 0, &a);
	return publish_endpoint_slot(t->bench->routing.publisher, id, endpoint_id(id, &a, TRANSPORT_UDP));
}

static uint8_t live_health(struct probing *t, uint32_t slot)
{
	return atomic_load(&endpoints_live(t->fake->tables->endpoints, slot)->health);
}

static const struct probe_result ok = { .status = 200, .rtt_us = 8000 }, silence = { .timeout = true }, refused = { .refused = true };

#define ONE "trunks: [{name: one, endpoints: [{address: 10.0.0.1}]}]\n"

static void request(void **state)
{
	struct probing *t = *state;
	char want[1000], text[PROBE_MESSAGE_MAX + 1] = "", tag[17] = "", call_id[33] = "", *at;
	struct probe_request *first = &t->sent[0];

	in_force(t, "trunks: [{name: one, host: carrier.example, endpoints: [{address: 10.0.0.1, port: 5070}], probe: {timeout_ms: 77}}]\n");
	until_sent(t);
	assert_int_equal(t->fake->probe_count, 1);
	assert_int_equal(first->timeout_ms, 77);
	assert_int_equal(first->transport, TRANSPORT_UDP);
	assert_int_equal(first->to.port, 5070);
	memcpy(text, first->message, first->len);
	at = strstr(text, ";tag=");
	assert_non_null(at);
	memcpy(tag, at + 5, 16);
	at = strstr(text, "Call-ID: ");
	assert_non_null(at);
	memcpy(call_id, at + 9, 32);
	snprintf(want, sizeof(want),
		 "OPTIONS sip:carrier.example SIP/2.0\r\nFrom: <sip:10.77.0.1:5060>;tag=%s\r\nTo: <sip:carrier.example>\r\nCall-ID: %s\r\n"
		 "CSeq: 1 OPTIONS\r\nContact: <sip:10.77.0.1:5060>\r\nMax-Forwards: 70\r\nUser-Agent: Strowger\r\nContent-Length: 0\r\n\r\n",
		 tag, call_id);
	assert_string_equal(text, want);
	/* the next one is a dialog of its own */
	answer_last(t, ok);
	until_sent(t);
	assert_null(memmem(t->sent[1].message, t->sent[1].len, call_id, 32));
	assert_null(memmem(t->sent[1].message, t->sent[1].len, tag, 16));
}

/* What a target says wins over its profile, that over the trunk, that over the node; where users differ the strictest has its way. */
static void who_decides(void **state)
{
	static const struct {
		const char *what, *text;
		uint32_t interval_ms; /* 0: it is not probed */
	} cases[] = {
		{ "the node", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}]}]\n", 1000 },
		{ "the trunk", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 700}}]\n", 700 },
		{ "a profile may ask seldomer", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 700}}]\n"
		  "profiles: [{name: p, probe: {interval_ms: 9000}, targets: [{trunk: one}]}]\n", 9000 },
		{ "a target over its profile", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 700}}]\n"
		  "profiles: [{name: p, probe: {interval_ms: 9000}, targets: [{trunk: one, probe: {interval_ms: 800}}]}]\n", 800 },
		{ "the shortest of two", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}]}]\n"
		  "profiles: [{name: p, probe: {interval_ms: 9000}, targets: [{trunk: one}]}, {name: q, probe: {interval_ms: 300}, targets: [{trunk: one}]}]\n",
		  300 },
		{ "one who says nothing counts as the trunk", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 700}}]\n"
		  "profiles: [{name: p, probe: {interval_ms: 9000}, targets: [{trunk: one}]}, {name: q, targets: [{trunk: one}]}]\n", 700 },
		{ "off, where nobody wants it", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}]}]\n"
		  "profiles: [{name: p, probe: {enabled: false}, targets: [{trunk: one}]}]\n", 0 },
		{ "on, where somebody does", "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {enabled: false}}]\n"
		  "profiles: [{name: p, targets: [{trunk: one}]}, {name: q, targets: [{trunk: one, probe: {enabled: true, interval_ms: 2000}}]}]\n", 2000 },
	};
	struct probing *t = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct prober_status s = { .interval_ms = 0 };

		in_force(t, cases[i].text);
		prober_status(t->prober, slot_in(t, "one", "10.0.0.1:5060"), &s);
		if (s.interval_ms != cases[i].interval_ms)
			fail_msg("%s: %u ms", cases[i].what, s.interval_ms);
	}
}

/* What stands in the request, from whoever says it; what libosip2 does not take is left out rather than not asked. */
static void identity(void **state)
{
	struct probing *t = *state;
	struct probe_request *r;

	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {from: 'sip:q@pop.example', user_agent: ''}}]\n"
		    "profiles: [{name: p, probe: {to: 'sip:ping@x', max_forwards: 1}, targets: [{trunk: one}]}]\n");
	until_sent(t);
	r = &t->sent[t->fake->probe_count - 1];
	r->message[r->len] = 0;
	assert_non_null(strstr(r->message, "OPTIONS sip:10.0.0.1:5060 SIP/2.0\r\nFrom: <sip:q@pop.example>;tag="));
	assert_non_null(strstr(r->message, "\r\nTo: <sip:ping@x>\r\n"));
	assert_non_null(strstr(r->message, "\r\nMax-Forwards: 1\r\n"));
	assert_non_null(strstr(r->message, "\r\nContact: <sip:10.77.0.1:5060>\r\n"));
	assert_null(strstr(r->message, "User-Agent"));
}

static void says_what_the_peer_said(void **state)
{
	static const char head[] = "SIP/2.0 503 Gone Fishing\r\nVia: SIP/2.0/UDP 10.77.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
				   "Call-ID: 3\r\nCSeq: 1 OPTIONS\r\nRetry-After: 9\r\n";
	struct probe_result r = { .status = 503, .retry_after = true, .retry_after_s = 9, .answer_len = sizeof(head) - 1, .rtt_us = 800 };
	struct probing *t = *state;

	memcpy(r.answer, head, sizeof(head) - 1);
	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {down_after: 1}}]\nprofiles: [{name: in, targets: [{trunk: one}]}]\n");
	until_sent(t);
	answer_last(t, r);
	expect(t->bench, "targets", "{}",
	       "[{'endpoints':[{'health':'down','reason':'OPTIONS got 503 (Gone Fishing; Retry-After 9)','rtt':{'mean_ms':0.8},'probe_interval_ms':1000}]}]");
	until_sent(t);
	answer_last(t, ok);
	expect(t->bench, "targets", "{}", "[{'endpoints':[{'health':'up','reason':'OPTIONS got 200'}]}]");
}

static void goes_down_and_comes_back(void **state)
{
	struct probing *t = *state;
	struct prober_status s;
	uint32_t slot;

	in_force(t, ONE);
	slot = slot_in(t, "one", "10.0.0.1:5060");
	assert_true(until_sent(t) <= 1101);
	answer_last(t, ok);
	assert_int_equal(live_health(t, slot), ENDPOINT_UP);
	for (unsigned i = 0; i < 20; i++) {
		unsigned ms = until_sent(t);

		assert_in_range(ms, 900, 1101);
		answer_last(t, ok);
	}
	until_sent(t);
	answer_last(t, silence);
	assert_int_equal(live_health(t, slot), ENDPOINT_SUSPECT);
	assert_int_equal(t->fake->released_count, 0);
	until_sent(t);
	answer_last(t, refused);
	assert_int_equal(live_health(t, slot), ENDPOINT_DOWN);
	assert_int_equal(t->fake->released_count, 1);
	assert_int_equal(t->fake->released[0], slot);
	until_sent(t);
	answer_last(t, silence);
	assert_int_equal(t->fake->released_count, 1);
	assert_true(prober_status(t->prober, slot, &s));
	assert_int_equal(s.sent, 24);
	assert_int_equal(s.failed, 3);
	assert_int_equal(s.rtt.mean_us, 8000);
	until_sent(t);
	answer_last(t, (struct probe_result){ .status = 200, .rtt_us = 16000 });
	assert_int_equal(live_health(t, slot), ENDPOINT_UP);
	assert_true(prober_status(t->prober, slot, &s));
	assert_int_equal(s.rtt.mean_us, 9000);
	assert_int_equal(endpoint_response_us(t->fake->tables->endpoints, slot), 9000); /* no call has said more yet */
	assert_int_equal(s.health.since_ms, t->now);
}

/* What could not be sent for a reason of ours says nothing of the endpoint, however often it happens. */
static void own_fault(void **state)
{
	struct probing *t = *state;
	struct prober_status s;
	uint32_t slot;

	in_force(t, ONE);
	slot = slot_in(t, "one", "10.0.0.1:5060");
	until_sent(t);
	answer_last(t, ok);
	for (unsigned i = 0; i < 5; i++) {
		until_sent(t);
		answer_last(t, (struct probe_result){ .unsent = true });
		assert_int_equal(live_health(t, slot), ENDPOINT_UP);
	}
	assert_true(prober_status(t->prober, slot, &s));
	assert_int_equal(s.failed, 0);
	until_sent(t);
	answer_last(t, silence);
	assert_int_equal(live_health(t, slot), ENDPOINT_SUSPECT);
}

/* Never two at a time: a slow answer delays the next; a result that is lost ends the wait and is no failure. */
static void one_at_a_time(void **state)
{
	struct probing *t = *state;
	struct prober_status s;

	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 100, timeout_ms: 1500}}]\n");
	assert_true(until_sent(t) <= 111);
	pass(t, 1400);
	assert_int_equal(t->fake->probe_count, 1);
	answer_last(t, ok);
	assert_int_equal(until_sent(t), 1); /* long due */
	pass(t, 3400);
	assert_int_equal(t->fake->probe_count, 2);
	assert_in_range(until_sent(t), 90, 110);
	assert_true(prober_status(t->prober, slot_in(t, "one", "10.0.0.1:5060"), &s));
	assert_int_equal(s.health.state, ENDPOINT_UP);
	assert_int_equal(s.failed, 0);
	/* the lost one's result comes after all: not counted */
	give(t, t->sent[1].id, silence);
	assert_true(prober_status(t->prober, slot_in(t, "one", "10.0.0.1:5060"), &s));
	assert_int_equal(s.failed, 0);
}

static void full(void **state)
{
	struct probing *t = *state;
	struct prober_status s;

	t->fake->probe_room = 0;
	in_force(t, ONE);
	pass(t, 1500);
	assert_true(prober_status(t->prober, slot_in(t, "one", "10.0.0.1:5060"), &s));
	assert_int_equal(s.sent, 0);
	assert_int_equal(s.health.state, ENDPOINT_UNKNOWN);
	t->fake->probe_room = SENT_MAX;
	assert_true(until_sent(t) <= 50);
}

static void follows_publications(void **state)
{
	struct probing *t = *state;
	struct prober_status s;
	uint32_t one, two;
	uint64_t late;

	in_force(t, ONE);
	one = slot_in(t, "one", "10.0.0.1:5060");
	until_sent(t);
	answer_last(t, ok);
	/* another endpoint: the first goes on as it was */
	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1, weight: 7}, {address: 10.0.0.2}]}]\n");
	two = slot_in(t, "one", "10.0.0.2:5060");
	assert_int_equal(live_health(t, one), ENDPOINT_UP);
	assert_int_equal(live_health(t, two), ENDPOINT_UNKNOWN);
	assert_true(prober_status(t->prober, two, &s));
	while (t->sent[t->fake->probe_count - 1].to.ip.bytes[3] != 2)
		until_sent(t);
	late = t->sent[t->fake->probe_count - 1].id;
	/* it is gone before its answer comes, and somebody else has its slot */
	in_force(t, ONE);
	assert_false(prober_status(t->prober, two, &s));
	give(t, late, silence);
	epoch_reclaim(t->fake->tables->epoch);
	/* switched off: nothing is known of it any more, nothing is sent */
	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {enabled: false}}]\n");
	assert_int_equal(live_health(t, one), ENDPOINT_UNKNOWN);
	assert_false(prober_status(t->prober, one, &s));
	t->fake->probe_count = 0;
	pass(t, 5000);
	assert_int_equal(t->fake->probe_count, 0);
	/* and on again, faster */
	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 100, down_after: 1}}]\n");
	assert_true(until_sent(t) <= 111);
	answer_last(t, silence);
	assert_int_equal(live_health(t, one), ENDPOINT_DOWN);
	/* a change of something else leaves it down */
	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {interval_ms: 100, down_after: 1}}]\nprofiles: [{name: p}]\n");
	assert_int_equal(live_health(t, one), ENDPOINT_DOWN);
	in_force(t, "");
	t->fake->probe_count = 0;
	pass(t, 1000);
	assert_int_equal(t->fake->probe_count, 0);
}

/* A slot that another endpoint has by now starts from nothing. */
static void slots_are_reused(void **state)
{
	struct probing *t = *state;
	struct prober_status s;
	uint32_t old, slot = ENDPOINT_NONE;
	char text[200];

	in_force(t, "trunks: [{name: one, endpoints: [{address: 10.0.0.1}], probe: {down_after: 1}}]\n");
	old = slot_in(t, "one", "10.0.0.1:5060");
	until_sent(t);
	answer_last(t, silence);
	assert_int_equal(live_health(t, old), ENDPOINT_DOWN);
	for (unsigned i = 2; slot != old; i++) {
		char address[32];

		assert_true(i < 200);
		snprintf(text, sizeof(text), "trunks: [{name: one, endpoints: [{address: 10.0.0.%u}], probe: {down_after: 1}}]\n", i);
		in_force(t, text);
		epoch_reclaim(t->fake->tables->epoch);
		snprintf(address, sizeof(address), "10.0.0.%u:5060", i);
		slot = slot_in(t, "one", address);
	}
	assert_int_equal(live_health(t, slot), ENDPOINT_UNKNOWN);
	assert_true(prober_status(t->prober, slot, &s));
	assert_int_equal(s.sent, 0);
}

static void operators_see_it(void **state)
{
	struct probing *t = *state;

	in_force(t, ONE "profiles: [{name: in, targets: [{trunk: one}]}]\nnumbers: [{number: '1', profile: in}]\n");
	expect(t->bench, "targets", "{}",
	       "[{'state':'up','endpoints':[{'health':'unknown','reason':'not probed yet','rtt_ms':null,'probes_sent':0,'probes_failed':0}]}]");
	until_sent(t);
	answer_last(t, ok);
	expect(t->bench, "targets", "{}",
	       "[{'state':'up','endpoints':[{'health':'up','reason':'OPTIONS got 200','rtt_ms':8.0,'probes_sent':1,'probes_failed':0}]}]");
	until_sent(t);
	answer_last(t, silence);
	until_sent(t);
	answer_last(t, silence);
	expect(t->bench, "targets", "{}",
	       "[{'state':'down','endpoints':[{'health':'down','reason':'OPTIONS got no answer','probes_sent':3,'probes_failed':2}]}]");
	expect(t->bench, "route", "{'from':'x','to':'+1'}", "{'left_out':[{'target':'in/one'}]}");
	t->bench->control.prober = NULL;
	expect(t->bench, "targets", "{}", "[{'endpoints':[{'health':'down','reason':'not probed','since':null}]}]");
}

/* By dice: of 24 none in a quarter happens once in 1,000 times, none in a half once in 8 million. */
static void expect_spread(const unsigned quarters[4], unsigned most)
{
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(quarters[i], 0, most);
	assert_true(quarters[0] + quarters[1] > 0);
	assert_true(quarters[2] + quarters[3] > 0);
}

static void pace_is_spread(void **state)
{
	struct probing *t = *state;
	char *text = malloc(4096), *at = text;
	unsigned quarters[4] = { 0 };

	at += sprintf(at, "trunks: [{name: one, probe: {interval_ms: 30000}, endpoints: [");
	for (unsigned i = 0; i < 24; i++)
		at += sprintf(at, "%s{address: 10.0.0.%u}", i ? ", " : "", i + 1);
	sprintf(at, "]}]\n");
	in_force(t, text);
	for (unsigned i = 0; i < 1001; i++) {
		unsigned before = t->fake->probe_count;

		pass(t, 1);
		quarters[i / 251] += t->fake->probe_count - before;
	}
	assert_int_equal(t->fake->probe_count, 24); /* a new endpoint does not wait a whole interval */
	expect_spread(quarters, 20);
	/* and is asked again anywhere within it, so that who came together does not go on together */
	for (unsigned i = 0; i < 24; i++)
		give(t, t->sent[i].id, ok);
	t->fake->probe_count = 0;
	memset(quarters, 0, sizeof(quarters));
	for (unsigned i = 0; i < 30; i++) {
		unsigned before = t->fake->probe_count;

		pass(t, 1000);
		quarters[i / 8] += t->fake->probe_count - before;
		for (; before < t->fake->probe_count; before++)
			give(t, t->sent[before].id, ok);
	}
	expect_spread(quarters, 20);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(request, begin, end),
		cmocka_unit_test_setup_teardown(who_decides, begin, end),
		cmocka_unit_test_setup_teardown(identity, begin, end),
		cmocka_unit_test_setup_teardown(says_what_the_peer_said, begin, end),
		cmocka_unit_test_setup_teardown(goes_down_and_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(own_fault, begin, end),
		cmocka_unit_test_setup_teardown(one_at_a_time, begin, end),
		cmocka_unit_test_setup_teardown(full, begin, end),
		cmocka_unit_test_setup_teardown(follows_publications, begin, end),
		cmocka_unit_test_setup_teardown(slots_are_reused, begin, end),
		cmocka_unit_test_setup_teardown(operators_see_it, begin, end),
		cmocka_unit_test_setup_teardown(pace_is_spread, begin, end),
	};

	eal_for_test("128");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
